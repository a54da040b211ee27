"""From what a check did to what a finding says: outcomes, strengths, verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import Enum, StrEnum
from typing import NoReturn

from dcrcheck.evidence import Exchange


class Verdict(StrEnum):
    """What is said about one check against one target."""

    PASS = "PASS"
    FAIL = "FAIL"
    WARN = "WARN"
    INAPPLICABLE = "INAPPLICABLE"
    INCONCLUSIVE = "INCONCLUSIVE"
    ERROR = "ERROR"


class Severity(StrEnum):
    """How much harm a broken requirement does, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class Strength(StrEnum):
    """How hard the policy in force holds the target to a requirement."""

    MUST = "must"
    SHOULD = "should"
    ADVISORY = "advisory"


class Outcome(Enum):
    """How a check ended, before any policy is asked."""

    KEPT = "kept"
    BROKEN = "broken"
    INAPPLICABLE = "inapplicable"
    INCONCLUSIVE = "inconclusive"
    CRASHED = "crashed"


class Inapplicable(Exception):
    """The target does not offer what the check is about."""


class Inconclusive(Exception):
    """The check applies, but something kept it from judging."""


class Withheld(Inconclusive):
    """The run itself holds the request back: by its budget, its circuit breaker or its ledger."""


def inapplicable(reason: str) -> NoReturn:
    """End the check: the target lacks the capability named by `reason`.

    Raises:
        Inapplicable: always.
    """
    raise Inapplicable(reason)


def inconclusive(reason: str) -> NoReturn:
    """End the check: `reason` kept it from judging. Never counts as green.

    Raises:
        Inconclusive: always.
    """
    raise Inconclusive(reason)


def withhold(reason: str) -> NoReturn:
    """Hold a request back: `reason` tells what forbids it.

    Raises:
        Withheld: always.
    """
    raise Withheld(reason)


@dataclass(frozen=True, kw_only=True)
class Known:
    """A deviation that the profile lists: who answers for it, why, when it was last seen, and until when it holds.

    One of `some` rows leaves open which rows of its check fail; it is stale when none does.
    """

    check: str
    requirement: str
    reason: str
    link: str = ""
    owner: str = ""
    seen: date | None = None
    expires: date | None = None
    some: bool = False

    def covers(self, check: str) -> bool:
        """Whether this entry speaks of a check: by its full id, its id without the folder, or its bare name."""
        bare = check.partition("::")[2] or check
        return self.check in (check, bare, bare.partition("[")[0])


@dataclass(frozen=True, kw_only=True)
class Citation:
    """A requirement as it binds in this run."""

    id: str
    source: str
    section: str
    level: str
    strength: Strength
    text: str
    link: str


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What one policy says of how a check ended; `why` is the consequence, or what kept it from judging."""

    policy: str
    verdict: Verdict
    level: str
    severity: Severity
    surprise: bool
    known: Known | None
    why: str
    fix: str
    observed: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check says about one target. All text is already free of secrets, and none of it is trusted HTML.

    `check` is the id of the check (``registration/test_response.py::test_x[row]``), `claim` the sentence it judges,
    `why` the consequence of breaking it (or, where nothing was judged, what was missing), `fix` what to change,
    `expected` and `observed` what should have come and what came. `surprise` tells whether it turns a run red.
    `intrusive` names what it does beyond ordinary requests; `exchanges`, and the `registrations` among them, are what
    it sent itself; `shared` names what it shares with other checks. `observations` are the ways that the server took
    where a row of a source leaves it the choice. `elsewhere` is what the other policies of the run say.
    """

    check: str
    suite: str
    claim: str
    requirements: tuple[Citation, ...]
    level: str
    severity: Severity
    verdict: Verdict
    known: Known | None = None
    surprise: bool = False
    why: str = ""
    fix: str = ""
    expected: str = ""
    observed: str = ""
    detail: str = ""
    evidence: tuple[Exchange, ...] = ()
    duration_s: float = 0.0
    intrusive: tuple[str, ...] = ()
    exchanges: int = 0
    registrations: int = 0
    shared: tuple[str, ...] = ()
    observations: dict[str, str] = field(default_factory=dict)
    elsewhere: tuple[Judgement, ...] = ()

    @property
    def name(self) -> str:
        """The bare name of the check with its row: ``test_x[row]``."""
        return self.check.partition("::")[2]


def judge(outcome: Outcome, strength: Strength, known: Known | None, today: date) -> tuple[Verdict, bool]:
    """Return the verdict, and whether it is a surprise.

    A known deviation stays a FAIL but surprises no one until it expires; one that no longer happens is stale,
    which is a surprise of its own.
    """
    if outcome is Outcome.INAPPLICABLE:
        return Verdict.INAPPLICABLE, False
    if outcome is Outcome.INCONCLUSIVE:
        return Verdict.INCONCLUSIVE, False
    if outcome is Outcome.CRASHED:
        return Verdict.ERROR, True
    if outcome is Outcome.KEPT:
        return Verdict.PASS, known is not None
    if strength is not Strength.MUST:
        return Verdict.WARN, False
    expired = known is not None and known.expires is not None and known.expires < today
    return Verdict.FAIL, known is None or expired
