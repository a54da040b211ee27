"""Updating a client's configuration (RFC 7592, section 2.2)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from dcrcheck import (
    OMIT,
    REDIRECT_URI,
    Answer,
    Client,
    Endpoint,
    Secret,
    Session,
    at_once,
    inapplicable,
    inconclusive,
    is_received,
    needs,
    requirement,
)

OTHER_REDIRECT_URI = "https://client.example/other"
ERRORS = ("invalid_redirect_uri", "invalid_client_metadata", "invalid_software_statement",
          "unapproved_software_statement")
CHOSEN = {"registration_client_uri": "https://foreign.example/register/dcrcheck", "client_id_issued_at": 1,
          "client_secret_expires_at": 4102444800}
JWKS = {"keys": [{"kty": "EC", "crv": "P-256", "kid": "dcrcheck", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                  "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}
INVALID: dict[str, dict[str, Any]] = {
    "a javascript redirect URI": {"redirect_uris": ["javascript:alert(1)"]},
    "a plain http redirect URI": {"redirect_uris": ["http://client.example/cb"]},
    "a redirect URI with a fragment": {"redirect_uris": ["https://client.example/cb#fragment"]},
    "a javascript client_uri": {"client_uri": "javascript:alert(1)"},
    "a plain http jwks_uri": {"jwks_uri": "http://client.example/jwks.json"},
    "jwks and jwks_uri": {"jwks": JWKS, "jwks_uri": "https://client.example/jwks.json"},
    "a method with a secret": {"token_endpoint_auth_method": "client_secret_basic"},
    "a data redirect URI": {"redirect_uris": ["data:text/html,dcrcheck"]},
    "a javascript redirect URI in other case": {"redirect_uris": ["JaVaScRiPt:void(0)"]},
    "a redirect URI with a leading blank": {"redirect_uris": [" javascript:void(0)"]},
    "a relative redirect URI": {"redirect_uris": ["/cb"]},
    "a redirect URI with user information": {"redirect_uris": ["https://client.example@foreign.example/cb"]},
    "a redirect URI with a backslash": {"redirect_uris": ["https://foreign.example\\@client.example/cb"]},
    "a redirect URI with a wildcard": {"redirect_uris": ["https://*.client.example/cb"]},
    "a redirect URI with dot segments": {"redirect_uris": ["https://client.example/a/../cb"]},
    "a redirect URI with an impossible port": {"redirect_uris": ["https://client.example:65536/cb"]},
    "a host that resembles loopback": {"redirect_uris": ["http://localhost.client.example/cb"]},
    "a host with invisible characters": {"redirect_uris": ["https://client\u200b.example/cb"]},
    "a redirect URI with a line break": {"redirect_uris": ["https://client.example/cb\r\nX: 1"]},
    "no usable redirect URI beside a good one": {"redirect_uris": [REDIRECT_URI, "vbscript:x"]},
    "a data logo_uri": {"logo_uri": "data:image/svg+xml,<svg/>"},
    "a file jwks_uri": {"jwks_uri": "file:///dcrcheck/jwks.json"},
    "the implicit grant": {"grant_types": ["authorization_code", "implicit"], "response_types": ["code", "token"]},
    "the password grant": {"grant_types": ["authorization_code", "password"]},
    "client_credentials": {"grant_types": ["authorization_code", "client_credentials"]},
    "a response type of tokens": {"response_types": ["code", "id_token token"]},
    "a scope of administrators": {"scope": "admin"},
    "no consent": {"skip_consent": True, "trusted": True},
    "another protocol": {"protocol": "saml", "fullScopeAllowed": True},
    "unsigned ID tokens": {"id_token_signed_response_alg": "none"},
    "an unknown authentication method": {"token_endpoint_auth_method": "dcrcheck"},
    "a name with a bidirectional override": {"client_name": "dcrcheck \u202eelpmaxe"},
}


def confidential(endpoint: Endpoint) -> Client:
    """A new client that the server gave a secret."""
    client = endpoint.register(token_endpoint_auth_method=endpoint.policy.confidential_methods[0])
    if client.secret is None:
        inapplicable("the server issued no client_secret")
    return client


def holds(record: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether every wanted member is registered, of a list at least its items."""
    return all(set(map(str, value)) <= set(map(str, record.get(member) or ())) if isinstance(value, list)
               else record.get(member) == value for member, value in wanted.items())


