"""HTTP, bounded in size and time. The only module that knows httpx, so that its successor is one import away."""

from __future__ import annotations

import contextlib
import ssl
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

from dcrcheck import wire
from dcrcheck.answer import Answer
from dcrcheck.evidence import Exchange, Recorder
from dcrcheck.uri import is_this_machine, origin
from dcrcheck.verdict import inconclusive, withhold

TIMEOUT_S = 10.0
MAX_BYTES = 5_000_000
_SHOWN = 20_000
_SHOWN_HEADERS, _SHOWN_VALUE = 100, 4_000
_AS_ANSWERED = "dcrcheck.headers"
# servers close what lies idle, some after two seconds: a request that meets that moment gets no answer
_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=1.0)
_SAFE = ("GET", "HEAD", "OPTIONS")

Headers = httpx.Headers
HeaderItems = Iterable[tuple[str, str]]
_FAILURES = (httpx.HTTPError, httpx.StreamError, httpcore.NetworkError, httpcore.ProtocolError, OSError)


class _TooMuchError(Exception):
    """More came than is taken in."""


class _Client(httpx.Client):
    """httpx on the bounded network; what is on this machine is asked directly, whatever proxy the environment names."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        wire.bind(self.transports)

    @property
    def transports(self) -> list[httpx.BaseTransport]:
        return [self._transport, *(one for one in self._mounts.values() if one is not None)]

    def _transport_for_url(self, url: httpx.URL) -> httpx.BaseTransport:
        return self._transport if is_this_machine(url.host) else super()._transport_for_url(url)


class Transport:
    """One HTTP client: keeps connections alive, follows no redirect, keeps no cookie unless it is a browser.

    `timeout_s` bounds an exchange from its first byte to its last (a name is looked up before that), `max_bytes` its
    body. `permitted`, once it is set, are the only origins that a request may go to.
    """

    def __init__(self, recorder: Recorder, *, verify: ssl.SSLContext | bool = True, browser: bool = False,
                 timeout_s: float = TIMEOUT_S, max_bytes: int = MAX_BYTES, source: str | None = None) -> None:
        self.recorder = recorder
        self.verify = verify
        self.timeout_s = timeout_s
        self.max_bytes = max_bytes
        self.permitted: frozenset[str] | None = None
        # a server on loopback may mark its cookies Secure and still speak http
        policy = (DefaultCookiePolicy(secure_protocols=("https", "http")) if browser
                  else DefaultCookiePolicy(allowed_domains=[]))
        from_there = httpx.HTTPTransport(verify=verify, local_address=source, limits=_LIMITS) if source else None
        self._client = _Client(
            transport=from_there, verify=verify, limits=_LIMITS, timeout=timeout_s, follow_redirects=False,
            cookies=CookieJar(policy=policy), headers={"user-agent": "dcrcheck", "accept-encoding": "identity"},
            event_hooks={"response": [_set_location_aside]})

    def close(self) -> None:
        self._client.close()

    def browser(self) -> Transport:
        """A client with a cookie jar of its own."""
        other = Transport(self.recorder, verify=self.verify, browser=True, timeout_s=self.timeout_s,
                          max_bytes=self.max_bytes)
        other.permitted = self.permitted
        return other

    def elsewhere(self, source: str | None = None) -> Transport:
        """A client with connections of its own; from another address of this machine, if one is named."""
        other = Transport(self.recorder, verify=self.verify, timeout_s=self.timeout_s, max_bytes=self.max_bytes,
                          source=source)
        other.permitted = self.permitted
        return other

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
            Withheld: the request cannot be sent: its address or a header of it (such as a token that the server issued)
                is none, the address lies where no request may go, or the run may send no more.
        """
        items = list(headers.items() if isinstance(headers, Mapping) else headers)
        self._check_address(url)
        try:
            request = self._client.build_request(
                method, url, content=content if content or method in ("POST", "PUT", "PATCH") else None,
                headers=[(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in items],
                extensions={"target": target} if target is not None else None)
        except ValueError as fault:
            withhold(f"no request can be sent to {url[:200]!r}: {fault}")
        if not any(name.lower() == "cookie" for name, _ in items):
            # httpx fills the header from a copy of the jar that lacks its policy, and so holds Secure cookies back
            request.headers.pop("cookie", None)
            self._client.cookies.set_cookie_header(request)
        pools = wire.pools(self._client.transports)
        return self._exchange(method, url, items, content, lambda: _asked(self._client, request), pools,
                              again=method in _SAFE and wire.has_idle(pools))

    @contextlib.contextmanager
    def _asked_again(self, ask: _Ask, granted: wire.Allowance) -> Iterator[_Incoming]:
        """What a connection that was kept open does not answer, another is asked once (RFC 9112 section 9.3.1)."""
        with contextlib.ExitStack() as stack:
            try:
                incoming = stack.enter_context(ask())
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                if not granted.nothing_came:
                    raise
                self.recorder.admit()
                incoming = stack.enter_context(ask())
            yield incoming

    @contextlib.contextmanager
    def quick(self, url: str) -> Iterator[Callable[[list[tuple[str, str]], bytes], Answer]]:
        """One bare connection for POSTs in quick succession; the block calls what it gets with headers and body.

        httpx spends two milliseconds on a request, which on loopback would decide how fast a burst can be, and so
        whether a limit is met at all. Only for loopback: no proxy is heeded.
        """
        self._check_address(url)
        address = httpx.URL(url)
        place = httpcore.URL(scheme=address.raw_scheme, host=address.raw_host, port=address.port,
                             target=address.raw_path)
        pool = httpcore.ConnectionPool(httpx.create_ssl_context(self.verify) if address.scheme == "https" else None,
                                       max_connections=1, network_backend=wire.Backend())
        usual = {"host": address.netloc.decode(), "accept": "*/*", **self._client.headers}

        def post(items: list[tuple[str, str]], content: bytes) -> Answer:
            merged = {**usual, **{name.lower(): value for name, value in items}, "content-length": str(len(content))}
            request = httpcore.Request(
                "POST", place, content=content,
                headers=[(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in merged.items()])
            return self._exchange("POST", url, items, content, lambda: _asked_quickly(pool, request), [pool])

        with pool:
            yield post

    @contextlib.contextmanager
    def unfinished(self, url: str, headers: Mapping[str, str]) -> Iterator[None]:
        """A POST that has not come to its end: while the block lasts, the server waits for the rest of its body.

        The connection is direct, whatever proxy the environment names, and is cut off at the end of the block.

        Raises:
            Inconclusive: the host cannot be reached, or lies where no request may go.
        """
        self._check_address(url)
        self.recorder.admit()
        address = httpx.URL(url)
        fields = {"host": address.netloc.decode(), "content-type": "application/json", "content-length": "4096",
                  **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        with wire.allowance(self.timeout_s), contextlib.ExitStack() as stack:
            try:
                stream: httpcore.NetworkStream = wire.Backend().connect_tcp(
                    address.host, address.port or (443 if address.scheme == "https" else 80))
                stack.callback(lambda: stream.close())
                if address.scheme == "https":
                    stream = stream.start_tls(httpx.create_ssl_context(self.verify), address.host)
                stream.write(f"POST {address.raw_path.decode()} HTTP/1.1\r\n{head}\r\n{{".encode())
            except _FAILURES as failure:
                inconclusive(f"{address.netloc.decode()} cannot be reached: {_say(failure)}")
            yield

    def handshake(self, url: str, version: ssl.TLSVersion) -> str:
        """Why a TLS handshake of exactly this version fails at a URL's host; empty if it succeeds.

        The certificate is not judged (every other request does that), and nothing is sent afterwards.

        Raises:
            Inconclusive: the host cannot be reached or says nothing, or lies where no request may go; or the version is
                one that is not spoken here any more.
        """
        self._check_address(url)
        parts = urlsplit(url)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if version < ssl.TLSVersion.TLSv1_2:
            # of what nobody should use, everything is offered
            context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = version
        with wire.allowance(self.timeout_s):
            try:
                connection = wire.Backend().connect_tcp(parts.hostname or "", parts.port or 443)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failure:
                inconclusive(f"{parts.netloc} cannot be reached: {_say(failure)}")
            try:
                connection.start_tls(context, parts.hostname).close()
                return ""
            except httpcore.ConnectTimeout:
                inconclusive(f"{parts.netloc} does not end the TLS handshake in {self.timeout_s:g} s")
            except httpcore.ConnectError as failure:
                if "no protocols available" in str(failure).lower():
                    inconclusive(f"{version.name} is switched off on this machine")
                return _say(failure)

    def _check_address(self, url: str) -> None:
        """No request goes where the owner has not said that it may, nor where readers of its URL would not meet.

        Raises:
            Withheld: this one would.
        """
        try:
            address = httpx.URL(url)
        except (httpx.InvalidURL, ValueError) as fault:
            withhold(f"no request can be sent to {url[:200]!r}: {fault}")
        if address.userinfo:
            withhold(f"no request is sent to {url[:200]!r}: it holds user information (RFC 9110 section 4.2.4)")
        port = "" if address.port is None else f":{address.port}"
        if address.scheme not in ("http", "https") or not origin(url) or origin(url) not in (
                origin(str(address)), f"{address.scheme}://{address.host}{port}"):
            withhold(f"no request is sent to {url[:200]!r}: readers differ on where that is")
        if self.permitted is not None and origin(url) not in self.permitted:
            withhold(f"no request goes to {origin(url)}: it is another origin than the issuer's; list it under "
                         "[discovery] origins, if it is the server's (pages for users: [session] origins)")

    def _exchange(self, method: str, url: str, items: list[tuple[str, str]], content: bytes, ask: _Ask,
                  pools: Iterable[httpcore.ConnectionPool], *, again: bool = False) -> Answer:
        self.recorder.admit()
        self.recorder.redactor.learn_request(url, items, content)
        started, clock = time.time(), time.perf_counter()
        status, headers, body, error = 0, Headers(), bytearray(), ""
        with wire.allowance(self.timeout_s) as granted:
            try:
                with self._asked_again(ask, granted) if again else ask() as incoming:
                    status, headers = incoming.status, incoming.headers
                    granted.body_begins()
                    for chunk in incoming.chunks:
                        body += chunk
                        if len(body) > self.max_bytes:
                            raise _TooMuchError(f"the body exceeds {self.max_bytes} bytes")
                        granted.left(None, httpcore.ReadTimeout)
            except (httpx.LocalProtocolError, httpcore.LocalProtocolError) as fault:
                # what it would send stands in its own words, and may be a credential
                withhold(f"our own client refuses to send this request: {str(fault).partition(' b')[0]}")
            except (httpx.TimeoutException, httpcore.TimeoutException) as failure:
                error = (f"the body was not complete after {self.timeout_s:g} s" if status
                         else f"timed out after {self.timeout_s:g} s ({type(failure).__name__})")
            except (*_FAILURES, _TooMuchError) as failure:
                error = _say(failure)
        truncated, body = bool(error), body[:self.max_bytes]
        if not truncated and (surplus := wire.cut_off(incoming.connection, pools)):
            error = f"{surplus} bytes after the end of the answer were ignored"
        exchange = Exchange(
            id=self.recorder.next_id(), method=method, url=url, request_headers=tuple(items),
            request_body=_shown(content), status=status or None, response_headers=_shown_headers(headers),
            response_body=_shown(body), error=error, started=started, elapsed_s=time.perf_counter() - clock)
        self.recorder.record(exchange)
        answer = Answer(status=status, headers=headers, body=bytes(body), url=url, exchange=exchange,
                        elapsed_s=exchange.elapsed_s, truncated=truncated)
        self._learn(answer)
        return answer

    def _learn(self, answer: Answer) -> None:
        redactor = self.recorder.redactor
        redactor.learn_from(answer.content)
        for name, hidden in answer.repeated:
            redactor.learn_from(hidden, name)
        for cookie in answer.headers.get_list("set-cookie"):
            value = cookie.partition(";")[0].partition("=")[2].strip().strip('"')
            if len(value) >= 12:
                redactor.learn(value)


@dataclass(frozen=True, kw_only=True)
class _Incoming:
    """An answer whose body is still on its way."""

    status: int
    headers: Headers
    chunks: Iterator[bytes]
    connection: object


_Ask = Callable[[], contextlib.AbstractContextManager[_Incoming]]


@contextlib.contextmanager
def _asked(client: httpx.Client, request: httpx.Request) -> Iterator[_Incoming]:
    response = client.send(request, stream=True)
    try:
        yield _Incoming(status=response.status_code, headers=response.extensions[_AS_ANSWERED],
                        chunks=response.iter_raw(), connection=response.extensions.get("network_stream"))
    finally:
        response.close()


@contextlib.contextmanager
def _asked_quickly(pool: httpcore.ConnectionPool, request: httpcore.Request) -> Iterator[_Incoming]:
    response = pool.handle_request(request)
    try:
        yield _Incoming(status=response.status, headers=Headers(response.headers), chunks=response.iter_stream(),
                        connection=response.extensions.get("network_stream"))
    finally:
        response.close()


def _set_location_aside(response: httpx.Response) -> None:
    """httpx takes a redirect apart even if it is not to follow it, and gives up on an answer with an odd one."""
    response.extensions[_AS_ANSWERED] = response.headers
    response.headers = Headers([(name, value) for name, value in response.headers.raw if name.lower() != b"location"])


def tls_context(ca_pem: str | None) -> ssl.SSLContext | bool:
    """A context that trusts one extra authority, or the system's own as httpx configures them."""
    if ca_pem is None:
        return True
    return ssl.create_default_context(cadata=ca_pem)


def _shown(body: bytes | bytearray, most: int = _SHOWN) -> str:
    text = body[:most].decode("utf-8", "backslashreplace")
    return text if len(body) <= most else f"{text}… ({len(body)} bytes in all)"


def _shown_headers(headers: Headers) -> tuple[tuple[str, str], ...]:
    items = headers.multi_items()
    more = [("…", f"{len(items) - _SHOWN_HEADERS} more")] if len(items) > _SHOWN_HEADERS else []
    return (*((name, _shown(value.encode("utf-8", "surrogatepass"), _SHOWN_VALUE))
              for name, value in items[:_SHOWN_HEADERS]), *more)


def _say(error: Exception) -> str:
    words = str(error).strip() or type(error).__name__
    if words == "Receive buffer too long":  # h11
        return "the head of the answer is too large"
    return words.splitlines()[0][:300]


def finite(value: Any) -> bool:
    """Whether a JSON number is an integer count of seconds, as NumericDate members of these RFCs are."""
    return isinstance(value, int) and not isinstance(value, bool)


__all__ = ["MAX_BYTES", "TIMEOUT_S", "Answer", "Headers", "Transport", "finite", "tls_context"]
