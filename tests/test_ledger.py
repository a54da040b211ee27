"""Nothing is left behind silently: an intent is durable before its request is sent, and no end of a run loses one."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dcrcheck.aftermath import clean_up_after
from dcrcheck.documents import ConfigurationError
from dcrcheck.house import ROOT
from dcrcheck.ledger import Ledger, digest
from dcrcheck.redaction import Redactor

ISSUER = "https://as.example"
TOKEN = "reg-token-7f3a9c51b2e84d06"
URI = f"{ISSUER}/register/a?token={TOKEN}"


def opened(place: Path, run: str = "r", **options) -> Ledger:
    return Ledger(place / "ledger.sqlite", run=run, issuer=ISSUER, **options)


def names(path: Path) -> list[str]:
    """The client names of a ledger in the order of their intents, as any SQLite reads them."""
    with sqlite3.connect(path) as database:
        return [row[0] for row in database.execute("SELECT client_name FROM client ORDER BY id")]


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


# -- what is written, and when ----------------------------------------------------------------------------------------


def test_an_intent_without_an_answer_is_listed_as_left(tmp_path: Path):
    ledger = opened(tmp_path)
    ledger.intend("test_x", {"client_name": "dcrcheck r 1"})

    (left,) = ledger.clients().left

    assert left.client_name == "dcrcheck r 1"
    assert "never seen" in left.reason


@pytest.mark.parametrize("status", [0, 200, 201])
def test_an_answer_without_a_client_id_that_may_mean_success_is_listed_as_left(status: int, tmp_path: Path):
    ledger = opened(tmp_path)

    ledger.settle(ledger.intend("test_x", {"client_name": "a"}).row, status)

    assert [left.client_name for left in ledger.clients().left] == ["a"]


def test_a_deleted_client_is_not_left(tmp_path: Path):
    ledger = opened(tmp_path)
    for client_id in ("a", "b"):
        ledger.settle(ledger.intend("test_x", {"client_name": client_id}).row, 201, client_id, None)
    ledger.deleted(digest("a", None))

    clients = ledger.clients()

    assert (clients.created, clients.deleted) == (2, 1)
    assert [client.client_id for client in clients.left] == ["b"]


def test_a_refusal_leaves_nothing(tmp_path: Path):
    ledger = opened(tmp_path)
    ledger.settle(ledger.intend("test_x", {"client_name": "a"}).row, 400)

    assert ledger.clients().left == ()
    assert ledger.registrations() == 1


def test_an_intent_that_is_withdrawn_never_was(tmp_path: Path):
    ledger = opened(tmp_path)

    ledger.withdraw(ledger.intend("test_x", {"client_name": "a"}).row)

    assert ledger.registrations() == 0
    assert ledger.clients().left == ()


def test_a_hostile_client_id_is_kept_as_text(tmp_path: Path):
    ledger = opened(tmp_path)
    ledger.settle(ledger.intend("test_x", {"client_name": "\ud800"}).row, 201, "id\ud800", None)

    assert ledger.clients().left[0].client_id == "id\\ud800"


def test_a_client_id_of_a_megabyte_is_shortened_and_still_told_apart(tmp_path: Path):
    ledger = opened(tmp_path)
    for end in ("a", "b"):
        ledger.settle(ledger.intend("test_x", {"client_name": end}).row, 201, "x" * 10**6 + end, f"{ISSUER}/{end}",
                      f"token of {end}")
    ledger.deleted(digest("x" * 10**6 + "a", f"{ISSUER}/a"))

    (left,) = ledger.remainders()

    assert len(left.client_id) < 3000
    assert (left.uri, left.token) == (f"{ISSUER}/b", "token of b")


def test_an_intent_is_synced_to_the_disk_before_its_request_goes_out(tmp_path: Path):
    """SQLite syncs its log at a commit where PRAGMA synchronous is FULL (2), and not where it is NORMAL (1)."""
    ledger = opened(tmp_path)
    ledger.begin(profile="p", origins=[ISSUER], embedded=False)
    levels: list[tuple[str, int]] = []

    class Watching:
        def __init__(self, database: sqlite3.Connection) -> None:
            self.database = database

        def execute(self, statement: str, *values):
            if statement == "COMMIT":
                levels.append((self.did, self.database.execute("PRAGMA synchronous").fetchone()[0]))
            elif statement.startswith(("INSERT", "UPDATE")):
                self.did = " ".join(statement.split()[:3])
            return self.database.execute(statement, *values)

    ledger._db = Watching(ledger._db)
    row = ledger.intend("test_x", {"client_name": "a"}).row
    ledger.settle(row, 201, "a", URI, TOKEN)

    assert levels == [("INSERT INTO client", 2), ("UPDATE client SET", 1)]


# -- what can be read of it -------------------------------------------------------------------------------------------


@pytest.fixture
def secretive(tmp_path: Path) -> Ledger:
    """A ledger of a run that knows one secret, which stands in everything that the server and the check say."""
    redactor = Redactor()
    redactor.learn(TOKEN)
    ledger = opened(tmp_path, scrub=redactor.scrub)
    ledger.begin(profile="p", origins=[ISSUER], embedded=False)
    row = ledger.intend("test_x", {"client_name": f"dcrcheck r {TOKEN}", "software_id": TOKEN}).row
    ledger.settle(row, 201, "a", URI, TOKEN)
    ledger.share(digest("a", URI), "{}", {"document": {"client_name": TOKEN}})
    ledger.note(digest("a", URI), f"DELETE was answered 400 with {TOKEN}")
    return ledger


def test_no_file_of_a_ledger_holds_a_secret(secretive: Ledger, tmp_path: Path):
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    assert {"ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "ledger.key"} <= files.keys()
    assert [name for name, content in files.items() if TOKEN.encode() in content] == []


def test_what_deletes_a_client_opens_with_the_key_file(secretive: Ledger, tmp_path: Path):
    secretive.close()

    (left,) = opened(tmp_path).remainders()

    assert (left.uri, left.token, left.unreadable) == (URI, TOKEN, False)


@pytest.mark.parametrize("loss", ["missing", "foreign"])
def test_what_deletes_a_client_opens_with_no_other_key(loss: str, secretive: Ledger, tmp_path: Path):
    secretive.close()
    if loss == "missing":
        (tmp_path / "ledger.key").unlink()
    else:
        Ledger(tmp_path / "other.sqlite", run="r", issuer=ISSUER).close()
        (tmp_path / "other.key").replace(tmp_path / "ledger.key")

    (left,) = opened(tmp_path).remainders()

    assert (left.uri, left.token, left.unreadable) == (None, None, True)


def test_of_a_deleted_client_nothing_sealed_is_kept(secretive: Ledger, tmp_path: Path):
    secretive.deleted(digest("a", URI))

    with sqlite3.connect(tmp_path / "ledger.sqlite") as database:
        assert database.execute("SELECT sealed FROM client").fetchall() == [(None,)]
    assert secretive.shared() == {}


def test_a_renewed_token_is_the_one_that_deletes(secretive: Ledger, tmp_path: Path):
    secretive.renew(digest("a", URI), "the token after that")
    secretive.close()

    again = opened(tmp_path)

    assert [left.token for left in again.remainders()] == ["the token after that"]
    assert again.shared()["{}"]["token"] == "the token after that"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777], ids=oct)
def test_its_files_are_for_their_owner_only_whatever_the_umask(umask: int, tmp_path: Path):
    before = os.umask(umask)
    try:
        ledger = opened(tmp_path)
        ledger.intend("test_x", {"client_name": "a"})
    finally:
        os.umask(before)

    files = ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "ledger.key")
    assert {path.name: mode(path) for path in tmp_path.iterdir()} == dict.fromkeys(files, "0o600")


def test_files_that_others_could_read_are_closed_to_them(tmp_path: Path):
    opened(tmp_path).close()
    for name in ("ledger.sqlite", "ledger.key"):
        (tmp_path / name).chmod(0o644)

    opened(tmp_path).close()

    assert {mode(tmp_path / name) for name in ("ledger.sqlite", "ledger.key")} == {"0o600"}


# -- a ledger of version 0.1.0 ----------------------------------------------------------------------------------------


def old(place: Path) -> Path:
    """A ledger as version 0.1.0 left it: one client that it could not delete, one that it deleted."""
    path = place / "ledger.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute(
            "CREATE TABLE client (id INTEGER PRIMARY KEY, run TEXT NOT NULL, check_id TEXT NOT NULL, "
            "issuer TEXT NOT NULL, sent_at REAL NOT NULL, client_name TEXT NOT NULL, status INTEGER, client_id TEXT, "
            "registration_client_uri TEXT, deleted_at REAL, note TEXT NOT NULL DEFAULT '')")
        database.executemany(
            "INSERT INTO client (run, check_id, issuer, sent_at, client_name, status, client_id, deleted_at) "
            "VALUES ('of0.1.0', 'test_old', ?, 1700000000.0, ?, 201, ?, ?)",
            [(ISSUER, "dcrcheck of0.1.0 1", "stayed", None), (ISSUER, "dcrcheck of0.1.0 2", "went", 1700000001.0)])
    return path


def test_a_ledger_of_version_0_1_0_is_continued(tmp_path: Path):
    path = old(tmp_path)

    ledger = opened(tmp_path)
    ledger.begin(profile="p", origins=[ISSUER], embedded=False)
    ledger.settle(ledger.intend("test_x", {"client_name": "new"}).row, 201, "n", URI, TOKEN)

    assert names(path) == ["dcrcheck of0.1.0 1", "dcrcheck of0.1.0 2", "new"]
    assert [left.token for left in ledger.remainders()] == [TOKEN]


def test_what_version_0_1_0_left_behind_is_named_for_an_administrator(tmp_path: Path):
    told: list[str] = []

    left = clean_up_after(old(tmp_path), tell=told.append)

    assert left == 1
    assert "stayed named 'dcrcheck of0.1.0 1', registered 2023-11-14T22:13:20Z" in "\n".join(told)


# -- several that write at once ---------------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from dcrcheck.ledger import Ledger
path, prefix, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
log = path.with_name(path.name + "-wal")
ledger = Ledger(path, run=prefix, issuer="i")
for number in range(count):
    ledger.intend("test_x", {"client_name": f"{prefix}{number}"})
    print(number, log.stat().st_size, flush=True)
"""


