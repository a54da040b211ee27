"""Where the rooms of the house stand: in a checkout beside the package, in an installed wheel inside it."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
ROOT = _PACKAGE if (_PACKAGE / "suites").is_dir() else _PACKAGE.parent

SUITES = ROOT / "suites"
REQUIREMENTS = SUITES / "requirements"
COSTS = SUITES / "costs.json"
CORPUS = SUITES / "fuzz" / "corpus.json"
PROFILES = ROOT / "profiles"
POLICIES = PROFILES / "policies"
SCHEMAS = ROOT / "schemas"
