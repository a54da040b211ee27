"""The form driver: what a person would click on the pages of products that we did not write."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from dcrcheck.budget import Bounds, Budget
from dcrcheck.catalogue import catalogue
from dcrcheck.endpoint import Endpoint
from dcrcheck.evidence import Exchange, Recorder
from dcrcheck.ledger import Ledger
from dcrcheck.profile import Profile, load_profile
from dcrcheck.session import Page, Session
from dcrcheck.target import Target
from dcrcheck.transport import Answer, Headers
from dcrcheck.verdict import Inconclusive

ISSUER = "https://as.example"
LOGIN = """<form method="post" action="/login"><input type=hidden name=csrf value=c1><input name=username>
<input type=password name=password><button type=submit>Sign in</button></form>"""
CONSENT = """<form method="post" action="/consent"><input type=hidden name=transaction value=t1>
<input type=checkbox name=scope value=read checked><input type=checkbox name=scope value=write>
<p>Some client wants access</p>
<button name=decision value=deny>Deny</button><button name=decision value=approve>Approve</button></form>"""
ONE_BUTTON = """<form action="/interaction/1" method="post"><input type=hidden name=prompt value=consent>
<button autofocus type=submit>Continue</button></form><a href="/interaction/1/abort">[ Cancel ]</a>"""
INPUT_BUTTONS = """<form method=post><input type=hidden name=code value=x><input type=submit name=cancel value=No>
<input type=submit name=accept value=Yes></form>"""


def begun() -> Ledger:
    """The ledger of a run that has begun, in memory."""
    ledger = Ledger(None, run="r", issuer=ISSUER)
    ledger.begin(profile="t", origins=[ISSUER], embedded=False)
    return ledger


class Pages:
    """A browser whose pages are given: the method and path decide what comes."""

    def __init__(self, pages: dict[str, tuple[int, str]]) -> None:
        self.recorder = Recorder()
        self.pages = pages
        self.sent: list[tuple[str, str, list[tuple[str, str]]]] = []

    def browser(self) -> Pages:
        return self

    def send(self, method, url, *, headers=(), content=b"") -> Answer:
        path = url.removeprefix(ISSUER).partition("?")[0]
        self.sent.append((method, path, parse_qsl(content.decode(), keep_blank_values=True)))
        status, body = self.pages.get(f"{method} {path}", (404, ""))
        moved = 300 <= status < 400
        return Answer(status=status, headers=Headers({"location": body} if moved else {"content-type": "text/html"}),
                      body=b"" if moved else body.encode(), url=url, exchange=Exchange(id="x", method=method, url=url))


def session(pages: dict[str, tuple[int, str]], **settings) -> tuple[Session, Pages, Endpoint]:
    transport = Pages(pages)
    profile = Profile(name="t", title="t", policy=load_profile("rfc7591", catalogue()).policy, session=settings)
    target = Target(issuer=ISSUER, profile=profile, documents={},
                    metadata={"registration_endpoint": f"{ISSUER}/r", "authorization_endpoint": f"{ISSUER}/authorize"})
    endpoint = Endpoint(target, transport, Budget(begun(), Bounds(registrations=9)))
    return Session(endpoint, username="alice", password="wonderland"), transport, endpoint


class Registered(dict):
    client_id, redirect_uri, redirect_uris = "c", "https://client.example/cb", ("https://client.example/cb",)


BACK = "https://client.example/cb?code=the-code-of-this-flow&state=s"


def test_login_and_consent_are_filled_in_and_the_client_is_never_visited():
    subject, browser, _ = session({
        "GET /authorize": (302, "/login"), "GET /login": (200, LOGIN), "POST /login": (303, "/consent"),
        "GET /consent": (200, CONSENT), "POST /consent": (303, BACK)})

    result = subject.authorize(Registered())

    assert result.code == "the-code-of-this-flow"
    assert ("POST", "/login", [("csrf", "c1"), ("username", "alice"), ("password", "wonderland")]) in browser.sent
    assert ("POST", "/consent", [("transaction", "t1"), ("scope", "read"), ("scope", "write"),
                                 ("decision", "approve")]) in browser.sent
    assert all(not path.startswith("https://client.example") for _, path, _ in browser.sent)
    assert "Some client wants access" in result.consent.text


def test_deny_presses_the_other_button():
    subject, browser, _ = session({"GET /authorize": (200, CONSENT), "POST /consent": (303, BACK)})

    subject.authorize(Registered(), decision="deny")

    assert browser.sent[-1] == ("POST", "/consent", [("transaction", "t1"), ("scope", "read"), ("decision", "deny")])


@pytest.mark.parametrize(("decision", "last"), [
    ("approve", ("POST", "/interaction/1", [("prompt", "consent")])), ("deny", ("GET", "/interaction/1/abort", []))])
def test_a_page_with_one_button_and_a_link_to_cancel(decision, last):
    subject, browser, _ = session({"GET /authorize": (200, ONE_BUTTON), "POST /interaction/1": (303, BACK),
                                   "GET /interaction/1/abort": (303, BACK)})

    subject.authorize(Registered(), decision=decision)

    assert browser.sent[-1] == last


@pytest.mark.parametrize(("decision", "button"), [("approve", ("accept", "Yes")), ("deny", ("cancel", "No"))])
def test_buttons_may_be_inputs_and_the_form_may_lead_to_its_own_page(decision, button):
    subject, browser, _ = session({"GET /authorize": (200, INPUT_BUTTONS), "POST /authorize": (303, BACK)})

    subject.authorize(Registered(), decision=decision)

    assert browser.sent[-1] == ("POST", "/authorize", [("code", "x"), button])


def test_a_profile_may_name_the_fields_and_their_values():
    subject, browser, _ = session({"GET /authorize": (200, CONSENT), "POST /consent": (303, BACK)},
                                  approve={"scope": "read", "confirm": "on"})

    subject.authorize(Registered())

    assert browser.sent[-1][2] == [("transaction", "t1"), ("decision", "approve"), ("scope", "read"), ("confirm", "on")]


def test_a_refused_login_is_inconclusive_and_ends():
    subject, browser, _ = session({"GET /authorize": (200, LOGIN), "POST /login": (200, LOGIN)})

    with pytest.raises(Inconclusive, match="asked again and again"):
        subject.authorize(Registered())
    assert len(browser.sent) < 6


def test_an_endless_walk_ends():
    subject, browser, _ = session({"GET /authorize": (302, "/a"), "GET /a": (302, "/b"), "GET /b": (302, "/a")})

    result = subject.authorize(Registered())

    assert result.location is None
    assert len(browser.sent) < 20


def test_credentials_are_not_typed_into_another_origin():
    subject, browser, _ = session({"GET /authorize": (200, LOGIN.replace('"/login"', '"https://foreign.example/"'))})

    with pytest.raises(Inconclusive, match="another origin"):
        subject.authorize(Registered())
    assert len(browser.sent) == 1


def test_an_error_reaches_the_client():
    subject, _, _ = session({"GET /authorize": (302, "https://client.example/cb?error=access_denied&state=s")})

    result = subject.authorize(Registered())

    assert (result.code, result.error) == (None, "access_denied")


@pytest.mark.parametrize(("words", "answer", "is_consent"), [
    ("for client.example", "code=the-code-of-this-flow", True), ("for client.example", "error=access_denied", True),
    ("for client.example", "error=invalid_request", False), ("", "code=the-code-of-this-flow", False),
])
def test_a_login_page_is_the_consent_page_only_where_the_user_decided(words: str, answer: str, is_consent: bool):
    back = f"{Registered.redirect_uri}?{answer}"
    subject, _, _ = session({"GET /authorize": (200, f"{words}{LOGIN}"), "POST /login": (303, back)})

    page = subject.authorize(Registered()).consent

    assert (page is not None) == is_consent


def test_a_redirect_elsewhere_is_where_it_stops():
    subject, browser, _ = session({"GET /authorize": (302, "https://foreign.example/cb?code=x")})

    result = subject.authorize(Registered())

    assert result.location.startswith("https://foreign.example/")
    assert len(browser.sent) == 1


def test_the_text_of_a_page_is_what_a_browser_shows():
    page = Page(url="", status=200, headers={}, html="<p>A &amp;\n B<i data-x=1>C</i></p>")

    assert page.text == "A & B C"
