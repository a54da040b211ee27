"""How much a self-registered client gets: scopes and defaults (RFC 7591, section 2)."""

import re
from typing import Any

import pytest

from dcrcheck import OMIT, Client, Endpoint, Session, requirement

PRIVILEGED = ("admin", "*", "realm:admin", "dcrcheck:unknown", "openid offline_access admin")
POWERFUL = re.compile(
    r"(?:^|[:._/-])(?:admin|root|superuser|manage|write|delete|full|offline_access|\*)(?:$|[:._/-])", re.I)
SILENCES = {"omitted": OMIT, "null": None, "empty": ""}
EMPTY = {"omitted": OMIT, "null": None, "empty": []}


@requirement("STRUCT-SCOPE-GATED", "OAUTH21-7.3.2-01", "OAUTH21-7.9-01")
@pytest.mark.parametrize("scope", PRIVILEGED)
def test_a_scope_that_was_not_opened_is_not_registered(endpoint: Endpoint, session: Session | None, scope: str):
    """A scope that was not opened to self-registered clients is refused or dropped, at authorization at the latest."""
    answer = endpoint.submit(scope=scope)
    stored, scope = str(answer.stored("scope") or "").split(), scope.split()[-1]
    # without a user nothing tells what comes of a registered scope, so it counts as it stands
    granted = scope in stored and (session is None or gets(endpoint, session, answer.client, scope))

    assert not granted, f"scope {' '.join(stored)!r} was registered"


def gets(endpoint: Endpoint, session: Session, client: Client | None, scope: str) -> bool:
    """Whether a token with this scope comes out of an authorization that the user allows."""
    authorization = session.authorize(client, scope=scope)
    if authorization.code is None:
        return False
    answer = endpoint.redeem(authorization)
    body = answer.json if answer.status == 200 and isinstance(answer.json, dict) else {}
    # RFC 6749, section 5.1: a token answer without scope grants what was asked for
    return "access_token" in body and scope in str(body.get("scope", scope)).split()


@requirement("STRUCT-SCOPE-DEFAULT")
@pytest.mark.parametrize("scope", SILENCES.values(), ids=SILENCES)
def test_a_client_that_asks_for_no_scope_gets_no_power(endpoint: Endpoint, scope: Any):
    """A client that asks for no scope is given none that administers, writes or outlasts the session."""
    answer = endpoint.submit(scope=scope)
    stored = str(answer.stored("scope") or "").split()
    # a client without the refresh_token grant has no use for offline_access (OpenID Connect Core, section 11)
    idle = () if "refresh_token" in (answer.stored("grant_types") or ()) else ("offline_access",)
    powerful = [name for name in stored if POWERFUL.search(name) and name not in idle]

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
