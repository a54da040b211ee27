"""Public and confidential clients: what a client is registered as, and what the token endpoint makes of it.

A token request with a code that does not exist tells the two apart: a client that is let in gets invalid_grant, one
that is not gets invalid_client.
"""

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
    needs,
    observes,
    requirement,
)

_SECRETS = ("client_secret_basic", "client_secret_post", "client_secret_jwt")


@requirement("STRUCT-PUBLIC-ONLY")
@pytest.mark.parametrize("method", [
    "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "tls_client_auth",
    pytest.param(OMIT, id="unnamed"), pytest.param(None, id="null"), pytest.param("", id="empty"),
])
def test_a_stranger_becomes_a_public_client(endpoint: Endpoint, method: object):
    """A registration that asks for client authentication is refused, or makes a public client without a secret."""
    answer = endpoint.submit(token_endpoint_auth_method=method)
    if answer.client is None:
        return

    stored = answer.stored("token_endpoint_auth_method")
    assert "client_secret" not in answer.client, "the server issued a secret"
    assert stored in ("none", None), f"the server registered the method {stored!r}"


@requirement("RFC7591-2-04")
def test_a_public_client_gets_no_secret(endpoint: Endpoint):
    """A client that registers with token_endpoint_auth_method "none" receives no client_secret."""
    client = _registered(endpoint, "none")

    assert "client_secret" not in client, "the response holds a client_secret"


@requirement("RFC7591-2-04", "RFC8252-7.2-01", "RFC8252-8.4-01", "RFC8252-8.4-02", "RFC8252-8.5-01")
@needs("token_endpoint")
def test_a_public_client_is_not_asked_for_a_secret(endpoint: Endpoint):
    """A client that is registered with "none" is let in at the token endpoint by its identifier."""
    client = _registered(endpoint, "none")

    answer = endpoint.try_code(client, auth="none")
    assert _is_let_in(endpoint, client, answer), f"the token endpoint answered {answer.describe()}"


@requirement("OAUTH21-8.1-01", "OAUTH21-8.1.1-01")
@needs("token_endpoint")
def test_a_native_client_is_not_asked_for_a_secret(endpoint: Endpoint):
    """A native application that is registered with "none" is let in at the token endpoint by its identifier."""
    client = endpoint.submit(application_type="native", redirect_uris=["http://127.0.0.1:49151/cb"],
                             token_endpoint_auth_method="none").client
    if client is None or client.auth_method != "none":
        inapplicable("the server registers native applications with a secret of their own, or not at all")

    answer = endpoint.try_code(client, auth="none")
    assert _is_let_in(endpoint, client, answer), f"the token endpoint answered {answer.describe()}"


@requirement("RFC7591-2-03", "OIDCR-2-23")
def test_a_client_without_a_method_is_told_its_own(endpoint: Endpoint):
    """A client that names no token_endpoint_auth_method gets client_secret_basic, or is told what it got instead."""
    client = endpoint.client(token_endpoint_auth_method=OMIT)

    method = client.stored("token_endpoint_auth_method") or "client_secret_basic"
    assert isinstance(method, str), f"token_endpoint_auth_method is {method!r}"
    assert method not in _SECRETS or "client_secret" in client, f"the method is {method}, and there is no client_secret"


@requirement("RFC7591-2-03", "OIDCR-2-23")
@needs("token_endpoint")
def test_a_client_without_a_method_can_use_its_own(endpoint: Endpoint):
    """A client that names no method is let in by client_secret_basic, or by the method that the response states."""
    client = endpoint.client(token_endpoint_auth_method=OMIT)
    method = client.stored("token_endpoint_auth_method") or "client_secret_basic"
    if method not in ("none", "client_secret_basic", "client_secret_post"):
        inapplicable(f"the server chose {method!r}, which needs a key of the client")

    answer = endpoint.try_code(client, auth=_way(method))
    assert _is_let_in(endpoint, client, answer), f"by {method} the token endpoint answered {answer.describe()}"


