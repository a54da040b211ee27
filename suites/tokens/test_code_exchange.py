"""An authorization code is good for one exchange, by the client that it was issued to (RFC 9700, section 4.2.4)."""

from urllib.parse import urlencode

import pytest

from dcrcheck import OMIT, Endpoint, Session, at_once, inapplicable, inconclusive, needs, requirement


@needs("session", "token_endpoint")
@requirement("HARD-CODE-REPLAY", "RFC9700-4.2.4-02", "OAUTH21-4.1.3-01", "OAUTH21-4.1.3-02")
def test_a_code_is_redeemed_once(endpoint: Endpoint, session: Session):
    """A code that was redeemed yields no further tokens."""
    authorization = session.authorize(endpoint.client())
    first = endpoint.redeem(authorization).tokens
    if first is None:
        inconclusive("the code yields no tokens the first time")

    again = endpoint.redeem(authorization).tokens

    # a server may answer a repeated request with what it answered before; there is still one set of tokens
    same = again is not None and again["access_token"] == first["access_token"]
    assert again is None or same, "the server issued a second set of tokens for the same code"


@needs("session", "token_endpoint")
@requirement("HARD-CODE-REPLAY", "RFC9700-4.2.4-02", "OAUTH21-4.1.3-01")
def test_a_code_is_redeemed_by_one_of_several_requests(endpoint: Endpoint, session: Session):
    """Of several requests that bring the same code at the same moment, one yields tokens at most."""
    session.tokens()
    authorization = session.authorize(endpoint.client())

    answers = at_once(lambda: endpoint.redeem(authorization))

    issued = {answer.tokens["access_token"] for answer in answers if answer.status == 200 and answer.tokens}
    if not issued and any(answer.broke_down for answer in answers):
        inconclusive("the server breaks down when a code comes several times at once")
    assert len(issued) <= 1, f"{len(issued)} of {len(answers)} requests at once redeemed the same code"


@needs("session", "token_endpoint")
@requirement("RFC9700-4.2.4-03", "OAUTH21-4.1.3-03")
def test_replay_revokes_what_the_code_gave(endpoint: Endpoint, session: Session):
    """When a code is redeemed again, the tokens that it gave before stop working."""
    client = endpoint.client(**endpoint.refreshing)
    authorization = session.ask(client)
    issued = endpoint.redeem(authorization).tokens or {}
    if "refresh_token" not in issued:
        inapplicable("the server issues no refresh token: whether other tokens still work is its resources' affair")

    endpoint.redeem(authorization)

    after = endpoint.token(client, grant_type="refresh_token", refresh_token=issued["refresh_token"])
    assert after.tokens is None, "the refresh token still works after its code was used twice"


@needs("session", "token_endpoint")
@requirement("OAUTH21-7.5.3-01")
def test_a_replay_without_the_verifier_ends_nothing(endpoint: Endpoint, session: Session):
    """When a code is presented again with a wrong verifier, the tokens that it gave go on working."""
    client = endpoint.client(**endpoint.refreshing)
    authorization = session.ask(client)
    issued = endpoint.redeem(authorization).tokens or {}
    if "refresh_token" not in issued:
        inapplicable("the server issues no refresh token: whether other tokens still work is its resources' affair")
    control = endpoint.token(client, grant_type="refresh_token", refresh_token=issued["refresh_token"]).tokens
    if control is None:
        inconclusive("the refresh token does not work before the replay either")

    endpoint.redeem(authorization, code_verifier="d" * 43)

    newest = control.get("refresh_token", issued["refresh_token"])
    after = endpoint.token(client, grant_type="refresh_token", refresh_token=newest)
    assert after.tokens is not None, f"whoever knows the code alone ended the grant: {after.describe()}"


@needs("session", "token_endpoint")
@requirement("OAUTH21-10.2-01")
def test_a_code_is_redeemed_without_its_redirect_uri(endpoint: Endpoint, session: Session):
    """A token request without redirect_uri redeems a code that was requested with one."""
    session.tokens()
    authorization = session.authorize(endpoint.client())

    answer = endpoint.redeem(authorization, redirect_uri=OMIT)

    assert answer.tokens is not None, f"the server answered {answer.describe()}"


@needs("session", "token_endpoint")
@requirement("HARD-CODE-BINDING", "OAUTH21-4.1.3-04", "OAUTH21-4.1.2-03")
def test_a_code_belongs_to_one_client(endpoint: Endpoint, session: Session):
    """A code that was issued to one client is not redeemed by another, though it knows the verifier."""
    session.tokens()
    authorization = session.authorize(endpoint.client())
    other = endpoint.client(purpose="another client")
    if other.client_id == authorization.client.client_id:
        inapplicable("the server takes registrations that are alike for one client")

    answer = endpoint.redeem(authorization, by=other)

    assert answer.tokens is None, "the server issued tokens to a client that the code was not issued to"


@needs("session", "token_endpoint")
@requirement("OAUTH21-3.2-05")
@pytest.mark.parametrize("parameter", ["grant_type", "code", "code_verifier"])
def test_a_repeated_parameter_yields_no_tokens(endpoint: Endpoint, session: Session, parameter: str):
    """A token request in which a parameter occurs twice is refused."""
    session.tokens()
    authorization = session.authorize(endpoint.client())
    right = {"grant_type": "authorization_code", "code": authorization.code, "code_verifier": authorization.verifier}

    answer = endpoint.redeem(authorization, **{parameter: [right[parameter], right[parameter]]})

    assert answer.tokens is None, f"the server issued tokens for a request with two values of {parameter}"


@needs("session", "token_endpoint")
@requirement("OAUTH21-3.2-02")
def test_tokens_are_not_issued_to_a_get(endpoint: Endpoint, session: Session):
    """A token request that is sent with GET is refused."""
    session.tokens()
    authorization = session.authorize(endpoint.client())
    query = urlencode({"grant_type": "authorization_code", "client_id": authorization.client.client_id,
                       "code": authorization.code or "", "code_verifier": authorization.verifier,
                       "redirect_uri": authorization.redirect_uri})

    answer = endpoint.send("GET", f"{endpoint.target.endpoint('token_endpoint')}?{query}")

    assert answer.tokens is None, "the server issued tokens to a GET request"
