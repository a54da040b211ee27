"""What a run will send is known before it sends anything, and kept; and where little may be, the best goes first."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from dcrcheck.budget import CLEAN_UP, SHARED, Bounds, Cost
from dcrcheck.catalogue import catalogue
from dcrcheck.charge import Charge
from dcrcheck.documents import ConfigurationError
from dcrcheck.evidence import Recorder
from dcrcheck.house import COSTS, ROOT, SUITES
from dcrcheck.limit import MOST
from dcrcheck.plan import DISCOVERY, Estimate, by_value, estimates, is_scarce, plan
from dcrcheck.reference import Server, serve
from dcrcheck.settings import Settings
from dcrcheck.stage import Stage
from dcrcheck.target import Target
from dcrcheck.trial import Trial
from dcrcheck.verdict import Severity

REGENERATE = ("regenerate it with `python -m tests.costs --fresh --alone rfc7591 --alone mcp …` and with the "
              "results.json of runs against real servers")
# of one severity, which decides what goes first as well
ROWS = tuple(row for row in catalogue().values() if row.severity is Severity.MEDIUM)
AMPLE = Bounds(registrations=2000)


def check_ids() -> set[str]:
    """Every check function as `folder/test_file.py::test_name`, read off the suites."""
    return {f"{path.relative_to(SUITES).as_posix()}::{node.name}" for path in SUITES.rglob("test_*.py")
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def charge(name: str, *rows: int, suite: str = "one", intrusive: tuple[str, ...] = ()) -> Charge:
    """A made-up check that cites these rows of the catalogue."""
    return Charge(check=f"{suite}/test_a.py::{name}", suite=suite, claim="A claim.", intrusive=intrusive,
                  requirements=tuple(ROWS[row] for row in rows or (0,)))


@pytest.fixture
def cost(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what is known of made-up checks: name = (exchanges, registrations, names of what it shares…)."""
    known: dict[str, Estimate] = {}
    monkeypatch.setattr("dcrcheck.plan.estimates", lambda: known)

    def learn(suite: str = "one", **checks: tuple) -> None:
        known.update({f"{suite}/test_a.py::{name}": Estimate(exchanges=row[0], registrations=row[1], shared=row[2:])
                      for name, row in checks.items()})

    return learn


def names(charges: list[Charge]) -> list[str]:
    return [one.check.partition("::")[2] for one in charges]


# -- the bound --------------------------------------------------------------------------------------------------------


def test_the_costs_name_exactly_the_checks_that_there_are():
    known = set(estimates())

    assert (check_ids() - known, known - check_ids()) == (set(), set()), f"{COSTS.name} is old: {REGENERATE}"


def test_a_registration_is_an_exchange():
    assert [name for name, known in estimates().items() if known.registrations > known.exchanges] == []


def test_the_bound_of_a_suite_is_no_less_than_what_was_measured(cost):
    cost(a=(7, 3, "twin"), b=(2, 0))
    cost("two", c=(40, 40, "twin", "other"))
    charges = [charge("a"), charge("a[row]"), charge("b"), charge("c", suite="two")]

    made = plan(charges, charges, AMPLE, examples=20)

    parts = {line.name: line.cost for line in made.lines}
    assert parts["one"].exchanges >= 16 and parts["one"].registrations >= 6
    assert parts["two"].exchanges >= 40 and parts["two"].registrations >= 40
    assert parts[SHARED].registrations >= 2
    assert made.allowances == {name: parts[name] for name in ("one", "two", SHARED)}


def test_what_does_not_apply_is_left_out(cost):
    cost(a=(7, 3), b=(2, 0))
    charges = [charge("a"), charge("b")]

    made = plan(charges, charges[1:], AMPLE, examples=20)

    assert made.left_out == 1
    assert {line.name: line.checks for line in made.lines}["one"] == 1


def test_a_new_check_has_a_bound_as_well(cost):
    made = plan([charge("unheard_of")], [charge("unheard_of")], AMPLE, examples=20)

    assert made.allowances["one"].registrations > 0


def test_the_registrations_of_a_plan_are_no_more_than_the_owner_allows(cost):
    cost(a=(700, 700))
    charges = [charge("a"), charge("a", suite="two"), charge("b", intrusive=("burst",))]

    made = plan(charges, charges, Bounds(registrations=5), examples=20)

    assert made.most.registrations == 5
    assert all(line.cost.registrations <= 5 for line in made.lines if line.name != SHARED)


def test_the_exchanges_of_a_plan_are_no_more_than_the_owner_allows(cost):
    made = plan([charge("a")], [charge("a")], Bounds(registrations=50, exchanges=7), examples=20)

    assert made.exchanges == 7


