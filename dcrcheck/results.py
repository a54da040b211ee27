"""The model of a run: the one thing that every report is a function of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from dcrcheck.verdict import Finding, Severity, Verdict


@dataclass(frozen=True, kw_only=True)
class Run:
    """Who was judged, by what, when, at what cost. `started` is RFC 3339 in UTC; `duration_s` in seconds.

    `command` is the command line that repeats the run (free of secrets, which come from the environment).
    """

    id: str
    tool_version: str
    issuer: str
    profile: str
    profile_title: str
    policy: str
    policy_title: str
    started: str
    duration_s: float
    exchanges: int
    registrations: int
    emulated: bool = False
    defect: str = ""
    registration_endpoint: str = ""
    command: str = ""
    authorized_by: str = ""
    permissions: tuple[str, ...] = ()
    insecure: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RequirementRow:
    """A requirement of the catalogue and what this run says of it.

    `state` is one of ``passed``, ``failed``, ``warned``, ``observed``, ``not judged``; `reason` says why a row was not
    judged, `observation` which way the server took where the row leaves it the choice.
    """

    id: str
    source: str
    section: str
    level: str
    text: str
    link: str
    why: str
    fix: str
    severity: str
    testable: str
    bound: bool
    state: str
    reason: str = ""
    checks: tuple[str, ...] = ()
    observation: str = ""


@dataclass(frozen=True, kw_only=True)
class SourceCoverage:
    """Of one source: how many rows there are, how many were judged and how; why the others were not.

    `bound`: a broken rule of it is a FAIL; else `advisory`: it is a WARN; else the policy does not speak of it.
    """

    source: str
    title: str
    link: str
    bound: bool
    advisory: bool = False
    rows: int
    judged: int
    passed: int
    failed: int
    warned: int
    not_judged: dict[str, str]
    observed: int = 0
    headline: int = 0
    headline_judged: int = 0


@dataclass(frozen=True, kw_only=True)
class LeftClient:
    """A client that the run created and could not delete: what an administrator needs to find and remove it.

    `registered` is when the registration was sent, RFC 3339 in UTC.
    """

    client_id: str
    client_name: str
    check: str
    registration_client_uri: str
    reason: str
    registered: str = ""


@dataclass(frozen=True, kw_only=True)
class Clients:
    """What became of the clients of the run."""

    created: int = 0
    deleted: int = 0
    left: tuple[LeftClient, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Part:
    """A suite, or what is done for all of them: what it sent, and the bound that the plan of the run gave it.

    The registrations are among the exchanges.
    """

    name: str
    checks: int
    exchanges: int
    registrations: int
    most_exchanges: int
    most_registrations: int


@dataclass(frozen=True, kw_only=True)
class OtherPolicy:
    """What a further policy of the run makes of the same requests."""

    name: str
    title: str
    exit_code: int
    counts: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Results:
    """A whole run. Every text in it is free of secrets."""

    run: Run
    findings: tuple[Finding, ...]
    requirements: tuple[RequirementRow, ...]
    coverage: tuple[SourceCoverage, ...]
    clients: Clients
    exit_code: int
    other_policies: dict[str, int] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    policies: tuple[OtherPolicy, ...] = ()

    def count(self, verdict: Verdict) -> int:
        return sum(finding.verdict is verdict for finding in self.findings)

    @property
    def counts(self) -> dict[str, int]:
        """Findings by verdict, every verdict named."""
        return tally(self.findings)

    def views(self) -> list[Results]:
        """The results as each policy of the run puts them: its own, then the further ones."""
        return [self, *(replace(self, run=replace(self.run, policy=other.name, policy_title=other.title),
                                findings=tuple(self.under(other.name)), exit_code=other.exit_code)
                        for other in self.policies)]

    def under(self, policy: str) -> list[Finding]:
        """The findings as another policy of the run puts them."""
        return [replace(finding, verdict=one.verdict, level=one.level, severity=one.severity, surprise=one.surprise,
                        known=one.known, why=one.why, fix=one.fix, observed=one.observed)
                for finding in self.findings for one in finding.elsewhere if one.policy == policy]

    def broken(self) -> list[Finding]:
        """FAIL, stale and ERROR, surprises first, then by severity."""
        rows = [f for f in self.findings if f.surprise or f.verdict in (Verdict.FAIL, Verdict.ERROR)]
        return sorted(rows, key=lambda f: (not f.surprise, f.severity.rank, f.check))

    def surprises(self, fail_on: Severity = Severity.LOW) -> list[Finding]:
        """What turns the run red at this threshold. Our own errors and stale entries always do."""
        return surprises(self.findings, fail_on)

    def unsettled(self) -> list[Finding]:
        """What applies and could not be judged."""
        return [f for f in self.findings if f.verdict is Verdict.INCONCLUSIVE]

    def withheld(self) -> Results:
        """The same results fit for publishing on somebody else's software: what is broken, not how to repeat it.

        No exchange is kept. What was observed is, for a weakness that a public link covers and for a mere deviation
        (severity low); of a high or critical one that no link covers, not even the row of the check is told.
        """
        return replace(self, findings=tuple(map(withheld, self.findings)))

    def as_dict(self) -> dict[str, Any]:
        """The document that `schemas/results.schema.json` describes."""
        exchanges = {x.id: x.as_dict() for finding in self.findings for x in finding.evidence}
        return {
            "schema": "https://dcrcheck.dev/schemas/results-1.json",
            "run": {**vars(self.run), "notes": list(self.run.notes), "permissions": list(self.run.permissions)},
            "exit_code": self.exit_code,
            "counts": self.counts,
            "findings": [_finding(finding) for finding in self.findings],
            "requirements": {row.id: {k: v for k, v in {**vars(row), "checks": list(row.checks)}.items() if k != "id"}
                             for row in self.requirements},
            "coverage": {item.source: {k: v for k, v in vars(item).items() if k != "source"}
                         for item in self.coverage},
            "clients": {"created": self.clients.created, "deleted": self.clients.deleted,
                        "left": [vars(client) for client in self.clients.left]},
            "exchanges": exchanges,
            "other_policies": self.other_policies,
            "policies": [vars(policy) for policy in self.policies],
            "parts": [vars(part) for part in self.parts],
        }


def tally(findings: Iterable[Finding]) -> dict[str, int]:
    """Findings by verdict, every verdict named."""
    counted = Counter(finding.verdict for finding in findings)
    return {verdict.value: counted.get(verdict, 0) for verdict in Verdict}


def surprises(findings: Iterable[Finding], fail_on: Severity = Severity.LOW) -> list[Finding]:
    """Those that turn a run red at this threshold. Our own errors and stale entries always do."""
    return [f for f in findings if f.surprise and (f.verdict is not Verdict.FAIL or f.severity.rank <= fail_on.rank)]


def withheld(finding: Finding) -> Finding:
    """A finding without the means to repeat what it found (see `Results.withheld`)."""
    if not is_secret(finding):
        return replace(finding, evidence=(), detail="")
    grave = finding.severity in (Severity.CRITICAL, Severity.HIGH)
    elsewhere = tuple(replace(one, observed="") for one in finding.elsewhere)
    return replace(finding, check=finding.check.partition("[")[0] if grave else finding.check, evidence=(), detail="",
                   observed="withheld pending disclosure", elsewhere=elsewhere)


def is_secret(finding: Finding) -> bool:
    """Whether a finding is a weakness of some weight that no public link covers."""
    public = finding.severity is Severity.LOW or (finding.known is not None and finding.known.link)
    return finding.verdict in (Verdict.FAIL, Verdict.WARN) and not public


def _finding(finding: Finding) -> dict[str, Any]:
    known = finding.known
    return {
        "check": finding.check, "suite": finding.suite, "claim": finding.claim,
        "requirements": [{"id": c.id, "strength": c.strength.value} for c in finding.requirements],
        "level": finding.level, "severity": finding.severity.value, "verdict": finding.verdict.value,
        "known": None if known is None else {
            "requirement": known.requirement, "reason": known.reason, "link": known.link, "owner": known.owner,
            "seen": known.seen.isoformat() if known.seen else None,
            "expires": known.expires.isoformat() if known.expires else None},
        "surprise": finding.surprise, "why": finding.why, "fix": finding.fix, "expected": finding.expected,
        "observed": finding.observed, "detail": finding.detail,
        "evidence": [exchange.id for exchange in finding.evidence], "duration_s": round(finding.duration_s, 4),
        "intrusive": list(finding.intrusive), "exchanges": finding.exchanges, "registrations": finding.registrations,
        "shared": list(finding.shared), "observations": finding.observations,
        "elsewhere": [{"policy": one.policy, "verdict": one.verdict.value, "level": one.level,
                       "severity": one.severity.value, "surprise": one.surprise, "why": one.why,
                       "observed": one.observed} for one in finding.elsewhere],
    }
