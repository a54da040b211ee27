"""The authorization endpoint: how it takes requests, and what it tells whom about bad ones (OAuth 2.1, section 3.1)."""

from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from dcrcheck import (
    OMIT,
    Answer,
    Client,
    Endpoint,
    Page,
    Session,
    inapplicable,
    inconclusive,
    land,
    needs,
    observes,
    origin,
    requirement,
)

FOREIGN = "https://foreign.example/cb"
MARKUP = "dcrp\"'><i data-dcrcheck=1>"
LINE_BREAK = "dcrcheck\r\nx-dcrcheck: 1"
REQUEST_LINE = 8000
BAD = {"foreign-redirect-uri": {"redirect_uri": FOREIGN}, "unknown-client": {"client_id": "dcrcheck-never-registered"}}


def asked(endpoint: Endpoint, client: Client, **params: Any) -> Answer:
    """The answer to a browser in which nobody is logged in.

    Raises:
        Inconclusive: there is none (429, 5xx).
    """
    answer = endpoint.authorize(client, **params)
    if answer.broke_down or answer.status == 429:
        inconclusive(f"the authorization endpoint does not answer the probe: {answer.describe()}")
    return answer


def outcome(endpoint: Endpoint, session: Session | None, client: Client, **params: Any) -> str:
    """How a request ends: after the login if there is a session, else where a stranger's browser is sent."""
    if session is None:
        place = endpoint.destination(client, answer := asked(endpoint, client, **params))
        return f"{place} {answer.query.get('error', '')}".strip()
    authorization = session.authorize(client, **params)
    if authorization.location is None:
        return f"a page with status {authorization.answer.status}"
    return "a code" if authorization.code else f"the error {authorization.error}"


def shown(endpoint: Endpoint, client: Client, **params: Any) -> list[Answer]:
    """What a browser in which nobody is logged in receives, up to the page at which it stays."""
    browser = endpoint.transport.browser()
    answers = [endpoint.authorize(client, jar=browser, **params)]
    for _ in range(8):
        goal = urljoin(answers[-1].url, answers[-1].location or "")
        if answers[-1].location is None or origin(goal) not in endpoint.origins:
            break
        answers.append(browser.send("GET", goal, headers={"accept": "text/html"}))
    return answers


@requirement("OAUTH21-3.1-02", "OAUTH21-3.2-01")
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint"])
def test_the_address_of_an_endpoint_has_no_fragment(endpoint: Endpoint, name: str):
    """The URLs of the authorization endpoint and of the token endpoint have no fragment."""
    address = endpoint.metadata.get(name)
    if not isinstance(address, str):
        inapplicable(f"the metadata names no {name}")

    assert "#" not in address, f"{name} is {address!r}"


@requirement("OAUTH21-3.1-03")
@observes("OAUTH21-3.1-04")
@needs("authorization_endpoint")
def test_authorization_requests_may_be_sent_with_get(endpoint: Endpoint):
    """An authorization request that is sent with GET is received."""
    client = endpoint.client()
    url, _ = endpoint.authorization_request(client)
    posted = endpoint.send("POST", url.partition("?")[0], content=urlsplit(url).query.encode(), headers={
        "content-type": "application/x-www-form-urlencoded", "accept": "text/html"})
    received = endpoint.destination(client, posted) in ("login", "client")
    endpoint.observe("OAUTH21-3.1-04", f"POST is {'received' if received else 'refused'}: {posted.describe()}")

    answer = asked(endpoint, client)

    assert answer.status not in (404, 405, 501), f"a GET is answered {answer.describe()}"


@requirement("OAUTH21-3.1-07")
@needs("authorization_endpoint")
@pytest.mark.parametrize("parameter", ["redirect_uri", "scope"])
def test_an_empty_parameter_counts_as_left_out(endpoint: Endpoint, session: Session | None, parameter: str):
    """A parameter of an authorization request without a value has the effect of one that is left out."""
    client = endpoint.client()
    without = outcome(endpoint, session, client, **{parameter: OMIT})

    empty = outcome(endpoint, session, client, **{parameter: ""})

    if without == empty == "login":
        inconclusive("the server asks for a login before it says what it thinks of either request")
    assert empty == without, f"without {parameter} the request ends with {without}, with an empty one with {empty}"


