"""The house is in order: linted, typed, and the README tells the truth."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest

from dcrcheck.__main__ import main
from dcrcheck.house import ROOT
from dcrcheck.profile import policy_names, profile_names

README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("command", [("ruff", "check", "."), ("mypy",)], ids=lambda command: command[0])
def test_the_linters_have_nothing_to_say(command: tuple[str, ...]):
    run = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout


def test_the_readme_knows_every_option(capsys: pytest.CaptureFixture[str]):
    assert main(["run", "--help"]) == 0

    options = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.M))
    assert len(options) >= 8
    assert options - set(re.findall(r"`(--[a-z-]+)", README)) == set()


def test_the_readme_knows_every_policy():
    assert [name for name in policy_names() if f"`{name}`" not in README] == []


@pytest.mark.parametrize("words", [["profiles"], ["defects"], ["requirements"]], ids=lambda words: words[0])
def test_the_lists_are_printed(words: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(words) == 0

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= (len(profile_names()) if words == ["profiles"] else 100)


def test_the_lock_pins_everything_that_the_project_depends_on():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    names = {re.split(r"[\[<>=~!; ]", line, maxsplit=1)[0].lower() for line in wanted}
    pinned = {line.partition("==")[0].partition("[")[0].strip().lower()
              for line in (ROOT / "requirements.lock").read_text("utf-8").splitlines() if "==" in line}

    assert names - pinned == set()


def test_ci_runs_the_commands_of_the_readme():
    commands = re.findall(r"^pip install .*$", README, re.M)
    script = (ROOT / ".ci" / "run").read_text("utf-8")

    assert len(commands) == 2
    assert [command for command in commands if command not in script] == []
