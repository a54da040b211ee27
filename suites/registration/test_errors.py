"""What a registration error looks like (RFC 7591, section 3.2.2) and what it must not show."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from dcrcheck import Answer, Client, Endpoint, inapplicable, inconclusive, needs, observes, requirement

MARKER = "dcrcheck\"'><i data-dcrcheck=1>"
MARKUP_TYPES = ("", "text/html", "application/xhtml+xml", "text/xml", "application/xml", "image/svg+xml")
BAD_REQUESTS: dict[str, dict[str, Any]] = {
    "redirect-uri": {"redirect_uris": ["https://client.example/cb#fragment"]},
    "metadata": {"grant_types": "authorization_code"},
    "malformed": {"content": b'{"redirect_uris": ['},
}
NOT_ASCII: dict[str, dict[str, Any]] = {
    "redirect-uri": {"redirect_uris": ["https://client.example/ÿ✓#fragment"]},
    "metadata": {"grant_types": "grünt ✓"},
    "malformed": {"content": '{"naïve ✓": ['.encode()},
}
BAD_METADATA: dict[str, dict[str, Any]] = {
    "grant-types-string": {"grant_types": "authorization_code"},
    "response-types-string": {"response_types": "code"},
    "grant-without-response-type": {"grant_types": ["authorization_code"], "response_types": []},
    "unknown-auth-method": {"token_endpoint_auth_method": "dcrcheck"},
    "name-object": {"client_name": {"en": "dcrcheck"}},
}
COMBINATIONS: dict[str, dict[str, Any]] = {
    "implicit": {"grant_types": ["authorization_code", "implicit"], "response_types": ["code", "token"]},
    "client_credentials": {"grant_types": ["authorization_code", "client_credentials"]},
    "password": {"grant_types": ["authorization_code", "password"]},
}
CRASHERS: dict[str, dict[str, Any]] = {
    "malformed": {"content": b'{"redirect_uris": [}'},
    "array": {"content": b"[1, 2]"},
    "numbers": {"redirect_uris": [1, 2], "grant_types": 7},
    "objects": {"redirect_uris": {"a": 1}, "client_name": {"b": 2}, "contacts": {"c": 3}},
    "nul": {"client_name": "dcrcheck \u0000", "software_id": "a'b\"c\u0000"},
}
MARKED: dict[str, dict[str, Any]] = {
    "member": {MARKER: MARKER},
    "redirect-uri": {"redirect_uris": [f"https://client.example/{MARKER}#f"]},
    "value": {"grant_types": [MARKER], "token_endpoint_auth_method": MARKER},
    "malformed": {"content": f'{{"{MARKER}": '.encode()},
}
# what a parser chokes on, at each of the other endpoints
ELSEWHERE: dict[str, tuple[str, Callable[[Endpoint, Client], Answer]]] = {
    "read": ("management", lambda endpoint, client: endpoint.manage(
        client, token="dcrcheck'\"", url=f"{client.registration_client_uri}'%00")),
    "update": ("management", lambda endpoint, client: endpoint.manage(
        client, "PUT", content=b'{"redirect_uris": [}', headers={"content-type": "application/json"})),
    "authorize": ("authorization_endpoint", lambda endpoint, client: endpoint.authorize(
        client, client_id="dcrcheck'\"\x00", redirect_uri="[", response_type="dcrcheck")),
    "token": ("token_endpoint", lambda endpoint, client: endpoint.token(
        client, auth=("dcrcheck'\"\x00", "'"), grant_type="authorization_code", code="'\"\x00")),
    "revocation": ("revocation_endpoint", lambda endpoint, client: endpoint.token(
        client, at="revocation_endpoint", token="e30.'\"\x00.e30")),
}
INTERNALS = re.compile(
    r"Traceback \(most recent|File \"[^\"]+\", line \d+|\n\s+at \S+ ?\(|\bat [\w$.]+\([\w.]+:\d+\)"
    r"|\w\.(?:py|js|ts|rb|php|go):\d+"
    r"|node_modules|site-packages|goroutine \d+|\bpanic:|\b(?:java|javax|jakarta|kotlin|scala)\.\w+\.|com\.fasterxml"
    r"|org\.(?:springframework|keycloak|hibernate)|\bSystem\.\w+Exception|NullPointerException|object at 0x[0-9a-f]{6,}"
    r"|SQLSTATE|syntax error at or near|ORA-\d{5}|sqlite3?\.\w+Error|psycopg|\bSELECT .+ FROM |\bINSERT INTO "
    r"|(?:^|[\s\"'(])/(?:usr|home|var|opt|srv|app|root|etc)/\w|[A-Z]:\\\w", re.M)


def refusal(endpoint: Endpoint, deviation: dict[str, Any]) -> Answer:
    """The answer to a bad request, where the server refuses it."""
    answer = endpoint.submit(**deviation)
    if not answer.refused:
        inapplicable("the server does not refuse this request")
    return answer


@requirement("RFC7591-3.2.2-02", "OIDCR-3.3-02")
@pytest.mark.parametrize("deviation", BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_registration_error_is_400(endpoint: Endpoint, deviation: dict[str, Any]):
    """A registration error has status 400."""
    answer = refusal(endpoint, deviation)

    assert answer.status == 400, f"the request was refused with {answer.describe()}"


@requirement("RFC7591-3.2.2-02")
@pytest.mark.parametrize("deviation", BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_an_error_is_never_a_success(endpoint: Endpoint, deviation: dict[str, Any]):
    """An answer that names an error has no status of success."""
    answer = endpoint.submit(**deviation)

    assert answer.error is None or not 200 <= answer.status < 300, f"the request was answered {answer.describe()}"


@requirement("RFC7591-3.2.2-03", "OIDCR-3.3-02")
@pytest.mark.parametrize("deviation", BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_registration_error_is_a_json_object(endpoint: Endpoint, deviation: dict[str, Any]):
    """The body of a registration error is a JSON object of media type application/json."""
    answer = refusal(endpoint, deviation)

    assert answer.media_type == "application/json" and isinstance(answer.json, dict), (
        f"{answer.describe()} came as {answer.media_type or 'no media type'}: {answer.text[:120]!r}")


@requirement("RFC7591-3.2-03", "RFC7591-3.2.2-04", "OIDCR-3.3-02")
@observes("RFC7591-3.2.2-06")
@pytest.mark.parametrize("deviation", BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_registration_error_has_one_code(endpoint: Endpoint, deviation: dict[str, Any]):
    """A registration error has error, one code of printable ASCII characters without blanks."""
    answer = refusal(endpoint, deviation)
    further = sorted(set(answer.json if isinstance(answer.json, dict) else ()) - {"error", "error_description"})
    endpoint.observe("RFC7591-3.2.2-06", f"an error has {', '.join(further) or 'no further members'}")

    assert re.fullmatch(r"[!#-\[\]-~]+", answer.error or ""), (
        f"HTTP {answer.status} came with error {answer.error!r}: {answer.text[:120]!r}")


@requirement("RFC7591-3.2.2-05")
@pytest.mark.parametrize("deviation", NOT_ASCII.values(), ids=NOT_ASCII)
def test_an_error_description_is_ascii(endpoint: Endpoint, deviation: dict[str, Any]):
    """error_description stays ASCII text, also where the request was not."""
    answer = refusal(endpoint, deviation)
    body = answer.json if isinstance(answer.json, dict) else {}
    if "error_description" not in body:
        inapplicable("the error has no error_description")
    description = body["error_description"]

    assert isinstance(description, str) and description.isascii(), f"error_description is {description!r}"


@requirement("RFC7591-3.2.2-08", "OIDCR-3.3-03")
@pytest.mark.parametrize("deviation", BAD_METADATA.values(), ids=BAD_METADATA)
def test_bad_metadata_is_called_invalid_client_metadata(endpoint: Endpoint, deviation: dict[str, Any]):
    """Metadata that is refused for anything but its redirect URIs is reported as invalid_client_metadata."""
    answer = refusal(endpoint, deviation)

    assert answer.error == "invalid_client_metadata", f"the request was refused with {answer.describe()}"


@requirement("RFC7591-5-12")
@pytest.mark.parametrize("deviation", COMBINATIONS.values(), ids=COMBINATIONS)
def test_a_refused_combination_of_grants_is_called_invalid_client_metadata(endpoint: Endpoint,
                                                                           deviation: dict[str, Any]):
    """A combination of grant types that is refused is reported as invalid_client_metadata."""
    answer = refusal(endpoint, deviation)

    assert answer.error == "invalid_client_metadata", f"the request was refused with {answer.describe()}"


@requirement("HARD-ERRORS-NO-INTERNALS")
@pytest.mark.parametrize("deviation", CRASHERS.values(), ids=CRASHERS)
def test_an_answer_to_a_bad_request_shows_no_internals(endpoint: Endpoint, deviation: dict[str, Any]):
    """The answer to a bad request shows no stack frame, query, class name or file path of the server."""
    answer = endpoint.submit(**deviation)
    shown = INTERNALS.search(answer.text)

    assert shown is None, f"{answer.describe()} shows {shown.group(0)!r}"


@requirement("HARD-ERRORS-NO-INTERNALS")
@pytest.mark.parametrize("place", ELSEWHERE)
def test_an_error_elsewhere_shows_no_internals(endpoint: Endpoint, place: str):
    """The errors of the other endpoints show no stack frame, query, class name or file path of the server."""
    capability, ask = ELSEWHERE[place]
    client = endpoint.client()
    if client.registration_client_uri is None if capability == "management" else endpoint.target.lacks(capability):
        inapplicable(f"the server offers no {capability.replace('_', ' ')}")
    answer = ask(endpoint, client)
    shown = INTERNALS.search(answer.text)

    assert shown is None, f"{answer.describe()} shows {shown.group(0)!r}"


@requirement("HARD-ERROR-REDIRECT-URIS")
@needs("authorization_endpoint")
def test_a_refused_redirect_uri_tells_no_registered_one(endpoint: Endpoint):
    """The page that refuses a redirect URI does not show those that the client has registered."""
    uri = "https://client.example/known-to-its-owner"
    client = endpoint.client(redirect_uris=[uri])
    answer = endpoint.authorize(client, redirect_uri="https://foreign.example/cb")
    if answer.location is not None or not 400 <= answer.status < 500:
        inapplicable(f"the server does not refuse it on a page of its own: {answer.describe()}")

    assert uri not in unescape(answer.text), f"{answer.describe()} shows {uri}"


@requirement("HARD-ERROR-MARKUP")
@pytest.mark.parametrize("deviation", MARKED.values(), ids=MARKED)
def test_input_does_not_come_back_as_markup(endpoint: Endpoint, deviation: dict[str, Any]):
    """What a request holds never comes back unencoded in an answer that a browser reads as markup."""
    answer = endpoint.submit(headers={"accept": "text/html"}, **deviation)

    assert answer.media_type not in MARKUP_TYPES or "<i data-dcrcheck" not in answer.text, (
        f"{answer.describe()} returns the input as {answer.media_type or 'a body without media type'}")


@requirement("HARD-NO-SNIFFING")
def test_registration_answers_forbid_sniffing(endpoint: Endpoint):
    """Registration responses and registration errors carry X-Content-Type-Options: nosniff."""
    answers = [endpoint.client().answer, endpoint.submit(content=b"[]")]
    open_to_guessing = [a.describe() for a in answers if a.headers.get("x-content-type-options") != "nosniff"]

    assert not open_to_guessing, f"without nosniff: {', '.join(open_to_guessing)}"


@requirement("RFC9110-15.5.6-01")
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_a_method_that_registration_does_not_take_is_answered_with_those_it_takes(endpoint: Endpoint, method: str):
    """A 405 of the registration endpoint has an Allow header."""
    answer = endpoint.send(method, endpoint.registration_url, headers={"accept": "application/json"})
    if answer.status in (0, 429) or answer.status >= 500:
        inconclusive(f"the server did not answer the {method}: {answer.describe()}")
    if answer.status != 405:
        inapplicable(f"a {method} is not answered with 405 but with {answer.describe()}")

    assert "allow" in answer.headers, f"the 405 to {method} has no Allow header"
