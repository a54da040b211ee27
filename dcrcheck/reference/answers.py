"""How the server answers: JSON, errors, challenges, and the state that every part of it shares."""

from __future__ import annotations

import hmac
import json
import secrets
import ssl
import time
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from dcrcheck.reference.rules import POLICIES, Rules
from dcrcheck.reference.store import Store

REALM = "reference"
USERNAME = "alice"
PASSWORD = "wonderland"
OTHER_USERNAME = "hatter"
OTHER_PASSWORD = "six o'clock"


class Refusal(Exception):
    """A request that the server turns down, and how it says so."""

    def __init__(self, status: int, error: str, description: str, *, challenge: str = "",
                 headers: Mapping[str, str] | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description
        self.headers = dict(headers or {})
        if challenge:
            self.headers["WWW-Authenticate"] = challenge


class Answers:
    """The ground that the other parts stand on."""

    policy = "rfc7591"
    trips: tuple[str, ...] = ()
    path = ""  # of the issuer, where it is to have one

    def __init__(self, rules: Rules | None = None, *, issuer: str = "") -> None:
        self.rules = rules or POLICIES[self.policy]
        self.issuer = issuer
        self.store = Store()
        self.initial_access_token = self.new_token()
        self.faults: list[BaseException] = []  # what crashed, newest last, for whoever debugs a defect

    def prepare_tls(self, context: ssl.SSLContext) -> None:
        """TLS 1.2 and whatever is newer (RFC 7591, section 5; BCP 195)."""
        context.minimum_version = ssl.TLSVersion.TLSv1_2

    # -- time, chance, comparison

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def new_identifier(self) -> str:
        """A name for a client that nobody can foresee (128 bits and more)."""
        return secrets.token_urlsafe(24)

    def new_secret(self) -> str:
        """A client_secret (256 bits)."""
        return secrets.token_urlsafe(32)

    def new_token(self) -> str:
        """A registration access token, code, refresh token … (256 bits)."""
        return secrets.token_urlsafe(32)

    def same_secret(self, presented: str, expected: str) -> bool:
        """Compare without telling by the time taken how much was right."""
        return hmac.compare_digest(presented.encode("utf-8", "surrogatepass"), expected.encode())

    # -- addresses; all of them from the configured issuer, none from what a request says about itself

    @property
    def origin(self) -> str:
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def issuer_path(self) -> str:
        return urlsplit(self.issuer).path

    @property
    def is_tls(self) -> bool:
        return self.issuer.startswith("https:")

    @property
    def resource(self) -> str:
        """The identifier of the protected resource that accepts this server's tokens (RFC 9728, section 1.2)."""
        return f"{self.origin}/mcp"

    def endpoint(self, name: str) -> str:
        return f"{self.issuer}/{name}"

    # -- answers

    def hygiene(self) -> dict[str, str]:
        """Headers of every answer."""
        strict = {"Strict-Transport-Security": "max-age=31536000"} if self.is_tls else {}
        return {"X-Content-Type-Options": "nosniff", **strict}

    def no_store(self) -> dict[str, str]:
        """Headers of every answer that may hold a credential (OAuth 2.1, section 3.2.3)."""
        return {"Cache-Control": "no-store", "Pragma": "no-cache"}

    def cross_origin(self) -> dict[str, str]:
        """Headers that let browser-based clients read public endpoints; never with credentials."""
        return {"Access-Control-Allow-Origin": "*"}

    def media_type(self) -> str:
        return "application/json"

    def json(self, content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        body = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        return Response(body, status, {**self.hygiene(), **(headers or {})}, self.media_type())

    def error_body(self, refusal: Refusal) -> dict[str, Any]:
        """RFC 7591, section 3.2.2: an ASCII code, an ASCII sentence, nothing of what was sent."""
        return {"error": refusal.error, "error_description": refusal.description}

    def error_answer(self, refusal: Refusal) -> Response:
        return self.json(self.error_body(refusal), status=refusal.status,
                         headers={**self.no_store(), **refusal.headers})

    def crash_answer(self, fault: Exception) -> Response:
        """Something broke inside: say that and nothing else."""
        self.faults = [*self.faults[-19:], fault]
        return self.json({"error": "server_error", "error_description": "the server could not answer"}, status=500)

    # -- refusals

    def refuse_metadata(self, description: str) -> NoReturn:
        raise Refusal(400, "invalid_client_metadata", description)

    def refuse_redirect_uri(self, description: str) -> NoReturn:
        raise Refusal(400, "invalid_redirect_uri", description)

    def challenge(self, error: str = "") -> str:
        """RFC 6750, section 3: at least one parameter, and no error where no credentials were presented."""
        return f'Bearer realm="{REALM}"' + (f', error="{error}"' if error else "")

    def refuse_anonymous(self) -> NoReturn:
        raise Refusal(401, "invalid_token", "this needs a bearer token", challenge=self.challenge())

    def refuse_token(self) -> NoReturn:
        raise Refusal(401, "invalid_token", "the bearer token is not valid here",
                      challenge=self.challenge("invalid_token"))

    # -- bearer tokens

    def bearer_token(self, request: Request) -> str | None:
        """The token of the Authorization header; from nowhere else (OAuth 2.1, section 5.1)."""
        values = request.headers.getlist("authorization")
        scheme, _, token = values[0].partition(" ") if values else ("", "", "")
        if len(values) > 1 or (scheme and self.has_query_token(request)):
            raise Refusal(400, "invalid_request", "credentials were presented in more than one way",
                          challenge=self.challenge("invalid_request"))
        return token.strip(" ") if scheme.lower() == "bearer" else None

    def has_query_token(self, request: Request) -> bool:
        return "access_token" in request.query_params