def keeps_out(endpoint: Endpoint, client: Client, name: str) -> bool:
    """Whether a client is still there, under its own token, and does not bear the name that an update brought."""
    answer = endpoint.read(client)
    return 200 <= answer.status < 300 and isinstance(answer.json, dict) and answer.json.get("client_name") != name


@needs("management")
@requirement("RFC7592-2.2-01")
def test_an_update_is_a_put_of_a_json_object(endpoint: Endpoint):
    """A PUT of a JSON object with the client's token changes what is registered."""
    client = endpoint.register()

    endpoint.revise(client, client_name=endpoint.unique("dcrcheck renamed"), redirect_uris=[OTHER_REDIRECT_URI])

    record = endpoint.record(client)
    kept = [m for m in ("client_name", "redirect_uris") if record.get(m) == client.get(m)]
    assert len(kept) < 2, f"{' and '.join(kept)} are what they were"


@needs("management")
@requirement("RFC7592-2.2-01")
def test_a_form_is_no_update(endpoint: Endpoint):
    """A PUT of a form changes nothing."""
    client = endpoint.register()
    endpoint.revise(client)
    name = endpoint.unique("dcrcheck form")
    form = urlencode({"client_id": client.client_id, "client_name": name, "redirect_uris": REDIRECT_URI})

    answer = endpoint.manage(client, "PUT", content=form.encode(),
                             headers={"content-type": "application/x-www-form-urlencoded"})

    assert endpoint.record(client).get("client_name") != name, f"the form was answered {answer.describe()} and stored"


@needs("management")
@requirement("RFC7592-2.2-11")
def test_a_successful_update_is_200_and_json(endpoint: Endpoint):
    """A successful update is answered with 200 and application/json."""
    answer = endpoint.revise(endpoint.register())

    assert (answer.status, answer.is_json) == (200, True), (
        f"the update was answered {answer.describe()} with {answer.media_type or 'no media type'}")


@needs("management")
@requirement("RFC7592-2.2-13")
def test_an_update_keeps_the_client_id(endpoint: Endpoint):
    """An update answers with the client_id that was issued."""
    client = endpoint.register()

    answer = endpoint.revise(client)

    told = answer.json.get("client_id") if isinstance(answer.json, dict) else None
    assert told in (None, client.client_id), f"registered as {client.client_id!r}, updated as {told!r}"


@needs("management")
@requirement("RFC7592-2.2-13", "RFC7592-2.2-06")
def test_an_update_gives_no_other_client_id(endpoint: Endpoint):
    """An update with a client_id of the client's choice leaves the issued one in force."""
    client = endpoint.register()
    endpoint.revise(client)
    endpoint.record(client)
    chosen = f"dcrcheck-{secrets.token_hex(8)}"

    answer = endpoint.update(client, client_id=chosen)

    told = answer.json.get("client_id") if isinstance(answer.json, dict) else None
    after = endpoint.read(client)
    assert told != chosen, f"the update was answered {answer.describe()} with the chosen client_id"
    assert 200 <= after.status < 300, f"after {answer.describe()} the client is no longer there: {after.describe()}"


@needs("management")
@requirement("RFC7592-2.2-06")
def test_an_update_without_client_id_is_not_carried_out(endpoint: Endpoint):
    """An update that lacks the client_id is not carried out."""
    client = endpoint.register()
    endpoint.revise(client)
    endpoint.record(client)
    name = endpoint.unique("dcrcheck anonymous")

    answer = endpoint.update(client, client_id=OMIT, client_name=name)

    assert keeps_out(endpoint, client, name), f"it was answered {answer.describe()} and stored"


