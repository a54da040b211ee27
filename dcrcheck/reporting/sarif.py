"""results.sarif: SARIF 2.1.0, shaped so that GitHub code scanning and other viewers take it.

One rule per requirement that a finding broke, one result per finding. What could not be judged is a result of kind
``open`` under a rule of its own, which has no severity: a viewer that ignores `kind` must not show it as a breach.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from dcrcheck.reporting import digest
from dcrcheck.reporting.conduct import UNVERIFIED
from dcrcheck.reporting.digest import Standing, standing
from dcrcheck.reporting.reasons import reason
from dcrcheck.reporting.text import one_line, shorten, visible, web_link
from dcrcheck.results import RequirementRow, Results
from dcrcheck.verdict import Citation, Finding, Severity, Strength

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
NOT_JUDGED = "dcrcheck-not-judged"
# GitHub: over 9.0 critical, from 7.0 high, from 4.0 medium, below low
_SECURITY_SEVERITY = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.5"}
_REPORTED = (Standing.BROKEN, Standing.KNOWN, Standing.WARN, Standing.INCONCLUSIVE)


def render(results: Results) -> str:
    """The SARIF log as indented JSON."""
    return json.dumps(log(results), indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def log(results: Results) -> dict[str, Any]:
    """The SARIF log."""
    reported = digest.of(results, *_REPORTED)
    rules = _rules(results, reported)
    index = {rule["id"]: position for position, rule in enumerate(rules)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "dcrcheck", "version": results.run.tool_version, "rules": rules}},
            # GitHub takes all before the last slash as the category, so that profiles do not overwrite each other
            "automationDetails": {"id": f"dcrcheck/{visible(results.run.profile)}/{results.run.id}"},
            "invocations": [_invocation(results)],
            "results": [_result(results, finding, index) for finding in reported],
            "columnKind": "unicodeCodePoints",
            "properties": {"issuer": visible(results.run.issuer), "policy": visible(results.run.policy),
                           "profile": visible(results.run.profile), "counts": results.counts},
        }],
    }


def _rules(results: Results, reported: Iterable[Finding]) -> list[dict[str, Any]]:
    rows = {row.id: row for row in results.requirements}
    worst: dict[str, tuple[Citation, Finding]] = {}
    not_judged = False
    for finding in reported:
        citation = digest.deciding(finding)
        if standing(finding) is Standing.INCONCLUSIVE:
            not_judged = True
        elif citation and (citation.id not in worst or finding.severity.rank < worst[citation.id][1].severity.rank):
            worst[citation.id] = citation, finding
    rules = [_rule(citation, finding, rows.get(key)) for key, (citation, finding) in sorted(worst.items())]
    if not_judged:
        text = "The check applies, but something kept it from judging."
        rules.append({"id": NOT_JUDGED, "name": "NotJudged", "shortDescription": {"text": text},
                      "fullDescription": {"text": text}, "defaultConfiguration": {"level": "none"}})
    return rules


def _rule(citation: Citation, finding: Finding, row: RequirementRow | None) -> dict[str, Any]:
    text, why, fix = citation.text, row.why if row else finding.why, row.fix if row else finding.fix
    help_text = f"{digest.place(citation)} ({citation.level}): {text}\n\nWhy it matters: {why}\n\nWhat to change: {fix}"
    rule = {
        "id": citation.id,
        "name": re.sub(r"[^0-9A-Za-z]", "", citation.id),
        "shortDescription": {"text": _message(shorten(text, 200))},
        "fullDescription": {"text": _message(shorten(text, 1000))},
        "help": {"text": _message(help_text)},
        "defaultConfiguration": {"level": "error" if citation.strength is Strength.MUST else "warning"},
        "properties": {"security-severity": _SECURITY_SEVERITY[finding.severity],
                       "tags": ["security", "oauth", citation.source], "precision": "high"},
    }
    if web_link(citation.link):
        rule["helpUri"] = citation.link
    return rule


def _result(results: Results, finding: Finding, index: dict[str, int]) -> dict[str, Any]:
    where, citation = standing(finding), digest.deciding(finding)
    rule = NOT_JUDGED if where is Standing.INCONCLUSIVE or citation is None else citation.id
    known = finding.known if where is Standing.KNOWN else None
    return {
        "ruleId": rule, **({"ruleIndex": index[rule]} if rule in index else {}),
        "kind": "open" if where is Standing.INCONCLUSIVE else "fail",
        "level": {Standing.INCONCLUSIVE: "none", Standing.WARN: "warning"}.get(where, "error"),
        "message": {"text": _message(_sentence(finding))},
        "locations": [_location(results, finding)],
        "partialFingerprints": {"primaryLocationLineHash": _fingerprint(results, finding) + ":1"},
        "suppressions": [{"kind": "external", "status": "accepted", "justification": _message(
            " ".join(filter(None, (known.reason, known.link, known.owner and f"(owner: {known.owner})",
                                   f"until {known.expires}" if known.expires else ""))))}] if known else [],
        "properties": {
            "check": visible(finding.check), "verdict": finding.verdict.value, "severity": finding.severity.value,
            "level": finding.level, "requirements": [item.id for item in finding.requirements],
            "curl": [shorten(visible(exchange.curl()), 4000) for exchange in digest.reproduction(finding)]},
    }


def _sentence(finding: Finding) -> str:
    if standing(finding) is Standing.INCONCLUSIVE:
        return f"Not judged: {finding.claim} {reason(finding)}"
    came = f" Expected: {finding.expected}" if finding.expected else ""
    return f"{finding.claim}{came} Came: {shorten(one_line(finding.observed), 1000) or 'see the evidence'}"


def _location(results: Results, finding: Finding) -> dict[str, Any]:
    steps = digest.reproduction(finding)
    method, url = (steps[-1].method, steps[-1].url) if steps else ("", results.run.issuer)
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": "suites/" + quote(_file(finding))}, "region": {"startLine": 1}},
        "logicalLocations": [{"name": shorten(visible(_path(url)), 200) or "/", "kind": "resource",
                              "fullyQualifiedName": shorten(visible(f"{method} {url}".strip()), 500)}],
    }


def _file(finding: Finding) -> str:
    return finding.check.partition("::")[0].removeprefix("suites/")


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return url


def _fingerprint(results: Results, finding: Finding) -> str:
    """The same finding in the next run, even when a loopback server has moved to another port."""
    identity = f"{results.run.profile}\0{finding.check}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(identity).hexdigest()[:32]


def _invocation(results: Results) -> dict[str, Any]:
    errors = digest.of(results, Standing.ERROR)
    invocation: dict[str, Any] = {
        "executionSuccessful": not errors, "exitCode": results.exit_code,
        "commandLine": visible(digest.command(results)),
        "toolExecutionNotifications": [
            {"level": "error", "message": {"text": _message(
                f"{finding.check}: {shorten(one_line(finding.observed or finding.why or finding.detail), 2000)}")}}
            for finding in errors],
        "toolConfigurationNotifications": [
            {"level": "warning", "message": {"text": _message(
                f"{finding.check}: the profile lists a deviation that no longer happens")}}
            for finding in digest.of(results, Standing.STALE)],
        "properties": {"authorized_by": visible(results.run.authorized_by),
                       "permissions": list(results.run.permissions), "insecure": results.run.insecure},
    }
    if results.run.insecure:
        invocation["toolConfigurationNotifications"].append({"level": "warning", "message": {"text": UNVERIFIED}})
    try:
        started = datetime.fromisoformat(results.run.started)
    except ValueError:
        return invocation
    for name, moment in ("startTimeUtc", started), ("endTimeUtc", started + timedelta(seconds=results.run.duration_s)):
        invocation[name] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return invocation


def _message(text: str) -> str:
    """Plain text in which nothing reads as a SARIF link (``[text](target)``) or placeholder (``{0}``)."""
    return re.sub(r"\{(\d)", r"{ \1", visible(text).replace("](", "] ("))
