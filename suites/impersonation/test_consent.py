"""Consent of the user: asked every time, by nobody but the server, and about what is really requested."""

import pytest

from dcrcheck import Authorization, Endpoint, Session, inapplicable, inconclusive, needs, observes, requirement

FOREIGN = "https://foreign.example"


def was_asked(authorization: Authorization) -> bool:
    """Whether the user had something to decide. A page that only asks for a password decides nothing."""
    return any(not page.asks_login or page.shows_host(authorization.redirect_uri) for page in authorization.pages)


@needs("session")
@requirement("HARD-CONSENT-ASKED")
def test_a_new_client_needs_consent(endpoint: Endpoint, session: Session):
    """A client that nobody has approved yet receives no code before the user is asked."""
    session.granted()

    authorization = session.authorize(endpoint.register())

    assert authorization.code is None or was_asked(authorization), "the client received a code and nobody was asked"


@needs("session")
@requirement("HARD-CONSENT-ASKED", "MCP-2025-06-18-DEPUTY-01", "MCP-SBP-CONSENT-01")
def test_a_copy_needs_consent_of_its_own(endpoint: Endpoint, session: Session):
    """A client that copies the name and redirect URI of an approved one receives no code before the user is asked."""
    original = session.granted().client
    copy = endpoint.register(client_name=original.stored("client_name") or endpoint.unique())
    if copy.client_id == original.client_id:
        inapplicable("the server takes registrations that are alike for one client")

    authorization = session.authorize(copy)

    assert authorization.code is None or was_asked(authorization), "the copy received a code and nobody was asked"


@needs("session")
@requirement("HARD-CONSENT-ASKED")
def test_consent_is_not_silent(endpoint: Endpoint, session: Session):
    """A new client that asks for prompt=none receives no code, though the user is logged in."""
    session.granted()

    authorization = session.authorize(endpoint.register(), prompt="none")

    assert authorization.code is None or was_asked(authorization), "the client received a code and nobody was asked"


@needs("session")
@requirement("STRUCT-CONSENT-ALWAYS")
@observes("RFC8252-8.6-03")
def test_consent_is_asked_again(endpoint: Endpoint, session: Session):
    """A client that was approved receives no second code before the user is asked again."""
    client = session.granted().client

    authorization = session.authorize(client)

    again = "asked again" if was_asked(authorization) else "not asked again"
    endpoint.observe("RFC8252-8.6-03", f"the user is {again} for a client with an https redirect URI")
    assert authorization.code is None or was_asked(authorization), "the client received a code and nobody was asked"


@needs("session")
@requirement("RFC8252-8.6-01", "RFC8252-8.6-02", "OAUTH21-7.3-02", "OAUTH21-7.3.1-01")
def test_consent_for_a_local_application_is_asked_again(endpoint: Endpoint, session: Session):
    """A client on the user's own machine, which any program can pass for, receives no second code unasked."""
    client = endpoint.submit(redirect_uris=["http://127.0.0.1:51004/dcrcheck"]).client
    if client is None:
        inapplicable("the server registers no redirect URI on the loopback interface")
    session.authorize(client)

    authorization = session.authorize(client)

    assert authorization.code is None or was_asked(authorization), "the client received a code and nobody was asked"


@needs("session")
@requirement("HARD-CONSENT-CSRF", "MCP-SBP-CONSENT-03")
def test_another_site_cannot_give_consent(endpoint: Endpoint, session: Session):
    """A consent form that another user obtained gives no consent when another site sends it."""
    session.granted()
    stranger = session.other
    looked = (stranger or session.fresh()).authorize(endpoint.register(), decision="look")
    if not looked.pages or looked.location is not None:
        inapplicable("the server shows no consent page")

    outcome = session.decide(looked, cross_site=FOREIGN)
    if outcome.code is not None and stranger is None:
        inconclusive("the form was the user's own, from another browser, and may be good for nobody else: name another "
                     "user in DCRCHECK_OTHER_USERNAME and _PASSWORD")

    assert outcome.code is None, "the form approved the request in the name of whoever was logged in"


@needs("session")
@requirement("HARD-CONSENT-BOUND")
def test_consent_is_worth_nothing_in_another_browser(endpoint: Endpoint, session: Session):
    """The link that follows a consent given before the login yields no code in a browser whose user was not asked."""
    session.granted()
    stranger = session.fresh()
    looked = stranger.authorize(endpoint.register(), decision="look")
    if not looked.pages or looked.location is not None:
        inapplicable("the server shows no consent page")
    if len(looked.pages) > 1:
        inapplicable("the server asks who is there first, so that a consent is the stranger's own")
    link = stranger.pass_on(looked)
    if link is None or link.startswith(looked.redirect_uri):
        inapplicable("no link follows a consent but the way back to the client")

    outcome = session.take_over(link, looked)

    assert outcome.code is None or was_asked(outcome), "the stranger's client received a code and nobody was asked"


@needs("session")
@requirement("HARD-REDIRECT-MATCH")
@pytest.mark.parametrize("field", ["redirect_uri", "redirectUri", "its-own"])
def test_the_consent_form_does_not_choose_the_destination(endpoint: Endpoint, session: Session, field: str):
    """What is added to the consent form, or changed in it, does not send the user elsewhere."""
    looked = session.authorize(endpoint.register(), decision="look")
    if not looked.pages or looked.location is not None:
        inapplicable("the server shows no consent page")
    hidden = looked.pages[-1].soup.select("form input[type=hidden][name]")
    own = {str(tag["name"]): f"{FOREIGN}/cb" for tag in hidden if looked.redirect_uri in str(tag.get("value", ""))}

    outcome = session.decide(looked, fields=own if field == "its-own" else {field: f"{FOREIGN}/cb"})

    assert not (outcome.location or "").startswith(FOREIGN), "the browser was sent to a URI that is not the client's"
