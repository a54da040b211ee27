"""Kills full runs at random moments and holds the ledger against the server: `python tests/kill.py [MOMENTS [SEED]]`.

Prints its figures as JSON. A client that the server has and the ledger does not know would be one left behind silently.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import dcrcheck.plugin  # noqa: F401  (the children begin with everything imported)
from dcrcheck.aftermath import clean_up_after
from dcrcheck.house import ROOT, SUITES
from dcrcheck.ledger import Ledger
from dcrcheck.reference import Server, serve

PROFILE = """title = "A server to be left in the middle"
policy = "rfc7591"
[limits]
registrations = { count = 100, seconds = 1 }
"""
_SETTLE_S = 0.4


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
    finished_before: int = 0
    clients: int = 0
    unlisted: int = 0
    deleted: int = 0
    named_for_an_administrator: int = 0
    of_which_never_answered: int = 0
    left_after_the_administrator: int = 0
    seconds: float = 0.0
    moments_s: list[float] = field(default_factory=list)


def run(directory: Path, subject: Subject, options: list[str]) -> None:
    """A whole run in this process, which is meant to be killed."""
    os.environ |= {"DCRCHECK_USERNAME": subject.facts["username"], "DCRCHECK_PASSWORD": subject.facts["password"]}
    sink = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(sink, number)
    os.chdir(ROOT)
    os._exit(pytest.main([str(SUITES), f"--rootdir={ROOT}", "-q", "-p", "no:html", "-p", "dcrcheck.plugin",
                          f"--issuer={subject.facts['issuer']}", f"--profile={directory / 'profile.toml'}",
                          f"--report-dir={directory / 'report'}", *options]))


def start(directory: Path, subject: Subject, *options: str) -> int:
    """Begin a run in a child; returns its process id."""
    (directory / "profile.toml").write_text(PROFILE, encoding="utf-8")
    child = os.fork()
    if not child:
        try:
            run(directory, subject, list(options))
        finally:
            os._exit(70)
    return child


def kill_at(moment_s: float, subject: Subject, figures: Figures, *options: str) -> None:
    """Begin a run, kill it after so many seconds, hold its ledger against the server, and clean up."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        child = start(directory, subject, *options)
        time.sleep(moment_s)
        ended, _ = os.waitpid(child, os.WNOHANG)
        if not ended:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        time.sleep(_SETTLE_S)  # what the server has received it may still be answering
        figures.kills += 1
        figures.finished_before += bool(ended)
        figures.moments_s.append(round(moment_s, 2))
        compare(directory / "report" / "ledger.sqlite", subject, figures)


def compare(path: Path, subject: Subject, figures: Figures) -> None:
    """Every client of the server has its entry; what a clean-up leaves is what it names; then the server is empty."""
    there = subject.ask("clients")
    figures.clients += len(there)
    named = remainders(path)
    known = {item.client_id for item in named if item.client_id}
    unseen = Counter(item.client_name for item in named if not item.client_id)
    figures.unlisted += sum(client_id not in known and not unseen[text] for client_id, text in there.items())
    if path.is_file():
        clean_up_after(path, tell=lambda line: None)
    left = subject.ask("clients")
    figures.deleted += len(there) - len(left)
    named = remainders(path)
    figures.named_for_an_administrator += len(left)
    figures.of_which_never_answered += sum(client_id not in {item.client_id for item in named} for client_id in left)
    names = {item.client_name for item in named if not item.client_id}
    listed = [client_id for client_id, text in left.items()
              if client_id in {item.client_id for item in named} or text in names]
    subject.ask("remove", *listed)
    figures.left_after_the_administrator += len(rest := subject.ask("clients"))
    subject.ask("remove", *rest)


def remainders(path: Path) -> list[Any]:
    """What the runs of a ledger say may be left."""
    if not path.is_file():
        return []
    with contextlib.closing(Ledger(path, run="", issuer="")) as ledger:
        runs = ledger.runs()
    found = []
    for entry in runs:
        with contextlib.closing(Ledger(path, run=entry.id, issuer=entry.issuer)) as ledger:
            found += ledger.remainders()
    return found


def duration(subject: Subject, *options: str) -> float:
    """How long a run takes that nobody kills, in seconds."""
    with tempfile.TemporaryDirectory() as name:
        clock = time.monotonic()
        os.waitpid(start(Path(name), subject, *options), 0)
        taken = time.monotonic() - clock
        compare(Path(name, "report", "ledger.sqlite"), subject, Figures())
    return taken


def kill(moments: int, *, seed: int = 7592, options: tuple[str, ...] = ()) -> Figures:
    """Kill so many runs at moments drawn from the time that a whole one takes."""
    figures, clock, subject = Figures(), time.monotonic(), Subject()
    draw = random.Random(seed)  # noqa: S311  (moments, not secrets)
    try:
        whole = duration(subject, *options)
        for _ in range(moments):
            kill_at(draw.uniform(0, whole), subject, figures, *options)
    finally:
        subject.close()
    figures.seconds = round(time.monotonic() - clock, 1)
    return figures


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        administer()
    else:
        print(json.dumps(vars(kill(int(sys.argv[1]), seed=int((*sys.argv, 7592)[2])))))
