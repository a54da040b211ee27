"""Software statements of an issuer that the server trusts (RFC 7591, sections 2.3, 3.1.1, 3.2.1 and 5)."""

import json
import time
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from dcrcheck import Endpoint, inapplicable, needs, requirement

VOUCHED = {
    "client_name": "Vouched-for application",
    "client_uri": "https://client.example/vouched-for",
    "contacts": ["vouched-for@client.example"],
    "software_version": "7.0-vouched-for",
}
PLAIN = {
    "client_name": "Plain application",
    "client_uri": "https://client.example/plain",
    "contacts": ["plain@client.example"],
    "software_version": "1.0-plain",
}


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def statement(endpoint: Endpoint, header: dict[str, Any] | None = None, /, **claims: Any) -> str:
    """A statement that the server has reason to believe; a claim of None is left out."""
    extra = endpoint.target.extra
    payload = {"iss": extra["statement_issuer"], "software_id": "dcrcheck-software", **claims}
    return jwt.encode({name: value for name, value in payload.items() if value is not None},
                      extra["statement_key"], algorithm="ES256", headers=header)


@needs("statement")
@requirement("RFC7591-2-29", "RFC7591-3.1.1-02")
@pytest.mark.parametrize("member", VOUCHED)
def test_the_statement_wins_over_the_json(endpoint: Endpoint, member: str):
    """Where a trusted software statement and the JSON carry the same member, the statement's value is registered."""
    client = endpoint.register(**{member: PLAIN[member]},
                               software_statement=statement(endpoint, **{member: VOUCHED[member]}))

    assert client.stored(member) == VOUCHED[member], f"the server registered {client.stored(member)!r}"


@needs("statement")
@requirement("RFC7591-5-18")
def test_a_stolen_statement_keeps_its_redirect_uris(endpoint: Endpoint):
    """The redirect URIs of a trusted software statement are not replaced by those in the plain JSON."""
    own = "https://client.example/cb/vouched-for"

    client = endpoint.register(redirect_uris=["https://foreign.example/cb"],
                               software_statement=statement(endpoint, redirect_uris=[own]))

    assert client.stored("redirect_uris") == [own], f"the server registered {client.stored('redirect_uris')!r}"


@needs("statement")
@requirement("RFC7591-3.2.1-15")
def test_a_used_statement_is_returned_unmodified(endpoint: Endpoint):
    """The response to a registration with a trusted software statement carries that statement, byte for byte."""
    sent = statement(endpoint, software_version="7.0")

    client = endpoint.register(software_statement=sent)

    assert client.get("software_statement") == sent, "the statement in the response is absent or another one"


@needs("statement")
@requirement("RFC7591-3.2.1-16")
@pytest.mark.parametrize("member", ["software_version", "client_uri"])
def test_values_of_a_statement_are_top_level_members(endpoint: Endpoint, member: str):
    """What was taken from a software statement also stands as a member of the response."""
    client = endpoint.register(software_statement=statement(endpoint, **{member: VOUCHED[member]}))

    assert client.get(member) == VOUCHED[member], f"{member} of the response is {client.get(member)!r}"


@needs("statement")
@requirement("RFC7591-2.3-02")
def test_a_statement_without_issuer_has_no_effect(endpoint: Endpoint):
    """A software statement without an iss claim is refused, though its signature is good."""
    name = endpoint.unique("issued by nobody")

    answer = endpoint.submit(software_statement=statement(endpoint, iss=None, client_name=name))

    assert answer.refused or answer.stored("client_name") != name, "the server registered what nobody vouched for"


@needs("statement")
@requirement("RFC7591-2.3-01", "RFC8725-3.3-01")
@pytest.mark.parametrize("part", ["header", "claims", "signature"])
def test_an_altered_statement_has_no_effect(endpoint: Endpoint, part: str):
    """A software statement that was changed after it was signed is not believed."""
    name = endpoint.unique("altered")
    head, _, seal = statement(endpoint, client_name="Genuine application").split(".")
    _, claims, other = statement(endpoint, client_name=name).split(".")
    altered = {"header": f"{encoded({'alg': 'ES256', 'kid': 'dcrcheck'})}.{claims}.{other}",
               "claims": f"{head}.{claims}.{seal}", "signature": f"{head}.{claims}.{other[::-1]}"}[part]

    answer = endpoint.submit(software_statement=altered)

    assert answer.refused or answer.stored("client_name") != name, "the server registered the altered claims"


