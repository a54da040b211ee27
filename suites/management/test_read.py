"""Reading a client's configuration (RFC 7592, section 2.1)."""

from __future__ import annotations

from dcrcheck import Endpoint, inconclusive, needs, requirement


@needs("management")
@requirement("RFC7592-2.1-01", "OIDCR-4.3-04")
def test_a_successful_read_is_200_and_json(endpoint: Endpoint):
    """A successful read is answered with 200 and application/json."""
    answer = endpoint.read(endpoint.client())
    if not 200 <= answer.status < 300:
        inconclusive(f"the read did not succeed: {answer.describe()}")

    assert (answer.status, answer.is_json) == (200, True), (
        f"the read was answered {answer.describe()} with {answer.media_type or 'no media type'}")


@needs("management")
@requirement("RFC7592-2.1-03")
def test_a_read_returns_the_issued_client_id(endpoint: Endpoint):
    """A read answers with the client_id of the initial registration."""
    client = endpoint.client()

    told = endpoint.record(client)["client_id"]

    assert told == client.client_id, f"registered as {client.client_id!r}, read as {told!r}"


@needs("management")
@requirement("RFC7592-2.1-05", "OIDCR-4.4-02")
def test_reading_a_missing_client_is_401(endpoint: Endpoint):
    """A read of a client that does not exist is answered with 401, even to a token that is valid elsewhere."""
    gone, other = endpoint.removed(), endpoint.register()
    endpoint.record(other)

    answer = endpoint.manage(gone, token=other.registration_access_token)

    assert answer.status == 401, f"the read was answered {answer.describe()}"


@needs("management")
@requirement("RFC7592-2.1-06")
def test_reading_a_missing_client_ends_the_token(endpoint: Endpoint):
    """The token that was used to read a client that does not exist is revoked at once."""
    gone, other = endpoint.removed(), endpoint.register()
    endpoint.record(other)

    endpoint.manage(gone, token=other.registration_access_token)

    answer = endpoint.read(other)
    assert answer.status in (401, 403), f"the token still reads its own client: {answer.describe()}"
