"""The laws that the endpoint keeps for every check: control first, nothing beyond the budget, no token to strangers."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import parse_qs

import pytest

from dcrcheck.budget import Bounds, Budget
from dcrcheck.catalogue import catalogue
from dcrcheck.client import Client
from dcrcheck.endpoint import Endpoint
from dcrcheck.evidence import Exchange, Recorder
from dcrcheck.ledger import Ledger
from dcrcheck.profile import Profile, load_profile
from dcrcheck.registrar import Registrar
from dcrcheck.target import Target
from dcrcheck.transport import Answer, Headers
from dcrcheck.verdict import Inconclusive

ISSUER = "https://as.example"


def begun() -> Ledger:
    """The ledger of a run that has begun, in memory."""
    ledger = Ledger(None, run="r", issuer=ISSUER)
    ledger.begin(profile="t", origins=[ISSUER], embedded=False)
    return ledger


class Scripted:
    """A transport that answers from a script and remembers what it was asked."""

    def __init__(self, script: Callable[[str, str, bytes], tuple[int, dict, dict[str, str]]]) -> None:
        self.recorder = Recorder()
        self.script = script
        self.sent: list[tuple[str, str, dict[str, str]]] = []

    def send(self, method, url, *, headers=(), content=b"", target=None) -> Answer:
        self.sent.append((method, url, dict(headers)))
        status, body, answered = self.script(method, url, content)
        return Answer(status=status, headers=Headers({"content-type": "application/json", **answered}),
                      body=json.dumps(body).encode(), url=url,
                      exchange=Exchange(id=self.recorder.next_id(), method=method, url=url, status=status))


def endpoint(script, *, budget: int = 100, **profile) -> tuple[Endpoint, Scripted]:
    base = load_profile("rfc7591", catalogue())
    transport = Scripted(script)
    target = Target(issuer=ISSUER, profile=Profile(name="t", title="t", policy=base.policy, **profile), documents={},
                    metadata={"issuer": ISSUER, "registration_endpoint": f"{ISSUER}/register"})
    limits = profile.get("limits", {}).get("registrations")
    bounds = Bounds(registrations=budget, limit=(limits["count"], limits["seconds"]) if limits else None, patience_s=10)
    return Endpoint(target, transport, Budget(begun(), bounds)), transport


def accept(method: str, url: str, content: bytes) -> tuple[int, dict, dict[str, str]]:
    return 201, {**json.loads(content), "client_id": str(hash(content))}, {}


def refuse_javascript(method, url, content):
    return (400, {"error": "invalid_redirect_uri"}, {}) if b"javascript" in content else accept(method, url, content)


def test_a_negative_probe_sends_its_accepted_twin_first():
    subject, transport = endpoint(refuse_javascript)

    answer = subject.submit(redirect_uris=["javascript:void(0)"])

    assert answer.refused
    assert len(transport.sent) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
def test_where_the_twin_is_not_accepted_nothing_is_judged(status: int):
    subject, _ = endpoint(lambda *_: (status, {"error": "x"}, {}))

    with pytest.raises(Inconclusive, match="twin"):
        subject.submit(redirect_uris=["javascript:void(0)"])


@pytest.mark.parametrize("status", [0, 302, 401, 408, 429, 500, 503])
def test_what_is_no_refusal_is_not_taken_for_one(status: int):
    subject, _ = endpoint(lambda m, u, c: (status, {}, {}) if b"javascript" in c else accept(m, u, c))
    answer = subject.submit(redirect_uris=["javascript:void(0)"])

    with pytest.raises(Inconclusive):
        _ = answer.refused


@pytest.mark.parametrize("status", [400, 403, 413, 415, 422])
def test_a_refusal_is_one(status: int):
    subject, _ = endpoint(lambda m, u, c: (status, {}, {}) if b"javascript" in c else accept(m, u, c))

    assert subject.submit(redirect_uris=["javascript:void(0)"]).refused


def test_success_without_a_client_id_is_neither():
    subject, _ = endpoint(lambda m, u, c: (201, {}, {}) if b"javascript" in c else accept(m, u, c))
    answer = subject.submit(redirect_uris=["javascript:void(0)"])

    with pytest.raises(Inconclusive, match="neither accepted nor refused"):
        _ = answer.client


def test_the_budget_is_kept():
    subject, transport = endpoint(accept, budget=3)
    for _ in range(3):
        subject.register()

    with pytest.raises(Inconclusive, match="the 3 registrations that the run may send are spent"):
        subject.register()
    assert len(transport.sent) == 3


def test_a_long_wait_for_the_declared_limit_is_not_waited_for():
    subject, transport = endpoint(accept, limits={"registrations": {"count": 5, "seconds": 3600}})
    for _ in range(5):
        subject.register()

    with pytest.raises(Inconclusive, match=r"limit of 5 registrations .* longer than a run waits"):
        subject.register()
    assert len(transport.sent) == 5


def test_a_given_waits_out_a_short_retry_after_once():
    answers = iter([(429, {}, {"retry-after": "0"}), (201, {"client_id": "a"}, {})])
    subject, transport = endpoint(lambda *_: next(answers))

    assert subject.register().client_id == "a"
    assert len(transport.sent) == 2


def test_a_shared_client_is_registered_once_for_each_metadata():
    subject, transport = endpoint(accept)

    one, other = subject.client(), subject.client(scope="a")

    assert subject.client() is one
    assert subject.client(scope="a") is other
    assert len(transport.sent) == 2


def test_the_registration_access_token_goes_to_no_other_origin():
    subject, transport = endpoint(lambda *_: (201, {
        "client_id": "a", "registration_access_token": "t" * 32,
        "registration_client_uri": "https://elsewhere.example/register/a"}, {}))
    client = subject.register()

    with pytest.raises(Inconclusive, match="another origin"):
        subject.read(client)
    assert len(transport.sent) == 1


def test_a_rotated_token_is_followed():
    def rotate(method, url, content):
        number = len(transport.sent)
        return (201 if method == "POST" else 200), {
            "client_id": "a", "registration_access_token": f"token-number-{number}",
            "registration_client_uri": f"{ISSUER}/register/a"}, {}

    subject, transport = endpoint(rotate)
    client = subject.register()
    subject.read(client)
    subject.read(client)

    assert [headers.get("authorization") for _, _, headers in transport.sent] == [
        None, "Bearer token-number-1", "Bearer token-number-2"]


def test_an_update_is_the_stored_metadata_without_what_must_not_be_sent():
    bodies: list[dict] = []

    def keep(method, url, content):
        bodies.append(json.loads(content))
        return (201 if method == "POST" else 200), {
            **bodies[0], "client_id": "a", "client_id_issued_at": 1, "client_secret": "s" * 20,
            "client_secret_expires_at": 0, "registration_access_token": "t" * 32,
            "registration_client_uri": f"{ISSUER}/register/a"}, {}

    subject, _ = endpoint(keep)
    subject.update(subject.register(), client_name="another")

    assert bodies[1] == {**bodies[0], "client_id": "a", "client_name": "another"}


def test_a_request_to_a_stranger_is_a_fault_of_the_check():
    subject, transport = endpoint(accept)

    with pytest.raises(ValueError, match="not the target's"):
        subject.send("GET", "https://elsewhere.example/")
    assert transport.sent == []


@pytest.mark.parametrize(("location", "place"), [
    ("https://client.example/cb?error=x", "client"), ("https://foreign.example/cb", "foreign"),
    ("https://as.example/login", "login"), ("/login", "login"), ("//foreign.example/cb", "foreign"),
    ("https://client.example.foreign.example/cb", "foreign"), ("javascript:void(0)", "foreign"), (None, "local"),
])
def test_where_an_authorization_answer_goes(location, place):
    subject, _ = endpoint(accept)
    client = subject.register()
    answer = Answer(status=302, headers=Headers({"location": location} if location else {}), body=b"", url=ISSUER,
                    exchange=Exchange(id="x", method="GET", url=ISSUER))

    assert subject.destination(client, answer) == place


def test_a_client_is_known_by_identity_not_by_content():
    members = {"client_id": "a"}
    answer = Answer(status=201, headers=Headers(), body=b"", url="", exchange=Exchange(id="x", method="POST", url=""))
    one, other = (Client(members, document={}, answer=answer, read=lambda _: answer) for _ in range(2))

    assert one != other
    assert len({one, other}) == 2


# -- initial access tokens that a client of the owner obtains ----------------------------------------------------------


def with_registrar(*, single_use: bool, status: int = 200) -> tuple[Endpoint, Scripted]:
    issued = iter(range(100))

    def script(method, url, content):
        if not url.endswith("/token"):
            return accept(method, url, content)
        return status, {"access_token": f"initial-access-token-{next(issued)}"} if status == 200 else {}, {}

    plain, transport = endpoint(script)
    registrar = Registrar(transport=transport, token_endpoint=f"{ISSUER}/token", client_id="registrar",
                          secret="s%cret", scope="client.create", single_use=single_use)
    return Endpoint(plain.target, transport, plain.budget, registrar=registrar), transport


@pytest.mark.parametrize(("single_use", "tokens"), [(True, ["0", "1", "2"]), (False, ["0", "0", "0"])])
def test_each_registration_brings_a_token(single_use: bool, tokens: list[str]):
    subject, transport = with_registrar(single_use=single_use)

    for _ in tokens:
        subject.register()

    brought = [headers["authorization"] for _, url, headers in transport.sent if url.endswith("/register")]
    assert brought == [f"Bearer initial-access-token-{token}" for token in tokens]


def test_the_registrar_authenticates_as_the_grant_wants_it():
    subject, transport = with_registrar(single_use=True)
    seen = []
    transport.script, script = lambda m, u, c: seen.append(c) or script(m, u, c), transport.script

    token = subject.initial_access_token

    user, _, password = base64.b64decode(transport.sent[0][2]["authorization"].removeprefix("Basic ")).partition(b":")
    assert (user, password) == (b"registrar", b"s%25cret")
    assert parse_qs(seen[0].decode()) == {"grant_type": ["client_credentials"], "scope": ["client.create"]}
    assert "s%cret" in transport.recorder.redactor.values and token in transport.recorder.redactor.values


def test_without_a_token_nothing_is_judged():
    subject, _ = with_registrar(single_use=True, status=401)

    with pytest.raises(Inconclusive, match="DCRCHECK_REGISTRAR_ID"):
        subject.register()


def test_a_request_of_its_own_authorization_spends_no_token():
    subject, transport = with_registrar(single_use=True)
    subject.control()

    subject.submit(headers={"authorization": None})

    assert [url for _, url, _ in transport.sent].count(f"{ISSUER}/token") == 1


def test_an_update_leaves_out_what_only_the_registration_answered_with_and_the_server_refuses():
    stored = {"registration_client_uri": f"{ISSUER}/register/c", "registration_access_token": "a token of some length"}

    def script(method, url, content):
        if method == "POST":
            return 201, {**json.loads(content), "client_id": "c", "extra": {}, **stored}, {}
        if method == "PUT" and b"extra" in content:
            return 400, {"error": "invalid_client_metadata"}, {}
        return 200, {"client_id": "c", "client_name": "n", **stored}, {}

    subject, transport = endpoint(script)

    assert subject.revise(subject.register(), client_name="other").status == 200
    assert [method for method, _, _ in transport.sent] == ["POST", "PUT", "GET", "PUT"]
    assert "extra" not in subject.revision(subject.register())
    assert subject.revision(subject.register(), extra=1)["extra"] == 1