def test_a_burst_has_room_for_itself(cost):
    cost(a=(3, 3))
    burst = charge("a", intrusive=("burst",))

    made = plan([burst], [burst], AMPLE, examples=20)

    (line,) = [line for line in made.lines if line.name == "one"]
    assert line.cost.registrations >= MOST
    assert line.intrusive == {"burst": 1}


def test_more_examples_cost_more(cost):
    cost("fuzz", a=(40, 40))
    fuzzed = charge("a", suite="fuzz")

    few, many = (plan([fuzzed], [fuzzed], AMPLE, examples=examples).allowances["fuzz"] for examples in (20, 200))

    assert many.registrations >= 400 > few.registrations


# -- what is printed --------------------------------------------------------------------------------------------------


class Heard(Server):
    """Remembers what it was asked."""

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        self.paths: list[str] = []
        inner = self.app

        async def app(scope, receive, send) -> None:
            self.paths.append(scope["path"])
            await inner(scope, receive, send)

        self.app = app


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Heard, subprocess.CompletedProcess[str], Path]:
    """`--plan` of everything, against a server that listens."""
    place, server = tmp_path_factory.mktemp("plan"), Heard()
    with serve(server, tls=False) as running:
        run = subprocess.run([sys.executable, "-m", "dcrcheck", "run", "--issuer", running.issuer, "--plan",
                              "--allow=burst"], cwd=place, capture_output=True, text=True, check=False, timeout=100,
                             env={**os.environ, "PYTHONPATH": str(ROOT)})
    return server, run, place


def test_a_plan_sends_nothing_but_discovery(planned):
    server, run, _ = planned

    assert run.returncode == 0, run.stdout
    assert server.paths and all(path.startswith("/.well-known/") for path in server.paths)


def test_a_plan_writes_nothing(planned):
    _, _, place = planned

    assert list(place.iterdir()) == []


def table(run: subprocess.CompletedProcess[str]) -> dict[str, list[int]]:
    """The lines of a printed plan: name → numbers."""
    lines = run.stdout.partition("checks  requests")[2].split("\n\n")[0].splitlines()[1:]
    return {line[:22].strip(): [int(line[start:start + width].replace(",", "") or 0 if line[start:start + width].strip()
                                    else 0) for start, width in ((22, 8), (30, 10), (40, 15))] for line in lines}


def test_the_table_of_a_plan_adds_up(planned):
    _, run, _ = planned
    lines = table(run)
    checks, requests, registrations = lines.pop("at most")
    sums = [sum(column) for column in zip(*lines.values(), strict=True)]

    assert {DISCOVERY, SHARED, CLEAN_UP, "registration", "fuzz"} <= lines.keys()
    assert sums[0] == checks > 500
    # what the owner allows in all cuts the registrations of all suites together
    assert registrations == min(4000, sums[2])
    assert requests == sums[1] - (sums[2] - registrations)


def test_a_plan_tells_what_goes_beyond_ordinary_requests(planned):
    _, run, _ = planned

    beyond = {line[:22].strip() for line in run.stdout.splitlines() if "burst (" in line}
    assert "abuse" in beyond
    assert "outbound (" not in run.stdout and "oversize (" not in run.stdout


