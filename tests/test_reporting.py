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
from dcrcheck.reporting import digest, document, page, sarif, summary, terminal, write
from dcrcheck.reporting.text import shorten, visible, web_link
from dcrcheck.results import Clients, LeftClient, RequirementRow, Results, Run, SourceCoverage
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
            "1 warning", "1 check that applied", "not applicable", "1 rule is broken", "111 of 111 testable rows",
            "Registrations: 97 created, 96 deleted, 1 left", "hardened (+23 rows)", "reports/latest/report.html"]
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

        assert lines[0].text == "Conforms to the policy “MCP authorization”"
        assert lines[0].markup == {"green": True, "bold": True}
        assert len(lines) < 8


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
