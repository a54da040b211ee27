"""What came back for one request, and what may be concluded from it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from dcrcheck import jsontext
from dcrcheck.evidence import Exchange, conceal
from dcrcheck.verdict import inconclusive

if TYPE_CHECKING:
    from dcrcheck.client import Client
    from dcrcheck.transport import Headers


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """What came back for one request; `status` is 0 if nothing did (then `exchange.error` says why).

    `truncated`: the body, or the whole answer, did not come to its end.
    """

    status: int
    headers: Headers
    body: bytes
    url: str
    exchange: Exchange
    elapsed_s: float = 0.0
    truncated: bool = False
    registered: Client | None = field(default=None, repr=False)

    @cached_property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @cached_property
    def _reading(self) -> tuple[jsontext.Reading | None, str]:
        """The body as JSON, if it is that; and why nothing may be concluded from what it holds, or seems to hold."""
        if self.truncated and self.status:
            return None, self.exchange.error or "its body is not complete"
        coding = ", ".join(self.headers.get_list("content-encoding")).strip().lower()
        if coding not in ("", "identity") and self.body:
            return None, f"its body is in the coding {coding!r}, which was not asked for (Accept-Encoding: identity)"
        try:
            reading = jsontext.parse(self.body)
        except jsontext.Unreadable as reason:
            return None, str(reason)
        except ValueError:
            return None, ""
        return reading, reading.ambiguous

    @property
    def unread(self) -> str:
        """Why nothing can be concluded from the content of the answer, empty if something can.

        It was cut short, is compressed although nobody asked for that, exceeds a limit of ours, or gives a member
        twice with different values.
        """
        return self._reading[1]

    @cached_property
    def content(self) -> Any:
        """The parsed body as well as it can be read; for keeping books, since a check judges by `json`."""
        reading, _ = self._reading
        return None if reading is None else conceal(reading.value)

    @property
    def json(self) -> Any:
        """The parsed body with its credentials concealed, or None if it is not JSON.

        Raises:
            Inconclusive: it is not known (see `unread`).
        """
        if self.unread:
            inconclusive(f"an answer of the server could not be read: {self.describe()}: {self.unread}")
        return self.content

    @property
    def members(self) -> Mapping[str, Any]:
        """The members of `content`; none if it is no JSON object."""
        return self.content if isinstance(self.content, dict) else {}

    @property
    def repeated(self) -> tuple[tuple[str, Any], ...]:
        """Names and values that other values of the same name hide."""
        reading, _ = self._reading
        return () if reading is None else reading.repeated

    @property
    def media_type(self) -> str:
        return str(self.headers.get("content-type", "")).partition(";")[0].strip().lower()

    @property
    def is_json(self) -> bool:
        """Whether it is served as JSON and is JSON."""
        served = self.media_type == "application/json" or self.media_type.endswith("+json")
        return served and self.json is not None

    @property
    def error(self) -> str | None:
        """The OAuth `error` member, if there is one."""
        code = self.members.get("error")
        return code if isinstance(code, str) else None

    @property
    def location(self) -> str | None:
        value: str | None = self.headers.get("location")
        return value

    @property
    def query(self) -> dict[str, str]:
        """The query parameters of the Location header."""
        try:
            query = urlsplit(self.location or "").query
        except ValueError:  # such as a host that no parser accepts
            query = (self.location or "").partition("#")[0].partition("?")[2]
        return dict(parse_qsl(query, keep_blank_values=True))

    @property
    def turned_away(self) -> bool:
        """Whether a token request failed for its client, not for what it asked for (OAuth 2.1 section 3.2.4).

        Some servers answer a bad code with 401 as well.
        """
        return self.error == "invalid_client" or (self.status == 401 and self.error != "invalid_grant")

    @property
    def broke_down(self) -> bool:
        """Whether the server failed at the request: a 5xx, or no answer at all."""
        return self.status == 0 or self.status >= 500

    @property
    def client(self) -> Client | None:
        """The client that the server registered, or None if it refused the registration.

        Raises:
            Inconclusive: it did neither: 401, 408, 429, 3xx, 5xx, no answer, or success without a client_id.
        """
        if self.registered is not None:
            return self.registered
        if 400 <= self.status < 500 and self.status not in (401, 408, 429):
            return None
        inconclusive(f"the server neither accepted nor refused the registration: {self.describe()}"
                     f"{f': {self.unread}' if self.unread else ''}")

    @property
    def refused(self) -> bool:
        """Whether the registration was refused (see `client`)."""
        return self.client is None

    @property
    def tokens(self) -> dict[str, Any] | None:
        """The members of a token response, or None if the token endpoint refused to issue any.

        Raises:
            Inconclusive: it did neither: 408, 429, 5xx or no answer.
        """
        if self.status in (0, 408, 429) or self.status >= 500:
            inconclusive(f"the token endpoint neither issued nor refused a token: {self.describe()}")
        issued = self.status == 200 and isinstance(self.json, dict) and "access_token" in self.json
        return self.json if issued else None

    def stored(self, member: str) -> Any:
        """The value that the server says it registered for a member; None if it refused or dropped it."""
        return None if self.client is None else self.client.stored(member)

    @property
    def claims(self) -> dict[str, Any] | None:
        """The claims of the access token of a token response, unverified; None if there is none, or it is no JWT."""
        issued = (self.tokens or {}).get("access_token")
        try:
            _, part, _ = str(issued).split(".")
            claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except (ValueError, RecursionError):
            return None
        return claims if isinstance(claims, dict) else None

    def describe(self) -> str:
        """A few words for a message: ``HTTP 400 invalid_redirect_uri``."""
        if not self.status:
            return f"no answer ({self.exchange.error})"
        return f"HTTP {self.status}" + (f" {self.error}" if self.error else "")
