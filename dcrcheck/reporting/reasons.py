"""Why checks did not judge: grouped, and with what would let them be judged."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from dcrcheck.reporting.text import one_line
from dcrcheck.verdict import Finding, Verdict

_HELD = ("budget:", "circuit open:")
_JUDGED = re.compile(r" \(\d+ judged\)$")
_NUMBER = re.compile(r"\d[\d,.]*")
_ALLOW = re.compile(r"\(--allow ([a-z]+)\)")
# what stands in a reason, and what its reader can do; of several the first
_MENDS = (
    ("not answered in time", "give a longer --timeout if the server is merely slow; else see why it does not answer, "
                             "then judge these checks alone (-k)"),
    ("circuit open:", "see why the server fails there, then judge these checks alone (-k)"),
    ("the plan gives", "judge these checks alone (-k): a smaller run has a plan of its own"),
    ("--max-registrations", "give a larger --max-registrations"),
    ("--max-exchanges", "give a larger --max-exchanges; if none was given, judge these checks alone (-k)"),
    ("--max-wait", "give a longer --max-wait"),
)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Findings with the same thing in the way. `mend` is what lets them be judged, where an option of ours does."""

    reason: str
    findings: tuple[Finding, ...]
    mend: str = ""


def reason(finding: Finding) -> str:
    """Why a check did not judge."""
    return one_line(finding.why or finding.observed or finding.detail) or "no reason given"


def is_held(finding: Finding) -> bool:
    """Whether the run held this check back itself: by its budget or its circuit breaker."""
    return finding.verdict is Verdict.INCONCLUSIVE and reason(finding).startswith(_HELD)


def by_reason(findings: Iterable[Finding]) -> list[Group]:
    """Findings that did not judge, by what was in the way, largest group first, whatever order they are in.

    How many examples of a fuzzed check were judged makes no difference, nor do the figures of a budget.
    """
    groups: dict[str, list[Finding]] = defaultdict(list)
    texts: dict[str, Counter[str]] = defaultdict(Counter)
    for finding in findings:
        text = _JUDGED.sub("", reason(finding))
        key = _NUMBER.sub("0", text) if text.startswith(_HELD) else text
        groups[key].append(finding)
        texts[key][text] += 1
    made = [Group(reason=min(texts[key], key=lambda text: (-texts[key][text], text)), findings=tuple(rows),
                  mend=_mend(key, rows)) for key, rows in groups.items()]
    return sorted(made, key=lambda group: (-len(group.findings), group.reason))


def _mend(text: str, rows: Iterable[Finding]) -> str:
    if any(finding.verdict is not Verdict.INCONCLUSIVE for finding in rows):
        return ""
    if text.startswith("not permitted:") and (kind := _ALLOW.search(text)):
        return f"name {kind[1]} in --allow"
    return next((mend for sign, mend in _MENDS if sign in text), "") if text.startswith(_HELD) else ""
