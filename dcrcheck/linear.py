"""Generators that are linear over GF(2), or nearly: V8's Math.random(), glibc's random(), the Mersenne Twister."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache

from dcrcheck.algebra import rank_and_consistency

_SURPLUS = 60
_BLOCK = 64
_MOST_STATES = 6 * _BLOCK
_LEVEL = 1e-12
_USUAL = 1e-4
_BASE_36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_READ = 9


@cache
def _xorshift128() -> list[list[int]]:
    """The 64 bits of the first word of xorshift128+ after each step, the highest first, as sums of the 128 before."""
    # lowest bit first, so that a shift to the left is a shift to the right of the list
    one, two = [1 << bit for bit in range(64)], [1 << bit for bit in range(64, 128)]
    steps = []
    for _ in range(_MOST_STATES):
        mixed, one = one, two
        mixed = [bit ^ (mixed[place - 23] if place >= 23 else 0) for place, bit in enumerate(mixed)]
        mixed = [bit ^ (mixed[place + 17] if place < 47 else 0) for place, bit in enumerate(mixed)]
        two = [bit ^ one[place] ^ (one[place + 26] if place < 38 else 0) for place, bit in enumerate(mixed)]
        steps.append(one[::-1])
    return steps


def is_of_v8(drawn: Sequence[tuple[int, int, int]]) -> bool:
    """Whether V8's Math.random() gave these: `(position, numerator, n)` says that a draw lay in [i/n, (i+1)/n).

    V8 draws 64 at a time and hands them out backwards; where a block begins is not known, so that 64 beginnings are
    tried. Draws of another source satisfy the equations of one beginning with probability 2^-60 at most.
    """
    known = [(position, *_leading_bits(number, n)) for position, number, n in drawn]
    if sum(count for _, _, count in known) < 128 + _SURPLUS:
        return False
    return any(_is_consistent(known, beginning) for beginning in range(_BLOCK))


def _is_consistent(known: Sequence[tuple[int, int, int]], beginning: int) -> bool:
    rank, solved = rank_and_consistency(_equations(known, beginning), 128)
    return solved and sum(count for _, _, count in known if count) - rank >= _SURPLUS


def _equations(known: Sequence[tuple[int, int, int]], beginning: int) -> Iterator[tuple[int, int]]:
    steps = _xorshift128()
    for position, bits, count in known:
        block, place = divmod(position + beginning, _BLOCK)
        rows = steps[block * _BLOCK + _BLOCK - 1 - place]
        for number in range(count):
            yield rows[number], bits >> (count - 1 - number) & 1


def _leading_bits(number: int, n: int) -> tuple[int, int]:
    """The bits after the point that all of [number/n, (number+1)/n) have in common, and how many they are."""
    low, high = (number << 52) // n, (((number + 1) << 52) - 1) // n
    count = 52 - (low ^ high).bit_length()
    return low >> (52 - count), count


def from_v8(symbols: Sequence[Sequence[int]], n: int) -> bool:
    """Whether each number of these values is ``Math.random() * n``, value after value, with as many between or none."""
    width = len(symbols[0])
    for between in (0, width, 2 * width):
        drawn: list[tuple[int, int, int]] = []
        for turn, value in enumerate(symbols):
            drawn += [(turn * (width + between) + place, number, n) for place, number in enumerate(value)]
            enough = len(drawn) * math.log2(n) * 0.6 > 128 + _SURPLUS
            if drawn[-1][0] >= _MOST_STATES - _BLOCK:
                break
            if enough and is_of_v8(drawn):
                return True
            if enough:
                break
    return False


def from_v8_strings(values: Sequence[str]) -> bool:
    """Whether values begin with the digits of ``Math.random().toString(36)``, one to six draws for each."""
    numbers = [int(value[:_READ], 36) for value in values
               if len(value) >= _READ and set(value) <= set(_BASE_36)][-8:]
    return len(numbers) >= 5 and any(
        is_of_v8([(turn * stride, number, 36 ** _READ) for turn, number in enumerate(numbers)])
        for stride in range(1, 7))


def from_additive_feedback(symbols: Sequence[Sequence[int]], n: int) -> bool:
    """Whether numbers of a value follow ``o[i] = o[i-3] + o[i-31]``, as three in four of glibc's random() do.

    Only the parity is looked at, which n must leave as it is. Of numbers drawn at random half follow it, and as many
    as are asked for with a probability below 1e-12. Numbers that are not drawn evenly follow other sums as well.
    """
    return n % 2 == 0 and _surprise(symbols, 3, 31) < _LEVEL and all(
        _surprise(symbols, near, far) > _USUAL for near, far in ((1, 31), (2, 31), (3, 30), (4, 31), (3, 28), (5, 29)))


def _surprise(symbols: Sequence[Sequence[int]], near: int, far: int) -> float:
    """How rarely random parities fulfil the sum over these distances as often; what values share counts once."""
    seen = {(i, tuple(value[i - far:i + 1])) for value in symbols for i in range(far, len(value))}
    sums = [(stretch[-1] ^ stretch[-1 - near] ^ stretch[0]) & 1 for _, stretch in seen]
    return _at_least(len(sums), sums.count(0))


def _at_least(trials: int, successes: int) -> float:
    """The probability that so many of fair coins, or more, show heads."""
    ways = total = math.comb(trials, successes)
    for number in range(successes, trials):
        # each from the one before: anew, some thousand numbers would take minutes
        ways = ways * (trials - number) // (number + 1)
        total += ways
    return total / (1 << trials)


def from_mersenne_twister(numbers: Sequence[int]) -> bool:
    """Whether numbers of 32 bits, drawn in a row, are MT19937's: each follows from three of the 624 before it.

    Two that follow by chance have a probability below 2^-60.
    """
    state = [_untempered(number) for number in numbers]
    follow = 0
    for i in range(624, len(state)):
        joined = (state[i - 624] & 0x80000000) | (state[i - 623] & 0x7FFFFFFF)
        follow += state[i] == state[i - 227] ^ joined >> 1 ^ (0x9908B0DF if joined & 1 else 0)
    # at least three, and more where there are many chances
    return follow >= 3 + (len(state) >> 20)


def _untempered(number: int) -> int:
    number ^= number >> 18
    number ^= number << 15 & 0xEFC60000
    mixed = number
    for _ in range(5):
        mixed = number ^ (mixed << 7 & 0x9D2C5680)
    number = mixed
    for _ in range(3):
        mixed = number ^ mixed >> 11
    return mixed
