"""The reports: complete, valid in their formats, and safe whatever the target wrote into them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from bs4 import BeautifulSoup
from sarif_pydantic import sarif as model

from dcrcheck.evidence import Exchange
from dcrcheck.reporting import conduct, digest, document, page, reasons, sarif, summary, terminal, write
from dcrcheck.reporting.text import shorten, visible, web_link
from dcrcheck.results import Clients, LeftClient, Part, RequirementRow, Results, Run, SourceCoverage
from dcrcheck.target import PERMISSIONS
from dcrcheck.verdict import Citation, Finding, Known, Severity, Strength, Verdict

ROOT = Path(__file__).resolve().parent.parent
HOSTILE = (
    "<script>alert('injected')</script>", '"><img src=x onerror=alert(1)>', "</pre></details></article><h1>owned</h1>",
    "[click](javascript:alert(1))", "![x](https://foreign.example/p.png)", "](javascript:alert(1)) {0}",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J", "safe \u202etxt.exe\u2066 \u200bhidden", "lone \udc80 surrogate",
    "`` code `` | pipe \\| end", "@everyone https://foreign.example www.foreign.example", "a\r\nb\x00c",
    "{{ 7 * 7 }}{% raw %}",
)
TARGET = " ".join(HOSTILE)
LINK = "https://www.rfc-editor.org/rfc/rfc7591#section-3.2.1"


def citation(number: int = 1, strength: Strength = Strength.MUST, source: str = "RFC 7591") -> Citation:
    return Citation(
        id=f"{source.replace(' ', '')}-3.2.1-{number:02}", source=source, section="3.2.1", level="REQUIRED",
        strength=strength, text="An issued client_secret comes with client_secret_expires_at.", link=LINK)


def exchange(name: str = "x1", *, body: str = '{"client_id": "c1"}', status: int | None = 201, method: str = "POST",
             request: str = '{"redirect_uris": ["https://client.example/cb"]}') -> Exchange:
    return Exchange(
        id=name, method=method, url="https://idp.example.com/register", request_body=request,
        request_headers=(("Content-Type", "application/json"), ("Authorization", "Bearer [redacted]")), status=status,
        response_headers=(("content-type", "application/json"), ("x-note", TARGET)), response_body=body,
        error="" if status else "connection reset", elapsed_s=0.0123)


def finding(verdict: Verdict, number: int = 1, **fields: object) -> Finding:
    values: dict[str, object] = {
        "check": f"registration/test_response.py::test_claim_{number}[row]", "suite": "registration",
        "claim": f"A response that carries client_secret also carries client_secret_expires_at ({number}).",
        "requirements": (citation(number),), "level": "REQUIRED", "severity": Severity.HIGH, "verdict": verdict,
        "surprise": verdict in (Verdict.FAIL, Verdict.ERROR), "why": "Clients keep using a dead secret.",
        "fix": "Add client_secret_expires_at, 0 for never.", "expected": "client_secret_expires_at is present",
        "observed": TARGET, "evidence": (exchange(f"x{number}"),), "duration_s": 0.05}
    return Finding(**(values | fields))  # type: ignore[arg-type]


def known(**fields: object) -> Known:
    values: dict[str, object] = {
        "check": "test_claim_2", "requirement": "RFC7591-3.2.1-02", "reason": "answers 404",
        "link": "https://tracker.example/123", "owner": "identity team", "expires": date(2027, 6, 30)}
    return Known(**(values | fields))  # type: ignore[arg-type]


def one_of_each() -> tuple[Finding, ...]:
    return (
        finding(Verdict.FAIL, 1),
        finding(Verdict.FAIL, 2, surprise=False, known=known()),
        finding(Verdict.PASS, 3, surprise=True, known=known(requirement="RFC7591-3.2.1-03")),
        finding(Verdict.WARN, 4, requirements=(citation(4, Strength.SHOULD),)),
        finding(Verdict.INAPPLICABLE, 5, why="the server issued no client_secret", observed="", evidence=()),
        finding(Verdict.INCONCLUSIVE, 6, why=f"429 on the control: {TARGET}", observed=""),
        finding(Verdict.ERROR, 7, observed="KeyError: 'x'", detail="Traceback …"),
        finding(Verdict.PASS, 8, suite="redirect_uris", check="redirect_uris/test_corpus.py::test_x[RR01]"),
    )


def results(*findings: Finding, **fields: object) -> Results:
    values: dict[str, object] = {
        "run": Run(
            id="r-01", tool_version="0.1.0", issuer="https://idp.example.com/realms/agents", profile="keycloak",
            profile_title=f"Keycloak {TARGET}", policy="mcp", policy_title="MCP authorization",
            started="2026-11-20T12:00:00+00:00", duration_s=42.5, exchanges=512, registrations=97, notes=(TARGET,)),
        "findings": findings,
        "requirements": tuple(
            RequirementRow(
                id=f"RFC7591-3.2.1-{number:02}", source="RFC 7591", section="3.2.1", level="REQUIRED",
                text="An issued client_secret comes with client_secret_expires_at.", link=LINK, why="w", fix="f",
                severity="high", testable="yes", bound=True, state="failed" if number == 1 else "not judged",
                reason="" if number == 1 else "needs a browser", checks=("test_claim_1",))
            for number in range(1, 10)),
        "coverage": (
            SourceCoverage(
                source="RFC 7591", title="Dynamic Client Registration", link="https://www.rfc-editor.org/rfc/rfc7591",
                bound=True, rows=112, judged=90, passed=87, failed=2, warned=1,
                not_judged={"RFC7591-3.2.1-09": TARGET, "RFC7591-9-99": "needs a browser"}, headline=58,
                headline_judged=58),
            SourceCoverage(
                source="RFC 7592", title="Management", link="https://www.rfc-editor.org/rfc/rfc7592", bound=True,
                rows=60, judged=53, passed=53, failed=0, warned=0, not_judged={}, headline=53, headline_judged=53)),
        "clients": Clients(created=97, deleted=96, left=(LeftClient(
            client_id=f"id {TARGET}", client_name=TARGET, check="test_x", registration_client_uri="javascript:alert(1)",
            reason=TARGET),)),
        "exit_code": 1, "other_policies": {"hardened": 23}}
    return Results(**(values | fields))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def hostile() -> Results:
    return results(*one_of_each())


@pytest.fixture(scope="module")
def log(hostile: Results) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(sarif.render(hostile))
    return content


@pytest.fixture(scope="module")
def html(hostile: Results) -> str:
    return page.render(hostile)


@pytest.fixture(scope="module")
def soup(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


class TestText:
    @pytest.mark.parametrize("text", HOSTILE)
    def test_nothing_acts(self, text: str) -> None:
        shown = visible(text)

        assert all(char.isprintable() or char in "\n\t" for char in shown)
        shown.encode()

    def test_what_acted_is_named(self) -> None:
        shown = visible("\x1b\x00\x7f\x9b\u202e\udc80\U000e0041\r")

        assert shown == "\\x1b\\x00\\x7f\\x9b\\u202e\\udc80\\U000e0041\\x0d"

    def test_shortening_says_how_much_is_missing(self) -> None:
        assert shorten("abc", 3) == "abc"
        assert shorten("x" * 2_500, 500).endswith("… [2,000 more characters]")

    @pytest.mark.parametrize(("link", "safe"), [
        (LINK, True), ("javascript:alert(1)", False), ("data:text/html,x", False), ("https://", False),
        ("//foreign.example", False), ("https://a.example/ x", False), ("https://a.example/\u202e", False),
        ("http://[", False), ("", False)])
    def test_only_web_links_are_links(self, link: str, safe: bool) -> None:
        assert bool(web_link(link)) is safe


class TestDigest:
    @pytest.mark.parametrize(("findings", "exit_code", "tone", "sentence"), [
        ([finding(Verdict.PASS)], 0, "clean", "Conforms to the policy “MCP authorization”"),
        ([finding(Verdict.WARN)], 0, "clean", "Conforms to the policy “MCP authorization”"),
        ([finding(Verdict.FAIL), finding(Verdict.FAIL, check="another")], 1, "broken",
         "1 rule is broken that the profile does not list"),
        ([finding(Verdict.FAIL, 1), finding(Verdict.FAIL, 2), finding(Verdict.INCONCLUSIVE, 3)], 1, "broken",
         "2 rules are broken that the profile does not list"),
        ([finding(Verdict.FAIL)], 0, "broken",
         "1 rule is broken that the profile does not list, none of the severity that fails this run"),
        ([finding(Verdict.ERROR), finding(Verdict.PASS)], 1, "broken", "1 check ended in an error and gave no verdict"),
        ([finding(Verdict.PASS, surprise=True, known=known())], 1, "broken",
         "1 deviation that the profile lists no longer happens"),
        ([finding(Verdict.PASS), finding(Verdict.INCONCLUSIVE, 2)], 6, "incomplete",
         "Incomplete: 1 check could not be judged"),
        ([finding(Verdict.PASS), finding(Verdict.FAIL, 2, surprise=False, known=known())], 0, "known",
         "Deviates from the policy “MCP authorization” only where the profile says so"),
        ([finding(Verdict.INCONCLUSIVE), finding(Verdict.INAPPLICABLE)], 6, "incomplete", "Nothing was judged"),
        ([], 5, "incomplete", "Nothing was judged"),
    ])
    def test_the_headline(self, findings: list[Finding], exit_code: int, tone: str, sentence: str) -> None:
        head = digest.headline(results(*findings, exit_code=exit_code))

        assert (head.tone, head.sentence) == (tone, sentence)

    def test_the_hardest_requirement_decides(self) -> None:
        row = finding(Verdict.FAIL, requirements=(citation(1, Strength.ADVISORY), citation(2)))

        assert digest.deciding(row) == citation(2)

    def test_a_known_deviation_names_the_requirement(self) -> None:
        row = finding(Verdict.FAIL, requirements=(citation(1), citation(2)), known=known())

        assert digest.deciding(row) == citation(2)

    def test_a_read_is_reproduced_with_what_it_read(self) -> None:
        control, probe, read = exchange("x1"), exchange("x2"), exchange("x3", method="GET", request="")

        assert digest.reproduction(finding(Verdict.FAIL, evidence=(control, probe, read))) == (probe, read)
        assert digest.reproduction(finding(Verdict.FAIL, evidence=(control, probe))) == (probe,)

    def test_coverage_counts_the_sources_that_bind(self, hostile: Results) -> None:
        assert digest.coverage_headline(hostile) == "RFC 7591 + RFC 7592: 111 of 111 testable rows judged"


class TestCurl:
    @pytest.mark.parametrize("body", [TARGET.replace("\x00", ""), "plain", "it's \\ 'quoted' $HOME `id`", "\x1b\n\t"])
    def test_the_command_is_one_printable_line_with_the_exact_body(self, body: str) -> None:
        command = exchange(request=body).curl()
        words = subprocess.run(["/bin/bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, check=True).stdout

        assert command.isprintable()
        assert words.split(b"\0")[-2] == body.encode("utf-8", "surrogatepass")

    def test_no_content_type_is_invented(self) -> None:
        bare = replace(exchange(), request_headers=())

        assert "Content-Type:" in shlex.split(bare.curl())


class TestDocument:
    def test_it_keeps_its_schema(self, hostile: Results) -> None:
        schema = json.loads((ROOT / "schemas/results.schema.json").read_text("utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)

        jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(
            json.loads(document.render(hostile)))

    def test_the_schema_knows_no_other_keys(self, hostile: Results) -> None:
        schema = json.loads((ROOT / "schemas/results.schema.json").read_text("utf-8"))
        strange = json.loads(document.render(hostile))
        strange["findings"][0]["colour"] = "red"

        with pytest.raises(jsonschema.ValidationError, match="colour"):
            jsonschema.Draft202012Validator(schema).validate(strange)

    def test_it_is_plain_ascii_and_the_same_every_time(self, hostile: Results) -> None:
        text = document.render(hostile)

        assert text == document.render(hostile)
        assert all(char.isprintable() or char == "\n" for char in text)
        assert text.isascii()
        json.dumps(json.loads(text), ensure_ascii=False).encode()

    def test_every_reference_leads_somewhere(self, hostile: Results) -> None:
        content = json.loads(document.render(hostile))

        assert {key for row in content["findings"] for key in row["evidence"]} == set(content["exchanges"])

    def test_a_huge_body_is_cut(self) -> None:
        text = document.render(results(finding(Verdict.FAIL, evidence=(exchange(body="x" * 1_000_000),))))

        assert len(text) < 200_000
        assert "936,000 more characters" in text


class TestSarif:
    def test_it_is_sarif(self, log: dict[str, Any]) -> None:
        """The library's models let unknown members pass: none may be left but those that SARIF 2.1.0 has, too."""
        unknown = strangers(model.Sarif.model_validate(log))

        assert unknown == {"columnKind", "suppressions", "exitCode", "toolExecutionNotifications",
                           "toolConfigurationNotifications"}
        invocation = log["runs"][0]["invocations"][0]
        for notification in (
                *invocation["toolExecutionNotifications"], *invocation["toolConfigurationNotifications"]):
            assert not strangers(model.Notification.model_validate(notification))
        for result in log["runs"][0]["results"]:
            assert result["kind"] in ("fail", "open")
            for suppression in result["suppressions"]:
                assert not strangers(model.Suppression.model_validate(suppression))
                assert (suppression["kind"], suppression["status"]) == ("external", "accepted")

    def test_each_verdict_has_its_place(self, log: dict[str, Any]) -> None:
        run = log["runs"][0]
        shown = {row["properties"]["check"].partition("test_claim_")[2][0]: row for row in run["results"]}

        assert {key: (row["level"], row["kind"], len(row["suppressions"])) for key, row in shown.items()} == {
            "1": ("error", "fail", 0), "2": ("error", "fail", 1), "4": ("warning", "fail", 0), "6": ("none", "open", 0)}
        assert "answers 404" in shown["2"]["suppressions"][0]["justification"]
        assert [row["message"]["text"] for row in run["invocations"][0]["toolExecutionNotifications"]] == [
            "registration/test_response.py::test_claim_7[row]: KeyError: 'x'"]
        assert run["invocations"][0]["executionSuccessful"] is False
        assert len(run["invocations"][0]["toolConfigurationNotifications"]) == 1

    def test_each_result_has_its_rule(self, log: dict[str, Any]) -> None:
        run = log["runs"][0]
        rules = run["tool"]["driver"]["rules"]

        assert [rule["id"] for rule in rules] == [
            "RFC7591-3.2.1-01", "RFC7591-3.2.1-02", "RFC7591-3.2.1-04", sarif.NOT_JUDGED]
        assert all(rules[row["ruleIndex"]]["id"] == row["ruleId"] for row in run["results"])
        assert rules[0]["properties"]["security-severity"] == "8.0"
        assert rules[0]["helpUri"] == LINK
        assert "security-severity" not in rules[-1].get("properties", {})

    def test_github_finds_a_place_and_an_identity(self, hostile: Results, log: dict[str, Any]) -> None:
        moved = json.loads(sarif.render(replace(hostile, run=replace(hostile.run, issuer="http://127.0.0.1:1"))))
        rows = log["runs"][0]["results"]

        assert len({row["partialFingerprints"]["primaryLocationLineHash"] for row in rows}) == len(rows)
        assert [row["partialFingerprints"] for row in rows] == [
            row["partialFingerprints"] for row in moved["runs"][0]["results"]]
        assert rows[0]["locations"][0]["physicalLocation"] == {
            "artifactLocation": {"uri": "suites/registration/test_response.py"}, "region": {"startLine": 1}}

    def test_no_text_reads_as_a_link_or_a_placeholder(self, log: dict[str, Any]) -> None:
        texts = [row["message"]["text"] for row in log["runs"][0]["results"]]

        assert any("javascript:" in text for text in texts)
        assert not any("](" in text or re.search(r"\{\d", text) for text in texts)


