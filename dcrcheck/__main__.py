"""The command line: `dcrcheck run` judges a server from anywhere, the others list what there is."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

import dcrcheck
from dcrcheck.aftermath import DEFAULT, clean_up_after
from dcrcheck.catalogue import catalogue
from dcrcheck.defects import defects, suite_of
from dcrcheck.documents import ConfigurationError
from dcrcheck.house import SUITES
from dcrcheck.profile import load_profile, profile_names
from dcrcheck.transport import TIMEOUT_S

_RUN = """judge a Dynamic Client Registration endpoint and write the reports

  dcrcheck run                                              the embedded reference server
  dcrcheck run --issuer https://idp.example.com             a live server under policy rfc7591
  dcrcheck run --issuer … --profile mcp                     …under the rules for anonymous registration
  dcrcheck run --resource https://mcp.example.com/mcp       …found from a protected resource
  dcrcheck run --issuer … --plan                            what a run would send; nothing is sent but discovery
  dcrcheck run --defect NAME                                what a failure looks like

Every option of pytest works too (-k WORDS selects checks, -x stops at the first broken rule).
Secrets come from the environment: DCRCHECK_INITIAL_ACCESS_TOKEN (where the profile says that a client obtains such
tokens: DCRCHECK_REGISTRAR_ID and _SECRET), DCRCHECK_USERNAME and _PASSWORD, DCRCHECK_OTHER_USERNAME and _PASSWORD.
Exit codes: 0 nothing surprising, 1 a rule is broken, 4 the configuration is wrong, 6 something could not be judged.
The options:
"""
_CLEANUP = """delete the clients that interrupted runs left behind (RFC 7592), and name those that cannot be deleted

It reads the ledger of the runs and needs ledger.key beside it; it can be interrupted and done again.
Exit codes: 0 nothing is left, 4 no usable ledger, 6 something is left.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="dcrcheck", description=dcrcheck.__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"dcrcheck {dcrcheck.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands.add_parser("run", help="judge a server (dcrcheck run --help tells the options)", add_help=False)
    cleanup = commands.add_parser("cleanup", help="delete what interrupted runs left behind", description=_CLEANUP,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)
    cleanup.add_argument("ledger", metavar="LEDGER", nargs="?", type=Path, default=DEFAULT,
                         help="the ledger.sqlite of a run, or its report directory (default: %(default)s)")
    cleanup.add_argument("--timeout", metavar="SECONDS", type=float, default=TIMEOUT_S,
                         help="the longest that one exchange may take (default: %(default)g)")
    cleanup.add_argument("--insecure", action="store_true", help="do not verify the server's certificate")
    commands.add_parser("profiles", help="list the profiles and policies")
    commands.add_parser("defects", help="list the deliberate defects of the embedded server")
    commands.add_parser("requirements", help="list the catalogue")
    chosen, rest = parser.parse_known_args(words[:1])
    if chosen.command == "run":
        return _run(words[1:])
    if chosen.command == "cleanup":
        return _clean_up(parser.parse_args(words))
    if words[1:]:
        parser.error(f"unexpected: {' '.join(words[1:] or rest)}")
    try:
        {"profiles": _profiles, "defects": _defects, "requirements": _requirements}[chosen.command]()
    except ConfigurationError as error:
        print(f"dcrcheck: {error}", file=sys.stderr)
        return 4
    return 0


def _clean_up(options: argparse.Namespace) -> int:
    """0: nothing is left · 4: no usable ledger · 6: something is left for an administrator, or for another try."""
    try:
        left = clean_up_after(options.ledger, tell=lambda line: print(line, flush=True), timeout_s=options.timeout,
                              insecure=options.insecure)
    except ConfigurationError as error:
        print(f"dcrcheck: {error}", file=sys.stderr)
        return 4
    print(f"{left} clients may remain at their servers" if left else "nothing is left behind")
    return 6 if left else 0


def _run(words: list[str]) -> int:
    if {"-h", "--help"} & set(words):
        print(_RUN + _options())
        return 0
    house = ["--import-mode=importlib", "-p", "no:cacheprovider", "-p", "dcrcheck.plugin", "-c", "/dev/null",
             f"--rootdir={SUITES}", f"--confcutdir={SUITES}", "-o", "console_output_style=count",
             "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(pytest.main([*house, *words, str(SUITES)]))


def _options() -> str:
    """The help of our option group, as pytest has it."""
    from dcrcheck.plugin import pytest_addoption

    parser = pytest.Parser(_ispytest=True)
    pytest_addoption(parser)
    lines = []
    for option in parser.getgroup("dcrcheck").options:
        attrs = option.attrs()
        text = attrs["help"] % {"default": attrs.get("default")}
        lines.append(f"  {option.names()[0]} {attrs.get('metavar') or ''}\n        {text}")
    return "\n".join(lines)


def _profiles() -> None:
    for name in profile_names():
        profile = load_profile(name, catalogue())
        marks = [f"policy {profile.policy.name}", *(["registration closed"] if profile.is_closed else []),
                 *(["emulated"] if profile.emulated else [])]
        print(f"{name:24} {profile.title} ({', '.join(marks)})")


def _defects() -> None:
    for name, kind in defects().items():
        print(f"{suite_of(kind):20} {name:50} {(kind.__doc__ or '').strip().splitlines()[0]}")


def _requirements() -> None:
    for row in catalogue().values():
        print(f"{row.id:28} {row.level:12} {row.text}")


if __name__ == "__main__":
    sys.exit(main())
