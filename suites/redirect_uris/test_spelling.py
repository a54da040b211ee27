"""Redirect URIs that programs read in different ways (RFC 3986; WHATWG URL Standard; OAuth 2.1, section 2.3).

A server may canonicalise what it stores: every check judges the stored URI, not the submitted one.
"""

import unicodedata

import pytest

from dcrcheck import Endpoint, as_browser, as_generic, is_ambiguous, requirement, stored_uris


@requirement("RFC7591-5-05", "OAUTH21-2.3-01")
@pytest.mark.parametrize("uri", [
    pytest.param("/cb", id="path"),
    pytest.param("//client.example/cb", id="network-path"),
    pytest.param("client.example/cb", id="bare-host"),
    pytest.param("?code", id="query"),
    pytest.param("", id="empty"),
    pytest.param("https://", id="no-host"),
    pytest.param("https", id="scheme-alone"),
])
def test_a_relative_redirect_uri_is_not_registered(endpoint: Endpoint, uri: str):
    """A redirect URI that names no scheme or no host is not registered as it is."""
    answer = endpoint.submit(redirect_uris=[uri])

    relative = [stored for stored in stored_uris(answer) if as_browser(stored) is None]
    assert not relative, f"the server stored {relative!r}, which is no absolute URI"


@requirement("OAUTH21-2.3-03")
@pytest.mark.parametrize("uri", [
    "https://client.example/cb#dcrcheck", "https://client.example/cb#", "https://client.example/cb?x=1#dcrcheck",
    "http://127.0.0.1/cb#dcrcheck",
], ids=["fragment", "empty-fragment", "after-query", "loopback"])
def test_a_redirect_uri_with_a_fragment_is_not_registered(endpoint: Endpoint, uri: str):
    """No fragment is stored with a redirect URI: the URI is refused or stored without it."""
    answer = endpoint.submit(redirect_uris=[uri])

    fragments = [stored for stored in stored_uris(answer) if "#" in stored]
    assert not fragments, f"the server stored {fragments!r}"


@requirement("HARD-REDIRECT-USERINFO", "STRUCT-REDIRECT-NO-USERINFO")
@pytest.mark.parametrize("uri", [
    "https://user:password@client.example/cb", "https://user@client.example/cb", "https://@client.example/cb",
    "https://bank.example@client.example/cb", "https://bank.example:443@client.example/cb",
], ids=["user-and-password", "user", "empty", "host-look-alike", "host-and-port-look-alike"])
def test_a_redirect_uri_with_user_information_is_not_registered(endpoint: Endpoint, uri: str):
    """No user information is stored with a redirect URI: the URI is refused or stored without it."""
    answer = endpoint.submit(redirect_uris=[uri])

    users = [stored for stored in stored_uris(answer) if "@" in stored]
    assert not users, f"the server stored {users!r}"


@requirement("HARD-REDIRECT-PARSING")
@pytest.mark.parametrize("uri", [
    pytest.param("https:client.example/cb", id="no-slash"),
    pytest.param("https:/client.example/cb", id="one-slash"),
    pytest.param("https:///client.example/cb", id="three-slashes"),
    pytest.param("https://foreign.example\\@client.example/cb", id="backslash-before-at"),
    pytest.param("https://foreign.example\\.client.example/cb", id="backslash-in-host"),
    pytest.param("https:\\\\client.example\\cb", id="backslashes-for-slashes"),
    pytest.param("https://foreign.example@foreign.example@client.example/cb", id="two-at-signs"),
    pytest.param("https://client%2eexample/cb", id="encoded-dot"),
    pytest.param("https://foreign.example%2f.client.example/cb", id="encoded-slash-in-host"),
    pytest.param("https://foreign.example%23.client.example/cb", id="encoded-hash-in-host"),
    pytest.param("https://[client.example]/cb", id="brackets-around-a-name"),
    pytest.param("https://client.example.:443/cb", id="dot-before-port"),
])
def test_a_redirect_uri_that_parsers_read_differently_is_not_registered(endpoint: Endpoint, uri: str):
    """A stored redirect URI leads to one host, whoever reads it."""
    answer = endpoint.submit(redirect_uris=[uri])

    ambiguous = [_readings(stored) for stored in stored_uris(answer) if is_ambiguous(stored)]
    assert not ambiguous, f"the server stored {'; '.join(ambiguous)}"


