"""What opens the client configuration endpoint, and how it turns everything else away (RFC 7592, section 2)."""

from __future__ import annotations

import base64
import re
import secrets

import pytest

from dcrcheck import Answer, Client, Endpoint, Secret, inapplicable, needs, requirement

methods = pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])


def altered(token: str | None) -> Secret:
    """A token of the same shape that differs in one character, far from its ends, where no encoding has slack."""
    token = token or secrets.token_urlsafe(32)
    middle = len(token) // 2
    return Secret(token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1:])


def shows(answer: Answer, client: Client) -> bool:
    """Whether an answer tells anything of a client that its requester did not bring."""
    told = answer.json if isinstance(answer.json, dict) else {}
    known = [client.get("client_name"), client.secret, client.registration_access_token]
    return "redirect_uris" in told or any(isinstance(value, str) and value in answer.text for value in known)


def credentials(client: Client) -> dict[str, Secret | None]:
    """Authorization headers that must not open the client's configuration, by what they present."""
    token = client.registration_access_token or ""
    basic = base64.b64encode(f"{client.client_id}:{client.secret or ''}".encode()).decode()
    headers = {"an empty token": "Bearer", "another token": f"Bearer {secrets.token_urlsafe(32)}",
               "an altered token": f"Bearer {altered(token)}", "half the token": f"Bearer {token[:len(token) // 2]}",
               "the client_id": f"Bearer {client.client_id}", "Basic client credentials": f"Basic {basic}"}
    return {"nothing": None, **{name: Secret(value) for name, value in headers.items()}}


@pytest.mark.parametrize("credential", [
    "nothing", "an empty token", "another token", "an altered token", "half the token", "the client_id",
    "Basic client credentials"])
@needs("management")
@requirement("RFC7592-2-01", "HARD-CROSS-CLIENT")
def test_nothing_but_the_token_opens_the_configuration(endpoint: Endpoint, credential: str):
    """The client configuration endpoint shows nothing of a client without its registration access token."""
    methods = endpoint.policy.confidential_methods
    client = endpoint.client(token_endpoint_auth_method=methods[0]) if methods else endpoint.client()
    presented = credentials(client)[credential]
    endpoint.record(client)

    answer = endpoint.manage(client, token=None, headers={"authorization": presented})

    assert not shows(answer, client), f"with {credential} the read was answered {answer.describe()}"


@pytest.mark.parametrize("credential", ["nothing", "another token", "an altered token"])
@needs("management")
@requirement("RFC7592-2.1-04", "OIDCR-4.4-02")
def test_a_read_with_a_bad_token_is_401(endpoint: Endpoint, credential: str):
    """A read without the client's valid token is answered with 401."""
    client = endpoint.client()
    token = {"another token": secrets.token_urlsafe(32),
             "an altered token": altered(client.registration_access_token)}.get(credential)

    answer = endpoint.manage(client, token=token)

    assert answer.status == 401, f"with {credential} the read was answered {answer.describe()}"


@pytest.mark.parametrize("credential", ["nothing", "another token", "an altered token"])
@needs("management")
@requirement("RFC7592-2.2-14", "RFC7592-2.2-01")
def test_an_update_with_a_bad_token_is_401(endpoint: Endpoint, credential: str):
    """An update without the client's valid token is answered with 401."""
    client = endpoint.client(purpose="to be updated by strangers")

    answer = update_by_stranger(endpoint, client, credential, endpoint.unique("dcrcheck stranger"))

    assert answer.status == 401, f"with {credential} the update was answered {answer.describe()}"


@pytest.mark.parametrize("credential", ["nothing", "another token", "an altered token"])
@needs("management")
@requirement("RFC7592-2-01", "HARD-CROSS-CLIENT")
def test_an_update_with_a_bad_token_changes_nothing(endpoint: Endpoint, credential: str):
    """An update without the client's valid token leaves the client as it is."""
    client = endpoint.client(purpose="to be updated by strangers")
    name = endpoint.unique("dcrcheck stranger")

    answer = update_by_stranger(endpoint, client, credential, name)

    assert keeps_out(endpoint, client, name), f"with {credential} it was carried out ({answer.describe()})"


def update_by_stranger(endpoint: Endpoint, client: Client, credential: str, name: str) -> Answer:
    """An update that gives the client a name, without its valid token.

    Raises:
        Inconclusive: the server does not carry out the client's own update either.
    """
    endpoint.revise(client)
    endpoint.record(client)
    token = {"another token": secrets.token_urlsafe(32),
             "an altered token": altered(client.registration_access_token)}.get(credential)
    return endpoint.manage(client, "PUT", token=token, json=endpoint.revision(client, client_name=name))


