"""What a run may still send: never more than its owner, the server and its plan allow, however many send at once."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dcrcheck.budget import CLEAN_UP, SHARED, Bounds, Budget, Cost
from dcrcheck.catalogue import catalogue
from dcrcheck.endpoint import Endpoint
from dcrcheck.evidence import Exchange, Recorder
from dcrcheck.ledger import Ledger
from dcrcheck.profile import Profile, load_profile
from dcrcheck.target import Target
from dcrcheck.transport import Answer, Headers
from dcrcheck.verdict import Inconclusive, Withheld

ISSUER = "https://as.example"


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.slept: list[float] = []

    def time(self) -> float:
        return self.now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("dcrcheck.budget.time", clock)
    monkeypatch.setattr("dcrcheck.ledger.time", clock)
    return clock


def ledger_of(path: Path | None = None, run: str = "r") -> Ledger:
    ledger = Ledger(path, run=run, issuer=ISSUER)
    ledger.begin(profile="p", origins=[ISSUER], embedded=False)
    return ledger


def budget(*, ledger: Ledger | None = None, tell: Callable[[str], None] = lambda _: None, **bounds) -> Budget:
    subject = Budget(ledger or ledger_of(), Bounds(**{"registrations": 100, **bounds}), tell=tell)
    subject.begin("test_x", "one")
    return subject


def times(most: int, spend: Callable[[], object]) -> int:
    """How often something may be spent before it is held back."""
    for number in range(most):
        try:
            spend()
        except Withheld:
            return number
    return most


# -- what the owner allows --------------------------------------------------------------------------------------------


def test_no_more_registrations_are_sent_than_the_owner_allows():
    subject = budget(registrations=3)

    assert times(10, lambda: subject.register({})) == 3
    assert subject.ledger.registrations() == 3
    assert subject.remaining == 0
    with pytest.raises(Withheld, match=r"^budget: the 3 registrations .* are spent \(--max-registrations\)$"):
        subject.demand_registration()


def test_no_more_exchanges_are_sent_than_the_owner_allows():
    subject = budget(exchanges=5)

    assert times(10, subject.admit) == 5
    assert subject.ledger.exchanges() == 5
    with pytest.raises(Withheld, match=r"^budget: the 5 exchanges .* \(--max-exchanges, or else its plan\)$"):
        subject.admit()


def test_what_was_created_is_deleted_whatever_has_been_sent():
    subject = budget(exchanges=1)
    subject.admit()
    subject.breaker.opened["one"] = "the server is down"

    with subject.on(CLEAN_UP):
        times(4, subject.admit)

    assert subject.ledger.exchanges() == 5


def test_exchanges_take_turns_at_the_rate_that_the_owner_allows(clock: Clock):
    subject = budget(rate=4)

    times(5, subject.admit)

    assert clock.slept == [0.25] * 4


def test_turns_that_nobody_took_are_not_made_up_for(clock: Clock):
    subject = budget(rate=4)
    subject.admit()
    clock.sleep(60)
    clock.slept.clear()

    times(3, subject.admit)

    assert clock.slept == [0.25, 0.25]


def test_all_processes_of_a_run_take_turns(clock: Clock, tmp_path: Path):
    one, other = (budget(ledger=ledger_of(tmp_path / "ledger.sqlite"), rate=4) for _ in range(2))

    turns = [clock.slept[-1:] for each in (one, other, one, other) if each.admit() is None]

    assert turns == [[], [0.25], [0.25], [0.25]]


# -- what the server allows -------------------------------------------------------------------------------------------


def test_the_declared_limit_is_waited_for_and_the_wait_is_told(clock: Clock):
    told: list[str] = []
    subject = budget(limit=(2, 30.0), tell=told.append)

    assert times(5, lambda: subject.register({})) == 5
    assert clock.slept == [30.0, 30.0]
    assert told == ["waiting 30 s: the profile's limit of 2 registrations in 30 s is reached"] * 2


def test_two_runs_of_one_ledger_keep_the_limit_of_their_server_together(clock: Clock, tmp_path: Path):
    path = tmp_path / "ledger.sqlite"
    first = budget(ledger=ledger_of(path, "one"), limit=(3, 30.0))
    times(2, lambda: first.register({}))
    clock.now += 10

    second = budget(ledger=ledger_of(path, "other"), limit=(3, 30.0))
    times(2, lambda: second.register({}))

    assert clock.slept == [20.0]
    assert second.ledger.registrations() == 2


def test_a_limit_is_of_one_server_only(clock: Clock, tmp_path: Path):
    path = tmp_path / "ledger.sqlite"
    first = budget(ledger=ledger_of(path), limit=(2, 30.0))
    times(2, lambda: first.register({}))
    other = Ledger(path, run="s", issuer="https://another.example")
    other.begin(profile="p", origins=[], embedded=False)

    times(2, lambda: budget(ledger=other, limit=(2, 30.0)).register({}))

    assert clock.slept == []


def test_a_check_about_limits_does_not_heed_them(clock: Clock):
    subject = budget(limit=(2, 30.0))
    subject.turned_away(50)

    assert times(6, lambda: subject.register({}, paced=False)) == 6
    assert clock.slept == []


def test_a_server_that_turns_away_is_left_alone_for_as_long_as_it_says(clock: Clock):
    told: list[str] = []
    subject = budget(tell=told.append)
    subject.turned_away(7)
    subject.turned_away(3)

    times(3, lambda: subject.register({}))

    assert clock.slept == [7.0]
    assert told == ["waiting 7 s: the server asked to wait (Retry-After)"]


def test_a_run_waits_no_longer_in_all_than_its_owner_allows(clock: Clock):
    subject = budget(limit=(1, 30.0), patience_s=100)

    assert times(10, lambda: subject.register({})) == 4
    assert sum(clock.slept) == 90
    assert subject.ledger.registrations() == 4


def test_reasons_for_not_waiting_are_the_same_however_long_it_would_have_been(clock: Clock):
    subject = budget(limit=(1, 3600.0), patience_s=10)
    subject.register({})
    reasons = set()
    for _ in range(3):
        clock.now += 100
        with pytest.raises(Withheld) as reason:
            subject.register({})
        reasons.add(str(reason.value))

    assert reasons == {"budget: the profile's limit of 1 registrations in 3600 s is reached, and that is longer than a "
                       "run waits (--max-wait, 10 s in all)"}


# -- what the plan allows ---------------------------------------------------------------------------------------------


def test_each_suite_keeps_to_its_part_of_the_plan():
    subject = budget()
    subject.allowances = {"one": Cost(exchanges=5, registrations=2), "two": Cost(exchanges=1, registrations=0)}

    assert times(10, lambda: subject.register({})) == 2
    assert times(10, subject.admit) == 5
    subject.begin("test_y", "two")
    assert times(10, subject.admit) == 1
    with pytest.raises(Withheld, match="the plan gives two 0 registrations, and they are spent"):
        subject.register({})
    assert subject.ledger.registrations() == 2


def test_what_is_shared_is_on_no_account_of_a_check():
    subject = budget()
    subject.allowances = {"one": Cost(exchanges=1), SHARED: Cost(exchanges=2, registrations=1)}

    with subject.use("the accepted twin"):
        subject.register({})
        subject.admit()
    subject.admit()

    assert subject.cost == Cost(exchanges=1)
    assert subject.cost_of(SHARED) == Cost(exchanges=1, registrations=1)
    assert subject.shared == {"the accepted twin"}


def test_the_account_of_a_check_begins_at_nothing():
    subject = budget()
    subject.register({})
    subject.admit()

    subject.begin("test_y", "one")

    assert subject.cost == Cost()
    assert subject.cost_of("one") == Cost(exchanges=1, registrations=1)
    assert subject.shared == set()


def test_an_account_is_left_again_where_what_was_sent_on_it_failed():
    subject = budget()

    with pytest.raises(Withheld), subject.on(SHARED):
        subject.wait(10**6, "the server asked to wait")
    subject.admit()

    assert subject.cost == Cost(exchanges=1)


# -- several that spend at once ---------------------------------------------------------------------------------------


def spend_in_a_process(path: Path, together, sums) -> None:
    together.wait()
    subject = budget(ledger=Ledger(path, run="r", issuer=ISSUER), registrations=25, exchanges=40)
    sums.put((times(25, lambda: subject.register({})), times(40, subject.admit)))


def test_processes_that_share_a_ledger_share_the_budget(tmp_path: Path):
    """They open it at the same moment as well."""
    path = tmp_path / "ledger.sqlite"
    ledger_of(path).close()
    fork = multiprocessing.get_context("fork")
    together, sums = fork.Barrier(4), fork.Queue()

    processes = [fork.Process(target=spend_in_a_process, args=(path, together, sums)) for _ in range(4)]
    for process in processes:
        process.start()
    spent = [sums.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()

    ledger = Ledger(path, run="r", issuer=ISSUER)
    assert [sum(kind) for kind in zip(*spent, strict=True)] == [25, 40]
    assert (ledger.registrations(), ledger.exchanges()) == (25, 40)


def open_in_a_process(path: Path, together, complaints) -> None:
    together.wait()
    try:
        Ledger(path, run="r", issuer=ISSUER).intend("test_x", {})
        complaints.put("")
    except OSError as error:
        complaints.put(str(error))


def test_processes_that_make_a_ledger_at_the_same_moment_agree(tmp_path: Path):
    fork = multiprocessing.get_context("fork")
    for number in range(8):
        path, together, complaints = tmp_path / f"{number}.sqlite", fork.Barrier(4), fork.Queue()
        processes = [fork.Process(target=open_in_a_process, args=(path, together, complaints)) for _ in range(4)]
        for process in processes:
            process.start()
        assert [complaints.get(timeout=60) for _ in processes] == [""] * 4
        for process in processes:
            process.join()
        assert Ledger(path, run="r", issuer=ISSUER).registrations() == 4


def test_threads_share_the_budget(tmp_path: Path):
    subject = budget(ledger=ledger_of(tmp_path / "ledger.sqlite"), registrations=25, exchanges=40)
    subject.allowances = {"one": Cost(exchanges=30, registrations=20)}

    with ThreadPoolExecutor(8) as pool:
        registered = list(pool.map(lambda _: times(10, lambda: subject.register({})), range(8)))
        admitted = list(pool.map(lambda _: times(10, subject.admit), range(8)))

    assert (sum(registered), sum(admitted)) == (20, 30)
    assert (subject.ledger.registrations(), subject.ledger.exchanges()) == (20, 30)


# -- at the endpoint --------------------------------------------------------------------------------------------------


class Wire:
    """A transport that asks the gate as the real one does, and answers from a script."""

    def __init__(self, answers: Iterator[tuple[int, dict[str, str]]]) -> None:
        self.recorder = Recorder()
        self.answers = answers
        self.sent = 0

    def send(self, method, url, *, headers=(), content=b"", target=None) -> Answer:
        self.recorder.admit()
        self.sent += 1
        status, answered = next(self.answers)
        exchange = Exchange(id=self.recorder.next_id(), method=method, url=url, status=status or None,
                            error="" if status else "timed out after 1 s (ReadTimeout)")
        self.recorder.record(exchange)
        body = json.dumps({"client_id": f"c{self.sent}"} if status == 201 else {}).encode()
        return Answer(status=status, headers=Headers({"content-type": "application/json", **answered}), body=body,
                      url=url, exchange=exchange)


def endpoint(subject: Budget, *answers: int | tuple[int, dict[str, str]]) -> tuple[Endpoint, Wire]:
    """An endpoint whose server answers so, and then 201 for ever."""
    def script() -> Iterator[tuple[int, dict[str, str]]]:
        yield from (answer if isinstance(answer, tuple) else (answer, {}) for answer in answers)
        while True:
            yield 201, {}

    wire = Wire(script())
    wire.recorder.gate = subject
    target = Target(issuer=ISSUER, documents={}, metadata={"registration_endpoint": f"{ISSUER}/register"},
                    profile=Profile(name="t", title="t", policy=load_profile("rfc7591", catalogue()).policy))
    return Endpoint(target, wire, subject), wire


@pytest.mark.parametrize("spend", ["registrations of the plan", "exchanges of the plan", "exchanges", "circuit"])
def test_an_intent_is_withdrawn_where_the_request_was_held_back(spend: str):
    subject = budget(exchanges=0 if spend == "exchanges" else None)
    if spend.endswith("of the plan"):
        subject.allowances = {"one": Cost(exchanges=0 if "exchanges" in spend else 9, registrations=9 if "exchanges" in
                                          spend else 0)}
    elif spend == "circuit":
        subject.breaker.opened["one"] = "the server is down"
    client, wire = endpoint(subject)

    with pytest.raises(Withheld):
        client.register()

    assert wire.sent == 0
    assert subject.ledger.registrations() == 0
    assert subject.ledger.clients().left == ()


def test_an_intent_stays_where_the_request_was_sent_and_never_answered():
    client, wire = endpoint(budget(), 0)

    with pytest.raises(Inconclusive):
        client.register()

    assert wire.sent == 1
    assert len(client.ledger.clients().left) == 1


def test_an_intent_stays_where_nobody_may_ask_whether_the_server_is_alive():
    """The third silence opens the circuit, and the run may not send what would be asked then."""
    subject = Budget(ledger_of(), Bounds(registrations=9, exchanges=3), alive=lambda: wire.send("GET", ISSUER) is None)
    subject.begin("test_x", "one")
    client, wire = endpoint(subject, 0, 0, 0)

    for _ in range(3):
        with pytest.raises(Inconclusive):
            client.register()

    assert wire.sent == 3
    assert len(client.ledger.clients().left) == 3


def test_what_the_run_itself_held_back_is_no_reason_against_the_accepted_twin(clock: Clock):
    subject = budget(limit=(1, 100.0), patience_s=50)
    client, _ = endpoint(subject)
    subject.register({})
    with pytest.raises(Withheld, match="longer than a run waits"):
        client.control()

    clock.now += 60

    assert client.control().client_id == "c1"


def test_what_the_server_said_against_the_accepted_twin_is_remembered():
    client, wire = endpoint(budget(), 400)

    for _ in range(3):
        with pytest.raises(Inconclusive, match="the accepted twin of this probe is not accepted"):
            client.control()

    assert wire.sent == 1


def test_a_given_waits_once_for_as_long_as_the_server_says(clock: Clock):
    client, wire = endpoint(budget(), (429, {"retry-after": "5"}))

    assert client.register().client_id == "c2"
    assert (clock.slept, wire.sent) == ([5.0], 2)
    assert client.ledger.clients().left[0].client_id == "c2"


def test_a_server_that_asks_for_more_patience_than_there_is_gets_no_further_registration(clock: Clock):
    client, wire = endpoint(budget(patience_s=60), (429, {"retry-after": "3600"}))

    for _ in range(3):
        with pytest.raises(Withheld, match="the server asked to wait"):
            client.register()

    assert (clock.slept, wire.sent) == ([], 1)
    assert client.ledger.registrations() == 1
