"""What a resource tells a client that comes without a good token (MCP authorization; RFC 9728, section 5)."""

import json
import re

import pytest

from dcrcheck import Answer, Endpoint, Session, Target, inapplicable, inconclusive, needs, origin, requirement

PING = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()
PARAMETER = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
STRANGER = "dcrcheck-token-of-nobody"
# what says that the request, not its authorization, is what the resource does not take
NOT_TAKEN = (400, 404, 405, 406, 415)


def ask(endpoint: Endpoint, target: Target, token: str | None = None) -> Answer:
    """A JSON-RPC ping at the resource, or a GET where it takes no POST.

    Raises:
        Inconclusive: the resource is too busy, or fails.
    """
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json",
               **({"authorization": f"Bearer {token}"} if token else {})}
    for method, content in (("POST", PING), ("GET", b"")):
        answer = endpoint.send(method, str(target.resource), content=content, headers=headers)
        if answer.status == 429 or answer.broke_down:
            inconclusive(f"the protected resource does not tell: {answer.describe()}")
        if answer.status not in (405, 406, 415):
            break
    return answer


def refused(endpoint: Endpoint, target: Target) -> Answer:
    """The 401 to a request without a token.

    Raises:
        Inapplicable: there is none.
    """
    answer = ask(endpoint, target)
    if answer.status != 401:
        inapplicable(f"the resource does not answer 401 to a request without a token ({answer.describe()})")
    return answer


def parameters(answer: Answer) -> dict[str, str]:
    """The parameters of the challenges of an answer."""
    header = ", ".join(answer.headers.get_list("www-authenticate"))
    return {name.lower(): quoted or bare for name, quoted, bare in PARAMETER.findall(header)}


@requirement("MCP-2025-03-26-FLOW-01", "MCP-2025-03-26-ERRORS-01")
@needs("resource")
def test_a_request_without_a_token_is_answered_401(endpoint: Endpoint, target: Target):
    """A request that lacks the authorization it needs is answered with 401."""
    answer = ask(endpoint, target)
    if 200 <= answer.status < 300 or answer.status in NOT_TAKEN:
        inapplicable(f"the request needs no authorization, or is not one that the resource takes: {answer.describe()}")

    assert answer.status == 401, f"the resource answered {answer.describe()}"


@requirement("MCP-2025-03-26-TOKENHANDLING-02", "MCP-2025-03-26-ERRORS-01")
@needs("resource")
def test_a_request_with_a_bad_token_is_answered_401(endpoint: Endpoint, target: Target):
    """A request with a token that the resource does not know is answered with 401."""
    without = ask(endpoint, target)
    if 200 <= without.status < 300 or without.status in NOT_TAKEN:
        inapplicable(f"the request needs no authorization: {without.describe()}")
    answer = ask(endpoint, target, STRANGER)

    assert answer.status == 401, f"the resource answered {answer.describe()}"


@requirement("MCP-2025-06-18-ASLOCATION-02")
@needs("resource")
def test_a_401_points_to_the_resource_metadata(endpoint: Endpoint, target: Target):
    """The 401 of the resource has a challenge with resource_metadata."""
    answer = refused(endpoint, target)
    found = parameters(answer)
    header = ", ".join(answer.headers.get_list("www-authenticate"))

    assert "resource_metadata" in found, f"WWW-Authenticate is {header!r}"


@requirement("MCP-2025-11-25-SCOPEHDR-01")
@needs("resource")
def test_a_401_names_the_scope(endpoint: Endpoint, target: Target):
    """The challenge of the resource names the scope that a client needs."""
    found = parameters(refused(endpoint, target))

    assert found.get("scope"), f"the parameters of the challenge are {found}"


@requirement("MCP-2025-11-25-SCOPEHDR-02")
@needs("resource")
def test_a_challenge_names_the_same_scope_again(endpoint: Endpoint, target: Target):
    """Two requests of the same kind are challenged for the same scope."""
    first, second = (parameters(refused(endpoint, target)).get("scope", "") for _ in range(2))
    if not first and not second:
        inapplicable("the challenge names no scope")

    assert {*first.split()} == {*second.split()}, f"first {first!r}, then {second!r}"


@requirement("MCP-2026-07-28-REFRESH-01")
@needs("resource")
@pytest.mark.parametrize("place", ["challenge", "metadata"])
def test_the_resource_does_not_ask_for_offline_access(endpoint: Endpoint, target: Target, place: str):
    """Neither the challenge nor the metadata of the resource names offline_access."""
    if place == "challenge":
        scopes = parameters(refused(endpoint, target)).get("scope", "").split()
    else:
        scopes = endpoint.published("oauth-protected-resource").json.get("scopes_supported") or []

    assert "offline_access" not in scopes, f"the {place} names {scopes}"


@requirement("MCP-2025-11-25-SCOPEERR-01", "MCP-2025-11-25-SCOPEERR-02", "MCP-2026-07-28-SCOPEERR-01")
@needs("session", "resource")
def test_a_token_with_too_little_scope_is_told_what_it_lacks(endpoint: Endpoint, session: Session, target: Target):
    """A token that lacks the scope is answered 403 insufficient_scope, with the scope and the resource metadata."""
    needed = {*parameters(refused(endpoint, target)).get("scope", "").split()}
    others = [scope for scope in endpoint.metadata.get("scopes_supported") or ()
              if scope not in needed and scope not in ("openid", "offline_access")]
    if not needed or not others:
        inapplicable("the server names no scope beyond those that the resource asks for")
    session.tokens()
    authorization = session.authorize(endpoint.client(scope=others[0]), scope=others[0])
    token = endpoint.redeem(authorization).tokens if authorization.code else None
    if token is None or needed <= {*str(token.get("scope", others[0])).split()}:
        inapplicable(f"no token was issued for {others[0]} alone")
    answer = ask(endpoint, target, token["access_token"])
    if 200 <= answer.status < 300 or answer.status in NOT_TAKEN:
        inapplicable(f"{others[0]} is enough for the request: {answer.describe()}")
    found = parameters(answer)

    assert answer.status == 403 and found.get("error") == "insufficient_scope", f"{answer.describe()}, {found}"
    assert needed <= {*found.get("scope", "").split()} and "resource_metadata" in found, f"the challenge has {found}"


@requirement("MCP-2025-06-18-CANONICAL-01")
@needs("session", "resource")
def test_a_resource_is_known_by_its_name_in_upper_case(endpoint: Endpoint, session: Session, target: Target):
    """A resource whose scheme and host are spelled in upper case is taken for the one that is meant."""
    session.tokens()
    scheme, _, rest = str(target.resource).partition("://")
    host, slash, path = rest.partition("/")
    spelled = f"{scheme.upper()}://{host.upper()}{slash}{path}"
    authorization = session.authorize(endpoint.client(), resource=spelled)
    answer = endpoint.redeem(authorization, resource=spelled) if authorization.code else None

    assert answer is not None and answer.tokens is not None, (
        f"for {spelled}: {authorization.describe() if answer is None else answer.describe()}")


@requirement("MCP-2025-06-18-CANONICAL-02")
@needs("resource")
def test_the_resource_is_named_without_a_last_slash(endpoint: Endpoint, target: Target):
    """resource in the metadata has no slash at its end, unless that slash makes it another resource."""
    stated = str(endpoint.published("oauth-protected-resource").json.get("resource", ""))
    own = stated.endswith("/") and stated.count("/") > 3 and origin(stated) in target.origins
    if own and endpoint.send("GET", stated.rstrip("/")).status == 404:
        inapplicable("without its slash the resource is not there")

    assert not stated.endswith("/"), f"resource is {stated!r}"
