"""What an OpenID provider registers (OpenID Connect Dynamic Client Registration 1.0, sections 2 and 5)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urldefrag

from dcrcheck.reference.grants import Grants
from dcrcheck.reference.redirects import Redirects
from dcrcheck.reference.uris import Uri, parse

_SIGNATURES = ("RS256", "ES256", "PS256")
_KEY_ENCRYPTIONS = ("RSA-OAEP-256", "ECDH-ES")
_CONTENT_ENCRYPTIONS = ("A128CBC-HS256", "A256GCM")
_SIGNING_MEMBERS = ("id_token_signed_response_alg", "userinfo_signed_response_alg", "request_object_signing_alg",
                    "token_endpoint_auth_signing_alg")
_ENCRYPTED = ("id_token_encrypted_response", "userinfo_encrypted_response", "request_object_encryption")
OPENID_MEMBERS = frozenset({
    *_SIGNING_MEMBERS, *(f"{name}_{part}" for name in _ENCRYPTED for part in ("alg", "enc")), "subject_type",
    "sector_identifier_uri", "default_max_age", "require_auth_time", "default_acr_values", "initiate_login_uri",
    "request_uris"})
# of OpenID Connect Discovery, section 3
SUPPORTED = {
    "subject_types_supported": ["public", "pairwise"],
    "id_token_signing_alg_values_supported": list(_SIGNATURES),
    "id_token_encryption_alg_values_supported": list(_KEY_ENCRYPTIONS),
    "id_token_encryption_enc_values_supported": list(_CONTENT_ENCRYPTIONS),
    "userinfo_signing_alg_values_supported": list(_SIGNATURES),
    "userinfo_encryption_alg_values_supported": list(_KEY_ENCRYPTIONS),
    "userinfo_encryption_enc_values_supported": list(_CONTENT_ENCRYPTIONS),
    "request_object_signing_alg_values_supported": list(_SIGNATURES),
    "request_object_encryption_alg_values_supported": list(_KEY_ENCRYPTIONS),
    "request_object_encryption_enc_values_supported": list(_CONTENT_ENCRYPTIONS),
}


class OpenId(Grants, Redirects):
    """One method a rule; they hold where `Rules.openid` says that this is an OpenID provider."""

    def is_known_member(self, name: str) -> bool:
        return super().is_known_member(name) or (self.rules.openid and name in OPENID_MEMBERS)

    def accept_openid(self, wanted: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
        """The members that an OpenID provider adds to what is registered already, defaults included."""
        accepted: dict[str, Any] = {"application_type": self.application_type(wanted)}
        self.check_application_type(accepted["application_type"], metadata.get("redirect_uris", []))
        accepted |= self.accept_algorithms(wanted)
        accepted |= self.accept_encryption(wanted)
        accepted |= self.accept_subjects(wanted, metadata.get("redirect_uris", []))
        accepted |= self.accept_authentication(wanted)
        if "request_uris" in wanted:
            accepted["request_uris"] = self.accept_request_uris(wanted["request_uris"])
        if "jwks" in wanted and not self.are_uses_stated(self.accept_jwks(wanted["jwks"])):
            self.refuse_metadata("jwks mixes keys for signatures and for encryption: each needs use")
        return accepted

    # -- application_type

    def application_type(self, wanted: dict[str, Any]) -> str:
        """web, unless the client says otherwise."""
        return self.accept_application_type(wanted.get("application_type", "web"))

    def check_application_type(self, kind: str, redirect_uris: list[str]) -> None:
        """Every one of the redirect URIs, so that one client_id does not stand for applications of two kinds."""
        for uri in filter(None, map(parse, redirect_uris)):
            if not (self.suits_native(uri) if kind == "native" else self.suits_web(uri)):
                self.refuse_redirect_uri(f"a redirect URI is not one for application_type {kind}")

    def suits_native(self, uri: Uri) -> bool:
        return self.redirect_class(uri) in ("private-use", "loopback")

    def suits_web(self, uri: Uri) -> bool:
        return self.redirect_class(uri) in ("https", "loopback")

    # -- algorithms

    def accept_algorithms(self, wanted: dict[str, Any]) -> dict[str, Any]:
        accepted = {"id_token_signed_response_alg": self.default_id_token_algorithm()}
        for name in _SIGNING_MEMBERS:
            if name in wanted:
                accepted[name] = self.require_string(name, wanted[name])
                if not self.is_signature_allowed(name, accepted[name]):
                    self.refuse_metadata(f"{name} is not an algorithm that this server offers")
        return accepted

    def default_id_token_algorithm(self) -> str:
        return "RS256"

    def is_signature_allowed(self, name: str, algorithm: str) -> bool:
        """none is not among them, whatever it would be for."""
        return algorithm in _SIGNATURES

    def accept_encryption(self, wanted: dict[str, Any]) -> dict[str, Any]:
        accepted: dict[str, Any] = {}
        for name in _ENCRYPTED:
            for part, offered in (("alg", _KEY_ENCRYPTIONS), ("enc", _CONTENT_ENCRYPTIONS)):
                member = f"{name}_{part}"
                if member in wanted:
                    accepted[member] = self.require_string(member, wanted[member])
                    if accepted[member] not in offered:
                        self.refuse_metadata(f"{member} is not an algorithm that this server offers")
            if not self.is_encryption_whole(name, accepted):
                self.refuse_metadata(f"{name}_enc needs {name}_alg")
            if f"{name}_alg" in accepted:
                accepted.setdefault(f"{name}_enc", "A128CBC-HS256")
        return accepted

    def is_encryption_whole(self, name: str, accepted: dict[str, Any]) -> bool:
        return f"{name}_enc" not in accepted or f"{name}_alg" in accepted

    def are_uses_stated(self, key_set: dict[str, Any]) -> bool:
        """Of keys for both, each says what it is for."""
        kinds = {self.use_of(key) for key in key_set["keys"]}
        return not {"sig", "enc"} <= kinds or all("use" in key for key in key_set["keys"])

    def use_of(self, key: dict[str, Any]) -> str:
        algorithm = str(key.get("alg", ""))
        return str(key.get("use") or ("enc" if algorithm.startswith(("RSA-OAEP", "RSA1_5", "ECDH-ES")) else "sig"))

    # -- subjects

    def accept_subjects(self, wanted: dict[str, Any], redirect_uris: list[str]) -> dict[str, Any]:
        accepted: dict[str, Any] = {}
        if "subject_type" in wanted:
            accepted["subject_type"] = self.require_string("subject_type", wanted["subject_type"])
            if accepted["subject_type"] not in SUPPORTED["subject_types_supported"]:
                self.refuse_metadata("subject_type is not one that this server offers")
        if "sector_identifier_uri" in wanted:
            sector = self.require_string("sector_identifier_uri", wanted["sector_identifier_uri"])
            if not self.is_secure_sector(sector) or not self.is_verified_sector(sector, redirect_uris):
                self.refuse_metadata("sector_identifier_uri cannot be verified")
            accepted["sector_identifier_uri"] = sector
        if accepted.get("subject_type") == "pairwise" and not self.has_one_sector(accepted, redirect_uris):
            self.refuse_metadata("pairwise identifiers of a client on several hosts need sector_identifier_uri")
        return accepted

    def is_secure_sector(self, uri: str) -> bool:
        return self.is_web_url(uri)

    def is_verified_sector(self, uri: str, redirect_uris: list[str]) -> bool:
        """Section 5 wants the document read at registration. Nothing is ever fetched here, so none is verified."""
        return False

    def has_one_sector(self, accepted: dict[str, Any], redirect_uris: list[str]) -> bool:
        """OpenID Connect Core, section 8.1: the host of all the redirect URIs, where no document stands for them."""
        hosts = {uri.host for uri in map(parse, redirect_uris) if uri}
        return "sector_identifier_uri" in accepted or len(hosts) == 1

    # -- how users log in, and where requests are

    def accept_authentication(self, wanted: dict[str, Any]) -> dict[str, Any]:
        accepted: dict[str, Any] = {}
        if "default_max_age" in wanted:
            accepted["default_max_age"] = age = wanted["default_max_age"]
            if isinstance(age, bool) or not isinstance(age, int) or age < 0:
                self.refuse_metadata("default_max_age must be a number of seconds")
        if "require_auth_time" in wanted:
            accepted["require_auth_time"] = wanted["require_auth_time"]
            if not isinstance(wanted["require_auth_time"], bool):
                self.refuse_metadata("require_auth_time must be true or false")
        if "default_acr_values" in wanted:
            accepted["default_acr_values"] = self.require_strings("default_acr_values", wanted["default_acr_values"])
            for value in accepted["default_acr_values"]:
                self.refuse_long("default_acr_values", value, self.rules.text_length)
                self.refuse_control_characters("default_acr_values", value)
            if len(accepted["default_acr_values"]) > self.rules.contact_count:
                self.refuse_metadata("default_acr_values has too many elements")
        if "initiate_login_uri" in wanted:
            accepted["initiate_login_uri"] = self.require_string("initiate_login_uri", wanted["initiate_login_uri"])
            self.check_web_address("initiate_login_uri", accepted["initiate_login_uri"])
        return accepted

    def accept_request_uris(self, value: Any) -> list[str]:
        """Stored, never fetched; the fragment is the hash of what is there."""
        uris = self.require_strings("request_uris", value)
        if len(uris) > self.rules.redirect_uri_count:
            self.refuse_metadata("request_uris has too many elements")
        for uri in uris:
            if not self.is_secure_request_uri(urldefrag(uri).url):
                self.refuse_metadata("request_uris must be https URLs")
        return uris

    def is_secure_request_uri(self, uri: str) -> bool:
        return self.is_web_url(uri) and self.is_public_address(uri)
