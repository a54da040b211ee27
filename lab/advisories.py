"""Whether published advisories would have been caught: vulnerable and fixed releases, judged by the same checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields

from lab.installation import MissingTool, demand_tools
from lab.recipe import LAB, LabError, find
from lab.scoreboard import PUBLISHED

_BROKEN = ("FAIL", "WARN")
_HEAD = """# Published advisories, caught

Written by `python -m lab cves --publish`. For each advisory, or public fix without a number, the vulnerable and the
fixed release were installed side by side and judged by the same checks under the same profile: *caught* means that each
named check breaks on the one and passes on the other. What could not be reproduced says so.

| advisory | what it is | server | vulnerable | fixed | checks | outcome |
|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, kw_only=True)
class Advisory:
    """One published advisory: the releases before and after its fix, and the checks that tell them apart.

    `configuration` names how the server runs; `checks` are names of checks, with or without a row. With `reproduced`
    false, `why` says why it cannot be shown here.
    """

    id: str
    title: str
    link: str
    configuration: str = ""
    vulnerable: str = ""
    fixed: str = ""
    checks: tuple[str, ...] = ()
    reproduced: bool = True
    why: str = ""


def read() -> list[Advisory]:
    """The advisories of `lab/advisories.toml`.

    Raises:
        LabError: an entry has an unknown or lacks a needed key.
    """
    try:
        entries = tomllib.loads((LAB / "advisories.toml").read_text("utf-8")).get("advisory", [])
    except tomllib.TOMLDecodeError as error:
        raise LabError(f"advisories.toml is not valid TOML: {error}") from None
    found = []
    for entry in entries:
        where = f"advisories.toml: {entry.get('id', 'an entry without id')}"
        if unknown := sorted(set(entry) - {item.name for item in fields(Advisory)}):
            raise LabError(f"{where}: unknown key {unknown[0]!r}")
        try:
            advisory = Advisory(**{**entry, "checks": tuple(entry.get("checks", ()))})
        except TypeError as error:
            raise LabError(f"{where}: {error}") from None
        if advisory.reproduced and not (advisory.configuration and advisory.vulnerable and advisory.fixed
                                        and advisory.checks):
            raise LabError(f"{where}: configuration, vulnerable, fixed or checks is missing")
        if not advisory.reproduced and not advisory.why:
            raise LabError(f"{where}: it is not reproduced, and 'why' is missing")
        found.append(advisory)
    return found


def run(ids: Sequence[str], *, publish: bool) -> int:
    """Judge both releases of each advisory (of all, without `ids`); returns 1 if one that is claimed is not caught."""
    every = read()
    if unknown := sorted(set(ids) - {advisory.id for advisory in every}):
        raise LabError(f"{unknown[0]}: no such advisory (there are: {', '.join(a.id for a in every)})")
    chosen = [advisory for advisory in every if not ids or advisory.id in ids]
    verdicts: dict[tuple[str, str], dict[str, str]] = {}
    rows, missed = [], 0
    for advisory in chosen:
        outcome = _outcome(advisory, chosen, verdicts)
        missed += outcome.startswith("not caught")
        print(f"{advisory.id:22} {advisory.configuration:28} {advisory.vulnerable} → {advisory.fixed}: {outcome}",
              flush=True)
        checks = "<br>".join(f"`{name}`" for name in advisory.checks)
        cells = [f"[{advisory.id}]({advisory.link})", advisory.title, advisory.configuration, advisory.vulnerable,
                 advisory.fixed, checks, outcome]
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    caught = sum(row.endswith("| caught |\n") for row in rows)
    print(f"{caught} of {len(chosen)} advisories caught on the vulnerable release and passing on the fixed one")
    if publish:
        (PUBLISHED / "advisories.md").write_text(_HEAD + "".join(rows), "utf-8")
    return 1 if missed else 0


def _outcome(advisory: Advisory, chosen: list[Advisory], verdicts: dict[tuple[str, str], dict[str, str]]) -> str:
    if not advisory.reproduced:
        return f"not reproduced: {advisory.why}"
    try:
        demand_tools(find(advisory.configuration).recipe)
    except MissingTool as problem:
        return f"skipped: {problem}"
    said = []
    for release, wanted in ((advisory.vulnerable, _BROKEN), (advisory.fixed, ("PASS",))):
        key = (advisory.configuration, release)
        if key not in verdicts:
            # the checks of all advisories that share a release are run at once
            checks = {check.partition("[")[0] for one in chosen for check in one.checks
                      if one.configuration == advisory.configuration and release in (one.vulnerable, one.fixed)}
            try:
                verdicts[key] = _verdicts(*key, sorted(checks))
            except LabError as problem:
                return f"could not be run: {problem}"
        for check in advisory.checks:
            seen = {verdict for name, verdict in verdicts[key].items() if check in (name, name.partition("[")[0])}
            fits = seen & {*wanted} if wanted is _BROKEN else seen == {"PASS"}
            if not fits:
                said.append(f"{check} on {release}: {', '.join(sorted(seen)) or 'not run'}")
    return f"not caught: {'; '.join(said)}" if said else "caught"


def _verdicts(configuration: str, version: str, checks: list[str]) -> dict[str, str]:
    """The verdicts of some checks on one release, by name with row."""
    reports = LAB.parent / "reports" / "latest" / "advisories" / f"{configuration}-{version}"
    reports.mkdir(parents=True, exist_ok=True)
    results = reports / "results.json"
    results.unlink(missing_ok=True)
    log = reports / "run.log"
    command = [sys.executable, "-m", "lab", "run", configuration, f"--version={version}",
               f"--report-dir={os.path.relpath(reports, LAB.parent)}", "-k", " or ".join(checks)]
    with log.open("wb") as sink:
        subprocess.run(command, cwd=LAB.parent, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
                       check=False)
    if not results.is_file():
        lines = log.read_text("utf-8", "replace").strip().splitlines()
        raise LabError(lines[-1].removeprefix("lab: ") if lines else f"{configuration} {version}: no output")
    findings = json.loads(results.read_text("utf-8"))["findings"]
    return {finding["check"].partition("::")[2]: finding["verdict"] for finding in findings}


