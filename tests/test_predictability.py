"""What measures credentials takes no random ones for weak, and finds every weakness that it says it finds."""

import ctypes
import math
import random
import string
import uuid

import jwt
import pytest

from dcrcheck.alphabets import ALPHABETS, bodies, readings
from dcrcheck.congruential import CONGRUENTIAL, SURPLUS_BITS
from dcrcheck.generators import weak_generator
from dcrcheck.linear import _LEVEL, _at_least, from_additive_feedback
from dcrcheck.predictability import (
    _CLOCKS,
    apart,
    bits,
    clock,
    columns,
    follows,
    forgeable,
    least_probability,
    likeness,
    unforeseen,
    without_clock,
)

LETTERS = string.ascii_letters + string.digits
URL_SAFE = LETTERS + "-_"
HEXADECIMAL = "0123456789abcdef"
MASK = (1 << 64) - 1
NOW = 1_790_000_000.0


def drawn(source: random.Random, alphabet: str, length: int, count: int) -> list[str]:
    return ["".join(source.choice(alphabet) for _ in range(length)) for _ in range(count)]


class V8:
    """Math.random(), written down from V8's source once more, independent of the algebra."""

    def __init__(self, seed: int, skipped: int) -> None:
        source = random.Random(seed)
        self.one, self.two, self.block = source.getrandbits(64), source.getrandbits(64), []
        for _ in range(skipped):
            self.random()

    def random(self) -> float:
        if not self.block:
            for _ in range(64):
                one, two = self.one, self.two
                self.one = two
                one ^= (one << 23) & MASK
                one ^= one >> 17
                one ^= two
                one ^= two >> 26
                self.two = one
                self.block.append((self.one >> 11) / 2**53)
        return self.block.pop()

    def text(self, alphabet: str, length: int) -> str:
        return "".join(alphabet[int(self.random() * len(alphabet))] for _ in range(length))


# -- no false alarm -------------------------------------------------------------------------------------------------


def test_the_bounds_of_the_false_alarms_stay_below_one_in_a_billion():
    in_order = 2 / math.factorial(13)
    tail = sum(math.comb(32, k) * (1 / 16)**k * (15 / 16)**(32 - k) for k in range(22, 33))
    alike = math.comb(40, 2) * tail
    loaded = 512 * 128 * 1e-14
    clocks = (2 * 86400 / 2**32)**13 * 500 * len(_CLOCKS)
    state = 3 * len(CONGRUENTIAL) * len(ALPHABETS) * 2.0**-SURPLUS_BITS
    v8 = (3 * len(ALPHABETS) + 6) * 64 * 2.0**-60
    seeds = 20_000 * 10 * len(ALPHABETS) * 2.0**-90
    words = 3 * 2**16 * 2.0**-96
    close = math.comb(40, 2) * sum(math.comb(32, k) * (15 / 16)**k * (1 / 16)**(32 - k) for k in range(12))
    derived = 200_000 * 128 * 3 * 16.0**-16

    assert in_order < 4e-10
    assert in_order + alike + loaded + clocks < 1e-9 + 1e-11
    assert state + v8 + seeds + words + len(ALPHABETS) * _LEVEL < 1e-9
    assert derived < 1e-9
    assert close < 1e-12


@pytest.mark.parametrize(("trials", "successes"), [(13, 13), (40, 8), (40, 40)])
def test_the_bound_of_a_probability_is_what_it_says(trials: int, successes: int):
    p = least_probability(trials, successes)

    tail = sum(math.comb(trials, k) * p**k * (1 - p)**(trials - k) for k in range(successes, trials + 1))
    assert tail == pytest.approx(1e-14, rel=1e-3)


