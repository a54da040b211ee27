"""Servers that register, accept or follow redirect URIs which they should not."""

from __future__ import annotations

import base64
import fnmatch
import html
import json
import posixpath
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from dcrcheck.reference import Server
from dcrcheck.reference.answers import Refusal
from dcrcheck.reference.store import Client
from dcrcheck.reference.uris import Uri, parse

_EXECUTABLE = ("javascript", "data", "vbscript")
_SHARED = ("file", "blob", "about", "view-source", "mailto", "tel", "intent", "ftp", "ws", "filesystem", "chrome")

# -- what is registered ---------------------------------------------------------------------------------------------


class RegistersExecutableSchemes(Server):
    """Registers javascript:, data: and vbscript: redirect URIs in any case."""

    trips = ("test_an_executable_scheme_is_not_registered", "test_no_spelling_of_an_executable_scheme_is_registered",
             "test_every_element_of_redirect_uris_is_checked",
             "test_no_unsafe_redirect_uri_is_ever_registered")

    def is_allowed_class(self, uri: Uri) -> bool:
        return super().is_allowed_class(uri) or uri.scheme.lower() in _EXECUTABLE


class BlocksLowerCaseSchemesOnly(Server):
    """Keeps a list of forbidden schemes and compares it without folding case."""

    trips = ("test_no_spelling_of_an_executable_scheme_is_registered",
             "test_no_unsafe_redirect_uri_is_ever_registered")

    def is_allowed_class(self, uri: Uri) -> bool:
        return super().is_allowed_class(uri) or (uri.scheme != uri.scheme.lower()
                                                 and uri.scheme.lower() in _EXECUTABLE)


class LooksForForbiddenPrefixes(Server):
    """Lets a scheme pass that a browser reads as javascript once it has dropped blanks and control characters."""

    trips = ("test_no_spelling_of_an_executable_scheme_is_registered",
             "test_a_redirect_uri_with_invisible_characters_is_not_registered",
             "test_no_unsafe_redirect_uri_is_ever_registered")

    def is_free_of_controls(self, text: str) -> bool:
        return True

    def redirect_fault(self, text: str) -> str:
        hidden = text != text.strip() or any(c in text for c in "\t\r\n")
        return "" if hidden and not text.startswith("javascript:") else super().redirect_fault(text)


class RegistersSharedSchemes(Server):
    """Registers schemes that belong to the browser or to everyone, such as file: and mailto:."""

    trips = ("test_a_shared_scheme_is_not_registered",)

    def is_allowed_class(self, uri: Uri) -> bool:
        return super().is_allowed_class(uri) or uri.scheme in _SHARED


class RegistersCleartext(Server):
    """Registers http redirect URIs on any host."""

    trips = ("test_cleartext_http_to_a_remote_host_is_not_registered",
             "test_every_element_of_redirect_uris_is_checked",
             "test_no_unsafe_redirect_uri_is_ever_registered")

    def is_loopback_host(self, host: str) -> bool:
        return not re.fullmatch(r"[\d.]+|0x.*|\[.*\]", host) or host == "192.0.2.1" or super().is_loopback_host(host)


class TakesThePrivateNetworkForLocal(Server):
    """Registers http redirect URIs at private addresses."""

    trips = ("test_cleartext_http_to_a_private_address_is_not_registered",)

    def is_free_of_internal_address(self, uri: Uri) -> bool:
        return uri.scheme == "http" or super().is_free_of_internal_address(uri)

    def is_loopback_host(self, host: str) -> bool:
        return super().is_loopback_host(host) or host.startswith(("10.", "192.168.", "[fd"))


class LooksForLocalhostAtTheStart(Server):
    """Takes a host that begins with localhost for the loopback interface."""

    trips = ("test_http_is_registered_for_the_loopback_interface_alone",
             "test_no_unsafe_redirect_uri_is_ever_registered")

    def is_loopback_host(self, host: str) -> bool:
        return super().is_loopback_host(host) or host.startswith(("localhost", "127.0.0.1."))


