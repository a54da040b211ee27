"""An authorization server of Authlib's parts in a minimal Flask application.

usage: serve.py PORT open|iat|openid

Authlib judges registrations, their management, authorization and token requests. What it leaves to its user stands
here: storage, the hooks, filled as its documentation shows, the login of two users (alice, bob), and a consent page.
`iat` lets in whoever has the initial access token; `openid` adds the implicit grant of OpenID Connect.
"""

import html
import os
import secrets
import sys
import time
from pathlib import Path

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # http, on loopback
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.integrations.sqla_oauth2 import (
    OAuth2AuthorizationCodeMixin,
    OAuth2ClientMixin,
    OAuth2TokenMixin,
    create_query_client_func,
    create_query_token_func,
    create_revocation_endpoint,
    create_save_token_func,
)
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc7591 import ClientRegistrationEndpoint
from authlib.oauth2.rfc7592 import ClientConfigurationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc9207 import IssuerParameter
from authlib.oidc.core import OpenIDImplicitGrant
from flask import Flask, Response, abort, jsonify, redirect, request, session
from sqlalchemy import Column, Integer, String, create_engine
from sqlalchemy.orm import declarative_base, scoped_session, sessionmaker
from sqlalchemy.pool import StaticPool

PORT, MODE = int(sys.argv[1]), sys.argv[2]
ISSUER = f"http://127.0.0.1:{PORT}"
USERS = {"alice": "alice-pass", "bob": "bob-pass"}
METHODS = ["client_secret_basic", "client_secret_post", "none"]
IMPLICIT = MODE == "openid"
SCOPES = ["profile", "api:read", *(["openid"] if IMPLICIT else [])]
METADATA = {
    "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/authorize", "token_endpoint": f"{ISSUER}/token",
    "registration_endpoint": f"{ISSUER}/register", "revocation_endpoint": f"{ISSUER}/revoke",
    "introspection_endpoint": f"{ISSUER}/introspect", "scopes_supported": SCOPES,
    "response_types_supported": ["code", *(["id_token"] if IMPLICIT else [])],
    "grant_types_supported": ["authorization_code", "refresh_token", *(["implicit"] if IMPLICIT else [])],
    "token_endpoint_auth_methods_supported": METHODS, "code_challenge_methods_supported": ["S256"],
    "authorization_response_iss_parameter_supported": True,
}
INITIAL_ACCESS_TOKEN = secrets.token_urlsafe(32) if MODE == "iat" else ""

app = Flask(__name__)
app.config.update(SECRET_KEY=secrets.token_bytes(32), OAUTH2_REFRESH_TOKEN_GENERATOR=True,
                  SESSION_COOKIE_SAMESITE="Lax")
Base = declarative_base()
db = scoped_session(sessionmaker(create_engine("sqlite://", poolclass=StaticPool,
                                               connect_args={"check_same_thread": False})))


class User:
    """A user, by name."""

    def __init__(self, name):
        self.name = name

    def get_user_id(self):
        return self.name


class Client(Base, OAuth2ClientMixin):
    __tablename__ = "client"
    id = Column(Integer, primary_key=True)


class Code(Base, OAuth2AuthorizationCodeMixin):
    __tablename__ = "code"
    id = Column(Integer, primary_key=True)
    user_id = Column(String(40))


class Token(Base, OAuth2TokenMixin):
    __tablename__ = "token"
    id = Column(Integer, primary_key=True)
    user_id = Column(String(40))


def stored(item):
    """Store a new or changed row."""
    db.add(item)
    db.commit()
    return item


