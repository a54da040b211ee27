"""Servers that manage clients badly, each in one way."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dcrcheck.reference import Server
from dcrcheck.reference.answers import Refusal
from dcrcheck.reference.store import Client

# -- what answers hold ----------------------------------------------------------------------------------------------


class KeepsTheTokenToItself(Server):
    """Names the configuration URL and issues no token to use it with."""

    trips = ("test_the_management_members_come_together",)

    def describe_management(self, client: Client) -> dict[str, Any]:
        return {"registration_client_uri": self.registration_client_uri(client)}


class IssuesANumberForAToken(Server):
    """Returns the registration access token as a JSON number."""

    trips = ("test_the_registration_access_token_is_a_string",)

    def describe_management(self, client: Client) -> dict[str, Any]:
        return {**super().describe_management(client), "registration_access_token": 7592}


class NamesARelativeUrl(Server):
    """Returns registration_client_uri as a path."""

    trips = ("test_the_configuration_url_is_absolute",)

    def registration_client_uri(self, client: Client) -> str:
        return f"{self.issuer_path}/register/{client.client_id}"


class ExpectsTheUrlToBeCompleted(Server):
    """Serves reads only at a URL to which the client has added a query."""

    trips = ("test_the_configuration_url_works_as_given",
             "test_a_client_is_what_its_last_successful_request_made_it",
             "test_strange_text_is_read_back_as_it_was_registered")

    async def manage(self, request: Request) -> Response:
        response = await super().manage(request)
        if request.method == "GET" and not request.url.query:
            raise Refusal(404, "not_found", "there is nothing here")
        return response


class KeepsClientsElsewhere(Server):
    """Puts the configuration URL beside the registration endpoint."""

    trips = ("test_the_configuration_url_joins_endpoint_and_client_id",)

    def registration_client_uri(self, client: Client) -> str:
        return f"{self.endpoint('clients')}/{client.client_id}"

    def routes(self) -> list[Route]:
        return [*super().routes(),
                self.private(f"{self.issuer_path}/clients/{{client_id}}", self.manage, "GET", "PUT", "DELETE")]


class HandsOutAPlainHttpUrl(Server):
    """Returns a configuration URL without TLS."""

    trips = ("test_the_configuration_endpoint_demands_tls",)

    def registration_client_uri(self, client: Client) -> str:
        return super().registration_client_uri(client).replace("https:", "http:")


class LeavesTheUrlOutOfReads(Server):
    """Answers a read without registration_client_uri."""

    trips = ("test_every_answer_names_the_configuration_url",)

    def read(self, client: Client) -> Response:
        told = {m: value for m, value in self.describe(client).items() if m != "registration_client_uri"}
        return self.json(told, headers=self.no_store())


class LeavesTheTokenOutOfReads(Server):
    """Answers a read without the registration access token."""

    trips = ("test_every_answer_holds_the_token",)

    def read(self, client: Client) -> Response:
        told = {m: value for m, value in self.describe(client).items() if m != "registration_access_token"}
        return self.json(told, headers=self.no_store())


class LeavesTheTokenOutOfUpdates(Server):
    """Answers an update without the registration access token, which stays the same."""

    trips = ("test_every_answer_holds_the_token",)

    def rotate_registration_access_token(self, client: Client) -> None:
        pass

    def updated(self, client: Client) -> Response:
        told = {m: value for m, value in self.describe(client).items() if m != "registration_access_token"}
        return self.json(told, headers=self.no_store())


class ShowsTheSecretOnce(Server):
    """Keeps only a hash of the secret and answers a read without it."""

    trips = ("test_a_read_holds_the_secret",)

    def read(self, client: Client) -> Response:
        told = {m: value for m, value in self.describe(client).items() if m != "client_secret"}
        return self.json(told, headers=self.no_store())


class WrapsTheClient(Server):
    """Answers a read with the client inside an envelope."""

    trips = ("test_answers_are_flat_json_objects", "test_strange_text_is_read_back_as_it_was_registered",
             "test_what_is_answered_is_what_is_stored",
             "test_a_client_is_what_its_last_successful_request_made_it")

    def read(self, client: Client) -> Response:
        return self.json({"client": self.describe(client)}, headers=self.no_store())


class ServesReadsAsText(Server):
    """Answers a read as text/plain."""

    trips = ("test_answers_are_flat_json_objects", "test_a_successful_read_is_200_and_json")

    def read(self, client: Client) -> Response:
        response = super().read(client)
        response.headers["content-type"] = "text/plain; charset=utf-8"
        return response


class ReadsOnlyTheNames(Server):
    """Answers a read without the grant and response types."""

    trips = ("test_a_read_holds_all_registered_metadata", "test_an_update_answers_with_the_values_in_force",
             "test_what_is_answered_is_what_is_stored",
             "test_a_client_is_what_its_last_successful_request_made_it")

    def read(self, client: Client) -> Response:
        told = {m: v for m, v in self.describe(client).items() if m not in ("grant_types", "response_types")}
        return self.json(told, headers=self.no_store())


class EchoesTheUpdate(Server):
    """Answers an update with what was sent instead of what is registered."""

    trips = ("test_an_update_answers_with_the_values_in_force",)

    sent: dict[str, Any]

    def accept_update(self, client: Client, wanted: dict[str, Any]) -> dict[str, Any]:
        self.sent = wanted
        return super().accept_update(client, wanted)

    def updated(self, client: Client) -> Response:
        told = {**self.describe_identity(client), **self.describe_secret(client), **self.describe_management(client)}
        return self.json({**told, **self.sent}, headers=self.no_store())


class AnswersAReadWith203(Server):
    """Answers a read with another status than 200."""

    trips = ("test_a_successful_read_is_200_and_json",)

    def read(self, client: Client) -> Response:
        return self.client_answer(client, status=203)


class RenamesClientsOnRead(Server):
    """Answers a read with another client_id than the one it issued."""

    trips = ("test_a_read_returns_the_issued_client_id",)

    def read(self, client: Client) -> Response:
        return self.json({**self.describe(client), "client_id": f"v2.{client.client_id}"}, headers=self.no_store())


class AnswersAnUpdateWith201(Server):
    """Answers an update as if it had created a client."""

    trips = ("test_a_successful_update_is_200_and_json",)

    def updated(self, client: Client) -> Response:
        return self.client_answer(client, status=201)


class RenamesClientsOnUpdate(Server):
    """Answers an update with another client_id than the one it issued."""

    trips = ("test_an_update_keeps_the_client_id",)

    def rotate_registration_access_token(self, client: Client) -> None:
        pass

    def updated(self, client: Client) -> Response:
        return self.json({**self.describe(client), "client_id": f"v2.{client.client_id}"}, headers=self.no_store())


# -- what opens the endpoint ----------------------------------------------------------------------------------------


class AcceptsAnyToken(Server):
    """Looks only for a token, not at it."""

    trips = ("test_nothing_but_the_token_opens_the_configuration",
             "test_a_read_with_a_bad_token_is_401",
             "test_an_update_with_a_bad_token_is_401",
             "test_an_update_with_a_bad_token_changes_nothing",
             "test_a_deletion_with_a_bad_token_is_401",
             "test_a_deletion_with_a_bad_token_deletes_nothing",
             "test_a_bad_token_is_challenged",
             "test_no_client_reads_another",
             "test_no_client_updates_another",
             "test_no_client_deletes_another",
             "test_a_bad_token_does_not_tell_which_clients_exist",
             "test_rotation_ends_the_old_token",
             "test_an_update_sets_no_registration_access_token",
             "test_reading_a_missing_client_ends_the_token",
             "test_updating_a_missing_client_ends_the_token",
             "test_deleting_a_missing_client_ends_the_token",
             "test_a_client_does_not_choose_its_registration_access_token",
             "test_a_malformed_authorization_header_opens_no_client",
             "test_a_bad_token_gets_the_same_words_for_every_client",
             "test_two_updates_at_once_leave_one_token")

    def is_registration_access_token(self, token: str, client: Client) -> bool:
        return True


class MatchesTheBeginningOfTheToken(Server):
    """Accepts any beginning of the right token."""

    trips = ("test_nothing_but_the_token_opens_the_configuration",)

    def is_registration_access_token(self, token: str, client: Client) -> bool:
        return client.registration_access_token.startswith(token)


class TakesTheClientIdForAToken(Server):
    """Accepts the client_id in the place of the token."""

    trips = ("test_nothing_but_the_token_opens_the_configuration",)

    def is_registration_access_token(self, token: str, client: Client) -> bool:
        return token == client.client_id or super().is_registration_access_token(token, client)


class ReadsForAnyone(Server):
    """Shows a client to whoever asks without a token."""

    trips = ("test_nothing_but_the_token_opens_the_configuration", "test_a_read_with_a_bad_token_is_401",
             "test_a_missing_token_is_challenged", "test_a_token_in_the_query_is_not_accepted",
             "test_a_refused_read_holds_no_credential")

    async def manage(self, request: Request) -> Response:
        client = self.store.clients.get(request.path_params["client_id"])
        if client is not None and request.method == "GET" and "authorization" not in request.headers:
            return self.read(client)
        return await super().manage(request)


class ForbidsBadTokens(Server):
    """Answers a read with a bad token with 403."""

    trips = ("test_a_read_with_a_bad_token_is_401", "test_reading_a_missing_client_is_401",
             "test_the_token_of_a_deleted_client_is_401")

    method = "GET"

    async def manage(self, request: Request) -> Response:
        try:
            return await super().manage(request)
        except Refusal as refusal:
            if refusal.status == 401 and request.method == self.method:
                refusal.status = 403
            raise


class ForbidsBadTokensOnUpdate(ForbidsBadTokens):
    """Answers an update with a bad token with 403."""

    trips = ("test_an_update_with_a_bad_token_is_401", "test_updating_a_missing_client_is_401",
             "test_the_token_of_a_deleted_client_is_401")

    method = "PUT"


class ForbidsBadTokensOnDeletion(ForbidsBadTokens):
    """Answers a deletion with a bad token with 403."""

    trips = ("test_a_deletion_with_a_bad_token_is_401", "test_deleting_a_missing_client_is_401",
             "test_the_token_of_a_deleted_client_is_401")

    method = "DELETE"


class UpdatesForAnyone(Server):
    """Carries out an update that comes without a token."""

    trips = ("test_an_update_with_a_bad_token_is_401", "test_an_update_with_a_bad_token_changes_nothing")

    async def manage(self, request: Request) -> Response:
        client = self.store.clients.get(request.path_params["client_id"])
        if client is not None and request.method == "PUT" and "authorization" not in request.headers:
            return self.update(client, await self.read_document(request))
        return await super().manage(request)


class DeletesForAnyone(Server):
    """Carries out a deletion that comes without a token."""

    trips = ("test_a_deletion_with_a_bad_token_is_401", "test_a_deletion_with_a_bad_token_deletes_nothing")

    async def manage(self, request: Request) -> Response:
        client = self.store.clients.get(request.path_params["client_id"])
        if client is not None and request.method == "DELETE" and "authorization" not in request.headers:
            return self.delete(client)
        return await super().manage(request)


class DeletesBeforeItRefuses(Server):
    """Answers a deletion with a bad token with 401, after it has deleted the client."""

    trips = ("test_a_deletion_with_a_bad_token_deletes_nothing", "test_no_client_deletes_another")

    async def manage(self, request: Request) -> Response:
        client = self.store.clients.get(request.path_params["client_id"])
        if client is not None and request.method == "DELETE" and not self.is_registration_access_token(
                self.bearer_token(request) or "", client):
            self.remove(client)
        return await super().manage(request)


class AcceptsATokenInTheQuery(Server):
    """Takes the registration access token from the query as well."""

    trips = ("test_a_token_in_the_query_is_not_accepted",)

    def management_token(self, request: Request) -> str:
        return request.query_params.get("access_token") or super().management_token(request)


class PutsTheTokenIntoTheUrl(Server):
    """Builds the registration access token into registration_client_uri."""

    trips = ("test_the_configuration_url_holds_no_credential",)

    def registration_client_uri(self, client: Client) -> str:
        return f"{super().registration_client_uri(client)}?key={client.registration_access_token}"


# -- challenges and methods -----------------------------------------------------------------------------------------


class _Challenges(Server):
    """The server with another challenge at the configuration endpoint."""

    def rephrased(self, challenge: str, request: Request) -> str:
        return challenge

    async def manage(self, request: Request) -> Response:
        try:
            return await super().manage(request)
        except Refusal as refusal:
            told = self.rephrased(refusal.headers.pop("WWW-Authenticate", ""), request)
            if told:
                refusal.headers["WWW-Authenticate"] = told
            raise


class DoesNotChallengeABadToken(_Challenges):
    """Answers a bad token with 401 and no WWW-Authenticate."""

    trips = ("test_a_bad_token_is_challenged",)

    def rephrased(self, challenge: str, request: Request) -> str:
        return challenge if "authorization" not in request.headers else ""


class DoesNotChallengeAMissingToken(_Challenges):
    """Answers a missing token with 401 and no WWW-Authenticate."""

    policy = "mcp"
    trips = ("test_a_missing_token_is_challenged",)

    def rephrased(self, challenge: str, request: Request) -> str:
        return challenge if "authorization" in request.headers else ""


class ChallengesWithABareScheme(_Challenges):
    """Answers a missing token with a challenge of one word."""

    policy = "mcp"
    trips = ("test_a_challenge_has_a_parameter",)

    def rephrased(self, challenge: str, request: Request) -> str:
        return challenge if "authorization" in request.headers else "Bearer"


class ChallengesTwice(_Challenges):
    """Names the realm twice in one challenge."""

    policy = "mcp"
    trips = ("test_a_challenge_repeats_no_parameter",)

    def rephrased(self, challenge: str, request: Request) -> str:
        return f'{challenge}, realm="again"'


class DoesNotNameTheError(_Challenges):
    """Answers a bad token as if there had been none."""

    policy = "mcp"
    trips = ("test_the_challenge_to_a_bad_token_names_the_error",)

    def rephrased(self, challenge: str, request: Request) -> str:
        return self.challenge()


class CallsAMissingTokenInvalid(_Challenges):
    """Answers a missing token as if it were a bad one."""

    policy = "mcp"
    trips = ("test_the_challenge_to_a_missing_token_names_no_error",)

    def rephrased(self, challenge: str, request: Request) -> str:
        return self.challenge("invalid_token")


class HidesTheEndpointFromOtherMethods(Server):
    """Answers a method that the configuration endpoint lacks with 404."""

    trips = ("test_an_unsupported_method_is_405",)

    async def not_served(self, request: Request, fault: Exception) -> Response:
        response = await super().not_served(request, fault)
        if "client_id" in request.path_params and response.status_code == 405:
            return self.error_answer(Refusal(404, "not_found", "there is nothing here"))
        return response


class ListsNoMethods(Server):
    """Answers 405 without an Allow header."""

    policy = "mcp"
    trips = ("test_a_405_lists_the_allowed_methods",)

    async def not_served(self, request: Request, fault: Exception) -> Response:
        response = await super().not_served(request, fault)
        if "client_id" in request.path_params and "allow" in response.headers:
            del response.headers["allow"]
        return response


class HonoursMethodOverrides(Server):
    """Reads a POST as DELETE where a header asks for it."""

    trips = ("test_a_method_override_deletes_nothing",)

    def routes(self) -> list[Route]:
        override = self.private(f"{self.issuer_path}/register/{{client_id}}", self.overridden, "POST")
        return [*(route for route in super().routes() if "{client_id}" not in route.path), override,
                *(route for route in super().routes() if "{client_id}" in route.path)]

    async def overridden(self, request: Request) -> Response:
        if request.headers.get("x-http-method-override") != "DELETE":
            raise Refusal(405, "invalid_request", "this method is not allowed here",
                          headers={"Allow": "GET, PUT, DELETE"})
        request.scope["method"] = "DELETE"
        return await self.manage(Request(request.scope, request.receive))


# -- one client and another -----------------------------------------------------------------------------------------


class AcceptsTheTokenOfAnyClient(Server):
    """Checks that the token is somebody's, and not whose."""

    trips = ("test_no_client_reads_another", "test_no_client_updates_another", "test_no_client_deletes_another")

    def is_registration_access_token(self, token: str, client: Client) -> bool:
        return token in self.store.registration_access_tokens