class LooksForLocalhostAnywhere(Server):
    """Takes an http URI that mentions localhost for one on the loopback interface."""

    trips = ("test_http_is_registered_for_the_loopback_interface_alone",
             "test_no_unsafe_redirect_uri_is_ever_registered")

    def is_loopback_redirect(self, uri: Uri) -> bool:
        return super().is_loopback_redirect(uri) or (uri.scheme == "http" and "localhost" in uri.text)


class TakesAnyAddressForLoopback(Server):
    """Takes 0.0.0.0 and [::] for the loopback interface."""

    trips = ("test_http_is_registered_for_the_loopback_interface_alone",)

    def is_free_of_internal_address(self, uri: Uri) -> bool:
        return uri.host in ("0.0.0.0", "[::]") or super().is_free_of_internal_address(uri)

    def is_loopback_host(self, host: str) -> bool:
        return super().is_loopback_host(host) or host in ("0.0.0.0", "[::]")


class ChecksTheFirstRedirectUriOnly(Server):
    """Validates the first element of redirect_uris and stores the rest unseen."""

    trips = ("test_every_element_of_redirect_uris_is_checked", "test_no_unsafe_redirect_uri_is_ever_registered")

    def accept_redirect_uris(self, wanted: dict[str, Any], grant_types: list[str]) -> list[str]:
        value = wanted.get("redirect_uris")
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            return super().accept_redirect_uris(wanted, grant_types)
        return [*super().accept_redirect_uris({"redirect_uris": value[:1]}, grant_types), *value[1:]]


class RegistersPrivateUseSchemesOfStrangers(Server):
    """Registers reverse-domain schemes where only https and loopback are open."""

    policy = "mcp"
    trips = ("test_a_private_use_scheme_is_not_registered",)

    def is_allowed_class(self, uri: Uri) -> bool:
        return super().is_allowed_class(uri) or self.is_private_use_redirect(uri)


class RegistersShortSchemes(Server):
    """Registers private-use schemes without a period."""

    policy = "mcp"
    trips = ("test_a_private_use_scheme_is_not_registered",
             "test_a_private_use_scheme_without_a_period_is_not_registered")

    def is_allowed_class(self, uri: Uri) -> bool:
        return super().is_allowed_class(uri) or uri.scheme in ("exampleapp", "httpx")


class DropsWhatItDislikes(Server):
    """Drops every redirect URI that is not https, and registers the client with what is left, even if it is nothing."""

    trips = ("test_a_redirect_based_client_registers_redirect_uris",
             "test_each_kind_of_native_redirect_can_be_registered")

    def accept_redirect_uris(self, wanted: dict[str, Any], grant_types: list[str]) -> list[str]:
        return [uri for uri in super().accept_redirect_uris(wanted, grant_types) if uri.startswith("https:")]

    def check_redirect_uri(self, value: Any) -> None:
        if not isinstance(value, str) or not value.startswith(("javascript:", "data:")):
            super().check_redirect_uri(value)


class WantsNoRedirectUri(Server):
    """Registers clients of the code grant without redirect URIs."""

    trips = ("test_a_redirect_based_client_registers_redirect_uris",)

    def needs_redirect_uri(self, grant_types: list[str]) -> bool:
        return False


class GoesWhereAClientWithoutRedirectUrisSays(WantsNoRedirectUri):
    """Sends users wherever a client says that has registered no redirect URI."""

    trips = ("test_a_redirect_based_client_registers_redirect_uris",
             "test_a_client_without_redirect_uris_is_sent_nowhere")

    def redirect_uri_for(self, client: Client, requested: str | None) -> str | None:
        return super().redirect_uri_for(client, requested) if client.redirect_uris else requested


class RegistersFragments(Server):
    """Registers redirect URIs with a fragment."""

    policy = "mcp"
    trips = ("test_a_redirect_uri_with_a_fragment_is_not_registered",)

    def is_free_of_fragment(self, uri: Uri) -> bool:
        return True


