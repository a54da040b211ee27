"""Servers that register badly; each breaks one rule of this folder."""

import asyncio
import hashlib
import re
import unicodedata
from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import replace
from functools import cached_property
from ssl import SSLContext, TLSVersion
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dcrcheck.reference import Server, serve
from dcrcheck.reference.answers import Refusal
from dcrcheck.reference.store import Client, Code, Session, Transaction

# -- the request ------------------------------------------------------------------------------------------------------


class ChokesOnACharset(Server):
    """Refuses application/json with a charset parameter."""

    trips = ("test_a_json_document_registers_a_client",)

    def check_charset(self, content_type: str) -> None:
        if "charset" in content_type:
            raise Refusal(415, "invalid_client_metadata", "the request body must be application/json")


class ReadsTextAsJson(Server):
    """Reads a body as JSON whatever media type it is sent with."""

    trips = ("test_json_under_another_media_type_registers_nothing",
             "test_a_document_that_is_not_labelled_json_registers_nothing")

    def check_media_type(self, request: Request) -> None:
        pass


class RegistersByForm(Server):
    """Takes a form for a registration."""

    trips = ("test_a_form_registers_nothing", "test_metadata_in_another_form_than_json_registers_nothing",
             "test_a_form_is_no_update")

    async def read_document(self, request: Request) -> dict[str, Any]:
        if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return await super().read_document(request)
        body = (await self.read_body(request)).decode()
        if body.startswith("{"):
            self.refuse_document("the request body is not a form")
        return {name: [value] if name == "redirect_uris" else value for name, value in parse_qsl(body)}


class UnwrapsArrays(Server):
    """Takes the first element where it expected an object."""

    trips = ("test_only_one_json_object_registers_a_client", "test_a_body_that_is_no_object_registers_nothing")

    def parse(self, text: str) -> Any:
        document = super().parse(text)
        return document[0] if isinstance(document, list) and document else document


class RefusesWhatItDoesNotKnow(Server):
    """Refuses a request for a member that it does not know."""

    trips = ("test_an_unknown_member_is_ignored",)

    def check_unknown_members(self, document: dict[str, Any]) -> None:
        if "dcrcheck_unknown" in document:
            self.refuse_metadata("the request holds a member that this server does not know")


class IgnoresWhatItShouldRefuse(Server):
    """Ignores unknown members where its owner wanted them refused."""

    policy = "hardened"
    trips = ("test_an_unknown_member_is_refused",)

    def check_unknown_members(self, document: dict[str, Any]) -> None:
        pass


class ReadsNamesInAnyCase(Server):
    """Takes Redirect_URIs for redirect_uris."""

    trips = ("test_a_member_name_in_other_case_is_another_name",
             "test_a_name_that_resembles_a_member_is_not_that_member")

    def with_statement(self, document: dict[str, Any]) -> dict[str, Any]:
        return super().with_statement({name.lower(): value for name, value in document.items()})


class ReadsMethodsInAnyCase(Server):
    """Takes CLIENT_SECRET_POST for client_secret_post."""

    trips = ("test_a_value_in_other_case_is_another_value",)

    def accept_auth_method(self, wanted: dict[str, Any]) -> str:
        method = wanted.get("token_endpoint_auth_method")
        if isinstance(method, str):
            wanted = {**wanted, "token_endpoint_auth_method": method.lower()}
        return super().accept_auth_method(wanted)


class RegistersByGet(Server):
    """Takes the query of a GET for a registration."""

    trips = ("test_a_get_registers_nothing",)

    def routes(self) -> list[Route]:
        return [self.private("/register", self.register_by_query, "GET"), *super().routes()]

    async def register_by_query(self, request: Request) -> Response:
        query = request.query_params
        return self.registered(self.create(self.accept({
            name: query.getlist(name) if name.endswith("s") else query[name] for name in query
            if name in ("redirect_uris", "grant_types", "response_types", "token_endpoint_auth_method")})))


# -- the response -----------------------------------------------------------------------------------------------------


class AnswersWith200(Server):
    """Answers a successful registration with 200."""

    trips = ("test_a_registration_is_answered_with_201",)

    def registered(self, client: Client) -> Response:
        return self.client_answer(client, status=200)


class AnswersAsText(Server):
    """Sends the client information as text/plain."""

    trips = ("test_a_registration_is_answered_with_json",)

    def registered(self, client: Client) -> Response:
        response = super().registered(client)
        response.headers["content-type"] = "text/plain"
        return response


class Retouching(Server):
    """Base of the servers whose registration response is not what it should be, while the registration is."""

    def registered(self, client: Client) -> Response:
        return self.json(self.retouch(dict(self.describe(client))), status=201, headers=self.no_store())

    def retouch(self, answer: dict[str, Any]) -> dict[str, Any]:
        return answer


