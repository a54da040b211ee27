"""Every check can fail, and nothing but what is broken fails."""

from typing import Any

import pytest

from dcrcheck.catalogue import catalogue
from dcrcheck.defects import defects
from dcrcheck.profile import load_policy
from tests.conftest import check_names
from tests.proof import Proof, policies

# what the reference server does not offer; the defects of the checks do, and are caught by them
NOT_OFFERED = {
    "RFC6750-2.3-01": "it accepts no token in the query", "RFC8414-2-20": "it has no introspection endpoint",
    "RFC8414-3.1-02": "its issuer does not end in a slash", "HARD-SECRET-EXPIRY": "its secrets do not expire",
    "HARD-INTROSPECTION-AUTHENTICATED": "it has no introspection endpoint",
    "HARD-INTROSPECTION-BOUND": "it has no introspection endpoint",
    "HARD-DEVICE-UNREGISTERED": "it has no device authorization endpoint",
    "HARD-PROTECTION-KEPT": "none of these protections is on by default",
}


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


def test_the_headline_rows_are_all_judged(proof: Proof, figures: dict[str, Any]):
    """Each under a policy that binds it, unless it says why no server can be judged by it."""
    in_force = {name: load_policy(name, catalogue()) for name in policies()}
    judged = {name: set(proof.of(name)["judged"]) for name in in_force}
    headline = [row for row in catalogue().values() if row.headline]
    reached = {row.id for row in headline for name, policy in in_force.items()
               if row.id in judged[name] and policy.strength(row) is not None}
    excused = {row.id for row in headline if row.unchecked or row.id in NOT_OFFERED}
    figures["coverage"] = {"rows": len(catalogue()), "testable": len(headline), "judged": len(reached),
                           "with a reason for none": len(excused)}

    assert {row.id for row in headline} - reached - excused == set()
    assert {row.id for row in headline if row.source in ("RFC 7591", "RFC 7592")} <= judged["rfc7591"]
    assert reached & excused == set()