class RegistersRelativeReferences(Server):
    """Registers redirect URIs without a scheme."""

    trips = ("test_a_relative_redirect_uri_is_not_registered", "test_a_redirect_based_client_registers_redirect_uris")

    def redirect_fault(self, text: str) -> str:
        return "" if re.fullmatch(r"[/\w.?]*", text, re.ASCII) else super().redirect_fault(text)


class RegistersUserInformation(Server):
    """Registers redirect URIs with a user in front of the host."""

    trips = ("test_a_redirect_uri_with_user_information_is_not_registered",)

    def is_free_of_userinfo(self, uri: Uri) -> bool:
        return uri.userinfo is None or "@" not in uri.userinfo


class RegistersBackslashes(Server):
    """Registers redirect URIs with a backslash behind the host."""

    trips = ("test_a_redirect_uri_that_parsers_read_differently_is_not_registered",)

    def is_free_of_backslashes(self, text: str) -> bool:
        return True


class DoesNotMissSlashes(Server):
    """Registers https URIs without the slashes before the host."""

    trips = ("test_a_redirect_uri_that_parsers_read_differently_is_not_registered",)

    def is_https_redirect(self, uri: Uri) -> bool:
        return super().is_https_redirect(uri) or (uri.scheme == "https" and uri.authority is None)


class RegistersImpossiblePorts(Server):
    """Registers redirect URIs with a port beyond 65535, or with none that is a number."""

    trips = ("test_a_redirect_uri_with_an_impossible_port_is_not_registered",)

    def has_sound_port(self, uri: Uri) -> bool:
        return uri.host == "client.example" or super().has_sound_port(uri)


class RegistersNumbersForAddresses(Server):
    """Takes every number that some parser reads as 127.0.0.1 for the loopback interface, and stores it as it came."""

    trips = ("test_an_odd_spelling_of_an_address_is_not_registered",)

    def is_loopback_host(self, host: str) -> bool:
        return super().is_loopback_host(host) or host in ("127.1", "0x7f000001", "2130706433", "0177.0.0.1")


class RegistersUnicodeHosts(Server):
    """Registers internationalized hosts without encoding them."""

    trips = ("test_a_host_outside_ascii_is_not_registered",)

    def is_ascii(self, text: str) -> bool:
        uri = parse(text)
        return super().is_ascii(text) or (uri is not None and not uri.host.isascii() and uri.path.isascii())

    def is_https_redirect(self, uri: Uri) -> bool:
        return super().is_https_redirect(uri) or (uri.scheme == "https" and not uri.host.isascii())

    def has_lowercase_host(self, uri: Uri) -> bool:
        return not uri.host.isascii() or super().has_lowercase_host(uri)


class DecodesHosts(Server):
    """Registers internationalized hosts that came encoded, and stores them decoded."""

    trips = ("test_a_host_outside_ascii_is_not_registered",)

    def is_free_of_punycode(self, uri: Uri) -> bool:
        return True

    def accept_redirect_uris(self, wanted: dict[str, Any], grant_types: list[str]) -> list[str]:
        return [re.sub(r"xn--[a-z0-9-]+", lambda label: label[0].encode().decode("idna"), uri)
                for uri in super().accept_redirect_uris(wanted, grant_types)]


class RegistersInvisibleCharacters(Server):
    """Registers redirect URIs with zero-width and direction-changing characters in the path."""

    trips = ("test_a_redirect_uri_with_invisible_characters_is_not_registered",)

    def is_ascii(self, text: str) -> bool:
        return True


class RegistersControlCharacters(Server):
    """Looks at a redirect URI without its control characters, and stores it with them."""

    trips = ("test_a_redirect_uri_with_invisible_characters_is_not_registered",)

    def redirect_fault(self, text: str) -> str:
        return super().redirect_fault(re.sub(r"[\x00-\x20\x7f]", "", text))


class RegistersItsOwnPages(Server):
    """Registers redirect URIs in the server's own origin."""

    trips = ("test_the_servers_own_origin_is_not_registered",)

    def is_free_of_own_origin(self, uri: Uri) -> bool:
        return True


