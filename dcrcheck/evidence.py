"""What crossed the wire, and the walls that keep secrets inside the process.

Two walls: credentials parsed out of JSON are wrapped in `Secret`, whose ``repr`` shows nothing, so that
no assertion introspection, traceback or ``--showlocals`` can print one; and everything that leaves the
process passes `Redactor.scrub`, which knows the secrets by value and by the name of what carries them
(what is printed or logged: see `dcrcheck.discretion`).
"""

from __future__ import annotations

import itertools
import shlex
from dataclasses import dataclass
from typing import Any, Protocol

from dcrcheck.redaction import Redactor, is_credential


class Secret(str):
    """A credential. Behaves as the string it is, but never shows itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<secret, {len(self)} characters>"


def conceal(value: Any, name: str = "") -> Any:
    """Return a JSON value in which every string that stands under a credential's name is a `Secret`."""
    if isinstance(value, dict):
        return {key: conceal(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [conceal(item, name) for item in value]
    if isinstance(value, str) and is_credential(name):
        return Secret(value)
    return value


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request and its answer. Bodies are text as it would be read; `status` is None if no answer came."""

    id: str
    method: str
    url: str
    request_headers: tuple[tuple[str, str], ...] = ()
    request_body: str = ""
    status: int | None = None
    response_headers: tuple[tuple[str, str], ...] = ()
    response_body: str = ""
    error: str = ""
    started: float = 0.0
    elapsed_s: float = 0.0

    def summary(self) -> str:
        """One line: what was asked and what came."""
        answer = str(self.status) if self.status is not None else f"no answer ({self.error})"
        return f"{self.method} {self.url} → {answer}"

    def curl(self) -> str:
        """A command that sends the same request, on one printable line. Redacted values must be filled in by hand."""
        words = ["curl", "-i", *(["-I"] if self.method == "HEAD" else ["-X", self.method])]
        if any(mark in self.url for mark in "[]{}"):
            words.append("-g")  # curl would expand them
        if "/." in self.url:
            words.append("--path-as-is")
        words.append(self.url)
        for name, value in self.request_headers:
            if name.lower() not in {"host", "content-length", "connection", "accept-encoding", "accept", "user-agent"}:
                words += ["-H", f"{name}: {value}" if value else f"{name};"]
        if self.request_body:
            if all(name.lower() != "content-type" for name, _ in self.request_headers):
                words += ["-H", "Content-Type:"]  # curl would add one of its own
            words += ["--data-raw", self.request_body]
        return " ".join(map(_shell_word, words))

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id, "method": self.method, "url": self.url,
            "request_headers": [list(pair) for pair in self.request_headers], "request_body": self.request_body,
            "status": self.status, "response_headers": [list(pair) for pair in self.response_headers],
            "response_body": self.response_body, "error": self.error, "elapsed_s": round(self.elapsed_s, 4),
            "curl": self.curl(),
        }


def _shell_word(word: str) -> str:
    """Quote a word for a shell. What a terminal would obey instead of show is spelt out in $'…'."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = "".join(
        "\\" + char if char in "\\'" else char if char.isprintable()
        else "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
        for char in word)
    return f"$'{escaped}'"


class Gate(Protocol):
    """What stands before the wire: it may hold an exchange back, and sees how each ended."""

    def admit(self) -> None: ...

    def seen(self, exchange: Exchange) -> None: ...


class Recorder:
    """Keeps the exchanges of a run, and which of them belong to the check at work."""

    def __init__(self, redactor: Redactor | None = None) -> None:
        self.redactor = redactor or Redactor()
        self.count = 0
        self.gate: Gate | None = None
        self.prefix = "x"
        """What the ids of exchanges begin with; another where a run goes on."""
        self._ids = itertools.count(1)
        self._current: list[Exchange] = []

    def begin(self) -> None:
        """A check starts: its evidence is empty."""
        self._current = []

    def admit(self) -> None:
        """An exchange is about to be sent.

        Raises:
            Inconclusive: the run may send no more of its kind (see `dcrcheck.budget`).
        """
        if self.gate is not None:
            self.gate.admit()

    def next_id(self) -> str:
        return f"{self.prefix}{next(self._ids)}"

    def record(self, exchange: Exchange) -> None:
        self.count += 1
        self._current.append(exchange)
        self.redactor.learn_redirect(exchange.response_headers)
        if self.gate is not None:
            self.gate.seen(exchange)

    def recall(self, exchange: Exchange) -> None:
        """Put an earlier exchange (the registration of a shared client) among the evidence of this check."""
        if all(exchange.id != other.id for other in self._current):
            self._current.append(exchange)

    def forget(self) -> None:
        """Drop what was gathered so far: Hypothesis keeps only its last, smallest example."""
        self._current = []

    def evidence(self, most: int = 12) -> tuple[Exchange, ...]:
        """The exchanges of the check at work, not yet redacted; of very many the first and the last."""
        return tuple(self._current if len(self._current) <= most else
                     [*self._current[:2], *self._current[2 - most:]])
