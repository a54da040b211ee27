"""Which redirect_uri an authorization request may name: one of the client's own, character by character.

Judged by where the user would be sent, not by the status: see `dcrcheck.landing`.
"""

import base64
import json
import re
from collections.abc import Callable

import pytest

from dcrcheck import (
    REDIRECT_URI,
    Answer,
    Endpoint,
    Landing,
    Page,
    Session,
    inapplicable,
    inconclusive,
    land,
    land_pushed,
    requirement,
)

Way = Callable[..., Landing]
FOREIGN = "https://foreign.example/cb"
_REFRESH = re.compile("refresh", re.I)
_FOREIGN_WAY = re.compile(r"""^(refresh:.*url\s*=\s*["']?|\w+:\s*|script:.*location[\w.]*\s*[=(]\s*["']|"""
                          r"""script:.*postMessage\(.*["'])"""
                          r"(https:)?//foreign\.example", re.I | re.S)


@requirement("HARD-REDIRECT-MATCH", "RFC9700-2.1-01", "RFC9700-2.1-02", "RFC8252-8.4-04", "OAUTH21-2.3.5-02",
             "OAUTH21-4.1.1-06", "OAUTH21-4.1.2.1-01", "MCP-2025-03-26-OPENREDIR-01", "MCP-SBP-CONSENT-05",
             "OIDCR-2-02", "OAUTH21-2.3.1-02")
@pytest.mark.parametrize("uri", [
    pytest.param(FOREIGN, id="foreign-host"),
    pytest.param("https://client.invalid/cb", id="other-top-level"),
    pytest.param("javascript:void(0)", id="executable"),
    pytest.param("com.example.app:/cb", id="private-use-scheme"),
    pytest.param("http://127.0.0.1/cb", id="loopback"),
    pytest.param("//foreign.example/cb", id="network-path"),
    pytest.param("/cb", id="path"),
])
def test_a_foreign_redirect_uri_is_not_followed(endpoint: Endpoint, session: Session | None, uri: str):
    """An authorization request does not send the user to a URI that the client never registered."""
    landing = land(endpoint, session, endpoint.client(redirect_uris=[REDIRECT_URI]), redirect_uri=uri)

    assert not landing.astray, landing.describe()


@requirement("HARD-REDIRECT-MATCH", "RFC9700-2.1-01", "RFC8252-8.4-04", "MCP-2025-03-26-OPENREDIR-01",
             "MCP-SBP-CONSENT-05")
@pytest.mark.parametrize("uri", [
    pytest.param("https://client.example.foreign.example/cb", id="registered-host-as-prefix"),
    pytest.param("https://foreignclient.example/cb", id="registered-host-as-suffix"),
    pytest.param("https://foreign.client.example/cb", id="subdomain"),
    pytest.param("https://clientxexample/cb", id="dot-as-wildcard"),
    pytest.param("https://example/cb", id="parent-domain"),
    pytest.param("https://foreign.example/https://client.example/cb", id="registered-uri-as-path"),
    pytest.param("https://foreign.example/?https://client.example/cb", id="registered-uri-as-query"),
    pytest.param("https://foreign.example/#https://client.example/cb", id="registered-uri-as-fragment"),
])
def test_a_host_that_resembles_the_registered_one_is_not_accepted(endpoint: Endpoint, session: Session | None,
                                                                  uri: str):
    """A host that begins, ends or reads like the registered one receives nothing."""
    landing = land(endpoint, session, endpoint.client(redirect_uris=[REDIRECT_URI]), redirect_uri=uri)

    assert not landing.astray, landing.describe()


@requirement("HARD-REDIRECT-MATCH", "RFC9700-2.1-01", "RFC8252-8.4-04", "RFC9700-4.1.3-01",
             "MCP-2025-03-26-OPENREDIR-01", "MCP-SBP-CONSENT-05", "OIDCR-2-02", "OAUTH21-2.3.1-02")
@pytest.mark.parametrize("uri", [
    pytest.param("https://client.example/other", id="other-path"),
    pytest.param("https://client.example/", id="root"),
    pytest.param("https://client.example/cb/x", id="longer-path"),
    pytest.param("https://client.example/cbx", id="longer-name"),
    pytest.param("https://client.example/c", id="shorter-name"),
    pytest.param("https://client.example/cb/", id="trailing-slash"),
    pytest.param("https://client.example/CB", id="upper-case"),
    pytest.param("https://client.example/cb/../other", id="dot-segments"),
    pytest.param("https://client.example/cb/..;/other", id="path-parameter-dots"),
    pytest.param("https://client.example/cb/..%2fother", id="encoded-slash"),
    pytest.param("https://client.example/cb%2f..%2fother", id="encoded-slashes"),
    pytest.param("https://client.example/cb/%252e%252e/other", id="encoded-twice"),
    pytest.param("https://client.example/cb;x", id="path-parameter"),
    pytest.param("https://client.example//cb", id="doubled-slash"),
])
def test_another_path_is_not_accepted(endpoint: Endpoint, session: Session | None, uri: str):
    """Another path on the registered host, however close to the registered one, receives nothing."""
    landing = land(endpoint, session, endpoint.client(redirect_uris=[REDIRECT_URI]), redirect_uri=uri)

    assert not landing.astray, landing.describe()


