"""Software statements of an issuer that the server trusts (RFC 7591, sections 2.3, 3.1.1, 3.2.1 and 5)."""

import time
from typing import Any

import jwt
import pytest

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


def statement(endpoint: Endpoint, **claims: Any) -> str:
    """A statement that the server has reason to believe; a claim of None is left out."""
    extra = endpoint.target.extra
    payload = {"iss": extra["statement_issuer"], "software_id": "dcrcheck-software", **claims}
    return jwt.encode({name: value for name, value in payload.items() if value is not None},
                      extra["statement_key"], algorithm="ES256")


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
@requirement("RFC7591-2.3-01")
@pytest.mark.parametrize("part", ["claims", "signature"])
def test_an_altered_statement_has_no_effect(endpoint: Endpoint, part: str):
    """A software statement that was changed after it was signed is not believed."""
    name = endpoint.unique("altered")
    head, _, seal = statement(endpoint, client_name="Genuine application").split(".")
    _, claims, other = statement(endpoint, client_name=name).split(".")
    altered = ".".join((head, claims, seal if part == "claims" else other[::-1]))

    answer = endpoint.submit(software_statement=altered)

    assert answer.refused or answer.stored("client_name") != name, "the server registered the altered claims"


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
