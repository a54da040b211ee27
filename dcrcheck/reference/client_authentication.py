"""Which client is speaking at the token and revocation endpoints (OAuth 2.1, section 2.4)."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_plus

from starlette.requests import Request

from dcrcheck.reference.answers import Refusal
from dcrcheck.reference.assertions import Assertions, Form
from dcrcheck.reference.initial_access import InitialAccess
from dcrcheck.reference.store import Client


class ClientAuthentication(Assertions, InitialAccess):
    def authenticate_client(self, request: Request, form: Form) -> Client:
        """The client, proven by exactly the method that it registered.

        Raises:
            Refusal: invalid_client (401), or invalid_request (400) where two methods are used at once.
        """
        method, client_id, secret = self.presented_credentials(request, form)
        client = self.known_client(client_id)
        if client is None:
            self.refuse_client()
        if not self.is_registered_method(client, method):
            self.refuse_client()
        if method == "private_key_jwt":
            self.check_assertion(client, form)
        elif method != "none":
            self.check_client_secret(client, secret)
        return client

    def presented_credentials(self, request: Request, form: Form) -> tuple[str, str, str]:
        """Method, client_id and secret; never from the URI (OAuth 2.1, section 2.4.1)."""
        headers = request.headers.getlist("authorization")
        client_id, secret = form.get("client_id", [""])[0], form.get("client_secret", [""])[0]
        if "client_assertion" in form or "client_assertion_type" in form:
            self.check_only_method(headers, secret)
            return "private_key_jwt", client_id or self.asserted_client(form), ""
        if not headers:
            return ("client_secret_post" if secret else "none"), client_id, secret
        if len(headers) > 1 or secret:
            raise Refusal(400, "invalid_request", "more than one client authentication method was used")
        user, password = self.basic_credentials(headers[0])
        if client_id and client_id != user:
            raise Refusal(400, "invalid_request", "client_id differs from the authenticated client")
        return "client_secret_basic", user, password

    def check_only_method(self, headers: list[str], secret: str) -> None:
        """One client authentication method a request (OAuth 2.1, section 2.4)."""
        if headers or secret:
            raise Refusal(400, "invalid_request", "more than one client authentication method was used")

    def basic_credentials(self, header: str) -> tuple[str, str]:
        """HTTP Basic with form-encoded parts (OAuth 2.1, section 2.4.1)."""
        scheme, _, encoded = header.partition(" ")
        try:
            text = base64.b64decode(encoded.strip(" "), validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            self.refuse_client()
        user, colon, password = text.partition(":")
        if scheme.lower() != "basic" or not colon:
            self.refuse_client()
        return unquote_plus(user), unquote_plus(password)

    def is_registered_method(self, client: Client, method: str) -> bool:
        return method == client.auth_method

    def check_client_secret(self, client: Client, secret: str) -> None:
        if not self.is_right_secret(client, secret) or self.is_secret_expired(client):
            self.refuse_client()

    def is_right_secret(self, client: Client, secret: str) -> bool:
        return client.secret is not None and self.same_secret(secret, client.secret)

    def is_secret_expired(self, client: Client) -> bool:
        """RFC 7591, section 3.2.1: a secret is good until client_secret_expires_at."""
        return client.secret_expires_at != 0 and client.secret_expires_at <= self.now()