@pytest.mark.parametrize("credential", ["nothing", "another token", "an altered token"])
@needs("management")
@requirement("RFC7592-2.3-07")
def test_a_deletion_with_a_bad_token_is_401(endpoint: Endpoint, credential: str):
    """A deletion without the client's valid token is answered with 401."""
    answer = delete_by_stranger(endpoint, endpoint.register(), credential)

    assert answer.status == 401, f"with {credential} the deletion was answered {answer.describe()}"


@pytest.mark.parametrize("credential", ["nothing", "another token", "an altered token"])
@needs("management")
@requirement("RFC7592-2-01", "HARD-CROSS-CLIENT")
def test_a_deletion_with_a_bad_token_deletes_nothing(endpoint: Endpoint, credential: str):
    """A deletion without the client's valid token leaves the client where it is."""
    client = endpoint.register()

    delete_by_stranger(endpoint, client, credential)

    assert 200 <= endpoint.read(client).status < 300, f"with {credential} the client was deleted"


def delete_by_stranger(endpoint: Endpoint, client: Client, credential: str) -> Answer:
    """A deletion without the client's valid token.

    Raises:
        Inapplicable: the server deletes no clients.
    """
    endpoint.record(client)
    token = {"another token": secrets.token_urlsafe(32),
             "an altered token": altered(client.registration_access_token)}.get(credential)
    answer = endpoint.manage(client, "DELETE", token=token)
    if answer.status in (405, 501):
        inapplicable("the server offers no deletion of clients")
    return answer


def keeps_out(endpoint: Endpoint, client: Client, name: str) -> bool:
    """Whether a client is still there, under its own token, and does not bear the name that an update brought."""
    answer = endpoint.read(client)
    return 200 <= answer.status < 300 and isinstance(answer.json, dict) and answer.json.get("client_name") != name


# -- challenges -----------------------------------------------------------------------------------------------------


PLAIN = ("scope", "error", "error_description", "error_uri")


def challenge(endpoint: Endpoint, method: str, token: str | None) -> tuple[str, Answer]:
    """The challenge to a request with a bad token, or with none; no such request changes anything."""
    client = endpoint.client() if method == "GET" else endpoint.register()
    answer = endpoint.manage(client, method, token=token,
                             **({"json": endpoint.revision(client)} if method == "PUT" else {}))
    if answer.status in (405, 501):
        inapplicable(f"the server offers no {method} of clients")
    return answer.headers.get("www-authenticate", ""), answer


def parameters(text: str) -> list[tuple[str, str]]:
    """The parameters of the Bearer challenge in a WWW-Authenticate header, in their order."""
    start = re.search(r"(?:^|,)\s*bearer(?:\s+|$)", text, re.I)
    pairs = []
    place = start.end() if start else len(text)
    while found := re.compile(r'\s*,?\s*([\w!#$%&\'*+.^`|~-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]+)').match(text, place):
        pairs.append((found[1].lower(), found[2].strip('"')))
        place = found.end()
    return pairs


@methods
@needs("management")
@requirement("RFC7592-2.1-04", "RFC7592-2.2-14", "RFC7592-2.3-07", "RFC6750-3-01", "RFC9110-15.5.2-01", "OIDCR-4.4-01")
def test_a_bad_token_is_challenged(endpoint: Endpoint, method: str):
    """A request with a token that is not valid is answered with a Bearer challenge in WWW-Authenticate."""
    told, answer = challenge(endpoint, method, secrets.token_urlsafe(32))

    assert re.search(r"(^|,)\s*bearer\b", told, re.I), f"{answer.describe()} has WWW-Authenticate {told!r}"


@needs("management")
@requirement("RFC6750-3-01", "RFC9110-15.5.2-01")
def test_a_missing_token_is_challenged(endpoint: Endpoint):
    """A request without a token is answered with a Bearer challenge in WWW-Authenticate."""
    told, answer = challenge(endpoint, "GET", None)

    assert re.search(r"(^|,)\s*bearer\b", told, re.I), f"{answer.describe()} has WWW-Authenticate {told!r}"


@pytest.mark.parametrize("token", [pytest.param(None, id="no token"), pytest.param("dcrcheck-bad", id="a bad token")])
@needs("management")
@requirement("RFC6750-3-02", "OAUTH21-5.3.1-02")
def test_a_challenge_has_a_parameter(endpoint: Endpoint, token: str | None):
    """A Bearer challenge of the client configuration endpoint has at least one parameter."""
    told, _ = challenge(endpoint, "GET", token)
    if "bearer" not in told.lower():
        inapplicable("there is no Bearer challenge")

    assert parameters(told), f"the challenge is {told!r}"


