"""The table of what servers were found to do, made from what was kept of their published runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.judging import Judgement
from lab.recipe import LAB

PUBLISHED = LAB.parent / "reports" / "lab"
_TELLING = ("FAIL", "WARN", "INCONCLUSIVE", "ERROR")
_HEAD = """# Servers, judged

Written by `python -m lab run --all --publish`. Each real server was installed from its package registry, started on
loopback in a network namespace of its own, and judged by all suites. *Failed* counts broken rules, *known* those of
them that the server's profile lists with the reason; a listed deviation from an RFC was held against its sentence,
hardening rows are our own. *Not judged* is what applies and could not be tried. Reports say what is broken, not how to
repeat it; a weakness of high or critical severity that no public source covers is "withheld pending disclosure".
What each run sent, suite by suite, and the bound that its plan had given stand in its `verdicts.json`.
The other direction, published advisories that the suites catch, is in [advisories.md](advisories.md).
"""
_COLUMNS = """
| server | version | profile | judged | passed | failed | known | warned | not judged | duration | date | dcrcheck | |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
"""
_EMULATED = """
## Emulated products

These run nowhere but at their makers'. The embedded server was started under the personality that their own documents
describe; the origin of each fact stands in the profile. A row says what the documents promise, nothing of the product
itself.
"""


def enter(name: str, judgement: Judgement, package: str) -> None:
    """Keep what a table and a comparison need of a published run, and write the table again."""
    results = judgement.results
    if not results:
        return
    run = {key: results["run"][key] for key in ("profile", "profile_title", "policy", "emulated", "started",
                                                "duration_s", "tool_version", "exchanges", "registrations")}
    known = sum(finding["verdict"] == "FAIL" and not finding["surprise"] for finding in results["findings"])
    kept = {"run": run, "package": package, "exit_code": judgement.code, "counts": results["counts"], "known": known,
            "verdicts": _telling(judgement), "parts": results["parts"]}
    folder = PUBLISHED / name
    (folder / "verdicts.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    write()


def differences(name: str, judgement: Judgement) -> list[str] | None:
    """What differs from the published verdicts; None if nothing is published."""
    path = PUBLISHED / name / "verdicts.json"
    if not path.is_file() or not judgement.results:
        return None
    before, now = ({f"{check} {verdict}" for verdict, checks in kept.items() for check in checks}
                   for kept in (json.loads(path.read_text("utf-8"))["verdicts"], _telling(judgement)))
    return [*(f"no longer {one}" for one in sorted(before - now)), *(f"now {one}" for one in sorted(now - before))]


def duration_s(name: str) -> float:
    """How long the published run of a configuration took, in seconds; 0 if nothing is published."""
    path = PUBLISHED / name / "verdicts.json"
    return float(json.loads(path.read_text("utf-8"))["run"]["duration_s"]) if path.is_file() else 0.0


def _telling(judgement: Judgement) -> dict[str, list[str]]:
    """The checks that did not simply pass, by verdict, each with the number of its rows: which ones may be withheld."""
    telling: dict[str, list[str]] = {}
    for kind in _TELLING:
        rows = Counter(check.partition("[")[0] for check, verdict in judgement.verdicts() if verdict == kind)
        telling[kind] = [f"{check} ×{count}" if count > 1 else check for check, count in sorted(rows.items())]
    return telling


def write() -> Path:
    """Write `README.md` into the folder of published runs, from what is kept beside it."""
    entries = [(path.parent, json.loads(path.read_text("utf-8"))) for path in sorted(PUBLISHED.glob("*/verdicts.json"))]
    real = "".join(_rows((folder, kept) for folder, kept in entries if not kept["run"]["emulated"]))
    emulated = "".join(_rows((folder, kept) for folder, kept in entries if kept["run"]["emulated"]))
    path = PUBLISHED / "README.md"
    path.write_text(_HEAD + _COLUMNS + real + (_EMULATED + _COLUMNS + emulated if emulated else ""), "utf-8")
    return path


def _rows(entries: Iterator[tuple[Path, dict[str, Any]]]) -> Iterator[str]:
    for folder, kept in entries:
        run, counts = kept["run"], kept["counts"]
        judged = counts["PASS"] + counts["FAIL"] + counts["WARN"]
        links = ", ".join(f"[{path.stem}]({folder.name}/{path.name})"
                          for path in (folder / "summary.md", folder / "report.html") if path.exists())
        cells = [run["profile_title"], kept["package"] or "emulated", run["profile"], judged, counts["PASS"],
                 counts["FAIL"], kept["known"], counts["WARN"], counts["INCONCLUSIVE"], f"{run['duration_s']:.0f} s",
                 run["started"][:10], run["tool_version"], links]
        yield "| " + " | ".join(map(str, cells)) + " |\n"
