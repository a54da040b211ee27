"""Where a user is led on the way out (OpenID Connect RP-Initiated Logout 1.0, section 3; CVE-2026-22752)."""

from functools import cache
from urllib.parse import urlencode, urlsplit

import pytest

from dcrcheck import Answer, Client, Endpoint, inapplicable, inconclusive, leads_to, needs, requirement

GOODBYE = "https://client.example/bye"


@requirement("HARD-POST-LOGOUT-MATCH")
@needs("end_session_endpoint")
@pytest.mark.parametrize("uri", [
    pytest.param("https://foreign.example/bye", id="foreign-host"),
    pytest.param("https://client.example.foreign.example/bye", id="registered-host-as-prefix"),
    pytest.param("https://foreignclient.example/bye", id="registered-host-as-suffix"),
    pytest.param("https://clientxexample/bye", id="dot-as-wildcard"),
    pytest.param("https://client.example/bye/..;/other", id="path-parameter-dots"),
    pytest.param("https://client.example/bye?next=//foreign.example", id="query"),
    pytest.param("https://client.example@foreign.example/bye", id="registered-host-as-user"),
    pytest.param("https://foreign.example\\@client.example/bye", id="backslash-before-at"),
    pytest.param("//foreign.example/bye", id="network-path"),
    pytest.param("http://client.example/bye", id="http"),
    pytest.param("javascript:void(0)", id="executable"),
])
def test_the_logout_leads_to_no_unregistered_address(endpoint: Endpoint, uri: str):
    """A logout does not lead to a post_logout_redirect_uri that the client has not registered."""
    registered = _leaver(endpoint)
    client = registered.client
    if client is None or registered.stored("post_logout_redirect_uris") != [GOODBYE]:
        inapplicable(f"the server registers no post_logout_redirect_uris: {registered.describe()}")
    usual = _leave(endpoint, client, GOODBYE)
    if usual.status >= 400:
        inapplicable(f"the logout leads nobody away who brings no id_token_hint: {usual.describe()}")

    answer = _leave(endpoint, client, uri)

    assert answer.location is None or not leads_to(answer.location, uri), f"the logout leads to {answer.location!r}"
    if answer.status < 400 and usual.location is None:
        inconclusive("the server asks the user before it says what it thinks of the address")


@cache
def _leaver(endpoint: Endpoint) -> Answer:
    """The registration of a client with an address for the logout, asked for once."""
    return endpoint.submit(post_logout_redirect_uris=[GOODBYE])


def _leave(endpoint: Endpoint, client: Client, uri: str) -> Answer:
    """A request for a logout from a browser where nobody is logged in."""
    url = endpoint.target.endpoint("end_session_endpoint") or ""
    query = urlencode({"client_id": client.client_id, "post_logout_redirect_uri": uri})
    answer = endpoint.send("GET", f"{url}{'&' if urlsplit(url).query else '?'}{query}", headers={"accept": "text/html"})
    if answer.status == 429 or answer.broke_down:
        inconclusive(f"the end_session_endpoint does not answer: {answer.describe()}")
    return answer