KEPT = """
import json, pytest
from dcrcheck.plugin import TRIAL

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session):
    trial = session.config.stash[TRIAL]
    result = yield
    budget = trial.budget
    with open("kept.json", "w") as file:
        json.dump({"spent": {f"{kind} of {account}": number for (account, kind), number in budget.spent.items()},
                   "allowed": {f"{kind} of {account}": getattr(cost, kind) for account, cost in
                               budget.allowances.items() for kind in ("exchanges", "registrations")},
                   "exchanges": budget.ledger.exchanges(), "most": budget.bounds.exchanges}, file)
    return result
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, dict]:
    """A whole run of the embedded server: what it spent, and its results."""
    place = tmp_path_factory.mktemp("whole")
    (place / "kept.py").write_text(KEPT, "utf-8")
    run = subprocess.run([sys.executable, "-m", "dcrcheck", "run", "-p", "kept", "--report-dir=reports", "-p",
                          "no:html", "--fuzz-examples=4"], cwd=place, capture_output=True, text=True, check=False,
                         timeout=500, env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{place}"})
    assert run.returncode == 0, run.stdout[-3000:]
    return tuple(json.loads((place / name).read_text("utf-8")) for name in ("kept.json", "reports/results.json"))


def test_a_whole_run_keeps_every_line_of_its_plan(whole):
    kept, _ = whole

    over = {name: (number, kept["allowed"][name]) for name, number in kept["spent"].items()
            if name in kept["allowed"] and number > kept["allowed"][name]}
    assert over == {}
    assert kept["spent"]["exchanges of registration"] > 100


def test_a_whole_run_is_not_held_back_by_its_plan(whole):
    _, results = whole

    assert [(f["check"], f["why"]) for f in results["findings"] if f["why"].startswith("budget:")] == []
    assert results["counts"]["INCONCLUSIVE"] == 0


def test_an_ample_budget_leaves_the_checks_in_their_order(whole):
    _, results = whole

    assert [note for note in results["run"]["notes"] if "is small" in note] == []


def test_what_the_findings_say_that_they_sent_adds_up_to_what_was_sent(whole):
    kept, results = whole
    own = {kind: sum(finding[kind] for finding in results["findings"]) for kind in ("exchanges", "registrations")}
    spent = {kind: sum(number for name, number in kept["spent"].items() if name.startswith(kind) and not name.endswith(
        (SHARED, CLEAN_UP, DISCOVERY))) for kind in own}

    assert own == spent
    assert results["run"]["exchanges"] == kept["exchanges"]


# -- what goes first --------------------------------------------------------------------------------------------------


def test_what_needs_no_registration_goes_first_and_bursts_go_last(cost):
    cost(burst=(9, 0), dear=(9, 9), free=(2, 0), cheap=(1, 1))

    order = by_value([charge("burst", 4, intrusive=("burst",)), charge("dear", 1), charge("free", 2),
                      charge("cheap", 3)], 100)

    assert names(order) == ["free", "cheap", "dear", "burst"]


def test_the_shared_client_that_lets_most_be_judged_is_registered_first(cost):
    cost(a=(1, 0, "poor"), b=(1, 0, "rich"), c=(1, 0, "rich"), d=(1, 0, "rich"), e=(1, 1))

    order = by_value([charge("e", 5), charge("a", 1), charge("b", 2), charge("c", 3), charge("d", 4)], 100)

    assert names(order)[:3] == ["b", "c", "d"]


def test_a_requirement_that_was_judged_already_is_worth_nothing_more(cost):
    cost(first=(1, 1), again=(1, 1), other=(1, 1))

    order = by_value([charge("first", 1, 2, 3), charge("again", 1, 2), charge("other", 4)], 100)

    assert names(order) == ["first", "other", "again"]


def test_of_a_check_that_registers_one_row_goes_before_the_others(cost):
    cost(many=(1, 1), other=(1, 1))

    order = by_value([charge("many[a]", 1), charge("many[b]", 1), charge("many[c]", 1), charge("other", 2)], 100)

    assert names(order) == ["many[a]", "other", "many[b]", "many[c]"]


def test_of_two_that_cost_the_same_the_graver_goes_first(cost):
    cost(slight=(1, 1), grave=(1, 1))
    severe = next(row for row in catalogue().values() if row.severity is Severity.CRITICAL)

    order = by_value([charge("slight", 1), replace(charge("grave"), requirements=(severe,))], 100)

    assert names(order) == ["grave", "slight"]


@pytest.mark.parametrize("capacity", [0, 1, 5, 1000])
def test_every_check_keeps_exactly_one_place_whatever_the_budget(capacity: int):
    """Of the real checks, each with two rows."""
    charges = [replace(charge("x", number % 50), check=f"{name}[{row}]", suite=name.partition("/")[0],
                       intrusive=("burst",) if name.startswith("abuse/") else ())
               for number, name in enumerate(estimates()) for row in "ab"]

    order = by_value(charges, capacity)

    assert sorted(one.check for one in order) == sorted(one.check for one in charges)
    assert [one.suite for one in order[-10:]] == ["abuse"] * 10


def test_a_budget_is_small_where_it_does_not_reach_for_all_but_the_bursts(cost):
    cost(a=(2, 2, "twin"), b=(9, 0, "twin", "other"), burst=(300, 300))
    charges = [charge("a"), charge("b"), charge("burst", intrusive=("burst",))]

    assert is_scarce(charges, 3)
    assert not is_scarce(charges, 4)


# -- bounds and permission --------------------------------------------------------------------------------------------


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """No name is looked up and nothing is connected to; says what was tried."""
    tried: list[str] = []

    def refuse(*address: object, **_: object) -> None:
        tried.append(str(address))
        raise OSError("no packet is to leave this test")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setattr("socket.create_connection", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)
    yield tried


@pytest.fixture
def discovered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Discovery without a network: whatever issuer is asked for exists."""
    def discover(issuer, profile, transport, *, resource=None, permissions=frozenset(), **_) -> Target:
        return Target(issuer=issuer, profile=profile, documents={}, resource=resource, permissions=permissions,
                      metadata={"issuer": issuer, "registration_endpoint": f"{issuer}/register"})

    monkeypatch.setattr("dcrcheck.stage.discover", discover)


