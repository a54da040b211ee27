"""Refresh tokens: rotated for public clients, bound to their client and to what was granted (RFC 9700, 4.14)."""

from typing import Any

import pytest

from dcrcheck import (
    OMIT,
    Answer,
    Client,
    Endpoint,
    Session,
    at_once,
    inapplicable,
    inconclusive,
    needs,
    observes,
    requirement,
)


def granted(endpoint: Endpoint, session: Session, client: Client | None = None) -> str:
    """A fresh refresh token of the refreshing client, or of another."""
    client = client or endpoint.client(**endpoint.refreshing)
    issued = session.obtain(client).tokens or {}
    if client.auth_method == "none" and str(issued.get("token_type", "")).lower() == "dpop":
        inapplicable("refresh tokens are bound to a key of the client")
    if "refresh_token" not in issued:
        inapplicable("the server issues no refresh token")
    return issued["refresh_token"]


def refresh(endpoint: Endpoint, token: str, client: Client | None = None, **form: Any) -> Answer:
    client = client or endpoint.client(**endpoint.refreshing)
    return endpoint.token(client, grant_type="refresh_token", refresh_token=token, **form)


def successor(answer: Answer) -> str | None:
    """The refresh token that a refresh gave.

    Raises:
        Inconclusive: the refresh was refused, so that nothing about rotation can be seen.
    """
    if answer.tokens is None:
        inconclusive(f"an ordinary refresh is refused: {answer.describe()}")
    return answer.tokens.get("refresh_token")


@needs("session", "token_endpoint")
@requirement("MCP-2025-06-18-THEFT-03", "RFC9700-2.2.2-01", "MCP-2025-03-26-IMPL-02", "MCP-2025-03-26-SECURITY-01",
             "OAUTH21-4.3-02")
@observes("OAUTH21-4.3.2-01")
def test_a_refresh_token_of_a_public_client_is_replaced(endpoint: Endpoint, session: Session):
    """A public client that refreshes its tokens receives another refresh token."""
    if "none" not in endpoint.policy.auth_methods:
        inapplicable(f"policy {endpoint.policy.name} admits no public client")
    old = granted(endpoint, session)

    new = successor(refresh(endpoint, old))
    brought = "no" if new is None else "the same" if new == old else "another"
    endpoint.observe("OAUTH21-4.3.2-01", f"a refresh brings {brought} refresh token")

    assert new is not None and new != old, "the client received no other refresh token: the old one works on"


@needs("session", "token_endpoint")
@requirement("RFC9700-2.2.2-01", "OAUTH21-4.3.1-03", "MCP-2025-06-18-THEFT-03")
def test_a_replaced_refresh_token_is_spent(endpoint: Endpoint, session: Session):
    """A refresh token that was replaced by another does not work any more."""
    old = granted(endpoint, session)
    if successor(refresh(endpoint, old)) in (None, old):
        inapplicable("the server does not replace refresh tokens")

    answer = refresh(endpoint, old)

    assert answer.tokens is None, "the old refresh token still yields tokens"


@needs("session", "token_endpoint")
@requirement("HARD-REFRESH-FORK", "RFC9700-2.2.2-01")
def test_a_refresh_token_is_replaced_by_one_other(endpoint: Endpoint, session: Session):
    """Several requests that bring the same refresh token at the same moment do not obtain several others."""
    first = granted(endpoint, session)
    if successor(refresh(endpoint, first)) in (None, first):
        inapplicable("the server does not replace refresh tokens")
    if refresh(endpoint, first).tokens is not None:
        inapplicable("the server accepts a replaced refresh token; see test_a_replaced_refresh_token_is_spent")
    old = granted(endpoint, session)

    answers = at_once(lambda: refresh(endpoint, old))

    replaced = {answer.tokens.get("refresh_token") for answer in answers if answer.status == 200 and answer.tokens}
    if not replaced and any(answer.broke_down for answer in answers):
        inconclusive("the server breaks down when a refresh token comes several times at once")
    assert len(replaced) <= 1, f"one refresh token became {len(replaced)} by {len(answers)} requests at once"


