"""Secrets stay inside: by value in whatever spelling, by the name of what carries them, and in repr."""

import base64
from urllib.parse import quote

import pytest

from dcrcheck.evidence import Exchange, Recorder, Redactor, Secret, conceal

VALUE = "s3cr3t/va+lue=with~odd-characters"


def test_a_secret_never_shows_itself():
    shown = repr({"client_secret": Secret(VALUE)}) + f"{[Secret(VALUE)]!r}"

    assert VALUE not in shown


def test_credentials_in_json_are_concealed_at_any_depth():
    body = conceal({"client_id": "a", "nested": [{"registration_access_token": VALUE}]})

    assert VALUE not in repr(body)
    assert body["client_id"] == "a"
    assert body["nested"][0]["registration_access_token"] == VALUE


@pytest.mark.parametrize("text", [
    VALUE, quote(VALUE, safe=""), f'{{"x": "{VALUE}"}}', f"https://as.example/?t={quote(VALUE, safe='')}&x=1",
], ids=["plain", "percent-encoded", "in JSON", "in a URL"])
def test_a_known_value_is_removed_in_every_spelling(text: str):
    redactor = Redactor()
    redactor.learn(VALUE)

    scrubbed = redactor.scrub(text)

    assert VALUE not in scrubbed
    assert quote(VALUE, safe="") not in scrubbed


@pytest.mark.parametrize("text", [
    f'{{"client_secret": "{VALUE}"}}', f"{{'access_token': '{VALUE}'}}", f"code={VALUE}&state=1",
    f"Authorization: Bearer {VALUE}", "authorization: Basic " + base64.b64encode(b"client:" + VALUE.encode()).decode(),
], ids=["JSON", "repr", "form", "bearer", "basic"])
def test_an_unknown_value_is_removed_by_the_name_that_carries_it(text: str):
    scrubbed = Redactor().scrub(text)

    assert VALUE.split("=")[0] not in scrubbed
    assert base64.b64encode(b"client:" + VALUE.encode()).decode() not in scrubbed


@pytest.mark.parametrize("text", [
    "response_type=code&client_id=abc", '{"response_types": ["code"], "error": "invalid_token"}',
    'Bearer realm="registration", error="invalid_token"', "the access_token is missing",
], ids=["request", "metadata", "challenge", "prose"])
def test_ordinary_text_is_left_alone(text: str):
    assert Redactor().scrub(text) == text


def test_an_exchange_keeps_its_shape_and_loses_its_secrets():
    recorder = Recorder()
    recorder.redactor.learn(VALUE)
    recorder.record(Exchange(
        id="x1", method="GET", url=f"https://as.example/reg?access_token={VALUE}", status=200,
        request_headers=(("authorization", f"Bearer {VALUE}"), ("cookie", f"sid={VALUE}"), ("accept", "*/*")),
        response_headers=(("set-cookie", f"sid={VALUE}; Path=/; HttpOnly"), ("x-echo", VALUE)),
        response_body=f'{{"client_id": "a", "client_secret": "{VALUE}"}}'))

    kept = recorder.redactor.redact(*recorder.evidence())

    assert VALUE not in repr(kept) + kept.curl()
    assert '"client_id": "a"' in kept.response_body
    assert ("set-cookie", "sid=[redacted]; Path=/; HttpOnly") in kept.response_headers
    assert ("accept", "*/*") in kept.request_headers
