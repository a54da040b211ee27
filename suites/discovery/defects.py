"""Servers whose metadata cannot be found, or says what is not so."""

import ssl
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dcrcheck.reference import Server
from dcrcheck.reference.answers import Refusal

# -- where the metadata is --------------------------------------------------------------------------------------------


class Publishing(Server):
    """Base of the servers whose RFC 8414 document differs from a correct one; their OpenID document does not."""

    policy = "mcp"

    async def authorization_server_document(self, request: Request) -> Response:
        return self.document(self.edit(self.metadata()))

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return metadata


class PublishingForOpenId(Server):
    """Base of the servers whose OpenID document differs from a correct one; their RFC 8414 document does not."""

    policy = "mcp"

    async def openid_document(self, request: Request) -> Response:
        return self.document(self.edit(self.openid_metadata()))

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return metadata


class PublishesText(Server):
    """Sends its metadata as text/plain."""

    policy = "mcp"
    trips = ("test_the_server_publishes_metadata", "test_metadata_is_served_as_json")

    async def authorization_server_document(self, request: Request) -> Response:
        return self.as_text(await super().authorization_server_document(request))

    async def openid_document(self, request: Request) -> Response:
        return self.as_text(await super().openid_document(request))

    def as_text(self, response: Response) -> Response:
        response.headers["content-type"] = "text/plain"
        return response


class AppendsTheWellKnownName(Server):
    """Puts the RFC 8414 document behind the path of the issuer."""

    policy = "mcp"
    path = "/tenant"
    trips = ("test_metadata_stands_between_host_and_path_of_the_issuer",)

    def discovery_routes(self, path: str) -> list[Route]:
        others = super().discovery_routes(path)[1:]
        return [self.public(f"{path}/.well-known/oauth-authorization-server", self.authorization_server_document,
                            "GET"), *others]


class KeepsTheLastSlash(Server):
    """Has an issuer that ends in a slash, and keeps the slash in the address of the metadata."""

    policy = "mcp"
    trips = ("test_the_last_slash_of_the_issuer_is_dropped",)

    def metadata(self) -> dict[str, Any]:
        return {**super().metadata(), "issuer": f"{self.issuer}/"}

    def issuer_parameter(self) -> dict[str, str]:
        return {"iss": f"{self.issuer}/"}

    def discovery_routes(self, path: str) -> list[Route]:
        inserted, *others = super().discovery_routes(path)
        return [self.public(f"{inserted.path}/", self.authorization_server_document, "GET"), *others]


class PublishesWith203(Server):
    """Answers the OpenID document with 203."""

    policy = "mcp"
    trips = ("test_metadata_is_answered_with_200",)

    async def openid_document(self, request: Request) -> Response:
        response = await super().openid_document(request)
        response.status_code = 203
        return response


class PublishesForOpenIdOnly(Server):
    """Publishes its metadata for OpenID Connect and not by RFC 8414."""

    policy = "mcp-2025-06-18"
    trips = ("test_the_document_of_rfc_8414_is_published",)

    def discovery_routes(self, path: str) -> list[Route]:
        return super().discovery_routes(path)[1:]


class PublishesToPost(Server):
    """Wants a POST for its RFC 8414 document."""

    policy = "mcp"
    trips = ("test_metadata_is_retrieved_with_get",)

    def discovery_routes(self, path: str) -> list[Route]:
        inserted, *others = super().discovery_routes(path)
        return [self.public(inserted.path, self.authorization_server_document, "POST"), *others]


class ServesItsPageEverywhere(Server):
    """Answers an unknown path under /.well-known/ with the page of a single-page application."""

    policy = "mcp"
    trips = ("test_where_there_is_no_metadata_the_status_is_an_error",
             "test_where_there_is_no_resource_metadata_the_status_is_an_error")

    async def not_served(self, request: Request, fault: Exception) -> Response:
        if request.url.path.endswith("/dcrcheck-nobody"):
            return Response("<!doctype html><div id=app></div>", 200, self.hygiene(), "text/html")
        return await super().not_served(request, fault)


class StatesAnotherIssuer(PublishingForOpenId):
    """Names another issuer in its OpenID document."""

    trips = ("test_the_issuer_is_the_one_that_the_url_was_formed_from",
             "test_the_documents_name_the_same_addresses")

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "issuer": f"{self.issuer}/tenant"}


