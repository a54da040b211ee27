"""Servers whose PKCE is a decoration, and servers that send the browser or the answer astray."""

import base64
import html

from starlette.responses import Response

from dcrcheck.reference import Server
from dcrcheck.reference.answers import Refusal
from dcrcheck.reference.authorization import AuthorizationError


class HashesTheVerifierDifferently(Server):
    """Compares the challenge with the hexadecimal hash of the verifier."""

    policy = "mcp"
    trips = ("test_the_right_verifier_redeems_the_code",)

    def derived_challenge(self, code, verifier):
        return super().derived_challenge(code, verifier).lower()


class IgnoresTheVerifier(Server):
    """Redeems codes without looking at code_verifier."""

    trips = ("test_a_challenged_code_needs_its_verifier", "test_a_challenge_belongs_to_one_code")

    def is_verified(self, code, verifier):
        return True


class VerifiesOnlyWhatIsSent(Server):
    """Checks code_verifier where there is one, and redeems the code where there is none."""

    trips = ("test_a_challenged_code_needs_its_verifier",)

    def is_verified(self, code, verifier):
        return not verifier or super().is_verified(code, verifier)


class TakesTheChallengeForTheVerifier(Server):
    """Accepts the challenge itself as code_verifier."""

    trips = ("test_a_challenged_code_needs_its_verifier",)

    def is_verified(self, code, verifier):
        return verifier == code.challenge or super().is_verified(code, verifier)


class LosesTrackOfChallenges(Server):
    """Accepts the verifier of any code that it issued to the client."""

    trips = ("test_a_challenge_belongs_to_one_code",)

    def is_verified(self, code, verifier):
        codes = [other for other in self.store.codes.values() if other.client_id == code.client_id]
        return any(super(LosesTrackOfChallenges, self).is_verified(other, verifier) for other in codes)


class CallsABadVerifierABadRequest(Server):
    """Answers a wrong verifier with invalid_request."""

    policy = "mcp"
    trips = ("test_a_wrong_verifier_is_an_invalid_grant",)

    def check_redemption(self, code, form):
        if not self.is_verified(code, form.get("code_verifier", [""])[0]):
            self.refuse_metadata("code_verifier is missing or wrong")
        super().check_redemption(code, form)


class LeavesPkceToTheClient(Server):
    """Issues and redeems codes without PKCE where the client does not use it."""

    policy = "mcp"
    trips = ("test_without_a_challenge_there_are_no_tokens", "test_a_native_client_needs_a_challenge")

    def is_challenge_required(self, client):
        return False

    def is_verified(self, code, verifier):
        return not verifier if not code.challenge else super().is_verified(code, verifier)


class IgnoresAStrippedChallenge(Server):
    """Lets a verifier pass unchecked where the authorization request had no challenge."""

    policy = "mcp"
    trips = ("test_pkce_cannot_be_downgraded", "test_a_native_client_needs_a_challenge")

    def is_challenge_required(self, client):
        return False

    def is_verified(self, code, verifier):
        return bool(verifier) if not code.challenge else super().is_verified(code, verifier)


class StillTakesPlain(Server):
    """Accepts the method plain, and takes a missing method for it, though it does not publish it."""

    policy = "mcp"
    trips = ("test_a_plain_challenge_yields_no_tokens",)

    def check_code_challenge(self, client, parameters):
        if "code_challenge" not in parameters or self.requested_challenge_method(parameters) != "plain":
            super().check_code_challenge(client, parameters)

    def derived_challenge(self, code, verifier):
        return verifier if code.challenge_method == "plain" else super().derived_challenge(code, verifier)


class TakesUnknownMethodsForPlain(Server):
    """Treats a code challenge method that it does not know as plain."""

    policy = "mcp"
    trips = ("test_a_plain_challenge_yields_no_tokens", "test_an_unsupported_method_is_an_invalid_request")

    def check_code_challenge(self, client, parameters):
        if "code_challenge" not in parameters or self.requested_challenge_method(parameters) in ("plain", "S256"):
            super().check_code_challenge(client, parameters)

    def derived_challenge(self, code, verifier):
        return super().derived_challenge(code, verifier) if code.challenge_method == "S256" else verifier


