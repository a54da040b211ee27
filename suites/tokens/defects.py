"""Servers whose codes and tokens are good for more than they should be."""

import asyncio
import functools
import json
import re
from urllib.parse import urlsplit

import jwt

from dcrcheck.reference import Server
from dcrcheck.reference.answers import Refusal


class IssuesTwice(Server):
    """Revokes what a code gave when it comes again, and then redeems it again."""

    trips = ("test_a_code_is_redeemed_once", "test_a_code_is_redeemed_by_one_of_several_requests")

    def replayed(self, code):
        self.revoke_replayed_grant(code)


class RedeemsInParallel(Server):
    """Looks a code up, and spends it only after whatever else arrived in the meantime."""

    trips = ("test_a_code_is_redeemed_by_one_of_several_requests",)

    async def read_form(self, request):
        form = await super().read_form(request)
        code = self.store.codes.get(form.get("code", [""])[0])
        if code is not None and not code.grant_id:
            await asyncio.sleep(0.3)
            code.grant_id = ""
        return form


class RefreshesInParallel(Server):
    """Looks a refresh token up, and spends it only after whatever else arrived in the meantime."""

    trips = ("test_a_refresh_token_is_replaced_by_one_other",)

    async def read_form(self, request):
        form = await super().read_form(request)
        token = self.store.refresh_tokens.get(form.get("refresh_token", [""])[0])
        if token is not None and not token.spent:
            await asyncio.sleep(0.3)
            token.spent = False
        return form


class IssuesTokensToGet(Server):
    """Serves token requests from the query of a GET as well."""

    policy = "mcp"
    trips = ("test_tokens_are_not_issued_to_a_get",)

    def routes(self):
        return [*super().routes(), self.public(f"{self.issuer_path}/token", self.token, "GET")]

    async def read_form(self, request):
        if request.method == "GET":
            return self.parameters(request.scope["query_string"])
        return await super().read_form(request)


class ShrugsAtReplay(Server):
    """Refuses a code that comes again, and leaves the tokens that it gave alone."""

    policy = "mcp"
    trips = ("test_replay_revokes_what_the_code_gave",)

    def revoke_replayed_grant(self, code):
        pass


class RedeemsCodesOfOthers(Server):
    """Redeems a code for whichever client presents it."""

    trips = ("test_a_code_belongs_to_one_client",)

    def is_code_of(self, code, client):
        return True


class LetsTokensBeStored(Server):
    """Sends tokens without Cache-Control: no-store."""

    policy = "mcp"
    trips = ("test_a_token_response_is_not_stored", "test_a_refresh_response_is_not_stored")

    def token_answer(self, client, grant, scopes, resources, *, refresh_token=""):
        answer = super().token_answer(client, grant, scopes, resources, refresh_token=refresh_token)
        del answer.headers["cache-control"]
        return answer


class LetsRefreshedTokensBeStored(Server):
    """Sends refreshed tokens without Cache-Control: no-store."""

    policy = "mcp"
    trips = ("test_a_refresh_response_is_not_stored",)

    def refresh(self, client, form):
        answer = super().refresh(client, form)
        answer.headers["cache-control"] = "private, max-age=60"
        return answer


class KeepsRefreshTokens(Server):
    """Gives a public client the same refresh token again."""

    policy = "mcp"
    trips = ("test_a_refresh_token_of_a_public_client_is_replaced",)

    def rotate(self, token):
        return token.value


class RotatesWithoutRetiring(Server):
    """Gives a new refresh token with every refresh, and lets the old ones live."""

    policy = "mcp"
    trips = ("test_a_replaced_refresh_token_is_spent",)

    def rotate(self, token):
        return self.new_refresh_token(token.grant_id)


class OverlooksReuse(Server):
    """Refuses a spent refresh token, and draws no conclusion from its coming again."""

    policy = "mcp"
    trips = ("test_reuse_of_a_refresh_token_ends_the_grant",)

    def revoke_reused_grant(self, token):
        pass


