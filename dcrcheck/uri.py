"""How a URI is read: by browsers (the WHATWG URL Standard) and by the generic syntax (RFC 3986)."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

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
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]*))?")
_TRIMMED = "".join(map(chr, range(0x21)))
_IGNORED = dict.fromkeys([0xAD, 0x200B, 0x2060, 0xFEFF])  # what UTS 46 maps to nothing
_FORBIDDEN = set("\x00\t\n\r #/:<>?@[\\]^|%\x7f") | set(_TRIMMED)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a parser makes of a URI. `host` is empty where there is none; a default port is filled in."""

    scheme: str
    host: str
    port: int | None


def as_browser(text: str) -> Reading | None:
    """What a browser makes of a URL; None if it cannot navigate there."""
    text = re.sub(r"[\t\n\r]", "", text.strip(_TRIMMED))
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if not colon or not _SCHEME.fullmatch(scheme):
        return None
    if scheme not in SPECIAL:
        return Reading(scheme=scheme, host="", port=None)
    authority = re.split(r"[/\\?#]", rest.lstrip("/\\"), maxsplit=1)[0].rpartition("@")[2]
    parts = _AUTHORITY.fullmatch(authority)
    host = _browser_host(parts[1]) if parts else None
    if parts is None or not host or int(parts[2] or 0) > 65535:
        return None
    return Reading(scheme=scheme, host=host, port=int(parts[2]) if parts[2] else SPECIAL[scheme])


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


def is_ambiguous(text: str) -> bool:
    """Whether a browser and the generic syntax read scheme, host or port differently, or one of them not at all."""
    reading = as_browser(text)
    return reading is None or reading != as_generic(text)


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


def is_this_machine(host: str) -> bool:
    """Whether a host, as a browser reads it, is the loopback interface (RFC 6761 section 6.3, RFC 8252 section 7.3)."""
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _literal(host: str) -> str | None:
    """An IPv6 literal in its one canonical spelling."""
    if not host.startswith("["):
        return None
    try:
        return f"[{ipaddress.IPv6Address(host[1:-1]).compressed}]"
    except ValueError:
        return ""


def _browser_host(text: str) -> str | None:
    if text.startswith("["):
        return None if "%" in text else _literal(text) or None
    host = unicodedata.normalize("NFKC", unquote(text).translate(_IGNORED)).replace("\u3002", ".").lower()
    if any(c in _FORBIDDEN or unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in host):
        return None
    host = ".".join(label if label.isascii() else "xn--" + label.encode("punycode").decode()
                    for label in host.split("."))
    parts = host.removesuffix(".").split(".")
    return _address(parts) if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", parts[-1]) else host


def _address(parts: list[str]) -> str | None:
    """An IPv4 address in any of the spellings that browsers know: 127.1, 0x7f000001, 0177.0.0.1 …"""
    try:
        numbers = [int(p[2:] or "0", 16) if p.startswith("0x") else int(p, 8 if p[0] == "0" else 10) for p in parts]
    except (ValueError, IndexError):
        return None
    if len(numbers) > 4 or any(number > 255 for number in numbers[:-1]):
        return None
    value = sum(number << (24 - 8 * place) for place, number in enumerate(numbers[:-1])) + numbers[-1]
    return str(ipaddress.IPv4Address(value)) if numbers[-1] < 256 ** (5 - len(numbers)) else None