class DeniesAccessWithoutAChallenge(Server):
    """Answers a request without a code challenge with access_denied."""

    policy = "mcp"
    trips = ("test_a_missing_challenge_is_an_invalid_request",)

    def error_redirect(self, transaction, error, description):
        missing = error == "invalid_request" and "code_challenge" not in transaction.parameters
        return super().error_redirect(transaction, "access_denied" if missing else error, description)


class DeniesAccessForUnknownMethods(Server):
    """Answers a code challenge method that it does not support with access_denied."""

    policy = "mcp"
    trips = ("test_an_unsupported_method_is_an_invalid_request",)

    def error_redirect(self, transaction, error, description):
        unknown = transaction.parameters.get("code_challenge_method", "S256") != "S256"
        return super().error_redirect(transaction, "access_denied" if unknown else error, description)


class RevealsErrorsBeforeLogin(Server):
    """Redirects errors to the client before anyone has logged in."""

    policy = "mcp"
    trips = ("test_nobody_is_redirected_before_login", "test_a_stranger_is_not_redirected_silently")

    def reveals_errors_before_login(self):
        return True


class KnowsEveryParameterOrStops(Server):
    """Refuses authorization requests with parameters that it does not know."""

    policy = "mcp"
    trips = ("test_unknown_parameters_are_ignored",)

    def check_request_objects(self, parameters):
        super().check_request_objects(parameters)
        if any(name.endswith("_unknown") for name in parameters):
            raise AuthorizationError("invalid_request", "there is a parameter that is not known here")


class ChoosesOneOfTwo(Server):
    """Takes the first value of a parameter that occurs twice."""

    policy = "mcp"
    trips = ("test_a_repeated_parameter_is_an_error", "test_a_repeated_parameter_yields_no_tokens")

    def check_repetition(self, parameters):
        pass


class RegistersWhatItDoesNotServe(Server):
    """Registers the response types that were asked for, and serves code alone."""

    trips = ("test_registered_response_types_are_usable",)

    def accept_grant_types(self, wanted):
        return super().accept_grant_types({**wanted, "grant_types": [
            grant for grant in wanted.get("grant_types", ["authorization_code"]) if grant != "implicit"]})

    def accept_response_types(self, wanted, grant_types):
        accepted = super().accept_response_types({**wanted, "response_types": ["code"]}, grant_types)
        return wanted["response_types"] if "token" in wanted.get("response_types", ()) else accepted


class EscapesTheState(Server):
    """Escapes state for HTML, where it goes into a URL."""

    policy = "mcp"
    trips = ("test_state_comes_back_unchanged",)

    def state_parameter(self, transaction):
        return {name: html.escape(value) for name, value in super().state_parameter(transaction).items()}


class ForgetsTheStateOfErrors(Server):
    """Returns state with codes, and not with errors."""

    policy = "mcp"
    trips = ("test_an_error_carries_the_state_too",)

    def error_redirect(self, transaction, error, description):
        transaction.parameters = {name: v for name, v in transaction.parameters.items() if name != "state"}
        return super().error_redirect(transaction, error, description)


class TakesEveryAnswerForAYes(Server):
    """Issues a code whichever button of the consent page is pressed."""

    trips = ("test_a_denial_is_not_a_code",)

    def is_approval(self, decision):
        return True


class SendsNoIssuerWithCodes(Server):
    """Announces iss, and sends it with errors only."""

    policy = "mcp"
    trips = ("test_a_code_comes_with_its_issuer",)

    def client_redirect(self, transaction, parameters):
        answer = super().client_redirect(transaction, parameters)
        if "code" in parameters:
            answer.headers["location"] = answer.headers["location"].partition("&iss=")[0]
        return answer


class SendsNoIssuerWithErrors(Server):
    """Announces iss, and sends it with codes only."""

    policy = "mcp"
    trips = ("test_an_error_comes_with_its_issuer",)

    def client_redirect(self, transaction, parameters):
        answer = super().client_redirect(transaction, parameters)
        if "error" in parameters:
            answer.headers["location"] = answer.headers["location"].partition("&iss=")[0]
        return answer


class SendsAnotherIssuer(Server):
    """Sends an iss with a slash that the issuer of its metadata does not have."""

    policy = "mcp"
    trips = ("test_iss_is_the_issuer_of_the_metadata",)

    def issuer_parameter(self):
        return {"iss": f"{self.issuer}/"}


