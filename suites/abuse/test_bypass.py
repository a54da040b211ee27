"""Headers, paths and methods that a client may choose do not lift the limit (RFC 7239, section 8.1; CWE-348, CWE-436).

A variation counts as a bypass only if it registers clients again and again while ordinary requests are turned away.
Addresses are from the ranges for documentation (RFC 5737, RFC 3849).
"""

from urllib.parse import urlsplit

import pytest

from dcrcheck import Endpoint, Spray, intrusive, requirement

FORWARDING = {
    "x-forwarded-for": ("X-Forwarded-For", "192.0.2.{}"),
    "x-forwarded-for-right": ("X-Forwarded-For", "198.51.100.7, 192.0.2.{}"),
    "x-forwarded-for-ipv6": ("X-Forwarded-For", "2001:db8::{}"),
    "x-real-ip": ("X-Real-IP", "192.0.2.{}"),
    "forwarded": ("Forwarded", "for=192.0.2.{}"),
    "x-client-ip": ("X-Client-IP", "192.0.2.{}"),
    "cf-connecting-ip": ("CF-Connecting-IP", "192.0.2.{}"),
    "true-client-ip": ("True-Client-IP", "192.0.2.{}"),
    "user-agent": ("User-Agent", "dcrcheck/{}"),
}

NEIGHBOURS = {
    "another-of-its-network": ("2001:db8:0:1::1", "2001:db8:0:1::1:{:x}"),
    "another-spelling": ("2001:db8:0:2::1", "2001:0DB8:0000:0002:0:0:0:1"),
    "mapped-to-ipv6": ("192.0.2.9", "::ffff:192.0.2.9"),
}

PATHS = {
    "trailing-slash": "{parent}/{last}/",
    "double-slash": "{parent}//{last}",
    "matrix-parameter": "{parent}/{last};dcr={n}",
    "encoded-letter": "{parent}/{encoded}",
    "upper-case": "{parent}/{upper}",
    "absolute-form": "{origin}{parent}/{last}",
}

OVERRIDES = {
    "put": ("PUT", {"X-HTTP-Method-Override": "POST"}, ""),
    "get": ("GET", {"X-Method-Override": "POST"}, ""),
    "put-query": ("PUT", {}, "?_method=POST"),
    "post-of-get": ("POST", {"X-HTTP-Method-Override": "GET"}, ""),
}


@requirement("HARD-LIMIT-BYPASS", "STRUCT-LIMIT-NO-BYPASS")
@intrusive("burst")
@pytest.mark.parametrize("header", FORWARDING)
def test_a_header_does_not_lift_the_limit(endpoint: Endpoint, header: str):
    """While registrations are limited, a header that a client may set does not let one through."""
    name, value = FORWARDING[header]

    lifted = Spray.of(endpoint).lifted_by(lambda n: endpoint.submit(headers={name: value.format(n + 1)}, paced=False))

    assert not lifted, f"registrations with {name}: {value.format('…')} passed while others were turned away"


@requirement("HARD-LIMIT-BYPASS", "STRUCT-LIMIT-NO-BYPASS")
@intrusive("burst")
@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_an_address_of_the_same_source_does_not_lift_the_limit(endpoint: Endpoint, neighbour: str):
    """Where addresses in X-Forwarded-For are counted, another one of the same IPv6 network or host does not help."""
    known, other = NEIGHBOURS[neighbour]

    lifted = Spray.of(endpoint).lifted_by(
        lambda n: endpoint.submit(headers={"X-Forwarded-For": other.format(n + 2)}, paced=False),
        headers={"X-Forwarded-For": known})

    assert not lifted, f"registrations from {other.format(2)} passed while those from {known} were turned away"


@requirement("HARD-LIMIT-BYPASS", "STRUCT-LIMIT-NO-BYPASS", "HARD-ALTERNATE-PATHS")
@intrusive("burst")
@pytest.mark.parametrize("path", PATHS)
def test_another_spelling_of_the_path_does_not_lift_the_limit(endpoint: Endpoint, path: str):
    """While registrations are limited, another spelling of the path does not let one through."""
    lifted = Spray.of(endpoint).lifted_by(
        lambda n: endpoint.submit(target=spelled(endpoint.registration_url, PATHS[path], n), paced=False))

    assert not lifted, f"registrations at {PATHS[path]} passed while others were turned away"


@requirement("HARD-LIMIT-BYPASS", "STRUCT-LIMIT-NO-BYPASS", "HARD-METHOD-OVERRIDE")
@intrusive("burst")
@pytest.mark.parametrize("override", OVERRIDES)
def test_a_method_override_does_not_lift_the_limit(endpoint: Endpoint, override: str):
    """While registrations are limited, another method in the place of POST, or beside it, does not let one through."""
    method, headers, query = OVERRIDES[override]

    lifted = Spray.of(endpoint).lifted_by(
        lambda n: endpoint.submit(method=method, headers=headers, url=endpoint.registration_url + query, paced=False))

    assert not lifted, f"registrations by {method} with {headers or query} passed while others were turned away"


def spelled(url: str, pattern: str, number: int) -> bytes:
    """The request target for a registration endpoint in another spelling."""
    parts = urlsplit(url)
    parent, _, last = parts.path.rpartition("/")
    return pattern.format(origin=f"{parts.scheme}://{parts.netloc}", parent=parent, last=last, upper=last.upper(),
                          n=number, encoded=f"%{ord(last[0]):02x}{last[1:]}" if last else "").encode()
