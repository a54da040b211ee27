"""The network beneath HTTP: whatever a peer does, an exchange ends in time and within a bound.

httpx limits the time of one read or write. A peer that sends a byte a second keeps each of them short, and the exchange
as long as it likes; what comes before the body is not limited at all. Here every operation of an exchange draws on the
one allowance that was opened for it. The look-up of a name is the system's and heeds no deadline of ours; nor does a
peer behind a proxy that is itself spoken to over TLS, for as long as it keeps sending parts of one record.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import httpcore

MOST_BEFORE_BODY = 262_144
_BLOCK = 65_536


class Allowance:
    """What is left for one exchange: seconds, and bytes until its body begins."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._before_body: int | None = MOST_BEFORE_BODY

    @property
    def seconds(self) -> float:
        return self._end - time.monotonic()

    def left(self, timeout: float | None, expired: type[httpcore.TimeoutException]) -> float:
        """The seconds that one operation may take.

        Raises:
            httpcore.TimeoutException: none; of the kind that belongs to the operation.
        """
        if (seconds := self.seconds) <= 0:
            raise expired("the exchange took too long")
        return seconds if timeout is None else min(seconds, timeout)

    def took(self, size: int) -> None:
        """So many bytes came in.

        Raises:
            httpcore.RemoteProtocolError: they are too many, and the body has not begun.
        """
        if self._before_body is not None:
            self._before_body -= size
            if self._before_body < 0:
                raise httpcore.RemoteProtocolError(f"more than {MOST_BEFORE_BODY} bytes came before the body")

    @property
    def nothing_came(self) -> bool:
        """Whether the peer has sent nothing yet, not even what is no answer."""
        return self._before_body == MOST_BEFORE_BODY

    def body_begins(self) -> None:
        self._before_body = None


_current: ContextVar[Allowance | None] = ContextVar("allowance", default=None)


@contextlib.contextmanager
def allowance(seconds: float) -> Iterator[Allowance]:
    """The allowance for what this thread does in the block."""
    opened = Allowance(seconds)
    token = _current.set(opened)
    try:
        yield opened
    finally:
        _current.reset(token)


def _left(timeout: float | None, expired: type[httpcore.TimeoutException]) -> float | None:
    granted = _current.get()
    return timeout if granted is None else granted.left(timeout, expired)


class Stream(httpcore.NetworkStream):
    """A connection whose every operation draws on the allowance of the exchange at work."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))
        if (granted := _current.get()) is not None:
            granted.took(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # in blocks, since a peer that reads slowly makes many writes of one
        for start in range(0, len(buffer), _BLOCK):
            self._stream.write(buffer[start:start + _BLOCK], _left(timeout, httpcore.WriteTimeout))

    def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None,
                  timeout: float | None = None) -> httpcore.NetworkStream:
        return Stream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout, httpcore.ConnectTimeout)))

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class Backend(httpcore.NetworkBackend):
    """Opens such connections."""

    def __init__(self) -> None:
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
                    socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None) -> httpcore.NetworkStream:
        """A connection to the first address of the host that answers; the addresses share the time."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as failure:
            raise httpcore.ConnectError(str(failure)) from failure
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for place, address in enumerate(addresses, 1):
            left = _left(timeout, httpcore.ConnectTimeout)
            share = None if left is None else left / (len(addresses) - place + 1)
            try:
                return Stream(self._sockets.connect_tcp(address, port, share, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if place == len(addresses):
                    raise
        raise httpcore.ConnectError(f"{host} has no address")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def has_idle(pools: Iterable[httpcore.ConnectionPool]) -> bool:
    """Whether a connection is kept open that nothing is asked of."""
    return any(connection.is_idle() for pool in pools for connection in pool.connections)


def pools(transports: Iterable[Any]) -> list[Any]:
    """The connection pools beneath the transports of an httpx client."""
    return [transport._pool for transport in transports]


def bind(transports: Iterable[Any]) -> None:
    """Put the bounded network beneath the transports of an httpx client.

    httpx has no option for that, although the pools that it builds have one; `tests/test_transport.py` notices when
    the place is another.
    """
    for pool in pools(transports):
        pool._network_backend = Backend()


def cut_off(stream: object, pools: Iterable[Any]) -> int:
    """End a connection on which more came than the answer; returns how many bytes.

    They would be taken for the answer to the next request. (httpcore looks for them on the socket alone.)
    """
    for connection in (one for pool in pools for one in pool.connections):
        while (inner := getattr(connection, "_connection", None)) is not None:
            connection = inner
        if getattr(connection, "_network_stream", None) is stream:
            surplus, _ = connection._h11_state.trailing_data
            if surplus:
                connection.close()
            return len(surplus)
    return 0
