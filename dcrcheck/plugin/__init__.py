"""The pytest side: options, collection, outcomes, reports. The only package that knows pytest."""

from __future__ import annotations

import contextlib
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

import dcrcheck
from dcrcheck.catalogue import catalogue
from dcrcheck.charge import charge_of
from dcrcheck.discretion import Discretion
from dcrcheck.documents import ConfigurationError
from dcrcheck.evidence import Recorder
from dcrcheck.house import ROOT, SUITES
from dcrcheck.plugin.closing import (
    pytest_html_report_title,
    pytest_html_results_summary,
    pytest_html_results_table_html,
    pytest_html_results_table_row,
    pytest_metadata,
    pytest_sessionfinish,
    pytest_terminal_summary,
)
from dcrcheck.plugin.fixtures import endpoint, policy, profile, session, target
from dcrcheck.plugin.judging import pytest_pyfunc_call, pytest_report_teststatus, pytest_runtest_makereport
from dcrcheck.plugin.keys import CHARGE, CHARGES, DISCRETION, PLAN, RESULTS, SIGTERM, TRIAL
from dcrcheck.plugin.options import judges, pytest_addoption, settings
from dcrcheck.reporting.text import one_line, visible
from dcrcheck.target import Target
from dcrcheck.trial import INSECURE, Trial

# what others depend on first, what strains the server last
_ORDER = ("discovery", "registration", "grants", "redirect_uris", "credentials", "management", "authorization",
          "tokens", "openid", "software_statements", "client_documents", "impersonation", "robustness", "fuzz",
          "outbound", "clients", "abuse")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "dcrcheck: a check of the conformance suites")
    if config.inipath is None and config.invocation_params.dir == ROOT:
        # before it knows our options, pytest takes the value of one that happens to be a path for what to test
        raise pytest.UsageError('pytest took the value of an option for a path: join the two by "=", as in '
                                "--report-dir=DIR")
    if not judges(config) or config.option.collectonly or config.option.help:
        return
    if getattr(config.option, "numprocesses", None) or hasattr(config, "workerinput"):
        raise pytest.UsageError("the checks of a run share the limits of one server: leave out -n")
    hypothesis_settings.register_profile(
        "dcrcheck", derandomize=True, database=None, deadline=None, report_multiple_bugs=False, print_blob=False,
        max_examples=config.option.fuzz_examples, suppress_health_check=list(HealthCheck))
    hypothesis_settings.load_profile("dcrcheck")
    discretion = _hold_back(config)
    try:
        config.stash[TRIAL] = Trial(settings(config), Recorder(discretion.redactor))
    except ConfigurationError as error:
        raise pytest.UsageError(discretion.redactor.scrub(str(error))) from None
    config.stash[TRIAL].tell = lambda line: _tell(config, line)
    if threading.current_thread() is threading.main_thread():
        # as Ctrl-C: the run cleans up at the server and writes its reports
        config.stash[SIGTERM] = signal.signal(signal.SIGTERM, signal.default_int_handler)
    _quieten(config)


def _tell(config: pytest.Config, line: str) -> None:
    """Say a line while the checks are at work."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    capture = config.pluginmanager.getplugin("capturemanager")
    if reporter is not None:
        # what is written while a check is at work would be captured as the check's own
        with contextlib.nullcontext() if capture is None else capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(f"dcrcheck: {visible(line)}")


def _hold_back(config: pytest.Config) -> Discretion:
    """Let no secret of the run be printed: not even by what pytest set aside when it began to capture."""
    discretion = config.stash[DISCRETION] = Discretion()
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.stop_global_capturing()
    discretion.begin()
    if capture is not None:
        capture.start_global_capturing()
        capture.suspend_global_capture()
    config.pluginmanager.register(_InternalErrors(discretion))
    return discretion


class _InternalErrors:
    """A traceback of pytest's own goes to the JUnit file as well, with the values of all variables if asked for."""

    def __init__(self, discretion: Discretion) -> None:
        self.redactor = discretion.redactor

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self, excrepr: Any) -> None:
        text = self.redactor.scrub(str(excrepr))
        excrepr.toterminal = lambda writer: writer.write(text)


