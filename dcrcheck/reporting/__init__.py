"""The reports of a run: one module a format, each a pure function of the results."""

from __future__ import annotations

from pathlib import Path

from dcrcheck.reporting import document, sarif, summary
from dcrcheck.results import Results

FORMATS = {"results.json": document.render, "results.sarif": sarif.render, "summary.md": summary.render}


def write(results: Results, directory: Path) -> dict[str, Path]:
    """Write every report that is ours alone, and return where each stands, by file name.

    Each file appears whole or not at all. (`report.html` and `junit.xml` are written by pytest and its plugin.)

    Raises:
        OSError: the directory cannot be made or written to.
    """
    directory.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, render in FORMATS.items():
        path, part = directory / name, directory / f".{name}.part"
        part.write_text(render(results), "utf-8")
        paths[name] = part.replace(path)
    return paths
