"""What dcrcheck itself may do: speak to the target only, start no program, write into the report directory only."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dcrcheck.house import ROOT
from dcrcheck.reference import Running, Server, serve

# the events of sys.audit that this file is about, written down as they happen and judged when all is over
WATCH = '''
import json, os, sys

def note(event, arguments):
    if event in EVENTS:
        line = json.dumps([event, *map(str, arguments)]) + "\\n"
        os.write(LOG, line.encode("utf-8", "backslashreplace"))

EVENTS = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "os.system", "os.exec",
          "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen", "open"}
LOG = os.open(os.environ.pop("CONDUCT_LOG"), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
sys.addaudithook(note)
sys.argv = ["dcrcheck", *sys.argv[1:]]
from dcrcheck.__main__ import main
sys.exit(main())
'''
FEW = "--fuzz-examples=2"


class Watched:
    """One run of the command line under watch, and what it did."""

    def __init__(self, place: Path, *words: str, **environment: str) -> None:
        self.place = place
        (place / "watch.py").write_text(WATCH, "utf-8")
        self.work = place / "work"
        self.work.mkdir()
        before = set(place.rglob("*"))
        self.run = subprocess.run(
            [*_without_network(), sys.executable, "-B", str(place / "watch.py"), *words], cwd=self.work, check=False,
            capture_output=True, text=True, timeout=300, umask=0, env={
                **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
                "PYTHONPATH": str(ROOT), "TMPDIR": str(place / "tmp"), "HOME": str(place / "home"),
                "CONDUCT_LOG": str(place / "events"), **environment})
        self.events = [json.loads(line) for line in (place / "events").read_text("utf-8").splitlines()]
        self.written = {path for path in place.rglob("*") if path.is_file()} - before - {place / "events"}

    def those(self, *names: str) -> list[list[str]]:
        return [event for event in self.events if event[0] in names]


def _without_network() -> list[str]:
    """The prefix that leaves a command nothing but loopback, where the machine lets us."""
    words = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    possible = shutil.which("unshare") and shutil.which("ip") and subprocess.run(
        [*words, "true"], capture_output=True, check=False).returncode == 0
    return words if possible else []


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """A whole run against the embedded server, by an owner whose umask protects nothing."""
    place = tmp_path_factory.mktemp("conduct")
    (place / "tmp").mkdir()
    return Watched(place, "run", "--report-dir=reports", FEW, "--showlocals", "-rA", "-k", "not abuse",
                   AWS_SECRET_ACCESS_KEY="canary-of-the-environment", CANARY_NAME_OF_A_VARIABLE="another-canary-value")


def test_a_run_connects_to_nothing_but_the_target(judged: Watched):
    assert judged.run.returncode == 0, judged.run.stdout[-2000:] + judged.run.stderr[-2000:]
    issuer = urlsplit(json.loads((judged.work / "reports" / "results.json").read_text("utf-8"))["run"]["issuer"])
    connected = {event[2] for event in judged.those("socket.connect", "socket.sendto")}
    resolved = {(event[1], event[2]) for event in judged.those("socket.getaddrinfo", "socket.gethostbyname")}

    assert connected == {f"('{issuer.hostname}', {issuer.port})"}
    assert resolved <= {(issuer.hostname, str(issuer.port))}


def test_a_run_starts_no_program(judged: Watched):
    programs = judged.those("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen")

    # Python itself asks for the processor where a plugin of pytest wants to know the platform
    assert [event for event in programs if event[2] != "['uname', '-p']"] == []


def test_a_run_writes_into_the_report_directory_only(judged: Watched):
    outside = {path for path in judged.written if judged.work / "reports" not in path.parents}
    opened = {event[1] for event in judged.those("open") if _to_write(event)}
    elsewhere = {name for name in opened if Path(name).is_absolute() and not Path(name).is_relative_to(judged.place)}

    assert outside == set()
    assert list((judged.place / "tmp").iterdir()) == []
    assert not (judged.place / "home").exists()
    assert elsewhere <= {"/dev/null", "/dev/tty"}


def _to_write(event: list[str]) -> bool:
    mode, flags = event[2], event[3]
    return any(letter in mode for letter in "wax+") if mode != "None" else bool(
        int(flags) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def test_what_is_sensitive_is_for_the_owner_alone(judged: Watched):
    files = [path for path in judged.written if path.name.startswith("ledger.") and path.suffix != ".lock"]

    assert {"ledger.sqlite", "ledger.key"} <= {path.name for path in files}
    assert {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in files} == {
        path.name: "0o600" for path in files}


def test_no_variable_of_the_owner_lands_in_a_report(judged: Watched):
    told = {path.name: path.read_bytes() for path in (judged.work / "reports").iterdir()}
    told |= {"stdout": judged.run.stdout.encode(), "stderr": judged.run.stderr.encode()}
    words = (b"canary-of-the-environment", b"another-canary-value", b"CANARY_NAME_OF_A_VARIABLE")

    assert [(name, word) for name, content in told.items() for word in words if word in content] == []


@pytest.fixture
def running() -> Iterator[Running]:
    with serve(Server(), tls=False) as server:
        yield server


def test_files_of_a_run_at_work_are_for_the_owner_alone(running: Running, tmp_path: Path):
    """The write-ahead log is there only while a run is."""
    look = ("import pathlib, stat, pytest\n"
            "@pytest.hookimpl(wrapper=True)\n"
            "def pytest_pyfunc_call(pyfuncitem):\n"
            "    try:\n"
            "        return (yield)\n"
            "    finally:\n"
            "        for path in pathlib.Path('reports').glob('ledger.*'):\n"
            "            with open('modes', 'a') as file:\n"
            "                print(path.name, oct(stat.S_IMODE(path.stat().st_mode)), file=file)\n")
    (tmp_path / "look.py").write_text(look, "utf-8")

    subprocess.run([sys.executable, "-m", "dcrcheck", "run", "--issuer", running.issuer, "--report-dir=reports", "-p",
                    "look", "-k", "issued_secret"], cwd=tmp_path, check=False, capture_output=True, umask=0,
                   env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"})

    modes = dict(line.split() for line in (tmp_path / "modes").read_text().splitlines())
    assert {"ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "ledger.key"} <= modes.keys()
    assert {name: mode for name, mode in modes.items() if mode != "0o600" and name != "ledger.lock"} == {}


@pytest.mark.parametrize("words", [["profiles"], ["defects"], ["requirements"], ["run", "--help"], ["--version"]],
                         ids=" ".join)
def test_what_only_tells_something_asks_nobody(words: list[str], tmp_path: Path):
    (tmp_path / "tmp").mkdir()

    watched = Watched(tmp_path, *words)

    assert watched.run.returncode == 0, watched.run.stderr
    assert [event for event in watched.events if event[0] != "open"] == []
    assert watched.written == set()


def test_the_workflow_may_read_and_nothing_else():
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")

    permissions = workflow.partition("\npermissions:\n")[2].partition("\n\n")[0].split("\n")
    assert permissions == ["  contents: read"]
    assert workflow.count("permissions:") == 1
    assert "secrets." not in workflow and "pull_request_target" not in workflow
