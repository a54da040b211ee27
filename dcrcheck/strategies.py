"""What the fuzzed properties draw from: client metadata after the grammar of its JSON Schema, and hostile values.

Every URL that is generated lies under a name reserved for documentation and testing (RFC 2606, RFC 6761), so that no
server that follows one can reach a real host or an internal address; `is_harmless` says so of any value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import quote

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from dcrcheck.house import SCHEMAS

HOSTS: Final = ("client.example", "app.client.example", "foreign.example", "client.test", "client.invalid",
                "example.com", "www.example.org", "login.example.net")
_RESERVED = re.compile(r"(?:[a-z0-9-]+\.)*(?:[a-z0-9-]+\.(?:example|test|invalid)|example\.(?:com|org|net))", re.I)
_AUTHORITY = re.compile(r"[/\\]{2}([^/\\?#\s\"'<>]*)")
# what UTF-8 can encode; asked for by the name of a codec, Hypothesis would spend two seconds to find it out
_ANY = st.characters(exclude_categories=["Cs"])


# -- URLs -----------------------------------------------------------------------------------------------------------


def authorities(text: str) -> Iterator[str]:
    """The hosts that any parser might find in a text: whatever stands after two slashes, and after an @ in it."""
    for authority in _AUTHORITY.findall(text):
        for part in authority.split("@"):
            yield re.sub(r":\d*$", "", part)


def is_harmless(value: Any) -> bool:
    """Whether every URL in a JSON value lies under a reserved name."""
    if isinstance(value, Mapping):
        return all(is_harmless(item) for pair in value.items() for item in pair)
    if isinstance(value, list | tuple):
        return all(map(is_harmless, value))
    return not isinstance(value, str) or all(_RESERVED.fullmatch(host) for host in authorities(value))


@cache
def hosts() -> SearchStrategy[str]:
    return st.sampled_from(HOSTS)


@cache
def _segments() -> SearchStrategy[str]:
    words = st.text(st.characters(max_codepoint=127, categories=("Ll", "Lu", "Nd"), include_characters="-._~"),
                    min_size=1, max_size=8)
    return st.one_of(words, st.text(_ANY, min_size=1, max_size=4).map(lambda text: quote(text, safe="")),
                     st.sampled_from(["cb", "..", ".", "%2e%2e", "%00", "%0d%0a", "%2f", "caf%C3%A9", "cafe%CC%81"]))


@cache
def web_urls(schemes: tuple[str, ...] = ("https",)) -> SearchStrategy[str]:
    """http or https URLs at reserved hosts."""
    return st.tuples(
        st.sampled_from(schemes), st.just("://"), hosts(), st.sampled_from(["", "", "", ":443", ":8443"]),
        st.lists(_segments(), max_size=3).map(lambda parts: "".join(f"/{part}" for part in parts)),
        st.sampled_from(["", "", "?tenant=1", "?a=1&a=2"])).map("".join)


@cache
def redirect_uris() -> SearchStrategy[str]:
    """Redirect URIs of the classes that RFC 7591, section 5, allows, but for loopback."""
    return st.one_of(web_urls(), st.sampled_from(["https://client.example/cb", "com.example.app:/cb"]))


EXECUTABLE_SCHEMES: Final = ("javascript", "data", "vbscript", "blob", "filesystem", "view-source")


@cache
def unsafe_redirect_uris() -> SearchStrategy[str]:
    """Redirect URIs that no server may register: executable schemes in disguise, http beyond loopback."""
    rests = ["alert(1)", "//client.example/%0aalert(1)", "text/html,<i>dcrcheck</i>", "/cb"]
    cases = st.sampled_from([str, str.upper, str.title])
    executable = st.builds(_disguised, st.sampled_from(EXECUTABLE_SCHEMES), cases,
                           st.sampled_from(["", "", " ", "\x01", "\t", "\n", "\r"]), st.integers(0, 10),
                           st.sampled_from(rests))
    return st.one_of(executable, web_urls(("http", "HTTP", "Http")))


def _disguised(scheme: str, case: Callable[[str], str], blank: str, place: int, rest: str) -> str:
    """A scheme as a browser would still read it: it trims blanks at the start, and drops line breaks anywhere."""
    at = 0 if blank in (" ", "\x01") else min(place, len(scheme))
    return f"{case(scheme)[:at]}{blank}{case(scheme)[at:]}:{rest}"


def is_unsafe_redirect_uri(uri: str) -> bool:
    """Whether a browser would execute it, or carry a code to it in the clear (RFC 7591, section 5).

    Reads the scheme as the URL Standard does: leading C0 controls and blanks, and all tabs and line breaks, count for
    nothing.
    """
    cleaned = re.sub(r"[\t\n\r]", "", uri.lstrip("".join(map(chr, range(0x21)))))
    scheme = cleaned.partition(":")[0].lower()
    if scheme in (*EXECUTABLE_SCHEMES, "file", "about", "intent"):
        return True
    host = next(authorities(cleaned), "").strip("[]").lower()
    return scheme == "http" and host not in ("localhost", "127.0.0.1", "::1")


# -- the grammar ----------------------------------------------------------------------------------------------------


@cache
def _schema() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((SCHEMAS / "client_metadata.schema.json").read_text(encoding="utf-8"))
    return content


@cache
def known_members() -> tuple[str, ...]:
    """The members that RFC 7591, section 2, defines, in the order of the schema."""
    return tuple(_schema()["properties"])


def unordered(value: Any) -> Any:
    """A value to compare: the order of a list of strings, such as redirect_uris, means nothing in RFC 7591."""
    return sorted(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else value


def _from_schema(schema: Mapping[str, Any]) -> SearchStrategy[Any]:
    """Values that a (sub)schema of ours admits. Knows the keywords that our schemas use, and no others."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return _from_schema({**_schema()["$defs"][name], **{k: v for k, v in schema.items() if k != "$ref"}})
    examples = [example for example in schema.get("examples", ()) if is_harmless(example)]
    drawn = _drawn(schema)
    return st.one_of(st.sampled_from(examples), drawn) if examples else drawn


