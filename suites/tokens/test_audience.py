"""Tokens are good for the resource that they were asked for, and for no other (RFC 8707; MCP, token handling)."""

import base64
from typing import Any

import pytest

from dcrcheck import OMIT, Answer, Endpoint, Session, inapplicable, inconclusive, needs, observes, requirement

FOREIGN = "https://foreign.example/api"


def audience(answer: Answer) -> list[str]:
    """The aud of an issued access token.

    Raises:
        Inapplicable: the token is opaque: what it is good for shows at the resource only.
    """
    if answer.claims is None:
        inapplicable("the access token is opaque")
    stated = answer.claims.get("aud", [])
    return [str(item) for item in (stated if isinstance(stated, list) else [stated])]


def is_for(named: list[str], resource: str) -> bool:
    """Whether an audience is the resource, or a more general identifier of its place (RFC 8707, section 2)."""
    return any(name and resource.rstrip("/").startswith(name.rstrip("/")) for name in named)


def asked_for(endpoint: Endpoint, session: Session, at_authorization: Any, at_token: Any) -> Answer | None:
    """The token response for resources named at either endpoint; None if one of them refuses."""
    session.tokens()
    authorization = session.authorize(endpoint.client(), resource=at_authorization)
    if authorization.code is None:
        return None
    answer = endpoint.redeem(authorization, resource=at_token)
    return None if answer.tokens is None else answer


@needs("session", "resource")
@requirement("STRUCT-AUDIENCE", "RFC8707-2-05", "RFC9700-2.3-02", "RFC9700-4.9.3-01", "RFC6750-5.3-01",
             "RFC9728-7.4-01", "RFC9728-7.4-02", "OAUTH21-7.1.3.6-01", "OAUTH21-7.1.4-01")
@observes("RFC8707-2-06")
def test_a_token_names_its_resource(endpoint: Endpoint, session: Session):
    """The audience of an access token is the resource that was asked for, and no wider than its origin."""
    resource = str(endpoint.target.resource)

    named = audience(session.tokens())

    endpoint.observe("RFC8707-2-06", f"aud is {'' if resource in named else 'not '}the resource as it was named")
    assert is_for(named, resource), f"aud is {named!r}, the resource {resource}"


@needs("session", "resource")
@requirement("STRUCT-AUDIENCE", "RFC8707-2.2-02", "RFC9700-4.14.2-02", "RFC8707-2.1-04")
def test_the_token_request_does_not_change_the_resource(endpoint: Endpoint, session: Session):
    """A code for one resource is not redeemed for a token for another."""
    answer = asked_for(endpoint, session, endpoint.target.resource, FOREIGN)

    assert answer is None or FOREIGN not in audience(answer), "the token is good for a resource the user never approved"


@needs("session", "resource")
@requirement("RFC9700-4.14.2-02", "OAUTH21-3.2.3-05")
def test_refreshing_does_not_change_the_resource(endpoint: Endpoint, session: Session):
    """A refresh token for one resource does not yield a token for another."""
    client = endpoint.client(**endpoint.refreshing)
    issued = session.obtain(client).tokens or {}
    if "refresh_token" not in issued:
        inapplicable("the server issues no refresh token")

    answer = endpoint.token(client, grant_type="refresh_token", refresh_token=issued["refresh_token"], resource=FOREIGN)

    assert answer.tokens is None or FOREIGN not in audience(answer), "the token is good for a resource never approved"


@needs("session", "resource")
@requirement("RFC8707-2.2-01")
def test_a_refreshed_token_names_its_resource(endpoint: Endpoint, session: Session):
    """A refresh that names the resource yields a token for it."""
    client, resource = endpoint.client(**endpoint.refreshing), str(endpoint.target.resource)
    issued = session.obtain(client).tokens or {}
    if "refresh_token" not in issued:
        inapplicable("the server issues no refresh token")
    answer = endpoint.token(client, grant_type="refresh_token", refresh_token=issued["refresh_token"],
                            resource=resource)
    if answer.tokens is None:
        inconclusive(f"an ordinary refresh is refused: {answer.describe()}")

    assert is_for(named := audience(answer), resource), f"aud is {named!r}, the resource {resource}"


