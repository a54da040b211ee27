"""Tokens that a client obtains for itself: for what, with which scope, and for whom they pass (RFC 9700, 4.15)."""

import secrets
from typing import Any

from dcrcheck import OMIT, Answer, Endpoint, Session, inapplicable, inconclusive, needs, requirement

NAMES = ("sub", "subject", "username", "preferred_username", "email")


def own_token(endpoint: Endpoint, *, scope: Any = OMIT, **members: Any) -> Answer:
    """The answer to a client that asks for a token of its own.

    Raises:
        Inapplicable: the server registers no client for that.
    """
    if "client_credentials" not in endpoint.policy.grant_types:
        inapplicable(f"policy {endpoint.policy.name} has no client_credentials")
    client = endpoint.submit(grant_types=["client_credentials"], response_types=[], redirect_uris=OMIT,
                             token_endpoint_auth_method=endpoint.policy.confidential_methods[0], **members).client
    if client is None or client.secret is None:
        inapplicable("the server registers no client with a secret for client_credentials")
    usual = endpoint.profile.registration.get("scope", OMIT)
    return endpoint.token(client, grant_type="client_credentials", scope=usual if scope is OMIT else scope,
                          resource=endpoint.target.resource or OMIT)


def own_claims(endpoint: Endpoint, **members: Any) -> dict[str, Any]:
    """What the token of a client says.

    Raises:
        Inapplicable: the server issues no such token, or an opaque one: what it stands for shows at the resource only.
    """
    answer = own_token(endpoint, **members)
    if answer.tokens is None or answer.claims is None:
        inapplicable(f"the client obtains no token of its own that could be read: {answer.describe()}")
    return answer.claims


@needs("resource", "token_endpoint", "confidential")
@requirement("RFC8707-2.2-01", "HARD-OWN-TOKEN-LIMITS")
def test_a_clients_own_token_names_its_resource(endpoint: Endpoint):
    """The audience of a token that a client obtains for itself is the resource that it asked for."""
    resource, stated = str(endpoint.target.resource), own_claims(endpoint).get("aud", [])

    # RFC 8707, section 2, lets the server map a resource to a more general identifier of the same place
    named = [str(name).rstrip("/") for name in (stated if isinstance(stated, list) else [stated])]
    assert any(name and resource.rstrip("/").startswith(name) for name in named), f"aud is {stated!r}"


@needs("token_endpoint", "confidential")
@requirement("RFC8707-2.2-03", "HARD-OWN-TOKEN-LIMITS", "OAUTH21-1.4.1-01", "OAUTH21-3.2.3-03")
def test_a_client_that_gets_less_scope_is_told(endpoint: Endpoint):
    """A client that asks for a scope that it does not get is refused, or told which scope it got."""
    usual = endpoint.profile.registration.get("scope")
    asked = " ".join([*([usual] if usual else []), "dcrcheck-unknown"])
    answer = own_token(endpoint, scope=asked)
    if answer.tokens is None:
        return
    got, told = (answer.claims or {}).get("scope"), str(answer.tokens.get("scope", asked))
    if got is None:
        inapplicable("the access token does not show which scope it has")

    assert set(told.split()) == set(got if isinstance(got, list) else str(got).split()), (
        f"the client takes its scope for {told!r}, and the token has {got!r}")


@needs("token_endpoint", "confidential")
@requirement("RFC9700-2.6-02", "HARD-CLIENT-IS-NO-USER")
def test_a_client_does_not_choose_the_subject_of_its_token(endpoint: Endpoint):
    """Names of a user that a client puts into its registration do not come back in its token."""
    chosen = f"dcrcheck-chosen-{secrets.token_hex(8)}"

    claims = own_claims(endpoint, **dict.fromkeys(NAMES, chosen))

    named = [name for name in NAMES if claims.get(name) == chosen]
    assert not named, f"the token bears {', '.join(named)} as the client chose it"


@needs("session", "token_endpoint", "confidential")
@requirement("RFC9700-4.15.1-02", "HARD-CLIENT-IS-NO-USER")
def test_a_clients_own_token_names_no_user(endpoint: Endpoint, session: Session):
    """A token that a client obtains for itself does not name a user as its subject, nor a user's token the client."""
    own = own_claims(endpoint)
    users = session.tokens()
    if users.claims is None:
        inapplicable("the user's access token is opaque")
    if "sub" not in users.claims:
        inconclusive("the user's access token names no subject")

    assert own.get("sub") != users.claims["sub"], "a resource takes the client's own token for the user's"
    assert users.claims["sub"] != users.claims.get("client_id", users.claims.get("azp")), (
        "a resource takes the user's token for the client's own")
