"""What every report says of a run, whatever its format: the headline, the order, the groups."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from dcrcheck.evidence import Exchange
from dcrcheck.reporting.text import one_line, plural
from dcrcheck.results import RequirementRow, Results, SourceCoverage
from dcrcheck.verdict import Citation, Finding, Strength, Verdict


class Standing(StrEnum):
    """Where a finding stands, finer than its verdict: whether it surprises; most urgent first."""

    BROKEN = "broken"
    ERROR = "error"
    STALE = "stale"
    KNOWN = "known"
    WARN = "warn"
    INCONCLUSIVE = "inconclusive"
    INAPPLICABLE = "inapplicable"
    PASS = "pass"

    @property
    def label(self) -> str:
        return _LABELS[self]

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_LABELS = {
    Standing.BROKEN: "FAIL", Standing.ERROR: "ERROR", Standing.STALE: "PASS (stale)", Standing.KNOWN: "FAIL (known)",
    Standing.WARN: "WARN", Standing.INCONCLUSIVE: "INCONCLUSIVE", Standing.INAPPLICABLE: "INAPPLICABLE",
    Standing.PASS: "PASS",
}
_MEANINGS = {
    Standing.BROKEN: "The server breaks a rule that the policy binds, and the profile does not list it (any more).",
    Standing.ERROR: "The check itself failed: our fault or the network's. It says nothing about the server.",
    Standing.STALE: "The rule is kept, but the profile still lists a deviation: the entry should go.",
    Standing.KNOWN: "The server breaks a bound rule, and the profile lists it with a reason. Still a deviation.",
    Standing.WARN: "The server breaks a recommendation, or a rule of a source that the policy does not bind.",
    Standing.INCONCLUSIVE: "The check applies, but something got in its way. Never counted as kept.",
    Standing.INAPPLICABLE: "The server does not offer what the check is about.",
    Standing.PASS: "The server keeps the rule, as far as this check can see.",
}
_BY_VERDICT = {
    Verdict.ERROR: Standing.ERROR, Verdict.WARN: Standing.WARN, Verdict.INCONCLUSIVE: Standing.INCONCLUSIVE,
    Verdict.INAPPLICABLE: Standing.INAPPLICABLE,
}


def standing(finding: Finding) -> Standing:
    if finding.verdict is Verdict.FAIL:
        return Standing.BROKEN if finding.surprise else Standing.KNOWN
    if finding.verdict is Verdict.PASS:
        return Standing.STALE if finding.surprise else Standing.PASS
    return _BY_VERDICT[finding.verdict]


def standings(results: Results) -> dict[Standing, int]:
    """How many findings stand where, every standing named, most urgent first."""
    tally = dict.fromkeys(Standing, 0)
    for finding in results.findings:
        tally[standing(finding)] += 1
    return tally


def of(results: Results, *wanted: Standing) -> list[Finding]:
    """The findings that stand so, worst first."""
    rows = [finding for finding in results.findings if standing(finding) in wanted]
    return sorted(rows, key=lambda f: (list(Standing).index(standing(f)), f.severity.rank, f.check))


def deciding(finding: Finding) -> Citation | None:
    """The requirement that gave the verdict: the one that a known deviation names, else the one that binds hardest."""
    if finding.known is not None:
        for citation in finding.requirements:
            if citation.id == finding.known.requirement:
                return citation
    return min(finding.requirements, key=lambda c: list(Strength).index(c.strength), default=None)


def rules(findings: Iterable[Finding]) -> int:
    """How many different requirements the findings are about: many rows of one check may break one rule."""
    return len({citation.id if (citation := deciding(finding)) else finding.check for finding in findings})


def place(citation: Citation) -> str:
    """``RFC 7591 §3.2.1``."""
    mark = "§" if citation.section[:1].isdigit() else ""
    return f"{citation.source} {mark}{citation.section}".strip()


def reproduction(finding: Finding) -> tuple[Exchange, ...]:
    """The requests to send again: the last one, and the one with a body that it followed from, if it has none."""
    if not finding.evidence:
        return ()
    *before, last = finding.evidence
    if not last.request_body:
        for exchange in reversed(before):
            if exchange.request_body:
                return exchange, last
    return (last,)


def by_check(findings: Iterable[Finding]) -> list[list[Finding]]:
    """The rows of one check together, in the order of their first."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.check.partition("[")[0], []).append(finding)
    return list(groups.values())


def by_suite(findings: Iterable[Finding]) -> list[tuple[str, list[Finding]]]:
    """Findings by suite, in the order in which they ran; within a suite the most urgent first."""
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.suite].append(finding)
    order = list(Standing)
    return [(suite, sorted(rows, key=lambda f: order.index(standing(f)))) for suite, rows in groups.items()]


@dataclass(frozen=True, kw_only=True)
class Headline:
    """The run in one sentence. `tone` is ``broken``, ``incomplete``, ``known`` or ``clean``."""

    tone: str
    sentence: str
    detail: str