class WrapsTheName(Retouching):
    """Puts client_name into an object of its own."""

    trips = ("test_the_answer_is_one_flat_object", "test_what_is_read_back_was_returned_before",
             "test_a_client_is_what_its_last_successful_request_made_it", "test_what_is_answered_is_what_is_stored")

    def retouch(self, answer: dict[str, Any]) -> dict[str, Any]:
        return {"display": {"client_name": answer.pop("client_name", None)}, **answer}


class ForgetsTheClientId(Retouching):
    """Registers a client and does not tell its client_id."""

    trips = ("test_the_answer_has_a_client_id",)

    def retouch(self, answer: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in answer.items() if name != "client_id"}


class CountsInMilliseconds(Server):
    """States client_id_issued_at in milliseconds."""

    trips = ("test_client_id_issued_at_is_now_in_seconds",)

    def describe_identity(self, client: Client) -> dict[str, Any]:
        return {"client_id": client.client_id, "client_id_issued_at": client.issued_at * 1000}


class JoinsTheContacts(Server):
    """Returns contacts as one string."""

    trips = ("test_every_member_has_the_type_of_its_definition", "test_the_statement_wins_over_the_json",
             "test_every_registered_member_has_its_type")

    def describe_metadata(self, client: Client) -> dict[str, Any]:
        answer = dict(super().describe_metadata(client))
        if "contacts" in answer:
            answer["contacts"] = ", ".join(answer["contacts"])
        return answer


class WithholdsTheGrants(Retouching):
    """Does not say at registration which grants a client has."""

    trips = ("test_what_was_registered_is_returned", "test_what_the_server_provided_is_returned",
             "test_what_is_read_back_was_returned_before",
             "test_a_client_is_what_its_last_successful_request_made_it", "test_what_is_answered_is_what_is_stored")

    def retouch(self, answer: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in answer.items() if name != "grant_types"}


class _Provided(list[str]):
    """A value that the server put in."""


class WithholdsItsDefaults(Retouching):
    """Does not say at registration which response types it chose for a client that named none."""

    trips = ("test_what_the_server_provided_is_returned",)

    def default_response_types(self, grant_types: list[str]) -> list[str]:
        return _Provided(super().default_response_types(grant_types))

    def retouch(self, answer: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in answer.items() if not isinstance(value, _Provided)}


class WithholdsTheContacts(Retouching):
    """Stores contacts and does not return them."""

    trips = ("test_what_is_read_back_was_returned_before",
             "test_a_client_is_what_its_last_successful_request_made_it", "test_what_is_answered_is_what_is_stored")

    def retouch(self, answer: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in answer.items() if name != "contacts"}


class NamesClientsAfterTheirSoftware(Server):
    """Derives client_id from software_id, so that clients of one software overwrite each other."""

    trips = ("test_each_registration_has_a_client_id_of_its_own",
             "test_instances_of_one_client_have_their_own_client_ids",
             "test_a_shared_client_id_stands_for_one_set_of_metadata")

    def new_client_id(self, metadata: dict[str, Any]) -> str:
        software = str(metadata.get("software_id", ""))
        return hashlib.sha256(software.encode()).hexdigest() if software else super().new_client_id(metadata)


class RegistersTheSameTwice(Server):
    """Gives the instances of one client the same client_id."""

    trips = ("test_instances_of_one_client_have_their_own_client_ids",)

    def new_client_id(self, metadata: dict[str, Any]) -> str:
        known = next((client.client_id for client in self.store.clients.values() if client.metadata == metadata), None)
        return known or super().new_client_id(metadata)


class KeepsBothKeySources(Server):
    """Registers jwks and jwks_uri together."""

    trips = ("test_jwks_and_jwks_uri_are_not_registered_together",)

    def refuse_two_key_sources(self, wanted: dict[str, Any]) -> None:
        pass


class TranslatesTheName(Server):
    """Puts a tagged name in the place of the untagged one."""

    trips = ("test_the_untagged_name_is_kept_beside_a_tagged_one",)

    def accept(self, document: dict[str, Any]) -> dict[str, Any]:
        metadata = super().accept(document)
        tagged = next((value for name, value in metadata.items() if name.startswith("client_name#")), None)
        return metadata | {"client_name": tagged} if tagged else metadata


# -- errors -----------------------------------------------------------------------------------------------------------


class RefusesWith422(Server):
    """Answers registration errors with 422, as its framework does."""

    trips = ("test_a_registration_error_is_400", "test_every_refusal_is_a_registration_error")

    async def register(self, request: Request) -> Response:
        try:
            return await super().register(request)
        except Refusal as refusal:
            refusal.status = 422 if refusal.status == 400 else refusal.status
            raise


