"""What a ledger must keep but nobody may read: sealed under a key that rests in a file of its own."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken


class Seal:
    """Encrypts and authenticates JSON values (Fernet: AES-128-CBC and HMAC-SHA256)."""

    def __init__(self, key: bytes) -> None:
        self._cipher = Fernet(key)

    @classmethod
    def fresh(cls) -> Seal:
        """A seal whose key nobody keeps."""
        return cls(Fernet.generate_key())

    @classmethod
    def beside(cls, ledger: Path) -> Seal:
        """The seal of a ledger, from the key file beside it (mode 0600), which is made where there is none.

        Raises:
            OSError: the key file can be neither read nor written.
            ValueError: it holds no key.
        """
        path = key_file(ledger)
        try:
            # two runs that begin at the same moment must agree: the file appears with its content or not at all
            draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(Fernet.generate_key())
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)
            finally:
                draft.unlink()
        except FileExistsError:
            pass
        path.chmod(0o600)
        return cls(path.read_bytes().strip())

    def close(self, value: Any) -> bytes:
        """Seal a JSON value."""
        return self._cipher.encrypt(json.dumps(value).encode())

    def open(self, sealed: bytes | None) -> Any:
        """What was sealed; None if nothing was, or if it was sealed under another key."""
        try:
            return None if sealed is None else json.loads(self._cipher.decrypt(sealed))
        except (InvalidToken, ValueError):
            return None


def key_file(ledger: Path) -> Path:
    """Where the key of a ledger rests."""
    return ledger.with_suffix(".key")
