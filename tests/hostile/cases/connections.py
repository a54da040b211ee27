"""Connections that are not what they should be."""

from __future__ import annotations

from tests.hostile.case import REGISTERED, Case
from tests.hostile.certificates import TRUST, expired, good, slow_handshake, unknown, wrong_host

CASES = [
    Case(name="an expired certificate", stage="TLS", certificate=expired, environment=TRUST, exits=(4,),
         says=("certificate has expired",)),
    Case(name="a certificate of another host", stage="TLS", certificate=wrong_host, environment=TRUST, exits=(4,),
         says=("certificate is not valid for '127.0.0.1'",)),
    Case(name="a certificate that nobody vouches for", stage="TLS", certificate=unknown, environment=TRUST, exits=(4,),
         says=("certificate verify failed",)),
    Case(name="a certificate that is not looked at", stage="TLS", certificate=unknown, options=("--insecure",),
         exits=(0,),
         verdicts={REGISTERED: "PASS"}, says=("NOT VERIFIED", "\nthe server's certificate was not verified")),
    Case(name="a certificate of one's own authority", stage="TLS", certificate=good, environment=TRUST, exits=(0,),
         verdicts={REGISTERED: "PASS"}),
    Case(name="a TLS handshake by the byte", stage="TLS", certificate=good, greet=slow_handshake, environment=TRUST,
         exits=(4,), says=("timed out after 2 s",)),
    Case(name="plain HTTP where TLS was expected", stage="connection", exits=(4,), says=("cannot be reached",),
         options=("--issuer=https://127.0.0.1:{port}",)),
    Case(name="loopback past the proxy of the environment", stage="connection", exits=(0,),
         environment=dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"), "{canary}"),
         verdicts={REGISTERED: "PASS"}),
    Case(name="nobody listens", stage="connection", exits=(4,), says=("cannot be reached",),
         options=("--issuer=http://127.0.0.1:9",)),
]