# -- what it says -----------------------------------------------------------------------------------------------------


class PutsAQueryIntoTheIssuer(Server):
    """Has an issuer with a query."""

    policy = "mcp"
    trips = ("test_the_issuer_is_an_https_url", "test_the_issuer_is_the_one_that_the_url_was_formed_from",
             "test_iss_is_the_issuer_of_the_metadata")

    def metadata(self) -> dict[str, Any]:
        return {**super().metadata(), "issuer": f"{self.issuer}?tenant=1"}


class HidesTheTokenEndpoint(Publishing):
    """Leaves token_endpoint out of the RFC 8414 document."""

    trips = ("test_the_endpoints_that_the_grants_need_are_named",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "token_endpoint": None}


class NamesKeysWithoutTls(PublishingForOpenId):
    """Has the keys of the OpenID document fetched without TLS."""

    trips = ("test_the_keys_of_the_server_are_published_over_https", "test_the_documents_name_the_same_addresses")

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "jwks_uri": metadata["jwks_uri"].replace("https:", "http:")}


class AnswersInTheFragment(Publishing):
    """Declares that authorization responses come in the fragment, and sends them in the query."""

    trips = ("test_the_response_mode_in_use_is_declared",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "response_modes_supported": ["fragment"]}


class ExplainsNothing(Server):
    """Registers nobody over the network, and does not say how else."""

    policy = "closed"
    trips = ("test_who_cannot_register_is_told_how",)

    def metadata(self) -> dict[str, Any]:
        return {**super().metadata(), "service_documentation": None}


class NamesAPlainEndpoint(Publishing):
    """Names an endpoint without TLS."""

    trips = ("test_every_address_in_the_metadata_is_https",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "userinfo_endpoint": "http://127.0.0.1/userinfo"}


class NamesAnOldEndpoint(PublishingForOpenId):
    """Names a registration endpoint in the OpenID document that is not there any more."""

    trips = ("test_registration_endpoint_leads_to_registration", "test_the_documents_name_the_same_addresses")

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "registration_endpoint": self.endpoint("connect/register")}


class KeepsItsScopesToItself(Publishing):
    """Leaves scopes_supported out."""

    trips = ("test_scopes_are_published",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "scopes_supported": None}


class KeepsItsResponseTypesToItself(Publishing):
    """Leaves response_types_supported out."""

    trips = ("test_response_types_are_published",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "response_types_supported": None}


class PublishesOneForMany(Publishing):
    """Publishes a list with one element as the element."""

    trips = ("test_members_with_several_values_are_arrays",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "response_modes_supported": "query"}


class PublishesEmptyLists(Server):
    """Publishes members without any value."""

    policy = "mcp"
    trips = ("test_members_without_values_are_left_out", "test_resource_metadata_leaves_out_what_has_no_values")

    def without_empty(self, content: Any) -> dict[str, Any]:
        return {**super().without_empty(content), "ui_locales_supported": []}


class DeclaresFewerGrants(Publishing):
    """Registers clients for a grant that its metadata does not declare."""

    trips = ("test_a_registered_grant_is_declared",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "grant_types_supported": ["authorization_code"]}


class DeclaresImplicitBySilence(Publishing):
    """Leaves grant_types_supported out, and so declares a grant that it does not offer."""

    trips = ("test_silence_about_grants_is_true", "test_a_registered_grant_is_declared")

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "grant_types_supported": None}


class DeclaresBasicBySilence(Publishing):
    """Leaves token_endpoint_auth_methods_supported out, and so declares another method than it registers."""

    trips = ("test_a_registered_auth_method_is_declared",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "token_endpoint_auth_methods_supported": None}


class OffersUnsignedAssertions(Publishing):
    """Offers none as an algorithm for client assertions."""

    trips = ("test_client_assertions_are_signed",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "token_endpoint_auth_signing_alg_values_supported": ["RS256", "none"]}


class OffersUnsignedAssertionsToOpenId(PublishingForOpenId):
    """Offers none as an algorithm for client assertions in the OpenID document alone."""

    trips = ("test_client_assertions_are_signed",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "token_endpoint_auth_signing_alg_values_supported": ["RS256", "none"]}


