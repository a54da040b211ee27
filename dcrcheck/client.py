"""A registered client: the client information response, and the credentials in it as they are now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dcrcheck.evidence import Secret
from dcrcheck.ledger import digest

if TYPE_CHECKING:
    from dcrcheck.transport import Answer


class Client(Mapping[str, Any]):
    """The members of the client information response (RFC 7591 section 3.2.1), read as a mapping.

    `document` is what was sent to obtain it; `answer` the exchange that created it. The registration access
    token is always the newest one seen, since a server may rotate it (RFC 7592 section 2.1).
    """

    def __init__(self, members: Mapping[str, Any], *, document: Any, answer: Answer,
                 read: Callable[[Client], Answer]) -> None:
        self._members = dict(members)
        self.document = document
        self.answer = answer
        self._read = read
        self._read_back: Mapping[str, Any] | None = None
        self.registration_access_token: Secret | None = _secret(members.get("registration_access_token"))
        self.secret: Secret | None = _secret(members.get("client_secret"))

    def __getitem__(self, member: str) -> Any:
        return self._members[member]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return f"Client({self._members!r})"

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    @property
    def client_id(self) -> str:
        return str(self._members["client_id"])

    @property
    def registration_client_uri(self) -> str | None:
        uri = self._members.get("registration_client_uri")
        return uri if isinstance(uri, str) else None

    @property
    def digest(self) -> str:
        """By what the ledger finds it."""
        return digest(self.client_id, self.registration_client_uri)

    @property
    def redirect_uris(self) -> list[str]:
        """The registered redirect URIs: those that the server states, else those that were asked for."""
        stated = self._members.get("redirect_uris")
        asked = self.document.get("redirect_uris") if isinstance(self.document, dict) else None
        return [uri for uri in (stated if isinstance(stated, list) else asked or []) if isinstance(uri, str)]

    @property
    def redirect_uri(self) -> str:
        """The registered redirect URI that was asked for first; a server may answer them in an order of its own."""
        asked = self.document.get("redirect_uris") if isinstance(self.document, dict) else None
        first = asked[0] if isinstance(asked, list) and asked else None
        return first if isinstance(first, str) and first in self.redirect_uris else self.redirect_uris[0]

    @property
    def auth_method(self) -> str:
        """How it authenticates at the token endpoint: as stated, else as asked, else as the default says."""
        asked = self.document.get("token_endpoint_auth_method") if isinstance(self.document, dict) else None
        stated = self._members.get("token_endpoint_auth_method", asked)
        return stated if isinstance(stated, str) else "client_secret_basic"

    def adopt(self, answer: Answer) -> None:
        """Follow a rotation of credentials that a read or update answered with."""
        if isinstance(answer.json, dict) and 200 <= answer.status < 300:
            self.registration_access_token = (_secret(answer.json.get("registration_access_token"))
                                              or self.registration_access_token)
            self.secret = _secret(answer.json.get("client_secret")) or self.secret

    def stored(self, member: str) -> Any:
        """The registered value of a member: as answered, or, where the answer is silent, as read back."""
        if member in self._members:
            return self._members[member]
        if self._read_back is None:
            self._read_back = {}
            if self.registration_client_uri and self.registration_access_token:
                answer = self._read(self)
                if answer.status == 200 and isinstance(answer.json, dict):
                    self._read_back = answer.json
        return self._read_back.get(member)


def _secret(value: Any) -> Secret | None:
    return Secret(value) if isinstance(value, str) and value else None
