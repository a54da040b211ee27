"""Bodies that are no JSON object, or that two parsers read differently (RFC 7591, section 3.1; RFC 8259)."""

import json
import math
from contextlib import suppress

import pytest

from dcrcheck import OMIT, Endpoint, inapplicable, inconclusive, requirement

NO_OBJECT = {
    "empty": b"",
    "null": b"null",
    "number": b"7591",
    "string": b'"redirect_uris"',
    "array-of-one": b'[{"redirect_uris": ["https://client.example/cb"], "token_endpoint_auth_method": "none"}]',
    "string-of-json": json.dumps('{"redirect_uris": ["https://client.example/cb"]}').encode(),
    "words": b"redirect_uris=https://client.example/cb",
    "truncated-object": b'{"redirect_uris": ["https://client.example/cb"], "token_endpoint_auth_method": "none"',
    "missing-comma": b'{"redirect_uris": ["https://client.example/cb"] "token_endpoint_auth_method": "none"}',
    "open-escape": b'{"redirect_uris": ["https://client.example/cb"], "client_name": "\\u12"}',
}

UNREADABLE = {
    "lone-byte": b"\xff",
    "cut-short": b"\xe2\x82",
    "overlong": b"\xc0\xaf",
    "surrogate": b"\xed\xa0\x80",
}

SECOND = '{"redirect_uris": ["https://client.example/second"]}'
NUMBERS = {
    "nan": b"NaN",
    "overflow": b"1e400",
    "beyond-64-bits": b"1" + b"0" * 30,
    "50000-digits": b"9" * 50_000,
}


