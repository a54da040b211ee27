"""What a run says of every requirement in the catalogue: judged and how, or not judged and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dcrcheck.catalogue import Catalogue, Requirement
from dcrcheck.profile import Policy
from dcrcheck.results import RequirementRow, SourceCoverage
from dcrcheck.verdict import Finding, Verdict

if TYPE_CHECKING:
    from dcrcheck.charge import Charge

_STATES = ((Verdict.FAIL, "failed"), (Verdict.WARN, "warned"), (Verdict.PASS, "passed"))


def rows(catalogue: Catalogue, policy: Policy, findings: Sequence[Finding],
         charges: Iterable[Charge]) -> tuple[RequirementRow, ...]:
    """One row a requirement. A requirement is judged if any check that cites it reached a verdict on it."""
    judged: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        for citation in finding.requirements:
            judged[citation.id].append(finding)
    checks: dict[str, list[str]] = defaultdict(list)
    for charge in charges:
        for row in (*(row.id for row in charge.requirements), *charge.observes):
            checks[row].append(charge.check)
    seen: dict[str, list[str]] = defaultdict(list)
    for finding in findings:
        for name, words in finding.observations.items():
            seen[name].append(words)
    return tuple(_row(row, policy, judged[row.id], tuple(dict.fromkeys(checks[row.id])),
                      "; ".join(dict.fromkeys(seen[row.id])))
                 for row in catalogue.values())


def _row(row: Requirement, policy: Policy, findings: list[Finding], checks: tuple[str, ...],
         observation: str) -> RequirementRow:
    verdicts = {finding.verdict for finding in findings}
    state = next((name for verdict, name in _STATES if verdict in verdicts),
                 "observed" if observation else "not judged")
    return RequirementRow(
        id=row.id, source=row.source, section=row.section, level=row.level, text=row.text, link=row.link,
        why=row.why, fix=row.fix, severity=row.severity.value, testable=row.testable, bound=policy.binds(row),
        state=state, reason="" if state != "not judged" else _reason(row, policy, findings, checks), checks=checks,
        observation=observation)


def _reason(row: Requirement, policy: Policy, findings: list[Finding], checks: tuple[str, ...]) -> str:
    if row.unchecked:
        return row.unchecked
    if policy.strength(row) is None:
        return policy.waives.get(row.id, f"policy {policy.name} does not bind it")
    blocked = next((f for v in (Verdict.INCONCLUSIVE, Verdict.INAPPLICABLE, Verdict.ERROR) for f in findings
                    if f.verdict is v), None)
    if blocked is not None:
        return blocked.why
    return "its check was not selected in this run" if checks else "it has no check"


def coverage(catalogue: Catalogue, policy: Policy, table: Iterable[RequirementRow]) -> tuple[SourceCoverage, ...]:
    """The rows counted by source."""
    by_source: dict[str, list[RequirementRow]] = defaultdict(list)
    for row in table:
        by_source[row.source].append(row)
    return tuple(_count(catalogue, policy, name, group) for name, group in by_source.items())


def _count(catalogue: Catalogue, policy: Policy, name: str, group: list[RequirementRow]) -> SourceCoverage:
    source = catalogue.sources[name]
    states = [row.state for row in group]
    headline = [row for row in group if catalogue[row.id].headline]
    return SourceCoverage(
        source=name, title=source.title, link=source.link, bound=any(row.bound for row in group),
        advisory=name in {source.partition(" @ ")[0] for source in policy.advisory}, rows=len(group),
        judged=len(group) - states.count("not judged") - states.count("observed"), observed=states.count("observed"),
        passed=states.count("passed"),
        failed=states.count("failed"), warned=states.count("warned"),
        not_judged={row.id: row.reason for row in group if row.state == "not judged"}, headline=len(headline),
        headline_judged=sum(row.state not in ("not judged", "observed") for row in headline))
