"""Refusals that are aimed at whoever reads them."""

from __future__ import annotations

from tests.hostile.case import ANSI, ASCII, MARKUP, REFUSAL, REGISTERED, Case
from tests.hostile.misbehaviour import dripping, refusing, turned_on

CASES = [
    Case(name="markup in an error", stage="registration", checks=(REFUSAL, ASCII), exits=(0, 1, 6),
         does=turned_on(lambda visit: b"client.example/cb" not in visit.body, refusing(
             error=MARKUP, error_description=MARKUP * 5, error_uri="javascript:alert(1)"))),
    Case(name="escape sequences in an error", stage="registration", checks=(REFUSAL, ASCII), exits=(0, 1, 6),
         does=turned_on(lambda visit: b"client.example/cb" not in visit.body, refusing(
             error=ANSI, error_description=ANSI * 5, error_uri=ANSI))),
    Case(name="every refusal by the byte", stage="registration", checks=(REFUSAL,), exits=(6,),
         does=turned_on(lambda visit: b"client.example/cb" not in visit.body, dripping(
             b"HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\n\r\n{", b" " * 1_000)),
         says=("was not complete after 2 s",)),
    Case(name="markup in header values", stage="registration", checks=(REGISTERED, "test_a_registration_challenge"),
         exits=(0, 1, 6), does=refusing("401 Unauthorized", ("WWW-Authenticate", f"Bearer {MARKUP}"), ("X-Note",
         MARKUP),
                                        error=MARKUP), verdicts={REGISTERED: "INCONCLUSIVE"}),
]