@requirement("RFC8252-8.4-03", "OAUTH21-2.3.1-01")
@pytest.mark.parametrize("registered", ["https://client.example", "https://client.example/"], ids=["origin", "root"])
def test_a_registered_origin_does_not_stand_for_its_pages(endpoint: Endpoint, session: Session | None, registered: str):
    """A redirect URI without a path is refused, or does not cover the pages of its host."""
    answer = endpoint.submit(redirect_uris=[registered])
    if answer.client is None or not answer.client.redirect_uris:
        return
    if endpoint.where(answer.client) == "local" and endpoint.where(endpoint.client()) != "local":
        inapplicable(f"the server registers {registered!r}, and then does not know it again: it stands for nothing")

    landing = land(endpoint, session, answer.client, redirect_uri="https://client.example/other")
    assert not landing.astray, f"{registered!r} was registered, and {landing.describe()}"


@requirement("HARD-REDIRECT-MATCH", "RFC9700-2.1-01", "RFC8252-8.4-04", "OIDCR-2-02")
@pytest.mark.parametrize("uri", ["https://client.example/cb?x=1", "https://client.example/cb?next=//foreign.example",
                                 "https://client.example/cb#dcrcheck"], ids=["query", "query-with-address", "fragment"])
def test_an_added_query_or_fragment_is_not_accepted(endpoint: Endpoint, session: Session | None, uri: str):
    """A query or fragment that the client did not register does not travel with the answer."""
    landing = land(endpoint, session, endpoint.client(redirect_uris=[REDIRECT_URI]), redirect_uri=uri)

    assert not landing.astray, landing.describe()


@requirement("HARD-REDIRECT-MATCH", "RFC9700-2.1-01", "RFC8252-8.4-04", "OIDCR-2-02")
@pytest.mark.parametrize("uri", ["https://client.example/cb", "https://client.example/cb?tenant=b",
                                 "https://client.example/cb?tenant=a&tenant=b", "https://client.example/cb?tenant="],
                         ids=["removed", "changed", "doubled", "emptied"])
def test_a_registered_query_cannot_be_changed(endpoint: Endpoint, session: Session | None, uri: str):
    """The query that a client registered with its redirect URI is compared like the rest of it."""
    client = endpoint.client(redirect_uris=["https://client.example/cb?tenant=a"])

    landing = land(endpoint, session, client, redirect_uri=uri)
    assert not landing.astray, landing.describe()


@requirement("RFC9700-2.1-01", "RFC8252-8.4-04", "OAUTH21-4.1.1-07", "RFC9700-4.1.3-01", "OIDCR-2-02")
@pytest.mark.parametrize("uri", [
    pytest.param("HTTPS://client.example/cb", id="scheme-in-upper-case"),
    pytest.param("https://CLIENT.example/cb", id="host-in-upper-case"),
    pytest.param("https://client.example:443/cb", id="default-port"),
    pytest.param("https://client.example:/cb", id="empty-port"),
    pytest.param("https://client.example/%63b", id="needless-encoding"),
    pytest.param("https://client.example/x/../cb", id="dot-segments"),
    pytest.param("https://client.example/./cb", id="single-dot"),
    pytest.param("https://client.example./cb", id="trailing-dot"),
    pytest.param("https://client.example/cb?", id="empty-query"),
])
def test_an_equivalent_spelling_is_not_accepted(endpoint: Endpoint, session: Session | None, uri: str):
    """A redirect_uri that is the registered one after normalisation, but not as a string, is not used."""
    landing = land(endpoint, session, endpoint.client(redirect_uris=[REDIRECT_URI]), redirect_uri=uri)

    assert not landing.astray, landing.describe()