def emulation(results: Results) -> str:
    """What was judged in place of the product; empty where it was a server as it is."""
    if not results.run.emulated:
        return ""
    product = results.run.profile_title or results.run.profile
    return (f"emulated: the embedded server under the personality of {product}, from its documents; not the product "
            "itself")


def headline(results: Results) -> Headline:
    tally = standings(results)
    tone, sentence = _say(results, tally)
    return Headline(tone=tone, sentence=sentence, detail=_detail(tally))


def _say(results: Results, tally: dict[Standing, int]) -> tuple[str, str]:
    policy = f"the policy “{results.run.policy_title or results.run.policy}”"
    errors, stale, open_ = tally[Standing.ERROR], tally[Standing.STALE], tally[Standing.INCONCLUSIVE]
    if all(key in _UNJUDGED for key, count in tally.items() if count):
        return "incomplete", "Nothing was judged"
    if tally[Standing.BROKEN]:
        count = rules(of(results, Standing.BROKEN))
        sentence = f"{plural(count, 'rule')} {_be(count)} broken that the profile does not list"
        # a run that does not fail although rules are broken was told to fail only on worse ones
        mild = ", none of the severity that fails this run" if results.exit_code in (0, 6) else ""
        return "broken", sentence + mild
    if errors:
        return "broken", f"{plural(errors, 'check')} ended in an error and gave no verdict"
    if stale:
        happen = "happens" if stale == 1 else "happen"
        return "broken", f"{plural(stale, 'deviation')} that the profile lists no longer {happen}"
    if open_:
        return "incomplete", f"Incomplete: {plural(open_, 'check')} could not be judged"
    if tally[Standing.KNOWN]:
        return "known", f"Deviates from {policy} only where the profile says so"
    return "clean", f"Conforms to {policy}"


def _be(count: int) -> str:
    return "is" if count == 1 else "are"


_UNJUDGED = (Standing.INCONCLUSIVE, Standing.INAPPLICABLE, Standing.ERROR)
_WORDS = {
    Standing.BROKEN: "broken", Standing.ERROR: "in error", Standing.STALE: "kept but listed as deviating",
    Standing.KNOWN: "broken as listed", Standing.WARN: "with a warning", Standing.INCONCLUSIVE: "not judged",
    Standing.INAPPLICABLE: "not applicable", Standing.PASS: "kept",
}


def _detail(tally: dict[Standing, int]) -> str:
    parts = ", ".join(f"{count:,} {_WORDS[key]}" for key, count in tally.items() if count)
    total = sum(tally.values())
    return f"{plural(total, 'check')}: {parts}." if total else "No check ran."


_PUBLISHED = ("RFC 7591", "RFC 7592")


def coverage_headline(results: Results) -> str:
    """``RFC 7591 + RFC 7592: 111 of 111 testable rows judged; all 15 bound sources: 285 of 285``."""
    bound = [item for item in results.coverage if item.bound and item.headline]
    published = [item for item in bound if item.source in _PUBLISHED]
    names = " + ".join(item.source for item in published)
    parts = [f"{names}: {_judged(published)} testable rows judged"] if published else []
    if len(bound) > len(published):
        label = f"all {len(bound)} bound sources" if published else plural(len(bound), "bound source")
        parts.append(f"{label}: {_judged(bound)}{'' if published else ' testable rows judged'}")
    return "; ".join(parts)


def unjudged_bound(results: Results) -> int:
    """How many rows of the sources that bind no check judged: what a clean verdict does not speak of."""
    return sum(item.rows - item.judged - item.observed for item in results.coverage if item.bound)


def _judged(rows: list[SourceCoverage]) -> str:
    return f"{sum(item.headline_judged for item in rows):,} of {sum(item.headline for item in rows):,}"


def choices(results: Results) -> list[RequirementRow]:
    """The rows that leave a server the choice, of which a check saw which way it took."""
    return [row for row in results.requirements if row.observation]


def apart(results: Results) -> list[tuple[Finding, tuple[Standing, ...]]]:
    """The findings of which the policies of the run say different things, with what each says in its turn."""
    columns = zip(*(view.findings for view in results.views()), strict=True)
    said = [(column[0], tuple(standing(finding) for finding in column)) for column in columns]
    return [(finding, standings) for finding, standings in said if len(set(standings)) > 1]


def unjudged_rows(results: Results) -> Iterator[tuple[str, str, list[tuple[str, list[str]]]]]:
    """Of each source with rows that were not judged: its name, title, and the row ids by reason."""
    for item in results.coverage:
        groups: dict[str, list[str]] = defaultdict(list)
        for row, why in item.not_judged.items():
            groups[one_line(why) or "no reason given"].append(row)
        if groups:
            yield item.source, item.title, sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))


def command(results: Results) -> str:
    """The command line that repeats the run."""
    run = results.run
    if run.command:
        return run.command
    if run.defect:
        return shlex.join(("pytest", "--defect", run.defect))
    return shlex.join(("pytest", "--issuer", run.issuer, "--profile", run.profile))