def _drawn(schema: Mapping[str, Any]) -> SearchStrategy[Any]:
    kind = schema["type"]
    if kind == "array":
        return st.lists(_from_schema(schema["items"]), min_size=schema.get("minItems", 0), max_size=4)
    if kind == "object":
        required = set(schema.get("required", ()))
        members = {name: _from_schema(item) for name, item in schema.get("properties", {}).items()}
        return st.fixed_dictionaries({name: item for name, item in members.items() if name in required},
                                     optional={name: item for name, item in members.items() if name not in required})
    if schema.get("format") == "uri":
        return redirect_uris() if "A-Za-z" in schema.get("pattern", "") else web_urls()
    if "pattern" in schema:
        fits = re.compile(schema["pattern"]).search
        return st.text(st.characters(max_codepoint=127, categories=("Ll", "Nd", "Po", "Zs")), max_size=12).filter(
            lambda text: fits(text) is not None and is_harmless(text))
    return st.text(_ANY, max_size=24).filter(is_harmless)


@cache
def members() -> Mapping[str, SearchStrategy[Any]]:
    """For each member of RFC 7591 the values that its definition admits."""
    return {name: _from_schema(schema) for name, schema in _schema()["properties"].items()}


@cache
def well_formed() -> SearchStrategy[dict[str, Any]]:
    """Members for a registration request, each of the type and form that its definition gives it."""
    return _some(*(name for name in members() if name != "software_statement"), most=4)


@cache
def ordinary() -> SearchStrategy[dict[str, Any]]:
    """Members with values that hardly any server turns away."""
    word = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)
    return st.fixed_dictionaries({}, optional={
        "client_name": word.map(lambda text: f"dcrcheck {text}"), "software_id": word, "software_version": word,
        "contacts": st.lists(word.map(lambda text: f"{text}@client.example"), min_size=1, max_size=3, unique=True),
        "redirect_uris": st.lists(word.map(lambda text: f"https://client.example/{text}"), min_size=1, max_size=3,
                                  unique=True)})


# -- hostile values -------------------------------------------------------------------------------------------------

TEXTS: Final[Mapping[str, tuple[str, ...]]] = {
    "types": ("", " ", "null", "undefined", "NaN", "[]", "{}", "0", "-1", "1e400", "true"),
    "sizes": ("A" * 300, "é" * 300, "A" * 5000, "a b " * 200),
    "encodings": ("%00", "%0d%0aX-Dcr-Injected: 1", "\r\nX-Dcr-Injected: 1", "..%2f..%2f", "../../", "%c0%af",
                  "%ed%a0%80", "&#0;", "\\u0000", "+ADw-", "=?utf-8?q?=00?=", "xn--a", "%25%30%30"),
    "unicode": ("\x00", "a\x00b", "\ud800", "\udfff\ud800", "\uffff", "\u202egpj.exe", "\u200b", "e\u0301", "\ufb01",
                "\U0001f600", "\ufeff", "\u2028", "\x85", "\U0010ffff", "I\u0307", "\u212a"),
    "interpreters": ("'", "''", "\"><i data-dcr=1>", "${7*7}", "{{7*7}}", "%n%s%x", "*)(a=b", "$gt", "__proto__",
                     "=1+1"),
}
"""What has broken servers, by what it works on."""
NAMES: Final = ("__proto__", "constructor", "toString", "", "$where", "a.b", "a[b]", "client_id", "client_secret",
                "registration_access_token", "registration_client_uri", "client_id_issued_at", "id", "_id",
                "created_at", "client_name#", "client_name#fr", "client_uri#x-" + "y" * 40, "redirect_uri",
                "REDIRECT_URIS", "redirect_uris[]", "scopes", "application_type", "request_uris",
                "default_max_age", "\x00", "\ud800")


