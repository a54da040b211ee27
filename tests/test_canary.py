"""No secret that crossed the wire stands in any output of a run, however talkative, and however it ended."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import ahocorasick
import pytest

from dcrcheck.defects import defect
from dcrcheck.house import ROOT
from dcrcheck.reference import Running, serve
from dcrcheck.reference.answers import OTHER_PASSWORD, OTHER_USERNAME

MEMBERS = ("client_secret", "registration_access_token", "access_token", "refresh_token", "id_token")
FIELDS = ("client_secret", "code", "code_verifier", "client_assertion", "password", "refresh_token", "token")
PUBLIC = ("client_id", "code_challenge")
# their secrets stand in failing assertions, in an error answer, and where none belongs
TALKATIVE = ("ForgetsSecretExpiry", "ShowsTheSecretThatWasExpected", "IssuesASecretToPublicClients")
LOUD = ("-vv", "--showlocals", "--tb=long", "-rA", "--fulltrace", "--log-level=DEBUG", "--log-cli-level=DEBUG",
        "--log-file=debug.log", "--hypothesis-verbosity=debug", "--hypothesis-show-statistics", "--color=yes",
        "--fuzz-examples=3")
FEW = "issued_secret or wrong_secret or refused_token or authorization_code or reading_a_client"
# what we say when we speak of a secret, and words that no secret consists of
SHORTEST = 10


class Wiretap:
    """Wraps a server's application, keeps every credential that crosses, and sends back those it was sent."""

    def __init__(self, app: Callable) -> None:
        self.app = app
        self.seen: set[str] = set()
        self.public: set[str] = set()
        self.smuggled = 0

    @property
    def secrets(self) -> set[str]:
        """What crossed, but for what is public as well and for what a check made up instead of a credential."""
        return {value for value in self.seen - self.public
                if len(value) >= SHORTEST and len(set(value)) >= 7 and not value.startswith("dcrcheck")}

    async def __call__(self, scope, receive, send):
        request, answer, start = bytearray(), bytearray(), {}

        async def hear():
            message = await receive()
            request.extend(message.get("body", b""))
            return message

        async def listen(message):
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                answer.extend(message.get("body", b""))

        await self.app(scope, hear, listen)
        sent = self._request(dict(scope["headers"]), scope["query_string"], bytes(request))
        headers = [(name.lower(), value) for name, value in start["headers"]]
        self._answer(headers, bytes(answer))
        body = self._smuggle(start["status"], headers, sent, bytes(answer))
        headers = [(name, str(len(body)).encode() if name == b"content-length" else value) for name, value in headers]
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _request(self, headers: dict[bytes, bytes], query: bytes, body: bytes) -> list[str]:
        scheme, _, given = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        found = [base64.b64decode(given).decode().partition(":")[2] if scheme.lower() == "basic" else given]
        found += [pair.partition("=")[2] for pair in headers.get(b"cookie", b"").decode("latin-1").split("; ")]
        for text in (query, body):
            fields = parse_qsl(text.decode("latin-1"))
            found += [value for name, value in fields if name in FIELDS]
            self.public.update(value for name, value in fields if name in PUBLIC)
        found = [value for value in found if len(value) >= SHORTEST]
        self.seen.update(found)
        return found

    def _answer(self, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        for name, value in headers:
            if name == b"location":
                self.seen.update(v for n, v in parse_qsl(urlsplit(value.decode()).query) if n == "code")
            elif name == b"set-cookie":
                self.seen.update({value.decode().partition(";")[0].partition("=")[2]})
        try:
            members = json.loads(body)
        except ValueError:
            return
        if isinstance(members, dict):
            self.seen.update(members[name] for name in MEMBERS if isinstance(members.get(name), str))
            self.public.update(members[name] for name in PUBLIC if isinstance(members.get(name), str))

    def _smuggle(self, status: int, headers: list, sent: list[str], body: bytes) -> bytes:
        """Of an error: what was sent comes back in its description and in headers, in several spellings."""
        if status < 400 or not sent or not body.startswith(b"{"):
            return body
        self.smuggled += 1
        spelt = [form for value in sent for form in (
            value, value.upper(), quote(value, safe="").lower(), html.escape(value),
            base64.b64encode(b"x" * (self.smuggled % 3) + value.encode() + b"yz").decode())]
        headers += [(b"x-echo", value.encode("latin-1", "replace")) for value in spelt if "\n" not in value]
        return json.dumps({**json.loads(body), "error_description": f"you sent {' and '.join(spelt)}"}).encode()


@dataclass
class Output:
    """All that a run left: what it printed, every file, and the arguments of its processes."""

    code: int
    places: dict[str, bytes] = field(default_factory=dict)


def arguments_of(pid: int) -> bytes:
    """The argument lists of a process and of its descendants, as anyone on the machine can read them."""
    try:
        own = Path(f"/proc/{pid}/cmdline").read_bytes()
        children = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")).split()
    except OSError:
        return b""
    return b"\n".join([own, *map(arguments_of, map(int, children))])


def run(running: Running, place: Path, *words: str, plugin: str = "", end: int | None = None) -> Output:
    """Judge the server from `place`; with `end`, a signal is sent when the log shows that a check is at work."""
    (place / "canary_plugin.py").write_text(plugin, "utf-8")
    command = [sys.executable, "-m", "dcrcheck", "run", "--issuer", running.issuer, "--profile", running.server.policy,
               "--report-dir=reports", *LOUD, *words, *(("-p", "canary_plugin") if plugin else ())]
    seen: set[bytes] = set()
    with (place / "stdout").open("wb") as out, (place / "stderr").open("wb") as err, subprocess.Popen(
            command, stdout=out, stderr=err, cwd=place, env={
                **os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{place}", "DCRCHECK_USERNAME": running.username,
                "DCRCHECK_PASSWORD": running.password, "DCRCHECK_OTHER_USERNAME": OTHER_USERNAME,
                "DCRCHECK_OTHER_PASSWORD": OTHER_PASSWORD,
                "DCRCHECK_INITIAL_ACCESS_TOKEN": running.initial_access_token}) as process:
        deadline = time.monotonic() + 240
        while process.poll() is None:
            seen.add(arguments_of(process.pid))
            if end is not None and (place / "now").exists():
                process.send_signal(end)
                end = None
            if time.monotonic() > deadline:
                process.kill()
            time.sleep(0.02)
    output = Output(code=process.returncode, places={"arguments": b"\n".join(seen)})
    for path in sorted(place.rglob("*")):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            output.places[path.relative_to(place).as_posix()] = path.read_bytes()
    return output


def readings(content: bytes) -> Iterator[str]:
    """What stands in an output for whoever decodes it: as it is, and out of URLs, HTML, JSON, colours and base64."""
    text = content.decode("utf-8", "replace")
    yield text
    yield unquote(text)
    yield html.unescape(text)
    yield re.sub(r"\x1b\[[0-9;]*m|\n[ \t]*(?:E +)?", "", text)
    yield text.replace("\\/", "/").replace("\\u0026", "&").replace("\\'", "'").replace('\\"', '"')
    blocks = re.findall(r"[A-Za-z0-9+/_-]{12,}", text)
    yield "\n".join(base64.urlsafe_b64decode(block[start:start + (len(block) - start) // 4 * 4].replace(
        "+", "-").replace("/", "_")).decode("latin-1") for block in set(blocks) for start in range(4))


def leaks(secrets: set[str], places: dict[str, bytes]) -> set[tuple[str, str]]:
    """Which secrets, or long pieces of them, stand where; in any case of letters."""
    words = ahocorasick.Automaton()
    for secret in secrets:
        pieces = {secret} if len(secret) < 32 or secret.startswith("eyJ") else {secret, secret[:16], secret[-16:]}
        for piece in pieces if len(secret) >= SHORTEST else ():
            words.add_word(piece.lower(), f"{secret[:4]}… ({len(secret)})")
    words.make_automaton()
    return {(found, place) for place, content in places.items() for reading in readings(content)
            for _, found in words.iter(reading.lower())}


@pytest.fixture(scope="module")
def tapped() -> Iterator[tuple[Running, Wiretap]]:
    """A server of several faults that tells back what it is told, under a tap."""
    kinds = tuple(map(defect, TALKATIVE))
    server = type("Talkative", kinds, {"policy": kinds[1].policy})()
    tap = Wiretap(server.app)
    server.__class__ = type("Tapped", (type(server),), {"app": property(lambda self: tap)})
    with serve(server, tls=False) as running:
        tap.seen |= {running.initial_access_token, running.password, OTHER_PASSWORD}
        yield running, tap


def test_no_secret_in_any_output_of_a_run_that_tells_all(tapped: tuple[Running, Wiretap], tmp_path: Path):
    running, tap = tapped

    told = run(running, tmp_path, "-k", "credentials or tokens or pkce or fuzz or update")

    reports = ("report.html", "results.json", "results.sarif", "junit.xml", "summary.md", "ledger.sqlite")
    assert {"stdout", "debug.log", *(f"reports/{name}" for name in reports)} <= set(told.places)
    assert told.code == 1, told.places["stdout"][-2000:]
    assert b"httpcore" in told.places["debug.log"] and b"[redacted]" in told.places["stdout"]
    assert len(tap.secrets) > 100 and tap.smuggled > 10
    assert leaks(tap.secrets, told.places) == set()


# what a check knows when it crashes, in its locals and in its message
CRASHES = '''
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    if "issued_secret" in pyfuncitem.name:
        client = pyfuncitem.funcargs["endpoint"].register()
        body = client.answer.text
        raw = client.answer.body
        print("printed", body)
        raise RuntimeError(f"a fault of our own over {body!r} of {client.answer!r}")
    return (yield)
'''
INTERNAL_ERROR = '''
from dcrcheck.plugin import TRIAL

def pytest_runtest_logfinish(nodeid, location):
    if "issued_secret" in nodeid:
        registered = STARTED[0].endpoint.register()
        body = registered.answer.text
        raise RuntimeError(f"a fault of the machinery over {body}")

STARTED = []

def pytest_sessionstart(session):
    STARTED.append(session.config.stash[TRIAL])
'''
WAITS = '''
import pathlib, signal, sys, time
import pytest

# a shell has the programs that it runs in the background ignore it
signal.signal(signal.SIGINT, signal.default_int_handler)

@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    if "issued_secret" in pyfuncitem.name:
        endpoint = pyfuncitem.funcargs["endpoint"]
        body = endpoint.register().answer.text
        print("held", body, file=sys.stderr)
        pathlib.Path("now").touch()
        time.sleep(60)
    return (yield)
'''


@pytest.mark.parametrize(("plugin", "words", "end", "said"), [
    pytest.param(CRASHES, (), None, b"a fault of our own", id="a check crashes"),
    pytest.param(CRASHES, ("-s",), None, b"a fault of our own", id="a check crashes and nothing is captured"),
    pytest.param(CRASHES, ("--capture=tee-sys",), None, b"a fault of our own", id="a check crashes and all is shown"),
    pytest.param(INTERNAL_ERROR, (), None, b"INTERNALERROR", id="the machinery crashes"),
    pytest.param(WAITS, (), signal.SIGINT, b"KeyboardInterrupt", id="interrupted"),
    pytest.param(WAITS, ("-s",), signal.SIGTERM, b"held", id="terminated"),
])
def test_no_secret_in_any_output_of_a_run_that_ends_badly(
        plugin: str, words: tuple[str, ...], end: int | None, said: bytes, tapped: tuple[Running, Wiretap],
        tmp_path: Path):
    running, tap = tapped

    told = run(running, tmp_path, "-k", FEW, *words, plugin=plugin, end=end)

    assert told.code != 0
    assert said in told.places["stdout"] + told.places["stderr"]
    assert leaks(tap.secrets, told.places) == set()


@pytest.mark.parametrize("place", ["stdout", "stderr", "debug.log", "reports/results.json", "reports/junit.xml",
                                   "reports/ledger.sqlite-wal", ".hypothesis/examples/1", "arguments"])
@pytest.mark.parametrize("written", [
    str.encode, lambda secret: secret.upper().encode(), lambda secret: quote(secret, safe="").lower().encode(),
    lambda secret: html.escape(secret).encode(), lambda secret: secret[:16].encode() + b"...",
    lambda secret: base64.b64encode(b"client:" + secret.encode()),
    lambda secret: b"E   " + secret[:20].encode() + b"\n    E   " + secret[20:].encode(),
], ids=["plain", "upper-case", "percent-encoded", "in HTML", "cut off", "Basic", "wrapped"])
def test_a_planted_secret_would_be_found(place: str, written: Callable[[str], bytes]):
    secret = "q7Jp/2Vn+Zk4&Rt9<Wx1=Ly6.Bd3~Hm8-Sc5"

    assert leaks({secret}, {place: b"something " + written(secret) + b" more", "other": b"nothing"}) == {
        (f"{secret[:4]}… ({len(secret)})", place)}


def test_reports_to_be_published_do_not_say_how_to_repeat_what_is_broken(tmp_path: Path):
    judged = subprocess.run([sys.executable, "-m", "dcrcheck", "run", "--defect=RegistersExecutableSchemes",
                             "--withhold", f"--report-dir={tmp_path}", "-k", "executable or response"],
                            capture_output=True, check=False, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})

    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    places = {"stdout": judged.stdout, "stderr": judged.stderr, **files}
    assert judged.returncode == 1
    assert b"withheld pending disclosure" in files["report.html"]
    assert [place for place, content in places.items() if b"javascript:void(0)" in content] == []