@needs("session", "token_endpoint")
@requirement("RFC9700-4.14.2-03")
def test_reuse_of_a_refresh_token_ends_the_grant(endpoint: Endpoint, session: Session):
    """When a replaced refresh token is used again, the one that replaced it stops working too."""
    old = granted(endpoint, session)
    new = successor(refresh(endpoint, old))
    if new in (None, old):
        inapplicable("the server does not replace refresh tokens")
    if refresh(endpoint, old).tokens is not None:
        inapplicable("the server accepts the old refresh token; see test_a_replaced_refresh_token_is_spent")

    assert refresh(endpoint, new).tokens is None, "the newest refresh token outlived the reuse of its predecessor"


@needs("session", "token_endpoint")
@requirement("HARD-REFRESH-BINDING", "OAUTH21-4.3-01")
def test_a_refresh_token_belongs_to_one_client(endpoint: Endpoint, session: Session):
    """A refresh token that was issued to one client yields nothing to another."""
    token = granted(endpoint, session)
    other = endpoint.client(purpose="another client", **endpoint.refreshing)
    if other.client_id == endpoint.client(**endpoint.refreshing).client_id:
        inapplicable("the server takes registrations that are alike for one client")

    answer = refresh(endpoint, token, other)

    assert answer.tokens is None, "the server issued tokens to a client that the refresh token was not issued to"


@needs("session", "token_endpoint")
@requirement("OAUTH21-4.3-03", "OAUTH21-4.3.1-04", "RFC9700-4.14.2-04")
@pytest.mark.parametrize("alteration", ["cut-short", "changed"])
def test_an_altered_refresh_token_yields_nothing(endpoint: Endpoint, session: Session, alteration: str):
    """A refresh token that is not exactly as it was issued yields no tokens."""
    token = granted(endpoint, session)
    middle = len(token) // 2
    other = "A" if token[middle] != "A" else "B"
    altered = token[:-8] if alteration == "cut-short" else f"{token[:middle]}{other}{token[middle + 1:]}"

    answer = refresh(endpoint, altered)

    assert answer.tokens is None, f"the server issued tokens for a refresh token that was {alteration}"


@needs("session", "token_endpoint", "confidential")
@requirement("HARD-REFRESH-BINDING", "OAUTH21-3.2.2-01")
@pytest.mark.parametrize("secret", ["absent", "wrong"])
def test_refreshing_needs_the_secret(endpoint: Endpoint, session: Session, secret: str):
    """A client that was given a secret cannot refresh its tokens without it."""
    client = endpoint.client(**endpoint.refreshing, token_endpoint_auth_method=endpoint.policy.confidential_methods[0])
    if client.secret is None:
        inapplicable(f"the server made it a client with {client.auth_method!r}, and issued no secret")
    token = granted(endpoint, session, client)

    answer = endpoint.token(client, grant_type="refresh_token", refresh_token=token,
                            auth="none" if secret == "absent" else (client.client_id, "dcrcheck-wrong-secret"))

    assert answer.tokens is None, "the server issued tokens to whoever held the refresh token"


