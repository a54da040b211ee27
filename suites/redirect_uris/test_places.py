"""Redirect URIs in places where no client should be reached, or in more places than one."""

import ipaddress
from urllib.parse import parse_qsl, urlsplit

import pytest

from dcrcheck import (
    Endpoint,
    Session,
    as_browser,
    inapplicable,
    intrusive,
    is_cleartext,
    land,
    needs,
    origin,
    requirement,
    stored_uris,
)


@requirement("HARD-REDIRECT-PSEUDO-LOOPBACK", "RFC7591-5-05")
@pytest.mark.parametrize("uri", [
    pytest.param("http://localhost.foreign.example/cb", id="localhost-as-subdomain"),
    pytest.param("http://127.0.0.1.foreign.example/cb", id="address-as-subdomain"),
    pytest.param("http://foreign-localhost/cb", id="localhost-as-suffix"),
    pytest.param("http://localhostforeign.example/cb", id="localhost-as-prefix"),
    pytest.param("http://localhost@foreign.example/cb", id="localhost-as-user"),
    pytest.param("http://127.0.0.1:80@foreign.example/cb", id="address-as-user"),
    pytest.param("http://[::1]@foreign.example/cb", id="ipv6-address-as-user"),
    pytest.param("http://foreign.example/localhost", id="localhost-as-path"),
    pytest.param("http://foreign.example?localhost", id="localhost-as-query"),
    pytest.param("http://foreign.example\\@localhost/cb", id="localhost-after-backslash"),
    pytest.param("http://127.foreign.example/cb", id="network-as-subdomain"),
    pytest.param("http://0.0.0.0/cb", id="any-address"),
    pytest.param("http://[::]/cb", id="any-ipv6-address"),
])
def test_http_is_registered_for_the_loopback_interface_alone(endpoint: Endpoint, uri: str):
    """A host that merely looks like the loopback interface does not get plain http registered."""
    if endpoint.submit(redirect_uris=["http://foreign.example/cb"]).stored("redirect_uris"):
        inapplicable("the server registers plain http for any host: there is no exception to widen")

    answer = endpoint.submit(redirect_uris=[uri])

    cleartext = [stored for stored in stored_uris(answer) if is_cleartext(stored)]
    assert not cleartext, f"the server stored {cleartext!r}"


@requirement("HARD-REDIRECT-OWN-ORIGIN")
@needs("tls")  # a server on loopback http is in a place that native clients may name
@pytest.mark.parametrize("place", ["authorization_endpoint", "registration_endpoint", "a-page"])
def test_the_servers_own_origin_is_not_registered(endpoint: Endpoint, place: str):
    """A self-registered client has no redirect URI in the authorization server's own origin."""
    own = endpoint.target.endpoint(place) or f"{origin(endpoint.target.issuer)}/login?next=dcrcheck"
    answer = endpoint.submit(redirect_uris=[own])

    inside = [stored for stored in stored_uris(answer) if origin(stored) == origin(own)]
    assert not inside, f"the server stored {inside!r}"


@requirement("HARD-REDIRECT-INTERNAL")
@intrusive("outbound")
@pytest.mark.parametrize("host", ["10.0.0.5", "172.16.0.5", "192.168.1.10", "169.254.169.254", "[fe80::1]", "[fd00::5]",
                                  "[::ffff:10.0.0.5]"], ids=["10", "172.16", "192.168", "link-local", "fe80", "fd00",
                                                             "ipv4-in-ipv6"])
def test_a_private_or_link_local_address_is_not_registered(endpoint: Endpoint, host: str):
    """A self-registered client has no redirect URI at a private or link-local address."""
    answer = endpoint.submit(redirect_uris=[f"https://{host}/cb"])

    inside = [stored for stored in stored_uris(answer) if _is_internal(stored)]
    assert not inside, f"the server stored {inside!r}"


@requirement("HARD-REDIRECT-RESERVED-QUERY")
@pytest.mark.parametrize("name", ["code", "state", "iss", "error", "access_token"])
def test_a_planted_response_parameter_is_not_registered(endpoint: Endpoint, name: str):
    """A redirect URI does not bring a parameter of the authorization response in its own query."""
    answer = endpoint.submit(redirect_uris=[f"https://client.example/cb?{name}=dcrcheck"])

    planted = [stored for stored in stored_uris(answer) if name in dict(parse_qsl(urlsplit(stored).query))]
    assert not planted, f"the server stored {planted!r}"


