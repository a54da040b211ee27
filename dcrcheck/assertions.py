"""Clients that authenticate with a key of their own: private_key_jwt (RFC 7523, OpenID Connect Core section 9)."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dcrcheck.client import Client
from dcrcheck.registration import OMIT
from dcrcheck.transport import Answer
from dcrcheck.verdict import Inapplicable, inapplicable, inconclusive

if TYPE_CHECKING:
    from dcrcheck.endpoint import Endpoint
    from dcrcheck.session import Session

METHOD = "private_key_jwt"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# the quickest to make first; RS256 is what a server that says nothing is to know (OpenID Connect Core section 15.1)
_ALGORITHMS = ("ES256", "RS256", "PS256")
_LIFETIME_S = 120


@dataclass(frozen=True, kw_only=True, eq=False)
class Key:
    """A throw-away key pair of a client."""

    algorithm: str
    private: Any
    name: str

    @classmethod
    def new(cls, algorithm: str) -> Key:
        private = (ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256"
                   else rsa.generate_private_key(public_exponent=65537, key_size=2048))
        return cls(algorithm=algorithm, private=private, name=f"dcrcheck-{secrets.token_hex(4)}")

    @property
    def jwk(self) -> dict[str, Any]:
        """The public half (RFC 7517)."""
        kind = jwt.algorithms.ECAlgorithm if self.algorithm == "ES256" else jwt.algorithms.RSAAlgorithm
        public = json.loads(kind.to_jwk(self.private.public_key()))
        return {**public, "kid": self.name, "use": "sig", "alg": self.algorithm}

    @property
    def spellings(self) -> dict[str, bytes]:
        """The public half in the ways in which a server may hold it."""
        public = self.private.public_key()
        return {"pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
                "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
                "jwk": json.dumps(self.jwk).encode()}

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        return jwt.encode(dict(claims), self.private, algorithm=self.algorithm,
                          headers={"kid": self.name, **header})


class Assertions:
    """What one run knows about client assertions at its target: clients with keys, and the control of every probe."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.audience = endpoint.target.issuer
        self._clients: dict[str, Client | Inapplicable] = {}
        self._right: dict[Client, tuple[Answer, Answer]] = {}

    @cached_property
    def algorithm(self) -> str:
        """With which the clients of the run sign.

        Raises:
            Inapplicable: the metadata does not offer private_key_jwt with an algorithm of ours.
        """
        metadata = self.endpoint.metadata
        if METHOD not in (metadata.get("token_endpoint_auth_methods_supported") or ()):
            inapplicable(f"the metadata does not offer {METHOD}")
        offered = metadata.get("token_endpoint_auth_signing_alg_values_supported") or ["RS256"]
        found = next((name for name in _ALGORITHMS if name in offered), None)
        return found or inapplicable(f"the metadata offers {METHOD} with none of {', '.join(_ALGORITHMS)}")

    @cached_property
    def key(self) -> Key:
        return Key.new(self.algorithm)

    @cached_property
    def other_key(self) -> Key:
        return Key.new(self.algorithm)

    def client(self, name: str = "") -> Client:
        """The client of the run that holds `key`; another `name` has one that holds `other_key`.

        Raises:
            Inapplicable: the server offers no private_key_jwt, or not to clients that register themselves.
            Inconclusive: the server does not tell.
        """
        if name not in self._clients:
            try:
                self._clients[name] = self._registered((self.other_key if name else self.key).jwk, name)
            except Inapplicable as reason:
                self._clients[name] = reason
        found = self._clients[name]
        if isinstance(found, Inapplicable):
            raise found
        self.endpoint.recorder.recall(found.answer.exchange)
        return found

    def _registered(self, jwk: Mapping[str, Any], name: str) -> Client:
        with self.endpoint.budget.use(f"{METHOD} {name}".strip()):
            answer = self.endpoint.submit(token_endpoint_auth_method=METHOD, jwks={"keys": [jwk]})
        if answer.client is None:
            inapplicable(f"the server registers nobody for {METHOD}: {answer.describe()}")
        if answer.client.auth_method != METHOD:
            inapplicable(f"the server made it a client with {answer.client.auth_method!r}")
        return answer.client

    def claims(self, client: Client, **deviation: Any) -> dict[str, Any]:
        """What the client states of itself, with deviations; `OMIT` takes a claim out."""
        now = int(time.time())
        usual = {"iss": client.client_id, "sub": client.client_id, "aud": self.audience, "iat": now,
                 "exp": now + _LIFETIME_S, "jti": secrets.token_urlsafe(16)}
        return {name: value for name, value in {**usual, **deviation}.items() if value is not OMIT}

    def present(self, client: Client, assertion: str | None, **form: Any) -> Answer:
        """A token request of the client with this assertion, or with none, and a code that nobody issued."""
        return self.endpoint.try_code(client, auth="none", **_proof(assertion), **form)

    def takes(self, client: Client, assertion: str | None, *, session: Session | None = None, **form: Any) -> bool:
        """Whether the token endpoint takes an assertion, or its absence, for a proof that this is the client.

        The control: an assertion that is right in every way gets further than none. Where it does not, or where the
        answer alone does not tell, a code of the user's tells, if there is a session.

        Raises:
            Inconclusive: the right assertion is turned away, or nothing tells.
        """
        right, without = self._control(client)
        answer = self.present(client, assertion, **form)
        if answer.turned_away or answer.describe() != right.describe():
            return False
        if without.describe() != right.describe() and _said(answer) == _said(right):
            return True
        if session is None:
            inconclusive(f"the token endpoint does not tell a right assertion from a wrong one: {answer.describe()}")
        return self._redeems(session, client, assertion, **form)

    def _control(self, client: Client) -> tuple[Answer, Answer]:
        """The answers to the client with a right assertion and with none; the former settles `audience`."""
        if client not in self._right:
            for audience in (self.audience, self.endpoint.target.endpoint("token_endpoint")):
                right = self.present(client, self.key.sign(self.claims(client, aud=audience)))
                if not right.turned_away:
                    self.audience = audience or self.audience
                    self._right[client] = right, self.present(client, None)
                    break
            else:
                inconclusive(f"the token endpoint turns the client's own assertion away: {right.describe()}")
        for answer in self._right[client]:
            self.endpoint.recorder.recall(answer.exchange)
        return self._right[client]

    def _redeems(self, session: Session, client: Client, assertion: str | None, **form: Any) -> bool:
        """Whether a client redeems a code of the user's with this assertion."""
        own = _proof(self.key.sign(self.claims(client)))
        if self.endpoint.redeem(session.ask(client), auth="none", **own).tokens is None:
            inconclusive("the client redeems no code with its own assertion either")
        return self.endpoint.redeem(session.ask(client), auth="none", **_proof(assertion), **form).tokens is not None


def _proof(assertion: str | None) -> dict[str, Any]:
    return {} if assertion is None else {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


def _said(answer: Answer) -> tuple[int, Any, Any]:
    """Status, error and what is said about it: some report a bad assertion as invalid_grant, in other words."""
    return answer.status, answer.error, answer.members.get("error_description")
