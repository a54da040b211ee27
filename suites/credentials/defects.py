"""Servers that are careless with secrets and tokens, each in one way."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import secrets
import string
import time
import uuid
import warnings
from typing import Any

import jwt
from starlette.responses import Response

from dcrcheck.reference import Server
from dcrcheck.reference.answers import Refusal
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

    trips = ("test_the_expiry_of_a_secret_is_zero_or_a_time_to_come",)

    def describe_secret(self, client: Client) -> dict[str, Any]:
        told = super().describe_secret(client)
        return {**told, "client_secret_expires_at": client.issued_at - 86_400} if told else told


class GivesPublicClientsASecret(Server):
    """Issues a secret to clients that authenticate by none."""

    trips = ("test_a_public_client_gets_no_secret",)

    def needs_secret(self, client: Client) -> bool:
        return True


class AcceptsAnySecret(Server):
    """Asks for a secret at the token endpoint and does not look at it."""

    trips = ("test_a_client_with_a_secret_must_prove_it", "test_refreshing_needs_the_secret")

    def check_client_secret(self, client: Client, secret: str) -> None:
        pass


class TreatsEveryClientAsPublic(Server):
    """Issues secrets and stores the clients as public ones."""

    trips = ("test_a_client_with_a_secret_must_prove_it", "test_refreshing_needs_the_secret",
             "test_a_confidential_client_is_not_let_in_by_its_identifier",
             "test_client_credentials_yields_no_token_by_the_identifier_alone")

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

    trips = ("test_the_credentials_of_a_client_differ", "test_client_secrets_are_unpredictable")

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

    trips = ("test_registration_access_tokens_are_unpredictable", "test_clients_share_no_credential")

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

    trips = ("test_a_refused_authorization_request_holds_no_credential",)

    def authorizing_client(self, parameters: dict[str, str]) -> Client:
        client = super().authorizing_client(parameters)
        if self.redirect_uri_for(client, parameters.get("redirect_uri")) is None:
            raise Refusal(400, "invalid_request", f"no such redirect URI in {json.dumps(self.describe(client))}")
        return client


