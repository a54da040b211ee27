"""What a server that sends users on to another one remembers of them before they have agreed (MCP, best practices)."""

from urllib.parse import parse_qs, urlsplit

from dcrcheck import Endpoint, inconclusive, needs, origin, requirement


@requirement("MCP-SBP-CONSENT-07")
@needs("authorization_endpoint")
def test_no_upstream_state_is_kept_before_consent(endpoint: Endpoint):
    """No cookie with the state of an upstream request is set before the user has agreed to anything."""
    # a server that chooses by the user's address where he logs in is to do so
    answer = endpoint.authorize(endpoint.client(), login_hint="dcrcheck@foreign.example")
    if answer.status == 429 or answer.broke_down:
        inconclusive(f"the authorization endpoint does not answer: {answer.describe()}")
    abroad = answer.location is not None and origin(answer.location) not in ("", *endpoint.origins)
    states = parse_qs(urlsplit(str(answer.location)).query).get("state", []) if abroad else []
    cookies = answer.headers.get_list("set-cookie")
    kept = [cookie.partition("=")[0] for cookie in cookies if any(state in cookie for state in states)]

    assert not kept, f"the user is sent to {origin(str(answer.location))}, with the state in the cookie {kept}"
