"""What must hold for whatever a client sends, well-formed or hostile (Hypothesis).

The requests deviate in a few members from one that the server accepts. All properties look at the same requests, each
sent once. `--fuzz-examples` sets how many, `--hypothesis-seed` which.
"""

from typing import Any

from dcrcheck import Endpoint, Fuzzing, fuzzed, inconclusive, needs, requirement
from dcrcheck.strategies import (
    broken_bodies,
    hostile_texts,
    is_unsafe_redirect_uri,
    known_members,
    metadata,
    st,
    unordered,
    unsafe_redirect_uris,
)

CREDENTIALS = {"client_id", "client_secret", "registration_access_token", "registration_client_uri"}
WELL_KNOWN = [[uri] for uri in (
    "javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)", "javascript://client.example/%0aalert(1)",
    "data:text/html,<i>dcrcheck</i>", "vbscript:alert(1)", "http://client.example/cb", "HTTP://client.example/cb",
    "http://localhost.foreign.example/cb", "http://127.0.0.1.foreign.example/cb", "http://localhost@foreign.example/cb",
)] + [["https://client.example/cb", "javascript:alert(1)"]]
PARAMETERS = ("client_id", "redirect_uri", "response_type", "state", "scope", "code_challenge", "code_challenge_method",
              "nonce", "prompt", "max_age", "resource", "request", "claims", "ui_locales")
LISTS = ("redirect_uris", "grant_types", "response_types", "contacts")


@requirement("HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@fuzzed(metadata=metadata(), examples=[
    {"client_name": "\ud800"}, {"client_name": "a\x00b"}, {"client_name": 10**40}, {"redirect_uris": [None]},
    {"redirect_uris": ["http://["]}, {"redirect_uris": ["https://client.example:99999/cb"]}, {"jwks": {"keys": [None]}},
    {"": "x"}, {"grant_types": {}}, {"scope": ["a"]}, {"software_id": "\ud800"}, {"software_id": "a\x00b"},
    {"\x00": "x"},
])
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


@requirement("HARD-REFUSAL-IS-WHOLE")
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
@fuzzed(redirect_uris=st.lists(unsafe_redirect_uris(), min_size=1, max_size=2), examples=WELL_KNOWN)
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


@requirement("RFC7591-3.1-04", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@fuzzed(body=broken_bodies(), examples=[b"", b"{", b"[]", b"\xff", b'{"a": [', b"{}" * 100, b'{"a": NaN}', b"\x00"])
def test_no_bytes_break_the_server(endpoint: Endpoint, body: bytes):
    """Whatever bytes a client sends, the server answers, and never with a 5xx."""
    answer = Fuzzing.of(endpoint).send(body)

    assert not answer.broke_down, f"the server answered {answer.describe()}"


@requirement("HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@needs("authorization_endpoint")
@fuzzed(parameters=st.dictionaries(st.sampled_from(PARAMETERS), hostile_texts(), min_size=1, max_size=4),
        examples=[{"client_id": "'"}, {"state": "\ud800"}, {"scope": "\x00"}, {"redirect_uri": "http://["}])
def test_no_authorization_request_breaks_the_server(endpoint: Endpoint, parameters: dict[str, str]):
    """Whatever parameters an authorization request has, the server answers, and not with a 5xx."""
    answer = endpoint.authorize(endpoint.client(), **parameters)

    assert not answer.broke_down, f"the server answered {answer.describe()}"


def is_typed(name: str, value: Any) -> bool:
    """Whether a registered member has its JSON type."""
    if name in LISTS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, dict if name == "jwks" else str)


def is_ascii(text: Any) -> bool:
    return isinstance(text, str) and text.isascii()
