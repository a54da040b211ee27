"""What a run may still send: to the owner's limits, to the server's, and to its own plan."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dcrcheck.breaker import Breaker
from dcrcheck.evidence import Exchange
from dcrcheck.ledger import Ledger
from dcrcheck.verdict import withhold

PATIENCE_S = 120.0
# a wait that nobody notices needs no words
_WORTH_TELLING_S = 2.0
SHARED = "shared clients"
CLEAN_UP = "clean-up"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What something sends: exchanges in all, the registrations among them."""

    exchanges: int = 0
    registrations: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(exchanges=self.exchanges + other.exchanges, registrations=self.registrations + other.registrations)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What the owner and the profile set. Rates are exchanges a second; `patience_s` is for all waits together.

    `limit` is the number of registrations that the server takes in a number of seconds, as the profile declares it.
    """

    registrations: int
    exchanges: int | None = None
    rate: float | None = None
    limit: tuple[int, float] | None = None
    patience_s: float = PATIENCE_S

    @property
    def capacity(self) -> int:
        """How many registrations can be sent at all, within the patience of the run."""
        if self.limit is None:
            return self.registrations
        count, seconds = self.limit
        return min(self.registrations, count * (1 + int(self.patience_s / seconds)))


class Budget:
    """Stands before the wire. One for all threads; its figures are in the ledger, and so one for all processes too."""

    def __init__(self, ledger: Ledger, bounds: Bounds, *, tell: Callable[[str], None] = lambda _: None,
                 alive: Callable[[], bool] = lambda: True) -> None:
        """`tell` says a line to whoever waits; `alive` asks the server for something harmless."""
        self.ledger = ledger
        self.bounds = bounds
        self.tell = tell
        self.breaker = Breaker(alive=alive, tell=tell)
        self.allowances: Mapping[str, Cost] = {}
        self.spent: Counter[tuple[str, str]] = Counter()
        self._account = ""
        self._check = ""
        self._of_check = Counter[str]()
        self.shared: set[str] = set()
        """The names of what the check at work shares with others (see `use`)."""
        self._waited_s = 0.0
        self._closed_until = 0.0
        self._lock = threading.RLock()

    # -- accounts ---------------------------------------------------------------------------------------------------

    def begin(self, check: str, suite: str) -> None:
        """A check begins: what is sent from now on is on its account and on that of its suite."""
        self._check, self._account = check, suite
        self._of_check.clear()
        self.shared = set()
        self.breaker.begin(suite)

    def on(self, account: str) -> _Account:
        """A block in which everything is sent on another account, such as `SHARED`."""
        return _Account(self, account)

    def use(self, name: str) -> _Account:
        """A block that obtains what several checks share under this name, where nobody has yet."""
        self.shared.add(name)
        return self.on(SHARED)

    @property
    def cost(self) -> Cost:
        """What the check at work has sent on its own account."""
        return Cost(exchanges=self._of_check["exchanges"], registrations=self._of_check["registrations"])

    def cost_of(self, account: str) -> Cost:
        """What has been sent on an account so far."""
        return Cost(exchanges=self.spent[account, "exchanges"], registrations=self.spent[account, "registrations"])

    def _book(self, kind: str) -> None:
        with self._lock:
            if self._account in self.allowances:
                most = getattr(self.allowances[self._account], kind)
                if self.spent[self._account, kind] >= most:
                    withhold(f"budget: the plan gives {self._account} {most} {kind}, and they are spent")
            self.spent[self._account, kind] += 1
            if self._account not in (SHARED, CLEAN_UP):
                self._of_check[kind] += 1

    # -- exchanges --------------------------------------------------------------------------------------------------

    def admit(self) -> None:
        """An exchange is about to be sent; waits for its turn.

        Raises:
            Withheld: the run may send no more, or the server fails again and again at this kind of check.
        """
        if self._account != CLEAN_UP:
            self.breaker.admit()
        self._book("exchanges")
        # what was created is deleted, whatever the run has sent by then
        most = None if self._account == CLEAN_UP else self.bounds.exchanges
        turn = self.ledger.spend(most=most, pause_s=1 / self.bounds.rate if self.bounds.rate else 0.0)
        if turn is None:
            withhold(f"budget: the {self.bounds.exchanges} exchanges that the run may send are spent "
                     "(--max-exchanges, or else its plan)")
        if turn:
            time.sleep(turn)

    def seen(self, exchange: Exchange) -> None:
        """An exchange ended."""
        if self._account != CLEAN_UP:
            with self._lock:
                self.breaker.seen(exchange)

    # -- registrations ----------------------------------------------------------------------------------------------

    @property
    def remaining(self) -> int:
        """How many registrations may still be sent."""
        return max(0, self.bounds.registrations - self.ledger.registrations())

    def demand_registration(self) -> None:
        """Make sure that at least one more registration may be sent.

        Raises:
            Withheld: all are spent.
        """
        if not self.remaining:
            withhold(f"budget: the {self.bounds.registrations} registrations that the run may send are spent "
                     "(--max-registrations)")

    def register(self, document: Any, *, paced: bool = True) -> int:
        """A registration is about to be sent; waits where the profile's limit wants it. Returns its row in the ledger.

        `paced` False heeds neither the declared limit nor a Retry-After, for checks about limits.

        Raises:
            Withheld: the run may send no more, or would have to wait longer than it may.
        """
        if paced and (wait_s := self._closed_until - time.monotonic()) > 0:
            self.wait(wait_s, "the server asked to wait (Retry-After)")
        while True:
            self.demand_registration()
            try:
                claim = self.ledger.intend(self._check, document, most=self.bounds.registrations,
                                           limit=self.bounds.limit if paced else None)
            except OSError as error:
                withhold(f"{error}; nothing was sent, because nothing may be registered that the ledger does not know")
            if claim.row is not None:
                break
            if claim.wait_s is not None and self.bounds.limit is not None:
                count, seconds = self.bounds.limit
                self.wait(claim.wait_s, f"the profile's limit of {count} registrations in {seconds:g} s is reached")
        self.book_registration(claim.row)
        return claim.row

    def burst(self, documents: Sequence[Any]) -> list[int]:
        """These registrations are about to be sent in quick succession; returns the rows of those that may be.

        Raises:
            Withheld: none may be.
        """
        self.demand_registration()
        try:
            return self.ledger.intend_all(self._check, documents, most=self.bounds.registrations)
        except OSError as error:
            withhold(f"{error}; nothing was sent, because nothing may be registered that the ledger does not know")

    def book_registration(self, row: int) -> None:
        """A registration is sent, on the account of the check at work.

        Raises:
            Withheld: the plan gives it no more; the row is taken back.
        """
        try:
            self._book("registrations")
        except BaseException:
            self.ledger.withdraw(row)
            raise

    def turned_away(self, wait_s: float) -> None:
        """The server says that no registration will pass before so many seconds."""
        self._closed_until = max(self._closed_until, time.monotonic() + wait_s)

    def wait(self, seconds: float, why: str) -> None:
        """Wait, and say so.

        Raises:
            Withheld: it would take longer than the run may wait in all.
        """
        if self._waited_s + seconds > self.bounds.patience_s:
            withhold(f"budget: {why}, and that is longer than a run waits (--max-wait, "
                     f"{self.bounds.patience_s:g} s in all)")
        self._waited_s += seconds
        if seconds >= _WORTH_TELLING_S:
            self.tell(f"waiting {seconds:.0f} s: {why}")
        time.sleep(seconds)


class _Account:
    def __init__(self, budget: Budget, account: str) -> None:
        self._budget, self._new, self._old = budget, account, ""

    def __enter__(self) -> None:
        self._old, self._budget._account = self._budget._account, self._new

    def __exit__(self, *_: object) -> None:
        self._budget._account = self._old
