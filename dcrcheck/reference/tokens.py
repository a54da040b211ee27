"""The token endpoint and the revocation endpoint (OAuth 2.1, section 3.2; RFC 7009)."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dcrcheck.reference.access_tokens import AccessTokens
from dcrcheck.reference.answers import Refusal
from dcrcheck.reference.assertions import Form
from dcrcheck.reference.authorization import Authorization
from dcrcheck.reference.client_authentication import ClientAuthentication
from dcrcheck.reference.store import Client, Code, Grant, RefreshToken


class Tokens(Authorization, AccessTokens, ClientAuthentication):
    async def token(self, request: Request) -> Response:
        """POST to the token endpoint."""
        form = await self.read_form(request)
        client = self.authenticate_client(request, form)
        grant_type = form.get("grant_type", [""])[0]
        self.check_grant_type(client, grant_type)
        client.last_used = self.now()
        if grant_type == "refresh_token":
            return self.refresh(client, form)
        if grant_type == "client_credentials":
            return self.client_credentials(client, form)
        return self.redeem(client, form)

    def check_grant_type(self, client: Client, grant_type: str) -> None:
        if not grant_type:
            raise Refusal(400, "invalid_request", "grant_type is missing")
        if not self.is_grant_type_allowed(grant_type):
            raise Refusal(400, "unsupported_grant_type", "this grant is not offered")
        if not self.is_grant_registered(client, grant_type):
            raise Refusal(400, "unauthorized_client", "this client has not registered that grant")

    def is_grant_registered(self, client: Client, grant_type: str) -> bool:
        return grant_type in client.grant_types

    # -- authorization_code

    def redeem(self, client: Client, form: Form) -> Response:
        code = self.code_of(client, form)
        self.check_redemption(code, form)
        if code.grant_id:
            self.replayed(code)
        self.check_code_lifetime(code)
        scopes, resources = self.narrowed_scopes(code.scopes, form), self.narrowed_resources(code.resources, form)
        grant = self.new_grant(client, code.subject, code.scopes, code.resources)
        self.spend_code(code, grant)
        return self.token_answer(client, grant, scopes, resources)

    def code_of(self, client: Client, form: Form) -> Code:
        if "code" not in form:
            raise Refusal(400, "invalid_request", "code is missing")
        code = self.store.codes.get(form["code"][0])
        if code is None or not self.is_code_of(code, client):
            raise Refusal(400, "invalid_grant", "the code is not valid")
        return code

    def is_code_of(self, code: Code, client: Client) -> bool:
        """A code is bound to the client that it was issued to (OAuth 2.1, section 4.1.3)."""
        return code.client_id == client.client_id

    def check_redemption(self, code: Code, form: Form) -> None:
        """Before a replay is acted on, so that whoever lacks the verifier revokes nothing (section 7.5.3)."""
        if not self.is_redirect_uri_of(code, form.get("redirect_uri", [code.redirect_uri])[0]):
            raise Refusal(400, "invalid_grant", "redirect_uri is not the one of the authorization request")
        if not self.is_verified(code, form.get("code_verifier", [""])[0]):
            raise Refusal(400, "invalid_grant", "code_verifier is missing or wrong")

    def is_redirect_uri_of(self, code: Code, redirect_uri: str) -> bool:
        return redirect_uri == code.redirect_uri

    def is_verified(self, code: Code, verifier: str) -> bool:
        """RFC 7636, section 4.6; a code without a challenge cannot be redeemed (OAuth 2.1, section 4.1.3)."""
        if not self.has_challenge(code) or not self.is_sound_verifier(verifier):
            return False
        return self.same_secret(self.derived_challenge(code, verifier), code.challenge)

    def has_challenge(self, code: Code) -> bool:
        return bool(code.challenge)

    def is_sound_verifier(self, verifier: str) -> bool:
        """RFC 7636, section 4.1."""
        return bool(re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier))

    def derived_challenge(self, code: Code, verifier: str) -> str:
        digest = hashlib.sha256(verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def check_code_lifetime(self, code: Code) -> None:
        if code.expires_at <= self.now():
            raise Refusal(400, "invalid_grant", "the code has expired")

    def spend_code(self, code: Code, grant: Grant) -> None:
        code.grant_id = grant.grant_id

    def replayed(self, code: Code) -> None:
        """Somebody has the code twice: nobody keeps the tokens (OAuth 2.1, section 4.1.3)."""
        self.revoke_replayed_grant(code)
        raise Refusal(400, "invalid_grant", "the code has been used before")

    def revoke_replayed_grant(self, code: Code) -> None:
        self.revoke_grant(code.grant_id)

    # -- refresh_token

    def refresh(self, client: Client, form: Form) -> Response:
        token = self.refresh_token_of(client, form)
        if token.spent:
            self.reused(token)
        grant = self.store.grants[token.grant_id]
        scopes = self.narrowed_scopes(self.remaining_scopes(grant, client), form)
        resources = self.narrowed_resources(grant.resources, form)
        return self.token_answer(client, grant, scopes, resources, refresh_token=self.rotate(token))

    def remaining_scopes(self, grant: Grant, client: Client) -> tuple[str, ...]:
        """What was granted, as far as the client is still registered for it."""
        return tuple(scope for scope in grant.scopes if scope in client.scopes)

    def refresh_token_of(self, client: Client, form: Form) -> RefreshToken:
        if "refresh_token" not in form:
            raise Refusal(400, "invalid_request", "refresh_token is missing")
        token = self.store.refresh_tokens.get(form["refresh_token"][0])
        grant = self.store.grants.get(token.grant_id) if token else None
        if (token is None or grant is None or not self.is_grant_of(grant, client) or not self.is_grant_live(grant)
                or token.expires_at <= self.now()):
            raise Refusal(400, "invalid_grant", "the refresh token is not valid")
        return token

    def is_grant_of(self, grant: Grant, client: Client) -> bool:
        """A refresh token is bound to its client (OAuth 2.1, section 4.3)."""
        return grant.client_id == client.client_id

    def is_grant_live(self, grant: Grant) -> bool:
        return grant.live

    def reused(self, token: RefreshToken) -> None:
        """Two parties hold the chain: it ends for both (OAuth 2.1, section 4.3.1)."""
        self.revoke_reused_grant(token)
        raise Refusal(400, "invalid_grant", "the refresh token has been used before")

    def revoke_reused_grant(self, token: RefreshToken) -> None:
        self.revoke_grant(token.grant_id)

    def rotate(self, token: RefreshToken) -> str:
        """A new refresh token with every refresh; the old one is spent."""
        token.spent = True
        return self.new_refresh_token(token.grant_id)

    def new_refresh_token(self, grant_id: str) -> str:
        token = RefreshToken(value=self.new_token(), grant_id=grant_id,
                             expires_at=self.now() + self.rules.refresh_token_lifetime)
        self.store.refresh_tokens[token.value] = token
        return token.value

    # -- client_credentials

    def client_credentials(self, client: Client, form: Form) -> Response:
        """The client for itself: no user, nothing to refresh (OAuth 2.1, section 4.2)."""
        offered = tuple(scope for scope in client.scopes if scope != "offline_access")
        resources = self.machine_resources(form)
        grant = self.new_grant(client, client.client_id, offered, resources)
        return self.token_answer(client, grant, self.narrowed_scopes(offered, form), resources, refresh_token=None)

    def machine_resources(self, form: Form) -> tuple[str, ...]:
        named = tuple(dict.fromkeys(form.get("resource", [])))
        if not named and self.is_resource_required():
            raise Refusal(400, "invalid_target", "resource is required")
        return self.narrowed_resources(named or (self.resource,), form)

    # -- common to all grants

    def new_grant(self, client: Client, subject: str, scopes: tuple[str, ...], resources: tuple[str, ...]) -> Grant:
        grant = Grant(grant_id=self.new_identifier(), client_id=client.client_id, subject=subject, scopes=scopes,
                      resources=resources)
        self.store.grants[grant.grant_id] = grant
        return grant

    def narrowed_scopes(self, granted: tuple[str, ...], form: Form) -> tuple[str, ...]:
        """No more than was granted (OAuth 2.1, section 4.3.1)."""
        scopes = tuple(form["scope"][0].split(" ")) if "scope" in form else granted
        if not self.is_within_grant(scopes, granted):
            raise Refusal(400, "invalid_scope", "scope goes beyond what was granted")
        return scopes

    def is_within_grant(self, scopes: tuple[str, ...], granted: tuple[str, ...]) -> bool:
        return set(scopes) <= set(granted)

    def narrowed_resources(self, granted: tuple[str, ...], form: Form) -> tuple[str, ...]:
        """One of those that were granted (RFC 8707, section 2.2)."""
        resources = tuple(dict.fromkeys(form.get("resource", granted)))
        if not all(self.is_resource_granted(resource, granted) for resource in resources):
            raise Refusal(400, "invalid_target", "resource is not one that was granted")
        return resources

    def is_resource_granted(self, resource: str, granted: tuple[str, ...]) -> bool:
        return resource in granted and self.is_known_resource(resource)

    def token_answer(self, client: Client, grant: Grant, scopes: tuple[str, ...], resources: tuple[str, ...], *,
                     refresh_token: str | None = "") -> Response:
        """OAuth 2.1, section 3.2.3. `refresh_token`: empty for a first one if the client may have it, None for none."""
        answer: dict[str, Any] = {
            "access_token": self.issue_access_token(grant, scopes, resources), "token_type": "Bearer",
            "expires_in": self.rules.access_token_lifetime, "scope": " ".join(scopes)}
        if refresh_token == "" and self.may_refresh(client):
            refresh_token = self.new_refresh_token(grant.grant_id)
        if refresh_token:
            answer["refresh_token"] = refresh_token
        return self.json(answer, headers=self.no_store())

    def may_refresh(self, client: Client) -> bool:
        return "refresh_token" in client.grant_types

    # -- revocation

    async def revoke(self, request: Request) -> Response:
        """RFC 7009, section 2: 200 whether or not there was anything to revoke."""
        form = await self.read_form(request)
        client = self.authenticate_client(request, form)
        if "token" not in form:
            raise Refusal(400, "invalid_request", "token is missing")
        self.revoke_refresh_token(client, form["token"][0])
        self.revoke_access_token(client, form["token"][0])
        return Response(status_code=200, headers={**self.hygiene(), **self.no_store()})

    def revoke_refresh_token(self, client: Client, value: str) -> None:
        """The grant ends, and with it its access tokens (RFC 7009, section 2.1)."""
        token = self.store.refresh_tokens.get(value)
        if token is not None and self.may_revoke(client, token.grant_id):
            self.revoke_grant(token.grant_id)

    def revoke_access_token(self, client: Client, value: str) -> None:
        found = self.access_token_record(value, audience=None)
        if found is not None and self.may_revoke(client, found[0].grant_id):
            found[0].live = False

    def may_revoke(self, client: Client, grant_id: str) -> bool:
        """Nobody revokes the tokens of another client."""
        grant = self.store.grants.get(grant_id)
        return grant is not None and self.is_grant_of(grant, client)

    def revoke_grant(self, grant_id: str) -> None:
        grant = self.store.grants.get(grant_id)
        if grant is not None:
            grant.live = False
