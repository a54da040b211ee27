"""What discovery gives away or gets wrong that an attacker or a careless client would follow."""

import re
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from dcrcheck import Endpoint, Profile, Session, Target, inapplicable, inconclusive, needs, origin, requirement

DOCUMENTS = ("oauth-authorization-server", "openid-configuration")
# what RFC 3986 lets stand in a URI, without what a shell runs
ADDRESS = re.compile(r"https?://(?:(?!\$[({])[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%])+")
NOBODY = "dcrcheck-nobody"


def addresses(metadata: dict[str, Any]) -> dict[str, Any]:
    """The members to which clients and browsers go."""
    return {name: value for name, value in metadata.items() if name.endswith("_endpoint") or name == "jwks_uri"}


def site(host: str) -> str:
    """The last two labels of a host name; an address is a site of its own."""
    return host if re.fullmatch(r"[0-9.]+|.*:.*", host) else ".".join(host.split(".")[-2:])


@requirement("HARD-DISCOVERY-AGREES")
def test_the_documents_name_the_same_addresses(endpoint: Endpoint):
    """Where the server publishes metadata under two names, both documents name the same issuer, keys and endpoints."""
    first, second = (endpoint.published(name).json for name in DOCUMENTS)
    differing = {name: (first[name], second[name]) for name in (*addresses(first), "issuer")
                 if name in first and name in second and first[name] != second[name]}

    assert not differing, f"they differ: {differing}"


@requirement("HARD-DISCOVERY-URLS")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_addresses_in_the_metadata_are_plain_urls(endpoint: Endpoint, name: str):
    """Every endpoint is an http(s) URL of ordinary characters, in which a browser or a shell finds nothing to run."""
    odd = {member: value for member, value in addresses(endpoint.published(name).json).items()
           if not isinstance(value, str) or not ADDRESS.fullmatch(value)}

    assert not odd, f"no plain URLs: {odd}"


@requirement("HARD-DISCOVERY-ORIGIN")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_endpoints_are_on_the_site_of_the_issuer(endpoint: Endpoint, target: Target, name: str):
    """Every endpoint stands on the site of the issuer, or where the owner says that endpoints stand."""
    home = site(urlsplit(target.issuer).hostname or "")
    # keys are public, and often served from elsewhere
    away = {member: value for member, value in addresses(endpoint.published(name).json).items()
            if member != "jwks_uri" and isinstance(value, str) and origin(value) not in target.origins
            and site(urlsplit(value).hostname or "") != home}

    assert not away, f"the issuer is {target.issuer}; elsewhere are {away}"


@requirement("HARD-DISCOVERY-DRIFT")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_open_registration_is_announced(endpoint: Endpoint, name: str):
    """A server that registers clients names its registration endpoint in every document with its metadata."""
    metadata = endpoint.published(name).json
    endpoint.control()

    stated = metadata.get("registration_endpoint")
    assert stated, f"clients register at {endpoint.registration_url}, and the document has no registration_endpoint"


@requirement("HARD-DISCOVERY-SCOPES")
@pytest.mark.parametrize("name", [*DOCUMENTS, "oauth-protected-resource"])
def test_no_other_scope_is_published_than_the_owner_lists(endpoint: Endpoint, profile: Profile, name: str):
    """scopes_supported has no scope beyond those that the owner means clients to know of."""
    meant = profile.offers.get("scopes")
    if meant is None:
        inapplicable("the profile does not list the scopes that are meant to be known ([offers] scopes)")
    others = [scope for scope in endpoint.published(name).json.get("scopes_supported") or () if scope not in meant]

    assert not others, f"published beyond the owner's list: {others}"


@requirement("HARD-WEBFINGER")
@needs("session")
@pytest.mark.parametrize("who", ["user", "wildcard"])
def test_webfinger_does_not_tell_who_exists(endpoint: Endpoint, session: Session, target: Target, who: str):
    """WebFinger answers for a user, and for all of them at once, as it answers for nobody."""
    host = urlsplit(target.issuer).hostname
    name = session.username if who == "user" else "*"

    asked, nobody = (looked_up(endpoint, target, one if "@" in one else f"{one}@{host}") for one in (name, NOBODY))

    assert asked == nobody, f"for {name}: {asked}; for nobody: {nobody}"


def looked_up(endpoint: Endpoint, target: Target, account: str) -> tuple[int, str]:
    """Status and content of what WebFinger says of an account, without its name (RFC 7033, section 4.1).

    Raises:
        Inconclusive: the server is too busy, or fails.
    """
    query = urlencode({"resource": f"acct:{account}"})
    answer = endpoint.send("GET", f"{origin(target.issuer)}/.well-known/webfinger?{query}",
                           headers={"accept": "application/json"})
    if answer.status == 429 or answer.broke_down:
        inconclusive(f"the server does not tell: {answer.describe()}")
    links = answer.json.get("links") if answer.status == 200 and isinstance(answer.json, dict) else ""
    return answer.status, str(links).replace(account, "")
