"""A server that fails again and again is left alone, by those who fail at it; and nothing is judged by its silence."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from dcrcheck.breaker import MOST_FAILURES, MOST_SILENCES, Breaker
from dcrcheck.catalogue import catalogue
from dcrcheck.charge import Charge
from dcrcheck.evidence import Exchange
from dcrcheck.house import ROOT
from dcrcheck.reference import Server, serve
from dcrcheck.settings import Settings
from dcrcheck.trial import Trial
from dcrcheck.verdict import Inconclusive, Outcome, Verdict, Withheld, withhold


class Told(Breaker):
    """A breaker of the suite "one", with what it told and how often it asked whether the server is alive."""

    def __init__(self, *, alive: Callable[[], bool] = lambda: True) -> None:
        self.words: list[str] = []
        self.asked = 0

        def ask() -> bool:
            self.asked += 1
            return alive()

        super().__init__(alive=ask, tell=self.words.append)
        self.begin("one")

    def sees(self, *ends: int | str | None) -> None:
        """Exchanges end: with this status, with no answer in time (None), or without one at all (a reason)."""
        for end in ends:
            self.seen(Exchange(
                id="x", method="POST", url="https://as.example/register", status=end if isinstance(end, int) else None,
                error=end if isinstance(end, str) else "" if end else "timed out after 10 s (ReadTimeout)"))

    @property
    def open(self) -> bool:
        try:
            self.admit()
        except Withheld:
            return True
        return False


def test_it_opens_after_three_timeouts_in_a_row():
    breaker = Told()

    breaker.sees(*[None] * (MOST_SILENCES - 1))
    before = breaker.open
    breaker.sees(None)

    assert (MOST_SILENCES, before, breaker.open) == (3, False, True)


@pytest.mark.parametrize("end", [500, 502, 503, "connection refused", "the connection was reset"])
def test_it_opens_after_fifteen_failures_in_a_row(end: int | str):
    breaker = Told()

    breaker.sees(*[end] * (MOST_FAILURES - 1))
    before = breaker.open
    breaker.sees(end)

    assert (MOST_FAILURES, before, breaker.open) == (15, False, True)


@pytest.mark.parametrize("good", [200, 201, 204, 302, 400, 401, 404, 429])
def test_one_answer_that_is_no_server_error_begins_the_count_anew(good: int):
    breaker = Told()

    breaker.sees(None, None, good, None, None, good)
    breaker.sees(*[500] * (MOST_FAILURES - 1), good, *["reset"] * (MOST_FAILURES - 1))

    assert not breaker.open


def test_a_server_error_between_timeouts_is_an_answer_in_time():
    breaker = Told()

    breaker.sees(None, None, 500, None, None)

    assert not breaker.open


def test_other_suites_go_on():
    breaker = Told()
    breaker.sees(*[None] * MOST_SILENCES)

    breaker.begin("two")

    assert not breaker.open
    breaker.begin("one")
    assert breaker.open


def test_failures_of_one_suite_are_not_counted_in_the_next():
    breaker = Told()
    breaker.sees(None, None)

    breaker.begin("two")
    breaker.sees(None, None)

    assert not breaker.open


def test_where_the_server_is_dead_the_first_silence_opens_the_circuit_of_the_next_suite():
    breaker = Told(alive=lambda: False)
    breaker.sees(*[None] * MOST_SILENCES)
    breaker.begin("two")
    before = breaker.open

    breaker.sees(None)

    assert (before, breaker.open) == (False, True)
    assert breaker.asked == 1


def test_where_it_answers_something_harmless_the_next_suite_has_its_three_silences():
    breaker = Told(alive=lambda: True)
    breaker.sees(*[None] * MOST_SILENCES)
    breaker.begin("two")

    breaker.sees(*[None] * (MOST_SILENCES - 1))

    assert not breaker.open


def test_a_server_that_comes_back_has_its_three_silences_again():
    breaker = Told(alive=lambda: False)
    breaker.sees(*[None] * MOST_SILENCES)
    breaker.begin("two")

    breaker.sees(200, None, None)

    assert not breaker.open


def test_asking_whether_the_server_is_alive_is_admitted_and_does_not_count():
    def ask() -> bool:
        breaker.admit()
        breaker.sees(None)
        return False

    breaker = Told(alive=ask)

    breaker.sees(*[None] * MOST_SILENCES)

    assert breaker.asked == 1
    assert list(breaker.opened) == ["one"]
    assert len(breaker.words) == 1


def test_where_nobody_may_ask_the_exchange_that_ended_ended_all_the_same():
    """What `seen` raised would be taken for a request that was never sent, and its intent withdrawn."""
    breaker = Told(alive=lambda: withhold("budget: all exchanges are spent"))

    breaker.sees(*[None] * MOST_SILENCES)

    assert breaker.open


def test_it_says_why_and_what_is_left_out():
    breaker = Told()

    breaker.sees(*[None] * MOST_SILENCES)

    with pytest.raises(Inconclusive, match=r"^circuit open: 3 requests in a row were not answered in time; "
                       "the other checks of one are left out"):
        breaker.admit()
    assert breaker.words == [breaker.opened["one"]]


# -- whole runs -------------------------------------------------------------------------------------------------------


def judge(issuer: str, place: Path, *options: str) -> tuple[int, dict, str]:
    """A run in a process of its own: the exit code, the results and what was printed."""
    run = subprocess.run([sys.executable, "-m", "dcrcheck", "run", "--issuer", issuer, "--report-dir=reports",
                          "--fuzz-examples=2", *options], cwd=place, capture_output=True, text=True, timeout=110,
                         check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert "Traceback" not in run.stdout + run.stderr, run.stdout[-3000:]
    return run.returncode, json.loads((place / "reports" / "results.json").read_text("utf-8")), run.stdout


class Dying:
    """An application that answers so many registrations, and then lets nobody hear from it."""

    def __init__(self, app: Callable, answers: int) -> None:
        self.app, self.left = app, answers
        self.unheard: list[str] = []

    async def __call__(self, scope, receive, send) -> None:
        self.left -= scope["path"].endswith("/register")
        if self.left >= 0:
            await self.app(scope, receive, send)
            return
        self.unheard.append(scope["path"])
        while (await receive())["type"] != "http.disconnect":
            pass


class Silent(Server):
    """Falls silent after 40 registrations."""

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        self.app = self.dying = Dying(self.app, 40)


@pytest.fixture(scope="module")
def silenced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dying, int, dict, str]:
    """A run against a server that dies of nothing that the run did."""
    server = Silent()
    with serve(server, tls=False) as running:
        code, results, told = judge(running.issuer, tmp_path_factory.mktemp("silenced"), "--timeout=0.4", "-k",
                                    "(robustness or grants or redirect_uris) and not fuzz and not abuse")
    return server.dying, code, results, told


def test_a_run_whose_server_falls_silent_is_incomplete_and_neither_red_nor_green(silenced):
    _, code, results, _ = silenced

    counts = results["counts"]
    assert [(f["check"], f["observed"]) for f in results["findings"] if f["verdict"] in ("FAIL", "ERROR")] == []
    assert counts["PASS"] > 10 and counts["INCONCLUSIVE"] > 100
    assert code == 6


def test_no_verdict_rests_on_an_answer_that_never_came(silenced):
    _, _, results, _ = silenced

    unanswered = {name for name, exchange in results["exchanges"].items() if exchange["status"] is None}
    judged = [f for f in results["findings"] if f["verdict"] in ("PASS", "WARN", "FAIL")]
    assert judged and unanswered
    assert [f["check"] for f in judged if set(f["evidence"]) & unanswered] == []


def test_a_server_that_has_fallen_silent_is_left_alone(silenced):
    """Three silences in one suite, one in each other and what asked whether it is alive; three of the clean-up."""
    server, _, results, _ = silenced
    suites = {finding["suite"] for finding in results["findings"]}

    assert MOST_SILENCES <= len(server.unheard) <= MOST_SILENCES + 2 * len(suites) + 3


def test_what_was_left_out_stands_in_the_report_and_on_the_terminal(silenced):
    _, _, results, told = silenced

    notes = [note for note in results["run"]["notes"] if "left out to spare the server" in note]
    assert len(notes) >= 2
    assert [note for note in notes if f"dcrcheck: {note}" not in told.splitlines()] == []


def test_what_a_silent_server_may_still_hold_is_listed(silenced):
    _, _, results, _ = silenced
    reasons = Counter(left["reason"] for left in results["clients"]["left"])

    assert results["clients"]["created"] >= 10
    assert reasons["the server no longer answers; dcrcheck cleanup tries again"] >= 5


class Refusing(http.server.BaseHTTPRequestHandler):
    """Metadata, and 500 for everything else."""

    def do_GET(self) -> None:
        issuer = f"http://{self.headers['host']}"
        body = json.dumps({"issuer": issuer, "registration_endpoint": f"{issuer}/r", "token_endpoint": f"{issuer}/t",
                           "authorization_endpoint": f"{issuer}/a", "response_types_supported": ["code"]}).encode()
        known = "well-known" in self.path
        self.send_response(200 if known else 500)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.failed += not known

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_a_server_that_only_fails_is_incomplete_and_not_asked_for_long(tmp_path: Path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    server.failed = 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        code, results, _ = judge(f"http://127.0.0.1:{server.server_port}", tmp_path, "-k",
                                 "grants and not fuzz and not abuse")
    finally:
        server.shutdown()
        server.server_close()

    suites = {finding["suite"] for finding in results["findings"]}
    assert code == 6
    assert results["counts"]["ERROR"] == results["counts"]["FAIL"] == 0
    assert 0 < server.failed <= MOST_FAILURES * len(suites)
    assert results["clients"]["left"] == []


def test_a_check_during_which_the_server_falls_silent_is_named(monkeypatch: pytest.MonkeyPatch):
    """Neither a FAIL, for anything may have happened to the server, nor passed over: it may have been the check."""
    trial = Trial(Settings())
    try:
        monkeypatch.setattr(trial.budget.breaker, "answers", lambda: False)
        trial.recorder.begin()
        trial.recorder.record(Exchange(id="x", method="POST", url=trial.target.issuer, error="timed out"))
        charge = Charge(check="robustness/test_a.py::test_b", suite="robustness", claim="C.",
                        requirements=(catalogue()["HARD-NO-SERVER-ERROR"],))

        finding = trial.conclude(charge, Outcome.BROKEN, message="no answer came")

        assert finding.verdict is Verdict.INCONCLUSIVE
        assert [note for note in trial.endpoint.notes if charge.check in note and "brings it down" in note]
    finally:
        trial.close()