@cache
def hostile_texts(*kinds: str) -> SearchStrategy[str]:
    """Strings that have broken parsers, stores, templates and pages; of these kinds of `TEXTS`, or of any."""
    chosen = kinds or tuple(TEXTS)
    texts = st.sampled_from([text for kind in chosen for text in TEXTS[kind]])
    return st.one_of(texts, st.text(_ANY, max_size=40).filter(is_harmless)) if "unicode" in chosen else texts


@cache
def hostile_values(*kinds: str) -> SearchStrategy[Any]:
    """JSON values, odd ones first; all of them can be written as JSON. Of these kinds of `TEXTS`, or of any."""
    texts = hostile_texts(*kinds)
    if kinds and "types" not in kinds:
        # strings where strings belong: what lies behind the type checks is reached by nothing else
        return st.one_of(texts, st.lists(texts, min_size=1, max_size=40 if "sizes" in kinds else 3))
    scalars = st.one_of(
        st.none(), st.booleans(), texts,
        st.sampled_from([0, -1, 2**31, 2**53 + 1, 2**64, -(2**63) - 1, 10**40]),
        st.floats(allow_nan=False, allow_infinity=False))
    return st.recursive(scalars, lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=3)), max_leaves=8)


@cache
def swarm() -> SearchStrategy[tuple[str, ...]]:
    """One to three kinds of hostility for a whole request.

    A request with a little of everything is stopped by the first thing that a server checks; one with few kinds gets
    behind it (swarm testing; Groce and others, ISSTA 2012).
    """
    return st.sets(st.sampled_from(sorted(TEXTS)), min_size=1, max_size=3).map(lambda kinds: tuple(sorted(kinds)))


@cache
def hostile() -> SearchStrategy[dict[str, Any]]:
    """One to three members with hostile names, hostile values or both, among well-formed ones."""
    return swarm().flatmap(_hostile)


def _hostile(kinds: tuple[str, ...]) -> SearchStrategy[dict[str, Any]]:
    names = st.one_of(st.sampled_from(known_members()), st.sampled_from(NAMES))
    uris = st.lists(st.one_of(redirect_uris(), unsafe_redirect_uris(), hostile_texts(*kinds)), min_size=1, max_size=3)
    return st.builds(lambda usual, uris, odd: {**usual, **uris, **odd},
                     _some("client_name", "scope", "contacts", "software_id", most=2),
                     st.one_of(st.just({}), st.fixed_dictionaries({"redirect_uris": uris})),
                     st.dictionaries(names, hostile_values(*kinds), min_size=1, max_size=3))


@cache
def metadata() -> SearchStrategy[dict[str, Any]]:
    """Members that deviate from an accepted registration request: ordinary, well-formed or hostile."""
    return st.one_of(ordinary(), well_formed(), hostile())


def _some(*names: str, most: int) -> SearchStrategy[dict[str, Any]]:
    """A few of these members, each with a well-formed value."""
    pairs = st.one_of([st.tuples(st.just(name), members()[name]) for name in names])
    return st.lists(pairs, max_size=most).map(dict)


# -- bodies ---------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s"\[\]{}:,]+|\s+')
_JUNK: Final = (b"", b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"null", b"NaN", b"-", b"1e999", b"/*",
                b"\x00", b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xff\xfe", b'"\\ud800"',
                b'"\\u"', b"'", b";")


@cache
def broken_bodies() -> SearchStrategy[bytes]:
    """The bytes of a registration request with a few of its tokens gone, doubled or replaced, or its end cut off.

    Tokens, and not bytes, so that the redirect URI in it stays what it is.
    """
    document = {"client_name": "dcrcheck fuzz", "redirect_uris": ["https://client.example/cb"],
                "grant_types": ["authorization_code"], "response_types": ["code"], "token_endpoint_auth_method": "none"}
    tokens: list[bytes] = _TOKEN.findall(json.dumps(document).encode())
    changes = st.lists(st.tuples(st.integers(0, len(tokens) - 1), st.one_of(st.none(), st.sampled_from(_JUNK))),
                       min_size=1, max_size=4)
    return st.builds(_broken, st.just(tokens), changes, st.one_of(st.none(), st.integers(1, len(tokens))))


def _broken(tokens: list[bytes], changes: list[tuple[int, bytes | None]], end: int | None) -> bytes:
    changed = list(tokens)
    for place, junk in changes:
        changed[place] = changed[place] * 2 if junk is None else junk
    return b"".join(changed[:end])
