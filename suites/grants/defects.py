"""Servers that give clients grants, methods and tokens which they should not have."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from dcrcheck.reference import Server
from dcrcheck.reference.answers import Refusal
from dcrcheck.reference.store import Client, Transaction

_FURTHER = ("urn:ietf:params:oauth:grant-type:", "urn:openid:params:grant-type:", "urn:dcrcheck:grant-type:")


class Unsaid(str):
    """A stored value that the response does not show."""


# -- client types ---------------------------------------------------------------------------------------------------


class MakesConfidentialClientsOfStrangers(Server):
    """Registers whatever authentication method an anonymous request names, and issues a secret."""

    policy = "mcp"
    trips = ("test_a_stranger_becomes_a_public_client",)

    def is_auth_method_allowed(self, method: str) -> bool:
        return method in ("client_secret_basic", "client_secret_post", "none")


class IssuesASecretToPublicClients(Server):
    """Issues a client_secret to clients registered with "none"."""

    trips = ("test_a_public_client_gets_no_secret",
             "test_a_client_that_an_update_makes_public_has_no_secret")

    def needs_secret(self, client: Client) -> bool:
        return True


class WantsASecretOfPublicClients(Server):
    """Turns public clients away at the token endpoint."""

    trips = ("test_a_public_client_is_not_asked_for_a_secret", "test_the_right_verifier_redeems_the_code",
             "test_a_native_client_is_not_asked_for_a_secret")

    def is_registered_method(self, client: Client, method: str) -> bool:
        return method != "none" and super().is_registered_method(client, method)


class MakesPublicClientsInSilence(Server):
    """Makes a public client of one that names no method, and does not say so."""

    trips = ("test_a_client_without_a_method_is_told_its_own", "test_what_the_server_provided_is_returned")

    def default_auth_method(self) -> str:
        return Unsaid("none")

    def describe_metadata(self, client: Client) -> dict[str, Any]:
        return {name: value for name, value in client.metadata.items() if not isinstance(value, Unsaid)}


class WantsAnotherMethodThanItSays(Server):
    """Tells a client that names no method client_secret_basic, and wants client_secret_post of it."""

    trips = ("test_a_client_without_a_method_can_use_its_own",)

    def default_auth_method(self) -> str:
        return Unsaid("client_secret_post")

    def describe_metadata(self, client: Client) -> dict[str, Any]:
        return {name: "client_secret_basic" if isinstance(value, Unsaid) else value
                for name, value in client.metadata.items()}


class DoesNotReadTheBody(Server):
    """Registers client_secret_post and does not take credentials from the form body."""

    trips = ("test_a_post_client_authenticates_in_the_body",)

    def is_registered_method(self, client: Client, method: str) -> bool:
        return method != "client_secret_post" and super().is_registered_method(client, method)


class DoesNotReadTheHeader(Server):
    """Registers client_secret_basic and does not take credentials from the Authorization header."""

    trips = ("test_a_basic_client_authenticates_by_header", "test_a_client_without_a_method_can_use_its_own")

    def is_registered_method(self, client: Client, method: str) -> bool:
        return method != "client_secret_basic" and super().is_registered_method(client, method)


class LetsConfidentialClientsInByName(Server):
    """Takes a client_id without a secret from confidential clients."""

    trips = ("test_a_confidential_client_is_not_let_in_by_its_identifier",
             "test_client_credentials_yields_no_token_by_the_identifier_alone",
             "test_a_client_with_a_secret_must_prove_it",
             "test_refreshing_needs_the_secret",
             "test_a_client_that_an_update_makes_confidential_must_prove_it")

    def is_registered_method(self, client: Client, method: str) -> bool:
        return method == "none" or super().is_registered_method(client, method)


# -- what is registered ---------------------------------------------------------------------------------------------


class RegistersClientCredentials(Server):
    """Registers strangers for client_credentials, and lets them use it."""

    policy = "mcp"
    trips = ("test_client_credentials_is_not_registered", "test_a_public_client_gets_no_token_of_its_own")

    def is_grant_type_allowed(self, grant_type: str) -> bool:
        return grant_type == "client_credentials" or super().is_grant_type_allowed(grant_type)

    def check_confidentiality(self, grant_types: list[str], auth_method: str) -> None:
        pass


class RegistersThePasswordGrant(Server):
    """Registers clients for the password grant."""

    policy = "mcp"
    trips = ("test_the_password_grant_is_not_registered",)

    def is_grant_type_allowed(self, grant_type: str) -> bool:
        return grant_type == "password" or super().is_grant_type_allowed(grant_type)


class RegistersTheImplicitGrant(Server):
    """Registers clients for the implicit grant with response type token."""

    policy = "mcp"
    trips = ("test_the_implicit_grant_is_not_registered", "test_no_response_type_but_code_is_registered",
             "test_the_implicit_grant_brings_the_response_type_token", "test_registered_response_types_are_usable")

    def accept_grant_types(self, wanted: dict[str, Any]) -> list[str]:
        grants = wanted.get("grant_types")
        if not isinstance(grants, list) or "implicit" not in grants:
            return super().accept_grant_types(wanted)
        return grants

    def accept_response_types(self, wanted: dict[str, Any], grant_types: list[str]) -> list[str]:
        if "implicit" in grant_types:
            return list(wanted.get("response_types", ()))
        return super().accept_response_types(wanted, grant_types)


class LeavesImplicitWithoutToken(Server):
    """Registers the implicit grant beside the code grant without asking for its response type."""

    trips = ("test_the_implicit_grant_brings_the_response_type_token",)

    def accept_grant_types(self, wanted: dict[str, Any]) -> list[str]:
        grants = wanted.get("grant_types")
        return grants if grants == ["authorization_code", "implicit"] else super().accept_grant_types(wanted)


class RegistersFurtherGrants(Server):
    """Registers every grant type that is a URN."""

    policy = "mcp"
    trips = ("test_no_further_grant_is_registered",)

    def accept_grant_types(self, wanted: dict[str, Any]) -> list[str]:
        grants = wanted.get("grant_types")
        if isinstance(grants, list) and any(str(grant).startswith(_FURTHER) for grant in grants):
            return grants
        return super().accept_grant_types(wanted)


class RegistersHybridResponseTypes(Server):
    """Registers response types that bring tokens from the authorization endpoint."""

    policy = "mcp"
    trips = ("test_no_response_type_but_code_is_registered",)

    def accept(self, document: dict[str, Any]) -> dict[str, Any]:
        responses = document.get("response_types")
        if not isinstance(responses, list) or len(responses) != 2 or "token" in responses:
            return super().accept(document)
        metadata = super().accept({**document, "grant_types": ["authorization_code"], "response_types": ["code"]})
        return {**metadata, "response_types": responses}


class IgnoresContradictions(Server):
    """Registers grant types and response types without comparing them."""

    trips = ("test_contradicting_grant_and_response_types_are_not_registered",
             "test_the_code_grant_brings_the_response_type_code")

    def check_consistency(self, grant_types: list[str], response_types: list[str]) -> None:
        pass


class WantsCodeFromEveryGrant(Server):
    """Registers the password and bearer grants, and wants every client to have response type code."""

    trips = ("test_the_password_grant_needs_no_response_type", "test_client_credentials_needs_no_response_type",
             "test_the_jwt_bearer_grant_needs_no_response_type", "test_the_saml_bearer_grant_needs_no_response_type",
             "test_contradicting_grant_and_response_types_are_not_registered",
             "test_the_password_grant_is_not_registered")

    def accept_grant_types(self, wanted: dict[str, Any]) -> list[str]:
        grants = wanted.get("grant_types")
        asked = grants if isinstance(grants, list) else []
        if any(grant == "password" or str(grant).endswith("-bearer") for grant in asked):
            return asked
        return super().accept_grant_types(wanted)

    def check_consistency(self, grant_types: list[str], response_types: list[str]) -> None:
        if "refresh_token" in grant_types:
            super().check_consistency(grant_types, response_types)
        elif "code" not in response_types:
            self.refuse_metadata("response_types must hold code")


class WantsRedirectUrisOfMachines(Server):
    """Demands redirect URIs of clients that have no user to redirect."""

    trips = ("test_client_credentials_needs_no_response_type",)

    def needs_redirect_uri(self, grant_types: list[str]) -> bool:
        return True


class RefusesRefreshTokens(Server):
    """Takes authorization_code with refresh_token for a contradiction."""

    trips = ("test_the_refresh_grant_goes_with_the_code_alone",)

    def check_consistency(self, grant_types: list[str], response_types: list[str]) -> None:
        if grant_types == ["authorization_code", "refresh_token"] and response_types == ["code"]:
            self.refuse_metadata("refresh_token needs a response type of its own")
        super().check_consistency(grant_types, response_types)


# -- what is done at the token endpoint -----------------------------------------------------------------------------


class RegistersAGrantItDoesNotKnow(Server):
    """Registers client_credentials, and does not know it at the token endpoint."""

    trips = ("test_a_registered_grant_is_known_at_the_token_endpoint",
             "test_a_grant_that_is_not_the_clients_is_named_as_such")

    def check_grant_type(self, client: Client, grant_type: str) -> None:
        if grant_type == "client_credentials":
            raise Refusal(400, "unsupported_grant_type", "this grant is not offered")
        super().check_grant_type(client, grant_type)


class AddsAGrantInSilence(Server):
    """Gives client_credentials to clients that name no grant types, and does not say so."""

    trips = ("test_absent_grant_types_add_no_grant",)

    def default_grant_types(self) -> list[str]:
        return ["authorization_code", Unsaid("client_credentials")]

    def check_confidentiality(self, grant_types: list[str], auth_method: str) -> None:
        super().check_confidentiality([g for g in grant_types if not isinstance(g, Unsaid)], auth_method)

    def describe_metadata(self, client: Client) -> dict[str, Any]:
        said = [grant for grant in client.grant_types if not isinstance(grant, Unsaid)]
        return {**client.metadata, "grant_types": said}


class GivesMachineTokensToAnyClient(Server):
    """Issues tokens for client_credentials without looking at the client's grant types."""

    trips = ("test_client_credentials_yields_no_token_unless_registered", "test_absent_grant_types_add_no_grant",
             "test_a_public_client_gets_no_token_of_its_own", "test_a_grant_that_is_not_the_clients_is_named_as_such")

    def is_grant_registered(self, client: Client, grant_type: str) -> bool:
        return grant_type == "client_credentials" or super().is_grant_registered(client, grant_type)


