"""Reading a client as OpenID Connect Registration has it (sections 4.2 to 4.4), where RFC 7592 has it otherwise."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import pytest

from dcrcheck import Answer, Endpoint, inapplicable, needs, requirement

NEXT = str.maketrans("0123456789abcdefghijABCDEFGHIJ", "1234567890bcdefaghijBCDEFAGHIJ")


def metadata(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a read holds of a client, but for the token, which a read may renew; lists in any order."""
    return {name: sorted(map(str, value)) if isinstance(value, list) else value
            for name, value in record.items() if name != "registration_access_token"}


@requirement("OIDCR-4.2-01", "OIDCR-4.3-02")
@needs("management")
def test_a_read_changes_nothing(endpoint: Endpoint):
    """Two reads of a client, one after the other, answer with the same metadata."""
    client = endpoint.client()
    first, second = (metadata(endpoint.record(client)) for _ in range(2))

    changed = sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
    assert not changed, f"the second read differs from the first in {', '.join(changed)}"


@requirement("OIDCR-4.4-04")
@needs("management")
@pytest.mark.parametrize("absent", ["unknown", "deleted"])
def test_the_configuration_endpoint_does_not_say_not_found(endpoint: Endpoint, absent: str):
    """A read of a client that does not exist is never answered with 404."""
    answer = read_of_nobody(endpoint) if absent == "unknown" else endpoint.read(endpoint.removed())

    assert answer.status != 404, f"the read was answered {answer.describe()}"


def read_of_nobody(endpoint: Endpoint) -> Answer:
    """A read at the address of a client that was never registered, with a token that was never issued.

    Raises:
        Inapplicable: no such address can be formed from that of a client.
    """
    client = endpoint.client()
    other = client.client_id[:-12] + client.client_id[-12:].translate(NEXT)
    uri = client.registration_client_uri or ""
    if client.client_id not in uri or other == client.client_id:
        inapplicable("no URL of an unknown client can be formed from this one")
    return endpoint.manage(client, url=uri.replace(client.client_id, other), token=secrets.token_urlsafe(32))
