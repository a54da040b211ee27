"""A server on a real loopback socket, in a thread of this process."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import threading
from types import TracebackType
from typing import Self

import trustme
import uvicorn

from dcrcheck.reference.answers import PASSWORD, USERNAME
from dcrcheck.reference.server import Server
from dcrcheck.reference.statements import STATEMENT_ISSUER

START_SECONDS = 10.0
BACKLOG = 512


class Running:
    """A server that is being served; leave the `with` block or call `stop()` to end it."""

    username = USERNAME
    password = PASSWORD
    statement_issuer = STATEMENT_ISSUER

    def __init__(self, server: Server, listener: socket.socket, authority: trustme.CA | None) -> None:
        self.server = server
        self.issuer = server.issuer
        self.resource = server.resource
        self.initial_access_token = server.initial_access_token
        self.registrar = (server.registrar.client_id, str(server.registrar.secret))
        self.statement_key = server.statement_key_pem()
        self.ca_pem = authority.cert_pem.bytes().decode() if authority else None
        self._listener = listener
        self._http = _Http(server, _tls_context(server, authority, listener.getsockname()[0]) if authority else None)
        self._thread = threading.Thread(target=self._run, name="reference server", daemon=True)

    def start(self) -> Self:
        """Serve.

        Raises:
            RuntimeError: the server did not come up.
        """
        self._thread.start()
        if not self._http.ready.wait(START_SECONDS) or not self._http.started:
            raise RuntimeError("the reference server did not start")
        return self

    def stop(self) -> None:
        """End it, whatever connections are still open."""
        self._http.should_exit = True
        self._thread.join(START_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._http.serve(sockets=[self._listener]))
        finally:
            self._listener.close()
            self._http.ready.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()


class _Http(uvicorn.Server):
    def __init__(self, server: Server, context: ssl.SSLContext | None) -> None:
        super().__init__(uvicorn.Config(
            server.app, http="httptools", loop="asyncio", ws="none", lifespan="off", log_config=None,
            log_level="critical", access_log=False, proxy_headers=False, server_header=False, backlog=BACKLOG,
            timeout_keep_alive=30, ssl_context_factory=(lambda _config, _default: context) if context else None))
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Idle keep-alive connections are cut: a peer that does not answer the TLS farewell would hold us up."""
        for listener in self.servers:
            listener.close()
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
        await asyncio.sleep(0)


def serve(server: Server, *, host: str = "127.0.0.1", port: int = 0, tls: bool = True, path: str = "") -> Running:
    """Serve on loopback; the issuer is the address that comes out, with `path` after it.

    Raises:
        ValueError: `host` is not a loopback address, or `path` does not start with a slash.
        OSError: the port is taken.
    """
    address = ipaddress.ip_address(host)
    if not address.is_loopback:
        raise ValueError(f"the reference server is served on loopback only, not on {host}")
    if path and (not path.startswith("/") or path.endswith("/")):
        raise ValueError("the path of the issuer starts with a slash and does not end with one")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named, which socket.create_server does not
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(BACKLOG)
    name = f"[{host}]" if address.version == 6 else host
    server.issuer = f"{'https' if tls else 'http'}://{name}:{listener.getsockname()[1]}{path}"
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA) if tls else None
    return Running(server, listener, authority).start()


def _tls_context(server: Server, authority: trustme.CA, host: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.prepare_tls(context)
    authority.issue_cert(host, "localhost", key_type=trustme.KeyType.ECDSA).configure_cert(context)
    return context
