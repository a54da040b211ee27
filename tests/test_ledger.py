"""Nothing is left behind silently: an intent is durable before its request is sent."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from dcrcheck.house import ROOT
from dcrcheck.ledger import Ledger


def test_the_file_is_for_its_owner_only(tmp_path: Path):
    Ledger(tmp_path / "ledger.sqlite", run="r", issuer="https://as.example").close()

    assert (tmp_path / "ledger.sqlite").stat().st_mode & 0o777 == 0o600


def test_an_intent_without_an_answer_is_listed_as_left(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger.sqlite", run="r", issuer="https://as.example")
    ledger.intend("test_x", {"client_name": "dcrcheck r 1"})

    (left,) = ledger.clients().left

    assert left.client_name == "dcrcheck r 1"
    assert "never seen" in left.reason


def test_a_deleted_client_is_not_left(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger.sqlite", run="r", issuer="https://as.example")
    for client_id in ("a", "b"):
        ledger.settle(ledger.intend("test_x", {"client_name": client_id}), 201, client_id, None)
    ledger.deleted("a")

    clients = ledger.clients()

    assert (clients.created, clients.deleted) == (2, 1)
    assert [client.client_id for client in clients.left] == ["b"]


def test_a_refusal_leaves_nothing(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger.sqlite", run="r", issuer="https://as.example")
    ledger.settle(ledger.intend("test_x", {"client_name": "a"}), 400)

    assert ledger.clients().left == ()
    assert ledger.registrations() == 1


def test_a_hostile_client_id_is_kept_as_text(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger.sqlite", run="r", issuer="https://as.example")
    ledger.settle(ledger.intend("test_x", {"client_name": "\ud800"}), 201, "id\ud800", None)

    assert ledger.clients().left[0].client_id == "id\\ud800"


def test_a_killed_run_keeps_every_entry(tmp_path: Path):
    program = ("import sys\nfrom pathlib import Path\nfrom dcrcheck.ledger import Ledger\n"
               "ledger = Ledger(Path(sys.argv[1]), run='r', issuer='i')\n"
               "for number in range(10**6):\n"
               "    ledger.intend('test_x', {'client_name': str(number)})\n    print(number, flush=True)\n")
    path = tmp_path / "ledger.sqlite"
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        told = [process.stdout.readline() for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()

    names = {row[0] for row in sqlite3.connect(path).execute("SELECT client_name FROM client")}
    whole = {line.strip() for line in told if line.endswith("\n")}
    assert whole <= names
    assert len(whole) >= 50


def test_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path):
    with pytest.raises(OSError, match="no-such"):
        Ledger(tmp_path / "no-such" / "ledger.sqlite", run="r", issuer="i")