class CodeGrant(grants.AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def save_authorization_code(self, code, request):
        payload = request.payload
        return stored(Code(code=code, client_id=request.client.client_id, redirect_uri=payload.redirect_uri,
                           scope=payload.scope, user_id=request.user.name,
                           code_challenge=payload.data.get("code_challenge"),
                           code_challenge_method=payload.data.get("code_challenge_method")))

    def query_authorization_code(self, code, client):
        found = db.query(Code).filter_by(code=code, client_id=client.client_id).first()
        return found if found and not found.is_expired() else None

    def delete_authorization_code(self, authorization_code):
        db.delete(authorization_code)
        db.commit()

    def authenticate_user(self, authorization_code):
        return User(authorization_code.user_id)


class RefreshGrant(grants.RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token):
        found = db.query(Token).filter_by(refresh_token=refresh_token).first()
        return found if found and not found.refresh_token_revoked_at else None

    def authenticate_user(self, credential):
        return User(credential.user_id)

    def revoke_old_credential(self, credential):
        credential.refresh_token_revoked_at = credential.access_token_revoked_at = int(time.time())
        stored(credential)


class ImplicitGrant(OpenIDImplicitGrant):
    def exists_nonce(self, nonce, request):
        return False

    def get_jwt_config(self, client=None):
        return {"key": app.config["SECRET_KEY"].hex(), "alg": "HS256", "iss": ISSUER, "exp": 3600}

    def generate_user_info(self, user, scope):
        return {"sub": user.name}


def same(one, other):
    return secrets.compare_digest(one.encode("utf-8", "replace"), other.encode())


def bearer():
    """The bearer token of a request."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def addresses(client):
    """Where a client manages its registration, and by what: a token of the same store, which names the client."""
    issued = db.query(Token).filter_by(client_id=client.client_id, scope="registration").first() or stored(
        Token(client_id=client.client_id, scope="registration", token_type="Bearer",
              access_token=secrets.token_urlsafe(32)))
    return {"registration_client_uri": f"{ISSUER}/register/{client.client_id}",
            "registration_access_token": issued.access_token}


class Register(ClientRegistrationEndpoint):
    def authenticate_token(self, request):
        return same(bearer(), INITIAL_ACCESS_TOKEN) if INITIAL_ACCESS_TOKEN else "anyone"

    def get_server_metadata(self):
        return METADATA

    def save_client(self, client_info, client_metadata, request):
        client = Client(**client_info)
        client.set_client_metadata(client_metadata)
        return stored(client)

    def generate_client_registration_info(self, client, request):
        return addresses(client)


class Configure(ClientConfigurationEndpoint):
    def authenticate_token(self, request):
        return db.query(Token).filter_by(access_token=bearer(), scope="registration").first()

    def authenticate_client(self, request):
        return db.query(Client).filter_by(client_id=request.uri.partition("?")[0].rpartition("/")[2]).first()

    def revoke_access_token(self, token, request):
        pass

    def check_permission(self, client, request):
        return True

    def delete_client(self, client, request):
        for kind in (Token, Code):
            db.query(kind).filter_by(client_id=client.client_id).delete()
        db.delete(client)
        db.commit()

    def update_client(self, client, client_metadata, request):
        client.set_client_metadata({**client.client_metadata, **client_metadata})
        return stored(client)

    def generate_client_registration_info(self, client, request):
        return addresses(client)

    def get_server_metadata(self):
        return METADATA


class Introspect(IntrospectionEndpoint):
    CLIENT_AUTH_METHODS = METHODS
    query = staticmethod(create_query_token_func(db, Token))

    def query_token(self, token_string, token_type_hint):
        return self.query(token_string, token_type_hint)

    def check_permission(self, token, client, request):
        return token.client_id == client.client_id

    def introspect_token(self, token):
        return {"active": not (token.is_revoked() or token.is_expired()), "client_id": token.client_id,
                "token_type": token.token_type, "username": token.user_id, "scope": token.get_scope(),
                "exp": token.issued_at + token.expires_in, "iat": token.issued_at, "iss": ISSUER}


class Revoke(create_revocation_endpoint(db, Token)):
    CLIENT_AUTH_METHODS = METHODS


class Issuer(IssuerParameter):
    def get_issuer(self):
        return ISSUER


server = AuthorizationServer(app, query_client=create_query_client_func(db, Client),
                             save_token=create_save_token_func(db, Token))
server.register_grant(CodeGrant, [CodeChallenge(required=True)])
server.register_grant(RefreshGrant)
if IMPLICIT:
    server.register_grant(ImplicitGrant)
for endpoint in (Register, Configure, Introspect, Revoke):
    server.register_endpoint(endpoint)
server.register_extension(Issuer())
Base.metadata.create_all(db.get_bind())

HEADERS = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "X-Frame-Options": "DENY",
           "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
LOGIN = """<!doctype html><title>Sign in</title><form method=post action="/login?{query}">
<input name=username><input type=password name=password><button>Sign in</button></form>"""
CONSENT = """<!doctype html><title>Allow access?</title><h1>{name}</h1>
<p>registered itself and is not verified. It asks for: {scopes}.</p>
<p>You will be sent to <b>{redirect_uri}</b>. {links}</p>
<form method=post><input type=hidden name=csrf value="{csrf}"><button name=decision value=approve>Approve</button>
<button name=decision value=deny>Deny</button></form>"""


def page(template, status=200, **values):
    """A page in which nothing that a client registered is markup."""
    shown = {name: value if name == "links" else html.escape(str(value)) for name, value in values.items()}
    return Response(template.format(**shown), status, HEADERS)


@app.get("/.well-known/oauth-authorization-server")
def metadata():
    return jsonify(METADATA)


@app.post("/register")
def register():
    return server.create_endpoint_response(Register.ENDPOINT_NAME)


@app.route("/register/<client_id>", methods=["GET", "PUT", "DELETE"])
def configure(client_id):
    return server.create_endpoint_response(Configure.ENDPOINT_NAME)


@app.post("/token")
def token():
    return server.create_token_response()


@app.post("/introspect")
def introspect():
    return server.create_endpoint_response(Introspect.ENDPOINT_NAME)


@app.post("/revoke")
def revoke():
    return server.create_endpoint_response(Revoke.ENDPOINT_NAME)


@app.route("/login", methods=["GET", "POST"])
def login():
    """Asks for the password, once for each browser."""
    query = request.query_string.decode()
    if request.method == "GET":
        return page(LOGIN, query=query)
    if USERS.get(request.form.get("username")) != request.form.get("password"):
        return page(LOGIN, 401, query=query)
    session.clear()
    session["user"] = request.form["username"]
    session["csrf"] = secrets.token_urlsafe(24)
    return redirect(f"/authorize?{query}", 303)


@app.route("/authorize", methods=["GET", "POST"])
def authorize():
    """Asks who is not logged in to do so, and who is for consent, and takes the answer."""
    user = User(session["user"]) if "user" in session else None
    try:
        grant = server.get_consent_grant(end_user=user)
    except OAuth2Error as error:
        if user or not error.redirect_uri:  # nobody is sent elsewhere before the login
            return server.handle_error_response(request, error)
    if user is None:
        return redirect(f"/login?{request.query_string.decode()}", 303)
    if request.method == "GET":
        client, payload = grant.client, grant.request.payload
        named = {"Website": client.client_uri, "Terms": client.tos_uri, "Privacy": client.policy_uri}
        known = {label: html.escape(str(uri)) for label, uri in named.items() if str(uri).startswith("https://")}
        links = " ".join(f'<a href="{uri}" rel="noreferrer nofollow">{label} {uri}</a>' for label, uri in known.items())
        return page(CONSENT, name=client.client_name or client.client_id, csrf=session["csrf"], links=links,
                    scopes=client.get_allowed_scope(payload.scope) or "nothing",
                    redirect_uri=payload.redirect_uri or client.get_default_redirect_uri())
    if not same(request.form.get("csrf", ""), session["csrf"]):
        abort(403)
    approved = request.form.get("decision") == "approve"
    answer = server.create_authorization_response(grant_user=user if approved else None, grant=grant)
    answer.status_code = 303 if answer.status_code == 302 else answer.status_code
    return answer


@app.teardown_appcontext
def done(_):
    db.remove()


if INITIAL_ACCESS_TOKEN:
    handover = Path(os.environ["LAB_HANDOVER"])
    handover.touch(0o600)
    handover.write_text(f"DCRCHECK_INITIAL_ACCESS_TOKEN={INITIAL_ACCESS_TOKEN}\n")
app.run("127.0.0.1", PORT, threaded=False)