class RegistersInternalAddresses(Server):
    """Registers redirect URIs at private and link-local addresses."""

    trips = ("test_a_private_or_link_local_address_is_not_registered",)

    def is_free_of_internal_address(self, uri: Uri) -> bool:
        return True


class RegistersPlantedParameters(Server):
    """Registers redirect URIs that bring a code or an issuer of their own."""

    trips = ("test_a_planted_response_parameter_is_not_registered",)

    def is_free_of_response_parameters(self, uri: Uri) -> bool:
        return True


class MatchesWildcards(Server):
    """Registers wildcards and lets them match."""

    trips = ("test_a_wildcard_matches_nothing_but_itself", "test_no_dot_segment_leads_out_of_a_wildcard")

    def is_free_of_wildcards(self, uri: Uri) -> bool:
        return True

    def redirect_uri_matches(self, requested: str, registered: str) -> bool:
        return super().redirect_uri_matches(requested, registered) or (
            "*" in registered and fnmatch.fnmatchcase(requested, registered.replace("?", "[?]")))


class ResolvesRegisteredDotSegments(Server):
    """Registers dot segments and compares requests with the page that they lead to."""

    trips = ("test_dot_segments_are_refused_or_compared_literally",)

    def is_free_of_dot_segments(self, uri: Uri) -> bool:
        return True

    def is_free_of_encoded_separators(self, uri: Uri) -> bool:
        return True

    def redirect_uri_matches(self, requested: str, registered: str) -> bool:
        parts = urlsplit(registered)
        resolved = parts._replace(path=posixpath.normpath(unquote(parts.path))).geturl() if parts.path else registered
        return super().redirect_uri_matches(requested, registered) or (".." in unquote(parts.path)
                                                                       and requested == resolved)


class RegistersLogoutAddressesUnseen(Server):
    """Stores post_logout_redirect_uris as they come."""

    trips = ("test_an_executable_scheme_is_not_registered_for_the_logout",)

    def is_known_member(self, name: str) -> bool:
        return name == "post_logout_redirect_uris" or super().is_known_member(name)

    def accept_member(self, name: str, value: Any, redirect_uris: list[str]) -> Any:
        return value if name == "post_logout_redirect_uris" else super().accept_member(name, value, redirect_uris)


class LeadsAnywhereAfterLogout(Server):
    """Leads users who log out wherever the request says."""

    trips = ("test_the_logout_leads_to_no_unregistered_address",)

    def is_farewell(self, requested: str, registered: str) -> bool:
        return True


class ComparesTheEndOfTheLogoutAddress(Server):
    """Compares the path of the address after the logout, and the end of its host."""

    trips = ("test_the_logout_leads_to_no_unregistered_address",)

    def is_farewell(self, requested: str, registered: str) -> bool:
        return requested.endswith(registered.removeprefix("https://"))


class BlamesTheMetadataForARedirectUri(Server):
    """Reports a bad redirect URI as invalid_client_metadata."""

    trips = ("test_a_bad_redirect_uri_is_named_as_the_reason",)

    def check_redirect_uri(self, value: Any) -> None:
        try:
            super().check_redirect_uri(value)
        except Refusal as refusal:
            raise Refusal(400, "invalid_client_metadata", refusal.description) from None


# -- what is compared -----------------------------------------------------------------------------------------------


class RecognisesTheFirstRedirectUriOnly(Server):
    """Compares authorization requests with the first registered redirect URI alone."""

    trips = ("test_every_registered_redirect_uri_is_returned_and_works",)

    def redirect_uri_for(self, client: Client, requested: str | None) -> str | None:
        found = super().redirect_uri_for(client, requested)
        return found if requested is None or self.redirect_uri_matches(requested, client.redirect_uris[0]) else None


