"""The options of a run, and the settings that they and the environment make."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from dcrcheck.budget import PATIENCE_S
from dcrcheck.documents import ConfigurationError
from dcrcheck.house import SUITES
from dcrcheck.settings import Settings
from dcrcheck.target import PERMISSIONS
from dcrcheck.transport import TIMEOUT_S
from dcrcheck.verdict import Severity


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("dcrcheck", "dcrcheck: judge a Dynamic Client Registration endpoint")
    group.addoption("--issuer", metavar="URL", help="the authorization server to judge (default: the embedded "
                    "reference server)")
    group.addoption("--resource", metavar="URL", help="start from a protected resource instead (RFC 9728)")
    group.addoption("--profile", metavar="NAME|FILE", help="the rules to judge by: a profile, a policy, or a TOML file "
                    "(default: rfc7591; for the embedded server: reference)")
    group.addoption("--policy", metavar="NAME[,NAME]", help="judge by this policy instead of the profile's; by further "
                    "ones too, from the same requests, side by side in the reports")
    group.addoption("--report-dir", metavar="DIR", default="reports/latest", help="where the reports go (default: "
                    "%(default)s)")
    group.addoption("--max-registrations", metavar="N", type=int, help="never send more registrations than this "
                    "(default: 500, on loopback 4000)")
    group.addoption("--max-exchanges", metavar="N", type=int, help="never send more requests than this (default: what "
                    "--plan shows)")
    group.addoption("--max-rate", metavar="N", type=float, help="send at most so many requests a second")
    group.addoption("--max-wait", metavar="SECONDS", type=float, default=PATIENCE_S, help="how long the run may wait "
                    "in all where the server's limits want it (default: %(default)g)")
    group.addoption("--plan", action="store_true", help="show what a run would send, suite by suite, and send nothing "
                    "but discovery")
    group.addoption("--authorized-by", metavar="WHO", default="", help="who permits the run: a name or a ticket, named "
                    "in the report; needed for every server that is not on this machine")
    group.addoption("--resume", metavar="RUN", help="go on with an interrupted run: what it found stands, and what it "
                    "registered for all checks is used again")
    group.addoption("--allow", metavar="KIND[,KIND]", help="what the owner permits beyond ordinary requests: "
                    f"{', '.join(PERMISSIONS)}, or none (default: none, on loopback all)")
    group.addoption("--fail-on", metavar="SEVERITY", default="low", choices=[s.value for s in Severity],
                    help="the least severity that turns the run red: critical, high, medium or low (default)")
    group.addoption("--defect", metavar="NAME", help="judge the embedded server with one deliberate defect")
    group.addoption("--note", metavar="TEXT", default="", help="a line for the reports, such as the server's version")
    group.addoption("--withhold", action="store_true", help="leave out of the reports how to repeat what is broken "
                    "(to publish reports on somebody else's software)")
    group.addoption("--timeout", metavar="SECONDS", type=float, default=TIMEOUT_S, help="the longest that one exchange "
                    "may take (default: %(default)g)")
    group.addoption("--insecure", action="store_true", help="do not verify the server's certificate (said in every "
                    "report)")
    group.addoption("--fuzz-examples", metavar="N", type=int, default=20, help="examples for each fuzzed property "
                    "(default: %(default)s)")
    group.addoption("--fuzz-seconds", metavar="N", type=float, default=0.0, help="go on fuzzing for so long in all, in "
                    "rounds that a later run with the same report directory goes on with; raise --max-registrations "
                    "for it")


def judges(config: pytest.Config) -> bool:
    """Whether this pytest run is one of the suites, not of something else in the same environment."""
    paths = [Path(str(config.invocation_params.dir), arg.partition("::")[0]).resolve() for arg in config.args]
    return bool(paths) and all(path == SUITES or SUITES in path.parents for path in paths)


def settings(config: pytest.Config) -> Settings:
    option = config.option
    allow = None if option.allow is None else frozenset(kind.strip() for kind in option.allow.split(",")) - {"none", ""}
    if allow is not None and (unknown := allow.difference(PERMISSIONS)):
        raise ConfigurationError(f"--allow {', '.join(sorted(unknown))}: there are {', '.join(PERMISSIONS)}")
    for name in ("max_registrations", "max_exchanges", "max_rate", "timeout"):
        number = getattr(option, name)
        if number is not None and not 0 < number < float("inf"):
            raise ConfigurationError(f"--{name.replace('_', '-')} {number:g}: a number above 0 is needed")
    directory = None if option.report_dir == "none" else Path(option.report_dir)
    if directory is None and (option.issuer or option.resource):
        raise ConfigurationError("--report-dir none leaves no ledger behind: only for the embedded server")
    return Settings.with_environment(
        issuer=option.issuer, resource=option.resource, profile=option.profile, report_dir=directory,
        max_registrations=option.max_registrations, allow=allow, fail_on=Severity(option.fail_on),
        defect=option.defect, command=command(config), withhold=option.withhold,
        note=option.note, timeout_s=option.timeout, insecure=option.insecure, max_exchanges=option.max_exchanges,
        max_rate=option.max_rate, max_wait_s=option.max_wait, plan=option.plan, authorized_by=option.authorized_by,
        resume=option.resume,
        policies=tuple(dict.fromkeys(filter(None, (name.strip() for name in (option.policy or "").split(","))))),
        fuzz_examples=option.fuzz_examples,
        fuzz_seconds=option.fuzz_seconds)


def command(config: pytest.Config) -> str:
    """The command line that repeats this run, from anywhere."""
    words = [arg for arg in config.invocation_params.args if not str(arg).startswith(str(SUITES))]
    ours = ("--import-mode=", "--rootdir=", "--confcutdir=", "no:cacheprovider", "dcrcheck.plugin", "/dev/null",
            "console_output_style", "ignore::pytest")
    kept = [str(word) for word in words if str(word) not in ("-c", "-o", "-p", "-W")
            and not any(mark in str(word) for mark in ours)]
    return shlex.join(["dcrcheck", "run", *kept])
