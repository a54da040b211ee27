"""Who may register, and what those are told who may not (RFC 7591, sections 3 and 3.2.2; RFC 6750, section 3)."""

import re
from collections import Counter

import pytest

from dcrcheck import (
    Answer,
    Endpoint,
    Session,
    at_once,
    inapplicable,
    inconclusive,
    needs,
    observes,
    origin,
    requirement,
)

# what says where a request comes from, and can be sent by anyone
PROVENANCE = {
    "x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1", "forwarded": "for=127.0.0.1;proto=https",
    "x-forwarded-host": "localhost", "origin": "", "referer": "",
}
TOKENS = {"no-token": None, "unknown-token": "Bearer dcrcheck-unknown-token"}


def turned_away(endpoint: Endpoint, authorization: str | None) -> Answer:
    """The answer to a registration with this Authorization header, where the server minds it."""
    answer = endpoint.submit(headers={"authorization": authorization})
    if answer.registered is not None:
        inapplicable("the server registers the client whatever token comes with the request")
    if answer.status == 429 or not 400 <= answer.status < 500:
        inconclusive(f"the server neither accepted nor refused the token: {answer.describe()}")
    return answer


def single_use_token(endpoint: Endpoint) -> dict[str, str]:
    """The Authorization header for one registration."""
    if endpoint.registrar is None or not endpoint.registrar.single_use:
        inapplicable("the profile says of no initial access token that it registers one client only")
    return {"authorization": f"Bearer {endpoint.registrar.obtain()}"}


def bearer_challenge(answer: Answer) -> list[tuple[str, str]] | None:
    """The parameters of the Bearer challenge, or None if there is none."""
    header = answer.headers.get("www-authenticate", "")
    found = re.search(r"(?:^|,)\s*Bearer\b(.*?)(?=,\s*[\w-]+\s+[\w-]+\s*=|$)", header, re.I | re.S)
    return found and re.findall(r'([\w-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]+)', found.group(1))


@requirement("RFC7591-3-04", "OIDCR-3-03")
@observes("OIDCR-3-01")
def test_registration_needs_no_authorization(endpoint: Endpoint):
    """A registration without any authorization is accepted."""
    endpoint.observe("OIDCR-3-01", f"registration is for holders of this: {endpoint.profile.access}"
                     if endpoint.profile.access != "anonymous" else "registration is open to anyone")
    if endpoint.profile.access != "anonymous":
        inapplicable(f"the owner limits registration ({endpoint.profile.access}), which section 3 allows")
    answer = endpoint.submit(headers={"authorization": None}, control=False)

    assert answer.status != 401 and not answer.refused, f"without authorization came {answer.describe()}"


@requirement("RFC7591-3.2.2-01")
@pytest.mark.parametrize("authorization", TOKENS.values(), ids=TOKENS)
def test_where_a_token_is_needed_nobody_registers_without_it(endpoint: Endpoint, authorization: str | None):
    """Where an initial access token is needed, a request without one or with an unknown one registers nothing."""
    if endpoint.profile.access == "anonymous":
        inapplicable("registration is open to anyone")
    answer = endpoint.submit(headers={"authorization": authorization})

    assert answer.registered is None, f"the server registered a client: {answer.describe()}"


@requirement("HARD-ACCESS-BY-HEADER")
@pytest.mark.parametrize("name", PROVENANCE)
def test_no_header_takes_the_place_of_a_token(endpoint: Endpoint, name: str):
    """Where an initial access token is needed, a header about where a request comes from does not do instead."""
    if endpoint.profile.access == "anonymous":
        inapplicable("registration is open to anyone")
    place = PROVENANCE[name] or origin(endpoint.target.issuer)
    answer = endpoint.submit(headers={"authorization": None, name: place})

    assert answer.registered is None, f"with {name}: {place} the server registered a client"


@requirement("HARD-ORDINARY-TOKEN")
@needs("session", "token_endpoint")
def test_an_access_token_is_no_initial_access_token(endpoint: Endpoint, session: Session):
    """Where an initial access token is needed, the access token of an ordinary user does not do."""
    if endpoint.profile.access == "anonymous":
        inapplicable("registration is open to anyone")
    token = (session.tokens().tokens or {})["access_token"]
    answer = endpoint.submit(headers={"authorization": f"Bearer {token}"})

    assert answer.registered is None, "the server registered a client for it"