@needs("management")
@requirement("HARD-CROSS-CLIENT", "RFC7592-2.2-06")
def test_an_update_that_names_another_client_leaves_that_one_alone(endpoint: Endpoint):
    """An update with the client_id of another client does not change that client."""
    client, other = endpoint.register(), endpoint.register()
    endpoint.revise(client)
    endpoint.record(other)
    name = endpoint.unique("dcrcheck usurper")

    answer = endpoint.update(client, client_id=other.client_id, client_name=name)

    assert keeps_out(endpoint, other, name), f"it was answered {answer.describe()} and the other client was changed"


@needs("management")
@requirement("RFC7592-2.2-06")
def test_an_update_that_names_another_client_is_not_carried_out(endpoint: Endpoint):
    """An update with the client_id of another client does not change the client that sent it."""
    client, other = endpoint.register(), endpoint.client()
    endpoint.revise(client)
    endpoint.record(client)
    name = endpoint.unique("dcrcheck usurper")

    answer = endpoint.update(client, client_id=other.client_id, client_name=name)

    assert keeps_out(endpoint, client, name), f"it was answered {answer.describe()} and carried out"


# -- replacing ------------------------------------------------------------------------------------------------------


@needs("management")
@requirement("RFC7592-2.2-03")
def test_an_update_replaces_lists(endpoint: Endpoint):
    """Redirect URIs of an update take the place of the registered ones."""
    client = endpoint.register(redirect_uris=[REDIRECT_URI, OTHER_REDIRECT_URI])

    endpoint.revise(client, redirect_uris=[OTHER_REDIRECT_URI])

    stored = endpoint.record(client).get("redirect_uris")
    assert stored == [OTHER_REDIRECT_URI], f"redirect_uris is {stored!r}"


@pytest.mark.parametrize("member", ["contacts", "scope"])
@needs("management")
@requirement("RFC7592-2.2-03")
def test_an_update_takes_away_what_it_does_not_list(endpoint: Endpoint, member: str):
    """A contact or a scope that an update does not list is no longer registered."""
    first, second = (endpoint.metadata.get("scopes_supported") or ["", ""])[:2] if member == "scope" else (
        "one@client.example", "two@client.example")
    client = endpoint.register(**{member: listed(member, first, second)})
    if not {first, second} <= set(elements(client.stored(member))):
        inapplicable(f"the server registers {client.stored(member)!r} as {member}")

    endpoint.revise(client, **{member: listed(member, second)})

    stored = endpoint.record(client).get(member)
    assert first not in elements(stored), f"{member} is still {stored!r}"


def listed(member: str, *items: str) -> Any:
    return " ".join(items) if member == "scope" else list(items)


def elements(value: Any) -> list[str]:
    return value.split() if isinstance(value, str) else list(value or ())


@needs("management", "authorization_endpoint")
@requirement("RFC7592-2.2-03")
def test_a_removed_redirect_uri_no_longer_matches(endpoint: Endpoint, session: Session | None):
    """A redirect URI that an update removed is not received at the authorization endpoint any more."""
    client = endpoint.register(redirect_uris=[REDIRECT_URI, OTHER_REDIRECT_URI])
    if not is_received(endpoint, session, client, REDIRECT_URI):
        inconclusive("the authorization endpoint does not receive the redirect URI while it is registered")

    endpoint.revise(client, redirect_uris=[OTHER_REDIRECT_URI])

    assert not is_received(endpoint, session, client, REDIRECT_URI), "the removed URI still receives the answer"