class DeletesForAnyClient(Server):
    """Compares client and token on reads and updates only."""

    trips = ("test_no_client_deletes_another",)

    async def manage(self, request: Request) -> Response:
        client = self.store.clients.get(request.path_params["client_id"])
        if client is not None and request.method == "DELETE" and self.management_token(request) in (
                self.store.registration_access_tokens):
            return self.delete(client)
        return await super().manage(request)


class TakesTheClientFromTheQuery(Server):
    """Authenticates one client and serves the one that the query names."""

    trips = ("test_a_query_selects_no_other_client",)

    async def manage(self, request: Request) -> Response:
        response = await super().manage(request)
        other = self.store.clients.get(request.query_params.get("client_id", ""))
        return self.read(other) if other is not None and request.method == "GET" else response


class AnswersAMissingClientWith404(Server):
    """Answers requests for a client that does not exist with 404."""

    trips = ("test_reading_a_missing_client_is_401", "test_updating_a_missing_client_is_401",
             "test_deleting_a_missing_client_is_401", "test_the_token_of_a_deleted_client_is_401",
             "test_a_bad_token_does_not_tell_which_clients_exist",
             "test_a_bad_token_gets_the_same_words_for_every_client")

    def missing_client(self, token: str) -> Client:
        self.revoke_registration_access_token(token)
        raise Refusal(404, "not_found", "there is no such client")


