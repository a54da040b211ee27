"""Proof Key for Code Exchange: required, S256 only, and enforced (RFC 7636; RFC 9700, section 2.1.1)."""

import base64
import hashlib
import re
from typing import Any

import pytest

from dcrcheck import (
    OMIT,
    Endpoint,
    Secret,
    Session,
    inapplicable,
    inconclusive,
    is_pushing,
    needs,
    observes,
    requirement,
)

NO_CHALLENGE = {"code_challenge": OMIT, "code_challenge_method": OMIT}
VERIFIER = "dcrcheck-verifier-that-is-long-enough-for-rfc-7636"


def s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def client_of_type(endpoint: Endpoint, kind: str) -> dict[str, Any]:
    """The deviation that registers a public or a confidential client under the policy in force."""
    methods = ("none",) if kind == "public" else endpoint.policy.confidential_methods
    allowed = [method for method in methods if method in endpoint.policy.auth_methods]
    if not allowed:
        inapplicable(f"policy {endpoint.policy.name} admits no {kind} client")
    return {"token_endpoint_auth_method": allowed[0]}


def yields_tokens(session: Session, asked: dict[str, Any], sent: dict[str, Any], **deviation: Any) -> bool:
    """Whether an authorization request with `asked` and a token request with `sent` lead to tokens.

    An error page, an error redirect and a refusal at the token endpoint all mean that they do not.
    """
    session.tokens(**deviation)
    authorization = session.authorize(session.endpoint.client(**deviation), **asked)
    return authorization.code is not None and session.endpoint.redeem(authorization, **sent).tokens is not None


def refused_before_login(endpoint: Endpoint, **asked: Any) -> None:
    """Without a user session: a refusal before login settles it, anything else leaves it open."""
    client = endpoint.client()
    if endpoint.where(client) == "login" and endpoint.where(client, **asked) in ("client", "local"):
        return
    if is_pushing(endpoint, client) and endpoint.push(client, **asked).status == 400:
        return
    inconclusive("the server answers such a request after login, if at all, and no user session is configured")


@needs("session", "token_endpoint")
@requirement("RFC7636-4.2-01", "RFC7636-4.6-01", "RFC9700-2.1.1-01", "RFC8252-6-01", "OAUTH21-4.1.1-03")
def test_the_right_verifier_redeems_the_code(endpoint: Endpoint, session: Session):
    """A code requested with an S256 challenge is redeemed with its verifier."""
    authorization = session.authorize(endpoint.client())
    if authorization.code is None:
        inconclusive(f"there is no code to redeem: {authorization.describe()}")

    answer = endpoint.redeem(authorization)

    assert answer.tokens is not None, f"the server answered {answer.describe()}"


WRONG_VERIFIERS = {
    "missing": lambda _: OMIT,
    "empty": lambda _: "",
    "another": lambda _: VERIFIER,
    "cut-short": lambda right: Secret(right[:-1]),
    "lengthened": lambda right: Secret(right + "A"),
    "other-case": lambda right: Secret(right.swapcase()),
    "the-challenge": lambda right: Secret(s256(right)),
}


@needs("session", "token_endpoint")
@requirement("HARD-PKCE-ENFORCED", "RFC7636-4.6-03", "RFC9700-2.1.1-02", "RFC9700-4.8.2-01", "OAUTH21-4.1.3-05",
             "RFC7636-4.5-01", "MCP-2025-03-26-OVERVIEW-01")
@pytest.mark.parametrize("verifier", WRONG_VERIFIERS)
def test_a_challenged_code_needs_its_verifier(endpoint: Endpoint, session: Session, verifier: str):
    """A code requested with an S256 challenge is not redeemed without the matching verifier."""
    session.tokens()
    authorization = session.authorize(endpoint.client())

    answer = endpoint.redeem(authorization, code_verifier=WRONG_VERIFIERS[verifier](authorization.verifier))

    assert answer.tokens is None, f"the server issued tokens for a verifier that is wrong ({verifier})"


@needs("session", "token_endpoint")
@requirement("RFC7636-4.4-01", "HARD-PKCE-ENFORCED", "OAUTH21-4.1.2-03", "OAUTH21-4.1.2-06")
def test_a_challenge_belongs_to_one_code(endpoint: Endpoint, session: Session):
    """A code is not redeemed with the verifier of another code of the same client."""
    session.tokens()
    one, other = session.authorize(endpoint.client()), session.authorize(endpoint.client())

    answer = endpoint.redeem(one, code_verifier=other.verifier)

    assert answer.tokens is None, "the server issued tokens for the verifier of another code"


