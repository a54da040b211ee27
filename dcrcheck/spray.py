"""One burst of registrations a run, what it met, and ways back into the limited state for the checks that need it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from statistics import median
from typing import Any, ClassVar, Literal
from weakref import WeakKeyDictionary

from dcrcheck.client import Client
from dcrcheck.endpoint import Endpoint
from dcrcheck.registration import retry_after
from dcrcheck.target import is_loopback
from dcrcheck.transport import Answer
from dcrcheck.verdict import Inconclusive, inapplicable, inconclusive

MOST = 300
"""Registrations in one burst, if the budget of the run leaves as many."""
_FEWEST = 20
_ATTEMPTS = 4
_PATIENCE_S = 3.0
_PART, _STRAY, _FACTOR = 25, 2, 4.0
_FEWEST_OF_GROWTH = 75
# what servers say of their limits (RFC 6585, draft-ietf-httpapi-ratelimit-headers, and what came before it)
_TOLD = ("retry-after", "ratelimit", "ratelimit-policy", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset",
         "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-rate-limit-retry-after-seconds")
# addresses of this machine that lie in networks of their own
_SOURCES = ("127.0.0.2", "127.7.7.7", "127.201.3.4")
# after a first probe: P is another probe, C the ordinary registration
_ORDER = "CPPCPCCPPPCC"
# requests on new connections, each lot after one that was turned away on the old one
_WAVES = (1, 2, 1, 3)
_LOOKUPS = 5
_UNAPPROVED = ("unauthorized_client", "access_denied", "approval", "approved", "pending", "not activated", "disabled")


Probe = Callable[[int], Answer]


@dataclass(frozen=True, kw_only=True)
class Control:
    """What keeps one source from registering clients without end, and the answer that shows it."""

    kind: Literal["limit", "quota", "idempotence", "approval"]
    words: str
    answer: Answer
    after: int = 0
    """How many registrations came before it."""


class Spray:
    """A burst of registrations, sent once in a run and read by all checks about abuse."""

    _of: ClassVar[WeakKeyDictionary[Endpoint, Spray]] = WeakKeyDictionary()

    def __init__(self, endpoint: Endpoint, earlier: Client) -> None:
        self.endpoint = endpoint
        self.earlier = earlier
        self.answers: list[Answer] = []
        self.control: Control | None = None
        self.obstacle = ""
        self.lookups: list[float] = []
        """The median seconds of an authorization request before the spray and after it."""
        self._glances: dict[str, Answer] = {}

    @classmethod
    def of(cls, endpoint: Endpoint) -> Spray:
        """The spray of this endpoint's run; sent now if it has not been.

        Raises:
            Inapplicable: registration is not open to anyone.
            Inconclusive: the server accepts no registration, or the budget is spent.
        """
        if endpoint.profile.access != "anonymous":
            inapplicable(f"registration is not open to anyone ({endpoint.profile.access}): whoever has no token "
                         "cannot spray it")
        if endpoint not in cls._of:
            endpoint.control()
            # the last one before the spray: what a spray drives out first
            earlier = endpoint.client(purpose="before the spray")
            cls._of[endpoint] = spray = cls(endpoint, earlier)
            try:
                spray.send()
            except Inconclusive as reason:
                spray.obstacle = str(reason)
            else:
                endpoint.notes.append(f"spray: {spray.describe()}")
        spray = cls._of[endpoint]
        if spray.obstacle:
            inconclusive(spray.obstacle)
        for answer in spray.answers[-1:]:
            endpoint.recorder.recall(answer.exchange)
        return spray

    def send(self) -> None:
        """Send it, and see what stops it.

        Raises:
            Inconclusive: the budget is too small for a burst, or something else than a limit ended it.
        """
        if self.endpoint.remaining < _FEWEST:
            inconclusive(f"budget: it leaves {self.endpoint.remaining} registrations, too few for a burst "
                         "(--max-registrations)")
        self._look_up()
        self._await_quiet()
        twins = self.endpoint.spray(2, self.endpoint.document())
        ids = [answer.registered.client_id for answer in twins if answer.registered]
        if len(ids) == 2 and ids[0] == ids[1]:
            self.answers = twins
            self.control = Control(kind="idempotence", answer=twins[-1], after=1,
                                   words="the same metadata is registered once: the second request got the same client")
            return
        self.answers = twins
        if twins and twins[-1].registered:
            self.answers = twins + self.endpoint.spray(MOST - 2)
        self.control = self._classify() or self._approval()
        self._look_up()

    def _await_quiet(self) -> None:
        """What the run registered before shall not count: a limit that the profile declares is let run out first."""
        declared = self.endpoint.profile.limits.get("registrations")
        if declared and declared["seconds"] <= _PATIENCE_S:
            time.sleep(declared["seconds"])

    def _look_up(self) -> None:
        if self.endpoint.target.endpoint("authorization_endpoint") is not None:
            self.lookups.append(median(self.endpoint.authorize(self.earlier).elapsed_s for _ in range(_LOOKUPS)))

    @property
    def accepted(self) -> int:
        return sum(answer.registered is not None for answer in self.answers)

    @property
    def pace(self) -> tuple[float, float]:
        """The median seconds of the first registrations that were accepted, and of the last; of both a quarter."""
        taken = [answer.elapsed_s for answer in self.answers if answer.registered]
        part = max(1, len(taken) // 4)
        return median(taken[:part] or [0.0]), median(taken[-part:] or [0.0])

    def describe(self) -> str:
        """What it met and when, what the server says of its limit, and what became of the pace."""
        first, last = self.pace
        found = self.control.words if self.control else f"{self.accepted} registrations met no control"
        answer = self.control.answer if self.control else self.answers[-1]
        said = ", ".join(f"{name}: {answer.headers[name]}" for name in _TOLD if name in answer.headers)
        lives = {answer.registered.get("client_secret_expires_at") for answer in self.answers if answer.registered}
        ends = min((at for at in lives if isinstance(at, int) and at > 0), default=0)
        return "; ".join(filter(None, [
            f"{found} ({said})" if said else found,
            f"registrations end by themselves after {ends - time.time():.0f} s" if ends else "",
            f"a registration took {first * 1000:.1f} ms at first and {last * 1000:.1f} ms at last",
            "an authorization request {:.1f} ms before and {:.1f} ms after".format(*(t * 1000 for t in self.lookups))
            if len(self.lookups) == 2 else ""]))

    @property
    def slows_down(self) -> bool:
        """Whether registration becomes much slower as the clients grow in number.

        Of the first 25 and the last 25 registrations that were accepted, all but two of the last took four times as
        long as all but two of the first. Where the time does not depend on the number, whatever it depends on, any
        order is as likely as any other, and this has a probability below 1e-9.

        Raises:
            Inapplicable: the spray was too short to tell.
        """
        taken = [answer.elapsed_s for answer in self.answers if answer.registered]
        if len(taken) < _FEWEST_OF_GROWTH:
            inapplicable(f"{len(taken)} registrations are too few to see them slow down")
        first, last = sorted(taken[:_PART])[-1 - _STRAY], sorted(taken[-_PART:])[_STRAY]
        return last > _FACTOR * first

    def _classify(self) -> Control | None:
        last = self.answers[-1] if self.answers else None
        if last is None or last.registered:
            return None
        if is_limited(last):
            return Control(kind="limit", answer=last, after=self.accepted,
                           words=f"registration {len(self.answers)} was turned away: {last.describe()}")
        if last.status in (400, 403, 409):
            return Control(kind="quota", answer=last, after=self.accepted,
                           words=f"after {self.accepted} registrations the next was refused: {last.describe()}")
        inconclusive(f"the spray ended after {self.accepted} registrations without a limit: {last.describe()}")

    def _approval(self) -> Control | None:
        """A client that cannot be used until somebody approves it costs its registrant the point of a spray."""
        client = next((answer.registered for answer in reversed(self.answers) if answer.registered), None)
        if client is None or self.endpoint.target.endpoint("authorization_endpoint") is None:
            return None
        answer = self.endpoint.authorize(client)
        told = answer.text.lower()
        if self.endpoint.destination(client, answer) == "local" and (
                answer.status == 403 or any(word in told for word in _UNAPPROVED)):
            return Control(kind="approval", answer=answer, after=self.accepted,
                           words=f"a new client cannot be used before it is approved: {answer.describe()}")
        return None

    def demand_pace(self, answers: list[Answer]) -> None:
        """Make sure that a burst which met no limit was fast enough for the one that the profile declares.

        Raises:
            Inconclusive: it was not; the machine or the network is too slow to tell.
        """
        declared = self.endpoint.profile.limits.get("registrations")
        taken_s = sum(answer.elapsed_s for answer in answers)
        if declared and len(answers) * declared["seconds"] < declared["count"] * taken_s:
            inconclusive(f"{len(answers)} registrations took {taken_s:.1f} s, which is slower than the limit that the "
                         f"profile declares ({declared['count']} in {declared['seconds']:g} s)")

    # -- the limit ---------------------------------------------------------------------------------------------------

    @property
    def limited(self) -> Answer:
        """The first answer of a limit.

        Raises:
            Inapplicable: no limit was met, and what was met instead.
        """
        if self.control is None:
            inapplicable(f"{self.accepted} registrations in a row met no limit")
        if self.control.kind != "limit":
            inapplicable(f"what was met is no limit in time: {self.control.words}")
        return self.control.answer

    def enter(self, headers: Mapping[str, str | None] | None = None) -> Answer:
        """Make sure that registrations are being turned away at this moment; the answer that shows it.

        With `headers`, those that are sent with them.

        Raises:
            Inapplicable: there is no limit.
            Inconclusive: the limit is not met again.
        """
        self.endpoint.recorder.recall(self.limited.exchange)
        answers = self.endpoint.spray(MOST, headers=headers)
        if not is_limited(answers[-1]):
            if headers:
                inconclusive(f"{len(answers)} registrations with {', '.join(headers)} met no limit")
            self.obstacle = ("the limit that the spray met was not met again within "
                             f"{len(answers)} registrations, so that nothing could be tried under it")
            inconclusive(self.obstacle)
        self._keep_short(answers)
        return answers[-1]

    def lifted_by(self, name: str, among: Mapping[str, Probe], *, headers: Mapping[str, str | None] | None = None,
                  ) -> bool:
        """Whether registrations made by one of these probes pass while ordinary ones, or those with `headers`, do not.

        A probe receives a number that is new for each call. All are tried once in one limited state, and what is
        turned away there lifts nothing. Limits refill while we ask, so one success proves nothing: every further
        probe must pass and every ordinary registration be turned away, in an order that no steady refilling has.

        Raises:
            Inapplicable, Inconclusive: as `enter`.
        """
        self.endpoint.recorder.recall(self.limited.exchange)
        if not among.keys() <= self._glances.keys():
            self._glance(among)
        glance = self._glances[name]
        self.endpoint.recorder.recall(glance.exchange)
        return glance.registered is not None and self._passes(among[name], headers)

    def _glance(self, among: Mapping[str, Probe]) -> None:
        """Try every probe in one limited state; those that pass once more, for the limit may have ended meanwhile."""
        passing = dict(among)
        for _ in range(_ATTEMPTS):
            if passing:
                self.enter()
                self._glances |= {name: probe(0) for name, probe in passing.items()}
                passing = {name: probe for name, probe in passing.items() if self._glances[name].registered}
        self.endpoint.recorder.forget()
        self.endpoint.recorder.recall(self.limited.exchange)

    def _passes(self, probe: Probe, headers: Mapping[str, str | None] | None) -> bool:
        number = itertools.count(1)
        for _ in range(_ATTEMPTS):
            turned_away = self.enter(headers)
            if probe(next(number)).registered is None:
                return False
            if all((probe(next(number)).registered is not None) if turn == "P" else self._is_on(headers)
                   for turn in _ORDER):
                return True
            # the limit was about to end: let it, so that the next burst meets a whole one
            time.sleep(min(promised_wait(turned_away) or 0.0, _PATIENCE_S))
        self.obstacle = "the limit refills faster than it can be probed"
        inconclusive(self.obstacle)

    def lifted_by_connecting(self) -> bool:
        """Whether registrations on new connections pass while those on the one that was sprayed are turned away.

        Raises:
            Inapplicable: there is no limit.
            Inconclusive: it is not met again, or refills faster than it can be probed.
        """
        for _ in range(_ATTEMPTS):
            passed = self._on_new_connections()
            if passed and not passed[-1]:
                return False
            if len(passed) == sum(_WAVES):
                return True
            time.sleep(min(promised_wait(self.limited) or 0.0, _PATIENCE_S))
        inconclusive("the limit was not met again, or refills faster than it can be probed")

    def _on_new_connections(self) -> list[bool]:
        """Whether each of some new connections registered, while the one that is sprayed is turned away."""
        self.endpoint.recorder.recall(self.limited.exchange)
        passed: list[bool] = []
        waves = iter(_WAVES)

        def after(answer: Answer) -> bool:
            if not is_limited(answer):
                return bool(passed)
            for _ in range(next(waves, 0)):
                with closing(self.endpoint.transport.elsewhere()) as other:
                    passed.append(self.endpoint.submit(via=other, paced=False).registered is not None)
                if not passed[-1]:
                    return True
            return len(passed) == sum(_WAVES)

        self._keep_short(self.endpoint.spray(MOST, until=after))
        return passed

    def _is_on(self, headers: Mapping[str, str | None] | None) -> bool:
        """Sent as the probes are, so that they differ in nothing but their deviation."""
        return is_limited(self.endpoint.submit(headers=headers, paced=False))

    # -- others than the sprayer -----------------------------------------------------------------------------------

    def from_elsewhere(self) -> list[Answer]:
        """Registrations from other addresses of this machine while this one is turned away; the run notes the outcome.

        Raises:
            Inapplicable: there is no limit, or the server cannot be reached from other addresses.
            Inconclusive: the limit is not met again.
        """
        url = self.endpoint.registration_url
        if not is_loopback(url):
            inapplicable("the server is not on this machine: a run has one address, and others would be invented")
        with ExitStack() as stack:
            others = [stack.enter_context(closing(self.endpoint.transport.elsewhere(source))) for source in _SOURCES]
            reached = [other for other in others if other.send("OPTIONS", url).status]
            if not reached:
                inapplicable("the server cannot be reached from another address of this machine")
            self.enter()
            answers = [self.endpoint.submit(control=False, paced=False, via=other) for other in reached]
        passed = sum(answer.registered is not None for answer in answers)
        self.endpoint.notes.append(f"spray: while one source was turned away, {passed} of {len(answers)} others "
                                   "registered: " + ("each source is counted apart" if passed else "all are counted "
                                                     "together"))
        return answers

    def _keep_short(self, answers: list[Answer]) -> None:
        """A burst that leads back into the limit is no evidence: show its last request only."""
        if len(answers) > 1:
            self.endpoint.recorder.forget()
            self.endpoint.recorder.recall(self.limited.exchange)
            self.endpoint.recorder.recall(answers[-1].exchange)


def is_limited(answer: Answer) -> bool:
    """Whether a request was turned away for its number, in one of the ways servers have for it."""
    return answer.status in (429, 503)


def promised_wait(answer: Answer) -> float | None:
    """The seconds until the time that Retry-After names, given in seconds or as a date (RFC 9110 section 10.2.3)."""
    if (seconds := retry_after(answer)) is not None:
        return seconds
    try:
        moment: Any = parsedate_to_datetime(answer.headers.get("retry-after", ""))
    except (ValueError, TypeError):
        return None
    return max(0.0, float(moment.timestamp()) - time.time())