class _AnswersMoreGrants(Server):
    def token_for(self, client: Client, form: dict[str, list[str]]) -> Response:
        scopes = tuple(client.scopes)
        grant = self.new_grant(client, "alice", scopes, (self.resource,))
        return self.token_answer(client, grant, scopes, (self.resource,), refresh_token=None)


class TakesPasswords(_AnswersMoreGrants):
    """Issues tokens for a user's name and password to any client."""

    trips = ("test_the_password_grant_yields_no_token",)

    def check_grant_type(self, client: Client, grant_type: str) -> None:
        if grant_type != "password":
            super().check_grant_type(client, grant_type)

    def redeem(self, client: Client, form: dict[str, list[str]]) -> Response:
        if form["grant_type"] != ["password"]:
            return super().redeem(client, form)
        if not self.is_right_password(form.get("username", [""])[0], form.get("password", [""])[0]):
            raise Refusal(400, "invalid_grant", "the password is wrong")
        return self.token_for(client, form)


class AnswersEveryGrant(_AnswersMoreGrants):
    """Issues tokens for grant types that it does not know."""

    trips = ("test_an_unregistered_grant_yields_no_token", "test_a_grant_that_nobody_knows_is_named_as_unsupported")

    def check_grant_type(self, client: Client, grant_type: str) -> None:
        if not grant_type.startswith(_FURTHER):
            super().check_grant_type(client, grant_type)

    def redeem(self, client: Client, form: dict[str, list[str]]) -> Response:
        if form["grant_type"][0].startswith(_FURTHER):
            return self.token_for(client, form)
        return super().redeem(client, form)


