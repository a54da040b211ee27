"""Servers that fall over, or read something else than was sent."""

import codecs
import json
import re
import unicodedata
from dataclasses import replace
from urllib.parse import parse_qsl, unquote

from starlette.responses import Response

from dcrcheck.reference import Server
from dcrcheck.reference.answers import Refusal

# -- the Authorization header


class CrashesOnABareScheme(Server):
    """Takes the second word of the Authorization header without looking whether there is one."""

    trips = ("test_a_malformed_authorization_header_is_an_ordinary_error",
             "test_a_malformed_authorization_header_opens_no_client")

    def bearer_token(self, request):
        if "authorization" in request.headers:
            request.headers["authorization"].split(" ")[1]
        return super().bearer_token(request)


class CrashesOnABareBasic(Server):
    """Decodes HTTP Basic credentials at the token endpoint without looking whether there are any."""

    trips = ("test_a_malformed_authorization_header_does_not_break_the_token_endpoint",)

    async def token(self, request):
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            codecs.decode(credentials.encode(), "base64").decode().index(":")
        return await super().token(request)


# -- media types and encodings


class ReadsAnyMediaType(Server):
    """Parses every body as JSON, whatever it is labelled."""

    trips = ("test_a_document_that_is_not_labelled_json_registers_nothing",
             "test_json_under_another_media_type_registers_nothing")

    def check_media_type(self, request):
        pass


class ReadsForms(Server):
    """Registers clients from an HTML form."""

    trips = ("test_a_form_is_no_update", "test_a_form_registers_nothing",
             "test_metadata_in_another_form_than_json_registers_nothing")

    async def read_document(self, request):
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            return await super().read_document(request)
        fields = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        return {**fields, "redirect_uris": [fields.get("redirect_uris")]}


class BelievesTheCharset(Server):
    """Decodes a JSON body by the charset that the request claims."""

    trips = ("test_a_charset_parameter_does_not_change_what_is_registered",)

    def check_charset(self, content_type):
        self.charset = content_type.partition("charset=")[2] or "utf-8"

    def decode(self, body):
        return super().decode(body if self.charset == "utf-8" else body.decode(self.charset).encode())


class CrashesOnNulOctets(Server):
    """Hands the body to a parser that ends at the first NUL and fails."""

    trips = ("test_another_encoding_than_utf_8_is_refused_or_read_rightly", "test_no_bytes_break_the_server",
             "test_what_stands_around_the_document_does_no_harm")

    def decode(self, body):
        if b"\x00" in body:
            raise RuntimeError("unexpected NUL")
        return super().decode(body)


class DecodesOverlongForms(Server):
    """Decodes overlong UTF-8, so that a slash passes where none is seen."""

    trips = ("test_invalid_octets_in_a_string_do_no_harm",)

    def decode(self, body):
        return super().decode(body.replace(b"\xc0\xaf", b"/"))


class AnswersUnreadableBodiesInText(Server):
    """Answers a body that it cannot read with a line of text."""

    trips = ("test_a_registration_error_is_a_json_object", "test_an_unreadable_body_is_refused_in_json")

    def error_answer(self, refusal):
        answer = super().error_answer(refusal)
        if refusal.description in ("the request body is not JSON", "the request body is not a JSON object"):
            answer.headers["content-type"] = "text/plain"
        return answer


# -- documents


class RegistersFromAnArray(Server):
    """Takes the first element of an array for the document."""

    trips = ("test_a_body_that_is_no_object_registers_nothing", "test_only_one_json_object_registers_a_client")

    def parse(self, text):
        document = super().parse(text)
        return document[0] if isinstance(document, list) and document else document


class CrashesOnAnEmptyBody(Server):
    """Looks at the first character of a body that has none."""

    trips = ("test_a_body_that_is_no_object_registers_nothing", "test_a_broken_update_is_refused_and_changes_nothing",
             "test_no_bytes_break_the_server")

    def parse(self, text):
        return super().parse(text[0] + text[1:])


