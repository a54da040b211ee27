"""How much a self-registered client gets: scopes and defaults (RFC 7591, section 2)."""

import re
from typing import Any

import pytest

from dcrcheck import OMIT, Endpoint, requirement

PRIVILEGED = ("admin", "*", "realm:admin", "dcrcheck:unknown")
POWERFUL = re.compile(
    r"(?:^|[:._/-])(?:admin|root|superuser|manage|write|delete|full|offline_access|\*)(?:$|[:._/-])", re.I)
SILENCES = {"omitted": OMIT, "null": None, "empty": ""}
EMPTY = {"omitted": OMIT, "null": None, "empty": []}


@requirement("STRUCT-SCOPE-GATED")
@pytest.mark.parametrize("scope", PRIVILEGED)
def test_a_scope_that_was_not_opened_is_not_registered(endpoint: Endpoint, scope: str):
    """A scope that was not opened to self-registered clients is refused or dropped."""
    stored = endpoint.submit(scope=scope).stored("scope")

    assert scope not in str(stored or "").split(), f"scope {stored!r} was registered"


@requirement("STRUCT-SCOPE-DEFAULT")
@pytest.mark.parametrize("scope", SILENCES.values(), ids=SILENCES)
def test_a_client_that_asks_for_no_scope_gets_no_power(endpoint: Endpoint, scope: Any):
    """A client that asks for no scope is given none that administers, writes or outlasts the session."""
    stored = str(endpoint.submit(scope=scope).stored("scope") or "").split()
    powerful = [name for name in stored if POWERFUL.search(name)]

    assert not powerful, f"by default a client has the scopes {powerful}"


@requirement("STRUCT-GRANTS")
@pytest.mark.parametrize("value", EMPTY.values(), ids=EMPTY)
def test_a_client_that_asks_for_no_grant_gets_none_beyond_the_policy(endpoint: Endpoint, value: Any):
    """A request that leaves grant_types out, null or empty is not given grants that the policy withholds."""
    stored = endpoint.submit(grant_types=value).stored("grant_types")
    beyond = set(stored or ()) - set(endpoint.policy.grant_types)

    assert not beyond, f"by default a client has the grants {sorted(beyond)}"


@requirement("STRUCT-CODE-ONLY")
@pytest.mark.parametrize("value", EMPTY.values(), ids=EMPTY)
def test_a_client_that_asks_for_no_response_type_gets_none_beyond_the_policy(endpoint: Endpoint, value: Any):
    """A request that leaves response_types out, null or empty is not given ones that the policy withholds."""
    stored = endpoint.submit(response_types=value).stored("response_types")
    beyond = set(stored or ()) - set(endpoint.policy.response_types)

    assert not beyond, f"by default a client has the response types {sorted(beyond)}"
