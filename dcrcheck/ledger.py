"""The durable record of every client that a run created, of what became of it, and of what the run has found so far."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dcrcheck.results import Clients, LeftClient
from dcrcheck.sealing import Seal
from dcrcheck.verdict import Withheld

_TABLES = """
CREATE TABLE IF NOT EXISTS run (
    id TEXT PRIMARY KEY, issuer TEXT NOT NULL, profile TEXT NOT NULL, origins TEXT NOT NULL, embedded INTEGER NOT NULL,
    started_at REAL NOT NULL, finished_at REAL, resumed INTEGER NOT NULL DEFAULT 0,
    exchanges INTEGER NOT NULL DEFAULT 0, turn_at REAL NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS client (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, check_id TEXT NOT NULL, issuer TEXT NOT NULL,
    sent_at REAL NOT NULL, client_name TEXT NOT NULL, status INTEGER, client_id TEXT,
    registration_client_uri TEXT, deleted_at REAL, note TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS finding (run TEXT NOT NULL, check_id TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (run, check_id));
CREATE INDEX IF NOT EXISTS client_of_run ON client (run);
CREATE INDEX IF NOT EXISTS client_by_time ON client (issuer, sent_at);
"""
_LATER = {"deleting_at": "REAL", "shared_as": "TEXT", "sealed": "BLOB", "marker": "TEXT NOT NULL DEFAULT ''",
          # see `digest`: what can be read of a client_id may have lost a secret, or its end
          "digest": "TEXT"}
_LONGEST = 2000


@dataclass(frozen=True, kw_only=True)
class RunEntry:
    """A run as its ledger knows it. Times are seconds since the epoch; `finished_at` is None if it was interrupted."""

    id: str
    issuer: str
    profile: str
    origins: tuple[str, ...]
    embedded: bool
    started_at: float
    finished_at: float | None
    exchanges: int


@dataclass(frozen=True, kw_only=True)
class Remainder:
    """A client that may still be at the server. `uri` and `token` are what RFC 7592 deletes it with, if known.

    `deleting`: a deletion was sent before · `unreadable`: they are sealed under a key that is not there.
    """

    row: int
    digest: str
    client_id: str
    client_name: str
    check: str
    sent_at: float
    uri: str | None
    token: str | None
    deleting: bool
    unreadable: bool
    note: str


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The answer to a wish to register: the row of the intent, or the seconds to wait, or neither (all are spent)."""

    row: int | None = None
    wait_s: float | None = None


class LedgerFault(Withheld, OSError):
    """The ledger cannot be written or read, as on a full disk: what needs it cannot be judged."""


class Ledger:
    """An SQLite file of mode 0600, shared by all processes of a run.

    A row is on the disk before its registration is sent. Credentials rest sealed; what can be read holds none.
    """

    def __init__(self, path: Path | None, *, run: str, issuer: str, scrub: Callable[[str], str] = str) -> None:
        """Open or continue a ledger; `path` None keeps it in memory. `scrub` takes secrets out of what can be read.

        Raises:
            OSError: the file cannot be written, or is no ledger.
        """
        self.run, self.issuer, self.path = run, issuer, path
        self.bearing = run
        """What the clients of this run bear in their names, another each time that the run goes on."""
        self._scrub = scrub
        self._lock = threading.RLock()
        try:
            if path is not None:
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
                path.chmod(0o600)
            self._seal = Seal.fresh() if path is None else Seal.beside(path)
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=30)
            # a write-ahead log survives the death of the process without a sync for every row; where another process
            # is just turning it on, SQLite does not wait
            with suppress(sqlite3.OperationalError):
                self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._lay_out()
        except (sqlite3.Error, ValueError) as error:
            raise OSError(f"{path} cannot be used as a ledger: {error}") from None

    def _lay_out(self) -> None:
        """Make the tables that are missing, and of those of an older version what they lack."""
        self._db.execute("BEGIN IMMEDIATE")
        for statement in filter(str.strip, _TABLES.split(";")):
            self._db.execute(statement)
        there = {row[1] for row in self._db.execute("PRAGMA table_info(client)")}
        for column, kind in _LATER.items():
            if column not in there:
                self._db.execute(f"ALTER TABLE client ADD COLUMN {column} {kind}")
        if "marker" not in there:
            # version 0.1.0 wrote down clients, and nothing of the runs that created them
            self._db.execute("INSERT OR IGNORE INTO run (id, issuer, profile, origins, embedded, started_at) "
                             "SELECT run, max(issuer), '', '[]', 0, min(sent_at) FROM client GROUP BY run")
        self._db.execute("COMMIT")

    @contextmanager
    def _transaction(self, *, synced: bool = False) -> Iterator[sqlite3.Connection]:
        """One change; `synced` means that it outlives the machine as well as the process."""
        with self._lock:
            try:
                if synced and self.path is not None:
                    self._db.execute("PRAGMA synchronous=FULL")
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                    self._db.execute("COMMIT")
                except BaseException:
                    # of a full disk SQLite has done that itself
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise LedgerFault(f"the ledger cannot be written: {error}") from None
            finally:
                if synced and self.path is not None:
                    self._db.execute("PRAGMA synchronous=NORMAL")

    def _change(self, statement: str, *values: Any) -> None:
        with self._transaction() as db:
            db.execute(statement, values)

    def _all(self, statement: str, *values: Any) -> list[Any]:
        with self._lock:
            try:
                return self._db.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise LedgerFault(f"the ledger cannot be read: {error}") from None

    # -- the run ----------------------------------------------------------------------------------------------------

    def begin(self, *, profile: str, origins: Sequence[str], embedded: bool, exchanges: int = 0) -> None:
        """Write down that a run begins, and where its credentials may go.

        One that goes on is counted. `exchanges` were sent before.
        """
        with self._transaction(synced=True) as db:
            resumed = db.execute(
                "INSERT INTO run (id, issuer, profile, origins, embedded, started_at, exchanges) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET resumed = resumed + 1, "
                "exchanges = exchanges + excluded.exchanges RETURNING resumed",
                (self.run, self.issuer, profile, json.dumps(sorted(origins)), int(embedded), time.time(),
                 exchanges)).fetchone()[0]
        self.bearing = f"{self.run}.{resumed}" if resumed else self.run

    def finish(self) -> None:
        """Write down that the run came to its end: what it found so far is in its reports now."""
        with self._transaction() as db:
            db.execute("UPDATE run SET finished_at = ? WHERE id = ?", (time.time(), self.run))
            db.execute("DELETE FROM finding WHERE run = ?", (self.run,))

    def runs(self) -> list[RunEntry]:
        """All runs of this ledger, the oldest first."""
        rows = self._all("SELECT id, issuer, profile, origins, embedded, started_at, finished_at, exchanges FROM run "
                         "ORDER BY started_at")
        return [RunEntry(id=row[0], issuer=row[1], profile=row[2], origins=tuple(json.loads(row[3])),
                         embedded=bool(row[4]), started_at=row[5], finished_at=row[6], exchanges=row[7])
                for row in rows]

    def spend(self, *, most: int | None, pause_s: float = 0.0) -> float | None:
        """One more exchange of this run; the seconds until its turn if exchanges are `pause_s` apart.

        None if `most` were sent already. Shared by all processes of the run.
        """
        now = time.time()
        # one statement is a transaction of its own
        row = (self._all("UPDATE run SET exchanges = exchanges + 1, turn_at = max(turn_at, ?) + ? WHERE id = ? "
                         "AND (? IS NULL OR exchanges < ?) RETURNING turn_at", now, pause_s, self.run, most, most)
               or [None])[0]
        return None if row is None else max(0.0, float(row[0]) - pause_s - now)

    # -- registrations ----------------------------------------------------------------------------------------------

    def intend(self, check: str, document: Any, *, most: int | None = None,
               limit: tuple[int, float] | None = None) -> Claim:
        """Write down that a registration is about to be sent, on the disk when this returns.

        `most` is what the whole run may send, `limit` what any runs may send to this issuer: so many in so many
        seconds.
        """
        with self._transaction(synced=True) as db:
            sent = int(db.execute("SELECT count(*) FROM client WHERE run = ?", (self.run,)).fetchone()[0])
            if most is not None and sent >= most:
                return Claim()
            now = time.time()
            if limit is not None:
                inside = db.execute("SELECT sent_at FROM client WHERE issuer = ? AND sent_at > ? ORDER BY sent_at DESC "
                                    "LIMIT ?", (self.issuer, now - limit[1], limit[0])).fetchall()
                if len(inside) >= limit[0]:
                    return Claim(wait_s=max(0.0, inside[-1][0] + limit[1] - now))
            return Claim(row=self._insert(db, check, document))

    def intend_all(self, check: str, documents: Sequence[Any], *, most: int) -> list[int]:
        """The same for registrations in quick succession, as many of them as the run may still send."""
        with self._transaction(synced=True) as db:
            sent = int(db.execute("SELECT count(*) FROM client WHERE run = ?", (self.run,)).fetchone()[0])
            return [self._insert(db, check, document) for document in documents[:max(0, most - sent)]]

    def _insert(self, db: sqlite3.Connection, check: str, document: Any) -> int:
        name = document.get("client_name", "") if isinstance(document, dict) else ""
        text = name if isinstance(name, str) else json.dumps(name, default=str)
        cursor = db.execute(
            "INSERT INTO client (run, check_id, issuer, sent_at, client_name, marker) VALUES (?, ?, ?, ?, ?, ?)",
            (self.run, check, self.issuer, time.time(), self._text(text)[:200], self.marker(document)))
        return int(cursor.lastrowid or 0)

    def marker(self, document: Any) -> str:
        """The member by which an administrator recognises the client, if one of them names the run."""
        members = document if isinstance(document, dict) else {}
        return next((name for name in ("client_name", "software_id") if self.run in str(members.get(name, ""))), "")

    def withdraw(self, row: int) -> None:
        """Take an intent back: nothing was sent."""
        self._change("DELETE FROM client WHERE id = ?", row)

    def settle(self, row: int, status: int, client_id: str | None = None, uri: str | None = None,
               token: str | None = None) -> None:
        """Write down how the server answered, and what RFC 7592 deletes the client with. `status` 0: not at all."""
        sealed = None if client_id is None else self._seal.close({"uri": uri, "token": token})
        self._change("UPDATE client SET status = ?, client_id = ?, digest = ?, registration_client_uri = ?, sealed = ? "
                     "WHERE id = ?", status, self._text(client_id),
                     None if client_id is None else digest(client_id, uri), self._text(uri), sealed, row)

    def share(self, client: str, name: str, facts: Mapping[str, Any]) -> None:
        """Keep, sealed, what it takes to use a client again under this name in a run that goes on."""
        with self._transaction() as db:
            for row, sealed in self._sealed(client):
                db.execute("UPDATE client SET shared_as = ?, sealed = ? WHERE id = ?",
                           (self._text(name), self._seal.close({**(self._seal.open(sealed) or {}), "shared": facts}),
                            row))

    def _sealed(self, client: str) -> list[tuple[int, bytes]]:
        return self._all("SELECT id, sealed FROM client WHERE run = ? AND coalesce(digest, client_id) = ?", self.run,
                         client)

    def shared(self) -> dict[str, Mapping[str, Any]]:
        """What `share` kept of this run, by name."""
        rows = self._all("SELECT shared_as, sealed FROM client WHERE run = ? AND shared_as IS NOT NULL "
                         "AND deleted_at IS NULL", self.run)
        opened = {name: self._seal.open(sealed) or {} for name, sealed in rows}
        return {name: {**facts["shared"], "token": facts.get("token")} for name, facts in opened.items()
                if "shared" in facts}

    def renew(self, client: str, token: str) -> None:
        """Keep the registration access token that replaced the one before (RFC 7592 section 3)."""
        with self._transaction() as db:
            for row, sealed in self._sealed(client):
                db.execute("UPDATE client SET sealed = ? WHERE id = ?",
                           (self._seal.close({**(self._seal.open(sealed) or {}), "token": token}), row))

    def deleting(self, client: str) -> None:
        """Write down that a deletion is about to be sent: a client that is unknown afterwards is gone."""
        self._mark(client, "deleting_at = ?", time.time())

    def spared(self, client: str) -> None:
        """Write down that the server refused a deletion: the client is there still."""
        self._mark(client, "deleting_at = NULL")

    def deleted(self, client: str) -> None:
        """Write down that a client is gone; nothing that could manage it is kept."""
        self._mark(client, "deleted_at = ?, sealed = NULL", time.time())

    def abandon(self) -> None:
        """Write down that the server itself is gone, with all that this run registered there."""
        self._change("UPDATE client SET deleted_at = ?, sealed = NULL WHERE run = ? AND deleted_at IS NULL",
                     time.time(), self.run)

    def note(self, client: str, words: str) -> None:
        """Write down why a client could not be deleted."""
        self._mark(client, "note = ?", self._text(words))

    def _mark(self, client: str, change: str, *values: Any) -> None:
        self._change(f"UPDATE client SET {change} WHERE run = ? "  # noqa: S608
                     "AND coalesce(digest, client_id) = ?", *values, self.run, client)

    # -- what there is ----------------------------------------------------------------------------------------------

    def registrations(self) -> int:
        """How many registration requests this run sent."""
        return int(self._all("SELECT count(*) FROM client WHERE run = ?", self.run)[0][0])

    def exchanges(self) -> int:
        """How many exchanges this run had."""
        return int(self._all("SELECT exchanges FROM run WHERE id = ?", self.run)[0][0])

    def remainders(self) -> list[Remainder]:
        """The clients of this run that may still be at the server, in the order of their registration."""
        rows = self._all(
            "SELECT min(id), max(client_id), max(client_name), max(check_id), min(sent_at), max(sealed), "
            "max(deleting_at), max(note), coalesce(digest, client_id) FROM client "
            "WHERE run = ? AND client_id IS NOT NULL GROUP BY coalesce(digest, client_id) "
            "HAVING max(deleted_at) IS NULL "
            "UNION ALL SELECT id, '', client_name, check_id, sent_at, NULL, NULL, note, '' FROM client "
            "WHERE run = ? AND (status IS NULL OR (client_id IS NULL AND (status = 0 OR status BETWEEN 200 AND 299))) "
            "AND deleted_at IS NULL ORDER BY 1", self.run, self.run)
        found = []
        for row, client_id, name, check, sent_at, sealed, deleting, note, key in rows:
            facts = self._seal.open(sealed) or {}
            found.append(Remainder(row=row, digest=key, client_id=client_id, client_name=name, check=check,
                                   sent_at=sent_at,
                                   uri=facts.get("uri"), token=facts.get("token"), deleting=deleting is not None,
                                   unreadable=sealed is not None and not facts,
                                   note=note or ("" if client_id else _UNSEEN)))
        return found

    def clients(self) -> Clients:
        """What became of the clients of this run."""
        created = int(self._all("SELECT count(DISTINCT coalesce(digest, client_id)) FROM client "
                                "WHERE run = ? AND client_id IS NOT NULL", self.run)[0][0])
        uris = dict(self._all("SELECT client_id, max(registration_client_uri) FROM client WHERE run = ? "
                              "GROUP BY client_id", self.run))
        left = tuple(LeftClient(client_id=item.client_id, client_name=item.client_name, check=item.check,
                                registration_client_uri=uris.get(item.client_id) or "" if item.client_id else "",
                                reason=item.note, registered=_moment(item.sent_at)) for item in self.remainders())
        known = sum(bool(client.client_id) for client in left)
        return Clients(created=created, deleted=created - known, left=left)

    # -- what was found so far --------------------------------------------------------------------------------------

    def keep(self, check: str, body: str) -> None:
        """Keep what a check found, as JSON without secrets, in case the run is interrupted."""
        self._change("INSERT OR REPLACE INTO finding (run, check_id, body) VALUES (?, ?, ?)", self.run, check,
                     zlib.compress(body.encode("utf-8", "backslashreplace"), 1))

    def kept(self) -> dict[str, str]:
        """What the checks of this run found before it was interrupted, by check."""
        return {check: zlib.decompress(body).decode() for check, body in self._all(
            "SELECT check_id, body FROM finding WHERE run = ? ORDER BY rowid", self.run)}

    def close(self) -> None:
        self._db.close()

    def _text(self, value: str | None) -> Any:
        if value is None:
            return None
        text = self._scrub(value).encode("utf-8", "backslashreplace").decode()
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… {zlib.crc32(text.encode()):08x}"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def digest(client_id: str, uri: str | None) -> str:
    """By what a client is found in the ledger. A hostile server may give one client_id to two clients."""
    return hashlib.sha256(f"{client_id}\n{uri or ''}".encode("utf-8", "surrogatepass")).hexdigest()


_UNSEEN = "the server's answer was never seen, or named no client_id"
