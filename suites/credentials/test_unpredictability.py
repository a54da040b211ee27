"""Whether secrets, registration access tokens and codes can be foreseen (RFC 7592, section 5; RFC 6749, section 10.10).

The clients and codes that the run has anyway are the sample. The thresholds are set so that values drawn at random
fail with a probability below 1e-9; the functions that measure state theirs.
"""

from __future__ import annotations

import itertools
import re

import pytest

from dcrcheck import (
    Authorization,
    Client,
    Endpoint,
    Session,
    apart,
    bits,
    follows,
    forgeable,
    inapplicable,
    inconclusive,
    jwt_header,
    likeness,
    needs,
    requirement,
    unforeseen,
    weak_generator,
    without_clock,
)

# Values drawn at random stand in ascending or descending order with probability 2/n!: for 13 it is 3.3e-10
LEAST = 13
MOST = 40
BITS = 96
APART = 48
CREDENTIALS = ["registration_access_token", "client_secret"]


def confidential(endpoint: Endpoint, credential: str) -> dict[str, str]:
    """The deviation that registers a client which is given this credential."""
    if credential == "registration_access_token":
        return {}
    if not endpoint.policy.confidential_methods:
        inapplicable(f"policy {endpoint.policy.name} admits no client with a secret")
    return {"token_endpoint_auth_method": endpoint.policy.confidential_methods[0]}


def one(endpoint: Endpoint, credential: str) -> Client:
    """The client of the run that was given this credential."""
    client = endpoint.client(**confidential(endpoint, credential))
    if not isinstance(client.get(credential), str):
        inapplicable(f"the server issues no {credential}")
    return client


def sample(endpoint: Endpoint, credential: str) -> list[Client]:
    """Clients of this run in the order of their registration, as many more as are needed."""
    one(endpoint, credential)
    found = [client for client in endpoint.clients.values() if isinstance(client.get(credential), str)
             and isinstance(client.document, dict) and credential not in client.document]
    while len(found) < LEAST:
        client = endpoint.register(**confidential(endpoint, credential))
        if not isinstance(client.get(credential), str):
            inconclusive(f"the server does not always issue a {credential}")
        found.append(client)
    return found


def codes(session: Session) -> list[Authorization]:
    """Codes of this run in the order of their issue, as many more as are needed."""
    issued = session.endpoint.authorizations
    while len(issued) < LEAST:
        if session.authorize(session.endpoint.client()).code is None:
            inconclusive("an ordinary authorization request yields no code")
    return issued


def moment(client: Client) -> float:
    """When a client was registered, by the server's clock if it tells."""
    told = client.get("client_id_issued_at")
    return float(told) if isinstance(told, int) and told > 0 else client.answer.exchange.started


def without(client_id: str, value: str) -> str:
    return value.replace(client_id, "") if len(client_id) >= 8 else value


def unforeseen_of(values: list[str], issued: list[float]) -> list[str]:
    """What remains of the values without counters and clocks."""
    # a value that comes twice is another check's matter
    once = dict(zip(values[-MOST:], issued[-MOST:], strict=True))
    return unforeseen(without_clock(list(once), list(once.values())))


def measure(clients: list[Client], credential: str) -> tuple[float, float]:
    """The unforeseeable bits and the likeness of the values; the values themselves stay in here."""
    left = unforeseen_of([without(client.client_id, client[credential]) for client in clients], [*map(moment, clients)])
    return bits(left), likeness(left)


@needs("management")
@requirement("RFC7592-5-05", "HARD-TOKEN-ENTROPY", "OAUTH21-7.7-02", "STRUCT-CREDENTIALS-UNPREDICTABLE",
             "RFC6750-5.2-01", "OAUTH21-7.7-01")
def test_registration_access_tokens_are_unpredictable(endpoint: Endpoint):
    """Registration access tokens are long, do not count or follow a clock, and have nothing in common."""
    clients = sample(endpoint, "registration_access_token")

    varying, alike = measure(clients, "registration_access_token")

    assert varying >= BITS, f"in {len(clients)} values {varying:.0f} bits vary unforeseeably, of {BITS} at least"
    assert alike < 2 / 3, f"two of {len(clients)} values agree in {alike:.0%} of what varies"


@needs("confidential")
@requirement("HARD-SECRET-ENTROPY", "OAUTH21-7.7-02", "STRUCT-CREDENTIALS-UNPREDICTABLE", "OAUTH21-2.4.1-04",
             "OAUTH21-7.7-01")
