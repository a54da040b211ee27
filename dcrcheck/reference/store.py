"""What the server remembers, in memory only."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Item = TypeVar("Item")


class Bounded(OrderedDict[str, Item]):
    """A mapping that forgets its oldest entry when it is full, so that strangers cannot fill the memory."""

    capacity = 50_000

    def __setitem__(self, key: str, value: Item) -> None:
        super().__setitem__(key, value)
        if len(self) > self.capacity:
            self.popitem(last=False)


@dataclass(kw_only=True)
class Client:
    """A registered client. Times are seconds since the epoch."""

    client_id: str
    issued_at: int
    metadata: dict[str, Any]
    secret: str | None = None
    secret_expires_at: int = 0
    registration_access_token: str = ""
    last_used: float = 0.0
    locked: frozenset[str] = frozenset()  # of "read", "update", "delete": what the operator has forbidden

    @property
    def auth_method(self) -> str:
        return str(self.metadata["token_endpoint_auth_method"])

    @property
    def grant_types(self) -> list[str]:
        return list(self.metadata["grant_types"])

    @property
    def redirect_uris(self) -> list[str]:
        return list(self.metadata.get("redirect_uris", ()))

    @property
    def scopes(self) -> list[str]:
        return str(self.metadata.get("scope", "")).split()


@dataclass(kw_only=True)
class Session:
    """One browser; `subject` is empty until the user has logged in."""

    session_id: str
    subject: str = ""
    expires_at: float = 0.0


@dataclass(kw_only=True)
class Transaction:
    """One authorization request on its way through login and consent."""

    transaction_id: str
    session_id: str
    csrf: str
    client_id: str
    redirect_uri: str
    parameters: Mapping[str, str]
    scopes: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    error: tuple[str, str] | None = None  # the error code and its description, to be sent after login
    expires_at: float = 0.0


@dataclass(kw_only=True)
class Grant:
    """What a user (or a client for itself) allowed; every token hangs on one."""

    grant_id: str
    client_id: str
    subject: str
    scopes: tuple[str, ...]
    resources: tuple[str, ...]
    live: bool = True


@dataclass(kw_only=True)
class Code:
    """An authorization code; `grant_id` is set once it has been redeemed."""

    value: str
    client_id: str
    redirect_uri: str
    challenge: str
    challenge_method: str
    subject: str
    scopes: tuple[str, ...]
    resources: tuple[str, ...]
    expires_at: float
    grant_id: str = ""


@dataclass(kw_only=True)
class RefreshToken:
    """One link in the chain of a grant's refresh tokens; all but the newest are spent."""

    value: str
    grant_id: str
    expires_at: float
    spent: bool = False


@dataclass(kw_only=True)
class AccessToken:
    """The server's own record of a JWT that it issued, so that it can be revoked before it expires."""

    token_id: str
    grant_id: str
    live: bool = True


@dataclass
class Store:
    clients: dict[str, Client] = field(default_factory=dict)
    registration_access_tokens: dict[str, str] = field(default_factory=dict)
    sessions: Bounded[Session] = field(default_factory=Bounded)
    transactions: Bounded[Transaction] = field(default_factory=Bounded)
    codes: Bounded[Code] = field(default_factory=Bounded)
    grants: Bounded[Grant] = field(default_factory=Bounded)
    refresh_tokens: Bounded[RefreshToken] = field(default_factory=Bounded)
    access_tokens: Bounded[AccessToken] = field(default_factory=Bounded)
    assertions: Bounded[float] = field(default_factory=Bounded)  # used ones, by client and jti: when they expire
