"""What an interrupted run left behind is deleted later, from its ledger alone, or named for an administrator."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import httpx
import pytest
from filelock import FileLock

from dcrcheck.__main__ import main
from dcrcheck.cleanup import Cleaned, clean_up
from dcrcheck.evidence import Exchange, Recorder
from dcrcheck.house import ROOT
from dcrcheck.ledger import Ledger, digest
from dcrcheck.reference import Running, Server, serve
from dcrcheck.transport import Answer, Headers
from dcrcheck.verdict import Withheld, withhold

ISSUER = "https://as.example"
NOTHING_LEFT = "nothing is left behind"


# -- one clean-up, answer by answer -----------------------------------------------------------------------------------


class Scripted:
    """A transport that answers from a script (a status, headers with it, or Withheld) and remembers what it sent."""

    def __init__(self, *script: int | tuple[int, dict[str, str]] | type[Withheld]) -> None:
        self.recorder = Recorder()
        self.script = iter(script)
        self.sent: list[tuple[str, str, str]] = []

    def send(self, method, url, *, headers=(), content=b"", target=None) -> Answer:
        answer = next(self.script)
        if answer is Withheld:
            withhold("no request can be sent")
        self.sent.append((method, url, dict(headers)["authorization"]))
        status, fields = answer if isinstance(answer, tuple) else (answer, {})
        exchange = Exchange(id=self.recorder.next_id(), method=method, url=url, status=status or None, error="silence")
        return Answer(status=status, headers=Headers(fields), body=b"", url=url, exchange=exchange)


def ledger_of(*clients: str, place: Path | None = None, issuer: str = ISSUER) -> Ledger:
    """The ledger of a run that registered clients which can be managed."""
    ledger = Ledger(place and place / "ledger.sqlite", run="r", issuer=issuer)
    ledger.begin(profile="p", origins=[issuer], embedded=False)
    for client_id in clients:
        row = ledger.intend("test_x", {"client_name": f"dcrcheck r {client_id}"}).row
        ledger.settle(row, 201, client_id, f"{issuer}/register/{client_id}", f"token of {client_id}")
    return ledger


def cleaned(ledger: Ledger, *script, wait: Callable[[float, str], None] | None = None) -> tuple[Cleaned, Scripted]:
    transport = Scripted(*script)
    return clean_up(ledger, transport, origins=[ISSUER], wait=wait or (lambda *_: None)), transport


def reasons(ledger: Ledger) -> dict[str, str]:
    return {left.client_id: left.reason for left in ledger.clients().left}


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_client_is_deleted_with_its_own_token(status: int):
    ledger = ledger_of("a", "b")

    ended, transport = cleaned(ledger, status, status)

    assert transport.sent == [("DELETE", f"{ISSUER}/register/{name}", f"Bearer token of {name}") for name in "ab"]
    assert ended == Cleaned(deleted=2, left=0)
    assert ledger.clients().left == ()


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 405, 410, 500, 503])
def test_what_the_server_does_not_delete_is_left_however_often_it_is_tried(status: int):
    """Of a client that was never deleted, "unknown" means that its address or token is not right."""
    ledger = ledger_of("a")

    for _ in range(3) if status < 500 else range(1):
        ended, _ = cleaned(ledger, status)

    assert ended == Cleaned(deleted=0, left=1)
    assert f"DELETE was answered HTTP {status}" in reasons(ledger)["a"]


@pytest.mark.parametrize("status", [401, 404, 410])
@pytest.mark.parametrize("first", [0, 500, None], ids=["no answer", "error", "killed"])
def test_a_client_that_is_unknown_after_a_deletion_without_an_answer_is_gone(status: int, first: int | None):
    ledger = ledger_of("a")
    if first is None:
        ledger.deleting(digest("a", f"{ISSUER}/register/a"))
    else:
        cleaned(ledger, first)

    ended, _ = cleaned(ledger, status)

    assert ended == Cleaned(deleted=1, left=0)


def test_without_an_address_and_a_token_there_is_nothing_to_try():
    ledger = ledger_of()
    ledger.settle(ledger.intend("test_x", {"client_name": "dcrcheck r 1"}).row, 201, "a")

    ended, transport = cleaned(ledger)

    assert transport.sent == []
    assert ended == Cleaned(deleted=0, left=1)
    assert reasons(ledger) == {"a": "the server gave no registration_client_uri and token to delete it with"}


@pytest.mark.parametrize("uri", ["https://elsewhere.example/register/a", "http://as.example/register/a",
                                 "https://as.example:8443/register/a", "https://as.example@elsewhere.example/a",
                                 "file:///register/a", "//as.example/register/a", ""])
def test_a_token_goes_to_the_origins_of_its_run_only(uri: str):
    ledger = ledger_of()
    ledger.settle(ledger.intend("test_x", {}).row, 201, "a", uri, "the token")

    ended, transport = cleaned(ledger, 204)

    assert transport.sent == []
    assert ended.left == 1


def test_what_the_key_does_not_open_is_left_with_that_reason(tmp_path: Path):
    ledger_of("a", place=tmp_path).close()
    (tmp_path / "ledger.key").unlink()
    ledger = Ledger(tmp_path / "ledger.sqlite", run="r", issuer=ISSUER)

    ended, transport = cleaned(ledger)

    assert transport.sent == []
    assert ended.left == 1
    assert reasons(ledger) == {"a": "its token cannot be read without the ledger.key of the run"}


def test_a_server_that_is_down_is_not_asked_for_every_client():
    ledger = ledger_of(*"abcdef")

    ended, transport = cleaned(ledger, 204, 0, 0, 0)

    assert len(transport.sent) == 4
    assert ended == Cleaned(deleted=1, left=5)
    assert set(reasons(ledger).values()) == {"DELETE was answered no answer (silence)",
                                             "the server no longer answers; dcrcheck cleanup tries again"}


def test_silences_with_an_answer_between_them_are_no_server_that_is_down():
    ended, transport = cleaned(ledger_of(*"abcdef"), 0, 0, 204, 0, 0, 204)

    assert len(transport.sent) == 6
    assert ended.deleted == 2


def test_a_server_that_asks_to_wait_is_waited_for():
    waits: list[float] = []

    ended, transport = cleaned(ledger_of("a"), (429, {"retry-after": "7"}), 204, wait=lambda s, _: waits.append(s))

    assert (waits, len(transport.sent), ended.left) == ([7.0], 2, 0)


@pytest.mark.parametrize("held_back", ["wait", "send"])
def test_what_was_held_back_is_left_with_the_true_reason(held_back: str):
    ledger = ledger_of("a", "b")
    script = [(429, {"retry-after": "7"}), 204] if held_back == "wait" else [Withheld, 204]

    ended, _ = cleaned(ledger, *script, wait=lambda *_: withhold("that is longer than a run waits"))

    assert ended == Cleaned(deleted=1, left=1)
    assert reasons(ledger) == {"a": {"wait": "that is longer than a run waits; dcrcheck cleanup tries again",
                                     "send": "no request can be sent; dcrcheck cleanup tries again"}[held_back]}


def test_an_intent_whose_answer_nobody_saw_is_left_and_named():
    ledger = ledger_of("a")
    ledger.intend("test_x", {"client_name": "dcrcheck r 2"})

    ended, _ = cleaned(ledger, 204)

    assert ended == Cleaned(deleted=1, left=1)
    (left,) = ledger.clients().left
    assert (left.client_id, left.client_name) == ("", "dcrcheck r 2")


# -- the command, against a live server -------------------------------------------------------------------------------


def start(command: str, *options: str, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "dcrcheck", command, *options], cwd=cwd, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONPATH": str(ROOT),
                                                                      **environment})


def cleanup(place: Path, *options: str) -> tuple[int, str]:
    """`dcrcheck cleanup` of a directory: its exit code and what it printed."""
    told = io.StringIO()
    with redirect_stdout(told), redirect_stderr(told):
        code = main(["cleanup", str(place), *options])
    return code, told.getvalue()


def until(condition: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Wait for something to happen at the server; fails after a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None, process.communicate()[0]
        time.sleep(0.005)


@pytest.fixture
def running() -> Iterator[Running]:
    with serve(Server(), tls=False) as running:
        yield running


def abandon(place: Path, running: Running, number: int, run: str = "abandoned") -> Ledger:
    """A ledger of clients that a run registered and never deleted."""
    place.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(place / "ledger.sqlite", run=run, issuer=running.issuer)
    ledger.begin(profile="rfc7591", origins=[running.issuer], embedded=False)
    for count in range(number):
        document = {"client_name": f"dcrcheck {run} {count}", "redirect_uris": ["https://client.example/cb"]}
        row = ledger.intend("test_x", document).row
        answer = httpx.post(f"{running.issuer}/register", json=document, trust_env=False).json()
        ledger.settle(row, 201, answer["client_id"], answer.get("registration_client_uri"),
                      answer.get("registration_access_token"))
    return ledger


def test_what_a_killed_run_left_behind_is_deleted_once_and_for_all(running: Running, tmp_path: Path):
    clients = running.server.store.clients
    with start("run", "--issuer", running.issuer, "--report-dir=reports", "-k", "registration and not abuse",
               cwd=tmp_path) as process:
        until(lambda: len(clients) >= 20, process)
        process.send_signal(signal.SIGKILL)

    (code, told), (_, second) = (cleanup(tmp_path / "reports") for _ in range(2))

    # a registration that was on its way in that moment is the one that has a name only
    unseen = told.count("client_id unknown")
    names = [client.metadata["client_name"] for client in clients.values()]
    assert re.search(rf"\d\d deleted, {unseen} left", told), told
    assert len(names) <= unseen <= 1 and all(name in told for name in names)
    assert code == (6 if unseen else 0)
    assert unseen or (NOTHING_LEFT in told and second == f"{NOTHING_LEFT}\n")


def test_a_clean_up_that_is_killed_goes_on_where_it_stopped(tmp_path: Path):
    class Slow(Server):
        def delete(self, client):
            time.sleep(0.03)
            return super().delete(client)

    with serve(Slow(), tls=False) as running:
        abandon(tmp_path, running, 20).close()
        clients = running.server.store.clients
        for left in (15, 8):
            with start("cleanup", str(tmp_path), cwd=tmp_path) as process:
                until(lambda left=left: len(clients) <= left, process)
                process.send_signal(signal.SIGKILL)
            assert clients
        code, told = cleanup(tmp_path)

    assert (code, dict(clients)) == (0, {}), told
    assert NOTHING_LEFT in told


def test_a_server_that_is_down_is_tried_again_later(running: Running, tmp_path: Path):
    abandon(tmp_path, running, 5).close()
    running.stop()
    down = cleanup(tmp_path)

    with serve(running.server, tls=False, port=int(running.issuer.rpartition(":")[2])):
        up = cleanup(tmp_path)

    assert down[0] == 6
    assert "0 deleted, 5 left" in down[1] and "5 clients may remain at their servers" in down[1]
    assert down[1].count("dcrcheck abandoned") == 5
    assert up[0] == 0
    assert dict(running.server.store.clients) == {}


def test_all_runs_of_a_ledger_are_cleaned_up_after(running: Running, tmp_path: Path):
    for run in ("one", "other"):
        abandon(tmp_path, running, 2, run).close()

    code, told = cleanup(tmp_path / "ledger.sqlite")

    assert code == 0
    assert "run one at" in told and "run other at" in told
    assert dict(running.server.store.clients) == {}


class Unmanaged(Server):
    """Registers clients and offers no RFC 7592."""

    def describe(self, client):
        members = ("registration_client_uri", "registration_access_token")
        return {name: value for name, value in super().describe(client).items() if name not in members}


def test_what_cannot_be_deleted_is_named_for_an_administrator(tmp_path: Path):
    with serve(Unmanaged(), tls=False) as running:
        with start("run", "--issuer", running.issuer, "--report-dir=reports", "-k", "issued_secret or is_returned",
                   cwd=tmp_path) as process:
            process.communicate(timeout=60)
        code, told = cleanup(tmp_path / "reports")
        clients = dict(running.server.store.clients)

    run = json.loads((tmp_path / "reports" / "results.json").read_text("utf-8"))["run"]["id"]
    named = {line.split()[0]: line for line in told.splitlines() if line.startswith("    ")}
    assert code == 6
    assert clients and named.keys() == clients.keys()
    assert [name for name, client in clients.items() if client.metadata["client_name"] not in named[name]] == []
    assert [line for line in named.values() if f"dcrcheck {run} " not in line] == []
    assert all("the server gave no registration_client_uri" in line for line in named.values())


def test_a_token_is_not_sent_to_where_the_server_points_with_it(running: Running, tmp_path: Path):
    with serve(Server(), tls=False) as stranger:
        asked: list[str] = []
        inner = stranger.server.app

        async def app(scope, receive, send) -> None:
            asked.append(scope["path"])
            await inner(scope, receive, send)

        stranger._http.config.loaded_app = app
        ledger = abandon(tmp_path, running, 1)
        ledger.settle(1, 201, "c", f"{stranger.issuer}/register/c", "the token of another place")
        ledger.close()

        code, told = cleanup(tmp_path)

    assert code == 6
    assert "lies on another origin" in told and "the token is not sent there" in told
    assert asked == []


def test_a_missing_key_is_said_of_each_client(running: Running, tmp_path: Path):
    abandon(tmp_path, running, 3).close()
    (tmp_path / "ledger.key").unlink()

    code, told = cleanup(tmp_path)

    assert code == 6
    assert told.count("its token cannot be read without the ledger.key of the run") == 3


def test_hostile_names_cannot_act_on_the_terminal(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger.sqlite", run="r", issuer="https://as.example\x1b[2J")
    ledger.begin(profile="p", origins=[], embedded=False)
    row = ledger.intend("test_x", {"client_name": "a\x1b]0;owned\x07\nnothing is left behind"}).row
    ledger.settle(row, 201, "id\x1b[31m\nb")
    ledger.close()

    code, told = cleanup(tmp_path)

    assert code == 6
    assert not {char for char in told if not char.isprintable()} - {"\n"}
    assert NOTHING_LEFT not in told.splitlines()


def test_what_an_embedded_server_held_went_with_it(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger.sqlite", run="r", issuer="https://127.0.0.1:1")
    ledger.begin(profile="reference", origins=["https://127.0.0.1:1"], embedded=True)
    ledger.settle(ledger.intend("test_x", {}).row, 201, "c", "https://127.0.0.1:1/register/c", "token")
    ledger.close()

    code, told = cleanup(tmp_path)

    assert code == 0
    assert "gone with the embedded server" in told
    assert cleanup(tmp_path) == (0, f"{NOTHING_LEFT}\n")


def complaint(code: int, told: str) -> str:
    assert code == 4
    assert len(told.splitlines()) == 1 and told.startswith("dcrcheck: "), told
    return told


def test_while_a_run_is_going_on_its_clients_are_its_own_business(running: Running, tmp_path: Path):
    abandon(tmp_path, running, 1).close()

    with FileLock(tmp_path / "ledger.lock"):
        said = complaint(*cleanup(tmp_path))

    assert "a run is writing to" in said
    assert len(running.server.store.clients) == 1


def test_a_run_holds_that_lock(running: Running, tmp_path: Path):
    clients = running.server.store.clients
    with start("run", "--issuer", running.issuer, "--report-dir=reports", "-k", "credentials", cwd=tmp_path) as process:
        until(lambda: len(clients) >= 3, process)
        process.send_signal(signal.SIGSTOP)
        try:
            said = complaint(*cleanup(tmp_path / "reports"))
        finally:
            process.kill()

    assert "a run is writing to" in said


@pytest.mark.parametrize("where", ["", "ledger.sqlite", "no/such/directory"])
def test_where_there_is_no_ledger_one_line_says_so(where: str, tmp_path: Path):
    assert "no such ledger" in complaint(*cleanup(tmp_path / where))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"no database" * 1000, b""], ids=["garbage", "empty"])
def test_what_is_no_ledger_is_not_taken_for_one(content: bytes, tmp_path: Path):
    (tmp_path / "ledger.sqlite").write_bytes(content)

    code, told = cleanup(tmp_path)

    assert (code, len(told.splitlines())) == ((4, 1) if content else (0, 1))


# -- a ledger that cannot be written any more -------------------------------------------------------------------------

FULL = """
import pytest
from dcrcheck.plugin import TRIAL

