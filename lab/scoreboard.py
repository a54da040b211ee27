"""The table of what real servers were found to do, made from their published results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from lab.recipe import LabError, read

_HEAD = """# Real servers, judged

Each server was installed from its package registry and judged on loopback, in a network namespace of its own, by
`python -m lab run NAME --publish`. A listed deviation from an RFC was held against its sentence; hardening rows are our
own. Reports say what is broken, not how to repeat it, unless a public link covers it.

| server | version | profile | judged | passed | failed | known | warned | not judged | duration | date | dcrcheck | |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
"""


def write(folder: Path) -> Path:
    """Write `README.md` into the folder of published results, from the results beside it."""
    path = folder / "README.md"
    path.write_text(_HEAD + "".join(_rows(folder)), "utf-8")
    return path


def _rows(folder: Path) -> Iterator[str]:
    for results in sorted(folder.glob("*/results.json")):
        document = json.loads(results.read_text("utf-8"))
        run, counts, name = document["run"], document["counts"], results.parent.name
        known = sum(f["verdict"] == "FAIL" and not f["surprise"] for f in document["findings"])
        judged = counts["PASS"] + counts["FAIL"] + counts["WARN"]
        cells = [run["profile_title"], _version(name), run["profile"], judged, counts["PASS"], counts["FAIL"], known,
                 counts["WARN"], counts["INCONCLUSIVE"], f"{run['duration_s']:.0f} s", run["started"][:10],
                 run["tool_version"], f"[summary]({name}/summary.md), [report]({name}/report.html)"]
        yield "| " + " | ".join(map(str, cells)) + " |\n"


def _version(name: str) -> str:
    try:
        recipe = read(name)
    except LabError:
        return ""
    return f"{recipe.package} {recipe.version}"
