"""What a browser meets at the authorization endpoint, and a client at the token endpoint."""

from __future__ import annotations

from tests.hostile.case import BEFORE_LOGIN, VERIFIER, Case
from tests.hostile.front import Reply
from tests.hostile.misbehaviour import JSON, dripping, having, redirect, redirecting, saying, spoilt

CASES = [
    Case(name="authorization by the byte", stage="authorization", checks=(BEFORE_LOGIN,),
         does=dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a" * 1_000), verdicts={BEFORE_LOGIN: "INCONCLUSIVE"}),
    Case(name="authorization redirected to another origin", stage="authorization", checks=(BEFORE_LOGIN, VERIFIER),
         user=True, does=redirecting("{canary}/login"), exits=(0, 1, 6)),
    Case(name="authorization that redirects to itself", stage="authorization", checks=(VERIFIER,), user=True,
         does=lambda visit: redirect(visit, "{issuer}" + visit.path), verdicts={VERIFIER: "INCONCLUSIVE"}),
    Case(name="a page of 3 MB", stage="authorization", checks=(VERIFIER,), user=True, exits=(6,),
         does=spoilt(lambda reply, _: Reply("200 OK", [("Content-Type", "text/html")], b"<p>" * 1_000_000)),
         verdicts={VERIFIER: "INCONCLUSIVE"}),
    Case(name="a page 100,000 deep", stage="authorization", checks=(VERIFIER,), user=True, exits=(6,),
         does=lambda visit: Reply("200 OK", [("Content-Type", "text/html")], b"<b>" * 100_000 + b"<form>"),
         verdicts={VERIFIER: "INCONCLUSIVE"}),
    Case(name="a login form for another origin", stage="authorization", checks=(VERIFIER,), user=True, exits=(6,),
         does=lambda visit: Reply("200 OK", [("Content-Type", "text/html")], (
             f'<form method=post action="{visit.front.canary}/steal"><input name=username><input type=password name=p>'
             "</form>").encode()), verdicts={VERIFIER: "INCONCLUSIVE"}, says=("another origin",),
         secrets=("wonderland",)),
    Case(name="a token answer by the byte", stage="token", checks=(VERIFIER,), user=True,
         does=dripping(JSON + b"\r\n{", b" " * 1_000), verdicts={VERIFIER: "INCONCLUSIVE"}),
    Case(name="a token answer of 10^6 brackets", stage="token", checks=(VERIFIER,), user=True,
         does=saying(b"[" * 1_000_000), verdicts={VERIFIER: "INCONCLUSIVE"}),
    Case(name="tokens that are no strings", stage="token", checks=(VERIFIER, "test_a_token_names_its_resource"),
         user=True,
         does=having(access_token={"a": [1]}, token_type=7, refresh_token=[]), exits=(0, 1, 6)),
    Case(name="cookies for other domains", stage="authorization", checks=(VERIFIER,), user=True, exits=(0,),
         does=spoilt(lambda reply, _: reply.raw().replace(
             b"\r\n\r\n", b"\r\nSet-Cookie: stolen=value-for-others; Domain=example.com; Path=/"
             b"\r\nSet-Cookie: x=y; Expires=Thu, 99 Foo 99999999999 00:00:00 GMT; Max-Age=1e999; Domain=.\r\n\r\n", 1)),
         verdicts={VERIFIER: "PASS"}),
]