class RefusesInPlainText(Server):
    """Sends registration errors as text/plain."""

    trips = ("test_a_registration_error_is_a_json_object", "test_every_refusal_is_a_registration_error",
             "test_an_unreadable_body_is_refused_in_json")

    async def register(self, request: Request) -> Response:
        try:
            return await super().register(request)
        except Refusal as refusal:
            response = self.error_answer(refusal)
            response.headers["content-type"] = "text/plain"
            return response


class SaysErrorsInWords(Server):
    """Puts a sentence into error where a document cannot be read."""

    trips = ("test_a_registration_error_has_one_code",)

    def refuse_document(self, description: str) -> NoReturn:
        raise Refusal(400, description, "the request cannot be read")


class RepeatsWhatItRefuses(Server):
    """Repeats a refused value in error_description, whatever characters it has."""

    trips = ("test_an_error_description_is_ascii",)

    def require_strings(self, name: str, value: Any) -> list[str]:
        if isinstance(value, str):
            self.refuse_metadata(f"{name} must be an array of strings, not {value}")
        return super().require_strings(name, value)


class CallsBadMetadataInvalidRequest(Server):
    """Reports bad metadata as invalid_request."""

    trips = ("test_bad_metadata_is_called_invalid_client_metadata",
             "test_a_refused_combination_of_grants_is_called_invalid_client_metadata")

    def refuse_metadata(self, description: str) -> NoReturn:
        raise Refusal(400, "invalid_request", description)


class CallsBadGrantsUnsupported(Server):
    """Reports a refused combination of grants as unsupported_grant_type."""

    trips = ("test_a_refused_combination_of_grants_is_called_invalid_client_metadata",)

    def accept_grant_types(self, wanted: dict[str, Any]) -> list[str]:
        grant_types = wanted.get("grant_types")
        if isinstance(grant_types, list) and "authorization_code" in grant_types and not all(
                self.is_grant_type_allowed(grant_type) for grant_type in grant_types):
            raise Refusal(400, "unsupported_grant_type", "these grants do not go together")
        return super().accept_grant_types(wanted)


class ShowsWhereItFailed(Server):
    """Puts the place of a parser's error into error_description."""

    trips = ("test_an_answer_to_a_bad_request_shows_no_internals",)

    def parse(self, text: str) -> Any:
        try:
            return super().parse(text)
        except Refusal:
            self.refuse_document('File "/srv/app/registration.py", line 88, in parse: not JSON')


class SucceedsWithErrors(Server):
    """Answers what it cannot read with status 200 and an error in the body."""

    trips = ("test_an_error_is_never_a_success", "test_a_broken_update_is_refused_and_changes_nothing")

    def refuse_document(self, description: str) -> NoReturn:
        raise Refusal(200, "invalid_client_metadata", description)


class ShowsWhereTheTokenEndpointFailed(Server):
    """Names the class that failed in the error of the token endpoint."""

    trips = ("test_an_error_elsewhere_shows_no_internals",)

    def code_of(self, client: Client, form: dict[str, list[str]]) -> Code:
        try:
            return super().code_of(client, form)
        except Refusal as refusal:
            refusal.description = "java.lang.IllegalStateException at org.example.Codes.find(Codes.java:17)"
            raise

    def refuse_client(self) -> NoReturn:
        raise Refusal(401, "invalid_client", "at org.example.Clients.find(Clients.java:12)",
                      challenge='Basic realm="reference"')


class TellsWhereItWouldSendUsers(Server):
    """Lists the registered redirect URIs on the page that refuses another."""

    trips = ("test_a_refused_redirect_uri_tells_no_registered_one",)

    def authorizing_client(self, parameters: dict[str, str]) -> Client:
        client = super().authorizing_client(parameters)
        if self.redirect_uri_for(client, parameters.get("redirect_uri")) is None:
            raise Refusal(400, "invalid_redirect_uri", f"Registered are: {', '.join(client.redirect_uris)}")
        return client


class ShowsTheRequestInAPage(Server):
    """Answers a browser with an error page that has the request in it."""

    trips = ("test_input_does_not_come_back_as_markup",)
    body = b""

    async def register(self, request: Request) -> Response:
        try:
            return await super().register(request)
        except Refusal as refusal:
            if "text/html" not in request.headers.get("accept", ""):
                raise
            return Response(b"<p>Not understood: " + self.body, refusal.status, media_type="text/html")

    async def read_body(self, request: Request) -> bytes:
        self.body = await super().read_body(request)
        return self.body


class LetsBrowsersGuess(Server):
    """Does not forbid content sniffing."""

    trips = ("test_registration_answers_forbid_sniffing",)

    def json(self, content: Any, **how: Any) -> Response:
        response = super().json(content, **how)
        del response.headers["x-content-type-options"]
        return response


