"""Servers whose metadata cannot be found, or says what is not so."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dcrcheck.reference import Server

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


class StatesAnotherIssuer(PublishingForOpenId):
    """Names another issuer in its OpenID document."""

    trips = ("test_the_issuer_is_the_one_that_the_url_was_formed_from",)

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


class NamesAPlainEndpoint(Publishing):
    """Names an endpoint without TLS."""

    trips = ("test_every_address_in_the_metadata_is_https",)

    def edit(self, metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "userinfo_endpoint": "http://127.0.0.1/userinfo"}


class NamesAnOldEndpoint(PublishingForOpenId):
    """Names a registration endpoint in the OpenID document that is not there any more."""

    trips = ("test_registration_endpoint_leads_to_registration",)

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
    trips = ("test_resource_metadata_names_the_resource",
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
