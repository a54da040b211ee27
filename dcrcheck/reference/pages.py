"""What users see: log-in, consent, and what went wrong."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from jinja2 import DictLoader, Environment, StrictUndefined
from starlette.responses import Response

from dcrcheck.reference.answers import Answers, Refusal
from dcrcheck.reference.store import Client, Transaction
from dcrcheck.reference.uris import LOOPBACK_HOSTS, parse

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 3rem auto; padding: 0 1rem; color: #1b1b1f; }
.notice { border-left: 4px solid #b3261e; padding: .5rem 1rem; background: #fbeeee; }
label { display: block; margin: 1rem 0; } input { display: block; font: inherit; padding: .3rem; }
button { font: inherit; padding: .4rem 1.2rem; margin-right: 1rem; } img { max-height: 64px; max-width: 128px; }
"""

_TEMPLATES = {
    "frame": """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{% block title %}{% endblock %}</title>
<meta name="viewport" content="width=device-width"><style>{{ style|safe }}</style></head>
<body><main>{% block main %}{% endblock %}</main></body></html>""",
    "login": """{% extends "frame" %}{% block title %}Log in{% endblock %}{% block main %}
<h1>Log in</h1>{% if failed %}<p class="notice">The user name or the password is wrong.</p>{% endif %}
<form method="post" action="{{ action }}">
<input type="hidden" name="transaction" value="{{ transaction.transaction_id }}">
<input type="hidden" name="csrf" value="{{ transaction.csrf }}">
<label>User name <input name="username" autocomplete="username" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button type="submit">Log in</button></form>{% endblock %}""",
    "consent": """{% extends "frame" %}{% block title %}Allow access?{% endblock %}{% block main %}
<h1>Allow access?</h1>
{% if logo %}<p><img src="{{ logo }}" alt="Logo of the application" referrerpolicy="no-referrer"></p>{% endif %}
<p><strong id="client-name">{{ name }}</strong>{% if unverified %} <span id="unverified">[unverified]</span>{% endif %}
asks for access to your account ({{ subject }}).</p>
{% if unverified %}<p class="notice">This application registered itself. Nobody has verified its name or who is behind
it.</p>{% endif %}
{% if identified_by %}<p>It is known by what <strong>{{ identified_by }}</strong> says of it.</p>{% endif %}
{% if show_destination %}<p>If you allow this, you will be sent to <strong id="destination">{{ destination }}</strong>
{% if is_local %}(an application on this computer) {% endif %}at <code>{{ redirect_uri }}</code>.</p>{% endif %}
{% if scopes %}<p>It will be able to use:</p>
<ul id="scopes">{% for scope in scopes %}
<li><code>{{ scope }}</code></li>{% endfor %}
</ul>{% endif %}
{% if resources %}<p>At: {% for resource in resources %}<code>{{ resource }}</code> {% endfor %}</p>{% endif %}
{% if keeps_access %}<p>It will keep this access while you are away, until you withdraw it.</p>{% endif %}
{% if links %}<ul id="links">{% for label, url in links %}
<li><a href="{{ url }}" rel="noopener noreferrer nofollow">{{ label }}</a>: {{ url }}</li>{% endfor %}
</ul>{% endif %}
<form method="post" action="{{ action }}">
<input type="hidden" name="transaction" value="{{ transaction.transaction_id }}">
<input type="hidden" name="csrf" value="{{ transaction.csrf }}">
<button type="submit" name="decision" value="approve">Allow</button>
<button type="submit" name="decision" value="deny">Deny</button></form>{% endblock %}""",
    "error": """{% extends "frame" %}{% block title %}Request refused{% endblock %}{% block main %}
<h1>This request was refused</h1><p>{{ description }}</p><p>Error: <code>{{ error }}</code></p>
<p>You have not been sent anywhere, and nothing has been allowed.</p>{% endblock %}""",
}