class AllowsNothing(Server):
    """Answers 405 at the registration endpoint without saying what is allowed."""

    policy = "mcp"
    trips = ("test_a_method_that_registration_does_not_take_is_answered_with_those_it_takes",)

    async def not_served(self, request: Request, fault: Exception) -> Response:
        response = await super().not_served(request, fault)
        if urlsplit(str(request.url)).path == "/register" and "allow" in response.headers:
            del response.headers["allow"]
        return response


# -- who may register -------------------------------------------------------------------------------------------------


class NeedsATokenFromEveryone(Server):
    """Demands an initial access token where registration was meant to be open."""

    trips = ("test_registration_needs_no_authorization",)

    def authorize_registration(self, request: Request) -> None:
        if self.bearer_token(request) is None:
            self.refuse_anonymous()


class AdmitsManyByOneToken(Server):
    """Does not note that an initial access token for one client has registered it."""

    policy = "initial-access-token"
    trips = ("test_a_token_for_one_client_registers_no_second_one",
             "test_a_token_for_one_client_registers_no_second_one_at_once")

    def spend_initial_access_token(self, request: Request) -> None:
        pass


class SpendsTokensLate(Server):
    """Looks at an initial access token before it creates the client, and spends it a moment afterwards."""

    policy = "initial-access-token"
    trips = ("test_a_token_for_one_client_registers_no_second_one_at_once",)

    def spend_initial_access_token(self, request: Request) -> None:
        pass

    async def register(self, request: Request) -> Response:
        answer = await super().register(request)
        record = self.single_use_token(self.bearer_token(request) or "")
        if record is not None:
            await asyncio.sleep(0.2)
            record.live = False
        return answer


class LetsAnyoneIn(Server):
    """Registers clients without looking at the initial access token that it was told to demand."""

    policy = "initial-access-token"
    trips = ("test_where_a_token_is_needed_nobody_registers_without_it",
             "test_a_malformed_authorization_header_is_an_ordinary_error",
             "test_it_is_no_initial_access_token",
             "test_an_access_token_is_no_initial_access_token",
             "test_no_header_takes_the_place_of_a_token",
             "test_a_token_for_one_client_registers_no_second_one",
             "test_a_token_for_one_client_registers_no_second_one_at_once")

    def authorize_registration(self, request: Request) -> None:
        pass


class Challenging(Server):
    """Base of the servers that answer a bad initial access token in a wrong way."""

    def authorize_registration(self, request: Request) -> None:
        try:
            super().authorize_registration(request)
        except Refusal as refusal:
            self.turn_round(refusal)
            raise

    def turn_round(self, refusal: Refusal) -> None:
        pass


class RefusesTokensInSilence(Challenging):
    """Answers a bad initial access token with 401 and no challenge."""

    trips = ("test_a_bad_initial_access_token_is_answered_with_a_challenge",
             "test_a_bad_initial_access_token_is_401_invalid_token")

    def turn_round(self, refusal: Refusal) -> None:
        refusal.headers.pop("WWW-Authenticate")


class ChallengesWithABareBearer(Challenging):
    """Challenges with the word Bearer alone."""

    trips = ("test_a_registration_challenge_has_a_parameter", "test_a_bad_initial_access_token_is_401_invalid_token")

    def turn_round(self, refusal: Refusal) -> None:
        refusal.headers["WWW-Authenticate"] = "Bearer"


class RepeatsItsErrors(Challenging):
    """Names the error twice in its challenge, also to those who presented no token."""

    policy = "initial-access-token"
    trips = ("test_a_registration_challenge_repeats_no_parameter", "test_without_a_token_the_challenge_names_no_error")

    def turn_round(self, refusal: Refusal) -> None:
        refusal.headers["WWW-Authenticate"] = 'Bearer error="invalid_token", error="invalid_token"'


class CallsABadTokenABadRequest(Challenging):
    """Answers a bad initial access token with 400 invalid_request."""

    policy = "mcp"
    trips = ("test_a_bad_initial_access_token_is_401_invalid_token",)

    def turn_round(self, refusal: Refusal) -> None:
        refusal.status, refusal.error = 400, "invalid_request"
        refusal.headers["WWW-Authenticate"] = self.challenge("invalid_request")


# -- URLs and keys ----------------------------------------------------------------------------------------------------


class LinksToWords(Server):
    """Registers as a web page what is no URL."""

    trips = ("test_what_is_no_web_address_is_not_registered_as_one",)

    def accept_page(self, name: str, value: Any, redirect_uris: list[str]) -> str | None:
        return value if isinstance(value, str) and ":" not in value else super().accept_page(name, value, redirect_uris)


