"""The pages that the user's browser shows on the way, and the redirects between them (RFC 9700, section 4)."""

from collections.abc import Mapping
from urllib.parse import urljoin

import pytest

from dcrcheck import (
    REDIRECT_URI,
    Answer,
    Authorization,
    Endpoint,
    Page,
    Session,
    inapplicable,
    inconclusive,
    needs,
    observes,
    origin,
    requirement,
)

MARKUP = "dcrcheck\"'><i data-dcrcheck=1>"

# what keeps the query, in which code and state stand, from other sites (W3C Referrer Policy)
WITHHOLDING = {"no-referrer", "same-origin", "origin", "strict-origin", "origin-when-cross-origin",
               "strict-origin-when-cross-origin"}


def login_page(endpoint: Endpoint) -> Answer:
    """The page that a browser shows in which nobody is logged in."""
    browser = endpoint.transport.browser()
    answer = endpoint.authorize(endpoint.client(), jar=browser)
    for _ in range(8):
        goal = urljoin(answer.url, answer.location or "")
        if answer.location is None or origin(goal) not in endpoint.origins:
            break
        answer = browser.send("GET", goal, headers={"accept": "text/html"})
    if answer.status != 200:
        inconclusive(f"there is no login page to look at: {answer.describe()}")
    return answer


def ancestors(headers: Mapping[str, str]) -> list[str] | None:
    """Who may frame a page by its Content-Security-Policy; None if it does not say."""
    for directive in headers.get("content-security-policy", "").replace(",", ";").split(";"):
        name, *sources = directive.lower().split() or [""]
        if name == "frame-ancestors":
            return sources
    return None


def framing_is_limited(headers: Mapping[str, str]) -> bool:
    allowed = ancestors(headers)
    if allowed is not None:
        return not {"*", "http:", "https:"} & set(allowed)
    return headers.get("x-frame-options", "").strip().lower() in ("deny", "sameorigin")


def first_visit(session: Session) -> Authorization:
    """A flow of a browser that had to log in, so that its redirects after login are among the answers."""
    return session.granted(fresh=True)


def after_posts(authorization: Authorization) -> list[int]:
    """The statuses of the redirects that followed a submitted form."""
    return [answer.status for answer in authorization.answers
            if answer.exchange.method == "POST" and 300 <= answer.status < 400]


@requirement("HARD-CONSENT-FRAMING", "RFC9700-4.16-01", "OAUTH21-7.11-01")
@needs("authorization_endpoint")
def test_the_login_page_cannot_be_framed(endpoint: Endpoint):
    """The login page forbids other sites to frame it."""
    headers = login_page(endpoint).headers

    assert framing_is_limited(headers), "neither frame-ancestors nor X-Frame-Options keeps other sites out"


@needs("session")
@requirement("HARD-CONSENT-FRAMING", "RFC9700-4.16-01", "MCP-SBP-CONSENT-03", "OAUTH21-7.11-01")
def test_the_consent_page_cannot_be_framed(session: Session):
    """The consent page forbids other sites to frame it."""
    page = session.granted().consent
    if page is None:
        inapplicable("the server shows no consent page")

    assert framing_is_limited(page.headers), "neither frame-ancestors nor X-Frame-Options keeps other sites out"


def error_page(endpoint: Endpoint) -> Answer:
    """The page for a request with a redirect URI that is not the client's.

    Raises:
        Inapplicable: the server shows none.
    """
    answer = endpoint.authorize(endpoint.client(), redirect_uri="https://foreign.example/cb")
    if answer.broke_down or answer.status == 429:
        inconclusive(f"the authorization endpoint does not answer the probe: {answer.describe()}")
    if answer.location is not None or answer.media_type not in ("text/html", "application/xhtml+xml"):
        inapplicable(f"the server shows no error page: {answer.describe()} {answer.media_type}")
    return answer


@requirement("RFC9700-4.16-02", "OAUTH21-7.11-02")
@needs("authorization_endpoint")
@pytest.mark.parametrize("page", ["login", "error"])
def test_a_content_security_policy_says_who_may_frame(endpoint: Endpoint, page: str):
    """The login page and the error page have a Content-Security-Policy with frame-ancestors."""
    headers = (login_page(endpoint) if page == "login" else error_page(endpoint)).headers

    assert ancestors(headers) is not None, (
        f"Content-Security-Policy of the {page} page is {headers.get('content-security-policy')!r}")


@needs("session")
@requirement("RFC9700-4.16-02")
def test_a_content_security_policy_says_who_may_frame_the_consent(session: Session):
    """The consent page has a Content-Security-Policy with frame-ancestors."""
    page = session.granted().consent
    if page is None:
        inapplicable("the server shows no consent page")

    assert ancestors(page.headers) is not None, (
        f"Content-Security-Policy of the consent page is {page.headers.get('content-security-policy')!r}")