class RefreshesForOthers(Server):
    """Takes a refresh token from whichever client presents it."""

    trips = ("test_a_refresh_token_belongs_to_one_client",)

    def refresh_token_of(self, client, form):
        token = self.store.refresh_tokens.get(form.get("refresh_token", [""])[0])
        owner = self.store.clients.get(self.store.grants[token.grant_id].client_id) if token else None
        return super().refresh_token_of(owner or client, form)


class RefreshesForAnyone(Server):
    """Asks no client for its secret when it refreshes tokens."""

    trips = ("test_refreshing_needs_the_secret",)

    def authenticate_client(self, request, form):
        if form.get("grant_type") == ["refresh_token"]:
            _, client_id, _ = self.presented_credentials(request, form)
            if client_id in self.store.clients:
                return self.store.clients[client_id]
        return super().authenticate_client(request, form)


class WidensTheScope(Server):
    """Refreshes tokens for whatever scope is asked for."""

    policy = "mcp"
    trips = ("test_refreshing_does_not_widen_the_scope",)

    def is_within_grant(self, scopes, granted):
        return True


class BindsTokensToNothing(Server):
    """Issues every token for one audience of its own, which every resource accepts."""

    policy = "mcp"
    trips = ("test_a_token_names_its_resource", "test_a_refreshed_token_names_its_resource")

    def audience(self, resources):
        return "urn:dcrcheck:everything"

    def accepted_audience(self):
        return "urn:dcrcheck:everything"


class SwapsTheResource(Server):
    """Issues a token for the resource that the token request names, whatever the user approved."""

    policy = "mcp"
    trips = ("test_the_token_request_does_not_change_the_resource", "test_refreshing_does_not_change_the_resource")

    def is_resource_granted(self, resource, granted):
        return True


class SwapsTheResourceAtRefresh(Server):
    """Issues a refreshed token for whichever resource the refresh names."""

    policy = "mcp"
    trips = ("test_refreshing_does_not_change_the_resource",)

    def refresh(self, client, form):
        token = self.refresh_token_of(client, form)
        if token.spent or "resource" not in form:
            return super().refresh(client, form)
        grant = self.store.grants[token.grant_id]
        return self.token_answer(client, grant, grant.scopes, tuple(form["resource"]), refresh_token=self.rotate(token))


class AssumesAResource(Server):
    """Issues tokens to clients that name no resource."""

    policy = "mcp"
    trips = ("test_without_a_resource_there_is_no_token",)

    def is_resource_required(self):
        return False


class TakesAnythingForAResource(Server):
    """Puts a resource into the token that is no absolute URI, or has a fragment."""

    policy = "mcp"
    trips = ("test_a_malformed_resource_is_no_audience",)

    def is_known_resource(self, resource):
        return resource.partition("#")[0] == self.resource or not urlsplit(resource).scheme


class CallsABadResourceABadRequest(Server):
    """Answers a resource that it does not know with invalid_request."""

    policy = "mcp"
    trips = ("test_an_unknown_resource_is_an_invalid_target",)

    def error_redirect(self, transaction, error, description):
        return super().error_redirect(transaction, error.replace("invalid_target", "invalid_request"), description)


class OpensToTokensForElsewhere(Server):
    """Issues tokens for other resources, and its own resource accepts them."""

    policy = "mcp"
    trips = ("test_a_token_for_elsewhere_is_refused",)

    def is_known_resource(self, resource):
        return urlsplit(resource).scheme == "https" and "#" not in resource

    def accepted_audience(self):
        return None


class ReadsTokensUnverified(Server):
    """Believes what an access token says without verifying its signature."""

    policy = "mcp"
    trips = ("test_an_altered_token_is_refused",)

    def access_token_record(self, token, *, audience):
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.PyJWTError:
            return None
        record = self.store.access_tokens.get(claims.get("jti", ""))
        return (record, claims) if record else None


class ForbidsInsteadOfAsking(Server):
    """Answers 403 at the resource where no token is presented."""

    policy = "mcp"
    trips = ("test_the_resource_asks_for_a_token", "test_a_request_with_a_bad_token_is_answered_401")

    def check_access(self, request):
        if "authorization" in request.headers and "nobody" in request.headers["authorization"]:
            raise Refusal(403, "invalid_token", "the access token is not valid here")
        return super().check_access(request)


