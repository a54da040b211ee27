"""What the authorization server metadata says (RFC 8414, section 2), and whether registration agrees with it."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from dcrcheck import Endpoint, Session, Target, inapplicable, is_loopback, needs, observes, requirement

DOCUMENTS = ("oauth-authorization-server", "openid-configuration")
SILENT_GRANTS = ["authorization_code", "implicit"]
SILENT_METHODS = ["client_secret_basic"]
SILENT_MODES = ["query", "fragment"]
ASSERTIONS = {"private_key_jwt", "client_secret_jwt"}
# what RFC 8414, section 2, and OpenID Connect Discovery, section 3, define, and the registry has beside it
DEFINED = ("issuer", "jwks_uri", "service_documentation", "ui_locales_supported", "op_policy_uri", "op_tos_uri",
           "signed_metadata")


def grants(metadata: dict[str, Any]) -> list[str]:
    """What the metadata declares, by silence too (RFC 8414, section 2)."""
    return list(metadata.get("grant_types_supported", SILENT_GRANTS))


def signing_algorithms(metadata: dict[str, Any], name: str) -> Any:
    """The algorithms for client assertions at an endpoint that takes them; None if the metadata has none.

    Raises:
        Inapplicable: the endpoint takes no client assertions.
    """
    methods = metadata.get(f"{name}_endpoint_auth_methods_supported", SILENT_METHODS)
    if not isinstance(methods, list) or not ASSERTIONS.intersection(map(str, methods)):
        inapplicable(f"the {name} endpoint declares no authentication by client assertions")
    return metadata.get(f"{name}_endpoint_auth_signing_alg_values_supported")


@requirement("RFC8414-2-01")
def test_the_issuer_is_an_https_url(endpoint: Endpoint, target: Target):
    """issuer is an https URL without query and fragment."""
    issuer = endpoint.published().json.get("issuer")
    parts = urlsplit(issuer if isinstance(issuer, str) else "")
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(target.issuer))

    assert secure and parts.hostname and "?" not in issuer and "#" not in issuer, f"issuer is {issuer!r}"


@requirement("RFC8414-2-02", "RFC8414-2-03")
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint"])
def test_the_endpoints_that_the_grants_need_are_named(endpoint: Endpoint, name: str):
    """authorization_endpoint and token_endpoint are named wherever a supported grant uses them."""
    metadata = endpoint.published().json
    declared = {*grants(metadata)}
    if not (declared & {*SILENT_GRANTS} if name == "authorization_endpoint" else declared - {"implicit"}):
        inapplicable(f"no supported grant uses {name}")
    url = metadata.get(name)

    assert isinstance(url, str) and urlsplit(url).hostname, f"{name} is {url!r}"


@requirement("OAUTH21-1.5-02", "MCP-2025-03-26-COMMSEC-01")
@needs("tls")
def test_every_address_in_the_metadata_is_https(endpoint: Endpoint):
    """Every endpoint that the metadata names is an https URL."""
    metadata = endpoint.published().json
    plain = {name: url for name, url in metadata.items() if name.endswith(("_endpoint", "jwks_uri"))
             and isinstance(url, str) and urlsplit(url).scheme != "https"}

    assert not plain, f"not https: {plain}"


@requirement("RFC8414-2-06", "MCP-2025-03-26-DCR-01")
@observes("MCP-2025-11-25-DCR-01")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_registration_endpoint_leads_to_registration(endpoint: Endpoint, name: str):
    """registration_endpoint, where a document has it, is where clients register."""
    stated = endpoint.published(name).json.get("registration_endpoint")
    endpoint.observe("MCP-2025-11-25-DCR-01", f"the {name} document {'names a' if stated else 'has no'} "
                                              "registration_endpoint")
    if stated is None:
        inapplicable("the document has no registration_endpoint")
    endpoint.control()

    assert stated == endpoint.registration_url, f"{stated!r} is named, clients register at {endpoint.registration_url}"


@requirement("RFC8414-2-07")
def test_scopes_are_published(endpoint: Endpoint):
    """scopes_supported lists scopes in an array of strings."""
    scopes = endpoint.published().json.get("scopes_supported")

    assert isinstance(scopes, list) and all(isinstance(s, str) for s in scopes), f"scopes_supported is {scopes!r}"


@requirement("RFC8414-2-08")
@observes("RFC8414-2-22")
def test_response_types_are_published(endpoint: Endpoint):
    """response_types_supported is an array of strings."""
    metadata = endpoint.published().json
    types = metadata.get("response_types_supported")
    others = sorted(name for name in metadata if name not in DEFINED and not name.endswith(("_endpoint", "_supported")))
    endpoint.observe("RFC8414-2-22", f"beyond RFC 8414 the metadata has {', '.join(others) or 'nothing'}"[:300])

    assert isinstance(types, list) and types and all(isinstance(t, str) for t in types), (
        f"response_types_supported is {types!r}")


@requirement("RFC8414-3.2-03")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_members_with_several_values_are_arrays(endpoint: Endpoint, name: str):
    """Members that list values are JSON arrays."""
    metadata = endpoint.published(name).json
    wrong = {member: value for member, value in metadata.items()
             if member.endswith("s_supported") and not isinstance(value, list)}

    assert not wrong, f"no arrays: {wrong}"


@requirement("RFC8414-3.2-04")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_members_without_values_are_left_out(endpoint: Endpoint, name: str):
    """No member of the metadata is an empty array."""
    empty = [member for member, value in endpoint.published(name).json.items() if value == []]

    assert not empty, f"empty: {empty}"


@requirement("RFC8414-2-10", "RFC8414-2-11")
def test_a_registered_grant_is_declared(endpoint: Endpoint):
    """The grants of a registered client are among those that the metadata declares."""
    wanted = [name for name in ("authorization_code", "refresh_token") if name in endpoint.policy.grant_types]
    client = endpoint.client(grant_types=wanted)
    undeclared = {*(client.stored("grant_types") or ())} - {*grants(endpoint.published().json)}

    assert not undeclared, f"registered but not declared: {sorted(undeclared)}"


@requirement("RFC8414-2-10")
def test_silence_about_grants_is_true(endpoint: Endpoint):
    """Where the metadata is silent about grants, and so declares implicit, a client can have implicit."""
    if "grant_types_supported" in endpoint.published().json:
        inapplicable("the metadata has grant_types_supported")
    answer = endpoint.submit(grant_types=["implicit"], response_types=["token"])

    assert "implicit" in (answer.stored("grant_types") or ()), f"implicit is declared by silence; {answer.describe()}"


@requirement("RFC8414-2-12", "RFC8414-2-13")
@pytest.mark.parametrize("method", ["none", "client_secret_basic", "client_secret_post"])
def test_a_registered_auth_method_is_declared(endpoint: Endpoint, method: str):
    """The authentication method of a registered client is among those that the metadata declares, by silence too."""
    if method not in endpoint.policy.auth_methods:
        inapplicable(f"policy {endpoint.policy.name} admits no client with {method}")
    declared = endpoint.published().json.get("token_endpoint_auth_methods_supported", SILENT_METHODS)
    stored = endpoint.submit(token_endpoint_auth_method=method).stored("token_endpoint_auth_method")

    assert stored is None or stored in declared, f"registered {stored}, declared {declared}"


@requirement("RFC8414-2-16")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_client_assertions_are_signed(endpoint: Endpoint, name: str):
    """The signing algorithms for client authentication at the token endpoint do not include none."""
    algorithms = endpoint.published(name).json.get("token_endpoint_auth_signing_alg_values_supported", [])

    assert "none" not in algorithms, f"the token endpoint takes assertions with the algorithms {algorithms}"


@requirement("RFC8414-2-14")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_algorithms_of_client_assertions_are_named(endpoint: Endpoint, name: str):
    """Where the token endpoint takes client assertions, the metadata names their signing algorithms."""
    algorithms = signing_algorithms(endpoint.published(name).json, "token")

    assert isinstance(algorithms, list) and algorithms, (
        f"token_endpoint_auth_signing_alg_values_supported is {algorithms!r}")


@requirement("RFC8414-2-15")
def test_rs256_signs_client_assertions(endpoint: Endpoint):
    """Where the token endpoint takes signed client assertions, RS256 is among their algorithms."""
    metadata = endpoint.published().json
    algorithms = signing_algorithms(metadata, "token")
    if not isinstance(algorithms, list):
        inapplicable("the metadata names no algorithms")

    assert "RS256" in algorithms, f"the algorithms are {algorithms}"


@requirement("RFC8414-2-19")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_revocation_endpoint_names_its_algorithms(endpoint: Endpoint, name: str):
    """Where the revocation endpoint takes client assertions, their algorithms are named, and none is not one."""
    algorithms = signing_algorithms(endpoint.published(name).json, "revocation")

    assert isinstance(algorithms, list) and algorithms and "none" not in algorithms, f"the algorithms are {algorithms}"


@requirement("RFC8414-2-20")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_introspection_endpoint_names_its_algorithms(endpoint: Endpoint, name: str):
    """Where the introspection endpoint takes client assertions, their algorithms are named, and none is not one."""
    algorithms = signing_algorithms(endpoint.published(name).json, "introspection")

    assert isinstance(algorithms, list) and algorithms and "none" not in algorithms, f"the algorithms are {algorithms}"


@requirement("RFC8414-2-09")
@needs("session")
def test_the_response_mode_in_use_is_declared(endpoint: Endpoint, session: Session):
    """An ordinary authorization response comes in a response mode that the metadata declares, by silence too."""
    declared = endpoint.published().json.get("response_modes_supported", SILENT_MODES)
    location = session.granted().location
    if location is None:
        inapplicable("the authorization response is no redirect")
    mode = "fragment" if "#" in location else "query"

    assert mode in declared, f"the response came in the {mode}; declared are {declared}"


@requirement("RFC8414-2-17", "HARD-CLOSED-EXPLAINED")
def test_who_cannot_register_is_told_how(endpoint: Endpoint, target: Target):
    """Metadata without registration_endpoint has service_documentation, where registration is explained."""
    metadata = endpoint.published().json
    if target.names("registration_endpoint"):
        inapplicable("the server offers dynamic registration")
    page = metadata.get("service_documentation")

    assert isinstance(page, str) and urlsplit(page).hostname, f"service_documentation is {page!r}"


@requirement("RFC8414-2-21", "RFC9700-2.1.1-05", "RFC7636-7.2-01", "RFC9700-2.1.1-04", "RFC9700-4.7.1-01",
             "OAUTH21-7.10-01")
def test_support_for_pkce_is_published(endpoint: Endpoint):
    """code_challenge_methods_supported is present and has S256."""
    methods = endpoint.published().json.get("code_challenge_methods_supported")

    assert isinstance(methods, list) and "S256" in methods, f"code_challenge_methods_supported is {methods!r}"


@requirement("MCP-2025-11-25-CODEPROT-01")
def test_the_openid_document_publishes_support_for_pkce(endpoint: Endpoint):
    """An OpenID Connect Discovery document has code_challenge_methods_supported."""
    methods = endpoint.published("openid-configuration").json.get("code_challenge_methods_supported")

    assert isinstance(methods, list) and methods, f"code_challenge_methods_supported is {methods!r}"


@requirement("RFC7636-7.2-02", "OAUTH21-7.5.2-01")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_plain_challenge_method_is_not_offered(endpoint: Endpoint, name: str):
    """code_challenge_methods_supported does not offer plain."""
    methods = endpoint.published(name).json.get("code_challenge_methods_supported") or []

    assert "plain" not in methods, f"code_challenge_methods_supported is {methods!r}"


@requirement("MCP-2025-11-25-OVERVIEW-01")
def test_clients_may_be_known_by_the_url_of_their_metadata(endpoint: Endpoint):
    """The metadata says that clients may use Client ID Metadata Documents."""
    stated = endpoint.published().json.get("client_id_metadata_document_supported")

    assert stated is True, f"client_id_metadata_document_supported is {stated!r}"
