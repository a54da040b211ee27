"""A user session at the target: a browser that logs in, answers the consent page and stops at the client's door."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from bs4 import BeautifulSoup, Tag

from dcrcheck.budget import SHARED
from dcrcheck.client import Client
from dcrcheck.endpoint import Endpoint
from dcrcheck.evidence import Secret
from dcrcheck.markup import excess
from dcrcheck.target import origin
from dcrcheck.transport import Answer, Transport
from dcrcheck.verdict import inconclusive

Decision = Literal["approve", "deny", "look"]
_STEPS = 16
_WORDS = {
    "approve": re.compile(r"approve|allow|accept|authori[sz]e|agree|grant|\byes\b|continue|confirm|consent", re.I),
    "deny": re.compile(r"deny|denied|cancel|abort|reject|decline|refuse|disallow|\bno\b", re.I),
}
_USER_FIELD = re.compile(r"user|login|e-?mail|account|sub|identifier|name", re.I)


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page as the user saw it. `text` is what a browser would show, in one line."""

    url: str
    status: int
    headers: Mapping[str, str]
    html: str

    @cached_property
    def soup(self) -> BeautifulSoup:
        if reason := excess(self.html):
            inconclusive(f"the page at {self.url.partition('?')[0]} is not read: {reason}")
        return BeautifulSoup(self.html, "html.parser")

    @property
    def text(self) -> str:
        return " ".join(self.soup.get_text(" ").split())

    @property
    def forms(self) -> list[Tag]:
        return list(self.soup.find_all("form"))

    @property
    def asks_password(self) -> bool:
        return self.soup.find("input", {"type": "password"}) is not None

    @property
    def asks_login(self) -> bool:
        """Whether the page is a step of a login: some ask for the name first, which HTML marks for browsers to fill."""
        return self.asks_password or any("username" in str(field.get("autocomplete", "")).lower().split()
                                         for field in self.soup.find_all("input"))

    def shows_host(self, uri: str) -> bool:
        """Whether the user can read where a URI leads: its host, or all of it where it has none."""
        return (urlsplit(uri).hostname or uri) in self.text


@dataclass(frozen=True, kw_only=True)
class Authorization:
    """How an authorization request ended: the redirect to the client, or the page where it stopped."""

    client: Client
    parameters: Mapping[str, str]
    location: str | None
    redirect_uri: str
    verifier: Secret
    pages: tuple[Page, ...]
    answer: Answer
    answers: tuple[Answer, ...] = ()
    state: str | None = None

    @property
    def code(self) -> Secret | None:
        """The authorization code, if one was issued."""
        code = self.parameters.get("code")
        return Secret(code) if code else None

    @property
    def error(self) -> str | None:
        return self.parameters.get("error")

    @property
    def consent(self) -> Page | None:
        """The last page that let the user decide; a login page does where it says who asks and nothing else failed."""
        decided = self.error in (None, "access_denied")
        return next((page for page in reversed(self.pages) if page.forms
                     and (not page.asks_login or (decided and page.shows_host(self.redirect_uri)))), None)

    def describe(self) -> str:
        if self.location is None:
            return f"the flow stopped at {self.answer.url.partition('?')[0]} ({self.answer.describe()})"
        return f"the client received {self.error}" if self.error else "the client received a code"


