"""Imports point one way, and every module keeps to its noun."""

import ast
from pathlib import Path

import pytest

from dcrcheck.house import ROOT, SUITES

PACKAGE = ROOT / "dcrcheck"
PLUGIN = PACKAGE / "plugin"
MODULES = sorted(PACKAGE.rglob("*.py"))
SUITE_FILES = sorted(SUITES.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The dotted names that a file imports, `from a import b` as ``a.b``; typing-only imports count too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def within(names: set[str], *packages: str) -> set[str]:
    return {name for name in names if any(name == p or name.startswith(f"{p}.") for p in packages)}


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_only_the_transport_knows_httpx(path: Path):
    found = within(imported(path), "httpx")

    assert not found or path.name == "transport.py"


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_only_the_transport_and_the_wire_know_httpcore(path: Path):
    found = within(imported(path), "httpcore", "http.client")

    assert not found or path.name in ("transport.py", "wire.py")


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_only_the_plugin_and_the_command_line_know_pytest(path: Path):
    found = within(imported(path), "pytest", "_pytest")

    assert not found or path.parent == PLUGIN or path.name == "__main__.py"


@pytest.mark.parametrize("path", [path for path in [*MODULES, *SUITE_FILES]
                                  if path.name != "__main__.py" and path.parent != PLUGIN], ids=shown)
def test_nothing_imports_the_plugin(path: Path):
    assert not within(imported(path), "dcrcheck.plugin")


@pytest.mark.parametrize("path", sorted((PACKAGE / "reference").rglob("*.py")), ids=shown)
def test_the_reference_imports_nothing_of_the_engine(path: Path):
    ours = within(imported(path), "dcrcheck")

    assert ours == within(ours, "dcrcheck.reference")


@pytest.mark.parametrize("path", sorted((PACKAGE / "reporting").rglob("*.py")), ids=shown)
def test_reports_are_functions_of_the_model(path: Path):
    ours = within(imported(path), "dcrcheck")

    assert ours == within(ours, "dcrcheck.reporting", "dcrcheck.results", "dcrcheck.verdict", "dcrcheck.evidence")


@pytest.mark.parametrize("path", [p for p in SUITE_FILES if p.name.startswith("test_")], ids=shown)
def test_checks_import_the_vocabulary_only(path: Path):
    ours = within(imported(path), "dcrcheck")
    vocabulary = {f"dcrcheck.{name}" for name in __import__("dcrcheck").__all__}

    assert ours <= vocabulary | {n for n in ours if n.startswith("dcrcheck.strategies.")}


@pytest.mark.parametrize("path", sorted(SUITES.glob("*/defects.py")), ids=shown)
def test_defects_import_the_reference_only(path: Path):
    ours = within(imported(path), "dcrcheck")

    assert ours == within(ours, "dcrcheck.reference")


@pytest.mark.parametrize("path", [*MODULES, *SUITE_FILES], ids=shown)
def test_no_module_is_named_for_nothing(path: Path):
    assert path.stem not in {"utils", "util", "helpers", "helper", "common", "misc"}
