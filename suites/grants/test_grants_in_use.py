"""What a client can really do at the token and authorization endpoints with the grants that it has and has not."""

import pytest

from dcrcheck import (
    OMIT,
    Answer,
    Client,
    Endpoint,
    Policy,
    Session,
    inapplicable,
    inconclusive,
    land,
    needs,
    requirement,
)

# The example of RFC 7517, appendix A.1
_KEY = {"kty": "EC", "crv": "P-256", "kid": "1", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}
_BEARER = "urn:ietf:params:oauth:grant-type:"
_ASSERTIONS = {
    _BEARER + "device_code": {"device_code": "dcrcheck"},
    _BEARER + "jwt-bearer": {"assertion": "e30.e30."},
    _BEARER + "saml2-bearer": {"assertion": "ZGNyY2hlY2s"},
    _BEARER + "token-exchange": {"subject_token": "dcrcheck",
                                 "subject_token_type": "urn:ietf:params:oauth:token-type:access_token"},
    "urn:dcrcheck:grant-type:made-up": {},
}


@requirement("RFC7591-2-08")
@needs("token_endpoint")
@pytest.mark.parametrize(("grant", "wish"), [
    pytest.param("authorization_code", {"code": "dcrcheck", "code_verifier": "dcrcheck" * 6}, id="authorization_code"),
    pytest.param("refresh_token", {"refresh_token": "dcrcheck"}, id="refresh_token"),
    pytest.param("client_credentials", {}, id="client_credentials"),
])
def test_a_registered_grant_is_known_at_the_token_endpoint(endpoint: Endpoint, policy: Policy, grant: str,
                                                           wish: dict[str, str]):
    """A grant type that the response lists is one that the token endpoint knows, and that this client may use."""
    client = _client_for(endpoint, policy, grant)
    if grant not in _grants(client):
        inapplicable(f"the server registered {_grants(client)!r}")

    answer = _ask_for_a_reason(endpoint, client, grant_type=grant, **wish)
    assert answer.error not in ("unsupported_grant_type", "unauthorized_client"), (
        f"{grant} is registered, and the token endpoint answered {answer.describe()}")


@requirement("RFC7591-2-10", "OIDCR-2-04")
@needs("token_endpoint")
def test_absent_grant_types_add_no_grant(endpoint: Endpoint, policy: Policy):
    """A client that names no grant types can use the code grant, and beyond it only what the response names."""
    client = endpoint.client(grant_types=OMIT, token_endpoint_auth_method=_method(policy))
    grants = _grants(client)

    assert grants, "the client was registered for no grant at all"
    answer = _ask(endpoint, client, grant_type="client_credentials")
    assert "client_credentials" in grants or not _is_issued(answer), (
        f"{grants!r} is registered, and client_credentials yielded a token")


@requirement("RFC7591-2-13", "OIDCR-2-04")
@needs("authorization_endpoint")
@pytest.mark.parametrize("response", ["token", "id_token"])
def test_absent_response_types_add_no_response_type(endpoint: Endpoint, session: Session | None, response: str):
    """A client that names no response types uses code, and beyond it only what the response names."""
    client = endpoint.client(response_types=OMIT)
    stored = client.stored("response_types")

    assert stored != [], "a client of the code grant was registered for no response type at all"
    if response in (stored or ["code"]):
        inapplicable(f"the server registered {stored!r} and says so")
    assert not _delivered(endpoint, session, client, response), f"response type {response} yielded a token"


@requirement("HARD-UNREGISTERED-GRANT", "STRUCT-NO-CLIENT-CREDENTIALS")
@needs("token_endpoint")
@pytest.mark.parametrize("method", ["none", "client_secret_basic", "client_secret_post"])
def test_client_credentials_yields_no_token_unless_registered(endpoint: Endpoint, policy: Policy, method: str):
    """A client that is registered for codes alone gets no token by client_credentials."""
    if method not in policy.auth_methods:
        inapplicable(f"policy {policy.name} has no {method}")
    client = endpoint.client(token_endpoint_auth_method=method)
    if "client_credentials" in _grants(client):
        inapplicable(f"the server registered {_grants(client)!r}")

    answer = _ask(endpoint, client, grant_type="client_credentials")
    assert not _is_issued(answer), f"{_grants(client)!r} is registered, and client_credentials yielded a token"


