"""Servers that are careless with secrets and tokens, each in one way."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import random
import secrets
import string
import time
import uuid
import warnings
from base64 import urlsafe_b64encode
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dcrcheck.reference import Server
from dcrcheck.reference.answers import Refusal
from dcrcheck.reference.assertions import Form
from dcrcheck.reference.store import Client, Transaction

# -- secrets --------------------------------------------------------------------------------------------------------


class WithholdsTheSecret(Server):
    """Registers a confidential client and does not tell it its secret."""

    trips = ("test_a_confidential_client_gets_its_secret", "test_a_client_without_a_method_can_use_its_own",
             "test_a_client_without_a_method_is_told_its_own")

    def describe_secret(self, client: Client) -> dict[str, Any]:
        return {}


class ForgetsSecretExpiry(Server):
    """Issues a secret and does not say when it expires."""

    trips = ("test_an_issued_secret_states_its_expiry",)

    def describe_secret(self, client: Client) -> dict[str, Any]:
        return {m: value for m, value in super().describe_secret(client).items() if m != "client_secret_expires_at"}


class StatesTheExpiryInMilliseconds(Server):
    """States the expiry of a secret in milliseconds."""

    trips = ("test_the_expiry_of_a_secret_is_zero_or_a_time_to_come",)

    def secret_expiry(self) -> int:
        return int(self.now() * 1000) + 86_400_000


class StatesTheExpiryAsText(Server):
    """States the expiry of a secret as a string."""

    trips = ("test_the_expiry_of_a_secret_is_zero_or_a_time_to_come",)

    def describe_secret(self, client: Client) -> dict[str, Any]:
        told = super().describe_secret(client)
        return {**told, "client_secret_expires_at": "0"} if told else told


class StatesAnExpiryInThePast(Server):
    """States a time at which the secret would have expired long ago."""

    trips = ("test_the_expiry_of_a_secret_is_zero_or_a_time_to_come", "test_an_expired_secret_is_refused")

    def describe_secret(self, client: Client) -> dict[str, Any]:
        told = super().describe_secret(client)
        return {**told, "client_secret_expires_at": client.issued_at - 86_400} if told else told


class GivesPublicClientsASecret(Server):
    """Issues a secret to clients that authenticate by none."""

    trips = ("test_a_public_client_gets_no_secret",
             "test_a_client_that_an_update_makes_public_has_no_secret")

    def needs_secret(self, client: Client) -> bool:
        return True


class AcceptsAnySecret(Server):
    """Asks for a secret at the token endpoint and does not look at it."""

    trips = ("test_a_client_with_a_secret_must_prove_it", "test_refreshing_needs_the_secret")

    def check_client_secret(self, client: Client, secret: str) -> None:
        pass


class TreatsEveryClientAsPublic(Server):
    """Issues secrets and stores the clients as public ones."""

    trips = ("test_a_client_with_a_secret_must_prove_it",
             "test_refreshing_needs_the_secret",
             "test_a_confidential_client_is_not_let_in_by_its_identifier",
             "test_client_credentials_yields_no_token_by_the_identifier_alone",
             "test_a_client_that_an_update_makes_confidential_must_prove_it")

    def is_registered_method(self, client: Client, method: str) -> bool:
        return True

    def check_client_secret(self, client: Client, secret: str) -> None:
        pass


class TakesSecretsByAnyMethod(Server):
    """Accepts the right secret in the header and in the body, whatever the client registered."""

    trips = ("test_a_client_authenticates_only_as_it_registered",)

    def is_registered_method(self, client: Client, method: str) -> bool:
        return (method == "none") == (client.auth_method == "none")


class SharesOneSecret(Server):
    """Gives every client the same secret."""

    trips = ("test_identical_registrations_get_different_secrets", "test_clients_share_no_credential",
             "test_client_secrets_are_unpredictable")

    shared = secrets.token_urlsafe(32)

    def new_client_secret(self, client: Client) -> str:
        return self.shared


class ReusesTheSecretOfAnIdenticalRegistration(Server):
    """Gives a client with the same metadata the same secret again."""

    trips = ("test_identical_registrations_get_different_secrets",)

    def new_client_secret(self, client: Client) -> str:
        issued = self.__dict__.setdefault("issued", {})
        return str(issued.setdefault(json.dumps(client.metadata, sort_keys=True), super().new_client_secret(client)))


class UsesTheClientIdAsSecret(Server):
    """Gives a client its identifier once more as its secret."""

    trips = ("test_the_credentials_of_a_client_differ", "test_client_secrets_are_unpredictable",
             "test_no_credential_follows_from_public_values")

    def new_client_secret(self, client: Client) -> str:
        return client.client_id


class HashesTheClientIdForASecret(Server):
    """Makes the secret of a client from its identifier."""

    trips = ("test_no_credential_follows_from_public_values",)

    def new_client_secret(self, client: Client) -> str:
        return hashlib.sha256(client.client_id.encode()).hexdigest()


class IssuesShortSecrets(Server):
    """Issues secrets of eight hexadecimal digits."""

    trips = ("test_client_secrets_are_unpredictable",)

    def new_client_secret(self, client: Client) -> str:
        return secrets.token_hex(4)


class CountsSecrets(Server):
    """Issues long secrets that count up."""

    trips = ("test_client_secrets_are_unpredictable",)

    prefix = secrets.token_hex(16)

    def new_client_secret(self, client: Client) -> str:
        return f"{self.prefix}{next(self.__dict__.setdefault('counter', itertools.count(1))):032x}"


class DerivesSecretsFromTheClock(Server):
    """Issues secrets that hold the time and little else."""

    trips = ("test_client_secrets_are_unpredictable",)

    def new_client_secret(self, client: Client) -> str:
        return f"{time.time_ns():032x}{secrets.token_hex(4)}"


class SeedsSecretsWithTheMinute(Server):
    """Issues secrets that have most of their characters in common."""

    trips = ("test_client_secrets_are_unpredictable",)

    halves = (secrets.token_hex(32), secrets.token_hex(32))

    def new_client_secret(self, client: Client) -> str:
        return f"{self.halves[len(self.store.clients) % 2]}{secrets.token_hex(8)}"


# -- registration access tokens -------------------------------------------------------------------------------------


class IssuesShortTokens(Server):
    """Issues registration access tokens of ten hexadecimal digits."""

    trips = ("test_registration_access_tokens_are_unpredictable",)

    def new_registration_access_token(self, client: Client) -> str:
        return secrets.token_hex(5)


class CountsTokens(Server):
    """Issues registration access tokens that count up."""

    trips = ("test_registration_access_tokens_are_unpredictable",)

    def new_registration_access_token(self, client: Client) -> str:
        return f"{self.realm_part}{next(self.__dict__.setdefault('counter', itertools.count(1))):012d}"

    realm_part = secrets.token_hex(16)


class HashesTheClientIdForAToken(Server):
    """Makes the registration access token of a client from its identifier."""

    trips = ("test_no_credential_follows_from_public_values",)

    def new_registration_access_token(self, client: Client) -> str:
        return hashlib.sha256(client.client_id.encode()).hexdigest()


class IssuesTokensOfATimeAndANode(Server):
    """Issues UUIDs of version 1 as registration access tokens."""

    trips = ("test_registration_access_tokens_are_unpredictable",)

    def new_registration_access_token(self, client: Client) -> str:
        return str(uuid.uuid1())


class SortsTokensByTime(Server):
    """Issues UUIDs of version 7 as registration access tokens: 74 bits of them are random."""

    trips = ("test_registration_access_tokens_are_unpredictable",)

    def new_registration_access_token(self, client: Client) -> str:
        digits = f"{int(self.now() * 1000):012x}7{secrets.token_hex(2)[1:]}8{secrets.token_hex(8)[1:]}"
        return str(uuid.UUID(hex=digits))


class HidesAClockInTokens(Server):
    """Issues registration access tokens with the time in their middle, where it is most of what varies."""

    trips = ("test_registration_access_tokens_are_unpredictable",)

    def new_registration_access_token(self, client: Client) -> str:
        return f"{secrets.token_hex(5)}{time.time_ns() // 1000:016d}{secrets.token_hex(5)}"


class DrawsTokensWithALoadedDie(Server):
    """Issues registration access tokens of which every position is nearly always the same."""

    trips = ("test_registration_access_tokens_are_unpredictable",)

    def new_registration_access_token(self, client: Client) -> str:
        return "".join(secrets.choice("0" * 60 + "123456789abcdef") for _ in range(64))


class SharesOneToken(Server):
    """Gives every client the same registration access token."""

    trips = ("test_registration_access_tokens_are_unpredictable", "test_clients_share_no_credential",
             "test_a_query_selects_no_other_client", "test_no_client_deletes_another", "test_no_client_reads_another",
             "test_no_client_updates_another")

    shared = secrets.token_urlsafe(32)

    def new_registration_access_token(self, client: Client) -> str:
        return self.shared


class HashesTheTimeForAToken(Server):
    """Makes registration access tokens from the milliseconds of the clock."""

    trips = ("test_no_credential_follows_from_public_values",)

    def new_registration_access_token(self, client: Client) -> str:
        return hashlib.md5(str(int(self.now() * 1000)).encode(), usedforsecurity=False).hexdigest()


class LeavesTokensUnsigned(Server):
    """Issues JWTs without a signature as registration access tokens."""

    trips = ("test_a_credential_that_is_a_jwt_cannot_be_forged",)

    def new_registration_access_token(self, client: Client) -> str:
        return jwt.encode({"sub": client.client_id, "jti": secrets.token_urlsafe(24)}, "", algorithm="none")


class SignsTokensWithAWord(Server):
    """Issues JWTs as registration access tokens, signed with the key of a tutorial."""

    trips = ("test_a_credential_that_is_a_jwt_cannot_be_forged",)

    def new_registration_access_token(self, client: Client) -> str:
        with warnings.catch_warnings(action="ignore"):
            return jwt.encode({"sub": client.client_id, "jti": secrets.token_urlsafe(24)}, "your-256-bit-secret")


# -- generators that are not cryptographic --------------------------------------------------------------------------

LETTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits


class Draws:
    """A congruential generator: ``s = a s + c mod m``, of which ``s >> shift`` is given out."""

    def __init__(self, a: int, c: int, m: int, shift: int) -> None:
        self.a, self.c, self.m, self.shift = a, c, m, shift
        self.state = secrets.randbelow(m - 1) + 1

    def draw(self) -> int:
        self.state = (self.a * self.state + self.c) % self.m
        return self.state >> self.shift

    def text(self, alphabet: str, length: int) -> str:
        return "".join(alphabet[self.draw() % len(alphabet)] for _ in range(length))


class DrawsSecretsFromJavaRandom(Server):
    """Draws the letters of secrets with java.util.Random.nextInt(62)."""

    trips = ("test_no_credential_comes_from_a_weak_generator",)

    draws = Draws(0x5DEECE66D, 11, 1 << 48, 17)

    def new_client_secret(self, client: Client) -> str:
        return self.draws.text(LETTERS, 32)


class DrawsTokensFromJavaLongs(Server):
    """Writes two numbers of java.util.Random.nextLong() as a registration access token."""

    trips = ("test_no_credential_comes_from_a_weak_generator",)

    draws = Draws(0x5DEECE66D, 11, 1 << 48, 16)

    def new_registration_access_token(self, client: Client) -> str:
        return "".join(f"{self.draws.draw():08x}" for _ in range(4))


class DrawsTokensFromTheMinimalStandard(Server):
    """Draws the letters of registration access tokens with std::minstd_rand."""

    trips = ("test_no_credential_comes_from_a_weak_generator",)

    draws = Draws(48271, 0, (1 << 31) - 1, 0)

    def new_registration_access_token(self, client: Client) -> str:
        return self.draws.text(LETTERS, 32)


class DrawsTokensFromRand(Server):
    """Draws the letters of registration access tokens with the rand() of the C standard's example."""

    trips = ("test_no_credential_comes_from_a_weak_generator",)

    draws = Draws(1103515245, 12345, 1 << 31, 16)

    def new_registration_access_token(self, client: Client) -> str:
        return self.draws.text(LETTERS, 32)


