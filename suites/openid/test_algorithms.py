"""Which algorithms a client may choose, and which it gets (OpenID Connect Registration, section 2)."""

from __future__ import annotations

from typing import Any

import pytest

from dcrcheck import OMIT, Endpoint, Session, inapplicable, needs, observes, requirement

RESPONSES = {"id_token": "id_token_encrypted_response", "userinfo": "userinfo_encrypted_response",
             "request_object": "request_object_encryption"}
# what the metadata of a server may demand of all clients (RFC 9126, section 5; RFC 9101, section 10.5)
DEMANDS = ("require_pushed_authorization_requests", "require_signed_request_object")
PROTECTIONS = ("tls_client_certificate_bound_access_tokens", "dpop_bound_access_tokens", *DEMANDS)
NO_SIGNATURE = {
    "id_token_signed_response_alg": "id_token_signing_alg_values_supported",
    "userinfo_signed_response_alg": "userinfo_signing_alg_values_supported",
    "request_object_signing_alg": "request_object_signing_alg_values_supported",
}


def offered(endpoint: Endpoint, name: str) -> list[Any]:
    """What the metadata lists under a name."""
    values = endpoint.metadata.get(name)
    return values if isinstance(values, list) else []


@requirement("OIDCR-2-19")
def test_id_tokens_are_signed_with_rs256_unless_the_response_says_otherwise(endpoint: Endpoint):
    """A client that names no algorithm for its ID Tokens gets RS256, or is told another one that is supported."""
    supported = offered(endpoint, "id_token_signing_alg_values_supported")
    if not supported:
        inapplicable("the metadata names no algorithm for ID Tokens")
    told = endpoint.client(id_token_signed_response_alg=OMIT).stored("id_token_signed_response_alg")

    assert (told or "RS256") in supported, f"the response says {told!r}, and supported are {supported!r}"


@requirement("OIDCR-2-22")
@pytest.mark.parametrize("use", ["token_endpoint_auth", "request_object"])
def test_rs256_is_supported(endpoint: Endpoint, use: str):
    """The algorithms for client assertions and for request objects that the metadata lists include RS256."""
    supported = offered(endpoint, f"{use}_signing_alg_values_supported")
    if not supported:
        inapplicable(f"the metadata lists no {use}_signing_alg_values_supported")

    assert "RS256" in supported, f"supported are {supported!r}"


@requirement("OIDCR-2-25", "HARD-ALGORITHM-NONE")
@needs("confidential", "token_endpoint")
@observes("OIDCR-3.2-03")
def test_no_client_asserts_itself_without_a_signature(endpoint: Endpoint):
    """A client that authenticates with a key is not registered with none as token_endpoint_auth_signing_alg."""
    key = endpoint.assertions.key
    answer = endpoint.submit(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [key.jwk]},
                             token_endpoint_auth_signing_alg="none")
    stored = answer.stored("token_endpoint_auth_signing_alg")
    made = "refused" if answer.refused else f"registered as {stored!r}"
    endpoint.observe("OIDCR-3.2-03", f"an algorithm that nobody may have is {made}")

    assert stored != "none", "none was registered as the algorithm of the client's assertions"


@requirement("OIDCR-2-24")
@needs("confidential", "token_endpoint")
def test_an_assertion_has_the_clients_algorithm(endpoint: Endpoint, session: Session | None):
    """An assertion by a key of the client's, but not by the algorithm that it registered, lets nobody in."""
    own = endpoint.assertions
    other = own.key.new("RS256" if own.algorithm == "ES256" else "ES256")
    if other.algorithm not in offered(endpoint, "token_endpoint_auth_signing_alg_values_supported"):
        inapplicable(f"the metadata does not offer {other.algorithm} beside {own.algorithm}")
    answer = endpoint.submit(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [own.key.jwk, other.jwk]},
                             token_endpoint_auth_signing_alg=own.algorithm)
    if answer.client is None or answer.stored("token_endpoint_auth_signing_alg") != own.algorithm:
        inapplicable(f"the server registers no token_endpoint_auth_signing_alg: {answer.describe()}")

    taken = own.takes(answer.client, other.sign(own.claims(answer.client)), session=session)

    assert not taken, f"registered was {own.algorithm}, and {other.algorithm} let the client in"


@requirement("OIDCR-2-18")
def test_id_tokens_of_the_browser_are_signed(endpoint: Endpoint):
    """A client that gets ID Tokens from the authorization endpoint is not registered with none as their algorithm."""
    kind = next((kind for kind in ("id_token", "id_token token", "code id_token")
                 if kind in offered(endpoint, "response_types_supported")), "id_token")
    answer = endpoint.submit(id_token_signed_response_alg="none", response_types=[kind],
                             grant_types=["authorization_code", "implicit"] if "code" in kind else ["implicit"])
    fronted = [kind for kind in answer.stored("response_types") or () if "id_token" in kind.split()]
    if fronted and not set(fronted) & {*offered(endpoint, "response_types_supported")}:
        inapplicable(f"the metadata offers none of {fronted}")

    assert not fronted or answer.stored("id_token_signed_response_alg") != "none", f"none was registered for {fronted}"


@requirement("HARD-ALGORITHM-NONE")
@pytest.mark.parametrize("member", NO_SIGNATURE)
def test_a_client_does_not_do_without_signatures(endpoint: Endpoint, member: str):
    """none is not registered as the algorithm of ID Tokens, UserInfo responses or request objects."""
    stored = endpoint.submit(**{member: "none"}).stored(member)
    if stored == "none" and not offered(endpoint, NO_SIGNATURE[member]):
        inapplicable(f"the metadata has no {NO_SIGNATURE[member]}: the server signs and verifies none of these")

    assert stored != "none", f"{member} none was registered"


@requirement("OIDCR-2-20")
@pytest.mark.parametrize("what", RESPONSES)
def test_content_is_not_encrypted_to_nobody(endpoint: Endpoint, what: str):
    """An _enc member is not registered without the _alg that belongs to it."""
    name = RESPONSES[what]
    supported = offered(endpoint, f"{what}_encryption_enc_values_supported")
    answer = endpoint.submit(**{f"{name}_enc": next(iter(supported), "A128CBC-HS256")})
    alone = answer.stored(f"{name}_enc") is not None and answer.stored(f"{name}_alg") is None
    if alone and not supported:
        inapplicable(f"the metadata lists no {what}_encryption_enc_values_supported: nothing is encrypted")

    assert not alone, f"{name}_enc {answer.stored(f'{name}_enc')!r} was registered, and no {name}_alg"


@requirement("HARD-PROTECTION-KEPT")
def test_a_client_does_not_switch_protections_off(endpoint: Endpoint):
    """What protects clients by default is not switched off by a registration that says false."""
    usual = endpoint.client()
    kept = [name for name in PROTECTIONS if usual.stored(name) is True
            or (name in DEMANDS and endpoint.metadata.get(name) is True)]
    if not kept:
        inapplicable("the server has none of these protections on by default")
    answer = endpoint.submit(**dict.fromkeys(kept, False))

    lost = [name for name in kept if answer.stored(name) is False]
    assert not lost, f"of what is on by default the registration switched off {', '.join(lost)}"