@requirement("OAUTH21-4.2-01", "STRUCT-NO-CLIENT-CREDENTIALS", "OAUTH21-2.1-02")
@needs("token_endpoint")
def test_a_public_client_gets_no_token_of_its_own(endpoint: Endpoint):
    """A client without authentication gets no token by client_credentials, whatever grants it asked for."""
    answer = endpoint.submit(grant_types=["authorization_code", "client_credentials"],
                             token_endpoint_auth_method="none")
    client = answer.client or endpoint.client()
    # one that says none is public, whatever secret comes with it
    if client.secret is not None and client.get("token_endpoint_auth_method") != "none":
        inapplicable("the server made a confidential client of it")

    answer = _ask(endpoint, client, auth="none", grant_type="client_credentials")
    assert not _is_issued(answer), "the token endpoint issued a token"


@requirement("OAUTH21-3.2.2-01", "HARD-CLIENT-AUTH-ENFORCED", "OAUTH21-4.2.1-01")
@needs("confidential", "token_endpoint")
def test_client_credentials_yields_no_token_by_the_identifier_alone(endpoint: Endpoint, policy: Policy):
    """A client that gets tokens by client_credentials gets none without its secret."""
    client = _client_for(endpoint, policy, "client_credentials")
    if not _is_issued(_ask(endpoint, client, grant_type="client_credentials")):
        inapplicable("the client gets no token with its secret either")

    answer = endpoint.token(client, auth="none", grant_type="client_credentials")
    assert not _is_issued(answer), "the client_id alone yielded a token"


@requirement("HARD-CLIENT-AUTH-ENFORCED", "OAUTH21-3.2.2-01")
@needs("token_endpoint")
@pytest.mark.parametrize("method", ["client_secret_jwt", "tls_client_auth", "self_signed_tls_client_auth"])
def test_a_client_with_a_certificate_gets_no_token_without_it(endpoint: Endpoint, policy: Policy, method: str):
    """A client that registered to authenticate by a certificate or a signature gets no token by its client_id alone."""
    if "client_credentials" not in policy.grant_types:
        inapplicable(f"policy {policy.name} has no client_credentials")
    keys = {"jwks": {"keys": [_KEY]}} if method == "self_signed_tls_client_auth" else {}
    names = {"tls_client_auth_subject_dn": "CN=client.example"} if method == "tls_client_auth" else {}
    client = endpoint.submit(grant_types=["authorization_code", "client_credentials"],
                             token_endpoint_auth_method=method, **keys, **names).client
    if client is None or client.stored("token_endpoint_auth_method") != method:
        inapplicable(f"the server registers no client with {method}")

    answers = [endpoint.token(client, grant_type="client_credentials", **way) for way in (
        {"auth": "none"}, {"auth": "none", "client_secret": ""}, {"auth": (client.client_id, "")})]
    assert not any(map(_is_issued, answers)), f"a client with {method} got a token by its client_id"


@requirement("HARD-UNREGISTERED-SCOPE")
@needs("token_endpoint")
def test_a_client_gets_no_scope_of_its_own_that_it_has_not_registered(endpoint: Endpoint, policy: Policy):
    """A token by client_credentials holds no scope that the client has not registered."""
    client = _client_for(endpoint, policy, "client_credentials")
    registered = client.stored("scope")
    if not isinstance(registered, str) or not registered or "admin" in registered.split():
        inapplicable(f"the server registered the scope {registered!r}")
    if endpoint.token(client, grant_type="client_credentials").tokens is None:
        inapplicable("the client gets no token for itself")
    tokens = endpoint.token(client, grant_type="client_credentials", scope="admin").tokens
    if tokens is not None and "scope" not in tokens:
        inapplicable("the token response does not say which scope it grants")

    assert tokens is None or "admin" not in str(tokens["scope"]).split(), f"the token has the scope {tokens['scope']!r}"


@requirement("RFC9700-2.4-01", "HARD-UNREGISTERED-GRANT", "STRUCT-GRANTS")
@needs("token_endpoint", "session")
def test_the_password_grant_yields_no_token(endpoint: Endpoint, session: Session):
    """A user's name and password, handed over by the client, yield no token."""
    client = endpoint.client()

    answer = _ask(endpoint, client, grant_type="password", username=session.username, password=session.password)
    assert not _is_issued(answer), "the password grant yielded a token"


@requirement("HARD-UNREGISTERED-GRANT", "STRUCT-GRANTS")
@needs("token_endpoint")
@pytest.mark.parametrize("grant", _ASSERTIONS, ids=lambda grant: grant.rpartition(":")[2])
def test_an_unregistered_grant_yields_no_token(endpoint: Endpoint, grant: str):
    """A grant type that the client did not register is refused at the token endpoint."""
    answer = _ask(endpoint, endpoint.client(), grant_type=grant, **_ASSERTIONS[grant])

    assert not _is_issued(answer), f"{grant} yielded a token"
    assert 400 <= answer.status < 500, f"{grant} was answered with {answer.describe()}"


