"""One round of requests, judged by several policies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from dcrcheck.catalogue import catalogue
from dcrcheck.charge import Charge
from dcrcheck.house import ROOT
from dcrcheck.judgement import Consulted, judged_elsewhere
from dcrcheck.profile import load_policy
from dcrcheck.verdict import Judgement, Outcome, Verdict

CHARGE = Charge(check="x/test_x.py::test_x", suite="x", claim="It holds.",
                requirements=(catalogue()["RFC7591-3.2.1-01"],))


def judgement(outcome: Outcome, *, consulted: set[str] = frozenset(), requirement: str = "RFC7591-3.2.1-01",
              other: str = "hardened") -> Judgement:
    charge = replace(CHARGE, requirements=(catalogue()[requirement],))
    return judged_elsewhere(charge, outcome, "what came", load_policy("mcp", catalogue()),
                            load_policy(other, catalogue()), consulted=consulted, strict=False, known=(),
                            today=date(2026, 1, 1))


def test_an_outcome_holds_under_another_policy():
    broken = judgement(Outcome.BROKEN)

    assert (broken.policy, broken.verdict, broken.surprise, broken.observed) == (
        "hardened", Verdict.FAIL, True, "what came")
    assert judgement(Outcome.KEPT).verdict is Verdict.PASS


def test_a_policy_that_does_not_bind_the_row_says_nothing():
    said = judgement(Outcome.BROKEN, requirement="STRUCT-CODE-ONLY", other="rfc7591")

    assert said.verdict is Verdict.INAPPLICABLE
    assert said.why == "policy rfc7591 does not bind STRUCT-CODE-ONLY"


@pytest.mark.parametrize("outcome", [Outcome.KEPT, Outcome.BROKEN, Outcome.INAPPLICABLE])
def test_what_goes_by_a_parameter_in_which_they_differ_is_open(outcome: Outcome):
    said = judgement(outcome, consulted={"auth_methods", "access"}, other="rfc7591")

    assert said.verdict is Verdict.INCONCLUSIVE
    assert "auth_methods" in said.why
    assert "access" not in said.why
    assert "--policy rfc7591" in said.why


def test_a_parameter_in_which_they_agree_decides_nothing():
    assert judgement(Outcome.BROKEN, consulted={"auth_methods"}).verdict is Verdict.FAIL


def test_a_check_is_known_by_the_parameters_that_it_asks_for():
    policy = load_policy("mcp", catalogue())
    watched = Consulted(policy.parameters)

    methods = replace(policy, parameters=watched).auth_methods

    assert methods == policy.auth_methods
    assert watched.names == {"auth_methods"}


def run(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "dcrcheck", "run", *words, "--report-dir", str(tmp_path)], cwd=ROOT,
                          capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_policies_stand_side_by_side(tmp_path: Path):
    run_ = run(tmp_path, "--policy", "mcp,hardened", "-k", "test_an_unknown_member")
    results = json.loads((tmp_path / "results.json").read_text("utf-8"))

    verdicts = {(finding["verdict"], finding["elsewhere"][0]["verdict"]) for finding in results["findings"]}
    assert run_.returncode == 1, run_.stdout[-1500:]
    assert results["counts"]["FAIL"] == 0
    assert results["policies"][0]["counts"]["FAIL"] > 0
    assert verdicts == {("PASS", "INAPPLICABLE"), ("INAPPLICABLE", "FAIL")}
    assert "By policy hardened: 1 rule is broken" in run_.stdout
    assert 'id="policies"' in (tmp_path / "report.html").read_text("utf-8")
    assert "## By policy" in (tmp_path / "summary.md").read_text("utf-8")


def test_an_unknown_policy_is_said_in_one_line(tmp_path: Path):
    run_ = run(tmp_path, "--policy", "mcp,hardend")

    assert run_.returncode == 4
    assert "no policy 'hardend'; did you mean 'hardened'?" in run_.stdout + run_.stderr
