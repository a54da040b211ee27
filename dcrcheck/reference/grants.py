"""Which grants, response types, authentication methods and scopes a client may have."""

from __future__ import annotations

import re
from typing import Any

from dcrcheck.reference.members import Members

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")


class Grants(Members):
    """RFC 7591, sections 2 and 2.1."""

    # -- authentication method

    def accept_auth_method(self, wanted: dict[str, Any]) -> str:
        if "token_endpoint_auth_method" not in wanted:
            return self.default_auth_method()
        method = self.require_string("token_endpoint_auth_method", wanted["token_endpoint_auth_method"])
        if not self.is_auth_method_allowed(method):
            self.refuse_metadata("token_endpoint_auth_method is not one that this server offers")
        return method

    def default_auth_method(self) -> str:
        """client_secret_basic (RFC 7591, section 2), or a disclosed replacement where that is not offered."""
        return self.rules.default_auth_method

    def is_auth_method_allowed(self, method: str) -> bool:
        return method in self.rules.auth_methods

    # -- grants and response types

    def accept_grant_types(self, wanted: dict[str, Any]) -> list[str]:
        if "grant_types" not in wanted:
            return self.default_grant_types()
        grant_types = list(dict.fromkeys(self.require_strings("grant_types", wanted["grant_types"])))
        if not grant_types:
            self.refuse_metadata("grant_types is empty")
        if not all(self.is_grant_type_allowed(grant_type) for grant_type in grant_types):
            self.refuse_metadata("grant_types holds a grant that this server does not offer")
        return grant_types

    def default_grant_types(self) -> list[str]:
        return ["authorization_code"]

    def is_grant_type_allowed(self, grant_type: str) -> bool:
        return grant_type in self.rules.grant_types

    def accept_response_types(self, wanted: dict[str, Any], grant_types: list[str]) -> list[str]:
        if "response_types" not in wanted:
            return self.default_response_types(grant_types)
        response_types = list(dict.fromkeys(self.require_strings("response_types", wanted["response_types"])))
        if not all(self.is_response_type_allowed(response_type) for response_type in response_types):
            self.refuse_metadata("response_types holds a response type that this server does not offer")
        return response_types

    def default_response_types(self, grant_types: list[str]) -> list[str]:
        """code, unless no grant of the client has a use for it (RFC 7591, section 2.1)."""
        return ["code"] if "authorization_code" in grant_types else []

    def is_response_type_allowed(self, response_type: str) -> bool:
        return response_type in self.rules.response_types

    def check_consistency(self, grant_types: list[str], response_types: list[str]) -> None:
        """RFC 7591, section 2.1: authorization_code and code come together."""
        if ("authorization_code" in grant_types) != ("code" in response_types):
            self.refuse_metadata("grant_types and response_types do not fit together")

    def check_confidentiality(self, grant_types: list[str], auth_method: str) -> None:
        """client_credentials is for clients that can keep a secret (OAuth 2.1, section 4.2)."""
        if "client_credentials" in grant_types and auth_method == "none":
            self.refuse_metadata("client_credentials needs an authentication method with a secret")

    # -- scopes

    def accept_scope(self, wanted: dict[str, Any]) -> str:
        if wanted.get("scope") in (None, ""):
            return self.default_scope()
        scope = self.require_string("scope", wanted["scope"])
        self.refuse_long("scope", scope, self.rules.scope_length)
        if not self.is_scope_syntax(scope):
            self.refuse_metadata("scope must be scope tokens with one space between them")
        tokens = list(dict.fromkeys(scope.split(" ")))
        if not all(self.is_scope_allowed(token) for token in tokens):
            self.refuse_metadata("scope holds a scope that is not open to self-registered clients")
        return " ".join(tokens)

    def default_scope(self) -> str:
        """The least that is of any use."""
        return self.rules.default_scope

    def is_scope_syntax(self, scope: str) -> bool:
        """RFC 6749, section 3.3."""
        return bool(_SCOPE.fullmatch(scope))

    def is_scope_allowed(self, token: str) -> bool:
        return token in self.rules.scopes
