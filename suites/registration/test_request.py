"""What a registration request looks like, and what the server makes of it (RFC 7591, sections 1.1, 2, 3 and 3.1)."""

import json
from urllib.parse import urlencode

import pytest

from dcrcheck import OMIT, REDIRECT_URI, Endpoint, inapplicable, inconclusive, requirement

JSON_TYPES = {
    "plain": "application/json", "charset": "application/json; charset=utf-8",
    "upper-case": "Application/JSON", "quoted-charset": 'application/json;charset="UTF-8"',
}
FORM = urlencode({"client_name": "dcrcheck form", "redirect_uris": REDIRECT_URI, "token_endpoint_auth_method": "none"})
NO_OBJECTS = {
    "array": b"[%s]", "string": b'"registration"', "number": b"7", "true": b"true", "null": b"null",
    "truncated": b'{"redirect_uris": ["https://client.example/cb"]', "empty": b"", "two-objects": b"%s %s",
    "array-of-pairs": b'[["redirect_uris", ["https://client.example/cb"]]]',
}
UNKNOWN_VALUES = {"string": "x", "number": 7, "object": {"a": {"b": 1}}, "array": ["x", 7], "null": None, "true": True}


@requirement("RFC7591-3-01")
@pytest.mark.parametrize("media_type", JSON_TYPES.values(), ids=JSON_TYPES)
def test_a_json_document_registers_a_client(endpoint: Endpoint, media_type: str):
    """A POST with a body of media type application/json registers a client, with or without a charset."""
    answer = endpoint.submit(headers={"content-type": media_type})

    assert not answer.refused, f"a request with Content-Type {media_type} was answered {answer.describe()}"


@requirement("RFC7591-3.1-05")
@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "text/plain"])
def test_json_under_another_media_type_registers_nothing(endpoint: Endpoint, media_type: str):
    """A JSON document that is sent as something else than application/json registers no client."""
    answer = endpoint.submit(headers={"content-type": media_type})

    assert answer.refused, f"JSON with Content-Type {media_type} was registered ({answer.describe()})"


@requirement("RFC7591-3.1-05")
def test_a_form_registers_nothing(endpoint: Endpoint):
    """Metadata that is sent as a form registers no client."""
    answer = endpoint.submit(content=FORM.encode(), headers={"content-type": "application/x-www-form-urlencoded"})

    assert answer.refused, f"a form was registered ({answer.describe()})"


@requirement("RFC7591-3.1-04")
@pytest.mark.parametrize("body", NO_OBJECTS.values(), ids=NO_OBJECTS)
def test_only_one_json_object_registers_a_client(endpoint: Endpoint, body: bytes):
    """A body that is not one JSON object registers no client."""
    accepted = json.dumps(endpoint.document()).encode()
    answer = endpoint.submit(content=body.replace(b"%s", accepted))

    assert answer.refused, f"a body that is not one JSON object was registered ({answer.describe()})"


@requirement("RFC7591-2-27", "OIDCR-3.2-02")
@pytest.mark.parametrize("value", UNKNOWN_VALUES.values(), ids=UNKNOWN_VALUES)
def test_an_unknown_member_is_ignored(endpoint: Endpoint, value: object):
    """A member that the server does not know is ignored, whatever its JSON type."""
    answer = endpoint.submit(dcrcheck_unknown=value)

    assert not answer.refused, f"an unknown member of value {value!r} was answered {answer.describe()}"


@requirement("STRUCT-UNKNOWN-REFUSED")
@pytest.mark.parametrize("value", UNKNOWN_VALUES.values(), ids=UNKNOWN_VALUES)
def test_an_unknown_member_is_refused(endpoint: Endpoint, value: object):
    """A request with a member that the server does not know is refused, whatever its JSON type."""
    answer = endpoint.submit(dcrcheck_unknown=value)

    assert answer.refused, f"an unknown member of value {value!r} was accepted ({answer.describe()})"


@requirement("RFC7591-1.1-01")
@pytest.mark.parametrize("member", ["redirect_uris", "client_name"])
def test_a_member_name_in_other_case_is_another_name(endpoint: Endpoint, member: str):
    """A member whose name differs in case does not count as the one that the RFC defines."""
    value = ["https://client.example/other-case"] if member == "redirect_uris" else endpoint.unique("dcrcheck case")
    answer = endpoint.submit(**{member: OMIT, member.title(): value})

    assert answer.stored(member) != value, f"{member.title()} was registered as {member}"


@requirement("RFC7591-1.1-01")
def test_a_value_in_other_case_is_another_value(endpoint: Endpoint):
    """A token_endpoint_auth_method in upper case does not count as the method that the RFC defines."""
    default = endpoint.client(token_endpoint_auth_method=OMIT).auth_method
    method = next((name for name in endpoint.policy.auth_methods if name != default), None)
    if method is None:
        inapplicable(f"policy {endpoint.policy.name} admits no method beside the default, {default}")
    stored = endpoint.submit(token_endpoint_auth_method=method.upper()).stored("token_endpoint_auth_method")

    assert stored != method, f"{method.upper()} was registered as {method}"


@requirement("HARD-GET-REGISTRATION")
def test_a_get_registers_nothing(endpoint: Endpoint):
    """A GET on the registration endpoint, with the metadata in its query, registers no client."""
    query = urlencode(endpoint.document(), doseq=True)
    answer = endpoint.submit(method="GET", content=b"", headers={"content-type": None},
                             url=f"{endpoint.registration_url}?{query}")
    if answer.status in (0, 429) or answer.status >= 500:
        inconclusive(f"the server did not answer the GET: {answer.describe()}")

    assert answer.registered is None, f"the GET was answered {answer.describe()} with a client_id"
