"""Clients that are known by the URL of their metadata (draft-ietf-oauth-client-id-metadata-document-02).

Nothing is served for the server to fetch. Where the owner names a client that the server knows by its URL, every probe
is that URL with one deviation; else it is one at a host that does not exist, which a server refuses for that alone.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from dcrcheck import Endpoint, Session, inapplicable, inconclusive, needs, requirement

NOWHERE = {"url": "https://agent.client.example/dcrcheck/client.json", "redirect_uri": "https://client.example/cb"}
SUPPORTED = "client_id_metadata_document_supported"


def document(endpoint: Endpoint) -> dict[str, str]:
    """Where the probes start.

    Raises:
        Inapplicable: the server does not say that it knows clients by their URLs.
        Inconclusive: it receives an unknown one, and so looks at it later than here.
    """
    if endpoint.metadata.get(SUPPORTED) is not True:
        inapplicable(f"the metadata does not say {SUPPORTED}")
    known = endpoint.profile.offers.get("client_document", {})
    received = request(endpoint, **(known or NOWHERE)) != "local"
    if received != bool(known):
        inconclusive("the server does not receive the client that its owner names" if known else
                     "the server shows a login before it looks at the URL of an unknown client")
    return known or NOWHERE


def request(endpoint: Endpoint, *, url: str, redirect_uri: str) -> str:
    """Where an authorization request of this client leads, while nobody is logged in."""
    return endpoint.where(endpoint.client(), client_id=url, redirect_uri=redirect_uri)


def altered(endpoint: Endpoint, change: Any) -> str:
    """Where the request leads with another spelling of the URL."""
    start = document(endpoint)
    parts = urlsplit(start["url"])
    return request(endpoint, url=change(parts), redirect_uri=start["redirect_uri"])


@requirement("CIMD-6-01")
def test_support_for_client_documents_is_a_boolean(endpoint: Endpoint):
    """client_id_metadata_document_supported, where it is published, is true or false."""
    published = endpoint.published().json
    if SUPPORTED not in published:
        inapplicable(f"the metadata has no {SUPPORTED}")

    assert isinstance(published[SUPPORTED], bool), f"it is {published[SUPPORTED]!r}"


@requirement("CIMD-7.1-01")
def test_an_issued_client_id_is_no_url(endpoint: Endpoint):
    """A server that knows clients by their URLs issues no client_id that starts with https://."""
    if endpoint.metadata.get(SUPPORTED) is not True:
        inapplicable(f"the metadata does not say {SUPPORTED}")

    issued = endpoint.client().client_id

    assert not issued.lower().startswith("https://"), f"the server issued {issued!r}"


@needs("authorization_endpoint")
@requirement("CIMD-3-01")
def test_a_client_identifier_url_is_https(endpoint: Endpoint):
    """A client_id that is an http URL is refused."""
    where = altered(endpoint, lambda parts: parts._replace(scheme="http").geturl())

    assert where == "local", f"the request leads to: {where}"


@needs("authorization_endpoint")
@requirement("CIMD-3-02")
@pytest.mark.parametrize("userinfo", ["user:password@", "user@"], ids=["user and password", "user"])
def test_a_client_identifier_url_has_no_userinfo(endpoint: Endpoint, userinfo: str):
    """A client_id that is a URL with userinfo is refused."""
    where = altered(endpoint, lambda parts: parts._replace(netloc=userinfo + parts.netloc).geturl())

    assert where == "local", f"the request leads to: {where}"


@needs("authorization_endpoint")
@requirement("CIMD-3-04")
def test_a_client_identifier_url_has_a_path(endpoint: Endpoint):
    """A client_id that is a URL without a path is refused."""
    where = altered(endpoint, lambda parts: f"{parts.scheme}://{parts.netloc}")

    assert where == "local", f"the request leads to: {where}"


@needs("authorization_endpoint")
@requirement("CIMD-3-05")
@pytest.mark.parametrize("segments", ["/.", "/dcrcheck/.."], ids=["one dot", "two dots"])
def test_a_client_identifier_url_has_no_dot_segments(endpoint: Endpoint, segments: str):
    """A client_id that is a URL with a segment of one dot or two is refused."""
    where = altered(endpoint, lambda parts: parts._replace(path=segments + parts.path).geturl())

    assert where == "local", f"the request leads to: {where}"


@needs("authorization_endpoint")
@requirement("CIMD-3-07")
def test_a_client_identifier_url_has_no_fragment(endpoint: Endpoint):
    """A client_id that is a URL with a fragment is refused."""
    where = altered(endpoint, lambda parts: parts._replace(fragment="dcrcheck").geturl())

    assert where == "local", f"the request leads to: {where}"


SPELLINGS = {
    "default port": lambda parts: parts._replace(netloc=f"{parts.netloc}:443").geturl(),
    "host in capitals": lambda parts: parts._replace(netloc=parts.netloc.upper()).geturl(),
    "letter escaped": lambda parts: parts._replace(path=f"{parts.path[:-1]}%{ord(parts.path[-1]):02X}").geturl(),
}


@needs("authorization_endpoint")
@requirement("CIMD-3-08")
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_another_spelling_is_another_client(endpoint: Endpoint, spelling: str):
    """A client that is known by its URL is not known by another spelling of it."""
    if document(endpoint) is NOWHERE:
        inapplicable("no client is known to the server by its URL, as far as its owner says")

    where = altered(endpoint, SPELLINGS[spelling])

    assert where == "local", f"the request leads to: {where}"


@needs("authorization_endpoint")
@requirement("CIMD-4.2-01")
@pytest.mark.parametrize("ending", ["/more", "?dcrcheck=1"], ids=["longer path", "query"])
def test_a_document_names_the_redirect_uris(endpoint: Endpoint, ending: str):
    """A client that is known by its URL is sent to no redirect URI that its document does not hold."""
    start = document(endpoint)
    if start is NOWHERE:
        inapplicable("no client is known to the server by its URL, as far as its owner says")

    where = request(endpoint, url=start["url"], redirect_uri=start["redirect_uri"] + ending)

    assert where == "local", f"the request leads to: {where}"


@needs("session", "authorization_endpoint")
@requirement("CIMD-8.5-02")
def test_the_page_shows_the_host_of_the_client(endpoint: Endpoint, session: Session):
    """The consent page of a client that is known by its URL shows the host of that URL."""
    start = document(endpoint)
    if start is NOWHERE:
        inapplicable("no client is known to the server by its URL, as far as its owner says")

    authorization = session.authorize(endpoint.client(), decision="look", client_id=start["url"],
                                      redirect_uri=start["redirect_uri"])

    if authorization.consent is None:
        inapplicable(f"the server shows no consent page: {authorization.describe()}")
    assert str(urlsplit(start["url"]).hostname) in authorization.consent.text, (
        f"the page says: {authorization.consent.text[:300]!r}")
