"""What a token response is like (OAuth 2.1, section 3.2.3)."""

from dcrcheck import Endpoint, Session, inapplicable, needs, requirement


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
