"""A namespace with no network but loopback and no process but a run's: nothing is fetched, nothing survives."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

_END_S = 20.0
_INSIDE = "DCRCHECK_LAB_NAMESPACE"
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1


def isolated() -> bool:
    """Whether this process already runs in a namespace of its own."""
    return os.environ.get(_INSIDE) == "1"


def available() -> bool:
    """Whether a network namespace can be made here."""
    return shutil.which("unshare") is not None and subprocess.run(
        [*_unshare(), "true"], capture_output=True, check=False).returncode == 0


def enter(arguments: list[str]) -> int:
    """Run this lab again inside a new namespace; returns its exit code."""
    command = [*_unshare(), sys.executable, "-m", "lab", *arguments]
    with subprocess.Popen(command, env={**os.environ, _INSIDE: "1"}) as process:
        try:
            return process.wait()
        except BaseException:
            _end(process)
            raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let the run inside take its server down; if it does not, take everything down with the namespace."""
    # unshare itself ignores the signal while it waits for its child
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    with contextlib.suppress(OSError):
        for child in children.read_text().split():
            os.kill(int(child), signal.SIGTERM)
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()


def raise_loopback() -> None:
    """Bring the loopback interface of a new namespace up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = array.array("b", struct.pack("16sh14x", b"lo", 0))
        fcntl.ioctl(control, _SIOCGIFFLAGS, request)
        flags = struct.unpack("16sh14x", request)[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, array.array("b", struct.pack("16sh14x", b"lo", flags | _IFF_UP)))


def _unshare() -> list[str]:
    own = [] if os.geteuid() == 0 else ["--map-root-user"]
    # the first process of a process namespace takes all others with it, also when it is killed
    return ["unshare", "--net", *own, "--pid", "--mount-proc", "--kill-child", "--fork"]
