"""What keeps one source from registering clients without end, and how it says so (RFC 7591, section 3; RFC 6585).

One burst of registrations is sent in a run; every check here reads from it or goes back into the limited state.
"""

import time

from dcrcheck import (
    Endpoint,
    Policy,
    Spray,
    inapplicable,
    inconclusive,
    intrusive,
    is_limited,
    needs,
    observes,
    promised_wait,
    requirement,
)

PATIENCE_S = 10.0


@requirement("STRUCT-LIMIT-SOURCE")
@intrusive("burst")
def test_a_spray_of_registrations_meets_a_control(endpoint: Endpoint, policy: Policy):
    """A burst of registrations from one source is stopped by a limit, a quota, an approval or idempotence."""
    if policy.parameters["limits"] != "required":
        inapplicable(f"policy {policy.name} leaves limits to the server")
    spray = Spray.of(endpoint)
    declared = endpoint.profile.limits.get("registrations", {}).get("count", 0)
    if spray.control is None and declared >= spray.accepted:
        inconclusive(f"the profile declares a limit of {declared}, and the budget allowed {spray.accepted}")
    if spray.control is None:
        spray.demand_pace(spray.answers)

    assert spray.control is not None, f"{spray.accepted} registrations in a row were accepted without any control"


@requirement("STRUCT-LIMIT-SIGNAL")
@intrusive("burst")
def test_a_registration_beyond_the_limit_is_answered_429(endpoint: Endpoint):
    """A registration that a limit turns away is answered 429 Too Many Requests."""
    answer = Spray.of(endpoint).limited

    assert answer.status == 429, f"the limit answered {answer.describe()}"


@requirement("STRUCT-LIMIT-SIGNAL")
@intrusive("burst")
def test_a_limit_says_when_to_come_back(endpoint: Endpoint):
    """The answer of a limit carries Retry-After, in seconds or as a date."""
    answer = Spray.of(endpoint).limited
    value = answer.headers.get("retry-after")

    assert promised_wait(answer) is not None, f"{answer.describe()} with Retry-After {value!r}"


@requirement("STRUCT-LIMIT-SIGNAL")
@intrusive("burst")
def test_a_limit_answers_in_json(endpoint: Endpoint):
    """The answer of a limit is a JSON object with an error, as every other refusal of the endpoint."""
    answer = Spray.of(endpoint).limited

    assert answer.is_json, f"the limit answered {answer.describe()} as {answer.media_type or 'no media type'}"
    assert answer.error, f"the limit answered {answer.describe()} without an error member"


@requirement("HARD-REFUSAL-IS-WHOLE")
@intrusive("burst")
def test_a_registration_beyond_the_limit_yields_no_credentials(endpoint: Endpoint):
    """The answer to a registration that a limit turned away names no client and holds no credentials."""
    answer = Spray.of(endpoint).limited
    members = answer.json if isinstance(answer.json, dict) else {}
    given = {"client_id", "client_secret", "registration_access_token", "registration_client_uri"} & members.keys()

    assert not given, f"{answer.describe()} holds {', '.join(sorted(given))}"


@requirement("STRUCT-LIMIT-REFUSED")
@intrusive("burst")
def test_refused_registrations_are_limited_too(endpoint: Endpoint):
    """Registrations that would be refused are turned away by a limit as well."""
    spray = Spray.of(endpoint)
    spray.enter()

    answers = endpoint.spray(len(spray.answers) + 1, {"redirect_uris": "none"}, until=is_limited)
    if not is_limited(answers[-1]):
        spray.demand_pace(answers)

    assert is_limited(answers[-1]), f"{len(answers)} bad requests in a row were read: {answers[-1].describe()}"


