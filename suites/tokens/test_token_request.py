"""What the token endpoint makes of requests that are odd or bad, and of clients that fail (OAuth 2.1, section 3.2)."""

import re
import secrets
from typing import Any
from urllib.parse import urlencode

import pytest

from dcrcheck import Answer, Client, Endpoint, inapplicable, inconclusive, needs, requirement

CODE = {"grant_type": "authorization_code", "code": "dcrcheck-no-such-code", "code_verifier": "d" * 43}
BAD_REQUESTS: dict[str, dict[str, Any]] = {
    "no-grant-type": {},
    "unknown-grant-type": {"grant_type": "urn:dcrcheck:grant-type:made-up"},
    "unknown-code": CODE,
    "unknown-client": {**CODE, "client_id": "dcrcheck-never-registered"},
}
# OAuth 2.1, section 3.2.4, and what extensions registered for the token endpoint (IANA)
CODES = {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
         "invalid_scope", "invalid_target", "invalid_dpop_proof", "use_dpop_nonce", "authorization_pending",
         "slow_down", "access_denied", "expired_token", "invalid_request_object"}
# the methods of the registry of RFC 7591 that need no secret on both sides
KEYS = {"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth", "attest_jwt_client_auth"}
PRINTABLE = re.compile(r"[ !#-\[\]-~]*")


def attempt(endpoint: Endpoint, client: Client, *, auth: str | tuple[str, str] = "registered", **form: Any) -> Answer:
    """A token request that fails for its code, if for nothing else.

    Raises:
        Inconclusive: it fails for reasons of the server's own (429, 5xx).
    """
    usual = {**CODE, "redirect_uri": client.redirect_uri}
    return told(endpoint.token(client, auth=auth, **{**usual, **form}))


def told(answer: Answer) -> Answer:
    if answer.broke_down or answer.status in (408, 429):
        inconclusive(f"the token endpoint does not answer the probe: {answer.describe()}")
    return answer


def refusal(endpoint: Endpoint, reason: str) -> Answer:
    client = endpoint.client()
    answer = told(endpoint.token(client, auth="none" if reason == "unknown-client" else "registered",
                                 **BAD_REQUESTS[reason]))
    if answer.tokens is not None:
        inapplicable("the server issued tokens")
    return answer


def turned_away(answer: Answer) -> bool:
    return answer.error == "invalid_client" or answer.status == 401


def proven(endpoint: Endpoint, method: str) -> Client:
    """A client with a secret that gets further at the token endpoint with it than with a wrong one."""
    if method not in endpoint.policy.auth_methods:
        inapplicable(f"policy {endpoint.policy.name} admits no client with {method}")
    client = endpoint.client(token_endpoint_auth_method=method)
    if client.auth_method != method or client.secret is None:
        inapplicable(f"the server made it a client with {client.auth_method!r}")
    if turned_away(control := attempt(endpoint, client)):
        inconclusive(f"the token endpoint does not accept the client's own secret: {control.describe()}")
    if not turned_away(attempt(endpoint, client, auth=(client.client_id, secrets.token_urlsafe(32)))):
        inconclusive("the server looks at the code before it looks at the secret")
    return client


@requirement("OAUTH21-3.2-03")
@needs("token_endpoint")
def test_an_unknown_token_parameter_is_ignored(endpoint: Endpoint):
    """A token request with a parameter that the server does not know is answered as without it."""
    client = endpoint.client()
    without = attempt(endpoint, client)

    answer = attempt(endpoint, client, dcrcheck_unknown="dcrcheck")

    assert answer.describe() == without.describe(), f"without it {without.describe()}, with it {answer.describe()}"


@requirement("OAUTH21-3.2-04")
@needs("token_endpoint")
@pytest.mark.parametrize("parameter", ["scope", "client_secret"])
def test_an_empty_token_parameter_counts_as_left_out(endpoint: Endpoint, parameter: str):
    """A parameter of a token request without a value has the effect of one that is left out."""
    client = endpoint.client()
    if parameter == "client_secret" and client.auth_method != "none":
        inapplicable(f"the client authenticates by {client.auth_method}")
    without = attempt(endpoint, client)

    answer = attempt(endpoint, client, **{parameter: ""})

    assert answer.describe() == without.describe(), f"without it {without.describe()}, empty {answer.describe()}"


# -- errors ---------------------------------------------------------------------------------------------------------


@requirement("OAUTH21-3.2.4-01")
@needs("token_endpoint")
@pytest.mark.parametrize("reason", BAD_REQUESTS)
def test_a_token_error_is_printable_json_with_status_400(endpoint: Endpoint, reason: str):
    """An error of the token endpoint is a JSON object in printable ASCII, with status 400 (invalid_client: or 401)."""
    answer = refusal(endpoint, reason)

    allowed = (400, 401) if answer.error == "invalid_client" else (400,)
    assert answer.status in allowed, f"the token endpoint answered {answer.describe()}"
    assert answer.is_json and isinstance(answer.json, dict), f"it is {answer.media_type!r}: {answer.text[:80]!r}"
    said = [answer.json.get(name, "") for name in ("error", "error_description", "error_uri")]
    assert all(isinstance(text, str) and PRINTABLE.fullmatch(text) for text in said), f"the answer says {said!r}"