@pytest.mark.parametrize(("alphabet", "length"), [(HEXADECIMAL, 32), (LETTERS, 22), (URL_SAFE, 43), ("0123456789", 39)])
def test_random_values_are_never_weak(alphabet: str, length: int):
    source = random.Random(f"{alphabet} {length}")
    for count in [13] * 150 + [40] * 20:
        values = drawn(source, alphabet, length, count)
        left = unforeseen(without_clock(values, [NOW] * count))

        assert bits(left) >= 96
        assert likeness(left) < 2 / 3
        assert apart(left) >= 48


def test_random_uuids_are_never_weak():
    source = random.Random(4)
    for _ in range(200):
        values = [str(uuid.UUID(int=source.getrandbits(128), version=4)) for _ in range(13)]

        assert bits(unforeseen(without_clock(values, [NOW] * 13))) >= 96


@pytest.mark.parametrize("alphabet", [HEXADECIMAL, LETTERS, URL_SAFE, string.digits + string.ascii_lowercase])
def test_random_values_come_from_no_generator(alphabet: str):
    source = random.Random(alphabet)
    for length in (22, 43):
        values = drawn(source, alphabet, length, 20)

        assert weak_generator(values, issued=[NOW] * 20) is None


@pytest.mark.parametrize("generator", CONGRUENTIAL, ids=lambda generator: generator.name)
def test_random_symbols_are_explained_by_no_state(generator):
    source = random.Random(generator.name)
    for n in (36, 62, 64):
        assert not any(generator.explains([source.randrange(n) for _ in range(32)], n) for _ in range(30))


def test_jwts_come_from_no_generator():
    source = random.Random(7)
    values = [jwt.encode({"jti": f"{source.getrandbits(128):x}", "iat": int(NOW) + turn}, "k" * 32)
              for turn in range(20)]

    assert weak_generator(values, issued=[NOW] * 20) is None
    assert bits(unforeseen(without_clock(values, [NOW] * 20))) >= 96


def test_codes_that_name_their_session_and_client_are_not_weak():
    source = random.Random(12)
    for separator in ("", ".", "-"):
        for _ in range(40):
            sessions, clients = ([uuid.UUID(int=source.getrandbits(128), version=4).hex for _ in range(count)]
                                 for count in (2, 4))
            values = [separator.join((uuid.UUID(int=source.getrandbits(128), version=4).hex, source.choice(sessions),
                                      source.choice(clients))) for _ in range(40)]
            left = unforeseen(without_clock(values, [NOW] * 40))

            assert bits(left) >= 96
            assert apart(left) >= 48
            assert not from_additive_feedback(next(iter(readings(bodies([v.replace(".", "") for v in values]))))[1], 16)


def test_random_values_follow_from_nothing():
    source = random.Random(8)
    assert not any(follows(value, ["client", "https://client.example/cb"], NOW)
                   for value in drawn(source, HEXADECIMAL, 32, 5))


def test_coins_are_counted_exactly():
    assert _at_least(4, 4) == 1 / 16
    assert _at_least(4, 0) == 1


# -- what is found --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("generator", CONGRUENTIAL, ids=lambda generator: generator.name)
@pytest.mark.parametrize("alphabet", [HEXADECIMAL, string.ascii_lowercase + string.digits, LETTERS, URL_SAFE],
                         ids=lambda alphabet: str(len(alphabet)))