class NamesUnknownGrantsWrongly(Server):
    """Answers a grant type that it does not know with invalid_request."""

    policy = "mcp"
    trips = ("test_a_grant_that_nobody_knows_is_named_as_unsupported",)

    def check_grant_type(self, client: Client, grant_type: str) -> None:
        if grant_type.startswith("urn:dcrcheck:"):
            raise Refusal(400, "invalid_request", "grant_type is wrong")
        super().check_grant_type(client, grant_type)


class NamesForeignGrantsWrongly(Server):
    """Answers a grant type that the client has not registered with invalid_request."""

    policy = "mcp"
    trips = ("test_a_grant_that_is_not_the_clients_is_named_as_such",)

    def check_grant_type(self, client: Client, grant_type: str) -> None:
        try:
            super().check_grant_type(client, grant_type)
        except Refusal as refusal:
            if refusal.error != "unauthorized_client":
                raise
            raise Refusal(400, "invalid_request", refusal.description) from None


# -- what is done at the authorization endpoint ---------------------------------------------------------------------


class HonoursUnregisteredResponseTypes(Server):
    """Delivers tokens from the authorization endpoint to clients that registered for codes."""

    trips = ("test_an_unregistered_response_type_yields_no_token",
             "test_absent_response_types_add_no_response_type")

    def check_response_type(self, client: Client, parameters: dict[str, str]) -> None:
        parts = set(parameters.get("response_type", "").split(" "))
        if not parts & {"token", "id_token"} or parts - {"code", "token", "id_token"}:
            super().check_response_type(client, parameters)

    def code_redirect(self, client: Client, transaction: Transaction, subject: str) -> Response:
        parts = transaction.parameters.get("response_type", "").split(" ")
        if parts == ["code"]:
            return super().code_redirect(client, transaction, subject)
        grant = self.new_grant(client, subject, transaction.scopes, transaction.resources)
        token = self.issue_access_token(grant, transaction.scopes, transaction.resources)
        names = {"token": "access_token", "id_token": "id_token"}
        answer = {names[part]: token for part in parts if part in names}
        return self.see_other(f"{transaction.redirect_uri}#{urlencode({**answer, 'token_type': 'Bearer'})}")


