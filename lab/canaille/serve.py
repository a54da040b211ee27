"""Canaille with SQLite, on Hypercorn as its own `canaille run` uses it.

usage: serve.py PORT open|default

`open` lets everybody register clients; `default` leaves registration as shipped (an initial access token of its own for
each client). Login and consent pages are the product's; one user (alice, alice-pass).
"""

import asyncio
import secrets
import sys

from asgiref.wsgi import WsgiToAsgi
from canaille.app import models
from canaille.backends import Backend
from canaille.hypercorn.app import create_app
from hypercorn.asyncio import serve
from hypercorn.config import Config
from joserfc.jwk import RSAKey

PORT, MODE = int(sys.argv[1]), sys.argv[2]

app = create_app({
    "SECRET_KEY": secrets.token_urlsafe(48), "SERVER_NAME": f"127.0.0.1:{PORT}", "PREFERRED_URL_SCHEME": "http",
    "CANAILLE": {"DATABASE": "sql", "SMTP": None},
    "CANAILLE_SQL": {"DATABASE_URI": "sqlite:///lab.sqlite3"},
    "CANAILLE_OIDC": {"ACTIVE_JWKS": [RSAKey.generate_key(2048, auto_kid=True).as_dict(private=True)],
                      **({"DYNAMIC_CLIENT_REGISTRATION_OPEN": True} if MODE == "open" else {})},
}, env_file=None, wrap_asgi=False)

with app.app_context():
    Backend.instance.install(app)
    with Backend.instance.session():
        Backend.instance.save(models.User(
            user_name="alice", formatted_name="Alice Example", family_name="Example", emails=["alice@client.example"],
            password="alice-pass"))

config = Config()
config.bind, config.accesslog, config.errorlog = [f"127.0.0.1:{PORT}"], None, "-"
asyncio.run(serve(WsgiToAsgi(app), config))
