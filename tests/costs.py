"""Measure what checks send: `python -m tests.costs [--fresh] [--alone POLICY] [RESULTS_JSON…]` → suites/costs.json.

`--alone` judges the embedded server by each check alone, which then pays for what others would have paid before it. The
largest figure of all runs counts, so that it is an upper bound for servers of many kinds.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from dcrcheck import plan
from dcrcheck.house import COSTS, ROOT, SUITES

Costs = dict[str, dict[str, Any]]


def measured(findings: Iterable[dict[str, Any]]) -> Costs:
    """What the rows of each check function sent at most, from the findings of one run."""
    found: Costs = {}
    for finding in findings:
        merge(found, {finding["check"].partition("[")[0]: {
            "exchanges": finding["exchanges"], "registrations": finding["registrations"],
            "shared": finding["shared"]}})
    return found


def merge(into: Costs, others: Costs) -> None:
    """Take the larger figures, and all names."""
    for check, row in others.items():
        mine = into.setdefault(check, {"exchanges": 0, "registrations": 0, "shared": []})
        for key in ("exchanges", "registrations"):
            mine[key] = max(mine[key], row[key])
        mine["shared"] = sorted({*mine.get("shared", ()), *row.get("shared", ())})


def alone(policy: str) -> Costs:
    """What every check sends when it is the only one, under a policy."""
    found: Costs = {}
    with tempfile.TemporaryDirectory() as directory, contextlib.chdir(ROOT):
        whole = Path(directory, "whole")
        _run(whole, "--profile", policy)
        checks = dict.fromkeys(finding["check"].partition("[")[0] for finding in _findings(whole)
                               if finding["verdict"] != "INAPPLICABLE")
        for number, check in enumerate(checks):
            part = Path(directory, str(number))
            _run(part, "--profile", policy, only=check)
            merge(found, measured(_findings(part)))
            print(f"\r{number + 1} of {len(checks)}", end="", file=sys.stderr, flush=True)
    return found


def _run(directory: Path, *options: str, only: str = "") -> None:
    # what is measured must not be held to what was measured before
    boundless = mock.patch.object(plan, "estimate", lambda charge: plan.Estimate(exchanges=9_999, registrations=999))
    with boundless, contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        pytest.main([f"{SUITES}/{only}", f"--rootdir={ROOT}", "-q", f"--report-dir={directory}", "-p", "no:html",
                     "-p", "no:junitxml", "-p", "no:logging", "-p", "dcrcheck.plugin", *options])


def _findings(directory: Path) -> list[dict[str, Any]]:
    return json.loads(Path(directory, "results.json").read_text("utf-8"))["findings"]


def main(words: list[str]) -> int:
    costs: Costs = {} if "--fresh" in words or not COSTS.is_file() else json.loads(COSTS.read_text("utf-8"))
    for option, word in pairwise(words):
        if option == "--alone":
            merge(costs, alone(word))
    for word in words:
        if word.endswith(".json"):
            merge(costs, measured(json.loads(Path(word).read_text("utf-8"))["findings"]))
    lines = [f"{json.dumps(check)}: {json.dumps({k: v for k, v in row.items() if v != []})}"
             for check, row in sorted(costs.items())]
    COSTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
