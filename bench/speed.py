"""How long a whole run takes, as a ratio to what its exchanges alone would cost.

usage: python bench/speed.py [RUNS]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dcrcheck.settings import Settings
from dcrcheck.trial import Trial

BARE = 300


def whole(directory: str) -> tuple[float, int]:
    """Seconds and exchanges of one run against the embedded server, start-up and reports included."""
    clock = time.perf_counter()
    subprocess.run([sys.executable, "-m", "dcrcheck", "run", "-q", f"--report-dir={directory}"], check=False,
                   stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - clock
    return seconds, json.loads((Path(directory) / "results.json").read_text("utf-8"))["run"]["exchanges"]


def bare() -> float:
    """Seconds that one exchange with the embedded server takes, nothing judged."""
    trial = Trial(Settings())
    try:
        url = f"{trial.target.issuer}/.well-known/oauth-authorization-server"
        trial.transport.send("GET", url)
        clock = time.perf_counter()
        for _ in range(BARE):
            trial.transport.send("GET", url)
        return (time.perf_counter() - clock) / BARE
    finally:
        trial.close()


def main(runs: int) -> None:
    """Print the median of some runs."""
    ratios, seconds = [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as directory:
            taken, exchanges = whole(directory)
        floor = bare() * exchanges
        seconds.append(taken)
        ratios.append(taken / floor)
        print(f"{taken:.1f} s, {exchanges} exchanges, {taken / floor:.2f} × the exchanges alone", flush=True)
    print(f"median of {runs}: {statistics.median(seconds):.1f} s, {statistics.median(ratios):.2f} ×")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
