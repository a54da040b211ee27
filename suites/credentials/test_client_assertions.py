"""Clients that authenticate with a key of their own, by private_key_jwt (RFC 7523, section 3; RFC 8725).

What is judged is the answer to a code that nobody issued, where the client's right assertion gets another than none.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest

from dcrcheck import OMIT, Client, Endpoint, Session, inapplicable, inconclusive, needs, requirement

Forger = Callable[[Endpoint, Client], str | None]


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(algorithm: str) -> Forger:
    def forge(endpoint: Endpoint, client: Client) -> str:
        return f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{encoded(endpoint.assertions.claims(client))}."
    return forge


def maced(spelling: str) -> Forger:
    def forge(endpoint: Endpoint, client: Client) -> str:
        own = endpoint.assertions
        head = f"{encoded({'alg': 'HS256', 'kid': own.key.name})}.{encoded(own.claims(client))}"
        seal = hmac.new(own.key.spellings[spelling], head.encode(), hashlib.sha256).digest()
        return f"{head}.{encoded(seal)}"
    return forge


def by_another_key(*headers: str) -> Forger:
    def forge(endpoint: Endpoint, client: Client) -> str:
        own = endpoint.assertions
        given = {"kid": own.key.name, "jwk": own.other_key.jwk}
        return own.other_key.sign(own.claims(client), **{name: given[name] for name in headers})
    return forge


def altered(endpoint: Endpoint, client: Client) -> str:
    head, _, seal = endpoint.assertions.key.sign(endpoint.assertions.claims(client)).split(".")
    return f"{head}.{encoded(endpoint.assertions.claims(client))}.{seal}"


def stripped(endpoint: Endpoint, client: Client) -> str:
    return endpoint.assertions.key.sign(endpoint.assertions.claims(client)).rpartition(".")[0] + "."


def mac_of_nothing(endpoint: Endpoint, client: Client) -> str:
    header = {"alg": "HS256", "kid": "../../../../../../dev/null"}
    head = f"{encoded(header)}.{encoded(endpoint.assertions.claims(client))}"
    return f"{head}.{encoded(hmac.new(b'', head.encode(), hashlib.sha256).digest())}"


FORGED: dict[str, Forger] = {
    "no assertion": lambda endpoint, client: None,
    "another key": by_another_key(),
    "another key under the name of the right one": by_another_key("kid"),
    "a key in its header": by_another_key("jwk"),
    "alg none": unsigned("none"),
    "alg nOnE": unsigned("nOnE"),
    "signature stripped": stripped,
    "claims altered": altered,
    "public key as MAC key, PEM": maced("pem"),
    "public key as MAC key, DER": maced("der"),
    "public key as MAC key, JWK": maced("jwk"),
    "an empty file as MAC key": mac_of_nothing,
}


@pytest.mark.parametrize("forged", FORGED)
@needs("confidential", "token_endpoint")
@requirement("HARD-ASSERTION-KEY", "RFC8725-3.1-01", "RFC8725-3.1-02", "RFC8725-3.3-01")
def test_a_client_with_a_key_must_prove_it(endpoint: Endpoint, session: Session | None, forged: str):
    """A client that registered a key gets nowhere at the token endpoint with anything that this key did not sign."""
    client = endpoint.assertions.client()

    taken = endpoint.assertions.takes(client, FORGED[forged](endpoint, client), session=session)

    assert not taken, f"the client was let in with this: {forged}"


@pytest.mark.parametrize("times", ["expired", "without end", "not yet valid"])
@needs("confidential", "token_endpoint")
@requirement("HARD-ASSERTION-TIME")
def test_an_assertion_outside_its_time_is_refused(endpoint: Endpoint, session: Session | None, times: str):
    """A client assertion that has expired, that states no end, or that is not valid yet proves nothing."""
    now, own = int(time.time()), endpoint.assertions
    client = own.client()
    claims = {"expired": {"iat": now - 7200, "exp": now - 3600}, "without end": {"exp": OMIT},
              "not yet valid": {"nbf": now + 3600, "exp": now + 7200}}[times]

    taken = own.takes(client, own.key.sign(own.claims(client, **claims)), session=session)

    assert not taken, "the client was let in with it"


@pytest.mark.parametrize("audience", ["another server", "nobody", "an empty list"])
@needs("confidential", "token_endpoint")
@requirement("HARD-ASSERTION-AUDIENCE", "RFC8725-3.9-01")
def test_an_assertion_for_another_server_is_refused(endpoint: Endpoint, session: Session | None, audience: str):
    """A client assertion that names another audience, or none, proves nothing here."""
    own = endpoint.assertions
    client = own.client()
    value = {"another server": "https://foreign.example", "nobody": OMIT, "an empty list": []}[audience]

    taken = own.takes(client, own.key.sign(own.claims(client, aud=value)), session=session)

    assert not taken, "the client was let in with it"


@pytest.mark.parametrize("audience", ["the token endpoint", "this server and another"])
@needs("confidential", "token_endpoint")
@requirement("HARD-ASSERTION-SOLE-AUDIENCE", "OAUTH21-2.4-04")
def test_an_assertion_names_the_issuer_alone(endpoint: Endpoint, session: Session | None, audience: str):
    """A client assertion whose audience is the token endpoint, or this server and another, is refused."""
    own, issuer = endpoint.assertions, endpoint.target.issuer
    client = own.client()
    value = {"the token endpoint": endpoint.target.endpoint("token_endpoint"),
             "this server and another": [issuer, "https://foreign.example"]}[audience]

    taken = own.takes(client, own.key.sign(own.claims(client, aud=value)), session=session)

    assert not taken, "the client was let in with it"


@pytest.mark.parametrize("claims", [{"iss": "https://foreign.example"}, {"sub": "dcrcheck-another-client"},
                                    {"sub": OMIT}, {"iss": OMIT}],
                         ids=["of another issuer", "about another client", "about nobody", "of nobody"])
@needs("confidential", "token_endpoint")
@requirement("HARD-ASSERTION-SUBJECT", "RFC8725-3.8-01", "RFC8725-3.8-02")
def test_an_assertion_speaks_for_its_client_alone(endpoint: Endpoint, session: Session | None, claims: dict[str, Any]):
    """A client assertion whose issuer or subject is not the client that signed it proves nothing."""
    own = endpoint.assertions
    client = own.client()

    taken = own.takes(client, own.key.sign(own.claims(client, **claims)), session=session)

    assert not taken, "the client was let in with it"


@needs("confidential", "token_endpoint")
@requirement("HARD-ASSERTION-SUBJECT", "HARD-ASSERTION-KEY", "OAUTH21-2.4.2-01")
def test_an_assertion_lets_no_other_client_in(endpoint: Endpoint, session: Session | None):
    """What one client signed in the name of another lets nobody in."""
    own = endpoint.assertions
    client, other = own.client(), own.client("another")

    taken = own.takes(client, own.key.sign(own.claims(other)), session=session, client_id=other.client_id)

    assert not taken, "the other client was let in with it"


@needs("confidential", "token_endpoint")
@requirement("HARD-ASSERTION-CLIENT")
def test_an_assertion_beside_another_client_id_is_refused(endpoint: Endpoint, session: Session | None):
    """A client assertion beside the client_id of another client lets neither of them in."""
    own = endpoint.assertions
    client, other = own.client(), own.client("another")

    taken = own.takes(client, own.key.sign(own.claims(client)), session=session, client_id=other.client_id)

    assert not taken, "the request was taken, whichever client it was taken for"


@needs("confidential", "token_endpoint")
@requirement("HARD-ASSERTION-ONE-USE")
def test_an_assertion_counts_once(endpoint: Endpoint, session: Session | None):
    """A client assertion that was used is refused when it comes again."""
    own = endpoint.assertions
    client = own.client()
    assertion = own.key.sign(own.claims(client))
    if not own.takes(client, assertion, session=session):
        inconclusive("the client's own assertion is not taken at all")

    assert not own.takes(client, assertion, session=session), "the client was let in with it twice"


@needs("confidential", "token_endpoint")
@requirement("HARD-ONE-AUTH-METHOD")
def test_an_assertion_beside_a_secret_is_refused(endpoint: Endpoint):
    """A request that holds the client's secret and an assertion that nobody signed is refused."""
    algorithm = endpoint.assertions.algorithm
    client = endpoint.client(token_endpoint_auth_method=endpoint.policy.confidential_methods[0])
    if client.secret is None:
        inapplicable("the server issued no client_secret")
    control = endpoint.try_code(client)
    if control.turned_away or not endpoint.try_code(client, auth="none").turned_away:
        inconclusive("the token endpoint does not tell the client's own secret from none")

    answer = endpoint.try_code(client, client_assertion=unsigned(algorithm)(endpoint, client),
                               client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer")

    assert answer.describe() != control.describe(), f"both together were answered {answer.describe()}"
