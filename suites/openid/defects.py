"""OpenID providers that register what they should not; each breaks one rule of this folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from dcrcheck.reference import POLICIES, Rules, Server
from dcrcheck.reference.answers import Refusal
from dcrcheck.reference.assertions import ASSERTION_ALGORITHMS
from dcrcheck.reference.routing import Handler
from dcrcheck.reference.store import Client
from dcrcheck.reference.uris import Uri, parse

# -- kinds of applications ------------------------------------------------------------------------------------------


class TakesEveryoneForNative(Server):
    """Registers a client that does not say what it is as a native one."""

    policy = "oidc"
    trips = ("test_a_client_is_of_the_web_unless_it_says_otherwise",)

    def accept_openid(self, wanted: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
        return {**super().accept_openid(wanted, metadata), "application_type": wanted.get("application_type", "native")}


class SendsNativeCodesInTheClear(Server):
    """Allows native clients plain http to any machine."""

    policy = "oidc"
    trips = ("test_a_native_client_has_no_plain_http_to_another_machine",)

    def is_allowed_class(self, uri: Uri) -> bool:
        return uri.scheme == "http" or super().is_allowed_class(uri)

    def suits_native(self, uri: Uri) -> bool:
        return uri.scheme == "http" or super().suits_native(uri)


class LooksAtTheFirstNativeRedirectUri(Server):
    """Of the redirect URIs of a native client, checks the first one only."""

    policy = "oidc"
    trips = ("test_a_native_client_has_no_plain_http_to_another_machine",)

    def is_allowed_class(self, uri: Uri) -> bool:
        return uri.scheme == "http" or super().is_allowed_class(uri)

    def check_application_type(self, kind: str, redirect_uris: list[str]) -> None:
        super().check_application_type(kind, redirect_uris[:1] if kind == "native" else redirect_uris)


class LetsNativeClientsBeWebSites(Server):
    """Allows native clients https redirect URIs."""

    policy = "oidc"
    trips = ("test_a_native_client_has_no_web_address",)

    def suits_native(self, uri: Uri) -> bool:
        return self.redirect_class(uri) == "https" or super().suits_native(uri)


# -- the implicit grant ---------------------------------------------------------------------------------------------


class Implicit(Server):
    """Base of the servers that register clients of the implicit grant, and that do so correctly."""

    policy = "oidc"

    def __init__(self, rules: Rules | None = None, *, issuer: str = "") -> None:
        oidc = rules or POLICIES["oidc"]
        super().__init__(replace(oidc, grant_types=(*oidc.grant_types, "implicit"),
                                 response_types=(*oidc.response_types, "id_token")), issuer=issuer)

    def needs_redirect_uri(self, grant_types: list[str]) -> bool:
        return True

    def check_consistency(self, grant_types: list[str], response_types: list[str]) -> None:
        super().check_consistency(grant_types, response_types)
        if ("implicit" in grant_types) != ("id_token" in response_types):
            self.refuse_metadata("grant_types and response_types do not fit together")

    def accept_openid(self, wanted: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
        accepted = super().accept_openid(wanted, metadata)
        if "implicit" in metadata["grant_types"] and accepted["application_type"] == "web":
            for uri in filter(None, map(parse, metadata["redirect_uris"])):
                if not self.is_secret_on_its_way(uri) or not self.is_on_the_web(uri):
                    self.refuse_redirect_uri("a redirect URI is not one for the implicit grant")
        return accepted

    def is_secret_on_its_way(self, uri: Uri) -> bool:
        return uri.scheme == "https"

    def is_on_the_web(self, uri: Uri) -> bool:
        return uri.host != "localhost"


class SendsTokensInTheClear(Implicit):
    """Allows web clients of the implicit grant plain http to the user's machine."""

    trips = ("test_a_web_client_of_the_implicit_grant_has_no_plain_http",)

    def is_secret_on_its_way(self, uri: Uri) -> bool:
        return True


class SendsTokensToLocalhost(Implicit):
    """Allows web clients of the implicit grant to be at localhost."""

    trips = ("test_a_web_client_of_the_implicit_grant_is_not_at_localhost",)

    def is_on_the_web(self, uri: Uri) -> bool:
        return True


