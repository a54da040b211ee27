"""The client configuration endpoint (RFC 7592)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dcrcheck.reference.answers import Refusal
from dcrcheck.reference.registration import Registration
from dcrcheck.reference.store import Client

SERVER_CHOSEN = ("registration_access_token", "registration_client_uri", "client_secret_expires_at",
                 "client_id_issued_at")


class Management(Registration):
    async def manage(self, request: Request) -> Response:
        """GET, PUT and DELETE of one client."""
        client_id = request.path_params["client_id"]
        client = self.client_of_token(self.management_token(request), client_id)
        if request.method == "GET":
            return self.read(client)
        if request.method == "DELETE":
            return self.delete(client)
        return self.update(client, await self.read_document(request))

    # -- authentication

    def management_token(self, request: Request) -> str:
        token = self.bearer_token(request)
        if token is None:
            self.refuse_anonymous()
        return token

    def client_of_token(self, token: str, client_id: str) -> Client:
        """The client that both the token and the URL stand for (RFC 7592, appendix B).

        Raises:
            Refusal: 401, whatever is wrong: the token, the client, or that they do not belong together.
        """
        client = self.store.clients.get(client_id)
        if client is None:
            return self.missing_client(token)
        if not self.is_registration_access_token(token, client):
            self.refuse_token()
        client.last_used = self.now()
        return client

    def is_registration_access_token(self, token: str, client: Client) -> bool:
        return self.same_secret(token, client.registration_access_token)

    def missing_client(self, token: str) -> Client:
        """401, never 404, and the token that was used is dead (RFC 7592, sections 2.1 to 2.3)."""
        self.revoke_registration_access_token(token)
        self.refuse_token()

    def revoke_registration_access_token(self, token: str) -> None:
        owner = self.store.clients.get(self.store.registration_access_tokens.pop(token, ""))
        if owner is not None:
            # Unknown to everyone: the client can no longer be managed
            owner.registration_access_token = self.new_token()

    def check_permission(self, client: Client, operation: str) -> None:
        """403 where the operator has taken the right to read, update or delete away."""
        if operation in client.locked:
            raise Refusal(403, "insufficient_scope", "this client may not do that",
                          challenge=self.challenge("insufficient_scope"))

    # -- read

    def read(self, client: Client) -> Response:
        self.check_permission(client, "read")
        return self.client_answer(client, status=200)

    # -- update

    def update(self, client: Client, document: dict[str, Any]) -> Response:
        self.check_permission(client, "update")
        self.check_update(client, document)
        wanted = {name: value for name, value in document.items() if name not in ("client_id", "client_secret")}
        self.replace_metadata(client, self.accept_update(client, wanted))
        self.provide_secret(client)
        self.rotate_registration_access_token(client)
        return self.updated(client)

    def check_update(self, client: Client, document: dict[str, Any]) -> None:
        self.check_update_client_id(client, document)
        self.check_update_secret(client, document)
        self.check_server_chosen_members(document)

    def check_update_client_id(self, client: Client, document: dict[str, Any]) -> None:
        """RFC 7592, section 2.2: client_id is included and is the issued one."""
        if document.get("client_id") != client.client_id:
            self.refuse_metadata("client_id is missing or is not the one of this client")

    def check_update_secret(self, client: Client, document: dict[str, Any]) -> None:
        """RFC 7592, section 2.2: no client chooses its secret; it may repeat the one it has."""
        secret = document.get("client_secret")
        if secret is None:
            return
        if not isinstance(secret, str) or client.secret is None or not self.same_secret(secret, client.secret):
            self.refuse_metadata("client_secret is not the current one")

    def check_server_chosen_members(self, document: dict[str, Any]) -> None:
        if any(name in document for name in SERVER_CHOSEN):
            self.refuse_metadata("the request holds a member that only the server may set")

    def accept_update(self, client: Client, wanted: dict[str, Any]) -> dict[str, Any]:
        """The same rules as at registration."""
        return self.accept(wanted)

    def replace_metadata(self, client: Client, metadata: dict[str, Any]) -> None:
        """RFC 7592, section 2.2: what is not in the request is gone."""
        client.metadata = metadata

    def rotate_registration_access_token(self, client: Client) -> None:
        """RFC 7592, section 5 and appendix A.1: a new token with every update, and the old one is dead."""
        self.forget_registration_access_token(client)
        self.provide_registration_access_token(client)

    def updated(self, client: Client) -> Response:
        return self.client_answer(client, status=200)

    # -- delete

    def delete(self, client: Client) -> Response:
        self.check_permission(client, "delete")
        self.remove(client)
        return self.deleted()

    def deleted(self) -> Response:
        return Response(status_code=204, headers={**self.hygiene(), **self.no_store()})
