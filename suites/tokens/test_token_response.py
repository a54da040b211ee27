"""What a token response is like (OAuth 2.1, section 3.2.3)."""

import itertools
import math
import string

from dcrcheck import Endpoint, Session, finite, inapplicable, inconclusive, needs, requirement

HOUR = 3600
BITS = 96
ALPHABETS = (string.digits, "0123456789abcdef", string.hexdigits, string.ascii_letters + string.digits + "-_.~+/=")


def pair_of_tokens(endpoint: Endpoint, session: Session | None) -> list[str]:
    """Two access tokens: of a client for itself where that is possible, else of the user."""
    methods = endpoint.policy.confidential_methods
    if "client_credentials" in endpoint.policy.grant_types and methods:
        client = endpoint.client(token_endpoint_auth_method=methods[0],
                                 grant_types=["authorization_code", "client_credentials"])
        issued = [endpoint.token(client, grant_type="client_credentials").tokens for _ in range(2)]
        if all(issued):
            return [str(tokens["access_token"]) for tokens in issued if tokens]
    if session is None:
        inconclusive("no client gets a token for itself, and no user is known")
    return [session.tokens().json["access_token"], session.obtain(endpoint.client()).json["access_token"]]


def variation(one: str, other: str) -> float:
    """The most bits that can vary between two values, by what they do not share at either end."""
    start, end = alike(one, other), alike(one[::-1], other[::-1])
    middles = [value[start:len(value) - end] for value in (one, other)]
    alphabet = next((letters for letters in ALPHABETS if set("".join(middles)) <= set(letters)), string.printable)
    return min(map(len, middles)) * math.log2(len(set(alphabet)))


def alike(one: str, other: str) -> int:
    """With how many equal characters two values begin."""
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


@needs("session", "token_endpoint")
@requirement("OAUTH21-3.2.3-06")
def test_a_token_response_is_not_stored(session: Session):
    """A response with tokens forbids caches to store it."""
    control = session.tokens().headers.get("cache-control", "")

    assert "no-store" in control.lower(), f"Cache-Control is {control!r}"


@needs("session", "token_endpoint")
@requirement("OAUTH21-3.2.3-06")
def test_a_refresh_response_is_not_stored(endpoint: Endpoint, session: Session):
    """A response with refreshed tokens forbids caches to store it."""
    client = endpoint.client(**endpoint.refreshing)
    issued = session.obtain(client).json
    if "refresh_token" not in issued:
        inapplicable("the server issues no refresh token")

    answer = endpoint.token(client, grant_type="refresh_token", refresh_token=issued["refresh_token"])

    control = answer.headers.get("cache-control", "")
    assert "no-store" in control.lower(), f"Cache-Control is {control!r}"


@needs("session", "token_endpoint")
@requirement("RFC6750-5.3-01", "OAUTH21-7.1.3.5-01", "MCP-2025-06-18-THEFT-02", "MCP-2025-03-26-IMPL-03",
             "MCP-2025-03-26-SECURITY-01")
def test_an_access_token_is_short_lived(session: Session):
    """An access token lives for an hour or less."""
    answer = session.tokens()
    claims, stated = answer.claims or {}, answer.json.get("expires_in")
    lifetime = claims["exp"] - claims["iat"] if finite(claims.get("exp")) and finite(claims.get("iat")) else stated
    if not finite(lifetime):
        inapplicable("neither the response nor the token says how long it lives")

    assert lifetime <= HOUR, f"the access token lives for {lifetime} seconds"


@needs("session", "token_endpoint")
@requirement("OAUTH21-3.2.3-01")
def test_a_token_response_is_json_that_says_what_the_token_is(session: Session):
    """A token response is served as JSON and has access_token and token_type."""
    answer = session.tokens()

    assert answer.media_type == "application/json", f"the response is served as {answer.media_type!r}"
    wrong = [name for name in ("access_token", "token_type")
             if not (isinstance(answer.json.get(name), str) and answer.json[name])]
    assert not wrong, f"the response has no {' and no '.join(wrong)}"


@needs("token_endpoint")
@requirement("OAUTH21-1.4.2-01")
def test_an_access_token_is_too_long_to_be_guessed(endpoint: Endpoint, session: Session | None):
    """Two access tokens differ in so many characters that nobody guesses one."""
    one, other = pair_of_tokens(endpoint, session)
    if one == other:
        inapplicable("the server answers with the same token as long as it lives")

    varying = variation(one, other)
    assert varying >= BITS, f"two access tokens differ in {varying:.0f} bits at most, of {BITS} at least"


@needs("session", "token_endpoint")
@requirement("OAUTH21-3.2.3-02", "MCP-2025-03-26-IMPL-03", "MCP-2025-03-26-SECURITY-01")
def test_a_token_response_says_how_long_the_token_lives(session: Session):
    """A token response has expires_in, a number of seconds."""
    lifetime = session.tokens().json.get("expires_in")

    assert finite(lifetime) and lifetime > 0, f"expires_in is {lifetime!r}"
