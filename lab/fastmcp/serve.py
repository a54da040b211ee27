"""FastMCP's OAuth proxy, which registers clients itself, in front of an identity provider that knows only the proxy.

usage: serve.py PORT UPSTREAM_PORT

The proxy judges registrations, authorization and token requests and asks for consent. The identity provider stands on
the second port and behaves as the large ones do: it asks for a password (alice, alice-pass; bob, bob-pass) once for
each browser, and then lets the one client that it knows pass without a page.
"""

import asyncio
import contextlib
import html
import http.cookies
import io
import os
import secrets
import sys
import threading
import urllib.parse

import uvicorn
from fastmcp import FastMCP
from fastmcp.server.auth import AccessToken, OAuthProxy, TokenVerifier
from werkzeug.serving import WSGIRequestHandler, make_server

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # the identity provider answers on loopback, without TLS
import oidc_provider_mock

PORT, UPSTREAM_PORT = int(sys.argv[1]), int(sys.argv[2])
ISSUER, UPSTREAM = f"http://127.0.0.1:{PORT}", f"http://127.0.0.1:{UPSTREAM_PORT}"
USERS = {"alice": "alice-pass", "bob": "bob-pass"}
HEADERS = [("content-type", "text/html; charset=utf-8"), ("cache-control", "no-store"),
           ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"), ("x-frame-options", "DENY"),
           ("referrer-policy", "no-referrer")]
LOGIN = """<!doctype html><title>Sign in</title><form method=post action="/login?{query}">
<input name=username><input type=password name=password><button>Sign in</button></form>"""


class RemembersItsUser:
    """The identity provider behind a login: who is logged in is not asked again who he is, nor what he allows."""

    def __init__(self, provider):
        self.provider = provider
        self.sessions = {}

    def __call__(self, environ, start_response):
        path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
        cookie = http.cookies.SimpleCookie(environ.get("HTTP_COOKIE", "")).get("upstream_session")
        user = self.sessions.get(cookie.value if cookie else None)
        if path == "/login" and environ["REQUEST_METHOD"] == "POST":
            return self.log_in(environ, query, start_response)
        if path == "/oauth2/authorize" and user is None:
            return self.page(LOGIN.format(query=html.escape(query)), "200 OK", start_response)
        if path == "/oauth2/authorize":
            content = urllib.parse.urlencode({"sub": user}).encode()
            environ |= {"REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO(content),
                        "CONTENT_LENGTH": str(len(content)), "CONTENT_TYPE": "application/x-www-form-urlencoded"}
        return self.provider(environ, start_response)

    def log_in(self, environ, query, start_response):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        form = dict(urllib.parse.parse_qsl(environ["wsgi.input"].read(length).decode()))
        if USERS.get(form.get("username")) != form.get("password"):
            return self.page(LOGIN.format(query=html.escape(query)), "401 Unauthorized", start_response)
        session = secrets.token_urlsafe(32)
        self.sessions[session] = form["username"]
        start_response("303 See Other", [("location", f"{UPSTREAM}/oauth2/authorize?{query}"), *HEADERS[1:], (
            "set-cookie", f"upstream_session={session}; HttpOnly; SameSite=Lax; Path=/")])
        return [b""]

    def page(self, text, status, start_response):
        start_response(status, HEADERS)
        return [text.encode()]


class Silent(WSGIRequestHandler):
    """Logs nothing: its log would be full of codes."""

    def log_request(self, *_):
        pass


class AnyToken(TokenVerifier):
    """Takes the identity provider's tokens, which never leave the proxy, for good."""

    async def verify_token(self, token):
        return AccessToken(token=token, client_id="alice", scopes=[], expires_at=None)


def slowly(operation):
    """As slow as a busy data base, so that a race, if there is one, is lost in every run."""
    async def slow(*arguments, **named):
        await asyncio.sleep(0.1)
        return await operation(*arguments, **named)
    return slow


with contextlib.suppress(ImportError):  # FastMCP before 2.13 has another store
    from key_value.aio.stores.base import BaseStore
    BaseStore.delete = slowly(BaseStore.delete)

upstream = make_server("127.0.0.1", UPSTREAM_PORT, RemembersItsUser(oidc_provider_mock.app()), threaded=True,
                       request_handler=Silent)
threading.Thread(target=upstream.serve_forever, daemon=True).start()

proxy = OAuthProxy(
    upstream_authorization_endpoint=f"{UPSTREAM}/oauth2/authorize",
    upstream_token_endpoint=f"{UPSTREAM}/oauth2/token", upstream_client_id="the-proxy",
    upstream_client_secret="the lab is not a secret", token_verifier=AnyToken(), base_url=ISSUER,
    extra_authorize_params={"scope": "openid"})
server = FastMCP("lab", auth=proxy)


@server.tool
def whoami() -> str:
    """Something to protect."""
    return "alice"


uvicorn.run(server.http_app(path="/tools"), host="127.0.0.1", port=PORT, log_level="warning")
