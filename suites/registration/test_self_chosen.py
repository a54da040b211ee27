"""What a client tries to give itself: identifiers, credentials, privileges (RFC 7591, sections 5 and 6)."""

import secrets
from typing import Any

import pytest

from dcrcheck import Answer, Authorization, Endpoint, Session, inapplicable, inconclusive, needs, requirement

FOREIGN = "https://foreign.example/register/dcrcheck"
PRIVILEGES: dict[str, Any] = {
    "skip_consent": True, "skipConsent": True, "consent_required": False, "require_consent": False,
    "implicit_consent": True, "auto_approve": True, "autoApproveScopes": [".*"], "trusted": True,
    "first_party": True, "is_first_party": True, "verified": True, "internal": True, "is_admin": True,
    "roles": ["admin"], "owner": "admin", "tenant": "admin", "serviceAccountsEnabled": True, "fullScopeAllowed": True,
    "require_pkce": False, "access_token_lifetime": 31_536_000, "attributes": {"skip_consent": True, "trusted": True},
}


def chosen() -> str:
    return f"dcrcheck-chosen-{secrets.token_hex(16)}"


def _uris(answer: Answer) -> object:
    return answer.json.get("redirect_uris") if isinstance(answer.json, dict) else None


def is_asked(authorization: Authorization) -> bool:
    return authorization.consent is not None and not authorization.consent.asks_login


@requirement("RFC7591-6-01", "HARD-CHOSEN-CLIENT-ID", "RFC9700-4.15.1-01", "RFC9700-2.6-02", "OAUTH21-7.4-01")
def test_a_client_does_not_choose_its_client_id(endpoint: Endpoint):
    """A client_id in the request is not the one that the client is given."""
    client_id = chosen()
    client = endpoint.submit(client_id=client_id).client

    assert client is None or client.client_id != client_id, "the client was given the client_id that it asked for"


@requirement("HARD-CHOSEN-SECRET")
@needs("confidential", "token_endpoint")
def test_a_client_does_not_choose_its_secret(endpoint: Endpoint):
    """A client_secret in the request is neither returned nor accepted at the token endpoint."""
    secret, method = chosen(), endpoint.policy.confidential_methods[0]
    client = endpoint.submit(client_secret=secret, token_endpoint_auth_method=method).client
    if client is None or client.secret is None:
        inapplicable("the server gives this client no secret")
    code: dict[str, str] = {"grant_type": "authorization_code", "code": "dcrcheck", "redirect_uri": client.redirect_uri}
    tried, wrong = (endpoint.token(client, auth=(client.client_id, word), **code) for word in (secret, chosen()))
    if unanswered := next((one for one in (tried, wrong) if one.broke_down or one.status in (408, 429)), None):
        inconclusive(f"the token endpoint does not tell: {unanswered.describe()}")

    assert client.secret != secret and tried.describe() == wrong.describe(), (
        f"the secret that the client chose is answered {tried.describe()}, any other wrong one {wrong.describe()}")


@requirement("HARD-CHOSEN-TOKEN")
def test_a_client_does_not_choose_its_registration_access_token(endpoint: Endpoint):
    """A registration_access_token in the request is neither returned nor accepted."""
    token = chosen()
    client = endpoint.submit(registration_access_token=token).client
    if client is None:
        return
    works = bool(client.registration_client_uri) and endpoint.manage(client, token=token).status == 200

    assert client.registration_access_token != token and not works, "the token that the client chose came into force"


@requirement("HARD-CHOSEN-TOKEN")
def test_a_client_does_not_choose_its_registration_client_uri(endpoint: Endpoint):
    """A registration_client_uri in the request is not the one that the client is given."""
    client = endpoint.submit(registration_client_uri=FOREIGN).client

    assert client is None or client.registration_client_uri != FOREIGN, "the chosen registration_client_uri came back"


@requirement("HARD-OVERWRITE")
def test_a_registration_changes_no_other_client(endpoint: Endpoint):
    """A request with the client_id of an existing client does not change that client."""
    victim = endpoint.register()
    before = endpoint.read(victim) if victim.registration_client_uri else None
    answer = endpoint.submit(client_id=victim.client_id, redirect_uris=["https://foreign.example/cb"])
    taken = answer.client is not None and answer.client.client_id == victim.client_id
    if before is not None and before.status == 200:
        after = endpoint.read(victim)
        taken |= after.status in (401, 403, 404) or (after.status == 200 and _uris(after) != _uris(before))

    assert not taken, f"the request was answered {answer.describe()}, and the existing client is another now"


@requirement("HARD-PRIVILEGE-STORED")
@pytest.mark.parametrize("member", PRIVILEGES)
def test_a_privilege_is_not_stored(endpoint: Endpoint, member: str):
    """A member that would make a client trusted, first-party or exempt from a rule is not stored as it was sent."""
    usual = endpoint.client().stored(member)
    stored = endpoint.submit(**{member: PRIVILEGES[member]}).stored(member)

    assert stored == usual or stored != PRIVILEGES[member], f"{member} {stored!r} was stored"


@requirement("STRUCT-NO-PRIVILEGED-METADATA", "HARD-PRIVILEGE-EFFECT")
@needs("session")
def test_a_client_does_not_exempt_itself_from_consent(endpoint: Endpoint, session: Session):
    """A client that registers with every member that could make it trusted is still subject to consent."""
    client = endpoint.submit(**PRIVILEGES).client
    if client is None:
        return
    if not is_asked(session.authorize(endpoint.register())):
        inapplicable("the user is not asked for consent on a page of its own for any client")
    authorization = session.authorize(client)

    assert is_asked(authorization), f"no consent was asked: {authorization.describe()}"
