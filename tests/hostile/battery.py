"""Runs each case as its owner would: a process that judges a server, another that is the server; both forked warm.

A parent that has everything imported starts them, so that a case takes the time of its own and no more, and asks the
kernel what the judging process took. It runs in a process of its own: one that has threads must not be forked.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from dcrcheck.__main__ import main as dcrcheck
from dcrcheck.house import ROOT, SUITES
from tests.hostile.case import TIMEOUT_S, Case
from tests.hostile.cases import CASES
from tests.hostile.front import keep
from tests.hostile.intact import Outcome, complaints
from tests.hostile.misbehaviour import bomb

AT_ONCE = 4
LONGEST_S = 60.0
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """How a case ended. `complaint` is empty if it ended as it should."""

    name: str
    stage: str
    outcome: str
    seconds: float
    peak_mb: int
    patience_s: float
    complaint: str


class Battery:
    """All wanted cases, at work in a process of their own; `of` waits for one."""

    def __init__(self, names: Iterable[str]) -> None:
        self._futures: dict[str, Future[Figures]] = {name: Future() for name in names}
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        command = [sys.executable, "-m", "tests.hostile.battery", *self._futures]
        with tempfile.TemporaryFile("w+") as errors, subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
            for line in process.stdout or ():
                figures = Figures(**json.loads(line))
                self._futures[figures.name].set_result(figures)
            errors.seek(0)
            told = errors.read()[-2000:]
        for name, future in self._futures.items():
            if not future.done():
                future.set_exception(RuntimeError(f"the battery ended before {name}: {told}"))

    def of(self, name: str) -> Figures:
        return self._futures[name].result(timeout=900)


@dataclass
class _Run:
    case: Case
    directory: Path
    server: int
    judge: int = 0
    started: float = 0.0
    seconds: float = 0.0
    peak_mb: int = 0
    code: int = 0


def _forked(work: Any, directory: Path, name: str) -> int:
    """The process id of a child that does `work` in a directory of its own, and keeps what it prints in a file."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.chdir(directory)
        for number in (1, 2):
            os.dup2(os.open(f"{name}.{'out' if number == 1 else 'err'}", os.O_WRONLY | os.O_CREAT, 0o600), number)
        sys.stdout, sys.stderr = (io.TextIOWrapper(io.FileIO(number, "w", closefd=False), "utf-8", "backslashreplace",
                                                   line_buffering=True) for number in (1, 2))
        code = work() or 0
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _serve(case: Case, directory: Path) -> int:
    keep(case.front(directory), directory)
    return 0


def _judge(case: Case, directory: Path) -> int:
    address = json.loads((directory / "address").read_text())
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    os.environ.clear()
    os.environ.update(environment, **{name: value.format(**address, directory=directory)
                                      for name, value in case.environment.items()})
    if case.user:
        os.environ.update(DCRCHECK_USERNAME="alice", DCRCHECK_PASSWORD="wonderland")
    options = [option.format(**address, directory=directory) for option in case.options]
    where = [] if any(option.startswith(("--issuer", "--resource")) for option in options) else [
        "--issuer", address["issuer"]]
    return dcrcheck(["run", *where, f"--timeout={TIMEOUT_S}", "--report-dir=reports", "-k", " or ".join(case.checks),
                     *options])


def _begin(case: Case) -> _Run:
    directory = Path(tempfile.mkdtemp(prefix="dcrcheck-hostile-"))
    case.prepare(directory)
    run = _Run(case, directory, _forked(lambda: _serve(case, directory), directory, "server"))
    until = time.monotonic() + 20
    while not (directory / "address").exists():
        if time.monotonic() > until:
            raise RuntimeError(f"the server of {case.name} did not start: {(directory / 'server.err').read_text()}")
        time.sleep(0.005)
    run.started = time.monotonic()
    run.judge = _forked(lambda: _judge(case, directory), directory, "judge")
    return run


def _ended(run: _Run) -> bool:
    """Whether the judging process has ended; one that takes far too long is ended."""
    pid, status, usage = os.wait4(run.judge, os.WNOHANG)
    run.seconds = time.monotonic() - run.started
    if not pid:
        if run.seconds > LONGEST_S:
            os.kill(run.judge, signal.SIGKILL)
        return False
    run.code, run.peak_mb = os.waitstatus_to_exitcode(status), usage.ru_maxrss // 1024
    os.kill(run.server, signal.SIGTERM)
    os.waitpid(run.server, 0)
    return True


def _figures(run: _Run) -> Figures:
    outcome = Outcome.of(run.directory, code=run.code, seconds=run.seconds, peak_mb=run.peak_mb)
    return Figures(name=run.case.name, stage=run.case.stage, outcome=outcome.summary(run.case),
                   seconds=round(run.seconds, 1), peak_mb=run.peak_mb, patience_s=outcome.patience_s,
                   complaint="; ".join(complaints(run.case, outcome)))


def play(cases: Iterable[Case], *, keep_files: bool = False) -> Iterator[Figures]:
    """The figures of each case, as they end."""
    waiting, running = list(cases), list[_Run]()
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            running.append(_begin(waiting.pop(0)))
        time.sleep(0.01)
        for run in [run for run in running if _ended(run)]:
            running.remove(run)
            yield _figures(run)
            if keep_files:
                print(run.case.name, run.directory, file=sys.stderr)
            else:
                for path in sorted(run.directory.rglob("*"), reverse=True):
                    path.rmdir() if path.is_dir() else path.unlink()
                run.directory.rmdir()


def _warm_up() -> None:
    """Import every suite once: importing them is most of what a short run does."""
    bomb()
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["--collect-only", "-q", "--import-mode=importlib", "-p", "no:cacheprovider", "-c", "/dev/null",
                     "-p", "dcrcheck.plugin", f"--rootdir={SUITES}", f"--confcutdir={SUITES}", str(SUITES)])


def _main(words: list[str]) -> None:
    wanted = [word for word in words if not word.startswith("--")]
    known = {case.name: case for case in CASES}
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _warm_up()
    for figures in play([known[name] for name in wanted] if wanted else CASES, keep_files="--keep" in words):
        print(json.dumps(asdict(figures)), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1:])
