"""Which URLs and keys a client may register (RFC 7591, sections 2 and 5)."""

import re
from typing import Any

import pytest

from dcrcheck import Endpoint, intrusive, requirement

PAGES = ("client_uri", "logo_uri", "tos_uri", "policy_uri")
DANGEROUS = {
    "javascript": "javascript:void(0)", "upper-case": "JAVASCRIPT:void(0)", "leading-blank": " javascript:void(0)",
    "data": "data:text/html,dcrcheck", "file": "file:///dcrcheck",
}
DANGEROUS_SCHEME = re.compile(r"[\x00-\x20]*(?:j\s*a\s*v\s*a\s*s\s*c\s*r\s*i\s*p\s*t|vbscript|data|file)\s*:", re.I)
KEY_SCHEMES = {
    "file": "file:///dcrcheck/jwks.json", "ftp": "ftp://client.example/jwks.json",
    "data": "data:application/json,{\"keys\":[]}", "gopher": "gopher://client.example/jwks.json",
    "jar": "jar:https://client.example/keys.jar!/jwks.json", "javascript": "javascript:void(0)",
}
# OpenID Connect Registration and Logout, CIBA: what a server or a browser calls for the client
OTHER_ADDRESSES: dict[str, Any] = {
    "sector_identifier_uri": "file:///dcrcheck", "request_uris": ["file:///dcrcheck"],
    "initiate_login_uri": "javascript:void(0)", "backchannel_logout_uri": "gopher://client.example/dcrcheck",
    "frontchannel_logout_uri": "javascript:void(0)",
    "backchannel_client_notification_endpoint": "ftp://client.example/dcrcheck",
}
MARKUP = "https://client.example/\"><i/data-dcrcheck=1>"
NO_KEY_SETS: dict[str, Any] = {
    "string": "keys", "array": [{"kty": "EC"}], "no-keys": {"dcrcheck": []}, "keys-string": {"keys": "EC"},
    "key-string": {"keys": ["EC"]},
}
# The examples of RFC 7517, appendices A.2 and A.3
PRIVATE_KEYS = {
    "private": {"kty": "EC", "crv": "P-256", "kid": "1", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM", "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"},
    "symmetric": {"kty": "oct", "alg": "A128KW", "k": "GawgguFyGrWKav7AX4VKUg"},
}
INTERNAL = {
    "loopback": "https://127.0.0.1/dcrcheck", "loopback-v6": "https://[::1]/dcrcheck",
    "localhost": "https://localhost/dcrcheck", "private": "https://10.0.0.1/dcrcheck",
    "unique-local": "https://[fd00::1]/dcrcheck", "link-local": "https://169.254.169.254/dcrcheck",
    "mapped": "https://[::ffff:10.0.0.1]/dcrcheck", "decimal": "https://2130706433/dcrcheck",
}


@requirement("RFC7591-2-21")
@pytest.mark.parametrize("value", ["not a web page", "/relative"], ids=["words", "relative"])
@pytest.mark.parametrize("member", PAGES)
def test_what_is_no_web_address_is_not_registered_as_one(endpoint: Endpoint, member: str, value: str):
    """client_uri, logo_uri, tos_uri and policy_uri are not registered with a value that is no absolute URL."""
    stored = endpoint.submit(**{member: value}).stored(member)

    assert stored != value, f"{member} {stored!r} was registered"


@requirement("HARD-METADATA-SCHEMES")
@pytest.mark.parametrize(("member", "kind"), [
    *(("client_uri", kind) for kind in DANGEROUS),
    *((member, kind) for member in PAGES[1:] for kind in ("javascript", "data"))])
def test_links_hold_no_executable_scheme(endpoint: Endpoint, member: str, kind: str):
    """client_uri, logo_uri, tos_uri and policy_uri are not registered with an executable, data or file scheme."""
    stored = endpoint.submit(**{member: DANGEROUS[kind]}).stored(member)

    assert not DANGEROUS_SCHEME.match(str(stored or "")), f"{member} {stored!r} was registered"


@requirement("HARD-METADATA-MARKUP")
@pytest.mark.parametrize("member", PAGES)
def test_links_hold_no_markup(endpoint: Endpoint, member: str):
    """client_uri, logo_uri, tos_uri and policy_uri are not registered with quotes and angle brackets in them."""
    stored = str(endpoint.submit(**{member: MARKUP}).stored(member) or "")

    assert not {*'"<>'} & {*stored}, f"{member} {stored!r} was registered, which ends an attribute that it is put into"


@requirement("RFC7591-5-15", "OIDCR-9.1-01")
@pytest.mark.parametrize("member", PAGES)
def test_links_are_on_the_host_of_the_redirect_uris(endpoint: Endpoint, member: str):
    """client_uri, logo_uri, tos_uri and policy_uri of another host than the redirect URIs' are not registered."""
    value = "https://foreign.example/dcrcheck"
    stored = endpoint.submit(**{member: value}).stored(member)

    assert stored != value, f"{member} {stored!r} was registered beside a redirect URI on client.example"


@requirement("RFC7591-5-16")
@pytest.mark.parametrize("member", PAGES)
def test_links_that_lead_nowhere_are_not_registered(endpoint: Endpoint, member: str):
    """client_uri, logo_uri, tos_uri and policy_uri on a host that does not exist are not registered."""
    redirect_uris, value = ["https://dcrcheck.invalid/cb"], "https://dcrcheck.invalid/dcrcheck"
    endpoint.client(redirect_uris=redirect_uris)
    stored = endpoint.submit(redirect_uris=redirect_uris, **{member: value}).stored(member)

    assert stored != value, f"{member} {stored!r} was registered, on a host under .invalid"


@requirement("RFC7591-2-22")
@pytest.mark.parametrize("value", ["not a key set", "/jwks.json"], ids=["words", "relative"])
def test_what_is_no_web_address_is_not_registered_as_jwks_uri(endpoint: Endpoint, value: str):
    """jwks_uri is not registered with a value that is no absolute URL."""
    stored = endpoint.submit(jwks_uri=value).stored("jwks_uri")

    assert stored != value, f"jwks_uri {stored!r} was registered"


@requirement("HARD-KEY-LOCATION")
@pytest.mark.parametrize("value", KEY_SCHEMES.values(), ids=KEY_SCHEMES)
def test_keys_are_fetched_from_the_web_only(endpoint: Endpoint, value: str):
    """jwks_uri is not registered with a scheme that is not one of the web."""
    stored = endpoint.submit(jwks_uri=value).stored("jwks_uri")

    assert stored != value, f"jwks_uri {stored!r} was registered"


@requirement("HARD-ADDRESS-SCHEMES")
@pytest.mark.parametrize("member", OTHER_ADDRESSES)
def test_no_other_address_has_a_scheme_beyond_the_web(endpoint: Endpoint, member: str):
    """Addresses that the server or a browser calls for a client are not registered with a scheme beyond http(s)."""
    stored = endpoint.submit(**{member: OTHER_ADDRESSES[member]}).stored(member)

    assert stored != OTHER_ADDRESSES[member], f"{member} {stored!r} was registered"


@requirement("HARD-KEY-TRANSPORT", "OIDCR-2-13")
def test_keys_are_not_fetched_in_the_clear(endpoint: Endpoint):
    """jwks_uri is not registered with plain http."""
    stored = endpoint.submit(jwks_uri="http://client.example/jwks.json").stored("jwks_uri")

    assert stored != "http://client.example/jwks.json", f"jwks_uri {stored!r} was registered"


@requirement("HARD-METADATA-INTERNAL")
@intrusive("outbound")
@pytest.mark.parametrize(("member", "kind"), [
    *(("jwks_uri", kind) for kind in INTERNAL),
    *(("logo_uri", kind) for kind in ("loopback", "private", "link-local"))])
def test_metadata_leads_to_no_internal_address(endpoint: Endpoint, member: str, kind: str):
    """jwks_uri and logo_uri are not registered with a loopback, private or link-local address."""
    stored = endpoint.submit(**{member: INTERNAL[kind]}).stored(member)

    assert stored != INTERNAL[kind], f"{member} {stored!r} was registered"


@requirement("RFC7591-2-23")
@pytest.mark.parametrize("value", NO_KEY_SETS.values(), ids=NO_KEY_SETS)
def test_what_is_no_key_set_is_not_registered_as_one(endpoint: Endpoint, value: object):
    """jwks is not registered with a value that is no JWK Set."""
    stored = endpoint.submit(jwks=value).stored("jwks")

    assert stored != value, f"jwks {stored!r} was registered"


@requirement("HARD-KEY-PRIVATE", "OIDCR-2-15")
@pytest.mark.parametrize("key", PRIVATE_KEYS.values(), ids=PRIVATE_KEYS)
def test_a_key_set_holds_no_private_key(endpoint: Endpoint, key: dict[str, str]):
    """A key set with a private or symmetric key is refused, or registered without it."""
    stored = endpoint.submit(jwks={"keys": [key]}).stored("jwks")
    keys = stored.get("keys", []) if isinstance(stored, dict) else []
    secret = [name for kept in keys if isinstance(kept, dict) for name in ("d", "k") if name in kept]

    assert not secret, f"the registered key set has the private members {secret}"
