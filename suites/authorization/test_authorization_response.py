"""What comes back to the client: state, and the issuer against mix-up (RFC 9207; OAuth 2.1, section 4.1.2)."""

import re
import string

import pytest

from dcrcheck import (
    Answer,
    Authorization,
    Endpoint,
    Session,
    inapplicable,
    inconclusive,
    is_loopback,
    needs,
    requirement,
)

STATES = {
    "all-printable-characters": string.ascii_letters + string.digits + string.punctuation + " x",
    "markup": "dcrp\"'><i data-dcrp=1>",
    "parameters-inside": "x&code=dcrcheck&error=dcrcheck#iss=dcrcheck",
    "encoded-already": "%26%3D%25+%2B",
    "long": "dcrcheck" * 100,
    "line-breaks": "dcrcheck\r\nx-dcrcheck: 1",
}

# OAuth 2.1, section 4.1.2.1, and what extensions registered for the authorization endpoint (IANA)
CODES = {"invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope",
         "server_error", "temporarily_unavailable", "interaction_required", "login_required", "consent_required",
         "account_selection_required", "invalid_request_uri", "invalid_request_object", "request_not_supported",
         "request_uri_not_supported", "registration_not_supported", "invalid_target", "invalid_authorization_details",
         "unmet_authentication_requirements"}
PRINTABLE = re.compile(r"[ !#-\[\]-~]*")


def denied(session: Session) -> Authorization:
    """The answer to a request that the user denied. A client of its own: consent for the others may be remembered."""
    authorization = session.granted(decision="deny")
    if authorization.error is None:
        inapplicable(f"denying leads to no error response: {authorization.describe()}")
    return authorization


def sends_iss(endpoint: Endpoint) -> None:
    if endpoint.metadata.get("authorization_response_iss_parameter_supported") is not True:
        inapplicable("the metadata does not announce iss in authorization responses")


def with_code(session: Session) -> Authorization:
    """The answer to a request that the user approved."""
    authorization = session.granted()
    if authorization.code is None:
        inconclusive(f"an ordinary request yields no code: {authorization.describe()}")
    return authorization


def refused_early(endpoint: Endpoint, **params: str) -> Answer:
    """The error that a client receives before anyone has logged in.

    Raises:
        Inapplicable: none, as RFC 9700, section 4.11.2, wants it.
    """
    client = endpoint.client()
    answer = endpoint.authorize(client, response_type="dcrcheck", **params)
    if answer.broke_down or endpoint.destination(client, answer) != "client":
        inapplicable("the server sends no such error to the client before a login")
    return answer


@needs("session")
@requirement("OAUTH21-4.1.2-04")
@pytest.mark.parametrize("state", STATES)
def test_state_comes_back_unchanged(endpoint: Endpoint, session: Session, state: str):
    """The state of an authorization response is the one that was sent, character for character."""
    authorization = session.authorize(endpoint.client(), state=STATES[state])
    # RFC 6749, appendix A.5: a state has printable ASCII characters alone, and another may be refused
    lawful = all(" " <= character <= "~" for character in STATES[state])
    if authorization.location is None or (authorization.error is not None and not lawful):
        inapplicable(f"the server refuses such a state: {authorization.describe()}")

    assert authorization.parameters.get("state") == STATES[state], "the client received another state, or none"


@needs("session")
@requirement("OAUTH21-4.1.2-04", "OAUTH21-4.1.2.1-10")
def test_an_error_carries_the_state_too(session: Session):
    """The state that was sent comes back in an error response."""
    authorization = denied(session)

    assert authorization.parameters.get("state") == authorization.state, "the client received another state, or none"


@needs("authorization_endpoint")
@requirement("OAUTH21-4.1.2.1-10")
@pytest.mark.parametrize("state", STATES)
def test_an_error_before_the_login_carries_the_state_unchanged(endpoint: Endpoint, state: str):
    """The state that was sent comes back, character for character, in an error that needs no login."""
    answer = refused_early(endpoint, state=STATES[state])

    assert answer.query.get("state") == STATES[state], "the client received another state, or none"