@requirement("HARD-REDIRECT-PARSING")
@pytest.mark.parametrize("port", [
    "65536", "65979", "4294967739", "443:80", "-1", "0x1bb", "+443", "８０", "443", "0443", "0", ""], ids=[
    "too-large", "wraps-to-443", "wraps-to-443-in-32-bits", "two-ports", "negative", "hexadecimal", "signed",
    "full-width", "default", "leading-zero", "zero", "empty"])
def test_a_redirect_uri_with_an_impossible_port_is_not_registered(endpoint: Endpoint, port: str):
    """A stored redirect URI has a port that every parser reads alike, or none."""
    answer = endpoint.submit(redirect_uris=[f"https://client.example:{port}/cb"])

    ambiguous = [_readings(stored) for stored in stored_uris(answer) if is_ambiguous(stored)]
    assert not ambiguous, f"the server stored {'; '.join(ambiguous)}"


@requirement("HARD-REDIRECT-PARSING")
@pytest.mark.parametrize("host", [
    "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "0x7f.0.0.1", "[::1%25lo]", "[::ffff:127.0.0.1]", "localhost."],
    ids=["short", "hexadecimal", "decimal", "octal", "mixed", "zone", "ipv4-in-ipv6", "dot-behind-the-name"])
def test_an_odd_spelling_of_an_address_is_not_registered(endpoint: Endpoint, host: str):
    """A stored redirect URI holds an address in its one common spelling, not a number that some parsers convert."""
    answer = endpoint.submit(redirect_uris=[f"http://{host}/cb"])

    ambiguous = [_readings(stored) for stored in stored_uris(answer) if is_ambiguous(stored)]
    assert not ambiguous, f"the server stored {'; '.join(ambiguous)}"


@requirement("HARD-REDIRECT-PARSING")
@pytest.mark.parametrize("host", [
    pytest.param("cl\u0456ent.example", id="cyrillic-letter"),
    pytest.param("xn--clent-o2e.example", id="cyrillic-letter-encoded"),
    pytest.param("client\u3002example", id="ideographic-dot"),
    pytest.param("client\uff0eexample", id="full-width-dot"),
    pytest.param("foreign.example\uff0f.client.example", id="full-width-slash"),
    pytest.param("foreign.example\u2044.client.example", id="fraction-slash"),
    pytest.param("\u212aclient.example", id="kelvin-sign"),
    pytest.param("cli\u200bent.example", id="zero-width-space"),
    pytest.param("client\u202e.example", id="bidi-override"),
])
def test_a_host_outside_ascii_is_not_registered(endpoint: Endpoint, host: str):
    """A stored redirect URI has its host in ASCII: an internationalized one is refused, or stored encoded."""
    answer = endpoint.submit(redirect_uris=[f"https://{host}/cb"])

    ambiguous = [_readings(stored) for stored in stored_uris(answer) if is_ambiguous(stored)]
    assert not ambiguous, f"the server stored {'; '.join(ambiguous)}"


@requirement("HARD-REDIRECT-CONTROL")
@pytest.mark.parametrize("uri", [
    pytest.param("https://client.example/cb\x00", id="nul"),
    pytest.param("https://client.example/c\x00b", id="embedded-nul"),
    pytest.param("https://client.example/cb\r\nX-Dcrcheck: 1", id="line-break"),
    pytest.param("https://client.example/c\tb", id="tab"),
    pytest.param("https://client.example/c b", id="space"),
    pytest.param(" https://client.example/cb", id="leading-space"),
    pytest.param("https://client.example/cb ", id="trailing-space"),
    pytest.param("https://client.example/cb\x7f", id="delete"),
    pytest.param("https://client.example/cb\x85", id="c1-control"),
    pytest.param("https://client.example/c\u00a0b", id="no-break-space"),
    pytest.param("https://client.example/c\u200bb", id="zero-width-space"),
    pytest.param("https://client.example/\u202ebc", id="bidi-override"),
    pytest.param("https://client.example/cb\ud800", id="lone-surrogate"),
])
def test_a_redirect_uri_with_invisible_characters_is_not_registered(endpoint: Endpoint, uri: str):
    """No control character, blank or invisible character is stored in a redirect URI."""
    answer = endpoint.submit(redirect_uris=[uri])

    unclean = [stored for stored in stored_uris(answer) if any(unicodedata.category(c)[0] in "CZ" for c in stored)]
    assert not unclean, f"the server stored {unclean!r}"


def _readings(uri: str) -> str:
    return f"{uri!r}, which a browser reads as {as_browser(uri)} and RFC 3986 as {as_generic(uri)}"
