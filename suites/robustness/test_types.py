"""Members of the wrong JSON type (RFC 7591, section 2; CWE-843)."""

from typing import Any

import pytest

from dcrcheck import Endpoint, needs, requirement

MARK = "dcrmark"
NO_STRINGS: dict[str, Any] = {
    "string": "https://client.example/" + MARK,
    "number": 7591,
    "object": {"0": MARK, "length": 1},
    "array-of-null": [None],
    "array-of-numbers": [7591],
    "array-of-arrays": [[MARK]],
    "array-of-objects": [{"$gt": MARK}],
    "true": True,
}
NO_STRING: dict[str, Any] = {
    "number": 7591,
    "true": True,
    "array": [MARK],
    "object": {"$ne": MARK},
    "nested": {"a": [{"b": MARK}]},
}
ARRAYS = ("redirect_uris", "grant_types", "response_types", "contacts")
CASES = [
    *(("redirect_uris", kind) for kind in NO_STRINGS if kind != "true"),
    ("grant_types", "string"), ("grant_types", "object"), ("response_types", "array-of-arrays"),
    ("contacts", "string"), ("contacts", "array-of-objects"),
    *(("client_name", kind) for kind in NO_STRING), ("scope", "array"), ("scope", "nested"),
    ("token_endpoint_auth_method", "array"), ("client_uri", "object"), ("logo_uri", "array"), ("tos_uri", "number"),
    ("jwks_uri", "object"), ("software_id", "object"), ("software_version", "number"), ("software_statement", "object"),
]


@requirement("HARD-TYPE-CONFUSION", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@pytest.mark.parametrize(("member", "kind"), CASES, ids=["-".join(case) for case in CASES])
def test_a_member_of_the_wrong_type_is_refused_or_dropped(endpoint: Endpoint, member: str, kind: str):
    """A member of the wrong JSON type is refused or dropped; its parts are not stored in another shape."""
    value = (NO_STRINGS if member in ARRAYS else NO_STRING)[kind]

    answer = endpoint.submit(**{member: value})

    assert not answer.broke_down, f"{member} {value!r} was answered {answer.describe()}"
    stored = answer.stored(member)
    assert is_sound(member, value, stored), f"{member} {value!r} was stored as {stored!r}"


@requirement("HARD-TYPE-CONFUSION", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@pytest.mark.parametrize("jwks", [[MARK], {"keys": MARK}, {"keys": [MARK]}, {"keys": [None]}],
                         ids=["array", "keys-string", "keys-of-strings", "keys-of-null"])
def test_a_key_set_of_the_wrong_shape_is_refused_or_dropped(endpoint: Endpoint, jwks: Any):
    """A jwks that is not a JWK Set is refused or dropped (RFC 7517, section 5)."""
    answer = endpoint.submit(jwks=jwks)

    assert not answer.broke_down, f"jwks {jwks!r} was answered {answer.describe()}"
    stored = answer.stored("jwks")
    assert not stored or stored != jwks, f"jwks {jwks!r} was stored"


@requirement("HARD-TYPE-CONFUSION", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@needs("management")
@pytest.mark.parametrize(("member", "value"), [
    ("redirect_uris", {"0": MARK}), ("client_name", {"a": MARK}), ("scope", [MARK]), ("client_id", [MARK]),
    ("client_secret", {"$ne": MARK}),
], ids=["redirect_uris-object", "client_name-object", "scope-array", "client_id-array", "client_secret-object"])
def test_an_update_of_the_wrong_type_is_refused_or_without_effect(endpoint: Endpoint, member: str, value: Any):
    """An update with a member of the wrong JSON type stores nothing of it."""
    client = endpoint.register()

    answer = endpoint.update(client, **{member: value})

    assert not answer.broke_down, f"{member} {value!r} was answered {answer.describe()}"
    read = endpoint.read(client)
    stored = read.json.get(member) if read.status == 200 and isinstance(read.json, dict) else None
    assert is_sound(member, value, stored), f"{member} {value!r} was stored as {stored!r}"


def is_sound(member: str, value: Any, stored: Any) -> bool:
    """Whether what is stored for a member of the wrong type has the right one and was not made from the wrong one.

    One string in the place of a list of one, and a number in the place of its digits, are harmless readings.
    """
    if stored is None:
        return True
    if member in ARRAYS:
        if not isinstance(stored, list) or not all(isinstance(item, str) for item in stored):
            return False
        return stored == [value] or not any(is_debris(item) for item in stored)
    return isinstance(stored, str) and (not isinstance(value, list | dict) or not is_debris(stored))


def is_debris(text: str) -> bool:
    """Whether a text is what is left of another type: its parts, its dump, or its name."""
    return MARK in text or "[object" in text or text in ("None", "null", "7591", "True", "true", "[]", "{}")
