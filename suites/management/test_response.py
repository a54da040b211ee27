"""What every answer of the client configuration endpoint holds, and the URL it stands under (RFC 7592, section 3)."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from dcrcheck import OMIT, Endpoint, inapplicable, inconclusive, needs, observes, requirement

METADATA = ("redirect_uris", "token_endpoint_auth_method", "grant_types", "response_types", "client_name",
            "client_uri", "logo_uri", "scope", "contacts", "tos_uri", "policy_uri", "jwks_uri", "jwks",
            "software_id", "software_version")
operations = pytest.mark.parametrize("operation", ["read", "update"])


def answered(endpoint: Endpoint, operation: str) -> Mapping[str, Any]:
    """The client information response to a read, or to an update that changes nothing."""
    if operation == "read":
        return endpoint.record(endpoint.client())
    answer = endpoint.revise(endpoint.register())
    if not isinstance(answer.json, dict) or "client_id" not in answer.json:
        inconclusive(f"the server did not answer the update with a client: {answer.describe()}")
    return answer.json


def alike(one: Any, other: Any) -> bool:
    """Whether two registered values say the same: null and empty do (RFC 7592, 2.2), and lists in another order."""
    if all(value in (None, "", [], {}) for value in (one, other)):
        return True
    if isinstance(one, list) and isinstance(other, list):
        return sorted(map(str, one)) == sorted(map(str, other))
    return bool(one == other)


@requirement("RFC7592-3-01", "RFC7592-3-02", "OIDCR-3.2-07")
def test_the_management_members_come_together(endpoint: Endpoint):
    """A registration answers with registration_client_uri and registration_access_token, or with neither."""
    client = endpoint.client()
    present = [m for m in ("registration_client_uri", "registration_access_token") if client.get(m) is not None]
    if not present:
        inapplicable("the server returns no registration_client_uri: it does not offer RFC 7592")

    assert len(present) == 2, f"the response holds {present[0]} alone"


@needs("management")
@requirement("RFC7592-3-02")
def test_the_registration_access_token_is_a_string(endpoint: Endpoint):
    """registration_access_token is a string that is not empty."""
    client = endpoint.client()

    token = client.get("registration_access_token")

    assert token is None or (isinstance(token, str) and token), f"registration_access_token is {token!r}"


@needs("management")
@requirement("RFC7592-3-01", "RFC7592-B-01", "OIDCR-4.1-01")
def test_the_configuration_url_is_absolute(endpoint: Endpoint):
    """registration_client_uri is an absolute URL with a host and without a fragment."""
    uri = endpoint.client()["registration_client_uri"]

    parts = urlsplit(uri)

    assert parts.scheme in ("https", "http") and parts.hostname and not parts.fragment, f"it is {uri!r}"


@needs("management")
@requirement("RFC7592-B-01", "RFC7592-B-02", "RFC6750-2.1-01", "OIDCR-4-02", "OIDCR-4.1-02")
@observes("RFC7592-B-05")
def test_the_configuration_url_works_as_given(endpoint: Endpoint):
    """A GET of registration_client_uri as returned, with the token in the Authorization header, reads the client."""
    client = endpoint.client()
    shared = (client.registration_client_uri or "").partition("?")[0] == endpoint.registration_url
    endpoint.observe("RFC7592-B-05", "clients are configured at the registration endpoint itself" if shared
                     else "each client has a configuration URL of its own")

    answer = endpoint.read(client)
    if answer.status in (405, 501):
        inapplicable("the server offers no reads of clients")

    assert 200 <= answer.status < 300, f"the read was answered {answer.describe()}"


@needs("management")
@requirement("RFC7592-B-03")
def test_the_configuration_url_joins_endpoint_and_client_id(endpoint: Endpoint):
    """registration_client_uri is the registration endpoint's URL, alone or with the client_id as path or query."""
    client = endpoint.client()
    uri = client.registration_client_uri or ""
    if "://" not in uri:
        inapplicable("registration_client_uri is not absolute")
    base = endpoint.registration_url.partition("://")[2].rstrip("/")

    _, found, rest = unquote(uri).partition("://")[2].rpartition(base)

    assert found and (client.client_id in rest or not rest.strip("/")), f"it is {uri!r}"


