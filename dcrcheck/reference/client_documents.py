"""Clients that are identified by the URL of their metadata (draft-ietf-oauth-client-id-metadata-document-02).

Nothing is ever fetched: one client is registered beforehand (section 7.2), and all other URLs are unknown.
"""

from __future__ import annotations

import re

from dcrcheck.reference.answers import Answers
from dcrcheck.reference.store import Client
from dcrcheck.reference.uris import parse

CLIENT_IDENTIFIER_URL = "https://agent.client.example/client.json"
_DOCUMENT = {
    "client_name": "Agent with a document", "redirect_uris": ["https://client.example/cb"],
    "grant_types": ["authorization_code"], "response_types": ["code"], "token_endpoint_auth_method": "none",
    "scope": "mcp:read",
}


class ClientDocuments(Answers):
    def client_of_document(self, client_id: str) -> Client | None:
        """The client that a Client Identifier URL names; None for other identifiers and for URLs that are not known."""
        if not self.rules.url_client_ids or not self.is_client_identifier_url(client_id):
            return None
        if not self.is_known_document(client_id):
            return None
        return self.store.clients.setdefault(client_id, Client(
            client_id=client_id, issued_at=int(self.now()), metadata=dict(_DOCUMENT), last_used=self.now()))

    def is_known_document(self, client_id: str) -> bool:
        """Section 3: compared as strings, so that another spelling of the same place is another client."""
        return client_id == CLIENT_IDENTIFIER_URL

    def is_client_identifier_url(self, text: str) -> bool:
        """Section 3; asked before anything else is done with the URL."""
        uri = parse(text)
        if uri is None or not uri.host:
            return False
        return (self.is_identifier_scheme(uri.scheme) and self.is_identifier_authority(uri.userinfo)
                and self.is_identifier_path(uri.path) and self.is_identifier_fragment(uri.fragment))

    def is_identifier_scheme(self, scheme: str) -> bool:
        return scheme == "https"

    def is_identifier_authority(self, userinfo: str | None) -> bool:
        return userinfo is None

    def is_identifier_path(self, path: str) -> bool:
        """There is one, and no segment of it is a dot or two, however they are written."""
        return bool(path) and not any(re.fullmatch(r"(\.|%2e){1,2}", part, re.IGNORECASE) for part in path.split("/"))

    def is_identifier_fragment(self, fragment: str | None) -> bool:
        return fragment is None