def _quieten(config: pytest.Config) -> None:
    """Let our own summary speak instead of pytest's tracebacks, unless they were asked for."""
    option = config.option
    if option.tbstyle == "auto":
        option.tbstyle = "no"
    if option.reportchars == "fE":
        option.reportchars = "N"
    directory = config.stash[TRIAL].settings.report_dir
    if directory is not None and not option.plan:
        if config.pluginmanager.hasplugin("junitxml"):
            option.xmlpath = option.xmlpath or str(directory / "junit.xml")
        if config.pluginmanager.hasplugin("html"):
            option.htmlpath = option.htmlpath or str(directory / "report.html")
            option.self_contained_html = True


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if TRIAL in config.stash:
        config.stash[TRIAL].close()
        if SIGTERM in config.stash:
            signal.signal(signal.SIGTERM, config.stash[SIGTERM])
    if DISCRETION in config.stash:
        if (capture := config.pluginmanager.getplugin("capturemanager")) is not None:
            capture.stop_global_capturing()
        config.stash[DISCRETION].end()


def pytest_report_header(config: pytest.Config) -> list[str]:
    if TRIAL not in config.stash:
        return []
    trial = config.stash[TRIAL]
    target, profile = trial.target, trial.profile
    if trial.emulated:
        what = (f"the embedded server at {target.issuer} under the personality of {profile.title}, from its documents "
                "(emulated: not the product itself)")
    else:
        what = f"the embedded reference server at {target.issuer}" if trial.stage.embedded else target.issuer
    with_defect = f", with the defect {trial.settings.defect}" if trial.settings.defect else ""
    lines = [f"dcrcheck {dcrcheck.__version__}: judging {what}{with_defect}",
             *([f"NOT VERIFIED: {INSECURE}"] if trial.settings.insecure else []),
             f"profile: {profile.title} · policy: {profile.policy.name} · {_where(target)}"
             f" · at most {trial.bounds().registrations} registrations · permitted beyond ordinary requests: "
             f"{', '.join(sorted(target.permissions)) or 'nothing'}"]
    return [one_line(line) for line in lines]


def _where(target: Target) -> str:
    return "registration is closed" if target.profile.is_closed else f"registers at {target.registration_endpoint}"


# -- collection -----------------------------------------------------------------------------------------------------


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    checks = [item for item in items if isinstance(item, pytest.Function) and SUITES in item.path.parents]
    try:
        for item in checks:
            relative = item.path.relative_to(SUITES).as_posix()
            item.stash[CHARGE] = charge_of(item.function, check_id=f"{relative}::{item.name}",
                                            suite=item.path.parent.name, book=catalogue())
        charges = [item.stash[CHARGE] for item in checks]
        config.stash[CHARGES] = charges
        whole = len(config.args) == 1 and Path(config.args[0]).resolve() == SUITES
        if TRIAL in config.stash and whole:
            config.stash[TRIAL].vouch(charges)
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from None
    if len(checks) == len(items):
        items.sort(key=lambda item: _place(item.stash[CHARGE].suite))
        if TRIAL in config.stash:
            _prepare(config, items)


def _prepare(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the checks in their order; where only the plan is wanted, run none."""
    trial, charges = config.stash[TRIAL], [item.stash[CHARGE] for item in items]
    if trial.settings.plan:
        config.stash[PLAN] = trial.plan(charges)
        items.clear()
        return
    place = {charge.check: number for number, charge in enumerate(trial.prepare(charges))}
    items.sort(key=lambda item: place[item.stash[CHARGE].check])


def _place(suite: str) -> int:
    return _ORDER.index(suite) if suite in _ORDER else len(_ORDER)

__all__ = [
    "RESULTS", "ROOT", "TRIAL", "endpoint", "policy", "profile", "pytest_addoption", "pytest_html_report_title",
    "pytest_html_results_summary", "pytest_html_results_table_html", "pytest_html_results_table_row",
    "pytest_metadata", "pytest_pyfunc_call", "pytest_report_teststatus", "pytest_runtest_makereport",
    "pytest_sessionfinish", "pytest_terminal_summary", "session", "target",
]
