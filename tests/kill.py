"""Kills full runs at random moments and holds the ledger against the server: `python tests/kill.py [MOMENTS [SEED]]`.

A killed run is resumed and killed again until it comes to its end, when another begins: so every part of a run meets a
kill, and every kill a resumption. Prints its figures as JSON. A client that the server has and the ledger does not know
would be one left behind silently.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import dcrcheck.plugin  # noqa: F401  (the children begin with everything imported)
from dcrcheck.aftermath import clean_up_after
from dcrcheck.house import ROOT, SUITES
from dcrcheck.ledger import Ledger, Remainder, RunEntry
from dcrcheck.reference import Server, serve

PROFILE = """title = "A server to be left in the middle"
policy = "rfc7591"
[limits]
registrations = { count = 100, seconds = 3 }
"""
_SETTLE_S = 0.3
# soon, or now and then so late that the longest check comes to its end
_SOON_S, _LATE_S = 1.2, 8.0
_EARLY, _LATE = 0.1, 0.2
_POLL_S = 0.02


class Subject:
    """The embedded server in a process of its own, and what its administrator sees."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([sys.executable, __file__, "--serve"], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
        self.facts = self.ask("facts")

    def ask(self, *words: str) -> Any:
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def administer() -> None:
    """Serve until nobody asks any more; each line on standard input is a question."""
    with serve(Server(), tls=False) as running:
        store = running.server.store
        for line in sys.stdin:
            word, *rest = json.loads(line)
            if word == "facts":
                answer: Any = {"issuer": running.issuer, "username": running.username, "password": running.password}
            elif word == "clients":
                answer = {client_id: client.metadata.get("client_name", "")
                          for client_id, client in store.clients.items()}
            else:
                answer = [store.clients.pop(client_id, None) is not None for client_id in rest]
            print(json.dumps(answer), flush=True)


@dataclass
class Figures:
    """What so many kills came to."""

    kills: int = 0
    runs_finished: int = 0
    clients: int = 0
    unlisted: int = 0
    deleted: int = 0
    named_for_an_administrator: int = 0
    of_which_never_answered: int = 0
    left_after_the_administrator: int = 0
    judged: int = 0
    seconds: float = 0.0


def run(directory: Path, subject: Subject, options: list[str]) -> None:
    """A run in this process, which is meant to be killed."""
    os.environ |= {"DCRCHECK_USERNAME": subject.facts["username"], "DCRCHECK_PASSWORD": subject.facts["password"]}
    sink = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(sink, number)
    os.chdir(ROOT)
    os._exit(pytest.main([str(SUITES), f"--rootdir={ROOT}", "-q", "-p", "no:html", "-p", "dcrcheck.plugin",
                          f"--issuer={subject.facts['issuer']}", f"--profile={directory / 'profile.toml'}",
                          f"--report-dir={directory / 'report'}", *options]))


def start(directory: Path, subject: Subject) -> int:
    """Begin a run in a child, or go on with the one that was killed; returns the child's process id."""
    (directory / "profile.toml").write_text(PROFILE, encoding="utf-8")
    options = [f"--resume={entry.id}" for entry in runs(directory) if entry.finished_at is None][-1:]
    child = os.fork()
    if not child:
        try:
            run(directory, subject, options)
        finally:
            os._exit(70)
    return child


def is_at_work(child: int, directory: Path, before: int) -> bool:
    """Wait until a run has sent more than what it begins with; False if it ended first."""
    begun = before
    while not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        sent = sum(entry.exchanges for entry in runs(directory))
        if begun == before:
            begun = sent
        elif sent > begun:
            return True
        time.sleep(_POLL_S)
    return False


