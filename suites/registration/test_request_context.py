"""What headers that a stranger chooses can do: forwarding headers, Host and Origin."""

from urllib.parse import urlsplit

import pytest

from dcrcheck import Endpoint, inapplicable, inconclusive, needs, observes, origin, requirement

FORWARDED = {name: {name: value} for name, value in {
    "x-forwarded-host": "foreign.example", "x-forwarded-proto": "http", "x-forwarded-port": "4444",
    "x-forwarded-prefix": "/dcrcheck-prefix", "forwarded": "host=foreign.example;proto=http", "host": "foreign.example",
}.items()} | {
    "two-hosts": {"x-forwarded-host": "foreign.example, client.example"},
    "rarer-hosts": {"x-forwarded-server": "foreign.example", "x-original-host": "foreign.example",
                    "x-host": "foreign.example", "x-http-host-override": "foreign.example"},
    "rarer-schemes": {"x-forwarded-scheme": "http", "x-forwarded-protocol": "http", "x-scheme": "http",
                      "x-url-scheme": "http", "x-forwarded-ssl": "off", "front-end-https": "off"},
}
ENDPOINTS = ("registration_endpoint", "token_endpoint", "authorization_endpoint")


@requirement("HARD-HOST-HEADER", "RFC9700-4.13-01")
@pytest.mark.parametrize("header", FORWARDED)
def test_registration_client_uri_does_not_follow_the_request(endpoint: Endpoint, header: str):
    """registration_client_uri stays on its own scheme, host and path, whatever the request's headers claim."""
    usual = endpoint.client().registration_client_uri
    if usual is None:
        inapplicable("the server returns no registration_client_uri")
    answer = endpoint.submit(headers=FORWARDED[header])
    if answer.registered is None:
        inapplicable(f"the server does not register for a request with this header: {answer.describe()}")
    address = str(answer.registered.registration_client_uri)

    assert origin(address) == origin(usual) and "dcrcheck-prefix" not in address, (
        f"with {FORWARDED[header]} registration_client_uri became {address}")


@requirement("HARD-HOST-HEADER", "RFC9700-4.13-01")
@pytest.mark.parametrize("header", FORWARDED)
def test_metadata_does_not_follow_the_request(endpoint: Endpoint, header: str):
    """issuer and endpoints of the metadata are the same whatever the request's headers claim."""
    usual = endpoint.published()
    answer = endpoint.send("GET", usual.url, headers={"accept": "application/json", **FORWARDED[header]})
    if answer.status != 200 or not isinstance(answer.json, dict):
        inapplicable(f"the server gives no metadata to a request with this header: {answer.describe()}")
    changed = {name: value for name, value in answer.json.items()
               if isinstance(value, str) and value != usual.json.get(name)}

    assert not changed, f"with {FORWARDED[header]} the metadata says {changed}"


@requirement("HARD-CORS-CREDENTIALS")
@observes("RFC9700-2.6-05")
@pytest.mark.parametrize("foreign", ["https://foreign.example", "null", "look-alike", "same-ending", "clear-text"])
@pytest.mark.parametrize("name", ENDPOINTS)
def test_no_foreign_origin_may_use_the_users_credentials(endpoint: Endpoint, name: str, foreign: str):
    """No endpoint allows credentials to an origin that it merely reflects."""
    url = endpoint.target.endpoint(name)
    if url is None:
        inapplicable(f"the metadata names no {name}")
    caller = posing(foreign, url)
    method = "GET" if name == "authorization_endpoint" else "POST"
    # not a preflight: that lets a page ask, and whether it may read is said by the answer that it then gets
    answer = endpoint.send(method, url, headers={"origin": caller, "content-type": "application/json"})
    if answer.status in (0, 429):
        inconclusive(f"the endpoint did not answer: {answer.describe()}")
    allowed = answer.headers.get("access-control-allow-credentials", "").lower() == "true"
    if name == "registration_endpoint":
        can = "can" if "access-control-allow-origin" in answer.headers else "cannot"
        endpoint.observe("RFC9700-2.6-05", f"scripts of other origins {can} register clients")

    assert not (allowed and answer.headers.get("access-control-allow-origin") == caller), (
        f"{name} allows credentials to {caller} ({method})")


@requirement("HARD-CORS-CREDENTIALS")
@needs("management")
@pytest.mark.parametrize("foreign", ["https://foreign.example", "null", "look-alike", "same-ending"])
def test_no_foreign_origin_reads_a_client_with_the_users_credentials(endpoint: Endpoint, foreign: str):
    """The client configuration endpoint allows credentials to no origin that it merely reflects."""
    client = endpoint.client()
    caller = posing(foreign, client.registration_client_uri or "")
    answer = endpoint.manage(client, headers={"origin": caller})
    allowed = answer.headers.get("access-control-allow-credentials", "").lower() == "true"

    assert not (allowed and answer.headers.get("access-control-allow-origin") == caller), (
        f"the client configuration endpoint allows credentials to {caller}")


def posing(foreign: str, url: str) -> str:
    """The origin of that kind: one that resembles the server's, or the one that is named."""
    parts = urlsplit(url)
    if foreign == "clear-text" and parts.scheme != "https":
        inapplicable("the server itself is plain http")
    return {"look-alike": f"https://{parts.hostname}.foreign.example", "same-ending": f"https://foreign{parts.hostname}",
            "clear-text": f"http://{parts.netloc}"}.get(foreign, foreign)