@pytest.mark.parametrize("member", ["client_name", "client_uri"])
@needs("management")
@requirement("RFC7592-2.2-04")
def test_an_omitted_member_is_removed(endpoint: Endpoint, member: str):
    """A member that an update leaves out loses its value, where null takes it away too."""
    client = endpoint.register(**({"client_uri": "https://client.example/"} if member == "client_uri" else {}))
    if client.stored(member) is None:
        inapplicable(f"the server does not register {member}")
    endpoint.revise(client)

    answer = endpoint.update(client, **{member: OMIT})
    if answer.status == 400:
        inapplicable(f"the server wants {member} in every client: {answer.describe()}")

    stored = endpoint.record(client).get(member)
    if stored == client.stored(member):
        # section 2.2: what is left out counts as null, and null values may be ignored
        endpoint.update(client, **{member: None})
        if endpoint.record(client).get(member) == stored:
            inapplicable("the server ignores null as well, which section 2.2 permits")
    assert stored != client.stored(member), f"{member} is still {stored!r}, though null takes it away"


# -- what an update cannot set --------------------------------------------------------------------------------------


@pytest.mark.parametrize("member", CHOSEN)
@needs("management")
@requirement("RFC7592-2.2-02")
def test_an_update_sets_no_server_member(endpoint: Endpoint, member: str):
    """Members that only the server sets keep their values in an update."""
    methods = endpoint.policy.confidential_methods
    client = endpoint.register(token_endpoint_auth_method=methods[0]) if methods else endpoint.register()
    endpoint.revise(client)

    value = CHOSEN[member]

    answer = endpoint.update(client, **{member: value})

    told = answer.json.get(member) if isinstance(answer.json, dict) and answer.status < 300 else None
    assert value not in (told, endpoint.record(client).get(member)), f"{member} became {value!r}"


@needs("management")
@requirement("RFC7592-2.2-02", "HARD-CHOSEN-TOKEN")
def test_an_update_sets_no_registration_access_token(endpoint: Endpoint):
    """A registration access token that an update proposes opens nothing."""
    client = endpoint.register()
    endpoint.revise(client)
    chosen = Secret(f"dcrcheck-{secrets.token_urlsafe(24)}")

    endpoint.update(client, registration_access_token=chosen)

    answer = endpoint.manage(client, token=chosen)
    assert not 200 <= answer.status < 300, f"the chosen token reads the client: {answer.describe()}"


@needs("management", "confidential")
@requirement("RFC7592-2.2-07")
def test_an_update_with_a_wrong_secret_is_not_carried_out(endpoint: Endpoint):
    """An update whose client_secret is not the current one is not carried out."""
    client = confidential(endpoint)
    endpoint.revise(client)
    endpoint.record(client)
    name = endpoint.unique("dcrcheck wrong secret")

    answer = endpoint.update(client, client_secret=Secret(secrets.token_urlsafe(32)), client_name=name)

    assert keeps_out(endpoint, client, name), f"it was answered {answer.describe()} and stored"


@needs("management", "confidential", "token_endpoint")
@requirement("RFC7592-2.2-08", "HARD-CHOSEN-SECRET")
def test_an_update_sets_no_secret(endpoint: Endpoint):
    """A client_secret that an update proposes is neither registered nor accepted at the token endpoint."""
    client = confidential(endpoint)
    endpoint.revise(client)
    chosen = Secret(f"dcrcheck-{secrets.token_urlsafe(24)}")

    endpoint.update(client, client_secret=chosen)

    assert endpoint.record(client).get("client_secret") != chosen, "the chosen secret is registered"
    if client.secret is None or not authenticates(endpoint, client, client.secret):
        inconclusive("the token endpoint does not tell the client's own secret from a wrong one")
    assert not authenticates(endpoint, client, chosen), "the token endpoint accepts the chosen secret"


def authenticates(endpoint: Endpoint, client: Client, secret: str) -> bool:
    """Whether a secret fares better at the token endpoint than one that is wrong for certain."""
    tried, wrong = (endpoint.try_code(client, auth=(client.client_id, password))
                    for password in (secret, secrets.token_urlsafe(32)))
    return wrong.turned_away and tried.error is not None and not tried.turned_away