@cache
def _environment() -> Environment:
    environment = Environment(loader=DictLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.globals["style"] = _STYLE
    return environment


_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_LINKS = (("client_uri", "About the application"), ("policy_uri", "Privacy policy"), ("tos_uri", "Terms of service"))


class Pages(Answers):
    # -- the pages

    def login_page(self, transaction: Transaction, *, failed: bool = False, status: int = 200) -> Response:
        content = self.render("login", transaction=transaction, failed=failed, action=self.endpoint("login"))
        return self.page(content, status=status, destination=transaction.redirect_uri)

    def consent_page(self, client: Client, transaction: Transaction, subject: str) -> Response:
        logo = self.shown_logo(client)
        content = self.render(
            "consent", transaction=transaction, subject=subject, action=self.endpoint("consent"), logo=logo,
            name=self.shown_name(client, transaction.parameters.get("ui_locales", "")),
            unverified=self.is_unverified(client), identified_by=self.identifying_host(client),
            show_destination=self.shows_destination(client),
            destination=self.destination(transaction.redirect_uri), redirect_uri=transaction.redirect_uri,
            is_local=self.destination(transaction.redirect_uri) in LOOPBACK_HOSTS,
            scopes=self.shown_scopes(transaction), resources=transaction.resources,
            keeps_access="refresh_token" in client.grant_types, links=self.shown_links(client))
        return self.page(content, destination=transaction.redirect_uri, image=logo)

    def error_page(self, refusal: Refusal) -> Response:
        """A page of our own, never a redirect (OAuth 2.1, section 4.1.2.1)."""
        content = self.render("error", error=refusal.error, description=refusal.description)
        return self.page(content, status=refusal.status, headers=refusal.headers)

    # -- what the consent page shows

    def shown_name(self, client: Client, locales: str) -> str:
        """client_name as it was registered, in the user's language if there is one (RFC 7591, section 2.2)."""
        tagged = {name.partition("#")[2].lower(): value for name, value in client.metadata.items()
                  if name.startswith("client_name#")}
        for locale in locales.lower().split():
            if locale in tagged:
                return str(tagged[locale])
        return str(client.metadata.get("client_name") or client.client_id)

    def is_unverified(self, client: Client) -> bool:
        """Every client here registered itself; what it says of itself is only that (RFC 7591, section 5)."""
        return True

    def identifying_host(self, client: Client) -> str:
        """The host of a Client Identifier URL (draft-ietf-oauth-client-id-metadata-document-02, section 8.5)."""
        uri = parse(client.client_id)
        return uri.host if uri else ""

    def shows_destination(self, client: Client) -> bool:
        return True

    def destination(self, redirect_uri: str) -> str:
        """The host that the user is sent to, or the scheme of an app."""
        uri = parse(redirect_uri)
        return uri.host or f"{uri.scheme}:" if uri else redirect_uri

    def shown_scopes(self, transaction: Transaction) -> tuple[str, ...]:
        return transaction.scopes

    def shown_links(self, client: Client) -> list[tuple[str, str]]:
        """RFC 7591, section 2: client_uri as a link, and where the terms and the privacy policy are."""
        return [(label, client.metadata[name]) for name, label in _LINKS if name in client.metadata]

    def shown_logo(self, client: Client) -> str:
        """RFC 7591, section 2, wants the logo shown; RFC 9700, section 4.2.4, wants no third-party resources.

        The browser loads it without telling where from; `Rules.logos_shown` turns it off.
        """
        return str(client.metadata.get("logo_uri", "")) if self.rules.logos_shown else ""

    # -- how a page is sent

    def render(self, template: str, **values: Any) -> str:
        return _environment().get_template(template).render(values)

    def page(self, content: str, *, status: int = 200, destination: str = "", image: str = "",
             headers: dict[str, str] | None = None) -> Response:
        policy = self.content_security_policy(destination, image)
        return Response(content, status, {**self.hygiene(), **self.no_store(), **self.framing(policy),
                                          **self.referrer_policy(), **(headers or {})}, "text/html")

    def content_security_policy(self, destination: str, image: str) -> str:
        """Nothing but our own style, the client's logo, and forms that end where the user will be sent."""
        sources = ["'self'", *([_source(destination)] if destination else [])]
        return "; ".join(["default-src 'none'", f"style-src 'sha256-{_STYLE_HASH}'",
                          *([f"img-src {_source(image)}"] if image else []),
                          f"form-action {' '.join(sources)}", "base-uri 'none'"])

    def framing(self, policy: str) -> dict[str, str]:
        """No page of ours in a frame (OAuth 2.1, section 7.11)."""
        return {"Content-Security-Policy": f"{policy}; frame-ancestors 'none'", "X-Frame-Options": "DENY"}

    def referrer_policy(self) -> dict[str, str]:
        return {"Referrer-Policy": "no-referrer"}


def _source(url: str) -> str:
    """The CSP source expression for a validated URL: scheme and host, or the scheme alone."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"
