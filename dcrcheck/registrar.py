"""The owner's client that obtains initial access tokens, where they do not come from the environment as they are."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import quote_plus, urlencode

from dcrcheck.evidence import Secret
from dcrcheck.transport import Transport
from dcrcheck.verdict import inconclusive


@dataclass(frozen=True, kw_only=True)
class Registrar:
    """Asks for initial access tokens of a scope by the client credentials grant (RFC 6749, section 4.4).

    `single_use`: each token registers one client.
    """

    transport: Transport
    token_endpoint: str | None
    client_id: str
    secret: str
    scope: str
    single_use: bool = False

    def obtain(self) -> Secret:
        """A new initial access token.

        Raises:
            Inconclusive: the server issues none.
        """
        if self.token_endpoint is None:
            inconclusive("no initial access token: the metadata names no token_endpoint")
        # RFC 6749 section 2.3.1: both parts are form-encoded before they are joined
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}"
        basic = base64.b64encode(pair.encode()).decode()
        self.transport.recorder.redactor.learn(self.secret, basic)
        answer = self.transport.send(
            "POST", self.token_endpoint,
            headers={"content-type": "application/x-www-form-urlencoded", "accept": "application/json",
                     "authorization": f"Basic {basic}"},
            content=urlencode({"grant_type": "client_credentials", "scope": self.scope}).encode())
        issued = (answer.tokens or {}).get("access_token")
        if not isinstance(issued, str):
            inconclusive("the token endpoint issues no initial access token for DCRCHECK_REGISTRAR_ID: "
                         f"{answer.describe()}")
        self.transport.recorder.redactor.learn(issued)
        return Secret(issued)