@needs("management")
@requirement("RFC7592-2-02", "RFC7592-5-03", "OIDCR-3.2-08")
def test_the_configuration_endpoint_demands_tls(endpoint: Endpoint):
    """registration_client_uri is an https URL, and its plain http twin serves nothing."""
    if urlsplit(endpoint.target.issuer).scheme != "https":
        inapplicable("the issuer is plain http on loopback")
    uri = endpoint.client().registration_client_uri or ""
    if "://" not in uri:
        inapplicable("registration_client_uri is not absolute")

    assert uri.lower().startswith("https:"), f"it is {uri!r}"
    # no token goes with it: a challenge already shows that requests are taken in the clear
    answer = endpoint.transport.send("GET", "http:" + uri.partition(":")[2], headers={"accept": "application/json"})
    bearer = answer.headers.get("www-authenticate", "").lower().startswith("bearer")
    assert not (200 <= answer.status < 300 and answer.is_json) and not bearer, (
        f"plain http was answered {answer.describe()}")


@needs("management", "tls")
@requirement("RFC7592-5-04")
def test_the_configuration_endpoint_speaks_tls_1_2(endpoint: Endpoint):
    """The client configuration endpoint completes a TLS 1.2 handshake."""
    uri = endpoint.client().registration_client_uri or ""
    if not uri.lower().startswith("https:"):
        inapplicable("registration_client_uri is not an https URL")

    failure = endpoint.transport.handshake(uri, ssl.TLSVersion.TLSv1_2)

    assert not failure, f"the handshake failed: {failure}"


@operations
@needs("management")
@requirement("RFC7592-3-01")
def test_every_answer_names_the_configuration_url(endpoint: Endpoint, operation: str):
    """Answers to reads and updates hold registration_client_uri."""
    answer = answered(endpoint, operation)

    assert isinstance(answer.get("registration_client_uri"), str), f"the {operation} answered with {sorted(answer)}"


@operations
@needs("management")
@requirement("RFC7592-3-02", "RFC7592-A.1-01")
def test_every_answer_holds_the_token(endpoint: Endpoint, operation: str):
    """Answers to reads and updates hold the current registration_access_token."""
    answer = answered(endpoint, operation)

    assert isinstance(answer.get("registration_access_token"), str), f"the {operation} answered with {sorted(answer)}"


@needs("management", "confidential")
@requirement("RFC7592-A.1-01")
def test_a_read_holds_the_secret(endpoint: Endpoint):
    """A read of a confidential client answers with its client_secret."""
    client = endpoint.client(token_endpoint_auth_method=endpoint.policy.confidential_methods[0])
    if client.secret is None:
        inapplicable("the server issued no client_secret")

    record = endpoint.record(client)

    assert record.get("client_secret"), f"the read answered with {sorted(record)}"


@operations
@needs("management")
@requirement("RFC7592-3-05")
def test_answers_are_flat_json_objects(endpoint: Endpoint, operation: str):
    """Answers to reads and updates are application/json objects with every parameter at the top level."""
    client = endpoint.register()

    answer = endpoint.read(client) if operation == "read" else endpoint.revise(client)
    if not 200 <= answer.status < 300:
        inconclusive(f"the {operation} did not succeed: {answer.describe()}")

    members = answer.json if isinstance(answer.json, dict) else {}
    assert answer.media_type == "application/json", f"it is served as {answer.media_type!r}"
    assert {"client_id", "redirect_uris"} <= members.keys(), f"the top level holds {sorted(members)}"


@needs("management")
@requirement("RFC7592-3-03", "OIDCR-4.3-01")
def test_a_read_holds_all_registered_metadata(endpoint: Endpoint):
    """A read answers with every metadata member, and every value, that the registration answered with."""
    client = endpoint.client()

    record = endpoint.record(client)

    differing = [m for m in METADATA if m in client and not alike(client[m], record.get(m))]
    assert not differing, f"the read differs from the registration in {', '.join(differing)}"


@needs("management")
@requirement("RFC7592-2.2-10", "RFC7592-3-03")
def test_an_update_answers_with_the_values_in_force(endpoint: Endpoint):
    """What an update answers with is what a read finds afterwards, the server's own values included."""
    client = endpoint.register()

    answer = endpoint.revise(client, grant_types=OMIT, response_types=OMIT, client_name=endpoint.unique())
    record = endpoint.record(client)

    told = answer.json if isinstance(answer.json, dict) else {}
    differing = [m for m in METADATA if not alike(told.get(m), record.get(m))]
    assert not differing, f"the update and a later read differ in {', '.join(differing)}"
