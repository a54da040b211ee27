"""What the authorization endpoint does before it knows the user, and which requests it knows (RFC 9700, 4.11)."""

from typing import Any

import pytest

from dcrcheck import OMIT, Endpoint, Session, inapplicable, needs, requirement

REQUESTS: dict[str, dict[str, Any]] = {
    "right": {},
    "unknown-response-type": {"response_type": "dcrcheck"},
    "unknown-scope": {"scope": "dcrcheck-unknown"},
    "no-challenge": {"code_challenge": OMIT, "code_challenge_method": OMIT},
}


@requirement("RFC9700-4.11.2-02", "OAUTH21-7.13.2-02", "RFC9700-4.11.2-01", "MCP-2025-06-18-OPENREDIR-01",
             "MCP-2025-06-18-OPENREDIR-02", "OAUTH21-7.13.2-01", "OAUTH21-7.13.2-03")
@needs("authorization_endpoint")
@pytest.mark.parametrize("request_", REQUESTS)
def test_nobody_is_redirected_before_login(endpoint: Endpoint, request_: str):
    """A browser in which nobody is logged in is not sent to the client, whether its request is right or wrong."""
    place = endpoint.where(endpoint.client(), **REQUESTS[request_])

    assert place != "client", "the server redirected to the client without a login"


@requirement("RFC9700-4.11.2-03")
@needs("authorization_endpoint")
def test_a_stranger_is_not_redirected_silently(endpoint: Endpoint):
    """A request with prompt=none does not send a browser in which nobody is logged in to a client that nobody knows."""
    place = endpoint.where(endpoint.client(), prompt="none")
    scopes = endpoint.metadata.get("scopes_supported")
    openid = "openid" in scopes if scopes else "id_token_signing_alg_values_supported" in endpoint.metadata
    if place == "client" and openid:
        # OpenID Connect Core, section 3.1.2.6, has the server answer such a request with an error at the client
        inapplicable("the server does OpenID Connect, which wants this redirect")

    assert place != "client", "a link to the server leads on to whatever the client registered, and shows nothing"


@needs("session")
@requirement("OAUTH21-3.1-05")
def test_unknown_parameters_are_ignored(endpoint: Endpoint, session: Session):
    """An authorization request with a parameter that the server does not know is served all the same."""
    session.tokens()

    authorization = session.authorize(endpoint.client(), dcrcheck_unknown="dcrcheck")

    assert authorization.code is not None, authorization.describe()


@needs("session")
@requirement("OAUTH21-3.1-06")
@pytest.mark.parametrize("parameter", ["state", "code_challenge_method"])
def test_a_repeated_parameter_is_an_error(endpoint: Endpoint, session: Session, parameter: str):
    """An authorization request in which a parameter occurs twice yields no code."""
    twice = ["dcrcheck-one", "dcrcheck-two"] if parameter == "state" else ["S256", "S256"]

    authorization = session.authorize(endpoint.client(), **{parameter: twice})

    assert authorization.code is None, f"the server chose one of two values of {parameter} and issued a code"


@needs("session")
@requirement("RFC7591-2-11")
def test_registered_response_types_are_usable(endpoint: Endpoint, session: Session):
    """The authorization endpoint knows every response type that the server registers for a client."""
    client = endpoint.submit(grant_types=["authorization_code", "implicit"], response_types=["code", "token"]).client
    client = client or endpoint.client()

    # OpenID Connect Core, section 3.2.2.1: a response type with an ID Token needs a nonce
    errors = {name: session.authorize(client, response_type=name, nonce="dcrcheck").error
              for name in client.stored("response_types") or ["code"]}
    # some say invalid_request or unauthorized_client of a response type; it tells where they do not say so of code
    refusals = {"unsupported_response_type", "invalid_request", "unauthorized_client"} - {errors.get("code")}
    unusable = [name for name, error in errors.items() if error in refusals]
    assert not unusable, f"the server registered {unusable} and does not support them"
