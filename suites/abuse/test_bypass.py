"""Headers, paths and methods that a client may choose do not lift the limit (RFC 7239, section 8.1; CWE-348, CWE-436).

A variation counts as a bypass only if it registers clients again and again while ordinary requests are turned away.
Addresses are from the ranges for documentation (RFC 5737, RFC 3849).
"""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from dcrcheck import Answer, Endpoint, Spray, intrusive, requirement

FORWARDING = {
    "x-forwarded-for": ("X-Forwarded-For", "192.0.2.{}"),
    "x-forwarded-for-left": ("X-Forwarded-For", "192.0.2.{}, 198.51.100.7"),
    "x-forwarded-for-right": ("X-Forwarded-For", "198.51.100.7, 192.0.2.{}"),
    "x-forwarded-for-ipv6": ("X-Forwarded-For", "2001:db8::{}"),
    "x-forwarded-for-port": ("X-Forwarded-For", "192.0.2.7:{}"),
    "x-forwarded-for-garbage": ("X-Forwarded-For", "unknown{}"),
    "x-real-ip": ("X-Real-IP", "192.0.2.{}"),
    "forwarded": ("Forwarded", "for=192.0.2.{}"),
    "forwarded-ipv6": ("Forwarded", 'for="[2001:db8::{}]:4711"'),
    "x-forwarded": ("X-Forwarded", "192.0.2.{}"),
    "forwarded-for": ("Forwarded-For", "192.0.2.{}"),
    "x-client-ip": ("X-Client-IP", "192.0.2.{}"),
    "client-ip": ("Client-IP", "192.0.2.{}"),
    "x-cluster-client-ip": ("X-Cluster-Client-IP", "192.0.2.{}"),
    "x-originating-ip": ("X-Originating-IP", "192.0.2.{}"),
    "x-remote-ip": ("X-Remote-IP", "192.0.2.{}"),
    "x-remote-addr": ("X-Remote-Addr", "192.0.2.{}"),
    "x-azure-clientip": ("X-Azure-ClientIP", "192.0.2.{}"),
    "x-envoy-external-address": ("X-Envoy-External-Address", "192.0.2.{}"),
    "cf-connecting-ip": ("CF-Connecting-IP", "192.0.2.{}"),
    "cf-connecting-ipv6": ("CF-Connecting-IPv6", "2001:db8::{}"),
    "true-client-ip": ("True-Client-IP", "192.0.2.{}"),
    "fly-client-ip": ("Fly-Client-IP", "192.0.2.{}"),
    "fastly-client-ip": ("Fastly-Client-IP", "192.0.2.{}"),
    "user-agent": ("User-Agent", "dcrcheck/{}"),
    "cookie": ("Cookie", "session=dcrcheck-{}"),
    "origin": ("Origin", "https://client-{}.example"),
    "x-api-key": ("X-API-Key", "dcrcheck-{}"),
    "x-forwarded-host": ("X-Forwarded-Host", "host-{}.example"),
}

NEIGHBOURS = {
    "another-of-its-network": ("2001:db8:0:1::1", "2001:db8:0:1::1:{:x}"),
    "another-spelling": ("2001:db8:0:2::1", "2001:0DB8:0000:0002:0:0:0:1"),
    "upper-case": ("2001:db8:0:3::abcd", "2001:DB8:0:3::ABCD"),
    "mapped-to-ipv6": ("192.0.2.9", "::ffff:192.0.2.9"),
    "mapped-in-hexadecimal": ("192.0.2.10", "::ffff:c000:20a"),
    "with-a-port": ("192.0.2.11", "192.0.2.11:{}"),
}

PATHS = {
    "trailing-slash": "{parent}/{last}/",
    "double-slash": "{parent}//{last}",
    "matrix-parameter": "{parent}/{last};dcr={n}",
    "encoded-letter": "{parent}/{encoded}",
    "upper-case": "{parent}/{upper}",
    "absolute-form": "{origin}{parent}/{last}",
    "dot-segment": "{parent}/./{last}",
    "empty-query": "{parent}/{last}?",
    "query": "{parent}/{last}?dcr={n}",
}

OVERRIDES = {
    "put": ("PUT", {"X-HTTP-Method-Override": "POST"}, ""),
    "get": ("GET", {"X-Method-Override": "POST"}, ""),
    "put-query": ("PUT", {}, "?_method=POST"),
    "post-of-get": ("POST", {"X-HTTP-Method-Override": "GET"}, ""),
}

