"""The registration endpoint (RFC 7591, section 3)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from dcrcheck.reference.documents import Documents
from dcrcheck.reference.initial_access import InitialAccess
from dcrcheck.reference.limits import Limits
from dcrcheck.reference.members import PAGE_MEMBERS
from dcrcheck.reference.openid import OpenId
from dcrcheck.reference.statements import Statements
from dcrcheck.reference.store import Client


class Registration(Documents, OpenId, Statements, Limits, InitialAccess):
    next_collection = 0.0

    async def register(self, request: Request) -> Response:
        """POST to the registration endpoint."""
        self.throttle(request)
        self.authorize_registration(request)
        document = await self.read_document(request)
        metadata = self.accept(document)
        self.spend_initial_access_token(request)
        client = self.create(metadata)
        self.keep_house()
        return self.registered(client)

    # -- what is registered

    def accept(self, document: dict[str, Any]) -> dict[str, Any]:
        """The metadata to be registered for a request, defaults included.

        Raises:
            Refusal: a registration error (RFC 7591, section 3.2.2).
        """
        wanted = self.with_statement(document)
        self.check_unknown_members(wanted)
        wanted = {name: value for name, value in wanted.items()
                  if self.is_known_member(name) and not self.is_absent(value)}
        auth_method = self.accept_auth_method(wanted)
        grant_types = self.accept_grant_types(wanted)
        response_types = self.accept_response_types(wanted, grant_types)
        self.check_consistency(grant_types, response_types)
        self.check_confidentiality(grant_types, auth_method)
        redirect_uris = self.accept_redirect_uris(wanted, grant_types)
        self.refuse_two_key_sources(wanted)
        self.require_keys(wanted, auth_method)
        metadata: dict[str, Any] = {"redirect_uris": redirect_uris} if redirect_uris else {}
        metadata |= {"token_endpoint_auth_method": auth_method, "grant_types": grant_types,
                     "response_types": response_types, "scope": self.accept_scope(wanted)}
        if self.rules.openid:
            metadata |= self.accept_openid(wanted, metadata)
        for name, value in wanted.items():
            accepted = None if name in metadata else self.accept_member(name, value, redirect_uris)
            if accepted is not None:
                metadata[name] = accepted
        return metadata

    def with_statement(self, document: dict[str, Any]) -> dict[str, Any]:
        """A statement's values win over the plain ones (RFC 7591, section 3.1.1)."""
        if document.get("software_statement") is None:
            return document
        claims = self.statement_claims(document["software_statement"])
        signed = {name: value for name, value in claims.items()
                  if self.is_known_member(name) and name != "software_statement"}
        self.check_surrogates(signed)
        return self.override(document, signed)

    def override(self, document: dict[str, Any], signed: dict[str, Any]) -> dict[str, Any]:
        return {**document, **signed}

    def check_unknown_members(self, document: dict[str, Any]) -> None:
        """Members that are not understood are ignored (RFC 7591, section 2), or refused where the owner wants it."""
        if self.rules.unknown_members_refused and not all(self.is_known_member(name) for name in document):
            self.refuse_metadata("the request holds a member that this server does not know")

    def accept_member(self, name: str, value: Any, redirect_uris: list[str]) -> Any:
        """The value to register for a member that depends on no other; None: nothing."""
        base = name.partition("#")[0]
        if base == "client_name":
            return self.accept_client_name(name, value)
        if base == "post_logout_redirect_uris":
            return self.accept_farewells(value)
        if base in PAGE_MEMBERS:
            return self.accept_page(name, value, redirect_uris)
        if base == "software_statement":
            return value
        accept = {"contacts": self.accept_contacts, "jwks": self.accept_jwks, "jwks_uri": self.accept_jwks_uri,
                  "software_id": self.accept_software_id, "software_version": self.accept_software_version,
                  "application_type": self.accept_application_type}.get(base)
        return accept(value) if accept else None

    # -- provision

    def create(self, metadata: dict[str, Any]) -> Client:
        """A new client; its identifier and credentials are the server's choice (RFC 7591, section 6)."""
        client = Client(client_id=self.new_client_id(metadata), issued_at=int(self.now()), metadata=metadata,
                        last_used=self.now())
        self.provide_secret(client)
        self.provide_registration_access_token(client)
        self.store.clients[client.client_id] = client
        return client

    def new_client_id(self, metadata: dict[str, Any]) -> str:
        return self.new_identifier()

    def new_client_secret(self, client: Client) -> str:
        return self.new_secret()

    def new_registration_access_token(self, client: Client) -> str:
        return self.new_token()

    def provide_secret(self, client: Client) -> None:
        """A secret for a confidential client, none for a public one; a secret in force is kept."""
        if not self.needs_secret(client):
            client.secret, client.secret_expires_at = None, 0
        elif client.secret is None:
            client.secret = self.new_client_secret(client)
            client.secret_expires_at = self.secret_expiry()

    def needs_secret(self, client: Client) -> bool:
        return client.auth_method in ("client_secret_basic", "client_secret_post")

    def secret_expiry(self) -> int:
        """Seconds since the epoch; 0: never."""
        return int(self.now()) + self.rules.secret_lifetime if self.rules.secret_lifetime else 0

    def provide_registration_access_token(self, client: Client) -> None:
        client.registration_access_token = self.new_registration_access_token(client)
        self.store.registration_access_tokens[client.registration_access_token] = client.client_id

    # -- the answer

    def registered(self, client: Client) -> Response:
        """201, and where the client can be read (RFC 9110, section 9.3.3)."""
        answer = self.client_answer(client, status=201)
        answer.headers["Location"] = quote(self.registration_client_uri(client), safe=":/?#[]@!$&'()*+,;=%")
        return answer

    def client_answer(self, client: Client, *, status: int) -> Response:
        return self.json(self.describe(client), status=status, headers=self.no_store())

    def describe(self, client: Client) -> dict[str, Any]:
        """The client information response (RFC 7591, section 3.2.1; RFC 7592, section 3)."""
        return {**self.describe_identity(client), **self.describe_secret(client),
                **self.describe_management(client), **self.describe_metadata(client)}

    def describe_identity(self, client: Client) -> dict[str, Any]:
        return {"client_id": client.client_id, "client_id_issued_at": client.issued_at}

    def describe_secret(self, client: Client) -> dict[str, Any]:
        if client.secret is None:
            return {}
        return {"client_secret": client.secret, "client_secret_expires_at": client.secret_expires_at}

    def describe_management(self, client: Client) -> dict[str, Any]:
        return {"registration_access_token": client.registration_access_token,
                "registration_client_uri": self.registration_client_uri(client)}

    def registration_client_uri(self, client: Client) -> str:
        return f"{self.endpoint('register')}/{client.client_id}"

    def describe_metadata(self, client: Client) -> dict[str, Any]:
        """Everything that was registered, defaults included."""
        return client.metadata

    # -- the end of a client

    def keep_house(self) -> None:
        """Once an hour, remove what nobody uses."""
        if self.now() >= self.next_collection:
            self.next_collection = self.now() + 3600
            self.collect_stale(self.now())

    def collect_stale(self, now: float) -> int:
        """Remove the clients that nobody has used for `Rules.stale_after` seconds; returns how many."""
        stale = [client for client in self.store.clients.values() if self.is_stale(client, now)]
        for client in stale:
            self.remove(client)
        return len(stale)

    def is_stale(self, client: Client, now: float) -> bool:
        return client.last_used < now - self.rules.stale_after

    def remove(self, client: Client) -> None:
        """Delete a client and all that hangs on it (RFC 7592, section 2.3)."""
        self.store.clients.pop(client.client_id, None)
        self.forget_registration_access_token(client)
        self.forget_codes(client)
        self.revoke_grants(client)

    def forget_registration_access_token(self, client: Client) -> None:
        self.store.registration_access_tokens.pop(client.registration_access_token, None)

    def forget_codes(self, client: Client) -> None:
        for value in [code.value for code in self.store.codes.values() if code.client_id == client.client_id]:
            del self.store.codes[value]

    def revoke_grants(self, client: Client) -> None:
        for grant in self.store.grants.values():
            if grant.client_id == client.client_id:
                grant.live = False
