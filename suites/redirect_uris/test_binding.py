"""Redirect URIs are registered, belong to one client, and are looked up before anything is sent anywhere."""

import pytest

from dcrcheck import (
    OMIT,
    REDIRECT_URI,
    Endpoint,
    Session,
    inapplicable,
    is_received,
    land,
    needs,
    observes,
    requirement,
    stored_uris,
)

FOREIGN = "https://foreign.example/cb"


@requirement("RFC7591-2-02", "OAUTH21-2.3-02")
@observes("OAUTH21-2.3.1-03")
@pytest.mark.parametrize("uri", [
    pytest.param("https://client.example/other", id="https"),
    pytest.param("https://client.example/cb?tenant=a", id="with-query"),
    pytest.param("http://127.0.0.1:49151/cb", id="loopback"),
    pytest.param("http://localhost:49151/cb", id="localhost"),
    pytest.param("com.example.app:/cb", id="private-use-scheme"),
])
def test_every_registered_redirect_uri_is_returned_and_works(endpoint: Endpoint, session: Session | None, uri: str):
    """What a client registers as redirect_uris comes back in the response and is received in its requests."""
    answer = endpoint.submit(redirect_uris=[REDIRECT_URI, uri])
    if answer.client is None:
        inapplicable(f"the server does not register {uri!r} beside an https URI: {answer.describe()}")
    endpoint.observe("OAUTH21-2.3.1-03", f"of two redirect URIs, {len(stored_uris(answer))} are registered")

    assert stored_uris(answer), "the response names no redirect_uris"
    last = stored_uris(answer)[-1]
    assert is_received(endpoint, session, answer.client, last), f"{last!r} was registered, and is refused"


@requirement("RFC7591-5-04", "OIDCR-2-01", "OAUTH21-2-01", "OAUTH21-2.4-05")
@pytest.mark.parametrize("uris", [
    pytest.param(OMIT, id="missing"), pytest.param(None, id="null"), pytest.param([], id="empty"),
    pytest.param([""], id="empty-string"), pytest.param(["javascript:void(0)"], id="nothing-usable"),
])
def test_a_redirect_based_client_registers_redirect_uris(endpoint: Endpoint, uris: object):
    """A client of the authorization code grant is not registered without a redirect URI."""
    answer = endpoint.submit(redirect_uris=uris)
    if answer.client is None:
        return

    grants = answer.stored("grant_types") or ["authorization_code"]
    assert any(stored_uris(answer)) or not {"authorization_code", "implicit"} & set(grants), (
        f"the server registered a client for {grants!r} without redirect URIs")


@requirement("RFC7591-5-04", "HARD-REDIRECT-MATCH")
@needs("authorization_endpoint")
def test_a_client_without_redirect_uris_is_sent_nowhere(endpoint: Endpoint, session: Session | None):
    """A client that was registered without redirect URIs cannot name one in its authorization request."""
    answer = endpoint.submit(redirect_uris=OMIT)
    if answer.client is None or stored_uris(answer):
        return

    landing = land(endpoint, session, answer.client, redirect_uri=FOREIGN)
    assert landing.place != "requested", landing.describe()


@requirement("OAUTH21-4.1.1-05")
def test_redirect_uri_is_demanded_where_several_are_registered(endpoint: Endpoint, session: Session | None):
    """An authorization request that leaves open which of two redirect URIs is meant gets no redirect."""
    client = endpoint.client(redirect_uris=[REDIRECT_URI, "https://client.example/other"])
    if len(client.redirect_uris) < 2:
        inapplicable("the server registers one redirect URI a client")

    landing = land(endpoint, session, client, redirect_uri=OMIT)
    assert landing.place == "nowhere", landing.describe()