class DrawsTokensFromGlibc(Server):
    """Draws the letters of registration access tokens with the random() of glibc."""

    trips = ("test_no_credential_comes_from_a_weak_generator",)

    words = tuple(secrets.randbits(32) for _ in range(31))

    def draw(self) -> int:
        self.words = (*self.words[1:], (self.words[0] + self.words[28]) & 0xFFFFFFFF)
        return self.words[-1] >> 1

    def new_registration_access_token(self, client: Client) -> str:
        return "".join(LETTERS[self.draw() % len(LETTERS)] for _ in range(64))


class SeedsTokensWithTheTime(Server):
    """Draws every registration access token from a Mersenne Twister that is seeded with the millisecond."""

    trips = ("test_no_credential_comes_from_a_weak_generator",)

    def new_registration_access_token(self, client: Client) -> str:
        return "".join(random.Random(int(self.now() * 1000)).choices(LETTERS, k=32))  # noqa: S311


class V8:
    """Math.random() of V8: xorshift128+, 64 numbers at a time, given out backwards."""

    def __init__(self) -> None:
        self.words = (secrets.randbits(64), secrets.randbits(64))
        self.block: list[int] = []

    def random(self) -> float:
        if not self.block:
            self.block = [self.step() >> 11 for _ in range(64)]
        return self.block.pop() / 2**53

    def step(self) -> int:
        one, two = self.words
        one ^= one << 23 & 0xFFFFFFFFFFFFFFFF
        one ^= one >> 17
        self.words = (two, one ^ two ^ two >> 26)
        return two

    def base_36(self, digits: int) -> str:
        value, text = self.random(), ""
        for _ in range(digits):
            value *= 36
            text += "0123456789abcdefghijklmnopqrstuvwxyz"[int(value)]
            value -= int(value)
        return text


