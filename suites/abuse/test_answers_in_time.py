"""One request that takes its time, or sends the server elsewhere, keeps nobody waiting (CWE-400)."""

import pytest

from dcrcheck import Endpoint, intrusive, requirement

PROMPT_S = 8.0
SLOW = "https://slow.invalid/dcrcheck"
ELSEWHERE = {
    "jwks_uri": {"jwks_uri": SLOW},
    "sector_identifier_uri": {"sector_identifier_uri": SLOW},
    "pages": {"redirect_uris": ["https://slow.invalid/cb"], "client_uri": SLOW, "logo_uri": SLOW, "tos_uri": SLOW,
              "policy_uri": SLOW},
}


@requirement("HARD-SLOW-REQUEST")
@intrusive("burst")
def test_an_unfinished_request_keeps_nobody_waiting(endpoint: Endpoint):
    """While one registration has sent the beginning of its body and no more, another is answered."""
    endpoint.control()
    token = endpoint.initial_access_token
    with endpoint.transport.unfinished(endpoint.registration_url,
                                       {"authorization": f"Bearer {token}"} if token else {}):
        answer = endpoint.submit(control=False)

    assert answer.status and answer.elapsed_s < PROMPT_S, (
        f"beside an unfinished request another was answered {answer.describe()} after {answer.elapsed_s:.1f} s")


@requirement("HARD-INLINE-FETCH")
@intrusive("outbound")
@pytest.mark.parametrize("member", ELSEWHERE)
def test_a_registration_waits_for_no_other_server(endpoint: Endpoint, member: str):
    """A registration that names addresses of a host which never answers is itself answered promptly."""
    answer = endpoint.submit(**ELSEWHERE[member])

    assert answer.status and answer.elapsed_s < PROMPT_S, (
        f"with {member} at {SLOW} it was answered {answer.describe()} after {answer.elapsed_s:.1f} s")