class CrashesOnNumbersBeyondJson(Server):
    """Falls over NaN and Infinity."""

    trips = ("test_a_number_beyond_json_is_no_trouble", "test_no_bytes_break_the_server")

    def constant(self, name):
        raise OverflowError(name)


class ReturnsNumbersBeyondJson(Server):
    """Takes a number that JSON does not have, and hands it back."""

    trips = ("test_a_number_beyond_json_is_no_trouble",)
    met = False

    def constant(self, name):
        self.met = True

    def json(self, content, *, status=200, headers=None):
        response = super().json(content, status=status, headers=headers)
        if self.met and status == 201:
            self.met = False
            response.body = response.body[:-1] + b',"default_max_age":NaN}'
            response.headers["content-length"] = str(len(response.body))
        return response


class ReadsTheLastDocument(Server):
    """Reads the last of several documents in one body."""

    trips = ("test_what_stands_around_the_document_does_no_harm",)

    def parse(self, text):
        parts = text.split("\n\n")
        if len(parts) > 1:
            return {**super().parse(parts[0]), **super().parse(parts[-1])}
        return super().parse(text)


class ValidatesTheFirstOfTwo(Server):
    """Validates the first of two members of one name and stores the second."""

    trips = ("test_of_a_member_that_occurs_twice_the_bad_value_is_not_stored",)

    def members(self, pairs):
        document = dict(reversed(pairs))
        self.last = {name: value for name, value in dict(pairs).items() if document[name] != value}
        return document

    def create(self, metadata):
        return super().create({**metadata, **self.last})


class FoldsMemberNames(Server):
    """Reads member names without regard to case."""

    trips = ("test_a_member_name_in_other_case_is_another_name",
             "test_a_name_that_resembles_a_member_is_not_that_member")

    def members(self, pairs):
        return super().members(list({name.lower(): value for name, value in pairs}.items()))


class EndsNamesAtNul(Server):
    """Ends member names at a NUL character."""

    trips = ("test_a_name_that_resembles_a_member_is_not_that_member",)

    def members(self, pairs):
        return super().members(list({name.partition("\x00")[0]: value for name, value in pairs}.items()))


class ScansInsteadOfParsing(Server):
    """Validates redirect URIs only where the text of the body says redirect_uris."""

    trips = ("test_an_escaped_name_is_the_same_member",)

    def parse(self, text):
        self.seen = "redirect_uris" in text
        return super().parse(text)

    def redirect_fault(self, text):
        return super().redirect_fault(text) if self.seen else ""


class MergesPrototypes(Server):
    """Merges the member __proto__ into the document."""

    trips = ("test_a_member_named_like_a_language_internal_has_no_effect",)

    def with_statement(self, document):
        inherited = document.get("__proto__")
        return super().with_statement({**inherited, **document} if isinstance(inherited, dict) else document)


# -- types


class WritesValuesOut(Server):
    """Turns a name of any type into text."""

    trips = ("test_a_member_of_the_wrong_type_is_refused_or_dropped",
             "test_an_update_of_the_wrong_type_is_refused_or_without_effect")

    def accept_client_name(self, name, value):
        return super().accept_client_name(name, str(value))


class CrashesOnNullElements(Server):
    """Takes the length of every redirect URI before asking whether it is a string."""

    trips = ("test_a_member_of_the_wrong_type_is_refused_or_dropped", "test_no_metadata_breaks_the_server")

    def check_redirect_uri(self, value):
        self.lengths = len(value)
        super().check_redirect_uri(value)


class KeepsBrokenKeySets(Server):
    """Stores a jwks whose keys are no keys."""

    trips = ("test_a_key_set_of_the_wrong_shape_is_refused_or_dropped",
             "test_what_is_no_key_set_is_not_registered_as_one")

    def accept_jwks(self, value):
        return value if isinstance(value, dict) and not self.is_key_set(value) else super().accept_jwks(value)


# -- size


class NestsWithoutEnd(Server):
    """Leaves the depth of a document to the parser's stack."""

    trips = ("test_bottomless_nesting_is_answered_promptly", "test_two_thousand_levels_are_answered_promptly")

    def check_nesting(self, text):
        pass


