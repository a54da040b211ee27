"""report.html: the compliance report for a security review, as a fragment that needs no script to be read.

pytest-html owns the file. Its own table is drawn by a script; what stands here is static. To compose the two,
the plugin, which alone knows pytest, does this::

    def pytest_html_report_title(report):
        report.title = page.title(issuer)

    def pytest_html_results_summary(prefix, summary, postfix, session):
        prefix.append(page.render(results))

pytest-html calls the latter in its own (trylast) `pytest_sessionfinish`: the results have to stand by then.
The fragment brings its own style sheet, which also lays the whole file out: this report first, then one closed
switch, "Raw test log", that shows pytest-html's own part (environment, filters, table) beneath it. A browser that
lacks CSS ``:has()`` shows that part at once. pytest-html draws its node ids unescaped: the plugin escapes that cell
in ``pytest_html_results_table_row``, and shows logs only of what is not passed (``pytest_html_results_table_html``),
since the evidence stands here already.

Safety does not depend on the template's author: every value passes `visible` (no control or bidi character acts)
and then Jinja's autoescape; links pass `web_link`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from dcrcheck.evidence import Exchange
from dcrcheck.reporting import conduct, digest, reasons
from dcrcheck.reporting.digest import Standing, standing
from dcrcheck.reporting.text import one_line, plural, shorten, visible, web_link
from dcrcheck.results import Results
from dcrcheck.verdict import Citation, Finding, Severity

MOST_BODY = 4_000
MOST_BODY_KEPT = 1_200
MOST_TEXT = 4_000
_OPENED = (Standing.BROKEN, Standing.ERROR, Standing.STALE)
_TEMPLATES = Path(__file__).parent / "templates"


def title(issuer: str) -> str:
    """The title of the file, plain text."""
    return f"DCR compliance report: {one_line(issuer)}"


def render(results: Results) -> str:
    """The report as an HTML fragment with its style sheet."""
    views = _views(results)
    shown = [(suite, [views[id(finding)] for finding in rows]) for suite, rows in digest.by_suite(results.findings)]
    tally = digest.standings(results)
    return _template().render(
        results=results, run=results.run, head=digest.headline(results), tally=tally,
        present=_present(results), severities=list(Severity), suites=shown,
        urgent=[views[id(finding)] for finding in digest.of(results, *_OPENED)],
        views=[(view.run, digest.headline(view), digest.standings(view)) for view in results.views()],
        apart=digest.apart(results), choices=digest.choices(results),
        coverage_headline=digest.coverage_headline(results), emulation=digest.emulation(results),
        unjudged_bound=digest.unjudged_bound(results),
        unjudged=reasons.by_reason(digest.of(results, Standing.INCONCLUSIVE)),
        inapplicable=reasons.by_reason(digest.of(results, Standing.INAPPLICABLE)),
        facts=conduct.facts(results), shares=conduct.shares(results), removal=conduct.removal(results),
        rows=list(digest.unjudged_rows(results)), requirements={row.id: row for row in results.requirements},
        known=[views[id(finding)] for finding in results.findings if finding.known is not None],
        command=digest.command(results), date=_date(results.run.started), most_text=MOST_TEXT)


def _present(results: Results) -> list[digest.Standing]:
    """Where any finding stands, under any policy of the run; most urgent first."""
    tallies = [digest.standings(view) for view in results.views()]
    return [key for key in digest.Standing if any(tally[key] for tally in tallies)]


def _date(started: str) -> str:
    """``20 November 2026, 12:00 UTC``; whatever else was given, as it is."""
    try:
        moment = datetime.fromisoformat(started).astimezone(UTC)
    except ValueError:
        return started
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}, {moment:%H:%M} UTC"


_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, finalize=_finalize, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"one_line": one_line, "web_link": web_link, "plural": plural, "place": digest.place,
                            "shorten": shorten, "sent": conduct.sent}
    environment.globals |= {"conduct_heading": conduct.HEADING, "unverified": conduct.UNVERIFIED,
                            "kinds": conduct.KINDS, "cleanup": conduct.CLEANUP}
    environment.globals["style"] = Markup((_TEMPLATES / "page.css").read_text("utf-8"))  # noqa: S704  our own file
    return environment.get_template("page.html.jinja")


def _finalize(value: Any) -> Any:
    """The wall that every expression of the template passes before it is escaped."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@dataclass(frozen=True, kw_only=True)
