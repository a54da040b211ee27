"""The wheel carries everything that a run from anywhere needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

from dcrcheck.house import ROOT


def test_an_installed_wheel_judges_from_anywhere(tmp_path: Path):
    home = tmp_path / "venv"
    # the dependencies are those of this environment; what is under test is what the wheel carries
    venv.create(home, with_pip=True, system_site_packages=False)
    python = str(home / "bin" / "python")
    site = subprocess.run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], check=True,
                          capture_output=True, text=True).stdout.strip()
    ours = [path for path in sys.path if path.endswith("site-packages")]
    wheels = tmp_path / "wheels"
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(wheels), str(ROOT)],
                   check=True, cwd=tmp_path)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", *map(str, wheels.glob("*.whl"))],
                   check=True, cwd=tmp_path)
    # after our own wheel, so that its dcrcheck wins over an editable one
    (Path(site) / "zz-dependencies.pth").write_text("\n".join(ours))
    away = tmp_path / "away"
    away.mkdir()

    run = subprocess.run([str(home / "bin" / "dcrcheck"), "run", "-k", "discovery or test_response"], cwd=away,
                         capture_output=True, text=True, check=False,
                         env={k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTEST_ADDOPTS")})

    document = json.loads((away / "reports" / "latest" / "results.json").read_text())
    assert run.returncode == 0, run.stdout + run.stderr
    assert document["counts"]["PASS"] > 10
    assert str(ROOT) not in run.stdout
