"""`dcrcheck cleanup`: the clients that interrupted runs left behind are deleted, or named for an administrator."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from dcrcheck.cleanup import clean_up
from dcrcheck.documents import ConfigurationError
from dcrcheck.evidence import Recorder
from dcrcheck.ledger import Ledger, Remainder, RunEntry
from dcrcheck.reporting.text import one_line
from dcrcheck.transport import TIMEOUT_S, Transport
from dcrcheck.verdict import withhold

DEFAULT = Path("reports/latest/ledger.sqlite")
_LONGEST_WAIT_S = 120.0


def clean_up_after(path: Path, *, tell: Callable[[str], None], timeout_s: float = TIMEOUT_S,
                   insecure: bool = False) -> int:
    """Delete what the runs of a ledger left behind; returns how many clients may remain. May be done again.

    `tell` receives the lines of the account: what was deleted, and what somebody has to remove by hand.

    Raises:
        ConfigurationError: there is no such ledger, it cannot be read or written, or a run is writing to it.
    """
    if path.is_dir():
        path = path / DEFAULT.name
    if not path.is_file():
        raise ConfigurationError(f"{path}: no such ledger; give the ledger.sqlite of the run's report directory")
    try:
        with FileLock(path.with_suffix(".lock"), timeout=0):
            return sum(_finish(path, entry, tell, timeout_s, insecure) for entry in _runs(path))
    except Timeout:
        raise ConfigurationError(f"a run is writing to {path}; it cleans up at its own end") from None
    except OSError as error:
        raise ConfigurationError(str(error)) from None


def _runs(path: Path) -> list[RunEntry]:
    ledger = Ledger(path, run="", issuer="")
    try:
        return ledger.runs()
    finally:
        ledger.close()


def _finish(path: Path, entry: RunEntry, tell: Callable[[str], None], timeout_s: float, insecure: bool) -> int:
    recorder = Recorder()
    ledger = Ledger(path, run=entry.id, issuer=entry.issuer, scrub=recorder.redactor.scrub)
    try:
        before = ledger.remainders()
        if not before:
            return 0
        tell(f"run {entry.id} at {one_line(entry.issuer)}, begun {_moment(entry.started_at)}: "
             f"{len(before)} clients may remain")
        if entry.embedded:
            ledger.abandon()
            tell("  gone with the embedded server")
            return 0
        transport = Transport(recorder, verify=not insecure, timeout_s=timeout_s)
        try:
            cleaned = clean_up(ledger, transport, origins=entry.origins, wait=_patience(tell),
                               tell=lambda line: tell(f"  {line}"))
        finally:
            transport.close()
        tell(f"  {cleaned.deleted} deleted, {cleaned.left} left")
        for line in _for_an_administrator(ledger.remainders()):
            tell(line)
        return cleaned.left
    finally:
        ledger.close()


def _patience(tell: Callable[[str], None]) -> Callable[[float, str], None]:
    def wait(seconds: float, why: str) -> None:
        if seconds > _LONGEST_WAIT_S:
            withhold(f"{why}, for {seconds:.0f} s")
        tell(f"  waiting {seconds:.0f} s: {why}")
        time.sleep(seconds)

    return wait


def _for_an_administrator(left: list[Remainder]) -> Iterator[str]:
    if left:
        yield "  to be removed by an administrator:"
    for item in left:
        name = f"named {one_line(item.client_name)!r}" if item.client_name else "without a name"
        yield (f"    {one_line(item.client_id) or '(client_id unknown)'} {name}, registered {_moment(item.sent_at)} "
               f"({one_line(item.note)})")


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
