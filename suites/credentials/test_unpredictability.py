"""Whether secrets and registration access tokens can be foreseen (RFC 7592, section 5; RFC 6749, section 10.10).

The thresholds are set so that values drawn at random fail with a probability below 1e-9.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import math
import re
from collections.abc import Iterator

import pytest

from dcrcheck import Client, Endpoint, inapplicable, needs, requirement

# Values drawn at random stand in ascending or descending order with probability 2/n!: for 13 it is 3e-10
LEAST = 13
MOST = 40
BITS = 96


def sample(endpoint: Endpoint, credential: str) -> list[Client]:
    """Clients of this run in the order of their registration, as many more as are needed."""
    found = [client for client in endpoint.clients.values() if isinstance(client.get(credential), str)
             and isinstance(client.document, dict) and credential not in client.document][-MOST:]
    deviation = ({"token_endpoint_auth_method": endpoint.policy.confidential_methods[0]}
                 if credential == "client_secret" else {})
    while len(found) < LEAST:
        client = endpoint.register(**deviation)
        if not isinstance(client.get(credential), str):
            inapplicable(f"the server issues no {credential}")
        found.append(client)
    return found


def unforeseen(values: list[str]) -> list[str]:
    """What is left when everything that rises or falls from one value to the next is cut off at the front.

    A counter or a clock at the front goes; one behind a constant prefix goes with the prefix.
    """
    width = min(map(len, values))
    for start in range(width):
        tails = [value[start:width] for value in values]
        if tails not in (sorted(tails), sorted(tails, reverse=True)):
            return tails
    return ["" for _ in values]


def columns(values: list[str]) -> list[int]:
    """The positions in which values of equal length are not all the same."""
    return [place for place, column in enumerate(zip(*values, strict=True)) if len(set(column)) > 1]


def bits(values: list[str]) -> float:
    """The most that a value can hold in bits, by the positions that vary and the characters that occur in them."""
    alphabet = {value[place] for value in values for place in columns(values)}
    return len(columns(values)) * math.log2(max(2, len(alphabet)))


def likeness(values: list[str]) -> float:
    """The greatest share of the varying positions in which two of the values agree."""
    places = columns(values)
    return max((sum(one[p] == other[p] for p in places) / len(places)
                for one, other in itertools.combinations(values, 2)), default=0.0) if places else 1.0


def without(client_id: str, value: str) -> str:
    return value.replace(client_id, "") if len(client_id) >= 8 else value


def measure(clients: list[Client], credential: str) -> tuple[float, float]:
    """The unforeseeable bits and the likeness of the values; the values themselves stay in here."""
    # a value that comes twice is another check's matter
    values = unforeseen(list(dict.fromkeys(without(client.client_id, client[credential]) for client in clients)))
    return bits(values), likeness(values)


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


def guesses(client: Client) -> Iterator[str]:
    """What an outsider makes of a client's public values: the values, encoded and hashed."""
    public = [client.client_id, str(client.get("client_name")), client.redirect_uri,
              str(client.get("client_id_issued_at"))]
    for text in [*public, *("".join(pair) for pair in itertools.permutations(public, 2))]:
        digests = [hashlib.new(name, text.encode(), usedforsecurity=False).digest()
                   for name in ("md5", "sha1", "sha256", "sha512")]
        for raw in (text.encode(), *digests):
            yield raw.hex()
            yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
            yield base64.b64encode(raw).decode().rstrip("=")


def follows(client: Client, credential: str) -> bool:
    value = client[credential].rstrip("=")
    return not {value, value.lower(), value.replace("-", "")}.isdisjoint(guesses(client))


@pytest.mark.parametrize("credential", ["registration_access_token", "client_secret"])
@requirement("HARD-TOKEN-ENTROPY", "HARD-SECRET-ENTROPY")
def test_no_credential_follows_from_public_values(endpoint: Endpoint, credential: str):
    """No secret and no registration access token is an encoding or a hash of the client's public values."""
    methods = endpoint.policy.confidential_methods or endpoint.policy.auth_methods
    client = endpoint.client(token_endpoint_auth_method=methods[0])
    if not isinstance(client.get(credential), str):
        inapplicable(f"the server issues no {credential}")

    found = follows(client, credential)

    assert not found, f"the {credential} follows from the client's public values"


@requirement("HARD-ID-UNPREDICTABLE")
def test_client_identifiers_do_not_count_up(endpoint: Endpoint):
    """Client identifiers of successive registrations are not successive numbers."""
    clients = [endpoint.register() for _ in range(3)]

    found = [re.fullmatch(r"(.*?)(\d+)", client.client_id) for client in clients]
    if not all(found) or len({match[1] for match in found if match}) > 1:
        return

    numbers = [int(match[2]) for match in found if match]
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    assert not all(0 < step <= 10 for step in steps), f"three registrations were numbered in steps of {steps}"
