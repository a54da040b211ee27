"""Who may register where registration is not open to anyone (RFC 7591, section 3)."""

from __future__ import annotations

from functools import cached_property

from starlette.requests import Request

from dcrcheck.reference.access_tokens import AccessTokens
from dcrcheck.reference.store import AccessToken, Client

REGISTRATION_SCOPE = "client.create"


class InitialAccess(AccessTokens):
    """One initial access token lasts; the owner's registrar obtains others, each of which registers one client."""

    @cached_property
    def registrar(self) -> Client:
        """What obtains them, by the client credentials grant (RFC 6749, section 4.4); nobody registered it."""
        return Client(client_id="registrar", issued_at=0, secret=self.new_secret(), metadata={
            "token_endpoint_auth_method": "client_secret_basic", "grant_types": ["client_credentials"],
            "response_types": [], "scope": REGISTRATION_SCOPE})

    def known_client(self, client_id: str) -> Client | None:
        """Whoever may speak at the token endpoint under this name."""
        if self.rules.initial_access_token_required and client_id == self.registrar.client_id:
            return self.registrar
        return self.store.clients.get(client_id)

    def authorize_registration(self, request: Request) -> None:
        """Needed or not, an initial access token that is presented must be good."""
        token = self.bearer_token(request)
        if token is None:
            if self.rules.initial_access_token_required:
                self.refuse_anonymous()
        elif not self.is_initial_access_token(token):
            self.refuse_token()

    def is_initial_access_token(self, token: str) -> bool:
        return self.same_secret(token, self.initial_access_token) or self.single_use_token(token) is not None

    def single_use_token(self, token: str) -> AccessToken | None:
        """The record of a token of the registrar's that has registered nothing yet."""
        record, claims = self.access_token_record(token, audience=None) or (None, {})
        return record if record and claims["scope"] == REGISTRATION_SCOPE and self.is_live(record) else None

    def spend_initial_access_token(self, request: Request) -> None:
        """In the step that creates the client: another request may have brought the token while this one was read."""
        self.authorize_registration(request)
        record = self.single_use_token(self.bearer_token(request) or "")
        if record is not None:
            record.live = False
