"""The authorization routes of the official MCP Python SDK over the smallest provider that completes a flow.

usage: serve.py PORT

The SDK judges registrations, authorization and token requests. What it leaves to its user stands here: storage, the
login of two users (alice, alice-pass; bob, bob-pass), and a consent page.
"""

import html
import secrets
import sys
import time

import uvicorn
from mcp.server.auth.provider import AccessToken, AuthorizationCode, RefreshToken, construct_redirect_uri
from mcp.server.auth.routes import create_auth_routes
from mcp.server.auth.settings import ClientRegistrationOptions, RevocationOptions
from mcp.shared.auth import OAuthToken
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.routing import Route

PORT = int(sys.argv[1])
ISSUER = f"http://127.0.0.1:{PORT}"
USERS = {"alice": "alice-pass", "bob": "bob-pass"}
LIFETIME_S = 3600


class Provider:
    """What the SDK leaves to its user: storage, and what becomes of a request."""

    def __init__(self):
        self.clients, self.pending, self.codes, self.access, self.refresh = {}, {}, {}, {}, {}

    async def get_client(self, client_id):
        return self.clients.get(client_id)

    async def register_client(self, client_info):
        self.clients[client_info.client_id] = client_info

    async def authorize(self, client, params):
        transaction = secrets.token_urlsafe(24)
        self.pending[transaction] = (client, params)
        return f"{ISSUER}/login?transaction={transaction}"

    def approve(self, transaction):
        client, params = self.pending.pop(transaction)
        code = secrets.token_urlsafe(32)
        self.codes[code] = AuthorizationCode(
            code=code, client_id=client.client_id, redirect_uri=params.redirect_uri, scopes=params.scopes or [],
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly, resource=params.resource,
            expires_at=time.time() + 300, code_challenge=params.code_challenge)
        return construct_redirect_uri(str(params.redirect_uri), code=code, state=params.state)

    def deny(self, transaction):
        _, params = self.pending.pop(transaction)
        return construct_redirect_uri(str(params.redirect_uri), error="access_denied", state=params.state)

    async def load_authorization_code(self, client, authorization_code):
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(self, client, authorization_code):
        del self.codes[authorization_code.code]
        return self._issue(client.client_id, authorization_code.scopes, authorization_code.resource)

    async def load_refresh_token(self, client, refresh_token):
        return self.refresh.get(refresh_token)

    async def exchange_refresh_token(self, client, refresh_token, scopes):
        self.refresh.pop(refresh_token.token, None)
        return self._issue(client.client_id, scopes, None)

    async def load_access_token(self, token):
        return self.access.get(token)

    async def revoke_token(self, token):
        self.access.pop(token.token, None)
        self.refresh.pop(token.token, None)

    def _issue(self, client_id, scopes, resource):
        access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self.access[access] = AccessToken(token=access, client_id=client_id, scopes=scopes, resource=resource,
                                          expires_at=int(time.time()) + LIFETIME_S)
        self.refresh[refresh] = RefreshToken(token=refresh, client_id=client_id, scopes=scopes)
        return OAuthToken(access_token=access, token_type="Bearer", expires_in=LIFETIME_S, refresh_token=refresh,
                          scope=" ".join(scopes) or None)


provider = Provider()
sessions = {}
HEADERS = {"content-security-policy": "default-src 'none'; frame-ancestors 'none'", "x-frame-options": "DENY",
           "referrer-policy": "no-referrer", "cache-control": "no-store"}
LOGIN = """<form method=post action=/login><input type=hidden name=transaction value="{transaction}">
<input name=username><input type=password name=password><button>Sign in</button></form>"""
CONSENT = """<h1>{name}</h1><p>registered itself and is not verified. It asks for: {scopes}.</p>
<p>You will be sent to <b>{host}</b>. {links}</p>
<form method=post action=/consent><input type=hidden name=transaction value="{transaction}">
<input type=hidden name=csrf value="{csrf}"><button name=decision value=approve>Approve</button>
<button name=decision value=deny>Deny</button></form>"""


def page(template, status=200, **values):
    """A page in which nothing that a client registered is markup."""
    shown = {name: value if name == "links" else html.escape(str(value)) for name, value in values.items()}
    return HTMLResponse(template.format(**shown), status, headers=HEADERS)


def ask(session, transaction):
    """The consent page: who asks, for what, and where the answer goes."""
    client, params = provider.pending[transaction]
    named = {"Website": client.client_uri, "Terms": client.tos_uri, "Privacy": client.policy_uri}
    shown = {label: html.escape(str(uri)) for label, uri in named.items() if str(uri).startswith("https://")}
    links = " ".join(f'<a href="{uri}" rel="noreferrer nofollow">{label} {uri}</a>' for label, uri in shown.items())
    session["csrf"][transaction] = secrets.token_urlsafe(24)
    return page(CONSENT, name=client.client_name or client.client_id, scopes=" ".join(params.scopes or []) or "nothing",
                host=params.redirect_uri.host or params.redirect_uri, transaction=transaction, links=links,
                csrf=session["csrf"][transaction])


async def login(request):
    """Asks for the password, once for each browser."""
    form = await request.form() if request.method == "POST" else request.query_params
    transaction = form.get("transaction", "")
    if transaction not in provider.pending:
        return page("unknown transaction", 400)
    session = sessions.get(request.cookies.get("session"))
    if session is None and request.method == "GET":
        return page(LOGIN, transaction=transaction)
    if session is None:
        if USERS.get(form.get("username")) != form.get("password"):
            return page(LOGIN, 401, transaction=transaction)
        name = secrets.token_urlsafe(32)
        session = sessions[name] = {"csrf": {}}
        answer = ask(session, transaction)
        answer.set_cookie("session", name, httponly=True, samesite="lax", path="/")
        return answer
    return ask(session, transaction)


async def consent(request):
    """Takes the answer, from the browser that was asked."""
    form = await request.form()
    transaction = form.get("transaction", "")
    session = sessions.get(request.cookies.get("session"))
    if session is None or transaction not in provider.pending or not form.get("csrf") or (
            session["csrf"].pop(transaction, None) != form.get("csrf")):
        return page("this page is out of date", 403)
    end = provider.approve if form.get("decision") == "approve" else provider.deny
    return RedirectResponse(end(transaction), 303, headers=HEADERS)


routes = create_auth_routes(provider, AnyHttpUrl(ISSUER), None, ClientRegistrationOptions(enabled=True),
                            RevocationOptions(enabled=True))
app = Starlette(routes=[*routes, Route("/login", login, methods=["GET", "POST"]),
                        Route("/consent", consent, methods=["POST"])])
uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")
