"""The battery is started once for all tests that ask for a case, and tells its figures at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcrcheck import __version__
from tests.hostile.battery import Battery, Figures
from tests.hostile.case import TIMEOUT_S

BATTERY = pytest.StashKey[Battery]()
FIGURES = pytest.StashKey[list[Figures]]()


@pytest.fixture(scope="session")
def battery(request: pytest.FixtureRequest) -> Battery:
    """Every case that the selected tests ask for, at work in the background."""
    wanted = dict.fromkeys(item.callspec.params["case"].name for item in request.session.items
                           if hasattr(item, "callspec") and "case" in item.callspec.params)
    request.config.stash[FIGURES] = []
    request.config.stash[BATTERY] = Battery(wanted)
    return request.config.stash[BATTERY]


def pytest_terminal_summary(terminalreporter, config) -> None:
    told = config.stash.get(FIGURES, [])
    if not told:
        return
    terminalreporter.section("hostile targets")
    width = max(len(figures.name) for figures in told)
    for figures in told:
        terminalreporter.write_line(
            f"{figures.name:{width}}  {figures.stage:17}  {figures.seconds:5.1f} s  {figures.patience_s:5.2f} s  "
            f"{figures.peak_mb:4} MB  {figures.outcome}")
    terminalreporter.write_line(
        f"{len(told)} cases · longest exchange {max(f.patience_s for f in told):.2f} s (bound: twice the timeout of "
        f"{TIMEOUT_S:g} s) · longest run {max(f.seconds for f in told):.1f} s · peak {max(f.peak_mb for f in told)} MB")
    if (place := config.getoption("--hostile-table", None)) is not None:
        Path(place).write_text(table(told), "utf-8")
        terminalreporter.write_line(f"table: {place}")


def table(told: list[Figures]) -> str:
    """The figures as Markdown."""
    failed = [figures for figures in told if figures.complaint]
    lines = [
        "# Hostile targets", "",
        f"dcrcheck {__version__} against {len(told)} loopback servers that misbehave at one stage and are correct "
        "at all others (`pytest tests/hostile --hostile-table reports/hostile.md`; the cases are data, in "
        "`tests/hostile/cases/`). Each row is a run of `dcrcheck run` in a process of its own with a timeout of "
        f"{TIMEOUT_S:g} s. After each, the verdicts are those that the case demands, every report is valid and holds "
        "neither markup nor control characters of the server's, no secret stands in any output, nobody else was asked, "
        "and every client that is still at the server is listed.", "",
        f"Longest exchange: {max(f.patience_s for f in told):.2f} s (bound: twice the timeout). Highest memory of a "
        f"run: {max(f.peak_mb for f in told)} MB. Not as demanded: {len(failed)}.", "",
        "| case | stage | outcome | run, s | longest exchange, s | peak, MB |", "|---|---|---|--:|--:|--:|"]
    lines += [f"| {figures.name.replace('|', '')} | {figures.stage} | {_outcome(figures)} | {figures.seconds:.1f} | "
              f"{figures.patience_s:.2f} | {figures.peak_mb} |" for figures in told]
    return "\n".join(lines) + "\n"


def _outcome(figures: Figures) -> str:
    return f"**{figures.outcome}**" if figures.complaint else figures.outcome
