"""From an authorization request to its answer: log-in, consent, the way back (OAuth 2.1, section 4.1.2)."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from dcrcheck.reference.answers import Refusal
from dcrcheck.reference.pages import Pages
from dcrcheck.reference.registration import Registration
from dcrcheck.reference.sessions import Sessions
from dcrcheck.reference.store import Client, Code, Session, Transaction

Parameters = dict[str, str]


class Consent(Pages, Sessions, Registration):
    # -- the way to the client

    def next_step(self, client: Client, transaction: Transaction, session: Session) -> Response:
        """Log in first, also where the answer will be an error (RFC 9700, section 4.11.2)."""
        if transaction.error and (session.subject or self.reveals_errors_before_login()):
            return self.error_redirect(transaction, *transaction.error)
        if not session.subject or "login" in transaction.parameters.get("prompt", "").split(" "):
            if "none" in transaction.parameters.get("prompt", "").split(" "):
                raise Refusal(400, "login_required", "You are not logged in, and the application wants no log-in.")
            return self.see_other(f"{self.endpoint('login')}?{urlencode({'transaction': transaction.transaction_id})}")
        if self.may_skip_consent(client, transaction, session):
            return self.code_redirect(client, transaction, session.subject)
        return self.consent_step(transaction)

    def reveals_errors_before_login(self) -> bool:
        return self.rules.errors_before_login

    def may_skip_consent(self, client: Client, transaction: Transaction, session: Session) -> bool:
        """Never: nothing proves that a self-registered client is the one that was allowed before."""
        return False

    def consent_step(self, transaction: Transaction) -> Response:
        return self.see_other(f"{self.endpoint('consent')}?{urlencode({'transaction': transaction.transaction_id})}")

    async def login(self, request: Request) -> Response:
        """GET shows the form, POST takes it."""
        session = self.session_of(request)
        if request.method != "POST":
            return self.login_page(self.transaction_of(self._transaction_id(request), session))
        form = await self.read_form(request)
        transaction = self.transaction_of(form.get("transaction", [""])[0], session)
        self.check_form(request, form, transaction)
        if not self.is_right_password(form.get("username", [""])[0], form.get("password", [""])[0]):
            self.throttle_login(request)
            return self.login_page(transaction, failed=True, status=403)
        return self.logged_in(transaction, session or self.new_session(), form["username"][0])

    def logged_in(self, transaction: Transaction, session: Session, subject: str) -> Response:
        session = self.renew_session(session, subject)
        transaction.session_id = session.session_id
        client = self.store.clients.get(transaction.client_id)
        if client is None:
            raise Refusal(400, "invalid_client", "The application that sent you here is no longer known.")
        if transaction.error:
            response = self.error_redirect(transaction, *transaction.error)
        elif self.may_skip_consent(client, transaction, session):
            response = self.code_redirect(client, transaction, subject)
        else:
            response = self.consent_step(transaction)
        self.set_cookie(response, session)
        return response

    async def consent(self, request: Request) -> Response:
        """GET shows what is asked for, POST takes the decision."""
        session = self.session_of(request)
        form = await self.read_form(request) if request.method == "POST" else {}
        transaction_id = form.get("transaction", [""])[0] if form else self._transaction_id(request)
        transaction = self.transaction_of(transaction_id, session)
        client = self.store.clients.get(transaction.client_id)
        if client is None or session is None or not self.may_decide(session) or transaction.error:
            raise Refusal(400, "invalid_request", "This authorization request cannot be decided on.")
        if request.method != "POST":
            return self.consent_page(client, transaction, session.subject)
        self.check_form(request, form, transaction)
        if not self.is_approval(form.get("decision", [""])[0]):
            return self.error_redirect(transaction, "access_denied", "the user refused")
        return self.approved(client, transaction, session)

    def may_decide(self, session: Session) -> bool:
        """Only who has logged in, so that the decision is of the user whom it binds."""
        return bool(session.subject)

    def approved(self, client: Client, transaction: Transaction, session: Session) -> Response:
        return self.code_redirect(client, transaction, session.subject)

    def is_approval(self, decision: str) -> bool:
        return decision == "approve"

    def _transaction_id(self, request: Request) -> str:
        return self.parameters(request.scope["query_string"]).get("transaction", [""])[0]

    # -- the answer to the client

    def code_redirect(self, client: Client, transaction: Transaction, subject: str) -> Response:
        code = self.issue_code(client, transaction, subject)
        return self.client_redirect(transaction, {"code": code.value})

    def issue_code(self, client: Client, transaction: Transaction, subject: str) -> Code:
        """Bound to all that the user agreed to (OAuth 2.1, section 4.1.2)."""
        parameters = transaction.parameters
        code = Code(value=self.new_code(client, transaction), client_id=client.client_id,
                    redirect_uri=transaction.redirect_uri, challenge=parameters.get("code_challenge", ""),
                    challenge_method=self.requested_challenge_method(dict(parameters)), subject=subject,
                    scopes=transaction.scopes, resources=transaction.resources,
                    expires_at=self.now() + self.rules.code_lifetime)
        self.store.codes[code.value] = code
        return code

    def new_code(self, client: Client, transaction: Transaction) -> str:
        return self.new_token()

    def requested_challenge_method(self, parameters: Parameters) -> str:
        """What is left out is plain (RFC 7636, section 4.3), which is not offered."""
        return parameters.get("code_challenge_method", "plain")

    def error_redirect(self, transaction: Transaction, error: str, description: str) -> Response:
        return self.client_redirect(transaction, {"error": error, "error_description": description})

    def client_redirect(self, transaction: Transaction, parameters: Parameters) -> Response:
        """To the redirect URI, with what it already had in its query (OAuth 2.1, section 2.3)."""
        self.store.transactions.pop(transaction.transaction_id, None)
        answer = {**parameters, **self.state_parameter(transaction), **self.issuer_parameter()}
        separator = "&" if "?" in transaction.redirect_uri else "?"
        return self.see_other(f"{transaction.redirect_uri}{separator}{urlencode(answer)}")

    def state_parameter(self, transaction: Transaction) -> Parameters:
        return {"state": transaction.parameters["state"]} if "state" in transaction.parameters else {}

    def issuer_parameter(self) -> Parameters:
        """RFC 9207, section 2: in success and error answers alike."""
        return {"iss": self.issuer}

    def see_other(self, location: str) -> Response:
        """303, so that no form is posted on (RFC 9700, section 4.12)."""
        return Response(status_code=303, headers={**self.hygiene(), **self.no_store(), **self.referrer_policy(),
                                                  "Location": location})