class TakesAssertions(Publishing):
    """Base of the servers whose metadata says that clients may authenticate with assertions, and by what algorithms."""

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        for name in ("token", "revocation", "introspection"):
            methods = metadata.get(f"{name}_endpoint_auth_methods_supported", [])
            metadata[f"{name}_endpoint_auth_methods_supported"] = [*methods, "client_secret_jwt"]
            metadata[f"{name}_endpoint_auth_signing_alg_values_supported"] = ["RS256", "HS256"]
        return metadata


class NamesNoAssertionAlgorithms(TakesAssertions):
    """Offers client_secret_jwt at the token endpoint without an algorithm for it."""

    trips = ("test_the_algorithms_of_client_assertions_are_named",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**super().edit(metadata), "token_endpoint_auth_signing_alg_values_supported": None}


class KnowsNoRs256(TakesAssertions):
    """Offers every algorithm for client assertions but RS256."""

    trips = ("test_rs256_signs_client_assertions",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**super().edit(metadata), "token_endpoint_auth_signing_alg_values_supported": ["ES256", "HS256"]}


class RevokesByUnsignedAssertion(TakesAssertions):
    """Offers none as an algorithm for client assertions at the revocation endpoint."""

    trips = ("test_the_revocation_endpoint_names_its_algorithms",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**super().edit(metadata), "revocation_endpoint_auth_signing_alg_values_supported": ["RS256", "none"]}


class IntrospectsByUnnamedAssertion(TakesAssertions):
    """Offers client_secret_jwt at the introspection endpoint without an algorithm for it."""

    trips = ("test_the_introspection_endpoint_names_its_algorithms",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**super().edit(metadata), "introspection_endpoint_auth_signing_alg_values_supported": None}


class KnowsRegisteredClientsOnly(Publishing):
    """Does not know clients by the URL of their metadata, which is what the revision asks for."""

    policy = "mcp-2025-11-25"
    trips = ("test_clients_may_be_known_by_the_url_of_their_metadata",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "client_id_metadata_document_supported": None}


class HidesPkce(Publishing):
    """Leaves code_challenge_methods_supported out of the RFC 8414 document."""

    trips = ("test_support_for_pkce_is_published",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "code_challenge_methods_supported": None}


class HidesPkceFromOpenId(PublishingForOpenId):
    """Leaves code_challenge_methods_supported out of the OpenID document."""

    trips = ("test_the_openid_document_publishes_support_for_pkce",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "code_challenge_methods_supported": None}


class OffersPlain(PublishingForOpenId):
    """Offers the plain challenge method in the OpenID document."""

    trips = ("test_the_plain_challenge_method_is_not_offered",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "code_challenge_methods_supported": ["S256", "plain"]}


# -- keys and signatures ----------------------------------------------------------------------------------------------


class MixesItsKeys(Server):
    """Publishes a key for encryption and one for signatures, and does not say of the latter what it is for."""

    policy = "mcp"
    trips = ("test_the_keys_of_the_server_state_their_use", "test_the_keys_of_the_resource_state_their_use")

    def public_keys(self) -> list[dict[str, Any]]:
        (signing,) = super().public_keys()
        encryption = {**signing, "kid": "encryption", "use": "enc", "alg": "ECDH-ES"}
        return [encryption, {name: value for name, value in signing.items() if name != "use"}]


class PublishesItsPrivateKey(Server):
    """Publishes the private half of its signing key with the public one."""

    policy = "mcp"
    trips = ("test_the_published_keys_are_public",)

    def public_key(self) -> dict[str, Any]:
        return {**super().public_key(), "d": "ZGNyY2hlY2stbm8ta2V5LWF0LWFsbC0wMDAwMDAwMDA"}


class SignsWithNone(Server):
    """Publishes signed metadata without a signature."""

    policy = "mcp"
    trips = ("test_signed_metadata_is_signed", "test_signed_resource_metadata_is_signed")

    def sign_metadata(self, claims: dict[str, Any]) -> str:
        return f"eyJhbGciOiJub25lIn0.{super().sign_metadata(claims).split('.')[1]}."