@pytest.mark.parametrize("way", ["remainder", "share", "every other"])
def test_a_congruential_generator_is_found(generator, alphabet: str, way: str):
    n = len(alphabet)
    if way == "remainder" and n & (n - 1) == 0 and generator.shift == 17:
        pytest.skip("Java takes the upper bits of these")
    state = random.Random(f"{generator.name} {n} {way}").randrange(1, generator.m)
    symbols = []
    for _ in range(48):
        symbols.append((state >> generator.shift) % n if way == "remainder" else state * n // generator.m)
        for _ in range(2 if way == "every other" else 1):
            state = (generator.a * state + generator.c) % generator.m

    assert generator.explains(symbols, n)


@pytest.mark.parametrize("alphabet", [HEXADECIMAL, LETTERS, URL_SAFE], ids=lambda alphabet: str(len(alphabet)))
@pytest.mark.parametrize("skipped", [0, 17, 63])
def test_the_letters_of_math_random_are_found(alphabet: str, skipped: int):
    v8 = V8(skipped, skipped)

    assert weak_generator([v8.text(alphabet, 32) for _ in range(13)]) == "V8 Math.random()"


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_the_digits_of_math_random_are_found(draws: int):
    v8 = V8(draws, 5 * draws)
    values = []
    for _ in range(13):
        number, digits = v8.random(), ""
        for _ in range(11):
            number *= 36
            digits += (string.digits + string.ascii_lowercase)[int(number)]
            number -= int(number)
        for _ in range(draws - 1):
            v8.random()
        values.append(digits + "x" * 11 * (draws - 1))

    assert weak_generator(values) == "V8 Math.random().toString(36)"


def test_the_random_of_this_machines_c_library_is_found():
    try:
        library = ctypes.CDLL("libc.so.6")
    except OSError:
        pytest.skip("another C library than glibc")
    library.srand(20_261_121)
    values = ["".join(LETTERS[library.rand() % 62] for _ in range(48)) for _ in range(40)]

    assert weak_generator(values) == "glibc random()"


def test_a_mersenne_twister_is_found_where_enough_of_it_is_seen():
    source = random.Random(1)

    assert weak_generator([f"{source.getrandbits(256):064x}" for _ in range(90)]) == "Mersenne Twister"


@pytest.mark.parametrize("seed", [int(NOW) - 1, int(NOW * 1000) + 321])
def test_a_generator_that_is_seeded_with_the_time_is_found(seed: int):
    value = "".join(random.Random(seed).choices(LETTERS, k=32))
    source = random.Random(seed)
    other = "".join(source.choice(LETTERS) for _ in range(32))

    assert weak_generator([value], issued=[NOW]) == "Python random.choices, seeded with the time"
    assert weak_generator([other], issued=[NOW]) == "Python random.choice, seeded with the time"


@pytest.mark.parametrize(("name", "value"), [
    ("UUID version 1", lambda t: str(uuid.UUID(fields=(
        (ticks := int((t + 12_219_292_800) * 1e7)) & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 | 0x1000,
        0x80, 1, 2)))),
    ("UUID version 7", lambda t: str(uuid.UUID(int=int(t * 1000) << 80 | 7 << 76 | 2 << 62 | random.getrandbits(60)))),
    ("seconds", lambda t: f"x{int(t)}y"), ("milliseconds", lambda t: f"{int(t * 1000)}"),
    ("seconds in hexadecimal", lambda t: f"{int(t):08x}{random.getrandbits(64):016x}"),
    ("snowflake", lambda t: str(int(t * 1000 - 1_288_834_974_657) << 22)),
])
def test_a_clock_is_seen(name: str, value):
    moments = [NOW + turn for turn in range(13)]

    found = clock([value(moment) for moment in moments], moments)

    assert found is not None
    assert found[0] == name


def test_a_counter_behind_a_prefix_is_cut_off():
    assert bits(unforeseen([f"prefix{number:012d}" for number in range(13)])) < 4


def test_only_what_varies_counts():
    assert columns(["a1c", "a2c"]) == [1]


@pytest.mark.parametrize("value", ["client", "636c69656e74", "62608e08adc29a8d6dbc9754e659f125",
                                   "62608e08adc29a8d"])
def test_what_follows_from_a_public_value_is_seen(value: str):
    assert follows(value, ["client"], NOW)


def test_a_jwt_without_a_good_key_is_forgeable():
    assert forgeable(jwt.encode({"a": 1}, "", algorithm="none"), [])
    assert forgeable(jwt.encode({"a": 1}, "client-1" * 5), ["client-1" * 5]) == "its key is a public value"
    assert forgeable(jwt.encode({"a": 1}, "k" * 40), []) == ""
    assert forgeable("no.jwt.at-all", []) == ""