@requirement("OAUTH21-1.7.1-01")
@needs("authorization_endpoint")
def test_a_request_line_of_8000_octets_is_served(endpoint: Endpoint):
    """An authorization request is received though its state makes the request line 8000 octets long."""
    client = endpoint.client()
    url, _ = endpoint.authorization_request(client, state="")
    parts = urlsplit(url)
    room = REQUEST_LINE - len(f"GET {parts.path}?{parts.query} HTTP/1.1")
    usual = endpoint.destination(client, asked(endpoint, client))
    if usual == "local":
        inconclusive("an ordinary request is not received either")

    answer = endpoint.authorize(client, state="s" * room)

    if answer.status == 429:
        inconclusive("the server limits authorization requests")
    place = endpoint.destination(client, answer)
    assert place == usual, f"an ordinary request leads to {usual}, the long one to {answer.describe()}"


@requirement("OAUTH21-3.1-01")
@needs("authorization_endpoint")
@pytest.mark.parametrize("prompt", [OMIT, "none"], ids=["usual", "prompt-none"])
def test_no_code_is_issued_before_a_login(endpoint: Endpoint, prompt: Any):
    """A browser in which nobody is logged in brings no code to the client."""
    client = endpoint.client()
    if endpoint.where(client) == "local":
        inconclusive("an ordinary request is not received")

    answer = asked(endpoint, client, prompt=prompt)

    assert "code" not in answer.query, "the client received a code, and nobody had logged in"


@requirement("OAUTH21-1.4.1-02")
@needs("authorization_endpoint")
def test_a_client_may_leave_the_scope_to_the_server(endpoint: Endpoint, session: Session | None):
    """An authorization request without scope is served with a default, or answered with invalid_scope."""
    if session is None:
        inconclusive("what becomes of an authorization request is told after the login, and no user is known")
    client = endpoint.client()
    if outcome(endpoint, session, client, scope=client.stored("scope") or OMIT) != "a code":
        inconclusive("a request that names the client's own scope yields no code")

    left_out = outcome(endpoint, session, client, scope=OMIT)

    assert left_out in ("a code", "the error invalid_scope"), f"without scope the request ends with {left_out}"


@requirement("OAUTH21-1.4.1-02")
@needs("confidential", "token_endpoint")
def test_a_client_for_itself_may_leave_the_scope_to_the_server(endpoint: Endpoint):
    """A token request by client_credentials without scope is served with a default, or answered with invalid_scope."""
    if "client_credentials" not in endpoint.policy.grant_types:
        inapplicable(f"policy {endpoint.policy.name} has no client_credentials")
    client = endpoint.client(token_endpoint_auth_method=endpoint.policy.confidential_methods[0],
                             grant_types=["authorization_code", "client_credentials"])
    named = endpoint.token(client, grant_type="client_credentials", scope=client.stored("scope") or OMIT)
    if named.tokens is None:
        inapplicable(f"the client gets no token for itself: {named.describe()}")

    answer = endpoint.token(client, grant_type="client_credentials")

    assert answer.tokens is not None or answer.error == "invalid_scope", f"the server answered {answer.describe()}"


@requirement("OAUTH21-4.1.1-01")
@needs("authorization_endpoint")
@pytest.mark.parametrize("response_type", [OMIT, "dcrcheck"], ids=["missing", "unknown"])
def test_without_a_known_response_type_there_is_no_code(endpoint: Endpoint, session: Session | None,
                                                        response_type: Any):
    """An authorization request without a response_type, or with an unknown one, brings no code to the client."""
    landing = land(endpoint, session, endpoint.client(), response_type=response_type)

    assert "code" not in landing.parameters, landing.describe()