@needs("management")
@requirement("RFC6750-3-03", "OAUTH21-5.3.1-03")
def test_a_challenge_repeats_no_parameter(endpoint: Endpoint):
    """No parameter of a Bearer challenge occurs twice."""
    told, _ = challenge(endpoint, "GET", secrets.token_urlsafe(32))
    if "bearer" not in told.lower():
        inapplicable("there is no Bearer challenge")

    names = [name for name, _ in parameters(told)]

    assert len(names) == len(set(names)), f"the challenge is {told!r}"


@pytest.mark.parametrize("token", [pytest.param(None, id="no token"), pytest.param("dcrcheck-bad", id="a bad token"),
                                   pytest.param("dcrcheck\u00fc", id="a token outside ASCII")])
@needs("management")
@requirement("RFC6750-3-05")
def test_a_challenge_keeps_to_its_characters(endpoint: Endpoint, token: str | None):
    """scope, error, error_description and error_uri of a challenge are printable ASCII without quote and backslash."""
    told, _ = challenge(endpoint, "GET", token)
    if "bearer" not in told.lower():
        inapplicable("there is no Bearer challenge")

    beyond = {name: value for name, value in parameters(told)
              if name in PLAIN and not re.fullmatch(r"[\x20\x21\x23-\x5b\x5d-\x7e]*", value)}
    assert not beyond, f"the challenge has {beyond!r}"


@needs("management")
@requirement("RFC6750-3-04", "OAUTH21-5.3.1-04")
def test_the_challenge_to_a_bad_token_names_the_error(endpoint: Endpoint):
    """The challenge to a token that is not valid holds error="invalid_token"."""
    told, _ = challenge(endpoint, "GET", secrets.token_urlsafe(32))
    if "bearer" not in told.lower():
        inapplicable("there is no Bearer challenge")

    assert ("error", "invalid_token") in parameters(told), f"the challenge is {told!r}"


@needs("management")
@requirement("RFC6750-3.1-02")
def test_the_challenge_to_a_missing_token_names_no_error(endpoint: Endpoint):
    """The challenge to a request without a token holds no error parameter."""
    told, _ = challenge(endpoint, "GET", None)
    if "bearer" not in told.lower():
        inapplicable("there is no Bearer challenge")

    assert "error" not in dict(parameters(told)), f"the challenge is {told!r}"


# -- methods --------------------------------------------------------------------------------------------------------


def unsupported(endpoint: Endpoint, method: str) -> Answer:
    """The answer to a method that RFC 7592 does not define, with a valid token."""
    client = endpoint.client()
    if method == "POST" and client.registration_client_uri == endpoint.registration_url:
        inapplicable("the registration endpoint serves as configuration URL: POST registers there")
    answer = endpoint.manage(client, method, json={})
    if 200 <= answer.status < 300:
        inapplicable(f"the server supports {method} here")
    return answer


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@needs("management")
@requirement("RFC7592-2-03")
def test_an_unsupported_method_is_405(endpoint: Endpoint, method: str):
    """A method that the client configuration endpoint does not support is answered with 405 (or 501)."""
    answer = unsupported(endpoint, method)

    assert answer.status in (405, 501), f"{method} was answered {answer.describe()}"


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@needs("management")
@requirement("RFC9110-15.5.6-01")
def test_a_405_lists_the_allowed_methods(endpoint: Endpoint, method: str):
    """A 405 of the client configuration endpoint has an Allow header, in which the refused method is missing."""
    answer = unsupported(endpoint, method)
    if answer.status != 405:
        inapplicable(f"{method} was answered {answer.describe()}, not 405")

    allowed = answer.headers.get("allow")

    assert allowed is not None, "there is no Allow header"
    assert method not in [word.strip().upper() for word in allowed.split(",")], f"Allow is {allowed!r}"


@pytest.mark.parametrize("override", [
    "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method in the query"])
@pytest.mark.parametrize("credential", ["with the token", "without a token"])
@needs("management")
@requirement("HARD-METHOD-OVERRIDE")
def test_a_method_override_deletes_nothing(endpoint: Endpoint, override: str, credential: str):
    """A POST that asks by header or parameter to be read as DELETE deletes nothing."""
    client = endpoint.client(purpose="to be deleted by override")
    endpoint.record(client)
    uri, token = client.registration_client_uri or "", client.registration_access_token
    query = f"{uri}{'&' if '?' in uri else '?'}_method=DELETE" if override.startswith("_") else uri
    headers = {} if override.startswith("_") else {override: "DELETE"}

    answer = endpoint.manage(client, "POST", url=query, headers=headers,
                             token=token if credential == "with the token" else None)

    after = endpoint.read(client)
    assert 200 <= after.status < 300, f"the POST was answered {answer.describe()} and the client is gone"