def strangers(part: model.SarifBaseModel) -> set[str]:
    """Members that the library's model does not know, at any depth."""
    found = set(part.model_extra or ())
    for name in type(part).model_fields:
        value = getattr(part, name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, model.SarifBaseModel):
                found |= strangers(item)
    return found - {"$schema"}


class TestSummary:
    def test_broken_rules_come_first_with_all_that_is_needed(self, hostile: Results) -> None:
        text = summary.render(hostile)

        assert text.startswith("# 1 rule is broken that the profile does not list")
        assert text.index("## Broken rules") < text.index("## Known deviations") < text.index("## Not judged, and why")
        for part in ("client\\_secret_expires", f"[RFC 7591 §3.2.1 (REQUIRED)](<{LINK}>)", "curl -i -X POST",
                     "97 created, 96 deleted, 1 left", "58 of 58", "`hardened` (23 more rows)"):
            assert part.replace("\\_", "_") in text

    @pytest.mark.parametrize("foreign", HOSTILE)
    def test_foreign_text_stays_in_its_span(self, foreign: str) -> None:
        span = summary.code(foreign)
        fence = re.match(r"`+", span)

        assert fence
        assert span.endswith(fence[0])
        assert fence[0] not in re.findall(r"`+", span[len(fence[0]):-len(fence[0])])
        assert "\n" not in span

    def test_prose_renders_to_itself(self) -> None:
        text = summary.prose("a <b> & [c](javascript:x) `d` *e* _f_ client_secret https://foreign.example @g $h$")

        assert text == (r"a &lt;b&gt; &amp; \[c\](javascript:x) \`d\` \*e\* \_f\_ client_secret https\://foreign.example"
                        r" \@g \$h\$")

    def test_nothing_foreign_stands_outside_of_code(self, hostile: Results) -> None:
        bare = re.sub(r"(?ms)^(`{3,})\w*\n.*?^\1$", "", summary.render(hostile))
        bare = re.sub(r"(?<!\\)(`+)(?!`).*?(?<!`)\1(?!`)", "", bare)

        assert "<script" not in bare
        assert not re.search(r"(?<!\\)\]\((?!<https://)", bare)
        assert "\x1b" not in bare
        assert not re.search(r"(?<!\()(?<!<)https?://", bare)

    def test_a_table_keeps_its_columns(self, hostile: Results) -> None:
        tables = re.findall(r"(?m)(?:^\|.*\n)+", summary.render(hostile))

        for table in tables:
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1


