"""One burst of registrations a run, what it met, and ways back into the limited state for the checks that need it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Literal
from weakref import WeakKeyDictionary

from dcrcheck.endpoint import Endpoint
from dcrcheck.registration import retry_after
from dcrcheck.transport import Answer
from dcrcheck.verdict import Inconclusive, inapplicable, inconclusive

MOST = 300
"""Registrations in one burst, if the budget of the run leaves as many."""
_FEWEST = 20
_ATTEMPTS = 4
_PATIENCE_S = 3.0
# after a first probe: P is another probe, C the ordinary registration
_ORDER = "CPPCPCCPPPCC"
_UNAPPROVED = ("unauthorized_client", "access_denied", "approval", "approved", "pending", "not activated", "disabled")


@dataclass(frozen=True, kw_only=True)
class Control:
    """What keeps one source from registering clients without end, and the answer that shows it."""

    kind: Literal["limit", "quota", "idempotence", "approval"]
    words: str
    answer: Answer


class Spray:
    """A burst of registrations, sent once in a run and read by all checks about abuse."""

    _of: ClassVar[WeakKeyDictionary[Endpoint, Spray]] = WeakKeyDictionary()

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.answers: list[Answer] = []
        self.control: Control | None = None
        self.obstacle = ""

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
            cls._of[endpoint] = spray = cls(endpoint)
            try:
                spray.send()
            except Inconclusive as reason:
                spray.obstacle = str(reason)
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
        twins = self.endpoint.spray(2, self.endpoint.document())
        ids = [answer.registered.client_id for answer in twins if answer.registered]
        if len(ids) == 2 and ids[0] == ids[1]:
            self.answers = twins
            self.control = Control(kind="idempotence", answer=twins[-1],
                                   words="the same metadata is registered once: the second request got the same client")
            return
        self.answers = twins
        if twins and twins[-1].registered:
            self.answers = twins + self.endpoint.spray(MOST - 2)
        self.control = self._classify() or self._approval()

    @property
    def accepted(self) -> int:
        return sum(answer.registered is not None for answer in self.answers)

    def _classify(self) -> Control | None:
        last = self.answers[-1] if self.answers else None
        if last is None or last.registered:
            return None
        if is_limited(last):
            return Control(kind="limit", answer=last,
                           words=f"registration {len(self.answers)} was turned away: {last.describe()}")
        if last.status in (400, 403, 409):
            return Control(kind="quota", answer=last,
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
            return Control(kind="approval", answer=answer,
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

    def lifted_by(self, probe: Callable[[int], Answer], *, headers: Mapping[str, str | None] | None = None) -> bool:
        """Whether registrations made by `probe` pass while ordinary ones, or those with `headers`, are turned away.

        `probe` receives a number that is new for each call. Limits refill while we ask, so one success proves
        nothing: every probe must pass and every ordinary registration be turned away, in an order that no steady
        refilling has.

        Raises:
            Inapplicable, Inconclusive: as `enter`.
        """
        number = itertools.count()
        for _ in range(_ATTEMPTS):
            turned_away = self.enter(headers)
            if probe(next(number)).registered is None:
                return False
            if all((probe(next(number)).registered is not None) if turn == "P" else self._is_on(headers)
                   for turn in _ORDER):
                return True
            # the limit was about to end: let it, so that the next burst meets a whole one
            time.sleep(min(promised_wait(turned_away) or 0.0, _PATIENCE_S))
        inconclusive("the limit refills faster than it can be probed")

    def _is_on(self, headers: Mapping[str, str | None] | None) -> bool:
        """Sent as the probes are, so that they differ in nothing but their deviation."""
        return is_limited(self.endpoint.submit(headers=headers, paced=False))

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
