"""Servers that believe the wrong software statements, or make too little of the right ones."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dcrcheck.reference import Server


def header_of(statement):
    head = statement.partition(".")[0]
    return json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))


def is_maced_with(statement, key):
    head, _, seal = statement.rpartition(".")
    mac = urlsafe_b64encode(hmac.new(key, head.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
    return header_of(statement).get("alg") == "HS256" and mac == seal


class BelievesUnsignedStatements(Server):
    """Reads the algorithm from the statement, and checks nothing where it says "none"."""

    trips = ("test_an_unsigned_statement_has_no_effect",)

    def check_statement_signed(self, header, statement):
        pass

    def check_statement_signature(self, statement):
        if statement.rpartition(".")[2]:
            super().check_statement_signature(statement)


class NeverVerifiesStatements(Server):
    """Takes the claims of a statement without looking at its signature."""

    trips = ("test_a_statement_that_anyone_can_sign_has_no_effect", "test_an_altered_statement_has_no_effect",
             "test_a_statement_does_not_say_where_its_key_is", "test_a_hostile_key_name_does_no_harm")

    def check_statement_signature(self, statement):
        pass


class TakesTheKeyFromTheStatement(Server):
    """Verifies a statement with the key that stands in its own header."""

    trips = ("test_a_statement_that_anyone_can_sign_has_no_effect",)

    def check_statement_signature(self, statement):
        key = header_of(statement).get("jwk")
        if key is None:
            super().check_statement_signature(statement)
        else:
            jwt.decode(statement, jwt.PyJWK(key).key, algorithms=["ES256"])


class FindsKeysByFileName(Server):
    """Opens the file that kid names, and takes its content for a MAC key."""

    trips = ("test_a_statement_that_anyone_can_sign_has_no_effect",)

    def check_statement_signed(self, header, statement):
        if header.get("alg") != "HS256":
            super().check_statement_signed(header, statement)

    def check_statement_signature(self, statement):
        if not (header_of(statement).get("kid", "").endswith("/dev/null") and is_maced_with(statement, b"")):
            super().check_statement_signature(statement)


class TakesPublicKeysForSecrets(Server):
    """Lets the statement choose HS256, and verifies it with the public key as the secret."""

    trips = ("test_a_public_key_is_no_secret",)

    def check_statement_signed(self, header, statement):
        if header.get("alg") != "HS256":
            super().check_statement_signed(header, statement)

    def check_statement_signature(self, statement):
        key = self.statement_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        if not is_maced_with(statement, key):
            super().check_statement_signature(statement)


class FetchesKeysFromAnywhere(Server):
    """Believes a statement by the key that it names with jku or x5u."""

    trips = ("test_a_statement_does_not_say_where_its_key_is",)

    def check_statement_signature(self, statement):
        # nothing is fetched here: what matters is that the answer would be believed
        if not {"jku", "x5u"} & header_of(statement).keys():
            super().check_statement_signature(statement)


class TakesAnObjectForAStatement(Server):
    """Accepts the claims of a statement as a plain JSON object."""

    trips = ("test_a_statement_that_is_no_string_has_no_effect",
             "test_a_member_of_the_wrong_type_is_refused_or_dropped")

    def statement_claims(self, statement):
        return statement if isinstance(statement, dict) else super().statement_claims(statement)

    def accept_member(self, name, value, redirect_uris):
        return None if isinstance(value, dict) and "iss" in value else super().accept_member(name, value, redirect_uris)


class BlamesTheMetadataForItsStatement(Server):
    """Reports a bad statement as invalid_client_metadata."""

    trips = ("test_an_invalid_statement_is_reported_as_such", "test_a_statement_outside_its_time_is_invalid")

    def refuse_statement(self, description):
        self.refuse_metadata(description)


class LetsTheJsonWin(Server):
    """Lays the plain JSON over the claims of the statement."""

    trips = ("test_the_statement_wins_over_the_json", "test_a_stolen_statement_keeps_its_redirect_uris")

    def override(self, document, signed):
        return {**signed, **document}


class TakesRedirectUrisFromTheJson(Server):
    """Believes the statement in everything but the redirect URIs."""

    trips = ("test_a_stolen_statement_keeps_its_redirect_uris",)

    def override(self, document, signed):
        return {**document, **signed, "redirect_uris": document.get("redirect_uris")}


class RewritesTheStatement(Server):
    """Returns the statement in an encoding of its own."""

    trips = ("test_a_used_statement_is_returned_unmodified",)

    def describe_metadata(self, client):
        described = super().describe_metadata(client)
        statement = described.get("software_statement")
        return {**described, "software_statement": f"{statement}="} if statement else described


class KeepsTheStatementToItself(Server):
    """Does not return the statement that it used."""

    trips = ("test_a_used_statement_is_returned_unmodified",)

    def describe_metadata(self, client):
        return {name: value for name, value in super().describe_metadata(client).items()
                if name != "software_statement"}


class LeavesClaimsInTheStatement(Server):
    """Returns what the statement says only inside the statement."""

    trips = ("test_values_of_a_statement_are_top_level_members",)

    def registered(self, client):
        described = self.describe(client)
        if "software_statement" in described:
            described.pop("software_version", None)
        return self.json(described, status=201, headers=self.no_store())


class NeedsNoStatementIssuer(Server):
    """Accepts a statement that nobody issued, if only its signature is good."""

    trips = ("test_a_statement_without_issuer_has_no_effect",)

    def check_statement_issuer(self, claims):
        pass

    def check_statement_trust(self, claims):
        if "iss" in claims:
            super().check_statement_trust(claims)


class BelievesExpiredStatements(Server):
    """Does not look at exp and nbf of a statement."""

    trips = ("test_a_statement_outside_its_time_is_invalid",)

    def check_statement_time(self, claims):
        pass


class ForgetsWithdrawals(Server):
    """Registers software whose approval was withdrawn."""

    trips = ("test_an_unapproved_statement_is_reported_as_such",)

    def check_statement_approval(self, claims):
        pass


class CallsUnapprovedInvalid(Server):
    """Reports a statement that it does not approve as one that it could not verify."""

    trips = ("test_an_unapproved_statement_is_reported_as_such",)

    def refuse_approval(self, description):
        self.refuse_statement(description)


class BelievesWhomeverAStatementNames(Server):
    """Trusts the issuer's key, whoever it signs for."""

    policy = "mcp"
    trips = ("test_a_statement_of_another_issuer_has_no_effect",)

    def check_statement_trust(self, claims):
        pass


