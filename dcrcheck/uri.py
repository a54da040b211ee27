"""How a URI is read: by browsers (the WHATWG URL Standard), by the generic syntax (RFC 3986), by a library."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from ada_url import URL

# schemes whose URLs browsers take apart by rules of their own, with their default ports
SPECIAL = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}
# schemes that run or render what the URL itself holds
EXECUTABLE = frozenset({"javascript", "data", "vbscript"})

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_GENERIC = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):"
                      r"(?://(?:[\w.~!$&'()*+,;=:%-]*@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.~!$&'()*+,;=%-]*)"
                      r"(?::(?P<port>[0-9]*))?(?=[/?#]|$))?"
                      r"(?:[\w.~!$&'()*+,;=:@/%-]*)(?:\?[\w.~!$&'()*+,;=:@/?%-]*)?(?:#[\w.~!$&'()*+,;=:@/?%-]*)?",
                      re.ASCII)
_PARTS = re.compile(r"([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a parser makes of a URI. `host` is empty where there is none; a default port is filled in."""

    scheme: str
    host: str
    port: int | None


def as_browser(text: str) -> Reading | None:
    """What a browser makes of a URL; None if it cannot navigate there."""
    try:
        url = URL(_SURROGATE.sub("\ufffd", text))
    except ValueError:
        return None
    scheme = url.protocol.removesuffix(":")
    if scheme not in SPECIAL:
        return Reading(scheme=scheme, host="", port=None)
    return Reading(scheme=scheme, host=url.hostname, port=int(url.port) if url.port else SPECIAL[scheme])


def as_generic(text: str) -> Reading | None:
    """What RFC 3986 makes of a URI; None if it breaks the syntax, so that no two parsers need agree."""
    parts = _GENERIC.fullmatch(text)
    if parts is None:
        return None
    scheme, host = parts["scheme"].lower(), (parts["host"] or "").lower()
    if scheme not in SPECIAL:
        return Reading(scheme=scheme, host="", port=None)
    return Reading(scheme=scheme, host=_literal(host) or host,
                   port=int(parts["port"]) if parts["port"] else SPECIAL[scheme])


def as_library(text: str) -> Reading | None:
    """What the standard library of Python makes of a URI, as a server in Python would; None if it takes it for none."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if parts.scheme not in SPECIAL:
        return Reading(scheme=parts.scheme, host="", port=None)
    host = _literal(f"[{host}]") or host if ":" in host else host
    return Reading(scheme=parts.scheme, host=host, port=SPECIAL[parts.scheme] if port is None else port)


def is_ambiguous(text: str) -> bool:
    """Whether two of the three readings differ in scheme, host or port, or one of them finds no URI at all."""
    reading = as_browser(text)
    return reading is None or reading != as_generic(text) or reading != as_library(text)


def is_executable(text: str) -> bool:
    """Whether a browser that is sent there runs or renders the URL itself."""
    reading = as_browser(text)
    return reading is not None and reading.scheme in EXECUTABLE


def is_cleartext(text: str) -> bool:
    """Whether a browser that is sent there speaks http to another machine."""
    reading = as_browser(text)
    return reading is not None and reading.scheme == "http" and not is_this_machine(reading.host)


def origin(url: str) -> str:
    """Scheme, host and port of a URL (RFC 6454 section 6.2); empty for what cannot be taken apart: nothing's origin."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    scheme, netloc = parts.scheme.lower(), parts.netloc.rpartition("@")[2].lower()
    host = netloc.rpartition(":")[0] if port is not None or netloc.endswith(":") else netloc
    return f"{scheme}://{host}" + ("" if port in (None, SPECIAL.get(scheme)) else f":{port}")


def leads_to(location: str, uri: str) -> bool:
    """Whether a Location is this URI with, at most, more in its query and fragment."""
    base, query, fragment = parts(location)
    goal, wanted, mark = parts(uri)
    held = parse_qsl(query[1:], keep_blank_values=True)
    return (base == goal and (not mark or (fragment.startswith("#") and mark[1:] in fragment))
            and all(pair in held for pair in parse_qsl(wanted[1:], keep_blank_values=True)))


def weight(uri: str) -> int:
    """How specific a URI is among those that lead to one place."""
    _, query, fragment = parts(uri)
    return len(parse_qsl(query[1:], keep_blank_values=True)) + len(fragment)


def parts(uri: str) -> tuple[str, str, str]:
    """Base, query with its question mark, fragment with its hash."""
    found = _PARTS.match(uri)
    return (found[1], found[2] or "", found[3] or "") if found else (uri, "", "")


def is_this_machine(host: str) -> bool:
    """Whether a host, as a browser reads it, is the loopback interface (RFC 6761 section 6.3, RFC 8252 section 7.3)."""
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _literal(host: str) -> str | None:
    """An IPv6 literal in its one canonical spelling."""
    if not host.startswith("["):
        return None
    try:
        address = ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        return ""
    # some versions of Python write the last two groups of such an address in dotted form
    if address.ipv4_mapped is None:
        return f"[{address.compressed}]"
    mapped = int(address.ipv4_mapped)
    return f"[::ffff:{mapped >> 16:x}:{mapped & 0xffff:x}]"
