"""What the suite's own tests share: the proof, and its figures at the end."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from dcrcheck.defects import defects
from dcrcheck.house import SUITES
from tests.proof import DEPTHS, SOME, Proof, policies

PROOF = pytest.StashKey[Proof]()
FIGURES = pytest.StashKey[dict[str, Any]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--hostile-table", metavar="FILE", help="write the figures of the hostile targets as Markdown")
    parser.addoption("--kills", metavar="N", type=int, default=5, help="kill runs so many times, at random "
                     "moments (default: %(default)s)")
    parser.addoption("--proof", choices=DEPTHS, default=SOME, help="hold each defect against the files of "
                     "the checks that it names and a twentieth of the others (some, the default), one row of every "
                     "check (checks), or every row (rows: ten times as long)")


def check_names() -> set[str]:
    """The functions that are checks, read off the suites."""
    return {node.name for path in SUITES.rglob("test_*.py") for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def pytest_collection_finish(session: pytest.Session) -> None:
    """The proof is at work while other tests are."""
    wanted = dict.fromkeys(item.callspec.params["variant"] for item in session.items
                           if hasattr(item, "callspec") and "variant" in item.callspec.params)
    if any(item.name == "test_the_headline_rows_are_all_judged" for item in session.items):
        wanted.update(dict.fromkeys(policies()))
    if wanted and not session.config.option.collectonly:
        session.config.stash[PROOF] = Proof(wanted, depth=session.config.option.proof)


def pytest_unconfigure(config: pytest.Config) -> None:
    if PROOF in config.stash:
        config.stash[PROOF].close()


@pytest.fixture(scope="session")
def proof(request: pytest.FixtureRequest) -> Proof:
    """Every variant of the embedded server that the selected tests ask for, at work in the background."""
    return request.config.stash[PROOF]


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the tests came to, for the end of the session: a group of figures under each heading."""
    return request.config.stash.setdefault(FIGURES, {})


def pytest_terminal_summary(terminalreporter, config) -> None:
    for heading, group in config.stash.get(FIGURES, {}).items():
        terminalreporter.section(heading)
        terminalreporter.write_line(" · ".join(f"{name.replace('_', ' ')}: {value}" for name, value in group.items()))
    if PROOF not in config.stash:
        return
    trips = {name.partition("[")[0] for kind in defects().values() for name in kind.trips}
    inexact = [report for report in terminalreporter.getreports("failed") if "test_a_defect_is_caught" in report.nodeid]
    terminalreporter.section("proof")
    terminalreporter.write_line(
        f"checks: {len(check_names())} · defects: {len(defects())} · checks without a defect: "
        f"{len(check_names() - trips)} · defects not caught exactly: {len(inexact)}")