@requirement("RFC7591-3.1-04", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@pytest.mark.parametrize("body", NO_OBJECT)
def test_a_body_that_is_no_object_registers_nothing(endpoint: Endpoint, body: str):
    """A body that is not a JSON object is refused in good order."""
    answer = endpoint.submit(content=NO_OBJECT[body])

    assert not answer.broke_down, f"the server answered {answer.describe()}"
    assert answer.refused, f"it was registered ({answer.describe()})"


@requirement("RFC7591-3.2.2-03", "RFC7591-3.2.2-04")
@pytest.mark.parametrize("body", ["empty", "array-of-one", "truncated-object"])
def test_an_unreadable_body_is_refused_in_json(endpoint: Endpoint, body: str):
    """The refusal of a body that cannot be read is a JSON object with an error code."""
    answer = endpoint.submit(content=NO_OBJECT[body])
    if not answer.refused:
        inconclusive("the server registered a client from it")

    assert answer.is_json, f"it came as {answer.media_type or 'no media type'}"
    assert answer.error, "it has no error member"


@requirement("HARD-UNICODE", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@pytest.mark.parametrize("octets", UNREADABLE)
def test_invalid_octets_in_a_string_do_no_harm(endpoint: Endpoint, octets: str):
    """Octets that no JSON string may hold are refused, or replaced and never decoded into something else."""
    name = endpoint.unique()
    body = json.dumps(endpoint.document(client_name=f"{name} <>")).encode().replace(b"<>", UNREADABLE[octets])

    answer = endpoint.submit(content=body)

    assert not answer.broke_down, f"the server answered {answer.describe()}"
    assert "/" not in (answer.stored("client_name") or ""), "an overlong form was decoded"
    assert decodes(answer.body), "the answer is not UTF-8"


@requirement("HARD-UNICODE", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig"])
def test_another_encoding_than_utf_8_is_refused_or_read_rightly(endpoint: Endpoint, encoding: str):
    """A document in another encoding, or behind a byte order mark, is refused or read as it was meant."""
    document = endpoint.document()

    answer = endpoint.submit(content=json.dumps(document).encode(encoding))

    assert not answer.broke_down, f"the server answered {answer.describe()}"
    assert answer.stored("redirect_uris") in (None, document["redirect_uris"])


@requirement("HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_beyond_json_is_no_trouble(endpoint: Endpoint, number: str):
    """Numbers that JSON lacks, or that no machine type holds, are refused or ignored, and never come back."""
    body = json.dumps(endpoint.document(default_max_age="<>")).encode().replace(b'"<>"', NUMBERS[number])

    answer = endpoint.submit(content=body)

    assert not answer.broke_down, f"the server answered {answer.describe()}"
    # such an answer is no JSON, and is_json says so
    assert "json" not in answer.media_type or is_strict(answer.text), "the answer holds a number that is not JSON"


@requirement("HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@pytest.mark.parametrize("extension", ["{}\n\n{}", "{}garbage", "/* dcrcheck */ {}", "{}\x00"],
                         ids=["two-documents", "garbage", "comment", "nul"])
def test_what_stands_around_the_document_does_no_harm(endpoint: Endpoint, extension: str):
    """Bytes before or after the document are refused or without effect (RFC 8259, section 9)."""
    document = endpoint.document()

    answer = endpoint.submit(content=extension.format(json.dumps(document), SECOND).encode())

    assert not answer.broke_down, f"the server answered {answer.describe()}"
    assert answer.stored("redirect_uris") in (None, document["redirect_uris"])


# -- members that occur twice, or almost ------------------------------------------------------------------------------

TWICE = {
    "redirect_uris": ["javascript:alert(1)"],
    "grant_types": ["dcrcheck-no-such-grant"],
    "token_endpoint_auth_method": "dcrcheck-no-such-method",
}


@requirement("HARD-DUPLICATE-KEYS", "RFC7591-3.1-04")
@pytest.mark.parametrize("order", ["good-first", "bad-first"])
@pytest.mark.parametrize("member", TWICE)
def test_of_a_member_that_occurs_twice_the_bad_value_is_not_stored(endpoint: Endpoint, member: str, order: str):
    """Where a member occurs twice, a value that the server would not store alone is not stored either."""
    bad = TWICE[member]
    if endpoint.submit(**{member: bad}).stored(member) == bad:
        inapplicable(f"the server stores an unfit {member} even where it stands alone: there is nothing to get around")

    good = endpoint.document()[member]
    pairs = [(member, good), (member, bad)] if order == "good-first" else [(member, bad), (member, good)]
    answer = endpoint.submit(content=written([*endpoint.document(**{member: OMIT}).items(), *pairs]))

    assert answer.stored(member) != bad, f"{bad!r} was stored as {member}"


@requirement("RFC7591-1.1-01", "HARD-DUPLICATE-KEYS")
@pytest.mark.parametrize("name", ["Redirect_URIs", "redirect_uris\x00", "redirect_uris ", "redirect_uris[]",
                                  "\uff52edirect_uris", "redirect_uri\u017f", "redirect-uris", "redirect_uris[0]",
                                  "\ufeffredirect_uris", "redirect_uris\u200b"],
                         ids=["case", "nul", "blank", "brackets", "full-width", "long-s", "hyphen", "index",
                              "byte-order-mark", "zero-width-space"])
def test_a_name_that_resembles_a_member_is_not_that_member(endpoint: Endpoint, name: str):
    """Only the exact name redirect_uris registers redirect URIs."""
    answer = endpoint.submit(**{name: ["https://client.example/resembles"]})

    stored = answer.stored("redirect_uris") or []
    assert "https://client.example/resembles" not in stored, f"{name!r} was read as redirect_uris"


@requirement("HARD-DUPLICATE-KEYS", "RFC7591-3.1-04")
def test_an_escaped_name_is_the_same_member(endpoint: Endpoint):
    """A member whose name is written with escapes is held to the same rules (RFC 8259, section 8.3)."""
    unsafe = ["javascript:alert(1)"]
    if endpoint.submit(redirect_uris=unsafe).stored("redirect_uris") == unsafe:
        inapplicable("the server stores an unfit value even under the plain name: there is nothing to get around")
    body = json.dumps(endpoint.document(redirect_uris=unsafe)).replace("redirect_uris", r"redirect\u005furis")

    answer = endpoint.submit(content=body.encode())

    assert answer.stored("redirect_uris") != unsafe, "it was registered unseen"


@requirement("RFC7591-2-27", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@pytest.mark.parametrize("name", ["__proto__", "constructor"])
def test_a_member_named_like_a_language_internal_has_no_effect(endpoint: Endpoint, name: str):
    """Members named after the insides of a programming language set nothing, in this client or in the next."""
    page = "https://client.example/polluted"

    answer = endpoint.submit(**{name: {"client_uri": page, "prototype": {"client_uri": page}}})

    assert not answer.broke_down, f"the server answered {answer.describe()}"
    assert answer.stored("client_uri") != page, f"{name} set client_uri"
    assert endpoint.submit().stored("client_uri") != page, f"{name} set client_uri for another client"


def written(pairs: list[tuple[str, object]]) -> bytes:
    """A JSON object with its members in this order, repetitions included."""
    return ("{" + ", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in pairs) + "}").encode()


def decodes(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_strict(text: str) -> bool:
    """Whether a JSON text holds no NaN and no number that only becomes infinite."""
    odd: list[str] = []
    with suppress(ValueError, RecursionError):  # what else may be wrong with it is another's matter
        json.loads(text, parse_constant=odd.append, parse_int=len,
                   parse_float=lambda number: odd.append(number) if math.isinf(float(number)) else 0.0)
    return not odd