class SendsAnIssuerWithQuery(Server):
    """Puts the tenant into the query of iss."""

    policy = "mcp"
    trips = ("test_iss_is_the_issuer_of_the_metadata", "test_iss_is_a_plain_https_url")

    def issuer_parameter(self):
        return {"iss": f"{self.issuer}?tenant=1"}


class SendsIssuerUnannounced(Server):
    """Sends iss and does not say so in its metadata."""

    policy = "mcp"
    trips = ("test_iss_is_announced",)

    def metadata(self):
        return {**super().metadata(), "authorization_response_iss_parameter_supported": False}


class LetsAnyoneFrameTheLogin(Server):
    """Allows every site to show the login page in a frame."""

    trips = ("test_the_login_page_cannot_be_framed", "test_a_content_security_policy_says_who_may_frame",
             "test_old_browsers_are_kept_from_framing_too")

    def login_page(self, transaction, *, failed=False, status=200):
        answer = super().login_page(transaction, failed=failed, status=status)
        del answer.headers["x-frame-options"], answer.headers["content-security-policy"]
        return answer


class LetsAnyoneFrameTheConsent(Server):
    """Allows every site to show the consent page in a frame."""

    trips = ("test_the_consent_page_cannot_be_framed",)

    def consent_page(self, client, transaction, subject):
        answer = super().consent_page(client, transaction, subject)
        del answer.headers["x-frame-options"]
        answer.headers["content-security-policy"] = "frame-ancestors *"
        return answer


class SharesTheAuthorizationEndpoint(Server):
    """Lets scripts of any origin read the answers of the authorization endpoint."""

    policy = "mcp"
    trips = ("test_scripts_cannot_read_the_authorization_endpoint",)

    async def authorize(self, request):
        answer = await super().authorize(request)
        answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer


class SendsReferrers(Server):
    """Sends no referrer policy with its pages."""

    policy = "mcp"
    trips = ("test_the_consent_page_keeps_its_address_to_itself",)

    def referrer_policy(self):
        return {}


class LoadsAScriptFromElsewhere(Server):
    """Has a script of a third party on its pages."""

    policy = "mcp"
    trips = ("test_pages_load_nothing_from_elsewhere", "test_a_page_before_the_login_loads_nothing_from_elsewhere")

    def render(self, template, **values):
        script = '<script src="https://statistics.foreign.example/s.js"></script>'
        return super().render(template, **values).replace("</main>", f"</main>{script}")


class PassesFormsOn(Server):
    """Answers submitted forms with 307, so that the browser posts them again at the next place."""

    policy = "mcp"
    trips = ("test_forms_are_not_sent_on_to_the_client", "test_redirects_after_forms_are_303")

    def see_other(self, location):
        answer = super().see_other(location)
        answer.status_code = 307
        return answer


class RedirectsFormsAmbiguously(Server):
    """Answers submitted forms with 302, which browsers may or may not turn into a GET."""

    policy = "mcp"
    trips = ("test_redirects_after_forms_are_303",)

    def see_other(self, location):
        found = super().see_other(location)
        return Response(status_code=302, headers=dict(found.headers))


class LimitsFramingTheOldWay(Server):
    """Limits framing by X-Frame-Options alone."""

    policy = "mcp"
    trips = ("test_a_content_security_policy_says_who_may_frame",
             "test_a_content_security_policy_says_who_may_frame_the_consent")

    def framing(self, policy):
        return {"Content-Security-Policy": policy, "X-Frame-Options": "DENY"}


class LimitsFramingOfErrorsTheOldWay(Server):
    """Has no Content-Security-Policy on its error pages."""

    policy = "mcp"
    trips = ("test_a_content_security_policy_says_who_may_frame",)

    def error_page(self, refusal):
        answer = super().error_page(refusal)
        del answer.headers["content-security-policy"]
        return answer


class LimitsFramingTheNewWay(Server):
    """Limits framing by Content-Security-Policy alone."""

    policy = "mcp"
    trips = ("test_old_browsers_are_kept_from_framing_too",)

    def framing(self, policy):
        return {"Content-Security-Policy": f"{policy}; frame-ancestors 'none'"}


class RedirectsStrangersSilently(Server):
    """Answers prompt=none with an error at the client, also where nobody is logged in."""

    policy = "mcp"
    trips = ("test_a_stranger_is_not_redirected_silently",)

    def next_step(self, client, transaction, session):
        if transaction.parameters.get("prompt") == "none" and not session.subject:
            return self.error_redirect(transaction, "login_required", "nobody is logged in")
        return super().next_step(client, transaction, session)


