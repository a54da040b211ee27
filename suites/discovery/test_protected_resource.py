"""The metadata of the resource that takes this server's tokens (RFC 9728; MCP authorization)."""

import re
import ssl
from typing import Any
from urllib.parse import urlsplit

from dcrcheck import (
    Answer,
    Endpoint,
    Target,
    inapplicable,
    inconclusive,
    is_loopback,
    needs,
    observes,
    origin,
    requirement,
)

NAME = "oauth-protected-resource"
# RFC 9728 section 2 allows this one to be empty, for a resource that takes tokens in no bearer manner
MAY_BE_EMPTY = "bearer_methods_supported"
# RFC 9728, section 2; section 2.1 has the language tags that may follow a name
TYPES: dict[str, type] = {
    "authorization_servers": list, "jwks_uri": str, "scopes_supported": list, "bearer_methods_supported": list,
    "resource_signing_alg_values_supported": list, "resource_name": str, "resource_documentation": str,
    "resource_policy_uri": str, "resource_tos_uri": str, "tls_client_certificate_bound_access_tokens": bool,
    "authorization_details_types_supported": list, "dpop_signing_alg_values_supported": list,
    "dpop_bound_access_tokens_required": bool, "signed_metadata": str,
}
SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z][\w.-]*)(?=\s+[\w.-]+\s*=|\s*(?:,|$))")
PARAMETER = re.compile(r'([\w.-]+)\s*=\s*(?:"|[^\s="])')
FOR_PEOPLE = ("resource_name", "resource_documentation", "resource_policy_uri", "resource_tos_uri")


def hint(endpoint: Endpoint, target: Target) -> str:
    """The resource_metadata of the challenge to a request without a token."""
    for method, content in (("GET", b""), ("POST", b"{}")):
        answer = endpoint.send(method, str(target.resource), content=content, headers={
            "accept": "application/json, text/event-stream", "content-type": "application/json"})
        if answer.status == 401:
            header = ", ".join(answer.headers.get_list("www-authenticate"))
            if "RFC9728-5.4-01" in endpoint.observable:
                endpoint.observe("RFC9728-5.4-01", f"the resource challenges for {', '.join(SCHEME.findall(header))}")
                endpoint.observe("RFC9728-5.1-02", f"the challenge has {', '.join(PARAMETER.findall(header))}")
            found = re.search(r'resource_metadata="([^"]+)"', header)
            return found.group(1) if found else ""
    inapplicable(f"the resource does not answer 401 to a request without a token ({answer.describe()})")


def described(endpoint: Endpoint) -> dict[str, Any]:
    """The resource metadata at its well-known address."""
    metadata: dict[str, Any] = endpoint.published(NAME).json
    return metadata


def hinted(endpoint: Endpoint, target: Target) -> Answer:
    """The document to which the challenge points."""
    url = hint(endpoint, target)
    if "RFC9728-5-01" in endpoint.observable:
        endpoint.observe("RFC9728-5-01", f"the challenge of the resource has {'a' if url else 'no'} resource_metadata")
    if not url:
        inapplicable("the challenge of the resource has no resource_metadata")
    if origin(url) not in target.origins:
        inconclusive(f"the challenge points to another origin ({origin(url)}); nothing was fetched")
    return endpoint.send("GET", url, headers={"accept": "application/json"})


@requirement("RFC9728-3-01", "RFC9728-3.1-02")
@needs("resource")
def test_resource_metadata_stands_between_host_and_path(endpoint: Endpoint, target: Target):
    """Resource metadata is found where the well-known string stands between host and path of the resource."""
    answer = target.documents[NAME]
    endpoint.recorder.recall(answer.exchange)

    assert answer.status == 200 and isinstance(answer.json, dict), f"{answer.url} is answered {answer.describe()}"


@requirement("MCP-2025-06-18-OVERVIEW-01", "MCP-2025-11-25-PRMDISC-01")
@needs("resource")
def test_resource_metadata_can_be_found(endpoint: Endpoint, target: Target):
    """Resource metadata is found at a well-known URL of the resource or through the challenge of a 401."""
    root = f"{origin(str(target.resource))}/.well-known/{NAME}"
    answers = [target.documents[NAME], endpoint.send("GET", root, headers={"accept": "application/json"})]
    found = any(answer.status == 200 and isinstance(answer.json, dict) for answer in answers)

    assert found or hinted(endpoint, target).status == 200, (
        ", ".join(f"{answer.url} is answered {answer.describe()}" for answer in answers))


@requirement("RFC9728-3.2-01")
@needs("resource")
def test_resource_metadata_is_served_as_json(endpoint: Endpoint):
    """Resource metadata is a JSON object of media type application/json, answered with status 200."""
    answer = endpoint.published(NAME)

    assert answer.media_type == "application/json", f"{answer.url} has media type {answer.media_type or 'none at all'}"