@requirement("OAUTH21-3.2.4-02")
@needs("token_endpoint")
@pytest.mark.parametrize("reason", BAD_REQUESTS)
def test_a_token_error_has_a_code_that_is_defined(endpoint: Endpoint, reason: str):
    """An error of the token endpoint has a code that the specification, or a registered extension, defines."""
    answer = refusal(endpoint, reason)

    assert answer.error in CODES, f"the token endpoint answered {answer.describe()}"


@requirement("OAUTH21-3.2.4-03")
@needs("confidential", "token_endpoint")
def test_failed_basic_authentication_is_challenged(endpoint: Endpoint):
    """A wrong secret in HTTP Basic is answered with 401 and a Basic challenge."""
    client = proven(endpoint, "client_secret_basic")

    answer = attempt(endpoint, client, auth=(client.client_id, secrets.token_urlsafe(32)))

    told_how = ", ".join(answer.headers.get_list("www-authenticate"))
    assert answer.status == 401, f"the token endpoint answered {answer.describe()}"
    assert re.search(r"(^|,)\s*basic\b", told_how, re.IGNORECASE), f"WWW-Authenticate is {told_how!r}"


@requirement("OAUTH21-3.2.4-04")
@needs("token_endpoint")
@pytest.mark.parametrize("fault", ["repeated-parameter", "two-authentications"])
def test_a_malformed_token_request_is_an_invalid_request(endpoint: Endpoint, fault: str):
    """A repeated parameter, or a second client authentication, is answered with invalid_request."""
    if fault == "repeated-parameter":
        client, form = endpoint.client(), {"code": [CODE["code"], CODE["code"]]}
    else:
        client = proven(endpoint, "client_secret_basic")
        form = {"client_id": client.client_id, "client_secret": client.secret}
    usual = attempt(endpoint, client)

    answer = attempt(endpoint, client, **form)

    if answer.describe() == usual.describe():
        inapplicable("the server does not refuse such a request")
    assert answer.error == "invalid_request", f"the token endpoint answered {answer.describe()}"


# -- how clients authenticate ---------------------------------------------------------------------------------------


@requirement("OAUTH21-2.4-06")
@needs("confidential", "token_endpoint")
def test_two_authentications_let_nobody_in(endpoint: Endpoint):
    """A token request that authenticates the client in the header and in the body is refused."""
    client = proven(endpoint, "client_secret_basic")
    usual = attempt(endpoint, client)

    answer = attempt(endpoint, client, client_id=client.client_id, client_secret=client.secret)

    assert answer.describe() != usual.describe(), "the server chose one of two client authentications"


@requirement("OAUTH21-2.4-03")
@needs("confidential")
def test_a_method_with_keys_is_offered(endpoint: Endpoint):
    """A server that authenticates clients lets them do so with a key instead of a shared secret."""
    declared = endpoint.published().json.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])

    assert KEYS & set(declared), f"token_endpoint_auth_methods_supported is {declared!r}"


@requirement("OAUTH21-2.4.1-02")
@needs("confidential", "token_endpoint")
def test_a_secret_in_the_query_lets_nobody_in(endpoint: Endpoint):
    """Client credentials in the query of a token request do not authenticate the client."""
    client = proven(endpoint, endpoint.policy.confidential_methods[0])
    usual = attempt(endpoint, client)
    query = urlencode({"client_id": client.client_id, "client_secret": client.secret})

    answer = told(endpoint.send("POST", f"{endpoint.target.endpoint('token_endpoint')}?{query}",
                                form={**CODE, "redirect_uri": client.redirect_uri}))

    assert answer.describe() != usual.describe(), f"the secret in the address did: {answer.describe()}"


@requirement("OAUTH21-3.2-06")
@needs("token_endpoint")
def test_scripts_that_may_register_may_fetch_tokens(endpoint: Endpoint):
    """A server that lets scripts of other sites register clients lets them read the answers of the token endpoint."""
    own = {"origin": "https://client.example"}
    preflight = endpoint.transport.send("OPTIONS", endpoint.registration_url, headers={
        **own, "access-control-request-method": "POST", "access-control-request-headers": "content-type"})
    if preflight.headers.get("access-control-allow-origin") not in ("*", own["origin"]):
        inapplicable("the registration endpoint is closed to scripts of other sites")

    answer = told(endpoint.send("POST", str(endpoint.target.endpoint("token_endpoint")), headers=own,
                                form={**CODE, "client_id": endpoint.client().client_id}))

    allowed = answer.headers.get("access-control-allow-origin")
    assert allowed in ("*", own["origin"]), f"Access-Control-Allow-Origin at the token endpoint is {allowed!r}"
