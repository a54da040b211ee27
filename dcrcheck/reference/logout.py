"""Logging out at the wish of a client, and the way back (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

import hashlib
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from dcrcheck.reference.answers import Refusal
from dcrcheck.reference.consent import Consent
from dcrcheck.reference.store import Session

Parameters = dict[str, str]


class Logout(Consent):
    async def end_session(self, request: Request) -> Response:
        """GET asks whoever is logged in, POST does it; who is not is led back at once."""
        sent = self.parameters(request.scope["query_string"])
        if request.method == "POST":
            sent = await self.read_form(request)
        parameters = {name: values[0] for name, values in sent.items()}
        goal = self.farewell(parameters)
        session = self.session_of(request)
        if session is not None and session.subject:
            if not self.is_wish_of(session, request, parameters):
                return self.logout_page(parameters, self.token_of(session))
            self.store.sessions.pop(session.session_id, None)
        return self.see_other(goal) if goal else self.page(self.render("gone"))

    def farewell(self, parameters: Parameters) -> str:
        """Where the user is led; empty: nowhere.

        Raises:
            Refusal: to an address that the client has not registered for this.
        """
        goal = parameters.get("post_logout_redirect_uri", "")
        if not goal:
            return ""
        client = self.store.clients.get(parameters.get("client_id", ""))
        registered = client.metadata.get("post_logout_redirect_uris", []) if client else []
        if not any(self.is_farewell(goal, uri) for uri in registered):
            raise Refusal(400, "invalid_request", "The application named an address that it has not registered.")
        state = {"state": parameters["state"]} if "state" in parameters else {}
        return goal + ("&" if "?" in goal else "?") * bool(state) + urlencode(state)

    def is_farewell(self, requested: str, registered: str) -> bool:
        """Character by character (section 3)."""
        return requested == registered

    def is_wish_of(self, session: Session, request: Request, parameters: Parameters) -> bool:
        """The form is ours, and the user has sent it (section 6)."""
        return (request.method == "POST" and self.is_own_origin(request)
                and self.same_secret(parameters.get("csrf", ""), self.token_of(session)))

    def token_of(self, session: Session) -> str:
        return hashlib.sha256(f"logout {session.session_id}".encode()).hexdigest()

    def logout_page(self, parameters: Parameters, token: str) -> Response:
        kept = {name: value for name, value in parameters.items()
                if name in ("client_id", "post_logout_redirect_uri", "state")}
        return self.page(self.render("logout", action=self.endpoint("logout"), csrf=token, fields=kept),
                         destination=parameters.get("post_logout_redirect_uri", ""))