@requirement("HARD-REDIRECT-MATCH", "RFC9700-2.1-01", "RFC8252-8.4-04")
@pytest.mark.parametrize("uri", [
    pytest.param("https://client.example@foreign.example/cb", id="registered-host-as-user"),
    pytest.param("https://client.example:443@foreign.example/cb", id="host-and-port-as-user"),
    pytest.param("https://client.example%2540foreign.example/cb", id="encoded-at-sign"),
    pytest.param("https://foreign.example@client.example@foreign.example/cb", id="two-at-signs"),
    pytest.param("https://user@client.example/cb", id="user-at-registered-host"),
])
def test_user_information_does_not_hide_another_host(endpoint: Endpoint, session: Session | None, uri: str):
    """User information in redirect_uri, such as the registered host, makes it another URI, which receives nothing."""
    landing = land(endpoint, session, endpoint.client(redirect_uris=[REDIRECT_URI]), redirect_uri=uri)

    assert not landing.astray, landing.describe()


@requirement("HARD-REDIRECT-MATCH", "RFC9700-2.1-01", "RFC8252-8.4-04")
@pytest.mark.parametrize("uri", [
    pytest.param("https://foreign.example\\@client.example/cb", id="backslash-before-at"),
    pytest.param("https://foreign.example\\.client.example/cb", id="backslash-in-host"),
    pytest.param("https://foreign.example/\t@client.example/cb", id="tab-after-slash"),
    pytest.param("https://foreign.example;@client.example/cb", id="semicolon"),
    pytest.param("https://foreign.example%5c@client.example/cb", id="encoded-backslash"),
    pytest.param("https:foreign.example/cb", id="no-slash"),
    pytest.param("https:///foreign.example/cb", id="three-slashes"),
    pytest.param("https:\\\\foreign.example\\cb", id="backslashes-for-slashes"),
    pytest.param("\\\\foreign.example/cb", id="backslashes-without-scheme"),
    pytest.param("https://foreign.example?@client.example/cb", id="query-before-at"),
    pytest.param("https://foreign.example#@client.example/cb", id="fragment-before-at"),
    pytest.param("https://client.example\uff0ffb.foreign.example/cb", id="full-width-slash"),
])
def test_a_confusing_redirect_uri_is_not_accepted(endpoint: Endpoint, session: Session | None, uri: str):
    """A redirect_uri that some parser takes for the registered one, and a browser does not, receives nothing."""
    landing = land(endpoint, session, endpoint.client(redirect_uris=[REDIRECT_URI]), redirect_uri=uri)

    assert not landing.astray, landing.describe()


@requirement("HARD-REDIRECT-MATCH", "RFC9700-2.1-01", "RFC9700-2.6-04", "RFC8252-8.4-04", "RFC9700-4.1.3-01",
             "OIDCR-2-02")
@pytest.mark.parametrize("uri", ["https://client.example:8443/cb", "https://client.example:80/cb",
                                 "http://client.example/cb"], ids=["port", "port-of-http", "http"])
def test_another_port_or_http_is_not_accepted(endpoint: Endpoint, session: Session | None, uri: str):
    """Beyond the loopback interface neither the port nor the scheme of the registered URI may vary."""
    landing = land(endpoint, session, endpoint.client(redirect_uris=[REDIRECT_URI]), redirect_uri=uri)

    assert not landing.astray, landing.describe()


@requirement("HARD-REDIRECT-MATCH", "RFC9700-2.1-01", "RFC8252-8.4-04")
@pytest.mark.parametrize("uri", [
    pytest.param("https://client.example/cb\x00.foreign.example", id="nul"),
    pytest.param("https://client.example\x00.foreign.example/cb", id="nul-in-host"),
    pytest.param("https://client.example/c\tb", id="tab"),
    pytest.param("https://client.example/cb\n/x", id="line-feed"),
    pytest.param("https://client.example/cb x", id="space"),
    pytest.param(" https://client.example/cb", id="leading-space"),
    pytest.param("https://client.example/cb ", id="trailing-space"),
    pytest.param("\thttps://client.example/cb", id="leading-tab"),
    pytest.param("https://client.example/cb\n", id="trailing-line-feed"),
    pytest.param("https://client.example/cb\x00", id="trailing-nul"),
    pytest.param("https://client.example/cb\u200b", id="zero-width-space"),
    pytest.param("https://foreign.example/cb https://client.example/cb", id="list-by-space"),
    pytest.param("https://foreign.example/cb,https://client.example/cb", id="list-by-comma"),
    pytest.param("https://foreign.example/cb\nhttps://client.example/cb", id="list-by-line-feed"),
])
def test_blanks_and_control_characters_do_not_bend_the_comparison(endpoint: Endpoint, session: Session | None,
                                                                  uri: str):
    """A redirect_uri with blanks, control characters or a second URI in it receives nothing."""
    landing = land(endpoint, session, endpoint.client(redirect_uris=[REDIRECT_URI]), redirect_uri=uri)

    assert not landing.astray, landing.describe()


