"""Whether values come from a generator that is not cryptographic: one that their owner can compute the next from.

Covered from the values alone: the congruential generators of Java (``nextInt(n)``, ``Math.random()``, ``nextInt()``,
``nextLong()``), C (ANSI, BSD, Microsoft; drand48) and MINSTD; V8's Math.random(), by characters and by
``toString(36)``; glibc's random(), by characters; the Mersenne Twister, where 32-bit numbers of 20,000 bits stand in
a row. Covered if seeded by the clock: Java, Python, PHP (``mt_srand``) and C (ANSI, BSD, Microsoft).
Not covered: sampling with rejection, generators whose output is added up or hashed (SpiderMonkey, JavaScriptCore,
PCG), and values too short to hold more than the state of their generator.

Every verdict is exact algebra with a surplus of 48 bits and more: values drawn at random are taken for those of any
of them with a probability below 1e-9 in all.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence

from dcrcheck.alphabets import bodies, readings, words
from dcrcheck.congruential import CONGRUENTIAL, Congruential
from dcrcheck.linear import from_additive_feedback, from_mersenne_twister, from_v8, from_v8_strings

_JAVA = CONGRUENTIAL[0]
_SECONDS_AROUND = 3
_FEWEST_BITS = 90
_GLANCE = 3
_MOST = 40


def weak_generator(values: Sequence[str], *, issued: Sequence[float] = ()) -> str | None:
    """The generator that gave these values, in the order of their issue, or None if none is found.

    `issued` holds for each value the time at which it was issued, as far as that is known: of the last value it is
    asked whether a generator seeded with it gave the value.
    """
    if any(value.count(".") == 2 for value in values):
        return None  # a JWT: its signature is what cannot be foreseen
    if from_v8_strings(values):
        return "V8 Math.random().toString(36)"
    if found := _from_words(values):
        return found
    cut = bodies(values[-_MOST:])
    if not cut or not cut[0]:
        return None
    read = list(readings(cut))
    n = 1
    for n, symbols in read:
        for generator in CONGRUENTIAL:
            if generator.explains(symbols[-1], n):
                return generator.name
        if from_v8(symbols, n):
            return "V8 Math.random()"
        if from_additive_feedback(symbols, n):
            return "glibc random()"
    if issued and len(cut[-1]) * math.log2(n) >= _FEWEST_BITS:
        return _from_clock([symbols[-1] for _, symbols in read], n, issued[-1])
    return None


def _from_words(values: Sequence[str]) -> str | None:
    """Whether hexadecimal values are words of java.util.Random or of the Mersenne Twister."""
    ways = [way for value in values if (way := words(value))]
    for way in ways[-1:]:
        if any(_java_words(numbers) for numbers in way):
            return f"{_JAVA.name} (words)"
    for order in range(3):
        if ways and from_mersenne_twister([number for way in ways for number in way[order]]):
            return "Mersenne Twister"
    return None


def _java_words(numbers: Sequence[int]) -> bool:
    """Whether numbers of 32 bits are the upper ones of successive 48-bit states.

    Of numbers drawn at random, three or more in a row are with probability 2^-48 at most, one for each state.
    """
    if len(numbers) < 4:
        return False
    for low in range(1 << 16):
        state = numbers[0] << 16 | low
        for number in numbers[1:]:
            state = (_JAVA.a * state + _JAVA.c) % _JAVA.m
            if state >> 16 != number:
                break
        else:
            return True
    return False


def _from_clock(read: Sequence[Sequence[int]], n: int, moment: float) -> str | None:
    """Whether a generator seeded with a time near this moment, in seconds or milliseconds, gave one of these.

    Fewer than 20,000 seeds are tried in fewer than 10 ways: random values of 90 bits are met with probability 2^-72.
    """
    seconds = range(int(moment) - _SECONDS_AROUND, int(moment) + _SECONDS_AROUND + 1)
    milliseconds = range(seconds[0] * 1000, (seconds[-1] + 1) * 1000)
    tries: list[tuple[str, Iterable[int], Callable[[int], Iterator[int]]]] = [
        ("java.util.Random", [*seconds, *milliseconds], lambda seed: _java_below(seed, n)),
        ("Python random.choice", [*seconds, *milliseconds], lambda seed: _python_choice(seed, n)),
        ("Python random.choices", [*seconds, *milliseconds], lambda seed: _python_choices(seed, n)),
        ("PHP mt_rand", seconds, lambda seed: _php(seed, n)),
        *((g.name, seconds, lambda seed, g=g: _c(g, seed, n)) for g in CONGRUENTIAL if "rand()" in g.name),
    ]
    wanted = [tuple(symbols) for symbols in read]
    beginnings = {symbols[:_GLANCE] for symbols in wanted}
    for name, seeds, drawn in tries:
        for seed in seeds:
            if (tuple(itertools.islice(drawn(seed), _GLANCE)) in beginnings
                    and tuple(itertools.islice(drawn(seed), len(wanted[0]))) in wanted):
                return f"{name}, seeded with the time"
    return None


def _java_below(seed: int, n: int) -> Iterator[int]:
    state = (seed ^ _JAVA.a) % _JAVA.m
    while True:
        state = (_JAVA.a * state + _JAVA.c) % _JAVA.m
        yield (state >> 17) * n >> 31 if n & (n - 1) == 0 else (state >> 17) % n


def _python_choice(seed: int, n: int) -> Iterator[int]:
    generator = random.Random(seed)  # noqa: S311
    while True:
        yield generator.randrange(n)


def _python_choices(seed: int, n: int) -> Iterator[int]:
    generator = random.Random(seed)  # noqa: S311
    while True:
        yield int(generator.random() * n)


def _c(generator: Congruential, seed: int, n: int) -> Iterator[int]:
    state = seed
    while True:
        state = (generator.a * state + generator.c) % generator.m
        yield (state >> generator.shift) % n


def _php(seed: int, n: int) -> Iterator[int]:
    """``mt_rand() % n``: the state of MT19937 from its seed, 31 bits of each output."""
    state = [seed & 0xFFFFFFFF]
    for i in range(1, 624):
        state.append((1812433253 * (state[-1] ^ state[-1] >> 30) + i) & 0xFFFFFFFF)
    generator = random.Random()  # noqa: S311
    generator.setstate((3, (*state, 624), None))
    while True:
        yield (generator.getrandbits(32) >> 1) % n
