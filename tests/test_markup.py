"""A page that would take its reader apart is told by counting."""

from __future__ import annotations

import pytest

from dcrcheck.markup import MOST_DEPTH, MOST_TAGS, excess


@pytest.mark.parametrize(("page", "said"), [
    ("<b>" * (MOST_DEPTH + 1), "nested"), ("<b></x>" * (MOST_DEPTH + 1), "nested"), ("<p>x" * 2_000, "nested"),
    ("<p>x</p>" * MOST_TAGS, "tags"), ("<br>" * (MOST_TAGS + 1), "tags"), ("<script></script>" * MOST_TAGS, "tags"),
], ids=["deep", "unmatched ends", "unended", "many", "void", "scripts"])
def test_too_much(page: str, said: str):
    assert said in excess(page)


@pytest.mark.parametrize("page", [
    "", "plain", "<b>" * MOST_DEPTH, "<div><p>x<p>y</div>" * 2_000, "<br>" * 5_000,
    "<script>" + "if (i<n && j<m) document.write('<b>');" * 30_000 + "</script>", "<title>" + "<b>" * 90_000,
], ids=["nothing", "text", "just deep enough", "paragraphs", "breaks", "script", "title"])
def test_what_a_browser_would_show(page: str):
    assert not excess(page)
