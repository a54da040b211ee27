"""Where redirect URIs lead: which ones a registration stored, and where an authorization request lands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote

from dcrcheck.client import Client
from dcrcheck.endpoint import Endpoint
from dcrcheck.session import Session
from dcrcheck.target import origin
from dcrcheck.transport import Answer
from dcrcheck.uri import as_browser
from dcrcheck.verdict import inconclusive

Place = Literal["nowhere", "requested", "registered", "elsewhere"]
_CREDENTIALS = frozenset({"code", "access_token", "id_token"})
_PARTS = re.compile(r"([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)


def stored_uris(answer: Answer, member: str = "redirect_uris") -> list[str]:
    """The URIs that a registration left with the server; none where it was refused or they were dropped.

    Raises:
        Inconclusive: the registration was neither accepted nor refused.
    """
    stored = answer.stored(member)
    return [uri for uri in ([stored] if isinstance(stored, str) else stored or []) if isinstance(uri, str)]


@dataclass(frozen=True, kw_only=True)
class Landing:
    """Where an authorization request ended.

    ``nowhere``: on a page of the server · ``requested``: at the URI that was tried · ``registered``: at one of the
    client's own · ``elsewhere``: at a third, on the host of one of these or with a credential in it. `parameters` are
    the names, not the values, of what was sent along.
    """

    place: Place
    address: str = ""
    parameters: frozenset[str] = frozenset()
    answer: Answer

    @property
    def astray(self) -> bool:
        """Whether the user was sent to a URI that the client has not registered."""
        return self.place in ("requested", "elsewhere")

    def describe(self) -> str:
        """A few words for a message, without a secret."""
        if self.place == "nowhere":
            return f"the server showed a page of its own ({self.answer.describe()})"
        return f"the user was sent to {self.address!r} with {', '.join(sorted(self.parameters)) or 'nothing'}"


def land(endpoint: Endpoint, session: Session | None, client: Client, *, goal: str | None = None,
         **params: Any) -> Landing:
    """Send an authorization request and see where it ends; `goal` is the URI that is tried, if not `redirect_uri`.

    An answer to a browser where nobody is logged in decides if it is a redirect, or an error page where the
    client's registered URI gets none. A login page decides nothing: the user's session goes on from there.

    Raises:
        Inconclusive: the registered URI is not received either, or the answer comes after a login that is not known.
    """
    named = params.get("redirect_uri")
    goal = goal if goal is not None or not isinstance(named, str) else named
    door = _door(endpoint, client) if client.redirect_uris else ""
    answer = _answered(endpoint.authorize(client, **params))
    if answer.location is None and not _asks(answer):
        return Landing(place="nowhere", answer=answer)
    if answer.location is not None:
        if not _is_own(endpoint, answer.location, door):
            return _landing(answer, answer.location, goal, client)
        if "error" in answer.query:
            return Landing(place="nowhere", answer=answer)
    if session is None:
        inconclusive("the server asks for a login before it says what it thinks of the request; set DCRCHECK_USERNAME "
                     "and DCRCHECK_PASSWORD to go on from there")
    if client.redirect_uris:
        _arrive(endpoint, session, client)
    authorization = session.authorize(client, **params)
    if authorization.location is None:
        return Landing(place="nowhere", answer=_answered(authorization.answer))
    return _landing(authorization.answer, authorization.location, goal, client)


def is_received(endpoint: Endpoint, session: Session | None, client: Client, uri: str) -> bool:
    """Whether an authorization request with this redirect URI is received as one of the client's own.

    Where no user is known, a login page is enough if a foreign URI gets an error page instead.

    Raises:
        Inconclusive: as `land`.
    """
    if session is None and endpoint.where(client, redirect_uri=uri) == "login":
        foreign = endpoint.where(client, redirect_uri="https://foreign.invalid/dcrcheck")
        return foreign == "local" or land(endpoint, session, client, redirect_uri=uri).place != "nowhere"
    wanted = "registered" if uri in client.redirect_uris else "requested"
    return land(endpoint, session, client, redirect_uri=uri).place == wanted


@lru_cache(maxsize=256)
def _door(endpoint: Endpoint, client: Client) -> str:
    """The control: what the registered URI gets from a browser where nobody is logged in; returns the login's origin.

    A server may send users to a login on another host, which is then no stranger.
    """
    answer = _answered(endpoint.authorize(client))
    if answer.location is None and not _asks(answer):
        inconclusive(f"the server does not receive the client's registered redirect URI either: {answer.describe()}")
    return "" if answer.location is None or _matches(answer.location, client) else origin(answer.location)


@lru_cache(maxsize=256)
def _arrive(endpoint: Endpoint, session: Session, client: Client) -> None:
    """The control: with the registered URI the session comes through to the client."""
    authorization = session.authorize(client)
    if authorization.location is None or _matches(authorization.location, client) is None:
        inconclusive(f"the session does not come through with the registered redirect URI: {authorization.describe()}")


def _answered(answer: Answer) -> Answer:
    if answer.status in (0, 429) or answer.status >= 500:
        inconclusive(f"the authorization endpoint does not answer the probe: {answer.describe()}")
    return answer


def _asks(answer: Answer) -> bool:
    return answer.status == 200 and "<form" in answer.text.lower()


def _is_own(endpoint: Endpoint, location: str, door: str) -> bool:
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|[/\\]{2}", location):
        return True
    return origin(location) in (*endpoint.origins, door)


def _landing(answer: Answer, location: str, goal: str | None, client: Client) -> Landing:
    base, query, fragment = _parts(location)
    names = frozenset(name for part in (query, fragment) for name, _ in parse_qsl(part[1:], keep_blank_values=True))
    found = _matches(location, client)
    wanted = goal if goal is not None and goal not in client.redirect_uris and _leads_to(location, goal) else None
    place: Place = "elsewhere" if found is None else "registered"
    if wanted is not None and (found is None or _weight(wanted) > _weight(found)):
        place = "requested"
    elif found is None and not names & _CREDENTIALS and not _is_related(location, goal, client):
        place = "nowhere"  # a page for errors on another host of the owner's
    return Landing(place=place, address=base, parameters=names, answer=answer)


def _is_related(location: str, goal: str | None, client: Client) -> bool:
    """Whether a location owes anything to the URI that was tried or to the client's own: its host, or its words."""
    uris = [*client.redirect_uris, *([goal] if goal else [])]
    reading = as_browser(location)
    hosts = {known.host for known in map(as_browser, uris) if known is not None}
    return reading is None or reading.host in hosts or unquote(_parts(goal or location)[0]) in unquote(location)


def _matches(location: str, client: Client) -> str | None:
    """The registered URI that a location leads to: the most specific one."""
    return max((uri for uri in client.redirect_uris if _leads_to(location, uri)), key=_weight, default=None)


def _leads_to(location: str, uri: str) -> bool:
    base, query, fragment = _parts(location)
    goal, wanted, mark = _parts(uri)
    held = parse_qsl(query[1:], keep_blank_values=True)
    return (base == goal and (not mark or (fragment.startswith("#") and mark[1:] in fragment))
            and all(pair in held for pair in parse_qsl(wanted[1:], keep_blank_values=True)))


def _weight(uri: str) -> int:
    _, query, fragment = _parts(uri)
    return len(parse_qsl(query[1:], keep_blank_values=True)) + len(fragment)


def _parts(uri: str) -> tuple[str, str, str]:
    """Base, query with its question mark, fragment with its hash."""
    found = _PARTS.match(uri)
    return (found[1], found[2] or "", found[3] or "") if found else (uri, "", "")