@requirement("HARD-ERROR-REDIRECT", "OAUTH21-2.3.5-02", "OAUTH21-4.1.2.1-01", "RFC9700-2.1-02", "OAUTH21-4.1.2.1-04")
@pytest.mark.parametrize("error", [
    pytest.param({"prompt": "none"}, id="prompt-none"),
    pytest.param({"response_type": "dcrcheck"}, id="unknown-response-type"),
    pytest.param({"response_type": OMIT}, id="no-response-type"),
    pytest.param({"response_type": "id_token"}, id="response-type-of-openid"),
    pytest.param({"scope": "dcrcheck:unknown"}, id="unknown-scope"),
    pytest.param({"response_mode": "dcrcheck"}, id="unknown-response-mode"),
    pytest.param({"code_challenge": OMIT, "code_challenge_method": OMIT}, id="no-challenge"),
    pytest.param({"code_challenge_method": "plain"}, id="plain-challenge"),
    pytest.param({"resource": "https://foreign.example/resource"}, id="unknown-resource"),
    pytest.param({"request": "dcrcheck"}, id="bad-request-object"),
    pytest.param({"request_uri": "https://client.invalid/dcrcheck.jwt"}, id="unregistered-request-uri"),
    pytest.param({"request_uri": "urn:ietf:params:oauth:request_uri:dcrcheck"}, id="unknown-request-uri"),
])
def test_no_error_is_sent_to_an_unregistered_redirect_uri(endpoint: Endpoint, session: Session | None,
                                                          error: dict[str, object]):
    """Whatever else is wrong with a request, its error does not travel to a redirect URI that is not the client's."""
    client = endpoint.client(redirect_uris=[REDIRECT_URI])

    landing = land(endpoint, session, client, **{"redirect_uri": FOREIGN, **error})
    assert not landing.astray, landing.describe()


@requirement("HARD-UNREGISTERED-CLIENT", "OAUTH21-4.1.2.1-01")
@pytest.mark.parametrize(("client_id", "uri"), [
    pytest.param("dcrcheck-never-registered", FOREIGN, id="unknown-client"),
    pytest.param("dcrcheck-never-registered", REDIRECT_URI, id="unknown-client-with-known-uri"),
    pytest.param("dcrcheck\x00", FOREIGN, id="control-character"),
    pytest.param("", FOREIGN, id="empty"),
    pytest.param(OMIT, FOREIGN, id="missing"),
])
def test_an_unregistered_client_is_sent_nowhere(endpoint: Endpoint, session: Session | None, client_id: object,
                                                uri: str):
    """An authorization request of a client that was never registered ends on a page of the server."""
    client = endpoint.client(redirect_uris=[REDIRECT_URI])

    landing = land(endpoint, session, client, client_id=client_id, redirect_uri=uri)
    assert landing.place == "nowhere", landing.describe()


@requirement("OAUTH21-4.1.2.1-02", "MCP-2025-03-26-ERRORS-01")
@pytest.mark.parametrize("params", [{"redirect_uri": FOREIGN}, {"client_id": "dcrcheck-never-registered"}],
                         ids=["foreign-redirect-uri", "unknown-client"])
def test_a_request_that_may_not_be_redirected_is_answered_with_400(endpoint: Endpoint, session: Session | None,
                                                                   params: dict[str, str]):
    """The user is told about a bad client or redirect URI on a page with status 400."""
    client = endpoint.client(redirect_uris=[REDIRECT_URI])

    landing = land(endpoint, session, client, **params)
    if landing.place != "nowhere":
        inapplicable(f"the request was not refused: {landing.describe()}")
    assert landing.answer.status == 400, f"the refusal has status {landing.answer.status}"
    assert landing.answer.text.strip(), "the refusal is an empty page"


@requirement("RFC7591-3.2.2-07", "OIDCR-3.3-03")
@pytest.mark.parametrize("uri", [
    pytest.param("javascript:void(0)", id="executable"), pytest.param("http://client.example/cb", id="cleartext"),
    pytest.param("https://client.example/cb#dcrcheck", id="fragment"), pytest.param("/cb", id="relative"),
])
def test_a_bad_redirect_uri_is_named_as_the_reason(endpoint: Endpoint, uri: str):
    """A registration that is refused for its redirect URI is refused with invalid_redirect_uri."""
    answer = endpoint.submit(redirect_uris=[uri])
    if answer.client is not None:
        inapplicable("the server did not refuse it")

    assert answer.error == "invalid_redirect_uri", f"the server answered {answer.describe()}"
