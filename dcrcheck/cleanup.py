"""What a run leaves at the server is deleted (RFC 7592 section 2.3), at its end or later, from the ledger alone."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from dcrcheck.evidence import Recorder
from dcrcheck.ledger import Ledger, Remainder
from dcrcheck.registration import retry_after
from dcrcheck.target import origin
from dcrcheck.transport import Answer, Transport
from dcrcheck.verdict import Inconclusive

_DELETED = (200, 202, 204)
_UNKNOWN = (401, 404, 410)
_MANY = 100
# a server that is down is not asked for every client of hundreds
_MOST_SILENCES = 3


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """How a clean-up ended: clients deleted by it, and those that are left."""

    deleted: int
    left: int


def clean_up(ledger: Ledger, transport: Transport, *, origins: Collection[str],
             wait: Callable[[float, str], None], tell: Callable[[str], None] = lambda _: None) -> Cleaned:
    """Delete the clients of the ledger's run; what stays is noted in the ledger with the reason.

    May be interrupted and done again. A registration access token goes to `origins` only. `wait` is asked to wait so
    many seconds where the server says so, `tell` receives a line where there is much to do.

    Raises:
        OSError: the ledger cannot be written.
    """
    remainders = ledger.remainders()
    known = [item for item in remainders if item.client_id]
    deleted = silences = 0
    for done, item in enumerate(known):
        if done and done % _MANY == 0:
            tell(f"clean-up: {done} of {len(known)} clients")
        if silences >= _MOST_SILENCES:
            ledger.note(item.digest, "the server no longer answers; dcrcheck cleanup tries again")
            continue
        obstacle = _obstacle(item, origins)
        if not obstacle:
            try:
                answer = _delete(item, ledger, transport, wait)
            except Inconclusive as reason:
                ledger.note(item.digest, f"{reason}; dcrcheck cleanup tries again")
                continue
            silences = 0 if answer.status else silences + 1
            obstacle = _judge(item, answer)
            if obstacle and 400 <= answer.status < 500:
                ledger.spared(item.digest)
        if obstacle:
            ledger.note(item.digest, obstacle)
        else:
            ledger.deleted(item.digest)
            deleted += 1
    return Cleaned(deleted=deleted, left=len(remainders) - deleted)


def _obstacle(item: Remainder, origins: Collection[str]) -> str:
    if item.unreadable:
        return "its token cannot be read without the ledger.key of the run"
    if not item.uri or not item.token:
        return "the server gave no registration_client_uri and token to delete it with"
    if origin(item.uri) not in origins:
        return f"the configuration endpoint lies on another origin ({origin(item.uri)}); the token is not sent there"
    return ""


def _delete(item: Remainder, ledger: Ledger, transport: Transport, wait: Callable[[float, str], None]) -> Answer:
    recorder: Recorder = transport.recorder
    recorder.redactor.learn(item.token)
    headers = {"authorization": f"Bearer {item.token}", "accept": "application/json"}
    if not item.deleting:
        ledger.deleting(item.digest)
    answer = transport.send("DELETE", item.uri or "", headers=headers)
    if answer.status == 429 and (wait_s := retry_after(answer)) is not None:
        wait(wait_s, "the client configuration endpoint asked for it (Retry-After)")
        answer = transport.send("DELETE", item.uri or "", headers=headers)
    return answer


def _judge(item: Remainder, answer: Answer) -> str:
    """Why the client may still be there; empty if it is gone."""
    if answer.status in _DELETED:
        return ""
    # what a server says of a client that is gone (RFC 7592 section 2.3: 401); it says the same to a wrong address or
    # token, and so it counts only where an earlier deletion was sent whose answer nobody saw
    if answer.status in _UNKNOWN and item.deleting:
        return ""
    return f"DELETE was answered {answer.describe()}"
