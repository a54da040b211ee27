"""The pytest side: options, collection, outcomes, reports. The only module that knows pytest."""

from __future__ import annotations

import html
import os
import shlex
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

import dcrcheck
from dcrcheck import reporting
from dcrcheck.catalogue import catalogue
from dcrcheck.documents import ConfigurationError
from dcrcheck.endpoint import Endpoint
from dcrcheck.house import ROOT, SUITES
from dcrcheck.profile import Policy, Profile
from dcrcheck.reporting import page, terminal
from dcrcheck.results import Results
from dcrcheck.session import Session
from dcrcheck.target import PERMISSIONS, Target
from dcrcheck.trial import Charge, Inapplicable, Inconclusive, Settings, Trial, charge_of
from dcrcheck.verdict import Finding, Outcome, Severity, Verdict

TRIAL = pytest.StashKey[Trial]()
RESULTS = pytest.StashKey[Results]()
_CHARGE = pytest.StashKey[Charge]()
_CHARGES = pytest.StashKey[list[Charge]]()
_REPORTS = pytest.StashKey[dict[str, Path]]()
_OUTCOMES: dict[type[BaseException], Outcome] = {
    AssertionError: Outcome.BROKEN, Inapplicable: Outcome.INAPPLICABLE, Inconclusive: Outcome.INCONCLUSIVE}
_SHORT = {Verdict.PASS: ".", Verdict.FAIL: "F", Verdict.WARN: "w", Verdict.INAPPLICABLE: "-",
          Verdict.INCONCLUSIVE: "?", Verdict.ERROR: "E"}
# what others depend on first, what strains the server last
_ORDER = ("discovery", "registration", "grants", "redirect_uris", "credentials", "management", "authorization",
          "tokens", "software_statements", "impersonation", "robustness", "fuzz", "outbound", "clients", "abuse")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("dcrcheck", "dcrcheck: judge a Dynamic Client Registration endpoint")
    group.addoption("--issuer", metavar="URL", help="the authorization server to judge (default: the embedded "
                    "reference server)")
    group.addoption("--resource", metavar="URL", help="start from a protected resource instead (RFC 9728)")
    group.addoption("--profile", metavar="NAME|FILE", help="the rules to judge by: a profile, a policy, or a TOML file "
                    "(default: rfc7591; for the embedded server: reference)")
    group.addoption("--report-dir", metavar="DIR", default="reports/latest", help="where the reports go (default: "
                    "%(default)s)")
    group.addoption("--max-registrations", metavar="N", type=int, help="never send more registrations than this "
                    "(default: 500, on loopback 2000)")
    group.addoption("--allow", metavar="KIND[,KIND]", help="what the owner permits beyond ordinary requests: "
                    f"{', '.join(PERMISSIONS)}, or none (default: none, on loopback all)")
    group.addoption("--fail-on", metavar="SEVERITY", default="low", choices=[s.value for s in Severity],
                    help="the least severity that turns the run red: critical, high, medium or low (default)")
    group.addoption("--defect", metavar="NAME", help="judge the embedded server with one deliberate defect")
    group.addoption("--note", metavar="TEXT", default="", help="a line for the reports, such as the server's version")
    group.addoption("--withhold", action="store_true", help="leave out of the reports how to repeat what is broken "
                    "(to publish reports on somebody else's software)")
    group.addoption("--fuzz-examples", metavar="N", type=int, default=20, help="examples for each fuzzed property "
                    "(default: %(default)s)")


# -- set-up ---------------------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "dcrcheck: a check of the conformance suites")
    if config.inipath is None and config.invocation_params.dir == ROOT:
        # before it knows our options, pytest takes the value of one that happens to be a path for what to test
        raise pytest.UsageError('pytest took the value of an option for a path: join the two by "=", as in '
                                "--report-dir=DIR")
    if not _judges(config) or config.option.collectonly or config.option.help:
        return
    hypothesis_settings.register_profile(
        "dcrcheck", derandomize=True, database=None, deadline=None, report_multiple_bugs=False, print_blob=False,
        max_examples=config.option.fuzz_examples, suppress_health_check=list(HealthCheck))
    hypothesis_settings.load_profile("dcrcheck")
    try:
        config.stash[TRIAL] = Trial(_settings(config))
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from None
    _quieten(config)


