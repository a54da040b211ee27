"""The metadata of the resource that takes this server's tokens (RFC 9728; MCP authorization)."""

import re
from urllib.parse import urlsplit

from dcrcheck import Answer, Endpoint, Target, inapplicable, inconclusive, needs, origin, requirement

NAME = "oauth-protected-resource"
# RFC 9728 section 2 allows this one to be empty, for a resource that takes tokens in no bearer manner
MAY_BE_EMPTY = "bearer_methods_supported"


def hint(endpoint: Endpoint, target: Target) -> str:
    """The resource_metadata of the challenge to a request without a token."""
    for method, content in (("GET", b""), ("POST", b"{}")):
        answer = endpoint.send(method, str(target.resource), content=content, headers={
            "accept": "application/json, text/event-stream", "content-type": "application/json"})
        if answer.status == 401:
            found = re.search(r'resource_metadata="([^"]+)"', answer.headers.get("www-authenticate", ""))
            return found.group(1) if found else ""
    inapplicable(f"the resource does not answer 401 to a request without a token ({answer.describe()})")


def hinted(endpoint: Endpoint, target: Target) -> Answer:
    """The document to which the challenge points."""
    url = hint(endpoint, target)
    if not url:
        inapplicable("the challenge of the resource has no resource_metadata")
    if origin(url) not in target.origins:
        inconclusive(f"the challenge points to another origin ({origin(url)}); nothing was fetched")
    return endpoint.send("GET", url, headers={"accept": "application/json"})


@requirement("RFC9728-3-01")
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
@needs("resource")
def test_resource_metadata_names_the_resource(endpoint: Endpoint):
    """Resource metadata has resource, a string."""
    resource = endpoint.published(NAME).json.get("resource")

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
@needs("resource")
def test_authorization_servers_are_issuers(endpoint: Endpoint, target: Target):
    """authorization_servers, where present, is an array of issuer identifiers, with the one that was judged."""
    servers = endpoint.published(NAME).json.get("authorization_servers")
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


@requirement("RFC9728-5-01", "RFC9728-5.1-01")
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