class NamesMissingClientsAsSuch(Server):
    """Answers requests for a client that does not exist with another error code."""

    trips = ("test_a_bad_token_does_not_tell_which_clients_exist",
             "test_a_bad_token_gets_the_same_words_for_every_client")

    def missing_client(self, token: str) -> Client:
        self.revoke_registration_access_token(token)
        raise Refusal(401, "invalid_client", "there is no such client", challenge=self.challenge("invalid_token"))


class DescribesMissingClients(Server):
    """Answers requests for a client that does not exist in other words."""

    trips = ("test_a_bad_token_gets_the_same_words_for_every_client",)

    def missing_client(self, token: str) -> Client:
        self.revoke_registration_access_token(token)
        raise Refusal(401, "invalid_token", "there is no such client", challenge=self.challenge("invalid_token"))


class AnswersOptionsWithTheClient(Server):
    """Shows a client to whoever asks by OPTIONS."""

    trips = ("test_no_other_method_opens_a_client",)

    def registration_routes(self, path: str) -> list[Route]:
        first, second = super().registration_routes(path)
        return [first, second, self.private(second.path, self.show, "OPTIONS")]

    async def show(self, request: Request) -> Response:
        return self.client_answer(self.store.clients[request.path_params["client_id"]], status=200)

    async def not_served(self, request: Request, fault: Exception) -> Response:
        response = await super().not_served(request, fault)
        if request.method == "OPTIONS" and request.path_params.get("client_id") in self.store.clients:
            return await self.show(request)
        return response


