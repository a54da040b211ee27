"""The keys of the server, and what it signs with them beside tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from starlette.requests import Request
from starlette.responses import Response

from dcrcheck.reference.answers import Answers
from dcrcheck.reference.rules import Rules

KEY_ID = "reference-1"


class Keys(Answers):
    def __init__(self, rules: Rules | None = None, *, issuer: str = "") -> None:
        super().__init__(rules, issuer=issuer)
        self.signing_key = ec.generate_private_key(ec.SECP256R1())
        self._attested: dict[str, str] = {}

    async def key_set(self, request: Request) -> Response:
        return self.json({"keys": self.public_keys()}, headers={"Cache-Control": "max-age=60"})

    def public_keys(self) -> list[dict[str, Any]]:
        return [self.public_key()]

    def public_key(self) -> dict[str, Any]:
        key = ECAlgorithm.to_jwk(self.signing_key.public_key(), as_dict=True)
        return {**key, "use": "sig", "alg": "ES256", "kid": KEY_ID}

    def attest(self, content: Mapping[str, Any], party: str) -> str:
        """A signed copy of published metadata (RFC 8414, section 2.1); the same for the same content."""
        claims = self.attested_claims(content, party)
        text = json.dumps(claims, sort_keys=True)
        if text not in self._attested:
            self._attested[text] = self.sign_metadata(claims)
        return self._attested[text]

    def attested_claims(self, content: Mapping[str, Any], party: str) -> dict[str, Any]:
        return {**content, "iss": party}

    def sign_metadata(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self.signing_key, algorithm="ES256", headers={"kid": KEY_ID})
