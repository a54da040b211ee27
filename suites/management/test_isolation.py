"""No client reaches another by its own registration access token (RFC 7592, appendix B)."""

from __future__ import annotations

import secrets

import pytest

from dcrcheck import Answer, Client, Endpoint, inapplicable, needs, requirement


def intruder(endpoint: Endpoint) -> Client:
    """A client whose token is good; a server may end it when it is used on another client."""
    client = endpoint.register()
    endpoint.record(client)
    return client


def shows(answer: Answer, client: Client) -> bool:
    told = answer.json if isinstance(answer.json, dict) else {}
    known = [client.get("client_name"), client.secret, client.registration_access_token]
    return (told.get("client_id") == client.client_id and "redirect_uris" in told) or any(
        isinstance(value, str) and value in answer.text for value in known)


def keeps_out(endpoint: Endpoint, client: Client, name: str) -> bool:
    """Whether a client is still there, under its own token, and does not bear the name that an update brought."""
    answer = endpoint.read(client)
    return 200 <= answer.status < 300 and isinstance(answer.json, dict) and answer.json.get("client_name") != name


def neighbour(client_id: str) -> str:
    """An identifier of the same shape: of its last twelve characters, each letter and digit is the next one."""
    rings = ("0123456789", "abcdef", "ABCDEF", "ghijklmnopqrstuvwxyz", "GHIJKLMNOPQRSTUVWXYZ")
    following = {char: ring[(place + 1) % len(ring)] for ring in rings for place, char in enumerate(ring)}
    return client_id[:-12] + "".join(following.get(char, char) for char in client_id[-12:])


@needs("management")
@requirement("RFC7592-A-01", "RFC7592-B-04", "HARD-CROSS-CLIENT", "OIDCR-4.1-03")
def test_no_client_reads_another(endpoint: Endpoint):
    """A read with another client's token shows nothing of the client."""
    victim, other = endpoint.client(), intruder(endpoint)

    answer = endpoint.manage(victim, token=other.registration_access_token)

    assert not shows(answer, victim), f"the read was answered {answer.describe()}"


@needs("management")
@requirement("RFC7592-A-01", "RFC7592-B-04", "HARD-CROSS-CLIENT")
def test_no_client_updates_another(endpoint: Endpoint):
    """An update with another client's token changes nothing."""
    victim, other = intruder(endpoint), intruder(endpoint)
    endpoint.revise(victim)
    name = endpoint.unique("dcrcheck intruder")

    answer = endpoint.manage(victim, "PUT", token=other.registration_access_token,
                             json=endpoint.revision(victim, client_name=name))

    assert keeps_out(endpoint, victim, name), f"it was answered {answer.describe()} and stored"


@needs("management")
@requirement("RFC7592-A-01", "RFC7592-B-04", "HARD-CROSS-CLIENT")
def test_no_client_deletes_another(endpoint: Endpoint):
    """A deletion with another client's token deletes nothing."""
    victim, other = intruder(endpoint), intruder(endpoint)

    answer = endpoint.manage(victim, "DELETE", token=other.registration_access_token)
    if answer.status in (405, 501):
        inapplicable("the server offers no deletion of clients")

    after = endpoint.read(victim)
    assert 200 <= after.status < 300, f"it was answered {answer.describe()} and the client is gone"


@needs("management")
@requirement("RFC7592-B-04", "HARD-CROSS-CLIENT")
def test_a_query_selects_no_other_client(endpoint: Endpoint):
    """A client_id in the query of a client's own configuration URL does not open another client."""
    victim, other = endpoint.client(), endpoint.client(purpose="onlooker")
    uri = other.registration_client_uri or ""

    answer = endpoint.manage(other, url=f"{uri}{'&' if '?' in uri else '?'}client_id={victim.client_id}")

    assert not shows(answer, victim), f"the read was answered {answer.describe()}"


@pytest.mark.parametrize("absent", ["deleted", "unknown"])
@needs("management")
@requirement("HARD-EXISTENCE-ORACLE")
def test_a_bad_token_does_not_tell_which_clients_exist(endpoint: Endpoint, absent: str):
    """A token that is not valid gets the same answer for a client that exists and for one that does not."""
    there = endpoint.client()
    uri = there.registration_client_uri or ""
    if absent == "unknown" and there.client_id not in uri:
        inapplicable("no URL of an unknown client can be formed from this one")
    elsewhere = (endpoint.removed().registration_client_uri if absent == "deleted"
                 else uri.replace(there.client_id, neighbour(there.client_id)))
    token = secrets.token_urlsafe(32)

    known, other = (endpoint.manage(there, token=token, url=url) for url in (uri, elsewhere))

    assert (known.status, known.error) == (other.status, other.error), (
        f"an existing client is answered {known.describe()}, one that is {absent} {other.describe()}")
