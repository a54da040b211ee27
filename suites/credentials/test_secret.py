"""Client secrets: who gets one, when it ends, and whether it counts (RFC 7591, section 3.2.1)."""

from __future__ import annotations

import secrets
import time
from email.utils import parsedate_to_datetime

import pytest

from dcrcheck import (
    REDIRECT_URI,
    Client,
    Endpoint,
    Session,
    finite,
    inapplicable,
    inconclusive,
    needs,
    requirement,
)

CENTURY_S = 100 * 366 * 86400
SKEW_S = 300
SHORT_S = 5


def confidential(endpoint: Endpoint, **deviation: object) -> Client:
    """The client of the run with a method that uses a secret."""
    client = endpoint.client(token_endpoint_auth_method=endpoint.policy.confidential_methods[0], **deviation)
    if not client.auth_method.startswith("client_secret"):
        inapplicable(f"the server made it a client with {client.auth_method!r}")
    return client


def with_secret(endpoint: Endpoint) -> Client:
    client = confidential(endpoint)
    if client.secret is None:
        inapplicable("the server issued no client_secret")
    return client


def offered(endpoint: Endpoint, method: str) -> Client:
    """The client of the run with a method, where policy and metadata offer it."""
    if method not in endpoint.policy.auth_methods:
        inapplicable(f"policy {endpoint.policy.name} admits no client with {method}")
    if method not in endpoint.metadata.get("token_endpoint_auth_methods_supported", [method]):
        inapplicable(f"the metadata does not list {method}")
    client = endpoint.client(token_endpoint_auth_method=method)
    if client.auth_method != method:
        inapplicable(f"the server made it a client with {client.auth_method!r}")
    return client


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@needs("confidential")
@requirement("RFC7591-3.2.1-04")
def test_a_confidential_client_gets_its_secret(endpoint: Endpoint, method: str):
    """The response to a client with a secret-based authentication method holds its client_secret."""
    client = offered(endpoint, method)

    secret = client.get("client_secret")

    assert isinstance(secret, str) and secret, f"client_secret is {secret!r}"


@needs("confidential")
@requirement("RFC7591-3.2.1-08", "OIDCR-3.2-10")
def test_an_issued_secret_states_its_expiry(endpoint: Endpoint):
    """A response that holds client_secret also holds client_secret_expires_at."""
    client = with_secret(endpoint)

    assert "client_secret_expires_at" in client, f"the response holds {sorted(client)}"


@needs("confidential")
@requirement("RFC7591-3.2.1-09", "OIDCR-3.2-10")
def test_the_expiry_of_a_secret_is_zero_or_a_time_to_come(endpoint: Endpoint):
    """client_secret_expires_at is 0, or a time in the future in seconds since the epoch."""
    client = with_secret(endpoint)
    expiry = client.get("client_secret_expires_at")
    if expiry is None:
        inapplicable("the response holds no client_secret_expires_at")

    # the server's own clock, where it shows it
    issued = client.get("client_id_issued_at")
    now = issued if finite(issued) else client.answer.exchange.started - SKEW_S
    assert finite(expiry) and (expiry == 0 or now < expiry < now + CENTURY_S), f"it is {expiry!r}, issued at {now:.0f}"


@needs("confidential", "token_endpoint")
@requirement("HARD-SECRET-EXPIRY")
def test_an_expired_secret_is_refused(endpoint: Endpoint):
    """A client_secret is refused at the token endpoint once its client_secret_expires_at is past."""
    client = with_secret(endpoint)
    expiry, told = client.get("client_secret_expires_at"), client.answer.headers.get("date", "")
    if not finite(expiry) or expiry == 0:
        inapplicable("the secret does not expire")
    left_s = expiry - (parsedate_to_datetime(told).timestamp() if told else client.answer.exchange.started)
    if left_s > SHORT_S:
        inapplicable(f"the secret is good for {left_s:.0f} s, and a run waits {SHORT_S} s at most")

    time.sleep(max(0.0, client.answer.exchange.started + left_s + 1.5 - time.time()))

    answer = endpoint.try_code(client)
    if not answer.turned_away and not endpoint.try_code(client, auth=(client.client_id, "dcrcheck-wrong")).turned_away:
        inconclusive(f"the token endpoint does not tell a wrong secret: {answer.describe()}")
    assert answer.turned_away, f"the expired secret was answered {answer.describe()}"


@requirement("HARD-NO-SECRET-FOR-PUBLIC")
def test_a_public_client_gets_no_secret(endpoint: Endpoint):
    """The response to a client that authenticates by none holds no client_secret."""
    if "none" not in endpoint.policy.auth_methods:
        inapplicable(f"policy {endpoint.policy.name} admits no public client")
    client = endpoint.client(token_endpoint_auth_method="none")
    if client.stored("token_endpoint_auth_method") not in (None, "none"):
        inapplicable(f"the server made it a client with {client.auth_method!r}")

    assert not client.get("client_secret"), "the response holds a client_secret"


# -- whether it counts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("presented", ["a wrong secret", "an empty secret", "no secret"])
@needs("confidential", "token_endpoint")
@requirement("HARD-CLIENT-AUTH-ENFORCED", "OAUTH21-3.2.2-02", "RFC9700-2.5-01", "MCP-2025-03-26-OVERVIEW-01")
def test_a_client_with_a_secret_must_prove_it(endpoint: Endpoint, session: Session | None, presented: str):
    """A client that was given a secret gets nowhere at the token endpoint without it or with another one."""
    client = with_secret(endpoint)
    auth = {"a wrong secret": (client.client_id, secrets.token_urlsafe(32)),
            "an empty secret": (client.client_id, ""), "no secret": "none"}[presented]
    control = endpoint.try_code(client)
    if control.turned_away:
        inconclusive(f"the token endpoint does not accept the client's own secret: {control.describe()}")

    answer = endpoint.try_code(client, auth=auth)

    if not answer.turned_away:
        # a server may look at the code first: only a grant that the right secret obtains tells
        obtained = obtains_a_token(endpoint, presented) if session is None else redeems(endpoint, session, client, auth)
        assert not obtained, f"with {presented} the client obtained a token"


