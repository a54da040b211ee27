"""Installs the servers from their package registries into a cache, once for each pinned set of packages."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

from lab.recipe import KINDS, LAB, LabError, Recipe

CACHE = Path(os.environ.get("DCRCHECK_LAB_CACHE") or LAB / ".cache")
_LOCKS = {"pypi": ("requirements.txt",), "npm": ("package.json", "package-lock.json"), "maven": ("pom.xml",),
          "go": ("go.mod", "go.sum")}
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]*")


class MissingTool(LabError):
    """A program that a server needs is not on this machine."""


def install(recipe: Recipe, version: str = "") -> Path:
    """Install a server and return the folder it lives in; does nothing if that is already there.

    Raises:
        MissingTool: a program that is needed is not on this machine.
        LabError: the registry refused, has no such version, or the server cannot be built.
    """
    demand_tools(recipe)
    version = version or recipe.version
    if not _VERSION.fullmatch(version):
        raise LabError(f"{recipe.name}: install: {version!r} is no version")
    files = _files(recipe, version)
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        # what is compiled counts as well; what is only started is copied anew each time
        if name in _LOCKS[recipe.kind] or recipe.kind == "go" or (recipe.kind == "maven" and name.startswith("src/")):
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update(repr((recipe.kind, recipe.build, recipe.python)).encode())
    home = CACHE / f"{recipe.name}-{version}-{digest.hexdigest()[:12]}"
    with _alone(home):
        done = home / ".installed"
        if not done.exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            _copy(files, home)
            print(f"{recipe.name}: installing {recipe.package} {version} …", flush=True)
            {"pypi": _pypi, "npm": _npm, "maven": _maven, "go": _go}[recipe.kind](recipe, version, home)
            done.touch()
        _copy({name: path for name, path in files.items() if name not in _LOCKS[recipe.kind]}, home)
    return home


def demand_tools(recipe: Recipe) -> None:
    """Make sure that the programs are there which a server needs.

    Raises:
        MissingTool: one is not.
    """
    own = (f"python{recipe.python}",) if recipe.python else ()
    missing = [tool for tool in (*KINDS[recipe.kind], *own, *recipe.tools) if shutil.which(tool) is None]
    if missing:
        raise MissingTool(f"{recipe.name}: {', '.join(missing)} is missing on this machine")


def interpreter(home: Path) -> str:
    """The Python of a server's own environment; without one, ours."""
    own = home / "venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def is_pinned(recipe: Recipe, version: str) -> bool:
    """Whether a version is installed from a lock of ours."""
    return version in ("", recipe.version) or (recipe.folder / "versions" / version).is_dir() or recipe.kind == "maven"


def _files(recipe: Recipe, version: str) -> dict[str, Path]:
    """What is put beside the installed packages, by relative path; a version may bring files of its own."""
    folders = [recipe.folder, recipe.folder / "versions" / version]
    return {str(path.relative_to(folder)): path for folder in folders if folder.is_dir()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != "recipe.toml" and "__pycache__" not in path.parts
            and not (folder == recipe.folder and path.is_relative_to(folder / "versions"))}


def _copy(files: dict[str, Path], home: Path) -> None:
    for name, path in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, home / name)


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Two configurations of one server may be started at once; only one of them installs."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(home.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _pypi(recipe: Recipe, version: str, home: Path) -> None:
    if recipe.python:
        _run(recipe, [f"python{recipe.python}", "-m", "venv", str(home / "venv")], home)
    else:
        venv.create(home / "venv", with_pip=True)
    # the constraints of whoever installs dcrcheck are not the server's
    pip = ["env", "--unset=PIP_CONSTRAINT", interpreter(home), "-m", "pip", "install", "--quiet",
           "--disable-pip-version-check"]
    if is_pinned(recipe, version):
        _run(recipe, [*pip, "--require-hashes", "-r", "requirements.txt"], home)
        return
    _unpinned(recipe, version)
    wanted = (home / "requirements.in").read_text("utf-8").split()
    wanted = [f"{recipe.package}=={version}" if _project(word) == _project(recipe.package) else word
              for word in wanted]
    _run(recipe, [*pip, *wanted], home)


def _project(requirement: str) -> str:
    """The name of a project in a requirement, normalised as package indexes do, without version and extras."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[=<>!~;]", requirement)[0]).lower()


def _npm(recipe: Recipe, version: str, home: Path) -> None:
    npm = ["npm", "ci" if is_pinned(recipe, version) else "install", "--ignore-scripts", "--no-audit", "--no-fund",
           "--loglevel=error"]
    if not is_pinned(recipe, version):
        _unpinned(recipe, version)
        manifest = json.loads((home / "package.json").read_text("utf-8"))
        manifest["dependencies"][recipe.package] = version
        (home / "package.json").write_text(json.dumps(manifest), "utf-8")
        (home / "package-lock.json").unlink()
    _run(recipe, npm, home)


def _maven(recipe: Recipe, version: str, home: Path) -> None:
    _run(recipe, ["mvn", "--batch-mode", "--strict-checksums", "--quiet", f"-Dmaven.repo.local={CACHE / 'maven'}",
                  f"-Dlab.version={version}", "package"], home)


def _go(recipe: Recipe, version: str, home: Path) -> None:
    if not is_pinned(recipe, version):
        _unpinned(recipe, version)
        _run(recipe, ["go", "get", f"{recipe.package}@v{version.removeprefix('v')}"], home)
    _run(recipe, ["go", "build", *recipe.build, "-o", str(home / "server"), "."], home)


def _unpinned(recipe: Recipe, version: str) -> None:
    print(f"{recipe.name}: {version} is not pinned here: what it depends on comes as the registry has it today",
          flush=True)


def _run(recipe: Recipe, command: list[str], home: Path) -> None:
    log = home / "install.log"
    with log.open("ab") as sink:
        code = subprocess.run(command, cwd=home, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
                              check=False).returncode
    if code:
        lines = log.read_text("utf-8", "replace").strip().splitlines() or ["no output"]
        said = next((line for line in reversed(lines) if "error" in line.lower()), lines[-1])
        program = next(word for word in command if word != "env" and not word.startswith("--"))
        raise LabError(f"{recipe.name}: install: {Path(program).name} exited with {code}: {said.strip()[:200]} "
                       f"(log: {os.path.relpath(log)})")
