"""Servers whose codes and tokens are good for more than they should be."""

import asyncio
import json
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
    trips = ("test_the_resource_asks_for_a_token",)

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
