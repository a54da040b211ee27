"""Discovery: by issuer with and without a path, by resource, and never where it was not asked to go."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dcrcheck.catalogue import catalogue
from dcrcheck.documents import ConfigurationError
from dcrcheck.evidence import Recorder
from dcrcheck.profile import load_profile
from dcrcheck.reference import Running, Server, serve
from dcrcheck.target import discover, find_issuer, is_loopback, metadata_urls, origin
from dcrcheck.transport import Transport


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport(Recorder())
    yield transport
    transport.close()


@pytest.fixture
def running() -> Iterator[Running]:
    with serve(Server(), tls=False, path="/tenant") as running:
        yield running


def test_the_well_known_path_is_inserted_or_appended_as_each_source_has_it():
    assert metadata_urls("https://as.example/tenant/") == [
        ("oauth-authorization-server", "https://as.example/.well-known/oauth-authorization-server/tenant"),
        ("openid-configuration", "https://as.example/tenant/.well-known/openid-configuration"),
        ("openid-configuration", "https://as.example/.well-known/openid-configuration/tenant"),
    ]


def test_an_issuer_with_a_path_is_found(transport: Transport, running: Running):
    target = discover(running.issuer, load_profile("rfc7591", catalogue()), transport)

    assert target.issuer == running.issuer
    assert target.registration_endpoint.startswith(running.issuer)
    assert set(target.documents) == {"oauth-authorization-server", "openid-configuration"}


def test_a_resource_leads_to_its_issuer(transport: Transport, running: Running):
    assert find_issuer(running.resource, transport) == running.issuer


def test_a_resource_without_metadata_is_said_so(transport: Transport, running: Running):
    with pytest.raises(ConfigurationError, match="give --issuer instead"):
        find_issuer(f"{origin(running.issuer)}/nothing-here", transport)


@pytest.mark.parametrize(("url", "loopback"), [
    ("http://127.0.0.1:80", True), ("http://[::1]:80/x", True), ("https://localhost", True), ("http://127.9.9.9", True),
    ("https://localhost.foreign.example", False), ("https://10.0.0.1", False),
    ("https://127.0.0.1.foreign.example", False),
])
def test_what_counts_as_loopback(url: str, loopback: bool):
    assert is_loopback(url) is loopback


def test_an_origin_has_no_user_and_no_path():
    assert origin("HTTPS://user:secret@AS.example:8443/a?b#c") == "https://as.example:8443"
