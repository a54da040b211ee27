"""What a client tries to give itself: identifiers, credentials, privileges (RFC 7591, sections 5 and 6)."""

import re
import secrets
from functools import lru_cache
from typing import Any

import pytest

from dcrcheck import (
    OMIT,
    Answer,
    Authorization,
    Client,
    Endpoint,
    Session,
    finite,
    inapplicable,
    inconclusive,
    needs,
    requirement,
)

FOREIGN = "https://foreign.example/register/dcrcheck"
FOREIGN_API = "https://foreign.example/opened"
YEAR_S = 31_536_000
CENTURY = 4_102_444_800
# Members by which servers keep what a registrant has no say in. Left out, since OpenID Connect gives every client a
# right to them: default_acr_values, frontchannel_logout_session_required, authorization_signed_response_alg.
PRIVILEGES: dict[str, dict[str, Any]] = {
    "consent": {"skip_consent": True, "skipConsent": True, "consent": False, "consent_required": False,
                "consentRequired": False, "require_consent": False, "implicit_consent": True, "auto_approve": True,
                "autoapprove": True, "autoApproveScopes": [".*"]},
    "trust": {"trusted": True, "trusted_client": True, "first_party": True, "firstParty": True, "is_first_party": True,
              "verified": True, "internal": True},
    "rank": {"is_admin": True, "admin": True, "role": "admin", "roles": ["admin"], "introspection_allowed": True,
             "run_introspection_script_before_jwt_creation": True},
    "owner": {"id": "dcrcheck-admin", "owner": "admin", "user_id": "admin", "tenant": "admin", "realm": "master",
              "organization": "admin"},
    "standing": {"status": "approved", "enabled": True, "disabled": False, "approved": True},
    "code-protection": {"require_pkce": False, "pkce_required": False, "requirePkce": False},
    "lifetimes": {"access_token_lifetime": YEAR_S, "access_token_ttl": YEAR_S, "refresh_token_ttl": YEAR_S,
                  "lifetime": YEAR_S},
    "grants": {"allowed_grant_types": ["client_credentials", "password"], "allow_offline_access": True,
               "serviceAccountsEnabled": True, "allow_spontaneous_scopes": True},
    "claims": {"fullScopeAllowed": True, "defaultClientScopes": ["admin"], "protocol": "saml", "bearerOnly": True,
               "protocolMappers": [{"name": "dcrcheck", "protocolMapper": "oidc-hardcoded-role-mapper"}]},
    "within-attributes": {"attributes": {"skip_consent": True, "trusted": True}},
    "within-metadata": {"metadata": {"skip_consent": True, "trusted": True}},
    "in-words": {"skip_consent": "true", "trusted": "1", "first_party": "yes", "is_admin": 1},
}
EVERY_PRIVILEGE = {member: value for name, family in PRIVILEGES.items() if name != "in-words"
                   for member, value in family.items()}
AUDIENCES: dict[str, Any] = {"audience": FOREIGN_API, "allowed_audiences": [FOREIGN_API], "resource": FOREIGN_API,
                             "default_resource": FOREIGN_API, "resources": [FOREIGN_API]}


def chosen() -> str:
    return f"dcrcheck-chosen-{secrets.token_hex(16)}"


def _uris(answer: Answer) -> object:
    return answer.json.get("redirect_uris") if isinstance(answer.json, dict) else None


def granted(endpoint: Endpoint, wishes: dict[str, Any], **deviation: Any) -> Client | None:
    """The client that the server registers with as many of these members as it does not refuse by name."""
    left = dict(wishes)
    for _ in range(4):
        answer = endpoint.submit(**left, **deviation)
        if answer.client is not None:
            return answer.client
        named = [member for member in left if re.search(rf"(?<![\w-]){member}(?![\w-])", answer.text)]
        if not named:
            break
        left = {member: value for member, value in left.items() if member not in named}
    return None


def kept(endpoint: Endpoint, client: Client | None, wishes: dict[str, Any]) -> dict[str, Any]:
    """Which of these members are registered as they were sent, though not for every client."""
    usual = endpoint.client()
    return {} if client is None else {member: value for member, value in wishes.items() if (
        value == client.stored(member) != usual.stored(member))}


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


@requirement("HARD-CHOSEN-DATES")
def test_a_client_does_not_date_itself(endpoint: Endpoint):
    """client_id_issued_at and client_secret_expires_at in the request are not the ones that the client is given."""
    chosen_dates = {"client_id_issued_at": 1, "client_secret_expires_at": CENTURY}
    client = granted(endpoint, chosen_dates, token_endpoint_auth_method=method(endpoint))

    dated = [member for member, value in chosen_dates.items() if client is not None and client.get(member) == value]
    assert not dated, f"the chosen {' and '.join(dated)} came back"


