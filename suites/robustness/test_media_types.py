"""How a body is labelled decides whether it is read (RFC 7591, section 3.1; RFC 8259, section 8.1)."""

import json

import pytest

from dcrcheck import Endpoint, requirement

FOREIGN = {
    "none": None,
    "text-plain": "text/plain",
    "text-plain-posing": "text/plain; application/json",
    "form": "application/x-www-form-urlencoded",
    "multipart": "multipart/form-data; boundary=dcrcheck",
    "xml": "application/xml",
    "jose": "application/jose",
}

FORM = "client_name=dcrcheck&redirect_uris=https%3A%2F%2Fclient.example%2Fcb&token_endpoint_auth_method=none"
UTF_7 = "+AG0AaQBzAHIAZQBhAGQ-"  # "misread", for whoever decodes UTF-7
PART = '--dcrcheck\r\ncontent-disposition: form-data; name="{}"\r\n\r\n{}\r\n'
BODIES = {
    "form": ("application/x-www-form-urlencoded", FORM),
    "multipart": ("multipart/form-data; boundary=dcrcheck", PART.format("redirect_uris", "https://client.example/cb")
                  + PART.format("token_endpoint_auth_method", "none") + "--dcrcheck--\r\n"),
    "xml-entity": ("application/xml", '<!DOCTYPE c [<!ENTITY e "dcr">]><c><client_name>&e;</client_name></c>'),
    "form-labelled-json": ("application/json", FORM),
}


@requirement("HARD-CONTENT-TYPE")
@pytest.mark.parametrize("media_type", FOREIGN)
def test_a_document_that_is_not_labelled_json_registers_nothing(endpoint: Endpoint, media_type: str):
    """The accepted document registers nothing under a media type other than application/json, or under none."""
    answer = endpoint.submit(headers={"content-type": FOREIGN[media_type]})

    assert answer.refused, f"sent as {FOREIGN[media_type] or 'nothing'!r}, it was registered ({answer.describe()})"


@requirement("HARD-CONTENT-TYPE", "RFC7591-3.1-04", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@pytest.mark.parametrize("form", BODIES)
def test_metadata_in_another_form_than_json_registers_nothing(endpoint: Endpoint, form: str):
    """Metadata sent as a form, as XML or as YAML is refused in good order."""
    media_type, body = BODIES[form]

    answer = endpoint.submit(content=body.encode(), headers={"content-type": media_type})

    assert not answer.broke_down, f"the server answered {answer.describe()}"
    assert answer.refused, f"it was registered ({answer.describe()})"


@requirement("HARD-CONTENT-TYPE", "HARD-UNICODE", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@pytest.mark.parametrize("charset", ["utf-7", "utf-16", "iso-8859-1", "rot13", "unknown"])
def test_a_charset_parameter_does_not_change_what_is_registered(endpoint: Endpoint, charset: str):
    """Whatever charset is claimed for a JSON body, it is read as UTF-8 or refused."""
    name = f"{endpoint.unique()} é {UTF_7}"
    body = json.dumps(endpoint.document(client_name=name), ensure_ascii=False).encode()

    answer = endpoint.submit(content=body, headers={"content-type": f"application/json; charset={charset}"})

    assert not answer.broke_down, f"the server answered {answer.describe()}"
    stored = answer.stored("client_name") or ""
    assert not {word for word in ("misread", "Ã") if word in stored}, f"{name!r} became {stored!r}"
