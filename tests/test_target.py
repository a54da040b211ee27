"""Discovery: by issuer with and without a path, by resource, and never where it was not asked to go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dcrcheck.catalogue import catalogue
from dcrcheck.documents import ConfigurationError
from dcrcheck.evidence import Recorder
from dcrcheck.profile import Profile, load_profile
from dcrcheck.reference import Running, Server, serve
from dcrcheck.target import Target, discover, find_issuer, is_loopback, metadata_urls, origin
from dcrcheck.transport import Transport
from dcrcheck.verdict import Inconclusive


def profile(**differences: Any) -> Profile:
    return replace(load_profile("rfc7591", catalogue()), **differences)


def target(profile: Profile, **metadata: Any) -> Target:
    return Target(issuer="https://as.example", profile=profile, documents={}, metadata=metadata)


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
    target = discover(running.issuer, profile(), transport)

    assert target.issuer == running.issuer
    assert target.registration_endpoint.startswith(running.issuer)
    assert set(target.documents) == {"oauth-authorization-server", "openid-configuration"}


def test_a_resource_leads_to_its_issuer(transport: Transport, running: Running):
    assert find_issuer(running.resource, transport, profile()) == running.issuer


def test_a_resource_without_metadata_is_said_so(transport: Transport, running: Running):
    with pytest.raises(ConfigurationError, match="give --issuer instead"):
        find_issuer(f"{origin(running.issuer)}/nothing-here", transport, profile())


@pytest.mark.parametrize(("url", "loopback"), [
    ("http://127.0.0.1:80", True), ("http://[::1]:80/x", True), ("https://localhost", True), ("http://127.9.9.9", True),
    ("https://localhost.foreign.example", False), ("https://10.0.0.1", False),
    ("https://127.0.0.1.foreign.example", False),
])
def test_what_counts_as_loopback(url: str, loopback: bool):
    assert is_loopback(url) is loopback


def test_an_origin_has_no_user_and_no_path():
    assert origin("HTTPS://user:secret@AS.example:8443/a?b#c") == "https://as.example:8443"


@pytest.mark.parametrize(("url", "same"), [
    ("https://as.example:443/x", "https://as.example"), ("http://as.example:80", "http://as.example"),
    ("https://as.example:/x", "https://as.example"), ("https://as.example:8443/x", "https://as.example:8443"),
    ("http://as.example:443/x", "http://as.example:443"), ("https://[::1]:443/x", "https://[::1]"),
    ("https://as.example:99999/x", ""), ("https://[::1/x", ""),
])
def test_a_default_port_is_none(url: str, same: str):
    assert origin(url) == same


ELSEWHERE = ["https://other.example/token", "https://as.example:8443/token", "http://as.example/token",
             "https://as.example.other.example/token", "http://127.0.0.1:6379/", "http://169.254.169.254/latest/",
             "https://10.0.0.1/token", "file:///etc/passwd", "data:,x", "//other.example/token", "/token", "token",
             "https://as.example@other.example/token", "https://other.example\\@as.example:x/", "javascript:alert(1)"]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_an_endpoint_elsewhere_is_not_used_unasked(url: str):
    found = target(profile(), token_endpoint=url, registration_endpoint=url)

    with pytest.raises(Inconclusive, match=r"names token_endpoint at .* list it under \[discovery\] origins"):
        found.endpoint("token_endpoint")
    with pytest.raises(Inconclusive, match="another origin"):
        found.lacks("token_endpoint")
    with pytest.raises(ConfigurationError, match=r"names registration_endpoint at .*\[discovery\] origins"):
        _ = found.registration_endpoint
    assert found.origins == {"https://as.example"}


def test_an_endpoint_is_used_where_the_owner_lists_its_origin():
    listed = profile(origins=("https://other.example",), discovery={"authorization_endpoint": "https://login.example/a"})
    found = target(listed, token_endpoint="https://other.example:443/token")

    assert found.endpoint("token_endpoint") == "https://other.example:443/token"
    assert found.endpoint("authorization_endpoint") == "https://login.example/a"
    assert found.origins == {"https://as.example", "https://other.example", "https://login.example"}


def test_the_origins_of_pages_are_for_pages():
    found = target(profile(session={"origins": ["https://other.example"]}), token_endpoint="https://other.example/token")

    with pytest.raises(Inconclusive, match="another origin"):
        found.endpoint("token_endpoint")


def test_a_profile_lists_origins(tmp_path: Path):
    (tmp_path / "mine.toml").write_text(
        'title = "Mine"\npolicy = "rfc7591"\n[discovery]\norigins = ["https://token.example.com"]\n'
        'token_endpoint = "https://token.example.com/t"\n', "utf-8")
    mine = load_profile(str(tmp_path / "mine.toml"), catalogue())

    assert mine.origins == ("https://token.example.com",)
    assert dict(mine.discovery) == {"token_endpoint": "https://token.example.com/t"}


@pytest.mark.parametrize("origins", ['["https://token.example.com/x"]', '["token.example.com"]', '"https://a.example"'])
def test_what_is_no_origin_is_not_listed(origins: str, tmp_path: Path):
    (tmp_path / "mine.toml").write_text(
        f'title = "Mine"\npolicy = "rfc7591"\n[discovery]\norigins = {origins}\n', "utf-8")

    with pytest.raises(ConfigurationError, match=r"discovery\.origins"):
        load_profile(str(tmp_path / "mine.toml"), catalogue())


def test_discovery_confines_the_transport(transport: Transport, running: Running):
    discover(running.issuer, profile(origins=("https://token.example.com",)), transport)

    assert transport.permitted == {origin(running.issuer), "https://token.example.com", "http://token.example.com"}