class Step:
    """An exchange as it is shown under one finding; `full` is false where another finding already shows it."""

    exchange: Exchange
    most: int
    full: bool
    opened: bool

    @property
    def line(self) -> str:
        """The request without its origin, and what came."""
        exchange = self.exchange
        came = f"{exchange.status}" if exchange.status is not None else "no answer"
        path = re.sub(r"^[a-z]+://[^/?#]*", "", exchange.url) or "/"
        return f"{exchange.method} {path if len(path) <= 90 else path[:89] + '…'} → {came}"

    @property
    def request(self) -> str:
        exchange = self.exchange
        return self._message(f"{exchange.method} {exchange.url}", exchange.request_headers, exchange.request_body)

    @property
    def response(self) -> str:
        exchange = self.exchange
        if exchange.status is None:
            return f"no answer: {exchange.error}"
        return self._message(f"HTTP {exchange.status}", exchange.response_headers, exchange.response_body)

    @property
    def curl(self) -> str:
        return shorten(self.exchange.curl(), self.most + 600)

    def _message(self, first: str, headers: tuple[tuple[str, str], ...], body: str) -> str:
        lines = [shorten(first, self.most), *(shorten(f"{name}: {value}", 500) for name, value in headers[:60])]
        if len(headers) > 60:
            lines.append(f"… [{len(headers) - 60} more headers]")
        return "\n".join(lines) + (f"\n\n{shorten(_indented(body), self.most)}" if body else "")


def _indented(body: str) -> str:
    """A JSON body laid out for reading; one that would not survive it (a member given twice, say) as it came."""
    if len(body) > 100_000 or not body.lstrip().startswith(("{", "[")):
        return body
    try:
        return json.dumps(json.loads(body, object_pairs_hook=_distinct), indent=2, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        return body


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is given twice")
    return members


@dataclass(frozen=True, kw_only=True)
class View:
    """A finding as the page shows it."""

    anchor: str
    finding: Finding
    standing: Standing
    steps: tuple[Step, ...]

    @property
    def opened(self) -> bool:
        return self.standing in _OPENED

    @property
    def row(self) -> str:
        """Which row of a parametrised check this is."""
        return self.finding.name.partition("[")[2].removesuffix("]")

    @property
    def explains(self) -> bool:
        """Whether the consequence and the mend belong here: only where the server broke something."""
        return self.standing in (Standing.BROKEN, Standing.KNOWN, Standing.WARN)

    @property
    def citation(self) -> Citation | None:
        return digest.deciding(self.finding)


def _views(results: Results) -> dict[int, View]:
    """The findings by identity. The most urgent one that has an exchange shows it in full, the others refer to it."""
    seen: set[str] = set()
    views = {}
    for number, finding in enumerate(digest.of(results, *Standing), 1):
        where = standing(finding)
        most = MOST_BODY_KEPT if where in (Standing.PASS, Standing.INAPPLICABLE) else MOST_BODY
        steps = []
        for exchange in finding.evidence:
            last = exchange is finding.evidence[-1]
            # what is broken is complete where it stands, whatever was shown before
            steps.append(Step(exchange=exchange, most=most, full=where in _OPENED or exchange.id not in seen,
                              opened=last and where in _OPENED))
            seen.add(exchange.id)
        views[id(finding)] = View(anchor=f"finding-{number}", finding=finding, standing=where, steps=tuple(steps))
    return views
