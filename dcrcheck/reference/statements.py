"""Software statements (RFC 7591, section 2.3; RFC 8725)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Any, NoReturn

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dcrcheck.reference.answers import Answers, Refusal
from dcrcheck.reference.rules import Rules

STATEMENT_ISSUER = "https://statements.example"
_STATEMENT_ALGORITHMS = ("ES256",)
_SIGNATURE_ALGORITHMS = ("ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA")


class Statements(Answers):
    """One issuer is trusted: STATEMENT_ISSUER, whose key pair is made afresh by every server."""

    def __init__(self, rules: Rules | None = None, *, issuer: str = "") -> None:
        super().__init__(rules, issuer=issuer)
        self.statement_key = ec.generate_private_key(ec.SECP256R1())

    def statement_key_pem(self) -> str:
        """The private key of the trusted issuer, for whoever wants to sign statements (PKCS #8, PEM)."""
        return self.statement_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def statement_claims(self, statement: Any) -> dict[str, Any]:
        """The claims of a statement that is to be believed.

        Raises:
            Refusal: invalid_software_statement or unapproved_software_statement (RFC 7591, section 3.2.2).
        """
        header, claims = self.open_statement(statement)
        self.check_statement_signed(header, statement)
        self.check_statement_header(header)
        self.check_statement_issuer(claims)
        self.check_statement_time(claims)
        self.check_statement_audience(claims)
        self.check_statement_trust(claims)
        self.check_statement_signature(statement)
        self.check_statement_approval(claims)
        return claims

    def open_statement(self, statement: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and claims, nothing verified yet; the member is one string (RFC 7591, section 3.1.1)."""
        if not isinstance(statement, str) or len(statement) > self.rules.body_size:
            self.refuse_statement("software_statement must be a JWT in a string")
        self.check_statement_encoding(statement)
        try:
            header = jwt.get_unverified_header(statement)
            claims = jwt.decode(statement, options={"verify_signature": False})
        except (jwt.PyJWTError, json.JSONDecodeError, ValueError, RecursionError):
            self.refuse_statement("software_statement is not a JWT")
        return header, claims

    def check_statement_encoding(self, statement: str) -> None:
        """Header and claims are UTF-8 (RFC 8725, section 3.7); a JSON parser may be content with other encodings."""
        try:
            for part in statement.split(".")[:2]:
                text = urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode("utf-8")
                if "\0" in text:
                    self.refuse_statement("software_statement is not UTF-8")
        except ValueError:
            self.refuse_statement("software_statement is not a JWT in UTF-8")

    def check_statement_signed(self, header: dict[str, Any], statement: str) -> None:
        """RFC 7591, section 2.3: signed or MACed; a MAC would need a secret that no client shares with us."""
        if header.get("alg") not in _SIGNATURE_ALGORITHMS or not statement.rpartition(".")[2]:
            self.refuse_statement("software_statement is not signed")

    def check_statement_header(self, header: dict[str, Any]) -> None:
        """RFC 7515, section 4.1.11: what is critical and unknown stops us. Keys in the header are not looked at."""
        if "crit" in header:
            self.refuse_statement("software_statement has a critical header that is not understood")

    def check_statement_issuer(self, claims: dict[str, Any]) -> None:
        if not isinstance(claims.get("iss"), str) or not claims["iss"]:
            self.refuse_statement("software_statement has no issuer")

    def check_statement_time(self, claims: dict[str, Any]) -> None:
        for name in ("exp", "nbf", "iat"):
            if name in claims and (isinstance(claims[name], bool) or not isinstance(claims[name], int | float)):
                self.refuse_statement("software_statement has a time that is no number")
        now = self.now()
        if claims.get("exp", now + 1) <= now or claims.get("nbf", now) > now + 60:
            self.refuse_statement("software_statement is expired or not yet valid")

    def check_statement_audience(self, claims: dict[str, Any]) -> None:
        audience = claims.get("aud", self.issuer)
        accepted = (self.issuer, self.endpoint("register"))
        if not any(name in accepted for name in (audience if isinstance(audience, list) else [audience])):
            self.refuse_statement("software_statement is meant for another server")

    def check_statement_trust(self, claims: dict[str, Any]) -> None:
        if claims["iss"] != STATEMENT_ISSUER:
            self.refuse_approval("software_statement comes from an issuer that is not trusted here")

    def check_statement_signature(self, statement: str) -> None:
        try:
            jwt.decode(statement, self.statement_key.public_key(), algorithms=list(_STATEMENT_ALGORITHMS),
                       options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False})
        except (jwt.PyJWTError, ValueError):
            self.refuse_statement("software_statement has a bad signature")

    def check_statement_approval(self, claims: dict[str, Any]) -> None:
        if claims.get("software_id") in self.rules.withdrawn_software_ids:
            self.refuse_approval("software_statement is for software that is not approved here")

    def refuse_statement(self, description: str) -> NoReturn:
        raise Refusal(400, "invalid_software_statement", description)

    def refuse_approval(self, description: str) -> NoReturn:
        raise Refusal(400, "unapproved_software_statement", description)
