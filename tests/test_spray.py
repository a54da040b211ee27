"""The spray knows every legitimate control when it meets one, is sent once, and takes no refilling for a bypass."""

import itertools
import json
import math
import random
import time
from dataclasses import replace
from email.utils import formatdate

import pytest

from dcrcheck import Spray, promised_wait
from dcrcheck.budget import Bounds, Budget
from dcrcheck.catalogue import catalogue
from dcrcheck.endpoint import Endpoint
from dcrcheck.evidence import Exchange, Recorder
from dcrcheck.ledger import Ledger
from dcrcheck.profile import Profile, load_profile
from dcrcheck.target import Target
from dcrcheck.transport import Answer, Headers
from dcrcheck.verdict import Inapplicable, Inconclusive

ISSUER = "https://as.example"
NUMBER = itertools.count()


def begun() -> Ledger:
    """The ledger of a run that has begun, in memory."""
    ledger = Ledger(None, run="r", issuer=ISSUER)
    ledger.begin(profile="t", origins=[ISSUER], embedded=False)
    return ledger


class Scripted:
    """A transport that answers from a script."""

    def __init__(self, script) -> None:
        self.recorder, self.script, self.sent = Recorder(), script, []

    def close(self) -> None:
        pass

    def send(self, method, url, *, headers=(), content=b"", target=None) -> Answer:
        self.sent.append(url)
        status, body, answered = self.script(method, url, content)
        return Answer(status=status, headers=Headers(answered), body=json.dumps(body).encode(), url=url,
                      exchange=Exchange(id=self.recorder.next_id(), method=method, url=url, status=status))


def endpoint(script, *, budget: int = 400, **profile) -> tuple[Endpoint, Scripted]:
    policy = load_profile("rfc7591", catalogue()).policy
    target = Target(issuer=ISSUER, profile=Profile(name="t", title="t", policy=policy, **profile), documents={},
                    metadata={"issuer": ISSUER, "registration_endpoint": f"{ISSUER}/register"})
    transport = Scripted(script)
    return Endpoint(target, transport, Budget(begun(), Bounds(registrations=budget))), transport


def accept(method: str, url: str, content: bytes) -> tuple[int, dict, dict[str, str]]:
    return 201, {**json.loads(content), "client_id": f"client {next(NUMBER)}"}, {}


class After:
    """A registration endpoint that accepts a number of requests and then answers something else."""

    def __init__(self, count: int, status: int, headers: dict[str, str] | None = None) -> None:
        self.count, self.status, self.headers, self.seen = count, status, headers or {}, 0

    def __call__(self, method, url, content):
        self.seen += 1
        return accept(method, url, content) if self.seen <= self.count else (self.status, {"error": "no"}, self.headers)


@pytest.mark.parametrize(("status", "kind"), [(429, "limit"), (503, "limit"), (403, "quota"), (400, "quota")])
def test_what_ends_a_spray_is_known(status: int, kind: str):
    subject, _ = endpoint(After(30, status))

    assert Spray.of(subject).control.kind == kind


def test_registering_the_same_client_once_is_a_control():
    subject, transport = endpoint(lambda m, u, c: (201, {"client_id": "the-same"}, {}))

    assert Spray.of(subject).control.kind == "idempotence"
    assert len(transport.sent) == 4


def test_a_server_that_never_stops_has_no_control():
    subject, transport = endpoint(accept, budget=60)

    assert Spray.of(subject).control is None
    assert len(transport.sent) == 60
    with pytest.raises(Inapplicable, match="met no limit"):
        _ = Spray.of(subject).limited


def test_the_spray_is_sent_once():
    subject, transport = endpoint(After(30, 429))

    Spray.of(subject)
    sent = len(transport.sent)

    assert Spray.of(subject) is Spray.of(subject)
    assert len(transport.sent) == sent


@pytest.mark.parametrize("status", [0, 302, 401, 500])
def test_what_is_no_control_is_inconclusive_and_not_tried_again(status: int):
    subject, transport = endpoint(After(30, status))

    for _ in range(3):
        with pytest.raises(Inconclusive, match="ended after"):
            Spray.of(subject)

    assert len(transport.sent) == 31


def test_a_small_budget_is_no_burst():
    subject, _ = endpoint(accept, budget=15)

    with pytest.raises(Inconclusive, match="budget"):
        Spray.of(subject)


def test_registration_with_a_token_cannot_be_sprayed():
    subject, transport = endpoint(accept, registration={"access": "initial-access-token"})

    with pytest.raises(Inapplicable, match="not open to anyone"):
        Spray.of(subject)
    assert not transport.sent


def probe_of(subject: Endpoint):
    return lambda n: subject.submit(client_name=f"probe {n}", paced=False)


