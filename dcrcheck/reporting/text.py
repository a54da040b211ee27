"""Text that others wrote, made fit to be shown: nothing in it can act on a terminal, a page or a reader's eye."""

from __future__ import annotations

from urllib.parse import urlsplit


def visible(text: str) -> str:
    """Spell out every character that would act instead of appear: ``\\x1b`` for ESC, ``\\u202e`` for a bidi override.

    Newlines and tabs stay. The result holds no surrogate, so that it can always be encoded as UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else _spelt(ord(char)) for char in text)


def _spelt(code: int) -> str:
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def one_line(text: str) -> str:
    """The same on one line, with runs of blanks folded."""
    return " ".join(visible(text).split())


def shorten(text: str, most: int) -> str:
    """At most `most` characters of a text, and a note of how many more there were."""
    return text if len(text) <= most else f"{text[:most]}… [{len(text) - most:,} more characters]"


def web_link(link: str) -> str:
    """The link if it is one that a browser may follow from a report (http or https), else nothing."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return ""
    safe = parts.scheme in ("http", "https") and parts.netloc and link.isprintable() and " " not in link
    return link if safe else ""


def plural(count: int, noun: str) -> str:
    """``1 rule``, ``3 rules``, ``1,024 registrations``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