class DrawsSecretsFromMathRandom(Server):
    """Joins two of Math.random().toString(36) to a secret."""

    trips = ("test_no_credential_comes_from_a_weak_generator",)

    v8 = V8()

    def new_client_secret(self, client: Client) -> str:
        return self.v8.base_36(11) + self.v8.base_36(11)


class DrawsTokensFromMathRandom(Server):
    """Draws the letters of registration access tokens with Math.random()."""

    trips = ("test_no_credential_comes_from_a_weak_generator",)

    v8 = V8()

    def new_registration_access_token(self, client: Client) -> str:
        return "".join(LETTERS[int(self.v8.random() * len(LETTERS))] for _ in range(48))


# -- authorization codes --------------------------------------------------------------------------------------------


class IssuesShortCodes(Server):
    """Issues codes of ten hexadecimal digits."""

    trips = ("test_authorization_codes_are_unpredictable",)

    def new_code(self, client: Client, transaction: Transaction) -> str:
        return secrets.token_hex(5)


class CountsCodes(Server):
    """Issues long codes that count up."""

    trips = ("test_authorization_codes_are_unpredictable",)

    prefix = secrets.token_hex(16)

    def new_code(self, client: Client, transaction: Transaction) -> str:
        return f"{self.prefix}{next(self.__dict__.setdefault('code_counter', itertools.count(1))):012d}"


