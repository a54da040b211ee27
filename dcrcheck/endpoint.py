"""The endpoint as checks see it: registration, management, and the endpoints where a registration takes effect."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote_plus, urlencode, urlsplit

from dcrcheck.assertions import Assertions
from dcrcheck.authentication import ClientAuthentication
from dcrcheck.client import Client
from dcrcheck.evidence import Secret
from dcrcheck.registration import OMIT
from dcrcheck.target import origin
from dcrcheck.transport import Answer, Transport
from dcrcheck.verdict import inapplicable, inconclusive

if TYPE_CHECKING:
    from dcrcheck.session import Authorization

Where = Literal["local", "client", "foreign", "login"]
PUSHING = "pushed_authorization_request_endpoint"


class Endpoint(ClientAuthentication):
    """One target during one run."""

    _issued = 0.0
    observable: frozenset[str] = frozenset()
    observations: Mapping[str, str] = MappingProxyType({})
    """What the check at work saw of the choices that a source leaves to the server, by requirement."""

    def observe(self, row: str, words: str) -> None:
        """Put down which way the server took where a source leaves it the choice (a MAY or OPTIONAL row).

        The check declares the row with ``@observes``. Nothing is judged by it.

        Raises:
            KeyError: the check does not declare it.
        """
        if row not in self.observable:
            raise KeyError(f"{row} is not declared: decorate the check with @observes(\"{row}\")")
        self.observations = {**self.observations, row: words}

    @cached_property
    def authorizations(self) -> list[Authorization]:
        """The authorization requests of the run that ended with a code, in their order."""
        return []

    @property
    def origins(self) -> frozenset[str]:
        """Where a user's browser goes: the target's own origins, and those where the owner says that pages stand."""
        return self.target.origins | {origin(url) for url in self.profile.session.get("origins", ())}

    def published(self, *names: str) -> Answer:
        """The first of these discovery documents that the server serves; by default the metadata it is known by.

        Raises:
            Inapplicable: it serves none of them.
        """
        wanted = names or ("oauth-authorization-server", "openid-configuration")
        for name in wanted:
            answer = self.target.documents.get(name)
            if answer is not None and answer.status == 200 and isinstance(answer.json, dict):
                self.recorder.recall(answer.exchange)
                return answer
        inapplicable(f"the server publishes no {' and no '.join(wanted)} document")

    def authorization_request(self, client: Client, **params: Any) -> tuple[str, dict[str, Any]]:
        """The URL and the parameters of an authorization request with PKCE (S256) for a client; `OMIT` removes one."""
        address = self.target.endpoint("authorization_endpoint")
        if address is None:
            inconclusive("the metadata names no authorization_endpoint")
        verifier = Secret(secrets.token_urlsafe(48))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        usual: dict[str, Any] = {
            "response_type": "code", "client_id": client.client_id,
            "redirect_uri": client.redirect_uri if client.redirect_uris else OMIT,
            "state": secrets.token_urlsafe(12), "code_challenge": challenge, "code_challenge_method": "S256",
            "scope": self.profile.session.get("scope", self.profile.registration.get("scope", OMIT)),
            "resource": self.target.resource or OMIT,
        }
        merged = {name: value for name, value in {**usual, **params}.items() if value is not OMIT}
        pairs = [(n, item) for n, value in merged.items() for item in (value if isinstance(value, list) else [value])]
        merged["code_verifier"] = verifier
        query = urlencode(pairs, errors="surrogatepass")
        return f"{address}{'&' if urlsplit(address).query else '?'}{query}", merged

    def authorize(self, client: Client, *, jar: Transport | None = None, form: Mapping[str, str] | None = None,
                  **params: Any) -> Answer:
        """An authorization request from a browser where nobody is logged in; its redirect is not followed."""
        url, _ = self.authorization_request(client, **params)
        return self.open(url, jar=jar, form=form)

    def open(self, url: str, *, jar: Transport | None = None, form: Mapping[str, str] | None = None) -> Answer:
        """What a browser gets at the authorization endpoint; a `form` makes it a POST (RFC 6749 section 3.1)."""
        if form is None:
            return (jar or self.transport).send("GET", url, headers={"accept": "text/html"})
        return (jar or self.transport).send("POST", url, content=urlencode(form).encode(), headers={
            "accept": "text/html", "content-type": "application/x-www-form-urlencoded"})

    def push(self, client: Client, **params: Any) -> Answer:
        """The same request, pushed (RFC 9126 section 2): 201 with a request_uri if the server takes it.

        Raises:
            Inconclusive: the metadata names no endpoint for it, or it does not tell (429, 5xx, no answer).
        """
        _, sent = self.authorization_request(client, **params)
        sent.pop("code_verifier")
        answer = self.token(client, at=PUSHING, **sent)
        if answer.broke_down or answer.status in (408, 429):
            inconclusive(f"the pushed authorization request endpoint does not answer the probe: {answer.describe()}")
        return answer

    def where(self, client: Client, **params: Any) -> Where:
        """Where the answer to an unauthenticated authorization request goes.

        ``client``: a registered redirect URI · ``foreign``: any other origin · ``login``: the server's own ·
        ``local``: nowhere, it is an error page.

        Raises:
            Inconclusive: 429, 5xx or no answer.
        """
        answer = self.authorize(client, **params)
        if answer.status in (0, 429) or answer.status >= 500:
            inconclusive(f"the authorization endpoint does not answer the probe: {answer.describe()}")
        return self.destination(client, answer)

    def destination(self, client: Client, answer: Answer) -> Where:
        """Classify an answer of the authorization endpoint (see `where`)."""
        if answer.location is None:
            form = answer.status == 200 and "<form" in answer.text.lower()
            return "login" if form else "local"
        if any(answer.location.startswith(uri) for uri in client.redirect_uris):
            return "client"
        relative = answer.location.startswith("/") and not answer.location.startswith(("//", "/\\"))
        if not relative and origin(answer.location) not in self.origins:
            return "foreign"
        return "local" if "error" in answer.query else "login"

    def reveals_errors(self, client: Client) -> bool:
        """Whether the server sends errors to the registered redirect URI before anyone logs in.

        RFC 9700 section 4.11.2 asks servers not to; where they do not, a probe without a session proves nothing.
        """
        return self.where(client, response_type="dcrcheck") == "client"

    def token(self, client: Client, *, auth: str | tuple[str, str] = "registered", at: str = "token_endpoint",
              **form: Any) -> Answer:
        """A token request; `auth` is ``registered``, ``none``, ``basic``, ``post`` or a (user, secret) pair.

        A pair goes where the client's own goes: into the body for client_secret_post, else into HTTP Basic. `at` names
        another endpoint where clients authenticate in the same way.

        Raises:
            Inconclusive: the metadata names no token endpoint.
        """
        address = self.target.endpoint(at)
        if address is None:
            inconclusive(f"the metadata names no {at}")
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        method = {"client_secret_basic": "basic", "client_secret_post": "post"}.get(client.auth_method, "none")
        chosen = method if auth == "registered" else auth
        fields: dict[str, Any] = {}
        if isinstance(chosen, tuple) and method == "post":
            self.recorder.redactor.learn(chosen[1])
            fields = dict(zip(("client_id", "client_secret"), chosen, strict=True))
        elif isinstance(chosen, tuple) or (chosen == "basic" and client.secret):
            user, secret = chosen if isinstance(chosen, tuple) else (client.client_id, client.secret or "")
            # RFC 6749 section 2.3.1: both parts are form-encoded before they are joined
            pair = f"{_form(quote_plus, user)}:{_form(quote_plus, secret)}"
            headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
            self.recorder.redactor.learn(secret, headers["authorization"].partition(" ")[2])
        else:
            fields["client_id"] = client.client_id
            if chosen == "post" and client.secret:
                fields["client_secret"] = client.secret
        fields.update(form)
        pairs = [(n, item) for n, value in fields.items() if value is not OMIT
                 for item in (value if isinstance(value, list) else [value])]
        self._await_turn()
        answer = self.transport.send("POST", address, headers=headers, content=_form(urlencode, pairs).encode())
        if answer.status == 200:
            self._issued = time.monotonic()
        return answer

    def _await_turn(self) -> None:
        """Leave as much time between two token responses as the profile declares."""
        limit = self.profile.limits.get("tokens")
        if limit:
            time.sleep(max(0.0, self._issued + float(limit["seconds"]) / limit["count"] - time.monotonic()))

    def redeem(self, authorization: Authorization, *, by: Client | None = None,
               auth: str | tuple[str, str] = "registered", **form: Any) -> Answer:
        """Exchange the code of an authorization for tokens, as its client or another would (RFC 6749 section 4.1.3)."""
        if authorization.code is None:
            inconclusive(f"there is no code to exchange: {authorization.describe()}")
        usual: dict[str, Any] = {
            "grant_type": "authorization_code", "code": authorization.code,
            "redirect_uri": authorization.redirect_uri, "code_verifier": authorization.verifier,
            "resource": self.target.resource or OMIT,
        }
        return self.token(by or authorization.client, auth=auth, **{**usual, **form})

    @cached_property
    def assertions(self) -> Assertions:
        """Clients of the run that authenticate with a key of their own."""
        return Assertions(self)

    @property
    def refreshing(self) -> dict[str, Any]:
        """The deviation that registers a client which may refresh its tokens; offline_access where it is offered."""
        deviation: dict[str, Any] = {"grant_types": ["authorization_code", "refresh_token"]}
        if "offline_access" in (self.metadata.get("scopes_supported") or ()):
            others = str(self.profile.registration.get("scope", "")).split()
            deviation["scope"] = " ".join([*others, "offline_access"])
        return deviation

    def visit(self, token: str | None = None, *, url: str | None = None) -> Answer:
        """A GET at the protected resource with a bearer token, or without.

        Raises:
            Inconclusive: no resource is known, or it does not tell (429, 5xx, no answer).
        """
        if self.target.resource is None:
            inconclusive("no protected resource is known (start from it with --resource)")
        headers = {"accept": "application/json", **({"authorization": f"Bearer {token}"} if token is not None else {})}
        self.recorder.redactor.learn(token)
        answer = self.transport.send("GET", url or self.target.resource, headers=headers)
        if answer.status in (0, 429) or answer.status >= 500:
            inconclusive(f"the protected resource does not tell: {answer.describe()}")
        return answer

    def send(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes = b"",
             form: Mapping[str, str] | None = None, target: bytes | None = None) -> Answer:
        """Any other request to the target's own origins.

        Raises:
            ValueError: the URL lies elsewhere; this is a fault of the check.
        """
        if origin(url) not in self.target.origins:
            raise ValueError(f"{url} is not the target's")
        given = dict(headers or {})
        if form is not None:
            content = urlencode(form).encode()
            given.setdefault("content-type", "application/x-www-form-urlencoded")
        if url.partition("?")[0] == self.target.endpoint("registration_endpoint"):
            # a server may count every request there, whatever its method
            return self._post(method=method, url=url, headers=list(given.items()), content=content, target=target)
        return self.transport.send(method, url, headers=given, content=content, target=target)


def _form(encode: Callable[[Any], str], value: Any) -> str:
    try:
        return encode(value)
    except UnicodeEncodeError:
        inconclusive("the server issued what no form can hold: half a surrogate pair (RFC 6749 appendix A wants ASCII)")
