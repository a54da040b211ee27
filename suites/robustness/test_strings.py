"""Strings that parsers, stores, headers and templates have stumbled over (CWE-176, CWE-113, CWE-74)."""

from urllib.parse import urlencode

import pytest

from dcrcheck import Endpoint, Session, inapplicable, inconclusive, is_received, needs, origin, requirement

STRANGE = {
    "lone-high-surrogate": "\ud800",
    "swapped-surrogates": "\udc00\ud800",
    "nul": "\x00",
    "nul-inside": "name\x00more",
    "noncharacter": "\ufffe\uffff",
    "beyond-bmp": "\U0001f4a9",
    "combining": "e" + "\u0301" * 100,
    "controls": "\x01\x07\x08\x1b[31m\x7f",
    "composed": "\u00e9\u212b\ufb01",
}

CASES = [*(("client_name", text) for text in STRANGE),
         *((member, text) for member in ("software_id", "dcrcheck_unknown") for text in ("lone-high-surrogate", "nul"))]

LINES = "dcrcheck\r\nX-Dcr-Injected: 1\r\nSet-Cookie: dcr-injected=1"

# what each means something to, and 1337 * 1337 for whoever calculates
LOADED = {
    "sql-quote": "' OR '",
    "sql-backslash": "x\\",
    "ldap-filter": "*)(a=b",
    "nosql-operator": "$where",
    "template-braces": "{{1337*1337}}",
    "template-dollar": "${1337*1337}",
    "template-erb": "<%= 1337*1337 %>",
    "python-format": "{0.__class__}{}{x}",
    "path": "../../../dcrcheck",
}
# what was sent, and what an interpreter makes of it
ESCAPES = {
    "doubled-quote": ("''", "'"), "doubled-percent": ("%%", "%"), "doubled-backslash": ("\\\\", "\\"),
    "doubled-brace": ("{{{{", "{{"), "percent": ("%27", "'"), "ldap": ("\\2a", "*"), "entity": ("&#39;", "'"),
    "unicode": ("\\u0027", "'"),
}
EVALUATED = ("1787569", "<class '")


