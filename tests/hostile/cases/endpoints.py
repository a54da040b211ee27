"""Metadata that points elsewhere: nothing is sent there unless the owner lists it."""

from __future__ import annotations

from tests.hostile.case import ANSI, BEFORE_LOGIN, KEYS, MARKUP, MIXED, REGISTERED, VERIFIER, Case
from tests.hostile.front import Reply
from tests.hostile.misbehaviour import having, saying

CASES = [
    Case(name="registration at another port", stage="metadata", exits=(4,),
         says=("names registration_endpoint at", "list it under [discovery] origins"),
         does=having(registration_endpoint="{canary}/register")),
    Case(name="registration at a link-local address", stage="metadata", exits=(4,),
         says=("names registration_endpoint at http://169.254.169.254/latest/meta-data/",),
         does=having(registration_endpoint="http://169.254.169.254/latest/meta-data/")),
    Case(name="registration at a private address", stage="metadata", exits=(4,), says=("another origin",),
         does=having(registration_endpoint="https://10.0.0.1/register")),
    Case(name="registration in a file", stage="metadata", exits=(4,), says=("another origin",),
         does=having(registration_endpoint="file:///etc/passwd")),
    Case(name="registration in a data URL", stage="metadata", exits=(4,), says=("another origin",),
         does=having(registration_endpoint="data:application/json,{{}}")),
    Case(name="registration by user information", stage="metadata", exits=(4,), says=("another origin",),
         does=lambda visit: visit.reply.having(
             registration_endpoint=visit.front.issuer + "@" + visit.front.canary.partition("//")[2] + "/register")),
    Case(name="registration where readers differ", stage="metadata", exits=(6,), verdicts={REGISTERED: "INCONCLUSIVE"},
         says=("user information",),
         does=lambda visit: visit.reply.having(
             registration_endpoint=visit.front.canary + "\\@" + visit.front.issuer.partition("//")[2] + "/register")),
    Case(name="registration where the owner says", stage="metadata", exits=(4, 6), options=("--profile=profile.toml",),
         says=("names registration_endpoint at",), profile=(
             'title = "Listed"\npolicy = "rfc7591"\n[discovery]\norigins = ["https://elsewhere.example"]\n'),
         does=having(registration_endpoint="{canary}/register")),
    Case(name="token endpoint at another port", stage="metadata", checks=(REGISTERED, VERIFIER), user=True,
         verdicts={REGISTERED: "PASS", VERIFIER: "INCONCLUSIVE"},
         says=("the metadata names token_endpoint at http://127.0.0.1:", "another origin than the issuer"),
         does=having(token_endpoint="{canary}/token")),
    Case(name="authorization at another port", stage="metadata", checks=(REGISTERED, BEFORE_LOGIN),
         verdicts={REGISTERED: "PASS", BEFORE_LOGIN: "INCONCLUSIVE"},
         says=("the metadata names authorization_endpoint at http://127.0.0.1:",),
         does=having(authorization_endpoint="{canary}/authorize")),
    Case(name="keys at another port", stage="metadata", does=having(jwks_uri="{canary}/jwks"), checks=(REGISTERED,
         KEYS),
         verdicts={REGISTERED: "PASS", KEYS: "INCONCLUSIVE"}, says=("the metadata names jwks_uri at http://127.0.0.1:",
         )),
    Case(name="keys on a host that begins alike", stage="metadata", checks=(REGISTERED, KEYS),
         does=lambda visit: visit.reply.having(jwks_uri=visit.front.issuer + "0.example/jwks"),
         verdicts={REGISTERED: "PASS", KEYS: "INCONCLUSIVE"}, says=("the metadata names jwks_uri at",)),
    Case(name="keys that are none", stage="keys", checks=(REGISTERED, KEYS), exits=(0, 6),
         verdicts={REGISTERED: "PASS"},
         does=saying(b'{"keys":[7,{"kty":"EC","crv":"P-256","x":"!!","y":[]},{"kty":"RSA","n":"AQ","e":{}},{"kty":[]}]}')),
    Case(name="an authorization server elsewhere", stage="resource metadata", exits=(4,),
         says=("names the authorization server http://127.0.0.1:", "give it as --issuer too"),
         options=("--resource={issuer}/mcp",), does=having(authorization_servers=["http://127.0.0.1:9"])),
    Case(name="resource metadata on another origin", stage="resource", exits=(4,),
         says=("points at metadata on another origin",), options=("--resource={issuer}/mcp",),
         does=lambda visit: Reply("401 Unauthorized", [(
             "WWW-Authenticate", f'Bearer resource_metadata="{visit.front.canary}/x"')], b"")),
    Case(name="escape sequences in the endpoint", stage="metadata", verdicts={REGISTERED: "INCONCLUSIVE"},
         does=lambda visit: visit.reply.having(registration_endpoint=f"{visit.front.issuer}/{ANSI}"),
         says=("no request can be sent to",)),
    Case(name="markup in the endpoints and the issuer", stage="metadata", exits=(0, 1, 6),
         verdicts={REGISTERED: "INCONCLUSIVE"},
         checks=(REGISTERED, BEFORE_LOGIN), does=lambda visit: visit.reply.having(
             issuer=visit.front.issuer + "/" + MARKUP, registration_endpoint=f"{visit.front.issuer}/{MARKUP}",
             authorization_endpoint=f"{visit.front.issuer}/{MARKUP}", scopes_supported=[MARKUP, ANSI, MIXED])),
    Case(name="an issuer of escape sequences", stage="metadata", exits=(0, 1, 6), verdicts={REGISTERED: "PASS"},
         checks=(REGISTERED, "test_the_issuer_is_the_one", "test_scopes_are_published"),
         does=having(issuer=ANSI, scopes_supported=ANSI)),
    Case(name="endpoints that are no strings", stage="metadata", exits=(0, 1, 6), checks=(REGISTERED, BEFORE_LOGIN),
         verdicts={REGISTERED: "PASS", BEFORE_LOGIN: "INAPPLICABLE"},
         does=having(authorization_endpoint=["x"], token_endpoint={"a": 1}, revocation_endpoint=7)),
]
