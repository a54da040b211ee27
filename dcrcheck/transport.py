"""HTTP, bounded in size and time. The only module that knows httpx, so that its successor is one import away."""

from __future__ import annotations

import contextlib
import http.client
import json as jsonlib
import math
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from dcrcheck.evidence import Exchange, Recorder, conceal
from dcrcheck.verdict import inconclusive

if TYPE_CHECKING:
    from dcrcheck.client import Client

TIMEOUT_S = 10.0
MAX_BYTES = 2_000_000
_SHOWN = 20_000

Headers = httpx.Headers
HeaderItems = Iterable[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """What came back for one request; `status` is 0 if nothing did (then `exchange.error` says why)."""

    status: int
    headers: Headers
    body: bytes
    url: str
    exchange: Exchange
    elapsed_s: float = 0.0
    truncated: bool = False
    registered: Client | None = field(default=None, repr=False)

    @cached_property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @cached_property
    def json(self) -> Any:
        """The parsed body with its credentials concealed, or None if it is not JSON."""
        try:
            return conceal(jsonlib.loads(self.body))
        except (ValueError, RecursionError):
            return None

    @property
    def media_type(self) -> str:
        return str(self.headers.get("content-type", "")).partition(";")[0].strip().lower()

    @property
    def is_json(self) -> bool:
        """Whether it is served as JSON and is JSON."""
        served = self.media_type == "application/json" or self.media_type.endswith("+json")
        return served and self.json is not None

    @property
    def error(self) -> str | None:
        """The OAuth `error` member, if there is one."""
        code = self.json.get("error") if isinstance(self.json, dict) else None
        return code if isinstance(code, str) else None

    @property
    def location(self) -> str | None:
        value: str | None = self.headers.get("location")
        return value

    @property
    def query(self) -> dict[str, str]:
        """The query parameters of the Location header."""
        return dict(parse_qsl(urlsplit(self.location or "").query, keep_blank_values=True))

    @property
    def broke_down(self) -> bool:
        """Whether the server failed at the request: a 5xx, or no answer at all."""
        return self.status == 0 or self.status >= 500

    @property
    def client(self) -> Client | None:
        """The client that the server registered, or None if it refused the registration.

        Raises:
            Inconclusive: it did neither: 401, 408, 429, 3xx, 5xx, no answer, or success without a client_id.
        """
        if self.registered is not None:
            return self.registered
        if 400 <= self.status < 500 and self.status not in (401, 408, 429):
            return None
        inconclusive(f"the server neither accepted nor refused the registration: {self.describe()}")

    @property
    def refused(self) -> bool:
        """Whether the registration was refused (see `client`)."""
        return self.client is None

    @property
    def tokens(self) -> dict[str, Any] | None:
        """The members of a token response, or None if the token endpoint refused to issue any.

        Raises:
            Inconclusive: it did neither: 408, 429, 5xx or no answer.
        """
        if self.status in (0, 408, 429) or self.status >= 500:
            inconclusive(f"the token endpoint neither issued nor refused a token: {self.describe()}")
        issued = self.status == 200 and isinstance(self.json, dict) and "access_token" in self.json
        return self.json if issued else None

    def stored(self, member: str) -> Any:
        """The value that the server says it registered for a member; None if it refused or dropped it."""
        return None if self.client is None else self.client.stored(member)

    def describe(self) -> str:
        """A few words for a message: ``HTTP 400 invalid_redirect_uri``."""
        if not self.status:
            return f"no answer ({self.exchange.error})"
        return f"HTTP {self.status}" + (f" {self.error}" if self.error else "")


class Transport:
    """One HTTP client: keeps connections alive, follows no redirect, keeps no cookie unless it is a browser."""

    def __init__(self, recorder: Recorder, *, verify: ssl.SSLContext | bool = True, browser: bool = False,
                 timeout_s: float = TIMEOUT_S, max_bytes: int = MAX_BYTES) -> None:
        self.recorder = recorder
        self.verify = verify
        self.timeout_s = timeout_s
        self.max_bytes = max_bytes
        # a server on loopback may mark its cookies Secure and still speak http
        policy = (DefaultCookiePolicy(secure_protocols=("https", "http")) if browser
                  else DefaultCookiePolicy(allowed_domains=[]))
        self._client = httpx.Client(
            verify=verify, timeout=timeout_s, follow_redirects=False, cookies=CookieJar(policy=policy),
            headers={"user-agent": "dcrcheck", "accept-encoding": "identity"})

    def close(self) -> None:
        self._client.close()

    def browser(self) -> Transport:
        """A client with a cookie jar of its own."""
        return Transport(self.recorder, verify=self.verify, browser=True, timeout_s=self.timeout_s,
                         max_bytes=self.max_bytes)

    def cross_site(self) -> Transport:
        """The same browser as another site's form would use it: cookies marked SameSite Lax or Strict stay behind."""
        other = self.browser()
        for cookie in self._client.cookies.jar:
            rules = {name.lower(): str(value).lower() for name, value in getattr(cookie, "_rest", {}).items()}
            if rules.get("samesite") not in ("lax", "strict"):
                other._client.cookies.jar.set_cookie(cookie)
        return other

    def send(self, method: str, url: str, *, headers: Mapping[str, str] | HeaderItems = (), content: bytes = b"",
             target: bytes | None = None) -> Answer:
        """Send one request. `target` replaces the request target on the wire, byte for byte.

        Never raises for what the server does: no answer is an `Answer` of status 0.

        Raises:
            ValueError: the request cannot be sent at all; this is a fault of the check.
        """
        items = list(headers.items() if isinstance(headers, Mapping) else headers)
        started, clock = time.time(), time.perf_counter()
        status, answered, body, error, truncated = 0, Headers(), b"", "", False
        try:
            request = self._client.build_request(
                method, url, content=content if content or method in ("POST", "PUT", "PATCH") else None,
                headers=[(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in items],
                extensions={"target": target} if target is not None else None)
            if not any(name.lower() == "cookie" for name, _ in items):
                # httpx fills the header from a copy of the jar that lacks its policy, and so holds Secure cookies back
                request.headers.pop("cookie", None)
                self._client.cookies.set_cookie_header(request)
            response = self._client.send(request, stream=True)
            try:
                status, answered = response.status_code, response.headers
                chunks, size = [], 0
                for chunk in response.iter_raw():
                    chunks.append(chunk)
                    size += len(chunk)
                    if size > self.max_bytes or time.perf_counter() - clock > self.timeout_s:
                        truncated = True
                        error = (f"the body exceeds {self.max_bytes} bytes" if size > self.max_bytes
                                 else f"the body was not complete after {self.timeout_s:g} s")
                        break
                body = b"".join(chunks)[:self.max_bytes]
            finally:
                response.close()
        except httpx.LocalProtocolError as fault:
            raise ValueError(f"our own client refuses to send this request: {fault}") from None
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as failure:
            error, truncated = _say(failure), True
        exchange = Exchange(
            id=self.recorder.next_id(), method=method, url=url, request_headers=tuple(items),
            request_body=_shown(content), status=status or None, response_headers=tuple(answered.multi_items()),
            response_body=_shown(body), error=error, started=started, elapsed_s=time.perf_counter() - clock)
        return self._answer(exchange, answered, body, truncated=truncated)

    def _answer(self, exchange: Exchange, headers: Headers, body: bytes, *, truncated: bool = False) -> Answer:
        self.recorder.record(exchange)
        answer = Answer(status=exchange.status or 0, headers=headers, body=body, url=exchange.url, exchange=exchange,
                        elapsed_s=exchange.elapsed_s, truncated=truncated)
        self.recorder.redactor.learn_from(answer.json)
        self._learn_cookies(headers)
        return answer

    @contextlib.contextmanager
    def quick(self, url: str) -> Iterator[Callable[[list[tuple[str, str]], bytes], Answer]]:
        """One bare connection for POSTs in quick succession; the block calls what it gets with headers and body.

        httpx spends two milliseconds on a request, which on loopback would decide how fast a burst can be, and so
        whether a limit is met at all. Only for loopback: no proxy is heeded.
        """
        parts = urlsplit(url)
        secure = self.verify if isinstance(self.verify, ssl.SSLContext) else None
        peer = (http.client.HTTPSConnection(parts.netloc, timeout=self.timeout_s, context=secure)
                if parts.scheme == "https" else http.client.HTTPConnection(parts.netloc, timeout=self.timeout_s))

        def post(headers: list[tuple[str, str]], content: bytes) -> Answer:
            started, clock, error = time.time(), time.perf_counter(), ""
            status, answered, body = 0, Headers(), b""
            try:
                peer.request("POST", url.partition(parts.netloc)[2] or "/", body=content,
                             headers={**self._client.headers, **dict(headers)})
                response = peer.getresponse()
                status, answered = response.status, Headers(response.getheaders())
                body = response.read(self.max_bytes)
            except (http.client.HTTPException, OSError) as failure:
                error = _say(failure)
                peer.close()
            return self._answer(Exchange(
                id=self.recorder.next_id(), method="POST", url=url, request_headers=tuple(headers),
                request_body=_shown(content), status=status or None, response_headers=tuple(answered.multi_items()),
                response_body=_shown(body), error=error, started=started, elapsed_s=time.perf_counter() - clock),
                answered, body, truncated=bool(error))

        with contextlib.closing(peer):
            yield post

    def handshake(self, url: str, version: ssl.TLSVersion) -> str:
        """Why a TLS handshake of exactly this version fails at a URL's host; empty if it succeeds.

        The certificate is not judged (every other request does that), and nothing is sent afterwards.

        Raises:
            Inconclusive: the host cannot be reached.
        """
        parts = urlsplit(url)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        try:
            connection = socket.create_connection((parts.hostname or "", parts.port or 443), timeout=self.timeout_s)
        except OSError as failure:
            inconclusive(f"{parts.netloc} cannot be reached: {failure.strerror or failure}")
        try:
            with connection, context.wrap_socket(connection, server_hostname=parts.hostname):
                return ""
        except OSError as failure:
            return _say(failure)

    def _learn_cookies(self, headers: Headers) -> None:
        for cookie in headers.get_list("set-cookie"):
            value = cookie.partition(";")[0].partition("=")[2].strip().strip('"')
            if len(value) >= 12:
                self.recorder.redactor.learn(value)


def tls_context(ca_pem: str | None) -> ssl.SSLContext | bool:
    """A context that trusts one extra authority, or the system's own as httpx configures them."""
    if ca_pem is None:
        return True
    return ssl.create_default_context(cadata=ca_pem)


def _shown(body: bytes) -> str:
    text = body[:_SHOWN].decode("utf-8", "backslashreplace")
    return text if len(body) <= _SHOWN else f"{text}… ({len(body)} bytes in all)"


def _say(error: Exception) -> str:
    words = str(error).strip() or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return f"timed out ({type(error).__name__})"
    return words.splitlines()[0]


def finite(value: Any) -> bool:
    """Whether a JSON number is an integer count of seconds, as NumericDate members of these RFCs are."""
    return isinstance(value, int) and not isinstance(value, bool) and math.isfinite(value)
