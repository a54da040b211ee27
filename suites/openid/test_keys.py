"""What keys a client may bring along (OpenID Connect Registration, section 2; RFC 7517; RFC 7518)."""

from __future__ import annotations

from typing import Any

import pytest

from dcrcheck import Answer, Endpoint, inapplicable, requirement

POINT = {"kty": "EC", "crv": "P-256", "x": "pyivlqCwAf5CbZihUGgsJw_baManPiLLgyPWPljuWuc",
         "y": "Rk-P-5R13WYX_4G3KWHO0Qm3f385X61V4F16x40p1G0"}
# The examples of RFC 7517, appendices A.1 and A.2
OTHER_POINT = {"kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
               "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}
MODULUS = (
    "xX9cfjtoPxNtMHWLbYFCjgKFWFLQYPkD3lFjM6cPxT3GlqZ7bHQrqYzwjbSn8ZzMaEzYw4CHvFpF7Ps5US9w3hyFoU9VkdSulUgLnohkJLFHEQW5IhWA"
    "9UdWrn-4MD7cX3kXhMU_LvfyrtKHpIeavQZZWZZZvrH9Er2XKxMBIwjzCn7ETjhrjnQTAxKGAEJao7IJxLpwECdXy_7hRV0D6GsDjaBKkZJYzNcZFJSv"
    "2mrGozf_w1hcsKyw0jWlMZo-2w49Vx_KeYmqaRTOs0uDl2tACDDnJiRyMAJE1bgAl7HjcW8atIxsvo4kjj8yW37I86PFt_5MVI8Vs-_6BWWUpQ")
SHORT_MODULUS = (
    "wiUE--iT7PLo7gdfOHyYXzn01vm_Fidtt_70bJ7lZvEQZrBpDyxi8iONF3CR-g63o6iz89F5A5ampikQNCIMLmrTboKVO67lg8xlJBPY5bjN2SWjf7sw"
    "Tp0Cb-DHkSpqwzrsXucV_LX93gy05FWPdUsmLA2nrZ8I2oUIfW32wsU")
WEAK = {
    "RSA of 1024 bits": {"kty": "RSA", "n": SHORT_MODULUS, "e": "AQAB", "kid": "weak", "use": "sig", "alg": "RS256"},
    "RSA with exponent 1": {"kty": "RSA", "n": MODULUS, "e": "AQ", "kid": "weak", "use": "sig", "alg": "RS256"},
    "alg none": {**POINT, "kid": "weak", "use": "sig", "alg": "none"},
}
USES = {"sig": {**POINT, "kid": "1", "alg": "ES256"}, "enc": {**OTHER_POINT, "kid": "2", "alg": "ECDH-ES"}}


def registered(endpoint: Endpoint, *keys: dict[str, Any]) -> list[dict[str, Any]]:
    """Of these keys, what a client is registered with.

    Raises:
        Inapplicable: some are, and the server has no use for the keys of a client.
    """
    answer: Answer = endpoint.submit(jwks={"keys": list(keys)})
    stored = answer.stored("jwks")
    held = stored.get("keys") if isinstance(stored, dict) else None
    methods: Any = endpoint.metadata.get("token_endpoint_auth_methods_supported") or ()
    if held and "private_key_jwt" not in methods and endpoint.metadata.get("request_parameter_supported") is not True:
        inapplicable("the metadata offers neither private_key_jwt nor request objects: no key of a client is used")
    return [key for key in held or () if isinstance(key, dict)]


@requirement("HARD-KEY-STRENGTH")
@pytest.mark.parametrize("key", WEAK.values(), ids=WEAK)
def test_a_key_that_proves_nothing_is_not_registered(endpoint: Endpoint, key: dict[str, Any]):
    """A key set with a key too weak for a proof is refused, or registered without that key."""
    weak = [held for held in registered(endpoint, key) if held.get("kid") == "weak"]

    assert not weak, "the key was registered"


@requirement("HARD-KEY-NAMES")
def test_two_keys_do_not_share_a_name(endpoint: Endpoint):
    """A key set in which two keys have one kid is refused, or registered with one of them."""
    held = registered(endpoint, {**POINT, "kid": "1", "use": "sig"}, {**OTHER_POINT, "kid": "1", "use": "sig"})
    names = [key.get("kid") for key in held]

    assert names.count("1") < 2, f"the registered keys are named {names!r}"


@requirement("OIDCR-2-16")
def test_keys_for_different_uses_say_so(endpoint: Endpoint):
    """A key set with a signing and an encryption key that do not state their use is refused, or made to fit."""
    held = registered(endpoint, *USES.values())
    silent = [key.get("kid") for key in held if "use" not in key]

    assert len(held) < 2 or not silent, f"of the registered keys these state no use: {silent!r}"