@needs("session", "token_endpoint")
@requirement("RFC7636-4.6-02")
def test_a_wrong_verifier_is_an_invalid_grant(endpoint: Endpoint, session: Session):
    """A token request with a wrong verifier is answered with invalid_grant."""
    session.tokens()

    answer = endpoint.redeem(session.authorize(endpoint.client()), code_verifier=VERIFIER)

    if answer.tokens is not None:
        inapplicable("the server redeems the code; see test_a_challenged_code_needs_its_verifier")
    assert answer.error == "invalid_grant", f"the server answered {answer.describe()}"


@requirement("STRUCT-PKCE", "OAUTH21-4.1.1-04", "OAUTH21-4.1.2.1-05", "MCP-2025-03-26-IMPL-01",
             "MCP-2025-03-26-OVERVIEW-01", "OAUTH21-4.1.2.1-06", "OAUTH21-4.1.3-06", "OAUTH21-7.5.1.1-01")
@needs("authorization_endpoint", "token_endpoint")
@observes("RFC7636-5-01")
@pytest.mark.parametrize("kind", ["public", "confidential"])
@pytest.mark.parametrize("challenge", ["absent", "empty"])
def test_without_a_challenge_there_are_no_tokens(endpoint: Endpoint, session: Session | None, kind: str,
                                                 challenge: str):
    """An authorization request without a code challenge never leads to tokens, wherever it is refused."""
    asked = NO_CHALLENGE if challenge == "absent" else {"code_challenge": ""}
    if session is None:
        return refused_before_login(endpoint, **asked)

    redeemed = yields_tokens(session, asked, {"code_verifier": OMIT}, **client_of_type(endpoint, kind))

    endpoint.observe("RFC7636-5-01", f"a {kind} client that uses no PKCE gets {'a' if redeemed else 'no'} token")
    assert not redeemed, f"the server issued tokens to a {kind} client that used no PKCE"


@requirement("RFC9700-2.1.1-03", "OAUTH21-4.1.3-05", "RFC9700-4.8.2-02", "OAUTH21-4.1.3-06")
@needs("authorization_endpoint", "token_endpoint")
@pytest.mark.parametrize("kind", ["public", "confidential"])
def test_pkce_cannot_be_downgraded(endpoint: Endpoint, session: Session | None, kind: str):
    """A code requested without a challenge is not redeemed by a token request that carries a verifier."""
    if session is None:
        return refused_before_login(endpoint, **NO_CHALLENGE)

    redeemed = yields_tokens(session, NO_CHALLENGE, {"code_verifier": VERIFIER}, **client_of_type(endpoint, kind))

    assert not redeemed, "the server issued tokens: whoever strips the challenge from a link defeats PKCE"


@requirement("RFC7636-7.2-02", "OAUTH21-7.5.2-01", "OAUTH21-4.1.1-02", "STRUCT-PKCE")
@needs("authorization_endpoint", "token_endpoint")
@pytest.mark.parametrize("method", ["plain", "absent", "unknown", "none", "lower-case", "trailing-blank"])
def test_a_plain_challenge_yields_no_tokens(endpoint: Endpoint, session: Session | None, method: str):
    """A challenge that is the verifier itself never leads to tokens, by whatever method it is declared."""
    declared = {"plain": "plain", "absent": OMIT, "unknown": "dcrcheck", "none": "none", "lower-case": "s256",
                "trailing-blank": "S256 "}[method]
    asked = {"code_challenge": VERIFIER, "code_challenge_method": declared}
    if session is None:
        return refused_before_login(endpoint, **asked)

    assert not yields_tokens(session, asked, {"code_verifier": VERIFIER}), "the server took the challenge as plain"


@requirement("HARD-CHALLENGE-SYNTAX")
@needs("authorization_endpoint", "token_endpoint")
@pytest.mark.parametrize("challenge", ["short", "long", "foreign-characters"])
def test_a_challenge_that_is_no_hash_yields_no_tokens(endpoint: Endpoint, session: Session | None, challenge: str):
    """A challenge that no S256 verifier can have yields no tokens for itself as verifier, and none without one."""
    sent = {"short": "a" * 10, "long": "a" * 129, "foreign-characters": "a" * 42 + "$"}[challenge]
    if session is None:
        return refused_before_login(endpoint, code_challenge=sent)

    redeemed = [yields_tokens(session, {"code_challenge": sent}, {"code_verifier": verifier})
                for verifier in (sent, OMIT)]
    assert not any(redeemed), f"the server issued tokens for the challenge {sent!r}"


