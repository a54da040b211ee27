"""The lab: its recipes are whole, and what goes wrong with a server is said in one line and leaves nothing behind."""

import json
import os
import re
import socket
import sys
import time
from pathlib import Path

import pytest

from dcrcheck.house import PROFILES, ROOT
from lab import advisories, everything, installation, recipe, running, scoreboard
from lab.judging import Judgement
from lab.recipe import LabError
from tests.conftest import check_names

ANSWERS = ("import http.server, sys\n"
           "class Up(http.server.BaseHTTPRequestHandler):\n"
           "    def do_GET(self):\n"
           "        self.send_response(200); self.end_headers()\n"
           "        {then}\n"
           "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Up).serve_forever()\n")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A server of one file in a lab of its own."""
    monkeypatch.setattr(recipe, "LAB", tmp_path)
    monkeypatch.setattr(running, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(installation, "CACHE", tmp_path / "cache")

    def make(program: str = "", **keys: object) -> recipe.Configuration:
        folder = tmp_path / "sample"
        folder.mkdir(exist_ok=True)
        (folder / "serve.py").write_text(program)
        content = {"title": "Sample", "kind": "npm", "package": "sample", "version": "1.0", "ready": "/", "start_s": 5,
                   "command": [sys.executable, str(folder / "serve.py"), "{port}"], **keys}
        lines = [f"{key} = {json.dumps(value)}" for key, value in content.items() if value is not None]
        (folder / "recipe.toml").write_text("\n".join(lines))
        return recipe.find("sample")

    return make


def start(configuration: recipe.Configuration, home: Path, *, port: int = 0) -> None:
    with running.running(configuration, home, port=port):
        pass


def test_every_recipe_is_whole():
    for name, configuration in recipe.configurations().items():
        own = configuration.recipe
        assert (PROFILES / f"{configuration.profile or name}.toml").is_file(), name
        assert all((own.folder / lock).is_file() for lock in installation._LOCKS[own.kind]), name


@pytest.mark.parametrize("name", recipe.recipe_names())
def test_what_is_installed_is_pinned(name: str):
    own = recipe.read(name)
    for lock in [*own.folder.rglob("requirements.txt"), *own.folder.rglob("package-lock.json")]:
        text = lock.read_text("utf-8")
        assert ("--hash=" if lock.suffix == ".txt" else '"integrity"') in text, lock
        assert not re.search(r'"resolved"|^(-i|--index-url|--extra-index-url)', text, re.MULTILINE), lock
    lock = own.folder / installation._LOCKS[own.kind][-1]
    assert own.version in lock.read_text("utf-8") or own.kind == "maven"


@pytest.mark.parametrize(("change", "said"), [
    ({"colour": "red"}, "sample: recipe.toml has an unknown key 'colour'"),
    ({"package": None}, "sample: recipe.toml lacks something"),
    ({"kind": "rpm"}, "sample: recipe.toml: kind 'rpm' is none of"),
    ({"configurations": None, "port": 1}, "unknown key 'port'"),
])
def test_a_wrong_recipe_is_named(made, change: dict[str, object], said: str):
    with pytest.raises(LabError, match=re.escape(said)):
        made(**change)


def test_an_unknown_server_is_named_with_those_there_are(made):
    made()

    with pytest.raises(LabError, match=r"other: no such server in the lab .there are: sample"):
        recipe.find("other")


def test_a_missing_tool_is_named(made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    sample = made(tools=["a-tool-that-nobody-has"])

    with pytest.raises(installation.MissingTool, match=r"sample: .*a-tool-that-nobody-has is missing on this machine"):
        installation.install(sample.recipe)


def test_a_registry_that_refuses_is_quoted(made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    sample = made()
    for name in ("npm", "node"):
        tool = tmp_path / "bin" / name
        tool.parent.mkdir(exist_ok=True)
        tool.write_text("#!/bin/sh\necho 'npm error notarget No matching version found for sample@9.9'\nexit 1\n")
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    (tmp_path / "sample" / "package.json").write_text('{"dependencies": {"sample": "1.0"}}')
    (tmp_path / "sample" / "package-lock.json").write_text("{}")

    with pytest.raises(LabError, match=r"sample: install: npm exited with 1: .*No matching version .*log: "):
        installation.install(sample.recipe, "9.9")
    with pytest.raises(LabError, match="is no version"):
        installation.install(sample.recipe, "1.0; true")


def test_a_port_that_is_taken_is_named(made, tmp_path: Path):
    said = r"sample: start: port .* in use; choose another with --port"
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(LabError, match=said):
        start(made(), tmp_path, port=other.getsockname()[1])


def test_a_server_that_dies_at_start_is_quoted(made, tmp_path: Path):
    with pytest.raises(LabError, match=r"sample: start: the server exited with 3: no database \(log: "):
        start(made("print('no database'); raise SystemExit(3)"), tmp_path)

    assert "no database" in (tmp_path / "cache" / "logs" / "sample.log").read_text()


def test_a_server_that_never_answers_is_given_up(made, tmp_path: Path):
    with pytest.raises(LabError, match=r"did not answer within 0\.5 s"):
        start(made("import time; time.sleep(60)", start_s=0.5), tmp_path)


def test_a_server_that_dies_half_way_is_noticed(made, tmp_path: Path):
    program = ANSWERS.format(then="import os, threading; threading.Timer(0.2, os._exit, [7]).start()")
    with running.running(made(program), tmp_path) as server:
        server.process.wait(10)

        with pytest.raises(LabError, match="sample: run: the server died with 7 while it was judged"):
            server.demand_alive()


def test_nothing_of_a_server_survives_an_interruption(made, tmp_path: Path):
    program = ("import os, subprocess, sys\n"
               "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
               "open(os.environ['LAB_HANDOVER'], 'w').write(f'CHILD={child.pid}\\n')\n" + ANSWERS.format(then="pass"))
    with pytest.raises(KeyboardInterrupt), running.running(made(program), tmp_path) as server:
        raise KeyboardInterrupt

    assert not server.scratch.exists()
    assert all(_gone(pid) for pid in (server.process.pid, int(server.login["CHILD"])))


def _gone(pid: int) -> bool:
    """Whether a process is away, or but a remainder that init will collect."""
    for _ in range(50):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(("codes", "expected"), [
    ([0, 0], 0), ([0, 6], 6), ([6, 4], 4), ([4, 1], 1), ([0, None], 0), ([None, None], 5), ([0, -9], 1)])
def test_a_round_ends_with_the_worst_that_happened(codes: list[int | None], expected: int, monkeypatch, capsys):
    monkeypatch.setattr(everything, "configurations", dict)
    monkeypatch.setattr(everything, "emulated", lambda: {str(place): "" for place in range(len(codes))})
    monkeypatch.setattr(everything._Runs, "judge", lambda self, name: (codes[int(name)], "said"))

    assert everything.run([], kinds=["npm", "emulated"], jobs=1, minutes=0, publish=False) == expected
    assert capsys.readouterr().out.count("said") == len(codes)


def test_a_round_without_time_leaves_servers_out_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr(everything, "configurations", dict)
    monkeypatch.setattr(everything, "emulated", lambda: {"google": "Google"})

    assert everything.run([], kinds=["npm", "emulated"], jobs=1, minutes=1e-9, publish=False) == 5
    assert "google                         left out: no time" in capsys.readouterr().out


def test_a_round_of_an_unknown_kind_is_refused():
    with pytest.raises(LabError, match="--kinds rpm: there are pypi, npm, maven, go, emulated"):
        everything.run([], kinds=["rpm"], jobs=1, minutes=0, publish=False)


def test_a_round_skips_what_lacks_its_tools_and_says_so(made, monkeypatch, capsys):
    made(tools=["a-tool-that-nobody-has"])
    monkeypatch.setattr(everything, "emulated", dict)

    assert everything.run([], kinds=["npm", "emulated"], jobs=1, minutes=0, publish=False) == 5
    assert "skipped: sample: " in capsys.readouterr().out


def test_every_advisory_names_what_there_is():
    rows = advisories.read()
    known = recipe.configurations()

    assert {row.configuration for row in rows if row.reproduced} <= set(known)
    assert {check.partition("[")[0] for row in rows for check in row.checks} <= check_names()
    assert len({row.id for row in rows if row.reproduced}) >= 8


def test_the_scoreboard_tells_what_a_run_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scoreboard, "PUBLISHED", tmp_path)
    (tmp_path / "sample").mkdir()
    counts = {"PASS": 5, "FAIL": 3, "WARN": 1, "INCONCLUSIVE": 3, "INAPPLICABLE": 0, "ERROR": 0}
    run = {"profile": "sample", "profile_title": "Sample", "policy": "rfc7591", "emulated": False, "duration_s": 9.6,
           "started": "2026-01-02T03:04:05Z", "tool_version": "1.2.3", "exchanges": 10, "registrations": 4}
    findings = [{"check": "a/test_a.py::test_one[row]", "verdict": "FAIL", "surprise": False},
                {"check": "a/test_a.py::test_one[other]", "verdict": "FAIL", "surprise": False},
                {"check": "a/test_a.py::test_two", "verdict": "FAIL", "surprise": True}]

    scoreboard.enter("sample", Judgement(code=1, results={"run": run, "counts": counts, "findings": findings,
                                                      "parts": []}), "s 1.0")

    table = (tmp_path / "README.md").read_text()
    assert "| Sample | s 1.0 | sample | 9 | 5 | 3 | 2 | 1 | 3 | 10 s | 2026-01-02 | 1.2.3 |" in table
    kept = json.loads((tmp_path / "sample" / "verdicts.json").read_text())
    assert kept["verdicts"]["FAIL"] == ["test_one ×2", "test_two"]
    again = Judgement(code=0, results={"findings": findings[1:]})
    assert scoreboard.differences("sample", again) == ["no longer test_one ×2 FAIL", "now test_one FAIL"]


@pytest.mark.parametrize("path", sorted((ROOT / "reports" / "lab").glob("*/verdicts.json")),
                         ids=lambda path: path.parent.name)
def test_a_published_run_kept_its_plan(path: Path):
    kept = json.loads(path.read_text("utf-8"))

    assert [part for part in kept["parts"] if part["exchanges"] > part["most_exchanges"]
            or part["registrations"] > part["most_registrations"]] == []
    assert sum(part["exchanges"] for part in kept["parts"]) >= kept["run"]["exchanges"] > 0
