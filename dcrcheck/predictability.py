"""How much of a credential cannot be foreseen by someone who knows others of the same server, and what it reveals.

Every threshold is set so that values drawn at random pass it: each docstring states how often they would not.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import math
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache

_LEVEL = 1e-14
_DAY = 86400.0
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# 1582-10-15, of which the times in UUIDs are counted (RFC 9562, section 5.1), in seconds before 1970
_GREGORIAN = 12_219_292_800
_KEYS = ("", "secret", "changeme", "change-me", "password", "key", "jwt-secret", "your-256-bit-secret", "test", "admin")


def unforeseen(values: Sequence[str]) -> list[str]:
    """What is left when everything that rises or falls from one value to the next is cut off at the front.

    A counter or a clock at the front goes; one behind a constant prefix goes with the prefix. Of n values drawn at
    random, anything is cut off with a probability of 2/n! for each of the places: for 13 values 3.3e-10 at the first.
    """
    width = min(map(len, values))
    for start in range(width):
        tails = [value[start:width] for value in values]
        if tails not in (sorted(tails), sorted(tails, reverse=True)):
            return tails
    return ["" for _ in values]


def columns(values: Sequence[str]) -> list[int]:
    """The positions in which values of equal length are not all the same."""
    return [place for place, column in enumerate(zip(*values, strict=True)) if len(set(column)) > 1]


def bits(values: Sequence[str]) -> float:
    """The most that a value can hold in bits, by the positions that vary and the characters that occur in them.

    A position where one character is far too common counts for what that character leaves at most: the bound is
    exceeded by chance with a probability of 1e-14 for a character and a position, so below 1e-9 for values of 512
    characters of 128 kinds.
    """
    places = columns(values)
    alphabet = math.log2(max(2, len({value[place] for value in values for place in places})))
    most = [Counter(value[place] for value in values).most_common(1)[0][1] for place in places]
    return sum(min(alphabet, -math.log2(least_probability(len(values), count))) for count in most)


@cache
def least_probability(trials: int, successes: int) -> float:
    """The smallest probability with which so many successes happen more often than once in 1e14 times."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        tail = sum(math.comb(trials, k) * middle**k * (1 - middle)**(trials - k) for k in range(successes, trials + 1))
        low, high = (middle, high) if tail < _LEVEL else (low, middle)
    return high


def likeness(values: Sequence[str]) -> float:
    """The greatest share of the varying positions in which two of the values agree.

    Two thirds are reached by two of 40 random values of 128 bits, in hexadecimal, with a probability below 1e-15.
    """
    places = columns(values)
    return max((sum(one[p] == other[p] for p in places) / len(places)
                for one, other in itertools.combinations(values, 2)), default=0.0) if places else 1.0


def apart(values: Sequence[str]) -> float:
    """The bits in which the two values that are most alike differ, by the characters that occur in what varies.

    Values may share parts, such as the session that they belong to. Of 40 random values of 128 bits in hexadecimal,
    two differ in fewer than 48 bits with a probability below 1e-12.
    """
    places = columns(values)
    alphabet = math.log2(max(2, len({value[place] for value in values for place in places})))
    return alphabet * min((sum(one[p] != other[p] for p in places)
                           for one, other in itertools.combinations(values, 2)), default=0)


# -- clocks ---------------------------------------------------------------------------------------------------------


def clock(values: Sequence[str], issued: Sequence[float]) -> tuple[str, slice] | None:
    """The clock that shows in all values at the same place, and the place; None if there is none.

    A reading counts if it is within a day of the time of issue. Eight random hexadecimal digits are with probability
    4e-5; in thirteen values, at any of 500 places and in any of the nine forms, with less than 1e-50.
    """
    width = min(map(len, values))
    for name, length, read in _CLOCKS:
        for start in range(width - length + 1):
            if all(_is_near(read, value[start:start + length], moment)
                   for value, moment in zip(values, issued, strict=True)):
                return name, slice(start, start + length)
    return None


def without_clock(values: Sequence[str], issued: Sequence[float]) -> list[str]:
    """The values without the clock that shows in them, as often as there is another."""
    left = list(values)
    while left and (found := clock(left, issued)):
        left = [value[:found[1].start] + value[found[1].stop:] for value in left]
    return left


def _is_near(read: Callable[[str], float], text: str, moment: float) -> bool:
    try:
        return abs(read(text) - moment) < _DAY
    except ValueError:
        return False


