"""The embedded authorization server does what it is the measure for: seen over its own socket."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import secrets
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from dcrcheck.reference import POLICIES, Rules, Running, Server, serve

REDIRECT_URI = "https://client.example/cb"
SERVER_CHOSEN = ("registration_access_token", "registration_client_uri", "client_secret_expires_at",
                 "client_id_issued_at")


class Caller:
    """A client and a browser in one, with a cookie jar."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.server = running.server
        context = ssl.create_default_context(cadata=running.ca_pem) if running.ca_pem else False
        self.http = httpx.Client(verify=context, timeout=5)

    def url(self, name: str) -> str:
        return f"{self.running.issuer}/{name}"

    def register(self, **members: object) -> httpx.Response:
        document = {"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none", **members}
        return self.http.post(self.url("register"), json=document)

    def client(self, **members: object) -> dict:
        answer = self.register(**members)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def manage(self, method: str, client: dict, **options: object) -> httpx.Response:
        token = {"Authorization": f"Bearer {client['registration_access_token']}"}
        return self.http.request(method, client["registration_client_uri"], headers=token, **options)

    def authorize(self, client: dict, *, verifier: str = "v" * 43, **deviations: str | None) -> httpx.Response:
        parameters = {"response_type": "code", "client_id": client["client_id"], "redirect_uri": REDIRECT_URI,
                      "state": "a state", "code_challenge": challenge(verifier), "code_challenge_method": "S256",
                      "resource": self.running.resource, **deviations}
        return self.http.get(self.url("authorize"), params={k: v for k, v in parameters.items() if v is not None})

    def page(self, answer: httpx.Response) -> httpx.Response:
        assert answer.status_code == 303
        assert answer.headers["location"].startswith(self.running.issuer)
        return self.http.get(answer.headers["location"])

    def send(self, page: httpx.Response, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', page.text))
        action = re.search(r'action="([^"]+)"', page.text)
        assert action is not None
        return self.http.post(html.unescape(action[1]), data={**form, **fields}, headers=headers)

    def log_in(self, answer: httpx.Response) -> httpx.Response:
        return self.send(self.page(answer), username=self.running.username, password=self.running.password)

    def parameters(self, client: dict, **deviations: str | None) -> dict[str, str]:
        """What arrives at the redirect URI after log-in and consent."""
        answer = self.authorize(client, **deviations)
        if "/login?" in answer.headers["location"]:
            answer = self.log_in(answer)
        if "/consent?" in answer.headers["location"]:
            answer = self.send(self.page(answer), decision="approve")
        assert answer.status_code == 303
        return query(answer.headers["location"])

    def token(self, client: dict, **fields: str) -> httpx.Response:
        return self.http.post(self.url("token"), data={"client_id": client["client_id"], **fields})

    def redeem(self, client: dict, code: str, **fields: str) -> httpx.Response:
        return self.token(client, **{"grant_type": "authorization_code", "code": code, "code_verifier": "v" * 43,
                                     **fields})

    def access(self, token: str) -> httpx.Response:
        return self.http.get(self.running.resource, headers={"Authorization": f"Bearer {token}"})


def challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def query(location: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def serving(policy: str) -> Iterator[Caller]:
    rules = replace(POLICIES[policy], registrations=100_000, realm_registrations=100_000)
    with serve(Server(rules)) as running:
        caller = Caller(running)
        yield caller
        assert caller.server.faults == []


@pytest.fixture(scope="module")
def open_server() -> Iterator[Caller]:
    yield from serving("rfc7591")


@pytest.fixture(scope="module")
def mcp_server() -> Iterator[Caller]:
    yield from serving("mcp")


@pytest.fixture(autouse=True)
def logged_out(request: pytest.FixtureRequest) -> None:
    for name in {"open_server", "mcp_server"} & set(request.fixturenames):
        request.getfixturevalue(name).http.cookies.clear()


def test_the_whole_way_from_discovery_to_deletion(mcp_server: Caller) -> None:
    challenged = mcp_server.http.get(mcp_server.running.resource)
    assert challenged.status_code == 401
    document = re.search(r'resource_metadata="([^"]+)"', challenged.headers["www-authenticate"])
    assert document is not None
    resource = mcp_server.http.get(document[1]).json()
    assert resource["resource"] == mcp_server.running.resource
    issuer = resource["authorization_servers"][0]
    metadata = mcp_server.http.get(f"{issuer}/.well-known/oauth-authorization-server").json()
    assert metadata["issuer"] == issuer == mcp_server.running.issuer

    client = mcp_server.client(client_name="Étude <b>", grant_types=["authorization_code", "refresh_token"])
    consent = mcp_server.page(mcp_server.log_in(mcp_server.authorize(client)))
    for shown in ("Étude &lt;b&gt;", "unverified", "client.example", "mcp:read", "while you are away"):
        assert shown in consent.text
    answer = query(mcp_server.send(consent, decision="approve").headers["location"])
    assert (answer["state"], answer["iss"]) == ("a state", issuer)

    tokens = mcp_server.redeem(client, answer["code"]).json()
    keys = mcp_server.http.get(metadata["jwks_uri"]).json()["keys"]
    claims = jwt.decode(tokens["access_token"], jwt.PyJWK(keys[0]), algorithms=["ES256"], issuer=issuer,
                        audience=mcp_server.running.resource)
    assert (claims["sub"], claims["client_id"]) == ("alice", client["client_id"])
    assert mcp_server.access(tokens["access_token"]).status_code == 200

    renewed = mcp_server.token(client, grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json()
    assert mcp_server.manage("DELETE", client).status_code == 204
    assert mcp_server.access(renewed["access_token"]).status_code == 401
    assert mcp_server.manage("GET", client).status_code == 401
    assert mcp_server.authorize(client).status_code == 400
    assert mcp_server.token(client, grant_type="refresh_token", refresh_token="x").json()["error"] == "invalid_client"


def test_a_reused_refresh_token_ends_the_grant(open_server: Caller) -> None:
    client = open_server.client(grant_types=["authorization_code", "refresh_token"])
    first = open_server.redeem(client, open_server.parameters(client)["code"]).json()["refresh_token"]
    second = open_server.token(client, grant_type="refresh_token", refresh_token=first).json()
    assert open_server.token(client, grant_type="refresh_token", refresh_token=first).status_code == 400
    assert open_server.token(client, grant_type="refresh_token",
                             refresh_token=second["refresh_token"]).json()["error"] == "invalid_grant"
    assert open_server.access(second["access_token"]).status_code == 401


def test_a_replayed_code_ends_the_grant_but_only_with_the_right_verifier(open_server: Caller) -> None:
    client = open_server.client()
    code = open_server.parameters(client)["code"]
    token = open_server.redeem(client, code).json()["access_token"]
    assert open_server.redeem(client, code, code_verifier="w" * 43).status_code == 400
    assert open_server.access(token).status_code == 200
    assert open_server.redeem(client, code).json()["error"] == "invalid_grant"
    assert open_server.access(token).status_code == 401


@pytest.mark.parametrize("deviation", [
    {"code_verifier": ""}, {"code_verifier": "w" * 43}, {"code_verifier": "v" * 42}, {"code_verifier": challenge("v")},
    {"redirect_uri": "https://client.example/other"}, {"resource": "https://other.example"}, {"scope": "mcp:write"},
    {"client_secret": "x"}, {"grant_type": "client_credentials"}, {"grant_type": "password"},
])
def test_a_deviating_redemption_fails_and_spends_nothing(open_server: Caller, deviation: dict[str, str]) -> None:
    client = open_server.client()
    code = open_server.parameters(client)["code"]
    assert open_server.redeem(client, code, **deviation).status_code in (400, 401)
    assert open_server.redeem(open_server.client(), code).json()["error"] == "invalid_grant"
    assert open_server.redeem(client, code).status_code == 200


@pytest.mark.parametrize(("deviation", "error"), [
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"scope": "mcp:write"}, "invalid_scope"),
    ({"resource": "https://other.example"}, "invalid_target"),
    ({"resource": None}, "invalid_target"),
    ({"request": "x.y.z"}, "request_not_supported"),
])
def test_a_faulty_authorization_request_is_answered_after_login_only(mcp_server: Caller, error: str,
                                                                      deviation: dict[str, str | None]) -> None:
    client = mcp_server.client()
    before = mcp_server.authorize(client, **deviation)
    assert before.headers["location"].startswith(mcp_server.url("login?"))
    after = query(mcp_server.log_in(before).headers["location"])
    assert after["error"] == error
    assert after["iss"] == mcp_server.running.issuer


@pytest.mark.parametrize("requested", [
    "https://foreign.example/cb", "https://client.example/cb/", "https://client.example/cb?x=1",
    "https://client.example:443/cb", "https://CLIENT.example/cb", "https://client.example/cb#x",
    "http://client.example/cb", "https://client.example@foreign.example/cb", " https://client.example/cb",
])
def test_another_redirect_uri_gets_a_page_and_no_redirect(open_server: Caller, requested: str) -> None:
    answer = open_server.authorize(open_server.client(), redirect_uri=requested)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_only_the_port_varies_and_only_on_loopback_addresses(open_server: Caller) -> None:
    client = open_server.client(redirect_uris=["http://127.0.0.1/cb", "http://[::1]:1/cb", "http://localhost/cb"])

    def reaches(uri: str) -> bool:
        return open_server.authorize(client, redirect_uri=uri).status_code == 303

    assert all(map(reaches, ["http://127.0.0.1/cb", "http://127.0.0.1:49152/cb", "http://[::1]:49152/cb",
                             "http://localhost/cb"]))
    assert not any(map(reaches, ["http://localhost:49152/cb", "http://127.0.0.1:1/cb2", "http://127.0.0.2/cb",
                                 "http://127.0.0.1:49152@foreign.example/cb", "http://127.0.0.1:0/cb",
                                 "https://127.0.0.1/cb"]))


REFUSED_REDIRECT_URIS = [
    "javascript:void(0)", "JaVaScRiPt:void(0)", "data:text/html,x", "vbscript:x", "blob:https://client.example/x",
    "file:///x", "about:blank", "view-source:https://client.example/", "mailto:x", "intent://x", " https://a.example/",
    "java\tscript:x", "https://a.example/\u0001", "https://a.example/ ", "http://a.example/cb", "https://a.example/#",
    "https://a.example/cb#f", "/cb", "//a.example/cb", "https:a.example/cb", "https:/a.example/cb", "a.example/cb", "",
    "https://u:p@a.example/cb", "https://a@b@c.example/", "https://h\\@a.example/", "https://h\\.a.example/", "*", ".*",
    "https://*.a.example/cb", "https://a.example/*", "https://a.example*", "https://a.example/a/../cb",
    "https://a.example/..;/cb", "https://a.example/%2e%2e/", "https://a.example/..%2f", "https://a.example/%252e%252e",
    "https://a.example:443/", "https://a.example:0443/", "https://a.example:0/", "https://a.example:65536/",
    "https://a.example:/", "https://a.example.:443/", "https://a.example./", "http://localhost.a.example/",
    "http://127.0.0.1.a.example/", "http://127.1/", "http://0x7f000001/", "http://2130706433/", "http://0177.0.0.1/",
    "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/", "http://localhost./", "http://[::1%25lo]/", "https://аpple.example/",
    "https://xn--pple-43d.example/", "https://a。example/", "https://a.example／cb", "https://a.example/\u200b",
    "https://a.example/\u202e", "https://a.example/%00", "https://a.example/\0", "https://a.example/%0d%0aX:1",
    "https://a.example/\r\n", "https://a.example/\x7f", "https://10.0.0.5/cb", "https://169.254.1.1/cb",
    "https://[fd00::1]/cb", "https://a.example/cb?code=x&state=y", "https://a.example/cb?iss=x", "app:/cb",
    "httpx://a.example/", "https://a.example/" + "x" * 2048, "https://2130706433/", "https://0x7f.1/",
]


@pytest.mark.parametrize("uri", REFUSED_REDIRECT_URIS, ids=ascii)
def test_an_unsafe_redirect_uri_is_refused_alone_and_beside_a_good_one(open_server: Caller, uri: str) -> None:
    for uris in ([uri], [REDIRECT_URI, uri]):
        answer = open_server.register(redirect_uris=uris)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")


def test_the_own_origin_is_no_redirect_uri(open_server: Caller) -> None:
    assert open_server.register(redirect_uris=[open_server.url("login")]).status_code == 400


def test_private_use_schemes_are_for_the_policies_that_allow_them(open_server: Caller, mcp_server: Caller) -> None:
    uri = "com.example.app:/cb"
    client = open_server.client(redirect_uris=[uri])
    assert open_server.authorize(client, redirect_uri=uri).status_code == 303
    assert mcp_server.register(redirect_uris=[uri]).status_code == 400


GOOD = b'{"redirect_uris":["https://client.example/cb"]'


@pytest.mark.parametrize(("content", "media_type", "status"), [
    (GOOD + b"}", "application/json", 201),
    (GOOD + b"}", "Application/JSON; charset=UTF-8", 201),
    (GOOD + b',"x":{"y":[1,"\\u0000"]},"z":null}', "application/json", 201),
    (GOOD + b',"redirect_uris":["https://client.example/2"]}', "application/json", 400),
    (GOOD + b',"x":{"y":1,"y":2}}', "application/json", 400),
    (b'{"Redirect_URIs":["https://client.example/cb"]}', "application/json", 400),
    (GOOD + b',"x":NaN}', "application/json", 400),
    (GOOD + b',"x":1e400}', "application/json", 400),
    (GOOD + b',"x":"\\ud800"}', "application/json", 400),
    (GOOD + b',"x":"\xff"}', "application/json", 400),
    (b"\xef\xbb\xbf" + GOOD + b"}", "application/json", 400),
    ((GOOD + b"}").decode().encode("utf-16"), "application/json", 400),
    (GOOD + b',"x":' + b"[" * 9000 + b"]" * 9000 + b"}", "application/json", 400),
    (GOOD + b',"x":' + b"9" * 50000 + b"}", "application/json", 400),
    (GOOD + b',"x":"' + b"x" * 70000 + b'"}', "application/json", 413),
    (b"[]", "application/json", 400), (b"null", "application/json", 400), (b"", "application/json", 400),
    (GOOD, "application/json", 400),
    (GOOD + b"}", "text/plain", 415),
    (GOOD + b"}", "application/json; charset=utf-16", 415),
    (GOOD + b"}", "application/x-www-form-urlencoded", 415),
])
def test_a_body_is_one_json_object_or_nothing(open_server: Caller, content: bytes, media_type: str,
                                              status: int) -> None:
    answer = open_server.http.post(open_server.url("register"), content=content, headers={"Content-Type": media_type})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert "client_id" in answer.json() or answer.json()["error"].isascii()


@pytest.mark.parametrize("members", [
    {"grant_types": "authorization_code"}, {"grant_types": []},
    {"grant_types": ["implicit"], "response_types": ["token"]},
    {"grant_types": ["password"], "response_types": []}, {"response_types": []}, {"response_types": ["token"]},
    {"grant_types": ["client_credentials"], "response_types": ["code"]},
    {"grant_types": ["client_credentials"], "response_types": []},  # with method none
    {"token_endpoint_auth_method": "NONE"}, {"token_endpoint_auth_method": 1}, {"scope": ["mcp:read"]},
    {"scope": "admin"}, {"scope": "mcp:read  mcp:write"}, {"contacts": "me"}, {"contacts": [1]},
    {"client_name": {"a": 1}},
    {"client_name": "a\nb"}, {"client_name": "a\u202eb"}, {"client_name#fr": "a\u200bb"}, {"client_name": "x" * 300},
    {"client_uri": "javascript:void(0)"}, {"client_uri": "/x"}, {"client_uri": "https://other.example/"},
    {"logo_uri": "data:image/png,x"}, {"tos_uri": "http://client.example/"}, {"policy_uri": "https://client.example:22/"},
    {"jwks_uri": "https://169.254.169.254/"}, {"jwks_uri": "https://[64:ff9b::a00:1]/"}, {"jwks_uri": "https://localhost/"},
    {"jwks_uri": "https://keys.invalid/"}, {"jwks": "x"}, {"jwks": []}, {"jwks": {}},
    {"jwks": {"keys": [{"kty": "oct"}]}},
    {"jwks": {"keys": [{"kty": "EC", "d": "x"}]}}, {"jwks": {"keys": []}, "jwks_uri": "https://client.example/jwks"},
    {"software_id": "x" * 300}, {"software_version": 2}, {"application_type": "desktop"},
])
def test_bad_metadata_is_invalid_client_metadata(open_server: Caller, members: dict[str, object]) -> None:
    answer = open_server.register(**members)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


@pytest.mark.parametrize("value", [None, [], "https://client.example/cb", [1], [None], {}])
def test_redirect_grants_need_an_array_of_redirect_uris(open_server: Caller, value: object) -> None:
    assert open_server.register(redirect_uris=value).json()["error"] == "invalid_redirect_uri"


def test_good_metadata_is_registered_and_returned(open_server: Caller) -> None:
    members = {"client_name": "Naïve 名前 e\u0301", "client_name#ja-Jpan-JP": "名前",
               "client_uri": "https://client.example/", "logo_uri": "https://client.example/l.png",
               "contacts": ["me@client.example"], "scope": "mcp:write mcp:read",
               "jwks": {"keys": [{"kty": "EC", "crv": "P-256", "x": "x", "y": "y"}]}, "software_id": "1",
               "software_version": "2", "grant_types": ["authorization_code", "refresh_token"], "skip_consent": True,
               "client_id": "mine", "client_secret": "mine", "registration_access_token": "mine", "trusted": 1}
    client = open_server.client(**members)
    assert {name: client[name] for name in list(members)[:10]} == {name: members[name] for name in list(members)[:10]}
    assert "mine" not in client.values()
    assert not {"skip_consent", "trusted", "client_secret"} & client.keys()
    assert open_server.manage("GET", client).json() == client


def test_the_default_is_a_confidential_client_with_its_own_credentials(open_server: Caller) -> None:
    first, second = (open_server.client(token_endpoint_auth_method=None) for _ in range(2))
    assert first["token_endpoint_auth_method"] == "client_secret_basic"
    assert first["client_secret_expires_at"] == 0
    credentials = {client[name] for client in (first, second)
                   for name in ("client_id", "client_secret", "registration_access_token")}
    assert len(credentials) == 6


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_a_client_authenticates_by_its_registered_method_only(open_server: Caller, method: str) -> None:
    client = open_server.client(token_endpoint_auth_method=method)
    user, secret = client["client_id"], client.get("client_secret", "x")
    bogus = {"grant_type": "authorization_code", "code": "bogus"}
    post = open_server.http.post
    url = open_server.url("token")
    found = {
        "client_secret_basic": post(url, data=bogus, auth=(user, secret)),
        "client_secret_post": post(url, data={**bogus, "client_id": user, "client_secret": secret}),
        "none": post(url, data={**bogus, "client_id": user}),
        "wrong": post(url, data=bogus, auth=(user, "wrong")),
    }
    for name, answer in found.items():
        assert answer.json()["error"] == ("invalid_grant" if name == method else "invalid_client")
        assert answer.headers["cache-control"] == "no-store"


def test_client_credentials_are_for_confidential_clients(open_server: Caller) -> None:
    client = open_server.client(token_endpoint_auth_method="client_secret_post", grant_types=["client_credentials"],
                                redirect_uris=None)
    assert client["response_types"] == []
    answer = open_server.token(client, grant_type="client_credentials", client_secret=client["client_secret"])
    assert open_server.access(answer.json()["access_token"]).status_code == 200
    assert "refresh_token" not in answer.json()
    assert open_server.manage("DELETE", client).status_code == 204
    assert open_server.access(answer.json()["access_token"]).status_code == 401


def test_an_update_replaces_and_rotates(open_server: Caller) -> None:
    client = open_server.client(client_name="Before", scope="mcp:write")
    body = {"client_id": client["client_id"], "redirect_uris": ["https://client.example/new"],
            "token_endpoint_auth_method": "none"}
    answer = open_server.manage("PUT", client, json=body)
    assert answer.status_code == 200
    updated = answer.json()
    assert (updated["redirect_uris"], updated["scope"]) == (["https://client.example/new"], "mcp:read")
    assert "client_name" not in updated
    assert open_server.manage("GET", client).status_code == 401
    assert open_server.manage("GET", updated).json() == updated
    assert open_server.authorize(client).status_code == 400


@pytest.mark.parametrize("deviation", [
    {"client_id": None}, {"client_id": "other"}, {"client_secret": "chosen"}, {"redirect_uris": ["javascript:x"]},
    *({name: "x"} for name in SERVER_CHOSEN),
])
def test_a_bad_update_changes_nothing(open_server: Caller, deviation: dict[str, object]) -> None:
    client = open_server.client()
    body = {name: value for name, value in client.items() if name not in SERVER_CHOSEN}
    assert open_server.manage("PUT", client, json={**body, **deviation}).status_code == 400
    assert open_server.manage("GET", client).json() == client


def test_a_foreign_token_is_refused_and_survives_but_dies_at_a_client_that_does_not_exist(open_server: Caller) -> None:
    mine, other = open_server.client(), open_server.client()
    for method in ("GET", "PUT", "DELETE"):
        crossed = {**other, "registration_access_token": mine["registration_access_token"]}
        assert open_server.manage(method, crossed, json={}).status_code == 401
    assert open_server.manage("GET", mine).status_code == open_server.manage("GET", other).status_code == 200
    invented = {**mine, "registration_client_uri": open_server.url("register/invented")}
    answer = open_server.manage("GET", invented)
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert open_server.manage("GET", mine).status_code == 401


def test_a_token_travels_in_the_header_only(open_server: Caller) -> None:
    client = open_server.client()
    uri, token = client["registration_client_uri"], client["registration_access_token"]
    answer = open_server.http.get(uri, params={"access_token": token})
    assert answer.status_code == 401
    assert "error" not in answer.headers["www-authenticate"]
    assert open_server.manage("GET", client, params={"access_token": token}).status_code == 400
    assert open_server.http.post(open_server.url("register"), json={},
                                 headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_methods_and_paths_that_are_not_served(open_server: Caller) -> None:
    client = open_server.client()
    uri = client["registration_client_uri"]
    for method, url in (("PATCH", uri), ("POST", uri), ("HEAD", uri), ("GET", open_server.url("register"))):
        answer = open_server.http.request(method, url, headers={"X-HTTP-Method-Override": "DELETE"})
        assert answer.status_code == 405
        assert answer.headers["allow"]
    for path in ("register/", "/register", "REGISTER", "register;x"):
        assert open_server.http.post(open_server.url(path), json={}).status_code == 404
    assert open_server.manage("GET", client).status_code == 200


@pytest.mark.parametrize("policy", ["rfc7591", "initial-access-token"])
def test_initial_access_tokens(policy: str) -> None:
    with serve(Server(POLICIES[policy])) as running:
        caller = Caller(running)
        document = {"redirect_uris": [REDIRECT_URI]}

        def status(authorization: str | None) -> int:
            headers = {"Authorization": authorization} if authorization else {}
            answer = caller.http.post(caller.url("register"), json=document, headers=headers)
            assert (answer.status_code == 401) == ("www-authenticate" in answer.headers)
            return answer.status_code

        assert status(None) == (401 if policy == "initial-access-token" else 201)
        assert status(f"Bearer {running.initial_access_token}") == 201
        for bad in ("Bearer", "Bearer  a b", "bearer x", "Bearer ..", "Bearer " + "x" * 16000):
            assert status(bad) == 401


def test_mcp_clients_are_public_and_named_with_care(mcp_server: Caller) -> None:
    assert mcp_server.client(token_endpoint_auth_method=None)["token_endpoint_auth_method"] == "none"
    assert mcp_server.register(token_endpoint_auth_method="client_secret_basic").status_code == 400
    for name in ("Administrator", "ＡＤＭＩＮ", "аdmin", "Admіnistrator", "authorization-server", "4dmin", "x" * 81,
                 "Author\u0131zation Server", "admin.", "\u2800"):
        assert mcp_server.register(client_name=name).status_code == 400, name
    for name in ("Administrator's notebook", "Notes 2", "Записки", "名前", "Café"):
        assert mcp_server.register(client_name=name).status_code == 201, name
    assert mcp_server.register(unknown=1).status_code == 201


def test_the_hardened_policy_refuses_unknown_members() -> None:
    with serve(Server(POLICIES["hardened"])) as running:
        caller = Caller(running)
        assert caller.register().status_code == 201
        assert caller.register(skip_consent=True).json()["error"] == "invalid_client_metadata"


def test_a_trusted_software_statement_wins_and_others_are_refused(open_server: Caller) -> None:
    running = open_server.running
    claims = {"iss": running.statement_issuer, "client_name": "Signed", "redirect_uris": ["https://client.example/s"]}

    def register(claims: dict[str, object], key: str = running.statement_key, algorithm: str = "ES256") -> dict:
        statement = jwt.encode(claims, key, algorithm=algorithm)
        answer = open_server.register(client_name="Plain", software_statement=statement).json()
        assert "error" in answer or answer["software_statement"] == statement
        return answer

    good = register(claims)
    assert (good["client_name"], good["redirect_uris"]) == ("Signed", ["https://client.example/s"])
    invalid, unapproved = "invalid_software_statement", "unapproved_software_statement"
    assert register({**claims, "exp": int(time.time()) - 5})["error"] == invalid
    assert register({**claims, "aud": "https://other.example"})["error"] == invalid
    assert register({"client_name": "x"})["error"] == invalid
    assert register(claims, "x" * 32, "HS256")["error"] == invalid
    assert register(claims, "", "none")["error"] == invalid
    other = Server().statement_key_pem()
    assert register(claims, other)["error"] == invalid
    assert register({**claims, "iss": "https://unknown.example"}, other)["error"] == unapproved
    assert register({**claims, "software_id": "withdrawn-software"})["error"] == unapproved
    for value in ("", "x", "a.b.c", 1, {}, []):
        assert open_server.register(software_statement=value).json()["error"] == invalid


def test_the_limit_counts_refusals_and_says_when_to_come_back() -> None:
    with serve(Server(Rules(registrations=3, registration_window=1))) as running:
        caller = Caller(running)
        assert [caller.register(scope="admin").status_code for _ in range(3)] == [400] * 3
        for headers in ({}, {"X-Forwarded-For": "192.0.2.1"}, {"Forwarded": "for=192.0.2.2"},
                        {"X-Real-IP": "192.0.2.3"}):
            answer = caller.http.post(caller.url("register"), json={}, headers=headers)
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
            assert answer.headers["cache-control"] == "no-store"
        assert caller.http.get(caller.url(".well-known/oauth-authorization-server")).status_code == 200
        time.sleep(1.01)
        assert caller.register().status_code == 201


def test_stale_clients_are_collected_and_used_ones_are_kept(open_server: Caller) -> None:
    stale, used = open_server.client(), open_server.client()
    server = open_server.server
    server.store.clients[stale["client_id"]].last_used = 0
    assert server.collect_stale(time.time() + 89 * 24 * 3600) == 1
    assert open_server.manage("GET", stale).status_code == 401
    assert open_server.manage("GET", used).status_code == 200


def test_forms_are_bound_to_the_browser_the_transaction_and_the_origin(open_server: Caller) -> None:
    client = open_server.client()
    consent = open_server.page(open_server.log_in(open_server.authorize(client)))
    assert open_server.send(consent, csrf="other", decision="approve").status_code == 403
    for headers in ({"Origin": "https://foreign.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert open_server.send(consent, headers, decision="approve").status_code == 403
    stranger = Caller(open_server.running)
    assert stranger.send(consent, decision="approve").status_code == 400
    own = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
    denied = query(open_server.send(consent, own, decision="deny", redirect_uri="https://foreign.example")
                   .headers["location"])
    assert denied["error"] == "access_denied"
    assert "/consent?" in open_server.authorize(client).headers["location"]  # logged in, and asked again
    cookie = next(iter(open_server.http.cookies.jar))
    assert cookie.name.startswith("__Host-") and cookie.secure and cookie.has_nonstandard_attr("HttpOnly")


def test_revocation_is_for_the_owner_of_the_token(open_server: Caller) -> None:
    client, other = open_server.client(), open_server.client()
    token = open_server.redeem(client, open_server.parameters(client)["code"]).json()["access_token"]

    def revoke(by: dict) -> int:
        return open_server.http.post(open_server.url("revoke"), data={"token": token, "client_id": by["client_id"]}
                                     ).status_code

    assert revoke(other) == 200
    assert open_server.access(token).status_code == 200
    assert revoke(client) == 200
    assert open_server.access(token).status_code == 401


def test_an_issuer_with_a_path_is_found_where_each_standard_puts_it() -> None:
    with serve(Server(), path="/tenant") as running:
        caller = Caller(running)
        origin = running.issuer.removesuffix("/tenant")
        assert running.resource == f"{origin}/mcp"
        for place in ("/.well-known/oauth-authorization-server/tenant", "/.well-known/openid-configuration/tenant",
                      "/tenant/.well-known/openid-configuration"):
            assert caller.http.get(origin + place).json()["issuer"] == running.issuer
        assert caller.http.get(f"{origin}/.well-known/oauth-authorization-server").status_code == 404
        assert caller.register().json()["registration_client_uri"].startswith(f"{running.issuer}/register/")


def test_a_crash_is_an_answer_and_the_server_goes_on() -> None:
    class Crashes(Server):
        def describe(self, client: object) -> dict:
            raise LookupError(secrets.token_hex(4))

    with serve(Crashes()) as running:
        caller = Caller(running)
        assert [caller.register().status_code for _ in range(2)] == [500, 500]
        assert "LookupError" not in caller.register().text
        assert isinstance(running.server.faults[0], LookupError)


def test_plain_http_at_the_tls_port_registers_nothing(open_server: Caller) -> None:
    before = len(open_server.server.store.clients)
    place = urlsplit(open_server.running.issuer)
    with socket.create_connection((place.hostname, place.port), timeout=5) as raw:
        body = b'{"redirect_uris":["https://client.example/cb"]}'
        raw.sendall(b"POST /register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
                    + str(len(body)).encode() + b"\r\n\r\n" + body)
        assert b"201" not in raw.recv(1000)
    assert len(open_server.server.store.clients) == before


def test_it_stops_at_once_with_connections_open() -> None:
    running = serve(Server())
    caller = Caller(running)
    assert caller.register().status_code == 201
    begun = time.perf_counter()
    running.stop()
    assert time.perf_counter() - begun < 0.5
    with pytest.raises(httpx.TransportError):
        caller.register()


def test_it_is_served_by_hand_on_loopback_only() -> None:
    with subprocess.Popen([sys.executable, "-m", "dcrcheck.reference", "--policy", "mcp"], text=True,
                          stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.terminate()
        assert process.wait(5) == 0
    assert re.fullmatch(r"issuer +http://127\.0\.0\.1:\d+\n", first)
    with pytest.raises(ValueError, match="loopback"):
        serve(Server(), host="192.0.2.1")


# -- pushed requests --------------------------------------------------------------------------------------------------


def push(caller: Caller, client: dict, **deviations: str | None) -> httpx.Response:
    parameters = {"response_type": "code", "client_id": client["client_id"], "redirect_uri": REDIRECT_URI,
                  "code_challenge": challenge("v" * 43), "code_challenge_method": "S256",
                  "resource": caller.running.resource, **deviations}
    return caller.http.post(caller.url("push"), data={k: v for k, v in parameters.items() if v is not None})


def by_reference(caller: Caller, client: dict, reference: str) -> httpx.Response:
    return caller.http.get(caller.url("authorize"), params={"client_id": client["client_id"], "request_uri": reference})


def test_a_pushed_request_is_served_once_and_to_its_client_only(open_server: Caller):
    client, other = open_server.client(), open_server.client(redirect_uris=[f"{REDIRECT_URI}/other"])
    answer = push(open_server, client)

    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    reference = answer.json()["request_uri"]
    assert answer.json() == {"request_uri": reference, "expires_in": 90}
    assert by_reference(open_server, other, reference).status_code == 400
    assert by_reference(open_server, client, reference).headers["location"].startswith(open_server.url("login"))
    assert by_reference(open_server, client, reference).status_code == 400


@pytest.mark.parametrize(("deviation", "error"), [
    ({"redirect_uri": "https://foreign.example/cb"}, "invalid_request"), ({"request_uri": "urn:x"}, "invalid_request"),
    ({"code_challenge": None}, "invalid_request"), ({"scope": "unknown"}, "invalid_scope"),
    ({"response_type": "token"}, "unsupported_response_type"), ({"client_id": "unknown"}, "invalid_client"),
])
def test_a_pushed_request_is_held_to_the_rules_of_the_authorization_endpoint(open_server: Caller, deviation: dict,
                                                                             error: str):
    answer = push(open_server, open_server.client(), **deviation)

    assert (answer.status_code, answer.json()["error"]) == (401 if error == "invalid_client" else 400, error)
