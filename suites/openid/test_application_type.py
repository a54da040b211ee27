"""What an application_type allows among redirect URIs (OpenID Connect Registration, section 2)."""

from __future__ import annotations

from typing import Any

import pytest

from dcrcheck import OMIT, REDIRECT_URI, Answer, Endpoint, inapplicable, is_cleartext, requirement, stored_uris

LOOPBACK = "http://127.0.0.1:51004/dcrcheck"
REMOTE = "http://client.example/dcrcheck"
GRANTS = {"code": "authorization_code", "id_token": "implicit", "token": "implicit"}


def native(endpoint: Endpoint, uris: list[str]) -> Answer:
    """The answer to a native client with these redirect URIs.

    Raises:
        Inapplicable: the server registered it without saying that it is a native one.
    """
    answer = endpoint.submit(application_type="native", redirect_uris=uris)
    if answer.client is not None and answer.stored("application_type") != "native":
        inapplicable(f"the server registers application_type {answer.stored('application_type')!r} for native")
    return answer


def offered(endpoint: Endpoint) -> list[Any]:
    """The response types that the metadata lists."""
    types = endpoint.metadata.get("response_types_supported")
    return types if isinstance(types, list) else []


def implicit(endpoint: Endpoint, uris: list[str]) -> list[str]:
    """The redirect URIs of those that a web client of the implicit grant is registered with.

    Raises:
        Inapplicable: it is registered, and nothing shows for which grants, or for a flow that the server has not.
    """
    kind = next((kind for kind in ("id_token", "id_token token", "token") if kind in offered(endpoint)), None)
    answer = endpoint.submit(grant_types=["implicit"], response_types=[kind or "id_token"], application_type="web",
                             redirect_uris=uris)
    if answer.client is not None and answer.stored("grant_types") is None:
        inapplicable("the response does not say which grants were registered")
    if "implicit" not in (answer.stored("grant_types") or ()):
        return []
    return stored_uris(answer) if kind else inapplicable("the metadata offers no response type of the implicit grant")


@requirement("OIDCR-2-05")
def test_a_client_is_of_the_web_unless_it_says_otherwise(endpoint: Endpoint):
    """A client that names no application_type is registered as web."""
    kind = endpoint.client(application_type=OMIT).stored("application_type")
    if kind is None:
        inapplicable("the server does not say which application_type it registered")

    assert kind == "web", f"application_type is {kind!r}"


@requirement("OIDCR-2-11")
@pytest.mark.parametrize("uris", [[REMOTE], [LOOPBACK, REMOTE]], ids=["alone", "beside a good one"])
def test_a_native_client_has_no_plain_http_to_another_machine(endpoint: Endpoint, uris: list[str]):
    """A native client is not registered with an http redirect URI that leads away from the user's machine."""
    cleartext = [uri for uri in stored_uris(native(endpoint, uris)) if is_cleartext(uri)]

    assert not cleartext, f"a native client was registered with {cleartext!r}"


@requirement("OIDCR-2-08")
def test_a_native_client_has_no_web_address(endpoint: Endpoint):
    """A native client is registered with custom schemes and loopback URIs alone, not with https."""
    stored = stored_uris(native(endpoint, [REDIRECT_URI]))

    assert REDIRECT_URI not in stored, f"a native client was registered with {stored!r}"


@requirement("OIDCR-2-06")
@pytest.mark.parametrize("uri", [REMOTE, LOOPBACK], ids=["another machine", "loopback"])
def test_a_web_client_of_the_implicit_grant_has_no_plain_http(endpoint: Endpoint, uri: str):
    """A web client of the implicit grant is not registered with an http redirect URI."""
    stored = implicit(endpoint, [uri])

    assert uri not in stored, f"a web client of the implicit grant was registered with {stored!r}"


@requirement("OIDCR-2-07")
def test_a_web_client_of_the_implicit_grant_is_not_at_localhost(endpoint: Endpoint):
    """A web client of the implicit grant is not registered with localhost as the host of a redirect URI."""
    stored = implicit(endpoint, ["https://localhost/dcrcheck"])

    assert not stored, f"a web client of the implicit grant was registered with {stored!r}"


@requirement("OIDCR-2-03")
@pytest.mark.parametrize(("responses", "grants"), [
    pytest.param(["id_token"], ["authorization_code"], id="id_token without implicit"),
    pytest.param(["code"], ["implicit"], id="code without authorization_code"),
    pytest.param(["code id_token"], ["authorization_code"], id="code id_token without implicit"),
])
def test_a_response_type_comes_with_its_grants(endpoint: Endpoint, responses: list[str], grants: list[str]):
    """A client that is registered for a response type is registered for the grant types that it needs."""
    answer = endpoint.submit(response_types=responses, grant_types=grants)
    types, held = answer.stored("response_types"), answer.stored("grant_types")
    if answer.client is not None and (types is None or held is None):
        inapplicable("the response does not say what was registered")

    usable = [kind for kind in types or () if kind in offered(endpoint)]
    if types and not usable:
        inapplicable(f"the metadata offers none of {types!r}")
    needed = {GRANTS[part] for kind in usable for part in kind.split() if part in GRANTS}
    assert needed <= {*(held or ())}, f"the server registered {types!r} with {held!r}"
