"""How much a page of HTML asks of whoever takes it apart, counted before that is done."""

from __future__ import annotations

import re
from collections import Counter

MOST_TAGS = 50_000
# browsers stop at 512
MOST_DEPTH = 1_000
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)")
_VOID = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
_TEXT = frozenset({"script", "style", "textarea", "title"})


def excess(html: str) -> str:
    """Why a page is too much to be taken apart: its parser takes quadratic time for depth; empty if it is not."""
    tags, within, opened = 0, "", list[str]()
    counts: Counter[str] = Counter()
    for found in _TAG.finditer(html):
        closes, name = bool(found[1]), found[2].lower()
        if within and not (closes and name == within):
            continue
        within = name if name in _TEXT and not closes else ""
        tags += 1
        if closes:
            while counts[name]:
                counts[last := opened.pop()] -= 1
                if last == name:
                    break
        elif name not in _VOID:
            opened.append(name)
            counts[name] += 1
        if tags > MOST_TAGS:
            return f"it has more than {MOST_TAGS} tags"
        if len(opened) > MOST_DEPTH:
            return f"its elements are nested more than {MOST_DEPTH} deep"
    return ""
