"""A target that misbehaves is survived: in bounded time and memory, with a true verdict and with its reports intact."""

from __future__ import annotations

import json

import pytest

from tests.hostile.battery import Battery
from tests.hostile.case import Case
from tests.hostile.cases import CASES
from tests.hostile.conftest import FIGURES
from tests.hostile.front import Reply
from tests.hostile.intact import Outcome, complaints

# what issue a security review would raise first, by words that stand in the names of cases
STAGES = {"metadata", "registration", "read", "deletion", "authorization", "token", "TLS", "connection"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_target_is_survived(case: Case, battery: Battery, request: pytest.FixtureRequest):
    figures = battery.of(case.name)
    request.config.stash[FIGURES].append(figures)

    assert not figures.complaint, figures.complaint


def test_every_stage_has_its_cases():
    assert {case.stage for case in CASES} >= STAGES
    assert len(CASES) >= 60


def outcome(**differences) -> Outcome:
    """A run that could not begin, as it should be said."""
    usual = {"code": 4, "seconds": 0.1, "peak_mb": 90, "output": "ERROR: the server cannot be reached\n", "files": {},
             "facts": {"canary": [], "longest_s": 0.0, "secrets": [], "clients": [], "requests": []}}
    return Outcome(**{**usual, **differences})


REFUSED = Case(name="refused", stage="metadata", exits=(4,), says=("cannot be reached",))


def test_a_run_that_ends_as_it_should_has_no_complaint():
    assert list(complaints(REFUSED, outcome())) == []


@pytest.mark.parametrize(("differences", "said"), [
    ({"code": 0}, "exit code 0"),
    ({"peak_mb": 400}, "400 MB"),
    ({"output": "ERROR: the server cannot be reached \x1b[2J\n"}, "the terminal was sent"),
    ({"output": "ERROR: something else\n"}, "nowhere does it say"),
    ({"output": "ERROR: it cannot be reached\nERROR: it cannot be reached\n"}, "not one line of complaint"),
    ({"output": "ERROR: cannot be reached\nTraceback (most recent call last)\n"}, "a traceback"),
    ({"facts": {"canary": ["GET / HTTP/1.1"], "longest_s": 0.0, "secrets": [], "clients": []}},
         "somebody else was asked"),
    ({"facts": {"canary": [], "longest_s": 5.0, "secrets": [], "clients": []}}, "an exchange took 5.0 s"),
    ({"facts": {"canary": [], "longest_s": 0.0, "secrets": ["cannot be"], "clients": []}}, "holds the secret"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_each_fault_of_a_run_is_noticed(differences: dict, said: str):
    assert any(said in one for one in complaints(REFUSED, outcome(**differences)))


@pytest.mark.parametrize(("files", "said"), [
    ({"junit.xml": b"<testsuites>"}, "junit.xml"),
    ({"results.sarif": b'{"runs": 7}'}, "results.sarif"),
    ({"summary.md": b"| a | <script>alert(1)</script> |"}, "summary.md holds markup"),
    ({"summary.md": b"\x1b[2J"}, "summary.md holds"),
    ({"report.html": b"<script></script><p><script>alert(1)</script>"}, "report.html has 2 scripts"),
    ({"report.html": b'<p><img src="x" onerror="alert(1)">'}, "onerror"),
    ({"report.html": b'<a href=" javascript:alert(1)">'}, "javascript:"),
    ({"ledger.sqlite": b"nothing of the kind" * 100}, "the ledger cannot be read"),
    ({}, "still there, and not in the list"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_each_fault_of_a_report_is_noticed(files: dict[str, bytes], said: str):
    sound = {"results.json": b"{}", "results.sarif": b"{}", "summary.md": b"`<script>`", "report.html": b"<p>",
         "junit.xml":
             b"<testsuites/>", "ledger.sqlite": b""}
    facts = {"canary": [], "longest_s": 0.0, "secrets": [], "clients": ["dcrcheck 1"], "requests": []}
    spoilt = outcome(code=6, output="", files={**sound, **files}, facts=facts, results={"clients": {"left": []}})

    assert any(said in one for one in complaints(Case(name="x", stage="metadata"), spoilt))


def test_a_reply_is_spoilt_in_one_place_only():
    reply = Reply("201 Created", [("Content-Type", "application/json")], b'{"client_id": "a", "x": 1}')

    spoilt = reply.having(client_id="b", x=None)

    assert json.loads(spoilt.body) == {"client_id": "b"}
    assert spoilt.raw().startswith(b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 18\r\n")
