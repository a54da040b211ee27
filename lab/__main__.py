"""`python -m lab`: install, start and judge the real servers of the lab."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from lab import advisories, everything, isolation, judging, scoreboard
from lab.installation import install
from lab.recipe import KINDS, Configuration, LabError, configurations, find
from lab.running import running

_HELP = """commands:
  list                           the servers of the lab, and the products that are emulated
  install NAME [--version V]     install a server into the cache
  run NAME [--version V] [...]   judge a server; further options go to pytest
  run --all [...]                judge all of them, some at a time, and say how each ended
  serve NAME [--version V]       start a server, to look at it by hand
  cves [ID ...]                  judge vulnerable and fixed releases of published advisories

With --publish, run and cves write to reports/lab/. A server whose tools are missing here is skipped by --all.
Exit codes: those of dcrcheck (0 nothing surprising, 1 broken, 6 incomplete), 4 a server could not be run.
"""


def main(arguments: list[str]) -> int:
    """Run the command line of the lab; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m lab", epilog=_HELP, description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("list", "install", "run", "serve", "cves"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="a server of the lab (cves: an advisory)")
    parser.add_argument("--all", action="store_true", help="run: every server that can run here")
    parser.add_argument("--version", default="", help="another release than the pinned one")
    parser.add_argument("--port", type=int, default=0, help="the port to start it at (default: a free one)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="--all: how many at a time (%(default)s)")
    parser.add_argument("--kinds", default=",".join((*KINDS, "emulated")), help="--all: where from (%(default)s)")
    parser.add_argument("--minutes", type=float, default=0.0, help="--all: stop then, and say what was left out")
    parser.add_argument("--publish", action="store_true", help="keep the reports in reports/lab/")
    chosen, rest = parser.parse_known_args(arguments)
    # a server stopped by a signal must still be taken down
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if chosen.command == "list":
        return _list()
    if chosen.command == "cves":
        return advisories.run(chosen.names, publish=chosen.publish)
    if chosen.command == "run" and chosen.all:
        return everything.run(rest, kinds=chosen.kinds.split(","), jobs=chosen.jobs, minutes=chosen.minutes,
                              publish=chosen.publish)
    names = chosen.names[:1]
    options = [*chosen.names[1:], *rest]
    if not names or (chosen.command != "run" and options):
        parser.error(f"{chosen.command} needs the name of one server (python -m lab list)")
    if names[0] in judging.emulated():
        if chosen.command != "run":
            parser.error(f"{names[0]} is emulated: there is nothing to {chosen.command}")
        return _emulated(names[0], options, publish=chosen.publish)
    configuration = find(names[0])
    if chosen.command == "install":
        install(configuration.recipe, chosen.version)
        return 0
    if chosen.command == "serve":
        return _serve(configuration, version=chosen.version, port=chosen.port)
    if isolation.isolated():
        isolation.raise_loopback()
    elif isolation.available():
        install(configuration.recipe, chosen.version)
        return isolation.enter(arguments)
    reports = scoreboard.PUBLISHED / configuration.name if chosen.publish else judging.LATEST
    package = f"{configuration.recipe.package} {chosen.version or configuration.recipe.version}"
    judgement = judging.judge(configuration, options, version=chosen.version, port=chosen.port, reports=reports,
                              publish=chosen.publish)
    return _end(configuration.name, judgement, package, publish=chosen.publish,
                compare=_whole(options) and not chosen.version)


def _emulated(name: str, options: list[str], *, publish: bool) -> int:
    reports = scoreboard.PUBLISHED / name if publish else judging.LATEST
    judgement = judging.judge_emulated(name, options, reports=reports, publish=publish)
    return _end(name, judgement, "", publish=publish, compare=_whole(options))


def _whole(options: list[str]) -> bool:
    """Whether nothing but the place of the reports was asked for, so that the run can be compared to others."""
    return all(option.startswith("--report-dir=") for option in options)


def _end(name: str, judgement: judging.Judgement, package: str, *, publish: bool, compare: bool) -> int:
    differences = scoreboard.differences(name, judgement) if compare else None
    if differences is not None:
        print(f"{name}: " + (f"{len(differences)} verdicts differ from the published ones: {'; '.join(differences)}"
                             if differences else "verdicts as published"), flush=True)
    if publish:
        scoreboard.enter(name, judgement, package)
    return judgement.code


def _list() -> int:
    for name, configuration in configurations().items():
        if not configuration.only_for_advisories:
            recipe = configuration.recipe
            print(f"{name:30} {recipe.title}, {recipe.package} {recipe.version} ({recipe.kind})")
    for name, title in judging.emulated().items():
        print(f"{name:30} {title} (emulated)")
    return 0


def _serve(configuration: Configuration, *, version: str, port: int) -> int:
    with running(configuration, install(configuration.recipe, version), port=port) as server:
        login = " ".join(f"{name}={value}" for name, value in server.login.items())
        print(f"{configuration.recipe.title} answers at {server.issuer} (log: {server.log}); Ctrl-C stops it\n"
              f"judge it: {login} dcrcheck run --issuer {server.issuer} --profile {configuration.name}\n"
              "it has this machine's network, so that a browser reaches it: what is registered here, it may fetch",
              flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as problem:
        print(f"lab: {problem}", file=sys.stderr)
        sys.exit(4)
    except KeyboardInterrupt:
        sys.exit(130)
