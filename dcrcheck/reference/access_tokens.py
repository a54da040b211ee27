"""JWT access tokens (RFC 9068), and the resource that they open."""

from __future__ import annotations

from typing import Any

import jwt
from jwt.utils import base64url_decode, base64url_encode
from starlette.requests import Request
from starlette.responses import Response

from dcrcheck.reference.answers import REALM, Refusal
from dcrcheck.reference.keys import KEY_ID, Keys
from dcrcheck.reference.store import AccessToken, Grant


class AccessTokens(Keys):
    # -- issued

    def issue_access_token(self, grant: Grant, scopes: tuple[str, ...], resources: tuple[str, ...]) -> str:
        record = AccessToken(token_id=self.new_identifier(), grant_id=grant.grant_id)
        self.store.access_tokens[record.token_id] = record
        claims = self.access_token_claims(grant, scopes, resources, record.token_id)
        return jwt.encode(claims, self.signing_key, algorithm="ES256", headers={"typ": "at+jwt", "kid": KEY_ID})

    def access_token_claims(self, grant: Grant, scopes: tuple[str, ...], resources: tuple[str, ...],
                            token_id: str) -> dict[str, Any]:
        """RFC 9068, section 2.2."""
        now = int(self.now())
        return {"iss": self.issuer, "sub": grant.subject, "aud": self.audience(resources),
                "client_id": grant.client_id, "scope": " ".join(scopes), "iat": now,
                "exp": now + self.rules.access_token_lifetime, "jti": token_id}

    def audience(self, resources: tuple[str, ...]) -> str | list[str]:
        """The resource that the client named (RFC 8707, section 2)."""
        return resources[0] if len(resources) == 1 else list(resources)

    # -- checked

    def access_token_record(self, token: str, *, audience: str | None) -> tuple[AccessToken, dict[str, Any]] | None:
        """The record and the claims of a token of ours, or None."""
        try:
            if not self.is_access_token_form(token):
                return None
            claims = jwt.decode(token, self.signing_key.public_key(), algorithms=["ES256"], issuer=self.issuer,
                                audience=audience, options={"require": ["exp", "iss", "aud", "jti"],
                                                            "verify_aud": audience is not None})
        except (jwt.PyJWTError, ValueError):
            return None
        record = self.store.access_tokens.get(str(claims["jti"]))
        return (record, claims) if record else None

    def is_access_token_form(self, token: str) -> bool:
        """The type of RFC 9068, section 2.1, and a signature without spare bits, so that no change goes unseen."""
        signature = token.rpartition(".")[2]
        return (jwt.get_unverified_header(token).get("typ") == "at+jwt"
                and base64url_encode(base64url_decode(signature)).decode() == signature)

    def is_live(self, record: AccessToken) -> bool:
        """Not revoked, and neither is the grant behind it."""
        grant = self.store.grants.get(record.grant_id)
        return record.live and grant is not None and grant.live

    # -- the protected resource

    async def protected_resource(self, request: Request) -> Response:
        """200 for whoever has a token for this resource; everyone else is told where to get one (RFC 9728)."""
        claims = self.check_access(request)
        return self.json({"subject": claims["sub"], "client_id": claims["client_id"], "scope": claims["scope"]},
                         headers=self.no_store())

    def check_access(self, request: Request) -> dict[str, Any]:
        values = request.headers.getlist("authorization")
        if not values:
            raise Refusal(401, "invalid_token", "this needs an access token", challenge=self.resource_challenge())
        scheme, _, token = values[0].partition(" ")
        found = None
        if len(values) == 1 and scheme.lower() == "bearer":
            found = self.access_token_record(token.strip(" "), audience=self.accepted_audience())
        if found is None or not self.is_live(found[0]):
            raise Refusal(401, "invalid_token", "the access token is not valid here",
                          challenge=self.resource_challenge("invalid_token"))
        if not self.is_sufficient_scope(found[1]):
            raise Refusal(403, "insufficient_scope", "the access token lacks the scope",
                          challenge=self.resource_challenge("insufficient_scope"))
        return found[1]

    def accepted_audience(self) -> str | None:
        return self.resource

    def is_sufficient_scope(self, claims: dict[str, Any]) -> bool:
        return self.rules.default_scope in str(claims["scope"]).split()

    def resource_challenge(self, error: str = "") -> str:
        """RFC 9728, section 5.1."""
        return (f'Bearer realm="{REALM}", resource_metadata="{self.resource_metadata_url()}", '
                f'scope="{self.rules.default_scope}"' + (f', error="{error}"' if error else ""))

    def resource_metadata_url(self) -> str:
        return f"{self.origin}/.well-known/oauth-protected-resource/mcp"
