"""The server under the personality of a product: what the product's documents state, and nothing besides.

The facts come as a plain mapping (the table `emulation` of a profile; schemas/profile.schema.json describes every key).
What they do not speak of stays as the reference server has it.
"""

from __future__ import annotations

import json
import secrets
import uuid
from dataclasses import replace
from typing import Any

from starlette.routing import Route

from dcrcheck.reference.dialect import Dialect
from dcrcheck.reference.habits import Facts
from dcrcheck.reference.routing import Handler
from dcrcheck.reference.rules import POLICIES, Rules
from dcrcheck.reference.store import Client


class Personality(Dialect):
    """One product, made from facts."""

    def __init__(self, facts: Facts, *, policy: str) -> None:
        """A server under the rules of a policy (an entry of POLICIES), as far as the facts leave them."""
        super().__init__(_rules(facts, POLICIES[policy]))
        self.facts = facts
        self.path = str(facts.get("issuer_path", ""))
        self.identities: dict[str, str] = {}

    # -- where things are

    def endpoint(self, name: str) -> str:
        place = self.facts.get("paths", {}).get(name)
        return super().endpoint(name) if place is None else f"{self.origin}{place}"

    def placed(self, path: str) -> str:
        """Where a route of the reference server stands in this product."""
        for name, place in self.facts.get("paths", {}).items():
            usual = f"{self.issuer_path}/{name}"
            if path == usual or path.startswith(f"{usual}/"):
                return f"{place}{path.removeprefix(usual)}"
        return path

    def public(self, path: str, handler: Handler, *methods: str) -> Route:
        return super().public(self.placed(path), handler, *methods)

    def private(self, path: str, handler: Handler, *methods: str) -> Route:
        return super().private(self.placed(path), handler, *methods)

    def user_facing(self, path: str, handler: Handler, *methods: str) -> Route:
        return super().user_facing(self.placed(path), handler, *methods)

    def discovery_routes(self, path: str) -> list[Route]:
        documents = {"oauth-protected-resource", *self.facts.get("documents", ("oauth-authorization-server",
                                                                                "openid-configuration"))}
        return [route for route in super().discovery_routes(path) if any(name in route.path for name in documents)]

    def registration_routes(self, path: str) -> list[Route]:
        routes = super().registration_routes(path)
        return routes if self.facts.get("management") else routes[:1]

    def challenge_methods(self) -> list[str]:
        return list(self.facts.get("challenge_methods", super().challenge_methods()))

    # -- identifiers

    def new_client_id(self, metadata: dict[str, Any]) -> str:
        shape = self.facts.get("client_id", {})
        body = {"hex": lambda: secrets.token_hex(16), "uuid": lambda: str(uuid.uuid4())}.get(
            shape.get("form", ""), self.new_identifier)()
        return f"{shape.get('prefix', '')}{body}"

    def create(self, metadata: dict[str, Any]) -> Client:
        if not self.facts.get("deduplicates") or metadata["token_endpoint_auth_method"] != "none":
            return super().create(metadata)
        key = json.dumps(metadata, sort_keys=True)
        known = self.store.clients.get(self.identities.get(key, ""))
        client = known or super().create(metadata)
        self.identities[key] = client.client_id
        return client


def _rules(facts: Facts, rules: Rules) -> Rules:
    """The rules of the policy with what the facts put in their place."""
    scope, limit, name = facts.get("scope", {}), facts.get("limit", {}), facts.get("name", {})
    redirects = facts.get("redirect_uris", {})
    stated = {
        # clients with keys or documents of their own are offered by products that say so, and by no others
        "auth_methods": facts.get("auth_methods", [m for m in rules.auth_methods if m != "private_key_jwt"]),
        "url_client_ids": False, "default_auth_method": facts.get("default_auth_method"),
        "grant_types": facts.get("grant_types"), "redirect_classes": redirects.get("classes"),
        "redirect_uri_count": redirects.get("most"), "scopes": scope.get("offered"),
        "default_scope": scope.get("default"), "name_length": name.get("max_length"),
        "registrations": limit.get("count"), "registration_window": limit.get("seconds"),
        "resource_required": facts.get("resource_required"),
        "initial_access_token_required": facts.get("token_required"),
        "registration_closed": facts.get("closed"),
    }
    changes: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value
                               for key, value in stated.items() if value is not None}
    return replace(rules, **changes)