class PutsTheChallengeIntoTheCode(Server):
    """Issues codes that hold the challenge in base64url, so that it needs to store nothing."""

    policy = "mcp"
    trips = ("test_the_code_does_not_hold_the_challenge",)

    def issue_code(self, client, transaction, subject):
        code = super().issue_code(client, transaction, subject)
        content = f'{{"code_challenge":"{code.challenge}"}}'.encode()
        code.value = f"{code.value}.{base64.urlsafe_b64encode(content).rstrip(b'=').decode()}"
        self.store.codes[code.value] = code
        return code


class TakesSilenceForS256(Server):
    """Takes a challenge without a method for one of S256."""

    policy = "mcp"
    trips = ("test_an_absent_method_is_not_s256",)

    def requested_challenge_method(self, parameters):
        return parameters.get("code_challenge_method", "S256")


class DoesNotExplain(Server):
    """Sends error codes to the client, and not a word with them."""

    policy = "mcp"
    trips = ("test_a_refused_challenge_is_explained",)

    def client_redirect(self, transaction, parameters):
        return super().client_redirect(transaction, {name: value for name, value in parameters.items()
                                                     if name != "error_description"})


class LetsNativeClientsSkipPkce(Server):
    """Issues codes without a challenge to clients on the loopback interface, and redeems none of them."""

    policy = "mcp"
    trips = ("test_a_native_client_needs_a_challenge",)

    def is_challenge_required(self, client):
        return not client.redirect_uris[0].startswith("http://127.0.0.1")


# -- pushed requests ------------------------------------------------------------------------------------------------


class _KnowsReferences(Server):
    """Takes redirect_uri as it comes where the request is a reference."""

    referred = False

    def asked(self, sent):
        self.referred = "request_uri" in sent
        return super().asked(sent)

    def check_pushed_request(self, client, form):
        self.referred = False
        super().check_pushed_request(client, form)

    def redirect_uri_for(self, client, requested):
        return requested if self.referred else super().redirect_uri_for(client, requested)


class PushesAnywhere(_KnowsReferences):
    """Takes any redirect_uri in a pushed request, and asks no more when the browser brings the reference."""

    trips = ("test_a_pushed_redirect_uri_is_one_of_the_clients_own",)

    def is_pushed_destination(self, client, requested):
        return True


class ReadsBesideTheReference(_KnowsReferences):
    """Lets the parameters beside a reference replace those that were pushed."""

    trips = ("test_a_second_address_does_not_replace_the_pushed_one",)

    def effective(self, pushed, sent):
        return {**pushed.parameters, **{name: values for name, values in sent.items() if name != "request_uri"}}


class ServesReferencesToEveryone(Server):
    """Serves a pushed request to whoever names it."""

    trips = ("test_a_pushed_request_serves_its_client_alone",)

    def is_pushed_by(self, pushed, client_id):
        return True


class TakesReferencesInPushedRequests(Server):
    """Ignores a request_uri in a pushed request."""

    trips = ("test_a_pushed_request_refers_to_no_other",)

    def check_pushed_request(self, client, form):
        super().check_pushed_request(client, {name: values for name, values in form.items() if name != "request_uri"})


class CompletesUnknownReferences(Server):
    """Makes up what a request leaves out whose request_uri it does not know."""

    trips = ("test_an_unknown_reference_yields_no_code", "test_a_pushed_request_serves_its_client_alone")

    def unknown_reference(self, sent):
        usual = {"response_type": ["code"], "code_challenge": ["A" * 43], "code_challenge_method": ["S256"]}
        return {**usual, **{name: values for name, values in sent.items() if name != "request_uri"}}


class _PostsResponses(Server):
    """Serves the response mode form_post."""

    def response_modes(self):
        return [*super().response_modes(), "form_post"]

    def client_redirect(self, transaction, parameters):
        if transaction.parameters.get("response_mode") != "form_post":
            return super().client_redirect(transaction, parameters)
        self.store.transactions.pop(transaction.transaction_id, None)
        sent = {**parameters, **self.state_parameter(transaction), **self.issuer_parameter()}
        fields = "".join(f'<input name="{name}" value="{self.encoded(value)}">' for name, value in sent.items())
        return self.page(f'<form method="post" action="{self.posted_to(transaction)}">{fields}</form>')

    def encoded(self, value):
        return html.escape(value)

    def posted_to(self, transaction):
        return html.escape(transaction.redirect_uri)