@needs("session", "token_endpoint")
@requirement("OAUTH21-4.3.3-01")
def test_a_narrowed_refresh_narrows_no_refresh_token(endpoint: Endpoint, session: Session):
    """A refresh for less than was granted brings a refresh token that is still good for all of it."""
    offered = [s for s in endpoint.metadata.get("scopes_supported") or () if s not in ("openid", "offline_access")]
    wish = " ".join(dict.fromkeys([*endpoint.refreshing.get("scope", "").split(), *offered[:2]]))
    client = endpoint.submit(**{**endpoint.refreshing, "scope": wish}).client
    if client is None:
        inapplicable("the server registers no client for the first two scopes that it offers")
    issued = session.obtain(client)
    every = scopes_of(issued)
    less = [scope for scope in every if scope != "offline_access"][:1]
    if "refresh_token" not in (issued.tokens or {}) or set(less) == set(every) or not less:
        inapplicable("the server issues no refresh token, or one with too few scopes to ask for less")
    narrowed = refresh(endpoint, issued.json["refresh_token"], client, scope=" ".join(less))
    new = successor(narrowed) if narrowed.tokens else None
    if new is None or set(scopes_of(narrowed)) != set(less):
        inapplicable("the server replaces no refresh token, or narrows no scope")

    answer = refresh(endpoint, new, client)

    if not scopes_of(answer):
        inconclusive(f"the new refresh token does not tell what it is good for: {answer.describe()}")
    assert set(scopes_of(answer)) == set(every), f"{every!r} was granted, and the new refresh token is for less"


def narrowed(endpoint: Endpoint, session: Session) -> tuple[Client, str, str, Answer]:
    """A client with several scopes, one that it asked for, another that it did not, and its token response.

    Raises:
        Inapplicable: the server registers no client for several scopes.
    """
    offered = [s for s in endpoint.metadata.get("scopes_supported") or () if s not in ("openid", "offline_access")]
    base = endpoint.refreshing.get("scope", "")
    if not offered:
        inapplicable("the metadata lists no scope that could be added")
    every = " ".join(dict.fromkeys([*base.split(), *offered]))
    client = endpoint.submit(**{**endpoint.refreshing, "scope": every}).client
    if client is None:  # not every scope is for every client: those then, that one gets unasked
        client = endpoint.client(**{**endpoint.refreshing, "scope": OMIT})
        offered = [scope for scope in str(client.get("scope", "")).split() if scope in offered]
    if not offered:
        inapplicable("the server registers this client for no scope that could be added")
    narrow = " ".join(dict.fromkeys([*base.split(), *offered[:1]]))
    wanted = next((scope for scope in offered if scope not in narrow.split()), None)
    if wanted is None:
        inapplicable("the metadata lists too few scopes")
    return client, narrow, wanted, endpoint.redeem(session.ask(client, scope=narrow))


@needs("session", "token_endpoint")
@requirement("RFC9700-2.3-01", "OAUTH21-7.1.2-01")
def test_a_token_has_only_the_scope_that_was_asked_for(endpoint: Endpoint, session: Session):
    """A client that registered several scopes and asks for one is not granted the others."""
    client, narrow, _, answer = narrowed(endpoint, session)
    if answer.tokens is None:
        inconclusive(f"the code yields no tokens: {answer.describe()}")

    more = set(scopes_of(answer)) & set(str(client.get("scope", "")).split()) - set(narrow.split())
    assert not more, f"the client asked for {narrow}, and its token has {' '.join(sorted(more))} as well"


@needs("session", "token_endpoint")
@requirement("OAUTH21-4.3.1-01", "RFC9700-4.14.2-02", "OAUTH21-3.2.3-05")
def test_refreshing_does_not_widen_the_scope(endpoint: Endpoint, session: Session):
    """A refresh never yields a scope beyond the one that was granted."""
    client, narrow, wanted, answer = narrowed(endpoint, session)
    issued = answer.tokens or {}
    if "refresh_token" not in issued:
        inapplicable("the server issues no refresh token")

    answer = refresh(endpoint, issued["refresh_token"], client, scope=f"{narrow} {wanted}")

    assert wanted not in scopes_of(answer), f"the refreshed token has the scope {wanted}, which was not granted"


def scopes_of(answer: Answer) -> list[str]:
    """The scopes of issued tokens: as stated, else as the token itself says. None are none."""
    stated = (answer.tokens or {}).get("scope", (answer.claims or {}).get("scope"))
    return stated.split() if isinstance(stated, str) else []
