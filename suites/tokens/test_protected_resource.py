"""The protected resource's door: what it answers without a good token (RFC 6750, section 3)."""

import re

import pytest

from dcrcheck import Answer, Endpoint, Session, inapplicable, inconclusive, needs, requirement

PLAIN = ("scope", "error", "error_description", "error_uri")
PARAMETER = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))')


def challenge(answer: Answer) -> dict[str, str]:
    """The parameters of the Bearer challenge of an answer; empty if there is none."""
    header = answer.headers.get("www-authenticate", "")
    scheme, _, parameters = header.strip().partition(" ")
    if scheme.lower() != "bearer":
        return {}
    return {name: quoted or bare for name, quoted, bare in PARAMETER.findall(parameters)}


@needs("resource")
@requirement("RFC6750-3-01", "OAUTH21-5.3.1-01", "OAUTH21-5.3.2-01")
@pytest.mark.parametrize("token", ["absent", "of-nobody"])
def test_the_resource_asks_for_a_token(endpoint: Endpoint, token: str):
    """The protected resource answers 401 with a Bearer challenge to whoever presents no token that it knows."""
    answer = endpoint.visit(None if token == "absent" else "dcrcheck-token-of-nobody")

    assert answer.status == 401, f"the resource answered {answer.describe()}"
    assert answer.headers.get("www-authenticate", "").lower().startswith("bearer"), "there is no Bearer challenge"


@needs("resource")
@requirement("RFC6750-3.1-02", "OAUTH21-5.3.2-02")
def test_the_challenge_without_a_token_names_no_error(endpoint: Endpoint):
    """A request without a token is answered with a challenge that names no error."""
    named = challenge(endpoint.visit())

    assert "error" not in named, f"the challenge names the error {named.get('error')!r}"


@needs("resource")
@requirement("RFC6750-3-04", "OAUTH21-5.3.1-04")
def test_the_challenge_to_a_bad_token_names_the_error(endpoint: Endpoint):
    """A request with a token that is not valid is answered with the error invalid_token in the challenge."""
    answer = endpoint.visit("dcrcheck-token-of-nobody")
    if answer.status != 401:
        inapplicable(f"the resource does not challenge a bad token: {answer.describe()}")

    assert challenge(answer).get("error") == "invalid_token", f"the challenge is {challenge(answer)!r}"


@needs("resource")
@requirement("RFC6750-3-05")
@pytest.mark.parametrize("token", [None, "dcrcheck-token-of-nobody"], ids=["absent", "of-nobody"])
def test_the_challenge_of_the_resource_keeps_to_its_characters(endpoint: Endpoint, token: str | None):
    """scope, error, error_description and error_uri of the challenge have printable ASCII without backslashes."""
    named = challenge(endpoint.visit(token))
    if not named:
        inapplicable("there is no Bearer challenge")

    beyond = {name: value for name, value in named.items()
              if name in PLAIN and not re.fullmatch(r"[\x20\x21\x23-\x5b\x5d-\x7e]*", value)}
    assert not beyond, f"the challenge has {beyond!r}"


@needs("session", "resource")
@requirement("OAUTH21-5.1-01", "MCP-2025-03-26-TOKENREQ-01")
def test_a_token_in_the_query_opens_nothing(endpoint: Endpoint, session: Session):
    """An access token in the query of a request is not accepted by the protected resource."""
    token = session.tokens().json["access_token"]
    if endpoint.visit(token).status in (401, 403):
        inconclusive("the protected resource does not accept an ordinary token")

    status = endpoint.visit(url=f"{endpoint.target.resource}?access_token={token}").status

    assert status in (400, 401, 403), f"the resource answered {status}"


@needs("session", "resource")
@requirement("OAUTH21-5.1.1-01")
@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_scheme_of_a_token_may_be_spelled_in_any_case(endpoint: Endpoint, session: Session, scheme: str):
    """The protected resource takes a token however Bearer is spelled."""
    token = session.tokens().json["access_token"]
    if endpoint.visit(token).status in (401, 403):
        inconclusive("the protected resource does not accept an ordinary token")

    answer = endpoint.send("GET", str(endpoint.target.resource), headers={
        "authorization": f"{scheme} {token}", "accept": "application/json"})

    assert answer.status not in (400, 401, 403), f"the resource answered {answer.describe()}"
