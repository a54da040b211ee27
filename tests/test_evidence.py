"""Secrets stay inside: by value in whatever spelling, by the name of what carries them, and in repr."""

import base64
import html
import io
import json
import logging
import sys
from random import Random
from urllib.parse import quote

import pytest

from dcrcheck.discretion import Discreet, Discretion, discreet_records
from dcrcheck.evidence import Exchange, Recorder, Secret, conceal
from dcrcheck.redaction import Redactor, secrets_of

VALUE = "s3cr3t/va+lue=with~odd-characters"


def test_a_secret_never_shows_itself():
    shown = repr({"client_secret": Secret(VALUE)}) + f"{[Secret(VALUE)]!r}"

    assert VALUE not in shown


def test_credentials_in_json_are_concealed_at_any_depth():
    body = conceal({"client_id": "a", "nested": [{"registration_access_token": VALUE}]})

    assert VALUE not in repr(body)
    assert body["client_id"] == "a"
    assert body["nested"][0]["registration_access_token"] == VALUE


ODD = "Pä\"ss<wörd>&'\\/=1"


@pytest.mark.parametrize("value", [VALUE, ODD], ids=["of a token's characters", "of odd characters"])
@pytest.mark.parametrize("spelt", [
    str, str.upper, lambda value: quote(value, safe=""), lambda value: quote(value, safe="").lower(),
    lambda value: json.dumps(value)[1:-1], lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    lambda value: repr(value)[1:-1], html.escape, lambda value: html.escape(value, quote=False),
    lambda value: value[:15] + "\x1b[0m\x1b[31m" + value[15:], lambda value: value[:8] + "\nE       " + value[8:],
    lambda value: value[:12] + "'\n   b'" + value[12:],
    *(lambda value, before=before: base64.b64encode(b"x" * before + value.encode() + b"yz").decode()
      for before in range(4)),
], ids=["plain", "upper-case", "percent-encoded", "percent-encoded in lower case", "JSON", "JSON in Unicode", "repr",
        "HTML", "XML", "coloured", "wrapped", "pretty-printed bytes", "base64", "base64 after one byte",
        "base64 after two bytes", "base64 after three bytes"])
def test_a_known_value_is_removed_in_every_spelling(spelt, value: str):
    redactor = Redactor()
    redactor.learn(value)
    written = spelt(value)

    scrubbed = redactor.scrub(f"before {written} after")

    assert scrubbed.startswith("before ") and scrubbed.endswith(" after") and "[redacted]" in scrubbed
    assert len(scrubbed) <= len("before [redacted] after") + 10  # the edges of base64 hold some of its neighbours
    assert value[:8].lower() not in scrubbed.lower()


@pytest.mark.parametrize(("text", "kept"), [
    (f"{{'x': '{VALUE[:15]}...", "{'x': '[redacted]..."), (f"…{VALUE[-12:]}'}}", "…[redacted]'}"),
    (f"a body of {VALUE[:20]}", "a body of [redacted]"), (f"{VALUE[:4]}...", f"{VALUE[:4]}..."),
], ids=["its beginning", "its end", "at the end of the text", "too little to matter"])
def test_what_is_left_of_a_value_that_was_cut_off_is_removed(text: str, kept: str):
    redactor = Redactor()
    redactor.learn(VALUE)

    assert redactor.scrub(text) == kept


def test_values_within_one_another_are_all_removed():
    """Against a search that looks for every value at every place."""
    chance = Random(7)
    for _ in range(300):
        values = ["".join(chance.choices("ab", k=chance.randint(6, 12))) for _ in range(6)]
        text = "".join(chance.choices("ab", k=200))
        redactor = Redactor()
        redactor.learn(*values)

        assert [value for value in values if value in redactor.scrub(text)] == []


def test_a_value_of_a_megabyte_is_removed_whole():
    redactor = Redactor()
    redactor.learn("ab1-" * 250_000)

    assert redactor.scrub(f'{{"x": "{"ab1-" * 250_000}"}}') == '{"x": "[redacted]"}'


def test_the_kind_of_an_error_is_no_secret():
    redactor = Redactor()
    redactor.learn_from({"code": "INVALID_REDIRECT_URI", "token": "missing", "nested": {"code": "Sp3cGn9xQ_71"}})

    assert redactor.scrub("invalid_redirect_uri missing Sp3cGn9xQ_71") == "invalid_redirect_uri missing [redacted]"


def test_what_is_sent_is_known_before_the_answer_can_echo_it():
    redactor = Redactor()
    basic = base64.b64encode(b"client:another-s3cret").decode()
    redactor.learn_request("https://as.example/token?access_token=0123456789abcdef", [
        ("authorization", f"Basic {basic}")], f"code_verifier={quote(VALUE, safe='')}&grant_type=x".encode())

    scrubbed = redactor.scrub(f"you sent {VALUE}, another-s3cret and 0123456789abcdef")

    assert scrubbed == "you sent [redacted], [redacted] and [redacted]"


def test_the_secrets_of_the_owner_are_known_from_the_start():
    found = secrets_of({"DCRCHECK_PASSWORD": "six o'clock", "HTTPS_PROXY": "http://me:pass%20word@proxy.example",
                        "DCRCHECK_USERNAME": "hatter", "HOME": "/home/hatter"}, ["--issuer", "https://a:bcdefg@as.example"])

    assert set(found) == {"six o'clock", "pass%20word", "pass word", "bcdefg"}


@pytest.mark.parametrize("text", [
    f'{{"client_secret": "{VALUE}"}}', f"{{'access_token': '{VALUE}'}}", f"code={VALUE}&state=1",
    f"Authorization: Bearer {VALUE}", "authorization: Basic " + base64.b64encode(b"client:" + VALUE.encode()).decode(),
    f"[(b'Set-Cookie', b'sid={VALUE}; Path=/'), (b'date', b'x')]", f'<input name="csrf" type="hidden" value="{VALUE}">',
    json.dumps({"body": json.dumps({"client_secret": VALUE})}), f"{{'client_secret': '{VALUE}",
], ids=["JSON", "repr", "form", "bearer", "basic", "a list of headers", "a form field of a page", "JSON in JSON",
        "cut off"])
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


def test_what_is_printed_is_redacted_and_counted_as_it_was_given():
    redactor = Redactor()
    redactor.learn(VALUE)
    told = io.StringIO()
    stream = Discreet(told, redactor)

    assert stream.write(f"a {VALUE}\n") == len(VALUE) + 3
    stream.writelines([VALUE, "\n"])

    assert told.getvalue() == "a [redacted]\n[redacted]\n"
    assert not stream.isatty()


def test_a_log_record_holds_no_secret_whoever_handles_it():
    redactor = Redactor()
    redactor.learn(VALUE)
    make = discreet_records(logging.LogRecord, redactor)
    try:
        raise ValueError(VALUE)
    except ValueError:
        record = make("name", logging.DEBUG, __file__, 1, "sent %s", (VALUE,), sys.exc_info())

    assert record.getMessage() == "sent [redacted]"
    assert VALUE not in logging.Formatter().format(record) + repr(vars(record)["args"])


def test_discretion_leaves_everything_as_it_was():
    before = sys.stdout, sys.stderr, logging.getLogRecordFactory()
    discretion = Discretion()

    discretion.begin()
    during = sys.stdout, sys.stderr, logging.getLogRecordFactory()
    discretion.end()
    discretion.end()

    assert all(one is not other for one, other in zip(before, during, strict=True))
    assert (sys.stdout, sys.stderr, logging.getLogRecordFactory()) == before