class RegistersResponseTypesWithoutGrants(Implicit):
    """Registers a response type whatever grants the client has."""

    trips = ("test_a_response_type_comes_with_its_grants",)

    def check_consistency(self, grant_types: list[str], response_types: list[str]) -> None:
        if "implicit" in grant_types or "id_token" not in response_types:
            super().check_consistency(grant_types, response_types)


class WritesUnsignedIdTokens(Implicit):
    """Registers none as the algorithm of ID Tokens that come by the browser."""

    trips = ("test_id_tokens_of_the_browser_are_signed", "test_a_client_does_not_do_without_signatures")

    def is_signature_allowed(self, name: str, algorithm: str) -> bool:
        return (name, algorithm) == ("id_token_signed_response_alg", "none") or super().is_signature_allowed(
            name, algorithm)


# -- algorithms -----------------------------------------------------------------------------------------------------


class SignsIdTokensWithSomethingElse(Server):
    """Says that ID Tokens come with RS256, which it does not support."""

    policy = "oidc"
    trips = ("test_id_tokens_are_signed_with_rs256_unless_the_response_says_otherwise",)

    def openid_metadata(self) -> dict[str, Any]:
        return {**super().openid_metadata(), "id_token_signing_alg_values_supported": ["ES256"]}


class VerifiesRequestsWithoutRs256(Server):
    """Does not support RS256 for request objects."""

    policy = "oidc"
    trips = ("test_rs256_is_supported",)

    def openid_metadata(self) -> dict[str, Any]:
        return {**super().openid_metadata(), "request_object_signing_alg_values_supported": ["ES256"]}


class RegistersUnsignedAssertions(Server):
    """Registers none as the algorithm by which a client authenticates."""

    policy = "oidc"
    trips = ("test_no_client_asserts_itself_without_a_signature",)

    def is_signature_allowed(self, name: str, algorithm: str) -> bool:
        return (name, algorithm) == ("token_endpoint_auth_signing_alg", "none") or super().is_signature_allowed(
            name, algorithm)


class TakesAssertionsOfAnyAlgorithm(Server):
    """Does not hold the assertions of a client against the algorithm that it registered."""

    policy = "oidc"
    trips = ("test_an_assertion_has_the_clients_algorithm",)

    def is_assertion_algorithm(self, client: Client, algorithm: Any) -> bool:
        return algorithm in ASSERTION_ALGORITHMS


class RegistersNoneForRequests(Server):
    """Registers none as the algorithm of request objects."""

    policy = "oidc"
    trips = ("test_a_client_does_not_do_without_signatures",)

    def is_signature_allowed(self, name: str, algorithm: str) -> bool:
        return (name, algorithm) == ("request_object_signing_alg", "none") or super().is_signature_allowed(
            name, algorithm)


class EncryptsToNobody(Server):
    """Registers a content encryption algorithm without the key management algorithm."""

    policy = "oidc"
    trips = ("test_content_is_not_encrypted_to_nobody",)

    def is_encryption_whole(self, name: str, accepted: dict[str, Any]) -> bool:
        return True


