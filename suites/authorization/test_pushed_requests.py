"""Authorization requests that a client sends ahead, and the references to them (RFC 9126)."""

from typing import Any

import pytest

from dcrcheck import (
    OMIT,
    REDIRECT_URI,
    Endpoint,
    Session,
    inconclusive,
    land_pushed,
    needs,
    requirement,
)

FOREIGN = "https://foreign.example/cb"
ALONE: dict[str, Any] = dict.fromkeys(
    ("response_type", "redirect_uri", "code_challenge", "code_challenge_method", "scope", "resource"), OMIT)


@requirement("HARD-REDIRECT-MATCH", "RFC9700-2.1-01")
@needs("pushed_authorization_request_endpoint", "authorization_endpoint")
@pytest.mark.parametrize("uri", [
    pytest.param(FOREIGN, id="foreign-host"),
    pytest.param("https://client.example.foreign.example/cb", id="registered-host-as-prefix"),
    pytest.param("https://clientxexample/cb", id="dot-as-wildcard"),
    pytest.param("https://client.example/cb/x", id="longer-path"),
    pytest.param("https://client.example/cb/..;/other", id="path-parameter-dots"),
    pytest.param("https://client.example/cb?x=1", id="query"),
    pytest.param("https://client.example/cb#dcrcheck", id="fragment"),
    pytest.param("https://client.example/CB", id="upper-case"),
    pytest.param("https://client.example@foreign.example/cb", id="registered-host-as-user"),
    pytest.param("https://foreign.example\\@client.example/cb", id="backslash-before-at"),
    pytest.param("https://client.example:8443/cb", id="port"),
    pytest.param("http://client.example/cb", id="http"),
    pytest.param("https://client.example/cb\x00.foreign.example", id="nul"),
    pytest.param("javascript:void(0)", id="executable"),
])
def test_a_pushed_redirect_uri_is_one_of_the_clients_own(endpoint: Endpoint, session: Session | None, uri: str):
    """A pushed request leads to no redirect URI that a public client has not registered."""
    landing = land_pushed(endpoint, session, endpoint.client(redirect_uris=[REDIRECT_URI]), redirect_uri=uri)

    assert not landing.astray, landing.describe()


@requirement("HARD-REDIRECT-MATCH", "RFC9700-2.1-01")
@needs("pushed_authorization_request_endpoint", "authorization_endpoint")
@pytest.mark.parametrize("params", [
    pytest.param({"redirect_uri": [REDIRECT_URI, FOREIGN]}, id="foreign-last"),
    pytest.param({"redirect_uri": [FOREIGN, REDIRECT_URI]}, id="foreign-first"),
    pytest.param({"redirect_uri[]": FOREIGN}, id="array-name"),
    pytest.param({"beside": {"redirect_uri": FOREIGN}}, id="beside-the-reference"),
])
def test_a_second_address_does_not_replace_the_pushed_one(endpoint: Endpoint, session: Session | None,
                                                          params: dict[str, object]):
    """A foreign address beside the registered one, in the pushed request or beside the reference, is not followed."""
    landing = land_pushed(endpoint, session, endpoint.client(redirect_uris=[REDIRECT_URI]), goal=FOREIGN, **params)

    assert not landing.astray, landing.describe()


@requirement("HARD-PUSHED-BOUND")
@needs("pushed_authorization_request_endpoint", "authorization_endpoint")
def test_a_pushed_request_serves_its_client_alone(endpoint: Endpoint, session: Session | None):
    """A reference to the pushed request of one client yields no code where another client names it."""
    owner = endpoint.client(redirect_uris=[REDIRECT_URI])
    other = endpoint.client(redirect_uris=["https://other.client.example/cb"])

    landing = land_pushed(endpoint, session, other, pusher=owner, goal=owner.redirect_uri)
    assert not landing.astray and "code" not in landing.parameters, landing.describe()


@requirement("HARD-PUSHED-NO-REFERENCE")
@needs("pushed_authorization_request_endpoint", "authorization_endpoint")
@pytest.mark.parametrize("reference", ["https://client.invalid/dcrcheck.jwt",
                                       "urn:ietf:params:oauth:request_uri:dcrcheck"],
                         ids=["address", "reference"])
def test_a_pushed_request_refers_to_no_other(endpoint: Endpoint, reference: str):
    """A pushed request that brings a request_uri is refused."""
    client = endpoint.client(redirect_uris=[REDIRECT_URI])
    usual = endpoint.push(client)
    if usual.status != 201:
        inconclusive(f"the server does not take the client's usual request either: {usual.describe()}")

    answer = endpoint.push(client, request_uri=reference)
    assert answer.status != 201, f"the server took the request: {answer.describe()}"


@requirement("HARD-REQUEST-URI")
@needs("session", "authorization_endpoint")
@pytest.mark.parametrize("reference", [
    pytest.param("urn:ietf:params:oauth:request_uri:dcrcheck", id="unknown-reference"),
    pytest.param("https://client.invalid/dcrcheck.jwt", id="unregistered-address"),
    pytest.param("file:///dcrcheck.jwt", id="file"),
])
def test_an_unknown_reference_yields_no_code(endpoint: Endpoint, session: Session, reference: str):
    """A request that consists of a request_uri which nobody pushed or registered yields no code."""
    authorization = session.authorize(endpoint.client(), **ALONE, request_uri=reference)

    assert authorization.code is None, authorization.describe()
