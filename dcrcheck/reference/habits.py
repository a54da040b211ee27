"""What a product makes of what clients ask for: dropped, replaced, truncated or refused, as its documents state."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from dcrcheck.reference.server import Server
from dcrcheck.reference.store import Client
from dcrcheck.reference.uris import LOOPBACK_HOSTS, Uri, parse

Facts = Mapping[str, Any]


class Habits(Server):
    """A server whose rules for metadata come from facts."""

    facts: Facts

    def fact(self, table: str, key: str, default: Any = None) -> Any:
        """What a table inside the facts says under a key."""
        return self.facts.get(table, {}).get(key, default)

    # -- what it registers

    def is_known_member(self, name: str) -> bool:
        return name.partition("#")[0] not in self.facts.get("ignored", ()) and super().is_known_member(name)

    def with_statement(self, document: dict[str, Any]) -> dict[str, Any]:
        return super().with_statement(document) if self.is_known_member("software_statement") else document

    def accept(self, document: dict[str, Any]) -> dict[str, Any]:
        for name in self.facts.get("required", ()):
            if document.get(name) in (None, "", []):
                self.refuse_metadata(f"{name} is required")
        metadata = super().accept(document)
        if self.facts.get("refresh_by_scope"):
            offline = "offline_access" in str(metadata["scope"]).split(" ")
            metadata["grant_types"] = ["authorization_code", *(["refresh_token"] if offline else [])]
        if self.fact("name", "missing") == "replace" and "client_name" not in metadata:
            metadata["client_name"] = self.replacement_name(metadata)
        if not metadata["scope"]:
            del metadata["scope"]
        return metadata

    def accept_auth_method(self, wanted: dict[str, Any]) -> str:
        method = super().accept_auth_method(wanted)
        return method if method in self.rules.auth_methods else self.default_auth_method()

    def is_auth_method_allowed(self, method: str) -> bool:
        return self.facts.get("other_auth_method") == "replace" or super().is_auth_method_allowed(method)

    def accept_grant_types(self, wanted: dict[str, Any]) -> list[str]:
        if self.facts.get("forced_grant_types"):
            return list(self.facts["forced_grant_types"])
        if self.facts.get("other_grant_type") == "drop" and isinstance(wanted.get("grant_types"), list):
            kept = [grant for grant in wanted["grant_types"] if grant in self.rules.grant_types]
            if not kept and self.facts.get("nothing_left") == "default":
                return self.default_grant_types()
            wanted = {**wanted, "grant_types": kept}
        return super().accept_grant_types(wanted)

    def default_grant_types(self) -> list[str]:
        return list(self.facts.get("default_grant_types", super().default_grant_types()))

    def accept_response_types(self, wanted: dict[str, Any], grant_types: list[str]) -> list[str]:
        if self.facts.get("forced_response_types"):
            return list(self.facts["forced_response_types"])
        if self.facts.get("other_response_type") == "drop" and isinstance(wanted.get("response_types"), list):
            kept = [kind for kind in wanted["response_types"] if kind in self.rules.response_types]
            wanted = {**wanted, "response_types": kept}
        return super().accept_response_types(wanted, grant_types)

    # -- redirect URIs

    def accept_redirect_uris(self, wanted: dict[str, Any], grant_types: list[str]) -> list[str]:
        value = wanted.get("redirect_uris")
        if self.fact("redirect_uris", "unfit") == "drop" and isinstance(value, list) and value:
            fit = [item for item in value if isinstance(item, str) and not self.redirect_fault(item)]
            if not fit:
                self.refuse_redirect_uri("redirect_uris holds no usable redirect URI")
            wanted = {**wanted, "redirect_uris": fit}
        accepted = super().accept_redirect_uris(wanted, grant_types)
        if self.fact("redirect_uris", "portless_twin"):
            accepted = list(dict.fromkeys(uri for one in accepted for uri in (one, _without_port(one))))
        return accepted

    def is_private_use_redirect(self, uri: Uri) -> bool:
        if self.fact("redirect_uris", "custom_scheme_authority") and self.is_private_use_scheme(uri.scheme):
            return True
        return super().is_private_use_redirect(uri)

    def may_vary_port(self, host: str) -> bool:
        if self.fact("redirect_uris", "any_loopback_port"):
            return host in LOOPBACK_HOSTS
        return super().may_vary_port(host)

    # -- scopes

    @property
    def scope_treatment(self) -> str:
        return str(self.fact("scope", "treatment", ""))

    def accept_scope(self, wanted: dict[str, Any]) -> str:
        if self.scope_treatment == "ignored":
            return ""
        if self.scope_treatment == "intersected" and isinstance(wanted.get("scope"), str):
            kept = [token for token in wanted["scope"].split(" ") if self.is_scope_allowed(token)]
            wanted = {**wanted, "scope": " ".join(kept)}
        if self.scope_treatment == "refused" and wanted.get("scope"):
            self.refuse_metadata("scope cannot be chosen at registration")
        dropped = self.fact("scope", "dropped", ())
        accepted = super().accept_scope(wanted)
        return " ".join(token for token in accepted.split(" ") if token not in dropped)

    def is_scope_allowed(self, token: str) -> bool:
        return self.scope_treatment == "stored" or super().is_scope_allowed(token)

    def may_request_scope(self, client: Client, scope: str) -> bool:
        """What was merely stored is still not granted; offline_access may come with the refresh_token grant instead."""
        if scope in self.fact("scope", "dropped", ()):
            return "refresh_token" in client.grant_types
        known = self.scope_treatment == "ignored" or super().may_request_scope(client, scope)
        return known and scope in self.rules.scopes

    def requested_scopes(self, client: Client, parameters: Mapping[str, str]) -> tuple[str, ...]:
        if self.scope_treatment == "ignored" and "scope" not in parameters:
            return tuple(self.rules.default_scope.split())
        return super().requested_scopes(client, dict(parameters))

    def is_sufficient_scope(self, claims: dict[str, Any]) -> bool:
        """One of the scopes that a client has by default."""
        needed = self.rules.default_scope.split()
        return not needed or bool({*needed} & {*str(claims["scope"]).split()})

    # -- names

    def accept_client_name(self, name: str, value: Any) -> str | None:
        if not isinstance(value, str):
            return super().accept_client_name(name, value)
        if self.fact("name", "long") == "truncate":
            value = value[: self.rules.name_length]
        if not self.is_fit_name(value):
            if self.fact("name", "unfit") != "replace":
                self.refuse_metadata("client_name holds a character that is not allowed")
            return None
        return super().accept_client_name(name, value)

    def is_fit_name(self, name: str) -> bool:
        allowed = self.fact("name", "characters")
        if allowed == "latin-1":
            return all(character <= "\xff" for character in unicodedata.normalize("NFKC", name))
        return allowed is None or all(character.isalnum() or character in allowed for character in name)

    def replacement_name(self, metadata: dict[str, Any]) -> str:
        hosts = [urlsplit(uri).hostname for uri in metadata.get("redirect_uris", ()) if uri.startswith("https:")]
        return next(filter(None, hosts), None) or "Unnamed application"


def _without_port(text: str) -> str:
    uri = parse(text)
    if uri is None or uri.scheme != "http" or uri.host not in LOOPBACK_HOSTS or uri.port is None:
        return text
    return text.replace(f"{uri.host}:{uri.port}", uri.host, 1)