@needs("session")
@requirement("OAUTH21-4.1.2.1-09")
@pytest.mark.parametrize("reason", ["denied", "unknown-scope", "unknown-response-type"])
def test_an_authorization_error_has_a_code_that_is_defined(endpoint: Endpoint, session: Session, reason: str):
    """An error response has a code that the specification, or a registered extension, defines, in printable ASCII."""
    asked = {"unknown-scope": {"scope": "dcrcheck-unknown"}, "unknown-response-type": {"response_type": "dcrcheck"}}
    answer = denied(session) if reason == "denied" else session.authorize(endpoint.client(), **asked[reason])
    if answer.error is None:
        inapplicable(f"no error reaches the client: {answer.describe()}")

    assert answer.error in CODES, f"the error is {answer.error!r}"
    said = answer.parameters.get("error_description", "")
    assert PRINTABLE.fullmatch(said), f"error_description is {said!r}"


@needs("session")
@requirement("HARD-CONSENT-ASKED")
def test_a_denial_is_not_a_code(session: Session):
    """A user who denies an authorization request sends the client away with an error and without a code."""
    authorization = session.granted(decision="deny")
    if not authorization.pages:
        inapplicable("the server asks the user nothing that could be denied")

    assert authorization.code is None, "the user denied the request and the client received a code"


@needs("session")
@requirement("RFC9207-2-01", "MCP-2026-07-28-ISS-01", "RFC9700-4.4.2.1-01")
def test_a_code_comes_with_its_issuer(endpoint: Endpoint, session: Session):
    """A server that announces iss sends it along with every code."""
    sends_iss(endpoint)

    received = with_code(session).parameters

    assert "iss" in received, f"the client received {', '.join(received)}"


@needs("session")
@requirement("RFC9207-2-02", "MCP-2026-07-28-ISS-01")
def test_an_error_comes_with_its_issuer(endpoint: Endpoint, session: Session):
    """A server that announces iss sends it along with every error."""
    sends_iss(endpoint)

    received = denied(session).parameters

    assert "iss" in received, f"the client received {', '.join(received)}"


@needs("authorization_endpoint")
@requirement("RFC9207-2-02", "RFC9207-2.3-02")
def test_an_error_before_the_login_comes_with_its_issuer(endpoint: Endpoint):
    """A server that announces iss sends the issuer of its metadata along with an error that needs no login."""
    sends_iss(endpoint)

    answer = refused_early(endpoint)

    assert answer.query.get("iss") == endpoint.metadata.get("issuer"), f"iss is {answer.query.get('iss')!r}"


@needs("session")
@requirement("OAUTH21-4.1.2-05", "OAUTH21-4.1.2.1-11")
@pytest.mark.parametrize("response", ["code", "error"])
def test_every_authorization_response_names_its_issuer(session: Session, response: str):
    """An authorization response carries iss, whether it brings a code or an error."""
    received = (with_code(session) if response == "code" else denied(session)).parameters

    assert "iss" in received, f"the client received {', '.join(received)}"


@needs("session")
@requirement("RFC9207-2.3-02")
def test_iss_is_the_issuer_of_the_metadata(endpoint: Endpoint, session: Session):
    """The iss of an authorization response is the issuer of the metadata, character for character."""
    received = session.granted().parameters
    if "iss" not in received:
        inapplicable("the authorization response carries no iss")

    assert received["iss"] == endpoint.metadata.get("issuer"), f"iss is {received['iss']!r}"


@needs("session")
@requirement("RFC9207-2-03")
def test_iss_is_a_plain_https_url(session: Session):
    """The iss of an authorization response is an https URL without query and fragment."""
    iss = session.granted().parameters.get("iss")
    if iss is None:
        inapplicable("the authorization response carries no iss")

    assert iss.startswith("https://") or is_loopback(iss), f"iss is {iss!r}"
    assert "?" not in iss and "#" not in iss, f"iss is {iss!r}"


@needs("session")
@requirement("RFC9207-2.3-03", "RFC9207-3-01", "MCP-2026-07-28-ISS-02")
def test_iss_is_announced(endpoint: Endpoint, session: Session):
    """A server that sends iss says so in its metadata."""
    if "iss" not in session.granted().parameters:
        inapplicable("the authorization response carries no iss")
    announced = endpoint.metadata.get("authorization_response_iss_parameter_supported")

    assert announced is True, f"authorization_response_iss_parameter_supported is {announced!r}"