class NestsNotFar(Server):
    """Falls over documents that are a hundred levels deep."""

    trips = ("test_two_hundred_levels_are_answered_promptly",
             "test_bottomless_nesting_is_answered_promptly",
             "test_two_thousand_levels_are_answered_promptly")

    def check_nesting(self, text):
        if re.search(r'(?:[\[{]("a":)?){100}', text):
            raise RecursionError("too deep")
        super().check_nesting(text)


class ReadsWithoutEnd(Server):
    """Reads a body of any size."""

    trips = ("test_a_body_of_eight_megabytes_is_refused",)

    async def read_body(self, request):
        return await request.body()


class KeepsMegabytes(Server):
    """Reads a body of any size and stores what is in it."""

    trips = ("test_a_body_of_eight_megabytes_is_refused", "test_an_oversized_document_is_refused")

    async def read_body(self, request):
        return await request.body()

    def is_redirect_count(self, value):
        return True


class LetsTextGrow(Server):
    """Stores a software_id of any length."""

    policy = "mcp"
    trips = ("test_the_size_of_every_member_is_limited",)

    def refuse_long(self, name, value, limit):
        if name != "software_id":
            super().refuse_long(name, value, limit)


class KeepsAThousandMembers(Server):
    """Stores what it does not know if there is only enough of it."""

    policy = "mcp"
    trips = ("test_a_thousand_unknown_members_are_not_stored",)

    def check_member_count(self, document):
        pass

    def accept(self, document):
        return {**(document if len(document) > self.rules.members else {}), **super().accept(document)}


# -- strings


class CrashesOnSurrogates(Server):
    """Accepts half a surrogate pair and cannot write it back."""

    trips = ("test_strange_text_does_not_break_the_server", "test_no_metadata_breaks_the_server")

    def check_surrogates(self, document):
        pass


class CrashesOnNul(Server):
    """Hands text with NUL to a store that refuses it."""

    trips = ("test_strange_text_does_not_break_the_server", "test_no_metadata_breaks_the_server")

    def refuse_control_characters(self, name, value):
        if "\x00" in value:
            raise RuntimeError("invalid byte sequence")
        super().refuse_control_characters(name, value)


class CrashesOnOddNames(Server):
    """Looks member names up in a way that fails for control characters."""

    trips = ("test_strange_member_names_do_not_break_the_server", "test_no_metadata_breaks_the_server")

    def check_unknown_members(self, document):
        if any(name != name.replace("\x00", "") for name in document):
            raise KeyError("no such column")
        super().check_unknown_members(document)


class ReadsBackDecomposed(Server):
    """Stores names in another normalisation form than it answers."""

    trips = ("test_strange_text_is_read_back_as_it_was_registered", "test_what_is_answered_is_what_is_stored")

    def read(self, client):
        if "client_name" in client.metadata:
            client.metadata["client_name"] = unicodedata.normalize("NFD", client.metadata["client_name"])
        return super().read(client)


class NormalisesRedirectUris(Server):
    """Compares redirect URIs after decoding and normalising them."""

    trips = ("test_an_equivalent_spelling_is_not_accepted",
             "test_redirect_uris_that_only_normalise_alike_do_not_match")

    def redirect_uri_matches(self, requested, registered):
        return (unicodedata.normalize("NFC", unquote(requested)) == unicodedata.normalize("NFC", unquote(registered))
                or super().redirect_uri_matches(requested, registered))


def set_header(answer, name, text):
    """What becomes of a header on the wire where nobody looks for line breaks in it (uvicorn does)."""
    for line in f"{name}: {text}".split("\r\n"):
        name, colon, value = line.partition(":")
        if colon and re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            answer.raw_headers.append((name.lower().encode(), re.sub(r"[^ -~]", "?", value).strip().encode()))


