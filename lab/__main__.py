"""`python -m lab`: install, start and judge the real servers of the lab."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from lab import isolation, scoreboard
from lab.installation import install
from lab.recipe import LAB, LabError, Recipe, names, read
from lab.running import running

PUBLISHED = LAB.parent / "reports" / "lab"
_HELP = """commands:
  list                          the servers of the lab
  install NAME                  install a server into the cache
  run NAME [--publish] [...]    judge a server; further options go to pytest
  serve NAME                    start a server, to look at it by hand
"""


def main(arguments: list[str]) -> int:
    """Run the command line of the lab; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m lab", epilog=_HELP, description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("list", "install", "run", "serve"))
    parser.add_argument("name", nargs="?", help="a server of the lab")
    parser.add_argument("--publish", action="store_true", help="write the reports to reports/lab/NAME")
    chosen, rest = parser.parse_known_args(arguments)
    if chosen.command == "list":
        for name in names():
            recipe = read(name)
            print(f"{name:20} {recipe.title}, {recipe.package} {recipe.version} ({recipe.kind})")
        return 0
    if chosen.name is None:
        parser.error(f"{chosen.command} needs the name of a server (there are: {', '.join(names())})")
    recipe = read(chosen.name)
    if chosen.command == "install":
        install(recipe)
        return 0
    # a server stopped by a signal must still be taken down by the code below
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not isolation.isolated():
        install(recipe)
        if chosen.command == "run" and isolation.available():
            return isolation.enter(arguments)
    else:
        isolation.raise_loopback()
    return _serve(recipe) if chosen.command == "serve" else _run(recipe, rest, publish=chosen.publish)


def _run(recipe: Recipe, options: list[str], *, publish: bool) -> int:
    home = install(recipe)
    reports = PUBLISHED / recipe.name if publish else Path("reports") / "latest"
    if not isolation.isolated() and "--allow" not in " ".join(options):
        print(f"{recipe.name}: no network namespace here: probes that could make the server fetch something are left "
              "out", flush=True)
        options = ["--allow=burst,oversize", *options]
    with running(recipe, home) as server:
        command = [sys.executable, "-m", "dcrcheck", "run", "--issuer", server.issuer, "--profile", recipe.profile,
                   f"--report-dir={os.path.relpath(reports)}", f"--note={recipe.package} {recipe.version}",
                   *(["--withhold"] if publish else []), *options]
        print(f"{recipe.name}: {recipe.package} {recipe.version} answers at {server.issuer}", flush=True)
        environment = {**os.environ, **recipe.login}
        code = subprocess.run(command, env=environment, check=False).returncode
    if publish:
        for path in reports.iterdir():
            if path.name not in ("report.html", "results.json", "summary.md"):
                path.unlink()
        scoreboard.write(PUBLISHED)
    return code


def _serve(recipe: Recipe) -> int:
    with running(recipe, install(recipe)) as server:
        login = " ".join(f"{name}={value}" for name, value in recipe.login.items())
        print(f"{recipe.title} answers at {server.issuer} (log: {server.log}); Ctrl-C stops it\n"
              f"judge it: {login} dcrcheck run --issuer {server.issuer} --profile {recipe.profile}", flush=True)
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
