"""What a client configuration endpoint does, and where it says that it is."""

from __future__ import annotations

from tests.hostile.case import READ, REGISTERED, SAME, Case
from tests.hostile.misbehaviour import JSON, dripping, having, reset, spoilt

CASES = [
    Case(name="configuration on another origin", stage="registration", checks=(REGISTERED, READ),
         does=having(registration_client_uri="{canary}/register/x"), says=("another origin",),
         verdicts={REGISTERED: "PASS", READ: "INCONCLUSIVE"}),
    Case(name="configuration where readers differ", stage="registration", checks=(REGISTERED, READ),
         does=lambda visit: visit.reply.having(
             registration_client_uri=f"{visit.front.canary}\\@{visit.front.issuer.partition('//')[2]}/x"),
         verdicts={REGISTERED: "PASS", READ: "INCONCLUSIVE"}),
    Case(name="a token with a line break", stage="registration", checks=(REGISTERED, READ),
         does=having(registration_access_token="abcdefgh\r\nX-Injected: yes-indeed"), exits=(1, 6),
         verdicts={REGISTERED: "PASS", READ: "INCONCLUSIVE"}, secrets=("abcdefgh", "yes-indeed")),
    Case(name="a read by the byte", stage="read", checks=(READ,), does=dripping(JSON + b"\r\n{", b" " * 1_000),
         verdicts={READ: "INCONCLUSIVE"}, says=("was not complete after 2 s",)),
    Case(name="a read that is reset", stage="read", checks=(READ,), does=reset, verdicts={READ: "INCONCLUSIVE"}),
    Case(name="answers that change between two reads", stage="read", checks=(READ, SAME), exits=(0, 1, 6),
         does=spoilt(lambda reply, visit: reply.having(client_name=f"name {visit.number}", extra=visit.number)),
         verdicts={READ: "PASS"}),
    Case(name="another client at each read", stage="read", checks=("test_a_read_returns_the_issued_client_id",),
         exits=(1,), does=spoilt(lambda reply, visit: reply.having(client_id=f"client-{visit.number}")),
         verdicts={"test_a_read_returns_the_issued_client_id": "FAIL"}),
    Case(name="deletion that never ends", stage="deletion", checks=(REGISTERED,), exits=(0,),
         does=dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a" * 1_000), verdicts={REGISTERED: "PASS"}),
    Case(name="deletion of 204 with a body", stage="deletion", checks=(REGISTERED,), exits=(0,),
         does=spoilt(lambda reply, _: reply.saying(b'{"a":1}').raw()), verdicts={REGISTERED: "PASS"}),
]