@requirement("RFC9728-2-01")
@observes("RFC9728-2-10")
@needs("resource")
def test_resource_metadata_names_the_resource(endpoint: Endpoint):
    """Resource metadata has resource, a string."""
    metadata = described(endpoint)
    resource = metadata.get("resource")
    others = sorted(name for name in metadata if name.partition("#")[0] not in ("resource", *TYPES))
    endpoint.observe("RFC9728-2-10", f"beyond RFC 9728 the metadata has {', '.join(others) or 'nothing'}"[:300])

    assert isinstance(resource, str) and resource, f"resource is {resource!r}"


@requirement("RFC9728-3.3-01")
@needs("resource")
def test_resource_is_the_one_that_the_url_was_formed_from(endpoint: Endpoint, target: Target):
    """resource in the metadata is the identifier from which the URL of the document was formed."""
    stated = endpoint.published(NAME).json.get("resource", target.resource)

    # whether the owner wrote the last slash of --resource is not the server's business
    assert str(stated).rstrip("/") == str(target.resource).rstrip("/"), (
        f"the document of {target.resource} states the resource {stated!r}")


@requirement("RFC9728-2-02")
@observes("RFC9728-4-01")
@needs("resource")
def test_authorization_servers_are_issuers(endpoint: Endpoint, target: Target):
    """authorization_servers, where present, is an array of issuer identifiers, with the one that was judged."""
    servers = endpoint.published(NAME).json.get("authorization_servers")
    listed = target.metadata.get("protected_resources")
    endpoint.observe("RFC9728-4-01", "the authorization server lists no resources" if not isinstance(listed, list) else
                     f"the authorization server lists {'this' if target.resource in listed else 'other'} resource"
                     f"{'' if target.resource in listed else 's'}")
    if servers is None:
        inapplicable("the document has no authorization_servers")
    issuers = [s for s in servers if isinstance(s, str) and urlsplit(s).hostname] if isinstance(servers, list) else []

    assert issuers == servers and target.issuer.rstrip("/") in [issuer.rstrip("/") for issuer in issuers], (
        f"authorization_servers is {servers!r}; the server that was judged is {target.issuer}")


@requirement("MCP-2025-06-18-ASLOCATION-01")
@needs("resource")
def test_resource_metadata_names_an_authorization_server(endpoint: Endpoint):
    """Resource metadata names at least one authorization server."""
    servers = endpoint.published(NAME).json.get("authorization_servers")

    assert isinstance(servers, list) and servers, f"authorization_servers is {servers!r}"


@requirement("RFC9728-3.2-02")
@needs("resource")
def test_resource_metadata_leaves_out_what_has_no_values(endpoint: Endpoint):
    """No member of the resource metadata is an empty array."""
    empty = [name for name, value in endpoint.published(NAME).json.items() if value == [] and name != MAY_BE_EMPTY]

    assert not empty, f"empty: {empty}"


@requirement("RFC9728-5.1-01")
@observes("RFC9728-5-01", "RFC9728-5.1-02", "RFC9728-5.4-01")
@needs("resource")
def test_the_challenge_points_to_the_resource_metadata(endpoint: Endpoint, target: Target):
    """The challenge of the resource has resource_metadata, the URL of the metadata document."""
    answer = hinted(endpoint, target)

    assert answer.status == 200 and isinstance(answer.json, dict), f"{answer.url} is answered {answer.describe()}"


@requirement("RFC9728-3.3-02")
@needs("resource")
def test_the_document_behind_a_challenge_is_the_resources_own(endpoint: Endpoint, target: Target):
    """Where the document was found through a challenge, resource is the URL that was requested."""
    answer = hinted(endpoint, target)
    stated = answer.json.get("resource") if isinstance(answer.json, dict) else None

    assert str(stated).rstrip("/") == str(target.resource).rstrip("/"), (
        f"{answer.url} describes {stated!r}; the request went to {target.resource}")


@requirement("RFC9728-3.1-01")
@needs("resource")
def test_resource_metadata_is_retrieved_with_get(endpoint: Endpoint, target: Target):
    """Resource metadata that is published is the answer to a GET without credentials."""
    answer = target.documents[NAME]
    endpoint.recorder.recall(answer.exchange)
    if not isinstance(answer.json, dict) or answer.status != 200:
        posted = endpoint.send("POST", answer.url, headers={"accept": "application/json"})
        if not (posted.status == 200 and isinstance(posted.json, dict) and "resource" in posted.json):
            inapplicable("the resource publishes no metadata at its well-known address")

    assert answer.status == 200, f"{answer.url} has metadata for a POST; a GET is answered {answer.describe()}"


