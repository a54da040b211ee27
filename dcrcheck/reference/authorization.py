"""The authorization endpoint (OAuth 2.1, section 4.1.1)."""

from __future__ import annotations

import re
from typing import NoReturn

from starlette.requests import Request
from starlette.responses import Response

from dcrcheck.reference.answers import Refusal
from dcrcheck.reference.client_documents import ClientDocuments
from dcrcheck.reference.consent import Consent, Parameters
from dcrcheck.reference.metadata import Metadata
from dcrcheck.reference.store import Client, Session, Transaction


class AuthorizationError(Exception):
    """An error for the client, to be sent to its redirect URI (OAuth 2.1, section 4.1.2.1)."""


class Authorization(Metadata, ClientDocuments, Consent):
    async def authorize(self, request: Request) -> Response:
        """GET of the authorization endpoint."""
        repeated = self.parameters(request.scope["query_string"])
        parameters = {name: values[0] for name, values in repeated.items()}
        client = self.authorizing_client(parameters)
        redirect_uri = self.redirect_uri_for(client, parameters.get("redirect_uri"))
        if redirect_uri is None:
            self.refuse_destination()
        known = self.session_of(request)
        session = known or self.new_session()
        transaction = self.open_transaction(client, redirect_uri, parameters, repeated.get("resource", []), session)
        response = self.next_step(client, transaction, session)
        if known is None:
            self.set_cookie(response, session)
        return response

    # -- what is never answered by a redirect

    def authorizing_client(self, parameters: Parameters) -> Client:
        client_id = parameters.get("client_id", "")
        client = self.store.clients.get(client_id) or self.client_of_document(client_id)
        if client is None:
            raise Refusal(400, "invalid_client", "The application that sent you here is not known.")
        return client

    def refuse_destination(self) -> NoReturn:
        raise Refusal(400, "invalid_redirect_uri",
                      "The application that sent you here named an address that it has not registered.")

    # -- what is

    def open_transaction(self, client: Client, redirect_uri: str, parameters: Parameters, resources: list[str],
                         session: Session) -> Transaction:
        transaction = Transaction(
            transaction_id=self.new_token(), session_id=session.session_id, csrf=self.new_token(),
            client_id=client.client_id, redirect_uri=redirect_uri, parameters=parameters,
            expires_at=self.now() + self.rules.transaction_lifetime)
        try:
            self.check_request_objects(parameters)
            self.check_response_type(client, parameters)
            self.check_response_mode(parameters)
            self.check_code_challenge(client, parameters)
            transaction.scopes = self.requested_scopes(client, parameters)
            transaction.resources = self.requested_resources(resources)
            self.check_prompt(parameters)
        except AuthorizationError as error:
            transaction.error = (str(error.args[0]), str(error.args[1]))
        self.store.transactions[transaction.transaction_id] = transaction
        return transaction

    def check_request_objects(self, parameters: Parameters) -> None:
        """Not supported, and nothing is fetched (RFC 9101; OpenID Connect Core, section 6)."""
        for name in ("request", "request_uri"):
            if name in parameters:
                raise AuthorizationError(f"{name}_not_supported", f"{name} is not supported")

    def check_response_type(self, client: Client, parameters: Parameters) -> None:
        response_type = parameters.get("response_type")
        if response_type is None:
            raise AuthorizationError("invalid_request", "response_type is missing")
        if not self.is_response_type_allowed(response_type):
            raise AuthorizationError("unsupported_response_type", "this response_type is not offered")
        if not self.is_response_type_registered(client, response_type):
            raise AuthorizationError("unauthorized_client", "this client has not registered that response_type")

    def is_response_type_registered(self, client: Client, response_type: str) -> bool:
        return response_type in client.metadata["response_types"]

    def check_response_mode(self, parameters: Parameters) -> None:
        if parameters.get("response_mode", "query") not in self.response_modes():
            raise AuthorizationError("invalid_request", "this response_mode is not offered")

    def response_modes(self) -> list[str]:
        return ["query"]

    def check_code_challenge(self, client: Client, parameters: Parameters) -> None:
        """RFC 7636, section 4.4.1; OAuth 2.1, section 4.1.1: required, and with S256."""
        challenge = parameters.get("code_challenge")
        if challenge is None:
            if self.is_challenge_required(client):
                raise AuthorizationError("invalid_request", "code_challenge is required")
            return
        if self.requested_challenge_method(parameters) not in self.challenge_methods():
            raise AuthorizationError("invalid_request", "code_challenge_method must be S256")
        if not self.is_sound_challenge(challenge):
            raise AuthorizationError("invalid_request", "code_challenge is not one of S256")

    def is_challenge_required(self, client: Client) -> bool:
        return True

    def is_sound_challenge(self, challenge: str) -> bool:
        """A SHA-256 value in base64url: 43 characters (RFC 7636, section 4.2)."""
        return bool(re.fullmatch(r"[A-Za-z0-9_-]{43}", challenge))

    def requested_scopes(self, client: Client, parameters: Parameters) -> tuple[str, ...]:
        if "scope" not in parameters:
            return tuple(client.scopes)
        scopes = tuple(dict.fromkeys(parameters["scope"].split(" ")))
        if not self.is_scope_syntax(parameters["scope"]) or not all(
                self.may_request_scope(client, scope) for scope in scopes):
            raise AuthorizationError("invalid_scope", "scope holds a scope that this client may not request")
        return scopes

    def may_request_scope(self, client: Client, scope: str) -> bool:
        return scope in client.scopes

    def requested_resources(self, resources: list[str]) -> tuple[str, ...]:
        """RFC 8707, section 2; where the policy does not insist, the only resource there is."""
        if not resources:
            if self.is_resource_required():
                raise AuthorizationError("invalid_target", "resource is required")
            return (self.resource,)
        if not all(self.is_known_resource(resource) for resource in resources):
            raise AuthorizationError("invalid_target", "resource is not one that this server issues tokens for")
        return tuple(dict.fromkeys(resources))

    def is_resource_required(self) -> bool:
        return self.rules.resource_required

    def is_known_resource(self, resource: str) -> bool:
        return resource == self.resource

    def check_prompt(self, parameters: Parameters) -> None:
        """Consent is always asked for, so it cannot be silent."""
        if "none" in parameters.get("prompt", "").split(" "):
            raise AuthorizationError("consent_required", "consent is always asked for")
