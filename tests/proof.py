"""Runs the suites against one variant of the embedded server and tells which checks were tripped."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import threading
import tomllib
import zlib
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest

from dcrcheck.catalogue import catalogue
from dcrcheck.defects import defect
from dcrcheck.house import PROFILES, ROOT, SUITES
from dcrcheck.plugin import TRIAL
from dcrcheck.profile import load_profile
from dcrcheck.reference import POLICIES
from dcrcheck.verdict import Verdict

# they take two fifths of a run between them
_COSTLY = ("fuzz", "abuse")
SOME, CHECKS, ROWS = DEPTHS = ("some", "checks", "rows")
"""How much of the suites a defect is held against: the files of what it names and a twentieth of the others; one row of
every check; every row of every check."""
_SHARE = 20
_NO_LIMIT = 1_000_000
# they solve large systems of equations: where nobody expects anything of them, one turn in eight will do
_HEAVY = ("test_no_credential_comes_from_a_weak_generator", "test_no_code_comes_from_a_weak_generator")
TRIPPED = (Verdict.FAIL, Verdict.WARN, Verdict.ERROR)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one run said. `tripped` are the bare names of the checks with a FAIL, WARN or ERROR."""

    tripped: frozenset[str]
    verdicts: dict[str, str]
    observed: dict[str, str]
    judged_rows: frozenset[str]
    surprises: dict[str, str]
    failed: bool
    output: str


class _Collector:
    """Keeps the findings of a nested run, and may leave out what nobody expects anything of."""

    def __init__(self, every_row_of: frozenset[str] | None = None, turn: int = 0, depth: str = ROWS) -> None:
        self.every_row_of = every_row_of
        self.turn = turn
        self.depth = depth
        self.trial = None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Of every check that is not to be run whole one row, of the costly suites one check; others each turn."""
        if self.every_row_of is None or self.depth == ROWS:
            return
        rows: dict[str, list[pytest.Item]] = {}
        for item in items:
            rows.setdefault(item.originalname, []).append(item)
        for suite in _COSTLY:
            idle = [name for name, group in rows.items() if group[0].path.parent.name == suite]
            if not self.every_row_of.intersection(idle):
                for name in idle:
                    if name != idle[self.turn % len(idle)]:
                        del rows[name]
        for name in _HEAVY:
            if name not in self.every_row_of and self.turn % 8:
                rows.pop(name, None)
        kept = {id(item) for name, group in rows.items()
                for item in (group if name in self.every_row_of else [group[self.turn % len(group)]])}
        items[:] = [item for item in items if id(item) in kept]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Where nothing looks at the limit of the server there is none: else a run spends most of its time waiting."""
        trial = session.config.stash.get(TRIAL, None)
        bursts = any("burst" in getattr(item.function, "dcr_intrusive", ()) for item in session.items)
        if trial is not None and self.every_row_of is not None and not bursts:
            server = trial.stage.embedded.server
            server.rules = replace(server.rules, registrations=_NO_LIMIT, realm_registrations=_NO_LIMIT)
            trial.budget.bounds = replace(trial.budget.bounds, limit=None)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.trial = session.config.stash.get(TRIAL, None)


@cache
def _fuzzed() -> frozenset[str]:
    """The checks that try many examples: they take most time, and few will do where none of them is to fail."""
    return frozenset(name for path in (SUITES / "fuzz").glob("test_*.py")
                     for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE))


@cache
def _files() -> dict[str, frozenset[str]]:
    """Each file of checks below the suites, with the checks in it."""
    found = {path: re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
             for path in sorted(SUITES.glob("*/test_*.py"))}
    return {str(path.relative_to(SUITES)): frozenset(names) for path, names in found.items()}


def _some_files(names: frozenset[str], turn: int) -> list[str]:
    """The files of these checks, and a twentieth of the others; others each turn."""
    return [file for place, (file, checks) in enumerate(_files().items())
            if checks & names or (place + turn) % _SHARE == 0]


