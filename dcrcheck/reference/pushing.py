"""Pushed authorization requests (RFC 9126): a client sends ahead what it asks for, the browser brings a reference."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from dcrcheck.reference.answers import Refusal
from dcrcheck.reference.assertions import Form
from dcrcheck.reference.authorization import Authorization, AuthorizationError
from dcrcheck.reference.client_authentication import ClientAuthentication
from dcrcheck.reference.store import Client, PushedRequest

_REFERENCE = "urn:ietf:params:oauth:request_uri:"


class Pushing(Authorization, ClientAuthentication):
    async def push(self, request: Request) -> Response:
        """POST to the pushed authorization request endpoint (RFC 9126, section 2)."""
        form = await self.read_form(request)
        client = self.authenticate_client(request, form)
        pushed = {name: values for name, values in form.items() if name != "client_secret"}
        self.check_pushed_request(client, pushed)
        reference = self.new_reference()
        self.store.pushed_requests[reference] = PushedRequest(
            client_id=client.client_id, parameters={**pushed, "client_id": [client.client_id]},
            expires_at=self.now() + self.rules.pushed_request_lifetime)
        return self.json({"request_uri": reference, "expires_in": self.rules.pushed_request_lifetime}, status=201,
                         headers=self.no_store())

    def new_reference(self) -> str:
        return f"{_REFERENCE}{self.new_token()}"

    def check_pushed_request(self, client: Client, form: Form) -> None:
        """Everything that the authorization endpoint would refuse is refused here (RFC 9126, section 2.1)."""
        if "request_uri" in form:
            raise Refusal(400, "invalid_request", "request_uri has no place in a pushed request")
        parameters = {name: values[0] for name, values in form.items()}
        if not self.is_pushed_destination(client, parameters.get("redirect_uri")):
            raise Refusal(400, "invalid_request", "redirect_uri is not one that the client has registered")
        try:
            self.check_authorization_request(client, parameters, form.get("resource", []))
        except AuthorizationError as error:
            raise Refusal(400, str(error.args[0]), str(error.args[1])) from None

    def is_pushed_destination(self, client: Client, requested: str | None) -> bool:
        """Also for clients with a secret, whom section 2.4 would let name others."""
        return self.redirect_uri_for(client, requested) is not None

    def asked(self, sent: Form) -> Form:
        """What was pushed, and nothing of what stands beside the reference (RFC 9126, section 4)."""
        reference = sent.get("request_uri", [""])[0]
        if not self.rules.pushed_requests or not reference.startswith(_REFERENCE):
            return sent
        pushed = self.store.pushed_requests.get(reference)
        if (pushed is None or pushed.expires_at <= self.now()
                or not self.is_pushed_by(pushed, sent.get("client_id", [""])[0])):
            return self.unknown_reference(sent)
        self.spend_reference(reference)
        return self.effective(pushed, sent)

    def is_pushed_by(self, pushed: PushedRequest, client_id: str) -> bool:
        """The reference is bound to the client that pushed (RFC 9126, section 2.2)."""
        return client_id == pushed.client_id

    def unknown_reference(self, sent: Form) -> Form:
        raise Refusal(400, "invalid_request_uri", "The application that sent you here named an unknown request.")

    def spend_reference(self, reference: str) -> None:
        """Once only (RFC 9126, section 7.3)."""
        self.store.pushed_requests.pop(reference, None)

    def effective(self, pushed: PushedRequest, sent: Form) -> Form:
        return pushed.parameters
