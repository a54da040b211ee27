"""Documents that are deep, long or many-membered (CWE-674, CWE-770; RFC 8259, section 9)."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from dcrcheck import Endpoint, intrusive, requirement

PROMPT_S = 5.0
LONGEST = 64 * 1024
MEGABYTE = 1024 * 1024

NESTED: dict[str, Callable[[int], str]] = {
    "arrays": lambda depth: "[" * depth + "]" * depth,
    "objects": lambda depth: '{"a":' * depth + "1" + "}" * depth,
    "unclosed": lambda depth: "[" * depth,
}

OVERSIZED: dict[str, Callable[[], dict[str, Any]]] = {
    "name": lambda: {"client_name": "A" * MEGABYTE},
    "redirect-uris": lambda: {"redirect_uris": [f"https://client.example/{n}/{'a' * 100}" for n in range(9_000)]},
    "unknown-members": lambda: {f"dcrcheck_{n}": "A" * 100 for n in range(10_000)},
}

UNBOUNDED: dict[str, Any] = {
    "redirect_uris-many": [f"https://client.example/cb/{n}" for n in range(500)],
    "redirect_uris-long": ["https://client.example/" + "a" * 16_000],
    "client_name": "A" * 10_000,
    "client_uri": "https://client.example/" + "a" * 16_000,
    "contacts-many": [f"contact{n}@client.example" for n in range(500)],
    "software_id": "A" * 16_000,
    "scope": " ".join(f"dcrcheck:{n}" for n in range(2_000)),
    "jwks": {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": str(n), "x": "A" * 43} for n in range(300)]},
}


@requirement("HARD-DEPTH", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@pytest.mark.parametrize("member", ["dcrcheck_unknown", "redirect_uris"])
@pytest.mark.parametrize("shape", NESTED)
def test_two_hundred_levels_are_answered_promptly(endpoint: Endpoint, shape: str, member: str):
    """A document nested 200 levels deep is answered promptly and in good order."""
    answer = endpoint.submit(content=with_value(endpoint, member, NESTED[shape](200)))

    assert not answer.broke_down, f"the server answered {answer.describe()}"
    assert answer.elapsed_s < PROMPT_S, f"the answer took {answer.elapsed_s:.1f} s"


@requirement("HARD-DEPTH", "STRUCT-BODY-SIZE", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@intrusive("oversize")
@pytest.mark.parametrize("shape", NESTED)
def test_bottomless_nesting_is_answered_promptly(endpoint: Endpoint, shape: str):
    """A document nested tens of thousands of levels deep is answered promptly and brings nothing down."""
    answer = endpoint.submit(content=with_value(endpoint, "dcrcheck_unknown", NESTED[shape](20_000)))

    assert answer.status < 500, f"the server answered {answer.describe()}"
    assert answer.elapsed_s < PROMPT_S, f"the answer took {answer.elapsed_s:.1f} s"
    assert not endpoint.submit().broke_down, "the server does not answer ordinary requests any more"


@requirement("HARD-DEPTH", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@intrusive("oversize")
@pytest.mark.parametrize("shape", NESTED)
def test_two_thousand_levels_are_answered_promptly(endpoint: Endpoint, shape: str):
    """A document nested two thousand levels deep is answered promptly and in good order."""
    answer = endpoint.submit(content=with_value(endpoint, "dcrcheck_unknown", NESTED[shape](2_000)))

    assert answer.status < 500, f"the server answered {answer.describe()}"
    assert answer.elapsed_s < PROMPT_S, f"the answer took {answer.elapsed_s:.1f} s"


@requirement("HARD-SIZE", "STRUCT-BODY-SIZE")
@intrusive("oversize")
@pytest.mark.parametrize("part", OVERSIZED)
def test_an_oversized_document_is_refused(endpoint: Endpoint, part: str):
    """A document of a megabyte and more is refused promptly, or its bulk is not stored."""
    answer = endpoint.submit(**OVERSIZED[part]())

    assert answer.elapsed_s < PROMPT_S, f"the answer took {answer.elapsed_s:.1f} s"
    assert answer.status < 500, f"the server answered {answer.describe()}"
    # however it reads: what comes back with success was taken in
    kept = len(answer.body) if 200 <= answer.status < 300 else 0
    assert kept <= LONGEST, f"the server registered {kept} characters of metadata"


@requirement("HARD-SIZE", "STRUCT-BODY-SIZE")
@intrusive("oversize")
def test_a_body_of_eight_megabytes_is_refused(endpoint: Endpoint):
    """A body of eight megabytes registers nothing, though there is nothing in it but an ordinary document."""
    body = json.dumps(endpoint.document()).encode() + b" " * (8 * MEGABYTE)

    answer = endpoint.submit(content=body)

    assert answer.registered is None, f"the server registered a client from {len(body)} octets"
    assert answer.status < 500, f"the server answered {answer.describe()}"


@requirement("STRUCT-METADATA-SIZE")
@pytest.mark.parametrize("part", UNBOUNDED)
def test_the_size_of_every_member_is_limited(endpoint: Endpoint, part: str):
    """A value far longer than any client needs is refused, cut or dropped."""
    member = part.partition("-")[0]

    answer = endpoint.submit(**{member: UNBOUNDED[part]})

    stored = answer.stored(member)
    assert stored != UNBOUNDED[part], f"{len(json.dumps(stored))} characters of {member} were registered"


@requirement("STRUCT-METADATA-SIZE", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
def test_a_thousand_unknown_members_are_not_stored(endpoint: Endpoint):
    """A document with a thousand members that nobody knows is refused, or they are not stored."""
    answer = endpoint.submit(**{f"dcrcheck_{n}": "x" for n in range(1000)})

    assert not answer.broke_down, f"the server answered {answer.describe()}"
    stored = [name for name in answer.client or () if name.startswith("dcrcheck_")]
    assert len(stored) < 100, f"{len(stored)} of them were registered"


@requirement("STRUCT-METADATA-SIZE")
def test_not_everything_is_stored_at_any_size(endpoint: Endpoint):
    """Of fifty redirect URIs, a long URI, a hundred contacts, a large key set and a long name something is limited."""
    wishes = {"redirect_uris": [f"https://client.example/cb/{n}" for n in range(50)],
              "client_uri": "https://client.example/" + "a" * 2_026, "client_name": endpoint.unique() + "A" * 10_000,
              "contacts": [f"contact{n}@client.example" for n in range(100)], "jwks": UNBOUNDED["jwks"]}

    answer = endpoint.submit(**wishes)

    limited = [member for member, value in wishes.items() if answer.stored(member) != value]
    assert limited, f"the server stored all {len(json.dumps(wishes))} characters of it"


def with_value(endpoint: Endpoint, member: str, value: str) -> bytes:
    """The accepted document with a member whose value is this JSON text."""
    return json.dumps(endpoint.document(**{member: "<>"})).replace('["<>"]', value).replace('"<>"', value).encode()

