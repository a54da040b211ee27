"""The keys that are published, and the metadata that is signed with them (RFC 8414, 2 and 2.1; RFC 9728, 2 and 2.2)."""

import base64
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from dcrcheck import Endpoint, Target, inapplicable, inconclusive, needs, origin, requirement

DOCUMENTS = ("oauth-authorization-server", "openid-configuration")
RESOURCE = "oauth-protected-resource"
ENCRYPTION = ("RSA", "ECDH-ES", "A128KW", "A192KW", "A256KW", "A128GCM", "A192GCM", "A256GCM", "dir", "HPKE")
SIGNATURE = ("RS", "PS", "ES", "Ed", "HS", "ML-DSA")
# RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1
PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")


def keys(endpoint: Endpoint, target: Target, *names: str) -> list[dict[str, Any]]:
    """The key set that the first of these documents points to.

    Raises:
        Inapplicable: it points to none.
        Inconclusive: it stands where nothing may be fetched, or is none.
    """
    url = endpoint.published(*names).json.get("jwks_uri")
    if not isinstance(url, str):
        inapplicable("the metadata has no jwks_uri")
    if origin(url) not in target.origins:
        inconclusive(f"jwks_uri is on another origin ({origin(url)}); list it under [discovery] origins")
    answer = endpoint.send("GET", url, headers={"accept": "application/json"})
    listed = answer.json.get("keys") if isinstance(answer.json, dict) else None
    if answer.status != 200 or not isinstance(listed, list):
        inconclusive(f"{url} is answered {answer.describe()}, without a key set")
    return [key for key in listed if isinstance(key, dict)]


def purpose(key: dict[str, Any]) -> str:
    """What a key is for, as far as it says so: ``sig``, ``enc`` or nothing."""
    algorithm = str(key.get("alg", ""))
    operations = set(map(str, key["key_ops"])) if isinstance(key.get("key_ops"), list) else set()
    if key.get("use") in ("sig", "enc"):
        return str(key["use"])
    if operations & {"verify", "sign"}:
        return "sig"
    if operations or algorithm.startswith(ENCRYPTION):
        return "enc"
    return "sig" if algorithm.startswith(SIGNATURE) else ""


def unlabelled(found: list[dict[str, Any]]) -> list[str]:
    """The keys of a set with both kinds that do not state their use.

    Raises:
        Inapplicable: keys lack it, in a set that does not show that it has both kinds.
    """
    without = [str(key.get("kid", key.get("kty"))) for key in found if "use" not in key]
    if without and {"sig", "enc"} - set(map(purpose, found)):
        inapplicable("the key set does not show keys for signatures and keys for encryption both")
    return without


def attested(endpoint: Endpoint, name: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Header, claims and signature of a document's signed_metadata; empty where it is no JWT.

    Raises:
        Inapplicable: it has none.
    """
    token = endpoint.published(name).json.get("signed_metadata")
    if token is None:
        inapplicable(f"the {name} document has no signed_metadata")
    parts = str(token).split(".")
    try:
        header, claims = (json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2])
    except ValueError:
        return {}, {}, ""
    fit = len(parts) == 3 and isinstance(header, dict) and isinstance(claims, dict)
    return (header, claims, parts[2]) if fit else ({}, {}, "")


def is_signed(header: dict[str, Any], signature: str) -> bool:
    return str(header.get("alg", "none")).lower() != "none" and bool(signature)


@requirement("RFC8414-2-04")
@needs("tls")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_keys_of_the_server_are_published_over_https(endpoint: Endpoint, name: str):
    """jwks_uri of the authorization server, where present, is an https URL."""
    url = endpoint.published(name).json.get("jwks_uri")
    if url is None:
        inapplicable("the document has no jwks_uri")

    assert isinstance(url, str) and urlsplit(url).scheme == "https", f"jwks_uri is {url!r}"


@requirement("RFC9728-2-03")
@needs("resource", "tls")
def test_the_keys_of_the_resource_are_published_over_https(endpoint: Endpoint):
    """jwks_uri of the resource, where present, is an https URL."""
    url = endpoint.published(RESOURCE).json.get("jwks_uri")
    if url is None:
        inapplicable("the document has no jwks_uri")

    assert isinstance(url, str) and urlsplit(url).scheme == "https", f"jwks_uri is {url!r}"


@requirement("RFC8414-2-05")
def test_the_keys_of_the_server_state_their_use(endpoint: Endpoint, target: Target):
    """Where the server publishes keys for signatures and for encryption, each key states its use."""
    without = unlabelled(keys(endpoint, target))

    assert not without, f"without use: {without}"


@requirement("RFC9728-2-04")
@needs("resource")
def test_the_keys_of_the_resource_state_their_use(endpoint: Endpoint, target: Target):
    """Where the resource publishes keys for signatures and for encryption, each key states its use."""
    without = unlabelled(keys(endpoint, target, RESOURCE))

    assert not without, f"without use: {without}"


@requirement("HARD-PUBLISHED-KEYS")
def test_the_published_keys_are_public(endpoint: Endpoint, target: Target):
    """The key set of the server holds public keys alone."""
    private = [str(key.get("kid", key.get("kty"))) for key in keys(endpoint, target) if {*PRIVATE} & key.keys()]

    assert not private, f"private keys are published: {private}"


@requirement("RFC8414-2.1-01")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_signed_metadata_is_signed(endpoint: Endpoint, name: str):
    """signed_metadata, where present, is a signed JWT with iss."""
    header, claims, signature = attested(endpoint, name)

    assert is_signed(header, signature) and isinstance(claims.get("iss"), str), (
        f"alg is {header.get('alg')!r}, iss is {claims.get('iss')!r}{'' if signature else ', there is no signature'}")


@requirement("RFC8414-2.1-02")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_signed_metadata_does_not_hold_itself(endpoint: Endpoint, name: str):
    """The claims of signed_metadata do not include signed_metadata."""
    _, claims, _ = attested(endpoint, name)

    assert "signed_metadata" not in claims, "signed_metadata holds signed_metadata"


@requirement("RFC9728-2.2-01")
@needs("resource")
def test_signed_resource_metadata_is_signed(endpoint: Endpoint):
    """signed_metadata of the resource, where present, is a signed JWT with iss."""
    header, claims, signature = attested(endpoint, RESOURCE)

    assert is_signed(header, signature) and isinstance(claims.get("iss"), str), (
        f"alg is {header.get('alg')!r}, iss is {claims.get('iss')!r}{'' if signature else ', there is no signature'}")


@requirement("RFC9728-2.2-02")
@needs("resource")
def test_signed_resource_metadata_does_not_hold_itself(endpoint: Endpoint):
    """The claims of the resource's signed_metadata do not include signed_metadata."""
    _, claims, _ = attested(endpoint, RESOURCE)

    assert "signed_metadata" not in claims, "signed_metadata holds signed_metadata"
