"""The secrets of a run, by value and by the name of what carries them, and how both are taken out of a text."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, unquote_plus

from dcrcheck.known_values import MOST, PART, SHORTEST, KnownValues

if TYPE_CHECKING:
    from dcrcheck.evidence import Exchange

SECRET_NAMES = frozenset({
    "client_secret", "registration_access_token", "initial_access_token", "access_token", "refresh_token",
    "id_token", "token", "code", "code_verifier", "client_assertion", "assertion", "password", "device_code",
    "csrf_token", "csrf",
})
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
REDACTED = "[redacted]"

_MOST_AT_ONCE = 200
# so short are texts that come again and again, such as the values of headers
_OFTEN = 80

_SQUEEZED = frozenset(name.replace("_", "") for name in SECRET_NAMES)
# some servers have a member `code` for the kind of their error, and some a `token` for its kind
_WORDS = re.compile(r"[a-z]+(?:[ _.-][a-z]+)*|[A-Z]+(?:[ _.-][A-Z]+)*|(?:[A-Z][a-z]+)+|\d{1,8}")
_PASSWORD = re.compile(r"//[^/?#\s:@]*:([^/?#\s]+)@")


@lru_cache(maxsize=4096)
def is_credential(name: str) -> bool:
    """Whether a member, field or parameter of this name carries a credential, in whatever style it is written."""
    return name.lower().replace("_", "").replace("-", "") in _SQUEEZED


class Redactor:
    """Knows the secrets of a run by value and by name, and removes both from text. Safe to share between threads."""

    def __init__(self) -> None:
        self._known = KnownValues()
        self._clean: set[str] = set()
        self._lock = threading.RLock()

    @property
    def values(self) -> set[str]:
        """The secrets as they were learned."""
        return self._known.values

    # -- learning ---------------------------------------------------------------------------------------------------

    def learn(self, *secrets: object) -> None:
        """Remember values that must never leave the process. Very short ones would shred ordinary text: ignored."""
        for secret in secrets:
            if isinstance(secret, str) and len(secret) >= SHORTEST and secret not in self.values:
                with self._lock:
                    self._known.add(str(secret))
                    self._clean.clear()

    def learn_from(self, value: Any, name: str = "") -> None:
        """Remember every string of a JSON value that stands under a credential's name."""
        rest, found = [(name, value)], 0
        while rest and found < _MOST_AT_ONCE:
            name, value = rest.pop()
            if isinstance(value, Mapping):
                rest += [(str(key), item) for key, item in value.items()]
            elif isinstance(value, list):
                rest += [(name, item) for item in value]
            elif isinstance(value, str) and is_credential(name) and not (
                    name.lower() in ("code", "token") and _WORDS.fullmatch(value)):
                self.learn(value)
                found += 1

    def learn_basic(self, user: str, password: str) -> None:
        """Remember a password also in the form HTTP Basic gives it."""
        self.learn(password, base64.b64encode(f"{user}:{password}".encode()).decode())

    def learn_request(self, url: str, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """Remember what is about to be sent as a credential: in a header, a query or a form."""
        self._learn_fields(url.partition("?")[2])
        for name, value in headers:
            if name.lower() == "authorization":
                self._learn_authorization(value.partition(" ")[2])
        if b"=" in body and body[:1] not in b"{[":
            self._learn_fields(body[:8 * MOST].decode("utf-8", "replace"))

    def learn_redirect(self, headers: Iterable[tuple[str, str]]) -> None:
        """Remember the credentials in a redirect."""
        for name, value in headers:
            if name.lower() == "location":
                self._learn_fields(value.replace("#", "&").partition("?")[2] or value.partition("#")[2])

    def _learn_authorization(self, credentials: str) -> None:
        if len(credentials) >= PART:
            self.learn(credentials)
        try:
            password = base64.b64decode(credentials, validate=True).decode().partition(":")[2]
        except ValueError:
            return
        self.learn(*[form for form in (password, unquote_plus(password)) if len(form) >= PART])

    def _learn_fields(self, text: str) -> None:
        for name, value in parse_qsl(text[:8 * MOST]):
            if len(value) >= PART and is_credential(name) and not _WORDS.fullmatch(value):
                self.learn(value)

    # -- removing ---------------------------------------------------------------------------------------------------

    def scrub(self, text: str) -> str:
        """Remove every known secret, and whatever stands where a secret would, from a text."""
        if len(text) < SHORTEST or text in self._clean:
            return text
        kept = text
        if self.values:
            with self._lock:
                kept = _without(text, list(self._known.find(text)))
        for pattern, replacement in _BY_NAME:
            kept = pattern.sub(replacement, kept)
        if kept == text and len(text) < _OFTEN and len(self._clean) < MOST:
            self._clean.add(text)
        return kept

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
        return tuple((self.scrub(name), _mask(name, value) if name.lower() in SECRET_HEADERS else self.scrub(value))
                     for name, value in headers)


def secrets_of(environment: Mapping[str, str], arguments: Iterable[str] = ()) -> list[str]:
    """What the owner gave us that must never be told: our own variables, and passwords in the URLs of proxies."""
    found = [value for name, value in environment.items()
             if name.startswith("DCRCHECK_") and name.endswith(("TOKEN", "SECRET", "PASSWORD"))]
    proxies = [value for name, value in environment.items() if name.lower().endswith("_proxy")]
    for password in _PASSWORD.findall("\n".join([*proxies, *arguments])):
        found += [password, unquote(password)]
    return found


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    kept, last = [], 0
    for start, end in sorted(spans):
        if start >= last:
            kept += [text[last:start], REDACTED]
        last = max(last, end)
    return "".join([*kept, text[last:]])


def _mask(name: str, value: str) -> str:
    if name.lower() == "set-cookie":
        cookie, _, attributes = value.partition(";")
        return f"{cookie.partition('=')[0]}={REDACTED}" + (f";{attributes}" if attributes else "")
    scheme, space, credentials = value.partition(" ")
    return f"{scheme} {REDACTED}" if space and credentials.strip() else REDACTED


_names = "|".join(sorted(SECRET_NAMES, key=len, reverse=True))
_headers = "|".join(sorted(SECRET_HEADERS))
_VALUE = r"(?:(?!(?P=v))(?:\\.|[^\\\n]))*"
_BY_NAME = (
    # a JSON member (also one printed by repr, or within a JSON string), possibly cut off
    (re.compile(rf"""((?P<q>\\*["'])(?:{_names})(?P=q)\s*:\s*)(?P<v>\\*["']){_VALUE}((?P=v)|$)""", re.M),
     rf"\1\g<v>{REDACTED}\4"),
    # a header in a list or a mapping, as our own peers log them
    (re.compile(rf"""((?P<q>["'])(?:{_headers})(?P=q)\s*[,:]\s*b?)(?P<v>["']){_VALUE}((?P=v)|$)""", re.M | re.I),
     rf"\1\g<v>{REDACTED}\4"),
    # a field of an HTML form
    (re.compile(rf"""(\bname=["']?(?:{_names})["']?[^<>]{{0,200}}?\bvalue=)("[^"<>]*"|'[^'<>]*'|[^\s"'<>]+)""", re.I),
     rf'\1"{REDACTED}"'),
    # a form field or query parameter
    (re.compile(rf"""((?:^|[?&\s;#])(?:{_names})=)(?!\[redacted\])[^&\s"'<>;]+"""), rf"\1{REDACTED}"),
    # a Bearer or Basic credential
    (re.compile(r"\b(Bearer|Basic) +(?!\[redacted\])(?=[^\s\"']*[0-9_~+/=-])[A-Za-z0-9._~+/=-]{12,}"),
     rf"\1 {REDACTED}"),
)
