"""Which grants and response types a client can register, and in what combinations (RFC 7591, sections 2 and 2.1)."""

import pytest

from dcrcheck import OMIT, Answer, Endpoint, Policy, observes, requirement

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SAML2_BEARER = "urn:ietf:params:oauth:grant-type:saml2-bearer"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
CIBA = "urn:openid:params:grant-type:ciba"


@requirement("STRUCT-NO-CLIENT-CREDENTIALS")
@pytest.mark.parametrize("deviation", [
    pytest.param({"grant_types": ["client_credentials"], "response_types": []}, id="alone"),
    pytest.param({"grant_types": ["client_credentials"], "response_types": OMIT, "redirect_uris": OMIT}, id="bare"),
    pytest.param({"grant_types": ["authorization_code", "client_credentials"]}, id="beside-the-code"),
    pytest.param({"grant_types": ["client_credentials"], "response_types": [],
                  "token_endpoint_auth_method": "client_secret_basic"}, id="with-a-secret"),
])
def test_client_credentials_is_not_registered(endpoint: Endpoint, deviation: dict[str, object]):
    """A self-registered client does not obtain the client_credentials grant."""
    answer = endpoint.submit(**deviation)

    assert "client_credentials" not in _grants(answer), f"the server registered {_grants(answer)!r}"


@requirement("RFC9700-2.4-01", "OAUTH21-10-01", "STRUCT-GRANTS")
@pytest.mark.parametrize("grants", [["password"], ["authorization_code", "password"]], ids=["alone", "beside-the-code"])
def test_the_password_grant_is_not_registered(endpoint: Endpoint, grants: list[str]):
    """No client obtains the password grant."""
    answer = endpoint.submit(grant_types=grants, response_types=["code"] if "authorization_code" in grants else [])

    assert "password" not in _grants(answer), f"the server registered {_grants(answer)!r}"


@requirement("OAUTH21-10-01", "STRUCT-GRANTS", "STRUCT-CODE-ONLY")
@pytest.mark.parametrize(("grants", "responses"), [
    pytest.param(["implicit"], ["token"], id="alone"),
    pytest.param(["authorization_code", "implicit"], ["code", "token"], id="beside-the-code"),
])
def test_the_implicit_grant_is_not_registered(endpoint: Endpoint, grants: list[str], responses: list[str]):
    """No client obtains the implicit grant."""
    answer = endpoint.submit(grant_types=grants, response_types=responses)

    assert "implicit" not in _grants(answer), f"the server registered {_grants(answer)!r}"


@requirement("STRUCT-GRANTS")
@observes("RFC7591-2-09")
@pytest.mark.parametrize("grant", [DEVICE_CODE, JWT_BEARER, SAML2_BEARER, TOKEN_EXCHANGE, CIBA,
                                   "urn:dcrcheck:grant-type:made-up"], ids=lambda grant: grant.rpartition(":")[2])
def test_no_further_grant_is_registered(endpoint: Endpoint, grant: str):
    """A self-registered client has no grants beyond authorization_code and refresh_token."""
    answer = endpoint.submit(grant_types=["authorization_code", grant])

    further = set(_grants(answer)) - {"authorization_code", "refresh_token"}
    if grant in further:
        endpoint.observe("RFC7591-2-09", f"{grant} can be registered")
    assert not further, f"the server registered {sorted(further)!r}"


@requirement("STRUCT-CODE-ONLY")
@pytest.mark.parametrize("response", ["token", "id_token", "id_token token", "code token", "code id_token",
                                      "code id_token token"], ids=lambda response: response.replace(" ", "-"))
def test_no_response_type_but_code_is_registered(endpoint: Endpoint, response: str):
    """A self-registered client has no implicit and no hybrid response type."""
    answer = endpoint.submit(grant_types=["authorization_code", "implicit"], response_types=["code", response])

    further = set(_responses(answer)) - {"code"}
    assert not further, f"the server registered {sorted(further)!r}"


@requirement("RFC7591-2.1-01")
@pytest.mark.parametrize(("grants", "responses"), [
    pytest.param(["authorization_code"], ["token"], id="code-grant-with-token"),
    pytest.param(["implicit"], ["code"], id="implicit-with-code"),
    pytest.param(["client_credentials"], ["code"], id="client-credentials-with-code"),
    pytest.param(["refresh_token"], ["code"], id="refresh-alone-with-code"),
])
def test_contradicting_grant_and_response_types_are_not_registered(endpoint: Endpoint, policy: Policy,
                                                                   grants: list[str], responses: list[str]):
    """Grant types and response types that contradict each other are refused or corrected."""
    answer = endpoint.submit(grant_types=grants, response_types=responses,
                             token_endpoint_auth_method=_method(policy, grants))
    if answer.client is None or answer.stored("response_types") is None:
        return

    assert _is_consistent(_grants(answer), _responses(answer)), (
        f"the server registered {_grants(answer)!r} with {_responses(answer)!r}")