def stage(**settings) -> Stage:
    with ExitStack() as stack:
        return Stage(Settings(**settings), catalogue(), Recorder(), stack)


@pytest.mark.parametrize("where", [{"issuer": "https://idp.example.com"}, {"resource": "https://api.example.com/mcp"},
                                   {"issuer": "https://192.0.2.1"},
                                   {"issuer": "http://127.0.0.1:1", "resource": "https://api.example.com/mcp"}],
                         ids=lambda where: " ".join(where.values()))
def test_beyond_this_machine_somebody_must_permit_the_run(where: dict[str, str], nowhere: list[str]):
    with pytest.raises(ConfigurationError, match="is not this machine: say who permits the run") as complaint:
        stage(**where)

    assert nowhere == []
    assert "\n" not in str(complaint.value)


def test_without_permission_the_command_line_says_one_line_and_sends_nothing(tmp_path: Path):
    """Watched from inside: whatever would leave the process is an audit event first."""
    (tmp_path / "watched.py").write_text(
        "import sys\n"
        "sys.addaudithook(lambda event, args: event in ('socket.connect', 'socket.getaddrinfo', 'socket.sendto')"
        " and print('PACKET', event, args))\n", "utf-8")

    run = subprocess.run([sys.executable, "-m", "dcrcheck", "run", "-p", "watched", "--issuer",
                          "https://idp.example.com"], cwd=tmp_path, capture_output=True, text=True, check=False,
                         timeout=60, env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"})

    lines = [line for line in (run.stdout + run.stderr).splitlines() if line.strip()]
    assert run.returncode == 4
    assert len(lines) == 1 and lines[0].startswith("ERROR: https://idp.example.com is not this machine"), lines


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"])
def test_on_this_machine_nobody_needs_to(issuer: str, discovered: None):
    assert stage(issuer=issuer).authorized_by == ""


def test_a_plan_needs_no_permission_and_no_token(discovered: None):
    subject = stage(issuer="https://idp.example.com", profile="initial-access-token", plan=True)

    assert subject.target.issuer == "https://idp.example.com"
    assert subject.initial_access_token is None


def test_beyond_this_machine_nothing_but_ordinary_requests_is_permitted_unasked(discovered: None):
    permitted = {"issuer": "https://idp.example.com", "authorized_by": "Ada"}

    assert stage(**permitted).target.permissions == frozenset()
    assert stage(**permitted, allow=frozenset({"burst"})).target.permissions == {"burst"}


def test_who_permitted_the_run_is_told_by_its_report(discovered: None, tmp_path: Path):
    trial = Trial(Settings(issuer="https://idp.example.com", authorized_by="TICKET-7", report_dir=tmp_path))
    try:
        results = trial.finish([])
    finally:
        trial.close()

    assert results.run.authorized_by == "TICKET-7"


def test_the_profile_may_say_who_permits_the_run(discovered: None, tmp_path: Path):
    mine = tmp_path / "mine.toml"
    mine.write_text('title = "Mine"\npolicy = "rfc7591"\nissuer = "https://idp.example.com"\n'
                    'authorized_by = "identity team"\n', "utf-8")

    assert stage(profile=str(mine)).authorized_by == "identity team"
    assert stage(profile=str(mine), authorized_by="Ada").authorized_by == "Ada"


@pytest.mark.parametrize(("declared", "kept"), [
    ((5, 3600), (5, 3672.1)), ((9, 1), (9, 1.12)), ((10, 1), (9, 1.0)), ((100, 1), (90, 1.0))])
def test_a_run_stays_a_little_below_the_declared_limit(declared, kept, discovered: None, tmp_path: Path):
    mine = tmp_path / "mine.toml"
    mine.write_text('title = "Mine"\npolicy = "rfc7591"\n[limits]\n'
                    f"registrations = {{ count = {declared[0]}, seconds = {declared[1]} }}\n", "utf-8")

    trial = Trial(Settings(issuer="http://127.0.0.1:8080", profile=str(mine), plan=True))
    trial.close()

    assert trial.bounds().limit == pytest.approx(kept)


@pytest.mark.parametrize(("limit", "patience_s", "capacity"), [
    (None, 120, 500), ((5, 3600.0), 120, 5), ((5, 60.0), 120, 15), ((400, 60.0), 120, 500)])
def test_what_can_be_sent_at_all_is_up_to_limit_and_patience(limit, patience_s: float, capacity: int):
    assert Bounds(registrations=500, limit=limit, patience_s=patience_s).capacity == capacity


def test_costs_add_up():
    assert Cost(exchanges=2, registrations=1) + Cost(exchanges=3) == Cost(exchanges=5, registrations=1)
