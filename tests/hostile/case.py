"""One hostile server, as data."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.hostile.front import Front, Misbehaviour

TIMEOUT_S = 2.0
REGISTERED = "test_a_registration_is_answered_with_201"
HAS_ID = "test_the_answer_has_a_client_id"
ISSUED_AT = "test_client_id_issued_at_is_now_in_seconds"
TYPES = "test_every_member_has_the_type_of_its_definition"
READ = "test_a_successful_read_is_200_and_json"
SAME = "test_what_is_read_back_was_returned_before"
BEFORE_LOGIN = "test_nobody_is_redirected_before_login"
VERIFIER = "test_the_right_verifier_redeems_the_code"
KEYS = "test_a_public_key_is_no_secret"
REFUSAL = "test_a_registration_error_is_a_json_object"
ASCII = "test_an_error_description_is_ascii"
MARKUP = '"><script>document.title="pwned"</script><img src=x onerror=alert(1)>'
ANSI = "\x1b]0;pwned\x07\x1b[2J\x1b[31mred\x9b1m\u202egpj\u2028\r\n\x00"
MIXED = '=cmd|"/C calc"!A1\n]]></system-out>&xxe;<!-- |` [x](javascript:alert(1)) ```\n<script>alert(1)</script>'


@dataclass(frozen=True, kw_only=True)
class Case:
    """One hostile server.

    `does` is what happens at `stage`; `greet` what happens to a connection before a byte is read. `checks` are run;
    `verdicts` is the one verdict that each row of a check must get, `exits` how the run may end, `says` what its
    reader is told. `denies`: the server says that it registered nobody, and lies. In `options` and `environment`,
    {issuer}, {port}, {canary} and {directory} are filled in.
    """

    name: str
    stage: str
    does: Misbehaviour | None = None
    checks: tuple[str, ...] = (REGISTERED, HAS_ID)
    exits: tuple[int, ...] = (6,)
    verdicts: Mapping[str, str] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    profile: str = ""
    user: bool = False
    secrets: tuple[str, ...] = ()
    denies: bool = False
    certificate: Callable[[Path], ssl.SSLContext] | None = None
    greet: Callable[[socket.socket], None] | None = None

    def prepare(self, directory: Path) -> None:
        if self.profile:
            (directory / "profile.toml").write_text(self.profile, "utf-8")

    def front(self, directory: Path) -> Front:
        return Front(stage=self.stage, misbehave=self.does, greet=self.greet,
                     tls=self.certificate(directory) if self.certificate else None)
