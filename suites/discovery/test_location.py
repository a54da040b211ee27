"""Where the server publishes its metadata, and how it is answered (RFC 8414, sections 3 and 6.1)."""

import ssl
from urllib.parse import urlsplit

import pytest

from dcrcheck import Endpoint, Target, inapplicable, inconclusive, needs, observes, origin, requirement

DOCUMENTS = ("oauth-authorization-server", "openid-configuration")


def holds_metadata(answer: object) -> bool:
    body = getattr(answer, "json", None)
    return isinstance(body, dict) and "issuer" in body


@requirement("MCP-2025-11-25-OVERVIEW-02", "RFC9700-2.6-01")
@observes("RFC8414-3-03")
def test_the_server_publishes_metadata(endpoint: Endpoint, target: Target):
    """The server publishes metadata as JSON by RFC 8414 or by OpenID Connect Discovery."""
    answers = [target.documents[name] for name in DOCUMENTS if name in target.documents]
    for answer in answers:
        endpoint.recorder.recall(answer.exchange)
    found = [name for name in DOCUMENTS if name in target.documents and holds_metadata(target.documents[name])]
    endpoint.observe("RFC8414-3-03", f"metadata is published under {' and '.join(found) or 'no well-known name'}")

    assert any(answer.status == 200 and answer.is_json and holds_metadata(answer) for answer in answers), (
        ", ".join(f"{a.url}: {a.describe()} {a.media_type}" for a in answers))


@requirement("MCP-2025-06-18-OVERVIEW-02")
def test_the_document_of_rfc_8414_is_published(endpoint: Endpoint, target: Target):
    """The server publishes its metadata under oauth-authorization-server, whatever other name it uses beside it."""
    answer = target.documents["oauth-authorization-server"]
    endpoint.recorder.recall(answer.exchange)

    assert answer.status == 200 and holds_metadata(answer), f"{answer.url} is answered {answer.describe()}"


@requirement("RFC8414-3.1-01")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_metadata_is_retrieved_with_get(endpoint: Endpoint, target: Target, name: str):
    """Metadata that the server publishes is the answer to a GET."""
    answer = target.documents[name]
    endpoint.recorder.recall(answer.exchange)
    if not holds_metadata(answer) and not holds_metadata(
            endpoint.send("POST", answer.url, headers={"accept": "application/json"})):
        inapplicable(f"the server publishes no {name} document")

    assert holds_metadata(answer), f"{answer.url} has metadata for a POST; a GET is answered {answer.describe()}"


@requirement("RFC8414-3-01")
def test_metadata_stands_between_host_and_path_of_the_issuer(endpoint: Endpoint, target: Target):
    """The metadata is found where the well-known string stands between the host and the path of the issuer."""
    inserted = target.documents["oauth-authorization-server"]
    appended = endpoint.send("GET", f"{target.issuer.rstrip('/')}/.well-known/oauth-authorization-server",
                             headers={"accept": "application/json"})
    if not holds_metadata(inserted) and not holds_metadata(appended):
        inapplicable("the server does not publish the document of RFC 8414")
    endpoint.recorder.recall(inserted.exchange)

    assert holds_metadata(inserted), (
        f"{inserted.url} is answered {inserted.describe()}; the document stands at {appended.url}")


@requirement("RFC8414-3.1-02")
def test_the_last_slash_of_the_issuer_is_dropped(endpoint: Endpoint, target: Target):
    """For an issuer that ends in a slash, the metadata is found without that slash."""
    if not target.issuer.endswith("/"):
        inapplicable("the issuer does not end in a slash")
    bare = target.documents["oauth-authorization-server"]
    endpoint.recorder.recall(bare.exchange)
    slashed = endpoint.send("GET", f"{bare.url}/", headers={"accept": "application/json"})

    assert holds_metadata(bare) or not holds_metadata(slashed), f"only {slashed.url} has the metadata"


@requirement("RFC8414-3.2-01")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_metadata_is_answered_with_200(endpoint: Endpoint, target: Target, name: str):
    """A document with metadata is answered with status 200."""
    answer = target.documents.get(name)
    if answer is None or not holds_metadata(answer):
        inapplicable(f"the server publishes no {name} document")
    endpoint.recorder.recall(answer.exchange)

    assert answer.status == 200, f"{answer.url} is answered {answer.describe()}, with metadata"


@requirement("RFC8414-3.2-02")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_metadata_is_served_as_json(endpoint: Endpoint, name: str):
    """The metadata is served with media type application/json."""
    answer = endpoint.published(name)

    assert answer.media_type == "application/json", f"{answer.url} has media type {answer.media_type or 'none at all'}"


@requirement("RFC9110-9.1-01")
def test_metadata_answers_a_head(endpoint: Endpoint):
    """A HEAD of the metadata is answered as a GET is, without the content."""
    document = endpoint.published()

    answer = endpoint.send("HEAD", document.url, headers={"accept": "application/json"})
    if answer.status in (0, 429):
        inconclusive(f"the server does not answer the probe: {answer.describe()}")

    assert answer.status == document.status, f"a GET is answered {document.status}, a HEAD {answer.describe()}"


@requirement("RFC8414-3.3-01", "MCP-2026-07-28-METAVAL-01", "RFC9207-2.3-01")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_issuer_is_the_one_that_the_url_was_formed_from(endpoint: Endpoint, target: Target, name: str):
    """issuer in the metadata is identical to the issuer from which the URL of the document was formed."""
    stated = endpoint.published(name).json.get("issuer")

    assert stated == target.issuer, f"the document of {target.issuer} states the issuer {stated!r}"


@requirement("RFC8414-6.1-01", "RFC8414-6.1-02", "OAUTH21-1.5-01")
@needs("tls")
def test_metadata_is_served_over_tls_1_2(endpoint: Endpoint):
    """The metadata is served over TLS, and a handshake that offers version 1.2 alone succeeds."""
    url = endpoint.published().url
    failure = endpoint.transport.handshake(url, ssl.TLSVersion.TLSv1_2)

    assert not failure, f"the handshake at {origin(url)} failed: {failure}"


@requirement("RFC8414-3-02")
@needs("tls")
def test_plain_http_serves_no_metadata(endpoint: Endpoint, target: Target):
    """A request for the metadata over plain http is not answered with metadata."""
    address = urlsplit(endpoint.published().url)
    hosts = dict.fromkeys([address.netloc.removesuffix(":443"),
                           *(urlsplit(place).netloc for place in target.origins if place.startswith("http:"))])
    answers = [endpoint.transport.send("GET", address._replace(scheme="http", netloc=host).geturl(),
                                       headers={"accept": "application/json"}) for host in hosts]
    plain = [answer.url for answer in answers if answer.status == 200 and holds_metadata(answer)]

    assert not plain, f"the metadata is served without TLS at {', '.join(plain)}"


@requirement("RFC8414-3.2-05")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_where_there_is_no_metadata_the_status_is_an_error(endpoint: Endpoint, name: str):
    """A request for the metadata of an issuer that does not exist is answered with the status code of an error."""
    answer = endpoint.send("GET", f"{endpoint.published(name).url}/dcrcheck-nobody",
                           headers={"accept": "application/json"})
    if answer.status == 429 or answer.broke_down:
        inconclusive(f"the server does not tell: {answer.describe()}")
    if holds_metadata(answer):
        inapplicable(f"the server answers with metadata, whichever issuer it is asked for: {answer.url}")

    assert 400 <= answer.status < 500, f"{answer.url} is answered {answer.describe()} {answer.media_type}"