@requirement("RFC9728-3.2-03")
@needs("resource")
def test_where_there_is_no_resource_metadata_the_status_is_an_error(endpoint: Endpoint):
    """A request for the metadata of a resource that does not exist is answered with the status code of an error."""
    answer = endpoint.send("GET", f"{endpoint.published(NAME).url}/dcrcheck-nobody",
                           headers={"accept": "application/json"})
    if answer.status == 429 or answer.broke_down:
        inconclusive(f"the server does not tell: {answer.describe()}")
    if isinstance(answer.json, dict) and "resource" in answer.json:
        inapplicable(f"the server answers with metadata, whichever resource it is asked for: {answer.url}")

    assert 400 <= answer.status < 500, f"{answer.url} is answered {answer.describe()} {answer.media_type}"


@requirement("RFC9728-1.2-01")
@needs("resource")
def test_the_resource_identifier_is_an_https_url(endpoint: Endpoint, target: Target):
    """The resource identifier is an https URL without a fragment."""
    resource = described(endpoint).get("resource")
    parts = urlsplit(resource if isinstance(resource, str) else "")
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(str(target.resource)))

    assert secure and parts.hostname and "#" not in str(resource), f"resource is {resource!r}"


@requirement("RFC9728-1.2-02")
@needs("resource")
def test_the_resource_identifier_has_no_query(endpoint: Endpoint):
    """The resource identifier has no query component."""
    resource = described(endpoint).get("resource")

    assert "?" not in str(resource), f"resource is {resource!r}"


@requirement("RFC9728-2-05")
@needs("resource")
def test_the_scopes_of_the_resource_are_published(endpoint: Endpoint):
    """scopes_supported of the resource is an array of strings."""
    scopes = described(endpoint).get("scopes_supported")

    assert isinstance(scopes, list) and all(isinstance(s, str) for s in scopes), f"scopes_supported is {scopes!r}"


@requirement("RFC9728-2-08")
@needs("resource")
def test_the_resource_has_a_name_for_people(endpoint: Endpoint):
    """Resource metadata has resource_name, in some language at least."""
    names = {name: value for name, value in described(endpoint).items() if name.partition("#")[0] == "resource_name"}

    assert any(isinstance(value, str) and value.strip() for value in names.values()), f"the names are {names}"


@requirement("RFC9728-2-06")
@needs("resource")
def test_bearer_methods_are_those_of_rfc_6750(endpoint: Endpoint):
    """bearer_methods_supported, where present, lists header, body and query alone."""
    methods = described(endpoint).get("bearer_methods_supported")
    if methods is None:
        inapplicable("the document has no bearer_methods_supported")

    assert isinstance(methods, list) and all(method in ("header", "body", "query") for method in methods), (
        f"bearer_methods_supported is {methods!r}")


@requirement("RFC9728-2-07")
@needs("resource")
def test_the_answers_of_the_resource_are_signed(endpoint: Endpoint):
    """The algorithms with which the resource signs its answers do not include none."""
    algorithms = described(endpoint).get("resource_signing_alg_values_supported", [])

    assert "none" not in algorithms, f"resource_signing_alg_values_supported is {algorithms!r}"


@requirement("RFC9728-2-09")
@needs("resource")
def test_members_of_resource_metadata_have_their_types(endpoint: Endpoint):
    """Members of the resource metadata have the JSON types that the RFC gives them."""
    wrong = {name: value for name, value in described(endpoint).items()
             if not isinstance(value, TYPES.get(name.partition("#")[0], object))}

    assert not wrong, f"of another type: {wrong}"


@requirement("RFC9728-2.1-01")
@needs("resource")
def test_what_has_a_language_is_there_without_one_too(endpoint: Endpoint):
    """Beside members with a language tag the resource metadata has the same member without one."""
    metadata = described(endpoint)
    tagged = {name.partition("#")[0] for name in metadata if name.startswith(tuple(f"{one}#" for one in FOR_PEOPLE))}
    if not tagged:
        inapplicable("no member has a language tag")

    assert tagged <= metadata.keys(), f"only with a language tag: {sorted(tagged - metadata.keys())}"


@requirement("RFC9728-7.1-01")
@needs("resource")
def test_resource_metadata_is_served_over_tls_1_2(endpoint: Endpoint, target: Target):
    """Resource metadata is served over TLS, and a handshake that offers version 1.2 alone succeeds."""
    failure = endpoint.transport.handshake(encrypted(target), ssl.TLSVersion.TLSv1_2)

    assert not failure, f"the handshake failed: {failure}"


@requirement("RFC9728-7.1-01")
@needs("resource")
def test_the_resource_speaks_no_old_tls(endpoint: Endpoint, target: Target):
    """The host of the resource metadata refuses a handshake that offers TLS 1.1 alone."""
    failure = endpoint.transport.handshake(encrypted(target), ssl.TLSVersion.TLSv1_1)

    assert failure, "the host speaks TLS 1.1, which RFC 8996 retired"


def encrypted(target: Target) -> str:
    """The address of the resource metadata.

    Raises:
        Inapplicable: it is on loopback, without TLS.
    """
    url = target.documents[NAME].url
    if urlsplit(url).scheme != "https":
        inapplicable("the resource is plain http on loopback")
    return url