@needs("statement")
@requirement("RFC8725-3.8-01")
def test_a_statement_of_another_issuer_has_no_effect(endpoint: Endpoint):
    """A software statement that names another issuer than the one whose key signed it is not believed."""
    name = endpoint.unique("issued by another")

    answer = endpoint.submit(software_statement=statement(endpoint, iss="https://foreign.example", client_name=name))

    assert answer.refused or answer.stored("client_name") != name, "the server registered its claims"


@needs("statement")
@requirement("RFC8725-3.9-01")
def test_a_statement_for_another_server_has_no_effect(endpoint: Endpoint):
    """A software statement whose audience is another server is not believed."""
    name = endpoint.unique("meant for another")

    answer = endpoint.submit(software_statement=statement(endpoint, aud="https://foreign.example", client_name=name))

    assert answer.refused or answer.stored("client_name") != name, "the server registered its claims"


@needs("statement")
@requirement("HARD-JWT-CRITICAL")
def test_a_statement_with_an_unknown_critical_header_has_no_effect(endpoint: Endpoint):
    """A software statement is not believed where crit names a header that the server cannot know."""
    name = endpoint.unique("critical")
    header = {"crit": ["dcrcheck"], "dcrcheck": 1}

    answer = endpoint.submit(software_statement=statement(endpoint, header, client_name=name))

    assert answer.refused or answer.stored("client_name") != name, "the server registered its claims"


@needs("statement")
@requirement("RFC8725-3.7-01")
@pytest.mark.parametrize(("part", "encoding"), [("header", "utf-16"), ("claims", "utf-16"), ("claims", "latin-1")])
def test_a_statement_in_another_encoding_has_no_effect(endpoint: Endpoint, part: str, encoding: str):
    """A software statement whose header or claims are not UTF-8 is not believed."""
    name = endpoint.unique("é")
    issuer = endpoint.target.extra["statement_issuer"]
    texts = {"header": '{"alg":"ES256","typ":"é"}', "claims": f'{{"iss":"{issuer}","client_name":"{name}"}}'}
    raw = {key: text.encode(encoding if key == part else "utf-8") for key, text in texts.items()}

    answer = endpoint.submit(software_statement=sealed(endpoint, raw["header"], raw["claims"]))

    assert answer.refused or answer.stored("client_name") != name, "the server registered its claims"


def sealed(endpoint: Endpoint, header: bytes, claims: bytes) -> str:
    """A statement of exactly these octets, signed by the issuer that the server trusts."""
    head = f"{encoded(header)}.{encoded(claims)}"
    key = load_pem_private_key(endpoint.target.extra["statement_key"].encode(), None)
    return f"{head}.{encoded(jwt.get_algorithm_by_name('ES256').sign(head.encode(), key))}"


@needs("statement")
@requirement("RFC7591-3.2.2-10")
@pytest.mark.parametrize("claims", [{"exp": -3600}, {"nbf": 3600}], ids=["expired", "not-yet-valid"])
def test_a_statement_outside_its_time_is_invalid(endpoint: Endpoint, claims: dict[str, int]):
    """A software statement that has expired, or is not valid yet, is answered with invalid_software_statement."""
    times = {name: int(time.time()) + offset for name, offset in claims.items()}

    answer = endpoint.submit(software_statement=statement(endpoint, **times))

    assert answer.refused, "the server registered the client with it"
    assert answer.error == "invalid_software_statement", f"the server answered {answer.describe()}"


@needs("statement")
@requirement("RFC7591-3.2.2-11")
def test_an_unapproved_statement_is_reported_as_such(endpoint: Endpoint):
    """A good software statement for software that is not approved is answered with unapproved_software_statement."""
    withdrawn = endpoint.target.extra.get("withdrawn_software_id")
    if withdrawn is None:
        inapplicable("no software is known that the server's owner has withdrawn")
    endpoint.client(software_statement=statement(endpoint))

    answer = endpoint.submit(software_statement=statement(endpoint, software_id=withdrawn))

    assert answer.refused, "the server registered the client with it"
    assert answer.error == "unapproved_software_statement", f"the server answered {answer.describe()}"
