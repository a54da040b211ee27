"""TLS as a hostile server has it: certificates, and a handshake that does not end."""

from __future__ import annotations

import datetime
import socket
import ssl
import time
from pathlib import Path

import trustme


def _context(directory: Path, *names: str, until: datetime.datetime | None = None,
             trusted: bool = True) -> ssl.SSLContext:
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_after=until, not_before=datetime.datetime(2020, 1, 1) if until else None,
                         key_type=trustme.KeyType.ECDSA).configure_cert(context)
    (authority if trusted else trustme.CA()).cert_pem.write_to_path(directory / "ca.pem")
    return context


def good(directory: Path) -> ssl.SSLContext:
    return _context(directory, "127.0.0.1")


def expired(directory: Path) -> ssl.SSLContext:
    return _context(directory, "127.0.0.1", until=datetime.datetime(2021, 1, 1))


def wrong_host(directory: Path) -> ssl.SSLContext:
    return _context(directory, "idp.example.com")


def unknown(directory: Path) -> ssl.SSLContext:
    return _context(directory, "127.0.0.1", trusted=False)


TRUST = {"SSL_CERT_FILE": "{directory}/ca.pem"}


def slow_handshake(connection: socket.socket) -> None:
    """A byte of a TLS record now and then."""
    for byte in b"\x16\x03\x03\x40\x00" + b"\x02" * 300:
        time.sleep(0.2)
        connection.sendall(bytes([byte]))
