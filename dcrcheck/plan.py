"""What a run will send, before it sends anything: an upper bound by suite, and what goes first where little may be."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from dcrcheck.budget import CLEAN_UP, SHARED, Bounds, Cost
from dcrcheck.charge import Charge
from dcrcheck.house import COSTS
from dcrcheck.limit import MOST
from dcrcheck.verdict import Severity

DISCOVERY = "discovery documents"
FUZZ = "fuzz"
# more than a server answers one client in a second
_HUNTED_PER_S = 400
_DOCUMENTS = 5
# servers differ in how many steps a login takes and in what they ask to be tried again
_SLACK = 2.0
_MARGIN = 20
# how many examples each property was tried with where its cost was measured
_EXAMPLES = 20
# of one flow that several checks share: a login, its pages, the code and the token
_FLOW = 16
# the first registrations decide; after so many, any order will do
_MOST_STEPS = 60
# what a requirement counts where not all can be judged
_WEIGHT = {Severity.CRITICAL: 3.0, Severity.HIGH: 2.0, Severity.MEDIUM: 1.5, Severity.LOW: 1.0}


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What one row of a check was seen to send itself at most, and the names of what it shares with others."""

    exchanges: int
    registrations: int
    shared: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Line:
    """A part of a run: a suite, or what is done for all of them. `cost` is an upper bound."""

    name: str
    checks: int
    cost: Cost
    intrusive: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run sends at most."""

    lines: tuple[Line, ...]
    most: Cost
    left_out: int

    @property
    def exchanges(self) -> int:
        """The bound without the clean-up, which is not held back."""
        return self.most.exchanges - sum(line.cost.exchanges for line in self.lines if line.name == CLEAN_UP)

    @property
    def allowances(self) -> dict[str, Cost]:
        """The bound of every part, for the budget to keep."""
        return {line.name: line.cost for line in self.lines if line.name not in (DISCOVERY, CLEAN_UP)}

    def describe(self) -> list[str]:
        """The plan as a table, and what it means."""
        table = [f"{'':22}{'checks':>8}{'requests':>10}{'registrations':>15}   beyond ordinary requests"]
        for line in self.lines:
            beyond = ", ".join(f"{kind} ({number} checks)" for kind, number in line.intrusive.items())
            table.append(f"{line.name:22}{line.checks or '':>8}{line.cost.exchanges:>10,}"
                         f"{line.cost.registrations or '':>15}   {beyond}".rstrip())
        checks = sum(line.checks for line in self.lines)
        table.append(f"{'at most':22}{checks:>8,}{self.most.exchanges:>10,}{self.most.registrations:>15,}")
        return [*table, "",
                f"{self.left_out} more checks do not apply here, or are not permitted (--allow).",
                "These are upper bounds, not forecasts, and a run keeps them: of what would go beyond, it says that it "
                "could not be judged.",
                f"A burst is at most {MOST} registrations, one after the other. Nothing but discovery was sent now."]


@cache
def estimates() -> Mapping[str, Estimate]:
    """What was measured, by check function: on the embedded server and on the real ones of the lab, the largest."""
    content = json.loads(COSTS.read_text("utf-8"))
    return {check: Estimate(exchanges=row["exchanges"], registrations=row["registrations"],
                            shared=tuple(row.get("shared", ()))) for check, row in content.items()}


def estimate(charge: Charge) -> Estimate:
    """What is known of the check that a charge is a row of; of a new one, a cautious guess."""
    return estimates().get(charge.check.partition("[")[0], Estimate(exchanges=10, registrations=3))


def plan(charges: Sequence[Charge], applicable: Iterable[Charge], bounds: Bounds, *, examples: int,
         hunt_s: float = 0.0) -> Plan:
    """Add up what the applicable ones of these checks send.

    `examples` is the number for each fuzzed property, `hunt_s` how many seconds they go on in all.
    """
    chosen = list(applicable)
    lines = [_suite(name, [c for c in chosen if c.suite == name], examples, bounds.registrations,
                    hunt_s)
             for name in dict.fromkeys(charge.suite for charge in charges)]
    shared = {name for charge in chosen for name in estimate(charge).shared}
    lines.append(Line(name=SHARED, checks=0, intrusive={}, cost=Cost(
        registrations=math.ceil(len(shared) * _SLACK) + _MARGIN, exchanges=(len(shared) + _MARGIN) * _FLOW)))
    registrations = min(bounds.registrations, sum(line.cost.registrations for line in lines))
    # each client is deleted, once more where the server asked to wait; a refusal leaves none
    clean_up = Line(name=CLEAN_UP, checks=0, intrusive={}, cost=Cost(exchanges=2 * registrations))
    lines = [Line(name=DISCOVERY, checks=0, intrusive={}, cost=Cost(exchanges=_DOCUMENTS)),
             *(line for line in lines if line.cost.exchanges), clean_up]
    exchanges = registrations + sum(line.cost.exchanges - line.cost.registrations for line in lines)
    if bounds.exchanges is not None:
        exchanges = min(exchanges, bounds.exchanges + clean_up.cost.exchanges)
    return Plan(lines=tuple(lines), most=Cost(exchanges=exchanges, registrations=registrations),
                left_out=len(charges) - len(chosen))


def _suite(name: str, charges: Sequence[Charge], examples: int, most: int, hunt_s: float) -> Line:
    exchanges = registrations = bursts = 0
    for charge in charges:
        row = estimate(charge)
        factor = max(1.0, examples / _EXAMPLES) if charge.suite == FUZZ else 1.0
        exchanges += math.ceil(row.exchanges * factor)
        registrations += math.ceil(row.registrations * factor)
        # how long a burst lasts is up to the limit of the server
        bursts += MOST if "burst" in charge.intrusive else 0
    if charges and name == FUZZ:
        exchanges += int(hunt_s * _HUNTED_PER_S)
        registrations += int(hunt_s * _HUNTED_PER_S / 2)
    if not charges:
        return Line(name=name, checks=0, intrusive={}, cost=Cost())
    others = math.ceil((exchanges - registrations) * _SLACK) + _MARGIN
    registrations = min(most, math.ceil(registrations * _SLACK) + bursts + _MARGIN)
    return Line(name=name, checks=len(charges), intrusive=Counter(k for c in charges for k in c.intrusive),
                cost=Cost(exchanges=others + registrations, registrations=registrations))


def is_scarce(charges: Iterable[Charge], capacity: int) -> bool:
    """Whether so many registrations are fewer than these checks are known to send; bursts take what is left."""
    known = [estimate(charge) for charge in charges if "burst" not in charge.intrusive]
    shared = {name for row in known for name in row.shared}
    return capacity < len(shared) + sum(row.registrations for row in known)


def by_value(charges: Sequence[Charge], capacity: int) -> list[Charge]:
    """Checks in the order that judges most requirements, grave ones above all, with the `capacity` registrations.

    What needs none comes first; then, again and again, the shared client that lets most further requirements be
    judged, or the check whose own registrations do; then the others, the cheap ones first. Bursts come last.
    """
    groups: dict[str, list[Charge]] = {}
    for charge in charges:
        groups.setdefault(charge.check.partition("[")[0], []).append(charge)
    rows = {name: _Row(group, estimate(group[0])) for name, group in groups.items()}
    waiting = {name: row for name, row in rows.items() if "burst" not in row.charges[0].intrusive}
    there: set[str] = set()
    judged: set[str] = set()
    order: list[Charge] = []
    spent = 0
    while waiting:
        free = [name for name, row in waiting.items() if not row.registrations and row.shared <= there]
        for name in free:
            row = waiting.pop(name)
            order += row.charges
            judged.update(row.requirements)
        if spent >= min(capacity, _MOST_STEPS) or not waiting:
            break
        name = max(waiting, key=lambda one: _worth(waiting[one], waiting.values(), there, judged))
        row = waiting.pop(name)
        # of a check that registers, one row shows most of what all of them do
        order += row.charges[:1]
        if rest := row.charges[1:]:
            waiting[name] = _Row(rest, estimate(rest[0]))
        spent += row.registrations + len(row.shared - there)
        judged.update(row.requirements)
        there |= row.shared
    late = sorted(waiting.values(), key=lambda row: row.registrations + len(row.shared - there))
    bursts = [charge for charge in charges if "burst" in charge.intrusive]
    return [*order, *(charge for row in late for charge in row.charges), *bursts]


class _Row:
    """The rows of one check function, and what is known of them."""

    def __init__(self, charges: Sequence[Charge], known: Estimate) -> None:
        self.charges = list(charges)
        self.registrations = known.registrations
        self.shared = frozenset(known.shared)
        self.requirements = {row.id: _WEIGHT[row.severity] for charge in charges for row in charge.requirements}


def _worth(row: _Row, others: Iterable[_Row], there: set[str], judged: set[str]) -> float:
    """How much more could be judged for each registration, if this check were next."""
    new = row.shared - there
    gained = dict(row.requirements)
    if new:
        known = there | new
        for other in others:
            if not other.registrations and other.shared <= known:
                gained |= other.requirements
    return sum(weight for name, weight in gained.items() if name not in judged) / max(1, row.registrations + len(new))
