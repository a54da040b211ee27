"""Starts a server on free loopback ports, waits until it answers, and lets nothing of it survive."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.installation import CACHE, interpreter
from lab.recipe import Configuration, LabError

_STOP_S = 8.0
_POLL_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Running:
    """A started server: where it answers, what its users and tokens are, and where its log is.

    `login` are environment variables for whoever judges it; `origins` those where its pages stand beside the issuer's;
    `resource` what its tokens are for, if it has such a thing.
    """

    name: str
    issuer: str
    resource: str
    origins: tuple[str, ...]
    login: Mapping[str, str]
    log: Path
    scratch: Path
    process: subprocess.Popen[bytes]

    def demand_alive(self) -> None:
        """Make sure that the server did not go away while it was judged.

        Raises:
            LabError: it did.
        """
        if self.process.poll() is not None:
            raise LabError(f"{self.name}: run: the server died with {self.process.returncode} while it was judged: "
                           f"{_last_line(self.log)} (log: {os.path.relpath(self.log)})")


@contextlib.contextmanager
def running(configuration: Configuration, home: Path, *, port: int = 0) -> Iterator[Running]:
    """A server for as long as the block lasts, at `port` or at a free one.

    Raises:
        LabError: the port is taken, the server did not start, or it died before it answered.
    """
    recipe, name = configuration.recipe, configuration.name
    ports = _ports(name, port)
    words = {"python": interpreter(home), "home": str(home), **dict(zip(("port", "port2", "port3"), map(str, ports),
                                                                        strict=True))}
    log = CACHE / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"dcrcheck-{name}-"))
    handover = scratch / "handover.env"
    process: subprocess.Popen[bytes] | None = None
    try:
        process = _start(configuration, words, log, scratch, handover)
        _wait(configuration, process, f"http://127.0.0.1:{ports[0]}{recipe.ready}", log)
        yield Running(name=name, issuer=(configuration.issuer or recipe.issuer).format(**words),
                      resource=(configuration.resource or recipe.resource).format(**words),
                      origins=tuple(one.format(**words) for one in recipe.origins),
                      login={**recipe.login, **_handed_over(handover)}, log=log, scratch=scratch, process=process)
    finally:
        if process is not None:
            _stop(process)
        shutil.rmtree(scratch, ignore_errors=True)


def _start(configuration: Configuration, words: Mapping[str, str], log: Path, scratch: Path,
           handover: Path) -> subprocess.Popen[bytes]:
    recipe = configuration.recipe
    command = [part.format(**words) for part in (*recipe.command, *configuration.arguments)]
    given = {**recipe.environment, **configuration.environment}
    environment = {**os.environ, "LAB_SCRATCH": str(scratch), "LAB_HANDOVER": str(handover),
                   **{key: value.format(**words) for key, value in given.items()}}
    with log.open("wb") as sink:
        try:
            return subprocess.Popen(command, cwd=scratch, env=environment, stdin=subprocess.DEVNULL, stdout=sink,
                                    stderr=subprocess.STDOUT, start_new_session=True)
        except OSError as error:
            raise LabError(f"{configuration.name}: start: {command[0]}: {error.strerror}") from None


def _ports(name: str, first: int) -> list[int]:
    """Three free ports, of which the first may be given. All are held at once, so that they differ."""
    with contextlib.ExitStack() as held:
        found = []
        for wanted in (first, 0, 0):
            probe = held.enter_context(socket.socket())
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError as error:
                raise LabError(f"{name}: start: port {wanted}: {error.strerror}; choose another with --port") from None
            found.append(int(probe.getsockname()[1]))
        return found


def _wait(configuration: Configuration, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    start_s = configuration.recipe.start_s
    until = time.monotonic() + start_s
    while time.monotonic() < until:
        if process.poll() is not None:
            raise LabError(f"{configuration.name}: start: the server exited with {process.returncode}: "
                           f"{_last_line(log)} (log: {os.path.relpath(log)})")
        with contextlib.suppress(urllib.error.URLError, OSError), opener.open(url, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(_POLL_S)
    raise LabError(f"{configuration.name}: start: {url} did not answer within {start_s:g} s "
                   f"(log: {os.path.relpath(log)})")


def _handed_over(path: Path) -> dict[str, str]:
    """What the server's start script made up for whoever judges it, such as an initial access token."""
    if not path.exists():
        return {}
    lines = path.read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _last_line(log: Path) -> str:
    return (log.read_text("utf-8", "replace").strip().splitlines() or ["no output"])[-1].strip()[:200]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the server and whatever it started: they share a process group of their own."""
    for step in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, step)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
