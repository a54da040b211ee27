"""What must hold after every run, whatever the server did: truth, and reports that can be read and act on nobody."""

from __future__ import annotations

import json
import re
import sqlite3
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sarif_pydantic

from dcrcheck.documents import validator

if TYPE_CHECKING:
    from tests.hostile.case import Case

MOST_MB = 300
_FILES = ("results.json", "results.sarif", "summary.md", "report.html", "junit.xml", "ledger.sqlite")
_ACTIVE = re.compile(r"<\s*/?\s*(script|img|iframe|svg|meta|object|embed|base|link|style|form|input|body|html|a)\b",
                     re.IGNORECASE)
# the one handler that pytest-html brings, beside its one script
_PYTEST_HTML = ("location.reload()",)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run left behind."""

    code: int
    seconds: float
    peak_mb: int
    output: str
    files: dict[str, bytes]
    facts: dict[str, Any]
    results: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, directory: Path, *, code: int, seconds: float, peak_mb: int) -> Outcome:
        reports = directory / "reports"
        files = {path.name: path.read_bytes() for path in reports.iterdir()} if reports.is_dir() else {}
        facts = json.loads((directory / "facts").read_text())
        return cls(code=code, seconds=seconds, peak_mb=peak_mb, files=files, facts=facts,
                   output=(directory / "judge.out").read_text("utf-8") + (directory / "judge.err").read_text("utf-8"),
                   results=json.loads(files["results.json"]) if "results.json" in files else {})

    @property
    def verdicts(self) -> dict[str, set[str]]:
        """By the bare name of a check."""
        found: dict[str, set[str]] = {}
        for finding in self.results.get("findings", ()):
            name = finding["check"].partition("::")[2].partition("[")[0]
            found.setdefault(name, set()).add(finding["verdict"])
        return found

    @property
    def patience_s(self) -> float:
        """The longest that one exchange took, as both sides saw it."""
        seen = [exchange["elapsed_s"] for exchange in self.results.get("exchanges", {}).values()]
        return round(max([self.facts["longest_s"], *seen]), 2)

    @property
    def complaint(self) -> str:
        """The one line of a run that could not begin."""
        return next((line for line in self.output.splitlines() if line.startswith("ERROR: ")), "")

    @property
    def words(self) -> str:
        """What the run says of the server, in the places where a reader looks."""
        said = [finding[part] for finding in self.results.get("findings", ()) for part in ("why", "observed")
                if finding["verdict"] != "PASS"]
        notes = self.results.get("run", {}).get("notes", ())
        left = [client["reason"] for client in self.results.get("clients", {}).get("left", ())]
        head = [line for line in self.output.splitlines() if line.startswith("NOT VERIFIED")]
        return "\n".join([self.complaint, *head, *said, *notes, *left])

    def summary(self, case: Case) -> str:
        """One cell of the table."""
        if not self.results:
            told = self.complaint.removeprefix("ERROR: ").partition("; ")[0]
            where = re.sub(r"\S*127\.0\.0\.1:\d+\S*", "…", told)
            return f"exit {self.code}: {re.sub(r'[|<>`]', '', where)[:150]}"
        judged = sorted({verdict for name in case.checks for verdict in self.verdicts.get(name, ())})
        return f"exit {self.code}: {', '.join(judged)}"


def complaints(case: Case, outcome: Outcome) -> Iterator[str]:
    """Everything that is not as it should be."""
    from tests.hostile.case import TIMEOUT_S

    if outcome.code not in case.exits:
        yield f"exit code {outcome.code}, not {case.exits}: {outcome.output[-600:]}"
    if outcome.peak_mb > MOST_MB:
        yield f"it took {outcome.peak_mb} MB"
    if outcome.patience_s > 2 * TIMEOUT_S:
        yield f"an exchange took {outcome.patience_s} s"
    if outcome.facts["canary"]:
        yield f"somebody else was asked: {outcome.facts['canary'][0][:200]!r}"
    if "Traceback" in outcome.output or "INTERNALERROR" in outcome.output:
        yield f"a traceback: {outcome.output[-1500:]}"
    if acting := {char for char in outcome.output if not char.isprintable() and char not in "\n\t"}:
        yield f"the terminal was sent {sorted(map(ascii, acting))}"
    for name, verdicts in case.verdicts.items():
        if outcome.verdicts.get(name) != {verdicts}:
            told = [f"{f['observed'] or f['why']} {f['detail']}" for f in outcome.results.get("findings", ())
                    if name in f["check"]]
            yield f"{name} is {outcome.verdicts.get(name)}, not {verdicts} ({told[:1]})"
    if not case.verdicts and "ERROR" in {v for verdicts in outcome.verdicts.values() for v in verdicts}:
        yield "a check ended in an error"
    for words in case.says:
        if words not in outcome.words:
            yield f"nowhere does it say {words!r}, but: {outcome.words[:800]!r}"
    if outcome.code == 4:
        yield from _began_nothing(outcome)
    else:
        yield from _reports(case, outcome)
    secrets = [*outcome.facts["secrets"], *case.secrets]
    for place, content in {**outcome.files, "the terminal": outcome.output.encode()}.items():
        if place not in ("ledger.key",) and (
                leak := next((s for s in secrets if s.encode("utf-8", "surrogatepass") in content), None)):
            yield f"{place} holds the secret {leak[:4]!r}…"


def _began_nothing(outcome: Outcome) -> Iterator[str]:
    errors = [line for line in outcome.output.splitlines() if line.startswith("ERROR: ")]
    if len(errors) != 1 or len(errors[0]) > 1500:
        yield f"not one line of complaint: {outcome.output[-600:]}"


def _reports(case: Case, outcome: Outcome) -> Iterator[str]:
    missing = [name for name in _FILES if name not in outcome.files]
    if missing:
        yield f"there is no {', '.join(missing)}: {outcome.output[-800:]}"
        return
    if (fault := next(iter(validator("results").iter_errors(outcome.results)), None)) is not None:
        yield f"results.json: {fault.json_path}: {fault.message[:300]}"
    yield from _sarif(outcome.files["results.sarif"])
    yield from _junit(outcome.files["junit.xml"])
    yield from _summary(outcome.files["summary.md"].decode("utf-8"))
    yield from _page(outcome.files["report.html"].decode("utf-8"))
    yield from _clients(case, outcome)


def _sarif(content: bytes) -> Iterator[str]:
    try:
        sarif_pydantic.Sarif.model_validate_json(content)
    except ValueError as fault:
        yield f"results.sarif: {str(fault)[:300]}"


def _junit(content: bytes) -> Iterator[str]:
    try:
        ET.fromstring(content)
    except ET.ParseError as fault:
        yield f"junit.xml: {fault}"


def _summary(text: str) -> Iterator[str]:
    """Outside of code, Markdown passes HTML on to the reader's browser."""
    if acting := {char for char in text if not char.isprintable() and char not in "\n\t"}:
        yield f"summary.md holds {sorted(map(ascii, acting))}"
    prose = re.sub(r"(?s)(`{3,}).*?\1|(`+)(?:(?!\2).)+\2", "", text)
    if found := _ACTIVE.search(re.sub(r"\\<|&lt;", "", prose)):
        yield f"summary.md holds markup: {prose[max(0, found.start() - 80):found.end() + 80]!r}"