class LetsClientsDropProtections(Server):
    """Binds access tokens to keys by default, and not where a client says false."""

    policy = "oidc"
    trips = ("test_a_client_does_not_switch_protections_off",)

    def is_known_member(self, name: str) -> bool:
        return name == "dpop_bound_access_tokens" or super().is_known_member(name)

    def accept_openid(self, wanted: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
        bound = wanted.get("dpop_bound_access_tokens", True)
        return {**super().accept_openid(wanted, metadata), "dpop_bound_access_tokens": bool(bound)}


# -- keys -----------------------------------------------------------------------------------------------------------


class TakesWeakKeys(Server):
    """Registers keys of any strength."""

    trips = ("test_a_key_that_proves_nothing_is_not_registered",)

    def is_strong_key(self, key: dict[str, Any]) -> bool:
        return True


class TakesTwoKeysOfOneName(Server):
    """Registers key sets in which a kid occurs twice."""

    trips = ("test_two_keys_do_not_share_a_name",)

    def has_distinct_key_ids(self, key_set: dict[str, Any]) -> bool:
        return True


class GuessesWhatKeysAreFor(Server):
    """Registers signing and encryption keys that do not say which they are."""

    policy = "oidc"
    trips = ("test_keys_for_different_uses_say_so",)

    def are_uses_stated(self, key_set: dict[str, Any]) -> bool:
        return True


# -- requests and subjects ------------------------------------------------------------------------------------------


class FetchesRequestsInTheClear(Server):
    """Registers request_uris with plain http."""

    policy = "oidc"
    trips = ("test_requests_are_not_fetched_in_the_clear",)

    def is_secure_request_uri(self, uri: str) -> bool:
        return True

    def openid_metadata(self) -> dict[str, Any]:
        return {**super().openid_metadata(), "request_uri_parameter_supported": True}


class IgnoresRequestObjects(Server):
    """Says that it takes request objects, and does not look at them."""

    policy = "oidc"
    trips = ("test_a_client_that_signs_its_requests_is_not_spoken_for",)

    def openid_metadata(self) -> dict[str, Any]:
        return {**super().openid_metadata(), "request_parameter_supported": True}

    def check_request_objects(self, parameters: Mapping[str, str]) -> None:
        pass


class FetchesSectorsInTheClear(Server):
    """Registers a sector_identifier_uri with plain http, which it takes for verified."""

    policy = "oidc"
    trips = ("test_a_sector_is_not_fetched_in_the_clear",)

    def is_secure_sector(self, uri: str) -> bool:
        return True

    def is_verified_sector(self, uri: str, redirect_uris: list[str]) -> bool:
        return uri.startswith("http:")


class TakesSectorsOnTrust(Server):
    """Registers a sector_identifier_uri without looking at the document."""

    policy = "oidc"
    trips = ("test_a_sector_that_nobody_vouches_for_is_not_registered",)

    def is_verified_sector(self, uri: str, redirect_uris: list[str]) -> bool:
        return True


class SharesPairwiseIdentifiers(Server):
    """Registers clients on several hosts for pairwise identifiers."""

    policy = "oidc"
    trips = ("test_pairwise_identifiers_are_not_shared_among_hosts",)

    def has_one_sector(self, accepted: dict[str, Any], redirect_uris: list[str]) -> bool:
        return True


# -- scripts and reads ----------------------------------------------------------------------------------------------


class KeepsScriptsFromRegistering(Server):
    """Lets no script of another origin use the registration endpoint."""

    policy = "oidc"
    trips = ("test_scripts_may_register",)

    def public(self, path: str, handler: Handler, *methods: str) -> Route:
        serve = self.private if path.endswith("/register") else super().public
        return serve(path, handler, *methods)


class KeepsScriptsFromTheirConfiguration(Server):
    """Lets no script of another origin use the client configuration endpoint."""

    policy = "oidc"
    trips = ("test_scripts_may_read_their_configuration",)

    def configuration_route(self, path: str) -> Route:
        return self.private(path, self.manage, "GET", "PUT", "DELETE")


class CountsReads(Server):
    """Keeps the number of its reads among a client's metadata."""

    policy = "oidc"
    trips = ("test_a_read_changes_nothing",)

    def read(self, client: Client) -> Response:
        client.metadata = {**client.metadata, "reads": client.metadata.get("reads", 0) + 1}
        return super().read(client)


class SaysNotFound(Server):
    """Answers requests for clients that do not exist with 404."""

    policy = "oidc"
    trips = ("test_the_configuration_endpoint_does_not_say_not_found",
             "test_reading_a_missing_client_is_401",
             "test_updating_a_missing_client_is_401",
             "test_deleting_a_missing_client_is_401",
             "test_the_token_of_a_deleted_client_is_401",
             "test_a_bad_token_does_not_tell_which_clients_exist",
             "test_a_bad_token_gets_the_same_words_for_every_client")

    def missing_client(self, token: str) -> Client:
        self.revoke_registration_access_token(token)
        raise Refusal(404, "not_found", "there is no such client")