# -- changes of type ------------------------------------------------------------------------------------------------


@needs("management", "confidential", "session", "token_endpoint")
@requirement("HARD-CLIENT-AUTH-ENFORCED", "HARD-UPDATE-VALIDATES")
def test_a_client_that_an_update_makes_confidential_must_prove_it(endpoint: Endpoint, session: Session):
    """A public client that an update makes a confidential one redeems no code without its secret."""
    if "none" not in endpoint.policy.auth_methods:
        inapplicable(f"policy {endpoint.policy.name} admits no public client")
    client, method = endpoint.register(token_endpoint_auth_method="none"), endpoint.policy.confidential_methods[0]
    answer = endpoint.update(client, token_endpoint_auth_method=method)
    if endpoint.record(client).get("token_endpoint_auth_method") != method:
        inapplicable(f"the server leaves a public client public: {answer.describe()}")
    way = "post" if method == "client_secret_post" else "basic"
    if client.secret is not None and endpoint.redeem(session.ask(client), auth=way).tokens is None:
        inconclusive("the client redeems no code with its secret either")

    redeemed = endpoint.redeem(session.ask(client), auth="none")

    assert redeemed.tokens is None, "the client_id alone redeemed a code"


@needs("management", "confidential")
@requirement("HARD-SECRET-ENDS")
def test_a_client_that_an_update_makes_public_has_no_secret(endpoint: Endpoint):
    """A confidential client that an update makes a public one is not registered with a secret any more."""
    if "none" not in endpoint.policy.auth_methods:
        inapplicable(f"policy {endpoint.policy.name} admits no public client")
    client = confidential(endpoint)
    answer = endpoint.update(client, token_endpoint_auth_method="none")

    record = endpoint.record(client)

    if record.get("token_endpoint_auth_method") != "none":
        inapplicable(f"the server leaves a confidential client confidential: {answer.describe()}")
    assert not record.get("client_secret"), "the public client still has its client_secret"


# -- two at once ----------------------------------------------------------------------------------------------------


@needs("management")
@requirement("HARD-CONCURRENT-UPDATE")
def test_two_updates_at_once_leave_one_of_them(endpoint: Endpoint):
    """Of two updates at the same moment, one as a whole is what is answered and what is registered afterwards."""
    client = endpoint.register(redirect_uris=[REDIRECT_URI])
    endpoint.revise(client)
    endpoint.record(client)
    pairs = [(endpoint.unique(f"dcrcheck {letter}"), [f"{REDIRECT_URI}/{letter}"]) for letter in "ab"]
    waiting, token = list(pairs), client.registration_access_token
    before = (client.get("client_name"), client.redirect_uris)

    def send() -> Answer:
        name, uris = waiting.pop()
        return endpoint.manage(client, "PUT", token=token,
                               json=endpoint.revision(client, client_name=name, redirect_uris=uris))

    answers = [answer for answer in at_once(send, times=len(pairs)) if 200 <= answer.status < 300]

    if not answers:
        inconclusive("neither of the two updates was carried out")
    states = [*(answer.members for answer in answers), endpoint.record(client)]
    torn = [state for state in states if "redirect_uris" in state
            and (state.get("client_name"), state["redirect_uris"]) not in (*pairs, before)]
    assert not torn, f"the name of one and the redirect URIs of the other: {torn[0].get('client_name')!r} with " \
                     f"{torn[0]['redirect_uris']!r}"


@needs("management")
@requirement("HARD-CONCURRENT-UPDATE", "RFC7592-A.1-03")
def test_two_updates_at_once_leave_one_token(endpoint: Endpoint):
    """Where updates replace the registration access token, two at the same moment leave one that is good."""
    client = endpoint.register()
    endpoint.revise(client)
    token = client.registration_access_token
    document = endpoint.revision(client)
    answers = at_once(lambda: endpoint.manage(client, "PUT", token=token, json=document), times=2)

    tokens = {answer.members.get("registration_access_token") for answer in answers} - {None}
    if len(tokens | {token}) < 2:
        inapplicable("the server does not replace registration access tokens")
    alive = [one for one in sorted(tokens | {token}) if 200 <= endpoint.manage(client, token=one).status < 300]
    assert len(alive) < 2, f"{len(alive)} tokens open the client"