@requirement("HARD-PRIVILEGE-STORED")
@pytest.mark.parametrize("family", PRIVILEGES)
def test_a_privilege_is_not_stored(endpoint: Endpoint, family: str):
    """A member that would make a client trusted, first-party or exempt from a rule is not stored as it was sent."""
    stored = kept(endpoint, granted(endpoint, PRIVILEGES[family]), PRIVILEGES[family])

    assert not stored, f"these were stored: {stored!r}"


@requirement("HARD-AUDIENCE-STORED")
def test_an_audience_is_not_stored(endpoint: Endpoint):
    """A member that would open other APIs to a client's tokens is not stored as it was sent."""
    stored = kept(endpoint, granted(endpoint, AUDIENCES), AUDIENCES)

    assert not stored, f"these were stored: {stored!r}"


# -- what they are worth, once a user or the token endpoint is asked ---------------------------------------------------


def method(endpoint: Endpoint) -> str:
    return next(iter(endpoint.policy.confidential_methods), "none")


@lru_cache(maxsize=16)
def privileged(endpoint: Endpoint) -> Client | None:
    """The client of the run that asked for every privilege; None if the server registers none that does."""
    return granted(endpoint, EVERY_PRIVILEGE, token_endpoint_auth_method=method(endpoint))


@requirement("STRUCT-NO-PRIVILEGED-METADATA", "HARD-PRIVILEGE-EFFECT")
@needs("session")
def test_a_client_does_not_exempt_itself_from_consent(endpoint: Endpoint, session: Session):
    """A client that registers with every member that could make it trusted is still subject to consent."""
    client = privileged(endpoint)
    if client is None:
        return
    if not is_asked(session.authorize(endpoint.register())):
        inapplicable("the user is not asked for consent on a page of its own for any client")
    authorization = session.authorize(client)

    assert is_asked(authorization), f"no consent was asked: {authorization.describe()}"


@requirement("HARD-PRIVILEGE-EFFECT", "STRUCT-NO-PRIVILEGED-METADATA")
@needs("session")
def test_a_client_does_not_exempt_itself_from_pkce(endpoint: Endpoint, session: Session):
    """A client that registers as one that needs no PKCE gets no code without a challenge, if others get none."""
    unprotected = {"code_challenge": OMIT, "code_challenge_method": OMIT}
    client, usual = privileged(endpoint), endpoint.client(token_endpoint_auth_method=method(endpoint))
    if client is None:
        return
    if session.authorize(usual, **unprotected).code is not None:
        inapplicable("the server gives every such client codes without a challenge")
    authorization = session.authorize(client, **unprotected)

    assert authorization.code is None, "a request without code_challenge brought a code"


@requirement("HARD-PRIVILEGE-EFFECT", "STRUCT-NO-PRIVILEGED-METADATA")
@needs("session", "token_endpoint")
def test_a_client_does_not_prolong_its_tokens(endpoint: Endpoint, session: Session):
    """A client that registers with a lifetime of a year for its tokens gets none that live that long."""
    client = privileged(endpoint)
    if client is None:
        return
    tokens = session.obtain(client).tokens or {}
    usual = session.tokens(token_endpoint_auth_method=method(endpoint)).tokens or {}
    lifetime, other = tokens.get("expires_in"), usual.get("expires_in")
    if not finite(lifetime) or not finite(other):
        inapplicable("the token response does not say how long the token lives")

    assert lifetime <= other or lifetime < 0.9 * YEAR_S, f"its token lives {lifetime} s, another client's {other} s"


@requirement("HARD-PRIVILEGE-EFFECT", "HARD-UNREGISTERED-GRANT")
@needs("token_endpoint")
def test_a_client_does_not_grant_itself_tokens(endpoint: Endpoint):
    """A client that names further grants in members of its own making gets no token by client_credentials."""
    client, usual = privileged(endpoint), endpoint.client(token_endpoint_auth_method=method(endpoint))
    if client is None:
        return
    if "client_credentials" in (client.stored("grant_types") or ()):
        inapplicable("the server registered client_credentials, and says so")
    if endpoint.token(usual, grant_type="client_credentials").tokens is not None:
        inapplicable("the server gives every such client tokens by client_credentials")
    answer = endpoint.token(client, grant_type="client_credentials")

    assert answer.tokens is None, "client_credentials yielded a token"


@requirement("HARD-AUDIENCE-EFFECT")
@needs("session", "token_endpoint")
def test_a_client_opens_no_audience_for_itself(endpoint: Endpoint, session: Session):
    """A client that registers with an audience gets no token for it, if other clients get none."""
    if opens(session, endpoint.client()):
        inapplicable("the server issues tokens to every client that names this resource")
    client = granted(endpoint, AUDIENCES)

    assert client is None or not opens(session, client), f"it got a token for {FOREIGN_API}"


def opens(session: Session, client: Client) -> bool:
    """Whether a client gets a token where it names an API that nobody opened to it."""
    authorization = session.ask(client, resource=FOREIGN_API, audience=FOREIGN_API)
    return authorization.code is not None and (
        session.endpoint.redeem(authorization, resource=FOREIGN_API).tokens is not None)
