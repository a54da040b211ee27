"""Malformed Authorization headers (RFC 9110, section 11.6.2; RFC 6750, section 2.1; CVE-2026-9803)."""

import pytest

from dcrcheck import Endpoint, inconclusive, needs, requirement

MALFORMED = {
    "scheme-only": ["Bearer"],
    "lower-case-scheme": ["bearer"],
    "two-words": ["Bearer a b"],
    "two-blanks": ["Bearer  a b"],
    "dots": ["Bearer .."],
    "three-dotted-parts": ["Bearer a.b.c"],
    "basic-only": ["Basic"],
    "basic-not-base64": ["Basic !!"],
    "empty": [""],
    "latin-1": ["Bearer \udce9"],
    "long": ["Bearer " + "a" * 7000],
    "16-kilobytes": ["Bearer " + "a" * 16_384],
    "twice": ["Bearer a", "Basic b"],
}


@requirement("HARD-MALFORMED-AUTHORIZATION", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@pytest.mark.parametrize("header", MALFORMED)
def test_a_malformed_authorization_header_is_an_ordinary_error(endpoint: Endpoint, header: str):
    """A registration with a malformed Authorization header is refused in good order, or registered where anyone may."""
    answer = endpoint.submit(headers=[("content-type", "application/json"), ("accept", "application/json"),
                                      *(("authorization", value) for value in MALFORMED[header])])
    if answer.status == 429:
        inconclusive("the server limits registrations")

    assert not answer.broke_down, f"the server answered {answer.describe()}"
    assert answer.registered is None or endpoint.profile.access == "anonymous", "it registered a client without a token"


@requirement("HARD-MALFORMED-AUTHORIZATION", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@needs("management")
@pytest.mark.parametrize("header", ["scheme-only", "two-words", "three-dotted-parts", "basic-not-base64"])
def test_a_malformed_authorization_header_opens_no_client(endpoint: Endpoint, header: str):
    """A read of a client with a malformed Authorization header is refused in good order."""
    client = endpoint.client()

    answer = endpoint.manage(client, token=None, headers={"authorization": MALFORMED[header][0]})

    assert not answer.broke_down, f"the server answered {answer.describe()}"
    assert 400 <= answer.status < 500, f"the server answered {answer.describe()}"


@requirement("HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR", "HARD-MALFORMED-AUTHORIZATION")
@needs("token_endpoint")
@pytest.mark.parametrize("header", ["scheme-only", "basic-only", "basic-not-base64", "latin-1"])
def test_a_malformed_authorization_header_does_not_break_the_token_endpoint(endpoint: Endpoint, header: str):
    """A token request with a malformed Authorization header is refused in good order."""
    url = endpoint.target.endpoint("token_endpoint") or ""

    answer = endpoint.send("POST", url, headers={"authorization": MALFORMED[header][0]},
                           form={"grant_type": "authorization_code", "code": "dcrcheck-no-such-code"})

    assert not answer.broke_down, f"the server answered {answer.describe()}"
