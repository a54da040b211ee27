"""What a token response is like (OAuth 2.1, section 3.2.3)."""

from dcrcheck import Endpoint, Session, finite, inapplicable, needs, requirement

HOUR = 3600


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
@requirement("RFC6750-5.3-01")
def test_an_access_token_is_short_lived(session: Session):
    """An access token lives for an hour or less."""
    answer = session.tokens()
    claims, stated = answer.claims or {}, answer.json.get("expires_in")
    lifetime = claims["exp"] - claims["iat"] if finite(claims.get("exp")) and finite(claims.get("iat")) else stated
    if not finite(lifetime):
        inapplicable("neither the response nor the token says how long it lives")

    assert lifetime <= HOUR, f"the access token lives for {lifetime} seconds"