class EchoesTraces(Server):
    """Answers a TRACE with the request."""

    trips = ("test_a_trace_echoes_no_credential",)

    async def not_served(self, request: Request, fault: Exception) -> Response:
        if request.method == "TRACE":
            return Response(str(dict(request.headers)), media_type="message/http")
        return await super().not_served(request, fault)


class ListsClients(Server):
    """Lists all clients at the registration endpoint for whoever has a registration access token."""

    trips = ("test_the_registration_endpoint_lists_no_clients",)

    def registration_routes(self, path: str) -> list[Route]:
        return [self.private(f"{path}/register", self.list_clients, "GET"), *super().registration_routes(path)]

    async def list_clients(self, request: Request) -> Response:
        if self.bearer_token(request) not in self.store.registration_access_tokens:
            self.refuse_anonymous()
        return self.json([self.describe_metadata(client) | self.describe_identity(client)
                          for client in self.store.clients.values()])


class ToleratesProbing(Server):
    """Leaves a token alive that was used for a client that does not exist."""

    trips = ("test_reading_a_missing_client_ends_the_token", "test_updating_a_missing_client_ends_the_token",
             "test_deleting_a_missing_client_ends_the_token")

    def revoke_registration_access_token(self, token: str) -> None:
        pass


# -- updates --------------------------------------------------------------------------------------------------------


