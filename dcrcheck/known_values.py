"""Many values known at once, and where a text holds them: whole or cut off, in whatever spelling and case."""

from __future__ import annotations

import base64
import html
import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

import ahocorasick

SHORTEST = 6
# from here on a value is random enough to be taken out as base64, and in whatever case
_LONG = 8
# so much is taken out where it is all that is left of a value
PART = 10
# a server may issue megabytes: of longer values this much is remembered, and what follows it goes as well
MOST = 1024
# shorter texts (a line on the terminal) are not worth a new automaton
_BRIEF = 2000
_MARK = re.compile(r"\.{3,}|…|\Z")
_ELLIPSIS = re.compile(r"\.{3,}|…")
_RUN = re.compile(r"[^\s\"'<>&]*")
_COLOUR = r"\x1b\[[0-9;]*m"
# what a terminal or a pretty-printer may put into the middle of a value: colours, and a new line with its margin
_GAP = re.compile(rf"{_COLOUR}|['\"]?\r?\n(?:[ \t]|{_COLOUR})*(?:[E>|+-][ \t]+)?(?:{_COLOUR}|[ \t])*(?:b?['\"])?")


class KnownValues:
    """Finds values that are learned one by one, without a pass over the text for each. Not safe between threads."""

    def __init__(self) -> None:
        self.values: set[str] = set()
        self._spellings: list[str] = []  # folded, sorted
        self._reversed: list[str] = []
        self._new: list[str] = []
        self._heads: set[str] = set()
        self._tails: set[str] = set()
        self._exact: dict[str, set[str]] = {}
        self._openings: set[str] = set()
        self._automaton = ahocorasick.Automaton()

    def add(self, text: str) -> None:
        """Know one more, of at least `SHORTEST` characters."""
        self.values.add(text)
        for spelling in set(spellings(text[:MOST])):
            folded = _fold(spelling)
            if len(spelling) < _LONG:
                self._exact.setdefault(folded, set()).add(spelling)
            if len(text) > MOST:
                self._openings.add(folded)
            self._new.append(folded)
            self._heads.add(folded[:SHORTEST])
            self._tails.add(folded[-SHORTEST:])
            self._automaton.add_word(folded[:SHORTEST], SHORTEST)

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Where known values stand: from, to; in no order, and possibly overlapping."""
        yield from self._spans(text)
        yield from self._torn(text)

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where a known value stands, whole or cut off by an ellipsis or by the end of the text."""
        folded, end = _fold(text), 0
        for start in self._starts(folded):
            if start < end:
                continue
            self._settle()
            length = self._longest(text, folded, start)
            if length:
                end = start + length
                if folded[start:end] in self._openings and (rest := _RUN.match(text, end)):
                    end = rest.end()
            elif length := self._cut_off(text, folded, start):
                end = start + length
            else:
                continue
            yield start, end
        for mark in _ELLIPSIS.finditer(text):
            if length := self._ending(folded, mark.end()):
                yield mark.end(), mark.end() + length

    def _starts(self, folded: str) -> Iterable[int]:
        """Where the first characters of a value stand."""
        if len(folded) < _BRIEF:
            heads = self._heads
            return [at for at in range(len(folded) - SHORTEST + 1) if folded[at:at + SHORTEST] in heads]
        if self._automaton.kind != ahocorasick.AHOCORASICK:
            self._automaton.make_automaton()
        # all matches, for the search for the longest ones (iter_long) misses some; words of one length do not nest
        return [last - SHORTEST + 1 for last, _ in self._automaton.iter(folded)]

    def _settle(self) -> None:
        if self._new:
            self._spellings += self._new
            self._reversed += [spelling[::-1] for spelling in self._new]
            self._spellings.sort()
            self._reversed.sort()
            self._new = []

    def _longest(self, text: str, folded: str, start: int) -> int:
        """The length of the longest known spelling at a place; 0 if there is none."""
        piece = folded[start:start + 3 * MOST]
        while len(piece) >= SHORTEST:
            place = bisect_right(self._spellings, piece)
            if not place:
                return 0
            best = self._spellings[place - 1]
            if piece.startswith(best):
                if len(best) >= _LONG or text[start:start + len(best)] in self._exact[best]:
                    return len(best)
                piece = best[:-1]
            else:
                piece = piece[:next(at for at, pair in enumerate(zip(best, piece, strict=False)) if len({*pair}) > 1)]
        return 0

    def _cut_off(self, text: str, folded: str, start: int) -> int:
        """The length of the beginning of a known spelling that ends in an ellipsis, or the text with it; else 0."""
        if not self._begins(folded[start:start + PART]):
            return 0
        cut = _MARK.search(text, start, start + MOST)
        length = cut.start() - start if cut and (cut.group() or cut.end() == len(text)) else 0
        return length if length >= PART and self._begins(folded[start:start + length]) else 0

    def _begins(self, piece: str) -> bool:
        place = bisect_left(self._spellings, piece)
        return place < len(self._spellings) and self._spellings[place].startswith(piece)

    def _ending(self, folded: str, start: int) -> int:
        """The length of the longest end of a known spelling at a place; 0 if there is none."""
        run = _RUN.match(folded, start, start + MOST)
        stop = run.end() if run else start
        for end in range(stop, start + PART - 1, -1):
            if folded[end - SHORTEST:end] in self._tails:
                self._settle()
                piece = folded[start:end][::-1]
                place = bisect_left(self._reversed, piece)
                if place < len(self._reversed) and self._reversed[place].startswith(piece):
                    return end - start
        return 0

    def _torn(self, text: str) -> Iterator[tuple[int, int]]:
        """Where a known value stands with colours or line breaks in its midst."""
        if "\x1b" not in text and "\n" not in text.rstrip("\n"):
            return
        whole: list[str] = []
        starts: list[int] = []  # in the text without gaps
        shifts: list[int] = []
        last = length = 0
        for gap in _GAP.finditer(text):
            whole.append(text[last:gap.start()])
            starts.append(length)
            shifts.append(last - length)
            length += gap.start() - last
            last = gap.end()
        whole.append(text[last:])
        starts.append(length)
        shifts.append(last - length)
        for start, end in self._spans("".join(whole)):
            first, final = bisect_right(starts, start) - 1, bisect_left(starts, end) - 1
            if first != final:
                yield start + shifts[first], end + shifts[final]


def _quote_all(text: str, errors: str) -> str:
    return quote(text, safe="", errors=errors)


def spellings(text: str) -> Iterator[str]:
    """The ways in which URLs, JSON, Python, HTML, XML and HTTP Basic write a value."""
    yield text
    if not re.fullmatch(r"[\w.~-]+", text, re.ASCII):
        escaped = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1],
                   ascii(text)[1:-1],
                   *(write(text, errors="surrogatepass") for write in (_quote_all, quote, quote_plus))}
        yield from escaped
        for form in escaped:
            yield html.escape(form, quote=False)
            yield html.escape(form).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
            yield html.escape(form)
    if len(text) >= _LONG:
        # within something longer a value begins at any of three places of a group; the edges depend on its neighbours
        raw = text.encode("utf-8", "surrogatepass")
        for before in range(3):
            whole = base64.b64encode(bytes(before) + raw).decode()
            after = (before + len(raw)) % 3
            core = whole[(0, 2, 3)[before]:len(whole) - (0, 3, 2)[after]]
            yield from {core, core.replace("+", "-").replace("/", "_")}


def _fold(text: str) -> str:
    """A text in lower case, character by character."""
    lower = text.lower()
    return lower if len(lower) == len(text) else text.translate(_LOWER)


_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