class NamesTheNameInAHeader(Server):
    """Repeats a refused name in a header of the answer."""

    trips = ("test_line_breaks_in_metadata_reach_no_header",)

    def check_name(self, name):
        self.name = name
        super().check_name(name)

    def error_answer(self, refusal):
        answer = super().error_answer(refusal)
        if refusal.description.startswith("client_name"):
            set_header(answer, "x-refused", self.name)
        return answer


class RepeatsTheStateInAHeader(Server):
    """Repeats the state of an authorization request in a header of the answer."""

    trips = ("test_line_breaks_in_parameters_reach_no_header",)

    def open_transaction(self, client, redirect_uri, parameters, resources, session):
        self.state = parameters.get("state", "")
        return super().open_transaction(client, redirect_uri, parameters, resources, session)

    def next_step(self, client, transaction, session):
        answer = super().next_step(client, transaction, session)
        set_header(answer, "x-state", self.state)
        return answer


class DecodesDestinations(Server):
    """Registers redirect URIs with encoded line breaks and decodes them on the way out."""

    trips = ("test_encoded_line_breaks_in_a_redirect_uri_stay_encoded",)

    def is_free_of_encoded_controls(self, uri):
        return True

    def see_other(self, location):
        answer = super().see_other(location)
        del answer.headers["location"]
        set_header(answer, "location", location.replace("%0d%0a", "\r\n").replace("%20", " "))
        return answer


class CalculatesNames(Server):
    """Renders the name as a template."""

    trips = ("test_metadata_is_never_interpreted",)

    def accept_client_name(self, name, value):
        text = super().accept_client_name(name, value)
        return text and re.sub(r"\{\{(\d+)\*(\d+)\}\}", lambda found: str(int(found[1]) * int(found[2])), text)


class QueriesByText(Server):
    """Puts the client_id of an authorization request into a query as it is."""

    trips = ("test_a_client_id_is_never_interpreted", "test_no_authorization_request_breaks_the_server")

    def authorizing_client(self, parameters):
        if "'" in parameters.get("client_id", ""):
            raise RuntimeError("unterminated string")
        return super().authorizing_client(parameters)


# -- routes


class GuardsOneSpelling(Server):
    """Applies its rules for redirect URIs at /register and not at /register/."""

    trips = ("test_another_spelling_of_the_path_follows_the_same_rules",)

    def routes(self):
        return [*super().routes(), self.public(f"{self.issuer_path}/register/", self.register, "POST")]

    def authorize_registration(self, request):
        self.careless = request.url.path.endswith("/")
        super().authorize_registration(request)

    def redirect_fault(self, text):
        return "" if self.careless else super().redirect_fault(text)


class TakesGetForPost(Server):
    """Registers for a GET that calls itself a POST."""

    trips = ("test_an_overridden_method_registers_nothing",)

    def routes(self):
        return [self.public(f"{self.issuer_path}/register", self.overridden, "GET"), *super().routes()]

    async def overridden(self, request):
        if request.headers.get("x-http-method-override") == "POST":
            return await self.register(request)
        self.refuse_metadata("register by POST")


class CrashesOnMethods(Server):
    """Falls over methods that it has never heard of."""

    trips = ("test_an_unexpected_method_is_an_ordinary_error",)

    async def not_served(self, request, fault):
        if request.method not in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            return self.crash_answer(RuntimeError(request.method))
        return await super().not_served(request, fault)


class CrashesOnBrokenAddresses(Server):
    """Falls over the identifier of a client that is no text."""

    trips = ("test_a_broken_client_address_is_an_ordinary_error",)

    async def manage(self, request):
        if "\x00" in request.path_params["client_id"]:
            raise RuntimeError("invalid byte sequence")
        return await super().manage(request)


class CrashesOnBrokenUpdates(Server):
    """Reads the body of an update without care."""

    trips = ("test_a_broken_update_is_refused_and_changes_nothing",)

    async def manage(self, request):
        if request.method == "PUT":
            json.loads((await request.body()).decode()).get("client_id")
        return await super().manage(request)