@requirement("HARD-REDIRECT-MATCH", "RFC9700-2.1-02")
@pytest.mark.parametrize("params", [
    pytest.param({"redirect_uri": [REDIRECT_URI, FOREIGN]}, id="foreign-last"),
    pytest.param({"redirect_uri": [FOREIGN, REDIRECT_URI]}, id="foreign-first"),
    pytest.param({"redirect_uri": REDIRECT_URI, "redirect_uri[]": FOREIGN}, id="array-name"),
    pytest.param({"redirect_uri": REDIRECT_URI, "form": {"redirect_uri": FOREIGN}}, id="foreign-in-the-body"),
    pytest.param({"redirect_uri": FOREIGN, "form": {"redirect_uri": REDIRECT_URI}}, id="foreign-in-the-query"),
    pytest.param({"redirect_uri": REDIRECT_URI, "Redirect_Uri": FOREIGN}, id="other-case"),
    pytest.param({"redirect_uri": REDIRECT_URI, "next": FOREIGN, "continue": FOREIGN, "return_to": FOREIGN,
                  "target_link_uri": FOREIGN, "post_logout_redirect_uri": FOREIGN}, id="other-names"),
])
def test_a_second_address_is_not_followed(endpoint: Endpoint, session: Session | None, params: dict[str, object]):
    """A foreign address beside the registered redirect_uri, repeated, renamed or in the body, is not followed."""
    landing = land(endpoint, session, endpoint.client(redirect_uris=[REDIRECT_URI]), goal=FOREIGN, **params)

    assert not landing.astray, landing.describe()


@requirement("HARD-REDIRECT-MATCH", "RFC9700-2.1-01")
@pytest.mark.parametrize("algorithm", ["none", "HS256"])
@pytest.mark.parametrize("way", [land, land_pushed], ids=["sent", "pushed"])
def test_a_request_object_does_not_replace_the_redirect_uri(endpoint: Endpoint, session: Session | None, way: Way,
                                                            algorithm: str):
    """A request object that no key of the client has signed does not bring in a foreign redirect URI."""
    client = endpoint.client(redirect_uris=[REDIRECT_URI])
    claims = {"iss": client.client_id, "aud": endpoint.target.issuer, "client_id": client.client_id,
              "response_type": "code", "redirect_uri": FOREIGN}
    header, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
                    for part in ({"alg": algorithm, "typ": "JWT"}, claims))
    signature = "" if algorithm == "none" else "ZGNyY2hlY2s"

    landing = way(endpoint, session, client, goal=FOREIGN, request=f"{header}.{body}.{signature}")
    assert not landing.astray, landing.describe()


@requirement("HARD-REDIRECT-MATCH", "RFC7591-3.1-02")
def test_a_client_cannot_use_the_redirect_uri_of_another(endpoint: Endpoint, session: Session | None):
    """The redirect URI of one client is foreign to every other client."""
    other = endpoint.client(redirect_uris=["https://other.client.example/cb"])

    landing = land(endpoint, session, endpoint.client(redirect_uris=[REDIRECT_URI]), redirect_uri=other.redirect_uri)
    assert not landing.astray, landing.describe()


@requirement("OAUTH21-2.3.5-02", "RFC9700-2.1-02")
@pytest.mark.parametrize("params", [{}, {"response_mode": "form_post"}, {"response_mode": "web_message"}],
                         ids=["usual", "form-post", "web-message"])
def test_the_error_page_does_not_lead_to_the_foreign_redirect_uri(endpoint: Endpoint, params: dict[str, str]):
    """The page that refuses a redirect_uri does not send the browser there by refresh, script, form or frame."""
    answer = endpoint.authorize(endpoint.client(redirect_uris=[REDIRECT_URI]), redirect_uri=FOREIGN, **params)
    if answer.status in (0, 429) or answer.status >= 500:
        inconclusive(f"the authorization endpoint does not answer the probe: {answer.describe()}")

    led = [way for way in _ways_out(answer) if _FOREIGN_WAY.search(way)]
    assert not led, f"the answer leads on by {led[0][:200]!r}"


def _ways_out(answer: Answer) -> list[str]:
    """What a browser acts on without being asked."""
    soup = Page(url=answer.url, status=answer.status, headers=answer.headers, html=answer.text).soup
    return [f"refresh: {answer.headers.get('refresh', '')}",
            *(f"refresh: {tag.get('content')}" for tag in soup.find_all("meta", {"http-equiv": _REFRESH})),
            *(f"{tag.name}: {tag.get('action') or tag.get('src')}" for tag in soup.find_all(["form", "iframe"])),
            *(f"script: {tag.get_text()}" for tag in soup.find_all("script"))]