@requirement("HARD-REDIRECT-WILDCARD", "STRUCT-REDIRECT-NO-WILDCARD")
@pytest.mark.parametrize(("pattern", "covered"), [
    pytest.param("https://*.client.example/cb", "https://foreign.client.example/cb", id="subdomain"),
    pytest.param("https://client.example/*", "https://client.example/foreign", id="path"),
    pytest.param("https://client.example*", "https://client.example.foreign.example", id="suffix"),
    pytest.param("https://*/cb", "https://foreign.example/cb", id="host"),
    pytest.param("*", "https://foreign.example/cb", id="star"),
    pytest.param(".*", "https://foreign.example/cb", id="expression"),
    pytest.param("https://client.example/cb?*", "https://client.example/cb?x=1", id="query"),
    pytest.param("http://127.0.0.1:*/other", "http://127.0.0.1/foreign", id="loopback-port"),
    pytest.param("https://client.example/(a|b)", "https://client.example/a", id="alternatives"),
])
def test_a_wildcard_matches_nothing_but_itself(endpoint: Endpoint, session: Session | None, pattern: str, covered: str):
    """A redirect URI with a wildcard or pattern is refused, or an address that it covers is not accepted."""
    answer = endpoint.submit(redirect_uris=["https://client.example/cb", pattern])
    if answer.client is None or pattern not in stored_uris(answer):
        return

    landing = land(endpoint, session, answer.client, redirect_uri=covered)
    assert not landing.astray, f"the server stored {pattern!r}, and {landing.describe()}"


@requirement("HARD-REDIRECT-TRAVERSAL")
@pytest.mark.parametrize(("climbing", "reached"), [
    pytest.param("https://client.example/a/../cb", "https://client.example/cb", id="dot-segments"),
    pytest.param("https://client.example/a/%2e%2e/cb", "https://client.example/cb", id="encoded-dots"),
    pytest.param("https://client.example/a/..%2fcb", "https://client.example/cb", id="encoded-slash"),
    pytest.param("https://client.example/a/..;/cb", "https://client.example/cb", id="path-parameter"),
    pytest.param("https://client.example/a/%252e%252e/cb", "https://client.example/cb", id="encoded-twice"),
    pytest.param("https://client.example/a/./cb", "https://client.example/a/cb", id="single-dot"),
])
def test_dot_segments_are_refused_or_compared_literally(endpoint: Endpoint, session: Session | None, climbing: str,
                                                        reached: str):
    """A redirect URI with dot segments, plain or encoded, is refused, or does not stand for the page it leads to."""
    answer = endpoint.submit(redirect_uris=["https://client.example/other", climbing])
    if answer.client is None or climbing not in stored_uris(answer):
        return

    landing = land(endpoint, session, answer.client, redirect_uri=reached)
    assert not landing.astray, f"the server stored {climbing!r}, and {landing.describe()}"


@requirement("HARD-REDIRECT-TRAVERSAL")
@pytest.mark.parametrize("climbing", [
    pytest.param("https://client.example/app/../foreign", id="dot-segments"),
    pytest.param("https://client.example/app/%2e%2e/foreign", id="encoded-dots"),
    pytest.param("https://client.example/app/..%2fforeign", id="encoded-slash"),
    pytest.param("https://client.example/app/..;/foreign", id="path-parameter"),
    pytest.param("https://client.example/app/%252e%252e/foreign", id="encoded-twice"),
])
def test_no_dot_segment_leads_out_of_a_wildcard(endpoint: Endpoint, session: Session | None, climbing: str):
    """Where a server registers wildcards, an address that climbs out of the wildcard's folder is not accepted."""
    pattern = "https://client.example/app/*"
    answer = endpoint.submit(redirect_uris=["https://client.example/cb", pattern])
    if answer.client is None or pattern not in stored_uris(answer):
        inapplicable("the server registers no wildcards")

    landing = land(endpoint, session, answer.client, redirect_uri=climbing)
    assert not landing.astray, f"the server stored {pattern!r}, and {landing.describe()}"


def _is_internal(uri: str) -> bool:
    reading = as_browser(uri)
    try:
        address = ipaddress.ip_address(reading.host.strip("[]") if reading else "")
    except ValueError:
        return False
    inner = getattr(address, "ipv4_mapped", None) or address
    return inner.is_private and not inner.is_loopback
