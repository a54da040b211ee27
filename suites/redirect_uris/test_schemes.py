"""Which schemes a redirect URI may have (RFC 7591, section 5; RFC 8252, section 7)."""

import pytest

from dcrcheck import (
    REDIRECT_URI,
    Endpoint,
    as_browser,
    intrusive,
    is_cleartext,
    is_executable,
    observes,
    requirement,
    stored_uris,
)


@requirement("RFC7591-5-06", "HARD-REDIRECT-EXECUTABLE")
@pytest.mark.parametrize("uri", [
    pytest.param("javascript:void(0)", id="javascript"),
    pytest.param("javascript://client.example/%0avoid(0)", id="javascript-with-host"),
    pytest.param("data:text/html,dcrcheck", id="data"),
    pytest.param("data:,dcrcheck", id="data-without-type"),
    pytest.param("vbscript:x", id="vbscript"),
])
def test_an_executable_scheme_is_not_registered(endpoint: Endpoint, uri: str):
    """A redirect URI that a browser would execute or render is not registered."""
    answer = endpoint.submit(redirect_uris=[uri])

    executable = [stored for stored in stored_uris(answer) if is_executable(stored)]
    assert not executable, f"the server stored {executable!r}"


@requirement("HARD-REDIRECT-EXECUTABLE", "RFC7591-5-06")
@pytest.mark.parametrize("uri", [
    pytest.param("JAVASCRIPT:void(0)", id="upper-case"),
    pytest.param("JaVaScRiPt:void(0)", id="mixed-case"),
    pytest.param("DATA:text/html,dcrcheck", id="upper-case-data"),
    pytest.param(" javascript:void(0)", id="leading-space"),
    pytest.param("\tjavascript:void(0)", id="leading-tab"),
    pytest.param("\njavascript:void(0)", id="leading-line-feed"),
    pytest.param("\x01javascript:void(0)", id="leading-control"),
    pytest.param("java\tscript:void(0)", id="embedded-tab"),
    pytest.param("java\nscript:void(0)", id="embedded-line-feed"),
    pytest.param("java\rscript:void(0)", id="embedded-return"),
    pytest.param("javascript\t:void(0)", id="tab-before-colon"),
    pytest.param("javascript:void(0) ", id="trailing-space"),
])
def test_no_spelling_of_an_executable_scheme_is_registered(endpoint: Endpoint, uri: str):
    """Upper case, blanks and control characters do not carry an executable redirect URI past the server."""
    answer = endpoint.submit(redirect_uris=[uri])

    executable = [stored for stored in stored_uris(answer) if is_executable(stored)]
    assert not executable, f"the server stored {executable!r}, which browsers execute"


@requirement("RFC7591-5-06")
@pytest.mark.parametrize("uri", [
    "file:///dcrcheck", "blob:https://client.example/dcrcheck", "about:blank", "view-source:https://client.example/cb",
    "mailto:dcrcheck@client.example", "tel:+0", "intent://client.example/cb", "ftp://client.example/cb",
    "ws://client.example/cb", "filesystem:https://client.example/cb", "chrome://settings/",
], ids=lambda uri: uri.partition(":")[0])
def test_a_shared_scheme_is_not_registered(endpoint: Endpoint, uri: str):
    """A redirect URI of a scheme that belongs to the browser or to everyone is not registered."""
    answer = endpoint.submit(redirect_uris=[uri])

    scheme = uri.partition(":")[0]
    shared = [stored for stored in stored_uris(answer) if stored.lower().startswith(f"{scheme}:")]
    assert not shared, f"the server stored {shared!r}, which no client alone can receive"


@requirement("RFC7591-5-05", "RFC9700-2.6-04", "STRUCT-REDIRECT-CLASSES", "MCP-2025-03-26-COMMSEC-02", "RFC9700-2.6-03")
@observes("OIDCR-2-10")
@pytest.mark.parametrize("uri", [
    pytest.param("http://client.example/cb", id="remote-host"),
    pytest.param("http://client.example:8080/cb", id="remote-port"),
    pytest.param("HTTP://client.example/cb", id="upper-case"),
    pytest.param("http://client.example:443/cb", id="port-of-https"),
    pytest.param("http://192.0.2.1/cb", id="remote-address"),
])
def test_cleartext_http_to_a_remote_host_is_not_registered(endpoint: Endpoint, uri: str):
    """A redirect URI that would send codes over plain http to another machine is not registered."""
    answer = endpoint.submit(redirect_uris=[uri])

    cleartext = [stored for stored in stored_uris(answer) if is_cleartext(stored)]
    endpoint.observe("OIDCR-2-10", f"plain http to another machine is {'registered' if cleartext else 'refused'}")
    assert not cleartext, f"the server stored {cleartext!r}"


@requirement("RFC7591-5-05", "RFC9700-2.6-04", "STRUCT-REDIRECT-CLASSES", "MCP-2025-03-26-COMMSEC-02")
@intrusive("outbound")
@pytest.mark.parametrize("uri", ["http://10.0.0.5/cb", "http://192.168.1.10/cb", "http://[fd00::5]/cb"],
                         ids=["10", "192.168", "fd00"])
