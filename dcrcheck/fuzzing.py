"""Properties over generated requests: each request is sent once, what fails is made small, what blocks is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import update_wrapper
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import hypothesis
from hypothesis import Phase, core
from hypothesis.errors import Flaky, StopTest, Unsatisfiable
from hypothesis.strategies import SearchStrategy

from dcrcheck.client import Client
from dcrcheck.endpoint import Endpoint
from dcrcheck.evidence import Exchange
from dcrcheck.hunt import Hunt, corpus
from dcrcheck.registration import OMIT, retry_after
from dcrcheck.transport import Answer
from dcrcheck.verdict import Inconclusive, Withheld, inconclusive

_SEED = 7591
# how many more examples may be sent to make a failing one smaller
_MOST_TRIES = 60
# answers are kept for the other properties, which draw the same requests
_MOST_KEPT = 2_000


class Fuzzing:
    """The generated registrations of one run."""

    _of: ClassVar[WeakKeyDictionary[Endpoint, Fuzzing]] = WeakKeyDictionary()

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.obstacle = ""
        self.hunt = Hunt(None)
        self._own: Client | None = None
        self._answers: dict[str, Answer] = {}

    @classmethod
    def of(cls, endpoint: Endpoint) -> Fuzzing:
        """The one of this endpoint's run."""
        return cls._of.setdefault(endpoint, cls(endpoint))

    def own(self) -> Client:
        """A client that the updates of fuzzed checks may change, registered once."""
        if self._own is None:
            self._own = self.endpoint.register()
        return self._own

    def submit(self, deviation: Mapping[str, Any]) -> Answer:
        """Register the accepted document with these members in it; the same members are sent once in a run."""
        return self._once(json.dumps(dict(deviation), sort_keys=True),
                          lambda: self.endpoint.submit(self.endpoint.document(**deviation)))

    def send(self, body: bytes) -> Answer:
        """Send these bytes to the registration endpoint, once in a run."""
        return self._once(repr(body), lambda: self.endpoint.submit(content=body))

    def _once(self, key: str, send: Callable[[], Answer]) -> Answer:
        if key not in self._answers:
            if len(self._answers) >= _MOST_KEPT:
                self._answers.clear()
            self._answers[key] = self.unhindered(send)
        answer = self._answers[key]
        self.endpoint.recorder.recall(answer.exchange)
        return answer

    def unhindered(self, send: Callable[[], Answer]) -> Answer:
        """An answer that is about the request: a limit is waited for once, and ends the fuzzing where it stays.

        Raises:
            Inconclusive: the server lets us send no more, and `obstacle` says why.
        """
        if self.obstacle:
            inconclusive(self.obstacle)
        try:
            answer = send()
            if answer.status == 429 and retry_after(answer) is not None:
                answer = send()
        except Inconclusive as reason:
            if not isinstance(reason, Withheld):
                self.obstacle = str(reason)
            raise
        if answer.status == 429:
            self.obstacle = "registrations are limited, so that no more requests could be tried"
            inconclusive(self.obstacle)
        return answer


class _EnoughError(BaseException):
    """The search for a smaller example has sent what it may; not for Hypothesis to catch."""