@needs("session")
@requirement("RFC7636-4.4.1-01")
def test_a_missing_challenge_is_an_invalid_request(endpoint: Endpoint, session: Session):
    """A server that requires PKCE redirects a request without a challenge with the error invalid_request."""
    authorization = session.authorize(endpoint.client(), **NO_CHALLENGE)

    if authorization.code is not None:
        inapplicable("the authorization endpoint does not require a challenge")
    if authorization.error is None:
        inapplicable(f"the server says so on a page of its own: {authorization.describe()}")
    assert authorization.error == "invalid_request", f"the error is {authorization.error}"


@needs("session")
@requirement("RFC7636-4.4.1-03", "OAUTH21-4.1.2.1-07")
@pytest.mark.parametrize("method", ["dcrcheck", "s256"])
def test_an_unsupported_method_is_an_invalid_request(endpoint: Endpoint, session: Session, method: str):
    """A code challenge method that the server does not support is answered with invalid_request."""
    authorization = session.authorize(endpoint.client(), code_challenge_method=method)

    assert authorization.code is None, f"the server issued a code for the method {method}"
    if authorization.error is None:
        inapplicable(f"the server says so on a page of its own: {authorization.describe()}")
    assert authorization.error == "invalid_request", f"the error is {authorization.error}"


def decoded(code: str) -> str:
    """A code, and what its parts are where they are base64url."""
    parts = re.findall(r"[A-Za-z0-9_-]{4,}", code)
    return " ".join([code, *(base64.urlsafe_b64decode(part[:len(part) // 4 * 4]).decode("latin-1") for part in parts)])


@needs("session")
@requirement("RFC7636-4.4-02", "RFC7636-7.2-03", "OAUTH21-4.1.2-07")
@pytest.mark.parametrize("method", ["S256", "plain"])
def test_the_code_does_not_hold_the_challenge(endpoint: Endpoint, session: Session, method: str):
    """The challenge cannot be read from the code that it is bound to."""
    if method == "S256":
        authorization = session.granted()
        challenge = s256(authorization.verifier)
    else:
        authorization = session.authorize(endpoint.client(), code_challenge=VERIFIER, code_challenge_method="plain")
        challenge = VERIFIER
    if authorization.code is None:
        inapplicable(f"no code was issued: {authorization.describe()}")

    assert challenge not in decoded(authorization.code), "whoever sees the code reads the challenge from it"


@needs("session", "token_endpoint")
@requirement("RFC7636-4.3-01")
def test_an_absent_method_is_not_s256(endpoint: Endpoint, session: Session):
    """A code whose challenge came without a method, which means plain, is not redeemed as if it had been S256."""
    redeemed = yields_tokens(session, {"code_challenge_method": OMIT}, {})

    assert not redeemed, "the server took the missing code_challenge_method for S256"


@needs("session")
@requirement("RFC7636-4.4.1-02", "RFC7636-4.4.1-04", "OAUTH21-4.1.2.1-08")
@pytest.mark.parametrize("challenge", ["absent", "of-an-unknown-method"])
def test_a_refused_challenge_is_explained(endpoint: Endpoint, session: Session, challenge: str):
    """The error for a missing challenge, or for a method that is not supported, comes with an explanation."""
    asked = NO_CHALLENGE if challenge == "absent" else {"code_challenge_method": "dcrcheck"}
    authorization = session.authorize(endpoint.client(), **asked)
    if authorization.error is None:
        inapplicable(f"no error reaches the client: {authorization.describe()}")

    explained = {"error_description", "error_uri"} & {name for name, text in authorization.parameters.items() if text}
    assert explained, f"the error {authorization.error} has neither error_description nor error_uri"


@needs("session")
@requirement("RFC8252-8.1-01")
def test_a_native_client_needs_a_challenge(endpoint: Endpoint, session: Session):
    """A public client with a redirect URI on the loopback interface receives no code without a challenge."""
    client = endpoint.submit(redirect_uris=["http://127.0.0.1:51004/dcrcheck"]).client
    if client is None or client.auth_method != "none":
        inapplicable("the server registers no public client with a redirect URI on the loopback interface")
    if session.authorize(client).code is None:
        inconclusive("the client receives no code with a challenge either")

    authorization = session.authorize(client, **NO_CHALLENGE)

    assert authorization.code is None, "the client received a code that whoever intercepts it can redeem"
