"""Where the first revision of MCP authorization looks: at the root of the resource's host (MCP 2025-03-26)."""

from urllib.parse import urlencode

from dcrcheck import Answer, Endpoint, Target, inapplicable, inconclusive, needs, origin, requirement


def base(target: Target) -> str:
    """The authorization base URL: the URL of the resource without its path."""
    return origin(str(target.resource))


def found(endpoint: Endpoint, target: Target) -> Answer:
    """What is answered at the well-known address of the base URL; asked once where discovery has asked already."""
    url = f"{base(target)}/.well-known/oauth-authorization-server"
    answer = target.documents["oauth-authorization-server"]
    if answer.url != url:
        answer = endpoint.send("GET", url, headers={"accept": "application/json"})
    endpoint.recorder.recall(answer.exchange)
    return answer


def is_metadata(answer: Answer) -> bool:
    return answer.status == 200 and isinstance(answer.json, dict) and "issuer" in answer.json


@requirement("MCP-2025-03-26-OVERVIEW-02")
@needs("resource")
def test_the_base_url_offers_metadata(endpoint: Endpoint, target: Target):
    """The host of the resource offers RFC 8414 metadata at its root."""
    answer = found(endpoint, target)

    assert is_metadata(answer), f"{answer.url} is answered {answer.describe()}"


@requirement("MCP-2025-03-26-BASEURL-01", "MCP-2025-03-26-BASEURL-02")
@needs("resource")
def test_metadata_stands_at_the_base_url(endpoint: Endpoint, target: Target):
    """Metadata of the server is found at the URL of the resource without its path."""
    answer = found(endpoint, target)
    if not is_metadata(answer) and not is_metadata(target.documents["oauth-authorization-server"]):
        inapplicable("the server does not publish the document of RFC 8414")

    assert is_metadata(answer), f"{answer.url} is answered {answer.describe()}; the issuer is {target.issuer}"


@requirement("MCP-2025-03-26-OVERVIEW-03")
@needs("resource")
def test_the_endpoints_are_found_without_metadata(endpoint: Endpoint, target: Target):
    """The base URL has metadata, or else the endpoints at their default paths."""
    if is_metadata(found(endpoint, target)):
        return
    answers = [endpoint.send("GET", f"{base(target)}/authorize?{urlencode({'response_type': 'code'})}"),
               endpoint.send("POST", f"{base(target)}/token", form={"grant_type": "dcrcheck"}),
               endpoint.knock(f"{base(target)}/register", {})]
    if any(answer.status == 429 or answer.broke_down for answer in answers):
        inconclusive(", ".join(f"{answer.url}: {answer.describe()}" for answer in answers))
    absent = [answer.url for answer in answers if answer.status in (404, 405, 410)]

    assert not absent, f"there is no metadata at {base(target)}, and nothing at {', '.join(absent)}"
