"""What a recipe says: one `recipe.toml` a server."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

LAB = Path(__file__).resolve().parent


class LabError(Exception):
    """Something about a server of the lab went wrong. The message is one line that names the server and the step."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one server is installed, started, found ready and judged.

    `kind` is ``pypi`` or ``npm``; `version` the released version of `package`; `command` the words that start it, with
    ``{python}``, ``{port}`` and ``{folder}`` filled in; `ready` a path that answers 200 when it is up.
    """

    name: str
    title: str
    kind: str
    package: str
    version: str
    command: tuple[str, ...]
    ready: str
    profile: str
    issuer: str = "http://127.0.0.1:{port}"
    environment: Mapping[str, str] = field(default_factory=dict)
    login: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return LAB / self.name


def names() -> list[str]:
    return sorted(path.parent.name for path in LAB.glob("*/recipe.toml"))


def read(name: str) -> Recipe:
    """Read the recipe of a server.

    Raises:
        LabError: there is none, or it has an unknown or lacks a needed key.
    """
    path = LAB / name / "recipe.toml"
    if not path.is_file():
        raise LabError(f"{name}: no such server in the lab (there are: {', '.join(names())})")
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise LabError(f"{name}: {path.name} is not valid TOML: {error}") from None
    known = {item.name for item in fields(Recipe)} - {"name"}
    if unknown := set(content) - known:
        raise LabError(f"{name}: {path.name} has an unknown key {sorted(unknown)[0]!r} (there are: "
                       f"{', '.join(sorted(known))})")
    try:
        return Recipe(name=name, **{**content, "command": tuple(content.get("command", ()))})
    except TypeError as error:
        raise LabError(f"{name}: {path.name} lacks something: {error}") from None
