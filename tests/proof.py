"""Runs the suites against one variant of the embedded server and tells which checks were tripped."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import pytest

from dcrcheck.defects import defect
from dcrcheck.house import ROOT, SUITES
from dcrcheck.plugin import TRIAL
from dcrcheck.reference import POLICIES
from dcrcheck.verdict import Verdict

TRIPPED = (Verdict.FAIL, Verdict.WARN, Verdict.ERROR)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one run said. `tripped` are the bare names of the checks with a FAIL, WARN or ERROR."""

    tripped: frozenset[str]
    verdicts: dict[str, str]
    observed: dict[str, str]
    judged_rows: frozenset[str]
    failed: bool
    output: str


class _Collector:
    """Keeps the findings of a nested run, after its reports would have been written."""

    def __init__(self) -> None:
        self.trial = None

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.trial = session.config.stash.get(TRIAL, None)


def run(*, flaw: str | None = None, profile: str | None = None, suites: Iterable[str] = ()) -> Outcome:
    """Judge the embedded server in this process."""
    arguments = [*(str(SUITES / name) for name in suites or ["."]), f"--rootdir={ROOT}", "-q", "--report-dir=none",
                 "-p", "no:html", "-p", "no:junitxml", "-p", "no:metadata", "-p", "dcrcheck.plugin"]
    if flaw:
        arguments += ["--defect", flaw]
    if profile:
        arguments += ["--profile", profile]
    collector = _Collector()
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told), contextlib.chdir(ROOT):
        code = pytest.main(arguments, plugins=[collector])
    if collector.trial is None:
        raise RuntimeError(f"the run of {flaw or profile} did not start:\n{told.getvalue()[-3000:]}")
    findings = collector.trial.findings
    judged = (Verdict.PASS, *TRIPPED)
    return Outcome(
        tripped=frozenset(f.name.partition("[")[0] for f in findings if f.verdict in TRIPPED),
        verdicts={f.check: f.verdict.value for f in findings},
        observed={f.check: f.observed or f.why for f in findings if f.verdict is not Verdict.PASS},
        judged_rows=frozenset(c.id for f in findings if f.verdict in judged for c in f.requirements),
        failed=int(code) == 1, output=told.getvalue())


def prove(name: str) -> str:
    """What is wrong with a defect's claim to trip exactly its checks; empty if nothing is."""
    claimed = frozenset(row.partition("[")[0] for row in defect(name).trips)
    outcome = run(flaw=name)
    complaints = []
    if missing := claimed - outcome.tripped:
        complaints.append(f"not tripped: {', '.join(sorted(missing))}")
    for other in sorted(outcome.tripped - claimed):
        first = next(text for check, text in outcome.observed.items()
                     if f"::{other}" in check and outcome.verdicts[check] in ("FAIL", "WARN", "ERROR"))
        complaints.append(f"tripped too: {other} ({first.splitlines()[0][:200]})")
    if not outcome.failed:
        complaints.append("the run did not exit with 1")
    return "; ".join(complaints)


class Proof:
    """Runs every variant once, as many at a time as there are cores, each core in a process of its own."""

    def __init__(self, names: Iterable[str]) -> None:
        self._futures = {name: Future() for name in names}
        workers = os.cpu_count() or 1
        for start in range(workers):
            part = list(self._futures)[start::workers]
            if part:
                threading.Thread(target=self._work, args=(part,), daemon=True).start()

    def _work(self, names: list[str]) -> None:
        command = [sys.executable, __file__, "--json", *names]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
            for line in process.stdout or ():
                answer = json.loads(line)
                self._futures[answer["name"]].set_result(answer)
            complaint = (process.stderr.read() if process.stderr else "")[-2000:]
        for name in names:
            if not self._futures[name].done():
                self._futures[name].set_exception(RuntimeError(f"the proof of {name} died: {complaint}"))

    def of(self, name: str) -> dict[str, Any]:
        """What the run of one variant said; waits for it."""
        return self._futures[name].result(timeout=1500)


def policies() -> list[str]:
    """The policies that the reference server claims to keep."""
    return sorted(POLICIES)


def _main(words: list[str]) -> None:
    as_json = words[:1] == ["--json"]
    for word in words[as_json:]:
        if word in POLICIES:
            outcome = run(profile=word)
            unclean = {check: f"{outcome.verdicts[check]}: {text}" for check, text in outcome.observed.items()
                       if outcome.verdicts[check] != "INAPPLICABLE"}
            answer = {"name": word, "complaint": "; ".join(f"{c}: {t.splitlines()[0][:300]}" for c, t in unclean.items()),
                      "findings": len(outcome.verdicts), "judged": sorted(outcome.judged_rows)}
            lines = [f"{word}: {len(outcome.verdicts)} findings, {len(outcome.judged_rows)} requirements judged",
                     *(f"  {check}: {text.splitlines()[0][:300]}" for check, text in unclean.items())]
        else:
            answer = {"name": word, "complaint": prove(word)}
            lines = [f"{word}: {answer['complaint'] or 'caught exactly'}"]
        print(json.dumps(answer) if as_json else "\n".join(lines), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1:])
