"""Where the owner says that registration is closed: nothing advertised, nothing hidden, nobody registers (CWE-306)."""

from urllib.parse import urlsplit

import pytest

from dcrcheck import Answer, Endpoint, Target, inapplicable, inconclusive, needs, origin, requirement

# where products put the endpoint; each is tried under the issuer, at the root and beside the other endpoints
USUAL = ("register", "registration", "reg", "clients", "connect/register", "connect/dcr", "oauth/register",
         "oauth/clients/register", "oauth2/register", "oauth2/registration", "oauth2/v1/clients", "oauth/v2/register",
         "oidc/register", "api/auth/oauth2/register", "clients-registrations/openid-connect",
         "clients-registrations/default")
# RFC 7591, section 3.2.2
ERRORS = ("invalid_redirect_uri", "invalid_client_metadata", "invalid_software_statement",
          "unapproved_software_statement")
STRANGERS = {"no-token": None, "unknown-token": "Bearer dcrcheck-unknown-token", "empty-token": "Bearer",
             "basic": "Basic ZGNyY2hlY2s6ZGNyY2hlY2s="}


def addresses(target: Target, path: str) -> list[str]:
    """The URLs that a usual path stands for, without the one that the metadata names."""
    issuer = target.issuer.rstrip("/")
    bases = [issuer, origin(issuer)]
    for name in ("token_endpoint", "authorization_endpoint"):
        if (url := target.endpoint(name)) is not None and "/" not in path:
            bases.append(origin(url) + urlsplit(url).path.rpartition("/")[0])
    found = dict.fromkeys(f"{base}/{path}" for base in bases)
    return [url for url in found if url != target.endpoint("registration_endpoint")]


def settled(answer: Answer) -> Answer:
    """The answer, if it tells whether anything is there."""
    if answer.status in (0, 408, 429) or (answer.status >= 500 and answer.status != 501):
        inconclusive(f"{answer.url} does not tell: {answer.describe()}")
    return answer


def is_alive(answer: Answer) -> bool:
    """Whether something at this address read the request as a registration."""
    return answer.registered is not None or (answer.status == 400 and answer.error in ERRORS)


@requirement("STRUCT-CLOSED-UNLISTED")
@needs("closed")
def test_a_closed_registration_is_not_advertised(endpoint: Endpoint, target: Target):
    """The metadata names no registration_endpoint, or one that asks strangers for authorization."""
    url = target.endpoint("registration_endpoint")
    if url is None:
        return
    answer = settled(endpoint.knock(url, endpoint.document()))

    assert answer.status in (401, 403), f"registration_endpoint is {url}; a registration got {answer.describe()}"


@requirement("HARD-HIDDEN-REGISTRATION")
@needs("closed")
@pytest.mark.parametrize("path", USUAL)
def test_no_registration_endpoint_is_hidden(endpoint: Endpoint, target: Target, path: str):
    """No address where registration endpoints usually stand reads an empty document as a registration."""
    answers = [settled(endpoint.knock(url, {})) for url in addresses(target, path)]
    if not answers:
        inapplicable("the metadata names this address")
    alive = [f"{answer.url} answers {answer.describe()}" for answer in answers if is_alive(answer)]

    assert not alive, "; ".join(alive)


@requirement("HARD-CLOSED-REGISTRATION")
@needs("closed")
@pytest.mark.parametrize("authorization", STRANGERS.values(), ids=STRANGERS)
def test_nobody_registers_where_registration_is_closed(endpoint: Endpoint, target: Target, authorization: str | None):
    """A well-formed registration by a stranger is accepted at none of the addresses, listed or usual."""
    listed = target.endpoint("registration_endpoint")
    urls = dict.fromkeys([*([listed] if listed else []), *(url for path in USUAL for url in addresses(target, path))])
    answers = [settled(endpoint.knock(url, endpoint.document(), authorization=authorization)) for url in urls]
    accepted = [f"{answer.url} answers {answer.describe()}" for answer in answers if answer.registered is not None]

    assert not accepted, "; ".join(accepted)