class PostsStateAsMarkup(_PostsResponses):
    """Puts state as it came into the form of the response mode form_post."""

    trips = ("test_the_pages_of_a_response_mode_hold_state_as_text",)

    def encoded(self, value):
        return value


class PostsToTheSiteAlone(_PostsResponses):
    """Posts the response to the root of the site on which the redirect URI is."""

    trips = ("test_the_pages_of_a_response_mode_hold_state_as_text",)

    def posted_to(self, transaction):
        return transaction.redirect_uri.removesuffix("cb")


class DropsBadChallenges(Server):
    """Treats a challenge that it cannot read as none, and needs none."""

    trips = ("test_a_challenge_that_is_no_hash_yields_no_tokens",)

    def is_sound_challenge(self, challenge):
        return True

    def is_verified(self, code, verifier):
        return (not super().is_sound_challenge(code.challenge) and not verifier) or super().is_verified(code, verifier)


# -- on the way to another server -------------------------------------------------------------------------------------


class RemembersTheUpstreamState(Server):
    """Sends users of another domain on to their own server at once, with the state of that request in a cookie."""

    policy = "mcp"
    trips = ("test_no_upstream_state_is_kept_before_consent",)

    def next_step(self, client, transaction, session):
        domain = transaction.parameters.get("login_hint", "").partition("@")[2]
        if domain != "foreign.example":
            return super().next_step(client, transaction, session)
        state = self.new_token()
        response = self.see_other(f"https://{domain}/authorize?client_id=proxy&state={state}")
        response.headers.append("set-cookie", f"upstream={state}; Secure; HttpOnly; SameSite=Lax")
        return response


# -- how requests are taken -----------------------------------------------------------------------------------------


class NamesAFragment(Server):
    """Publishes a token endpoint with a fragment."""

    policy = "oauth21"
    trips = ("test_the_address_of_an_endpoint_has_no_fragment",)

    def metadata(self):
        found = super().metadata()
        return {**found, "token_endpoint": f"{found['token_endpoint']}#token"}


class WantsFormsOnly(Server):
    """Answers authorization requests that are sent with GET with 405."""

    policy = "oauth21"
    trips = ("test_authorization_requests_may_be_sent_with_get",)

    async def authorize(self, request):
        raise Refusal(405, "invalid_request", "send a form", headers={"Allow": "POST"})


class KeepsEmptyParameters(Server):
    """Takes an empty redirect_uri for an address, which no client has registered."""

    policy = "oauth21"
    trips = ("test_an_empty_parameter_counts_as_left_out",)

    def parameters(self, encoded):
        return {**({"redirect_uri": [""]} if b"redirect_uri=&" in encoded else {}), **super().parameters(encoded)}


class CutsRequestsShort(Server):
    """Refuses authorization requests of more than four kilobytes."""

    policy = "oauth21"
    trips = ("test_a_request_line_of_8000_octets_is_served",)

    async def authorize(self, request):
        if len(request.scope["query_string"]) > 4096:
            raise Refusal(414, "invalid_request", "the request is too long")
        return await super().authorize(request)


class GrantsToStrangersInSilence(Server):
    """Answers a request with prompt=none from a browser that it does not know with a code of some user."""

    policy = "oauth21"
    trips = ("test_no_code_is_issued_before_a_login", "test_a_stranger_is_not_redirected_silently")

    def next_step(self, client, transaction, session):
        silent = transaction.error and transaction.error[0] == "consent_required"
        if silent and not session.subject:
            return self.code_redirect(client, transaction, "alice")
        return super().next_step(client, transaction, session)


class WantsEveryScopeNamed(Server):
    """Answers an authorization request that leaves the scope out with invalid_request."""

    policy = "oauth21"
    trips = ("test_a_client_may_leave_the_scope_to_the_server",)

    def requested_scopes(self, client, parameters):
        if "scope" not in parameters:
            raise AuthorizationError("invalid_request", "scope is missing")
        return super().requested_scopes(client, parameters)