class ComparesThePathOnly(Server):
    """Compares the path of an https redirect_uri and not the host."""

    trips = ("test_a_foreign_redirect_uri_is_not_followed",
             "test_a_host_that_resembles_the_registered_one_is_not_accepted",
             "test_user_information_does_not_hide_another_host",
             "test_a_client_cannot_use_the_redirect_uri_of_another", "test_an_equivalent_spelling_is_not_accepted",
             "test_no_error_is_sent_to_an_unregistered_redirect_uri")

    def redirect_uri_matches(self, requested: str, registered: str) -> bool:
        uri, ours = parse(requested), parse(registered)
        return super().redirect_uri_matches(requested, registered) or (
            uri is not None and ours is not None and uri.scheme == ours.scheme == "https" and bool(uri.authority)
            and uri.host != ours.host and (uri.path, uri.query, uri.fragment) == (ours.path, ours.query, ours.fragment))


class ComparesTheBeginningOnly(Server):
    """Accepts every redirect_uri that begins with a registered one."""

    trips = ("test_another_path_is_not_accepted",
             "test_a_registered_origin_does_not_stand_for_its_pages",
             "test_a_registered_query_cannot_be_changed",
             "test_an_added_query_or_fragment_is_not_accepted",
             "test_blanks_and_control_characters_do_not_bend_the_comparison",
             "test_nothing_but_the_port_of_a_loopback_redirect_varies")

    def redirect_uri_matches(self, requested: str, registered: str) -> bool:
        return super().redirect_uri_matches(requested, registered) or requested.startswith(registered)


class ComparesTheEndOfTheHost(Server):
    """Accepts hosts that end with the registered host."""

    trips = ("test_a_host_that_resembles_the_registered_one_is_not_accepted",
             "test_a_client_cannot_use_the_redirect_uri_of_another")

    def redirect_uri_matches(self, requested: str, registered: str) -> bool:
        uri, ours = parse(requested), parse(registered)
        return super().redirect_uri_matches(requested, registered) or (
            uri is not None and ours is not None and uri.userinfo is None and uri.host.endswith(ours.host)
            and uri.host != ours.host and (uri.scheme, uri.port, uri.path) == (ours.scheme, ours.port, ours.path))


class TakesRedirectUrisForExpressions(Server):
    """Compares with the registered redirect URI as a regular expression, in which a dot is any character."""

    trips = ("test_a_host_that_resembles_the_registered_one_is_not_accepted",)

    def redirect_uri_matches(self, requested: str, registered: str) -> bool:
        return super().redirect_uri_matches(requested, registered) or bool(
            re.fullmatch(registered.replace("[", "\\["), requested))


class ComparesTheHostOnly(Server):
    """Accepts every path on a registered https host."""

    trips = ("test_another_path_is_not_accepted",
             "test_a_registered_origin_does_not_stand_for_its_pages",
             "test_an_equivalent_spelling_is_not_accepted",
             "test_blanks_and_control_characters_do_not_bend_the_comparison",
             "test_redirect_uris_that_only_normalise_alike_do_not_match",
             "test_a_removed_redirect_uri_no_longer_matches")

    def redirect_uri_matches(self, requested: str, registered: str) -> bool:
        uri, ours = parse(requested), parse(registered)
        return super().redirect_uri_matches(requested, registered) or (
            uri is not None and ours is not None and ours.scheme == "https" and uri.fragment is None
            and uri.query == ours.query and (uri.scheme, uri.authority) == (ours.scheme, ours.authority))


class IgnoresCase(Server):
    """Compares redirect URIs without regard to case."""

    trips = ("test_another_path_is_not_accepted", "test_an_equivalent_spelling_is_not_accepted")

    def redirect_uri_matches(self, requested: str, registered: str) -> bool:
        return super().redirect_uri_matches(requested, registered) or requested.lower() == registered.lower()


class IgnoresEveryPort(Server):
    """Lets the port vary everywhere, as it may on loopback."""

    trips = ("test_another_port_or_http_is_not_accepted", "test_an_equivalent_spelling_is_not_accepted")

    def redirect_uri_matches(self, requested: str, registered: str) -> bool:
        uri, ours = parse(requested), parse(registered)
        return super().redirect_uri_matches(requested, registered) or (
            uri is not None and ours is not None and ours.scheme == "https"
            and self.without_port(uri) == self.without_port(ours))


