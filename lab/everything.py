"""Judges all that can run here, some at a time, each in a process and a namespace of its own."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from lab import scoreboard
from lab.installation import CACHE, MissingTool, demand_tools
from lab.judging import LATEST, emulated
from lab.recipe import KINDS, LAB, LabError, configurations

_SAYS = {0: "nothing surprising", 1: "broken", 4: "could not be run", 6: "incomplete"}


@dataclass
class _Runs:
    """The processes at work, so that an interrupted round leaves none behind."""

    options: list[str]
    publish: bool
    until: float
    at_work: set[subprocess.Popen[bytes]] = field(default_factory=set)

    def judge(self, name: str) -> tuple[int | None, str]:
        """Judge one in a process of its own; returns its exit code (None: there was no time) and what to say of it."""
        if time.monotonic() > self.until:
            return None, "left out: no time"
        reports, log = LATEST / name, CACHE / "logs" / f"{name}.run.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        where = ["--publish"] if self.publish else [f"--report-dir={os.path.relpath(reports)}"]
        command = [sys.executable, "-m", "lab", "run", name, *where, *self.options]
        began = time.monotonic()
        with log.open("wb") as sink, subprocess.Popen(command, cwd=LAB.parent, stdin=subprocess.DEVNULL, stdout=sink,
                                                      stderr=subprocess.STDOUT) as process:
            self.at_work.add(process)
            code = self._wait(process)
            self.at_work.discard(process)
        if code is None:
            return None, "stopped: no time"
        said = _SAYS.get(code, f"exit code {code}")
        lines = log.read_text("utf-8", "replace").strip().splitlines() or ["no output"]
        if code == 4:
            return code, f"{said}: {lines[-1]}"
        if lines[-1].startswith(f"{name}: "):
            said += f", {lines[-1].removeprefix(f'{name}: ')}"
        figures = _figures(scoreboard.PUBLISHED / name / "verdicts.json" if self.publish else reports / "results.json")
        more = f" (log: {os.path.relpath(log)})" if code not in (0, 6) else ""
        return code, f"{figures}{said}, {time.monotonic() - began:.0f} s{more}"

    def _wait(self, process: subprocess.Popen[bytes]) -> int | None:
        try:
            return process.wait(None if self.until == math.inf else max(0.0, self.until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
            return None

    def stop(self) -> None:
        """End what is at work, and let nothing more begin."""
        self.until = -math.inf
        for process in list(self.at_work):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)


def run(options: list[str], *, kinds: Collection[str], jobs: int, minutes: float, publish: bool) -> int:
    """Judge every server of these kinds that can run here, and emulated products; returns the exit code of the round.

    With `minutes`, what is not done by then is left out and said; what is quickly done comes first. The code is 1 if
    any is broken, else 4 if any could not be run, else 6 if any is incomplete, else 0; 5 if nothing was judged.
    """
    if unknown := sorted({*kinds} - {*KINDS, "emulated"}):
        raise LabError(f"--kinds {unknown[0]}: there are {', '.join((*KINDS, 'emulated'))}")
    names, codes = [], []
    order = {kind: place for place, kind in enumerate(KINDS)}
    for name, configuration in sorted(configurations().items(), key=lambda pair: (
            order[pair[1].recipe.kind], scoreboard.duration_s(pair[0]))):
        if configuration.only_for_advisories or configuration.recipe.kind not in kinds:
            continue
        try:
            demand_tools(configuration.recipe)
            names.append(name)
        except MissingTool as problem:
            print(f"{name:30} skipped: {problem}", flush=True)
    names += emulated() if "emulated" in kinds else ()
    runs = _Runs(options, publish, time.monotonic() + 60 * minutes if minutes else math.inf)
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        futures = {pool.submit(runs.judge, name): name for name in names}
        try:
            for done, future in enumerate(as_completed(futures), 1):
                code, said = future.result()
                codes += [] if code is None else [code]
                print(f"[{done}/{len(names)}] {futures[future]:30} {said}", flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            runs.stop()
            raise
    if publish:
        print(f"scoreboard: {os.path.relpath(scoreboard.write())}")
    if not codes:
        return 5
    others = [code for code in codes if code not in (0, 1, 4, 6)]
    return 1 if 1 in codes or others else 4 if 4 in codes else 6 if 6 in codes else 0


def _figures(path: Path) -> str:
    if not path.is_file():
        return ""
    counts = json.loads(path.read_text("utf-8"))["counts"]
    judged = counts["PASS"] + counts["FAIL"] + counts["WARN"]
    return (f"{judged} judged, {counts['PASS']} passed, {counts['FAIL']} failed, {counts['WARN']} warned, "
            f"{counts['INCONCLUSIVE']} inconclusive: ")