# -- what is said about bad requests --------------------------------------------------------------------------------


@requirement("OAUTH21-2.3.5-01")
@needs("authorization_endpoint")
def test_the_user_is_told_of_a_bad_redirect_uri(endpoint: Endpoint):
    """A request with a foreign redirect URI is answered with something that the user can read."""
    answer = shown(endpoint, endpoint.client(), redirect_uri=FOREIGN)[-1]
    if answer.location is not None or answer.broke_down or answer.status == 429:
        inapplicable(f"the server shows no page of its own: {answer.describe()}")
    page = Page(url=answer.url, status=answer.status, headers=answer.headers, html=answer.text)
    if not page.text.strip() and page.soup.find("script"):
        inapplicable("a script writes the page")

    assert page.text.strip(), f"{answer.describe()} shows the user nothing"


@requirement("OAUTH21-4.1.2.1-03")
@needs("authorization_endpoint")
@pytest.mark.parametrize("params", BAD.values(), ids=BAD)
def test_an_authorization_request_is_not_answered_with_401(endpoint: Endpoint, params: dict[str, str]):
    """A bad client or redirect URI is no matter of authentication: the status is not 401."""
    answer = asked(endpoint, endpoint.client(), **params)

    assert answer.status != 401, f"the refusal has status {answer.status}"


@requirement("OAUTH21-7.12-01")
@needs("authorization_endpoint")
@pytest.mark.parametrize("parameter", ["state", "redirect_uri", "client_id", "scope", "response_type"])
def test_no_parameter_is_shown_as_markup(endpoint: Endpoint, parameter: str):
    """What stands in an authorization request never becomes an element of a page."""
    answer = shown(endpoint, endpoint.client(), **{parameter: MARKUP})[-1]
    if answer.status in (0, 429):
        inconclusive(f"the authorization endpoint does not answer the probe: {answer.describe()}")
    if answer.media_type not in ("", "text/html", "application/xhtml+xml", "image/svg+xml"):
        return

    page = Page(url=answer.url, status=answer.status, headers=answer.headers, html=answer.text)
    assert not page.soup.select("[data-dcrcheck]"), f"{parameter} became an element of the page at {answer.url}"


@requirement("OAUTH21-7.12-01")
@needs("authorization_endpoint")
@pytest.mark.parametrize("parameter", ["state", "redirect_uri", "client_id"])
def test_no_parameter_becomes_a_header(endpoint: Endpoint, parameter: str):
    """A line break in an authorization request begins no header of an answer."""
    answers = shown(endpoint, endpoint.client(), **{parameter: LINE_BREAK})
    if answers[-1].status in (0, 429):
        inconclusive(f"the authorization endpoint does not answer the probe: {answers[-1].describe()}")

    written = [answer.url for answer in answers if "x-dcrcheck" in answer.headers]
    assert not written, f"{parameter} wrote a header of the answer at {written}"


@requirement("RFC9700-4.2.4-01")
@needs("authorization_endpoint")
@pytest.mark.parametrize("params", [{}, {"redirect_uri": FOREIGN}], ids=["login-page", "error-page"])
def test_a_page_before_the_login_loads_nothing_from_elsewhere(endpoint: Endpoint, params: dict[str, str]):
    """The login page and the error page load no scripts, styles, frames or images from other sites."""
    answer = shown(endpoint, endpoint.client(), **params)[-1]
    page = Page(url=answer.url, status=answer.status, headers=answer.headers, html=answer.text)

    loaded = {urljoin(page.url, str(tag.get("src") or tag.get("href")))
              for tag in page.soup.select("script[src], iframe[src], img[src], link[rel=stylesheet][href]")}
    strange = {url for url in loaded if url.startswith("http") and origin(url) not in endpoint.target.origins}
    assert not strange, f"the page loads {', '.join(sorted(strange))}"
