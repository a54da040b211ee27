"""What the consent page tells the user about a client that registered itself (RFC 7591, sections 2 and 5)."""

import re
from collections import Counter

import pytest

from dcrcheck import Authorization, Endpoint, Page, Session, inapplicable, needs, observes, requirement

MARKUP = "dcrp\"'><i data-dcrp=1>"
PAGES = {"client_uri": "https://client.example/about", "logo_uri": "https://client.example/logo.png",
         "tos_uri": "https://client.example/terms", "policy_uri": "https://client.example/privacy"}
UNVERIFIED = re.compile(r"unverified|not (?:been )?verified|nobody (?:has )?verified|self.?registered|registered itself"
                        r"|third.party|verif|unknown (?:app|client)|untrusted|not trusted", re.I)
NAME = "Grüße 日本語 Ωμέγα e\u0301tude"
LATIN_NAME = "dcrcheck Étude, No. 7"


def consent(authorization: Authorization) -> Page:
    """The consent page of a flow.

    Raises:
        Inapplicable: the server shows none.
    """
    if authorization.consent is None:
        inapplicable(f"the server shows no consent page: {authorization.describe()}")
    return authorization.consent


@needs("session")
@requirement("STRUCT-CONSENT-UNVERIFIED", "OAUTH21-7.9-04")
def test_the_page_says_that_the_client_is_unverified(session: Session):
    """The consent page of a self-registered client says that it is unverified."""
    page = consent(session.granted())

    assert UNVERIFIED.search(page.text), f"the page says: {page.text[:300]!r}"


@needs("session")
@requirement("STRUCT-CONSENT-DESTINATION", "MCP-2025-11-25-CIMDSEC-03", "MCP-SBP-CONSENT-02")
def test_the_page_shows_where_the_user_will_be_sent(session: Session):
    """The consent page shows the host of the redirect URI."""
    authorization = session.granted()
    page = consent(authorization)

    assert page.shows_host(authorization.redirect_uri), f"the page says: {page.text[:300]!r}"


def words(scope: str) -> list[str]:
    """What tells of a scope that is put into words."""
    if scope == "offline_access":
        return ["offline", "refresh", "away", "keep", "not present"]
    return [word for word in re.findall(r"[a-z]{4,}", scope.lower()) if word != "access"]


@needs("session")
@requirement("STRUCT-CONSENT-SCOPES", "MCP-SBP-CONSENT-02", "OAUTH21-7.3-01", "OAUTH21-7.9-03")
def test_the_page_names_every_scope(endpoint: Endpoint, session: Session):
    """The consent page tells of every scope that is requested, offline access among them."""
    scopes = [scope for scope in endpoint.metadata.get("scopes_supported") or () if scope != "openid"]
    client = endpoint.submit(scope=" ".join(scopes)).client if scopes else None
    asked = str((client or {}).get("scope", " ".join(scopes))).split()
    if client is None or not asked:
        inapplicable("the server registers no client with the scopes that it supports")

    text = consent(session.authorize(client, scope=" ".join(asked))).text.lower()

    untold = [scope for scope in asked if scope.lower() not in text and not any(word in text for word in words(scope))
              and not is_told(endpoint, session, scope, asked, text)]
    assert not untold, f"the page does not tell of {', '.join(untold)}"


def is_told(endpoint: Endpoint, session: Session, scope: str, asked: list[str], text: str) -> bool:
    """Whether the page has fewer words where all but this scope are asked for: a server puts scopes into its own."""
    others = [other for other in asked if other != scope]
    client = endpoint.submit(scope=" ".join(asked)).client if others else None
    pages = session.authorize(client, scope=" ".join(others), decision="look").pages if client else ()
    said = [Counter(re.findall(r"[^\W\d_]{3,}", page)) for page in (text, *(page.text.lower() for page in pages[-1:]))]
    return len(said) == 2 and bool(said[0] - said[1])


@needs("session")
@requirement("RFC7591-5-13")
@observes("RFC9700-4.11.2-04")
def test_a_name_is_only_a_claim(endpoint: Endpoint, session: Session):
    """The consent page says that the client is unverified, or shows where the user will be sent."""
    authorization = session.granted()
    page = consent(authorization)

    shown = page.shows_host(authorization.redirect_uri)
    endpoint.observe("RFC9700-4.11.2-04", f"the consent page {'shows' if shown else 'does not show'} where it leads")
    qualified = UNVERIFIED.search(page.text) or shown
    assert qualified, f"the page takes the client's name for granted: {page.text[:300]!r}"


