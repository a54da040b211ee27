"""What stops a burst of registrations, ways back into the limited state, and what is tried to get past it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from dcrcheck.endpoint import Endpoint
from dcrcheck.registration import retry_after
from dcrcheck.target import is_loopback
from dcrcheck.transport import Answer
from dcrcheck.verdict import inapplicable, inconclusive

MOST = 300
"""Registrations in one burst, if the budget of the run leaves as many."""
PATIENCE_S = 3.0
_ATTEMPTS = 4
# addresses of this machine that lie in networks of their own
_SOURCES = ("127.0.0.2", "127.7.7.7", "127.201.3.4")
# after a first probe: P is another probe, C the ordinary registration
_ORDER = "CPPCPCCPPPCC"
# requests on new connections, each lot after one that was turned away on the old one
_WAVES = (1, 2, 1, 3)

Probe = Callable[[int], Answer]


@dataclass(frozen=True, kw_only=True)
class Control:
    """What keeps one source from registering clients without end, and the answer that shows it."""

    kind: Literal["limit", "quota", "idempotence", "approval"]
    words: str
    answer: Answer
    after: int = 0
    """How many registrations came before it."""


class Limit:
    """The limit that a burst may have met, and the state in which it turns registrations away."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.control: Control | None = None
        self.accepted = 0
        """How many registrations of the burst were accepted."""
        self.obstacle = ""
        self._glances: dict[str, Answer] = {}

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
            time.sleep(min(promised_wait(turned_away) or 0.0, PATIENCE_S))
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
            time.sleep(min(promised_wait(self.limited) or 0.0, PATIENCE_S))
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