class WantsASecretOfNativeClients(Server):
    """Turns clients away that registered as native applications and have no secret."""

    policy = "oauth21"
    trips = ("test_a_native_client_is_not_asked_for_a_secret",)

    def is_registered_method(self, client: Client, method: str) -> bool:
        native = client.metadata.get("application_type") == "native"
        return not (native and method == "none") and super().is_registered_method(client, method)


class TakesCertificateClientsForPublic(Server):
    """Registers clients that authenticate by a certificate, and lets them in without it."""

    trips = ("test_a_client_with_a_certificate_gets_no_token_without_it",)

    def is_auth_method_allowed(self, method: str) -> bool:
        return method == "tls_client_auth" or super().is_auth_method_allowed(method)

    def needs_secret(self, client: Client) -> bool:
        return client.auth_method != "tls_client_auth" and super().needs_secret(client)

    def is_registered_method(self, client: Client, method: str) -> bool:
        return (client.auth_method, method) == ("tls_client_auth", "none") or super().is_registered_method(
            client, method)


class GrantsMachinesAnyScope(Server):
    """Puts into a token by client_credentials whatever scope the request names."""

    trips = ("test_a_client_gets_no_scope_of_its_own_that_it_has_not_registered",)

    def client_credentials(self, client: Client, form: dict[str, list[str]]) -> Response:
        wanted = tuple(form.pop("scope", [" ".join(client.scopes)])[0].split())
        resources = self.machine_resources(form)
        grant = self.new_grant(client, client.client_id, wanted, resources)
        return self.token_answer(client, grant, wanted, resources, refresh_token=None)
