"""Deleting a client (RFC 7592, section 2.3)."""

from __future__ import annotations

import secrets

import pytest

from dcrcheck import (
    Endpoint,
    Session,
    inapplicable,
    inconclusive,
    is_received,
    needs,
    requirement,
)


@needs("management")
@requirement("RFC7592-2.3-05")
def test_a_successful_deletion_is_204(endpoint: Endpoint):
    """A successful deletion is answered with 204 and no content."""
    answer = endpoint.delete(endpoint.register())
    if not 200 <= answer.status < 300:
        inapplicable(f"the server did not delete the client: {answer.describe()}")

    assert (answer.status, answer.body) == (204, b""), (
        f"the deletion was answered {answer.describe()} with {len(answer.body)} bytes")


@needs("management")
@requirement("RFC7592-2.3-06")
def test_a_deletion_succeeds_or_is_405(endpoint: Endpoint):
    """A deletion with a valid token is carried out, or answered with 405 where the server offers none."""
    client = endpoint.register()
    endpoint.record(client)

    answer = endpoint.delete(client)

    assert 200 <= answer.status < 300 or answer.status == 405, f"the deletion was answered {answer.describe()}"


@needs("management", "authorization_endpoint")
@requirement("RFC7592-2.3-01")
def test_a_deleted_client_cannot_ask_for_authorization(endpoint: Endpoint, session: Session | None):
    """The client_id of a deleted client gets the answer of an unknown one at the authorization endpoint."""
    client = endpoint.register()
    known, unknown = endpoint.where(client), endpoint.where(client, client_id=f"dcrcheck-{secrets.token_hex(8)}")
    # a server may look at the client after the login only: then the user's session tells
    if known == unknown and not is_received(endpoint, session, client, client.redirect_uri):
        inconclusive("the authorization endpoint does not receive the client before its deletion")
    if not 200 <= endpoint.delete(client).status < 300:
        inapplicable("the server did not delete the client")

    after = endpoint.where(client)
    received = known == unknown and is_received(endpoint, session, client, client.redirect_uri)
    assert after == unknown and not received, f"the request of the deleted client leads to: {after}"


@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
@needs("management", "token_endpoint")
@requirement("RFC7592-2.3-02")
def test_a_deleted_client_cannot_ask_for_tokens(endpoint: Endpoint, method: str):
    """The client_id and secret of a deleted client are refused at the token endpoint."""
    if method not in endpoint.policy.auth_methods:
        inapplicable(f"policy {endpoint.policy.name} admits no client with {method}")
    client = endpoint.register(token_endpoint_auth_method=method)
    before = endpoint.try_code(client)
    stranger = endpoint.try_code(client, auth=(f"dcrcheck-{secrets.token_hex(8)}", secrets.token_hex(16))) if (
        client.secret) else endpoint.try_code(client, client_id=f"dcrcheck-{secrets.token_hex(8)}")
    if before.error == stranger.error:
        inconclusive(f"the token endpoint answers known and unknown clients alike: {before.describe()}")
    if not 200 <= endpoint.delete(client).status < 300:
        inapplicable("the server did not delete the client")

    after = endpoint.try_code(client)

    assert after.error == "invalid_client" or (after.status, after.error) == (stranger.status, stranger.error), (
        f"the deleted client was answered {after.describe()}, an unknown one {stranger.describe()}")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@needs("management")
@requirement("RFC7592-5-07")
def test_the_token_of_a_deleted_client_is_401(endpoint: Endpoint, method: str):
    """Every request with the token of a deleted client is answered with 401."""
    gone = endpoint.removed()

    answer = endpoint.manage(gone, method, **({"json": endpoint.revision(gone)} if method == "PUT" else {}))

    assert answer.status == 401, f"{method} was answered {answer.describe()}"


@needs("management")
@requirement("RFC7592-5-06", "RFC7592-2.3-03")
def test_deletion_ends_every_token(endpoint: Endpoint):
    """No registration access token of a deleted client opens anything, tokens before a rotation included."""
    client = endpoint.register()
    tokens = [client.registration_access_token]
    endpoint.record(client)
    tokens.append(client.registration_access_token)
    endpoint.revise(client)
    tokens.append(client.registration_access_token)
    if not 200 <= endpoint.delete(client).status < 300:
        inapplicable("the server did not delete the client")

    answers = [endpoint.manage(client, token=token) for token in dict.fromkeys(tokens)]

    alive = [answer.describe() for answer in answers if 200 <= answer.status < 300]
    assert not alive, f"{len(alive)} of {len(answers)} tokens still read: {', '.join(alive)}"


@needs("management")
@requirement("RFC7592-2.3-08")
def test_deleting_a_missing_client_is_401(endpoint: Endpoint):
    """A second deletion of the same client is answered with 401."""
    gone = endpoint.removed()

    answer = endpoint.delete(gone)

    assert answer.status == 401, f"the second deletion was answered {answer.describe()}"


@needs("management")
@requirement("RFC7592-2.3-09")
def test_deleting_a_missing_client_ends_the_token(endpoint: Endpoint):
    """The token that was used to delete a client that does not exist is revoked at once."""
    gone, other = endpoint.removed(), endpoint.register()
    endpoint.record(other)

    endpoint.manage(gone, "DELETE", token=other.registration_access_token)

    answer = endpoint.read(other)
    assert answer.status in (401, 403), f"the token still reads its own client: {answer.describe()}"
