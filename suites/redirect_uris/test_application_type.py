"""What a client's application_type does to its redirect URIs (MCP 2026-07-28; OpenID Registration, section 2)."""

import pytest

from dcrcheck import Endpoint, inapplicable, requirement


@requirement("MCP-2026-07-28-APPTYPE-01")
@pytest.mark.parametrize("uri", ["http://127.0.0.1:51004/dcrcheck", "http://localhost:51004/dcrcheck"])
def test_a_native_application_may_be_on_the_users_machine(endpoint: Endpoint, uri: str):
    """A client that says it is native registers the redirect URI on the user's machine that any other client may."""
    answer = endpoint.submit(application_type="native", redirect_uris=[uri])
    if answer.refused and endpoint.submit(redirect_uris=[uri]).refused:
        inapplicable("the server registers no such redirect URI")

    assert answer.client is not None, f"with application_type native {uri} is refused: {answer.describe()}"