def _judges(config: pytest.Config) -> bool:
    """Whether this pytest run is one of the suites, not of something else in the same environment."""
    paths = [Path(str(config.invocation_params.dir), arg.partition("::")[0]).resolve() for arg in config.args]
    return bool(paths) and all(path == SUITES or SUITES in path.parents for path in paths)


def _settings(config: pytest.Config) -> Settings:
    option = config.option
    allow = None if option.allow is None else frozenset(kind.strip() for kind in option.allow.split(",")) - {"none", ""}
    if allow is not None and (unknown := allow.difference(PERMISSIONS)):
        raise ConfigurationError(f"--allow {', '.join(sorted(unknown))}: there are {', '.join(PERMISSIONS)}")
    directory = None if option.report_dir == "none" else Path(option.report_dir)
    if directory is None and (option.issuer or option.resource):
        raise ConfigurationError("--report-dir none leaves no ledger behind: only for the embedded server")
    return Settings.with_environment(
        issuer=option.issuer, resource=option.resource, profile=option.profile, report_dir=directory,
        max_registrations=option.max_registrations, allow=allow, fail_on=Severity(option.fail_on),
        defect=option.defect, command=_command(config), withhold=option.withhold,
        note=option.note)


def _command(config: pytest.Config) -> str:
    """The command line that repeats this run, from anywhere."""
    words = [arg for arg in config.invocation_params.args if not str(arg).startswith(str(SUITES))]
    ours = ("--import-mode=", "--rootdir=", "--confcutdir=", "no:cacheprovider", "dcrcheck.plugin", "/dev/null",
            "console_output_style", "ignore::pytest")
    kept = [str(word) for word in words if str(word) not in ("-c", "-o", "-p", "-W")
            and not any(mark in str(word) for mark in ours)]
    return shlex.join(["dcrcheck", "run", *kept])


def _quieten(config: pytest.Config) -> None:
    """Let our own summary speak instead of pytest's tracebacks, unless they were asked for."""
    option = config.option
    if option.tbstyle == "auto":
        option.tbstyle = "no"
    if option.reportchars == "fE":
        option.reportchars = "N"
    directory = config.stash[TRIAL].settings.report_dir
    if directory is not None:
        option.xmlpath = option.xmlpath or str(directory / "junit.xml")
        if config.pluginmanager.hasplugin("html"):
            option.htmlpath = option.htmlpath or str(directory / "report.html")
            option.self_contained_html = True


def pytest_unconfigure(config: pytest.Config) -> None:
    if TRIAL in config.stash:
        config.stash[TRIAL].abort()


def pytest_report_header(config: pytest.Config) -> list[str]:
    if TRIAL not in config.stash:
        return []
    trial = config.stash[TRIAL]
    target, profile = trial.target, trial.profile
    if trial.emulated:
        what = (f"the embedded server at {target.issuer} under the personality of {profile.title}, from its documents "
                "(emulated: not the product itself)")
    else:
        what = f"the embedded reference server at {target.issuer}" if trial.settings.issuer is None and (
            trial.settings.resource is None and not profile.issuer) else target.issuer
    with_defect = f", with the defect {trial.settings.defect}" if trial.settings.defect else ""
    return [f"dcrcheck {dcrcheck.__version__}: judging {what}{with_defect}",
            f"profile: {profile.title} · policy: {profile.policy.name} · {_where(target)}"
            f" · at most {trial.endpoint.max_registrations} registrations · permitted beyond ordinary requests: "
            f"{', '.join(sorted(target.permissions)) or 'nothing'}"]


