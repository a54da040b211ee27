"""Servers that are careless with secrets and tokens, each in one way."""

from __future__ import annotations

import hashlib
import itertools
import json
import secrets
import time
from typing import Any

from starlette.responses import Response

from dcrcheck.reference import Server
from dcrcheck.reference.answers import Refusal
from dcrcheck.reference.store import Client

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