def test_client_secrets_are_unpredictable(endpoint: Endpoint):
    """Client secrets are long, do not count or follow a clock, and have nothing in common."""
    clients = sample(endpoint, "client_secret")

    varying, alike = measure(clients, "client_secret")

    assert varying >= BITS, f"in {len(clients)} values {varying:.0f} bits vary unforeseeably, of {BITS} at least"
    assert alike < 2 / 3, f"two of {len(clients)} values agree in {alike:.0%} of what varies"


@needs("session")
@requirement("HARD-CODE-ENTROPY", "OAUTH21-7.7-02")
def test_authorization_codes_are_unpredictable(session: Session):
    """Authorization codes are long, do not count or follow a clock, and differ from one another."""
    issued = codes(session)

    left = unforeseen_of([without(one.client.client_id, str(one.code)) for one in issued],
                         [one.answer.exchange.started for one in issued])

    assert bits(left) >= BITS, f"in {len(issued)} codes {bits(left):.0f} bits vary unforeseeably, of {BITS} at least"
    # a code may name its session and its client, which others have as well
    assert apart(left) >= APART, f"two of {len(issued)} codes differ in {apart(left):.0f} bits, of {APART} at least"


@pytest.mark.parametrize("credential", CREDENTIALS)
@requirement("HARD-TOKEN-ENTROPY", "HARD-SECRET-ENTROPY", "STRUCT-CREDENTIALS-UNPREDICTABLE")
def test_no_credential_follows_from_public_values(endpoint: Endpoint, credential: str):
    """No secret and no registration access token is an encoding or a hash of the client's public values or the time."""
    client = one(endpoint, credential)
    public = [client.client_id, str(client.get("client_name")), client.redirect_uri]

    found = follows(client[credential], public, moment(client))

    assert not found, f"the {credential} follows from the client's public values or the time"


@needs("session")
@requirement("HARD-CODE-ENTROPY", "OAUTH21-7.7-02")
def test_no_code_follows_from_public_values(session: Session):
    """No authorization code is an encoding or a hash of what the request said, or of the time."""
    issued = session.granted()
    if issued.code is None:
        inconclusive(f"an ordinary authorization request yields no code: {issued.describe()}")
    public = [issued.client.client_id, issued.redirect_uri, str(issued.state)]

    found = follows(issued.code, public, issued.answer.exchange.started)

    assert not found, "the code follows from the authorization request or the time"


@pytest.mark.parametrize("credential", CREDENTIALS)
@requirement("HARD-TOKEN-ENTROPY", "HARD-SECRET-ENTROPY", "STRUCT-CREDENTIALS-UNPREDICTABLE")
def test_no_credential_comes_from_a_weak_generator(endpoint: Endpoint, credential: str):
    """Secrets and registration access tokens do not come from a generator whose state a few of them reveal."""
    clients = sample(endpoint, credential)

    found = weak_generator([client[credential] for client in clients], issued=[*map(moment, clients)])

    assert found is None, f"{len(clients)} values of {credential} come from {found}: the next can be computed"


@needs("session")
@requirement("HARD-CODE-ENTROPY", "OAUTH21-7.7-02")
def test_no_code_comes_from_a_weak_generator(session: Session):
    """Authorization codes do not come from a generator whose state a few of them reveal."""
    issued = codes(session)

    found = weak_generator([str(one.code) for one in issued], issued=[one.answer.exchange.started for one in issued])

    assert found is None, f"{len(issued)} codes come from {found}: the next can be computed"


@pytest.mark.parametrize("credential", CREDENTIALS)
@requirement("HARD-TOKEN-ENTROPY", "HARD-SECRET-ENTROPY", "STRUCT-CREDENTIALS-UNPREDICTABLE")
def test_a_credential_that_is_a_jwt_cannot_be_forged(endpoint: Endpoint, credential: str):
    """A secret or registration access token that is a JWT is signed, with a key that nobody guesses."""
    client = one(endpoint, credential)
    if jwt_header(client[credential]) is None:
        inapplicable(f"the {credential} is no JWT")

    why = forgeable(client[credential], [client.client_id, endpoint.target.issuer, str(client.get("client_name"))])

    assert not why, f"the {credential} is a JWT that anyone can make: {why}"


@requirement("HARD-ID-UNPREDICTABLE")
def test_client_identifiers_do_not_count_up(endpoint: Endpoint):
    """Client identifiers of successive registrations are not successive numbers."""
    while len(endpoint.clients) < 3:
        endpoint.register()
    names = list(endpoint.clients)[-MOST:]

    found = [re.fullmatch(r"(.*?)([0-9]+)", name, re.DOTALL) for name in names]
    if not all(found) or len({match[1] for match in found if match}) > 1:
        return

    numbers = [int(match[2]) for match in found if match]
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    assert not all(0 < step <= 10 for step in steps), f"{len(names)} clients were numbered in steps of {steps}"