@needs("session", "resource")
@requirement("STRUCT-RESOURCE-REQUIRED")
@observes("RFC8707-2.1-01", "RFC8707-2.1-02")
def test_without_a_resource_there_is_no_token(endpoint: Endpoint, session: Session):
    """A client that names no resource, neither for the code nor for the token, receives no token."""
    answer = asked_for(endpoint, session, OMIT, OMIT)

    endpoint.observe("RFC8707-2.1-01" if answer else "RFC8707-2.1-02",
                     f"a client that names no resource gets {'a' if answer else 'no'} token")
    assert answer is None, "the server issued a token to a client that named no resource"


@needs("session", "resource")
@requirement("RFC8707-2-01", "RFC8707-2-02")
@pytest.mark.parametrize("form", ["relative", "fragment"])
def test_a_malformed_resource_is_no_audience(endpoint: Endpoint, session: Session, form: str):
    """A resource that is not an absolute URI, or has a fragment, never becomes the audience of a token."""
    resource = "dcrcheck/api" if form == "relative" else f"{endpoint.target.resource}#dcrcheck"

    answer = asked_for(endpoint, session, resource, resource)

    assert answer is None or resource not in audience(answer), f"aud is {resource!r}"


@needs("session", "resource")
@requirement("RFC8707-2-04", "RFC8707-2.1-03")
def test_an_unknown_resource_is_an_invalid_target(endpoint: Endpoint, session: Session):
    """A request for a resource that the server does not know is answered with invalid_target."""
    authorization = session.authorize(endpoint.client(), resource=FOREIGN)

    error = authorization.error
    if authorization.code is not None:
        error = endpoint.redeem(authorization, resource=FOREIGN).error
    if error is None:
        inapplicable("the server ignores the resource, or says what is wrong on a page of its own")
    if error != "invalid_target" and (ordinary := session.granted()).code is None:
        inconclusive(f"an ordinary request is not granted either: {ordinary.describe()}")
    assert error == "invalid_target", f"the error is {error}"


@needs("session", "resource")
@requirement("MCP-2025-06-18-AUDBIND-01", "RFC9700-2.3-03", "RFC9700-4.9.3-01", "MCP-2025-06-18-TOKENHANDLING-01",
             "MCP-2025-06-18-TOKENHANDLING-02", "MCP-2025-06-18-TOKENHANDLING-03", "MCP-2025-06-18-PRIV-01",
             "MCP-SBP-PASSTHROUGH-01", "OAUTH21-5.2-01", "OAUTH21-7.1.4-02")
@pytest.mark.parametrize("target", ["another-resource", "no-resource"])
def test_a_token_for_elsewhere_is_refused(endpoint: Endpoint, session: Session, target: str):
    """The protected resource refuses a token that was issued for another."""
    resource = FOREIGN if target == "another-resource" else OMIT
    answer = asked_for(endpoint, session, resource, resource)
    if answer is None:
        inapplicable("the server issues no such token")
    if is_for(audience(answer), str(endpoint.target.resource)):
        inapplicable("the server issued the token for its own resource")

    status = endpoint.visit(answer.json["access_token"]).status

    assert status in (401, 403), f"the resource answered {status}"


@needs("session", "resource")
@requirement("MCP-2025-06-18-AUDBIND-01", "MCP-2025-03-26-TOKENHANDLING-01", "OAUTH21-1.4-01", "OAUTH21-1.4.2-02",
             "OAUTH21-5-01")
@pytest.mark.parametrize("alteration", ["signature", "unsigned", "audience", "cut-short"])
def test_an_altered_token_is_refused(endpoint: Endpoint, session: Session, alteration: str):
    """The protected resource refuses a token that is not exactly as it was issued."""
    token = session.tokens().json["access_token"]
    if endpoint.visit(token).status in (401, 403):
        inconclusive("the protected resource does not accept an ordinary token")

    status = endpoint.visit(altered(token, alteration)).status

    assert status in (400, 401, 403), f"the resource answered {status} to a token with its {alteration} altered"


def altered(token: str, alteration: str) -> str:
    if alteration == "cut-short":
        return token[:-8]
    head, dot, rest = token.partition(".")
    if not dot or rest.count(".") != 1:
        inapplicable("the access token is opaque")
    claims, _, seal = rest.partition(".")
    middle = len(seal) // 2
    other = "A" if seal[middle] != "A" else "B"
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    changed = base64.urlsafe_b64encode(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))
                                       .replace(b'"exp"', b'"old"')).rstrip(b"=").decode()
    return {"signature": f"{head}.{claims}.{seal[:middle]}{other}{seal[middle + 1:]}", "unsigned": f"{none}.{claims}.",
            "audience": f"{head}.{changed}.{seal}"}[alteration]