class Session:
    """Logs a test user in by filling forms (`[session] driver = "form"`)."""

    def __init__(self, endpoint: Endpoint, *, username: str, password: str, browser: Transport | None = None,
                 other: tuple[str, str] | None = None) -> None:
        self.endpoint = endpoint
        self.username = username
        self.password = password
        self.browser = browser or endpoint.transport.browser()
        self._granted: dict[str, Authorization] = {}
        self._tokens: dict[str, Answer] = {}
        self._other = other
        endpoint.recorder.redactor.learn_basic(username, password)

    def fresh(self) -> Session:
        """The same user at a browser where nobody is logged in."""
        return Session(self.endpoint, username=self.username, password=self.password)

    @property
    def other(self) -> Session | None:
        """Another user, at a browser where nobody is logged in; None if only one is known."""
        return Session(self.endpoint, username=self._other[0], password=self._other[1]) if self._other else None

    def authorize(self, client: Client, *, decision: Decision = "approve", form: Mapping[str, str] | None = None,
                  **params: Any) -> Authorization:
        """Go through an authorization request as the user would, up to the client's redirect URI.

        The redirect URI itself is never requested. ``look`` logs in and stops at the first page after that. With a
        `form`, the request is a POST that has this in its body.

        Raises:
            Inconclusive: the login is refused, the server fails or is too busy, or its pages lead nowhere.
        """
        url, sent = self.endpoint.authorization_request(client, **params)
        answer = self.endpoint.open(url, jar=self.browser, form=form)
        return self._walk(answer, client, sent, decision)

    def ask(self, client: Client, **params: Any) -> Authorization:
        """`authorize` for the scope that the client registered."""
        return self.authorize(client, **{**_scope(client.document), **params})

    def granted(self, *, decision: Decision = "approve", fresh: bool = False, **deviation: Any) -> Authorization:
        """How the first request of a client with this metadata ended, asked once; its code must not be redeemed.

        The client is no other check's: a consent that was given before may be remembered, and no page is shown again.
        `fresh` uses a browser where nobody is logged in.
        """
        key = self.endpoint.shared_name(f"{decision}{' in a fresh browser' if fresh else ''}", deviation)
        with self.endpoint.budget.use(key):
            if key not in self._granted:
                browser = self.fresh() if fresh else self
                self._granted[key] = browser.ask(self.endpoint.register(**deviation), decision=decision)
        authorization = self._granted[key]
        for answer in (authorization.client.answer, *authorization.answers):
            self.endpoint.recorder.recall(answer.exchange)
        return authorization

    def tokens(self, **deviation: Any) -> Answer:
        """The token response of the run to a client with this metadata; its tokens may be used, not revoked.

        The client is no other check's: a server may end what a client has when it is authorized again.

        Raises:
            Inconclusive: the server issues none for an ordinary request, so that no refusal proves anything.
        """
        client = self.endpoint.client(purpose="tokens", **deviation)
        key = client.client_id
        with self.endpoint.budget.on(SHARED):
            if key not in self._tokens:
                self._tokens[key] = self.obtain(client)
        answer = self._tokens[key]
        self.endpoint.recorder.recall(answer.exchange)
        return answer

    def obtain(self, client: Client) -> Answer:
        """A token response to a client, as any client obtains one.

        Raises:
            Inconclusive: as `tokens`.
        """
        answer = self.endpoint.redeem(self.ask(client))
        if answer.tokens is None:
            inconclusive(f"an ordinary code with its verifier yields no token: {answer.describe()}")
        return answer

    def decide(self, looked: Authorization, decision: Decision = "approve", *,
               fields: Mapping[str, str] | None = None, cross_site: str | None = None) -> Authorization:
        """Submit the page at which a ``look`` stopped, with further `fields`, and follow redirects but no more pages.

        `cross_site` is the origin of another site that sends the form through this browser: cookies that browsers
        withhold there (SameSite) stay behind.
        """
        browser = self.browser if cross_site is None else self.browser.cross_site()
        driver = Session(self.endpoint, username=self.username, password=self.password, browser=browser)
        answer = driver._submit(looked.pages[-1], decision, further=fields or {}, site=cross_site)
        if answer is None:
            inconclusive(f"the page at {looked.pages[-1].url} has no form to submit")
        sent = {"redirect_uri": looked.redirect_uri, "code_verifier": looked.verifier, "state": looked.state}
        return driver._walk(answer, looked.client, sent, "look")

    def pass_on(self, looked: Authorization) -> str | None:
        """Approve the page at which a ``look`` stopped; returns where the browser would go from there, and stays."""
        answer = self._submit(looked.pages[-1], "approve")
        return None if answer is None or answer.location is None else urljoin(answer.url, answer.location)

    def take_over(self, url: str, looked: Authorization) -> Authorization:
        """Go on in this browser where another was sent by `pass_on`, as `authorize` does.

        Raises:
            Inconclusive: as `authorize`.
        """
        sent = {"redirect_uri": looked.redirect_uri, "code_verifier": looked.verifier, "state": looked.state}
        return self._walk(self._get(url), looked.client, sent, "approve")

    def _walk(self, answer: Answer, client: Client, sent: Mapping[str, Any], decision: Decision) -> Authorization:
        asked = sent.get("redirect_uri")
        asked = asked if isinstance(asked, str) else (client.redirect_uri if client.redirect_uris else "")
        pages: list[Page] = []
        answers: list[Answer] = []
        logins = 0
        location: str | None = None
        for _ in range(_STEPS):
            answers.append(answer)
            if answer.location is not None and 300 <= answer.status < 400:
                goal = urljoin(answer.url, answer.location)
                if origin(goal) not in self.endpoint.origins or _same_place(goal, asked):
                    location = goal
                    break
                answer = self.browser.send("GET", goal, headers={"accept": "text/html"})
                continue
            page = Page(url=answer.url, status=answer.status, headers=answer.headers, html=answer.text)
            if answer.status != 200 or not page.forms:
                break
            pages.append(page)
            if decision == "look" and not page.asks_login:
                break
            logins += page.asks_password
            if logins > 2:
                inconclusive(f"the login at {page.url} is asked again and again: are DCRCHECK_USERNAME and "
                             "DCRCHECK_PASSWORD right?")
            following = self._submit(page, decision)
            if following is None:
                break
            answer = following
        if answer.status in (0, 429) or answer.status >= 500:
            inconclusive(f"the server does not answer at {answer.url.partition('?')[0]}: {answer.describe()}")
        parts = urlsplit(location or "")
        parameters = dict(parse_qsl(f"{parts.query}&{parts.fragment}", keep_blank_values=True))
        self.endpoint.recorder.redactor.learn(*map(parameters.get, ("code", "access_token", "id_token")))
        ended = Authorization(client=client, parameters=parameters, location=location, redirect_uri=asked,
                              verifier=sent["code_verifier"], pages=tuple(pages), answer=answer,
                              answers=tuple(answers), state=sent.get("state"))
        if ended.code is not None:
            self.endpoint.authorizations.append(ended)
        return ended

    def _submit(self, page: Page, decision: Decision, *, further: Mapping[str, str] | None = None,
                site: str | None = None) -> Answer | None:
        only_login = page.asks_login and not page.asks_password
        decision = "approve" if decision == "look" or only_login else decision
        form = _form(page, decision)
        if form is None:
            link = next((a for a in page.soup.find_all("a", href=True) if _WORDS[decision].search(a.get_text())), None)
            return None if link is None else self._get(urljoin(page.url, str(link["href"])))
        fields = _fields(form, decision)
        given = self._overrides("login" if page.asks_login else decision)
        if page.asks_login:
            given = {**self._login(form), **given}
        given |= further or {}
        fields = [(name, value) for name, value in fields if name not in given] + list(given.items())
        target = urljoin(page.url, str(form.get("action") or page.url))
        if origin(target) not in self.endpoint.origins:
            inconclusive(f"the form at {page.url} leads to another origin ({origin(target)})")
        if str(form.get("method", "get")).lower() == "get":
            return self._get(target.partition("?")[0] + "?" + urlencode(fields))
        return self.browser.send("POST", target, content=urlencode(fields).encode(), headers={
            "content-type": "application/x-www-form-urlencoded", "accept": "text/html",
            "origin": site or origin(page.url)})

    def _get(self, url: str) -> Answer:
        return self.browser.send("GET", url, headers={"accept": "text/html"})

    def _login(self, form: Tag) -> dict[str, str]:
        text = [i for i in form.find_all("input") if i.get("name") and i.get("type", "text") in ("text", "email")]
        named = [i for i in text if _USER_FIELD.search(str(i["name"]))]
        passwords = form.find_all("input", {"type": "password"})
        return {**{str(field["name"]): self.username for field in (named or text)[:1]},
                **{str(field.get("name")): self.password for field in passwords}}

    def _overrides(self, part: str) -> dict[str, str]:
        return {str(name): str(value) for name, value in self.endpoint.profile.session.get(part, {}).items()}


