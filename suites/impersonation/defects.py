"""Servers on which a stranger passes for someone the user knows, or needs no user at all."""

import html
import unicodedata

from dcrcheck.reference import Server


class TrustsEveryClient(Server):
    """Issues codes to clients that registered themselves without asking the user."""

    trips = ("test_a_new_client_needs_consent", "test_a_copy_needs_consent_of_its_own",
             "test_consent_for_a_local_application_is_asked_again")

    def may_skip_consent(self, client, transaction, session):
        return True


class RemembersConsentByName(Server):
    """Takes consent for one client as consent for every other of the same name."""

    trips = ("test_a_copy_needs_consent_of_its_own",)

    def may_skip_consent(self, client, transaction, session):
        approved = {other.metadata.get("client_name") for other in self.store.clients.values()
                    if any(code.client_id == other.client_id for code in self.store.codes.values())}
        return client.metadata.get("client_name") in approved and not any(
            code.client_id == client.client_id for code in self.store.codes.values())


class ConsentsSilently(Server):
    """Issues a code for prompt=none to any client, as long as the user is logged in."""

    trips = ("test_consent_is_not_silent",)

    def check_prompt(self, parameters):
        pass

    def may_skip_consent(self, client, transaction, session):
        return transaction.parameters.get("prompt") == "none"


class RemembersConsent(Server):
    """Asks the user once for each client, and never again."""

    policy = "mcp"
    trips = ("test_consent_is_asked_again", "test_consent_for_a_local_application_is_asked_again")

    def may_skip_consent(self, client, transaction, session):
        return any(code.client_id == client.client_id for code in self.store.codes.values())


class TakesConsentFromAnywhere(Server):
    """Takes the consent form from any site and any browser in which somebody is logged in."""

    trips = ("test_another_site_cannot_give_consent",)

    def is_transaction_of(self, transaction, session):
        return True

    def is_own_origin(self, request):
        return True

    def set_cookie(self, response, session):
        response.set_cookie(self.cookie_name(), session.session_id, path="/", secure=True, httponly=True,
                            samesite="none")


class LetsAnyBrowserGoOn(Server):
    """Asks for consent before the login, and issues a code to whoever logs in with the link that follows."""

    trips = ("test_consent_is_worth_nothing_in_another_browser",)

    def next_step(self, client, transaction, session):
        if transaction.error or session.subject or "prompt" in transaction.parameters:
            return super().next_step(client, transaction, session)
        return self.consent_step(transaction)

    def may_decide(self, session):
        return True

    def approved(self, client, transaction, session):
        if session.subject:
            return super().approved(client, transaction, session)
        transaction.approved = True
        return self.see_other(f"{self.endpoint('login')}?transaction={transaction.transaction_id}")

    def is_transaction_of(self, transaction, session):
        return hasattr(transaction, "approved") or super().is_transaction_of(transaction, session)

    def may_skip_consent(self, client, transaction, session):
        return hasattr(transaction, "approved")


class LetsTheFormChooseTheDestination(Server):
    """Believes a redirect_uri in the consent form, since the authorization endpoint has checked one before."""

    trips = ("test_the_consent_form_does_not_choose_the_destination",)

    def check_form(self, request, form, transaction):
        super().check_form(request, form, transaction)
        transaction.redirect_uri = form.get("redirect_uri", [transaction.redirect_uri])[0]


class CallsEveryClientVerified(Server):
    """Does not say on the consent page that a client registered itself."""

    policy = "mcp"
    trips = ("test_the_page_says_that_the_client_is_unverified",)

    def is_unverified(self, client):
        return False


class HidesTheDestination(Server):
    """Does not say on the consent page where the user will be sent."""

    policy = "mcp"
    trips = ("test_the_page_shows_where_the_user_will_be_sent",)

    def shows_destination(self, client):
        return False


class HidesOfflineAccess(Server):
    """Leaves offline_access out of what the consent page lists."""

    policy = "mcp"
    trips = ("test_the_page_names_every_scope",)

    def shown_scopes(self, transaction):
        return tuple(scope for scope in transaction.scopes if scope != "offline_access")


class ShowsNothingButAName(Server):
    """Says on the consent page what the client calls itself, and nothing to judge it by."""

    trips = ("test_a_name_is_only_a_claim",
             "test_a_copy_of_a_client_is_refused_or_qualified",
             "test_the_page_says_that_the_client_is_unverified")

    def is_unverified(self, client):
        return False

    def shows_destination(self, client):
        return False


class KnowsSoftwareByItsWord(Server):
    """Takes a client for genuine that states the software_id of one it knows."""

    trips = ("test_a_copy_of_a_client_is_refused_or_qualified",)

    def is_unverified(self, client):
        return "software_id" not in client.metadata

    def shows_destination(self, client):
        return "software_id" not in client.metadata


class TidiesNames(Server):
    """Shows names without their accents and foreign letters."""

    trips = ("test_the_name_is_shown_as_it_was_registered",)

    def shown_name(self, client, locales):
        name = super().shown_name(client, locales)
        return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()


class ShowsMetadataAsMarkup(Server):
    """Puts metadata into its pages without escaping it."""

    trips = ("test_metadata_is_shown_as_text",)

    def render(self, template, **values):
        return html.unescape(super().render(template, **values))


class ShowsNoLinks(Server):
    """Shows none of the addresses that a client registered."""

    trips = ("test_client_uri_is_a_link", "test_the_terms_are_shown", "test_the_privacy_policy_is_shown")

    def shown_links(self, client):
        return []


class LinksOnlyTheSmallPrint(Server):
    """Links the terms and the privacy policy of a client, and not its own page."""

    trips = ("test_client_uri_is_a_link",)

    def shown_links(self, client):
        return [link for link in super().shown_links(client) if link[1] != client.metadata.get("client_uri")]


class HidesTheTerms(Server):
    """Does not show where the terms of service are."""

    trips = ("test_the_terms_are_shown",)

    def shown_links(self, client):
        return [link for link in super().shown_links(client) if link[1] != client.metadata.get("tos_uri")]


class HidesThePrivacyPolicy(Server):
    """Does not show where the privacy policy is."""

    trips = ("test_the_privacy_policy_is_shown",)

    def shown_links(self, client):
        return [link for link in super().shown_links(client) if link[1] != client.metadata.get("policy_uri")]


class ShowsNoLogos(Server):
    """Shows no client's logo."""

    trips = ("test_the_logo_is_shown",)

    def shown_logo(self, client):
        return ""