class AccusesTheTokenless(Server):
    """Names an error in the challenge to a request without a token."""

    policy = "mcp"
    trips = ("test_the_challenge_without_a_token_names_no_error",)

    def resource_challenge(self, error=""):
        return super().resource_challenge(error or "invalid_request")


class KeepsTheErrorToItself(Server):
    """Names no error in the challenge to a bad token."""

    policy = "mcp"
    trips = ("test_the_challenge_to_a_bad_token_names_the_error",)

    def resource_challenge(self, error=""):
        return super().resource_challenge()


class ReadsTokensFromTheQuery(Server):
    """Accepts access tokens in the query at the protected resource."""

    policy = "mcp"
    trips = ("test_a_token_in_the_query_opens_nothing",)

    def check_access(self, request):
        found = self.access_token_record(request.query_params.get("access_token", ""), audience=self.resource)
        return found[1] if found else super().check_access(request)


class OpensToRegistrationTokens(Server):
    """Accepts registration access tokens at the protected resource."""

    trips = ("test_it_opens_no_resource",)

    def check_access(self, request):
        token = request.headers.get("authorization", "").partition(" ")[2]
        if token in self.store.registration_access_tokens:
            return {"sub": "", "client_id": self.store.registration_access_tokens[token], "scope": ""}
        return super().check_access(request)


class RefreshesRegistrationTokens(Server):
    """Takes a registration access token for a refresh token."""

    trips = ("test_it_is_no_refresh_token",)

    def refresh(self, client, form):
        if form.get("refresh_token", [""])[0] in self.store.registration_access_tokens:
            grant = self.new_grant(client, "alice", tuple(client.scopes), (self.resource,))
            return self.token_answer(client, grant, grant.scopes, grant.resources)
        return super().refresh(client, form)

    def is_grant_registered(self, client, grant_type):
        return grant_type == "refresh_token" or super().is_grant_registered(client, grant_type)


class RegistersForRegistrationTokens(Server):
    """Takes a registration access token for an initial access token."""

    policy = "initial-access-token"
    trips = ("test_it_is_no_initial_access_token",)

    def is_initial_access_token(self, token):
        return token in self.store.registration_access_tokens or super().is_initial_access_token(token)


class KeepsGrantsOfTheDead(Server):
    """Deletes a client, and goes on issuing tokens for what it was granted before."""

    trips = ("test_grants_die_with_their_client", "test_access_tokens_die_with_their_client")

    def __init__(self, rules=None, *, issuer=""):
        super().__init__(rules, issuer=issuer)
        self.dead = {}

    def remove(self, client):
        super().remove(client)
        self.dead[client.client_id] = client

    def revoke_grants(self, client):
        pass

    def forget_codes(self, client):
        pass

    def authenticate_client(self, request, form):
        code = self.store.codes.get(form.get("code", [""])[0])
        token = self.store.refresh_tokens.get(form.get("refresh_token", [""])[0])
        held = code or (self.store.grants[token.grant_id] if token else None)
        return self.dead.get(held.client_id if held else "") or super().authenticate_client(request, form)


class KeepsAccessOfTheDead(Server):
    """Lets the access tokens of a deleted client live until they expire."""

    trips = ("test_access_tokens_die_with_their_client",)

    def revoke_grants(self, client):
        pass


class RevokesForAnyClient(Server):
    """Revokes whatever token it is shown, whoever asks."""

    policy = "mcp"
    trips = ("test_no_client_revokes_the_tokens_of_another",)

    def may_revoke(self, client, grant_id):
        return True


class ForgetsToRevoke(Server):
    """Answers a revocation with 200, and revokes nothing."""

    policy = "mcp"
    trips = ("test_a_revoked_refresh_token_is_dead",)

    def revoke_refresh_token(self, client, value):
        pass


class GrantsAllThatIsRegistered(Server):
    """Issues the first tokens for every scope of the client, whichever it asked for."""

    policy = "mcp"
    trips = ("test_a_token_has_only_the_scope_that_was_asked_for",)

    def token_answer(self, client, grant, scopes, resources, *, refresh_token=""):
        scopes = tuple(client.scopes) if refresh_token == "" else scopes
        return super().token_answer(client, grant, scopes, resources, refresh_token=refresh_token)


