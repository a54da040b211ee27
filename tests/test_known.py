"""Listed deviations: each stays a FAIL, surprises no one, and is told when it no longer happens."""

from dataclasses import replace
from datetime import date

import pytest

from dcrcheck.catalogue import catalogue
from dcrcheck.charge import Charge
from dcrcheck.documents import ConfigurationError
from dcrcheck.profile import load_profile
from dcrcheck.settings import Settings
from dcrcheck.trial import Trial
from dcrcheck.verdict import Known, Outcome

ENTRY = Known(check="test_some_rule", requirement="RFC7591-5-05", reason="left for now")


def results(entry: Known, **outcomes: Outcome):
    """The findings of a run in which the rows of one check ended so, under a profile with one entry."""
    trial = Trial(Settings(report_dir=None))
    trial.stage.target = replace(trial.target, profile=replace(trial.profile, known=(entry,)))
    charges = {row: Charge(check=f"redirect_uris/test_a.py::test_some_rule[{row}]", suite="redirect_uris", claim="A.",
                           requirements=(catalogue()["RFC7591-5-05"],)) for row in outcomes}
    for row, outcome in outcomes.items():
        trial.conclude(charges[row], outcome, message="came")
    return {finding.check.partition("[")[2][:-1]: (finding.verdict.value, finding.surprise)
            for finding in trial.finish(list(charges.values())).findings}


def test_an_entry_without_rows_is_stale_in_each_row_that_passes():
    assert results(ENTRY, a=Outcome.BROKEN, b=Outcome.KEPT) == {"a": ("FAIL", False), "b": ("PASS", True)}


def test_an_entry_speaks_of_its_rows_alone():
    entry = replace(ENTRY, check="test_some_rule[a]")

    assert results(entry, a=Outcome.BROKEN, b=Outcome.BROKEN) == {"a": ("FAIL", False), "b": ("FAIL", True)}


def test_an_entry_of_some_rows_is_stale_when_none_fails():
    entry = replace(ENTRY, some=True)

    assert results(entry, a=Outcome.BROKEN, b=Outcome.KEPT) == {"a": ("FAIL", False), "b": ("PASS", False)}
    assert results(entry, a=Outcome.KEPT, b=Outcome.KEPT) == {"a": ("PASS", False), "b": ("PASS", True)}
    assert results(entry, a=Outcome.INAPPLICABLE, b=Outcome.INCONCLUSIVE) == {
        "a": ("INAPPLICABLE", False), "b": ("INCONCLUSIVE", False)}


def test_an_entry_of_a_profile_names_its_rows(tmp_path):
    text = ('title = "Mine"\npolicy = "rfc7591"\n[[known]]\ncheck = "test_x"\nrequirement = "RFC7591-5-05"\n'
            'reason = "later"\nseen = 2026-01-02\n')
    path = tmp_path / "mine.toml"

    def known(more: str) -> tuple[Known, ...]:
        path.write_text(text + more)
        return load_profile(str(path), catalogue()).known

    assert [entry.check for entry in known('rows = ["a", "b"]\n')] == ["test_x[a]", "test_x[b]"]
    assert [(entry.check, entry.some, entry.seen) for entry in known('rows = "some"\n')] == [
        ("test_x", True, date(2026, 1, 2))]
    with pytest.raises(ConfigurationError, match="expires must be a TOML date"):
        known('expires = "soon"\n')