def test_cleartext_http_to_a_private_address_is_not_registered(endpoint: Endpoint, uri: str):
    """A private network is not the local machine: plain http to its addresses is not registered."""
    answer = endpoint.submit(redirect_uris=[uri])

    cleartext = [stored for stored in stored_uris(answer) if is_cleartext(stored)]
    assert not cleartext, f"the server stored {cleartext!r}"


@requirement("RFC7591-5-05", "RFC7591-5-06")
@pytest.mark.parametrize("uris", [
    pytest.param([REDIRECT_URI, "javascript:void(0)"], id="executable-second"),
    pytest.param([REDIRECT_URI, "http://client.example/cb"], id="cleartext-second"),
    pytest.param([REDIRECT_URI, "https://client.example/other", "data:text/html,dcrcheck"], id="executable-last"),
    pytest.param(["http://client.example/cb", REDIRECT_URI], id="cleartext-first"),
])
def test_every_element_of_redirect_uris_is_checked(endpoint: Endpoint, uris: list[str]):
    """A good redirect URI does not carry a bad one beside it into the registration."""
    answer = endpoint.submit(redirect_uris=uris)

    bad = [stored for stored in stored_uris(answer) if is_executable(stored) or is_cleartext(stored)]
    assert not bad, f"the server stored {bad!r} beside a good one"


@requirement("STRUCT-REDIRECT-CLASSES")
@pytest.mark.parametrize("uri", ["com.example.app:/cb", "com.example.app://cb", "exampleapp:/cb", "urn:dcrcheck:cb"],
                         ids=["reverse-domain", "reverse-domain-with-host", "one-word", "urn"])
def test_a_private_use_scheme_is_not_registered(endpoint: Endpoint, uri: str):
    """A self-registered client is reached by https or on the loopback interface, by no scheme of its own."""
    answer = endpoint.submit(redirect_uris=[uri])

    other = [stored for stored in stored_uris(answer) if _scheme(stored) not in ("https", "http")]
    assert not other, f"the server stored {other!r}"


@requirement("RFC8252-8.4-06", "RFC8252-8.4-07", "OAUTH21-2.3.1-04", "OAUTH21-2.3.1-05")
@pytest.mark.parametrize("uri", ["exampleapp:/cb", "exampleapp://cb", "httpx://client.example/cb"],
                         ids=["one-slash", "two-slashes", "http-look-alike"])
def test_a_private_use_scheme_without_a_period_is_not_registered(endpoint: Endpoint, uri: str):
    """A private-use scheme that is no reverse domain name, for want of a period, is not registered."""
    answer = endpoint.submit(redirect_uris=[uri])

    short = [stored for stored in stored_uris(answer) if _scheme(stored) == uri.partition(":")[0]]
    assert not short, f"the server stored {short!r}, a scheme that anyone may claim"


@requirement("RFC8252-7-01", "RFC8252-7.1-01")
@observes("OIDCR-2-09")
@pytest.mark.parametrize("uri", [
    pytest.param("com.example.app:/oauth2redirect", id="private-use-scheme"),
    pytest.param("http://127.0.0.1/cb", id="loopback-ipv4"),
    pytest.param("http://[::1]/cb", id="loopback-ipv6"),
])
def test_each_kind_of_native_redirect_can_be_registered(endpoint: Endpoint, uri: str):
    """A native application can register a private-use scheme or a loopback address as its redirect URI."""
    answer = endpoint.submit(redirect_uris=[uri])
    if answer.refused:  # an OpenID provider allows these to application_type native alone
        answer = endpoint.submit(redirect_uris=[uri], application_type="native")
    may = "may" if uri in stored_uris(answer) else "may not"
    endpoint.observe("OIDCR-2-09", f"a native application {may} have a redirect URI like {uri}")

    assert uri in stored_uris(answer), f"the server answered {answer.describe()} and stored {stored_uris(answer)!r}"


@requirement("HARD-POST-LOGOUT-REDIRECT")
@pytest.mark.parametrize("uri", [
    "javascript:void(0)", "JaVaScRiPt:void(0)", "data:text/html,dcrcheck", "DATA:text/html,dcrcheck", "vbscript:x",
    "java\tscript:void(0)", " javascript:void(0)", "\x01javascript:void(0)",
], ids=["javascript", "mixed-case", "data", "upper-case-data", "vbscript", "embedded-tab", "leading-space",
        "leading-control"])
def test_an_executable_scheme_is_not_registered_for_the_logout(endpoint: Endpoint, uri: str):
    """post_logout_redirect_uris hold no URI that a browser would execute or render."""
    answer = endpoint.submit(post_logout_redirect_uris=[uri])

    executable = [stored for stored in stored_uris(answer, "post_logout_redirect_uris") if is_executable(stored)]
    assert not executable, f"the server stored {executable!r}"


def _scheme(uri: str) -> str:
    reading = as_browser(uri)
    return reading.scheme if reading else uri.partition(":")[0].lower()
