"""Properties over generated requests: each request is sent once, what fails is made small, what blocks is said."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from functools import update_wrapper
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import hypothesis
from hypothesis import core
from hypothesis.strategies import SearchStrategy

from dcrcheck.endpoint import OMIT, Endpoint, retry_after
from dcrcheck.transport import Answer
from dcrcheck.verdict import Inconclusive, inconclusive

# one seed for all properties, so that they draw the same requests and the server sees each of them once
_SEED = 7591
_PATIENCE_S = 10.0


class Fuzzing:
    """The generated registrations of one run."""

    _of: ClassVar[WeakKeyDictionary[Endpoint, Fuzzing]] = WeakKeyDictionary()

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.obstacle = ""
        self._answers: dict[str, Answer] = {}

    @classmethod
    def of(cls, endpoint: Endpoint) -> Fuzzing:
        """The one of this endpoint's run."""
        return cls._of.setdefault(endpoint, cls(endpoint))

    def submit(self, deviation: Mapping[str, Any]) -> Answer:
        """Register the accepted document with these members in it; the same members are sent once in a run."""
        return self._once(json.dumps(dict(deviation), sort_keys=True),
                          lambda: self.endpoint.submit(self.endpoint.document(**deviation)))

    def send(self, body: bytes) -> Answer:
        """Send these bytes to the registration endpoint, once in a run."""
        return self._once(repr(body), lambda: self.endpoint.submit(content=body))

    def _once(self, key: str, send: Callable[[], Answer]) -> Answer:
        if key not in self._answers:
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
            if answer.status == 429 and (wait := retry_after(answer)) is not None and wait <= _PATIENCE_S:
                time.sleep(wait)
                answer = send()
        except Inconclusive as reason:
            self.obstacle = str(reason)
            raise
        if answer.status == 429:
            self.obstacle = "registrations are limited, so that no more requests could be tried"
            inconclusive(self.obstacle)
        return answer


def fuzzed(examples: Iterable[Any] = (), **strategy: SearchStrategy[Any]) -> Callable[
        [Callable[..., None]], Callable[[Endpoint], None]]:
    """Turn a property of one drawn value into a check: ``@fuzzed(document=metadata())``.

    The property takes the endpoint and the drawn value by its name. `examples` are tried first, always. What fails
    is shrunk, and the message ends with the smallest value that fails. A value for which the property ends
    inconclusive is passed over; if the server lets no more be sent, or every value is passed over, so is the check.
    """
    (name, values), = strategy.items()

    def decorate(property_: Callable[..., None]) -> Callable[[Endpoint], None]:
        def check(endpoint: Endpoint) -> None:
            fuzzing = Fuzzing.of(endpoint)
            failing: list[Any] = []
            judged = 0

            def attempt(value: Any) -> None:
                nonlocal judged
                endpoint.recorder.forget()
                try:
                    property_(endpoint, **{name: value})
                except AssertionError:
                    failing[:] = [value]
                    raise
                except Inconclusive:
                    hypothesis.reject()
                judged += 1

            attempt.__qualname__ = attempt.__name__ = property_.__name__
            run: Callable[..., None] = hypothesis.given(value=values)(attempt)
            run = hypothesis.seed(core.global_force_seed or _SEED)(run)
            for example in examples:
                run = hypothesis.example(value=example)(run)
            try:
                run()
            except AssertionError as error:
                raise AssertionError(f"{error}\nthe smallest {name} that shows it: {show(failing[-1])}") from None
            except hypothesis.errors.Unsatisfiable:
                judged = 0
            if fuzzing.obstacle or not judged:
                inconclusive(f"{fuzzing.obstacle or 'every generated request was passed over'} "
                             f"({judged} judged)")

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