def kill_once(moment_s: float, directory: Path, subject: Subject, figures: Figures, *, early: bool) -> None:
    """Let a run go on for so many seconds, kill it, hold its ledger against the server, and clean up.

    The time counts from the first check that sends something, or, `early`, from the start of the process.
    """
    before = sum(entry.exchanges for entry in runs(directory))
    child = start(directory, subject)
    if early or is_at_work(child, directory, before):
        time.sleep(moment_s)
    ended, status = os.waitpid(child, os.WNOHANG)
    if ended:
        figures.runs_finished += 1
        if (code := os.waitstatus_to_exitcode(status)) not in (0, 6):
            raise RuntimeError(f"a run ended with exit code {code}: {broken(directory)}")
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        figures.kills += 1
    time.sleep(_SETTLE_S)  # what the server has received it may still be answering
    compare(directory, subject, figures)


def broken(directory: Path) -> list[tuple[str, str]]:
    """What a run that should have broken no rule says of the server, from its results."""
    path = directory / "report" / "results.json"
    findings = json.loads(path.read_text("utf-8"))["findings"] if path.is_file() else []
    return [(finding["check"], finding["observed"]) for finding in findings if finding["surprise"]]


def compare(directory: Path, subject: Subject, figures: Figures) -> None:
    """Every client of the server has its entry; what a clean-up leaves is what it names; then the server is empty."""
    path = directory / "report" / "ledger.sqlite"
    there = subject.ask("clients")
    figures.clients += len(there)
    named = remainders(directory)
    known = {item.client_id for item in named if item.client_id}
    unseen = Counter(item.client_name for item in named if not item.client_id)
    figures.unlisted += sum(client_id not in known and not unseen[text] for client_id, text in there.items())
    if path.is_file():
        clean_up_after(path, tell=lambda line: None)
    left = subject.ask("clients")
    figures.deleted += len(there) - len(left)
    figures.named_for_an_administrator += len(left)
    named = remainders(directory)
    ids = {item.client_id for item in named if item.client_id}
    names = {item.client_name for item in named if not item.client_id}
    figures.of_which_never_answered += sum(client_id not in ids for client_id in left)
    subject.ask("remove", *(client_id for client_id, text in left.items() if client_id in ids or text in names))
    figures.left_after_the_administrator += len(rest := subject.ask("clients"))
    subject.ask("remove", *rest)
    for entry in runs(directory):
        with contextlib.closing(Ledger(path, run=entry.id, issuer=entry.issuer)) as ledger:
            ledger.abandon()  # the administrator has removed them all
            figures.judged = max(figures.judged, len(ledger.kept()))


def runs(directory: Path) -> list[RunEntry]:
    """The runs of the ledger in a directory."""
    path = directory / "report" / "ledger.sqlite"
    if not path.is_file():
        return []
    with contextlib.closing(Ledger(path, run="", issuer="")) as ledger:
        return ledger.runs()


def remainders(directory: Path) -> list[Remainder]:
    """What the runs of a ledger say may be left."""
    found = []
    for entry in runs(directory):
        with contextlib.closing(Ledger(directory / "report" / "ledger.sqlite", run=entry.id,
                                       issuer=entry.issuer)) as ledger:
            found += ledger.remainders()
    return found


def kill(moments: int, *, seed: int = 7592) -> Figures:
    """Kill so many times, at random moments of runs that go on from kill to kill."""
    figures, clock, subject = Figures(), time.monotonic(), Subject()
    draw = random.Random(seed)
    try:
        with tempfile.TemporaryDirectory() as name:
            while figures.kills < moments:
                longest_s = _LATE_S if draw.random() < _LATE else _SOON_S
                kill_once(draw.uniform(0, longest_s), Path(name), subject, figures, early=draw.random() < _EARLY)
                print(json.dumps(vars(figures)), file=sys.stderr, flush=True)
    finally:
        subject.close()
    figures.seconds = round(time.monotonic() - clock, 1)
    return figures


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        administer()
    else:
        print(json.dumps(vars(kill(int(sys.argv[1]), seed=int((*sys.argv, 7592)[2])))))