class ReadsRefreshTokensLoosely(Server):
    """Recognises a refresh token by its first characters."""

    policy = "mcp"
    trips = ("test_an_altered_refresh_token_yields_nothing",)

    def refresh_token_of(self, client, form):
        given = form.get("refresh_token", [""])[0]
        whole = next((value for value in self.store.refresh_tokens if value[:16] == given[:16]), given)
        return super().refresh_token_of(client, {**form, "refresh_token": [whole]})


class LosesTheResourceAtRefresh(Server):
    """Issues refreshed tokens for one audience of its own."""

    policy = "mcp"
    trips = ("test_a_refreshed_token_names_its_resource",)

    def refresh(self, client, form):
        token = self.refresh_token_of(client, form)
        if token.spent or not all(resource == self.resource for resource in form.get("resource", [])):
            return super().refresh(client, form)
        grant = self.store.grants[token.grant_id]
        scopes = self.narrowed_scopes(self.remaining_scopes(grant, client), form)
        return self.token_answer(client, grant, scopes, ("urn:dcrcheck:everything",), refresh_token=self.rotate(token))


class OverlooksTheResourceOfMachines(Server):
    """Issues tokens to clients for themselves for one audience of its own."""

    trips = ("test_a_clients_own_token_names_its_resource",)

    def machine_resources(self, form):
        return ("urn:dcrcheck:everything",)


class CutsScopesSilently(Server):
    """Leaves out of a token what the client may not have, and says nothing of the scope."""

    trips = ("test_a_client_that_gets_less_scope_is_told",)

    def client_credentials(self, client, form):
        scope = " ".join(scope for scope in form.get("scope", [""])[0].split() if scope in client.scopes)
        answer = super().client_credentials(client, {**form, "scope": [scope or self.rules.default_scope]})
        return self.json({name: value for name, value in json.loads(answer.body).items() if name != "scope"},
                         headers=self.no_store())


class LetsClientsNameThemselves(Server):
    """Takes the subject of a client's own tokens from its registration."""

    trips = ("test_a_client_does_not_choose_the_subject_of_its_token",)

    def accept(self, document):
        metadata = super().accept(document)
        return {**metadata, "sub": document["sub"]} if isinstance(document.get("sub"), str) else metadata

    def access_token_claims(self, grant, scopes, resources, token_id):
        client = self.store.clients[grant.client_id]
        claims = super().access_token_claims(grant, scopes, resources, token_id)
        own = grant.subject == grant.client_id and "sub" in client.metadata
        return {**claims, "sub": client.metadata["sub"]} if own else claims


class TakesClientsForTheirUser(Server):
    """Issues a client's own tokens for the user of the house."""

    trips = ("test_a_clients_own_token_names_no_user",)

    def access_token_claims(self, grant, scopes, resources, token_id):
        claims = super().access_token_claims(grant, scopes, resources, token_id)
        return {**claims, "sub": "alice"} if grant.subject == grant.client_id else claims


class IssuesTokensForADay(Server):
    """Issues access tokens that live for a day."""

    policy = "mcp"
    trips = ("test_an_access_token_is_short_lived",)

    def access_token_claims(self, grant, scopes, resources, token_id):
        claims = super().access_token_claims(grant, scopes, resources, token_id)
        return {**claims, "exp": claims["iat"] + 24 * 3600}


class ExplainsInOtherLetters(Server):
    """Describes the error in the challenge of the resource with letters outside ASCII."""

    policy = "mcp"
    trips = ("test_the_challenge_of_the_resource_keeps_to_its_characters",)

    def resource_challenge(self, error=""):
        told = super().resource_challenge(error)
        return f'{told}, error_description="ung\u00fcltig"' if error else told


# -- token requests that are odd or bad -----------------------------------------------------------------------------


class KnowsEveryTokenParameterOrStops(Server):
    """Refuses token requests with parameters that it does not know."""

    policy = "oauth21"
    trips = ("test_an_unknown_token_parameter_is_ignored",)

    async def read_form(self, request):
        form = await super().read_form(request)
        if any(name.endswith("_unknown") for name in form):
            raise Refusal(400, "invalid_request", "there is a parameter that is not known here")
        return form


