"""Where credentials must not turn up: caches and error answers (OAuth 2.1, section 3.2.3)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import pytest

from dcrcheck import Answer, Client, Endpoint, Session, inapplicable, inconclusive, needs, origin, requirement

ANY_TOKEN = "dcrcheck-no-such-token"
# what a stranger, or the client itself, asks of the endpoints that have no business with its credentials
ELSEWHERE: dict[str, tuple[str, Callable[[Endpoint, Client], Answer]]] = {
    "authorization": ("authorization_endpoint", lambda endpoint, client: endpoint.authorize(client)),
    "registration": ("registration_endpoint", lambda endpoint, client: endpoint.send(
        "GET", endpoint.registration_url, headers={"accept": "application/json"})),
    "revocation": ("revocation_endpoint", lambda endpoint, client: endpoint.token(
        client, at="revocation_endpoint", token=ANY_TOKEN)),
    "introspection": ("introspection_endpoint", lambda endpoint, client: endpoint.token(
        client, at="introspection_endpoint", token=ANY_TOKEN)),
    "keys": ("jwks_uri", lambda endpoint, client: endpoint.send("GET", endpoint.metadata["jwks_uri"])),
}


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


@pytest.mark.parametrize("place", ELSEWHERE)
@requirement("HARD-CREDENTIALS-ELSEWHERE")
def test_other_endpoints_show_no_credential(endpoint: Endpoint, place: str):
    """The answers of the other endpoints hold none of the client's credentials."""
    name, ask = ELSEWHERE[place]
    url, client = endpoint.metadata.get(name) or endpoint.target.endpoint(name), trusted(endpoint)
    if not isinstance(url, str) or origin(url) not in endpoint.target.origins:
        inapplicable(f"the metadata names no {name} of this server")

    answer = ask(endpoint, client)

    found = credentials_in(answer, client)
    assert not found, f"{answer.describe()} holds the {found}"


@needs("session")
@requirement("HARD-CREDENTIALS-ELSEWHERE")
def test_no_page_for_users_shows_a_credential(endpoint: Endpoint, session: Session):
    """The pages between login and consent hold none of the client's credentials."""
    client = trusted(endpoint)

    pages = session.authorize(client, decision="deny").pages

    found = [page.url for page in pages for value in (client.secret, client.registration_access_token)
             if value is not None and value in page.html]
    assert not found, f"a credential stands in the page at {found[0]}"


@needs("management")
@requirement("HARD-NOT-CACHED")
def test_a_read_comes_from_no_cache(endpoint: Endpoint):
    """A read with credentials in its answer is answered by the server, and not out of a cache."""
    client = trusted(endpoint)

    answers = [endpoint.read(client) for _ in range(2)]

    if not all(200 <= answer.status < 300 and holds_credentials(answer) for answer in answers):
        inapplicable("the read is not answered with a credential")
    signs = [f"{name}: {value}" for answer in answers for name, value in answer.headers.items()
             if (name == "age" and value.strip() not in ("", "0")) or (name.startswith("x-cache") and "hit" in (
                 value.lower().replace("-", " ").split()))]
    assert not signs, f"the read was answered with {signs[0]}"


@needs("tls")
@requirement("HARD-STRICT-TRANSPORT")
def test_answers_with_credentials_demand_https(endpoint: Endpoint):
    """A registration answer over https carries Strict-Transport-Security with a lasting max-age."""
    header = trusted(endpoint).answer.headers.get("strict-transport-security", "")

    age = re.search(r"max-age\s*=\s*\"?(\d+)", header, re.I)
    assert age is not None and int(age[1]) > 0, f"Strict-Transport-Security is {header!r}"


# -- privileged endpoints -------------------------------------------------------------------------------------------


@needs("introspection_endpoint")
@requirement("HARD-INTROSPECTION-AUTHENTICATED")
def test_introspection_asks_who_is_asking(endpoint: Endpoint):
    """A token introspection without any credentials is refused."""
    url = endpoint.target.endpoint("introspection_endpoint") or ""

    answer = endpoint.send("POST", url, form={"token": ANY_TOKEN}, headers={"accept": "application/json"})

    if answer.status == 429 or answer.broke_down:
        inconclusive(f"the endpoint does not tell: {answer.describe()}")
    assert "active" not in answer.members, f"without credentials it was answered {answer.describe()} with a verdict"


@needs("introspection_endpoint", "token_endpoint", "confidential")
@requirement("HARD-INTROSPECTION-BOUND")
def test_no_client_introspects_the_token_of_another(endpoint: Endpoint):
    """A self-registered client learns nothing of a token that was issued to another client."""
    if "client_credentials" not in endpoint.policy.grant_types:
        inapplicable(f"policy {endpoint.policy.name} admits no client that gets tokens for itself")
    deviation = {"grant_types": ["authorization_code", "client_credentials"],
                 "token_endpoint_auth_method": endpoint.policy.confidential_methods[0]}
    owner, stranger = endpoint.client(**deviation), endpoint.client(purpose="stranger", **deviation)
    token = (endpoint.token(owner, grant_type="client_credentials").tokens or {}).get("access_token")
    if token is None:
        inapplicable("the client gets no token for itself")

    answer = endpoint.token(stranger, at="introspection_endpoint", token=token)

    assert answer.members.get("active") is not True, f"{answer.describe()} tells that the token is active, and more"


@needs("token_endpoint")
@requirement("HARD-DEVICE-UNREGISTERED")
def test_no_device_code_for_a_client_without_that_grant(endpoint: Endpoint):
    """A client that has not registered the device grant gets no device code."""
    if endpoint.target.endpoint("device_authorization_endpoint") is None:
        inapplicable("the metadata names no device_authorization_endpoint")
    client = endpoint.client()
    if "urn:ietf:params:oauth:grant-type:device_code" in (client.stored("grant_types") or ()):
        inapplicable("the server registers the device grant for every client")

    answer = endpoint.token(client, at="device_authorization_endpoint")

    if answer.status == 429 or answer.broke_down:
        inconclusive(f"the endpoint does not tell: {answer.describe()}")
    assert "device_code" not in answer.members, f"{answer.describe()} holds a device code"
