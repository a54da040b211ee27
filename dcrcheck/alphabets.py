"""Values as numbers: the part of them that varies, and the alphabets that programs draw characters from."""

from __future__ import annotations

import itertools
import string
from collections import Counter
from collections.abc import Iterator, Sequence

_DIGITS, _LOWER, _UPPER = string.digits, string.ascii_lowercase, string.ascii_uppercase
_NANOID = "useandom-26T198340PX75pxJACKVERYMINDBUSHWOLF_GQZbfghjklqvwyzrict"
ALPHABETS = tuple(dict.fromkeys([
    _DIGITS, "0123456789abcdef", "0123456789ABCDEF", _LOWER, _UPPER, _UPPER + "234567", _LOWER + "234567",
    *("".join(order) for parts in ((_DIGITS, _LOWER), (_DIGITS, _UPPER), (_LOWER, _UPPER), (_DIGITS, _LOWER, _UPPER))
      for order in itertools.permutations(parts)),
    _UPPER + _LOWER + _DIGITS + "-_", _UPPER + _LOWER + _DIGITS + "+/", _DIGITS + _LOWER + _UPPER + "-_",
    _LOWER + _UPPER + _DIGITS + "-_", _NANOID]))


def bodies(values: Sequence[str]) -> list[str]:
    """What varies of the values of the commonest length: marks, dashes and whatever else is always the same go."""
    if not values:
        return []
    width = Counter(map(len, values)).most_common(1)[0][0]
    same = [value for value in values if len(value) == width]
    if len(same) == 1:
        return same
    places = [place for place, column in enumerate(zip(*same, strict=True)) if len(set(column)) > 1]
    return ["".join(value[place] for place in places) for value in same]


def readings(values: Sequence[str]) -> Iterator[tuple[int, list[list[int]]]]:
    """The values as numbers below the size of an alphabet, for each of the smallest alphabets that hold them all."""
    used = set("".join(values))
    fitting = [alphabet for alphabet in ALPHABETS if used <= set(alphabet)]
    smallest = min(map(len, fitting), default=0)
    for alphabet in fitting:
        if len(alphabet) == smallest:
            index = {character: number for number, character in enumerate(alphabet)}
            yield smallest, [[index[character] for character in value] for value in values]


def words(value: str) -> list[list[int]]:
    """A hexadecimal value as numbers of 32 bits: as written, with the bytes turned round, with the numbers so."""
    text = value.replace("-", "")
    if len(text) < 16 or len(text) % 8 or not set(text) <= set("0123456789abcdefABCDEF"):
        return []
    raw = bytes.fromhex(text)
    big, little = ([int.from_bytes(raw[place:place + 4], order) for place in range(0, len(raw), 4)]
                   for order in ("big", "little"))
    return [big, little, big[::-1]]