class TakesAnEmptySecretForASecret(Server):
    """Takes an empty client_secret for an attempt to authenticate, and turns public clients away for it."""

    policy = "oauth21"
    trips = ("test_an_empty_token_parameter_counts_as_left_out",)

    def parameters(self, encoded):
        empty = re.search(rb"(^|&)client_secret=(&|$)", encoded)
        return {**({"client_secret": [""]} if empty else {}), **super().parameters(encoded)}

    def presented_credentials(self, request, form):
        if form.get("client_secret") == [""]:
            self.refuse_client()
        return super().presented_credentials(request, form)


class AnswersErrorsWith200(Server):
    """Answers a missing grant_type with an error and status 200."""

    policy = "oauth21"
    trips = ("test_a_token_error_is_printable_json_with_status_400",)

    async def token(self, request):
        try:
            return await super().token(request)
        except Refusal as refusal:
            if refusal.description == "grant_type is missing":
                return self.json(self.error_body(refusal))
            raise


class InventsTokenErrors(Server):
    """Has a code of its own for a missing grant_type."""

    policy = "oauth21"
    trips = ("test_a_token_error_has_a_code_that_is_defined",)

    def check_grant_type(self, client, grant_type):
        if not grant_type:
            raise Refusal(400, "missing_grant_type", "grant_type is missing")
        super().check_grant_type(client, grant_type)


class ChallengesNobody(Server):
    """Answers a wrong secret with 400 and without a challenge."""

    policy = "oauth21"
    trips = ("test_failed_basic_authentication_is_challenged",)

    def refuse_client(self):
        raise Refusal(400, "invalid_client", "the client is not known or could not be authenticated")


class ChallengesByAnotherScheme(Server):
    """Answers a wrong secret with a challenge for a bearer token."""

    policy = "oauth21"
    trips = ("test_failed_basic_authentication_is_challenged",)

    def refuse_client(self):
        raise Refusal(401, "invalid_client", "the client could not be authenticated", challenge='Bearer realm="token"')


class CallsRepetitionABadClient(Server):
    """Answers a repeated parameter of a token request with invalid_client."""

    policy = "oauth21"
    trips = ("test_a_malformed_token_request_is_an_invalid_request",)

    async def token(self, request):
        try:
            return await super().token(request)
        except Refusal as refusal:
            if "more than once" in refusal.description:
                self.refuse_client()
            raise


class TakesTwoAuthentications(Server):
    """Believes the header where a request authenticates the client in header and body."""

    policy = "oauth21"
    trips = ("test_two_authentications_let_nobody_in",)

    def presented_credentials(self, request, form):
        if request.headers.getlist("authorization"):
            form = {name: values for name, values in form.items() if name != "client_secret"}
        return super().presented_credentials(request, form)


class KnowsSecretsOnly(Server):
    """Publishes no way to authenticate with a key."""

    policy = "oauth21"
    trips = ("test_a_method_with_keys_is_offered",)

    def metadata(self):
        found = super().metadata()
        methods = found["token_endpoint_auth_methods_supported"]
        return {**found, "token_endpoint_auth_methods_supported": [m for m in methods if "key" not in m]}


class ReadsSecretsFromTheQuery(Server):
    """Takes the credentials of a client from the address too."""

    policy = "oauth21"
    trips = ("test_a_secret_in_the_query_lets_nobody_in",)

    def authenticate_client(self, request, form):
        query = self.parameters(request.scope["query_string"])
        client = self.store.clients.get(query.get("client_id", [""])[0])
        if client is not None and self.is_right_secret(client, query.get("client_secret", [""])[0]):
            return client
        return super().authenticate_client(request, form)


class ServesScriptsByHalves(Server):
    """Lets scripts of other sites register, and not read the answers of the token endpoint."""

    policy = "oauth21"
    trips = ("test_scripts_that_may_register_may_fetch_tokens",)

    def routes(self):
        return [self.private(f"{self.issuer_path}/token", self.token, "POST"), *super().routes()]