class _Page(HTMLParser):
    """The elements and event handlers that a browser would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts = 0
        self.acting: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        given = {name: value or "" for name, value in attrs}
        if handlers := [name for name in given if name.startswith("on") and given[name] not in _PYTEST_HTML]:
            self.acting.append(f"<{tag} {handlers[0]}={given[handlers[0]][:60]!r}>")
        for name in ("href", "src", "action", "srcdoc", "formaction", "data"):
            if re.match(r"\s*(javascript|data|vbscript):", given.get(name, ""), re.I) and tag != "link":
                self.acting.append(f"<{tag} {name}={given[name][:60]!r}>")
        if tag in ("iframe", "object", "embed", "base", "form", "svg") or (tag == "meta" and "http-equiv" in given):
            self.acting.append(f"<{tag}>")


def _page(text: str) -> Iterator[str]:
    page = _Page()
    page.feed(text)
    page.close()
    if page.scripts > 1:
        yield f"report.html has {page.scripts} scripts"
    strange = [one for one in page.acting if "data:image" not in one]
    if strange:
        yield f"report.html holds {strange[:3]}"
    if acting := {char for char in text if not char.isprintable() and char not in "\n\t\r\xa0\u200b\ufeff"}:
        yield f"report.html holds {sorted(map(ascii, acting))}"


def _clients(case: Case, outcome: Outcome) -> Iterator[str]:
    """No client of the server's is unlisted, and the ledger can be read."""
    left = [client["client_name"] for client in outcome.results["clients"]["left"]]
    for name in () if case.denies else outcome.facts["clients"]:
        if name not in left:
            yield f"the client {name!r} is still there, and not in the list of what is left ({left[:5]})"
    database = sqlite3.connect(":memory:")
    try:
        database.deserialize(_in_rollback_mode(outcome.files["ledger.sqlite"]))
        database.execute("SELECT run, client_name, client_id, status FROM client").fetchall()
    except sqlite3.Error as fault:
        yield f"the ledger cannot be read: {fault}"
    finally:
        database.close()


def _in_rollback_mode(content: bytes) -> bytes:
    """A write-ahead log is of no use to a database in memory: say in its header that there is none."""
    return content[:18] + b"\x01\x01" + content[20:]