@needs("session")
@requirement("RFC7591-5-14")
@pytest.mark.parametrize("copied", ["name-and-software", "logo-too"])
def test_a_copy_of_a_client_is_refused_or_qualified(endpoint: Endpoint, session: Session, copied: str):
    """A client that copies another, with a redirect URI elsewhere, is refused, or the consent page warns of it."""
    known = {"client_name": "Genuine application", "software_id": "dcrcheck-genuine",
             **({"logo_uri": PAGES["logo_uri"]} if copied == "logo-too" else {})}
    endpoint.client(**known)
    copy = endpoint.submit(**known, redirect_uris=["https://foreign.example/cb"]).client
    if copy is None:
        return

    page = consent(session.authorize(copy))

    qualified = UNVERIFIED.search(page.text) or page.shows_host(copy.redirect_uri)
    assert qualified, f"the page takes the copy for the genuine client: {page.text[:300]!r}"


@needs("session")
@requirement("RFC7591-2.2-03", "OIDCR-2.1-02")
def test_the_name_is_shown_as_it_was_registered(endpoint: Endpoint, session: Session):
    """The consent page shows a client_name character for character as it was registered."""
    ordinary = session.granted()
    if str(ordinary.client.stored("client_name")) not in consent(ordinary).text:
        inapplicable("the consent page does not show client_name")
    # a server may limit the characters of a name (RFC 7591, section 5): then one in Latin-1 has to do
    name = LATIN_NAME if endpoint.submit(client_name=NAME).refused else NAME
    client = endpoint.client(client_name=name)

    page = consent(session.granted(client_name=name))

    assert str(client.stored("client_name")) in page.text, f"the page says: {page.text[:300]!r}"


@needs("session")
@requirement("HARD-CONSENT-ESCAPED")
@pytest.mark.parametrize("member", ["client_name", "client_name#en", "software_id", "software_version", "contacts"])
def test_metadata_is_shown_as_text(endpoint: Endpoint, session: Session, member: str):
    """Markup in metadata is text on every page of the flow."""
    client = endpoint.submit(**{member: [MARKUP] if member == "contacts" else MARKUP}).client
    if client is None:
        return

    authorization = session.authorize(client, ui_locales="en", state=MARKUP)

    marked = [page.url for page in authorization.pages if page.soup.find(attrs={"data-dcrp": True})]
    assert not marked, f"the {member} became an element of the page"


def linked(session: Session, member: str) -> tuple[str, Page]:
    """A registered address of the client, and the consent page that should show it."""
    authorization = session.granted(**PAGES)
    address = authorization.client.stored(member)
    if not isinstance(address, str):
        inapplicable(f"the server registers no {member}")
    return address, consent(authorization)


@needs("session")
@requirement("RFC7591-2-15", "OIDCR-2-12")
def test_client_uri_is_a_link(session: Session):
    """The consent page links to the client_uri."""
    address, page = linked(session, "client_uri")

    assert page.soup.find("a", href=address), f"no link leads to {address}"


@needs("session")
@requirement("RFC7591-2-16", "OIDCR-2-12")
def test_the_logo_is_shown(session: Session):
    """The consent page shows the client's logo, from its place or from a copy."""
    address, page = linked(session, "logo_uri")
    usual = len(consent(session.granted()).soup.find_all("img"))

    assert page.soup.find("img", src=address) or len(page.soup.find_all("img")) > usual, "the page shows no logo"


@needs("session")
@requirement("RFC7591-2-19", "OIDCR-2-12")
def test_the_terms_are_shown(session: Session):
    """The consent page shows where the terms of service are."""
    address, page = linked(session, "tos_uri")

    assert page.soup.find("a", href=address) or address in page.text, f"the page does not show {address}"


@needs("session")
@requirement("RFC7591-2-20", "OIDCR-2-12")
def test_the_privacy_policy_is_shown(session: Session):
    """The consent page shows where the privacy policy is."""
    address, page = linked(session, "policy_uri")

    assert page.soup.find("a", href=address) or address in page.text, f"the page does not show {address}"
