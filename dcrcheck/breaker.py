"""A circuit breaker: a server that fails again and again at one family of checks is left alone by the rest of them."""

from __future__ import annotations

from collections.abc import Callable

from dcrcheck.evidence import Exchange
from dcrcheck.verdict import Inconclusive, withhold

# each one may take the whole timeout, and strains a server that is down already
MOST_SILENCES = 3
# checks of one family send what is odd, and each may well fail by itself: only an unbroken row of them tells
MOST_FAILURES = 15


class Breaker:
    """Counts exchanges in a row that the server failed at: with a 5xx, or with no answer at all.

    A family is a suite. `alive` asks the server for something harmless: if it answers that, silence was its answer to
    what was sent.
    """

    def __init__(self, *, alive: Callable[[], bool], tell: Callable[[str], None]) -> None:
        self.opened: dict[str, str] = {}
        self._alive, self._tell = alive, tell
        self._family = ""
        self._failures = self._silences = 0
        self._asking = False
        self._dead = False

    def begin(self, family: str) -> None:
        """Checks of this family follow."""
        if family != self._family:
            self._failures = self._silences = 0
        self._family = family

    def admit(self) -> None:
        """An exchange is about to be sent.

        Raises:
            Withheld: the circuit of this family is open.
        """
        if not self._asking and self._family in self.opened:
            withhold(f"circuit open: {self.opened[self._family]}")

    def seen(self, exchange: Exchange) -> None:
        """An exchange ended: count it, and open the circuit where it is one too many."""
        if self._asking:
            return
        # whatever has begun to come and does not end costs as much time as what does not come
        silent = exchange.error.startswith(("timed out", "the body was not complete after"))
        failed = exchange.status is None or exchange.status >= 500
        self._silences = self._silences + 1 if silent else 0
        self._failures = self._failures + 1 if failed else 0
        if not failed:
            self._dead = False
        # where the server was found dead in another family, one more silence is enough
        if self._silences >= (1 if self._dead else MOST_SILENCES):
            self._open("one more request was not answered in time" if self._dead
                       else f"{self._silences} requests in a row were not answered in time")
            self._dead = self._dead or not self.answers()
        elif self._failures >= MOST_FAILURES:
            self._open(f"{self._failures} requests in a row got no answer or a server error (5xx)")

    def answers(self) -> bool:
        """Whether the server answers something harmless, as far as may be asked. Does not count."""
        self._asking = True
        try:
            return self._alive()
        except Inconclusive:
            # nobody may ask; what the answer to the last request was is still to be told
            return True
        finally:
            self._asking = False

    def _open(self, why: str) -> None:
        words = f"{why}; the other checks of {self._family or 'this kind'} are left out to spare the server"
        self.opened[self._family] = words
        self._failures = self._silences = 0
        self._tell(words)
