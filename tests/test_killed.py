"""A run that is killed at any moment leaves nothing behind that its ledger does not know (see tests/kill.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from dcrcheck.house import ROOT


def test_a_killed_run_leaves_no_client_unlisted(request: pytest.FixtureRequest, figures: dict[str, Any]):
    """--kills says how often: a few times here, two hundred times now and then."""
    run = subprocess.run([sys.executable, str(ROOT / "tests" / "kill.py"), str(request.config.option.kills)],
                         capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})

    assert run.returncode == 0, run.stderr[-2000:]
    told = figures["killed runs"] = json.loads(run.stdout)
    assert told["kills"] == request.config.option.kills
    assert told["clients"] > 0
    assert told["unlisted"] == 0
    assert told["deleted"] + told["named_for_an_administrator"] == told["clients"]
    assert told["left_after_the_administrator"] == 0
