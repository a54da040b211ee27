"""Linear congruential generators: their state from the characters of one value, and whether it explains them all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from dcrcheck.algebra import nearest, reduced

SURPLUS_BITS = 50
"""By how much what a state explains is more than what it holds: chance does as well with probability 2^-50."""
_SPARE = 1.7
_FEWEST, _MOST = 6, 22
_WIDEST_ORBIT = 20


@dataclass(frozen=True, kw_only=True)
class Congruential:
    """``s = a s + c mod m``; a program takes ``s >> shift`` modulo n, or the same share of n as s is of m."""

    name: str
    a: int
    c: int
    m: int
    shift: int = 0

    def explains(self, symbols: Sequence[int], n: int) -> bool:
        """Whether one state gives all of these numbers below n, drawn one after the other.

        Of numbers drawn at random this is true with probability at most 3 m n^-len(symbols), of three ways to
        draw them: below 2^-48 for each generator, since fewer symbols than that are not looked at.
        """
        if len(symbols) * math.log2(n) < math.log2(self.m) + SURPLUS_BITS:
            return False
        ways = ((1, self._by_remainder), (1, self._by_share), (2, self._by_share))
        return any(self._gives(state, symbols, n, stride, way == self._by_share)
                   for stride, way in ways for state in way(symbols, n, stride))

    def _gives(self, state: int, symbols: Sequence[int], n: int, stride: int, share: bool) -> bool:
        for symbol in symbols:
            if symbol != (state * n // self.m if share else (state >> self.shift) % n):
                return False
            for _ in range(stride):
                state = (self.a * state + self.c) % self.m
        return True

    def _by_share(self, symbols: Sequence[int], n: int, stride: int) -> Iterator[int]:
        """The leading bits of every state are known: the rest is a short vector of a lattice."""
        a, c = self.a, self.c
        for _ in range(stride - 1):
            a, c = self.a * a % self.m, (self.a * c + self.c) % self.m
        known = [-(-symbol * self.m // n) for symbol in symbols]
        yield from (known[0] + rest for rest in _short(
            a, [(a * one + c - other) % self.m for one, other in itertools.pairwise(known)],
            self.m, -(-self.m // n)))

    def _by_remainder(self, symbols: Sequence[int], n: int, _: int) -> Iterator[int]:
        """``(s >> shift) mod n``: of a modulus that is a power of two the low bits have a short orbit of their own."""
        if self.m & 1:
            if self.shift == 0:
                inverse = pow(n, -1, self.m)
                steps = [(self.a * one + self.c - other) * inverse % self.m
                         for one, other in itertools.pairwise(symbols)]
                yield from (n * rest + symbols[0] for rest in _short(self.a, steps, self.m, -(-self.m // n)))
            return
        even = (n & -n).bit_length() - 1
        low, odd = self.shift + even, n >> even
        if odd == 1 and low < self.m.bit_length() - 1:
            # what is seen is the top of the low bits
            yield from replace(self, m=1 << low)._by_share(symbols, n, 1)
        if not even or low > _WIDEST_ORBIT or odd == 1:
            return
        for start in _places(self.a, self.c, low, self.shift, bytes(symbol % (1 << even) for symbol in symbols)):
            lows = [start]
            for _symbol in symbols[1:]:
                lows.append((self.a * lows[-1] + self.c) % (1 << low))
            m = self.m >> low
            carries = [(self.a * one + self.c) >> low for one in lows]
            # s = one + high 2^low, and (s >> shift) mod odd is known: so is high modulo odd
            rest = [(symbol - (one >> self.shift)) * pow(1 << even, -1, odd) % odd
                    for symbol, one in zip(symbols, lows, strict=True)]
            inverse = pow(odd, -1, m)
            steps = [(self.a * here + carry - there) * inverse % m
                     for here, carry, there in zip(rest, carries, rest[1:], strict=False)]
            yield from (start + ((odd * found + rest[0]) << low) for found in _short(self.a, steps, m, -(-m // odd)))


@cache
def _orbit(a: int, c: int, bits: int, shift: int) -> tuple[bytes, tuple[int, ...]]:
    """All states of the low bits in their order from zero, and what of them is seen."""
    states = [0]
    while (following := (a * states[-1] + c) % (1 << bits)) and len(states) < 1 << bits:
        states.append(following)
    return bytes(state >> shift & 0xFF for state in states), tuple(states)


def _places(a: int, c: int, bits: int, shift: int, seen: bytes) -> Iterator[int]:
    shown, states = _orbit(a, c, bits, shift)
    turned = shown + shown[:len(seen)] if len(shown) >= len(seen) else shown * (len(seen) // len(shown) + 2)
    place = turned.find(seen)
    while 0 <= place < len(states):
        yield states[place]
        place = turned.find(seen, place + 1)


@cache
def _lattice(a: int, m: int, size: int) -> list[list[int]]:
    powers = [pow(a, place, m) for place in range(size)]
    return reduced([powers, *([m * (row == column) for column in range(size)] for row in range(1, size))])


def _short(a: int, steps: Sequence[int], m: int, below: int) -> Iterator[int]:
    """The first of numbers below `below` that follow ``y = a y + step mod m``, if there are any."""
    gained = math.log2(m) - math.log2(max(2, below))
    if gained <= 0:
        return
    size = max(_FEWEST, math.ceil(_SPARE * math.log2(m) / gained))
    if size > min(_MOST, len(steps) + 1):
        return
    offsets = [0]
    for step in steps[:size - 1]:
        offsets.append((a * offsets[-1] + step) % m)
    found = nearest(_lattice(a, m, size), [below // 2 - offset for offset in offsets])
    yield (found[0]) % m


CONGRUENTIAL = (
    Congruential(name="java.util.Random", a=0x5DEECE66D, c=11, m=1 << 48, shift=17),
    Congruential(name="MINSTD (16807)", a=16807, c=0, m=(1 << 31) - 1),
    Congruential(name="MINSTD (48271)", a=48271, c=0, m=(1 << 31) - 1),
    Congruential(name="ANSI C rand()", a=1103515245, c=12345, m=1 << 31, shift=16),
    Congruential(name="BSD rand()", a=1103515245, c=12345, m=1 << 31),
    Congruential(name="Microsoft C rand()", a=214013, c=2531011, m=1 << 31, shift=16),
)
