"""Installs the servers from their package registries into a cache, once for each pinned set of packages."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from lab.recipe import LAB, LabError, Recipe

CACHE = Path(os.environ.get("DCRCHECK_LAB_CACHE") or LAB / ".cache")
_LOCKS = {"pypi": ("requirements.txt",), "npm": ("package.json", "package-lock.json")}


def install(recipe: Recipe) -> Path:
    """Install a server and return the folder it lives in; does nothing if that is already there.

    Raises:
        LabError: a tool is missing, or the registry refused.
    """
    if recipe.kind not in _LOCKS:
        raise LabError(f"{recipe.name}: kind {recipe.kind!r} is none of {', '.join(_LOCKS)}")
    files = [recipe.folder / lock for lock in _LOCKS[recipe.kind]]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
    home = CACHE / f"{recipe.name}-{recipe.version}-{digest}"
    done = home / ".installed"
    if not done.exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        print(f"{recipe.name}: installing {recipe.package} {recipe.version} …", flush=True)
        {"pypi": _pypi, "npm": _npm}[recipe.kind](recipe, home)
        done.touch()
    for path in recipe.folder.iterdir():
        if path.suffix in (".py", ".mjs", ".html"):
            shutil.copy(path, home / path.name)
    return home


def interpreter(home: Path) -> str:
    """The Python of a server's own environment; without one, ours."""
    own = home / "venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def _pypi(recipe: Recipe, home: Path) -> None:
    venv.create(home / "venv", with_pip=True)
    _run(recipe, [interpreter(home), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                  "--require-hashes", "-r", str(recipe.folder / "requirements.txt")], home)


def _npm(recipe: Recipe, home: Path) -> None:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise LabError(f"{recipe.name}: install: Node.js with npm is missing")
    for name in _LOCKS["npm"]:
        shutil.copy(recipe.folder / name, home / name)
    _run(recipe, [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], home)


def _run(recipe: Recipe, command: list[str], home: Path) -> None:
    log = home / "install.log"
    with log.open("wb") as sink:
        code = subprocess.run(command, cwd=home, stdout=sink, stderr=subprocess.STDOUT, check=False).returncode
    if code:
        last = (log.read_text("utf-8", "replace").strip().splitlines() or ["no output"])[-1]
        raise LabError(f"{recipe.name}: install: {Path(command[0]).name} exited with {code}: {last[:200]} "
                       f"(log: {log})")