def _where(target: Target) -> str:
    return "registration is closed" if target.profile.is_closed else f"registers at {target.registration_endpoint}"


# -- collection -----------------------------------------------------------------------------------------------------


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    checks = [item for item in items if isinstance(item, pytest.Function) and SUITES in item.path.parents]
    try:
        for item in checks:
            relative = item.path.relative_to(SUITES).as_posix()
            item.stash[_CHARGE] = charge_of(item.function, check_id=f"{relative}::{item.name}",
                                            suite=item.path.parent.name, book=catalogue())
        charges = [item.stash[_CHARGE] for item in checks]
        config.stash[_CHARGES] = charges
        whole = len(config.args) == 1 and Path(config.args[0]).resolve() == SUITES
        if TRIAL in config.stash and whole:
            config.stash[TRIAL].vouch(charges)
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from None
    if len(checks) == len(items):
        items.sort(key=lambda item: _place(item.stash[_CHARGE].suite))


def _place(suite: str) -> int:
    return _ORDER.index(suite) if suite in _ORDER else len(_ORDER)


# -- fixtures -------------------------------------------------------------------------------------------------------


def _trial(request: pytest.FixtureRequest) -> Trial:
    if TRIAL not in request.config.stash:
        raise pytest.UsageError("this fixture belongs to the checks in suites/")
    return request.config.stash[TRIAL]


@pytest.fixture
def endpoint(request: pytest.FixtureRequest) -> Endpoint:
    """The registration endpoint of the target, and the endpoints where a registration takes effect."""
    return _trial(request).endpoint


@pytest.fixture
def session(request: pytest.FixtureRequest) -> Session | None:
    """The browser of the test user; None where no user is known (never in a check that needs ``session``)."""
    try:
        return _trial(request).session
    except Inconclusive:
        return None


@pytest.fixture
def target(request: pytest.FixtureRequest) -> Target:
    """The server under judgment, as discovered."""
    return _trial(request).target


@pytest.fixture
def policy(request: pytest.FixtureRequest) -> Policy:
    """The rules in force."""
    return _trial(request).profile.policy


@pytest.fixture
def profile(request: pytest.FixtureRequest) -> Profile:
    """What is known of the product."""
    return _trial(request).profile


# -- judging --------------------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Admit the check here and not in its set-up, so that every finding belongs to the call phase."""
    if _CHARGE in pyfuncitem.stash and TRIAL in pyfuncitem.config.stash:
        pyfuncitem.config.stash[TRIAL].admit(pyfuncitem.stash[_CHARGE])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[
        None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if _CHARGE not in item.stash or TRIAL not in item.config.stash:
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
    charge = item.stash[_CHARGE]
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


# -- reports --------------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Generator[None, Any, Any]:
    config = session.config
    if TRIAL in config.stash and _CHARGES in config.stash:
        trial = config.stash[TRIAL]
        charges = config.stash[_CHARGES]
        results = trial.finish(charges)
        config.stash[RESULTS] = results
        directory = trial.settings.report_dir
        try:
            config.stash[_REPORTS] = reporting.write(results, directory) if directory is not None else {}
        except OSError as error:
            raise pytest.UsageError(f"the reports cannot be written: {error}") from None
        if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            session.exitstatus = results.exit_code
    result = yield
    return result


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if RESULTS not in config.stash:
        return
    results, written = config.stash[RESULTS], config.stash[_REPORTS]
    paths = dict(written)
    for name, option in (("report.html", "htmlpath"), ("junit.xml", "xmlpath")):
        if getattr(config.option, option, None):
            paths[name] = Path(getattr(config.option, option))
    terminalreporter.section("dcrcheck", sep="=")
    shown = {name: Path(os.path.relpath(path)) for name, path in paths.items()}
    for line in terminal.lines(results, shown, width=min(terminalreporter._tw.fullwidth, 120)):
        terminalreporter.write_line(line.text, **line.markup)


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


__all__ = ["RESULTS", "ROOT", "TRIAL"]
