"""What comes in with a request does not come back as markup (CWE-79)."""

from urllib.parse import quote, urlencode

import pytest

from dcrcheck import Answer, Endpoint, inapplicable, needs, requirement

MARKER = "dcrcheck\"'><i data-dcrcheck=1>"
MARKUP_TYPES = ("", "text/html", "application/xhtml+xml", "text/xml", "application/xml", "image/svg+xml")
BROWSER = {"accept": "text/html"}


def is_markup(answer: Answer) -> bool:
    """Whether a browser would find our element in an answer."""
    return answer.media_type in MARKUP_TYPES and "<i data-dcrcheck" in answer.text


@requirement("HARD-ERROR-MARKUP")
@needs("authorization_endpoint")
@pytest.mark.parametrize("parameter", ["client_id", "redirect_uri", "response_type", "scope", "state", "prompt",
                                       "ui_locales", "login_hint", "error_description", "error_hint", MARKER],
                         ids=lambda name: "name" if name == MARKER else name)
def test_parameters_do_not_come_back_as_markup(endpoint: Endpoint, parameter: str):
    """The parameters of an authorization request never come back unencoded in a page."""
    answer = endpoint.authorize(endpoint.client(), **{parameter: MARKER})

    assert not is_markup(answer), f"{answer.describe()} returns {parameter[:20]} as {answer.media_type or 'no type'}"


@requirement("HARD-ERROR-MARKUP")
def test_a_query_does_not_come_back_as_markup(endpoint: Endpoint):
    """The query of a registration request never comes back unencoded in an answer that a browser reads as markup."""
    url = f"{endpoint.registration_url}?{urlencode({MARKER: MARKER})}"
    answer = endpoint.submit(content=b"{", url=url, headers=BROWSER)

    assert not is_markup(answer), f"{answer.describe()} returns the query as {answer.media_type or 'no type'}"


@requirement("HARD-ERROR-MARKUP")
@needs("token_endpoint")
@pytest.mark.parametrize("parameter", ["grant_type", "client_id", "scope"])
def test_a_token_error_does_not_come_back_as_markup(endpoint: Endpoint, parameter: str):
    """The parameters of a token request never come back unencoded in an answer that a browser reads as markup."""
    url = endpoint.target.endpoint("token_endpoint") or ""
    form = {"grant_type": "authorization_code", "client_id": "dcrcheck", "code": "dcrcheck", parameter: MARKER}
    answer = endpoint.send("POST", url, headers=BROWSER, form=form)

    assert not is_markup(answer), f"{answer.describe()} returns {parameter} as {answer.media_type or 'no type'}"


@requirement("HARD-ERROR-MARKUP")
@needs("management")
def test_a_path_does_not_come_back_as_markup(endpoint: Endpoint):
    """The path of a client configuration URL never comes back unencoded in an answer that a browser reads as markup."""
    client = endpoint.client()
    uri = client.registration_client_uri or ""
    if client.client_id not in uri:
        inapplicable("the URL of the client does not hold its client_id")
    answer = endpoint.manage(client, token="dcrcheck-unknown", headers=BROWSER,
                             url=uri.replace(client.client_id, quote(MARKER, safe="")))

    assert not is_markup(answer), f"{answer.describe()} returns the path as {answer.media_type or 'no type'}"
