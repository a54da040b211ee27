"""Other spellings of the path, other methods, and what the other endpoints make of broken input (CWE-436, CWE-650)."""

from urllib.parse import urlsplit

import pytest

from dcrcheck import Endpoint, inapplicable, needs, requirement

UNSAFE = ["javascript:alert(1)"]
PATHS = {
    "trailing-slash": "{parent}/{last}/",
    "double-slash": "{parent}//{last}",
    "matrix-parameter": "{parent}/{last};dcr=1",
    "query": "{parent}/{last}?dcr=1",
    "encoded-letter": "{parent}/{encoded}",
    "upper-case": "{parent}/{upper}",
    "dot-segment": "{parent}/./{last}",
    "absolute-form": "{origin}{parent}/{last}",
}
OVERRIDES = {
    "get": ("GET", {"X-HTTP-Method-Override": "POST"}, ""),
    "put": ("PUT", {"X-HTTP-Method-Override": "POST"}, ""),
    "patch": ("PATCH", {"X-HTTP-Method": "POST"}, ""),
    "get-query": ("GET", {}, "?_method=POST"),
}
METHODS = ("GET", "PUT", "TRACE", "DCRCHECK")


@requirement("HARD-ALTERNATE-PATHS")
@pytest.mark.parametrize("path", PATHS)
def test_another_spelling_of_the_path_follows_the_same_rules(endpoint: Endpoint, path: str):
    """What the registration endpoint refuses is refused under every other spelling of its path as well."""
    stranger = {"authorization": None} if endpoint.profile.access != "anonymous" else {}
    if endpoint.submit(redirect_uris=UNSAFE, headers=stranger).registered is not None:
        inapplicable("the endpoint registers an unfit redirect URI under its own path: there is nothing to get around")

    target = spelled(endpoint.registration_url, PATHS[path])
    answer = endpoint.submit(redirect_uris=UNSAFE, headers=stranger, target=target)

    assert answer.registered is None, f"{PATHS[path]} registered what the endpoint itself refuses"


@requirement("HARD-METHOD-OVERRIDE")
@pytest.mark.parametrize("override", OVERRIDES)
def test_an_overridden_method_registers_nothing(endpoint: Endpoint, override: str):
    """A GET, HEAD, PUT or PATCH that calls itself a POST registers nothing."""
    method, headers, query = OVERRIDES[override]

    answer = endpoint.submit(method=method, headers=headers, url=endpoint.registration_url + query)

    assert answer.registered is None, f"{method} with {headers or query} registered a client"


@requirement("HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@pytest.mark.parametrize("method", METHODS)
def test_an_unexpected_method_is_an_ordinary_error(endpoint: Endpoint, method: str):
    """The registration endpoint answers methods that it does not serve without failing (RFC 9110, section 15.6.2)."""
    answer = endpoint.submit(method=method)

    assert not answer.broke_down or answer.status in (501, 505), f"{method} was answered {answer.describe()}"


@requirement("HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@needs("management")
@pytest.mark.parametrize("suffix", ["%00", "%ff", "'", "%2e%2e%2f", "A" * 4000],
                         ids=["nul", "not-utf-8", "quote", "dots", "long"])
def test_a_broken_client_address_is_an_ordinary_error(endpoint: Endpoint, suffix: str):
    """A client configuration URL with something appended is refused in good order."""
    client = endpoint.client()

    answer = endpoint.manage(client, token="dcrcheck-not-a-token", url=f"{client.registration_client_uri}{suffix}")

    assert not answer.broke_down, f"the server answered {answer.describe()}"


@requirement("HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@needs("management")
@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"], ids=["empty", "array", "truncated", "not-utf-8"])
def test_a_broken_update_is_refused_and_changes_nothing(endpoint: Endpoint, body: bytes):
    """An update whose body cannot be read is refused in good order."""
    client = endpoint.client()

    answer = endpoint.manage(client, "PUT", content=body, headers={"content-type": "application/json"})

    assert not answer.broke_down, f"the server answered {answer.describe()}"
    assert 400 <= answer.status < 500, f"the server answered {answer.describe()}"


@requirement("HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@needs("authorization_endpoint")
@pytest.mark.parametrize("query", ["client_id=%", "client_id=%ff", "client_id=%00", "client_id=a&client_id=b", "&&&===",
                                   "response_type=code&client_id=" + "A" * 6000],
                         ids=["percent", "not-utf-8", "nul", "twice", "punctuation", "long"])
def test_a_broken_authorization_request_is_an_ordinary_error(endpoint: Endpoint, query: str):
    """An authorization request that cannot be read is refused in good order."""
    url = endpoint.target.endpoint("authorization_endpoint") or ""
    target = f"{urlsplit(url).path}?{query}".encode()

    answer = endpoint.send("GET", url, target=target)

    assert not answer.broke_down, f"the server answered {answer.describe()}"


@requirement("HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@needs("token_endpoint")
@pytest.mark.parametrize(("media_type", "body"), [
    ("application/x-www-form-urlencoded", b""),
    ("application/x-www-form-urlencoded", b"grant_type=%ff&code=%00"),
    ("application/x-www-form-urlencoded", b"grant_type=authorization_code&grant_type=authorization_code"),
    ("application/x-www-form-urlencoded", b"a=b&" * 2_000),
    ("application/json", b'{"grant_type": "authorization_code"}'),
    ("", b"grant_type=authorization_code"),
], ids=["empty", "not-utf-8", "twice", "many", "json", "no-type"])
def test_a_broken_token_request_is_an_ordinary_error(endpoint: Endpoint, media_type: str, body: bytes):
    """A token request that cannot be read is refused in good order."""
    url = endpoint.target.endpoint("token_endpoint") or ""

    answer = endpoint.send("POST", url, headers={"content-type": media_type} if media_type else {}, content=body)

    assert not answer.broke_down, f"the server answered {answer.describe()}"


def spelled(url: str, pattern: str) -> bytes:
    """The request target for a registration endpoint in another spelling."""
    parts = urlsplit(url)
    parent, _, last = parts.path.rpartition("/")
    return pattern.format(origin=f"{parts.scheme}://{parts.netloc}", parent=parent, last=last, upper=last.upper(),
                          encoded=f"%{ord(last[0]):02x}{last[1:]}" if last else "").encode()