def test_a_probe_that_passes_a_closed_limit_lifts_it():
    closed = After(30, 429)
    subject, _ = endpoint(lambda m, u, c: accept(m, u, c) if b"probe" in c else closed(m, u, c))

    assert Spray.of(subject).lifted_by("it", {"it": probe_of(subject)})


def test_a_limit_that_lets_every_other_request_through_is_not_lifted():
    closed = After(30, 429)

    def script(method, url, content):
        passes = closed.seen >= closed.count and closed.seen % 2 == 0  # whoever sends it
        closed.seen += passes
        return accept(method, url, content) if passes else closed(method, url, content)

    subject, _ = endpoint(script, budget=1000)

    with pytest.raises(Inconclusive, match="refills"):
        for _ in range(2):
            assert not Spray.of(subject).lifted_by("it", {"it": probe_of(subject)})


def test_a_refused_probe_does_not_lift_the_limit():
    subject, _ = endpoint(After(30, 429))

    assert not Spray.of(subject).lifted_by("it", {"it": probe_of(subject)})


def test_a_spray_says_what_it_met_and_when():
    subject, _ = endpoint(After(30, 429, {"retry-after": "7", "x-ratelimit-limit": "27"}))

    spray = Spray.of(subject)

    assert spray.control.after == 28  # two registrations came before it
    assert "registration 29 was turned away" in spray.describe()
    assert "x-ratelimit-limit: 27" in spray.describe()
    assert any("registration 29" in note for note in subject.notes)


@pytest.fixture(scope="module")
def sprayed() -> Spray:
    return Spray.of(endpoint(accept, budget=60)[0])


def timed(spray: Spray, taken: list[float]) -> Spray:
    """The spray, had its registrations taken these times."""
    registered = spray.answers[2]
    spray.answers = [replace(registered, elapsed_s=seconds) for seconds in taken]
    return spray


def test_a_server_that_slows_down_is_seen_and_chance_is_not_taken_for_it(sprayed: Spray):
    source = random.Random(2)
    one = math.comb(50, 25)
    # of the upper half of 50 values, at most two may stand among the first 25
    exactly = sum(math.comb(25, stray) ** 2 for stray in range(3)) / one

    assert exactly < 1e-9
    assert timed(sprayed, [0.001] * 50 + [0.005] * 50).slows_down
    assert timed(sprayed, [0.001 + number / 10_000 for number in range(300)]).slows_down
    for _ in range(300):
        assert not timed(sprayed, [source.lognormvariate(-6, 1.5) for _ in range(100)]).slows_down


def test_a_short_spray_tells_nothing_of_growth(sprayed: Spray):
    with pytest.raises(Inapplicable, match="too few"):
        _ = timed(sprayed, [0.001] * 74).slows_down


def test_no_other_sources_are_invented_for_a_server_elsewhere():
    subject, _ = endpoint(After(30, 429))

    with pytest.raises(Inapplicable, match="one address"):
        Spray.of(subject).from_elsewhere()


@pytest.mark.parametrize("counts_connections", [True, False])
def test_a_limit_for_each_connection_is_seen(counts_connections: bool):
    closed = After(30, 429)
    subject, transport = endpoint(closed, budget=600)
    other = Scripted(accept if counts_connections else closed)
    transport.elsewhere = lambda source=None: other

    assert Spray.of(subject).lifted_by_connecting() is counts_connections


def test_a_limit_that_refills_is_not_taken_for_one_of_connections():
    closed = After(30, 429)

    def script(method, url, content):
        passes = closed.seen >= closed.count and closed.seen % 2 == 0  # whoever sends it, on whatever connection
        closed.seen += 1
        return accept(method, url, content) if passes else (
            accept(method, url, content) if closed.seen <= closed.count else (429, {"error": "no"}, {}))

    subject, transport = endpoint(script, budget=2000)
    transport.elsewhere = lambda source=None: transport

    assert not Spray.of(subject).lifted_by_connecting()


@pytest.mark.parametrize(("value", "wait"), [("0", 0), ("17", 17), (formatdate(0, usegmt=True), 0)])
def test_a_promised_time_is_read_in_both_forms(value: str, wait: float):
    assert promised_wait(answer(value)) == wait


def test_a_promised_date_is_counted_from_now():
    assert promised_wait(answer(formatdate(time.time() + 30, usegmt=True))) == pytest.approx(30, abs=2)


@pytest.mark.parametrize("value", ["soon", "", "-1", "1.5", "1 s"])
def test_what_is_no_time_promises_nothing(value: str):
    assert promised_wait(answer(value)) is None


def answer(retry_after: str) -> Answer:
    return Answer(status=429, headers=Headers({"retry-after": retry_after}), body=b"", url="",
                  exchange=Exchange(id="x", method="POST", url=""))
