"""The registration access token: where it is good, how long, and where it never appears (RFC 7592, appendix A)."""

from __future__ import annotations

from urllib.parse import unquote, urlencode

from dcrcheck import Answer, Endpoint, inapplicable, needs, observes, requirement


@needs("management")
@requirement("RFC7592-A.1-03")
@observes("RFC7592-5-02", "RFC7592-2.1-02", "RFC7592-2.2-12")
def test_rotation_ends_the_old_token(endpoint: Endpoint):
    """A registration access token that was replaced opens nothing."""
    client = endpoint.register()
    old = client.registration_access_token
    endpoint.record(client)
    by_read = client.registration_access_token != old
    endpoint.observe("RFC7592-2.1-02", f"a read {'brings a new' if by_read else 'leaves the'} registration "
                                       "access token")
    if not by_read:
        endpoint.revise(client)
        by_update = client.registration_access_token != old
        endpoint.observe("RFC7592-2.2-12", f"an update {'brings a new' if by_update else 'leaves the'} registration "
                                           "access token")
    rotates = client.registration_access_token != old
    endpoint.observe("RFC7592-5-02", f"registration access tokens are {'' if rotates else 'not '}rotated")
    if client.registration_access_token == old:
        inapplicable("the server does not rotate registration access tokens")

    answer = endpoint.manage(client, token=old)

    assert not 200 <= answer.status < 300, f"the old token still reads the client: {answer.describe()}"


@needs("management")
@requirement("HARD-TOKEN-IN-URI")
def test_the_configuration_url_holds_no_credential(endpoint: Endpoint):
    """registration_client_uri holds neither the registration access token nor the client_secret."""
    methods = endpoint.policy.confidential_methods
    client = endpoint.client(token_endpoint_auth_method=methods[0]) if methods else endpoint.client()

    uri = unquote(client.registration_client_uri or "")

    # a credential that is the client_id is another check's matter
    held = {"registration_access_token": client.registration_access_token, "client_secret": client.secret}
    found = [name for name, value in held.items() if value and value != client.client_id and value in uri]
    assert not found, f"the URL holds the {' and the '.join(found)}"


def asked_by_query(endpoint: Endpoint) -> Answer:
    """The answer to a read with the registration access token in the query, and nowhere else."""
    client = endpoint.client()
    endpoint.record(client)
    uri = client.registration_client_uri or ""
    query = urlencode({"access_token": client.registration_access_token or ""})
    return endpoint.manage(client, token=None, url=f"{uri}{'&' if '?' in uri else '?'}{query}")


@needs("management")
@requirement("RFC6750-2.3-01")
def test_an_answer_to_a_token_in_the_query_is_private(endpoint: Endpoint):
    """Where a token in the query is accepted, the answer is kept from shared caches."""
    answer = asked_by_query(endpoint)
    if not 200 <= answer.status < 300:
        inapplicable("the server accepts no token in the query")

    control = answer.headers.get("cache-control", "")
    assert {"private", "no-store"} & {word.strip().lower() for word in control.split(",")}, (
        f"Cache-Control is {control!r}")


@needs("management")
@requirement("HARD-TOKEN-BY-QUERY")
def test_a_token_in_the_query_is_not_accepted(endpoint: Endpoint):
    """A read with the registration access token in the query shows nothing of the client."""
    answer = asked_by_query(endpoint)

    assert not 200 <= answer.status < 300, f"the read was answered {answer.describe()}"
