"""Every check can fail, and nothing but what is broken fails."""

import pytest

from dcrcheck.catalogue import catalogue
from dcrcheck.defects import defects
from tests.conftest import check_names
from tests.proof import Proof, policies


@pytest.mark.parametrize("variant", policies())
def test_the_reference_is_clean(variant: str, proof: Proof):
    outcome = proof.of(variant)

    assert outcome["complaint"] == ""
    assert outcome["findings"] >= 200


@pytest.mark.parametrize("variant", list(defects()))
def test_a_defect_is_caught_exactly(variant: str, proof: Proof):
    assert proof.of(variant)["complaint"] == ""


def test_no_check_is_without_a_defect():
    tripped = {name.partition("[")[0] for kind in defects().values() for name in kind.trips}

    assert check_names() - tripped == set()


def test_defects_name_checks_that_exist():
    tripped = {name.partition("[")[0] for kind in defects().values() for name in kind.trips}

    assert tripped - check_names() == set()


def test_the_headline_rows_are_all_judged(proof: Proof):
    headline = {row.id for row in catalogue().values() if row.headline and row.source in ("RFC 7591", "RFC 7592")}
    judged = {policy: set(proof.of(policy)["judged"]) for policy in policies()}

    assert len(headline) == 111
    assert headline - judged["rfc7591"] == set()