@requirement("RFC7591-2-05", "OAUTH21-2.4.1-01")
@observes("OAUTH21-2.4-02")
@needs("confidential", "token_endpoint")
def test_a_post_client_authenticates_in_the_body(endpoint: Endpoint, policy: Policy):
    """A client registered with client_secret_post is let in with its identifier and secret in the form body."""
    client = _confidential(endpoint, policy, "client_secret_post")

    answer = endpoint.try_code(client, auth="post")
    declared = endpoint.metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    endpoint.observe("OAUTH21-2.4-02", f"the metadata declares {declared!r}")
    assert _is_let_in(endpoint, client, answer), f"the token endpoint answered {answer.describe()}"


@requirement("RFC7591-2-06")
@observes("OAUTH21-2.4.1-03")
@needs("confidential", "token_endpoint")
def test_a_basic_client_authenticates_by_header(endpoint: Endpoint, policy: Policy):
    """A client registered with client_secret_basic is let in with its identifier and secret by HTTP Basic."""
    client = _confidential(endpoint, policy, "client_secret_basic")

    answer = endpoint.try_code(client, auth="basic")
    endpoint.observe("OAUTH21-2.4.1-03", f"HTTP Basic is answered {answer.describe()}")
    assert _is_let_in(endpoint, client, answer), f"the token endpoint answered {answer.describe()}"


@requirement("HARD-CLIENT-AUTH-ENFORCED", "OAUTH21-3.2.2-01", "OAUTH21-2.2-01", "OAUTH21-2.1-01", "OAUTH21-8.1.1-01")
@needs("confidential", "token_endpoint")
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_confidential_client_is_not_let_in_by_its_identifier(endpoint: Endpoint, session: Session | None,
                                                               policy: Policy, method: str):
    """A client with a secret gets no further at the token endpoint with its client_id alone."""
    client = _confidential(endpoint, policy, method)
    # the registered way first; a server may let the client in by another alone, or want its identifier in the body too
    ways = [{"auth": _way(method)}, {"auth": "basic"}, {"auth": "post"},
            {"auth": "basic", "client_id": client.client_id}]
    if not any(_reaches_the_code(endpoint.try_code(client, **way)) for way in ways):
        inconclusive("the request gets no further with the secret either")

    answer = endpoint.try_code(client, auth="none")
    if _reaches_the_code(answer) and _reaches_the_code(
            endpoint.try_code(client, auth=(client.client_id, "dcrcheck-wrong-secret"))):
        if session is None:
            inconclusive("the server looks at the code before it looks at the client")
        session.obtain(client)
        answer = endpoint.redeem(session.ask(client), auth="none")
    assert not _reaches_the_code(answer), f"without the secret the token endpoint answered {answer.describe()}"


def _registered(endpoint: Endpoint, method: str) -> Client:
    client = endpoint.client(token_endpoint_auth_method=method)
    if (stored := client.stored("token_endpoint_auth_method")) not in (method, None):
        inapplicable(f"the server made the method {stored!r} of {method!r}")
    return client


def _confidential(endpoint: Endpoint, policy: Policy, method: str) -> Client:
    if method not in policy.auth_methods:
        inapplicable(f"policy {policy.name} has no {method}")
    client = _registered(endpoint, method)
    if client.secret is None:
        inconclusive("the server issued no client_secret to authenticate with")
    return client


def _way(method: str) -> str:
    return {"client_secret_basic": "basic", "client_secret_post": "post"}.get(method, "none")


def _is_let_in(endpoint: Endpoint, client: Client, answer: Answer) -> bool:
    if answer.error in ("invalid_client", "unauthorized_client") or (
            answer.status == 401 and not _reaches_the_code(answer)):  # some answer a bad code with 401 as well
        return False
    # a complaint about the request may be one about the code; or the server did not find the client in it
    return answer.error != "invalid_request" or not any(
        _reaches_the_code(endpoint.try_code(client, auth=way)) for way in ("none", "basic", "post"))


def _reaches_the_code(answer: Answer) -> bool:
    return answer.error == "invalid_grant" or answer.status == 200
