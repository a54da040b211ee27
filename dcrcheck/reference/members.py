"""The JSON types and the small print of single metadata members (RFC 7591, section 2)."""

from __future__ import annotations

import json
import re
from typing import Any

from jwt.utils import base64url_decode

from dcrcheck.reference.names import Names
from dcrcheck.reference.uris import is_sound_host, is_special_address, is_special_name, parse

KNOWN_MEMBERS = ("redirect_uris", "token_endpoint_auth_method", "grant_types", "response_types", "client_name",
                 "client_uri", "logo_uri", "scope", "contacts", "tos_uri", "policy_uri", "jwks_uri", "jwks",
                 "software_id", "software_version", "software_statement", "application_type")
TAGGABLE_MEMBERS = ("client_name", "client_uri", "logo_uri", "tos_uri", "policy_uri")
PAGE_MEMBERS = ("client_uri", "logo_uri", "tos_uri", "policy_uri")

_TAG = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
_PRIVATE_KEY_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


class Members(Names):
    """One method a member: the value to register, or None for nothing."""

    # -- presence

    def is_known_member(self, name: str) -> bool:
        """Names are compared case-sensitively (RFC 7591, section 1.1); the language tag is free (section 2.2)."""
        base, separator, tag = name.partition("#")
        if name == "post_logout_redirect_uris":
            return self.rules.logout
        return name in KNOWN_MEMBERS or bool(separator and base in TAGGABLE_MEMBERS and _TAG.fullmatch(tag))

    def is_absent(self, value: Any) -> bool:
        """null means that there is no value (RFC 7592, section 2.2)."""
        return value is None

    # -- types

    def require_string(self, name: str, value: Any) -> str:
        if not isinstance(value, str):
            self.refuse_metadata(f"{name} must be a string")
        return value

    def require_strings(self, name: str, value: Any) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.refuse_metadata(f"{name} must be an array of strings")
        return value

    def refuse_control_characters(self, name: str, value: str) -> None:
        if any(character < " " or "\x7f" <= character < "\xa0" for character in value):
            self.refuse_metadata(f"{name} holds a control character")

    def refuse_long(self, name: str, value: str, limit: int) -> None:
        if len(value) > limit:
            self.refuse_metadata(f"{name} is too long")

    # -- members

    def accept_client_name(self, name: str, value: Any) -> str | None:
        text = self.require_string("client_name", value)
        if text:
            self.check_name(text)
        return text or None

    def accept_software_id(self, value: Any) -> str | None:
        return self._short_text("software_id", value)

    def accept_software_version(self, value: Any) -> str | None:
        return self._short_text("software_version", value)

    def _short_text(self, name: str, value: Any) -> str | None:
        text = self.require_string(name, value)
        self.refuse_control_characters(name, text)
        self.refuse_long(name, text, self.rules.text_length)
        return text or None

    def accept_application_type(self, value: Any) -> str:
        """Known so that MCP clients may send it; redirect URI rules are the same for both kinds."""
        if value not in ("web", "native"):
            self.refuse_metadata("application_type must be web or native")
        return str(value)

    def accept_contacts(self, value: Any) -> list[str] | None:
        contacts = self.require_strings("contacts", value)
        if len(contacts) > self.rules.contact_count:
            self.refuse_metadata("contacts has too many elements")
        for contact in contacts:
            self.refuse_control_characters("contacts", contact)
            self.refuse_long("contacts", contact, self.rules.text_length)
        return contacts or None

    # -- pages and keys

    def accept_page(self, name: str, value: Any, redirect_uris: list[str]) -> str | None:
        """client_uri, logo_uri, tos_uri or policy_uri: a web page or image (RFC 7591, section 2)."""
        text = self.require_string(name.partition("#")[0], value)
        if not text:
            return None
        self.check_web_address(name.partition("#")[0], text)
        if not self.shares_host(text, redirect_uris):
            self.refuse_metadata(f"{name.partition('#')[0]} is not on the host of a redirect URI")
        return text

    def accept_jwks_uri(self, value: Any) -> str | None:
        """Stored, never fetched: no method of this server needs the client's keys."""
        text = self.require_string("jwks_uri", value)
        if text:
            self.check_web_address("jwks_uri", text)
        return text or None

    def check_web_address(self, name: str, text: str) -> None:
        if not self.is_web_url(text):
            self.refuse_metadata(f"{name} must be an https URL")
        if not self.is_public_address(text):
            self.refuse_metadata(f"{name} leads to an internal or special-purpose address")
        if not self.is_resolvable(text):
            self.refuse_metadata(f"{name} has a host that does not exist")

    def is_web_url(self, text: str) -> bool:
        uri = parse(text)
        return (uri is not None and uri.scheme == "https" and bool(uri.authority) and uri.userinfo is None
                and is_sound_host(uri) and len(text) <= self.rules.uri_length
                and not re.search(r"[^!#-;=?-\[\]_a-z~]", text) and self.is_web_port(uri.port))

    def is_web_port(self, port: str | None) -> bool:
        """No privileged port but 443: whoever fetches the page is not to knock on other services."""
        return port is None or (bool(re.fullmatch(r"443|[1-9][0-9]{3,4}", port)) and 443 <= int(port) <= 65535)

    def is_public_address(self, text: str) -> bool:
        uri = parse(text)
        if uri is None or (uri.address is not None and is_special_address(uri.address)):
            return False
        return uri.address is not None or uri.host.endswith(".invalid") or not is_special_name(uri.host)

    def is_resolvable(self, text: str) -> bool:
        """RFC 7591, section 5, wants pages that exist. No look-up is made; .invalid never resolves (RFC 6761)."""
        uri = parse(text)
        return uri is not None and not uri.host.lower().rstrip(".").endswith(".invalid")

    def shares_host(self, text: str, redirect_uris: list[str]) -> bool:
        """RFC 7591, section 5: scheme and host as in the redirect URIs, where those are web pages."""
        page = parse(text)
        hosts = {(uri.scheme, uri.host) for uri in map(parse, redirect_uris) if uri and uri.scheme == "https"}
        return not hosts or (page is not None and (page.scheme, page.host) in hosts)

    def accept_jwks(self, value: Any) -> dict[str, Any]:
        if not self.is_key_set(value):
            self.refuse_metadata("jwks must be a JWK Set: an object with an array of keys")
        if len(value["keys"]) > self.rules.key_count or len(json.dumps(value)) > self.rules.key_set_size:
            self.refuse_metadata("jwks is too large")
        if self.holds_private_key(value):
            self.refuse_metadata("jwks holds a private or symmetric key")
        if not all(self.is_strong_key(key) for key in value["keys"]):
            self.refuse_metadata("jwks holds a key that is too weak")
        if not self.has_distinct_key_ids(value):
            self.refuse_metadata("jwks holds two keys of one name")
        return dict(value)

    def is_key_set(self, value: Any) -> bool:
        """RFC 7517, section 5."""
        keys = value.get("keys") if isinstance(value, dict) else None
        return isinstance(keys, list) and all(isinstance(key, dict) and isinstance(key.get("kty"), str)
                                              for key in keys)

    def holds_private_key(self, key_set: dict[str, Any]) -> bool:
        return any(key["kty"] == "oct" or _PRIVATE_KEY_MEMBERS & key.keys() for key in key_set["keys"])

    def is_strong_key(self, key: dict[str, Any]) -> bool:
        """RFC 7518, section 3.3: RSA of 2048 bits and more, with an exponent that hides something; never none."""
        modulus, exponent = self.number_of(key.get("n")), self.number_of(key.get("e"))
        return key.get("alg") != "none" and (key["kty"] != "RSA" or (modulus.bit_length() >= 2048 and exponent > 1))

    def number_of(self, text: Any) -> int:
        """Of base64url, as RFC 7518 writes numbers; 0 for anything else."""
        try:
            return int.from_bytes(base64url_decode(text), "big")
        except (ValueError, TypeError, AttributeError):
            return 0

    def has_distinct_key_ids(self, key_set: dict[str, Any]) -> bool:
        """RFC 7517, section 4.5: a name stands for one key."""
        names = [key["kid"] for key in key_set["keys"] if isinstance(key.get("kid"), str)]
        return len(names) == len(set(names))

    def refuse_two_key_sources(self, wanted: dict[str, Any]) -> None:
        """RFC 7591, section 2: jwks and jwks_uri must not both be present."""
        if "jwks" in wanted and "jwks_uri" in wanted:
            self.refuse_metadata("jwks and jwks_uri must not be used together")

    def require_keys(self, wanted: dict[str, Any], auth_method: str) -> None:
        """Whoever signs assertions hands in the keys themselves: jwks_uri is never fetched here."""
        if auth_method == "private_key_jwt" and "jwks" not in wanted:
            self.refuse_metadata("private_key_jwt needs jwks with the keys of the client")
