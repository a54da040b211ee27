"""The deliberately broken variants of the reference server, found beside the checks that catch them."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path

from dcrcheck.documents import ConfigurationError, nearest
from dcrcheck.house import SUITES
from dcrcheck.reference import Server


@cache
def defects(folder: Path = SUITES) -> dict[str, type[Server]]:
    """Every defect by name: the classes in `suites/*/defects.py` that name the checks they trip.

    Raises:
        ConfigurationError: two defects bear one name.
    """
    found: dict[str, type[Server]] = {}
    for path in sorted(folder.glob("*/defects.py")):
        for name, item in vars(_module(path)).items():
            if isinstance(item, type) and issubclass(item, Server) and "trips" in vars(item) and item.trips:
                if name in found:
                    raise ConfigurationError(f"{path}: there is another defect named {name}")
                found[name] = item
    return found


def defect(name: str) -> type[Server]:
    """The defect of that name.

    Raises:
        ConfigurationError: there is none.
    """
    every = defects()
    if name not in every:
        raise ConfigurationError(f"no defect {name!r}{nearest(name, every)} "
                                 f"(`dcrcheck defects` lists all {len(every)})")
    return every[name]


def suite_of(kind: type[Server]) -> str:
    """The folder in which a defect stands."""
    return kind.__module__.rpartition(".")[2]


def _module(path: Path) -> object:
    name = f"dcrcheck_defects.{path.parent.name}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ConfigurationError(f"{path}: cannot be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]