class LinksToScripts(Server):
    """Registers javascript: and data: URLs as web pages."""

    trips = ("test_links_hold_no_executable_scheme",)

    def accept_page(self, name: str, value: Any, redirect_uris: list[str]) -> str | None:
        if isinstance(value, str) and re.match("javascript:|data:", value, re.I):
            return value
        return super().accept_page(name, value, redirect_uris)


class LinksAnywhere(Server):
    """Registers links on hosts that have nothing to do with the client."""

    trips = ("test_links_are_on_the_host_of_the_redirect_uris",)

    def shares_host(self, text: str, redirect_uris: list[str]) -> bool:
        return True


class LinksNowhere(Server):
    """Registers links without asking whether their host exists."""

    trips = ("test_links_that_lead_nowhere_are_not_registered",)

    def is_resolvable(self, text: str) -> bool:
        return True


class FetchesKeysFromWords(Server):
    """Registers as jwks_uri what is no URL."""

    trips = ("test_what_is_no_web_address_is_not_registered_as_jwks_uri",)

    def accept_jwks_uri(self, value: Any) -> str | None:
        return value if isinstance(value, str) and ":" not in value else super().accept_jwks_uri(value)


class FetchesKeysFromFiles(Server):
    """Registers a jwks_uri that is a local file or no address at all."""

    trips = ("test_keys_are_fetched_from_the_web_only",)

    def accept_jwks_uri(self, value: Any) -> str | None:
        if isinstance(value, str) and re.match("file:|ftp:|gopher:|data:", value):
            return value
        return super().accept_jwks_uri(value)


class FetchesKeysInTheClear(Server):
    """Registers a jwks_uri with plain http."""

    trips = ("test_keys_are_not_fetched_in_the_clear",)

    def accept_jwks_uri(self, value: Any) -> str | None:
        return value if isinstance(value, str) and value.startswith("http:") else super().accept_jwks_uri(value)


class LooksInside(Server):
    """Registers URLs at internal addresses."""

    trips = ("test_metadata_leads_to_no_internal_address",)

    def is_public_address(self, text: str) -> bool:
        return True

    def shares_host(self, text: str, redirect_uris: list[str]) -> bool:
        return super().shares_host(text, redirect_uris) or not super().is_public_address(text)


class TakesAnythingForKeys(Server):
    """Registers as jwks what is no key set."""

    trips = ("test_what_is_no_key_set_is_not_registered_as_one",
             "test_a_key_set_of_the_wrong_shape_is_refused_or_dropped", "test_every_registered_member_has_its_type")

    def accept_jwks(self, value: Any) -> dict[str, Any]:
        return super().accept_jwks(value) if self.is_key_set(value) else value


class KeepsPrivateKeys(Server):
    """Registers key sets with private and symmetric keys as they are."""

    trips = ("test_a_key_set_holds_no_private_key",)

    def holds_private_key(self, key_set: dict[str, Any]) -> bool:
        return False


# -- what clients give themselves -------------------------------------------------------------------------------------


class Obliging(Server):
    """Base of the servers that heed what a client has no say in."""

    wish: Any = None
    member = ""

    def accept(self, document: dict[str, Any]) -> dict[str, Any]:
        self.wish = document.get(self.member)
        return super().accept(document)


class TakesTheClientsOwnId(Obliging):
    """Gives a client the client_id that it asks for, if nobody has it."""

    member = "client_id"
    trips = ("test_a_client_does_not_choose_its_client_id",)

    def new_client_id(self, metadata: dict[str, Any]) -> str:
        free = isinstance(self.wish, str) and self.wish not in self.store.clients
        return self.wish if free else super().new_client_id(metadata)


class OverwritesClients(Obliging):
    """Registers over an existing client whose client_id the request names."""

    member = "client_id"
    trips = ("test_a_registration_changes_no_other_client",)

    def new_client_id(self, metadata: dict[str, Any]) -> str:
        taken = isinstance(self.wish, str) and self.wish in self.store.clients
        return self.wish if taken else super().new_client_id(metadata)


class TakesTheClientsOwnSecret(Obliging):
    """Gives a client the secret that it asks for."""

    member = "client_secret"
    trips = ("test_a_client_does_not_choose_its_secret",)

    def new_client_secret(self, client: Client) -> str:
        return self.wish if isinstance(self.wish, str) else super().new_client_secret(client)


class TakesTheClientsOwnToken(Obliging):
    """Gives a client the registration access token that it asks for."""

    member = "registration_access_token"
    trips = ("test_a_client_does_not_choose_its_registration_access_token",)

    def new_registration_access_token(self, client: Client) -> str:
        return self.wish if isinstance(self.wish, str) else super().new_registration_access_token(client)


