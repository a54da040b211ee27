"""The table of verdicts: what the server did, what the policy says, what is known."""

from datetime import date

import pytest

from dcrcheck.verdict import Known, Outcome, Strength, Verdict, judge

TODAY = date(2026, 11, 21)
KNOWN = Known(check="test_x", requirement="R", reason="answers 404")
EXPIRED = Known(check="test_x", requirement="R", reason="answers 404", expires=date(2026, 11, 20))
LASTING = Known(check="test_x", requirement="R", reason="answers 404", expires=TODAY)


@pytest.mark.parametrize(("outcome", "strength", "known", "verdict", "surprise"), [
    (Outcome.KEPT, Strength.MUST, None, Verdict.PASS, False),
    (Outcome.KEPT, Strength.MUST, KNOWN, Verdict.PASS, True),
    (Outcome.BROKEN, Strength.MUST, None, Verdict.FAIL, True),
    (Outcome.BROKEN, Strength.MUST, KNOWN, Verdict.FAIL, False),
    (Outcome.BROKEN, Strength.MUST, EXPIRED, Verdict.FAIL, True),
    (Outcome.BROKEN, Strength.MUST, LASTING, Verdict.FAIL, False),
    (Outcome.BROKEN, Strength.SHOULD, None, Verdict.WARN, False),
    (Outcome.BROKEN, Strength.ADVISORY, KNOWN, Verdict.WARN, False),
    (Outcome.INAPPLICABLE, Strength.MUST, None, Verdict.INAPPLICABLE, False),
    (Outcome.INCONCLUSIVE, Strength.MUST, None, Verdict.INCONCLUSIVE, False),
    (Outcome.CRASHED, Strength.MUST, None, Verdict.ERROR, True),
])
def test_the_table(outcome, strength, known, verdict, surprise):
    assert judge(outcome, strength, known, TODAY) == (verdict, surprise)


@pytest.mark.parametrize(("entry", "covered"), [
    ("test_x", True), ("test_x[row]", True), ("management/test_read.py::test_x[row]", True),
    ("test_x[other]", False), ("test_", False),
])
def test_a_known_entry_names_a_check_by_function_row_or_path(entry, covered):
    known = Known(check=entry, requirement="R", reason="…")

    assert known.covers("management/test_read.py::test_x[row]") is covered
