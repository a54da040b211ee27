"""How a product answers: the shape of its errors, what its answers lack, and client management (RFC 7592)."""

from __future__ import annotations

from typing import Any, NoReturn

from starlette.requests import Request
from starlette.responses import Response

from dcrcheck.reference.answers import Refusal
from dcrcheck.reference.habits import Habits
from dcrcheck.reference.rules import Rules
from dcrcheck.reference.store import Client


class Unreadable(Refusal):
    """A request body that is no JSON document, or a member of the wrong type."""


class Dialect(Habits):
    """A server whose answers are shaped by facts."""

    def __init__(self, rules: Rules | None = None, *, issuer: str = "") -> None:
        super().__init__(rules, issuer=issuer)
        self.under_review: set[str] = set()  # the clients whose redirect URIs wait for an administrator

    # -- how it says no

    async def register(self, request: Request) -> Response:
        try:
            return await super().register(request)
        except Refusal as refusal:
            return self.registration_refusal(refusal)

    def registration_refusal(self, refusal: Refusal) -> Response:
        """A refusal of the registration endpoint in the product's own dialect."""
        headers = {**self.no_store(), **refusal.headers}
        if _kind(refusal) in self.fact("errors", "empty", ()):
            return Response(status_code=refusal.status, headers={**self.hygiene(), **headers})
        shape = self.fact("errors", "shape")
        if shape is None or refusal.status not in (400, 413, 415):
            return self.error_answer(refusal)
        said = self.fact("errors", "sentences", {}).get(_kind(refusal), refusal.description)
        body = {name: said if value == "{sentence}" else value for name, value in shape.items()}
        return self.json(body, status=refusal.status, headers=headers)

    def retry_after(self, seconds: int) -> dict[str, str]:
        return super().retry_after(seconds) if self.fact("limit", "retry_after", True) else {}

    def refuse_document(self, description: str) -> NoReturn:
        raise Unreadable(400, "invalid_client_metadata", description)

    def require_string(self, name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise Unreadable(400, "invalid_client_metadata", f"{name} must be a string")
        return value

    def require_strings(self, name: str, value: Any) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise Unreadable(400, "invalid_client_metadata", f"{name} must be an array of strings")
        return value

    # -- the answer

    def registered(self, client: Client) -> Response:
        return self.client_answer(client, status=self.facts.get("status", 201))

    def describe(self, client: Client) -> dict[str, Any]:
        absent = self.facts.get("absent", ())
        return {name: value for name, value in super().describe(client).items() if name not in absent}

    def describe_management(self, client: Client) -> dict[str, Any]:
        return super().describe_management(client) if self.facts.get("management") else {}

    # -- RFC 7592

    def read(self, client: Client) -> Response:
        self.check_permission(client, "read")
        hidden = self.fact("management", "read_leaves_out", ())
        content = {name: value for name, value in self.describe(client).items() if name not in hidden}
        return self.json(content, headers=self.no_store())

    def rotate_registration_access_token(self, client: Client) -> None:
        if self.fact("management", "rotates", True):
            super().rotate_registration_access_token(client)

    def accept_update(self, client: Client, wanted: dict[str, Any]) -> dict[str, Any]:
        accepted = super().accept_update(client, wanted)
        mutable = self.fact("management", "mutable")
        if mutable is None:
            return accepted
        changed = accepted.get("redirect_uris") != client.metadata.get("redirect_uris")
        if changed and self.fact("management", "redirect_changes") == "review":
            self.under_review.add(client.client_id)
        return {**client.metadata, **{name: accepted[name] for name in mutable if name in accepted}}

    def updated(self, client: Client) -> Response:
        if client.client_id not in self.under_review:
            return super().updated(client)
        self.under_review.discard(client.client_id)
        return self.json({**self.describe(client), "redirect_review_pending": True,
                          "redirect_review_message": "redirect_uris change once an administrator approves"},
                         headers=self.no_store())

    def missing_client(self, token: str) -> Client:
        self.revoke_registration_access_token(token)
        status = self.fact("management", "missing_status", 401)
        if status == 401:
            self.refuse_token()
        raise Refusal(status, "not_found", "there is no such client")

    async def manage(self, request: Request) -> Response:
        try:
            return await super().manage(request)
        except Refusal as refusal:
            if not self.fact("management", "challenge", True):
                refusal.headers.pop("WWW-Authenticate", None)
            raise


def _kind(refusal: Refusal) -> str:
    """What sort of refusal it is, in the words of the table `errors`."""
    if isinstance(refusal, Unreadable):
        return "unreadable"
    if refusal.status in (413, 415, 429):
        return {413: "size", 415: "media-type", 429: "limit"}[refusal.status]
    missing = refusal.error == "invalid_redirect_uri" and "required" in refusal.description
    return "missing-redirect-uris" if missing else refusal.error
