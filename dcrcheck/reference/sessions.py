"""Browsers: who is logged in, and which authorization request is whose."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from dcrcheck.reference.answers import OTHER_PASSWORD, OTHER_USERNAME, PASSWORD, USERNAME, Answers, Refusal
from dcrcheck.reference.store import Session, Transaction


class Sessions(Answers):
    # -- the session of a browser

    def session_of(self, request: Request) -> Session | None:
        session = self.store.sessions.get(request.cookies.get(self.cookie_name(), ""))
        return session if session and session.expires_at > self.now() else None

    def new_session(self, subject: str = "") -> Session:
        session = Session(session_id=self.new_token(), subject=subject,
                          expires_at=self.now() + self.rules.session_lifetime)
        self.store.sessions[session.session_id] = session
        return session

    def renew_session(self, session: Session, subject: str) -> Session:
        """A new identifier at log-in, so that one that was planted before is worth nothing."""
        self.store.sessions.pop(session.session_id, None)
        return self.new_session(subject)

    def cookie_name(self) -> str:
        return "__Host-session" if self.is_tls else "session"

    def set_cookie(self, response: Response, session: Session) -> None:
        response.set_cookie(self.cookie_name(), session.session_id, max_age=self.rules.session_lifetime, path="/",
                            secure=self.is_tls, httponly=True, samesite="lax")

    def is_right_password(self, username: str, password: str) -> bool:
        return (self.same_secret(username, USERNAME) & self.same_secret(password, PASSWORD)
                | self.same_secret(username, OTHER_USERNAME) & self.same_secret(password, OTHER_PASSWORD))

    # -- the transaction of a form

    def transaction_of(self, transaction_id: str, session: Session | None) -> Transaction:
        """The request that is under way, in the browser in which it began.

        Raises:
            Refusal: there is none, it is too old, or it belongs to another browser.
        """
        transaction = self.store.transactions.get(transaction_id)
        if transaction is None or transaction.expires_at <= self.now():
            raise Refusal(400, "invalid_request", "This authorization request is unknown or has expired.")
        if not self.is_transaction_of(transaction, session):
            raise Refusal(400, "invalid_request", "This authorization request was begun in another browser.")
        return transaction

    def is_transaction_of(self, transaction: Transaction, session: Session | None) -> bool:
        return session is not None and self.same_secret(session.session_id, transaction.session_id)

    def check_form(self, request: Request, form: dict[str, list[str]], transaction: Transaction) -> None:
        """The form is ours: it carries the token of this transaction and comes from a page of this origin."""
        if not self.is_csrf_token(form.get("csrf", [""])[0], transaction):
            raise Refusal(403, "invalid_request", "This form was not made for this authorization request.")
        if not self.is_own_origin(request):
            raise Refusal(403, "invalid_request", "This form was sent from a page of another site.")

    def is_csrf_token(self, token: str, transaction: Transaction) -> bool:
        return self.same_secret(token, transaction.csrf)

    def is_own_origin(self, request: Request) -> bool:
        """`null` is what browsers send under our referrer policy; then Sec-Fetch-Site must vouch for it."""
        origin = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site")
        if origin == "null":
            return site == "same-origin"
        return origin in (None, self.origin) and site in (None, "same-origin")