class TestTerminal:
    def text(self, run: Results, **more: object) -> str:
        return "\n".join(line.text for line in terminal.lines(run, **more))  # type: ignore[arg-type]

    def test_it_is_ordered_by_urgency(self, hostile: Results) -> None:
        text = self.text(hostile, reports={"report.html": Path("reports/latest/report.html")})
        parts = [
            "[FAIL, high]", "expected  client_secret_expires_at is present", "came",
            "rule      RFC 7591 §3.2.1, REQUIRED", LINK, "change    Add client_secret", "curl      curl -i -X POST",
            "1 warning", "1 check that applied", "not applicable", "What this run did to the server",
            "97 created, 96 deleted, 1 left", "dcrcheck cleanup reports/latest", "1 rule is broken",
            "111 of 111 testable rows", "hardened (+23 rows)", "reports/latest/report.html"]
        places = [text.find(part) for part in parts]

        assert -1 not in places
        assert places == sorted(places)

    def test_nothing_acts_on_the_terminal(self, hostile: Results) -> None:
        for line in terminal.lines(hostile):
            assert line.text.isprintable()

    def test_many_broken_rules_are_listed_and_not_all_told(self) -> None:
        text = self.text(results(*(finding(Verdict.FAIL, number) for number in range(60))))

        assert text.count("curl      ") == terminal.MOST_BROKEN
        assert len(re.findall(r"test_claim_\d+\[row\]", text)) >= 60

    def test_a_clean_run_is_short(self) -> None:
        clean = results(*(finding(Verdict.PASS, number) for number in range(200)), exit_code=0,
                        clients=Clients(created=9, deleted=9), other_policies={})
        lines = terminal.lines(clean)

        assert terminal.Line("Conforms to the policy “MCP authorization”", {"green": True, "bold": True}) in lines
        assert len(lines) < 19


