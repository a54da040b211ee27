"""The report is opened in a browser: nothing of a hostile target's runs, nothing leaves the page, all is shown."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dcrcheck.house import ROOT
from tests.hostile.browser import CHROMIUM, Chromium, Seen
from tests.hostile.front import Front, Reply, Visit

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome is installed")

RUN = "window.pwned=1;document.title='pwned';console.log('pwned');fetch('{canary}/script')"
ATTACKS = (
    "<script>" + RUN + "</script>",
    "\"'><img src={canary}/image onerror=\"" + RUN + "\">",
    "<svg onload=\"" + RUN + "\"><style>*{{background:url({canary}/style)}}</style></svg>",
    "</script></style></textarea></title>--></pre><script src={canary}/src></script>",
    "<iframe src=\"{canary}/frame\" srcdoc=\"<script>parent.pwned=1</script>\"></iframe><object data={canary}/object>",
    "<meta http-equiv=refresh content=\"0;url={canary}/refresh\"><base href={canary}/>"
    "<link rel=stylesheet href={canary}/css>",
    "<details open ontoggle=\"" + RUN + "\"><input autofocus onfocus=\"" + RUN + "\"><body onload=\"" + RUN + "\">",
    "javascript:" + RUN, "data:text/html,<script>" + RUN + "</script>",
    "&quot;&gt;&lt;script&gt;" + RUN + "&lt;/script&gt;",
    "\\u003cscript\\u003e" + RUN + "\\u003c/script\\u003e", "{{{{constructor.constructor('" + "pwned=1" + "')()}}}}",
    "![x]({canary}/markdown) [x](javascript:alert(1)) <a href=\"javascript:" + RUN + "\">",
    "`;" + RUN + ";`", "</template><script>" + RUN + "</script>", "%3Cscript%3E" + RUN + "%3C/script%3E",
)
MEMBERS = ("client_name", "client_uri", "logo_uri", "scope", "software_id", "software_version", "tos_uri", "policy_uri",
           "token_endpoint_auth_method", "registration_client_uri")


def attack(visit: Visit) -> Reply | bytes:
    """Correct where a run would end otherwise, and hostile in every string."""
    every = "".join(ATTACKS).format(canary=visit.front.canary)
    one = ATTACKS[visit.number % len(ATTACKS)].format(canary=visit.front.canary)
    reply = visit.reply
    noted = reply.with_headers(("X-Note", every), ("Link", f"<{one}>; rel=x"),
                               ("Refresh", f"0;url={visit.front.canary}/h"))
    if visit.stage == "metadata":
        return reply.having(**{"service_documentation": one, "op_tos_uri": one, "scopes_supported": [every, one],
                               "ui_locales_supported": every, one: one,
                               "grant_types_supported": [one, "authorization_code"]})
    if visit.stage == "registration" and reply.status.startswith("201"):
        return noted.having(client_id=f"{one} {visit.number}", client_id_issued_at=every, **dict.fromkeys(MEMBERS, one),
                            **{every: every, "grant_types": [one], "response_types": every})
    if reply.status.startswith(("4", "5")):
        told = {"error": one, "error_description": every, "error_uri": one}
        challenge = ("WWW-Authenticate", f'Bearer error="{one}"')
        return Reply(f"{reply.status[:3]} {one}", [*noted.headers, challenge], json.dumps(told).encode())
    if visit.stage == "authorization":
        return Reply("302 Found", [("Location", f"https://foreign.example/{every}")], b"")
    return noted


@dataclass(frozen=True)
class Report:
    """A report on a hostile target, and how often somebody else was asked."""

    page: Path
    front: Front
    code: int


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    directory = tmp_path_factory.mktemp("report")
    front = Front(stage="all", misbehave=attack)
    front.start()
    run = subprocess.run(
        [sys.executable, "-m", "dcrcheck", "run", "--issuer", front.issuer, f"--report-dir={directory}",
         "--fuzz-examples=2", "--timeout=3", "-k",
         "registration or discovery or credentials or authorization or test_read"],
        cwd=directory, capture_output=True, check=False, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)})
    front.running.stop()
    assert (directory / "report.html").exists(), run.stdout.decode()[-3000:]
    return Report(directory / "report.html", front, run.returncode)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(scope="module")
def seen(report: Report, chromium: Chromium) -> Seen:
    return chromium.open(report.page)


def test_the_report_does_nothing(seen: Seen, report: Report):
    assert seen.acts == []
    assert report.front.canary_hits == []


def test_the_report_is_on_a_broken_server(report: Report):
    assert report.code == 1


def test_the_evidence_is_still_shown(seen: Seen, report: Report):
    canary = report.front.canary
    shown = [attack for attack in ATTACKS if _essence(attack.format(canary=canary)) in _essence(seen.text)]

    assert len(shown) >= len(ATTACKS) - 1, set(ATTACKS) - set(shown)


def test_the_log_of_pytest_is_unfolded(seen: Seen):
    assert seen.rows > 50


def _essence(text: str) -> str:
    """Letters only: JSON, Python and curl write quotes and backslashes each in their own way."""
    return re.sub(r"[^A-Za-z<>=:/]", "", text)


class TestTheWatcher:
    """A page that acts is seen to act."""

    def test_an_unescaped_copy_of_the_report(self, report: Report, chromium: Chromium, tmp_path: Path):
        broken = tmp_path / "broken.html"
        broken.write_text(html.unescape(report.page.read_text("utf-8")), "utf-8")
        report.front.canary_hits.clear()
        told = " ".join(chromium.open(broken).acts)
        hits = [hit.partition("\r\n")[0] for hit in report.front.canary_hits]
        report.front.canary_hits.clear()

        assert "asked for http://127.0.0.1" in told
        assert hits

    @pytest.mark.parametrize(("body", "said"), [
        ("<script>console.log('pwned')</script>", "said ['pwned']"), ("<script>pwned = 1</script>", "ran a script"),
        ("<script>document.title = 'pwned'</script>", "ran a script"), ("<script>nonsense()</script>", "failed with"),
        ("<img src=http://127.0.0.1:9/x>", "asked for http://127.0.0.1:9/x"),
        ("<p style='background: url(http://127.0.0.1:9/y)'>x", "asked for http://127.0.0.1:9/y"),
        ("<iframe srcdoc='x'></iframe>", "holds a frame"), ("<script>alert('pwned')</script>", "asked the user pwned"),
        ("<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/z'>", "asked for http://127.0.0.1:9/z"),
        ("<details ontoggle=\"console.log('opened')\"><summary>x</summary>y</details>", "said ['opened']"),
        ("<img src='file:///etc/hostname'>", "asked for file:///etc/hostname"),
    ], ids=lambda value: value if value.isascii() and "<" not in value else "")
    def test_a_page_that_acts(self, body: str, said: str, chromium: Chromium, tmp_path: Path):
        page = tmp_path / "page.html"
        page.write_text(f"<!doctype html><title>quiet</title><body>{body}", "utf-8")

        assert said in " ".join(chromium.open(page, patience_s=1).acts)

    def test_a_page_that_does_not(self, chromium: Chromium, tmp_path: Path):
        page = tmp_path / "page.html"
        page.write_text("<!doctype html><title>quiet</title><body>&lt;script&gt;pwned=1&lt;/script&gt;", "utf-8")
        seen = chromium.open(page, patience_s=1)

        assert (seen.acts, seen.text) == ([], "<script>pwned=1</script>")
