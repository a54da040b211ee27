"""Clients that prove themselves with a key of their own: private_key_jwt (RFC 7523; OpenID Connect Core, section 9)."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import jwt

from dcrcheck.reference.answers import REALM, Answers, Refusal
from dcrcheck.reference.store import Client

Form = dict[str, list[str]]
ASSERTION_ALGORITHMS = ("ES256", "RS256", "PS256", "EdDSA")
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SKEW_S = 60


class Assertions(Answers):
    """Keys come from the client's registration and from nowhere else; nothing is fetched."""

    def check_assertion(self, client: Client, form: Form) -> None:
        """One method a rule.

        Raises:
            Refusal: invalid_client (RFC 7523, section 3.2), whatever is wrong.
        """
        assertion = form.get("client_assertion", [""])[0]
        if form.get("client_assertion_type", [""])[0] != _ASSERTION_TYPE:
            self.refuse_client()
        header, claims = self.open_assertion(assertion)
        self.check_assertion_signature(client, header, assertion)
        self.check_assertion_parties(client, claims)
        self.check_assertion_audience(claims)
        self.check_assertion_time(claims)
        self.check_assertion_use(client, claims)

    def asserted_client(self, form: Form) -> str:
        """Whom an assertion names, nothing verified yet; client_id need not be sent (RFC 7521, section 4.2)."""
        _, claims = self.open_assertion(form.get("client_assertion", [""])[0])
        return str(claims.get("sub", ""))

    def open_assertion(self, assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            header = jwt.get_unverified_header(assertion)
            claims = jwt.decode(assertion, options={"verify_signature": False})
        except (jwt.PyJWTError, json.JSONDecodeError, ValueError, RecursionError):
            self.refuse_client()
        return header, claims

    def check_assertion_signature(self, client: Client, header: dict[str, Any], assertion: str) -> None:
        """RFC 8725, sections 3.1 and 3.3: by a registered key, with an algorithm of ours, all of it verified."""
        if not self.is_assertion_algorithm(client, header.get("alg")) or "crit" in header:
            self.refuse_client()
        if not any(self.is_signed_with(key, header["alg"], assertion) for key in self.assertion_keys(client, header)):
            self.refuse_client()

    def is_assertion_algorithm(self, client: Client, algorithm: Any) -> bool:
        """One of ours, and the client's where it registered one (OpenID Connect Registration, section 2)."""
        return (algorithm in ASSERTION_ALGORITHMS
                and client.metadata.get("token_endpoint_auth_signing_alg", algorithm) == algorithm)

    def assertion_keys(self, client: Client, header: dict[str, Any]) -> list[dict[str, Any]]:
        """The registered keys, those that kid names where it is given (RFC 7515, section 4.1.4)."""
        registered = client.metadata.get("jwks", {"keys": []})["keys"]
        return [key for key in registered if "kid" not in header or key.get("kid") == header["kid"]]

    def is_signed_with(self, key: dict[str, Any], algorithm: str, assertion: str) -> bool:
        """RFC 8725, section 3.1: a key that is made for one algorithm is used with no other."""
        try:
            if key.get("alg", algorithm) != algorithm or key.get("use", "sig") != "sig":
                return False
            jwt.decode(assertion, jwt.PyJWK(key, algorithm=algorithm), algorithms=[algorithm],
                       options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False,
                                "verify_iss": False, "verify_sub": False, "verify_jti": False})
        except (jwt.PyJWTError, ValueError, TypeError):
            return False
        return True

    def check_assertion_parties(self, client: Client, claims: dict[str, Any]) -> None:
        """RFC 7523, section 3: the client speaks for itself and for nobody else."""
        if claims.get("iss") != client.client_id or claims.get("sub") != client.client_id:
            self.refuse_client()

    def check_assertion_audience(self, claims: dict[str, Any]) -> None:
        """The issuer and nobody else, so that no other server can use it (OAuth 2.1, section 2.4)."""
        audience = claims.get("aud")
        if audience != self.issuer and audience != [self.issuer]:
            self.refuse_client()

    def check_assertion_time(self, claims: dict[str, Any]) -> None:
        """RFC 7523, section 3: exp is required, nbf optional."""
        now = self.now()
        if not self.is_time(claims.get("exp")) or not self.is_time(claims.get("nbf", now)):
            self.refuse_client()
        if claims["exp"] <= now or claims.get("nbf", now) > now + _SKEW_S:
            self.refuse_client()

    def is_time(self, value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool)

    def check_assertion_use(self, client: Client, claims: dict[str, Any]) -> None:
        """Each assertion counts once (OpenID Connect Core, section 9), by its jti."""
        identifier = claims.get("jti")
        if not isinstance(identifier, str) or not identifier or len(identifier) > self.rules.text_length:
            self.refuse_client()
        used = f"{client.client_id} {identifier}"
        if used in self.store.assertions:
            self.refuse_client()
        self.store.assertions[used] = claims.get("exp", 0)

    def refuse_client(self) -> NoReturn:
        raise Refusal(401, "invalid_client", "the client is not known or could not be authenticated",
                      challenge=f'Basic realm="{REALM}"')
