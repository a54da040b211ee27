"""summary.md: the run for a pull request or a job summary. GitHub-flavoured Markdown.

Our own sentences are escaped prose; whatever the target or its owner wrote stands in code spans and code blocks,
in which neither Markdown, HTML, mentions nor links take effect.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from dcrcheck.reporting import conduct, digest
from dcrcheck.reporting.digest import Standing, standing
from dcrcheck.reporting.reasons import by_reason
from dcrcheck.reporting.text import one_line, plural, shorten, visible, web_link
from dcrcheck.results import Results
from dcrcheck.verdict import Citation, Finding

MOST_TEXT = 2_000
MOST_BROKEN = 50
_MOST_CLIENTS = 20


def render(results: Results) -> str:
    """The summary as Markdown text."""
    sections = (_head, _policies, _broken, _warned, _known, _not_judged, _coverage, _conduct, _left)
    return "\n".join(line for section in sections for line in section(results)) + "\n"


def _head(results: Results) -> Iterator[str]:
    run, head = results.run, digest.headline(results)
    yield f"# {prose(head.sentence)}"
    yield ""
    if run.insecure:
        yield "> [!CAUTION]"
        yield f"> **NOT VERIFIED.** {prose(conduct.UNVERIFIED)}"
        yield ""
    yield f"{prose(head.detail)} {prose(digest.coverage_headline(results))}".strip()
    yield ""
    facts = [("Issuer", code(run.issuer)), ("Profile", prose(run.profile_title or run.profile)),
             *([("Emulated", prose(digest.emulation(results)))] if run.emulated else []),
             ("Policy", prose(run.policy_title or run.policy)),
             ("Run", f"{code(run.id)}, {prose(run.started)}, {run.duration_s:.1f} s, "
                     f"{plural(run.exchanges, 'exchange')}, {plural(run.registrations, 'registration')}"),
             ("Tool", f"dcrcheck {prose(run.tool_version)}")]
    if run.defect:
        facts.append(("Defect", code(run.defect)))
    facts += [("Note", code(note)) for note in run.notes]
    yield from _table(("", ""), facts)
    yield from _table(("Verdict", "Checks"), ((prose(key.label), f"{count:,}")
                                              for key, count in digest.standings(results).items() if count))


def _policies(results: Results) -> Iterator[str]:
    """The same requests under each policy of the run, side by side."""
    if not results.policies:
        return
    views = results.views()
    yield "## By policy"
    yield ""
    yield from _table(("Policy", "Verdict", "Checks"), (
        (code(view.run.policy), prose(digest.headline(view).sentence), prose(digest.headline(view).detail))
        for view in views))
    if apart := digest.apart(results):
        yield from _table(("Check", *(code(view.run.policy) for view in views)), (
            (code(finding.name), *(prose(standing.label) for standing in standings))
            for finding, standings in apart[:MOST_BROKEN]))
        if len(apart) > MOST_BROKEN:
            yield f"And {len(apart) - MOST_BROKEN:,} more of which the policies say different things."
            yield ""


def _broken(results: Results) -> Iterator[str]:
    rows = digest.of(results, Standing.BROKEN, Standing.ERROR, Standing.STALE)
    if rows:
        yield "## Broken rules"
        yield ""
    for finding in rows[:MOST_BROKEN]:
        yield f"### {prose(standing(finding).label)} · {finding.severity.value} · {prose(finding.claim)}"
        yield ""
        yield f"- Check: {code(finding.check)}"
        citation = digest.deciding(finding)
        if citation:
            yield f"- Rule: {_cite(citation)}: {prose(citation.text)}"
        if finding.known:
            yield f"- Listed by the profile: {code(finding.known.reason)}" + (
                f", expired {finding.known.expires}" if finding.known.expires else "")
        for label, text in ("Expected", finding.expected), ("Came", finding.observed):
            if text:
                yield f"- {label}: {code(shorten(text, MOST_TEXT))}"
        for label, text in ("Why it matters", finding.why), ("What to change", finding.fix):
            if text and standing(finding) is Standing.BROKEN:
                yield f"- {label}: {prose(text)}"
        yield ""
        if finding.evidence:
            yield from _block("\n".join(shorten(exchange.curl(), MOST_TEXT)
                                        for exchange in digest.reproduction(finding)), "sh")
    if len(rows) > MOST_BROKEN:
        yield f"… and {len(rows) - MOST_BROKEN} more: see `report.html` or `results.json`."
        yield ""


def _warned(results: Results) -> Iterator[str]:
    rows = digest.of(results, Standing.WARN)
    if rows:
        yield "## Warnings"
        yield ""
        yield from _table(("Claim", "Rows", "Rule", "Came"), (
            (prose(group[0].claim), f"{len(group):,}", _cite(digest.deciding(group[0])),
             code(shorten(group[0].observed, 300))) for group in digest.by_check(rows)))


def _known(results: Results) -> Iterator[str]:
    rows = digest.of(results, Standing.KNOWN)
    if rows:
        yield "## Known deviations"
        yield ""
        yield from _table(("Claim", "Rows", "Rule", "Reason", "Owner", "Expires"), (
            (prose(f.claim), f"{1 + len(others):,}", _cite(digest.deciding(f)),
             code(f.known.reason) + (f" ([issue](<{web_link(f.known.link)}>))" if web_link(f.known.link) else ""),
             code(f.known.owner), str(f.known.expires or ""))
            for f, *others in digest.by_check(rows) if f.known))


def _not_judged(results: Results) -> Iterator[str]:
    for title, wanted in ("Not judged, and why", Standing.INCONCLUSIVE), ("Not applicable, and why",
                                                                        Standing.INAPPLICABLE):
        groups = by_reason(digest.of(results, wanted))
        if groups:
            mended = any(group.mend for group in groups)
            yield f"## {title}"
            yield ""
            yield from _table(("Reason", "Checks", *(["To have them judged"] if mended else [])), (
                (code(shorten(group.reason, 500)), _names(group.findings), *([prose(group.mend)] if mended else []))
                for group in groups))


def _coverage(results: Results) -> Iterator[str]:
    if results.coverage:
        yield "## Coverage"
        yield ""
        yield from _table(("Source", "Binds", "Rows", "Judged", "Passed", "Warned", "Failed", "Testable, judged"), (
            (prose(item.source), "yes" if item.bound else "advisory" if item.advisory else "no",
             f"{item.rows:,}", f"{item.judged:,}", f"{item.passed:,}", f"{item.warned:,}", f"{item.failed:,}",
             f"{item.headline_judged:,} of {item.headline:,}") for item in results.coverage))
    if left_out := digest.unjudged_bound(results):
        yield f"{plural(left_out, 'row')} of the sources that bind judged by no check: reasons in `report.html`."
        yield ""
    if chosen := digest.choices(results):
        yield "### Where the sources leave the choice"
        yield ""
        yield from _table(("Permission", "Observed", "Row"), (
            (prose(row.text), code(row.observation), code(row.id)) for row in chosen))
    if results.other_policies:
        more = ", ".join(f"{code(name)} ({plural(rows, 'more row')})" for name, rows in results.other_policies.items())
        yield f"Other policies would judge more: {more}."
        yield ""


def _conduct(results: Results) -> Iterator[str]:
    yield f"## {conduct.HEADING}"
    yield ""
    yield from _table(("", ""), ((fact.label, (code if fact.foreign else prose)(fact.text))
                                 for fact in conduct.facts(results)))
    if shares := conduct.shares(results):
        yield from _table(("Suite", "Checks", "Requests", "Registrations", "Of these beyond ordinary requests"), (
            (prose(share.name), f"{share.part.checks:,}" if share.part.checks else "",
             _bounded(share.part.exchanges, share.part.most_exchanges),
             _bounded(share.part.registrations, share.part.most_registrations), prose(share.intrusive))
            for share in shares))


def _bounded(sent: int, most: int) -> str:
    return f"{sent:,} of at most {most:,}" if most else f"{sent:,}"


def _left(results: Results) -> Iterator[str]:
    left = results.clients.left
    if not left:
        return
    yield "### Clients that are left"
    yield ""
    yield f"{code(conduct.CLEANUP)}, given the directory of this report, {prose(conduct.removal(results))}."
    yield ""
    yield from _table(("client_id", "client_name", "Registered", "Why it is left"), (
        (code(item.client_id), code(item.client_name), prose(item.registered), code(item.reason))
        for item in left[:_MOST_CLIENTS]))
    if len(left) > _MOST_CLIENTS:
        yield f"And {len(left) - _MOST_CLIENTS:,} more, in `results.json` and `ledger.sqlite`."


def _names(rows: Sequence[Finding]) -> str:
    return ", ".join(code(finding.name) for finding in rows[:8]) + (f" and {len(rows) - 8} more" if len(rows) > 8
                                                                   else "")


def _cite(citation: Citation | None) -> str:
    if citation is None:
        return ""
    label = prose(f"{digest.place(citation)} ({citation.level})")
    return f"[{label}](<{web_link(citation.link)}>)" if web_link(citation.link) else label


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(re.sub(_PIPE, _escape_pipe, cell) for cell in row)} |"
    yield ""


_PIPE = re.compile(r"(\\*)\|")


def _escape_pipe(match: re.Match[str]) -> str:
    """A pipe ends a cell even inside a code span; a backslash before it would eat the escape, so a space parts them."""
    return (match[1] + " " if match[1] else "") + r"\|"


def prose(text: str) -> str:
    """A sentence as Markdown that renders to itself, on one line."""
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*\[\]~$@]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//))", r"\\\1", text)


def code(text: str) -> str:
    """Foreign text as a code span, on one line; nothing for nothing."""
    text = visible(text).replace("\n", "\\n").replace("\t", "\\t")
    if not text.strip():
        return ""
    fence = "`" * (max(map(len, re.findall(r"`+", text)), default=0) + 1)
    space = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{space}{text}{space}{fence}"


def _block(text: str, language: str) -> Iterator[str]:
    text = visible(text)
    fence = "`" * max(3, max(map(len, re.findall(r"`+", text)), default=0) + 1)
    yield f"{fence}{language}"
    yield text
    yield fence
    yield ""