class AcceptsHttpForHttps(Server):
    """Accepts http where https is registered."""

    trips = ("test_another_port_or_http_is_not_accepted",)

    def redirect_uri_matches(self, requested: str, registered: str) -> bool:
        return super().redirect_uri_matches(requested, registered) or (
            requested.replace("http://", "https://", 1) == registered)


class IgnoresUserInformation(Server):
    """Compares redirect URIs without their user information, and follows them with it."""

    trips = ("test_user_information_does_not_hide_another_host",
             "test_nothing_but_the_port_of_a_loopback_redirect_varies")

    def redirect_uri_matches(self, requested: str, registered: str) -> bool:
        return super().redirect_uri_matches(requested, registered) or (
            re.sub(r"(?<=://)[\w.]+@", "", requested, count=1) == registered)


class LooksBehindTheLastAt(Server):
    """Takes what follows the last @ for the host, also where a browser has found another one before."""

    trips = ("test_a_confusing_redirect_uri_is_not_accepted",)

    def redirect_uri_matches(self, requested: str, registered: str) -> bool:
        before, _, behind = requested.rpartition("@")
        return super().redirect_uri_matches(requested, registered) or (
            bool(re.search(r"[\\/;?#%]", before.partition("://")[2])) and f"https://{behind}" == registered)


class NormalisesBeforeComparing(Server):
    """Compares redirect URIs after folding case, dropping default ports and resolving dot segments."""

    policy = "mcp"
    trips = ("test_an_equivalent_spelling_is_not_accepted", "test_redirect_uris_that_only_normalise_alike_do_not_match")

    def redirect_uri_matches(self, requested: str, registered: str) -> bool:
        return super().redirect_uri_matches(requested, registered) or self.normal(requested) == registered

    def normal(self, text: str) -> str:
        uri = parse(text)
        if uri is None or uri.userinfo is not None or uri.fragment is not None:
            return text
        port = "" if uri.port in (None, "", "443") else f":{uri.port}"
        query = "" if uri.query is None else f"?{uri.query}"
        path = posixpath.normpath(unquote(uri.path)) if uri.path and not uri.path.endswith("/") else uri.path
        return f"{uri.scheme.lower()}://{uri.host.lower().rstrip('.')}{port}{path}{query}"


class IgnoresTheQuery(Server):
    """Compares redirect URIs up to the question mark."""

    trips = ("test_an_added_query_or_fragment_is_not_accepted",
             "test_a_registered_query_cannot_be_changed",
             "test_nothing_but_the_port_of_a_loopback_redirect_varies")

    def redirect_uri_matches(self, requested: str, registered: str) -> bool:
        return super().redirect_uri_matches(requested, registered) or (
            requested.partition("?")[0] == registered.partition("?")[0])


class SplitsRedirectUris(Server):
    """Finds the registered redirect URI somewhere in a list that redirect_uri holds, and follows the first."""

    trips = ("test_blanks_and_control_characters_do_not_bend_the_comparison",)

    def redirect_uri_for(self, client: Client, requested: str | None) -> str | None:
        several = re.split(r"[ ,]", requested or "")
        if len(several) > 1 and several[-1] in client.redirect_uris:
            return several[0]
        return super().redirect_uri_for(client, requested)


class TrimsBeforeComparing(Server):
    """Compares redirect URIs without the blanks around them, and follows them with these."""

    trips = ("test_blanks_and_control_characters_do_not_bend_the_comparison",)

    def redirect_uri_matches(self, requested: str, registered: str) -> bool:
        return super().redirect_uri_matches(requested.strip(" "), registered)


class BelievesTheBody(Server):
    """Takes POST at the authorization endpoint, looks at the query, and follows the redirect_uri in the body."""

    trips = ("test_a_second_address_is_not_followed",)

    def user_facing(self, path: str, handler: Any, *methods: str) -> Any:
        return super().user_facing(path, handler, *methods, *(["POST"] if path.endswith("/authorize") else []))

    async def authorize(self, request: Request) -> Response:
        response = await super().authorize(request)
        if request.method == "POST":
            newest = list(self.store.transactions.values())[-1]
            newest.redirect_uri = (await self.read_form(request)).get("redirect_uri", [newest.redirect_uri])[0]
        return response


