"""Emulated products: their facts show, and a run of each says nothing that its profile does not list."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dcrcheck import Answer, Endpoint
from dcrcheck.documents import ConfigurationError
from dcrcheck.reference import POLICIES, Server, serve
from dcrcheck.settings import Settings
from dcrcheck.trial import Trial
from tests.proof import Proof, emulated
from tests.test_bad_input import judge

BASIC = {"token_endpoint_auth_method": "client_secret_basic"}
LOOPBACK = "http://127.0.0.1:49152/cb"


@pytest.fixture(scope="module")
def product() -> Iterator[Callable[[str], Endpoint]]:
    """The endpoint of an emulated product, started once."""
    trials: dict[str, Trial] = {}

    def endpoint(name: str) -> Endpoint:
        if name not in trials:
            trials[name] = Trial(Settings(profile=name))
        return trials[name].endpoint

    yield endpoint
    for trial in trials.values():
        trial.close()


@pytest.mark.parametrize("variant", emulated())
def test_a_run_of_an_emulated_product_holds_no_surprise(variant: str, proof: Proof):
    assert proof.of(variant)["complaint"] == ""


@pytest.mark.parametrize(("name", "deviation", "expected"), [
    ("modgud-v0.5", {}, {"client_id": "dcr-", "token_endpoint_auth_method": "none"}),
    ("modgud", {"grant_types": ["authorization_code", "client_credentials"]}, {"grant_types": ["authorization_code"]}),
    ("modgud", {"client_name": "n" * 90}, {"client_name": "n" * 80}),
    ("modgud", {"client_name": "\u65e5\u672c"}, {"client_name": "client.example"}),
    ("modgud", {"redirect_uris": [LOOPBACK, "com.example:/cb"]}, {"redirect_uris": [LOOPBACK, "http://127.0.0.1/cb"]}),
    ("modgud", {"scope": "openid admin"}, {"scope": "openid"}),
    ("modgud", BASIC, {"client_secret_expires_at": 0}),
    ("authsec", BASIC, {"token_endpoint_auth_method": "none", "client_secret": None, "client_id_issued_at": None}),
    ("authsec", {"grant_types": ["authorization_code", "refresh_token"]}, {"grant_types": ["authorization_code"]}),
    ("authsec", {"scope": "mcp:read offline_access"}, {"grant_types": ["authorization_code", "refresh_token"]}),
    ("cast-test-server", BASIC, {"token_endpoint_auth_method": "client_secret_basic", "scope": "read:items"}),
    ("auth0", {}, {"client_id": "tpc_", "registration_client_uri": None}),
    ("okta", {}, {"registration_access_token": None}),
    ("authentik", {"token_endpoint_auth_method": "private_key_jwt"}, BASIC),
    ("authentik", {"grant_types": ["implicit"], "response_types": ["code"]}, {"grant_types": ["authorization_code"]}),
    ("zitadel", {"client_uri": "https://client.example/"}, {"client_uri": None}),
    ("duende", {"scope": "mcp:read offline_access"}, {"scope": "mcp:read"}),
    ("supabase", {**BASIC, "scope": "mcp:read"}, {"client_secret_expires_at": None, "scope": None}),
    ("stytch", {}, {"client_id": "connected-app-test-", "grant_types": ["authorization_code", "refresh_token"]}),
])
def test_what_a_product_registers(product: Callable[[str], Endpoint], name: str, deviation: dict[str, Any],
                                  expected: dict[str, Any]):
    answer = product(name).submit(control=False, **deviation)

    assert answer.status == 201, answer.describe()
    assert answer.registered is not None
    told = {member: answer.registered.get(member) for member in expected}
    if "client_id" in expected:
        told["client_id"] = str(told["client_id"])[: len(expected["client_id"])]
    assert told == expected


@pytest.mark.parametrize(("name", "request_", "status", "body"), [
    ("modgud-v0.5", {"content": b"{"}, 400, b""),
    ("modgud-v0.5", {"client_name": "a \u2014 b"}, 400, {"error": "invalid_client_metadata"}),
    ("modgud-v0.5", BASIC, 400, {"error": "invalid_client_metadata"}),
    ("modgud", {"content": b"{"}, 400, {"error": "invalid_client_metadata"}),
    ("modgud", {"redirect_uris": ["com.example:/cb"]}, 400, {"error": "invalid_redirect_uri"}),
    ("authsec", {"content": b"{"}, 400, {"error": "invalid request body"}),
    ("authsec", {"redirect_uris": []}, 400, {"error": "redirect_uris required"}),
    ("authsec", {"redirect_uris": ["http://localhost.foreign.example/"]}, 400,
     {"error": "invalid redirect_uri: must be HTTPS or localhost"}),
    ("okta", {"headers": {"authorization": None}}, 401, {"error": "invalid_token"}),
    ("duende", {"headers": {"content-type": "text/plain"}}, 415, b""),
    ("duende", {"grant_types": None}, 400, {"error": "invalid_client_metadata"}),
    ("supabase", {"redirect_uris": ["javascript:alert(1)"]}, 400, {"code": 400, "error_code": "validation_failed"}),
    ("cognito", {"client_name": "a (b)"}, 400, {"error": "invalid_client_metadata"}),
    ("descope", BASIC, 400, {"error": "invalid_client_metadata"}),
])
def test_how_a_product_says_no(product: Callable[[str], Endpoint], name: str, request_: dict[str, Any], status: int,
                               body: bytes | dict[str, Any]):
    answer: Answer = product(name).submit(control=False, **request_)

    assert answer.status == status
    assert answer.body == body if isinstance(body, bytes) else body.items() <= answer.json.items()


def test_a_redirect_uri_change_waits_for_review(product: Callable[[str], Endpoint]):
    endpoint = product("authsec")
    client = endpoint.register()

    answer = endpoint.update(client, redirect_uris=["https://client.example/other"], client_name="Renamed")

    assert answer.json["redirect_review_pending"] is True
    assert answer.json["redirect_uris"] == ["https://client.example/cb"]
    assert answer.json["client_name"] == "Renamed"


def test_one_client_id_for_one_public_client(product: Callable[[str], Endpoint]):
    endpoint = product("stytch")
    document = endpoint.document()

    first, second = (endpoint.submit(document, control=False).registered for _ in range(2))

    assert first is not None and second is not None
    assert first.client_id == second.client_id


def test_an_emulated_run_says_so_wherever_it_is_reported(tmp_path: Path):
    run = judge("--profile", "entra-id", "-k", "closed", "--report-dir", "out", cwd=tmp_path)

    said = "under the personality of Microsoft Entra ID, from its documents"
    assert run.returncode == 0, run.stdout
    assert said in " ".join(run.stdout.split())
    assert json.loads((tmp_path / "out" / "results.json").read_text())["run"]["emulated"] is True
    assert all(said in (tmp_path / "out" / name).read_text() for name in ("summary.md", "report.html"))


def test_a_profile_from_documents_judges_the_real_product_too(tmp_path: Path):
    with serve(Server(), tls=False) as running:
        run = judge("--issuer", running.issuer, "--profile", "workos-authkit", "-k", "test_response",
                    "--report-dir", "out", cwd=tmp_path)

    told = json.loads((tmp_path / "out" / "results.json").read_text())["run"]
    assert run.returncode == 0, run.stdout
    assert told["emulated"] is False
    assert "written from the product's documents alone" in told["notes"][0]


def test_a_profile_without_facts_is_not_emulated(tmp_path: Path):
    (tmp_path / "mine.toml").write_text('title = "Mine"\npolicy = "mcp"\nemulated = true\n')

    with pytest.raises(ConfigurationError, match=r"has no \[emulation\]"):
        Trial(Settings(profile=str(tmp_path / "mine.toml")))


# -- registration that is closed --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "code"), [("closed", 0), ("initial-access-token", 0), ("rfc7591", 1)])
def test_a_closed_profile_judges_a_live_server(policy: str, code: int, tmp_path: Path):
    """An endpoint that is listed and wants a token is closed; one that registers anybody is not."""
    with serve(Server(POLICIES[policy]), tls=False) as running:
        run = judge("--issuer", running.issuer, "--profile", "closed", "--report-dir", "out", "-k",
                    "test_closed or test_limits or test_isolation or test_secret", cwd=tmp_path)

    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert run.returncode == code, run.stdout
    others = [f for f in results["findings"] if "test_closed" not in f["check"]]
    assert {f["verdict"] for f in others} == {"INAPPLICABLE"}
    assert any(f["why"] == "registration is closed, as the profile says" for f in others)


def test_a_closed_server_may_publish_nothing(tmp_path: Path):
    with serve(Server(POLICIES["closed"]), tls=False) as running:
        nowhere = f"{running.issuer}/tenant"
        (tmp_path / "mine.toml").write_text(
            f'title = "Mine"\npolicy = "closed"\n[discovery]\ntoken_endpoint = "{running.issuer}/token"\n')
        run = judge("--issuer", nowhere, "--profile", "mine.toml", "-k", "test_closed", "--report-dir", "out",
                    cwd=tmp_path)
        wrong = judge("--issuer", nowhere, "--profile", "closed", "--report-dir", "out", cwd=tmp_path)

    assert run.returncode == 0, run.stdout
    assert wrong.returncode == 4
    assert "publishes no metadata" in wrong.stdout + wrong.stderr