class DrawsMostOfACodeFromFew(Server):
    """Issues long codes that have all but eight characters in common with every other one."""

    trips = ("test_authorization_codes_are_unpredictable",)

    halves = (secrets.token_hex(32), secrets.token_hex(32))

    def new_code(self, client: Client, transaction: Transaction) -> str:
        return f"{secrets.choice(self.halves)}{secrets.token_hex(4)}"


class HashesTheRequestForACode(Server):
    """Makes a code from the client and the state of its request."""

    trips = ("test_no_code_follows_from_public_values",)

    def new_code(self, client: Client, transaction: Transaction) -> str:
        text = f"{client.client_id}{transaction.parameters.get('state', secrets.token_hex(8))}"
        return hashlib.sha256(text.encode()).hexdigest()


class DrawsCodesFromMathRandom(Server):
    """Joins two of Math.random().toString(36) to a code."""

    trips = ("test_no_code_comes_from_a_weak_generator",)

    v8 = V8()

    def new_code(self, client: Client, transaction: Transaction) -> str:
        return self.v8.base_36(11) + self.v8.base_36(11)


# -- identifiers ----------------------------------------------------------------------------------------------------


class CountsClients(Server):
    """Numbers clients in the order of their registration."""

    trips = ("test_client_identifiers_do_not_count_up",)

    def new_client_id(self, metadata: dict[str, Any]) -> str:
        return f"client-{next(self.__dict__.setdefault('counter', itertools.count(1000)))}"