class CrashesOnBrokenQueries(Server):
    """Lets errors of decoding parameters through."""

    trips = ("test_a_broken_authorization_request_is_an_ordinary_error",
             "test_a_broken_token_request_is_an_ordinary_error", "test_no_authorization_request_breaks_the_server")

    def parameters(self, encoded):
        parse_qsl(encoded.decode("ascii"), errors="strict")
        return super().parameters(encoded)


# -- markup


class WritesItsPagesByHand(Server):
    """Puts the client_id that it does not know into a page as it came."""

    trips = ("test_parameters_do_not_come_back_as_markup",)

    def authorizing_client(self, parameters):
        self.stranger = parameters.get("client_id", "")
        return super().authorizing_client(parameters)

    def error_page(self, refusal):
        if refusal.error != "invalid_client":
            return super().error_page(refusal)
        return Response(f"<p>Not known: {self.stranger}", refusal.status, media_type="text/html")


class ExplainsTheQueryInAPage(Server):
    """Answers a browser whose request it cannot read with a page that has the query in it."""

    trips = ("test_a_query_does_not_come_back_as_markup",)

    async def register(self, request):
        if request.query_params and "text/html" in request.headers.get("accept", ""):
            return Response(f"<p>Not understood: {dict(request.query_params)}", 400, media_type="text/html")
        return await super().register(request)


class ExplainsGrantsInAPage(Server):
    """Names an unknown grant in a page, where a browser asks for tokens."""

    trips = ("test_a_token_error_does_not_come_back_as_markup",)

    async def read_form(self, request):
        self.form = await super().read_form(request)
        return self.form

    async def token(self, request):
        try:
            return await super().token(request)
        except Refusal:
            if "text/html" not in request.headers.get("accept", ""):
                raise
            return Response(f"<p>Not understood: {self.form}", 400, media_type="text/html")


class ExplainsPathsInAPage(Server):
    """Names the client that a browser asks for in a page."""

    trips = ("test_a_path_does_not_come_back_as_markup",)

    async def manage(self, request):
        client_id = request.path_params["client_id"]
        if "text/html" in request.headers.get("accept", "") and client_id not in self.store.clients:
            return Response(f"<p>No such client: {client_id}", 401, media_type="text/html",
                            headers={"WWW-Authenticate": self.challenge("invalid_token")})
        return await super().manage(request)


# -- more interpreters, more sizes


class UndoesEscapes(Server):
    """Reads a doubled quote in a name as one."""

    trips = ("test_an_escape_in_metadata_is_not_undone",)

    def accept_client_name(self, name, value):
        text = super().accept_client_name(name, value)
        return text and text.replace("''", "'")


class QueriesForWebFinger(Server):
    """Answers WebFinger, and puts the resource into a query as it is."""

    trips = ("test_a_name_that_is_looked_up_is_never_interpreted",)

    def discovery_routes(self, path):
        return [*super().discovery_routes(path), self.public("/.well-known/webfinger", self.webfinger, "GET")]

    async def webfinger(self, request):
        if "'" in request.query_params.get("resource", ""):
            raise RuntimeError("unterminated string")
        return self.json({"error": "not_found"}, status=404)


class FollowsFifteenHundredLevels(Server):
    """Falls over documents that are deeper than its stack."""

    trips = ("test_two_thousand_levels_are_answered_promptly", "test_bottomless_nesting_is_answered_promptly")

    def check_nesting(self, text):
        if text.count("[") + text.count("{") > 1500:
            raise RecursionError("maximum recursion depth exceeded")
        super().check_nesting(text)


class StoresEverything(Server):
    """Stores names, lists, key sets and addresses whatever their size."""

    policy = "mcp"
    trips = ("test_not_everything_is_stored_at_any_size", "test_the_size_of_every_member_is_limited",
             "test_a_name_is_limited_in_length")

    def __init__(self, rules=None, **how):
        super().__init__(rules, **how)
        self.rules = replace(self.rules, redirect_uri_count=100, uri_length=20_000, contact_count=200, key_count=400,
                             key_set_size=64_000, name_length=12_000)
