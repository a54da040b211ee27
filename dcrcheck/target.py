"""One live server under one profile, after discovery (RFC 8414, OpenID Connect Discovery, RFC 9728)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from dcrcheck.documents import ConfigurationError
from dcrcheck.profile import Profile
from dcrcheck.transport import Answer, Transport
from dcrcheck.uri import origin
from dcrcheck.verdict import Inconclusive, inconclusive

ENDPOINTS = ("token_endpoint", "authorization_endpoint", "revocation_endpoint", "introspection_endpoint",
             "pushed_authorization_request_endpoint", "end_session_endpoint")
PERMISSIONS = ("burst", "outbound", "oversize")
_MEND_ISSUER = "give the issuer exactly as the server's metadata states it"


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where the endpoints of a server are, what its metadata says, and what its owner permits.

    `documents` holds the discovery answers by name: ``oauth-authorization-server``, ``openid-configuration`` and
    ``oauth-protected-resource``. `metadata` is the authorization server metadata in force.
    """

    issuer: str
    profile: Profile
    metadata: Mapping[str, Any]
    documents: Mapping[str, Answer]
    resource: str | None = None
    permissions: frozenset[str] = frozenset()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def endpoint(self, name: str) -> str | None:
        """The URL of an endpoint by its metadata name, e.g. ``token_endpoint``; None if there is none.

        Raises:
            Inconclusive: it lies on an origin that the owner has not named.
        """
        url = self._stated(name)
        if url is not None and origin(url) not in self.origins:
            inconclusive(f"the metadata names {name} at {_shown(url)}, another origin than the issuer; list it under "
                         "[discovery] origins if it is the server's")
        return url

    def names(self, name: str) -> bool:
        """Whether the metadata or the profile names an endpoint, wherever it is."""
        return self._stated(name) is not None

    def _stated(self, name: str) -> str | None:
        url = self.profile.discovery.get(name) or self.metadata.get(name)
        return url if isinstance(url, str) and url else None

    @property
    def registration_endpoint(self) -> str:
        """Where clients register.

        Raises:
            ConfigurationError: neither the metadata nor the profile names it, or the metadata alone names one on an
                origin that the owner has not named.
        """
        url = self._stated("registration_endpoint")
        if url is None:
            raise ConfigurationError(
                f"the metadata of {self.issuer} names no registration_endpoint: registration is off (is it meant to "
                "be? --profile closed judges that), or name it in a profile under [discovery] registration_endpoint")
        if origin(url) not in self.origins:
            raise ConfigurationError(
                f"the metadata of {self.issuer} names registration_endpoint at {_shown(url)}, another origin than the "
                "issuer, where nothing is sent unasked; list it under [discovery] origins in a profile if it is the "
                "server's")
        return url

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.issuer)

    @property
    def origins(self) -> frozenset[str]:
        """Where requests (and credentials) of this run may go: the origins of what the owner has named.

        That is the issuer, the resource, and what stands in the profile; not what the server's metadata points at.
        """
        return owned(self.profile, self.issuer, *([self.resource] if self.resource else []))

    def lacks(self, capability: str) -> str | None:
        """Why a capability is absent, or None if it is there. Management is told by a registration, not here.

        Raises:
            Inconclusive: it is there, on an origin that the owner has not named.
        """
        if capability in ENDPOINTS:
            return None if self.endpoint(capability) else f"the metadata names no {capability}"
        if capability == "confidential":
            return (None if self.profile.policy.confidential_methods
                    else f"policy {self.profile.policy.name} admits no client with a secret")
        if capability == "resource":
            return None if self.resource else "no protected resource is known (start from it with --resource)"
        if capability == "tls":
            return None if urlsplit(self.issuer).scheme == "https" else "the issuer is plain http on loopback"
        if capability == "closed":
            return None if self.profile.is_closed else "the profile does not say that registration is closed"
        if capability == "statement":
            return None if "statement_key" in self.extra else "no key of a trusted software statement issuer is known"
        raise ValueError(f"no capability {capability!r}")


def discover(issuer: str, profile: Profile, transport: Transport, *, resource: str | None = None,
             **known: Any) -> Target:
    """Find the endpoints of an issuer.

    Raises:
        ConfigurationError: the issuer cannot be reached, or gives no metadata and the profile names no endpoint.
    """
    check_url(issuer, "issuer")
    _confine(transport, profile, issuer, *([resource] if resource else []))
    documents: dict[str, Answer] = {}
    for name, url in metadata_urls(issuer):
        if documents.get(name) is None or documents[name].status != 200:
            documents[name] = _fetch(transport, url)
    found = [a for a in documents.values() if a.status == 200 and not a.unread and "issuer" in a.members]
    if not found and not (profile.discovery if profile.is_closed else "registration_endpoint" in profile.discovery):
        raise ConfigurationError(_no_metadata(issuer, list(documents.values())))
    metadata = {**found[-1].members, **found[0].members} if found else {}
    if resource is not None and "oauth-protected-resource" not in documents:
        documents["oauth-protected-resource"] = _fetch(transport, _well_known(resource, "oauth-protected-resource"))
    # checks that need a client with a secret begin with a method that the server says it supports
    supported = metadata.get("token_endpoint_auth_methods_supported")
    if isinstance(supported, list) and "default_auth_method" not in profile.choices:
        profile = replace(profile, policy=profile.policy.preferring(supported))
    stated = str(metadata.get("issuer", issuer))
    same = stated.rstrip("/") == issuer.rstrip("/")
    target = Target(issuer=stated if same else issuer, profile=profile, metadata=metadata, documents=documents,
                    resource=resource, **known)
    if target.names("registration_endpoint"):
        target.registration_endpoint  # noqa: B018  (complains where nothing may be sent)
    return target


