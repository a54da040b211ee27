"""Starts a server on a free loopback port, waits until it answers, and lets nothing of it survive."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.installation import interpreter
from lab.recipe import LabError, Recipe

_START_S = 60.0
_STOP_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Running:
    """A started server: where it answers, and where its log is."""

    issuer: str
    log: Path


@contextlib.contextmanager
def running(recipe: Recipe, home: Path) -> Iterator[Running]:
    """A server for as long as the block lasts.

    Raises:
        LabError: it did not start, or died before it answered.
    """
    port = _free_port()
    words = {"python": interpreter(home), "port": str(port), "folder": str(home)}
    command = [part.format(**words) for part in recipe.command]
    log = home / "server.log"
    environment = {**os.environ, **{k: v.format(**words) for k, v in recipe.environment.items()}}
    with log.open("wb") as sink:
        try:
            process = subprocess.Popen(command, cwd=home, env=environment, stdin=subprocess.DEVNULL, stdout=sink,
                                       stderr=subprocess.STDOUT, start_new_session=True)
        except OSError as error:
            raise LabError(f"{recipe.name}: start: {command[0]}: {error.strerror}") from None
    try:
        issuer = recipe.issuer.format(**words)
        _wait(recipe, process, f"http://127.0.0.1:{port}{recipe.ready}", log)
        yield Running(issuer=issuer, log=log)
    finally:
        _stop(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(recipe: Recipe, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            last = (log.read_text("utf-8", "replace").strip().splitlines() or ["no output"])[-1]
            raise LabError(f"{recipe.name}: start: the server exited with {process.returncode}: {last[:200]} "
                           f"(log: {log})")
        try:
            with opener.open(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise LabError(f"{recipe.name}: start: {url} did not answer within {_START_S:g} s (log: {log})")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the server and whatever it started: they share a process group of their own."""
    for step in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, step)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            continue
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return
