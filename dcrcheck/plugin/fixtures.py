"""What a check asks for by its argument names."""

from __future__ import annotations

import pytest

from dcrcheck.endpoint import Endpoint
from dcrcheck.plugin.keys import TRIAL
from dcrcheck.profile import Policy, Profile
from dcrcheck.session import Session
from dcrcheck.target import Target
from dcrcheck.trial import Trial
from dcrcheck.verdict import Inconclusive


def _trial(request: pytest.FixtureRequest) -> Trial:
    if TRIAL not in request.config.stash:
        raise pytest.UsageError("this fixture belongs to the checks in suites/")
    return request.config.stash[TRIAL]


@pytest.fixture
def endpoint(request: pytest.FixtureRequest) -> Endpoint:
    """The registration endpoint of the target, and the endpoints where a registration takes effect."""
    return _trial(request).endpoint


@pytest.fixture
def session(request: pytest.FixtureRequest) -> Session | None:
    """The browser of the test user; None where no user is known (never in a check that needs ``session``)."""
    try:
        return _trial(request).session
    except Inconclusive:
        return None


@pytest.fixture
def target(request: pytest.FixtureRequest) -> Target:
    """The server under judgment, as discovered."""
    return _trial(request).target


@pytest.fixture
def policy(request: pytest.FixtureRequest) -> Policy:
    """The rules in force."""
    return _trial(request).endpoint.policy


@pytest.fixture
def profile(request: pytest.FixtureRequest) -> Profile:
    """What is known of the product."""
    return _trial(request).profile