def find_issuer(resource: str, transport: Transport, profile: Profile) -> str:
    """The authorization server of a protected resource (RFC 9728 sections 3 and 5).

    Raises:
        ConfigurationError: the resource gives no usable metadata, or names a server on an origin that its owner has
            not named.
    """
    check_url(resource, "resource")
    _confine(transport, profile, resource)
    challenge = _fetch(transport, resource)
    hint = re.search(r'resource_metadata="([^"]+)"', challenge.headers.get("www-authenticate", ""))
    urls = [hint.group(1)] if hint else [_well_known(resource, "oauth-protected-resource"),
                                         f"{origin(resource)}/.well-known/oauth-protected-resource"]
    for url in urls:
        if hint and origin(url) != origin(resource):
            raise ConfigurationError(f"{resource} points at metadata on another origin ({url}); give --issuer instead")
        answer = _fetch(transport, url)
        servers = None if answer.unread else answer.members.get("authorization_servers")
        if isinstance(servers, list) and servers and isinstance(servers[0], str):
            if origin(servers[0]) not in owned(profile, resource, *([profile.issuer] if profile.issuer else [])):
                raise ConfigurationError(
                    f"{resource} names the authorization server {_shown(servers[0])}, which is on another origin: if "
                    "it is to be judged, give it as --issuer too, or list it under [discovery] origins in a profile")
            return servers[0]
    raise ConfigurationError(f"{resource} has no protected resource metadata that names an authorization server "
                             f"(asked {', '.join(urls)}); give --issuer instead")


def metadata_urls(issuer: str) -> list[tuple[str, str]]:
    """Where metadata may stand: RFC 8414 section 3.1 inserts the well-known path, OpenID Discovery appends it."""
    base = issuer.rstrip("/")
    urls = [("oauth-authorization-server", _well_known(issuer, "oauth-authorization-server")),
            ("openid-configuration", f"{base}/.well-known/openid-configuration")]
    if urlsplit(base).path:
        urls.append(("openid-configuration", _well_known(issuer, "openid-configuration")))
    return urls


def owned(profile: Profile, *urls: str) -> frozenset[str]:
    """The origins of these URLs, and those that a profile names for requests."""
    return frozenset(map(origin, [*urls, *profile.discovery.values(), *profile.origins]))


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine by a loopback literal or by ``localhost``."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _well_known(url: str, name: str) -> str:
    return f"{origin(url)}/.well-known/{name}{urlsplit(url).path.rstrip('/')}"


def check_url(url: str, option: str) -> None:
    """Make sure that a URL can name a server.

    Raises:
        ConfigurationError: it cannot, with the option that gave it.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ConfigurationError(f"--{option} {url!r} is not an http(s) URL; e.g. --{option} https://idp.example.com")
    if "@" in parts.netloc:
        raise ConfigurationError(f"--{option} holds a user name or password; secrets come from the environment")
    if parts.query or parts.fragment:
        raise ConfigurationError(f"--{option} {url!r} has a query or fragment, which an issuer never has "
                                 "(RFC 8414 section 2)")
    if parts.scheme == "http" and not is_loopback(url):
        raise ConfigurationError(f"--{option} {url!r} is plain http beyond loopback; RFC 8414 section 2 demands https")


def _confine(transport: Transport, profile: Profile, *urls: str) -> None:
    """The wall behind all others: from now on no request leaves for anywhere else, whoever asks for it."""
    places = owned(profile, *urls) | {origin(url) for url in profile.session.get("origins", ())}
    # whether an https endpoint is also served without TLS is asked at the same place
    transport.permitted = places | {f"http:{place.partition(':')[2]}" for place in places}


def _shown(url: str) -> str:
    return ascii(url)[1:201]


def _fetch(transport: Transport, url: str) -> Answer:
    try:
        answer = transport.send("GET", url, headers={"accept": "application/json"})
    except Inconclusive as reason:
        raise ConfigurationError(f"{_shown(url)} cannot be asked: {reason}") from None
    if not answer.status:
        raise ConfigurationError(f"{url} cannot be reached: {answer.exchange.error}; is the server up, and is its "
                                 "certificate trusted here (SSL_CERT_FILE)?")
    return answer


def _no_metadata(issuer: str, answers: list[Answer]) -> str:
    first = answers[0]
    redirect = next((a for a in answers if 300 <= a.status < 400 and a.location), None)
    page = next((a for a in answers if a.status == 200), None)
    if redirect is not None:
        return f"{redirect.url} redirects to {redirect.location!r}, which is not followed; {_MEND_ISSUER}"
    if page is not None and page.unread:
        return f"{page.url} gives no usable metadata: {page.unread}; {_MEND_ISSUER}"
    if page is not None:
        kind = page.media_type or "no media type"
        return f"{page.url} answers with {kind}, not with JSON metadata; {_MEND_ISSUER}"
    tried = ", ".join(f"{a.url} (HTTP {a.status})" for a in answers)
    return f"{issuer} publishes no metadata: {tried if first else ''}; {_MEND_ISSUER}"


__all__ = ["PERMISSIONS", "Target", "discover", "find_issuer", "is_loopback", "metadata_urls", "origin", "owned"]