def redeems(endpoint: Endpoint, session: Session, client: Client, auth: str | tuple[str, str]) -> bool:
    """Whether a client redeems a code with something else than its secret.

    Raises:
        Inconclusive: it does not with its secret either.
    """
    session.obtain(client)
    return endpoint.redeem(session.ask(client), auth=auth).tokens is not None


def obtains_a_token(endpoint: Endpoint, presented: str) -> bool:
    """Whether a client gets a token for itself with something else than its secret.

    Raises:
        Inconclusive: it gets none with its secret either.
    """
    if "client_credentials" not in endpoint.policy.grant_types:
        inconclusive("the code is looked at first, and no client can have a token for itself")
    client = confidential(endpoint, grant_types=["authorization_code", "client_credentials"])
    control = endpoint.token(client, grant_type="client_credentials")
    if control.status != 200:
        inconclusive(f"the client gets no token for itself with its secret: {control.describe()}")
    auth = {"a wrong secret": (client.client_id, secrets.token_urlsafe(32)),
            "an empty secret": (client.client_id, ""), "no secret": "none"}[presented]
    return endpoint.token(client, auth=auth, grant_type="client_credentials").status == 200


@pytest.mark.parametrize(("method", "other"), [("client_secret_basic", "post"), ("client_secret_post", "basic")],
                         ids=["registered for basic", "registered for post"])
@needs("confidential", "token_endpoint")
@requirement("HARD-AUTH-METHOD-ENFORCED")
def test_a_client_authenticates_only_as_it_registered(endpoint: Endpoint, session: Session | None, method: str,
                                                      other: str):
    """The token endpoint refuses the right secret where it comes by another method than the registered one."""
    client = offered(endpoint, method)
    # some servers want the identifier in the body of a request that is authenticated by Basic
    named = {"client_id": client.client_id} if endpoint.try_code(client).turned_away else {}
    control = endpoint.try_code(client, **named)
    if control.turned_away:
        inconclusive("the token endpoint does not accept the client's own secret")
    wrong = (client.client_id, secrets.token_urlsafe(32))
    if not endpoint.try_code(client, auth=wrong, **named).turned_away:
        if session is None or redeems(endpoint, session, client, wrong):
            inconclusive("the token endpoint does not tell a wrong secret")
        assert not redeems(endpoint, session, client, other), f"a client registered for {method} used {other}"
        return

    answer = endpoint.try_code(client, auth=other, **named)

    # an endpoint that does not know the other method may miss the client in the request: invalid_request
    assert answer.turned_away or answer.describe() != control.describe(), (
        f"a client registered for {method} used {other} and was answered {answer.describe()}")


# -- uniqueness -----------------------------------------------------------------------------------------------------


@needs("confidential")
@requirement("RFC7591-3.2.1-05", "RFC7591-3.2.1-06", "RFC7591-5-21")
def test_identical_registrations_get_different_secrets(endpoint: Endpoint):
    """The same registration sent twice is answered with two secrets, whether or not the client_id repeats."""
    document = endpoint.document(token_endpoint_auth_method=endpoint.policy.confidential_methods[0])

    first, second = (endpoint.submit(document).client for _ in range(2))

    if first is None or second is None or first.secret is None or second.secret is None:
        inapplicable("the server did not issue two secrets")
    same = "for the same" if first.client_id == second.client_id else "for another"
    assert first.secret != second.secret, f"the secret came again, {same} client_id"


@pytest.mark.parametrize("credential", ["client_secret", "registration_access_token"])
@requirement("HARD-UNIQUE-CREDENTIALS", "RFC7591-3.2.1-05", "OIDCR-3.2-06")
def test_clients_share_no_credential(endpoint: Endpoint, credential: str):
    """Clients with different metadata get different secrets and different registration access tokens."""
    methods = endpoint.policy.confidential_methods if credential == "client_secret" else endpoint.policy.auth_methods
    if not methods:
        inapplicable(f"policy {endpoint.policy.name} admits no client with a secret")
    clients = [endpoint.client(token_endpoint_auth_method=methods[0], redirect_uris=[uri])
               for uri in (REDIRECT_URI, f"{REDIRECT_URI}/2", f"{REDIRECT_URI}/3")]
    issued = [client[credential] for client in clients if isinstance(client.get(credential), str)]
    if not issued:
        inapplicable(f"the server issues no {credential}")

    assert len(issued) == len(set(issued)), f"{len(issued)} clients hold {len(set(issued))} different values"


@requirement("HARD-UNIQUE-CREDENTIALS")
def test_the_credentials_of_a_client_differ(endpoint: Endpoint):
    """client_id, client_secret and registration_access_token of a client are different values."""
    methods = endpoint.policy.confidential_methods or endpoint.policy.auth_methods
    client = endpoint.client(token_endpoint_auth_method=methods[0])
    values = {m: client[m] for m in ("client_id", "client_secret", "registration_access_token") if client.get(m)}
    if len(values) < 2:
        inapplicable("the server issues no credential besides the client_id")

    assert len(set(values.values())) == len(values), f"of {', '.join(values)} two are equal"


