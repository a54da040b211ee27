"""Software statements that prove nothing: whatever they say has no effect (RFC 7591, section 2.3; RFC 8725)."""

import hashlib
import hmac
import json
from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from dcrcheck import Answer, Endpoint, inapplicable, intrusive, requirement

THROWAWAY = ec.generate_private_key(ec.SECP256R1())
THROWAWAY_JWK = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(THROWAWAY.public_key()))


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(endpoint: Endpoint) -> dict[str, Any]:
    """What a forger would have vouched for, in the name of the issuer that the server trusts, if we know it."""
    issuer = endpoint.target.extra.get("statement_issuer", "https://publisher.example")
    return {"iss": issuer, "client_name": endpoint.unique("vouched for")}


def compact(header: dict[str, Any] | bytes, payload: dict[str, Any], signature: bytes = b"") -> str:
    return f"{encoded(header)}.{encoded(payload)}.{encoded(signature)}"


def maced(payload: dict[str, Any], key: bytes, **header: Any) -> str:
    head = f"{encoded({'alg': 'HS256', 'typ': 'JWT', **header})}.{encoded(payload)}"
    return f"{head}.{encoded(hmac.new(key, head.encode(), hashlib.sha256).digest())}"


def signed(payload: dict[str, Any], **header: Any) -> str:
    return jwt.encode(payload, THROWAWAY, algorithm="ES256", headers=header)


def took_effect(answer: Answer, payload: dict[str, Any]) -> bool:
    """Whether a registration was accepted with what the statement said; ignoring and refusing it are both right."""
    return answer.client is not None and answer.stored("client_name") == payload["client_name"]


def certificate() -> str:
    """A certificate that the throw-away key has signed for itself, as x5c wants it (RFC 7515, section 4.1.6)."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "publisher.example")])
    start = datetime.now(UTC) - timedelta(days=1)
    signed_by_itself = x509.CertificateBuilder(
        subject_name=name, issuer_name=name, public_key=THROWAWAY.public_key(), serial_number=1,
        not_valid_before=start, not_valid_after=start + timedelta(days=30)).sign(THROWAWAY, hashes.SHA256())
    return b64encode(signed_by_itself.public_bytes(Encoding.DER)).decode()


UNSIGNED = {
    "alg-none": lambda payload: compact({"alg": "none"}, payload),
    "alg-none-capitalised": lambda payload: compact({"alg": "nOnE"}, payload),
    "alg-unknown": lambda payload: compact({"alg": "dcrcheck"}, payload, b"dcrcheck"),
    "alg-twice-none-first": lambda payload: compact(b'{"alg":"none","alg":"ES256"}', payload),
    "alg-twice-none-last": lambda payload: compact(b'{"alg":"ES256","alg":"none"}', payload),
    "signature-stripped": lambda payload: compact({"alg": "ES256"}, payload),
    "no-jws-at-all": encoded,
}

BY_ANYONE = {
    "a-key-of-its-own": signed,
    "a-key-in-its-header": lambda payload: signed(payload, jwk=THROWAWAY_JWK),
    "a-certificate-in-its-header": lambda payload: signed(payload, x5c=[certificate()]),
    "an-empty-mac-key": lambda payload: maced(payload, b""),
    "a-key-file-that-is-empty": lambda payload: maced(payload, b"", kid="../../../../../../dev/null"),
    "a-key-from-a-query": lambda payload: maced(payload, b"dcrcheck", kid="x' UNION SELECT 'dcrcheck"),
}


@requirement("RFC7591-2.3-01", "RFC8725-3.1-01")
@pytest.mark.parametrize("form", UNSIGNED)
def test_an_unsigned_statement_has_no_effect(endpoint: Endpoint, form: str):
    """Claims of a software statement that is neither signed nor MACed are not registered."""
    payload = claims(endpoint)

    answer = endpoint.submit(software_statement=UNSIGNED[form](payload))

    assert not took_effect(answer, payload), "the server registered the client_name of the unsigned statement"


@requirement("RFC7591-2.3-01", "RFC7591-5-13", "RFC8725-3.8-01")
@pytest.mark.parametrize("key", BY_ANYONE)
def test_a_statement_that_anyone_can_sign_has_no_effect(endpoint: Endpoint, key: str):
    """Claims of a software statement that was signed with a key of the client's own choice are not registered."""
    payload = claims(endpoint)

    answer = endpoint.submit(software_statement=BY_ANYONE[key](payload))

    assert not took_effect(answer, payload), "the server registered the client_name of the forged statement"


@requirement("RFC7591-2.3-01", "RFC7591-5-13", "RFC8725-3.1-02")
@pytest.mark.parametrize("spelling", ["pem", "der", "jwk"])
def test_a_public_key_is_no_secret(endpoint: Endpoint, spelling: str):
    """A software statement MACed with a public key of the server or of its trusted issuer has no effect."""
    keys = public_keys(endpoint)
    if not keys:
        inapplicable("the server publishes no key (jwks_uri) and no trusted statement issuer is known")

    for key in keys:
        payload = claims(endpoint)
        answer = endpoint.submit(software_statement=maced(payload, spelled(key, spelling)))
        assert not took_effect(answer, payload), "the server took its public key for a MAC key"