@requirement("RFC9700-4.16-04")
@needs("authorization_endpoint")
def test_old_browsers_are_kept_from_framing_too(endpoint: Endpoint):
    """The login page limits framing by X-Frame-Options or a script too, for browsers that know no frame-ancestors."""
    page = login_page(endpoint)
    scripted = any(word in page.text for word in ("top.location", "window.top", "self.top", "top !== self",
                                                  "top != self", "self !== top", "self != top"))

    assert "x-frame-options" in page.headers or scripted, "nothing but frame-ancestors, if that, limits framing"


@requirement("RFC9700-2.6-06", "OAUTH21-3.1-09")
@needs("authorization_endpoint")
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_scripts_cannot_read_the_authorization_endpoint(endpoint: Endpoint, method: str):
    """The authorization endpoint allows no cross-origin reading."""
    url, _ = endpoint.authorization_request(endpoint.client())

    answer = endpoint.send(method, url, headers={"origin": "https://foreign.example",
                                                 "access-control-request-method": "GET"})

    allowed = answer.headers.get("access-control-allow-origin")
    assert allowed is None, f"Access-Control-Allow-Origin is {allowed!r}"


@needs("session")
@requirement("RFC9700-4.2.4-04")
def test_the_consent_page_keeps_its_address_to_itself(session: Session):
    """The consent page has a referrer policy that withholds its query from other sites."""
    page = session.granted().consent
    if page is None:
        inapplicable("the server shows no consent page")
    named = page.soup.find("meta", attrs={"name": "referrer"})
    words = f"{page.headers.get('referrer-policy', '')},{named['content'] if named else ''}".lower().split(",")

    assert WITHHOLDING & {word.strip() for word in words}, "neither Referrer-Policy nor a meta element withholds it"


@needs("session")
@requirement("RFC9700-4.2.4-01")
def test_pages_load_nothing_from_elsewhere(endpoint: Endpoint, session: Session):
    """The login and consent pages load no scripts, styles, frames or images from other sites."""
    loaded = {urljoin(page.url, str(tag.get("src") or tag.get("href")))
              for page in session.granted(fresh=True).pages
              for tag in page.soup.select("script[src], iframe[src], img[src], link[rel=stylesheet][href]")}

    strange = {url for url in loaded if url.startswith("http") and origin(url) not in endpoint.target.origins}
    assert not strange, f"the pages load {', '.join(sorted(strange))}"


@needs("session")
@requirement("RFC9700-4.12-01", "RFC9700-2.1-03", "OAUTH21-1.6-01", "OAUTH21-3.1-08", "OAUTH21-7.5.4-01")
@observes("RFC9700-4.1.3-03")
def test_forms_are_not_sent_on_to_the_client(endpoint: Endpoint, session: Session):
    """No submitted form is answered with 307 or 308, which would repeat its content at the next place."""
    authorization = first_visit(session)
    if authorization.location is not None:
        ends = "ends" if "#" in authorization.location else "does not end"
        endpoint.observe("RFC9700-4.1.3-03", f"the redirect to the client {ends} in a fragment")

    statuses = after_posts(authorization)

    assert not {307, 308} & set(statuses), f"the redirects after forms were {statuses}"


@needs("session")
@requirement("RFC9700-4.12-02", "OAUTH21-7.5.4-02")
def test_redirects_after_forms_are_303(session: Session):
    """Submitted forms are answered with 303 where they lead on."""
    statuses = after_posts(first_visit(session))
    if not statuses:
        inapplicable("no form was answered with a redirect")

    assert set(statuses) == {303}, f"the redirects after forms were {statuses}"


@requirement("HARD-RESPONSE-MARKUP")
@needs("authorization_endpoint")
@pytest.mark.parametrize("mode", ["form_post", "form_post.jwt", "web_message", "fragment"])
def test_the_pages_of_a_response_mode_hold_state_as_text(endpoint: Endpoint, session: Session | None, mode: str):
    """Whatever page a response mode brings, state is text in it, and its form leads to the client or stays."""
    client = endpoint.client(redirect_uris=[REDIRECT_URI])
    asked = {"response_mode": mode, "prompt": "none", "state": MARKUP}
    answers = [endpoint.authorize(client, **asked)]
    if session is not None:
        answers += session.authorize(client, decision="look", **asked).answers
    if broken := next((answer for answer in answers if answer.broke_down or answer.status == 429), None):
        inconclusive(f"the authorization endpoint does not answer the probe: {broken.describe()}")

    pages = [Page(url=answer.url, status=answer.status, headers=answer.headers, html=answer.text) for answer in answers]
    marked = [page.url.partition("?")[0] for page in pages if page.soup.find(attrs={"data-dcrcheck": True})]
    assert not marked, f"state is markup on {', '.join(marked)}"
    strange = [goal for page in pages for goal in responses_to(page) if origin(goal) not in endpoint.origins
               and goal not in client.redirect_uris]
    assert not strange, f"the response is posted to {strange}"


def responses_to(page: Page) -> list[str]:
    """Where the forms of a page lead that carry an authorization response."""
    return [urljoin(page.url, str(form.get("action") or "")) for form in page.forms
            if form.find("input", {"name": ["code", "error", "response"]})]