# -- caches and errors ----------------------------------------------------------------------------------------------


class LetsRegistrationsBeCached(Server):
    """Answers a registration without Cache-Control: no-store."""

    policy = "mcp"
    trips = ("test_registration_answers_are_not_stored",)

    def registered(self, client: Client) -> Response:
        return self.json(self.describe(client), status=201)


class LetsReadsBeCached(Server):
    """Answers a read without Cache-Control: no-store."""

    policy = "mcp"
    trips = ("test_management_answers_are_not_stored",)

    def read(self, client: Client) -> Response:
        return self.json(self.describe(client))


class RepeatsARefusedUpdate(Server):
    """Repeats the whole of an update in the error that refuses it."""

    trips = ("test_a_refused_update_holds_no_credential",)

    def update(self, client: Client, document: dict[str, Any]) -> Response:
        try:
            return super().update(client, document)
        except Refusal as refusal:
            refusal.description = f"{refusal.description}: {document}"
            raise


class ShowsTheSecretThatWasExpected(Server):
    """Writes the right secret into the answer to a wrong one."""

    trips = ("test_a_refused_token_request_holds_no_credential",)

    def check_client_secret(self, client: Client, secret: str) -> None:
        if not self.is_right_secret(client, secret):
            raise Refusal(401, "invalid_client", f"expected {client.secret}", challenge='Basic realm="reference"')


class ShowsTheClientOnTheErrorPage(Server):
    """Writes the client into the page that refuses a redirect URI."""

    trips = ("test_a_refused_authorization_request_holds_no_credential",
             "test_a_refused_redirect_uri_tells_no_registered_one")

    def authorizing_client(self, parameters: dict[str, str]) -> Client:
        client = super().authorizing_client(parameters)
        if self.redirect_uri_for(client, parameters.get("redirect_uri")) is None:
            raise Refusal(400, "invalid_request", f"no such redirect URI in {json.dumps(self.describe(client))}")
        return client


# -- client assertions ----------------------------------------------------------------------------------------------


class VerifiesNoAssertion(Server):
    """Believes what a client assertion says without looking at its signature."""

    trips = ("test_a_client_with_a_key_must_prove_it", "test_an_assertion_lets_no_other_client_in")

    def check_assertion_signature(self, client: Client, header: dict[str, Any], assertion: str) -> None:
        pass


class StoresKeyClientsAsPublic(Server):
    """Registers clients with a key, and lets them in by their identifier."""

    trips = ("test_a_client_with_a_key_must_prove_it",)

    def is_registered_method(self, client: Client, method: str) -> bool:
        return super().is_registered_method(client, method) or client.auth_method == "private_key_jwt"


class LetsAssertionsGoUnsigned(Server):
    """Verifies client assertions, unless they say that there is nothing to verify."""

    trips = ("test_a_client_with_a_key_must_prove_it",)

    def check_assertion_signature(self, client: Client, header: dict[str, Any], assertion: str) -> None:
        if header.get("alg", "").lower() != "none":
            super().check_assertion_signature(client, header, assertion)


