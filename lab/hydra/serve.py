"""Ory Hydra with client registration switched on, and the login and consent pages that it leaves to its operator.

usage: serve.py HYDRA PORT PAGES_PORT ADMIN_PORT

Hydra sends browsers here with a challenge; what becomes of it is told at its administrative interface (loopback only).
Hydra serves plain http only in its development mode.
"""

import hmac
import html
import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

HYDRA, PORT, PAGES, ADMIN = sys.argv[1], *map(int, sys.argv[2:5])
ISSUER, ORIGIN = f"http://127.0.0.1:{PORT}", f"http://127.0.0.1:{PAGES}"
USERS = {"alice": "wonderland", "hatter": "wonderland"}
SESSION_S = 3600
KEY = secrets.token_bytes(32)

LOGIN = """<form method=post action=/login><input type=hidden name=challenge value="{challenge}">
<input type=hidden name=csrf value="{csrf}"><p>{message}</p>
<input name=username><input type=password name=password><button>Sign in</button></form>"""
CONSENT = """<h1>{name}</h1><p>registered itself and is not verified. It asks, as {subject}, for: {scopes}.</p>
<p>You will be sent to <b>{host}</b>.</p>
<form method=post action=/consent><input type=hidden name=challenge value="{challenge}">
<input type=hidden name=csrf value="{csrf}"><button name=decision value=approve>Approve</button>
<button name=decision value=deny>Deny</button></form>"""
ERROR = "<h1>{error}</h1><p>{description}</p>"


class Refused(Exception):
    """Hydra does not know the challenge, or it was used."""


def admin(method, step, action, challenge, document=None):
    """Ask Hydra about a login or consent challenge, or tell it what became of it."""
    connection = http.client.HTTPConnection("127.0.0.1", ADMIN, timeout=10)
    query = urlencode({f"{step}_challenge": challenge})
    connection.request(method, f"/admin/oauth2/auth/requests/{step}{action}?{query}",
                       json.dumps(document) if document is not None else None,
                       {"content-type": "application/json", "accept": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status != 200:
        raise Refused
    return json.loads(content)


class Pages(BaseHTTPRequestHandler):
    """The pages. A form counts only from the browser that it was shown to."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        try:
            if address.path == "/login":
                self.ask_password(query.get("login_challenge", ""))
            elif address.path == "/consent":
                self.ask_consent(query.get("consent_challenge", ""))
            elif address.path == "/error":
                self.page(ERROR, 400, error=query.get("error", "error"),
                          description=query.get("error_description", ""))
            else:
                self.page("not found", 404)
        except Refused:
            self.page("this page is out of date", 400)

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        form = {name: values[0] for name, values in parse_qs(self.rfile.read(min(length, 65536)).decode()).items()}
        challenge = form.get("challenge", "")
        try:
            if not hmac.compare_digest(form.get("csrf", ""), self.csrf(challenge)):
                self.page("this page is out of date", 403)
            elif self.path == "/login":
                self.log_in(challenge, form)
            elif self.path == "/consent":
                self.decide(challenge, form.get("decision"))
            else:
                self.page("not found", 404)
        except Refused:
            self.page("this page is out of date", 400)

    def ask_password(self, challenge):
        request = admin("GET", "login", "", challenge)
        if request["skip"]:
            self.redirect(admin("PUT", "login", "/accept", challenge, {"subject": request["subject"]}))
        else:
            self.page(LOGIN, challenge=challenge, csrf=self.csrf(challenge), message="")

    def log_in(self, challenge, form):
        username = form.get("username", "")
        if not hmac.compare_digest(USERS.get(username, secrets.token_hex()), form.get("password", "")):
            self.page(LOGIN, challenge=challenge, csrf=self.csrf(challenge), message="That is not right.")
            return
        self.redirect(admin("PUT", "login", "/accept", challenge,
                            {"subject": username, "remember": True, "remember_for": SESSION_S}))

    def ask_consent(self, challenge):
        request = admin("GET", "consent", "", challenge)
        client = request["client"]
        asked = parse_qs(urlsplit(request["request_url"]).query).get("redirect_uri") or client["redirect_uris"] or [""]
        self.page(CONSENT, challenge=challenge, csrf=self.csrf(challenge), subject=request["subject"],
                  name=client.get("client_name") or client["client_id"], host=urlsplit(asked[0]).netloc or asked[0],
                  scopes=" ".join(request["requested_scope"] or []) or "nothing")

    def decide(self, challenge, decision):
        request = admin("GET", "consent", "", challenge)
        if decision == "approve":
            self.redirect(admin("PUT", "consent", "/accept", challenge, {
                "grant_scope": request["requested_scope"],
                "grant_access_token_audience": request["requested_access_token_audience"]}))
        else:
            self.redirect(admin("PUT", "consent", "/reject", challenge, {
                "error": "access_denied", "error_description": "The user said no.", "status_code": 403}))

    def csrf(self, challenge):
        """A token that binds a form to its challenge and to the browser that is shown it."""
        cookie = SimpleCookie(self.headers.get("cookie", "")).get("browser")
        self.browser = cookie.value if cookie else getattr(self, "browser", "") or secrets.token_urlsafe(32)
        return hmac.new(KEY, f"{self.browser} {challenge}".encode(), "sha256").hexdigest()

    def redirect(self, answer):
        self.answer(303, b"", location=answer["redirect_to"])

    def page(self, template, status=200, **values):
        """A page in which nothing that a client registered is markup."""
        content = template.format(**{name: html.escape(str(value)) for name, value in values.items()})
        self.answer(status, f"<!doctype html><title>Lab</title>{content}".encode())

    def answer(self, status, content, **headers):
        self.send_response(status)
        given = {"content-type": "text/html; charset=utf-8", "content-length": str(len(content)),
                 "content-security-policy": "default-src 'none'; frame-ancestors 'none'", "x-frame-options": "DENY",
                 "referrer-policy": "no-referrer", "cache-control": "no-store", **headers}
        if getattr(self, "browser", ""):
            given["set-cookie"] = f"browser={self.browser}; HttpOnly; SameSite=Lax; Path=/"
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        self.browser = ""

    def log_message(self, *_):
        pass


SETTINGS = {
    "DSN": "memory", "SECRETS_SYSTEM": secrets.token_urlsafe(32), "SQA_OPT_OUT": "true", "LOG_LEVEL": "error",
    "SERVE_PUBLIC_HOST": "127.0.0.1", "SERVE_PUBLIC_PORT": str(PORT),
    "SERVE_ADMIN_HOST": "127.0.0.1", "SERVE_ADMIN_PORT": str(ADMIN),
    "URLS_SELF_ISSUER": ISSUER, "URLS_LOGIN": f"{ORIGIN}/login", "URLS_CONSENT": f"{ORIGIN}/consent",
    "URLS_ERROR": f"{ORIGIN}/error",
    "OIDC_DYNAMIC_CLIENT_REGISTRATION_ENABLED": "true",
    # registration is not advertised unless this is said
    "WEBFINGER_OIDC_DISCOVERY_CLIENT_REGISTRATION_URL": f"{ISSUER}/oauth2/register",
}
pages = ThreadingHTTPServer(("127.0.0.1", PAGES), Pages)
threading.Thread(target=pages.serve_forever, daemon=True).start()
hydra = subprocess.Popen([HYDRA, "serve", "all", "--dev"], env={**os.environ, **SETTINGS})
signal.signal(signal.SIGTERM, lambda *_: hydra.terminate())
sys.exit(hydra.wait())