class BelievesStatementsForOthers(Server):
    """Does not look at the audience of a statement."""

    policy = "mcp"
    trips = ("test_a_statement_for_another_server_has_no_effect",)

    def check_statement_audience(self, claims):
        pass


class IgnoresCriticalHeaders(Server):
    """Ignores the header parameters that it does not understand, critical ones too."""

    trips = ("test_a_statement_with_an_unknown_critical_header_has_no_effect",)

    def open_statement(self, statement):
        # the library that reads and verifies would reject it as well
        try:
            _, claims, _ = statement.split(".")
            found = header_of(statement), json.loads(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        except (AttributeError, ValueError):
            return super().open_statement(statement)
        return found if "crit" in found[0] else super().open_statement(statement)

    def check_statement_header(self, header):
        pass

    def check_statement_signature(self, statement):
        head, _, seal = statement.rpartition(".")
        jwt.get_algorithm_by_name("ES256").verify(
            head.encode(), self.statement_key.public_key(), urlsafe_b64decode(seal + "=" * (-len(seal) % 4)))
        if "crit" not in header_of(statement):
            super().check_statement_signature(statement)


class GuessesTheEncodingOfStatements(Server):
    """Leaves it to a lenient parser in which encoding a statement is."""

    policy = "mcp"
    trips = ("test_a_statement_in_another_encoding_has_no_effect",)

    def check_statement_encoding(self, statement):
        pass


class AsksADatabaseForTheKey(Server):
    """Puts the kid of a statement between quotation marks in a query."""

    trips = ("test_a_hostile_key_name_does_no_harm",)

    def check_statement_header(self, header):
        super().check_statement_header(header)
        if "'" in str(header.get("kid", "")):
            raise RuntimeError("unterminated string in query")


class RegistersWhateverAJwtSays(Server):
    """Reads registrations in the form of a JWT, and verifies nothing."""

    trips = ("test_a_forged_registration_jwt_is_refused",)

    async def read_document(self, request):
        if request.headers.get("content-type") == "application/jwt":
            return jwt.decode((await self.read_body(request)).decode(), options={"verify_signature": False})
        return await super().read_document(request)
