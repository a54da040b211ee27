"""Where credentials must not turn up: caches and error answers (OAuth 2.1, section 3.2.3)."""

from __future__ import annotations

import secrets

import pytest

from dcrcheck import Answer, Client, Endpoint, inapplicable, inconclusive, needs, requirement


def trusted(endpoint: Endpoint, *, new: bool = False) -> Client:
    """A client that holds at least one credential, a secret where the policy admits one."""
    methods = endpoint.policy.confidential_methods or endpoint.policy.auth_methods
    client = (endpoint.register if new else endpoint.client)(token_endpoint_auth_method=methods[0])
    if client.secret is None and client.registration_access_token is None:
        inapplicable("the server issues neither a secret nor a registration access token")
    return client


def credentials_in(answer: Answer, client: Client) -> str:
    """The names of the client's credentials that an answer shows, in its body or its headers."""
    shown = "\n".join([answer.text, *answer.headers.values()])
    held = {"client_secret": client.secret, "registration_access_token": client.registration_access_token}
    return " and ".join(name for name, value in held.items() if value is not None and value in shown)


def holds_credentials(answer: Answer) -> bool:
    members = answer.json if isinstance(answer.json, dict) else {}
    return bool(members.get("client_secret") or members.get("registration_access_token"))


def is_not_stored(answer: Answer) -> bool:
    return "no-store" in [word.strip().lower() for word in answer.headers.get("cache-control", "").split(",")]


@requirement("OAUTH21-3.2.3-06")
def test_registration_answers_are_not_stored(endpoint: Endpoint):
    """A registration answer with a credential carries Cache-Control: no-store."""
    answer = trusted(endpoint).answer

    assert is_not_stored(answer), f"Cache-Control is {answer.headers.get('cache-control')!r}"


@pytest.mark.parametrize("operation", ["read", "update"])
@needs("management")
@requirement("OAUTH21-3.2.3-06")
def test_management_answers_are_not_stored(endpoint: Endpoint, operation: str):
    """Answers to reads and updates that hold a credential carry Cache-Control: no-store."""
    answer = endpoint.read(trusted(endpoint)) if operation == "read" else endpoint.revise(trusted(endpoint, new=True))
    if not 200 <= answer.status < 300:
        inconclusive(f"the {operation} did not succeed: {answer.describe()}")
    if not holds_credentials(answer):
        inapplicable(f"the {operation} answers with no credential")

    assert is_not_stored(answer), f"Cache-Control is {answer.headers.get('cache-control')!r}"


@needs("management")
@requirement("HARD-ERRORS-NO-INTERNALS")
def test_a_refused_read_holds_no_credential(endpoint: Endpoint):
    """The answer to a read without a token holds none of the client's credentials."""
    client = trusted(endpoint)

    answer = endpoint.manage(client, token=None)

    found = credentials_in(answer, client)
    assert not found, f"{answer.describe()} holds the {found}"


@needs("management")
@requirement("HARD-ERRORS-NO-INTERNALS")
def test_a_refused_update_holds_no_credential(endpoint: Endpoint):
    """The error of an update does not repeat the client_secret that the update brought, nor any other credential."""
    client = trusted(endpoint, new=True)
    own = {"client_secret": client.secret} if client.secret else {}

    answer = endpoint.update(client, redirect_uris=["javascript:alert(1)"], **own)
    if 200 <= answer.status < 300:
        inapplicable(f"the server did not refuse the update: {answer.describe()}")

    found = credentials_in(answer, client)
    assert not found, f"{answer.describe()} holds the {found}"


@needs("confidential", "token_endpoint")
@requirement("HARD-ERRORS-NO-INTERNALS")
def test_a_refused_token_request_holds_no_credential(endpoint: Endpoint):
    """The answer to a token request with a wrong secret holds none of the client's credentials."""
    client = trusted(endpoint)

    answer = endpoint.token(client, auth=(client.client_id, secrets.token_urlsafe(32)), code="dcrcheck-no-such-code",
                            grant_type="authorization_code", redirect_uri=client.redirect_uri, code_verifier="d" * 43)

    found = credentials_in(answer, client)
    assert not found, f"{answer.describe()} holds the {found}"


@needs("authorization_endpoint")
@requirement("HARD-ERRORS-NO-INTERNALS")
def test_a_refused_authorization_request_holds_no_credential(endpoint: Endpoint):
    """The answer to an authorization request with a foreign redirect URI holds none of the client's credentials."""
    client = trusted(endpoint)

    answer = endpoint.authorize(client, redirect_uri="https://foreign.example/cb")

    found = credentials_in(answer, client)
    assert not found, f"{answer.describe()} holds the {found}"
