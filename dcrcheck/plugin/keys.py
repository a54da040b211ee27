"""Where the parts of the plugin keep what they share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dcrcheck.charge import Charge
from dcrcheck.discretion import Discretion
from dcrcheck.plan import Plan
from dcrcheck.results import Results
from dcrcheck.trial import Trial

TRIAL = pytest.StashKey[Trial]()
RESULTS = pytest.StashKey[Results]()
CHARGE = pytest.StashKey[Charge]()
CHARGES = pytest.StashKey[list[Charge]]()
SIGTERM = pytest.StashKey[Any]()
PLAN = pytest.StashKey[Plan]()
REPORTS = pytest.StashKey[dict[str, Path]]()
DISCRETION = pytest.StashKey[Discretion]()