class IgnoresUpdates(Server):
    """Answers an update with success and changes nothing."""

    trips = ("test_an_update_is_a_put_of_a_json_object", "test_an_update_replaces_lists",
             "test_a_removed_redirect_uri_no_longer_matches",
             "test_an_update_takes_away_what_it_does_not_list")

    def replace_metadata(self, client: Client, metadata: dict[str, Any]) -> None:
        pass


class TakesFormsForUpdates(Server):
    """Reads a PUT of a form as if it were JSON."""

    trips = ("test_a_form_is_no_update",)

    async def read_document(self, request: Request) -> dict[str, Any]:
        if request.method == "PUT" and "form" in request.headers.get("content-type", ""):
            form = parse_qs((await self.read_body(request)).decode())
            return {name: values if name == "redirect_uris" else values[0] for name, values in form.items()}
        return await super().read_document(request)


class LetsClientsRenameThemselves(Server):
    """Moves a client to the client_id that its update proposes."""

    trips = ("test_an_update_gives_no_other_client_id",)

    def check_update_client_id(self, client: Client, document: dict[str, Any]) -> None:
        chosen = document.get("client_id")
        if isinstance(chosen, str) and chosen not in self.store.clients:
            del self.store.clients[client.client_id]
            client.client_id = chosen
            self.store.clients[chosen] = client
        super().check_update_client_id(client, document)


class NeedsNoClientIdInUpdates(Server):
    """Carries out an update that lacks the client_id."""

    trips = ("test_an_update_without_client_id_is_not_carried_out",)

    def check_update_client_id(self, client: Client, document: dict[str, Any]) -> None:
        super().check_update_client_id(client, {"client_id": client.client_id, **document})


class OverlooksTheClientIdOfUpdates(Server):
    """Carries out an update whatever client_id its body has, or none."""

    trips = ("test_an_update_that_names_another_client_is_not_carried_out",
             "test_an_update_without_client_id_is_not_carried_out")

    def check_update_client_id(self, client: Client, document: dict[str, Any]) -> None:
        super().check_update_client_id(client, {**document, "client_id": client.client_id})


class UpdatesTheClientOfTheBody(Server):
    """Authenticates the client of the URL and updates the one that the body names."""

    trips = ("test_an_update_that_names_another_client_leaves_that_one_alone",)

    def update(self, client: Client, document: dict[str, Any]) -> Response:
        named = document.get("client_id")
        return super().update(self.store.clients.get(named, client) if isinstance(named, str) else client, document)


class MergesRedirectUris(Server):
    """Adds the redirect URIs of an update to those that are registered."""

    trips = ("test_an_update_replaces_lists",
             "test_a_removed_redirect_uri_no_longer_matches",
             "test_two_updates_at_once_leave_one_of_them")

    def replace_metadata(self, client: Client, metadata: dict[str, Any]) -> None:
        merged = dict.fromkeys([*client.redirect_uris, *metadata.get("redirect_uris", ())])
        super().replace_metadata(client, {**metadata, "redirect_uris": list(merged)})