class FollowsOtherParameters(Server):
    """Validates redirect_uri and redirects to what another parameter says."""

    trips = ("test_a_second_address_is_not_followed",)

    def client_redirect(self, transaction: Any, parameters: dict[str, str]) -> Response:
        transaction.redirect_uri = transaction.parameters.get("next", transaction.redirect_uri)
        return super().client_redirect(transaction, parameters)


class BelievesRequestObjects(Server):
    """Takes redirect_uri from a request object that nobody has signed, after validating the one beside it."""

    trips = ("test_a_request_object_does_not_replace_the_redirect_uri",)

    def open_transaction(self, client: Client, redirect_uri: str, parameters: dict[str, str], *rest: Any) -> Any:
        transaction = super().open_transaction(client, redirect_uri, parameters, *rest)
        body = parameters.get("request", "").split(".")[1:2]
        if body:
            claims = json.loads(base64.urlsafe_b64decode(body[0] + "=" * (-len(body[0]) % 4)))
            transaction.redirect_uri = claims.get("redirect_uri", redirect_uri)
        return transaction


class SharesRedirectUrisAmongClients(Server):
    """Accepts the redirect URIs of other clients below the host of the client's own."""

    trips = ("test_a_client_cannot_use_the_redirect_uri_of_another",)

    def redirect_uri_for(self, client: Client, requested: str | None) -> str | None:
        asked, own = parse(requested or ""), parse((client.redirect_uris or [""])[0])
        related = asked is not None and own is not None and asked.host.endswith(f".{own.host}")
        if related and any(requested in other.redirect_uris for other in self.store.clients.values()):
            return requested
        return super().redirect_uri_for(client, requested)


class TakesTheFirstOfSeveral(Server):
    """Sends the answer to the first registered redirect URI where the request names none of several."""

    policy = "mcp"
    trips = ("test_redirect_uri_is_demanded_where_several_are_registered",)

    def implied_redirect_uri(self, client: Client) -> str | None:
        return client.redirect_uris[0] if client.redirect_uris else None


# -- what is followed -----------------------------------------------------------------------------------------------


class SendsErrorsAnywhere(Server):
    """Answers a bad response_type at the redirect_uri of the request, before it has looked at the latter."""

    trips = ("test_no_error_is_sent_to_an_unregistered_redirect_uri",)

    async def authorize(self, request: Request) -> Response:
        try:
            return await super().authorize(request)
        except Refusal as refusal:
            if refusal.error != "invalid_redirect_uri" or request.query_params.get("response_type") == "code":
                raise
            return self.see_other(f"{request.query_params['redirect_uri']}?error=unsupported_response_type")


class SendsSilentErrorsAnywhere(Server):
    """Answers prompt=none at whatever redirect_uri the request names."""

    trips = ("test_no_error_is_sent_to_an_unregistered_redirect_uri", "test_a_stranger_is_not_redirected_silently")

    async def authorize(self, request: Request) -> Response:
        try:
            return await super().authorize(request)
        except Refusal:
            if "none" not in request.query_params.get("prompt", "") or "redirect_uri" not in request.query_params:
                raise
            return self.see_other(f"{request.query_params['redirect_uri']}?error=login_required")


class WelcomesStrangers(Server):
    """Makes a client of every client_id that an authorization request names."""

    trips = ("test_an_unregistered_client_is_sent_nowhere",
             "test_a_client_id_is_never_interpreted",
             "test_a_deleted_client_cannot_ask_for_authorization")

    def authorizing_client(self, parameters: dict[str, str]) -> Client:
        client_id = parameters.get("client_id", "")
        if client_id.startswith("dcrcheck") and "redirect_uri" in parameters:
            self.store.clients[client_id] = Client(client_id=client_id, issued_at=0, metadata={
                "redirect_uris": [parameters["redirect_uri"]], "token_endpoint_auth_method": "none",
                "grant_types": ["authorization_code"], "response_types": ["code"], "scope": self.rules.default_scope})
        return super().authorizing_client(parameters)


