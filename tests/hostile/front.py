"""A loopback server that is correct except at one stage: the reference server behind a front that misbehaves there."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dcrcheck.reference import Server, serve

SECRETS = ("client_secret", "registration_access_token", "access_token", "refresh_token", "id_token")
_STAGES = (
    ("metadata", "GET", re.compile(r"/\.well-known/(oauth-authorization-server|openid-configuration)")),
    ("resource metadata", "GET", re.compile(r"/\.well-known/oauth-protected-resource")),
    ("registration", "POST", re.compile(r"/register$")),
    ("read", "GET", re.compile(r"/register/.")), ("update", "PUT", re.compile(r"/register/.")),
    ("deletion", "DELETE", re.compile(r"/register/.")),
    ("authorization", "GET", re.compile(r"/authorize")), ("login", "POST", re.compile(r"/login")),
    ("consent", "POST", re.compile(r"/consent")), ("token", "POST", re.compile(r"/token$")),
    ("resource", "GET", re.compile(r"/mcp$")), ("keys", "GET", re.compile(r"/jwks\.json$")),
)


@dataclass
class Reply:
    """An answer as the reference server gives it, to be spoilt before it is sent."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def having(self, **members: Any) -> Reply:
        """The same JSON object with some members changed; None takes one out."""
        document = {**self.json, **members}
        return self.saying(json.dumps({k: v for k, v in document.items() if v is not None}).encode())

    def saying(self, body: bytes) -> Reply:
        return Reply(self.status, self.headers, body)

    def with_headers(self, *headers: tuple[str, str]) -> Reply:
        names = {name.lower() for name, _ in headers}
        return Reply(self.status, [*(h for h in self.headers if h[0].lower() not in names), *headers], self.body)

    def raw(self, *, length: str | None = "", last: bool = True) -> bytes:
        """What goes over the wire; `length` None leaves Content-Length out. `last`: the connection will be closed."""
        framing = [] if length is None else [("Content-Length", length or str(len(self.body)))]
        framing += [("Connection", "close")] if last else []
        head = "".join(f"{name}: {value}\r\n" for name, value in [*self.headers, *framing])
        return f"HTTP/1.1 {self.status}\r\n{head}\r\n".encode("utf-8", "surrogateescape") + self.body


@dataclass
class Visit:
    """One request at the stage that misbehaves. `front` knows the addresses, `number` counts such requests from 1."""

    front: Front
    peer: socket.socket
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    number: int
    stage: str = ""

    @cached_property
    def reply(self) -> Reply:
        """The correct answer; what the request does is done."""
        return self.front.ask(self.method, self.path, self.headers, self.body)

    def drip(self, text: bytes, *, every: float = 0.2) -> Iterator[bytes]:
        """One byte at a time, for a minute at most."""
        for place in range(min(len(text), int(60 / every))):
            time.sleep(every)
            yield text[place:place + 1]


# what a stage does instead of answering: the bytes to send, in pieces if need be; the connection is closed afterwards
Misbehaviour = Callable[[Visit], "bytes | Reply | Iterable[bytes]"]