def is_unclear(answer: Answer) -> bool:
    """Whether an answer says nothing of the token."""
    return answer.status in (0, 429) or answer.status >= 500


@requirement("HARD-TOKEN-ONCE")
@needs("token_endpoint")
def test_a_token_for_one_client_registers_no_second_one(endpoint: Endpoint):
    """An initial access token that is good for one client registers no second one afterwards."""
    headers = single_use_token(endpoint)
    first = endpoint.submit(headers=headers)
    if first.registered is None:
        inconclusive(f"a new initial access token registers nothing: {first.describe()}")
    again = endpoint.submit(headers=headers)
    if is_unclear(again):
        inconclusive(f"the second registration was answered {again.describe()}")

    assert again.registered is None, "the token registered two clients one after the other"


@requirement("HARD-TOKEN-ONCE")
@needs("token_endpoint")
def test_a_token_for_one_client_registers_no_second_one_at_once(endpoint: Endpoint):
    """Of several registrations that bring the initial access token for one client at the same moment, one succeeds."""
    endpoint.control()
    headers = single_use_token(endpoint)
    answers = at_once(lambda: endpoint.submit(headers=headers, control=False))
    clients = sum(answer.registered is not None for answer in answers)
    unclear = next(filter(is_unclear, answers), None)
    if clients < 2 and unclear is not None:
        inconclusive(f"of {len(answers)} registrations at once one was answered {unclear.describe()}")
    if not clients:
        inconclusive("a new initial access token registers nothing")

    assert clients == 1, f"of {len(answers)} registrations at once {clients} succeeded"


@requirement("RFC7591-3.2.2-01", "RFC9110-15.5.2-01", "RFC6750-3-01", "OIDCR-3.3-01")
@pytest.mark.parametrize("authorization", TOKENS.values(), ids=TOKENS)
def test_a_bad_initial_access_token_is_answered_with_a_challenge(endpoint: Endpoint, authorization: str | None):
    """A registration that is refused for its token, or for want of one, is answered with a Bearer challenge."""
    answer = turned_away(endpoint, authorization)

    assert bearer_challenge(answer) is not None, (
        f"{answer.describe()} has WWW-Authenticate {answer.headers.get('www-authenticate')!r}")


@requirement("RFC6750-3-02", "RFC7591-3.2.2-01")
@pytest.mark.parametrize("authorization", TOKENS.values(), ids=TOKENS)
def test_a_registration_challenge_has_a_parameter(endpoint: Endpoint, authorization: str | None):
    """The Bearer challenge to a registration has at least one parameter."""
    challenge = bearer_challenge(turned_away(endpoint, authorization))
    if challenge is None:
        inapplicable("there is no Bearer challenge")

    assert challenge, "the challenge is a bare Bearer"


@requirement("RFC6750-3-03", "RFC7591-3.2.2-01")
@pytest.mark.parametrize("authorization", TOKENS.values(), ids=TOKENS)
def test_a_registration_challenge_repeats_no_parameter(endpoint: Endpoint, authorization: str | None):
    """No parameter of the Bearer challenge to a registration occurs twice."""
    challenge = bearer_challenge(turned_away(endpoint, authorization)) or []
    repeated = [name for name, times in Counter(name.lower() for name, _ in challenge).items() if times > 1]

    assert not repeated, f"in the challenge these occur more than once: {repeated}"


@requirement("RFC6750-3-04", "RFC6750-3.1-01")
def test_a_bad_initial_access_token_is_401_invalid_token(endpoint: Endpoint):
    """An unknown token at the registration endpoint is answered with 401 and error invalid_token in the challenge."""
    answer = turned_away(endpoint, TOKENS["unknown-token"])
    error = dict(bearer_challenge(answer) or []).get("error", "").strip('"')

    assert (answer.status, error) == (401, "invalid_token"), (
        f"the token was answered with HTTP {answer.status} and error {error!r} in the challenge")


@requirement("RFC6750-3.1-02")
def test_without_a_token_the_challenge_names_no_error(endpoint: Endpoint):
    """A registration without a token, where one is needed, is answered with a challenge that names no error."""
    challenge = dict(bearer_challenge(turned_away(endpoint, None)) or [])

    assert "error" not in challenge, f"without credentials the challenge says error={challenge['error']}"
