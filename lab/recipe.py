"""What a recipe says: one `recipe.toml` a server, and in it the configurations that are judged."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

LAB = Path(__file__).resolve().parent
KINDS = {"pypi": (), "npm": ("node", "npm"), "maven": ("java", "mvn"), "go": ("go",)}


class LabError(Exception):
    """Something about a server of the lab went wrong. The message is one line that names the server and the step."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one server is installed, started and found ready.

    `kind` is the registry that it comes from (``pypi``, ``npm``, ``maven``, ``go``); `version` the released version of
    `package`; `tools` programs that must be on the machine beside those of the kind; `command` the words that start it
    and `issuer`, `resource`, `origins` and `environment` with ``{python}``, ``{home}``, ``{port}``, ``{port2}`` and
    ``{port3}`` filled in; `ready` a path that answers 200 when it is up; `start_s` how long that may take, in seconds;
    `resource` a protected resource that it issues tokens for; `origins` further ones where its login and consent pages
    stand; `build` further words for the compiler.
    """

    name: str
    title: str
    kind: str
    package: str
    version: str
    command: tuple[str, ...]
    ready: str
    tools: tuple[str, ...] = ()
    python: str = ""
    build: tuple[str, ...] = ()
    issuer: str = "http://127.0.0.1:{port}"
    resource: str = ""
    origins: tuple[str, ...] = ()
    start_s: float = 60.0
    environment: Mapping[str, str] = field(default_factory=dict)
    login: Mapping[str, str] = field(default_factory=dict)
    configurations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return LAB / self.name


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One way to run a server. Its name is that of its profile; `arguments` and `environment` complete the recipe's.

    `issuer` and `resource` stand in for the recipe's, and `profile` for the one of its name.
    """

    name: str
    recipe: Recipe
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    issuer: str = ""
    resource: str = ""
    profile: str = ""
    only_for_advisories: bool = False


def recipe_names() -> list[str]:
    return sorted(path.parent.name for path in LAB.glob("*/recipe.toml"))


def configurations() -> dict[str, Configuration]:
    """Every configuration of every server, by name.

    Raises:
        LabError: as `read`, or two configurations share a name.
    """
    found: dict[str, Configuration] = {}
    for name in recipe_names():
        for configuration in configurations_of(read(name)):
            if configuration.name in found:
                raise LabError(f"{name}: configuration {configuration.name!r} is also one of "
                               f"{found[configuration.name].recipe.name}")
            found[configuration.name] = configuration
    return found


def configurations_of(recipe: Recipe) -> list[Configuration]:
    """The configurations of a server: those it names, or one that is called as it is."""
    tables = recipe.configurations or {recipe.name: {}}
    return [_made(Configuration, f"{recipe.name}: configuration {name}", {**table, "name": name, "recipe": recipe},
                  given=("name", "recipe")) for name, table in tables.items()]


def find(name: str) -> Configuration:
    """The configuration of this name.

    Raises:
        LabError: there is none.
    """
    among = configurations()
    if name not in among:
        raise LabError(f"{name}: no such server in the lab (there are: {', '.join(among)})")
    return among[name]


def read(name: str) -> Recipe:
    """Read the recipe of a server.

    Raises:
        LabError: there is none, or it has an unknown or lacks a needed key.
    """
    path = LAB / name / "recipe.toml"
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise LabError(f"{name}: no such server in the lab (there are: {', '.join(recipe_names())})") from None
    except tomllib.TOMLDecodeError as error:
        raise LabError(f"{name}: recipe.toml is not valid TOML: {error}") from None
    recipe: Recipe = _made(Recipe, f"{name}: recipe.toml", {**content, "name": name}, given=("name",))
    if recipe.kind not in KINDS:
        raise LabError(f"{name}: recipe.toml: kind {recipe.kind!r} is none of {', '.join(KINDS)}")
    return recipe


def _made(kind: type, where: str, content: Mapping[str, Any], *, given: tuple[str, ...]) -> Any:
    names = {item.name for item in fields(kind)}
    if unknown := sorted(set(content) - names):
        raise LabError(f"{where} has an unknown key {unknown[0]!r} (there are: {', '.join(sorted(names - {*given}))})")
    try:
        return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in content.items()})
    except TypeError as error:
        raise LabError(f"{where} lacks something: {error}") from None
