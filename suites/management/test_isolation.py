"""No client reaches another by its own registration access token (RFC 7592, appendix B)."""

from __future__ import annotations

import base64
import secrets
from urllib.parse import urlsplit

import pytest

from dcrcheck import Answer, Client, Endpoint, Secret, inapplicable, inconclusive, needs, requirement


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
    there, (uri, elsewhere) = endpoint.client(), addresses(endpoint, absent)
    token = secrets.token_urlsafe(32)

    known, other = (endpoint.manage(there, token=token, url=url) for url in (uri, elsewhere))

    assert (known.status, known.error) == (other.status, other.error), (
        f"an existing client is answered {known.describe()}, one that is {absent} {other.describe()}")


@pytest.mark.parametrize("absent", ["deleted", "unknown"])
@needs("management")
@requirement("HARD-EXISTENCE-ORACLE")
def test_a_bad_token_gets_the_same_words_for_every_client(endpoint: Endpoint, absent: str):
    """The refusal of a token that is not valid has the same text and headers whether or not the client exists."""
    there, (uri, elsewhere) = endpoint.client(), addresses(endpoint, absent)
    token = secrets.token_urlsafe(32)

    known, again, other = (endpoint.manage(there, token=token, url=url) for url in (uri, uri, elsewhere))

    if told(known, uri) != told(again, uri):
        inapplicable("no two refusals are alike, not even for the same client")
    assert told(known, uri) == told(other, elsewhere), (
        f"an existing client is answered {told(known, uri)}, one that is {absent} {told(other, elsewhere)}")


def addresses(endpoint: Endpoint, absent: str) -> tuple[str, str]:
    """The URL of a client that exists, and one where there is none or no more.

    Raises:
        Inapplicable: no such URL is known.
    """
    there = endpoint.client()
    uri = there.registration_client_uri or ""
    if absent == "deleted":
        return uri, endpoint.removed().registration_client_uri or ""
    if there.client_id not in uri:
        inapplicable("no URL of an unknown client can be formed from this one")
    return uri, uri.replace(there.client_id, neighbour(there.client_id))


def told(answer: Answer, url: str) -> tuple[str, list[str]]:
    """What a refusal tells: its text, without what the request itself held, and the names of its headers."""
    client_id = urlsplit(url).path.rpartition("/")[2] or url
    return answer.text.replace(url, "").replace(client_id, ""), sorted(set(answer.headers) - {"content-length"})


# -- methods and lists ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "PATCH", "QUERY"])
@needs("management")
@requirement("HARD-CROSS-CLIENT")
def test_no_other_method_opens_a_client(endpoint: Endpoint, method: str):
    """A request without a token, by any method, neither shows a client nor changes it."""
    client = endpoint.client(purpose="to be approached by other methods")
    if method == "POST" and client.registration_client_uri == endpoint.registration_url:
        inapplicable("the registration endpoint serves as configuration URL: POST registers there")
    endpoint.record(client)
    name = endpoint.unique("dcrcheck stranger")

    answer = endpoint.manage(client, method, token=None, json=endpoint.revision(client, client_name=name))

    assert not shows(answer, client), f"{method} was answered {answer.describe()} with the client"
    assert keeps_out(endpoint, client, name), f"{method} was answered {answer.describe()} and changed the client"


@pytest.mark.parametrize("place", ["registration", "configuration"])
@requirement("HARD-TRACE-ECHO")
def test_a_trace_echoes_no_credential(endpoint: Endpoint, place: str):
    """A TRACE at the registration or the client configuration endpoint does not repeat the Authorization header."""
    mark = f"dcrcheck-{secrets.token_hex(8)}"
    client = endpoint.client()
    if place == "configuration" and client.registration_client_uri is None:
        inapplicable("the server returns no registration_client_uri")
    answer = (endpoint.manage(client, "TRACE", token=mark) if place == "configuration" else
              endpoint.send("TRACE", endpoint.registration_url, headers={"authorization": f"Bearer {mark}"}))
    if answer.status == 0:
        inconclusive(f"the TRACE was not answered: {answer.describe()}")

    assert mark not in answer.text, f"the TRACE was answered {answer.describe()} with the header"


@pytest.mark.parametrize("credential", ["nothing", "registration access token", "client secret"])
@requirement("HARD-CROSS-CLIENT")
def test_the_registration_endpoint_lists_no_clients(endpoint: Endpoint, credential: str):
    """A GET of the registration endpoint shows a client no other, whatever credential of its own it presents."""
    methods = endpoint.policy.confidential_methods
    reader = endpoint.client(token_endpoint_auth_method=methods[0]) if methods else endpoint.client()
    other = endpoint.client(purpose="onlooker")
    basic = base64.b64encode(f"{reader.client_id}:{reader.secret or ''}".encode()).decode()
    held = {"nothing": "", "registration access token": reader.registration_access_token and (
        f"Bearer {reader.registration_access_token}"), "client secret": reader.secret and f"Basic {basic}"}[credential]
    if held is None:
        inapplicable(f"the server issued no {credential}")

    answer = endpoint.send("GET", endpoint.registration_url, headers={
        "accept": "application/json", **({"authorization": Secret(held)} if held else {})})

    assert other.client_id not in answer.text, f"with {credential} it was answered {answer.describe()} with another"