class SignsAnonymously(Server):
    """Leaves the claim iss out of signed metadata."""

    policy = "mcp"
    trips = ("test_signed_metadata_is_signed", "test_signed_resource_metadata_is_signed")

    def attested_claims(self, content: Mapping[str, Any], party: str) -> dict[str, Any]:
        return dict(content)


class SignsItsSignature(Server):
    """Puts an earlier signed_metadata into the claims of signed_metadata."""

    policy = "mcp"
    trips = ("test_signed_metadata_does_not_hold_itself", "test_signed_resource_metadata_does_not_hold_itself")

    def attested_claims(self, content: Mapping[str, Any], party: str) -> dict[str, Any]:
        return {**super().attested_claims(content, party), "signed_metadata": "earlier"}


# -- what an attacker would follow ------------------------------------------------------------------------------------


class NamesAnAddressForTheShell(Publishing):
    """Names an endpoint in which a command line finds something to run."""

    trips = ("test_the_addresses_in_the_metadata_are_plain_urls",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "userinfo_endpoint": f"{self.issuer}/userinfo?$(dcrcheck)"}


class NamesAForeignEndpoint(Publishing):
    """Names an endpoint on another site."""

    trips = ("test_the_endpoints_are_on_the_site_of_the_issuer",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "userinfo_endpoint": "https://foreign.example/userinfo"}


class KeepsRegistrationFromOpenId(PublishingForOpenId):
    """Leaves registration_endpoint out of the OpenID document."""

    trips = ("test_an_open_registration_is_announced",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "registration_endpoint": None}


class PublishesEveryScope(Publishing):
    """Publishes a scope that its owner does not mean clients to know of."""

    trips = ("test_no_other_scope_is_published_than_the_owner_lists",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "scopes_supported": [*metadata["scopes_supported"], "admin:all"]}


class TellsWhoExists(Server):
    """Answers WebFinger for the accounts that it has, and for a wildcard with one of them."""

    policy = "mcp"
    trips = ("test_webfinger_does_not_tell_who_exists",)

    def discovery_routes(self, path: str) -> list[Route]:
        return [*super().discovery_routes(path), self.public("/.well-known/webfinger", self.webfinger, "GET")]

    async def webfinger(self, request: Request) -> Response:
        name = request.query_params.get("resource", "").removeprefix("acct:").partition("@")[0]
        if name not in ("alice", "*"):
            raise Refusal(404, "not_found", "there is no such account")
        return self.json({"subject": "acct:alice", "links": [{"rel": "issuer", "href": self.issuer}]})


# -- the resource -----------------------------------------------------------------------------------------------------


class HidesTheResource(Server):
    """Publishes no resource metadata, at any address."""

    policy = "mcp"
    trips = ("test_resource_metadata_stands_between_host_and_path", "test_resource_metadata_can_be_found",
             "test_the_challenge_points_to_the_resource_metadata",
             "test_the_document_behind_a_challenge_is_the_resources_own")

    def discovery_routes(self, path: str) -> list[Route]:
        return [route for route in super().discovery_routes(path) if "oauth-protected-resource" not in route.path]


class DescribesTheResourceInText(Server):
    """Sends resource metadata as text/plain."""

    policy = "mcp"
    trips = ("test_resource_metadata_is_served_as_json",)

    async def protected_resource_document(self, request: Request) -> Response:
        response = await super().protected_resource_document(request)
        response.headers["content-type"] = "text/plain"
        return response


class ForgetsTheResource(Server):
    """Leaves resource out of the resource metadata."""

    policy = "mcp"
    trips = ("test_resource_metadata_names_the_resource", "test_the_resource_identifier_is_an_https_url",
             "test_the_document_behind_a_challenge_is_the_resources_own")

    def resource_metadata(self) -> dict[str, Any]:
        return {**super().resource_metadata(), "resource": None}


class DescribesAnotherResource(Server):
    """States another resource in the resource metadata."""

    policy = "mcp"
    trips = ("test_resource_is_the_one_that_the_url_was_formed_from",
             "test_the_document_behind_a_challenge_is_the_resources_own")

    def resource_metadata(self) -> dict[str, Any]:
        return {**super().resource_metadata(), "resource": f"{self.origin}/other"}