CONNECTIONS = {
    "connection-close": {"Connection": "close"},
    "names-a-header": {"Connection": "close, X-Forwarded-For, X-Real-IP"},
    "upgrade": {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"},
}


@requirement("HARD-LIMIT-BYPASS", "STRUCT-LIMIT-NO-BYPASS")
@intrusive("burst")
def test_a_new_connection_does_not_lift_the_limit(endpoint: Endpoint):
    """While registrations on one connection are limited, another connection of the same source is limited too."""
    lifted = Spray.of(endpoint).lifted_by_connecting()

    assert not lifted, "registrations on new connections passed while others were turned away: ports are counted"


@requirement("HARD-LIMIT-BYPASS", "STRUCT-LIMIT-NO-BYPASS")
@intrusive("burst")
@pytest.mark.parametrize("connection", CONNECTIONS)
def test_a_connection_header_does_not_lift_the_limit(endpoint: Endpoint, connection: str):
    """While registrations are limited, a Connection header, whatever it lists, does not let one through."""
    lifted = Spray.of(endpoint).lifted_by(f"connection {connection}", probes(endpoint))

    assert not lifted, f"registrations with {CONNECTIONS[connection]} passed while others were turned away"


@requirement("HARD-LIMIT-BYPASS", "STRUCT-LIMIT-NO-BYPASS")
@intrusive("burst")
@pytest.mark.parametrize("header", FORWARDING)
def test_a_header_does_not_lift_the_limit(endpoint: Endpoint, header: str):
    """While registrations are limited, a header that a client may set does not let one through."""
    lifted = Spray.of(endpoint).lifted_by(f"header {header}", probes(endpoint))

    assert not lifted, (f"registrations with {': '.join(FORWARDING[header]).format('…')} passed while others were "
                        "turned away")


@requirement("HARD-LIMIT-BYPASS", "STRUCT-LIMIT-NO-BYPASS")
@intrusive("burst")
@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_an_address_of_the_same_source_does_not_lift_the_limit(endpoint: Endpoint, neighbour: str):
    """Where addresses in X-Forwarded-For are counted, another one of the same IPv6 network or host does not help."""
    known, other = NEIGHBOURS[neighbour]

    lifted = Spray.of(endpoint).lifted_by(f"neighbour {neighbour}", probes(endpoint),
                                          headers={"X-Forwarded-For": known})

    assert not lifted, f"registrations from {other.format(2)} passed while those from {known} were turned away"


@requirement("HARD-LIMIT-BYPASS", "STRUCT-LIMIT-NO-BYPASS", "HARD-ALTERNATE-PATHS")
@intrusive("burst")
@pytest.mark.parametrize("path", PATHS)
def test_another_spelling_of_the_path_does_not_lift_the_limit(endpoint: Endpoint, path: str):
    """While registrations are limited, another spelling of the path does not let one through."""
    lifted = Spray.of(endpoint).lifted_by(f"path {path}", probes(endpoint))

    assert not lifted, f"registrations at {PATHS[path]} passed while others were turned away"


@requirement("HARD-LIMIT-BYPASS", "STRUCT-LIMIT-NO-BYPASS", "HARD-METHOD-OVERRIDE")
@intrusive("burst")
@pytest.mark.parametrize("override", OVERRIDES)
def test_a_method_override_does_not_lift_the_limit(endpoint: Endpoint, override: str):
    """While registrations are limited, another method in the place of POST, or beside it, does not let one through."""
    method, headers, query = OVERRIDES[override]

    lifted = Spray.of(endpoint).lifted_by(f"override {override}", probes(endpoint))

    assert not lifted, f"registrations by {method} with {headers or query} passed while others were turned away"


def probes(endpoint: Endpoint) -> dict[str, Callable[[int], Answer]]:
    """The variations of all checks by their names, so that one limited state is enough for those that lift nothing."""
    return {
        **{f"connection {row}": by_headers(endpoint, headers) for row, headers in CONNECTIONS.items()},
        **{f"header {row}": by_headers(endpoint, dict([pair])) for row, pair in FORWARDING.items()},
        **{f"neighbour {row}": by_headers(endpoint, {"X-Forwarded-For": address})
           for row, (_, address) in NEIGHBOURS.items()},
        **{f"path {row}": by_target(endpoint, pattern) for row, pattern in PATHS.items()},
        **{f"override {row}": by_method(endpoint, *variation) for row, variation in OVERRIDES.items()},
    }


def by_headers(endpoint: Endpoint, headers: dict[str, str]) -> Callable[[int], Answer]:
    return lambda n: endpoint.submit(headers={name: value.format(n + 2) for name, value in headers.items()},
                                     paced=False)


def by_target(endpoint: Endpoint, pattern: str) -> Callable[[int], Answer]:
    return lambda n: endpoint.submit(target=spelled(endpoint.registration_url, pattern, n), paced=False)


def by_method(endpoint: Endpoint, method: str, headers: dict[str, str], query: str) -> Callable[[int], Answer]:
    return lambda n: endpoint.submit(method=method, headers=headers, url=endpoint.registration_url + query,
                                     paced=False)


def spelled(url: str, pattern: str, number: int) -> bytes:
    """The request target for a registration endpoint in another spelling."""
    parts = urlsplit(url)
    parent, _, last = parts.path.rpartition("/")
    return pattern.format(origin=f"{parts.scheme}://{parts.netloc}", parent=parent, last=last, upper=last.upper(),
                          n=number, encoded=f"%{ord(last[0]):02x}{last[1:]}" if last else "").encode()
