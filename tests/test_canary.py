"""No secret that a server ever issued stands in any output of a run, however talkative the run was asked to be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from dcrcheck.defects import defect
from dcrcheck.house import ROOT
from dcrcheck.reference import serve

MEMBERS = ("client_secret", "registration_access_token", "access_token", "refresh_token", "id_token")
# their secrets stand in failing assertions, in an error answer, and where none belongs
TALKATIVE = ("ForgetsSecretExpiry", "ShowsTheSecretThatWasExpected", "IssuesASecretToPublicClients")


class Wiretap:
    """Wraps a server's application and keeps every credential that goes out of it."""

    def __init__(self, app) -> None:
        self.app = app
        self.secrets: set[str] = set()

    async def __call__(self, scope, receive, send):
        body = bytearray()

        async def listen(message):
            if message["type"] == "http.response.start":
                for name, value in message["headers"]:
                    self._header(name.decode().lower(), value.decode("latin-1"))
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
            await send(message)

        await self.app(scope, receive, listen)
        self._body(bytes(body))

    def _header(self, name: str, value: str) -> None:
        if name == "location":
            self.secrets.update(parse_qs(urlsplit(value).query).get("code", ()))
        elif name == "set-cookie":
            cookie = value.partition(";")[0].partition("=")[2]
            self.secrets.update({cookie} if len(cookie) >= 12 else ())

    def _body(self, body: bytes) -> None:
        try:
            members = json.loads(body)
        except ValueError:
            return
        if isinstance(members, dict):
            self.secrets.update(members[name] for name in MEMBERS if isinstance(members.get(name), str))


def test_reports_to_be_published_do_not_say_how_to_repeat_what_is_broken(tmp_path: Path):
    run = subprocess.run([sys.executable, "-m", "dcrcheck", "run", "--defect=RegistersExecutableSchemes", "--withhold",
                          f"--report-dir={tmp_path}", "-k", "executable or response"], capture_output=True,
                         check=False, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})

    assert run.returncode == 1
    assert b"withheld pending disclosure" in (tmp_path / "report.html").read_bytes()
    assert [place for place, content in outputs(run, tmp_path).items() if b"javascript:void(0)" in content] == []


def outputs(run: subprocess.CompletedProcess[bytes], directory: Path) -> dict[str, bytes]:
    files = {path.name: path.read_bytes() for path in directory.iterdir()}
    return {"stdout": run.stdout, "stderr": run.stderr, **files}


@pytest.mark.parametrize("name", TALKATIVE)
def test_no_secret_in_any_output(name: str, tmp_path: Path):
    kind = defect(name)
    server = kind()
    tap = Wiretap(server.app)
    tapped = type(name, (kind,), {"app": property(lambda self: tap)})
    server.__class__ = tapped
    with serve(server, tls=False) as running:
        run = subprocess.run(
            [sys.executable, "-m", "dcrcheck", "run", "--issuer", running.issuer, "--profile", kind.policy,
             "--report-dir", str(tmp_path), "-vv", "--showlocals", "--tb=long", "-rA", "--fuzz-examples=10"],
            capture_output=True, check=False, cwd=tmp_path.parent, timeout=300, env={
                **os.environ, "PYTHONPATH": str(ROOT), "CI": "1", "DCRCHECK_USERNAME": running.username,
                "DCRCHECK_PASSWORD": "wonderland", "DCRCHECK_INITIAL_ACCESS_TOKEN": running.initial_access_token})
        secrets = tap.secrets | {running.initial_access_token}

    found = outputs(run, tmp_path)
    leaks = {(secret[:4], place) for secret in secrets for place, content in found.items()
             for spelling in (secret, quote(secret, safe="")) if spelling.encode() in content}
    assert {"report.html", "results.json", "results.sarif", "junit.xml", "summary.md", "ledger.sqlite"} <= set(found)
    assert len(secrets) > 100
    assert run.returncode == 1, run.stdout.decode()[-2000:]
    assert leaks == set()
