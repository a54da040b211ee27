"""Long searches by the fuzzed checks: the corpus of what failed before, the rounds of a hunt, and how far it came."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from dcrcheck.documents import ConfigurationError
from dcrcheck.house import CORPUS

FILE = "hunt.json"
_EVERY_S = 10.0


@cache
def corpus() -> dict[str, list[Any]]:
    """Past failures, made small, by what they are values of; every property tries its own first."""
    content = json.loads(CORPUS.read_text("utf-8"))
    return {kind: [unpacked(entry["value"]) for entry in entries] for kind, entries in content.items()}


def packed(value: Any) -> Any:
    """A drawn value as JSON; bytes as an object of its own."""
    return {"latin-1": value.decode("latin-1")} if isinstance(value, bytes) else value


def unpacked(value: Any) -> Any:
    """What `packed` made of a value, back."""
    if isinstance(value, dict) and value.keys() == {"latin-1"}:
        return value["latin-1"].encode("latin-1")
    return value


class Hunt:
    """How long each fuzzed check may search, and what is remembered of it from run to run.

    The file in the report directory says for each check which round is next, and which values failed: those are tried
    again before anything else. The same seed and the same round draw the same requests.
    """

    def __init__(self, directory: Path | None, *, seconds: float = 0.0, tell: Callable[[str], None] = print) -> None:
        """Take up what an earlier run left. `seconds` is for each check; 0: one round, nothing remembered.

        Raises:
            ConfigurationError: what the earlier run left cannot be read.
        """
        self.seconds = seconds
        self._tell = tell
        self._file = directory / FILE if directory is not None and seconds else None
        self._state: dict[str, dict[str, Any]] = {}
        if self._file is not None and self._file.is_file():
            try:
                self._state = json.loads(self._file.read_text("utf-8"))
                self._state = {check: {"next": int(entry["next"]), "found": list(entry["found"])}
                               for check, entry in self._state.items()}
            except (ValueError, KeyError, TypeError, AttributeError):
                raise ConfigurationError(f"{self._file} is not what a hunt left; move it away to begin anew") from None

    def found(self, check: str) -> list[Any]:
        """The values with which the check failed before."""
        return [unpacked(value) for value in self._of(check)["found"]]

    def rounds(self, check: str) -> Iterator[int]:
        """The rounds of one check: the first, always; then, as long as there is time, those that no run has seen."""
        yield 0
        began = told = time.monotonic()
        state, done = self._of(check), 1
        while (now := time.monotonic()) - began < self.seconds:
            if now - told >= _EVERY_S:
                self._tell(f"{check}: {done} rounds, {now - began:.0f} of {self.seconds:.0f} s")
                told = now
            yield state["next"]
            done += 1
            state["next"] += 1
            self._save()

    def keep(self, check: str, value: Any) -> None:
        """Remember the smallest value with which a check failed."""
        found = self._of(check)["found"]
        if packed(value) not in found:
            found.append(packed(value))
        self._save()

    def _of(self, check: str) -> dict[str, Any]:
        return self._state.setdefault(check, {"next": 1, "found": []})

    def _save(self) -> None:
        if self._file is not None:
            self._file.write_text(json.dumps(self._state, indent=1), "utf-8")