class ReturnsTheClientsOwnUri(Obliging):
    """Returns the registration_client_uri that the request holds."""

    member = "registration_client_uri"
    trips = ("test_a_client_does_not_choose_its_registration_client_uri",)

    def registration_client_uri(self, client: Client) -> str:
        return self.wish if isinstance(self.wish, str) else super().registration_client_uri(client)


class StoresPrivileges(Server):
    """Stores skip_consent and trusted as they are sent."""

    trips = ("test_a_privilege_is_not_stored",)

    def accept(self, document: dict[str, Any]) -> dict[str, Any]:
        return super().accept(document) | {
            name: document[name] for name in ("skip_consent", "trusted") if name in document}


class DatesClientsAsTheyWish(Server):
    """Takes client_id_issued_at from the request."""

    trips = ("test_a_client_does_not_date_itself",)

    def accept(self, document: dict[str, Any]) -> dict[str, Any]:
        return _Marked(super().accept(document), document)

    def describe_identity(self, client: Client) -> dict[str, Any]:
        return {**super().describe_identity(client), **wished(client, "client_id_issued_at")}


class StoresAudiences(Server):
    """Stores the audience that a client names."""

    trips = ("test_an_audience_is_not_stored",)

    def accept(self, document: dict[str, Any]) -> dict[str, Any]:
        return super().accept(document) | {name: document[name] for name in ("audience",) if name in document}


class _Marked(dict[str, Any]):
    """Metadata that remembers what was asked for."""

    def __init__(self, metadata: dict[str, Any], document: dict[str, Any]) -> None:
        super().__init__(metadata)
        self.document = document


def wished(client: Client, *members: str) -> dict[str, Any]:
    """Which of these members a client asked for at its registration."""
    document = getattr(client.metadata, "document", {})
    return {name: document[name] for name in members if name in document}


class Remembering(Server):
    """Base of the servers that do not show what a client wished for, and fulfil it."""

    def accept(self, document: dict[str, Any]) -> dict[str, Any]:
        return _Marked(super().accept(document), document)


class TrustsWhoeverSaysSo(Remembering):
    """Asks for no consent where a client registered itself as trusted."""

    policy = "mcp"
    trips = ("test_a_client_does_not_exempt_itself_from_consent",)

    def may_skip_consent(self, client: Client, transaction: Transaction, session: Session) -> bool:
        return wished(client, "trusted").get("trusted") is True


class WaivesPkceOnRequest(Remembering):
    """Asks for no challenge where a client registered with require_pkce false."""

    trips = ("test_a_client_does_not_exempt_itself_from_pkce",)

    def is_challenge_required(self, client: Client) -> bool:
        return wished(client, "require_pkce").get("require_pkce") is not False


class ProlongsTokensOnRequest(Remembering):
    """Lets tokens live as long as the client wished at its registration."""

    trips = ("test_a_client_does_not_prolong_its_tokens",)

    def token_answer(self, client: Client, *grant: Any, **more: Any) -> Response:
        usual = self.rules
        lifetime = wished(client, "access_token_lifetime").get("access_token_lifetime", usual.access_token_lifetime)
        self.rules = replace(usual, access_token_lifetime=lifetime)
        try:
            return super().token_answer(client, *grant, **more)
        finally:
            self.rules = usual


class GrantsOnRequest(Remembering):
    """Lets a client use the grants of a member that is not grant_types."""

    trips = ("test_a_client_does_not_grant_itself_tokens",)

    def is_grant_registered(self, client: Client, grant_type: str) -> bool:
        return (grant_type in wished(client, "allowed_grant_types").get("allowed_grant_types", ())
                or super().is_grant_registered(client, grant_type))


class OpensAudiencesOnRequest(Remembering):
    """Issues tokens for whatever resource the client has named at its registration."""

    trips = ("test_a_client_opens_no_audience_for_itself",)
    opened = ""

    def authorizing_client(self, parameters: dict[str, str]) -> Client:
        client = super().authorizing_client(parameters)
        self.opened = wished(client, "resource").get("resource", "")
        return client

    def authenticate_client(self, request: Request, form: dict[str, list[str]]) -> Client:
        client = super().authenticate_client(request, form)
        self.opened = wished(client, "resource").get("resource", "")
        return client

    def is_known_resource(self, resource: str) -> bool:
        return resource == self.opened or super().is_known_resource(resource)


# -- names, scopes, defaults ------------------------------------------------------------------------------------------


class TakesLongNames(Server):
    """Sets no limit to names."""

    policy = "mcp"
    trips = ("test_a_name_is_limited_in_length",)

    def is_name_length(self, name: str) -> bool:
        return len(name) < 5000


