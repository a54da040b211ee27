"""The wire: bounded whatever the peer does, and going only where the owner says."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from dcrcheck import wire
from dcrcheck.evidence import Exchange, Recorder
from dcrcheck.transport import Transport
from dcrcheck.verdict import Inconclusive, Withheld

TIMEOUT_S = 0.6
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@contextlib.contextmanager
def serving(talk: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A raw server on loopback; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def one(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(10)
            peer = context.wrap_socket(connection, server_side=True) if context else connection
            with peer:
                talk(peer)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def answering(*pieces: bytes, every: float = 0.0) -> Callable[[socket.socket], None]:
    """Reads a request, then sends these pieces."""
    def talk(peer: socket.socket) -> None:
        while peer.recv(65536):
            for piece in pieces:
                peer.sendall(piece)
                time.sleep(every)

    return talk


class Gate:
    """Counts what was let through."""

    def __init__(self) -> None:
        self.admitted = 0

    def admit(self) -> None:
        self.admitted += 1

    def seen(self, exchange: Exchange) -> None:
        pass


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport(Recorder(), timeout_s=TIMEOUT_S)
    yield transport
    transport.close()


class TestConnections:
    """What a server closes without a word."""

    @pytest.fixture
    def gate(self, transport: Transport) -> Gate:
        transport.recorder.gate = gate = Gate()
        return gate

    @staticmethod
    def answers_once(peer: socket.socket) -> None:
        """Answers the first request of a connection; takes the second, and closes it."""
        def take() -> None:
            received = b""
            while more := peer.recv(65536):
                received += more
                if received.endswith(b"\r\n\r\nx" if received.startswith(b"POST") else b"\r\n\r\n"):
                    return

        take()
        peer.sendall(OK)
        take()

    def test_a_read_is_sent_again_on_another_connection(self, transport: Transport, gate: Gate):
        with serving(self.answers_once) as port:
            answers = [transport.send("GET", f"http://127.0.0.1:{port}/") for _ in range(3)]

        assert [answer.status for answer in answers] == [200, 200, 200]
        assert gate.admitted == 5

    def test_what_changes_something_is_sent_once(self, transport: Transport, gate: Gate):
        with serving(self.answers_once) as port:
            answers = [transport.send("POST", f"http://127.0.0.1:{port}/", content=b"x") for _ in range(2)]

        assert [answer.status for answer in answers] == [200, 0]
        assert answers[1].exchange.error
        assert gate.admitted == 2

    def test_an_answer_that_is_none_is_not_asked_for_again(self, transport: Transport, gate: Gate):
        """A second request would hide it."""
        def talk(peer: socket.socket) -> None:
            for answer in (OK, b"no HTTP\r\n\r\n"):
                peer.recv(65536)
                peer.sendall(answer)

        with serving(talk) as port:
            answers = [transport.send("GET", f"http://127.0.0.1:{port}/") for _ in range(2)]

        assert [answer.status for answer in answers] == [200, 0]
        assert gate.admitted == 2

    def test_a_server_that_answers_nothing_is_asked_once(self, transport: Transport, gate: Gate):
        with serving(lambda peer: peer.recv(65536)) as port:
            answer = transport.send("GET", f"http://127.0.0.1:{port}/")

        assert answer.status == 0 and gate.admitted == 1


class TestTime:
    """An exchange ends in time."""

    @pytest.mark.parametrize("pieces", [
        [b"HTTP/1.1 200 OK\r\nX: "] + [b"y"] * 100, [b"HTTP/1.1 100 Continue\r\n\r\n"] * 100, [*[b"H"] * 100],
        [b"HTTP/1.1 200 OK\r\n\r\n"] + [b"y"] * 100,
    ], ids=["header", "interim answers", "status line", "body"])
    @pytest.mark.parametrize("way", ["usual", "quick"])
    def test_a_peer_that_keeps_sending_a_little(self, transport: Transport, pieces: list[bytes], way: str):
        with serving(answering(*pieces, every=0.1)) as port:
            url, started = f"http://127.0.0.1:{port}/", time.monotonic()
            if way == "usual":
                answer = transport.send("GET", url)
            else:
                with transport.quick(url) as post:
                    answer = post([("content-type", "text/plain")], b"x")

        assert time.monotonic() - started < 2 * TIMEOUT_S
        assert answer.truncated
        assert "0.6 s" in answer.exchange.error

    def test_a_peer_that_does_not_read(self, transport: Transport):
        with serving(lambda peer: time.sleep(5)) as port:
            started = time.monotonic()
            answer = transport.send("POST", f"http://127.0.0.1:{port}/", content=b"x" * 30_000_000)

        assert time.monotonic() - started < 2 * TIMEOUT_S
        assert answer.status == 0

    def test_a_handshake_that_does_not_end(self, transport: Transport):
        with serving(answering(b"\x16\x03\x03\x40\x00", *[b"\x02"] * 100, every=0.1)) as port:
            started = time.monotonic()
            with pytest.raises(Inconclusive, match="does not end the TLS handshake"):
                transport.handshake(f"https://127.0.0.1:{port}/", ssl.TLSVersion.TLSv1_2)

        assert time.monotonic() - started < 2 * TIMEOUT_S

    def test_each_exchange_has_an_allowance_of_its_own(self, transport: Transport):
        with serving(answering(OK, every=0.3)) as port:
            answers = [transport.send("GET", f"http://127.0.0.1:{port}/") for _ in range(4)]

        assert [answer.status for answer in answers] == [200] * 4


class TestSize:
    """What comes is bounded, before the body too."""

    @pytest.mark.parametrize(("piece", "said"), [
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000, "the head of the answer is too large"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20_000, f"more than {wire.MOST_BEFORE_BODY} bytes came before the body"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 6_000_000, "the body exceeds 5000000 bytes"),
    ], ids=["headers", "interim answers", "body"])
    def test_too_much(self, transport: Transport, piece: bytes, said: str):
        transport.timeout_s = 5
        with serving(answering(piece)) as port:
            answer = transport.send("GET", f"http://127.0.0.1:{port}/")

        assert answer.exchange.error == said
        assert len(answer.body) <= 5_000_000

    def test_what_is_shown_of_headers_is_bounded(self, transport: Transport):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nLong: " + b"x" * 9_000 + b"\r\n" + b"X: y\r\n" * 5_000
        with serving(answering(head + b"\r\n")) as port:
            exchange = transport.send("GET", f"http://127.0.0.1:{port}/").exchange

        assert len(exchange.response_headers) == 101
        assert sum(len(value) for _, value in exchange.response_headers) < 5_000


class TestAnswers:
    """An answer is taken for what it is, and for nothing else."""

    def test_bytes_behind_an_answer_are_not_the_next_one(self, transport: Transport):
        forged = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
        with serving(answering(OK + forged)) as port:
            answers = [transport.send("GET", f"http://127.0.0.1:{port}/") for _ in range(3)]

        assert [answer.status for answer in answers] == [200] * 3
        assert answers[0].exchange.error == f"{len(forged)} bytes after the end of the answer were ignored"
        assert not answers[0].truncated

    @pytest.mark.parametrize("location", [b"http://[half:an:address", b"//", b"http://" + b"a" * 80_000, b"\xff\xfe",
                                          b"javascript:alert(1)"], ids=["brackets", "empty", "long", "latin", "script"])
    def test_a_redirect_to_an_odd_place_is_a_redirect(self, transport: Transport, location: bytes):
        head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
        with serving(answering(head)) as port:
            answer = transport.send("GET", f"http://127.0.0.1:{port}/")

        assert answer.status == 302
        assert answer.location == location.decode("latin-1")
        assert answer.query == {}

    def test_a_body_in_a_coding_is_not_judged(self, transport: Transport):
        with serving(answering(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}")) as port:
            answer = transport.send("GET", f"http://127.0.0.1:{port}/")

        assert answer.members == {}
        with pytest.raises(Inconclusive, match="which was not asked for"):
            _ = answer.json

    def test_what_is_cut_off_is_not_judged(self, transport: Transport):
        def leave_early(peer: socket.socket) -> None:
            peer.recv(9999)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}")

        with serving(leave_early) as port:
            answer = transport.send("GET", f"http://127.0.0.1:{port}/")

        assert answer.body == b"{}"
        with pytest.raises(Inconclusive, match="peer closed connection"):
            _ = answer.json

    def test_every_value_of_a_repeated_credential_is_kept_secret(self, transport: Transport):
        body = b'{"client_secret":"the-first-secret","client_secret":"the-second-secret"}'
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        with serving(answering(head + body)) as port:
            transport.send("GET", f"http://127.0.0.1:{port}/")

        assert transport.recorder.redactor.scrub("the-first-secret the-second-secret").count("secret") == 0


class TestPlace:
    """A request goes where the owner says, and nowhere else."""

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://localhost:9/", "https://other.example/",
                                     "file:///etc/passwd", "data:,x"])
    def test_nothing_is_sent_elsewhere(self, transport: Transport, url: str):
        transport.permitted = frozenset({"http://127.0.0.1:9"})

        with pytest.raises(Withheld, match="no request"):
            transport.send("GET", url)
        assert transport.recorder.count == 0

    @pytest.mark.parametrize("url", [
        "http://127.0.0.1:9\\@127.0.0.1:1/", "http://a@127.0.0.1:9@127.0.0.1:1/", "http://user:secret@127.0.0.1:9/",
        "http://127.0.0.1:9 /", "http://127.0.0.1:99999/", "http://[::1/", "http://127.0.0.1:9/\x00", "//127.0.0.1:9/",
        "http://127.0.0.1:9/\ud800",
    ], ids=ascii)
    def test_nothing_is_sent_where_readers_would_differ(self, transport: Transport, url: str):
        with pytest.raises(Withheld, match="no request"):
            transport.send("GET", url)

    def test_a_wall_stands_before_every_way_out(self, transport: Transport):
        transport.permitted = frozenset({"http://127.0.0.1:9"})

        with pytest.raises(Withheld), transport.quick("http://127.0.0.1:1/"):
            pass
        with pytest.raises(Withheld):
            transport.handshake("https://127.0.0.1:1/", ssl.TLSVersion.TLSv1_2)
        with pytest.raises(Withheld):
            transport.browser().send("GET", "http://127.0.0.1:1/")

    def test_a_token_that_no_header_can_hold_is_not_sent(self, transport: Transport):
        with serving(answering(OK)) as port, pytest.raises(Withheld, match="refuses to send") as refusal:
            transport.send("GET", f"http://127.0.0.1:{port}/", headers={"authorization": "Bearer abc\r\nX-Injected: y"})

        assert "abc" not in str(refusal.value)

    @pytest.mark.parametrize(("cookie", "kept"), [
        ("mine=value", True), ("mine=value; Domain=example.com", False), ("mine=value; Domain=.com", False),
        ("mine=value; Domain=localhost", False),
    ])
    def test_a_browser_keeps_no_cookie_for_another_domain(self, transport: Transport, cookie: str, kept: bool):
        head = f"HTTP/1.1 200 OK\r\nSet-Cookie: {cookie}\r\nContent-Length: 0\r\n\r\n".encode()
        browser = transport.browser()
        with serving(answering(head)) as port:
            browser.send("GET", f"http://127.0.0.1:{port}/")

        assert bool(len(browser._client.cookies.jar)) is kept


class TestWay:
    """Proxies and authorities are those of the environment, as httpx has them."""

    @pytest.fixture
    def authority(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        return authority

    @pytest.fixture
    def idp(self, authority: trustme.CA) -> Iterator[int]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("idp.example.com").configure_cert(context)
        with serving(answering(OK), context) as port:
            yield port

    @pytest.fixture
    def proxy(self, idp: int) -> Iterator[tuple[str, list[str]]]:
        """Connects every tunnel to the one server; keeps what it was asked for."""
        asked: list[str] = []

        def tunnel(peer: socket.socket) -> None:
            asked.append(peer.recv(65536).decode().partition("\r\n")[0])
            with socket.create_connection(("127.0.0.1", idp)) as other:
                peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=pump, args=(other, peer), daemon=True)
                back.start()
                pump(peer, other)
                back.join(5)

        with serving(tunnel) as port:
            yield f"http://127.0.0.1:{port}", asked

    def test_a_request_goes_through_the_proxy_of_the_environment(self, proxy, monkeypatch: pytest.MonkeyPatch):
        address, asked = proxy
        monkeypatch.setenv("HTTPS_PROXY", address)
        transport = Transport(Recorder(), timeout_s=5)
        answer = transport.send("GET", "https://idp.example.com/metadata")
        transport.close()

        assert (answer.status, answer.exchange.error) == (200, "")
        assert asked == ["CONNECT idp.example.com:443 HTTP/1.1"]

    def test_what_no_proxy_names_does_not(self, proxy, idp: int, monkeypatch: pytest.MonkeyPatch):
        address, asked = proxy
        monkeypatch.setenv("HTTPS_PROXY", address)
        monkeypatch.setenv("NO_PROXY", "idp.example.com")
        resolve_to_loopback(monkeypatch)
        transport = Transport(Recorder(), timeout_s=5)
        answer = transport.send("GET", f"https://idp.example.com:{idp}/metadata")
        transport.close()

        assert (answer.status, asked) == (200, [])

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.9.9.9"])
    def test_loopback_does_not(self, host: str, proxy, monkeypatch: pytest.MonkeyPatch):
        address, asked = proxy
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, address)
        transport = Transport(Recorder(), timeout_s=5)
        transport.send("GET", f"http://{host}:9/")
        transport.send("GET", f"https://{host}:9/")
        transport.close()

        assert asked == []

    def test_a_tunnel_is_bounded_too(self, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch):
        with serving(answering(b"HTTP/1.1 200 OK\r\nX: ", *[b"y"] * 100, every=0.1)) as port:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
            transport = Transport(Recorder(), timeout_s=TIMEOUT_S)
            started = time.monotonic()
            answer = transport.send("GET", "https://idp.example.com/")
            transport.close()

        assert time.monotonic() - started < 2 * TIMEOUT_S
        assert answer.status == 0

    def test_a_certificate_of_nobody_is_not_accepted(self, idp: int, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.delenv("SSL_CERT_FILE")
        resolve_to_loopback(monkeypatch)
        for verify, status in ((True, 0), (False, 200)):
            transport = Transport(Recorder(), verify=verify, timeout_s=5)
            assert transport.send("GET", f"https://idp.example.com:{idp}/").status == status
            transport.close()


def test_the_network_of_httpx_is_where_we_replace_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    transport = Transport(Recorder())
    pools = wire.pools(transport._client.transports)
    transport.close()

    assert len(pools) == 2
    assert all(isinstance(pool._network_backend, wire.Backend) for pool in pools)


def resolve_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name stands for this machine."""
    look_up = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **named: look_up("127.0.0.1", *more, **named))


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