def _uuid_time(version: int) -> Callable[[str], float]:
    def read(text: str) -> float:
        digits = text.replace("-", "")
        if len(digits) != 16 or digits[12] != str(version):
            raise ValueError(text)
        ticks = f"{digits[13:]}{digits[8:12]}{digits[:8]}" if version == 1 else f"{digits[:12]}{digits[13:]}"
        return int(ticks, 16) / 1e7 - _GREGORIAN
    return read


def _crockford(text: str) -> float:
    return sum(_CROCKFORD.index(letter) << 5 * place for place, letter in enumerate(reversed(text.upper()))) / 1000


def _snowflake(epoch_ms: int) -> Callable[[str], float]:
    return lambda text: ((int(text) >> 22) + epoch_ms) / 1000


_CLOCKS: tuple[tuple[str, int, Callable[[str], float]], ...] = (
    ("UUID version 1", 18, _uuid_time(1)), ("UUID version 6", 18, _uuid_time(6)),
    ("snowflake", 19, _snowflake(1_288_834_974_657)), ("snowflake", 19, _snowflake(1_420_070_400_000)),
    ("microseconds", 16, lambda text: int(text) / 1e6), ("milliseconds", 13, lambda text: int(text) / 1000),
    # also at the head of a UUID version 7, where a dash comes after eight digits
    ("UUID version 7", 13, lambda text: int(text[:8] + text[9:], 16) / 1000 if text[8] == "-" else math.nan),
    ("milliseconds in hexadecimal", 12, lambda text: int(text, 16) / 1000), ("ULID", 10, _crockford),
    ("seconds", 10, lambda text: float(int(text))), ("seconds in hexadecimal", 8, lambda text: float(int(text, 16))),
)


# -- derivation -----------------------------------------------------------------------------------------------------


def follows(value: str, public: Sequence[str], moment: float) -> bool:
    """Whether a value is an encoding or a hash of public values, of two of them, or of the time; or a part of that.

    Fewer than 200,000 guesses are made; a random value of 16 hexadecimal digits is one of them, or a part of one,
    with a probability below 1e-12.
    """
    value = value.rstrip("=")
    spellings = {value, value.lower(), value.replace("-", "")}
    texts = [*public, *("".join(pair) for pair in itertools.permutations(public, 2))]
    times = [str(number) for second in range(int(moment) - 2, int(moment) + 3)
             for number in (second, *range(second * 1000, second * 1000 + 1000))]
    return any(value == guess or (len(value) >= 16 and len(guess) >= 16
                                  and (any(s in guess for s in spellings) or _is_most_of(guess, value)))
               for guess in itertools.chain(_guesses(texts), _digests(times))) or value in texts


def _is_most_of(guess: str, value: str) -> bool:
    return guess in value and len(value) - len(guess) < 16


def _guesses(texts: Sequence[str]) -> Iterator[str]:
    yield from _digests(texts)
    for text in texts:
        yield from _encodings(text.encode())
        for space in (uuid.NAMESPACE_DNS, uuid.NAMESPACE_URL, uuid.NAMESPACE_OID):
            yield from (uuid.uuid3(space, text).hex, uuid.uuid5(space, text).hex)


def _digests(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        for name in ("md5", "sha1", "sha256", "sha512"):
            yield from _encodings(hashlib.new(name, text.encode(), usedforsecurity=False).digest())


def _encodings(raw: bytes) -> Iterator[str]:
    yield raw.hex()
    yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
    yield base64.b64encode(raw).decode().rstrip("=")


# -- JSON Web Tokens ------------------------------------------------------------------------------------------------


def jwt_header(value: str) -> dict[str, object] | None:
    """The header of a JWS in compact form; None if the value is none."""
    parts = value.split(".")
    if len(parts) != 3:
        return None
    try:
        header = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except ValueError:
        return None
    return header if isinstance(header, dict) and isinstance(header.get("alg"), str) else None


def forgeable(value: str, public: Sequence[str]) -> str:
    """Why anyone can make a JWT like this one: it has no signature, or a key that can be guessed; empty if not.

    A signature by another key is taken for one by these with a probability below 2^-240.
    """
    header = jwt_header(value)
    if header is None:
        return ""
    signed, _, signature = value.rpartition(".")
    algorithm = str(header["alg"])
    if algorithm.lower() == "none" or not signature:
        return f"it is not signed (alg {algorithm})"
    digest = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}.get(algorithm)
    if digest is None:
        return ""
    for key in (*_KEYS, *public):
        expected = base64.urlsafe_b64encode(hmac.digest(key.encode(), signed.encode(), digest)).decode().rstrip("=")
        if hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            return "its key is a public value" if key in public else "its key is a word that everybody tries"
    return ""
