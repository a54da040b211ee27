"""A check admitted, run and concluded, and what pytest is told of it."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from dcrcheck.plugin.keys import CHARGE, TRIAL
from dcrcheck.trial import Trial
from dcrcheck.verdict import Finding, Inapplicable, Inconclusive, Outcome, Verdict

_OUTCOMES: dict[type[BaseException], Outcome] = {
    AssertionError: Outcome.BROKEN, Inapplicable: Outcome.INAPPLICABLE, Inconclusive: Outcome.INCONCLUSIVE}
_SHORT = {Verdict.PASS: ".", Verdict.FAIL: "F", Verdict.WARN: "w", Verdict.INAPPLICABLE: "-",
          Verdict.INCONCLUSIVE: "?", Verdict.ERROR: "E"}


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Admit the check here and not in its set-up, so that every finding belongs to the call phase.

    One that an interrupted run has judged already is not run again.
    """
    if CHARGE not in pyfuncitem.stash or TRIAL not in pyfuncitem.config.stash:
        return None
    trial, charge = pyfuncitem.config.stash[TRIAL], pyfuncitem.stash[CHARGE]
    if charge.check in trial.earlier:
        return True
    trial.admit(charge)
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[
        None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if CHARGE not in item.stash or TRIAL not in item.config.stash:
        return report
    trial = item.config.stash[TRIAL]
    if call.when == "call" or call.excinfo is not None:
        finding = _conclude(trial, item, call)
        _rewrite(report, finding)
        report.dcr_withheld = trial.settings.withhold  # type: ignore[attr-defined]
        item.user_properties += [("verdict", finding.verdict.value), ("severity", finding.severity.value),
                                 ("requirements", " ".join(c.id for c in finding.requirements))]
        report.user_properties = list(item.user_properties)
    report.sections = [(name, trial.recorder.redactor.scrub(text)) for name, text in report.sections]
    return report


def _conclude(trial: Trial, item: pytest.Item, call: pytest.CallInfo[None]) -> Finding:
    charge = item.stash[CHARGE]
    if charge.check in trial.earlier:
        return trial.repeat(charge)
    if call.excinfo is None:
        return trial.conclude(charge, Outcome.KEPT, duration_s=call.duration)
    error = call.excinfo.value
    outcome = next((o for kind, o in _OUTCOMES.items() if isinstance(error, kind)), Outcome.CRASHED)
    if call.when != "call" and outcome is Outcome.BROKEN:
        outcome = Outcome.CRASHED
    detail = ""
    if outcome in (Outcome.BROKEN, Outcome.CRASHED):
        call.excinfo.traceback = call.excinfo.traceback.cut(path=item.path)
        detail = str(call.excinfo.getrepr(style="short", showlocals=item.config.option.showlocals, truncate_args=True))
    return trial.conclude(charge, outcome, message=_message(error, outcome), detail=detail, duration_s=call.duration)


def _message(error: BaseException, outcome: Outcome) -> str:
    """What came: the assertion's own words, or what pytest made of it; of a fuzzed check also the smallest example."""
    words = str(error).strip() or type(error).__name__
    if outcome is Outcome.BROKEN:
        said = words.partition("\nassert ")[0].strip()
        notes = "\n".join(str(note) for note in getattr(error, "__notes__", ()))
        return f"{said}\n{notes}".strip()
    return f"{type(error).__name__}: {words}" if outcome is Outcome.CRASHED else words


def _rewrite(report: pytest.TestReport, finding: Finding) -> None:
    """Tell pytest in its own three words what we found."""
    report.dcr_verdict = finding.verdict  # type: ignore[attr-defined]
    words = f"{finding.verdict.value}: {finding.observed or finding.why}"
    if finding.detail and finding.verdict in (Verdict.FAIL, Verdict.ERROR, Verdict.WARN):
        words = f"{words}\n\n{finding.detail}"
    if finding.surprise:
        report.outcome, report.longrepr = "failed", words
    elif finding.verdict is Verdict.PASS:
        report.outcome, report.longrepr = "passed", None
    elif finding.verdict in (Verdict.FAIL, Verdict.WARN):
        report.outcome, report.longrepr = "skipped", words
        report.wasxfail = finding.known.reason if finding.known else finding.verdict.value
    else:
        report.outcome, report.longrepr = "skipped", (finding.check, 0, words)


def pytest_report_teststatus(report: pytest.TestReport, config: pytest.Config) -> tuple[str, str, str] | None:
    verdict = getattr(report, "dcr_verdict", None)
    if verdict is None:
        return None
    category = {"passed": "passed", "failed": "failed"}.get(
        report.outcome, "xfailed" if hasattr(report, "wasxfail") else "skipped")
    return category, _SHORT[verdict], str(verdict.value)