class Search:
    """One search for a failing example, and for the smallest that shows it, within a number of tries."""

    def __init__(self, endpoint: Endpoint, *, round_: int = 0) -> None:
        """Begin; each round of a hunt draws other requests."""
        self.endpoint = endpoint
        self.round = round_
        self.judged = 0
        self._tries = 0
        self.failing: Any = None
        """The smallest value so far with which it failed."""
        self._failure = ""
        self._obstacle = ""
        self._evidence: tuple[Exchange, ...] = ()

    @property
    def seed(self) -> int:
        """One for all properties, so that they draw the same requests, and the server sees each of them once."""
        return int(core.global_force_seed or _SEED) + self.round

    def settings(self, **changed: Any) -> hypothesis.settings:
        """Those of the run; without the phase that varies what fails only in order to explain it."""
        return hypothesis.settings(phases=(Phase.explicit, Phase.generate, Phase.shrink), **changed)

    def begin(self) -> None:
        """A new example: the evidence is that of this one."""
        self._tries += bool(self._failure)
        if self._tries > _MOST_TRIES:
            raise _EnoughError
        self.endpoint.recorder.forget()

    @contextmanager
    def step(self, tell: Callable[[], str], value: Any = None) -> Iterator[None]:
        """Judge (a part of) an example. `tell` says what it is, should it fail; what is inconclusive is passed over."""
        try:
            yield
        except AssertionError as error:
            self._failure = f"{error}\n{tell()}"
            self._evidence = self.endpoint.recorder.evidence()
            self.failing = value
            raise
        except Withheld as reason:
            self._obstacle = str(reason)
            raise _EnoughError from None
        except Inconclusive:
            hypothesis.reject()
        self.judged += 1

    def run(self, search: Callable[[], None]) -> None:
        """Let Hypothesis search.

        Raises:
            AssertionError: it found something; the message ends with the smallest example.
            Inconclusive: the server lets no more be sent, or not one example could be judged.
        """
        problem = ""
        try:
            search()
        except (AssertionError, _EnoughError, Unsatisfiable):
            pass
        except (Flaky, StopTest) as error:
            problem = f"the server does not answer the same request alike: {type(error).__name__}"
        if self._failure:
            self.endpoint.recorder.forget()
            for exchange in self._evidence:
                self.endpoint.recorder.recall(exchange)
            raise AssertionError(self._failure)
        problem = Fuzzing.of(self.endpoint).obstacle or self._obstacle or problem
        if problem or not self.judged:
            inconclusive(f"{problem or 'every generated request was passed over'} ({self.judged} judged)")


def hunt(endpoint: Endpoint, name: str, search: Callable[[Endpoint, int], None]) -> None:
    """Search once, and on for as long as the owner wants (``--fuzz-seconds``). What ends a hunt is not its verdict.

    Raises:
        AssertionError: a round found something.
        Inconclusive: the first round could not be judged.
    """
    for round_ in Fuzzing.of(endpoint).hunt.rounds(name):
        try:
            search(endpoint, round_)
        except Inconclusive as reason:
            if round_ == 0:
                raise
            endpoint.notes.append(f"the hunt of {name} ended in round {round_}: {reason}")
            return


def fuzzed(examples: Iterable[Any] = (), fewer: int = 1, **strategy: SearchStrategy[Any]) -> Callable[
        [Callable[..., None]], Callable[[Endpoint], None]]:
    """Turn a property of one drawn value into a check: ``@fuzzed(document=metadata())``.

    The property takes the endpoint and the drawn value by its name. What failed before (of the corpus, the values
    under that name) and `examples` are tried first, always; of others only one in `fewer` of the usual number. What
    fails is shrunk, and the message ends with the smallest value that fails. A value for which the property ends
    inconclusive is passed over; if the server lets no more be sent, or every value is passed over, so is the check.
    """
    (name, values), = strategy.items()

    def decorate(property_: Callable[..., None]) -> Callable[[Endpoint], None]:
        def check(endpoint: Endpoint) -> None:
            hunt(endpoint, property_.__name__, once)

        def once(endpoint: Endpoint, round_: int) -> None:
            search = Search(endpoint, round_=round_)

            def attempt(value: Any) -> None:
                search.begin()
                with search.step(lambda: f"the smallest {name} that shows it: {show(value)}", value):
                    property_(endpoint, **{name: value})

            run: Callable[..., None] = hypothesis.given(value=values)(attempt)
            memory = Fuzzing.of(endpoint).hunt
            known = [*memory.found(property_.__name__), *corpus().get(name, ()), *examples]
            for example in () if round_ else reversed(known):
                run = hypothesis.example(value=example)(run)
            settings = search.settings(max_examples=max(1, hypothesis.settings().max_examples // fewer))
            try:
                search.run(hypothesis.seed(search.seed)(settings(run)))
            except AssertionError:
                memory.keep(property_.__name__, search.failing)
                raise

        update_wrapper(check, property_)
        del check.__wrapped__  # type: ignore[attr-defined]  # or pytest would take the drawn value for a fixture
        return check

    return decorate


def show(value: Any) -> str:
    """A drawn value as JSON on one line, bytes as Python writes them."""
    if isinstance(value, bytes):
        return repr(value)
    return json.dumps({key: "(left out)" if item is OMIT else item for key, item in value.items()}
                      if isinstance(value, Mapping) else value, default=repr)