def _form(page: Page, decision: Decision) -> Tag | None:
    """The form to submit: the one that asks for a password, else the one with a fitting button, else the only one."""
    forms = page.forms
    for form in forms:
        if form.find("input", {"type": "password"}):
            return form
    for form in forms:
        if _button(form, decision) is not None:
            return form
    return forms[0] if forms and decision == "approve" else None


def _button(form: Tag, decision: Decision) -> Tag | None:
    for button in [*form.find_all("button"), *form.find_all("input", {"type": ["submit", "image"]})]:
        words = f"{button.get('name', '')} {button.get('value', '')} {button.get_text()}"
        if _WORDS[decision].search(words) and (decision == "deny" or not _WORDS["deny"].search(words)):
            return button
    return None


def _fields(form: Tag, decision: Decision) -> list[tuple[str, str]]:
    """What a browser would send: hidden and filled-in fields, ticked boxes (to approve: all of them), the button."""
    fields: list[tuple[str, str]] = []
    for field in form.find_all(["input", "select", "textarea"]):
        name, kind = str(field.get("name") or ""), str(field.get("type") or "text")
        if not name or kind in ("submit", "button", "image", "reset", "file"):
            continue
        if kind == "radio" and not field.has_attr("checked"):
            continue
        if kind == "checkbox" and not field.has_attr("checked") and decision == "deny":
            continue
        fields.append((name, str(field.get("value") or ("on" if kind == "checkbox" else ""))))
    button = _button(form, decision)
    if button is not None and button.get("name"):
        fields.append((str(button["name"]), str(button.get("value") or "")))
    return fields


def _scope(document: Any) -> dict[str, Any]:
    """A client that was registered for a scope asks for it; OpenID Connect gives offline_access on consent only."""
    scope = document.get("scope") if isinstance(document, dict) else None
    if not isinstance(scope, str):
        return {}
    return {"scope": scope, **({"prompt": "consent"} if "offline_access" in scope.split() else {})}


def _same_place(url: str, redirect_uri: str) -> bool:
    try:
        one, other = urlsplit(url), urlsplit(redirect_uri)
    except ValueError:  # such as a host that no parser accepts
        return False
    return (one.scheme, one.netloc, one.path) == (other.scheme, other.netloc, other.path)
