"""JSON as RFC 8259 has it, read within bounds: no text of a server can crash the reader, or mean two things to it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

# section 9 allows a reader to set limits; no document of these standards comes near them
MOST_BYTES = 5_000_000
MOST_DEPTH = 64
MOST_VALUES = 20_000
_DIGITS = 300
_LARGEST = sys.float_info.max
# a string that does not end reaches to the end: looking for its end again and again would take quadratic time
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)


class Unreadable(Exception):
    """It may well be JSON, but not of a kind that we read, or that all readers read alike. The message says why."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A parsed JSON text. `ambiguous` says why another reader may see other values; `repeated` are the values that
    the last one of their name hides, each with the name."""

    value: Any
    ambiguous: str = ""
    repeated: tuple[tuple[str, Any], ...] = ()


def parse(text: bytes) -> Reading:
    """Read one JSON text.

    UTF-8 only (section 8.1), with or without a byte order mark. A number beyond the range of a double (section 6) is
    read as the largest one. Of several members of one name the last one counts, as ECMAScript has it; unless they
    are all the same the reading is ambiguous (section 4).

    Raises:
        ValueError: it is not JSON.
        Unreadable: it exceeds a limit of ours.
    """
    if len(text) > MOST_BYTES:
        raise Unreadable(f"the JSON text has more than {MOST_BYTES} bytes")
    _measure(text)
    repeated: list[tuple[str, Any]] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            repeated.extend((name, value) for name, value in pairs if not same(value, found[name]))
        return found

    try:
        value = json.loads(text.decode("utf-8-sig"), object_pairs_hook=members, parse_constant=_constant,
                           parse_int=_integer, parse_float=_fraction)
    except RecursionError:  # too little of the stack was left for it
        raise Unreadable(f"the JSON text is nested more than {MOST_DEPTH} deep") from None
    names = sorted({name for name, _ in repeated})
    return Reading(value=value, repeated=tuple(repeated), ambiguous=(
        f"the JSON text gives {names[0]!r} more than once, with different values (RFC 8259 section 4: what a reader "
        "makes of that is unpredictable)" if names else ""))


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same; in Python alone 1 is true."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _measure(text: bytes) -> None:
    """Count before parsing, so that no parser meets the depth."""
    brackets = text.count(b"[") + text.count(b"{")
    if brackets <= MOST_DEPTH and brackets + text.count(b",") <= MOST_VALUES:
        return
    depth = values = 0
    for token in _structure(text):
        if token in b"[{":
            depth += 1
            if depth > MOST_DEPTH:
                raise Unreadable(f"the JSON text is nested more than {MOST_DEPTH} deep")
        elif token in b"]}":
            depth -= 1
        values += token in b"[{,"
        if values > MOST_VALUES:
            raise Unreadable(f"the JSON text holds more than {MOST_VALUES} values")


def _structure(text: bytes) -> Iterator[bytes]:
    return (found[0] for found in _TOKENS.finditer(text) if not found[0].startswith(b'"'))


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON (RFC 8259 section 6)")


def _integer(text: str) -> int:
    return int(text) if len(text) <= _DIGITS else int(_fraction(text))


def _fraction(text: str) -> float:
    return max(-_LARGEST, min(_LARGEST, float(text)))