def writer(path: Path, prefix: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path), prefix, str(count)], stdout=subprocess.PIPE,
                            text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_two_processes_that_write_at_once_lose_nothing(tmp_path: Path):
    """They begin at the same moment, so that both find neither ledger nor key."""
    path = tmp_path / "ledger.sqlite"

    both = [writer(path, prefix, 100) for prefix in "ab"]
    codes = [one.communicate() and one.returncode for one in both]

    assert codes == [0, 0]
    assert set(names(path)) == {f"{prefix}{number}" for prefix in "ab" for number in range(100)}


def test_threads_of_one_process_lose_nothing(tmp_path: Path):
    ledger = opened(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda number: ledger.intend("test_x", {"client_name": str(number)}).row, range(100)))

    assert len(set(rows)) == 100
    assert set(names(tmp_path / "ledger.sqlite")) == {str(number) for number in range(100)}


# -- sudden ends ------------------------------------------------------------------------------------------------------


def test_a_killed_run_keeps_every_entry(tmp_path: Path):
    path = tmp_path / "ledger.sqlite"
    with writer(path, "", 10**6) as process:
        told = [process.stdout.readline() for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()

    whole = {line.split()[0] for line in told if line.endswith("\n")}
    assert whole <= set(names(path))
    assert len(whole) >= 50


def test_a_machine_that_loses_power_keeps_every_entry_that_was_synced(tmp_path: Path):
    """The log may end anywhere behind what was synced, and what is readable is always a beginning of what was sent."""
    path, copy = tmp_path / "ledger.sqlite", tmp_path / "after"
    with writer(path, "n", 150) as process:  # fewer than make SQLite move its log into the main file
        told = [process.stdout.readline().split() for _ in range(60)]
        process.send_signal(signal.SIGSTOP)
        copy.mkdir()
        for file in (path, path.with_name("ledger.sqlite-wal"), path.with_suffix(".key")):
            shutil.copy(file, copy)
        process.kill()
    log = (copy / "ledger.sqlite-wal").read_bytes()
    synced = [int(size) for _, size in told]
    main = (copy / "ledger.sqlite").read_bytes()
    chance = random.Random(7591)

    for length in [0, len(log), *(chance.randrange(len(log)) for _ in range(100))]:
        for file in copy.glob("ledger.sqlite*"):
            file.unlink()
        (copy / "ledger.sqlite").write_bytes(main)
        (copy / "ledger.sqlite-wal").write_bytes(log[:length])
        ledger = opened(copy, run="n")
        there = [left.client_name for left in ledger.remainders()]
        ledger.close()
        with sqlite3.connect(copy / "ledger.sqlite") as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert there == [f"n{number}" for number in range(len(there))]
        assert len(there) >= sum(size <= length for size in synced)


def test_a_full_disk_is_said_and_nothing_that_was_there_is_lost(tmp_path: Path):
    ledger = opened(tmp_path)
    ledger.begin(profile="p", origins=[ISSUER], embedded=False)
    pages = ledger._db.execute("PRAGMA page_count").fetchone()[0]
    ledger._db.execute(f"PRAGMA max_page_count={pages + 4}")
    written = []

    with pytest.raises(OSError, match="the ledger cannot be written: database or disk is full"):
        for number in range(10**4):
            ledger.intend("test_x", {"client_name": str(number)})
            written.append(str(number))
    ledger.close()

    assert len(written) > 10
    assert names(tmp_path / "ledger.sqlite") == written
    ledger = opened(tmp_path)
    assert ledger.intend("test_x", {"client_name": "there is room again"}).row is not None


# -- what is no ledger ------------------------------------------------------------------------------------------------


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database, whatever its name says\n" * 100)


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size * 2 // 3)


def scribble(path: Path) -> None:
    """The first page, where SQLite finds all others, is whole; what follows is noise."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"noise" * (path.stat().st_size // 5))


def no_key(path: Path) -> None:
    path.with_suffix(".key").write_bytes(b"no key")


@pytest.mark.parametrize("damage", [garbage, cut, scribble, no_key], ids=lambda damage: damage.__name__)
def test_a_damaged_ledger_is_one_line_for_whoever_cleans_up(damage, tmp_path: Path):
    ledger = opened(tmp_path)
    ledger.begin(profile="p", origins=[ISSUER], embedded=False)
    for number in range(100):
        ledger.settle(ledger.intend("test_x", {"client_name": str(number)}).row, 201, str(number), URI, TOKEN)
    ledger.close()
    damage(tmp_path / "ledger.sqlite")

    with pytest.raises(ConfigurationError, match="ledger") as complaint:
        clean_up_after(tmp_path, tell=print)
    assert "\n" not in str(complaint.value)


@pytest.mark.parametrize("damage", [garbage, scribble], ids=lambda damage: damage.__name__)
def test_a_damaged_ledger_is_one_line_for_a_run(damage, tmp_path: Path):
    ledger = opened(tmp_path)
    ledger.begin(profile="p", origins=[ISSUER], embedded=False)
    for number in range(100):
        ledger.settle(ledger.intend("test_x", {"client_name": str(number)}).row, 201, str(number), URI, TOKEN)
    ledger.close()
    damage(tmp_path / "ledger.sqlite")

    run = subprocess.run([sys.executable, "-m", "dcrcheck", "run", f"--report-dir={tmp_path}", "-k", "discovery"],
                         cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100,
                         env={**os.environ, "PYTHONPATH": str(ROOT)})

    lines = [line for line in (run.stdout + run.stderr).splitlines() if line.strip()]
    assert run.returncode == 4, lines
    assert len(lines) == 1 and "ledger" in lines[0]


def test_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path):
    with pytest.raises(OSError, match="no-such"):
        opened(tmp_path / "no-such")


def test_the_members_by_which_an_administrator_knows_a_client_are_kept(tmp_path: Path):
    ledger = opened(tmp_path, run="abcd")
    for document in ({"client_name": "dcrcheck abcd 1"}, {"client_name": "<b>", "software_id": "abcd"}, {}, [], None):
        ledger.intend("test_x", document)

    with sqlite3.connect(tmp_path / "ledger.sqlite") as database:
        markers = [row[0] for row in database.execute("SELECT marker FROM client ORDER BY id")]
    assert markers == ["client_name", "software_id", "", "", ""]


def test_what_was_found_is_kept_until_the_run_ends(tmp_path: Path):
    ledger = opened(tmp_path)
    ledger.begin(profile="p", origins=[ISSUER], embedded=False)
    ledger.keep("a", json.dumps({"said": "\ud800"}))
    ledger.keep("a", "later")

    assert ledger.kept() == {"a": "later"}
    ledger.finish()
    assert ledger.kept() == {}