@requirement("STRUCT-LIMIT-OTHERS-UNAFFECTED")
@intrusive("burst")
def test_discovery_is_served_while_registration_is_limited(endpoint: Endpoint):
    """While registration is limited, the server's metadata can be read."""
    urls = [answer.url for answer in endpoint.target.documents.values() if answer.status == 200]
    if not urls:
        inapplicable("the server publishes no metadata")
    Spray.of(endpoint).enter()

    answer = endpoint.send("GET", urls[0])

    assert answer.status == 200, f"{urls[0]} was answered {answer.describe()}"


@requirement("STRUCT-LIMIT-OTHERS-UNAFFECTED")
@needs("token_endpoint")
@intrusive("burst")
def test_token_requests_are_served_while_registration_is_limited(endpoint: Endpoint):
    """While registration is limited, the token endpoint answers on the merits of the request."""
    client = endpoint.client()
    Spray.of(endpoint).enter()

    answer = endpoint.token(client, grant_type="authorization_code", code="dcrcheck-no-such-code",
                            code_verifier="v" * 43, redirect_uri=client.redirect_uri)

    assert answer.status in (400, 401), f"a bad code was answered {answer.describe()}"


@requirement("STRUCT-LIMIT-OTHERS-UNAFFECTED")
@needs("authorization_endpoint")
@intrusive("burst")
def test_authorization_requests_are_served_while_registration_is_limited(endpoint: Endpoint):
    """While registration is limited, an authorization request is answered."""
    client = endpoint.client()
    Spray.of(endpoint).enter()

    answer = endpoint.authorize(client)

    assert answer.status != 429 and not answer.broke_down, f"it was answered {answer.describe()}"


@requirement("HARD-LIMIT-FAIR")
@intrusive("burst")
def test_other_sources_register_while_one_is_limited(endpoint: Endpoint):
    """While registrations of one source are limited, another source registers."""
    answers = Spray.of(endpoint).from_elsewhere()

    assert not all(map(is_limited, answers)), (f"{len(answers)} other sources were turned away with it: "
                                               f"{answers[-1].describe()}")


@requirement("HARD-NO-EVICTION")
@needs("management")
@intrusive("burst")
def test_a_spray_drives_no_client_out(endpoint: Endpoint):
    """After a spray the client that was registered before it is still there."""
    spray = Spray.of(endpoint)
    newest = next((answer.registered for answer in reversed(spray.answers) if answer.registered), None)
    if newest is None or endpoint.read(newest).status != 200:
        inconclusive("a client of the spray itself cannot be read")

    answer = endpoint.read(spray.earlier)

    assert answer.status not in (401, 403, 404, 410), (f"after {spray.accepted} registrations the client before them "
                                                       f"was answered {answer.describe()}")


@requirement("HARD-GROWTH")
@observes("RFC7591-3-05")
@intrusive("burst")
def test_registration_does_not_slow_down_as_clients_grow_in_number(endpoint: Endpoint):
    """The last registrations of a spray take about as long as the first."""
    spray = Spray.of(endpoint)
    endpoint.observe("RFC7591-3-05", spray.describe())

    slower = spray.slows_down

    first, last = spray.pace
    assert not slower, f"within {spray.accepted} clients from {first * 1000:.1f} ms to {last * 1000:.1f} ms each"


@requirement("STRUCT-LIMIT-RECOVERS")
@intrusive("burst")
def test_registration_recovers_when_the_limit_said_it_would(endpoint: Endpoint):
    """After the time that Retry-After names, registration works again."""
    wait = promised_wait(Spray.of(endpoint).enter())
    if wait is None:
        inapplicable("the limit does not say when to come back")
    if wait > PATIENCE_S:
        inconclusive(f"the limit asks for {wait:.0f} s; a run waits {PATIENCE_S:.0f} s at most")

    time.sleep(wait + 0.1)
    answer = endpoint.submit(control=False, paced=False)

    assert not is_limited(answer), f"{wait:.0f} s later it was still answered {answer.describe()}"
    assert answer.client is not None, f"{wait:.0f} s later it was answered {answer.describe()}"
