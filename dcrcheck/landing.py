"""Where redirect URIs lead: which ones a registration stored, and where an authorization request lands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, unquote

from dcrcheck.client import Client
from dcrcheck.endpoint import PUSHING, Endpoint
from dcrcheck.registration import OMIT
from dcrcheck.session import Session
from dcrcheck.target import origin
from dcrcheck.transport import Answer
from dcrcheck.uri import as_browser, leads_to, parts, weight
from dcrcheck.verdict import inapplicable, inconclusive

Place = Literal["nowhere", "requested", "registered", "elsewhere"]
_CREDENTIALS = frozenset({"code", "access_token", "id_token"})
_ASKED = ("the server asks for a login before it says what it thinks of the request; set DCRCHECK_USERNAME and "
          "DCRCHECK_PASSWORD to go on from there")
# what a request with a reference leaves to it (RFC 9126 section 4)
_EMPTY: Final[dict[str, Any]] = dict.fromkeys(
    ("response_type", "redirect_uri", "state", "code_challenge", "code_challenge_method", "scope", "resource"), OMIT)


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
    answer = _answered(endpoint.authorize(client, **params))
    landing = _before_login(endpoint, client, answer, goal)
    if landing is not None:
        return landing
    if session is None and "form" not in params and is_pushing(endpoint, client):
        return land_pushed(endpoint, session, client, goal=goal, **params)
    if session is None:
        inconclusive(_ASKED)
    if client.redirect_uris:
        _arrive(endpoint, session, client)
    authorization = session.authorize(client, **params)
    if authorization.location is None:
        return Landing(place="nowhere", answer=_answered(authorization.answer))
    return _landing(authorization.answer, authorization.location, goal, client)


def land_pushed(endpoint: Endpoint, session: Session | None, client: Client, *, goal: str | None = None,
                beside: dict[str, Any] | None = None, pusher: Client | None = None, **params: Any) -> Landing:
    """Push an authorization request (RFC 9126), and see where the reference to it leads, with more parameters `beside`.

    `pusher` is who pushes it, if not the client that then asks the user.

    A refusal is the end. A server that takes the request, and asks the user to log in for it, has checked it at both
    places where it should: where no user is known, the redirect URI that it names counts as received.

    Raises:
        Inapplicable: the client may name redirect URIs that it has not registered.
        Inconclusive: the server does not take the registered URI in a pushed request either, or as `land`.
    """
    pusher = pusher or client
    if not endpoint.metadata.get(PUSHING):
        inapplicable(f"the metadata names no {PUSHING}")
    if pusher.auth_method != "none":
        inapplicable("clients that authenticate may push redirect URIs that they have not registered (RFC 9126, 2.4)")
    if not is_pushing(endpoint, pusher):
        inconclusive("the server does not take a pushed request with the client's registered redirect URI either")
    named = params.get("redirect_uri")
    goal = goal if goal is not None or not isinstance(named, str) else named
    pushed = endpoint.push(pusher, **params)
    if pushed.status != 201:
        return Landing(place="nowhere", answer=pushed)
    reference = {**_EMPTY, "request_uri": str(pushed.members.get("request_uri")), **(beside or {})}
    answer = _answered(endpoint.authorize(client, **reference))
    landing = _before_login(endpoint, client, answer, goal)
    if landing is not None:
        return landing
    if session is None and not beside and isinstance(named, str) and named not in client.redirect_uris:
        return Landing(place="requested", address=named, answer=pushed)
    if session is None:
        inconclusive(_ASKED)
    # a reference may be good for one request, and that has been made
    again = endpoint.push(pusher, **params)
    authorization = session.authorize(client, **{**reference, "request_uri": str(again.members.get("request_uri"))})
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
def is_pushing(endpoint: Endpoint, client: Client) -> bool:
    """The control: whether a public client's own request is taken at the pushed authorization request endpoint.

    A client that authenticates is none for this: it may push what it has not registered (RFC 9126 section 2.4).
    """
    if not endpoint.metadata.get(PUSHING) or client.auth_method != "none" or not client.redirect_uris:
        return False
    answer = endpoint.push(client)
    reference = answer.members.get("request_uri")
    if answer.status != 201 or not isinstance(reference, str):
        return False
    arrival = _answered(endpoint.authorize(client, **_EMPTY, request_uri=reference))
    return arrival.location is not None or _asks(arrival)


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


def _before_login(endpoint: Endpoint, client: Client, answer: Answer, goal: str | None) -> Landing | None:
    """Where an answer to a browser in which nobody is logged in leads; None if to a login."""
    door = _door(endpoint, client) if client.redirect_uris else ""
    if answer.location is None:
        return None if _asks(answer) else Landing(place="nowhere", answer=answer)
    if not _is_own(endpoint, answer.location, door):
        return _landing(answer, answer.location, goal, client)
    return Landing(place="nowhere", answer=answer) if "error" in answer.query else None


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
    base, query, fragment = parts(location)
    names = frozenset(name for part in (query, fragment) for name, _ in parse_qsl(part[1:], keep_blank_values=True))
    found = _matches(location, client)
    wanted = goal if goal is not None and goal not in client.redirect_uris and leads_to(location, goal) else None
    place: Place = "elsewhere" if found is None else "registered"
    if wanted is not None and (found is None or weight(wanted) > weight(found)):
        place = "requested"
    elif found is None and not names & _CREDENTIALS and not _is_related(location, goal, client):
        place = "nowhere"  # a page for errors on another host of the owner's
    return Landing(place=place, address=base, parameters=names, answer=answer)


def _is_related(location: str, goal: str | None, client: Client) -> bool:
    """Whether a location owes anything to the URI that was tried or to the client's own: its host, or its words."""
    uris = [*client.redirect_uris, *([goal] if goal else [])]
    reading = as_browser(location)
    hosts = {known.host for known in map(as_browser, uris) if known is not None}
    return reading is None or reading.host in hosts or unquote(parts(goal or location)[0]) in unquote(location)


def _matches(location: str, client: Client) -> str | None:
    """The registered URI that a location leads to: the most specific one."""
    return max((uri for uri in client.redirect_uris if leads_to(location, uri)), key=weight, default=None)
