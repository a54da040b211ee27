"""What crossed the wire, and the walls that keep secrets inside the process.

Two walls: credentials parsed out of JSON are wrapped in `Secret`, whose ``repr`` shows nothing, so that
no assertion introspection, traceback or ``--showlocals`` can print one; and everything that leaves the
process passes `Redactor.scrub`, which knows the secrets by value and by the name of what carries them.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, quote_plus

import ahocorasick

SECRET_NAMES = frozenset({
    "client_secret", "registration_access_token", "initial_access_token", "access_token", "refresh_token",
    "id_token", "token", "code", "code_verifier", "client_assertion", "assertion", "password", "device_code",
    "csrf_token", "csrf",
})
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
REDACTED = "[redacted]"
_SHORTEST = 6


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
    if isinstance(value, str) and name.lower() in SECRET_NAMES:
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


@dataclass
class Redactor:
    """Knows the secrets of a run by value and by name, and removes both from text."""

    values: set[str] = field(default_factory=set)

    def learn(self, *secrets: object) -> None:
        """Remember values that must never leave the process. Very short ones would shred ordinary text: ignored."""
        for secret in secrets:
            if isinstance(secret, str) and len(secret) >= _SHORTEST and secret not in self.values:
                self.values.add(secret)
                text = str(secret)
                for spelling in {text, quote(text, safe=""), quote_plus(text), json.dumps(text)[1:-1]}:
                    self._words.add_word(spelling, len(spelling))

    # a run learns thousands of secrets and reads megabytes: one pass finds them all
    _words: ahocorasick.Automaton = field(default_factory=ahocorasick.Automaton)

    def scrub(self, text: str) -> str:
        """Remove every known secret, and whatever stands where a secret would, from a text."""
        text = self._without_values(text)
        for pattern, replacement in _BY_NAME:
            text = pattern.sub(replacement, text)
        return text

    def _without_values(self, text: str) -> str:
        if not self.values or len(text) < _SHORTEST:
            return text
        if self._words.kind != ahocorasick.AHOCORASICK:
            self._words.make_automaton()
        kept, start = [], 0
        for last, length in self._words.iter_long(text):
            kept += [text[start:last - length + 1], REDACTED]
            start = last + 1
        return "".join([*kept, text[start:]])

    def learn_from(self, value: Any, name: str = "") -> None:
        """Remember every string of a JSON value that stands under a credential's name."""
        if isinstance(value, Mapping):
            for key, item in value.items():
                self.learn_from(item, str(key))
        elif isinstance(value, list):
            for item in value:
                self.learn_from(item, name)
        elif isinstance(value, str) and name.lower() in SECRET_NAMES:
            self.learn(value)

    def learn_basic(self, user: str, password: str) -> None:
        """Remember a password also in the form HTTP Basic gives it."""
        self.learn(password, base64.b64encode(f"{user}:{password}".encode()).decode())

    def redact(self, exchange: Exchange) -> Exchange:
        """The same exchange without anything secret."""
        return replace(
            exchange,
            url=self.scrub(exchange.url),
            request_headers=self._headers(exchange.request_headers),
            request_body=self.scrub(exchange.request_body),
            response_headers=self._headers(exchange.response_headers),
            response_body=self.scrub(exchange.response_body),
            error=self.scrub(exchange.error),
        )

    def _headers(self, headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        return tuple((name, _mask(name, value) if name.lower() in SECRET_HEADERS else self.scrub(value))
                     for name, value in headers)


def _mask(name: str, value: str) -> str:
    if name.lower() == "set-cookie":
        cookie, _, attributes = value.partition(";")
        return f"{cookie.partition('=')[0]}={REDACTED}" + (f";{attributes}" if attributes else "")
    scheme, space, credentials = value.partition(" ")
    return f"{scheme} {REDACTED}" if space and credentials.strip() else REDACTED


_names = "|".join(sorted(SECRET_NAMES, key=len, reverse=True))
_BY_NAME = (
    # a JSON member (also one printed by repr), a form field or query parameter, a Bearer or Basic credential
    (re.compile(rf"""((?P<q>["'])(?:{_names})(?P=q)\s*:\s*)(["'])(?:\\.|(?!\3)[^\\])*\3"""), rf"\1\3{REDACTED}\3"),
    (re.compile(rf"""((?:^|[?&\s;])(?:{_names})=)(?!\[redacted\])[^&\s"'<>;]+"""), rf"\1{REDACTED}"),
    (re.compile(r"\b(Bearer|Basic) +(?!\[redacted\])(?=[^\s\"']*[0-9_~+/=-])[A-Za-z0-9._~+/=-]{12,}"),
     rf"\1 {REDACTED}"),
)


class Recorder:
    """Keeps the exchanges of a run, and which of them belong to the check at work."""

    def __init__(self) -> None:
        self.redactor = Redactor()
        self.count = 0
        self._ids = itertools.count(1)
        self._current: list[Exchange] = []

    def begin(self) -> None:
        """A check starts: its evidence is empty."""
        self._current = []

    def next_id(self) -> str:
        return f"x{next(self._ids)}"

    def record(self, exchange: Exchange) -> None:
        self.count += 1
        self._current.append(exchange)

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
