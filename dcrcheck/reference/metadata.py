"""What the server says about itself (RFC 8414, OpenID Connect Discovery, RFC 9728)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dcrcheck.reference.assertions import ASSERTION_ALGORITHMS
from dcrcheck.reference.keys import Keys
from dcrcheck.reference.openid import SUPPORTED


class Metadata(Keys):
    async def authorization_server_document(self, request: Request) -> Response:
        return self.document(self.metadata())

    async def openid_document(self, request: Request) -> Response:
        return self.document(self.openid_metadata())

    async def protected_resource_document(self, request: Request) -> Response:
        return self.document(self.resource_metadata())

    async def service_documentation(self, request: Request) -> Response:
        """For people who want to use the server: how a client is registered (RFC 8414, section 2)."""
        words = ("Clients are registered by the owner of this server." if self.rules.registration_closed
                 else "Clients register themselves: POST their metadata to the registration endpoint (RFC 7591).")
        return Response(words, 200, self.hygiene(), "text/plain")

    def document(self, content: Mapping[str, Any]) -> Response:
        plain = self.without_empty(content)
        return self.json({**plain, **self.signed_copy(plain)}, headers={"Cache-Control": "max-age=60"})

    def signed_copy(self, content: Mapping[str, Any]) -> dict[str, str]:
        """The same once more, signed by whoever it speaks for (RFC 8414, section 2.1; RFC 9728, section 2.2)."""
        return {"signed_metadata": self.attest(content, str(content.get("issuer", self.resource)))}

    def without_empty(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Members without elements are left out (RFC 8414, section 3.2; RFC 9728, section 3.2)."""
        return {name: value for name, value in content.items() if value not in ([], "", None)}

    def metadata(self) -> dict[str, Any]:
        """Authorization server metadata (RFC 8414, section 2)."""
        return {
            "issuer": self.issuer,
            **self.endpoints(),
            "service_documentation": self.endpoint("documentation"),
            "scopes_supported": list(self.rules.scopes),
            "response_types_supported": list(self.rules.response_types),
            "response_modes_supported": ["query"],
            "grant_types_supported": list(self.rules.grant_types),
            "token_endpoint_auth_methods_supported": list(self.rules.auth_methods),
            "token_endpoint_auth_signing_alg_values_supported": self.assertion_algorithms(),
            "revocation_endpoint_auth_methods_supported": list(self.rules.auth_methods),
            "revocation_endpoint_auth_signing_alg_values_supported": self.assertion_algorithms(),
            "code_challenge_methods_supported": self.challenge_methods(),
            "authorization_response_iss_parameter_supported": True,
            "client_id_metadata_document_supported": self.rules.url_client_ids or None,
            "protected_resources": [self.resource],
        }

    def endpoints(self) -> dict[str, str]:
        return {"authorization_endpoint": self.endpoint("authorize"), "token_endpoint": self.endpoint("token"),
                "registration_endpoint": "" if self.rules.registration_closed else self.endpoint("register"),
                "pushed_authorization_request_endpoint": self.endpoint("push") if self.rules.pushed_requests else "",
                "end_session_endpoint": self.endpoint("logout") if self.rules.logout else "",
                "revocation_endpoint": self.endpoint("revoke"), "jwks_uri": self.endpoint("jwks.json")}

    def further_origins(self) -> tuple[str, ...]:
        """Where else its endpoints stand, as its owner would tell whoever judges it."""
        return ()

    def challenge_methods(self) -> list[str]:
        """S256 alone; plain protects nothing (OAuth 2.1, section 7.5.2)."""
        return ["S256"]

    def assertion_algorithms(self) -> list[str]:
        """RFC 8414, section 2: stated where private_key_jwt is offered, and never none."""
        return list(ASSERTION_ALGORITHMS) if "private_key_jwt" in self.rules.auth_methods else []

    def openid_metadata(self) -> dict[str, Any]:
        """The same, for clients that look where OpenID Connect Discovery puts it."""
        return {**self.metadata(), "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"], "claims_parameter_supported": False,
                "request_parameter_supported": False, "request_uri_parameter_supported": False,
                **(SUPPORTED if self.rules.openid else {})}

    def resource_metadata(self) -> dict[str, Any]:
        """Protected resource metadata (RFC 9728, section 2)."""
        return {
            "resource": self.resource,
            "resource_name": "Reference resource",
            "resource_name#fr": "Ressource de référence",
            "authorization_servers": [self.issuer],
            "jwks_uri": self.endpoint("jwks.json"),
            "scopes_supported": self.resource_scopes(),
            "bearer_methods_supported": ["header"],
        }

    def resource_scopes(self) -> list[str]:
        """What access to the resource takes; whether a client may refresh its tokens is no matter of the resource."""
        return [scope for scope in self.rules.scopes if scope != "offline_access"]
