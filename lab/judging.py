"""Judges one configuration of a server, or one emulated product, and keeps what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import isolation
from lab.installation import CACHE, install, is_pinned
from lab.recipe import LAB, Configuration
from lab.running import Running, running

LATEST = LAB.parent / "reports" / "latest"
PROFILES = LAB.parent / "profiles"
_KEPT = ("report.html", "summary.md", "verdicts.json")
_KEPT_OF_EMULATED = _KEPT[1:]


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How a run ended: its exit code (as dcrcheck has them) and its results, if there are any."""

    code: int
    results: Mapping[str, Any]

    def verdicts(self) -> list[tuple[str, str]]:
        """Each check by its bare name, with its row where that is told, and its verdict."""
        return [(finding["check"].partition("::")[2], finding["verdict"])
                for finding in self.results.get("findings", ())]


def judge(configuration: Configuration, options: list[str], *, version: str = "", port: int = 0,
          reports: Path = LATEST, publish: bool = False) -> Judgement:
    """Start a server, run the suites against it, and stop it.

    Raises:
        LabError: it could not be installed or started, or it died while it was judged.
    """
    recipe, version = configuration.recipe, version or configuration.recipe.version
    home = install(recipe, version)
    if not isolation.isolated() and not any(option.startswith("--allow") for option in options):
        print(f"{configuration.name}: no namespace of its own here: probes that could make the server fetch something "
              "are left out", flush=True)
        options = ["--allow=burst,oversize", *options]
    origin = "" if is_pinned(recipe, version) else ", not pinned"
    with running(configuration, home, port=port) as server:
        print(f"{configuration.name}: {recipe.package} {version} answers at {server.issuer}", flush=True)
        resource = ["--resource", server.resource] if server.resource else []
        judgement = _run(["--issuer", server.issuer, *resource, "--profile", _profile(configuration, server),
                          f"--note={recipe.package} {version}{origin}", *options], reports, server.login,
                         _KEPT if publish else ())
        server.demand_alive()
    return judgement


def emulated() -> dict[str, str]:
    """The profiles that were written from documents alone, with their titles."""
    every = ((path.stem, tomllib.loads(path.read_text("utf-8"))) for path in sorted(PROFILES.glob("*.toml")))
    return {name: content["title"] for name, content in every if content.get("emulated")}


def judge_emulated(profile: str, options: list[str], *, reports: Path = LATEST, publish: bool = False) -> Judgement:
    """Run the suites against the embedded server under the personality of a product."""
    return _run(["--profile", profile, *options], reports, {}, _KEPT_OF_EMULATED if publish else ())


def _run(words: list[str], reports: Path, login: Mapping[str, str], kept: tuple[str, ...]) -> Judgement:
    """Run the suites; with `kept`, for publishing, nothing but these files stays of the reports."""
    if not any(word.startswith("--report-dir") for word in words):
        words = [f"--report-dir={os.path.relpath(reports)}", *words]
    else:
        given = [word.partition("=")[2] or words[place + 1] for place, word in enumerate(words)
                 if word.startswith("--report-dir")]
        reports = Path(given[-1])
    command = [sys.executable, "-m", "dcrcheck", "run", *words, *(["--withhold"] if kept else [])]
    results = reports / "results.json"
    results.unlink(missing_ok=True)
    code = subprocess.run(command, env={**os.environ, **login}, check=False).returncode
    document = json.loads(results.read_text("utf-8")) if results.is_file() else {}
    if kept:
        for path in reports.iterdir():
            if path.name not in kept:
                path.unlink()
    return Judgement(code=code, results=document)


def _profile(configuration: Configuration, server: Running) -> str:
    """The profile of a configuration, completed by what only this run knows."""
    name = configuration.profile or configuration.name
    if not server.origins:
        return name
    title = tomllib.loads((PROFILES / f"{name}.toml").read_text("utf-8"))["title"]
    path = CACHE / "profiles" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'title = {json.dumps(title)}\nextends = "{name}"\n\n[session]\n'
                    f"origins = {json.dumps(list(server.origins))}\n", "utf-8")
    return os.path.relpath(path)