class RemembersRedirectUris(Server):
    """Goes on accepting redirect URIs that an update has removed."""

    trips = ("test_a_removed_redirect_uri_no_longer_matches",)

    def replace_metadata(self, client: Client, metadata: dict[str, Any]) -> None:
        self.former = {*getattr(self, "former", ()), *((client.client_id, uri) for uri in client.redirect_uris)}
        super().replace_metadata(client, metadata)

    def redirect_uri_for(self, client: Client, requested: str | None) -> str | None:
        known = (client.client_id, requested) in getattr(self, "former", ())
        return requested if known else super().redirect_uri_for(client, requested)


class MergesMembers(Server):
    """Keeps members that an update leaves out."""

    trips = ("test_an_omitted_member_is_removed",)
    named: frozenset[str] = frozenset()

    def update(self, client: Client, document: dict[str, Any]) -> Response:
        self.named = frozenset(document)
        return super().update(client, document)

    def replace_metadata(self, client: Client, metadata: dict[str, Any]) -> None:
        kept = {name: value for name, value in client.metadata.items() if name not in self.named}
        super().replace_metadata(client, {**kept, **metadata})


class LetsClientsDateThemselves(Server):
    """Stores client_id_issued_at from an update."""

    trips = ("test_an_update_sets_no_server_member",)

    def check_server_chosen_members(self, document: dict[str, Any]) -> None:
        pass

    def update(self, client: Client, document: dict[str, Any]) -> Response:
        client.issued_at = document.get("client_id_issued_at", client.issued_at)
        return super().update(client, document)


class LetsClientsExtendTheirSecrets(Server):
    """Stores client_secret_expires_at from an update."""

    trips = ("test_an_update_sets_no_server_member",)

    def check_server_chosen_members(self, document: dict[str, Any]) -> None:
        pass

    def update(self, client: Client, document: dict[str, Any]) -> Response:
        client.secret_expires_at = document.get("client_secret_expires_at", client.secret_expires_at)
        return super().update(client, document)


class LetsClientsChooseTheirTokens(Server):
    """Stores registration_access_token from an update."""

    trips = ("test_an_update_sets_no_registration_access_token",)

    def check_server_chosen_members(self, document: dict[str, Any]) -> None:
        pass

    def update(self, client: Client, document: dict[str, Any]) -> Response:
        super().update(client, document)
        client.registration_access_token = document.get("registration_access_token", client.registration_access_token)
        return self.updated(client)


class IgnoresAWrongSecretInUpdates(Server):
    """Carries out an update whose client_secret is wrong."""

    trips = ("test_an_update_with_a_wrong_secret_is_not_carried_out",)

    def check_update_secret(self, client: Client, document: dict[str, Any]) -> None:
        pass


class LetsClientsChooseTheirSecretsInUpdates(Server):
    """Stores client_secret from an update."""

    trips = ("test_an_update_with_a_wrong_secret_is_not_carried_out", "test_an_update_sets_no_secret")

    def check_update_secret(self, client: Client, document: dict[str, Any]) -> None:
        if isinstance(document.get("client_secret"), str):
            client.secret = document["client_secret"]


class AnswersABadUpdateWith422(Server):
    """Refuses an update in the framework's words instead of those of RFC 7591."""

    trips = ("test_an_invalid_update_gets_a_registration_error",)

    async def manage(self, request: Request) -> Response:
        try:
            return await super().manage(request)
        except Refusal as refusal:
            if request.method == "PUT" and refusal.status == 400:
                return self.json({"detail": "validation error"}, status=422)
            raise


class ChecksRedirectUrisAtRegistrationOnly(Server):
    """Stores any redirect URI that an update brings."""

    trips = ("test_an_update_is_held_to_the_rules_of_registration",)

    def accept_update(self, client: Client, wanted: dict[str, Any]) -> dict[str, Any]:
        uris = self.require_strings("redirect_uris", wanted.get("redirect_uris", []))
        return {**self.accept({**wanted, "redirect_uris": client.redirect_uris}), "redirect_uris": uris}


class ChecksPagesAtRegistrationOnly(Server):
    """Stores any client_uri that an update brings."""

    trips = ("test_an_update_is_held_to_the_rules_of_registration",)

    def accept_update(self, client: Client, wanted: dict[str, Any]) -> dict[str, Any]:
        accepted = self.accept({name: value for name, value in wanted.items() if name != "client_uri"})
        return {**accepted, **{name: value for name, value in wanted.items() if name == "client_uri"}}


class KeepsClientsPublic(Server):
    """Lets a client that registered as a public one go on without the secret that an update brought it."""

    trips = ("test_a_client_that_an_update_makes_confidential_must_prove_it",)
    public_once: tuple[str, ...] = ()

    def create(self, metadata: dict[str, Any]) -> Client:
        client = super().create(metadata)
        self.public_once = (*self.public_once, *([client.client_id] if client.auth_method == "none" else []))
        return client

    def is_registered_method(self, client: Client, method: str) -> bool:
        return (method == "none" and client.client_id in self.public_once) or super().is_registered_method(
            client, method)


