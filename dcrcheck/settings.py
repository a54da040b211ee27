"""What the owner asked for, as the options and the environment give it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcrcheck.budget import PATIENCE_S
from dcrcheck.transport import TIMEOUT_S
from dcrcheck.verdict import Severity


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the owner asked for, as the options and the environment give it."""

    issuer: str | None = None
    resource: str | None = None
    profile: str | None = None
    policies: tuple[str, ...] = ()
    report_dir: Path | None = None
    max_registrations: int | None = None
    max_exchanges: int | None = None
    max_rate: float | None = None
    max_wait_s: float = PATIENCE_S
    authorized_by: str = ""
    resume: str | None = None
    plan: bool = False
    fuzz_examples: int = 20
    fuzz_seconds: float = 0.0
    allow: frozenset[str] | None = None
    fail_on: Severity = Severity.LOW
    defect: str | None = None
    command: str = ""
    withhold: bool = False
    note: str = ""
    timeout_s: float = TIMEOUT_S
    insecure: bool = False
    initial_access_token: str | None = None
    registrar: tuple[str, str] | None = None
    username: str | None = None
    password: str | None = None
    other_username: str | None = None
    other_password: str | None = None

    @classmethod
    def with_environment(cls, **options: Any) -> Settings:
        """The settings with the secrets, which come from the environment only."""
        registrar, secret = (os.environ.get(f"DCRCHECK_REGISTRAR_{part}") for part in ("ID", "SECRET"))
        return cls(initial_access_token=os.environ.get("DCRCHECK_INITIAL_ACCESS_TOKEN") or None,
                   registrar=(registrar, secret) if registrar and secret else None,
                   username=os.environ.get("DCRCHECK_USERNAME") or None,
                   password=os.environ.get("DCRCHECK_PASSWORD") or None,
                   other_username=os.environ.get("DCRCHECK_OTHER_USERNAME") or None,
                   other_password=os.environ.get("DCRCHECK_OTHER_PASSWORD") or None, **options)