# -- validation -----------------------------------------------------------------------------------------------------


@needs("management")
@requirement("RFC7592-2.2-18")
def test_an_invalid_update_gets_a_registration_error(endpoint: Endpoint):
    """An update that is refused for an invalid redirect URI is answered with 400 and a registration error."""
    client = endpoint.register()
    endpoint.revise(client)

    answer = endpoint.update(client, redirect_uris=["javascript:alert(1)"])
    if 200 <= answer.status < 300:
        inapplicable(f"the server did not refuse the update: {answer.describe()}")

    assert (answer.status, answer.is_json) == (400, True), f"the update was answered {answer.describe()}"
    assert answer.error in ERRORS, f"the error is {answer.error!r}"


@pytest.mark.parametrize("invalid", INVALID)
@needs("management")
@requirement("HARD-UPDATE-VALIDATES", "RFC7592-2.2-18")
def test_an_update_is_held_to_the_rules_of_registration(endpoint: Endpoint, invalid: str):
    """What registration does not accept, an update does not bring in."""
    deviation = INVALID[invalid]
    registered = endpoint.submit(**deviation).client
    if registered is not None and holds({m: registered.stored(m) for m in deviation}, deviation):
        inapplicable(f"registration accepts {invalid} as well")
    client = endpoint.client(purpose="to be updated badly")
    endpoint.revise(client)

    answer = endpoint.update(client, **deviation)

    assert not holds(endpoint.record(client), deviation), f"{invalid} was answered {answer.describe()} and stored"


@needs("management")
@requirement("HARD-REFUSAL-IS-WHOLE")
def test_a_refused_update_changes_nothing(endpoint: Endpoint):
    """An update that is refused for one member leaves the others as they were."""
    client = endpoint.register()
    endpoint.revise(client)
    name = endpoint.unique("dcrcheck half")

    answer = endpoint.update(client, client_name=name, redirect_uris=["javascript:alert(1)"])
    if not 400 <= answer.status < 500:
        inapplicable(f"the server did not refuse the update: {answer.describe()}")

    assert endpoint.record(client).get("client_name") != name, f"{answer.describe()}, and client_name was stored"


# -- clients that are gone ------------------------------------------------------------------------------------------


@needs("management")
@requirement("RFC7592-2.2-15")
def test_updating_a_missing_client_is_401(endpoint: Endpoint):
    """An update of a client that does not exist is answered with 401."""
    answer = endpoint.update(endpoint.removed())

    assert answer.status == 401, f"the update was answered {answer.describe()}"


@needs("management")
@requirement("RFC7592-2.3-03")
def test_an_update_brings_no_deleted_client_back(endpoint: Endpoint):
    """An update of a deleted client is not carried out, and the client stays deleted."""
    gone = endpoint.removed()

    answer = endpoint.update(gone)

    assert not 200 <= answer.status < 300, f"the update was answered {answer.describe()}"
    again = endpoint.read(gone)
    assert not 200 <= again.status < 300, f"the client is back: {again.describe()}"


@needs("management")
@requirement("RFC7592-2.2-16")
def test_updating_a_missing_client_ends_the_token(endpoint: Endpoint):
    """The token that was used to update a client that does not exist is revoked at once."""
    gone, other = endpoint.removed(), endpoint.register()
    endpoint.record(other)

    endpoint.manage(gone, "PUT", token=other.registration_access_token, json=endpoint.revision(gone))

    answer = endpoint.read(other)
    assert answer.status in (401, 403), f"the token still reads its own client: {answer.describe()}"