class Strict(HTMLParser):
    """Notes every element and attribute, without a browser's repairs."""

    VOID = frozenset({"br", "input", "img", "meta", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag


class TestPage:
    def test_foreign_text_makes_no_element_and_no_attribute(self, html: str) -> None:
        parser = Strict()
        parser.feed(html)
        parser.close()

        assert parser.open == []
        assert {tag for tag, _ in parser.elements}.isdisjoint({"script", "img", "iframe", "object", "link", "meta"})
        for _, attributes in parser.elements:
            assert not any(name.startswith("on") for name in attributes)
            assert set(attributes) <= {"class", "id", "href", "rel", "open", "style", "type", "name", "checked", "role",
                                       "autocomplete", "aria-label", "data-severity"}
            assert (attributes.get("href") or "#").startswith(("#", "https://"))
        assert html.count("owned") == html.count("&lt;h1&gt;owned")

    def test_nothing_acts_on_the_reader(self, html: str) -> None:
        assert all(char.isprintable() or char in "\n\t" for char in html)
        html.encode()
        assert "\\x1b[31mred" in html
        assert "\\u202etxt.exe" in html
        assert "{{ 7 * 7 }}" in html

    def test_it_loads_nothing(self, html: str, soup: BeautifulSoup) -> None:
        style = "".join(tag.text for tag in soup.find_all("style"))

        assert "url(" not in style
        assert "@import" not in style
        assert "src=" not in re.sub(r"&[a-z0-9#]+;src=|img src=x", "", html)

    def test_it_answers_without_a_script(self, soup: BeautifulSoup) -> None:
        text = " ".join(soup.get_text(" ").split())

        for part in ("1 rule is broken that the profile does not list", "MCP authorization", "58 of 58",
                     "Not tested, and why", "the server issued no client_secret", "Known deviations", "answers 404",
                     "identity team", "2027-06-30", "97 created, 96 deleted, 1 left", "How to read", "How to reproduce",
                     "pytest --issuer https://idp.example.com/realms/agents --profile keycloak", "dcrcheck 0.1.0"):
            assert part in text

    def test_what_is_broken_is_open_and_complete(self, soup: BeautifulSoup) -> None:
        broken = soup.select_one("details.finding.broken")

        assert broken is not None
        assert broken.has_attr("open")
        for part in ("client_secret_expires_at is present", "Clients keep using a dead secret.", "Add client_secret",
                     "POST https://idp.example.com/register", "HTTP 201", "curl -i -X POST", "RFC 7591 §3.2.1"):
            assert part in broken.get_text(" ")
        assert not any(row.has_attr("open") for row in soup.select("details.finding.pass, details.finding.warn"))

    def test_every_finding_can_be_sieved(self, soup: BeautifulSoup) -> None:
        style = "".join(tag.text for tag in soup.find_all("style"))
        boxes = {str(box["id"]) for box in soup.select(".sieve input")}

        assert len(soup.select("details.finding")) == 8
        for row in soup.select("details.finding"):
            verdict = next(name for name in row["class"] if name != "finding")
            assert {f"show-{verdict}", f"show-{row['data-severity']}"} <= boxes
        for box in boxes - {"suite-all"}:
            assert f"#{box}:" in style

    def test_links_within_lead_somewhere(self, soup: BeautifulSoup) -> None:
        for link in soup.select("a[href^='#']"):
            assert soup.find(id=str(link["href"])[1:]) is not None
        ids = [tag["id"] for tag in soup.find_all(id=True)]
        assert len(ids) == len(set(ids))

    def test_only_a_breach_is_explained(self, soup: BeautifulSoup) -> None:
        explained = {row["class"][1] for row in soup.select("details.finding") if "What to change" in row.get_text()}

        assert explained == {"broken", "known", "warn"}

    def test_a_clean_verdict_says_what_it_does_not_speak_of(self) -> None:
        run = results(finding(Verdict.PASS), exit_code=0)

        assert "29 rows of the sources that bind" in BeautifulSoup(page.render(run), "html.parser").get_text()
        assert "29 rows of the sources that bind" in summary.render(run)
        assert any("29 rows of the sources that bind" in line.text for line in terminal.lines(run))

    def test_a_shared_exchange_is_shown_in_full_once(self) -> None:
        shared = exchange("x1", body='{"client_id": "shared-client"}')
        html = page.render(results(*(finding(Verdict.PASS, number, evidence=(shared,)) for number in range(20))))

        assert html.count("shared-client") == 1
        assert html.count("shown in full at another finding") == 19

    def test_json_is_indented_unless_that_would_change_it(self) -> None:
        twice = '{"scope": "a", "scope": "b"}'
        html = page.render(results(finding(Verdict.FAIL, evidence=(exchange(body=twice, request='{"a":[1]}'),))))
        text = BeautifulSoup(html, "html.parser").get_text()

        assert '{\n  "a": [\n    1\n  ]\n}' in text
        assert twice in text

    def test_a_large_run_stays_small(self) -> None:
        body = json.dumps({f"member_{number}": "value " * 20 for number in range(100)})
        rows = [finding(Verdict.PASS, number, observed="as expected",
                        evidence=tuple(exchange(f"x{number}.{step}", body=body) for step in range(3)))
                for number in range(260)]
        rows.append(finding(Verdict.FAIL, 999, evidence=(exchange(body="x" * 1_000_000),)))
        html = page.render(results(*rows))

        assert len(html.encode()) < 3_500_000
        assert "996,000 more characters" in html

    def test_an_empty_run_has_a_page(self) -> None:
        assert "Nothing was judged" in page.render(results(coverage=(), requirements=(), exit_code=5))


SPENT = "budget: the 5 registrations that the run may send are spent (--max-registrations)"
CIRCUIT = "circuit open: {} requests in a row got no answer or a server error (5xx); other checks of fuzz are left out"


def unjudged(number: int, why: str, **fields: object) -> Finding:
    return finding(Verdict.INCONCLUSIVE, number, **({"why": why, "observed": "", "evidence": ()} | fields))


def on_a_live_server(*findings: Finding, left: int = 0, **run: object) -> Results:
    """A run that somebody permitted, bodies of a megabyte included and nothing else."""
    values: dict[str, object] = {
        "authorized_by": "Ada <b>Lovelace</b>, `CHG-1`", "permissions": ("oversize",), "notes": (), "exchanges": 80,
        "registrations": 12}
    clients = tuple(LeftClient(
        client_id=f"client-{number:04}", client_name=f"dcrcheck r-01 {number}", check="test_x", reason="HTTP 500",
        registration_client_uri="", registered="2026-11-20T12:00:05Z") for number in range(left))
    parts = (
        Part(name="discovery documents", checks=0, exchanges=3, registrations=0, most_exchanges=5,
             most_registrations=0),
        Part(name="redirect_uris", checks=2, exchanges=30, registrations=9, most_exchanges=60, most_registrations=20),
        Part(name="abuse", checks=0, exchanges=0, registrations=0, most_exchanges=0, most_registrations=0),
        Part(name="clean-up", checks=0, exchanges=40, registrations=0, most_exchanges=400, most_registrations=0))
    base = results(*findings, parts=parts, clients=Clients(created=left + 3, deleted=3, left=clients))
    return replace(base, run=replace(base.run, **(values | run)))  # type: ignore[arg-type]


def everywhere(run: Results) -> dict[str, str]:
    """What the three reports for readers say, as plain text on one line each."""
    reports = {"results.json": Path("reports/latest/results.json")}
    texts = {
        "page": BeautifulSoup(page.render(run), "html.parser").get_text(" "),
        "summary": summary.render(run).replace("`", ""),
        "terminal": "\n".join(line.text for line in terminal.lines(run, reports))}
    return {name: " ".join(text.split()) for name, text in texts.items()}


class TestReasons:
    def test_figures_of_a_budget_and_of_judged_examples_make_no_groups(self) -> None:
        rows = [unjudged(1, SPENT), unjudged(2, SPENT), unjudged(3, f"{SPENT} (0 judged)"),
                unjudged(4, f"{SPENT} (12 judged)"), unjudged(5, CIRCUIT.format(15)), unjudged(6, CIRCUIT.format(16))]

        groups = reasons.by_reason(rows)

        assert [(group.reason, len(group.findings)) for group in groups] == [(SPENT, 4), (CIRCUIT.format(15), 2)]
        assert reasons.by_reason(rows[::-1]) == [
            replace(group, findings=group.findings[::-1]) for group in groups]

    def test_figures_of_the_server_do(self) -> None:
        rows = [unjudged(1, "the control was answered HTTP 500"), unjudged(2, "the control was answered HTTP 429")]

        assert len(reasons.by_reason(rows)) == 2

    @pytest.mark.parametrize(("why", "mend"), [
        (SPENT, "give a larger --max-registrations"),
        ("budget: the 90 exchanges that the run may send are spent (--max-exchanges, or else its plan)",
         "give a larger --max-exchanges"),
        ("budget: the server asked to wait (Retry-After), and that is longer than a run waits (--max-wait, 120 s in "
         "all)", "give a longer --max-wait"),
        ("budget: the plan gives fuzz 90 exchanges, and they are spent", "judge these checks alone (-k)"),
        ("circuit open: 3 requests in a row were not answered in time; the other checks of fuzz are left out to spare "
         "the server", "give a longer --timeout"),
        (CIRCUIT.format(15), "see why the server fails there"),
        ("not permitted: this check does more than ordinary requests (--allow burst)", "name burst in --allow"),
    ])
    def test_what_the_run_held_back_comes_with_its_option(self, why: str, mend: str) -> None:
        group, = reasons.by_reason([unjudged(1, why)])

        assert group.mend.startswith(mend)
        for name, text in everywhere(results(unjudged(1, why))).items():
            assert mend in text, name

    @pytest.mark.parametrize("row", [
        unjudged(1, "the server said: budget: 5 (--max-registrations)"),
        finding(Verdict.INAPPLICABLE, 1, why=SPENT, observed="")])
    def test_nothing_else_does(self, row: Finding) -> None:
        assert reasons.by_reason([row])[0].mend == ""


class TestConduct:
    def test_the_kinds_are_those_that_an_owner_can_permit(self) -> None:
        assert tuple(conduct.KINDS) == PERMISSIONS

    def test_every_report_says_who_permitted_what(self) -> None:
        kept_out = "not permitted: this check does more than ordinary requests (--allow burst)"
        run = on_a_live_server(
            finding(Verdict.PASS, 1), unjudged(2, kept_out, intrusive=("burst",)),
            unjudged(3, kept_out, intrusive=("burst", "outbound")), unjudged(4, SPENT))

        for name, text in everywhere(run).items():
            for part in (
                    conduct.HEADING, "80 requests in 42.5 s, 12 registrations among them", "Lovelace",
                    "oversize (bodies of a megabyte and more)",
                    "burst (a bounded spray of registrations); 2 checks left out (to have them judged, name burst",
                    "might fetch); 1 check left out (to have it judged, name outbound in --allow)",
                    "1 check by the run's own budget or circuit breaker"):
                assert part in text, (name, part)

    def test_who_permitted_it_is_no_markup(self) -> None:
        run = on_a_live_server(finding(Verdict.PASS, 1))

        assert "<b>Lovelace" not in page.render(run)
        assert "| `` Ada <b>Lovelace</b>, `CHG-1` `` |" in summary.render(run)

    def test_nothing_is_said_of_a_permission_that_nobody_had_to_give(self) -> None:
        for text in everywhere(on_a_live_server(finding(Verdict.PASS, 1), authorized_by="")).values():
            assert "Permitted by" not in text

    def test_each_suite_is_held_against_its_bound(self) -> None:
        run = on_a_live_server(
            finding(Verdict.PASS, 1, suite="redirect_uris", intrusive=("oversize",), exchanges=4, registrations=2),
            unjudged(2, SPENT, suite="redirect_uris", intrusive=("oversize",)))
        table = {cells[0].text: [" ".join(cell.text.split()) for cell in cells[1:]]
                 for row in BeautifulSoup(page.render(run), "html.parser").select("#conduct tbody tr")
                 if (cells := row.select("td"))}

        assert table == {
            "discovery documents": ["", "3 of 5", "0", ""],
            "redirect uris": ["2", "30 of 60", "9 of 20", "oversize (1 check): 4 requests, 2 registrations"],
            "clean-up": ["", "40 of 400", "0", ""],
            conduct.REST: ["", "7", "3", ""]}
        assert "| redirect uris | 2 | 30 of at most 60 | 9 of at most 20 |" in summary.render(run)
        assert "redirect uris 30 (9), clean-up 40" in everywhere(run)["terminal"]

    def test_a_finding_shows_how_far_it_went_and_what_it_sent(self) -> None:
        run = results(
            finding(Verdict.PASS, 1, intrusive=("burst", "oversize"), exchanges=3, registrations=1, shared=("{}",)),
            finding(Verdict.PASS, 2))
        one, other = BeautifulSoup(page.render(run), "html.parser").select("details.finding")

        assert [badge.text for badge in one.select("summary .badge")] == ["burst", "oversize"]
        assert "sent 3 requests, 1 registration among them; used what checks share" in one.text
        assert other.select(".badge") == []
        assert "sent no request of its own" in other.text

    def test_an_unverified_certificate_is_loud(self) -> None:
        run = on_a_live_server(finding(Verdict.PASS, 1), insecure=True)
        banner = BeautifulSoup(page.render(run), "html.parser").select_one("article > :first-child")

        assert banner is not None
        assert conduct.UNVERIFIED in banner.text
        assert conduct.UNVERIFIED in summary.render(run).partition("\n## ")[0].replace("\\", "")
        assert any(line.text.startswith("NOT VERIFIED") and line.markup == {"red": True, "bold": True}
                   for line in terminal.lines(run))
        assert [row["message"]["text"] for row in sarif.log(run)["runs"][0]["invocations"][0][
            "toolConfigurationNotifications"]] == [conduct.UNVERIFIED]

    def test_a_verified_one_is_not_spoken_of(self) -> None:
        for text in everywhere(on_a_live_server(finding(Verdict.PASS, 1))).values():
            assert "verified" not in text.lower()

    def test_sarif_tells_who_permitted_what(self) -> None:
        invocation = sarif.log(on_a_live_server(finding(Verdict.PASS, 1)))["runs"][0]["invocations"][0]

        assert invocation["properties"] == {
            "authorized_by": "Ada <b>Lovelace</b>, `CHG-1`", "permissions": ["oversize"], "insecure": False}

    def test_what_is_left_can_be_found_and_removed(self) -> None:
        for name, text in everywhere(on_a_live_server(finding(Verdict.PASS, 1), left=2)).items():
            for part in ("client-0001", "dcrcheck r-01 1", "2026-11-20T12:00:05Z", "HTTP 500", conduct.CLEANUP,
                         "5 created, 3 deleted, 2 left"):
                assert part in text, (name, part)

    def test_much_that_is_left_does_not_flood_the_terminal(self) -> None:
        text = everywhere(on_a_live_server(finding(Verdict.PASS, 1), left=500))["terminal"]

        assert text.count("client-0") == terminal.MOST_LEFT
        assert "… and 490 more, in results.json and ledger.sqlite" in text

    def test_nothing_is_left_and_nothing_is_to_be_cleaned_up(self) -> None:
        for text in everywhere(on_a_live_server(finding(Verdict.PASS, 1))).values():
            assert conduct.CLEANUP not in text

    def test_a_registration_whose_answer_was_lost_may_have_left_a_client(self) -> None:
        run = on_a_live_server(finding(Verdict.PASS, 1), left=2)
        lost = replace(run.clients, created=4, left=(run.clients.left[0], replace(run.clients.left[1], client_id="")))

        for text in everywhere(replace(run, clients=lost)).values():
            assert "4 created, 3 deleted, 2 left (1 of them without a known client_id, not counted as created)" in text


class TestWriting:
    def test_each_report_is_written_whole(self, hostile: Results, tmp_path: Path) -> None:
        paths = write(hostile, tmp_path / "a" / "b")

        assert set(paths) == {"results.json", "results.sarif", "summary.md"}
        assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == sorted(paths)
        assert all(path.read_text("utf-8") for path in paths.values())

    def test_a_directory_that_cannot_be_made_is_said(self, hostile: Results, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(OSError, match="file"):
            write(hostile, tmp_path / "file" / "reports")


def test_published_reports_say_what_is_broken_and_not_how_to_repeat_it():
    broken = finding(Verdict.FAIL, severity=Severity.HIGH, observed="the server stored dangerous-value")
    public = finding(Verdict.FAIL, severity=Severity.HIGH, observed="answers 404", known=known(
        link="https://advisory.example/1"))
    minor = finding(Verdict.WARN, severity=Severity.LOW, observed="answers 200")

    kept = results(broken, public, minor).withheld().findings

    assert [f.observed for f in kept] == ["withheld pending disclosure", "answers 404", "answers 200"]
    assert kept[0].evidence == () and kept[0].claim == broken.claim and kept[0].verdict is Verdict.FAIL


def test_of_a_grave_weakness_without_a_public_link_the_row_is_not_told():
    row = "redirect_uris/test_a.py::test_b[row]"
    grave, linked, lesser = (
        replace(finding(Verdict.FAIL, severity=severity, known=known(link=link)), check=row)
        for severity, link in ((Severity.CRITICAL, ""), (Severity.HIGH, "https://x.example/1"), (Severity.MEDIUM, "")))

    kept = results(grave, linked, lesser).withheld().findings

    assert [f.check for f in kept] == ["redirect_uris/test_a.py::test_b", row, row]