class DemandsTheRedirectUriAgain(Server):
    """Redeems no code without the redirect URI of its request."""

    policy = "oauth21"
    trips = ("test_a_code_is_redeemed_without_its_redirect_uri",)

    def check_redemption(self, code, form):
        if "redirect_uri" not in form:
            raise Refusal(400, "invalid_grant", "redirect_uri is missing")
        super().check_redemption(code, form)


class RevokesAtAnyReplay(Server):
    """Ends what a code gave when the code comes again, whether or not its verifier does."""

    policy = "oauth21"
    trips = ("test_a_replay_without_the_verifier_ends_nothing",)

    def check_redemption(self, code, form):
        if code.grant_id:
            self.replayed(code)
        super().check_redemption(code, form)


class ReadsTheFrontOfRefreshTokens(Server):
    """Recognises a refresh token by its first sixteen characters."""

    policy = "oauth21"
    trips = ("test_an_altered_refresh_token_yields_nothing",)

    def refresh_token_of(self, client, form):
        presented = form.get("refresh_token", [""])[0]
        whole = next((value for value in self.store.refresh_tokens if len(presented) >= 16
                      and value.startswith(presented[:16])), presented)
        return super().refresh_token_of(client, {**form, "refresh_token": [whole]} if presented else form)


class NarrowsTheGrant(Server):
    """Forgets the rest of the grant when a refresh asks for less."""

    policy = "oauth21"
    trips = ("test_a_narrowed_refresh_narrows_no_refresh_token",)

    def refresh(self, client, form):
        answer = super().refresh(client, form)
        if "scope" in form:
            token = self.store.refresh_tokens[form["refresh_token"][0]]
            self.store.grants[token.grant_id].scopes = tuple(form["scope"][0].split(" "))
        return answer


# -- token responses ------------------------------------------------------------------------------------------------


class LeavesTheTypeOut(Server):
    """Answers with a token and does not say of which type it is."""

    policy = "oauth21"
    trips = ("test_a_token_response_is_json_that_says_what_the_token_is",)

    def token_answer(self, client, grant, scopes, resources, *, refresh_token=""):
        answer = super().token_answer(client, grant, scopes, resources, refresh_token=refresh_token)
        return self.json({name: value for name, value in json.loads(answer.body).items() if name != "token_type"},
                         headers=self.no_store())


class LeavesTheLifetimeOut(Server):
    """Answers with a token and does not say how long it lives."""

    policy = "oauth21"
    trips = ("test_a_token_response_says_how_long_the_token_lives",)

    def token_answer(self, client, grant, scopes, resources, *, refresh_token=""):
        answer = super().token_answer(client, grant, scopes, resources, refresh_token=refresh_token)
        return self.json({name: value for name, value in json.loads(answer.body).items() if name != "expires_in"},
                         headers=self.no_store())


class CountsItsTokens(Server):
    """Issues access tokens that are references, and numbers them."""

    policy = "oauth21"
    trips = ("test_an_access_token_is_too_long_to_be_guessed",)

    def issue_access_token(self, grant, scopes, resources):
        token = super().issue_access_token(grant, scopes, resources)
        number = f"{len(self.numbered):032d}"
        self.numbered[number] = token
        return number

    def access_token_record(self, token, *, audience):
        return super().access_token_record(self.numbered.get(token, token), audience=audience)

    @functools.cached_property
    def numbered(self):
        return {}


class WantsTheScopeNamed(Server):
    """Answers a client that asks for a token of its own without a scope with invalid_request."""

    policy = "oauth21"
    trips = ("test_a_client_for_itself_may_leave_the_scope_to_the_server",)

    def client_credentials(self, client, form):
        if "scope" not in form:
            raise Refusal(400, "invalid_request", "scope is missing")
        return super().client_credentials(client, form)


class SpellsBearerItsWay(Server):
    """Knows the scheme of an access token only where it is spelled Bearer."""

    policy = "mcp"
    trips = ("test_the_scheme_of_a_token_may_be_spelled_in_any_case",)

    def check_access(self, request):
        if not request.headers.get("authorization", "Bearer ").startswith("Bearer "):
            raise Refusal(401, "invalid_token", "there is no bearer token", challenge=self.resource_challenge())
        return super().check_access(request)
