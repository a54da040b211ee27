"""Tokens end with what they hang on: the client, or the user's or client's wish (RFC 7592, section 2.3; RFC 7009)."""

import pytest

from dcrcheck import Answer, Client, Endpoint, Session, inapplicable, inconclusive, needs, requirement


@needs("session", "management", "token_endpoint")
@requirement("RFC7592-2.3-04")
@pytest.mark.parametrize("held", ["code", "refresh-token"])
def test_grants_die_with_their_client(endpoint: Endpoint, session: Session, held: str):
    """What was granted to a client yields no more tokens once the client is deleted."""
    client = endpoint.register(**endpoint.refreshing)
    issued = session.obtain(client).tokens or {} if held == "refresh-token" else {}
    if held == "refresh-token" and "refresh_token" not in issued:
        inapplicable("the server issues no refresh token")
    authorization = session.authorize(client) if held == "code" else None
    if (deleted := endpoint.delete(client)).status != 204:
        inconclusive(f"the client could not be deleted: {deleted.describe()}")

    answer = endpoint.redeem(authorization) if authorization is not None else endpoint.token(
        client, grant_type="refresh_token", refresh_token=issued["refresh_token"])

    assert answer.tokens is None, f"the {held} of a deleted client yielded tokens"


def revocation(endpoint: Endpoint, session: Session, client: Client) -> tuple[str, Answer]:
    """A refresh token of a client, and what is answered when the client revokes it.

    Raises:
        Inapplicable: the server issues none.
    """
    issued = session.obtain(client).tokens or {}
    if "refresh_token" not in issued:
        inapplicable("the server issues no refresh token")
    return issued["refresh_token"], endpoint.token(client, at="revocation_endpoint", token=issued["refresh_token"])


@needs("session", "revocation_endpoint", "token_endpoint")
@requirement("OAUTH21-4.3.1-02")
def test_a_revoked_refresh_token_is_dead(endpoint: Endpoint, session: Session):
    """A refresh token that its client revoked yields no more tokens."""
    token, revoked = revocation(endpoint, session, client := endpoint.client(**endpoint.refreshing))
    if revoked.status != 200 and endpoint.policy.confidential_methods:  # some let nobody revoke without a secret
        method = endpoint.policy.confidential_methods[0]
        client = endpoint.client(**endpoint.refreshing, token_endpoint_auth_method=method)
        token, revoked = revocation(endpoint, session, client)
    if revoked.status != 200:
        inconclusive(f"the revocation was refused: {revoked.describe()}")

    answer = endpoint.token(client, grant_type="refresh_token", refresh_token=token)

    assert answer.tokens is None, "the revoked refresh token yielded tokens"


@needs("session", "revocation_endpoint", "token_endpoint")
@requirement("HARD-REVOCATION-BINDING")
def test_no_client_revokes_the_tokens_of_another(endpoint: Endpoint, session: Session):
    """A refresh token outlives the revocation request of another client."""
    client = endpoint.client(**endpoint.refreshing)
    for method in ({}, *({"token_endpoint_auth_method": name} for name in endpoint.policy.confidential_methods[:1])):
        stranger = endpoint.register(**endpoint.refreshing, **method)
        if revocation(endpoint, session, stranger)[1].status == 200:
            break
    else:
        inconclusive("the other client may not even revoke its own token")
    token = (session.obtain(client).tokens or {}).get("refresh_token")
    control = endpoint.token(client, grant_type="refresh_token", refresh_token=token)
    if control.tokens is None:
        inconclusive(f"the client cannot refresh its tokens at all: {control.describe()}")
    token = control.tokens.get("refresh_token", token)

    endpoint.token(stranger, at="revocation_endpoint", token=token)

    answer = endpoint.token(client, grant_type="refresh_token", refresh_token=token)
    assert answer.tokens is not None, f"after the revocation by another client: {answer.describe()}"


@needs("session", "management", "resource")
@requirement("RFC7592-2.3-04")
def test_access_tokens_die_with_their_client(endpoint: Endpoint, session: Session):
    """The protected resource does not accept the access token of a client that was deleted."""
    client = endpoint.register()
    token = (session.obtain(client).tokens or {})["access_token"]
    if endpoint.visit(token).status in (401, 403):
        inconclusive("the protected resource does not accept an ordinary token")
    if (deleted := endpoint.delete(client)).status != 204:
        inconclusive(f"the client could not be deleted: {deleted.describe()}")

    status = endpoint.visit(token).status

    assert status in (400, 401, 403), f"the resource answered {status}: the token works until it expires"
