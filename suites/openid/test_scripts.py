"""Clients in the browser reach the endpoints of registration (OpenID Connect Registration, sections 3 and 4)."""

from __future__ import annotations

from dcrcheck import Answer, Endpoint, inconclusive, needs, requirement

ORIGIN = "https://client.example"


def asking(method: str, *headers: str) -> dict[str, str]:
    """The headers of a preflight request."""
    return {"origin": ORIGIN, "access-control-request-method": method,
            "access-control-request-headers": ",".join(headers)}


def allows(answer: Answer) -> bool:
    """Whether a script of the origin may go on.

    Raises:
        Inconclusive: the server does not tell.
    """
    if answer.broke_down or answer.status == 429:
        inconclusive(f"the preflight request was not answered: {answer.describe()}")
    return answer.headers.get("access-control-allow-origin") in ("*", ORIGIN)


@requirement("OIDCR-3-02")
def test_scripts_may_register(endpoint: Endpoint):
    """The registration endpoint lets scripts of other origins send it JSON (CORS)."""
    answer = endpoint.send("OPTIONS", endpoint.registration_url, headers=asking("POST", "content-type"))

    assert allows(answer), f"the preflight was answered {answer.describe()}, without Access-Control-Allow-Origin for it"


@requirement("OIDCR-4-01")
@needs("management")
def test_scripts_may_read_their_configuration(endpoint: Endpoint):
    """The client configuration endpoint lets scripts of other origins read with a token (CORS)."""
    answer = endpoint.manage(endpoint.client(), "OPTIONS", token=None, headers=asking("GET", "authorization"))

    assert allows(answer), f"the preflight was answered {answer.describe()}, without Access-Control-Allow-Origin for it"
