"""Pairwise identifiers, and who shares them (OpenID Connect Registration, section 5; Core, section 8.1)."""

from __future__ import annotations

from typing import Any

import pytest

from dcrcheck import REDIRECT_URI, Answer, Endpoint, inapplicable, requirement

SECTOR = "https://client.example/dcrcheck/sector.json"


def pairwise(endpoint: Endpoint, **deviation: Any) -> Answer:
    """The answer to a client that wants pairwise identifiers; what a server without them makes of it proves nothing."""
    answer = endpoint.submit(subject_type="pairwise", **deviation)
    supported: Any = endpoint.metadata.get("subject_types_supported") or ()
    if answer.client is not None and "pairwise" not in supported:
        inapplicable("the metadata offers no pairwise identifiers")
    return answer


@requirement("OIDCR-5-01")
def test_a_sector_is_not_fetched_in_the_clear(endpoint: Endpoint):
    """sector_identifier_uri is not registered with plain http."""
    uri = SECTOR.replace("https:", "http:")
    stored = pairwise(endpoint, sector_identifier_uri=uri).stored("sector_identifier_uri")

    assert stored != uri, f"sector_identifier_uri {stored!r} was registered"


@requirement("OIDCR-5-02")
def test_a_sector_that_nobody_vouches_for_is_not_registered(endpoint: Endpoint):
    """sector_identifier_uri is not registered where no document that lists the redirect URIs can be had."""
    stored = pairwise(endpoint, sector_identifier_uri=SECTOR).stored("sector_identifier_uri")

    assert stored != SECTOR, f"sector_identifier_uri {stored!r} was registered, and nothing is there"


@requirement("HARD-PAIRWISE-SECTOR")
@pytest.mark.parametrize("further", ["https://foreign.example/cb", "https://other.client.example/cb"],
                         ids=["another site", "another host of the site"])
def test_pairwise_identifiers_are_not_shared_among_hosts(endpoint: Endpoint, further: str):
    """A client on two hosts without a sector_identifier_uri is not registered for pairwise identifiers."""
    answer = pairwise(endpoint, redirect_uris=[REDIRECT_URI, further])
    hosts = answer.stored("redirect_uris") or []

    assert answer.stored("subject_type") != "pairwise" or len(hosts) < 2, f"pairwise was registered for {hosts!r}"
