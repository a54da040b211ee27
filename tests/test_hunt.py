"""What failed before is tried first, a hunt goes on where it stopped, and the same seed gives the same requests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dcrcheck.documents import ConfigurationError
from dcrcheck.house import CORPUS, ROOT
from dcrcheck.hunt import FILE, Hunt, corpus, packed, unpacked
from dcrcheck.strategies import TEXTS, authorities, is_harmless


def test_the_corpus_leads_nowhere_and_says_why():
    content = json.loads(CORPUS.read_text("utf-8"))

    assert set(content) == {"metadata", "body", "redirect_uris", "parameters"}
    for entries in content.values():
        assert all(entry["why"].strip() for entry in entries)
        hosts = {host for entry in entries for host in authorities(json.dumps(entry["value"]))}
        assert all(is_harmless(f"//{host}") for host in hosts - {"[", "localhost", "client.example:x", "ud800"}), hosts
        assert len({json.dumps(entry["value"]) for entry in entries}) == len(entries)
    assert all(isinstance(body, bytes) for body in corpus()["body"])


@pytest.mark.parametrize("value", [b"\xff\x00", {"client_name": "\ud800"}, ["a"], {"latin": 1}])
def test_what_is_packed_comes_back(value: object):
    assert unpacked(json.loads(json.dumps(packed(value)))) == value


def test_without_time_there_is_one_round(tmp_path: Path):
    assert list(Hunt(tmp_path).rounds("test_x")) == [0]
    assert not (tmp_path / FILE).exists()


def test_a_hunt_goes_on_where_it_stopped(tmp_path: Path):
    def some(hunt: Hunt, number: int) -> list[int]:
        rounds = hunt.rounds("test_x")
        return [next(rounds) for _ in range(number)]

    first, second = Hunt(tmp_path, seconds=60), Hunt(tmp_path, seconds=60)
    assert some(first, 4) == [0, 1, 2, 3]

    second = Hunt(tmp_path, seconds=60)

    # the round at which it was interrupted is not lost
    assert some(second, 3) == [0, 3, 4]


def test_what_failed_is_remembered(tmp_path: Path):
    Hunt(tmp_path, seconds=60).keep("test_x", b"\xff")

    assert Hunt(tmp_path, seconds=60).found("test_x") == [b"\xff"]
    assert Hunt(tmp_path, seconds=60).found("test_y") == []


@pytest.mark.parametrize("content", ["", "[]", '{"test_x": {"next": "soon", "found": []}}', '{"test_x": 1}'])
def test_a_broken_memory_is_said_in_one_line(tmp_path: Path, content: str):
    (tmp_path / FILE).write_text(content)

    with pytest.raises(ConfigurationError, match="is not what a hunt left; move it away"):
        Hunt(tmp_path, seconds=60)


def test_every_kind_of_hostility_has_texts():
    assert {"types", "sizes", "encodings", "unicode", "interpreters"} == set(TEXTS)
    assert all(len(texts) >= 4 for texts in TEXTS.values())


def run(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dcrcheck", "run", *words, f"--report-dir={directory}", "--max-registrations=3000"],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})


def bodies(directory: Path) -> list[str]:
    exchanges = json.loads((directory / "results.json").read_text("utf-8"))["exchanges"].values()
    return [exchange["request_body"] for exchange in exchanges if exchange["method"] == "POST"]


def test_a_hunt_finds_what_a_run_passes_by_and_the_next_run_tries_it_first(tmp_path: Path):
    """A server that breaks on one name in some hundred: twenty examples seldom meet it."""
    name = "test_success_always_names_the_client"
    select = ("-k", name, "--defect", "AnswersEarly", "--fuzz-examples=1")

    hunted = run(tmp_path, *select, "--fuzz-seconds=20")

    assert hunted.returncode == 1, hunted.stdout[-1500:]
    state = json.loads((tmp_path / FILE).read_text("utf-8"))[name]
    assert state["found"], state
    again = run(tmp_path, *select, "--fuzz-seconds=0.01")
    assert again.returncode == 1
    assert json.loads((tmp_path / FILE).read_text("utf-8"))[name]["found"] == state["found"]


def test_a_hunt_needs_leave(tmp_path: Path):
    refused = run(tmp_path, "-k", "test_no_bytes", "--fuzz-seconds=1", "--allow=none")

    assert refused.returncode == 4
    assert "permit it with --allow burst" in refused.stdout + refused.stderr
