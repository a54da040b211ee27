"""results.json: the whole run as data. `schemas/results.schema.json` describes it."""

from __future__ import annotations

import json
import re
from typing import Any

from dcrcheck.reporting.text import shorten
from dcrcheck.results import Results

MOST_BODY = 64_000
_BODIES = ("request_body", "response_body", "curl")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def render(results: Results) -> str:
    """The document as indented JSON, in ASCII: no control or bidi character can act in a viewer.

    A body of more than `MOST_BODY` characters is cut, with a note of how much is missing.
    """
    document = results.as_dict()
    for exchange in document["exchanges"].values():
        for name in _BODIES:
            exchange[name] = shorten(exchange[name], MOST_BODY)
    return json.dumps(_well_formed(document), indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _well_formed(value: Any) -> Any:
    """Spell out lone surrogates, which no strict JSON reader takes."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", value)
    if isinstance(value, dict):
        return {_well_formed(key): _well_formed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_well_formed(item) for item in value]
    return value
