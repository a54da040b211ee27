"""The client configuration endpoint (RFC 7592): a client read, updated and deleted."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping
from typing import Any

from dcrcheck.client import Client
from dcrcheck.registration import OMIT, RegistrationEndpoint, differences, retry_after
from dcrcheck.target import origin
from dcrcheck.transport import Answer
from dcrcheck.verdict import inapplicable, inconclusive

# RFC 7592 section 2.2 keeps these out of an update request
NOT_IN_UPDATE = ("registration_access_token", "registration_client_uri", "client_secret_expires_at",
                 "client_id_issued_at")
# RFC 7592 section 2.3 says 204; a server that says it otherwise has deleted the client all the same
GONE = (200, 202, 204)


class ConfigurationEndpoint(RegistrationEndpoint):
    """Where registered clients are managed at one target during one run."""

    _answered_once: frozenset[str] = frozenset()

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
        return _carried_out(answer, f"update ({differences(deviation)})")

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
        deletes = method == "DELETE" and url is None
        if deletes:
            self.ledger.deleting(client.digest)
        answer = self.transport.send(method, address, content=content or b"", headers=fields)
        if answer.status == 429 and (wait_s := retry_after(answer)) is not None:
            self.budget.wait(wait_s, "the client configuration endpoint asked for it (Retry-After)")
            answer = self.transport.send(method, address, content=content or b"", headers=fields)
        if deletes and 400 <= answer.status < 500:
            self.ledger.spared(client.digest)
        if answer.status == 429:
            inconclusive(f"the client configuration endpoint limits requests: {answer.describe()}")
        if not answer.unread and answer.members.get("client_id") == client.client_id:
            before = client.registration_access_token
            client.adopt(answer)
            if client.registration_access_token is not None and client.registration_access_token != before:
                self.ledger.renew(client.digest, client.registration_access_token)
        if deletes and answer.status in GONE:
            self.ledger.deleted(client.digest)
        return answer


def _carried_out(answer: Answer, operation: str) -> Answer:
    if answer.status in (405, 501):
        inapplicable(f"the server offers no {operation.partition(' ')[0]} of clients: {answer.describe()}")
    if not 200 <= answer.status < 300:
        inconclusive(f"the server did not carry out the {operation} that this check needs: {answer.describe()}")
    return answer
