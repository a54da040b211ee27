"""Which redirect URIs may be registered, and which one an authorization request may use."""

from __future__ import annotations

import re
import string
from typing import Any
from urllib.parse import parse_qsl, unquote

from dcrcheck.reference.answers import Answers
from dcrcheck.reference.store import Client
from dcrcheck.reference.uris import (
    DEFAULT_PORTS,
    LOOPBACK_ADDRESSES,
    LOOPBACK_HOSTS,
    Uri,
    is_sound_host,
    is_special_address,
    parse,
)

_CHARACTERS = set(string.ascii_letters + string.digits + "-._~:/?#[]@!$&'()*+,;=%")
_RESPONSE_PARAMETERS = {"code", "state", "error", "error_description", "error_uri", "iss", "response", "access_token",
                        "token_type", "expires_in", "scope", "id_token"}


class Redirects(Answers):
    """RFC 7591, section 5; RFC 8252, sections 7 and 8.4; OAuth 2.1, section 2.3."""

    # -- at registration

    def accept_redirect_uris(self, wanted: dict[str, Any], grant_types: list[str]) -> list[str]:
        value = wanted.get("redirect_uris")
        if value is None or value == []:
            if self.needs_redirect_uri(grant_types):
                self.refuse_redirect_uri("redirect_uris is required for the authorization_code grant")
            return []
        if not isinstance(value, list):
            self.refuse_redirect_uri("redirect_uris must be an array of strings")
        if not self.is_redirect_count(value):
            self.refuse_redirect_uri("redirect_uris has too many elements")
        for item in value:
            self.check_redirect_uri(item)
        return list(dict.fromkeys(value))

    def needs_redirect_uri(self, grant_types: list[str]) -> bool:
        """RFC 7591, section 5: clients of redirect-based grants must register where they may be sent."""
        return "authorization_code" in grant_types

    def is_redirect_count(self, value: list[Any]) -> bool:
        return len(value) <= self.rules.redirect_uri_count

    def check_redirect_uri(self, value: Any) -> None:
        if not isinstance(value, str):
            self.refuse_redirect_uri("redirect_uris must be an array of strings")
        fault = self.redirect_fault(value)
        if fault:
            self.refuse_redirect_uri(fault)

    def accept_farewells(self, value: Any) -> list[str]:
        """post_logout_redirect_uris, by the rules for redirect_uris."""
        if not isinstance(value, list) or not self.is_redirect_count(value):
            self.refuse_metadata("post_logout_redirect_uris must be a short array of strings")
        for item in value:
            if not isinstance(item, str) or self.redirect_fault(item):
                self.refuse_metadata("post_logout_redirect_uris holds a URI that would not do as redirect_uris")
        return list(dict.fromkeys(value))

    def redirect_fault(self, text: str) -> str:
        """What is wrong with a redirect URI: the first rule that it breaks, or an empty string."""
        if not self.is_redirect_length(text):
            return "a redirect URI is too long"
        if not self.is_free_of_controls(text):
            return "a redirect URI holds a space or a control character"
        if not self.is_ascii(text):
            return "a redirect URI holds characters outside ASCII"
        if not self.is_free_of_backslashes(text):
            return "a redirect URI holds a backslash"
        if not self.is_free_of_delimiters(text):
            return "a redirect URI holds a character that URIs do not have"
        uri = parse(text)
        if uri is None:
            return "a redirect URI is not absolute"
        for rule, sentence in (
            (self.is_free_of_fragment, "a redirect URI has a fragment"),
            (self.is_free_of_userinfo, "a redirect URI has a user-information part"),
            (self.is_free_of_wildcards, "a redirect URI has a wildcard"),
            (self.is_soundly_encoded, "a redirect URI is badly percent-encoded"),
            (self.is_free_of_encoded_controls, "a redirect URI holds an encoded control character"),
            (self.is_free_of_encoded_separators, "a redirect URI holds an encoded path separator"),
            (self.is_free_of_dot_segments, "a redirect URI has a dot segment"),
            (self.is_free_of_response_parameters, "a redirect URI holds a parameter of the authorization response"),
            (self.has_sound_port, "a redirect URI has a bad port"),
            (self.is_free_of_default_port, "a redirect URI names the default port"),
            (self.has_lowercase_host, "a redirect URI has a host in upper case"),
            (self.is_free_of_punycode, "a redirect URI has an internationalized host"),
            (self.is_free_of_internal_address, "a redirect URI leads to a special-purpose address"),
            (self.is_free_of_own_origin, "a redirect URI leads back to this server"),
            (self.is_allowed_class, "a redirect URI is of a kind that is not allowed here"),
        ):
            if not rule(uri):
                return sentence
        return ""

    def is_redirect_length(self, text: str) -> bool:
        return len(text) <= self.rules.uri_length

    def is_free_of_controls(self, text: str) -> bool:
        """Nor spaces: neither has a place in a URI, and user agents drop some of them silently."""
        return not any(character <= " " or "\x7f" <= character <= "\xa0" for character in text)

    def is_ascii(self, text: str) -> bool:
        return all(character <= "\xa0" for character in text)

    def is_free_of_backslashes(self, text: str) -> bool:
        """Browsers read a backslash as a slash, other parsers do not."""
        return "\\" not in text

    def is_free_of_delimiters(self, text: str) -> bool:
        return all(character in _CHARACTERS or character == "\\" or not " " < character < "\x7f" for character in text)

    def is_free_of_fragment(self, uri: Uri) -> bool:
        return uri.fragment is None

    def is_free_of_userinfo(self, uri: Uri) -> bool:
        return uri.userinfo is None

    def is_free_of_wildcards(self, uri: Uri) -> bool:
        return "*" not in uri.text

    def is_soundly_encoded(self, uri: Uri) -> bool:
        return not re.search(r"%(?![0-9A-Fa-f]{2})", uri.text)

    def is_free_of_encoded_controls(self, uri: Uri) -> bool:
        return not re.search(r"%(?:[01][0-9A-Fa-f]|7[fF])", uri.text)

    def is_free_of_encoded_separators(self, uri: Uri) -> bool:
        """An encoded slash, backslash or percent sign in the path means something else one decoding later."""
        return not re.search(r"%(?:2[fF]|5[cC]|25)", uri.path)

    def is_free_of_dot_segments(self, uri: Uri) -> bool:
        """User agents resolve them, so the stored URI is not the one that is visited; `..;` also counts."""
        segments = unquote(uri.path, errors="replace").split("/")
        return not any(segment.split(";")[0] in (".", "..") for segment in segments)

    def is_free_of_response_parameters(self, uri: Uri) -> bool:
        """A planted code, state or iss would stand beside the real one."""
        names = {name for name, _ in parse_qsl(uri.query or "", keep_blank_values=True, errors="replace")}
        return not names & _RESPONSE_PARAMETERS

    def has_sound_port(self, uri: Uri) -> bool:
        return uri.port is None or (bool(re.fullmatch(r"[1-9][0-9]{0,4}", uri.port)) and int(uri.port) <= 65535)

    def is_free_of_default_port(self, uri: Uri) -> bool:
        """`https://h` and `https://h:443` are one place with two spellings; only one of them would match."""
        return uri.scheme != "https" or uri.port is None or uri.port != str(DEFAULT_PORTS["https"])

    def has_lowercase_host(self, uri: Uri) -> bool:
        return uri.host == uri.host.lower()

    def is_free_of_punycode(self, uri: Uri) -> bool:
        """Nobody reviews the look-alikes of a self-registered client (UTS 39)."""
        return not any(label.startswith("xn--") for label in uri.host.split("."))

    def is_free_of_internal_address(self, uri: Uri) -> bool:
        address = uri.address
        return address is None or uri.host in LOOPBACK_ADDRESSES or not is_special_address(address)

    def is_free_of_own_origin(self, uri: Uri) -> bool:
        """A client on the server's own origin could use its pages to pass codes on."""
        own = parse(self.issuer)
        return own is None or uri.origin != own.origin

    def is_allowed_class(self, uri: Uri) -> bool:
        return self.redirect_class(uri) in self.rules.redirect_classes

    def redirect_class(self, uri: Uri) -> str:
        """`https`, `loopback` or `private-use`; empty for everything else, such as javascript: and data:."""
        if self.is_https_redirect(uri):
            return "https"
        if self.is_loopback_redirect(uri):
            return "loopback"
        return "private-use" if self.is_private_use_redirect(uri) else ""

    def is_https_redirect(self, uri: Uri) -> bool:
        return uri.scheme == "https" and bool(uri.authority) and self.has_sound_host(uri)

    def has_sound_host(self, uri: Uri) -> bool:
        return is_sound_host(uri)

    def is_loopback_redirect(self, uri: Uri) -> bool:
        """http to this machine, by its exact names (RFC 8252, section 7.3)."""
        return uri.scheme == "http" and self.is_loopback_host(uri.host)

    def is_loopback_host(self, host: str) -> bool:
        return host in LOOPBACK_HOSTS

    def is_private_use_redirect(self, uri: Uri) -> bool:
        """A reversed domain name and a single slash (RFC 8252, section 7.1): only one app can claim it."""
        return self.is_private_use_scheme(uri.scheme) and uri.authority is None and uri.path.startswith("/")

    def is_private_use_scheme(self, scheme: str) -> bool:
        """RFC 8252, section 8.4: a scheme without a period is refused."""
        return bool(re.fullmatch(r"[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+", scheme))

    # -- at authorization

    def redirect_uri_for(self, client: Client, requested: str | None) -> str | None:
        """Where the answer to an authorization request may go; None: nowhere."""
        if requested is None:
            return self.implied_redirect_uri(client)
        return requested if any(self.redirect_uri_matches(requested, registered)
                                for registered in client.redirect_uris) else None

    def implied_redirect_uri(self, client: Client) -> str | None:
        """The parameter may be left out only where one URI is registered (OAuth 2.1, section 4.1.1)."""
        return client.redirect_uris[0] if len(client.redirect_uris) == 1 else None

    def redirect_uri_matches(self, requested: str, registered: str) -> bool:
        """Character by character (RFC 9700, section 4.1.3), but for the port on loopback."""
        return requested == registered or self.is_loopback_variant(requested, registered)

    def is_loopback_variant(self, requested: str, registered: str) -> bool:
        """The same http URI of the same loopback IP literal with another port (RFC 8252, section 7.3)."""
        ours, theirs = parse(registered), parse(requested)
        if ours is None or theirs is None or ours.scheme != "http" or not self.may_vary_port(ours.host):
            return False
        return (self.without_port(ours) == self.without_port(theirs)
                and self.has_sound_port(theirs) and self.is_free_of_own_origin(theirs))

    def may_vary_port(self, host: str) -> bool:
        return host in LOOPBACK_ADDRESSES

    def without_port(self, uri: Uri) -> tuple[str | None, ...]:
        return uri.scheme, uri.userinfo, uri.host, uri.path, uri.query, uri.fragment
