"""Authorization requests that a client signs, or has the server fetch (OpenID Connect Registration, section 2)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

from dcrcheck import Client, Endpoint, Session, inapplicable, land, needs, requirement

REQUEST_URI = "http://client.example/dcrcheck/request.jwt"
CHALLENGE = {"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256"}
KEYS = {"keys": [{
    "kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256", "e": "AQAB", "n":
    "xX9cfjtoPxNtMHWLbYFCjgKFWFLQYPkD3lFjM6cPxT3GlqZ7bHQrqYzwjbSn8ZzMaEzYw4CHvFpF7Ps5US9w3hyFoU9VkdSulUgLnohkJLFHEQW5IhWA"
    "9UdWrn-4MD7cX3kXhMU_LvfyrtKHpIeavQZZWZZZvrH9Er2XKxMBIwjzCn7ETjhrjnQTAxKGAEJao7IJxLpwECdXy_7hRV0D6GsDjaBKkZJYzNcZFJSv"
    "2mrGozf_w1hcsKyw0jWlMZo-2w49Vx_KeYmqaRTOs0uDl2tACDDnJiRyMAJE1bgAl7HjcW8atIxsvo4kjj8yW37I86PFt_5MVI8Vs-_6BWWUpQ"}]}


def unsigned(endpoint: Endpoint, client: Client) -> str:
    """A request object that says what the request says, and that nobody signed."""
    claims = {"iss": client.client_id, "aud": endpoint.target.issuer, "client_id": client.client_id,
              "response_type": "code", "redirect_uri": client.redirect_uri, **CHALLENGE}
    return ".".join([*(_encoded(part) for part in ({"alg": "none"}, claims)), ""])


def _encoded(part: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


@requirement("OIDCR-2-28")
def test_requests_are_not_fetched_in_the_clear(endpoint: Endpoint):
    """request_uris are not registered with plain http."""
    stored = endpoint.submit(request_uris=[REQUEST_URI]).stored("request_uris") or []
    if stored and endpoint.metadata.get("request_uri_parameter_supported") is False:
        inapplicable("the metadata says that the server takes no request_uri")

    assert REQUEST_URI not in stored, f"request_uris {stored!r} was registered"


@requirement("OIDCR-2-21")
@needs("authorization_endpoint")
def test_a_client_that_signs_its_requests_is_not_spoken_for(endpoint: Endpoint, session: Session | None):
    """A request object without a signature gets no code where the client registered an algorithm."""
    if endpoint.metadata.get("request_parameter_supported") is not True:
        inapplicable("the metadata does not say that the server takes request objects")
    answer = endpoint.submit(request_object_signing_alg="RS256", jwks=KEYS)
    if answer.client is None or answer.stored("request_object_signing_alg") != "RS256":
        inapplicable(f"the server registers no RS256 for request objects: {answer.describe()}")

    landing = land(endpoint, session, answer.client, request=unsigned(endpoint, answer.client), **CHALLENGE)

    assert "code" not in landing.parameters, landing.describe()