@requirement("RFC7591-2.1-02")
def test_the_code_grant_brings_the_response_type_code(endpoint: Endpoint):
    """A client with grant type authorization_code and no response type is refused, or gets response type code."""
    answer = endpoint.submit(grant_types=["authorization_code"], response_types=[])

    assert "authorization_code" not in _grants(answer) or any("code" in r.split() for r in _responses(answer)), (
        f"the server registered {_grants(answer)!r} with {_responses(answer)!r}")


@requirement("RFC7591-2.1-03")
def test_the_implicit_grant_brings_the_response_type_token(endpoint: Endpoint):
    """A client with grant type implicit and no response type token is refused, or corrected."""
    answer = endpoint.submit(grant_types=["authorization_code", "implicit"], response_types=["code"])

    fitting = any({"token", "id_token"} & set(response.split()) for response in _responses(answer))
    assert "implicit" not in _grants(answer) or fitting, (
        f"the server registered {_grants(answer)!r} with {_responses(answer)!r}")


@requirement("RFC7591-2.1-04")
def test_the_password_grant_needs_no_response_type(endpoint: Endpoint, policy: Policy):
    """The password grant is not made to carry a response type; it may be refused as such."""
    _needs_no_response_type(endpoint, policy, "password")


@requirement("RFC7591-2.1-05")
def test_client_credentials_needs_no_response_type(endpoint: Endpoint, policy: Policy):
    """client_credentials is not made to carry a response type or a redirect URI; it may be refused as such."""
    _needs_no_response_type(endpoint, policy, "client_credentials", redirect_uris=OMIT)


@requirement("RFC7591-2.1-07")
def test_the_jwt_bearer_grant_needs_no_response_type(endpoint: Endpoint, policy: Policy):
    """The JWT bearer grant is not made to carry a response type; it may be refused as such."""
    _needs_no_response_type(endpoint, policy, JWT_BEARER)


@requirement("RFC7591-2.1-08")
def test_the_saml_bearer_grant_needs_no_response_type(endpoint: Endpoint, policy: Policy):
    """The SAML 2.0 bearer grant is not made to carry a response type; it may be refused as such."""
    _needs_no_response_type(endpoint, policy, SAML2_BEARER)


@requirement("RFC7591-2.1-06")
def test_the_refresh_grant_goes_with_the_code_alone(endpoint: Endpoint):
    """authorization_code and refresh_token with response type code alone is no contradiction."""
    answer = endpoint.submit(grant_types=["authorization_code", "refresh_token"], response_types=["code"])

    assert answer.client is not None, f"the server answered {answer.describe()}"
    assert set(_responses(answer)) == {"code"}, f"the server registered {_responses(answer)!r}"


def _needs_no_response_type(endpoint: Endpoint, policy: Policy, grant: str, **without: object) -> None:
    """A refusal is the server's right (section 2), unless what the grant has no use for would lift it."""
    wish = {"grant_types": [grant], "token_endpoint_auth_method": _method(policy, [grant])}
    answer = endpoint.submit(**{**wish, "response_types": [], **without})
    if answer.client is not None:
        added = (answer.stored("response_types") or []) if _grants(answer) == [grant] else []
        assert not added, f"the server added response types {added!r} to {grant}"
        return
    for responses in (["code"], []):
        twin = endpoint.submit(**wish, response_types=responses)
        assert grant not in _grants(twin), f"the server wants redirect_uris and response_types {responses!r} for it"


def _method(policy: Policy, grants: list[str]) -> str:
    """A method with a secret for grants that want one, where the policy has one."""
    return next(iter(policy.confidential_methods), "none") if "authorization_code" not in grants else "none"


def _grants(answer: Answer) -> list[str]:
    """The grant types that were registered; the default where a response is silent (section 2)."""
    if answer.client is None:
        return []
    stored = answer.stored("grant_types")
    return ["authorization_code"] if stored is None else [stored] if isinstance(stored, str) else list(stored)


def _responses(answer: Answer) -> list[str]:
    if answer.client is None:
        return []
    stored = answer.stored("response_types")
    return ["code"] if stored is None else [stored] if isinstance(stored, str) else list(stored)


def _is_consistent(grants: list[str], responses: list[str]) -> bool:
    """The table of section 2.1, read both ways; a hybrid response type wants both grants."""
    parts = {part for response in responses for part in response.split()}
    return (("authorization_code" in grants) == ("code" in parts)
            and ("implicit" in grants) == bool({"token", "id_token"} & parts))
