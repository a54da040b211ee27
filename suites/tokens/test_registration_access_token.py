"""A registration access token opens the client configuration endpoint and nothing else (RFC 7592, appendix A)."""

import pytest

from dcrcheck import Client, Endpoint, Secret, inapplicable, needs, origin, requirement


def holder(endpoint: Endpoint) -> tuple[Client, Secret]:
    client = endpoint.client()
    if client.registration_access_token is None:
        inapplicable("the server issued no registration access token")
    return client, client.registration_access_token


@needs("management")
@requirement("RFC7592-A-02")
@pytest.mark.parametrize("place", ["resource", "userinfo"])
def test_it_opens_no_resource(endpoint: Endpoint, place: str):
    """The protected resource and the userinfo endpoint refuse a registration access token."""
    _, token = holder(endpoint)
    address = endpoint.target.resource if place == "resource" else endpoint.target.endpoint("userinfo_endpoint")
    if address is None or origin(address) not in endpoint.target.origins:
        inapplicable(f"no {place} of the server is known")

    answer = endpoint.send("GET", address, headers={"authorization": f"Bearer {token}", "accept": "application/json"})

    assert not 200 <= answer.status < 300, f"it answered {answer.describe()}"


@needs("management", "token_endpoint")
@requirement("RFC7592-A-02")
def test_it_is_no_refresh_token(endpoint: Endpoint):
    """The token endpoint gives nothing for a registration access token, neither as a code nor as a refresh token."""
    client, token = holder(endpoint)

    for form in ({"grant_type": "refresh_token", "refresh_token": token},
                 {"grant_type": "authorization_code", "code": token, "redirect_uri": client.redirect_uri}):
        answer = endpoint.token(client, **form)
        assert answer.tokens is None, f"the server issued tokens for it as {form['grant_type']}"


@needs("management")
@requirement("RFC7592-A-02")
def test_it_is_no_initial_access_token(endpoint: Endpoint):
    """Where registration needs an initial access token, a registration access token does not do."""
    _, token = holder(endpoint)
    if endpoint.initial_access_token is None:
        inapplicable("registration needs no initial access token here")

    answer = endpoint.submit(headers={"authorization": f"Bearer {token}"})

    assert answer.registered is None, "the server registered a client for it"
