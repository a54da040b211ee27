"""The closing summary of a run, as lines for a terminal: what is broken first, where to look last."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from dcrcheck.reporting import conduct, digest
from dcrcheck.reporting.digest import Standing, standing
from dcrcheck.reporting.reasons import by_reason
from dcrcheck.reporting.text import one_line, plural, shorten, visible, web_link
from dcrcheck.results import Results
from dcrcheck.verdict import Finding

MOST_BROKEN = 20
MOST_WARNED = 15
MOST_LEFT = 10
MOST_NAME = 120
MOST_TEXT = 600
MOST_CURL = 2_000
_INDENT = " " * 5
_LABEL = 10
_FACT = 15


class Line(NamedTuple):
    """One line, and the colours of `_pytest._io.TerminalWriter.line` it is to have."""

    text: str
    markup: Mapping[str, bool] = {}


_TONES = {"broken": "red", "incomplete": "yellow", "known": "yellow", "clean": "green"}


def lines(results: Results, reports: Mapping[str, Path] | None = None, *, width: int = 100) -> list[Line]:
    """The whole summary. `reports` are the files that the run left, by name; `width` in columns (curl lines exceed it).

    No text of the target can act on the terminal: control characters are shown, not sent.
    """
    width = max(60, min(width, 120))
    sections = (
        _broken(results, width), _warned(results, width), _not_judged(results, width),
        _conduct(results, width, reports or {}), _closing(results, width), _paths(reports or {}))
    return [Line(visible(line.text), line.markup) for section in sections for line in section]


def _broken(results: Results, width: int) -> Iterator[Line]:
    rows = digest.of(results, Standing.BROKEN, Standing.ERROR, Standing.STALE)
    for number, finding in enumerate(rows[:MOST_BROKEN], 1):
        label = f"{standing(finding).label}, {finding.severity.value}"
        yield from _wrap(f"{number:3}. {one_line(finding.claim)}  [{label}]", width, _INDENT, red=True, bold=True)
        yield from _finding(finding, width)
        yield Line("")
    for finding in rows[MOST_BROKEN:]:
        yield Line(f"   - {one_line(finding.claim)}  [{finding.severity.value}] {finding.check}", {"red": True})
    if rows[MOST_BROKEN:]:
        yield Line("")


def _finding(finding: Finding, width: int) -> Iterator[Line]:
    citation = digest.deciding(finding)
    if standing(finding) is Standing.STALE and finding.known:
        yield from _entry("listed", f"{finding.known.reason}: no longer so, remove the entry from the profile", width)
    elif finding.known:
        yield from _entry("listed", f"{finding.known.reason}; expired {finding.known.expires}", width)
    yield from _entry("expected", finding.expected, width)
    yield from _entry("came", finding.observed, width)
    if citation:
        yield from _entry("rule", f"{digest.place(citation)}, {citation.level}: {citation.text}", width)
        yield from _entry("", web_link(citation.link), 0)
    if standing(finding) is Standing.BROKEN:
        yield from _entry("change", finding.fix, width)
    yield from _entry("check", finding.check, 0)
    for exchange in digest.reproduction(finding):
        yield Line(f"{_INDENT}{'curl':{_LABEL}}{shorten(exchange.curl(), MOST_CURL)}", {"cyan": True})


def _warned(results: Results, width: int) -> Iterator[Line]:
    rows = digest.of(results, Standing.WARN)
    if rows:
        yield Line(f"{plural(len(rows), 'warning')}: a recommendation, or a rule that the policy does not bind",
                   {"yellow": True, "bold": True})
    groups = digest.by_check(rows)
    for finding, *others in groups[:MOST_WARNED]:
        citation = digest.deciding(finding)
        source = f" ({digest.place(citation)}, {citation.level})" if citation else ""
        came = f" Came: {shorten(one_line(finding.observed), 160)}" if finding.observed else ""
        came += f" (and {len(others)} more like it)" if others else ""
        yield from _wrap(f"   - {one_line(finding.claim)}{source}{came}", width, _INDENT)
    if len(groups) > MOST_WARNED:
        yield Line(f"   … and {len(groups) - MOST_WARNED} more checks")
    if rows:
        yield Line("")


def _not_judged(results: Results, width: int) -> Iterator[Line]:
    rows = digest.of(results, Standing.INCONCLUSIVE)
    if rows:
        yield Line(f"{plural(len(rows), 'check')} that applied could not be judged:", {"yellow": True, "bold": True})
        for group in by_reason(rows):
            yield from _wrap(f"   {len(group.findings):4} × {shorten(group.reason, MOST_TEXT)}", width, " " * 10)
            if group.mend:
                yield from _wrap(f"          to have them judged: {group.mend}", width, " " * 10, cyan=True)
        yield Line("")
    skipped = by_reason(digest.of(results, Standing.INAPPLICABLE))
    if skipped:
        total = sum(len(group.findings) for group in skipped)
        yield Line(f"{plural(total, 'check')} not applicable:", {"bold": True})
        for group in skipped[:8]:
            yield from _wrap(f"   {len(group.findings):4} × {shorten(group.reason, 200)}", width, " " * 10)
        if len(skipped) > 8:
            yield Line(f"          … and {plural(len(skipped) - 8, 'more reason')}")
        yield Line("")


def _conduct(results: Results, width: int, reports: Mapping[str, Path]) -> Iterator[Line]:
    yield Line(conduct.HEADING, {"bold": True})
    for fact in conduct.facts(results):
        yield from _entry(fact.label, fact.text, width, _FACT, yellow=_is_loud(fact, results))
    if shares := conduct.shares(results):
        figures = (f"{share.name} {share.part.exchanges:,}"
                   + (f" ({share.part.registrations:,})" if share.part.registrations else "")
                   for share in shares if share.part.exchanges)
        yield from _entry("By suite", f"requests (registrations among them): {', '.join(figures)}", width, _FACT)
    for note in results.run.notes:
        yield from _entry("Note", note, width, _FACT)
    left = results.clients.left
    for client in left[:MOST_LEFT]:
        told = (client.client_id or "(client_id unknown)", client.client_name, client.registered, f"({client.reason})")
        yield Line(f"{_INDENT}- {'  '.join(shorten(one_line(text), MOST_NAME) for text in told)}")
    if len(left) > MOST_LEFT:
        yield Line(f"{_INDENT}… and {len(left) - MOST_LEFT:,} more, in results.json and ledger.sqlite")
    for path in list(reports.values())[:1] if left else ():
        yield from _entry("", f"{conduct.CLEANUP} {shlex.quote(str(path.parent))} {conduct.removal(results)}", width, 0)
    yield Line("")


def _is_loud(fact: conduct.Fact, results: Results) -> bool:
    return fact.label == "Held back" or (fact.label == "Clients" and bool(results.clients.left))


def _closing(results: Results, width: int) -> Iterator[Line]:
    head = digest.headline(results)
    if results.run.insecure:
        yield from _wrap(f"NOT VERIFIED. {conduct.UNVERIFIED}", width, "", red=True, bold=True)
    yield from _wrap(one_line(head.sentence), width, "", **{_TONES[head.tone]: True, "bold": True})
    yield from _wrap(head.detail, width, "")
    for view in results.views()[1:]:
        other = digest.headline(view)
        yield from _wrap(f"By policy {view.run.policy}: {one_line(other.sentence)}. {other.detail}", width, _INDENT,
                         **{_TONES[other.tone]: True})
    if emulation := digest.emulation(results):
        yield from _wrap(f"{emulation}.", width, "", yellow=True)
    known = digest.of(results, Standing.KNOWN)
    if known:
        yield from _wrap(f"Known deviations that still happen: {plural(digest.rules(known), 'rule')}", width, "")
    coverage = digest.coverage_headline(results)
    if coverage:
        yield from _wrap(coverage, width, "")
    if left_out := digest.unjudged_bound(results):
        yield Line(f"Judged by no check: {plural(left_out, 'row')} of the sources that bind; the report says why")
    if results.other_policies:
        more = ", ".join(f"{name} (+{rows:,} rows)" for name, rows in results.other_policies.items())
        yield from _wrap(f"Other policies would judge more: {more}", width, _INDENT)


def _paths(reports: Mapping[str, Path]) -> Iterator[Line]:
    for number, path in enumerate(reports.values()):
        yield Line(f"{'Reports:' if number == 0 else '':9}{path}")


def _entry(label: str, text: str, width: int, column: int = _LABEL, **markup: bool) -> Iterator[Line]:
    """A labelled line; width 0 leaves it in one piece, to be copied."""
    text = one_line(shorten(text, MOST_TEXT))
    if text:
        yield from _wrap(f"{_INDENT}{label:{column}}{text}", width, _INDENT + " " * column, **markup)


def _wrap(text: str, width: int, indent: str, **markup: bool) -> Iterator[Line]:
    pieces = textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False,
                           break_long_words=False) if width else [text]
    for piece in pieces:
        yield Line(piece, markup)
