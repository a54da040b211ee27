"""Servers that keep the rules for the requests one thinks of, and break them for others."""

import json
from urllib.parse import unquote

from dcrcheck.reference import Server


class AnswersEarly(Server):
    """Acknowledges a client that has no name with success, and without a client_id."""

    trips = ("test_success_always_names_the_client",)

    async def register(self, request):
        response = await super().register(request)
        if b'"client_name"' not in response.body:
            return self.json({"status": "accepted"}, status=202)
        return response


class QuotesRefusedUris(Server):
    """Puts refused redirect URIs into the description of the error, in whatever script they are."""

    trips = ("test_an_error_description_is_ascii", "test_every_error_description_is_ascii")

    def check_redirect_uri(self, value):
        fault = self.redirect_fault(value) if isinstance(value, str) else ""
        if fault:
            self.refuse_redirect_uri(f"{fault}: {value}")
        super().check_redirect_uri(value)


class IssuesBeforeItValidates(Server):
    """Puts the identifier that the client would have had into the refusal."""

    trips = ("test_a_refusal_carries_no_credentials",)

    def error_body(self, refusal):
        reserved = {"client_id": self.new_identifier()} if refusal.error == "invalid_redirect_uri" else {}
        return {**super().error_body(refusal), **reserved}


class KeepsOneContact(Server):
    """Answers contacts as they were sent and stores the first."""

    trips = ("test_a_client_is_what_its_last_successful_request_made_it", "test_what_is_answered_is_what_is_stored")

    def read(self, client):
        client.metadata = {name: value[:1] if name == "contacts" else value
                           for name, value in client.metadata.items()}
        return super().read(client)


class LosesUpdates(Server):
    """Answers an update with the new values of software_version and keeps the old ones."""

    trips = ("test_a_client_is_what_its_last_successful_request_made_it",
             "test_an_update_answers_with_the_values_in_force")

    def updated(self, client):
        answer = super().updated(client)
        client.metadata = {**client.metadata, "software_version": "0"}
        return answer


class KeepsContactsAsTheyCome(Server):
    """Stores contacts of any type, a string or an object for instance."""

    trips = ("test_every_registered_member_has_its_type", "test_a_member_of_the_wrong_type_is_refused_or_dropped")

    def accept_contacts(self, value):
        return super().accept_contacts(value) if isinstance(value, list) else value


class CleansSchemes(Server):
    """Drops tabs and line breaks from a redirect URI before judging it, and stores it with them."""

    trips = ("test_no_spelling_of_an_executable_scheme_is_registered", "test_no_unsafe_redirect_uri_is_ever_registered")

    def redirect_fault(self, text):
        return "" if "\t" in text.partition(":")[0] else super().redirect_fault(text)


class ForgetsWhatItSawBefore(Server):
    """Registers no software_version that it has seen before."""

    trips = ("test_the_same_request_gets_the_same_decision",)

    async def register(self, request):
        response = await super().register(request)
        body = json.loads(response.body)
        version = body.get("software_version", "1.0")
        seen = self.__dict__.setdefault("versions", {"1.0"})
        if response.status_code != 201 or version not in seen or version == "1.0":
            seen.add(version)
            return response
        del body["software_version"]
        del self.store.clients[body["client_id"]].metadata["software_version"]
        return self.json(body, status=201)


class ChecksIdentifiersAtRegistrationOnly(Server):
    """Takes any text for a software_id in an update, control characters and all."""

    trips = ("test_an_update_stores_nothing_that_a_registration_refuses",)

    def accept_update(self, client, wanted):
        odd = {name: value for name, value in wanted.items() if name == "software_id" and isinstance(value, str)}
        return {**super().accept_update(client, {n: v for n, v in wanted.items() if n not in odd}), **odd}


class DecodesBeforeItCompares(Server):
    """Decodes the redirect URI of an authorization request, and not the registered one."""

    trips = ("test_what_is_registered_can_be_used", "test_redirect_uris_that_only_normalise_alike_do_not_match")

    def redirect_uri_matches(self, requested, registered):
        return super().redirect_uri_matches(unquote(requested), registered)
