"""Redirects to native applications on the loopback interface: the port varies, and nothing else (RFC 8252)."""

from functools import cache

import pytest

from dcrcheck import Client, Endpoint, Session, is_received, land, requirement


@requirement("RFC8252-7.3-01", "RFC9700-4.1.3-02", "OAUTH21-4.1.1-08", "OAUTH21-8.4.2-01")
@pytest.mark.parametrize(("registered", "requested"), [
    pytest.param("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb", id="ipv4"),
    pytest.param("http://127.0.0.1:49151/cb", "http://127.0.0.1:49152/cb", id="ipv4-other-port"),
    pytest.param("http://[::1]/cb", "http://[::1]:49152/cb", id="ipv6"),
])
def test_the_port_of_a_loopback_redirect_may_vary(endpoint: Endpoint, session: Session | None, registered: str,
                                                  requested: str):
    """A native application is reached at whatever port it has at the time of the request."""
    received = is_received(endpoint, session, _native(endpoint, registered), requested)

    assert received, f"{registered!r} is registered, and {requested!r} is refused"


@requirement("RFC8252-8.4-05", "HARD-REDIRECT-MATCH", "RFC9700-2.1-01")
@pytest.mark.parametrize("uri", [
    pytest.param("http://127.0.0.1/other", id="path"),
    pytest.param("http://127.0.0.1:49152/cb/x", id="longer-path-and-port"),
    pytest.param("http://127.0.0.1/cb?x=1", id="query"),
    pytest.param("https://127.0.0.1/cb", id="scheme"),
    pytest.param("http://localhost/cb", id="localhost"),
    pytest.param("http://[::1]/cb", id="ipv6"),
    pytest.param("http://127.0.0.2/cb", id="other-loopback-address"),
    pytest.param("http://user@127.0.0.1/cb", id="user"),
])
def test_nothing_but_the_port_of_a_loopback_redirect_varies(endpoint: Endpoint, session: Session | None, uri: str):
    """Path, query, scheme and host of a loopback redirect URI match exactly."""
    landing = land(endpoint, session, _native(endpoint, "http://127.0.0.1/cb"), redirect_uri=uri)

    assert not landing.astray, landing.describe()


@requirement("HARD-REDIRECT-MATCH", "RFC8252-8.4-05")
@pytest.mark.parametrize("uri", [
    pytest.param("http://127.0.0.1@foreign.example/cb", id="address-as-user"),
    pytest.param("http://127.0.0.1:49152@foreign.example/cb", id="address-and-port-as-user"),
    pytest.param("http://127.0.0.1.foreign.example/cb", id="address-as-subdomain"),
    pytest.param("http://127.0.0.1:49152.foreign.example/cb", id="host-after-port"),
    pytest.param("http://127.0.0.1:@foreign.example/cb", id="empty-password"),
    pytest.param("http://127.0.0.1\\@foreign.example/cb", id="backslash"),
    pytest.param("http://foreign.example:80/cb", id="foreign-host"),
])
def test_the_loopback_rule_reaches_no_other_host(endpoint: Endpoint, session: Session | None, uri: str):
    """The freedom of the loopback port is not a way to another host."""
    landing = land(endpoint, session, _native(endpoint, "http://127.0.0.1/cb"), redirect_uri=uri)

    assert not landing.astray, landing.describe()


@cache
def _native(endpoint: Endpoint, uri: str) -> Client:
    """A client at a loopback address; OpenID providers allow it to application_type native alone."""
    answer = endpoint.submit(redirect_uris=[uri])
    return answer.client or endpoint.client(redirect_uris=[uri], application_type="native")
