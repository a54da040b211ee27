"""JSON is read as RFC 8259 has it, and no text can make the reader fail, wait, or see what another would not."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrcheck.jsontext import MOST_DEPTH, MOST_VALUES, Unreadable, parse, same

VALUES = st.recursive(st.none() | st.booleans() | st.integers(-2**63, 2**63) | st.floats(allow_nan=False,
                      allow_infinity=False) | st.text(),
                      lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))


@given(VALUES)
def test_what_was_written_is_read(value):
    reading = parse(json.dumps(value).encode())

    assert same(reading.value, value) and not reading.ambiguous


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(text: bytes):
    try:
        parse(text)
    except (ValueError, Unreadable):
        return
    assert json.loads(text.decode("utf-8-sig")) is not Ellipsis


@pytest.mark.parametrize("text", [
    '{"a":1}'.encode("utf-16"), '{"a":1}'.encode("utf-32-le"), b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b'{"a":NaN}',
    b"Infinity", b"-Infinity", b"", b"{", b"{}{}", b"{'a':1}", b"01", b"\x00",
], ids=repr)
def test_what_is_not_json_is_not_read(text: bytes):
    with pytest.raises(ValueError):
        parse(text)


def test_a_byte_order_mark_may_be_ignored():
    assert parse(b'\xef\xbb\xbf{"a":1}').value == {"a": 1}


@pytest.mark.parametrize("text", [b"[" * 10**5, b'{"a":' * 10**4, b"[" * (MOST_DEPTH + 1) + b"]" * (MOST_DEPTH + 1),
                                  b'["' + b'\\"[' * 10**4 + b'",' + b"[" * 100],
                         ids=["arrays", "objects", "one-too-many", "behind-a-string"])
def test_what_is_too_deep_is_not_read(text: bytes):
    with pytest.raises(Unreadable, match="nested more than 64 deep"):
        parse(text)


def test_brackets_in_a_string_are_no_depth():
    assert parse(json.dumps({"a": '["\\' * 1000}).encode()).value == {"a": '["\\' * 1000}


def test_the_deepest_that_is_read():
    assert parse(b"[" * MOST_DEPTH + b"]" * MOST_DEPTH).value


def test_too_many_values_are_not_read():
    with pytest.raises(Unreadable, match="values"):
        parse(b"[" + b"0," * MOST_VALUES + b"0]")


@pytest.mark.parametrize("text", [b'"' + b'\\"' * 130_000, b'["' * 130_000, b"9" * 260_000, b"-1" + b"0" * 260_000,
                                  b"1e" + b"9" * 200_000, b'"' * 260_000, b"{\"a\"" * 60_000, b"[,]" * 80_000],
                         ids=["quotes", "unended", "digits", "negative", "exponent", "empty-strings", "members",
                         "commas"])
def test_no_text_takes_quadratic_time(text: bytes):
    started = time.monotonic()
    with pytest.raises((ValueError, Unreadable)) if text[:1] in b'"[{' else pytest.MonkeyPatch.context():
        parse(text)

    assert time.monotonic() - started < 2


@pytest.mark.parametrize("text", [b"1e400", b"9" * 400, b"9" * 100_000])
def test_a_number_out_of_range_is_the_largest(text: bytes):
    value = parse(text).value

    assert 1e308 < value < float("inf")
    assert "Infinity" not in json.dumps(value)


def test_of_two_members_the_last_counts_and_the_reading_is_ambiguous():
    reading = parse(b'{"a":{"b":1,"b":true}}')

    assert reading.value == {"a": {"b": True}}
    assert "'b' more than once" in reading.ambiguous
    assert reading.repeated == (("b", 1),)


def test_the_same_value_twice_is_not_ambiguous():
    assert not parse(b'{"a":[1,{"b":2}],"a":[1,{"b":2}]}').ambiguous