class ChoosesTheResponseType(Server):
    """Takes a missing response_type for code."""

    policy = "oauth21"
    trips = ("test_without_a_known_response_type_there_is_no_code",)

    def check_response_type(self, client, parameters):
        super().check_response_type(client, {"response_type": "code", **parameters})


# -- what is said about bad requests --------------------------------------------------------------------------------


class SaysNothing(Server):
    """Answers bad authorization requests with a page without a word."""

    policy = "oauth21"
    trips = ("test_the_user_is_told_of_a_bad_redirect_uri",)

    def error_page(self, refusal):
        return self.page("<!doctype html><html><body><main></main></body></html>", status=refusal.status)


class AsksStrangersForAPassword(Server):
    """Answers requests of unknown clients with 401."""

    policy = "oauth21"
    trips = ("test_an_authorization_request_is_not_answered_with_401",
             "test_a_request_that_may_not_be_redirected_is_answered_with_400")

    def authorizing_client(self, parameters):
        if parameters.get("client_id", "") not in self.store.clients:
            raise Refusal(401, "invalid_client", "The application that sent you here is not known.")
        return super().authorizing_client(parameters)


class ShowsTheAddressAsMarkup(Server):
    """Repeats a bad redirect URI on the error page as it came."""

    policy = "oauth21"
    trips = ("test_no_parameter_is_shown_as_markup",)

    async def authorize(self, request):
        try:
            return await super().authorize(request)
        except Refusal as refusal:
            named = self.parameters(request.scope["query_string"]).get("redirect_uri", [""])[0]
            content = self.error_page(refusal).body.decode()
            return self.page(content.replace("</main>", f"<p>{named}</p></main>"), status=refusal.status)


class WritesStateIntoAHeader(Server):
    """Puts the lines of state into headers of its answer."""

    policy = "oauth21"
    trips = ("test_no_parameter_becomes_a_header",)

    async def authorize(self, request):
        answer = await super().authorize(request)
        for line in self.parameters(request.scope["query_string"]).get("state", [""])[0].splitlines()[1:]:
            name, _, value = line.partition(":")
            answer.headers[name.strip()] = value.strip()
        return answer


class LoadsAScriptBeforeTheLogin(Server):
    """Has a script of a third party on its error pages."""

    policy = "oauth21"
    trips = ("test_a_page_before_the_login_loads_nothing_from_elsewhere",)

    def error_page(self, refusal):
        content = self.render("error", error=refusal.error, description=refusal.description)
        script = '<script src="https://statistics.foreign.example/s.js"></script>'
        return self.page(content.replace("</main>", f"</main>{script}"), status=refusal.status)


class InventsAnError(Server):
    """Tells the client that the user refused with a code of its own."""

    policy = "oauth21"
    trips = ("test_an_authorization_error_has_a_code_that_is_defined",)

    def error_redirect(self, transaction, error, description):
        return super().error_redirect(transaction, "user_refused" if error == "access_denied" else error, description)


class SendsNoIssuer(Server):
    """Sends no iss at all, and does not announce any."""

    policy = "oauth21"
    trips = ("test_every_authorization_response_names_its_issuer",)

    def issuer_parameter(self):
        return {}

    def metadata(self):
        return {**super().metadata(), "authorization_response_iss_parameter_supported": False}


class LosesTheStateBeforeTheLogin(Server):
    """Sends errors to the client before a login, and cuts their state at the first ampersand."""

    policy = "oauth21"
    trips = ("test_nobody_is_redirected_before_login", "test_a_stranger_is_not_redirected_silently",
             "test_an_error_before_the_login_carries_the_state_unchanged")

    def next_step(self, client, transaction, session):
        if transaction.error and not session.subject:
            transaction.parameters["state"] = transaction.parameters.get("state", "").partition("&")[0]
            return self.error_redirect(transaction, *transaction.error)
        return super().next_step(client, transaction, session)


class SendsNoIssuerBeforeTheLogin(Server):
    """Announces iss, and sends errors without it to the client before a login."""

    policy = "oauth21"
    trips = ("test_nobody_is_redirected_before_login", "test_a_stranger_is_not_redirected_silently",
             "test_an_error_before_the_login_comes_with_its_issuer")

    def next_step(self, client, transaction, session):
        if transaction.error and not session.subject:
            answer = self.error_redirect(transaction, *transaction.error)
            answer.headers["location"] = answer.headers["location"].partition("&iss=")[0]
            return answer
        return super().next_step(client, transaction, session)
