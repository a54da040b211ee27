"""The registration endpoint as checks see it: givens, whens, and the endpoints where a registration takes effect."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import json as jsonlib
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote_plus, urlencode, urlsplit

from dcrcheck.client import Client
from dcrcheck.evidence import Recorder, Secret
from dcrcheck.ledger import Ledger
from dcrcheck.profile import Policy, Profile
from dcrcheck.registrar import Registrar
from dcrcheck.target import Target, origin
from dcrcheck.transport import Answer, Transport
from dcrcheck.verdict import Inconclusive, inapplicable, inconclusive

if TYPE_CHECKING:
    from dcrcheck.session import Authorization

OMIT: Final = object()
REDIRECT_URI = "https://client.example/cb"
CLOSED = "registration is closed, as the profile says"
# RFC 7592 section 2.2 keeps these out of an update request
NOT_IN_UPDATE = ("registration_access_token", "registration_client_uri", "client_secret_expires_at",
                 "client_id_issued_at")
# RFC 8414 section 2: where the metadata says what a member may be
_OFFERS = {"token_endpoint_auth_method": "token_endpoint_auth_methods_supported",
           "grant_types": "grant_types_supported", "response_types": "response_types_supported"}
# RFC 7592 section 2.3 says 204; a server that says it otherwise has deleted the client all the same
_GONE = (200, 202, 204)
_PATIENCE_S = 10.0
Where = Literal["local", "client", "foreign", "login"]


class Endpoint:
    """One target during one run."""

    def __init__(self, target: Target, transport: Transport, ledger: Ledger, *, max_registrations: int,
                 initial_access_token: str | None = None, registrar: Registrar | None = None) -> None:
        self.target = target
        self.transport = transport
        self.ledger = ledger
        self.recorder: Recorder = transport.recorder
        self.max_registrations = max_registrations
        self._initial_access_token = initial_access_token
        self._registrar = registrar
        self.check = ""
        self.notes: list[str] = []
        self.clients: dict[str, Client] = {}
        self.approved: set[str] = set()
        self._shared: dict[str, Client] = {}
        self._control_failure = ""
        self._answered_once: frozenset[str] = frozenset()
        self._names = itertools.count(1)
        self._sent: deque[float] = deque()
        self._issued = 0.0
        self._sent_count = 0

    @property
    def policy(self) -> Policy:
        return self.target.profile.policy

    @property
    def profile(self) -> Profile:
        return self.target.profile

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self.target.metadata

    @property
    def initial_access_token(self) -> str | None:
        """What authorises registrations; where each admits one client only, another for each.

        Raises:
            Inconclusive: it has to be obtained, and the server issues none.
        """
        if self._initial_access_token is None and self._registrar is not None:
            self._initial_access_token = self._registrar.obtain()
        return self._initial_access_token

    @property
    def registration_url(self) -> str:
        self._need_registration()
        return self.target.registration_endpoint

    def _need_registration(self) -> None:
        if self.profile.is_closed:
            inapplicable(CLOSED)

    @property
    def origins(self) -> frozenset[str]:
        """Where a user's browser goes: the target's own origins, and those where the owner says that pages stand."""
        return self.target.origins | {origin(url) for url in self.profile.session.get("origins", ())}

    # -- the request ------------------------------------------------------------------------------------------------

    def unique(self, prefix: str = "dcrcheck") -> str:
        """A name that nothing else in the run bears, recognisable as ours by an administrator."""
        return f"{prefix} {self.ledger.run} {next(self._names)}"

    def document(self, **deviation: Any) -> dict[str, Any]:
        """The client metadata that this profile's server accepts, with deviations; `OMIT` takes a member out."""
        registration = self.profile.registration
        document: dict[str, Any] = {
            "client_name": self.unique(),
            "redirect_uris": [REDIRECT_URI],
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none" if "none" in self.policy.auth_methods else self.policy.auth_methods[0],
            **({"scope": registration["scope"]} if "scope" in registration else {}),
            **registration.get("metadata", {}),
            **deviation,
        }
        return {member: value for member, value in document.items() if value is not OMIT}

    # -- what the server says of itself -------------------------------------------------------------------------------

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

    # -- givens -----------------------------------------------------------------------------------------------------

    def register(self, **deviation: Any) -> Client:
        """A new client.

        Raises:
            Inapplicable: the profile says that registration is closed, or the server said that it does not offer this.
            Inconclusive: the server will not register it, so that nothing about it can be judged.
        """
        self._need_registration()
        document = self.document(**deviation)
        answer = self._post(document=document, patient=True)
        if answer.registered is None:
            if answer.status == 400 and (reason := self._out_of_reach(deviation)):
                inapplicable(reason)
            inconclusive(f"the server did not register the client this check needs "
                         f"({_differences(deviation)}): {answer.describe()}")
        return answer.registered

    def _out_of_reach(self, deviation: Mapping[str, Any]) -> str:
        """Why the server said beforehand that it would refuse this; empty if it did not."""
        for member, value in deviation.items():
            if value is OMIT and member in self.profile.registration.get("metadata", {}):
                return f"the server wants {member} in every request, as the profile says"
            offered = self.metadata.get(_OFFERS.get(member, ""))
            asked = value if isinstance(value, list) else [value]
            if isinstance(offered, list) and value is not OMIT and (more := [v for v in asked if v not in offered]):
                return f"the metadata does not offer {member} {more[0]!r}"
        return ""

    def client(self, **deviation: Any) -> Client:
        """The client of the run with this metadata, registered once; for checks that only look at or use it.

        Raises:
            Inconclusive: as `register`.
        """
        key = jsonlib.dumps({k: "OMIT" if v is OMIT else v for k, v in deviation.items()}, sort_keys=True, default=str)
        if key not in self._shared:
            self._shared[key] = self.register(**deviation)
        client = self._shared[key]
        self.recorder.recall(client.answer.exchange)
        return client

    def control(self) -> Client:
        """The accepted twin of every negative probe, registered once.

        Raises:
            Inconclusive: the server does not accept it, so that no refusal proves anything.
        """
        if self._control_failure:
            inconclusive(self._control_failure)
        try:
            return self.client()
        except Inconclusive as reason:
            self._control_failure = f"the accepted twin of this probe is not accepted: {reason}"
            inconclusive(self._control_failure)

    # -- whens ------------------------------------------------------------------------------------------------------

    def submit(self, document: Any = None, /, *, content: bytes | None = None,
               headers: Mapping[str, str | None] | list[tuple[str, str]] | None = None, method: str = "POST",
               url: str | None = None, target: bytes | None = None, control: bool = True, paced: bool = True,
               **deviation: Any) -> Answer:
        """Send a registration whose answer is the matter under test.

        Sends `content` as it is, else `document`, else the accepted document with `deviation`. `headers` are added to
        the usual ones (a value of None removes one), or, as a list of pairs, replace them all. `target` replaces the
        request target on the wire. `paced` False ignores the limit that the profile declares.

        Raises:
            Inapplicable: the profile says that registration is closed.
            Inconclusive: the accepted twin is not accepted, or the budget is spent.
        """
        self._need_registration()
        if control:
            self.control()
        if document is None and content is None:
            document = self.document(**deviation)
        return self._post(document=document, content=content, headers=headers, method=method, url=url, target=target,
                          paced=paced)

    def knock(self, url: str, document: Any, *, authorization: str | None = None) -> Answer:
        """A registration at an address of the target's where nobody should answer, with this header or without.

        Raises:
            ValueError: the URL lies elsewhere; this is a fault of the check.
            Inconclusive: the budget is spent.
        """
        if origin(url) not in self.target.origins:
            raise ValueError(f"{url} is not the target's")
        return self._post(document=document, url=url, headers={"authorization": authorization})

    def _post(self, *, document: Any = None, content: bytes | None = None,
              headers: Mapping[str, str | None] | list[tuple[str, str]] | None = None, method: str = "POST",
              url: str | None = None, target: bytes | None = None, patient: bool = False, paced: bool = True,
              quick: Callable[[list[tuple[str, str]], bytes], Answer] | None = None) -> Answer:
        if self._sent_count >= self.max_registrations:
            inconclusive(f"the budget of {self.max_registrations} registrations is spent (--max-registrations)")
        if paced:
            self._pace()
        self._sent_count += 1
        body = content if content is not None else jsonlib.dumps(document).encode()
        row = self.ledger.intend(self.check, document)
        answer = (quick(self._headers(headers), body) if quick is not None else self.transport.send(
            method, url or self.registration_url, content=body, target=target, headers=self._headers(headers)))
        if patient and answer.status == 429 and (wait := retry_after(answer)) is not None and wait <= _PATIENCE_S:
            self.ledger.settle(row, answer.status)
            time.sleep(wait)
            return self._post(document=document, content=content, headers=headers, method=method, url=url)
        return self._settle(row, answer, document)

    def _settle(self, row: int, answer: Answer, document: Any) -> Answer:
        if self._registrar is not None and self._registrar.single_use and 200 <= answer.status < 300:
            self._initial_access_token = None
        members = answer.json if 200 <= answer.status < 300 and isinstance(answer.json, dict) else {}
        client_id = members.get("client_id")
        if not isinstance(client_id, str) or not client_id:
            self.ledger.settle(row, answer.status)
            return answer
        uri = members.get("registration_client_uri")
        self.ledger.settle(row, answer.status, client_id, uri if isinstance(uri, str) else None)
        client = Client(members, document=document, answer=answer, read=self.read)
        self.clients[client_id] = client
        return replace(answer, registered=client)

    def _headers(self, headers: Mapping[str, str | None] | list[tuple[str, str]] | None) -> list[tuple[str, str]]:
        if isinstance(headers, list):
            return headers
        usual: dict[str, str | None] = {"content-type": "application/json", "accept": "application/json"}
        if "authorization" not in {name.lower() for name in headers or {}} and self.initial_access_token:
            usual["authorization"] = f"Bearer {self.initial_access_token}"
        merged = {**usual, **{name.lower(): value for name, value in (headers or {}).items()}}
        return [(name, value) for name, value in merged.items() if value is not None]

    def _pace(self) -> None:
        """Keep below nine tenths of the limit that the profile declares, so that the run provokes no 429 itself."""
        limit = self.profile.limits.get("registrations")
        if not limit:
            return
        most, seconds = max(1, int(limit["count"] * 0.9)), float(limit["seconds"])
        now = time.monotonic()
        while self._sent and self._sent[0] <= now - seconds:
            self._sent.popleft()
        if len(self._sent) >= most:
            wait = self._sent[0] + seconds - now
            if wait > _PATIENCE_S:
                inconclusive(f"the profile's limit of {limit['count']} registrations in {seconds:g} s is reached")
            time.sleep(wait)
            self._sent.popleft()
        self._sent.append(time.monotonic())

    # -- RFC 7592 ---------------------------------------------------------------------------------------------------

    def read(self, client: Client) -> Answer:
        """Read a client's configuration (RFC 7592 section 2.1)."""
        return self.manage(client)

    def update(self, client: Client, document: Any = None, **deviation: Any) -> Answer:
        """Replace a client's configuration (RFC 7592 section 2.2): its stored metadata with deviations."""
        return self.manage(client, "PUT", json=self.revision(client, **deviation) if document is None else document)

    def revision(self, client: Client, **deviation: Any) -> dict[str, Any]:
        """An update request: the client's metadata as registered, without what an update must not hold."""
        stored = {**client, "client_id": client.client_id, **deviation}
        left_out = {*NOT_IN_UPDATE, "client_secret", *self._answered_once} - {*deviation}
        return {member: value for member, value in stored.items() if value is not OMIT and member not in left_out}

    def delete(self, client: Client) -> Answer:
        """Deprovision a client (RFC 7592 section 2.3)."""
        return self.manage(client, "DELETE")

    def revise(self, client: Client, **deviation: Any) -> Answer:
        """A *given*: an update that the server carries out.

        Raises:
            Inapplicable: the server offers no updates.
            Inconclusive: it does not accept this one.
        """
        answer = self.update(client, **deviation)
        if answer.status == 400 and not self._answered_once and isinstance(read := self.read(client).json, dict):
            # RFC 7592 section 2.2: an update holds what a registration or a read returned; some servers refuse their
            # own members of the former
            self._answered_once = frozenset(client) - {*read}
            answer = self.update(client, **deviation) if self._answered_once else answer
        return _carried_out(answer, f"update ({_differences(deviation)})")

    def record(self, client: Client) -> Mapping[str, Any]:
        """A *given*: what the server says is registered for a client now.

        Raises:
            Inapplicable: the server offers no reads.
            Inconclusive: it does not answer with the client.
        """
        answer = _carried_out(self.read(client), "read")
        if not isinstance(answer.json, dict) or "client_id" not in answer.json:
            inconclusive(f"the server did not answer the read with a client: {answer.describe()}")
        return answer.json

    def removed(self, **deviation: Any) -> Client:
        """A *given*: a new client that the server has deleted again.

        Raises:
            Inapplicable: the server offers no deletion.
            Inconclusive: it did not delete the client.
        """
        client = self.register(**deviation)
        _carried_out(self.delete(client), "deletion")
        return client

    def manage(self, client: Client, method: str = "GET", *, token: str | object | None = OMIT, url: str | None = None,
               json: Any = OMIT, content: bytes | None = None,
               headers: Mapping[str, str | None] | None = None) -> Answer:
        """One request to the client configuration endpoint; `token` None sends none, by default the newest.

        Raises:
            Inconclusive: the server gave no configuration endpoint, one on another origin, where the
                registration access token must not go, or no such token; or it limits requests.
        """
        address = url or client.registration_client_uri
        if address is None:
            inconclusive("the server returned no registration_client_uri for this client")
        if origin(address) not in self.target.origins:
            inconclusive(f"the configuration endpoint lies on another origin ({origin(address)}); nothing was sent")
        credential = client.registration_access_token if token is OMIT else token
        if token is OMIT and credential is None:
            inconclusive("the server returned no registration_access_token for this client")
        given: dict[str, str | None] = {"accept": "application/json"}
        if isinstance(credential, str):
            given["authorization"] = f"Bearer {credential}"
            self.recorder.redactor.learn(credential)
        if json is not OMIT:
            content = jsonlib.dumps(json).encode()
            given["content-type"] = "application/json"
        given.update({name.lower(): value for name, value in (headers or {}).items()})
        fields = [(n, v) for n, v in given.items() if v is not None]
        answer = self.transport.send(method, address, content=content or b"", headers=fields)
        if answer.status == 429 and (wait := retry_after(answer)) is not None and wait <= _PATIENCE_S:
            time.sleep(wait)
            answer = self.transport.send(method, address, content=content or b"", headers=fields)
        if answer.status == 429:
            inconclusive(f"the client configuration endpoint limits requests: {answer.describe()}")
        if isinstance(answer.json, dict) and answer.json.get("client_id") == client.client_id:
            client.adopt(answer)
        if method == "DELETE" and answer.status in _GONE and url is None:
            self.ledger.deleted(client.client_id)
        return answer

    # -- where a registration takes effect --------------------------------------------------------------------------

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

    def authorize(self, client: Client, *, jar: Transport | None = None, **params: Any) -> Answer:
        """An authorization request from a browser where nobody is logged in; its redirect is not followed."""
        url, _ = self.authorization_request(client, **params)
        return (jar or self.transport).send("GET", url, headers={"accept": "text/html"})

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
            pair = f"{quote_plus(user)}:{quote_plus(secret)}"
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
        answer = self.transport.send("POST", address, headers=headers, content=urlencode(pairs).encode())
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
        return self.transport.send(method, url, headers=given, content=content, target=target)

    @property
    def remaining(self) -> int:
        """How many registrations the budget still allows."""
        return max(0, self.max_registrations - self._sent_count)

    def spray(self, count: int, document: Mapping[str, Any] | None = None, *,
              headers: Mapping[str, str | None] | None = None,
              until: Callable[[Answer], bool] = lambda answer: not 200 <= answer.status < 300) -> list[Answer]:
        """Registrations one after the other as fast as they are answered, `until` an answer ends it: one not accepted.

        Each of a new name, or all of `document`, with further `headers`. Heeds the budget, not the profile's pace: only
        for checks marked ``@intrusive("burst")``.

        Raises:
            Inapplicable: the profile says that registration is closed.
            Inconclusive: the budget is spent.
        """
        self._need_registration()
        answers: list[Answer] = []
        if not self.remaining:
            inconclusive(f"the budget of {self.max_registrations} registrations is spent (--max-registrations)")
        with contextlib.ExitStack() as stack:
            quick = (stack.enter_context(self.transport.quick(self.registration_url)) if self.target.is_loopback
                     else None)
            for _ in range(min(count, self.remaining)):
                sent = self.document() if document is None else document
                answers.append(self._post(document=sent, headers=headers, paced=False, quick=quick))
                if until(answers[-1]):
                    break
        return answers

    # -- at the end -------------------------------------------------------------------------------------------------

    def clean_up(self) -> None:
        """Delete what was registered, where the server can; what stays is in the ledger with the reason."""
        remaining = {client.client_id for client in self.ledger.clients().left}
        for client_id, client in self.clients.items():
            if client_id not in remaining:
                continue
            if not client.registration_client_uri or not client.registration_access_token:
                self.ledger.note(client_id, "the server gave no registration_client_uri and token to delete it with")
                continue
            try:
                answer = self.delete(client)
            except Inconclusive as reason:
                self.ledger.note(client_id, str(reason))
                continue
            if answer.status not in _GONE:
                self.ledger.note(client_id, f"DELETE was answered {answer.describe()}")


def _carried_out(answer: Answer, operation: str) -> Answer:
    if answer.status in (405, 501):
        inapplicable(f"the server offers no {operation.partition(' ')[0]} of clients: {answer.describe()}")
    if not 200 <= answer.status < 300:
        inconclusive(f"the server did not carry out the {operation} that this check needs: {answer.describe()}")
    return answer


def retry_after(answer: Answer) -> float | None:
    """The seconds that a Retry-After header asks for (RFC 9110 section 10.2.3), if it gives seconds."""
    value = answer.headers.get("retry-after", "").strip()
    return float(value) if value.isdigit() else None


def _differences(deviation: Mapping[str, Any]) -> str:
    if not deviation:
        return "the profile's own accepted request"
    return ", ".join(f"without {m}" if v is OMIT else f"{m} {v!r}"[:120] for m, v in deviation.items())
