"""The end of a run: its results, its reports, and the last words on the terminal."""

from __future__ import annotations

import html
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from dcrcheck import reporting
from dcrcheck.plugin.keys import CHARGE, CHARGES, PLAN, REPORTS, RESULTS, TRIAL
from dcrcheck.reporting import page, terminal


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Generator[None, Any, Any]:
    config = session.config
    if PLAN in config.stash:
        session.exitstatus = pytest.ExitCode.OK
    elif TRIAL in config.stash and CHARGES in config.stash:
        trial = config.stash[TRIAL]
        charges = config.stash[CHARGES]
        results = trial.finish(charges, [item.stash[CHARGE] for item in session.items if CHARGE in item.stash])
        config.stash[RESULTS] = results
        directory = trial.settings.report_dir
        try:
            config.stash[REPORTS] = reporting.write(results, directory) if directory is not None else {}
        except OSError as error:
            raise pytest.UsageError(f"the reports cannot be written: {error}") from None
        if session.exitstatus != pytest.ExitCode.INTERRUPTED:
            trial.complete()
        if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            session.exitstatus = results.exit_code
    result = yield
    return result


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    if PLAN in config.stash:
        terminalreporter.section("plan", sep="=")
        for words in config.stash[PLAN].describe():
            terminalreporter.write_line(words)
    if RESULTS not in config.stash:
        return
    results, written = config.stash[RESULTS], config.stash[REPORTS]
    paths = dict(written)
    for name, option in (("report.html", "htmlpath"), ("junit.xml", "xmlpath")):
        if getattr(config.option, option, None):
            paths[name] = Path(getattr(config.option, option))
    terminalreporter.section("dcrcheck", sep="=")
    shown = {name: Path(os.path.relpath(path)) for name, path in paths.items()}
    for line in terminal.lines(results, shown, width=min(terminalreporter._tw.fullwidth, 120)):
        terminalreporter.write_line(line.text, **line.markup)
    trial = config.stash[TRIAL]
    if exitstatus == pytest.ExitCode.INTERRUPTED and trial.stage.embedded is None:
        terminalreporter.write_line(f"Interrupted: the same command with --resume {trial.run_id} goes on from here",
                                    yellow=True)


@pytest.hookimpl(optionalhook=True, trylast=True)
def pytest_metadata(metadata: dict[str, Any]) -> None:
    """The environment of whoever ran the suite is none of the report's business."""
    metadata.clear()


@pytest.hookimpl(optionalhook=True)
def pytest_html_report_title(report: Any) -> None:
    if TRIAL in report._config.stash:
        report.title = page.title(report._config.stash[TRIAL].target.issuer)


@pytest.hookimpl(optionalhook=True)
def pytest_html_results_table_row(report: pytest.TestReport, cells: list[str]) -> None:
    """pytest-html draws ids as they are, and those of some rows hold markup."""
    if getattr(report, "dcr_withheld", False):
        cells.clear()  # pytest-html then draws no row; what may be told of the finding stands in our part
    elif hasattr(report, "dcr_verdict") and len(cells) > 1:
        cells[1] = f'<td class="col-testId">{html.escape(report.nodeid)}</td>'


@pytest.hookimpl(optionalhook=True)
def pytest_html_results_table_html(report: pytest.TestReport, data: list[str]) -> None:
    """The evidence stands in our part already."""
    if hasattr(report, "dcr_verdict") and report.passed:
        data.clear()


@pytest.hookimpl(optionalhook=True)
def pytest_html_results_summary(prefix: list[str], session: pytest.Session) -> None:
    if RESULTS in session.config.stash:
        prefix.append(page.render(session.config.stash[RESULTS]))