@dataclass
class Front:
    """Accepts connections, and passes on what it does not spoil."""

    stage: str
    misbehave: Misbehaviour | None = None
    tls: ssl.SSLContext | None = None
    greet: Callable[[socket.socket], None] | None = None
    policy: str = "rfc7591"
    host: str = "127.0.0.1"
    requests: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    canary_hits: list[str] = field(default_factory=list)
    longest_s: float = 0.0

    def start(self) -> None:
        self.server = Server() if self.policy == "rfc7591" else type("Server", (Server,), {"policy": self.policy})()
        self.running = serve(self.server, tls=False)
        self._backend = urlsplit(self.running.issuer).netloc
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self.issuer = f"http{'s' if self.tls else ''}://{self.host}:{self.port}"
        self.server.issuer = self.issuer
        self._canary = socket.create_server(("127.0.0.1", 0))
        self.canary = f"http://127.0.0.1:{self._canary.getsockname()[1]}"
        self._count = 0
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        """Nobody has any business here."""
        while True:
            connection, _ = self._canary.accept()
            connection.settimeout(1)
            with connection, contextlib.suppress(OSError):
                self.canary_hits.append(connection.recv(2000).decode("latin-1"))

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        started = time.monotonic()
        try:
            with connection:
                if self.greet is not None:
                    self.greet(connection)
                peer = self.tls.wrap_socket(connection, server_side=True) if self.tls else connection
                peer.settimeout(90)
                with peer, peer.makefile("rb") as stream:
                    while self._serve(peer, stream):
                        pass
        except (OSError, ValueError, http.client.HTTPException):
            pass
        finally:
            if self.greet is not None:
                self.longest_s = max(self.longest_s, time.monotonic() - started)

    def _serve(self, peer: socket.socket, stream: Any) -> bool:
        """One request; whether another may follow."""
        line = stream.readline(70_000).decode("latin-1").split()
        if len(line) != 3:
            return False
        method, path, _ = line
        headers: dict[str, str] = {}
        while (field := stream.readline(70_000).decode("latin-1").strip()):
            name, _, value = field.partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", "0")))
        stage = next((name for name, verb, where in _STAGES if verb == method and where.match(path)), "other")
        self.requests.append(f"{stage}: {method} {path[:200]}")
        if self.stage in (stage, "all") and self.misbehave is not None:
            with self._lock:
                self._count += 1
                number = self._count
            visit = Visit(self, peer, method, path, headers, body, number, stage)
            started = time.monotonic()
            try:
                answer = self.misbehave(visit)
                if not isinstance(answer, Reply):
                    for piece in [answer] if isinstance(answer, bytes) else answer:
                        peer.sendall(piece)
            finally:
                self.longest_s = max(self.longest_s, time.monotonic() - started)
            if not isinstance(answer, Reply):
                self._hang_up(peer)
                return False
            self._learn(reply := answer)
        else:
            reply = self.ask(method, path, headers, body)
        peer.sendall(reply.raw(length=None if reply.status.startswith("204") else "", last=False))
        return True

    def _hang_up(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            peer.shutdown(socket.SHUT_WR)
            # what is unread when a socket is closed makes the kernel throw away what was sent
            peer.settimeout(5)
            while peer.recv(65536):
                pass

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        connection = http.client.HTTPConnection(self._backend, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                if name != "connection":
                    connection.putheader(name, value.encode("latin-1"))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        kept = [(name, value) for name, value in answer.getheaders()
                if name.lower() not in ("content-length", "connection", "transfer-encoding")]
        reply = Reply(f"{answer.status} {answer.reason}", kept, content)
        self._learn(reply)
        return reply

    def _learn(self, reply: Reply) -> None:
        with contextlib.suppress(ValueError, RecursionError):
            members = json.loads(reply.body)
            if isinstance(members, dict):
                self.secrets.update(m for name in SECRETS if isinstance(m := members.get(name), str) and len(m) >= 12)
        for name, value in reply.headers:
            if name.lower() == "location":
                with contextlib.suppress(ValueError):
                    self.secrets.update(parse_qs(urlsplit(value).query).get("code", ()))
            elif name.lower() == "set-cookie":
                cookie = value.partition(";")[0].partition("=")[2]
                self.secrets.update({cookie} if len(cookie) >= 12 else ())

    def facts(self) -> dict[str, Any]:
        clients = [client.metadata.get("client_name", "") for client in self.server.store.clients.values()]
        return {"clients": clients, "requests": self.requests, "secrets": sorted(self.secrets),
                "canary": self.canary_hits, "longest_s": round(self.longest_s, 3)}


def keep(front: Front, directory: Path) -> None:
    """Serve until SIGTERM, then write down what was seen; `address` appears in the directory when it is ready."""
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    front.start()
    (directory / "address.part").write_text(json.dumps(
        {"issuer": front.issuer, "canary": front.canary, "port": front.port}))
    (directory / "address.part").rename(directory / "address")
    done.wait(120)
    (directory / "facts").write_text(json.dumps(front.facts()))