class TakesInvisibleNames(Server):
    """Registers names with invisible characters."""

    policy = "mcp"
    trips = ("test_a_name_hides_nothing",)

    def is_free_of_invisible_characters(self, name: str) -> bool:
        return True


class ReservesOneSpelling(Server):
    """Knows a reserved name only as it is written in its list."""

    policy = "mcp"
    trips = ("test_a_reserved_name_is_not_registered", "test_a_look_alike_of_a_reserved_name_is_not_registered")

    def is_reserved_name(self, name: str) -> bool:
        return name in self.rules.reserved_names


class ReservesLettersOfOneScript(Server):
    """Knows a reserved name in any case and compatibility spelling, and not in the letters of another script."""

    policy = "mcp"
    trips = ("test_a_look_alike_of_a_reserved_name_is_not_registered",)

    def skeleton(self, name: str) -> str:
        return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


class OpensEveryScope(Server):
    """Registers any scope that is asked for."""

    policy = "mcp"
    trips = ("test_a_scope_that_was_not_opened_is_not_registered",)

    def is_scope_allowed(self, token: str) -> bool:
        return True


class GivesEverythingByDefault(Server):
    """Gives a client that asks for no scope all there are."""

    policy = "mcp"
    trips = ("test_a_client_that_asks_for_no_scope_gets_no_power",)

    def default_scope(self) -> str:
        return " ".join(self.rules.scopes)


class GivesImplicitByDefault(Server):
    """Gives a client that names no grant the implicit grant as well."""

    policy = "mcp"
    trips = ("test_a_client_that_asks_for_no_grant_gets_none_beyond_the_policy",)

    def default_grant_types(self) -> list[str]:
        return ["authorization_code", "implicit"]


class GivesTokensByDefault(Server):
    """Gives a client that names no response type the implicit one as well."""

    policy = "mcp"
    trips = ("test_a_client_that_asks_for_no_response_type_gets_none_beyond_the_policy",)

    def default_response_types(self, grant_types: list[str]) -> list[str]:
        return [*super().default_response_types(grant_types), "token"]


# -- the way to the endpoint ------------------------------------------------------------------------------------------


class RegistersOverPlainHttp(Server):
    """Names a registration endpoint without TLS."""

    trips = ("test_the_registration_endpoint_is_https",
             "test_plain_http_registers_nothing",
             "test_every_address_in_the_metadata_is_https",
             "test_the_registration_endpoint_speaks_tls_1_2",
             "test_the_configuration_endpoint_demands_tls",
             "test_plain_http_serves_no_metadata",
             "test_answers_with_credentials_demand_https")

    def endpoints(self) -> dict[str, str]:
        return {**super().endpoints(), "registration_endpoint": f"{self.plain}/register"}

    def further_origins(self) -> tuple[str, ...]:
        return (self.plain,)

    @cached_property
    def plain(self) -> str:
        """The origin of a second server, without TLS, that shares the state of this one."""
        twin = copy(self)
        vars(twin).pop("app", None)
        vars(twin)["is_free_of_own_origin"] = lambda uri: all(
            Server.is_free_of_own_origin(either, uri) for either in (self, twin))
        return serve(twin, tls=False).issuer


class SpeaksTls13Only(Server):
    """Refuses TLS 1.2."""

    trips = ("test_the_registration_endpoint_speaks_tls_1_2", "test_metadata_is_served_over_tls_1_2",
             "test_the_configuration_endpoint_speaks_tls_1_2", "test_resource_metadata_is_served_over_tls_1_2")

    def prepare_tls(self, context: SSLContext) -> None:
        context.minimum_version = TLSVersion.TLSv1_3


class BelievesXForwardedHost(Server):
    """Builds registration_client_uri from X-Forwarded-Host."""

    trips = ("test_registration_client_uri_does_not_follow_the_request",)
    believed = ""

    async def register(self, request: Request) -> Response:
        self.believed = request.headers.get("x-forwarded-host", "")
        return await super().register(request)

    def registration_client_uri(self, client: Client) -> str:
        usual = super().registration_client_uri(client)
        return usual.replace(urlsplit(usual).netloc, self.believed) if self.believed else usual


class PublishesTheForwardedHost(Server):
    """Builds its metadata from X-Forwarded-Host."""

    trips = ("test_metadata_does_not_follow_the_request",)

    async def authorization_server_document(self, request: Request) -> Response:
        host = request.headers.get("x-forwarded-host")
        if not host:
            return await super().authorization_server_document(request)
        own = urlsplit(self.issuer).netloc
        return self.document({name: value.replace(own, host) if isinstance(value, str) else value
                              for name, value in self.metadata().items()})


