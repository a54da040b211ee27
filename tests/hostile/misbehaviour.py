"""Ways to misbehave: what a server does in place of answering."""

from __future__ import annotations

import json
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from tests.hostile.front import Misbehaviour, Reply, Visit

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
CREATED = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nConnection: close\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


def sending(*pieces: bytes) -> Misbehaviour:
    return lambda visit: b"".join(pieces)


def endless(start: bytes, piece: bytes) -> Misbehaviour:
    def flood(visit: Visit) -> Iterator[bytes]:
        yield start
        until = time.monotonic() + 60
        while time.monotonic() < until:
            yield piece

    return flood


def dripping(start: bytes, rest: bytes) -> Misbehaviour:
    def drip(visit: Visit) -> Iterator[bytes]:
        yield start
        yield from visit.drip(rest)

    return drip


def spoilt(spoil: Callable[[Reply, Visit], bytes | Reply | Iterable[bytes]]) -> Misbehaviour:
    """The correct answer, changed: what the request asked for has happened."""
    return lambda visit: spoil(visit.reply, visit)


def having(**members: Any) -> Misbehaviour:
    return lambda visit: visit.reply.having(**{
        name: value.format(issuer=visit.front.issuer, canary=visit.front.canary) if isinstance(value, str)
        and "{" in value else value for name, value in members.items()})


def with_header(name: str, value: str) -> Misbehaviour:
    return lambda visit: visit.reply.with_headers((name, value))


def saying(body: bytes | Callable[[bytes], bytes]) -> Misbehaviour:
    return lambda visit: visit.reply.saying(body(visit.reply.body) if callable(body) else body)


def refusing(status: str = "400 Bad Request", *headers: tuple[str, str], **members: Any) -> Misbehaviour:
    """A well-formed refusal that nothing comes of."""
    return lambda visit: Reply(status, [("Content-Type", "application/json"), *headers], json.dumps(members).encode())


def turned_on(method: Callable[[Visit], bool], then: Misbehaviour) -> Misbehaviour:
    return lambda visit: then(visit) if method(visit) else visit.reply


def reset(visit: Visit) -> bytes:
    """The connection is torn down, not closed."""
    visit.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    visit.peer.close()
    return b""


def reset_in_body(visit: Visit) -> bytes:
    visit.peer.sendall(b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"cl")
    time.sleep(0.1)
    return reset(visit)


def half_closed(visit: Visit) -> bytes:
    """It will never send anything, and will not go away either."""
    visit.peer.shutdown(socket.SHUT_WR)
    return b""


def silent(visit: Visit) -> bytes:
    visit.peer.settimeout(60)
    visit.peer.recv(1)
    return b""


def stubborn(visit: Visit) -> Iterator[bytes]:
    """An answer in full, on a connection that is left open with half of another."""
    yield visit.reply.raw() + b"HTTP/1.1 500 "
    time.sleep(3)


def coded(coding: str, compress: Callable[[bytes], bytes]) -> Misbehaviour:
    return lambda visit: visit.reply.saying(compress(visit.reply.body)).with_headers(("Content-Encoding", coding))


@cache
def bomb() -> bytes:
    """256 MiB of zeros in 256 kB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*(packer.compress(b"\0" * (1 << 20)) for _ in range(1 << 8)), packer.flush()])


def twice(body: bytes, **members: Any) -> bytes:
    """A JSON object with some members once more, at its end."""
    return body.rstrip()[:-1] + b"," + json.dumps(members).encode()[1:]


def first(body: bytes, text: str) -> bytes:
    """A JSON object with a member in front, as written."""
    return b"{" + text.encode() + b"," + body.lstrip()[1:]


def redirect(visit: Visit, where: str, status: str = "302 Found") -> Reply:
    return Reply(status, [("Location", where.format(issuer=visit.front.issuer, canary=visit.front.canary))], b"")


def redirecting(where: str, status: str = "302 Found") -> Misbehaviour:
    return lambda visit: redirect(visit, where, status)