class KeepsTheSecretsOfPublicClients(Server):
    """Leaves a client its secret when an update makes it a public one."""

    trips = ("test_a_client_that_an_update_makes_public_has_no_secret",)

    def needs_secret(self, client: Client) -> bool:
        return client.secret is not None or super().needs_secret(client)


class MergesContacts(Server):
    """Adds the contacts and scopes of an update to those that are registered."""

    trips = ("test_an_update_takes_away_what_it_does_not_list",)

    def replace_metadata(self, client: Client, metadata: dict[str, Any]) -> None:
        merged = list(dict.fromkeys([*client.metadata.get("contacts", ()), *metadata.get("contacts", ())]))
        super().replace_metadata(client, {**metadata, **({"contacts": merged} if merged else {})})


class TearsUpdatesApart(Server):
    """Stores the name of an update at once and the rest after a moment."""

    trips = ("test_two_updates_at_once_leave_one_of_them",)

    async def manage(self, request: Request) -> Response:
        if request.method != "PUT":
            return await super().manage(request)
        client = self.client_of_token(self.management_token(request), request.path_params["client_id"])
        document = await self.read_document(request)
        self.check_update(client, document)
        wanted = {name: value for name, value in document.items() if name not in ("client_id", "client_secret")}
        client.metadata = {**client.metadata, "client_name": self.accept_update(client, wanted).get("client_name")}
        await asyncio.sleep(0.05)
        name = client.metadata["client_name"]
        return self.update(client, {**document, "client_name": name})


class KeepsEveryTokenOfAMoment(Server):
    """Gives each of two updates at the same moment a token of its own, and both stay good."""

    trips = ("test_two_updates_at_once_leave_one_token",)

    async def manage(self, request: Request) -> Response:
        if request.method != "PUT":
            return await super().manage(request)
        client = self.client_of_token(self.management_token(request), request.path_params["client_id"])
        document = await self.read_document(request)
        self.arrivals = getattr(self, "arrivals", 0) + 1
        mine = self.arrivals
        await asyncio.sleep(0.05)
        together = self.arrivals > mine
        before = client.registration_access_token
        response = self.update(client, document)
        self.twins = {*getattr(self, "twins", ()), *([(client.client_id, before)] if together else [])}
        return response

    def is_registration_access_token(self, token: str, client: Client) -> bool:
        return (client.client_id, token) in getattr(self, "twins", ()) or (
            super().is_registration_access_token(token, client))


class StoresTheNameBeforeItChecks(Server):
    """Stores the name of an update before it refuses the rest."""

    trips = ("test_a_refused_update_changes_nothing",
             "test_a_client_is_what_its_last_successful_request_made_it",
             "test_an_update_stores_nothing_that_a_registration_refuses")

    def accept_update(self, client: Client, wanted: dict[str, Any]) -> dict[str, Any]:
        if isinstance(wanted.get("client_name"), str):
            client.metadata = {**client.metadata, "client_name": wanted["client_name"]}
        return super().accept_update(client, wanted)


class RevivesClients(Server):
    """Creates the client that an update names where there is none."""

    trips = ("test_updating_a_missing_client_is_401", "test_an_update_brings_no_deleted_client_back",
             "test_updating_a_missing_client_ends_the_token",
             "test_the_token_of_a_deleted_client_is_401")

    async def manage(self, request: Request) -> Response:
        client_id = request.path_params["client_id"]
        token = self.bearer_token(request)
        if request.method == "PUT" and token is not None and client_id not in self.store.clients:
            client = self.create(self.accept(await self.read_document(request)))
            self.store.clients[client_id] = self.store.clients.pop(client.client_id)
            client.client_id, client.registration_access_token = client_id, token
            return self.client_answer(client, status=200)
        return await super().manage(request)


class KeepsOldTokens(Server):
    """Accepts registration access tokens that it has replaced."""

    trips = ("test_rotation_ends_the_old_token", "test_two_updates_at_once_leave_one_token")

    def rotate_registration_access_token(self, client: Client) -> None:
        self.old = {*getattr(self, "old", ()), (client.client_id, client.registration_access_token)}
        super().rotate_registration_access_token(client)

    def is_registration_access_token(self, token: str, client: Client) -> bool:
        return (client.client_id, token) in getattr(self, "old", ()) or super().is_registration_access_token(
            token, client)


# -- deletion -------------------------------------------------------------------------------------------------------


class AnswersADeletionWith200(Server):
    """Answers a deletion with 200 and a body."""

    trips = ("test_a_successful_deletion_is_204",)

    def deleted(self) -> Response:
        return self.json({"deleted": True})


