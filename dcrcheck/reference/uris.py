"""URIs taken apart exactly as they are written: nothing is decoded, trimmed or repaired (RFC 3986)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

LOOPBACK_ADDRESSES = ("127.0.0.1", "[::1]")
LOOPBACK_HOSTS = (*LOOPBACK_ADDRESSES, "localhost")
DEFAULT_PORTS = {"https": 443, "http": 80}

_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/?#\\]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
_AUTHORITY = re.compile(r"(?:(.*)@)?(\[[^\]]*\]|[^:\[\]]*)(?::(.*))?", re.DOTALL)
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_NUMERIC = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SPECIAL_NAMES = ("localhost", "local", "internal", "invalid", "home.arpa", "onion")


@dataclass(frozen=True, kw_only=True)
class Uri:
    """The parts of an absolute URI. `authority` is None where there is no `//`; `port` is as written."""

    text: str
    scheme: str
    authority: str | None
    userinfo: str | None
    host: str
    port: str | None
    path: str
    query: str | None
    fragment: str | None

    @property
    def origin(self) -> tuple[str, str, int | None]:
        port = int(self.port) if self.port and self.port.isascii() and self.port.isdigit() else None
        return self.scheme.lower(), self.host.lower(), port or DEFAULT_PORTS.get(self.scheme.lower())

    @property
    def address(self) -> Address | None:
        """The IP address that the host is written as, if it is one."""
        text = self.host[1:-1] if self.host.startswith("[") else self.host
        try:
            return None if "%" in text else ipaddress.ip_address(text)
        except ValueError:
            return None


def parse(text: str) -> Uri | None:
    """The parts of `text`, or None if it is not an absolute URI."""
    match = _URI.fullmatch(text)
    if match is None:
        return None
    scheme, authority, path, query, fragment = match.groups()
    userinfo, host, port = None, "", None
    if authority is not None:
        parts = _AUTHORITY.fullmatch(authority)
        if parts is None:
            return None
        userinfo, host, port = parts.groups()
    return Uri(text=text, scheme=scheme, authority=authority, userinfo=userinfo, host=host, port=port, path=path,
               query=query, fragment=fragment)


def is_sound_host(uri: Uri) -> bool:
    """A host name or an IP address that every parser reads in the same way."""
    if uri.host.startswith("["):
        return isinstance(uri.address, ipaddress.IPv6Address)
    labels = uri.host.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        return isinstance(uri.address, ipaddress.IPv4Address)
    return len(uri.host) <= 253 and all(_LABEL.fullmatch(label) for label in labels)


def is_special_address(address: Address) -> bool:
    """Not a public unicast address, also where it is wrapped in an IPv6 address (RFC 6890)."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_special_address(inner)
    return not address.is_global or address.is_multicast


def is_special_name(host: str) -> bool:
    """A name that no public server can have (RFC 6761, RFC 6762, RFC 8375), or one without a dot."""
    name = host.lower()
    return "." not in name or any(name == special or name.endswith(f".{special}") for special in _SPECIAL_NAMES)
