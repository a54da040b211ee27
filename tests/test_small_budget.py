"""A server that allows five registrations an hour still gets a verdict on much of what applies to it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dcrcheck.house import ROOT

PROFILE = 'title = "Five an hour"\npolicy = "rfc7591"\n[limits]\nregistrations = { count = 5, seconds = 3600 }\n'


@contextlib.contextmanager
def five_an_hour() -> Iterator[dict[str, str]]:
    """The embedded server with that limit; what it says of itself at the start."""
    with subprocess.Popen([sys.executable, "-m", "dcrcheck.reference", "--limit", "5/3600"], stdout=subprocess.PIPE,
                          text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        facts: dict[str, str] = {}
        for line in process.stdout or ():
            name, _, value = re.sub(r"  +", "\t", line.strip()).partition("\t")
            facts[name] = value
            if line.startswith("Ctrl-C"):
                break
        try:
            yield facts
        finally:
            process.terminate()


@pytest.mark.parametrize("declared", [True, False], ids=["limit in the profile", "limit unknown"])
def test_five_registrations_judge_much(declared: bool, tmp_path: Path):
    (tmp_path / "five.toml").write_text(PROFILE if declared else PROFILE.partition("[limits]")[0])
    with five_an_hour() as facts:
        run = subprocess.run(
            [sys.executable, "-m", "dcrcheck", "run", "--issuer", facts["issuer"], "--profile", "five.toml",
             "--max-registrations", "5"], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), "DCRCHECK_USERNAME": facts["user"],
                 "DCRCHECK_PASSWORD": facts["password"]})
    results = json.loads((tmp_path / "reports" / "latest" / "results.json").read_text("utf-8"))

    applicable, judged = (
        {one["id"] for finding in results["findings"] if finding["verdict"] in verdicts
         for one in finding["requirements"]}
        for verdicts in (("PASS", "FAIL", "WARN", "INCONCLUSIVE"), ("PASS", "FAIL", "WARN")))
    assert run.returncode == 6, run.stdout[-2000:]
    assert results["run"]["registrations"] <= 5
    assert not any(exchange["status"] == 429 for exchange in results["exchanges"].values())
    assert results["counts"]["FAIL"] == results["counts"]["ERROR"] == 0
    assert len(judged) >= 0.4 * len(applicable), (len(judged), len(applicable))