class ForbidsDeletion(Server):
    """Does not offer deletion and answers 403."""

    trips = ("test_a_deletion_succeeds_or_is_405",)

    def delete(self, client: Client) -> Response:
        raise Refusal(403, "access_denied", "clients are never deleted")


class RemembersDeletedClients(Server):
    """The server with a memory for clients that it deleted."""

    def remove(self, client: Client) -> None:
        self.ghosts = {**getattr(self, "ghosts", {}), client.client_id: client}
        super().remove(client)


class AuthorizesDeletedClients(RemembersDeletedClients):
    """Takes authorization requests of deleted clients."""

    trips = ("test_a_deleted_client_cannot_ask_for_authorization",)

    def authorizing_client(self, parameters: dict[str, str]) -> Client:
        ghost = getattr(self, "ghosts", {}).get(parameters.get("client_id", ""))
        return ghost or super().authorizing_client(parameters)


class AuthenticatesDeletedClients(RemembersDeletedClients):
    """Takes token requests of deleted clients."""

    trips = ("test_a_deleted_client_cannot_ask_for_tokens",)

    def authenticate_client(self, request: Request, form: dict[str, list[str]]) -> Client:
        _, client_id, _ = self.presented_credentials(request, form)
        return getattr(self, "ghosts", {}).get(client_id) or super().authenticate_client(request, form)


class ReadsDeletedClients(RemembersDeletedClients):
    """Goes on answering reads of a deleted client."""

    trips = ("test_the_token_of_a_deleted_client_is_401", "test_deletion_ends_every_token",
             "test_an_update_brings_no_deleted_client_back",
             "test_a_client_is_what_its_last_successful_request_made_it")

    async def manage(self, request: Request) -> Response:
        ghost = getattr(self, "ghosts", {}).get(request.path_params["client_id"])
        if ghost and request.method == "GET" and self.bearer_token(request) == ghost.registration_access_token:
            return self.read(ghost)
        return await super().manage(request)


class ForgetsRotatedTokensInDeletion(RemembersDeletedClients):
    """Ends the newest token of a deleted client and leaves the rotated ones."""

    trips = ("test_deletion_ends_every_token",)

    def rotate_registration_access_token(self, client: Client) -> None:
        self.old = {*getattr(self, "old", ()), (client.client_id, client.registration_access_token)}
        super().rotate_registration_access_token(client)

    async def manage(self, request: Request) -> Response:
        ghost = getattr(self, "ghosts", {}).get(request.path_params["client_id"])
        if ghost and (ghost.client_id, self.bearer_token(request)) in getattr(self, "old", ()):
            return self.read(ghost)
        return await super().manage(request)


class DeletesWhatIsNotThere(Server):
    """Answers the deletion of a client that does not exist with success."""

    trips = ("test_deleting_a_missing_client_is_401", "test_deleting_a_missing_client_ends_the_token",
             "test_the_token_of_a_deleted_client_is_401")

    async def manage(self, request: Request) -> Response:
        if request.method == "DELETE" and request.path_params["client_id"] not in self.store.clients:
            return self.deleted()
        return await super().manage(request)


# -- what errors tell -----------------------------------------------------------------------------------------------


class ShowsTheClientInTheRefusal(Server):
    """Writes the client into the 401 that refuses to show it."""

    trips = ("test_nothing_but_the_token_opens_the_configuration", "test_a_refused_read_holds_no_credential",
             "test_no_client_reads_another",
             "test_a_bad_token_gets_the_same_words_for_every_client")

    async def manage(self, request: Request) -> Response:
        try:
            return await super().manage(request)
        except Refusal as refusal:
            client = self.store.clients.get(request.path_params["client_id"])
            if client is not None and refusal.status == 401 and request.method == "GET":
                refusal.description = json.dumps(self.describe(client))
            raise


class QuotesInItsChallenge(_Challenges):
    """Describes the error in the challenge with characters that have no place there."""

    policy = "mcp"
    trips = ("test_a_challenge_keeps_to_its_characters",)

    def rephrased(self, challenge: str, request: Request) -> str:
        return f'{challenge}, error_description="the token \\"bad\\" is unknown"' if "error" in challenge else challenge


class LetsAnswersToQueryTokensBeShared(Server):
    """Takes the registration access token from the query as well, and lets everyone cache the answer."""

    policy = "mcp"
    trips = ("test_a_token_in_the_query_is_not_accepted", "test_an_answer_to_a_token_in_the_query_is_private")

    def management_token(self, request: Request) -> str:
        return request.query_params.get("access_token") or super().management_token(request)

    async def manage(self, request: Request) -> Response:
        answer = await super().manage(request)
        if "access_token" in request.query_params:
            answer.headers["cache-control"] = "max-age=60"
        return answer
