"""Three readings of one URI, and whether they agree."""

import pytest

from dcrcheck.uri import as_browser, as_generic, as_library, is_ambiguous, is_cleartext


@pytest.mark.parametrize("text", [
    "https://client.example/cb", "https://client.example:443/cb", "https://client.example:0443/cb",
    "https://client.example:0/cb", "https://client.example:/cb", "https://client.example.:443/cb",
    "https://xn--clent-o2e.example/cb", "http://[::1]/cb", "http://[::ffff:127.0.0.1]/cb", "http://localhost./cb",
    "https://client.example/%0d%0a", "com.example.app:/cb", "javascript:void(0)", "https://client.example/a/../cb",
])
def test_what_every_parser_reads_alike_is_not_ambiguous(text: str):
    assert as_browser(text) == as_generic(text) == as_library(text)
    assert not is_ambiguous(text)


@pytest.mark.parametrize("text", [
    "https:client.example/cb", "https:///client.example/cb", "https://foreign.example\\@client.example/cb",
    "https://client%2eexample/cb", "https://client\u3002example/cb", "https://cli\u200bent.example/cb",
    "https://client.example:65536/cb", "https://client.example:\uff18\uff10/cb", "http://127.1/cb", "http://0x7f000001/cb",
    "https://a@b@client.example/cb", "https://client.example/\ud800", "/cb", "//client.example/cb", "https://", "",
    "http://[::1%25lo]/cb", "https://client\u202e.example/cb",
])
def test_what_two_parsers_read_differently_is_ambiguous(text: str):
    assert is_ambiguous(text)


@pytest.mark.parametrize(("text", "cleartext"), [
    ("http://client.example/cb", True), ("http://127.0.0.1/cb", False), ("http://localhost./cb", False),
    ("http://[::ffff:127.0.0.1]/cb", False), ("http://[::ffff:10.0.0.5]/cb", True), ("http://0x7f000001/cb", False),
    ("https://client.example/cb", False), ("http://0.0.0.0/cb", True),
])
def test_cleartext_is_http_to_another_machine(text: str, cleartext: bool):
    assert is_cleartext(text) is cleartext
