"""The registration endpoint (RFC 7591): the request that this server accepts, what is given, what is submitted."""

from __future__ import annotations

import contextlib
import itertools
import json as jsonlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from dcrcheck.budget import Budget
from dcrcheck.client import Client
from dcrcheck.evidence import Recorder
from dcrcheck.journal import facts_of, restored
from dcrcheck.judgement import Consulted
from dcrcheck.profile import Policy, Profile
from dcrcheck.registrar import Registrar
from dcrcheck.target import Target, origin
from dcrcheck.transport import Answer, Transport
from dcrcheck.verdict import Inconclusive, Withheld, inapplicable, inconclusive

OMIT: Final = object()
REDIRECT_URI = "https://client.example/cb"
# of a burst: the disk is asked once for so many, or it would decide how fast the burst is
_AT_A_TIME = 25
CLOSED = "registration is closed, as the profile says"
# RFC 8414 section 2: where the metadata says what a member may be
_OFFERS = {"token_endpoint_auth_method": "token_endpoint_auth_methods_supported",
           "grant_types": "grant_types_supported", "response_types": "response_types_supported"}


class RegistrationEndpoint:
    """Where clients register at one target during one run."""

    def __init__(self, target: Target, transport: Transport, budget: Budget, *,
                 initial_access_token: str | None = None, registrar: Registrar | None = None) -> None:
        self.target = target
        self.transport = transport
        self.budget = budget
        self.ledger = budget.ledger
        self.recorder: Recorder = transport.recorder
        self._lasting_token = initial_access_token
        self._obtained_token: str | None = None
        self.registrar = registrar
        self.notes: list[str] = []
        self.clients: dict[str, Client] = {}
        self._shared: dict[str, Client] = {}
        self._remembered = self.ledger.shared()
        self._control_failure = ""
        policy = target.profile.policy
        self.consulted = Consulted(policy.parameters)
        self._policy = replace(policy, parameters=self.consulted)
        self._names = itertools.count(1)
        self._run = self.ledger.bearing

    @property
    def policy(self) -> Policy:
        """The policy in force, as checks go by it."""
        return self._policy

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
        if self._lasting_token is None and self._obtained_token is None and self.registrar is not None:
            self._obtained_token = self.registrar.obtain()
        return self._lasting_token or self._obtained_token

    @property
    def registration_url(self) -> str:
        self._need_registration()
        return self.target.registration_endpoint

    def _need_registration(self) -> None:
        if self.profile.is_closed:
            inapplicable(CLOSED)

    # -- the request ------------------------------------------------------------------------------------------------

    def unique(self, prefix: str = "dcrcheck") -> str:
        """A name that nothing else in the run bears or begins with, recognisable as ours by an administrator."""
        return f"{prefix} {self._run} {next(self._names):05}"

    def document(self, **deviation: Any) -> dict[str, Any]:
        """The client metadata that this profile's server accepts, with deviations; `OMIT` takes a member out."""
        registration, methods = self.profile.registration, self.profile.policy.auth_methods
        document: dict[str, Any] = {
            "client_name": self.unique(),
            "redirect_uris": [REDIRECT_URI],
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none" if "none" in methods else methods[0],
            **({"scope": registration["scope"]} if "scope" in registration else {}),
            **registration.get("metadata", {}),
            **deviation,
        }
        return {member: value for member, value in document.items() if value is not OMIT}

    # -- givens -----------------------------------------------------------------------------------------------------

    def register(self, **deviation: Any) -> Client:
        """A new client.

        Raises:
            Inapplicable: the profile says that registration is closed, or the server said that it does not offer this.
            Inconclusive: the server will not register it, so that nothing about it can be judged.
        """
        self._need_registration()
        document = self.document(**deviation)
        if not {"client_name", "software_id"}.isdisjoint(deviation) and not self.ledger.marker(document):
            # an administrator shall recognise it, whatever it is called
            document.setdefault("software_id", self.unique())
        answer = self._post(document=document, patient=True)
        if answer.registered is None:
            if answer.status == 400 and (reason := self._out_of_reach(deviation)):
                inapplicable(reason)
            inconclusive(f"the server did not register the client this check needs "
                         f"({differences(deviation)}): {answer.describe()}")
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

    def client(self, *, purpose: str = "", **deviation: Any) -> Client:
        """The client of the run with this metadata, registered once; for checks that only look at or use it.

        Another `purpose` has a client of its own, which checks of another purpose do not touch.

        Raises:
            Inconclusive: as `register`.
        """
        key = self.shared_name(purpose, deviation)
        with self.budget.use(key):
            if key not in self._shared:
                self._shared[key] = self._again(key) or self._for_all(key, deviation)
        client = self._shared[key]
        self.recorder.recall(client.answer.exchange)
        return client

    def _for_all(self, key: str, deviation: Mapping[str, Any]) -> Client:
        client = self.register(**deviation)
        self.ledger.share(client.digest, key, facts_of(client))
        return client

    def _again(self, key: str) -> Client | None:
        """The client that an interrupted run registered for this."""
        if key not in self._remembered:
            return None
        client = restored(self._remembered[key], read=self.read)
        self.recorder.redactor.learn_from(client.answer.json)
        self.recorder.redactor.learn(client.registration_access_token)
        self.clients[client.client_id] = client
        return client

    def shared_name(self, purpose: str, deviation: Mapping[str, Any]) -> str:
        """The name under which checks share what is registered with this deviation for this purpose."""
        usual = self.document()
        members = {member: "OMIT" if value is OMIT else value for member, value in deviation.items()
                   if value != usual.get(member, OMIT)}
        return f"{purpose} {jsonlib.dumps(members, sort_keys=True, default=str)}".strip()

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
            if isinstance(reason, Withheld):
                raise
            self._control_failure = f"the accepted twin of this probe is not accepted: {reason}"
            inconclusive(self._control_failure)
    # -- whens ------------------------------------------------------------------------------------------------------

    def submit(self, document: Any = None, /, *, content: bytes | None = None,
               headers: Mapping[str, str | None] | list[tuple[str, str]] | None = None, method: str = "POST",
               url: str | None = None, target: bytes | None = None, control: bool = True, paced: bool = True,
               via: Transport | None = None, **deviation: Any) -> Answer:
        """Send a registration whose answer is the matter under test.

        Sends `content` as it is, else `document`, else the accepted document with `deviation`. `headers` are added to
        the usual ones (a value of None removes one), or, as a list of pairs, replace them all. `target` replaces the
        request target on the wire. `paced` False ignores the limit that the profile declares. `via` is another client
        to send it (see `Transport.elsewhere`).

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
                          paced=paced, via=via)

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
              row: int | None = None, via: Transport | None = None,
              quick: Callable[[list[tuple[str, str]], bytes], Answer] | None = None) -> Answer:
        fields = self._headers(headers)
        if row is None:
            row = self.budget.register(document, paced=paced)
        body = content if content is not None else jsonlib.dumps(document).encode()
        try:
            answer = (quick(fields, body) if quick is not None else (via or self.transport).send(
                method, url or self.registration_url, content=body, target=target, headers=fields))
        except (Withheld, ValueError):
            self.ledger.withdraw(row)
            raise
        wait_s = retry_after(answer) if answer.status == 429 and paced else None
        if wait_s is not None:
            self.budget.turned_away(wait_s)
            if patient:
                self.ledger.settle(row, answer.status)
                return self._post(document=document, content=content, headers=headers, method=method, url=url)
        return self._settle(row, answer, document)

    def _settle(self, row: int, answer: Answer, document: Any) -> Answer:
        if self.registrar is not None and self.registrar.single_use and 200 <= answer.status < 300:
            self._obtained_token = None
        members = answer.members if 200 <= answer.status < 300 else {}
        client_id = members.get("client_id")
        if not isinstance(client_id, str) or not client_id:
            self.ledger.settle(row, answer.status)
            return answer
        client = Client(members, document=document, answer=answer, read=self.read)
        self.ledger.settle(row, answer.status, client_id, client.registration_client_uri,
                           client.registration_access_token)
        self.clients[client_id] = client
        if answer.unread:
            inconclusive(f"the answer to a registration could not be read: {answer.unread}")
        return replace(answer, registered=client)

    def read(self, client: Client) -> Answer:
        """Read a client's configuration, where the server has an endpoint for that (see `ConfigurationEndpoint`)."""
        raise NotImplementedError

    def _headers(self, headers: Mapping[str, str | None] | list[tuple[str, str]] | None) -> list[tuple[str, str]]:
        if isinstance(headers, list):
            return headers
        usual: dict[str, str | None] = {"content-type": "application/json", "accept": "application/json"}
        if "authorization" not in {name.lower() for name in headers or {}} and self.initial_access_token:
            usual["authorization"] = f"Bearer {self.initial_access_token}"
        merged = {**usual, **{name.lower(): value for name, value in (headers or {}).items()}}
        return [(name, value) for name, value in merged.items() if value is not None]

    @property
    def remaining(self) -> int:
        """How many registrations the budget still allows."""
        return self.budget.remaining

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
        with contextlib.ExitStack() as stack:
            quick = (stack.enter_context(self.transport.quick(self.registration_url)) if self.target.is_loopback
                     else None)
            while len(answers) < count and (not answers or self.remaining):
                documents = [self.document() if document is None else document
                             for _ in range(min(_AT_A_TIME, count - len(answers)))]
                rows = self.budget.burst(documents)
                try:
                    while rows:
                        row = rows.pop(0)
                        self.budget.book_registration(row)
                        answers.append(self._post(document=documents.pop(0), headers=headers, paced=False, quick=quick,
                                                  row=row))
                        if until(answers[-1]):
                            return answers
                finally:
                    for unsent in rows:
                        self.ledger.withdraw(unsent)
        return answers


def retry_after(answer: Answer) -> float | None:
    """The seconds that a Retry-After header asks for (RFC 9110 section 10.2.3), if it gives seconds."""
    value = answer.headers.get("retry-after", "").strip()
    return float(value) if value.isascii() and value.isdigit() else None


def differences(deviation: Mapping[str, Any]) -> str:
    """In what a request differs from the accepted one, in words."""
    if not deviation:
        return "the profile's own accepted request"
    return ", ".join(f"without {m}" if v is OMIT else f"{m} {v!r}"[:120] for m, v in deviation.items())
