"""Equations over GF(2), and reduced lattices: by what the state of a generator is computed from what it gave out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

_DELTA = 0.99


def rank_and_consistency(equations: Iterable[tuple[int, int]], unknowns: int) -> tuple[int, bool]:
    """The rank of linear equations over GF(2), and whether they have a solution.

    An equation is a bit mask of unknowns and the bit that they add up to. Bits drawn at random solve `n` equations
    of rank r with probability 2^-(n - r).
    """
    pivots: list[tuple[int, int] | None] = [None] * unknowns
    rank = 0
    for mask, bit in equations:
        while mask:
            top = mask.bit_length() - 1
            pivot = pivots[top]
            if pivot is None:
                pivots[top] = (mask, bit)
                rank += 1
                break
            mask ^= pivot[0]
            bit ^= pivot[1]
        else:
            if bit:
                return rank, False
    return rank, True


def reduced(basis: Sequence[Sequence[int]]) -> list[list[int]]:
    """A basis of the same lattice with short vectors (Lenstra, Lenstra, Lovász 1982), in floating point."""
    rows = [list(row) for row in basis]
    orthogonal, factors, lengths = _orthogonalised(rows)
    place = 1
    while place < len(rows):
        for other in range(place - 1, -1, -1):
            if step := round(factors[place][other]):
                rows[place] = [a - step * b for a, b in zip(rows[place], rows[other], strict=True)]
                for column in range(other):
                    factors[place][column] -= step * factors[other][column]
                factors[place][other] -= step
        if lengths[place] >= (_DELTA - factors[place][place - 1] ** 2) * lengths[place - 1]:
            place += 1
        else:
            rows[place - 1], rows[place] = rows[place], rows[place - 1]
            orthogonal, factors, lengths = _orthogonalised(rows, orthogonal, factors, lengths, place - 1)
            place = max(place - 1, 1)
    return rows


def _orthogonalised(rows: Sequence[Sequence[int]], orthogonal: list[list[float]] | None = None,
                    factors: list[list[float]] | None = None, lengths: list[float] | None = None, start: int = 0,
                    ) -> tuple[list[list[float]], list[list[float]], list[float]]:
    """Gram and Schmidt; what stands before `start` is taken over."""
    kept, mu, norms = (orthogonal or [])[:start], (factors or [])[:start], (lengths or [])[:start]
    for row in rows[start:]:
        rest, shares = [float(value) for value in row], []
        for vector, norm in zip(kept, norms, strict=True):
            share = sum(a * b for a, b in zip(rest, vector, strict=True)) / norm
            shares.append(share)
            rest = [a - share * b for a, b in zip(rest, vector, strict=True)]
        kept.append(rest)
        mu.append(shares)
        norms.append(sum(a * a for a in rest))
    return kept, mu, norms


def nearest(basis: Sequence[Sequence[int]], goal: Sequence[int]) -> list[int]:
    """A lattice vector near `goal`: Babai's nearest plane, on a reduced basis."""
    orthogonal, _, lengths = _orthogonalised(basis)
    rest = [Fraction(value) for value in goal]
    for row, vector, length in reversed(list(zip(basis, orthogonal, lengths, strict=True))):
        step = round(sum(float(a) * b for a, b in zip(rest, vector, strict=True)) / length)
        rest = [a - step * b for a, b in zip(rest, row, strict=True)]
    return [int(value - left) for value, left in zip(goal, rest, strict=True)]
