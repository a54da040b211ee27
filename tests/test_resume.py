"""A run that was interrupted goes on: what it found stands, and nothing that it registered is registered again."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dcrcheck.house import ROOT
from dcrcheck.ledger import Ledger
from dcrcheck.reference import POLICIES, Running, Server, serve
from dcrcheck.reference.answers import PASSWORD, USERNAME

SELECTION = ("-k", "(credentials or grants) and not abuse and not fuzz")


class Counting(Server):
    """Remembers the name of every client that was asked for; takes as many as come, however fast the machine is."""

    def __init__(self) -> None:
        super().__init__(replace(POLICIES[self.policy], registrations=100_000, realm_registrations=100_000))
        self.wished: list[str] = []

    def accept(self, document: dict[str, Any]) -> dict[str, Any]:
        self.wished.append(str(document.get("client_name")))
        return super().accept(document)


@pytest.fixture
def running() -> Iterator[Running]:
    with serve(Counting(), tls=False) as running:
        yield running


def start(running: Running, place: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dcrcheck", "run", "--issuer", running.issuer, "--report-dir=reports", *SELECTION,
         *options], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DCRCHECK_USERNAME": USERNAME, "DCRCHECK_PASSWORD": PASSWORD})


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    with process:
        told = process.communicate(timeout=300)[0]
    assert "Traceback" not in told, told[-3000:]
    return process.returncode, told


def until(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait for something to happen; fails after a minute, or where the process ends before."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)


def query(place: Path, question: str) -> list[tuple]:
    with sqlite3.connect(place / "reports" / "ledger.sqlite") as database:
        return database.execute(question).fetchall()


def own_registrations(place: Path) -> dict[str, int]:
    """How many clients each check registered for itself."""
    return dict(query(place, "SELECT check_id, count(*) FROM client WHERE shared_as IS NULL GROUP BY check_id"))


def results(place: Path) -> dict[str, Any]:
    return json.loads((place / "reports" / "results.json").read_text("utf-8"))


def judged(place: Path) -> int:
    """How many findings of the run at work are in its ledger."""
    try:
        return query(place, "SELECT count(*) FROM finding")[0][0]
    except sqlite3.Error:
        return 0


class Resumed:
    """A run that was killed and gone on with: what there was before, and what there is afterwards."""

    def __init__(self, place: Path) -> None:
        self.place = place
        server = Counting()
        with serve(server, tls=False) as running:
            process = start(running, place)
            until(lambda: judged(place) >= 40, process)
            process.kill()
            process.communicate()
            (self.run,), = query(place, "SELECT id FROM run")
            ledger = Ledger(place / "reports" / "ledger.sqlite", run=self.run, issuer=running.issuer)
            self.kept = {check: json.loads(body) for check, body in ledger.kept().items()}
            self.shared = set(ledger.shared())
            ledger.close()
            self.rows = own_registrations(place)
            self.wished = list(server.wished)
            self.code, self.told = finish(start(running, place, "--resume", self.run))
            self.asked_later = server.wished[len(self.wished):]
            self.remaining = dict(server.store.clients)
        self.results = results(place)


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Resumed:
    return Resumed(tmp_path_factory.mktemp("resumed"))


def test_a_killed_run_goes_on_to_its_end(resumed: Resumed):
    assert resumed.code == 0, resumed.told[-3000:]
    assert resumed.results["run"]["id"] == resumed.run
    assert resumed.results["counts"]["INCONCLUSIVE"] == 0


def test_the_report_holds_every_check_once(resumed: Resumed):
    checks = Counter(finding["check"] for finding in resumed.results["findings"])
    selected = int(re.search(r"/ (\d+) selected", resumed.told)[1])

    assert [check for check, times in checks.items() if times > 1] == []
    assert len(checks) == selected > len(resumed.kept) >= 40


def test_what_was_judged_before_is_not_judged_again(resumed: Resumed):
    rows = own_registrations(resumed.place)
    found = {finding["check"]: finding for finding in resumed.results["findings"]}

    assert {check for check in resumed.kept if rows.get(check) != resumed.rows.get(check)} == set()
    assert [check for check, finding in resumed.kept.items()
            if found[check]["duration_s"] != round(finding["duration_s"], 4)] == []


def test_a_client_that_checks_share_is_registered_once(resumed: Resumed):
    times = dict(query(resumed.place, "SELECT shared_as, count(*) FROM client WHERE shared_as IS NOT NULL GROUP BY 1"))

    assert resumed.shared and resumed.shared < set(times)
    assert [name for name, number in times.items() if number != 1] == []


def test_no_two_clients_of_a_run_bear_the_same_name(resumed: Resumed):
    mine = [name for name in resumed.wished if resumed.run in name]
    later = [name for name in resumed.asked_later if resumed.run in name]

    assert mine and later
    assert set(mine) & set(later) == set()


def test_what_was_shown_before_stands_in_the_report_as_it_was(resumed: Resumed):
    """Evidence of the two parts does not go by the same id."""
    exchanges = resumed.results["exchanges"]
    evidence = {exchange["id"]: exchange for finding in resumed.kept.values() for exchange in finding["evidence"]}

    assert len(evidence) > 20
    other = {name for name, exchange in evidence.items() for member in ("url", "method", "response_body", "status")
             if exchanges[name][member] != exchange[member]}
    assert other == set()


def test_the_document_of_a_resumed_run_is_valid(resumed: Resumed):
    schema = json.loads((ROOT / "schemas" / "results.schema.json").read_text("utf-8"))

    jsonschema.validate(resumed.results, schema)


def test_what_both_parts_registered_is_deleted_or_listed(resumed: Resumed):
    left = {client["client_name"] for client in resumed.results["clients"]["left"]}
    names = {str(client.metadata.get("client_name")) for client in resumed.remaining.values()}

    # at most the one that was on its way when the run was killed
    assert names <= left and len(left) <= 1
    assert resumed.results["clients"]["created"] >= len(resumed.shared)


def test_what_both_parts_sent_is_counted(resumed: Resumed):
    run = resumed.results["run"]
    rows = query(resumed.place, "SELECT count(*) FROM client")[0][0]

    # what is no client metadata never came to be asked for
    assert run["registrations"] == rows >= len(resumed.wished) + len(resumed.asked_later) - 1
    assert run["exchanges"] > rows


def test_a_run_that_came_to_its_end_is_not_gone_on_with(resumed: Resumed):
    with serve(Server(), tls=False) as other:
        code, told = finish(start(other, resumed.place, "--resume", resumed.run))

    assert code == 4
    assert complaint(told) == f"ERROR: --resume {resumed.run}: that run came to its end"


# -- what cannot be gone on with --------------------------------------------------------------------------------------


def complaint(told: str) -> str:
    (line,) = (line for line in told.splitlines() if line.strip())
    return line


def begun(place: Path, **facts) -> None:
    """A ledger of a run that was interrupted."""
    (place / "reports").mkdir()
    facts = {"run": "abcd1234", "issuer": "https://as.example", "profile": "rfc7591", "embedded": False, **facts}
    ledger = Ledger(place / "reports" / "ledger.sqlite", run=facts["run"], issuer=facts["issuer"])
    ledger.begin(profile=facts["profile"], origins=[facts["issuer"]], embedded=facts["embedded"])
    ledger.close()


@pytest.mark.parametrize(("facts", "said"), [
    ({"run": "abcd1235"}, "has no such run"),
    ({}, "that run judged https://as.example by profile rfc7591; give the same --issuer and --profile"),
    ({"profile": "mcp", "issuer": None}, "by profile mcp; give the same --issuer and --profile"),
    ({"embedded": True}, "the embedded server ended with its run; judge it again"),
], ids=["unknown", "other issuer", "other profile", "embedded"])
def test_what_cannot_be_gone_on_with_is_one_line(facts: dict, said: str, running: Running, tmp_path: Path):
    begun(tmp_path, **{**facts, **({"issuer": running.issuer} if facts.get("issuer", "") is None else {})})

    code, told = finish(start(running, tmp_path, "--resume", "abcd1234"))

    assert code == 4
    assert complaint(told).startswith("ERROR: --resume abcd1234: ") and said in told
    assert running.server.wished == []


def test_where_there_is_no_ledger_there_is_no_such_run(running: Running, tmp_path: Path):
    code, told = finish(start(running, tmp_path, "--resume", "abcd1234"))

    assert code == 4
    assert "has no such run; give its --report-dir" in complaint(told)


def test_the_embedded_server_cannot_be_gone_on_with(tmp_path: Path):
    begun(tmp_path, embedded=True)

    run = subprocess.run([sys.executable, "-m", "dcrcheck", "run", "--report-dir=reports", "--resume", "abcd1234"],
                         cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
                         env={**os.environ, "PYTHONPATH": str(ROOT)})

    assert run.returncode == 4
    assert "the embedded server ended with its run" in complaint(run.stdout + run.stderr)


# -- an end that can be prepared for ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=lambda ending: ending.name)
def test_a_run_that_is_told_to_end_cleans_up_reports_and_says_how_to_go_on(ending: signal.Signals, running: Running,
                                                                           tmp_path: Path):
    process = start(running, tmp_path)
    until(lambda: judged(tmp_path) >= 30, process)
    process.send_signal(ending)
    code, told = finish(process)

    first = results(tmp_path)
    left = {client["client_name"] for client in first["clients"]["left"]}
    assert code == 2, told[-2000:]
    assert {str(c.metadata.get("client_name")) for c in running.server.store.clients.values()} <= left
    assert len(left) <= 1
    assert first["clients"]["deleted"] >= 2
    assert f"--resume {first['run']['id']}" in told

    if ending == signal.SIGINT:  # what was deleted at the end of the first part is registered again
        code, told = finish(start(running, tmp_path, "--resume", first["run"]["id"]))
        second = results(tmp_path)
        assert code == 0, told[-2000:]
        assert second["counts"]["INCONCLUSIVE"] == 0
        assert max(Counter(finding["check"] for finding in second["findings"]).values()) == 1