class LetsEveryOriginIn(Server):
    """Reflects any Origin and allows it credentials."""

    trips = ("test_no_foreign_origin_may_use_the_users_credentials",)

    def public(self, path: str, handler: Callable[[Request], Awaitable[Response]], *methods: str) -> Route:
        route = super().public(path, handler, *methods)

        async def answer(request: Request) -> Response:
            response: Response = await route.endpoint(request)
            if "origin" in request.headers:
                response.headers["access-control-allow-origin"] = request.headers["origin"]
                response.headers["access-control-allow-credentials"] = "true"
            return response

        return Route(path, answer, methods=[*methods, "OPTIONS"])


class LetsEveryOriginReadClients(Server):
    """Reflects any Origin at the client configuration endpoint and allows it credentials."""

    trips = ("test_no_foreign_origin_reads_a_client_with_the_users_credentials",)

    async def manage(self, request: Request) -> Response:
        response = await super().manage(request)
        if "origin" in request.headers:
            response.headers["access-control-allow-origin"] = request.headers["origin"]
            response.headers["access-control-allow-credentials"] = "true"
        return response


# -- registration that should be closed -------------------------------------------------------------------------------


class AdvertisesWhatIsClosed(Server):
    """Names a registration endpoint in its metadata though nothing is there."""

    policy = "closed"
    trips = ("test_a_closed_registration_is_not_advertised",)

    def endpoints(self) -> dict[str, str]:
        return {**super().endpoints(), "registration_endpoint": self.endpoint("register")}


class ReadsWhatStrangersSend(Server):
    """Validates registrations at an address that it does not list, and only then turns them away."""

    policy = "closed"
    trips = ("test_no_registration_endpoint_is_hidden",)

    def registration_routes(self, path: str) -> list[Route]:
        return [self.public(f"{path}/connect/register", self.turn_away_late, "POST")]

    async def turn_away_late(self, request: Request) -> Response:
        self.accept(await self.read_document(request))
        raise Refusal(403, "access_denied", "registration is closed")


class RegistersInSilence(Server):
    """Advertises nothing, and registers whoever knows the address."""

    policy = "closed"
    trips = ("test_no_registration_endpoint_is_hidden", "test_nobody_registers_where_registration_is_closed")

    def registration_routes(self, path: str) -> list[Route]:
        return [self.public(f"{path}/oauth2/register", self.register, "POST")]


class RegistersForAnyBearer(Server):
    """Wants a token at an address that it does not list, and takes whatever comes."""

    policy = "closed"
    trips = ("test_nobody_registers_where_registration_is_closed",)

    def registration_routes(self, path: str) -> list[Route]:
        return [self.public(f"{path}/register", self.register, "POST")]

    def authorize_registration(self, request: Request) -> None:
        if not self.bearer_token(request):
            self.refuse_anonymous()


class LocatesTheClientElsewhere(Server):
    """Names the home page of the client as the place where it was created."""

    policy = "mcp"
    trips = ("test_a_location_is_the_address_of_the_client",)

    def registered(self, client):
        answer = super().registered(client)
        answer.headers["location"] = "https://client.example/"
        return answer


# -- what takes the place of a token ----------------------------------------------------------------------------------


class BelievesWhereRequestsComeFrom(Server):
    """Needs no token of a request that says that it comes from this machine."""

    policy = "initial-access-token"
    trips = ("test_no_header_takes_the_place_of_a_token",)

    def authorize_registration(self, request: Request) -> None:
        if request.headers.get("x-forwarded-for") != "127.0.0.1":
            super().authorize_registration(request)


class RegistersForAccessTokens(Server):
    """Takes every access token that it issued for an initial access token."""

    policy = "initial-access-token"
    trips = ("test_an_access_token_is_no_initial_access_token",
             "test_a_token_for_one_client_registers_no_second_one",
             "test_a_token_for_one_client_registers_no_second_one_at_once")

    def is_initial_access_token(self, token: str) -> bool:
        return super().is_initial_access_token(token) or self.access_token_record(token, audience=None) is not None


# -- addresses of all kinds -------------------------------------------------------------------------------------------


class KeepsOtherAddressesUnseen(Server):
    """Stores the addresses of members that it has no rule for as they come."""

    trips = ("test_no_other_address_has_a_scheme_beyond_the_web",)

    def is_known_member(self, name: str) -> bool:
        return name in ("backchannel_logout_uri", "sector_identifier_uri") or super().is_known_member(name)

    def accept_member(self, name: str, value: Any, redirect_uris: list[str]) -> Any:
        known = super().is_known_member(name)
        return super().accept_member(name, value, redirect_uris) if known else value


class LinksWithMarkup(Server):
    """Registers pages whose address holds quotes and angle brackets."""

    trips = ("test_links_hold_no_markup",)

    def is_web_url(self, text: str) -> bool:
        return super().is_web_url(re.sub(r"[\"<>]", "", text))