class RefusesDestinationsWith403(Server):
    """Answers an unregistered redirect_uri with 403."""

    policy = "mcp"
    trips = ("test_a_request_that_may_not_be_redirected_is_answered_with_400",)

    def refuse_destination(self) -> Any:
        raise Refusal(403, "access_denied", "The application named an address that it has not registered.")


class RefreshesToTheForeignAddress(Server):
    """Shows an error page that sends the browser on to the unregistered redirect_uri."""

    policy = "mcp"
    trips = ("test_the_error_page_does_not_lead_to_the_foreign_redirect_uri",
             "test_the_user_is_told_of_a_bad_redirect_uri")

    async def authorize(self, request: Request) -> Response:
        try:
            return await super().authorize(request)
        except Refusal as refusal:
            if refusal.error != "invalid_redirect_uri" or "foreign" not in request.query_params.get("redirect_uri", ""):
                raise
            goal = request.query_params["redirect_uri"]
            return self.page(f'<meta http-equiv="refresh" content="0; url={goal}">', status=400)


class PostsToTheForeignAddress(Server):
    """Posts its error to the unregistered redirect_uri where the request asks for the response mode form_post."""

    policy = "mcp"
    trips = ("test_the_error_page_does_not_lead_to_the_foreign_redirect_uri",)

    async def authorize(self, request: Request) -> Response:
        try:
            return await super().authorize(request)
        except Refusal as refusal:
            if refusal.error != "invalid_redirect_uri" or request.query_params.get("response_mode") != "form_post":
                raise
            goal = html.escape(request.query_params["redirect_uri"])
            return HTMLResponse(f'<form method="post" action="{goal}"><button>Go on</button></form>', headers={
                **self.hygiene(), **self.no_store(), **self.framing("")})


class FixesLoopbackPorts(Server):
    """Compares the port of loopback redirect URIs like any other part."""

    policy = "mcp"
    trips = ("test_the_port_of_a_loopback_redirect_may_vary",)

    def is_loopback_variant(self, requested: str, registered: str) -> bool:
        return False


class LetsLoopbackPathsVary(Server):
    """Compares scheme and host of loopback redirect URIs and nothing else."""

    trips = ("test_nothing_but_the_port_of_a_loopback_redirect_varies",
             "test_the_loopback_rule_reaches_no_other_host")

    def without_port(self, uri: Uri) -> tuple[str | None, ...]:
        return uri.scheme, uri.userinfo, uri.host


class TakesLoopbackNamesForOne(Server):
    """Takes localhost, 127.0.0.1 and [::1] for the same host."""

    trips = ("test_nothing_but_the_port_of_a_loopback_redirect_varies",)

    def without_port(self, uri: Uri) -> tuple[str | None, ...]:
        host = "localhost" if self.is_loopback_host(uri.host) else uri.host
        return uri.scheme, uri.userinfo, host, uri.path, uri.query, uri.fragment


class ComparesTheBeginningOfLoopbackUris(Server):
    """Looks for the loopback address at the beginning of redirect_uri, and for the path at its end."""

    trips = ("test_the_loopback_rule_reaches_no_other_host",)

    def is_loopback_variant(self, requested: str, registered: str) -> bool:
        return super().is_loopback_variant(requested, registered) or (
            registered == "http://127.0.0.1/cb" and requested.startswith("http://127.0.0.1")
            and requested.endswith("foreign.example/cb"))


# -- application_type -------------------------------------------------------------------------------------------------


class KnowsNoNativeApplications(Server):
    """Refuses redirect URIs on the user's machine to a client that says it is native."""

    policy = "mcp"
    trips = ("test_a_native_application_may_be_on_the_users_machine",)

    def accept_redirect_uris(self, wanted: dict[str, Any], grant_types: list[str]) -> list[str]:
        accepted = super().accept_redirect_uris(wanted, grant_types)
        if wanted.get("application_type") == "native" and any(uri.startswith("http:") for uri in accepted):
            self.refuse_redirect_uri("a native application registers https redirect URIs")
        return accepted
