"""The authorization routes of the official MCP Python SDK over the smallest provider that completes a flow.

usage: serve.py PORT

The SDK judges registrations, authorization and token requests; this file only stores what it is given, and logs one
user in (alice, alice-pass).
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
USERS = {"alice": "alice-pass"}
LIFETIME_S = 3600


class Provider:
    """What the SDK leaves to its user: storage and the login page."""

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


async def login(request):
    """One page that asks for the password and for consent."""
    form = await request.form() if request.method == "POST" else request.query_params
    transaction = form.get("transaction", "")
    if transaction not in provider.pending:
        return HTMLResponse("unknown transaction", 400)
    if request.method == "GET":
        client, _ = provider.pending[transaction]
        return HTMLResponse(
            "<form method=post action=/login>"
            f"<input type=hidden name=transaction value='{html.escape(transaction)}'>"
            f"<p>{html.escape(client.client_name or client.client_id)} asks for access</p>"
            "<input name=username><input type=password name=password>"
            "<button name=action value=allow>Allow</button></form>")
    if USERS.get(form.get("username")) != form.get("password"):
        return HTMLResponse("wrong name or password", 401)
    return RedirectResponse(provider.approve(transaction), 302)


routes = create_auth_routes(provider, AnyHttpUrl(ISSUER), None, ClientRegistrationOptions(enabled=True),
                            RevocationOptions(enabled=True))
app = Starlette(routes=[*routes, Route("/login", login, methods=["GET", "POST"])])
uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")