@requirement("HARD-UNICODE", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@pytest.mark.parametrize(("member", "text"), CASES, ids=["-".join(case) for case in CASES])
def test_strange_text_does_not_break_the_server(endpoint: Endpoint, member: str, text: str):
    """Strings with surrogates, NUL, control and special characters are refused or registered in good order."""
    answer = endpoint.submit(**{member: f"dcrcheck {STRANGE[text]}"})

    assert not answer.broke_down, f"{member} {STRANGE[text]!a} was answered {answer.describe()}"


@requirement("HARD-UNICODE", "RFC7592-3-03")
@needs("management")
@pytest.mark.parametrize("text", ["beyond-bmp", "combining", "composed"])
def test_strange_text_is_read_back_as_it_was_registered(endpoint: Endpoint, text: str):
    """A name with special characters is refused, or read back exactly as the registration said it was stored."""
    client = endpoint.submit(client_name=f"dcrcheck {STRANGE[text]}").client
    if client is None or "client_name" not in client:
        inapplicable("the server does not register such a name")

    answer = endpoint.read(client)

    stored = answer.json.get("client_name") if isinstance(answer.json, dict) else None
    assert stored == client["client_name"], f"{client['client_name']!a} was read back as {stored!a}"


@requirement("HARD-UNICODE", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@pytest.mark.parametrize("text", ["lone-high-surrogate", "nul"])
def test_strange_member_names_do_not_break_the_server(endpoint: Endpoint, text: str):
    """Member names with surrogates, NUL and control characters are refused or ignored in good order."""
    answer = endpoint.submit(**{f"dcrcheck {STRANGE[text]}": "x", f"client_name#{STRANGE[text]}": "x"})

    assert not answer.broke_down, f"{STRANGE[text]!a} as a name was answered {answer.describe()}"


@requirement("HARD-UNICODE", "HARD-REDIRECT-MATCH")
@needs("authorization_endpoint")
@pytest.mark.parametrize(("registered", "requested"), [
    ("https://client.example/caf%C3%A9", "https://client.example/cafe%CC%81"),
    ("https://client.example/cb", "https://client.example/%63b"),
], ids=["composed-decomposed", "encoded-letter"])
def test_redirect_uris_that_only_normalise_alike_do_not_match(endpoint: Endpoint, session: Session | None,
                                                              registered: str, requested: str):
    """A redirect URI matches character by character, without Unicode or percent-encoding normalisation."""
    client = endpoint.client(redirect_uris=[registered])
    if client.redirect_uris != [registered]:
        inapplicable("the server does not register this URI as it stands")

    received = is_received(endpoint, session, client, requested)

    assert not received, f"{requested} was taken for {registered}"


# -- headers ----------------------------------------------------------------------------------------------------------


@requirement("HARD-HEADER-INJECTION", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@pytest.mark.parametrize("member", ["client_name", "redirect_uris", "scope", "grant_types",
                                    "token_endpoint_auth_method"])
def test_line_breaks_in_metadata_reach_no_header(endpoint: Endpoint, member: str):
    """Line breaks in metadata do not reach the header section of the answer."""
    text = f"https://client.example/{LINES}" if member.endswith(("_uri", "_uris")) else LINES

    answer = endpoint.submit(**{member: [text] if member in ("redirect_uris", "grant_types") else text})

    assert not answer.broke_down, f"the server answered {answer.describe()}"
    assert is_whole(answer.headers), "the answer has a header of ours"


@requirement("HARD-HEADER-INJECTION", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@needs("authorization_endpoint")
@pytest.mark.parametrize("parameter", ["state", "redirect_uri", "scope", "client_id"])
def test_line_breaks_in_parameters_reach_no_header(endpoint: Endpoint, parameter: str):
    """Line breaks in an authorization request do not reach the header section of the answer."""
    client = endpoint.client()
    text = f"{client.redirect_uri}{LINES}" if parameter == "redirect_uri" else LINES

    answer = endpoint.authorize(client, **{parameter: text})

    assert not answer.broke_down, f"the server answered {answer.describe()}"
    assert is_whole(answer.headers), "the answer has a header of ours"


@requirement("HARD-HEADER-INJECTION")
@needs("session")
@pytest.mark.parametrize("encoded", ["x=%0d%0aX-Dcr-Injected:%201", "x=%00"], ids=["line-break", "nul"])
def test_encoded_line_breaks_in_a_redirect_uri_stay_encoded(endpoint: Endpoint, session: Session, encoded: str):
    """Percent-encoded line breaks and NULs in a registered redirect URI are not decoded into the header section."""
    client = endpoint.submit(redirect_uris=[f"https://client.example/cb?{encoded}"]).client
    if client is None or not client.redirect_uris:
        inapplicable("the server does not register such a redirect URI")

    authorization = session.authorize(client, decision="deny")

    assert is_whole(authorization.answer.headers), "the answer has a header of ours"
    assert "\x00" not in (authorization.location or ""), "the answer leads to an address with a NUL in it"


def is_whole(headers) -> bool:
    """Whether nothing that was sent in as a value has become a header of its own."""
    return "x-dcr-injected" not in headers and not any(
        cookie.startswith("dcr-injected") for cookie in headers.get_list("set-cookie"))


# -- interpreters -----------------------------------------------------------------------------------------------------


@requirement("HARD-METADATA-INERT", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@pytest.mark.parametrize("text", LOADED)
def test_metadata_is_never_interpreted(endpoint: Endpoint, text: str):
    """Text that means something to a query, directory or template language is refused or stored as text."""
    answer = endpoint.submit(client_name=f"dcrcheck {LOADED[text]}", software_id=LOADED[text])

    assert not answer.broke_down, f"{LOADED[text]!r} was answered {answer.describe()}"
    assert not any(result in answer.text for result in EVALUATED), f"{LOADED[text]!r} was evaluated"


@requirement("HARD-METADATA-INERT")
@pytest.mark.parametrize("escape", ESCAPES)
def test_an_escape_in_metadata_is_not_undone(endpoint: Endpoint, escape: str):
    """Text that some language reads as an escape is refused, or stored with the escape as it was sent."""
    sent, undone = ESCAPES[escape]
    name, software_id = endpoint.unique(), endpoint.unique()
    answer = endpoint.submit(client_name=f"{name}{sent}o", software_id=f"{software_id}{sent}o")

    read = [member for member, start in (("client_name", name), ("software_id", software_id))
            if answer.stored(member) == f"{start}{undone}o"]
    assert not read, f"of {sent!r} in {' and '.join(read)} became {undone!r}"


@requirement("HARD-METADATA-INERT", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@pytest.mark.parametrize("text", ["sql-quote", "sql-backslash", "ldap-filter"])
def test_a_name_that_is_looked_up_is_never_interpreted(endpoint: Endpoint, text: str):
    """Where the server answers WebFinger, a resource that means something to a query language is an unknown one."""
    url = f"{origin(endpoint.target.issuer)}/.well-known/webfinger"

    plain, loaded = (endpoint.send("GET", f"{url}?{urlencode({'resource': f'acct:{name}@client.example'})}")
                     for name in ("dcrcheck-unknown", LOADED[text]))

    if plain.status == 404 and loaded.status == 404 and not plain.is_json:
        inapplicable("the server does not answer WebFinger")
    if plain.broke_down:
        inconclusive(f"an ordinary request was answered {plain.describe()}")
    assert not loaded.broke_down, f"{LOADED[text]!r} was answered {loaded.describe()}, another {plain.describe()}"


@requirement("HARD-METADATA-INERT", "HARD-NO-SERVER-ERROR", "STRUCT-NO-SERVER-ERROR")
@needs("authorization_endpoint")
@pytest.mark.parametrize("text", LOADED)
def test_a_client_id_is_never_interpreted(endpoint: Endpoint, text: str):
    """An unknown client_id that means something to a query language is answered as any unknown one."""
    client = endpoint.client()

    loaded = endpoint.authorize(client, client_id=LOADED[text])
    plain = endpoint.authorize(client, client_id="dcrcheck-unknown")

    assert not loaded.broke_down, f"{LOADED[text]!r} was answered {loaded.describe()}"
    assert endpoint.destination(client, loaded) == endpoint.destination(client, plain), (
        f"{LOADED[text]!r} was answered {loaded.describe()}, an ordinary unknown one {plain.describe()}")
