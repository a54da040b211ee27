"""What must hold for whatever a client sends, well-formed or hostile (Hypothesis).

The requests deviate in a few members from one that the server accepts. All properties look at the same requests, each
sent once. What made a server fail before, made small, stands in corpus.json and is tried first. `--fuzz-examples` sets
how many, `--hypothesis-seed` which, `--fuzz-seconds` how long to go on.
"""

from typing import Any

from dcrcheck import Answer, Endpoint, Fuzzing, fuzzed, inconclusive, needs, requirement
from dcrcheck.strategies import (
    broken_bodies,
    hostile_texts,
    is_unsafe_redirect_uri,
    known_members,
    metadata,
    redirect_uris,
    st,
    unordered,
    unsafe_redirect_uris,
)

CREDENTIALS = {"client_id", "client_secret", "registration_access_token", "registration_client_uri"}
PARAMETERS = ("client_id", "redirect_uri", "response_type", "state", "scope", "code_challenge", "code_challenge_method",
              "nonce", "prompt", "max_age", "resource", "request", "claims", "ui_locales")
LISTS = ("redirect_uris", "grant_types", "response_types", "contacts")


@requirement("HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@fuzzed(metadata=metadata())
def test_no_metadata_breaks_the_server(endpoint: Endpoint, metadata: dict[str, Any]):
    """Whatever metadata a client sends, the server answers, and not with a 5xx."""
    answer = Fuzzing.of(endpoint).submit(metadata)

    assert not answer.broke_down, f"the server answered {answer.describe()}"


@requirement("RFC7591-3.2.1-01", "RFC7591-3.2.1-13")
@fuzzed(metadata=metadata(), examples=[{"client_name": ""}, {"contacts": []}, {"client_name#fr": "dcrcheck"}])
def test_success_always_names_the_client(endpoint: Endpoint, metadata: dict[str, Any]):
    """Whatever metadata a client sends, an answer of success is a JSON object with a client_id."""
    answer = Fuzzing.of(endpoint).submit(metadata)

    assert answer.registered is not None or not 200 <= answer.status < 300, (
        f"the server answered {answer.describe()} without a client_id")


@requirement("RFC7591-3.2.2-02", "RFC7591-3.2.2-03", "RFC7591-3.2.2-04")
@fuzzed(metadata=metadata(), examples=[
    {"redirect_uris": ["javascript:alert('é')"]}, {"grant_types": ["é"]}, {"token_endpoint_auth_method": "\x00é"},
])
def test_every_refusal_is_a_registration_error(endpoint: Endpoint, metadata: dict[str, Any]):
    """Whatever metadata a server refuses, the refusal is a registration error: JSON, with an error code in ASCII."""
    answer = Fuzzing.of(endpoint).submit(metadata)
    if not answer.refused or answer.status in (403, 413, 414, 415, 431):
        return

    assert answer.status == 400, f"the refusal is {answer.describe()}"
    assert answer.is_json and answer.error, f"the refusal {answer.describe()} has no error code in a JSON object"
    assert answer.error.isascii(), "error is not ASCII"


@requirement("RFC7591-3.2.2-05")
@fuzzed(metadata=metadata(), examples=[
    {"redirect_uris": ["javascript:alert('é')"]}, {"grant_types": ["é"]}, {"token_endpoint_auth_method": "\x00é"},
])
def test_every_error_description_is_ascii(endpoint: Endpoint, metadata: dict[str, Any]):
    """Whatever metadata a server refuses, the error_description of the refusal is ASCII text."""
    answer = Fuzzing.of(endpoint).submit(metadata)
    if not answer.refused or not isinstance(answer.json, dict):
        return

    assert is_ascii(answer.json.get("error_description", "")), "error_description is not ASCII text"


@requirement("HARD-REFUSAL-IS-WHOLE", "OIDCR-7-01")
@fuzzed(metadata=metadata(), examples=[{"redirect_uris": ["javascript:alert(1)"]}, {"grant_types": ["dcrcheck"]}])
def test_a_refusal_carries_no_credentials(endpoint: Endpoint, metadata: dict[str, Any]):
    """Whatever metadata a server refuses, the refusal names no client and holds no credentials."""
    answer = Fuzzing.of(endpoint).submit(metadata)
    if not answer.refused:
        return
    given = CREDENTIALS & answer.json.keys() if isinstance(answer.json, dict) else set()

    assert not given, f"the refusal holds {', '.join(sorted(given))}"


@requirement("RFC7591-2-01", "HARD-TYPE-CONFUSION")
@fuzzed(metadata=metadata(), examples=[
    {"redirect_uris": "https://client.example/cb"}, {"client_name": {"a": "b"}}, {"contacts": "admin@client.example"},
    {"software_id": ["x"]}, {"scope": {}}, {"redirect_uris": [["https://client.example/cb"]]},
])
def test_every_registered_member_has_its_type(endpoint: Endpoint, metadata: dict[str, Any]):
    """Whatever metadata a client sends, what is registered has the JSON types of RFC 7591, section 2."""
    client = Fuzzing.of(endpoint).submit(metadata).client
    wrong = {name: value for name, value in (client or {}).items()
             if name in known_members() and value is not None and not is_typed(name, value)}

    assert not wrong, f"the server registered {wrong!r}"


@requirement("RFC7591-5-05", "RFC7591-5-06", "HARD-REDIRECT-EXECUTABLE", "HARD-REDIRECT-PSEUDO-LOOPBACK")
@fuzzed(redirect_uris=st.lists(unsafe_redirect_uris(), min_size=1, max_size=2))
def test_no_unsafe_redirect_uri_is_ever_registered(endpoint: Endpoint, redirect_uris: list[str]):
    """However it is written, a redirect URI that executes or that sends codes in the clear is not registered."""
    answer = Fuzzing.of(endpoint).submit({"redirect_uris": redirect_uris})
    stored = answer.stored("redirect_uris") or []
    unsafe = [uri for uri in stored if isinstance(uri, str) and is_unsafe_redirect_uri(uri)]

    assert not unsafe, f"the server registered {unsafe!r}"


@requirement("RFC7591-3.2.1-11", "RFC7592-3-03", "RFC7592-2.1-03")
@needs("management")
@fuzzed(metadata=metadata(), examples=[
    {"client_name": "Exemple de client é"}, {"client_name": "x" * 70},
    {"contacts": ["b@client.example", "a@client.example"]},
    {"redirect_uris": ["https://client.example/b?x=%2f", "https://client.example/a"]}, {"software_version": "1.0"},
])
def test_what_is_answered_is_what_is_stored(endpoint: Endpoint, metadata: dict[str, Any]):
    """Whatever is registered, a read returns the members that the registration returned, and no others."""
    client = Fuzzing.of(endpoint).submit(metadata).client
    if client is None:
        return
    answer = Fuzzing.of(endpoint).unhindered(lambda: endpoint.read(client))
    if answer.status != 200 or not isinstance(answer.json, dict):
        inconclusive(f"the client cannot be read: {answer.describe()}")
    differing = [name for name in known_members()
                 if unordered(answer.json.get(name) or None) != unordered(client.get(name) or None)]

    assert not differing, "; ".join(f"{name} was answered as {client.get(name)!r} and read as {answer.json.get(name)!r}"
                                    for name in differing)


@requirement("HARD-SAME-DECISION")
@fuzzed(metadata=metadata(), fewer=2)
def test_the_same_request_gets_the_same_decision(endpoint: Endpoint, metadata: dict[str, Any]):
    """Whatever metadata a client sends, sent again it is decided alike, and as much of it is registered."""
    fuzzing = Fuzzing.of(endpoint)
    first = fuzzing.submit(metadata)

    second = fuzzing.unhindered(lambda: endpoint.submit(endpoint.document(**metadata)))

    decisions = [(answer.error if answer.refused else "registered") for answer in (first, second)]
    assert decisions[0] == decisions[1], f"first {first.describe()}, then {second.describe()}"
    kept = [registered(answer, but=("client_name",)) for answer in (first, second)]
    assert kept[0] == kept[1], f"first {kept[0]!r} was registered, then {kept[1]!r}"


@requirement("HARD-UPDATE-VALIDATES")
@needs("management")
@fuzzed(metadata=metadata(), fewer=2)
def test_an_update_stores_nothing_that_a_registration_refuses(endpoint: Endpoint, metadata: dict[str, Any]):
    """Whatever metadata a registration refuses, an update with the same metadata does not store it either."""
    fuzzing = Fuzzing.of(endpoint)
    if not metadata or not all(metadata.values()) or not fuzzing.submit(metadata).refused:
        return
    client = fuzzing.own()

    fuzzing.unhindered(lambda: endpoint.update(client, **metadata))

    answer = fuzzing.unhindered(lambda: endpoint.read(client))
    record = answer.json if answer.status == 200 and isinstance(answer.json, dict) else {}
    # one member that passes beside one that does not is no fault: only all of them together were refused
    assert any(record.get(name) != value for name, value in metadata.items()), (
        f"the update stored {metadata!r}, which a registration refuses")


@requirement("HARD-REGISTERED-IS-ENFORCED")
@needs("authorization_endpoint")
@fuzzed(redirect_uris=st.lists(redirect_uris(), min_size=1, max_size=2, unique=True), fewer=2)
def test_what_is_registered_can_be_used(endpoint: Endpoint, redirect_uris: list[str]):
    """Whatever redirect URIs are registered, an authorization request with one of them as registered is let in."""
    fuzzing = Fuzzing.of(endpoint)
    client = fuzzing.submit({"redirect_uris": redirect_uris}).client
    if client is None or endpoint.where(endpoint.client()) == "local":
        return
    turned_away = [uri for uri in client.redirect_uris if endpoint.where(client, redirect_uri=uri) == "local"]

    assert not turned_away, f"registered, and turned away at the authorization endpoint: {turned_away!r}"


@requirement("RFC7591-3.1-04", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@fuzzed(body=broken_bodies())
def test_no_bytes_break_the_server(endpoint: Endpoint, body: bytes):
    """Whatever bytes a client sends, the server answers, and never with a 5xx."""
    answer = Fuzzing.of(endpoint).send(body)

    assert not answer.broke_down, f"the server answered {answer.describe()}"


@requirement("HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@needs("authorization_endpoint")
@fuzzed(parameters=st.dictionaries(st.sampled_from(PARAMETERS), hostile_texts(), min_size=1, max_size=4))
def test_no_authorization_request_breaks_the_server(endpoint: Endpoint, parameters: dict[str, str]):
    """Whatever parameters an authorization request has, the server answers, and not with a 5xx."""
    answer = endpoint.authorize(endpoint.client(), **parameters)

    assert not answer.broke_down, f"the server answered {answer.describe()}"


def registered(answer: Answer, *, but: tuple[str, ...] = ()) -> dict[str, Any]:
    """The metadata in an answer of success, lists in no order; what is empty or null counts as absent."""
    client = answer.client or {}
    return {name: unordered(client[name]) for name in known_members() if client.get(name) and name not in but}


def is_typed(name: str, value: Any) -> bool:
    """Whether a registered member has its JSON type."""
    if name in LISTS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, dict if name == "jwks" else str)


def is_ascii(text: Any) -> bool:
    return isinstance(text, str) and text.isascii()
