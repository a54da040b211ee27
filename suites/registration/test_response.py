"""What a client information response looks like (RFC 7591, sections 2, 2.2, 3.1, 3.2 and 3.2.1)."""

from email.utils import parsedate_to_datetime
from urllib.parse import urljoin

import pytest

from dcrcheck import OMIT, Answer, Client, Endpoint, inapplicable, inconclusive, observes, requirement

STRINGS = ("client_id", "client_secret", "token_endpoint_auth_method", "client_name", "client_uri", "logo_uri", "scope",
           "tos_uri", "policy_uri", "jwks_uri", "software_id", "software_version", "software_statement")
NUMBERS = ("client_id_issued_at", "client_secret_expires_at")
ARRAYS = ("redirect_uris", "grant_types", "response_types", "contacts")
DESCRIPTION = {
    "contacts": ["operator@client.example"], "software_id": "dcrcheck-software", "software_version": "1.0",
    "client_uri": "https://client.example/", "logo_uri": "https://client.example/logo.png",
    "tos_uri": "https://client.example/terms", "policy_uri": "https://client.example/privacy",
}
KEYS = {"keys": [{"kty": "EC", "crv": "P-256", "kid": "1", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                  "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}


def success(endpoint: Endpoint) -> Answer:
    """A successful answer as it came, whatever it holds."""
    answer = endpoint.submit(control=False)
    if not 200 <= answer.status < 300:
        inconclusive(f"the profile's own request was not accepted: {answer.describe()}")
    return answer


def described(endpoint: Endpoint) -> Client:
    """A client with all descriptive members, or, where the server does not take those, one without."""
    answer = endpoint.submit(**DESCRIPTION)
    return answer.client or endpoint.client()


@requirement("RFC7591-3.2-01", "OIDCR-3.2-04")
def test_a_registration_is_answered_with_201(endpoint: Endpoint):
    """A successful registration is answered with status 201."""
    status = endpoint.client().answer.status

    assert status == 201, f"the registration was answered with {status}"


@requirement("RFC9110-15.3.2-01", "RFC9110-9.3.3-01")
def test_a_location_is_the_address_of_the_client(endpoint: Endpoint):
    """The Location of an answer with status 201, where there is one, is the registration_client_uri."""
    client = endpoint.client()
    address, location = client.registration_client_uri, client.answer.location
    if client.answer.status != 201 or not location or address is None:
        inapplicable("the answer is no 201 with a Location and a registration_client_uri")

    assert urljoin(client.answer.url, location) == urljoin(client.answer.url, address), (
        f"Location is {location!r}, the client is at {address}")


@requirement("RFC7591-3.2-02", "OIDCR-3.2-04")
def test_a_registration_is_answered_with_json(endpoint: Endpoint):
    """The answer to a successful registration has media type application/json."""
    media_type = endpoint.client().answer.media_type

    assert media_type == "application/json", f"the answer has media type {media_type or 'none at all'}"


@requirement("RFC7591-3.2.1-13")
def test_the_answer_is_one_flat_object(endpoint: Endpoint):
    """The answer is one JSON object, and no parameter is wrapped in a member of it."""
    body = success(endpoint).json
    members = body if isinstance(body, dict) else {}
    wrapped = [f"{outer}.{name}" for outer, value in members.items() if isinstance(value, dict)
               for name in value if name in (*STRINGS, *ARRAYS) and name not in members]

    assert isinstance(body, dict) and not wrapped, f"the answer is {type(body).__name__}, with {wrapped} below the top"


@requirement("RFC7591-3.2.1-01")
def test_the_answer_has_a_client_id(endpoint: Endpoint):
    """Every registration response has a client_id, a string that is not empty."""
    answer = success(endpoint)
    client_id = answer.json.get("client_id") if isinstance(answer.json, dict) else None

    assert isinstance(client_id, str) and client_id, f"{answer.describe()} came with client_id {client_id!r}"


@requirement("RFC7591-3.2.1-07", "OIDCR-3.2-09")
def test_client_id_issued_at_is_now_in_seconds(endpoint: Endpoint):
    """client_id_issued_at, where present, is the time of the registration in seconds since the epoch, in UTC."""
    client = endpoint.register()
    if "client_id_issued_at" not in client:
        inapplicable("the server does not say when it issued the client_id")
    issued, answer = client["client_id_issued_at"], client.answer
    # either clock may be wrong: ours, or that of the server as its own answer shows it
    clocks = [answer.exchange.started, *shown(answer.headers.get("date", ""))]

    assert isinstance(issued, (int, float)) and not isinstance(issued, bool) and any(
        abs(issued - now) < 300 for now in clocks), (
        f"client_id_issued_at is {issued!r} where the clocks said {', '.join(f'{now:.0f}' for now in clocks)}")


def shown(date: str) -> list[float]:
    """The time that a Date header shows, if it shows one."""
    try:
        return [parsedate_to_datetime(date).timestamp()]
    except (ValueError, OverflowError):
        return []


@requirement("RFC7591-2-01")
@observes("RFC7591-3.2.1-14")
def test_every_member_has_the_type_of_its_definition(endpoint: Endpoint):
    """Members of the response are strings or arrays of strings, as the RFC defines each."""
    client = described(endpoint)
    further = sorted(set(client) - {*STRINGS, *ARRAYS, *NUMBERS, "jwks"})
    endpoint.observe("RFC7591-3.2.1-14", f"the response has {', '.join(further) or 'no further members'}")
    wrong = [name for name in STRINGS if name in client and not isinstance(client[name], str)]
    wrong += [name for name in ARRAYS if name in client and not (
        isinstance(client[name], list) and all(isinstance(item, str) for item in client[name]))]

    assert not wrong, f"of the wrong type: { {name: client[name] for name in wrong} }"


@requirement("RFC7591-3.2.1-11", "OIDCR-3.2-01")
@pytest.mark.parametrize("member", ["redirect_uris", "grant_types", "response_types", "token_endpoint_auth_method"])
def test_what_was_registered_is_returned(endpoint: Endpoint, member: str):
    """The response holds the members by which the client works, as they were registered."""
    client = endpoint.client()
    if member not in client and member != "redirect_uris" and client.stored(member) is None:
        # section 2: to implement a member is OPTIONAL, unless its own text says otherwise
        inapplicable(f"nothing shows that the server registered {member}: neither its answer nor a read has it")

    assert member in client, f"the response lacks {member}; it has {sorted(client)}"


@requirement("RFC7591-3.2.1-11", "OIDCR-3.2-01")
@observes("RFC7591-3.1-03")
@pytest.mark.parametrize("member", ["grant_types", "response_types", "token_endpoint_auth_method"])
def test_what_the_server_provided_is_returned(endpoint: Endpoint, member: str):
    """Where the server puts a value in the place of a member that the request leaves out, the response holds it."""
    answer = endpoint.submit(**{member: OMIT})
    if answer.client is None:
        inapplicable(f"the server wants {member} in the request: {answer.describe()}")
    if member in answer.client:
        endpoint.observe("RFC7591-3.1-03", f"{member} is {answer.client[member]!r} where the request leaves it out")
        return

    # section 3.1: a server MAY provide a value; where it does not, the default of section 2 stands, and says itself
    provided = answer.stored(member)
    if member == "token_endpoint_auth_method" and "client_secret" not in answer.client:
        provided = "none"
    assert provided is None, f"the response does not say that {member} is {provided!r}"
    inapplicable(f"nothing shows that the server put in a {member} of its own")


@requirement("RFC7591-3.2.1-11", "OIDCR-3.2-01")
def test_what_is_read_back_was_returned_before(endpoint: Endpoint):
    """What the client configuration endpoint knows of a new client stood in the registration response."""
    client = described(endpoint)
    if client.registration_client_uri is None:
        inapplicable("the server offers no client configuration endpoint, so there is nothing to compare with")
    stored = endpoint.read(client)
    if stored.status != 200 or not isinstance(stored.json, dict):
        inconclusive(f"the client could not be read back: {stored.describe()}")
    withheld = [name for name in (*STRINGS, *ARRAYS) if stored.json.get(name) is not None and name not in client]

    assert not withheld, f"registered but not returned: {withheld}"


@requirement("RFC7591-3.1-01", "RFC7591-3.2.1-02", "OIDCR-3.2-05")
def test_each_registration_has_a_client_id_of_its_own(endpoint: Endpoint):
    """Clients with different redirect URIs have different client identifiers, of whatever software they are."""
    clients = [endpoint.register(software_id="dcrcheck-software", redirect_uris=[f"https://client.example/{path}"])
               for path in ("a", "b", "c")]
    ids = {client.client_id for client in clients}

    assert len(ids) == 3, f"three clients were given {len(ids)} client identifiers"


@requirement("RFC7591-2-26")
@observes("HARD-REPEATED-REGISTRATION")
def test_instances_of_one_client_have_their_own_client_ids(endpoint: Endpoint):
    """The same document, registered twice, gives two client identifiers."""
    document = endpoint.document(software_id="dcrcheck-software")
    first, second = (endpoint.submit(document).client for _ in range(2))
    if first is None or second is None:
        inconclusive("the server did not register the same document twice")
    endpoint.observe("HARD-REPEATED-REGISTRATION", "a document that is registered twice makes "
                     f"{'two clients' if first.client_id != second.client_id else 'one client'}")

    assert first.client_id != second.client_id, "both instances were given the same client_id"


@requirement("RFC7591-3.2.1-03")
def test_a_shared_client_id_stands_for_one_set_of_metadata(endpoint: Endpoint):
    """Registrations that share a client_id have the same redirect URIs."""
    document = endpoint.document(software_id="dcrcheck-shared")
    first, second = endpoint.submit(document).client, endpoint.submit(
        {**document, "redirect_uris": ["https://client.example/second"]}).client
    if first is None or second is None:
        inconclusive("the server did not register both instances")

    assert first.client_id != second.client_id or first.redirect_uris == second.redirect_uris, (
        f"one client_id stands for {first.redirect_uris} and for {second.redirect_uris}")


@requirement("RFC7591-2-24", "RFC7591-2-25", "OIDCR-2-14")
def test_jwks_and_jwks_uri_are_not_registered_together(endpoint: Endpoint):
    """A request with both jwks and jwks_uri is refused, or one of the two is left out of the response."""
    client = endpoint.submit(jwks=KEYS, jwks_uri="https://client.example/jwks.json").client
    both = client is not None and "jwks" in client and "jwks_uri" in client

    assert not both, "jwks and jwks_uri were registered together"


@requirement("RFC7591-2.2-05")
@observes("OIDCR-2.1-01")
def test_the_untagged_name_is_kept_beside_a_tagged_one(endpoint: Endpoint):
    """client_name stays registered where the request also has it with a language tag."""
    name = endpoint.unique()
    answer = endpoint.submit(**{"client_name": name, "client_name#fr": f"{name} en français"})
    endpoint.observe("OIDCR-2.1-01", f"a name with a language tag is "
                                     f"{'not ' if answer.stored('client_name#fr') is None else ''}registered")
    if answer.client is None:
        inapplicable(f"the server takes no names with language tags: {answer.describe()}")
    if endpoint.client().stored("client_name") is None:
        inapplicable("the server registers no client_name at all")

    assert answer.stored("client_name") == name, f"client_name is {answer.stored('client_name')!r} beside a tagged one"