def run(*, flaw: str | None = None, profile: str | None = None, suites: Iterable[str] = (),
        every_row_of: frozenset[str] | None = None, depth: str = ROWS) -> Outcome:
    """Judge the embedded server in this process: by every row, or by one row of all checks but some."""
    turn = zlib.crc32((flaw or "").encode())
    if every_row_of is not None and depth == SOME:
        suites = _some_files(every_row_of, turn)
    arguments = [*(str(SUITES / name) for name in suites or ["."]), f"--rootdir={ROOT}", "-q", "--report-dir=none",
                 "-p", "no:html", "-p", "no:junitxml", "-p", "no:metadata", "-p", "no:logging", "-p", "no:anyio",
                 "-p", "no:faulthandler", "-p", "no:warnings", "-p", "no:threadexception",
                 "-p", "no:unraisableexception", "--capture=no", "-p", "dcrcheck.plugin"]
    if flaw:
        arguments += ["--defect", flaw]
    if profile:
        arguments += ["--profile", profile]
    if every_row_of is not None and depth != ROWS and not every_row_of & _fuzzed():
        arguments += ["--fuzz-examples=4"]
    collector = _Collector(every_row_of, turn=turn, depth=depth)
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told), contextlib.chdir(ROOT):
        code = pytest.main(arguments, plugins=[collector])
    if code == pytest.ExitCode.INTERRUPTED:
        # pytest has taken the signal that was meant for the whole proof
        raise KeyboardInterrupt
    if collector.trial is None:
        raise RuntimeError(f"the run of {flaw or profile} did not start:\n{told.getvalue()[-3000:]}")
    findings = collector.trial.findings
    judged = (Verdict.PASS, *TRIPPED)
    return Outcome(
        tripped=frozenset(f.name.partition("[")[0] for f in findings if f.verdict in TRIPPED),
        verdicts={f.check: f.verdict.value for f in findings},
        observed={f.check: f.observed or f.why for f in findings if f.verdict is not Verdict.PASS},
        surprises={f.check: f.observed or f.why for f in findings if f.surprise or f.verdict is Verdict.INCONCLUSIVE},
        judged_rows=frozenset(c.id for f in findings if f.verdict in judged for c in f.requirements),
        failed=int(code) == 1, output=told.getvalue())


def prove(name: str, *, depth: str = CHECKS) -> str:
    """What is wrong with a defect's claim to trip exactly its checks; empty if nothing is."""
    claimed = frozenset(row.partition("[")[0] for row in defect(name).trips)
    outcome = run(flaw=name, every_row_of=claimed, depth=depth)
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
    """Runs every variant once, some at a time, in processes of their own."""

    def __init__(self, names: Iterable[str], *, depth: str = SOME) -> None:
        self._futures = {name: Future() for name in names}
        self._mode = f"--{depth}"
        self._processes: list[subprocess.Popen[str]] = []
        # some runs keep below the server's limit and so wait much
        workers = 1 + (os.cpu_count() or 1)
        for start in range(workers):
            part = list(self._futures)[start::workers]
            if part:
                threading.Thread(target=self._work, args=(part,), daemon=True).start()

    def close(self) -> None:
        """End what is still at work."""
        for process in self._processes:
            process.kill()

    def _work(self, names: list[str]) -> None:
        command = [sys.executable, __file__, "--json", self._mode, *names]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
            self._processes.append(process)
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


def emulated() -> list[str]:
    """The profiles of products that the embedded server can stand in for."""
    return [path.stem for path in sorted(PROFILES.glob("*.toml"))
            if tomllib.loads(path.read_text("utf-8")).get("emulated")]


def settle(name: str, *, depth: str = CHECKS) -> str:
    """What surprises in a run of an emulated product, or is left open; empty if nothing is."""
    listed = frozenset(entry.check.partition("[")[0] for entry in load_profile(name, catalogue()).known)
    outcome = run(profile=name, every_row_of=listed, depth=CHECKS if depth == SOME else depth)
    return "; ".join(f"{check}: {text.splitlines()[0][:300]}" for check, text in outcome.surprises.items())


def _main(words: list[str]) -> None:
    as_json = "--json" in words
    if as_json:
        os.nice(10)  # whatever else is tested meanwhile comes first
    depth = next((one for one in DEPTHS if f"--{one}" in words), CHECKS)
    for word in (word for word in words if not word.startswith("--")):
        if word in POLICIES:
            outcome = run(profile=word)
            unclean = {check: f"{outcome.verdicts[check]}: {text}" for check, text in outcome.observed.items()
                       if outcome.verdicts[check] != "INAPPLICABLE"}
            said = "; ".join(f"{check}: {text.splitlines()[0][:300]}" for check, text in unclean.items())
            answer = {"name": word, "complaint": said,
                      "findings": len(outcome.verdicts), "judged": sorted(outcome.judged_rows)}
            lines = [f"{word}: {len(outcome.verdicts)} findings, {len(outcome.judged_rows)} requirements judged",
                     *(f"  {check}: {text.splitlines()[0][:300]}" for check, text in unclean.items())]
        elif word in emulated():
            answer = {"name": word, "complaint": settle(word, depth=depth)}
            lines = [f"{word}: {answer['complaint'] or 'nothing that its profile does not list'}"]
        else:
            answer = {"name": word, "complaint": prove(word, depth=depth)}
            lines = [f"{word}: {answer['complaint'] or 'caught exactly'}"]
        print(json.dumps(answer) if as_json else "\n".join(lines), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1:])