@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config):
    database = config.stash[TRIAL].budget.ledger._db
    database.execute(f"PRAGMA max_page_count={database.execute('PRAGMA page_count').fetchone()[0] + 30}")
"""


@contextmanager
def full(running: Running, place: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A run whose ledger has room for some more pages, as on a disk that fills up."""
    (place / "full.py").write_text(FULL, "utf-8")
    with start("run", "-p", "full", "--issuer", running.issuer, "--report-dir=reports", *options, cwd=place,
               PYTHONPATH=f"{ROOT}{os.pathsep}{place}") as process:
        yield process


def test_where_the_disk_is_full_nothing_is_registered_that_the_ledger_does_not_know(running: Running, tmp_path: Path):
    known: set[str] = set()
    inner = running.server.create

    def create(metadata):
        client = inner(metadata)
        known.add(client.metadata.get("client_name", ""))
        return client

    running.server.create = create
    with full(running, tmp_path, "-k", "registration or credentials") as process:
        told = process.communicate(timeout=100)[0]

    listed = {item.client_name for item in Ledger(tmp_path / "reports" / "ledger.sqlite", run=json.loads(
        (tmp_path / "reports" / "results.json").read_text("utf-8"))["run"]["id"], issuer="").remainders()}
    left = {client.metadata.get("client_name", "") for client in running.server.store.clients.values()}
    results = json.loads((tmp_path / "reports" / "results.json").read_text("utf-8"))
    assert "Traceback" not in told and "INTERNALERROR" not in told, told[-3000:]
    assert process.returncode == 6, told[-3000:]
    assert known and left <= listed
    assert results["counts"]["ERROR"] == results["counts"]["FAIL"] == 0
    assert any("the ledger cannot be written: database or disk is full" in finding["why"]
               for finding in results["findings"])
    assert "the ledger cannot be written" in re.sub(r"\s+", " ", told)