class NamesAnEndpointForAnIssuer(Server):
    """Names the token endpoint where the issuer should stand."""

    policy = "mcp"
    trips = ("test_authorization_servers_are_issuers",)

    def resource_metadata(self) -> dict[str, Any]:
        return {**super().resource_metadata(), "authorization_servers": [self.endpoint("token")]}


class NamesNoAuthorizationServer(Server):
    """Names no authorization server in the resource metadata."""

    policy = "mcp"
    trips = ("test_resource_metadata_names_an_authorization_server",)

    def resource_metadata(self) -> dict[str, Any]:
        return {**super().resource_metadata(), "authorization_servers": None}


class TakesNoHead(Server):
    """Answers a HEAD of its metadata with 405."""

    policy = "mcp"
    trips = ("test_metadata_answers_a_head",)

    def discovery_routes(self, path):
        routes = super().discovery_routes(path)
        for route in routes:
            route.methods.discard("HEAD")
        return routes


class DescribesTheResourceToPost(Server):
    """Wants a POST for the resource metadata."""

    policy = "mcp"
    trips = ("test_resource_metadata_is_retrieved_with_get", "test_resource_metadata_stands_between_host_and_path",
             "test_resource_metadata_can_be_found", "test_the_challenge_points_to_the_resource_metadata",
             "test_the_document_behind_a_challenge_is_the_resources_own")

    def discovery_routes(self, path: str) -> list[Route]:
        *others, resource = super().discovery_routes(path)
        return [*others, self.public(resource.path, self.protected_resource_document, "POST")]


class Describing(Server):
    """Base of the servers whose resource metadata differs from a correct one."""

    policy = "mcp"
    differing: tuple[tuple[str, Any], ...] = ()

    def resource_metadata(self) -> dict[str, Any]:
        return {**super().resource_metadata(), **dict(self.differing)}


class DescribesAPlainResource(Server):
    """States an identifier without TLS for the resource."""

    policy = "mcp"
    trips = ("test_the_resource_identifier_is_an_https_url", *DescribesAnotherResource.trips)

    def resource_metadata(self) -> dict[str, Any]:
        return {**super().resource_metadata(), "resource": "ftp://127.0.0.1/mcp"}


class DescribesAQuery(Server):
    """States an identifier with a query for the resource."""

    policy = "mcp"
    trips = ("test_the_resource_identifier_has_no_query", *DescribesAnotherResource.trips)

    def resource_metadata(self) -> dict[str, Any]:
        return {**super().resource_metadata(), "resource": f"{self.resource}?tenant=1"}


class DescribesASlash(Server):
    """Puts a slash behind the identifier of the resource."""

    policy = "mcp"
    trips = ("test_the_resource_is_named_without_a_last_slash",)

    def resource_metadata(self) -> dict[str, Any]:
        return {**super().resource_metadata(), "resource": f"{self.resource}/"}

    def routes(self) -> list[Route]:
        return [*super().routes(), self.private("/mcp/", self.protected_resource, "GET", "POST")]


class DescribesKeysWithoutTls(Describing):
    """Has the keys of the resource fetched without TLS."""

    trips = ("test_the_keys_of_the_resource_are_published_over_https",)
    differing = (("jwks_uri", "http://127.0.0.1/keys"),)


class DescribesNoScopes(Describing):
    """Leaves scopes_supported out of the resource metadata."""

    trips = ("test_the_scopes_of_the_resource_are_published",)
    differing = (("scopes_supported", None),)


class DescribesANamelessResource(Describing):
    """Has no name for the resource."""

    trips = ("test_the_resource_has_a_name_for_people",)
    differing = (("resource_name", None), ("resource_name#fr", None),)


class DescribesItInFrenchOnly(Describing):
    """Names the resource in one language, and not without one."""

    trips = ("test_what_has_a_language_is_there_without_one_too",)
    differing = (("resource_name", None),)


class DescribesUnknownBearerMethods(Describing):
    """Publishes a way to send tokens that RFC 6750 does not know."""

    trips = ("test_bearer_methods_are_those_of_rfc_6750",)
    differing = (("bearer_methods_supported", ["header", "cookie"]),)


class DescribesUnsignedAnswers(Describing):
    """Offers none as an algorithm for signed answers of the resource."""

    trips = ("test_the_answers_of_the_resource_are_signed",)
    differing = (("resource_signing_alg_values_supported", ["ES256", "none"]),)


