"""The durable record of every client that a run created, and of what became of it."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from dcrcheck.results import Clients, LeftClient

_TABLE = """
CREATE TABLE IF NOT EXISTS client (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, check_id TEXT NOT NULL, issuer TEXT NOT NULL,
    sent_at REAL NOT NULL, client_name TEXT NOT NULL, status INTEGER, client_id TEXT,
    registration_client_uri TEXT, deleted_at REAL, note TEXT NOT NULL DEFAULT ''
)"""


class Ledger:
    """An SQLite file of mode 0600. A row is committed before its registration is sent; it never holds a secret."""

    def __init__(self, path: Path | None, *, run: str, issuer: str) -> None:
        """Open or continue a ledger; `path` None keeps it in memory.

        Raises:
            OSError: the file cannot be written.
        """
        self.run, self.issuer = run, issuer
        if path is not None:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            path.chmod(0o600)
        try:
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
            # a write-ahead log survives the death of the process without a sync for every row
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(_TABLE)
        except sqlite3.Error as error:
            raise OSError(f"{path}: {error}") from None

    def intend(self, check: str, document: Any) -> int:
        """Write down that a registration is about to be sent; returns its row."""
        name = document.get("client_name", "") if isinstance(document, dict) else ""
        text = name if isinstance(name, str) else json.dumps(name, default=str)
        cursor = self._db.execute(
            "INSERT INTO client (run, check_id, issuer, sent_at, client_name) VALUES (?, ?, ?, ?, ?)",
            (self.run, check, self.issuer, time.time(), text.encode("utf-8", "backslashreplace").decode()[:200]))
        return int(cursor.lastrowid or 0)

    def settle(self, row: int, status: int, client_id: str | None = None, uri: str | None = None) -> None:
        """Write down how the server answered."""
        self._db.execute("UPDATE client SET status = ?, client_id = ?, registration_client_uri = ? WHERE id = ?",
                         (status, _text(client_id), _text(uri), row))

    def deleted(self, client_id: str) -> None:
        """Write down that a client is gone."""
        self._db.execute("UPDATE client SET deleted_at = ? WHERE client_id = ? AND run = ?",
                         (time.time(), _text(client_id), self.run))

    def note(self, client_id: str, words: str) -> None:
        """Write down why a client could not be deleted."""
        self._db.execute("UPDATE client SET note = ? WHERE client_id = ? AND run = ?",
                         (words, _text(client_id), self.run))

    def registrations(self) -> int:
        """How many registration requests this run sent."""
        return int(self._db.execute("SELECT count(*) FROM client WHERE run = ?", (self.run,)).fetchone()[0])

    def clients(self) -> Clients:
        """What became of the clients of this run."""
        rows = self._db.execute(
            "SELECT client_id, max(client_name), max(check_id), max(registration_client_uri), max(deleted_at), "
            "max(note) FROM client WHERE run = ? AND client_id IS NOT NULL GROUP BY client_id ORDER BY min(id)",
            (self.run,)).fetchall()
        left = tuple(LeftClient(client_id=row[0], client_name=row[1], check=row[2],
                                registration_client_uri=row[3] or "", reason=row[5]) for row in rows if row[4] is None)
        unknown = self._db.execute(
            "SELECT client_name, check_id FROM client WHERE run = ? AND status IS NULL", (self.run,)).fetchall()
        left += tuple(LeftClient(client_id="", client_name=row[0], check=row[1], registration_client_uri="",
                                 reason="the server's answer was never seen") for row in unknown)
        return Clients(created=len(rows), deleted=len(rows) + len(unknown) - len(left), left=left)

    def close(self) -> None:
        self._db.close()


def _text(value: str | None) -> str | None:
    return None if value is None else value.encode("utf-8", "backslashreplace").decode()