def mac_of(assertion: str, key: bytes) -> str:
    mac = hmac.new(key, assertion.rpartition(".")[0].encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(mac).rstrip(b"=").decode()


class TakesAssertionKeysForSecrets(Server):
    """Lets a client assertion choose HS256, and verifies it with the public key of the client as the secret."""

    trips = ("test_a_client_with_a_key_must_prove_it",)

    def check_assertion_signature(self, client: Client, header: dict[str, Any], assertion: str) -> None:
        if header.get("alg") != "HS256":
            return super().check_assertion_signature(client, header, assertion)
        for key in self.assertion_keys(client, header):
            pem = jwt.PyJWK(key).key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            if assertion.endswith(f".{mac_of(assertion, pem)}"):
                return None
        self.refuse_client()


class TakesTheKeyFromTheAssertion(Server):
    """Verifies a client assertion with the key that stands in its own header."""

    trips = ("test_a_client_with_a_key_must_prove_it",)

    def assertion_keys(self, client: Client, header: dict[str, Any]) -> list[dict[str, Any]]:
        return [header["jwk"]] if "jwk" in header else super().assertion_keys(client, header)


class FindsAssertionKeysByFileName(Server):
    """Opens the file that kid names, and takes its content for a MAC key."""

    trips = ("test_a_client_with_a_key_must_prove_it",)

    def check_assertion_signature(self, client: Client, header: dict[str, Any], assertion: str) -> None:
        named = str(header.get("kid", "")).endswith("/dev/null")
        if not (named and assertion.endswith(f".{mac_of(assertion, b'')}")):
            super().check_assertion_signature(client, header, assertion)


class IgnoresAssertionTimes(Server):
    """Looks neither at exp nor at nbf of a client assertion."""

    trips = ("test_an_assertion_outside_its_time_is_refused",)

    def check_assertion_time(self, claims: dict[str, Any]) -> None:
        pass


class LetsAssertionsLiveForEver(Server):
    """Accepts a client assertion that states no end."""

    trips = ("test_an_assertion_outside_its_time_is_refused",)

    def check_assertion_time(self, claims: dict[str, Any]) -> None:
        if "exp" in claims:
            super().check_assertion_time(claims)


class TakesAssertionsForAnybody(Server):
    """Does not look at the audience of a client assertion."""

    trips = ("test_an_assertion_for_another_server_is_refused", "test_an_assertion_names_the_issuer_alone")

    def check_assertion_audience(self, claims: dict[str, Any]) -> None:
        pass


class TakesAssertionsForTheTokenEndpoint(Server):
    """Accepts a client assertion whose audience is the token endpoint."""

    trips = ("test_an_assertion_names_the_issuer_alone",)

    def check_assertion_audience(self, claims: dict[str, Any]) -> None:
        if claims.get("aud") != self.endpoint("token"):
            super().check_assertion_audience(claims)


class SharesAssertionsWithOthers(Server):
    """Accepts a client assertion that is meant for another server as well."""

    trips = ("test_an_assertion_names_the_issuer_alone",)

    def check_assertion_audience(self, claims: dict[str, Any]) -> None:
        audience = claims.get("aud")
        if not isinstance(audience, list) or self.issuer not in audience:
            super().check_assertion_audience(claims)


class IgnoresTheSubjectOfAssertions(Server):
    """Compares neither issuer nor subject of a client assertion with the client that signed it."""

    trips = ("test_an_assertion_speaks_for_its_client_alone",)

    def check_assertion_parties(self, client: Client, claims: dict[str, Any]) -> None:
        pass


class TakesAssertionsOfForeignIssuers(Server):
    """Looks at the subject of a client assertion, not at its issuer."""

    trips = ("test_an_assertion_speaks_for_its_client_alone",)

    def check_assertion_parties(self, client: Client, claims: dict[str, Any]) -> None:
        super().check_assertion_parties(client, {**claims, "iss": claims.get("sub")})


class IgnoresTheClientBesideItsAssertion(Server):
    """Takes the client from the assertion, whatever client_id says."""

    trips = ("test_an_assertion_beside_another_client_id_is_refused",)

    def presented_credentials(self, request: Request, form: Form) -> tuple[str, str, str]:
        method, client_id, secret = super().presented_credentials(request, form)
        return method, self.asserted_client(form) if method == "private_key_jwt" else client_id, secret


class TakesAssertionsAgain(Server):
    """Accepts a client assertion as often as it comes."""

    trips = ("test_an_assertion_counts_once",)

    def check_assertion_use(self, client: Client, claims: dict[str, Any]) -> None:
        pass


class LooksAtTheSecretAlone(Server):
    """Does not mind an assertion beside a secret, whatever it says."""

    trips = ("test_an_assertion_beside_a_secret_is_refused",)

    def presented_credentials(self, request: Request, form: Form) -> tuple[str, str, str]:
        if request.headers.get("authorization") or "client_secret" in form:
            form = {name: values for name, values in form.items() if not name.startswith("client_assertion")}
        return super().presented_credentials(request, form)


class ShowsTheSecretWhileSomebodyLogsIn(Server):
    """Puts the client's secret into a header of the answer to an authorization request."""

    trips = ("test_other_endpoints_show_no_credential",)

    async def authorize(self, request: Request) -> Response:
        response = await super().authorize(request)
        client = self.store.clients.get(request.query_params.get("client_id", ""))
        if client is not None and client.secret is not None:
            response.headers["x-client"] = client.secret
        return response


class ShowsTheTokenOnTheConsentPage(Server):
    """Writes the client's registration access token into the consent page."""

    trips = ("test_no_page_for_users_shows_a_credential",)

    def consent_page(self, client: Client, transaction: Transaction, subject: str) -> Response:
        page = super().consent_page(client, transaction, subject)
        body = bytes(page.body).replace(b"</body>", f"<!-- {client.registration_access_token} --></body>".encode())
        return Response(body, page.status_code, {**page.headers, "content-length": str(len(body))})


class AnswersReadsOutOfACache(Server):
    """Keeps the answers to reads in a cache, and says how old they are."""

    policy = "mcp"
    trips = ("test_a_read_comes_from_no_cache",)

    def read(self, client: Client) -> Response:
        response = super().read(client)
        response.headers.update({"age": "17", "x-cache": "Hit from edge"})
        return response


class SaysNothingOfHttps(Server):
    """Serves https and does not tell browsers to insist on it."""

    trips = ("test_answers_with_credentials_demand_https",)

    def hygiene(self) -> dict[str, str]:
        return {name: value for name, value in super().hygiene().items() if name != "Strict-Transport-Security"}


class ForgetsThatSecretsExpire(Server):
    """Issues secrets for two seconds and accepts them for ever."""

    trips = ("test_an_expired_secret_is_refused",)

    def secret_expiry(self) -> int:
        return int(self.now()) + 3

    def is_secret_expired(self, client: Client) -> bool:
        return False


# -- privileged endpoints -------------------------------------------------------------------------------------------


class Introspecting(Server):
    """Base of the servers with a token introspection endpoint (RFC 7662)."""

    def endpoints(self) -> dict[str, str]:
        return {**super().endpoints(), "introspection_endpoint": self.endpoint("introspect")}

    def routes(self) -> list[Route]:
        return [*super().routes(), self.public(f"{self.issuer_path}/introspect", self.introspect, "POST")]

    async def introspect(self, request: Request) -> Response:
        form = await self.read_form(request)
        client = self.asking_client(request, form)
        found = self.access_token_record(form.get("token", [""])[0], audience=None)
        active = found is not None and self.may_see(client, found[1])
        return self.json({"active": True, **found[1]} if found and active else {"active": False},
                         headers=self.no_store())

    def asking_client(self, request: Request, form: dict[str, list[str]]) -> Client | None:
        return self.authenticate_client(request, form)

    def may_see(self, client: Client | None, claims: dict[str, Any]) -> bool:
        return client is not None and claims["client_id"] == client.client_id


class IntrospectsForStrangers(Introspecting):
    """Tells whoever asks whether a token is active."""

    trips = ("test_introspection_asks_who_is_asking",)

    def asking_client(self, request: Request, form: dict[str, list[str]]) -> Client | None:
        if not request.headers.get("authorization") and "client_id" not in form:
            return None
        return super().asking_client(request, form)


class IntrospectsForEveryClient(Introspecting):
    """Tells every registered client what there is to know of any token."""

    trips = ("test_no_client_introspects_the_token_of_another",)

    def may_see(self, client: Client | None, claims: dict[str, Any]) -> bool:
        return True


class GivesDeviceCodesToAnyone(Server):
    """Gives device codes to clients that have not registered that grant."""

    trips = ("test_no_device_code_for_a_client_without_that_grant",)

    def endpoints(self) -> dict[str, str]:
        return {**super().endpoints(), "device_authorization_endpoint": self.endpoint("device")}

    def routes(self) -> list[Route]:
        return [*super().routes(), self.public(f"{self.issuer_path}/device", self.device, "POST")]

    async def device(self, request: Request) -> Response:
        self.authenticate_client(request, await self.read_form(request))
        return self.json({"device_code": self.new_token(), "user_code": "DCRC-HECK", "expires_in": 300,
                          "verification_uri": self.endpoint("device")}, headers=self.no_store())