class DescribesInStrings(Describing):
    """Publishes a boolean of the resource metadata as a string."""

    trips = ("test_members_of_resource_metadata_have_their_types",)
    differing = (("dpop_bound_access_tokens_required", "false"),)


class SpeaksOldTls(Server):
    """Speaks TLS 1.1."""

    policy = "mcp"
    trips = ("test_the_resource_speaks_no_old_tls",)

    def prepare_tls(self, context: ssl.SSLContext) -> None:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1_1


# -- the challenge ----------------------------------------------------------------------------------------------------


class ForbidsStrangers(Server):
    """Answers 403 to a request without a token."""

    policy = "mcp-2025-03-26"
    trips = ("test_a_request_without_a_token_is_answered_401", "test_the_resource_asks_for_a_token")

    def check_access(self, request: Request) -> dict[str, Any]:
        if "authorization" not in request.headers:
            raise Refusal(403, "insufficient_scope", "this needs an access token", challenge=self.resource_challenge())
        return super().check_access(request)


class MistakesABadTokenForABadRequest(Server):
    """Answers 400 to a token that is not valid."""

    policy = "mcp-2025-06-18"
    trips = ("test_a_request_with_a_bad_token_is_answered_401", "test_the_resource_asks_for_a_token")

    def check_access(self, request: Request) -> dict[str, Any]:
        try:
            return super().check_access(request)
        except Refusal as refusal:
            if "authorization" in request.headers and refusal.status == 401:
                refusal.status = 400
            raise


class HidesTheDocument(Server):
    """Leaves resource_metadata out of the challenge."""

    policy = "mcp-2025-06-18"
    trips = ("test_a_401_points_to_the_resource_metadata",)

    def resource_challenge(self, error: str = "") -> str:
        return self.challenge(error)


class AsksForNoScope(Server):
    """Leaves scope out of the challenge."""

    policy = "mcp-2025-11-25"
    trips = ("test_a_401_names_the_scope",)

    def resource_challenge(self, error: str = "") -> str:
        return super().resource_challenge(error).replace(f', scope="{self.rules.default_scope}"', "")


class AsksForAnotherScopeEachTime(Server):
    """Changes the scope of the challenge from request to request."""

    policy = "mcp"
    trips = ("test_a_challenge_names_the_same_scope_again",)
    count = 0

    def resource_challenge(self, error: str = "") -> str:
        self.count += 1
        usual = f'scope="{self.rules.default_scope}"'
        return super().resource_challenge(error).replace(usual, usual[:-1] + f' mcp:part-{self.count}"')


class AsksForOfflineAccess(Server):
    """Asks for offline_access in the challenge."""

    policy = "mcp"
    trips = ("test_the_resource_does_not_ask_for_offline_access",)

    def resource_challenge(self, error: str = "") -> str:
        return super().resource_challenge(error).replace('scope="', 'scope="offline_access ')


class DescribesOfflineAccess(Server):
    """Lists offline_access among the scopes of the resource."""

    policy = "mcp"
    trips = ("test_the_resource_does_not_ask_for_offline_access",)

    def resource_scopes(self) -> list[str]:
        return list(self.rules.scopes)


class KeepsTheMissingScopeToItself(Server):
    """Answers a token that lacks the scope without saying which scope it lacks."""

    policy = "mcp"
    trips = ("test_a_token_with_too_little_scope_is_told_what_it_lacks",)

    def resource_challenge(self, error: str = "") -> str:
        return self.challenge(error) if error == "insufficient_scope" else super().resource_challenge(error)


class KnowsResourcesByTheLetter(Server):
    """Does not know its resource by a name in upper case."""

    policy = "mcp"
    trips = ("test_a_resource_is_known_by_its_name_in_upper_case",)

    def canonical_resource(self, resource: str) -> str:
        return resource


# -- the base URL of the first revision -------------------------------------------------------------------------------


class AuthorizesBelowAPath(Server):
    """Keeps metadata and endpoints below a path, and nothing at the root of the resource's host."""

    policy = "mcp-2025-03-26"
    path = "/tenant"
    trips = ("test_the_base_url_offers_metadata", "test_metadata_stands_at_the_base_url",
             "test_the_endpoints_are_found_without_metadata")
