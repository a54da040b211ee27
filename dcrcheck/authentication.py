"""Whether the token endpoint takes a client for who it says it is, asked without a user."""

from __future__ import annotations

from typing import Any

from dcrcheck.client import Client
from dcrcheck.management import ConfigurationEndpoint
from dcrcheck.transport import Answer
from dcrcheck.verdict import inconclusive

NO_SUCH_CODE = "dcrcheck-no-such-code"


class ClientAuthentication(ConfigurationEndpoint):
    """The oracle behind every claim about client authentication.

    A request with a code that nobody issued fails for its code (invalid_grant), if the client is let in, and else for
    its client (invalid_client, or 401). A server may look at the code first: then both fail alike, and only a code that
    a user's session obtains tells. So nothing is concluded from a wrong credential that is not turned away, unless the
    answer to the right one, or to none, is another.
    """

    def token(self, client: Client, *, auth: str | tuple[str, str] = "registered", at: str = "token_endpoint",
              **form: Any) -> Answer:
        """A request at the token endpoint (see `Endpoint.token`)."""
        raise NotImplementedError

    def try_code(self, client: Client, *, auth: str | tuple[str, str] = "registered", **form: Any) -> Answer:
        """A token request that fails for its code, if not for its client; see `Answer.turned_away`.

        Raises:
            Inconclusive: the endpoint does not answer (429, 5xx, nothing).
        """
        usual = {"grant_type": "authorization_code", "code": NO_SUCH_CODE, "redirect_uri": client.redirect_uri,
                 "code_verifier": "dcrcheck" * 6}
        answer = self.token(client, auth=auth, **{**usual, **form})
        if answer.status in (0, 429) or answer.status >= 500:
            inconclusive(f"the token endpoint does not answer the probe: {answer.describe()}")
        return answer