def public_keys(endpoint: Endpoint) -> list[Any]:
    """The server's first published signing key, and that of the statement issuer it trusts."""
    keys: list[Any] = []
    address = endpoint.target.endpoint("jwks_uri")
    if address is not None:
        document = endpoint.send("GET", address).json
        listed = document.get("keys") if isinstance(document, dict) else None
        signing = [key for key in (listed if isinstance(listed, list) else []) if isinstance(key, dict)
                   and key.get("kty") in ("RSA", "EC") and key.get("use") != "enc"]
        keys += [key for key in map(readable, signing) if key is not None][:1]
    if "statement_key" in endpoint.target.extra:
        keys.append(load_pem_private_key(endpoint.target.extra["statement_key"].encode(), None).public_key())
    return keys


def readable(key: dict[str, Any]) -> Any:
    """The public key that a JWK holds, or None."""
    try:
        return jwt.PyJWK({**key, "alg": None}).key
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        return None


def spelled(key: Any, spelling: str) -> bytes:
    if spelling == "jwk":
        kind = jwt.algorithms.ECAlgorithm if isinstance(key, ec.EllipticCurvePublicKey) else jwt.algorithms.RSAAlgorithm
        return kind.to_jwk(key).encode()
    return key.public_bytes(Encoding.PEM if spelling == "pem" else Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@intrusive("outbound")
@requirement("RFC7591-2.3-01", "RFC7591-5-13")
@pytest.mark.parametrize("header", ["jku", "x5u"])
def test_a_statement_does_not_say_where_its_key_is(endpoint: Endpoint, header: str):
    """A software statement whose header names the place of its own key has no effect."""
    payload = claims(endpoint)

    answer = endpoint.submit(software_statement=signed(payload, kid="dcrcheck", **{header: "https://keys.invalid/k"}))

    assert not took_effect(answer, payload), f"the server believed the key that {header} points to"


KEY_NAMES: dict[str, Any] = {
    "sql": "dcrcheck' OR '1'='1", "ldap": "*)(cn=*))(|(cn=*", "path": "../../../../etc/dcrcheck\0.pem",
    "object": {"a": ["b"]},
}


@requirement("RFC8725-3.10-01", "HARD-NO-SERVER-ERROR")
@pytest.mark.parametrize("name", KEY_NAMES)
def test_a_hostile_key_name_does_no_harm(endpoint: Endpoint, name: str):
    """A software statement whose kid is meant for a query, a path or a directory breaks nothing and has no effect."""
    payload = claims(endpoint)
    header = {"alg": "ES256", "typ": "JWT", "kid": KEY_NAMES[name]}
    head = f"{encoded(header)}.{encoded(payload)}"
    seal = jwt.get_algorithm_by_name("ES256").sign(head.encode(), THROWAWAY)

    answer = endpoint.submit(software_statement=f"{head}.{encoded(seal)}")

    assert not answer.broke_down, f"the server failed: {answer.describe()}"
    assert not took_effect(answer, payload), "the server registered the client_name of the forged statement"


REQUESTS = {
    "unsigned": lambda document: compact({"alg": "none", "typ": "JWT"}, document),
    "key-of-its-own": signed,
}


@requirement("HARD-JWT-REGISTRATION")
@pytest.mark.parametrize("form", REQUESTS)
def test_a_forged_registration_jwt_is_refused(endpoint: Endpoint, form: str):
    """A registration that comes as a JWT which nobody trusted has signed registers nothing."""
    token = REQUESTS[form](endpoint.document())

    answer = endpoint.submit(content=token.encode(), headers={"content-type": "application/jwt"})

    assert answer.refused, "the server registered a client from it"


@requirement("RFC7591-3.1.1-03")
@pytest.mark.parametrize("kind", ["object", "array", "number", "boolean"])
def test_a_statement_that_is_no_string_has_no_effect(endpoint: Endpoint, kind: str):
    """A software_statement that is not a string is refused or ignored."""
    payload = claims(endpoint)
    value = {"object": payload, "array": [payload], "number": 7, "boolean": True}[kind]

    answer = endpoint.submit(software_statement=value)

    assert answer.status < 500, f"the server failed: {answer.describe()}"
    assert not took_effect(answer, payload), "the server registered the client_name inside software_statement"


@requirement("RFC7591-3.2.2-10")
@pytest.mark.parametrize("form", ["no-jwt", "unsigned", "key-of-its-own"])
def test_an_invalid_statement_is_reported_as_such(endpoint: Endpoint, form: str):
    """A registration refused for its software statement is answered with invalid_software_statement."""
    payload = claims(endpoint)
    statement = {"no-jwt": "dcrcheck", "unsigned": compact({"alg": "none"}, payload), "key-of-its-own": signed(payload)}
    # whether a statement is bad or merely unwelcome cannot be told where its issuer is unknown
    trusted = "statement_issuer" in endpoint.target.extra or form == "no-jwt"
    fitting = ("invalid_software_statement", *(() if trusted else ("unapproved_software_statement",)))

    answer = endpoint.submit(software_statement=statement[form])

    if not answer.refused:
        inapplicable("the server registers the client all the same: it ignores software statements")
    assert answer.error in fitting, f"the server answered {answer.describe()}"