@requirement("OAUTH21-3.2.4-06")
@needs("token_endpoint")
def test_a_grant_that_nobody_knows_is_named_as_unsupported(endpoint: Endpoint):
    """An unknown grant type is answered with unsupported_grant_type."""
    answer = _ask_for_a_reason(endpoint, endpoint.client(), grant_type="urn:dcrcheck:grant-type:made-up")

    assert answer.error == "unsupported_grant_type", f"the token endpoint answered {answer.describe()}"


@requirement("OAUTH21-3.2.4-05")
@needs("token_endpoint")
@pytest.mark.parametrize(("grant", "wish", "codes"), [
    pytest.param("client_credentials", {}, ("unauthorized_client",), id="client_credentials"),
    # a server that looks the token up first finds nothing
    pytest.param("refresh_token", {"refresh_token": "dcrcheck"}, ("unauthorized_client", "invalid_grant"),
                 id="refresh_token"),
])
def test_a_grant_that_is_not_the_clients_is_named_as_such(endpoint: Endpoint, policy: Policy, grant: str,
                                                          wish: dict[str, str], codes: tuple[str, ...]):
    """A grant type that the server offers and the client did not register is answered with unauthorized_client."""
    client = endpoint.client(token_endpoint_auth_method=_method(policy))
    if grant not in endpoint.metadata.get("grant_types_supported", ()) or grant in _grants(client):
        inapplicable(f"{grant} is not offered, or is registered for every client")

    answer = _ask_for_a_reason(endpoint, client, grant_type=grant, **wish)
    assert answer.error in codes, f"the token endpoint answered {answer.describe()}"


@requirement("HARD-UNREGISTERED-RESPONSE-TYPE", "STRUCT-CODE-ONLY", "OAUTH21-7.1.3.7-01")
@needs("authorization_endpoint")
@pytest.mark.parametrize("response", ["token", "id_token", "id_token token", "code token", "code id_token"],
                         ids=lambda response: response.replace(" ", "-"))
def test_an_unregistered_response_type_yields_no_token(endpoint: Endpoint, session: Session | None, response: str):
    """A client that is registered for codes gets no token from the authorization endpoint."""
    client = endpoint.client()
    if response in (client.stored("response_types") or []):
        inapplicable(f"the server registered response type {response!r}")

    assert not _delivered(endpoint, session, client, response), f"response type {response} yielded a token"


def _client_for(endpoint: Endpoint, policy: Policy, grant: str) -> Client:
    if grant not in policy.grant_types:
        inapplicable(f"policy {policy.name} has no {grant}")
    if grant != "client_credentials":
        return endpoint.client(grant_types=list(dict.fromkeys(["authorization_code", grant])))
    answer = endpoint.submit(grant_types=[grant], response_types=[], redirect_uris=OMIT,
                             token_endpoint_auth_method=_method(policy))
    if answer.client is None:
        inapplicable(f"the server registers no client for {grant}: {answer.describe()}")
    return answer.client


def _method(policy: Policy) -> str:
    return next(iter(policy.confidential_methods), "none")


def _grants(client: Client) -> list[str]:
    stored = client.stored("grant_types")
    return ["authorization_code"] if stored is None else [stored] if isinstance(stored, str) else list(stored)


def _ask(endpoint: Endpoint, client: Client, **form: object) -> Answer:
    usual = {"scope": endpoint.profile.registration.get("scope", OMIT), "resource": endpoint.target.resource or OMIT}
    answer = endpoint.token(client, **{**usual, **form})
    if answer.status in (0, 429) or answer.status >= 500:
        inconclusive(f"the token endpoint does not answer the probe: {answer.describe()}")
    return answer


def _ask_for_a_reason(endpoint: Endpoint, client: Client, **form: object) -> Answer:
    answer = _ask(endpoint, client, **form)
    if answer.error == "invalid_client":
        inconclusive("the token endpoint does not let this client in, so it gives no reason that concerns the grant")
    return answer


def _is_issued(answer: Answer) -> bool:
    return answer.status == 200 and isinstance(answer.json, dict) and "access_token" in answer.json


def _delivered(endpoint: Endpoint, session: Session | None, client: Client, response: str) -> bool:
    """Whether a request with this response type brings a token to the client, after the login if there is one."""
    landing = land(endpoint, session, client, response_type=response, nonce="dcrcheck")
    return bool({"access_token", "id_token"} & landing.parameters)
