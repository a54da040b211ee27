"""One burst of registrations a run: what it met, at what count, and what became of the pace."""

from __future__ import annotations

import time
from statistics import median
from typing import ClassVar
from weakref import WeakKeyDictionary

from dcrcheck.client import Client
from dcrcheck.endpoint import Endpoint
from dcrcheck.limit import MOST, PATIENCE_S, Control, Limit, is_limited
from dcrcheck.transport import Answer
from dcrcheck.verdict import Inconclusive, inapplicable, inconclusive

_FEWEST = 20
_PART, _STRAY, _FACTOR = 25, 2, 4.0
_FEWEST_OF_GROWTH = 75
# what servers say of their limits (RFC 6585, draft-ietf-httpapi-ratelimit-headers, and what came before it)
_TOLD = ("retry-after", "ratelimit", "ratelimit-policy", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset",
         "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-rate-limit-retry-after-seconds")
_LOOKUPS = 5
_UNAPPROVED = ("unauthorized_client", "access_denied", "approval", "approved", "pending", "not activated", "disabled")


class Spray(Limit):
    """A burst of registrations, sent once in a run and read by all checks about abuse."""

    _of: ClassVar[WeakKeyDictionary[Endpoint, Spray]] = WeakKeyDictionary()

    def __init__(self, endpoint: Endpoint, earlier: Client) -> None:
        super().__init__(endpoint)
        self.earlier = earlier
        self.answers: list[Answer] = []
        self.lookups: list[float] = []
        """The median seconds of an authorization request before the spray and after it."""

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
            self.answers, self.accepted = twins, 2
            self.control = Control(kind="idempotence", answer=twins[-1], after=1,
                                   words="the same metadata is registered once: the second request got the same client")
            return
        self.answers = twins
        if twins and twins[-1].registered:
            self.answers = twins + self.endpoint.spray(MOST - 2)
        self.accepted = sum(answer.registered is not None for answer in self.answers)
        self.control = self._classify() or self._approval()
        self._look_up()

    def _await_quiet(self) -> None:
        """What the run registered before shall not count: a limit that the profile declares is let run out first."""
        declared = self.endpoint.profile.limits.get("registrations")
        if declared and declared["seconds"] <= PATIENCE_S:
            time.sleep(declared["seconds"])

    def _look_up(self) -> None:
        if self.endpoint.target.endpoint("authorization_endpoint") is not None:
            self.lookups.append(median(self.endpoint.authorize(self.earlier).elapsed_s for _ in range(_LOOKUPS)))

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
