"""A check's outcome held against a policy: of one round of requests, what each policy in force says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from dcrcheck.catalogue import Requirement
from dcrcheck.charge import Charge
from dcrcheck.profile import Policy
from dcrcheck.verdict import Judgement, Known, Outcome, Strength, Verdict, judge

_JUDGED = (Outcome.KEPT, Outcome.BROKEN)


class Consulted(Mapping[str, Any]):
    """The parameters of a policy, and which of them were asked for."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return self._parameters[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)


def silence(charge: Charge, policy: Policy) -> str:
    """Why a policy has nothing to say of a check; empty if it has."""
    if any(policy.strength(row) is not None for row in charge.requirements):
        return ""
    waived = [policy.waives[row.id] for row in charge.requirements if row.id in policy.waives]
    ids = ", ".join(row.id for row in charge.requirements)
    return (f"policy {policy.name} waives {ids}: {waived[0]}" if waived
            else f"policy {policy.name} does not bind {ids}")


def leading(charge: Charge, policy: Policy, *, strict: bool) -> tuple[Requirement, Strength]:
    """The requirement that decides: of those that the policy speaks of the strongest, of these the gravest."""
    held = [(row, strength) for row in charge.requirements
            if (strength := policy.strength(row, strict=strict)) is not None]
    held.sort(key=lambda pair: (list(Strength).index(pair[1]), pair[0].severity.rank))
    return held[0] if held else (charge.requirements[0], Strength.ADVISORY)


def judged(charge: Charge, outcome: Outcome, message: str, policy: Policy, *, strict: bool, known: Sequence[Known],
           today: date) -> Judgement:
    """What one policy says of how a check ended."""
    if outcome in _JUDGED and (quiet := silence(charge, policy)):
        outcome, message = Outcome.INAPPLICABLE, quiet
    row, strength = leading(charge, policy, strict=strict)
    entry = next((one for one in known if one.covers(charge.check)), None)
    if outcome not in _JUDGED or (outcome is Outcome.KEPT and entry is not None and entry.some):
        entry = None
    verdict, surprise = judge(outcome, strength, entry, today)
    observed = message if outcome in (Outcome.BROKEN, Outcome.CRASHED) else ""
    if verdict is Verdict.PASS and entry is not None:
        observed = stale(entry)
    return Judgement(policy=policy.name, verdict=verdict, level=row.level, severity=row.severity, surprise=surprise,
                     known=entry, why=row.why if outcome in _JUDGED else message, fix=row.fix, observed=observed)


def stale(entry: Known) -> str:
    """What is said of an entry of the profile that no longer happens."""
    return f"the deviation listed in the profile no longer happens: remove the entry ({entry.reason})"


def differing(mine: Policy, other: Policy, names: Iterable[str]) -> list[str]:
    """Those of the parameters in which two policies differ."""
    return sorted(name for name in names if mine.parameters.get(name) != other.parameters.get(name))


def judged_elsewhere(charge: Charge, outcome: Outcome, message: str, mine: Policy, other: Policy, *,
                     consulted: Iterable[str], strict: bool, known: Sequence[Known], today: date) -> Judgement:
    """What another policy says of a check that was run under mine.

    What the check looked up in my policy decides what it did: where the other has something else, it has to run again.
    """
    apart = differing(mine, other, consulted)
    if apart and outcome is not Outcome.CRASHED and not silence(charge, other):
        outcome, message = Outcome.INCONCLUSIVE, (
            f"the check goes by {', '.join(apart)}, in which policies {mine.name} and {other.name} differ: "
            f"run it with --policy {other.name}")
    return judged(charge, outcome, message, other, strict=strict, known=known, today=today)
