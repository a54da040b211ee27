"""Servers that take too much for the URL of a client's metadata, each in one way."""

from __future__ import annotations

import posixpath
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from dcrcheck.reference import Server
from dcrcheck.reference.client_documents import CLIENT_IDENTIFIER_URL
from dcrcheck.reference.store import Client


class Repairing(Server):
    """Makes another URL of the one that it is given, and asks for that."""

    policy = "mcp"

    def repaired(self, url: str) -> str:
        return url

    def client_of_document(self, client_id: str) -> Client | None:
        return super().client_of_document(self.repaired(client_id))


class SaysSupportInWords(Server):
    """Publishes client_id_metadata_document_supported as a string."""

    policy = "mcp"
    trips = ("test_support_for_client_documents_is_a_boolean",)

    def metadata(self) -> dict[str, Any]:
        return {**super().metadata(), "client_id_metadata_document_supported": "true"}


class IssuesUrls(Server):
    """Issues identifiers that look like the URLs of clients' metadata."""

    policy = "mcp"
    trips = ("test_an_issued_client_id_is_no_url", "test_the_configuration_url_joins_endpoint_and_client_id")

    def new_client_id(self, metadata: dict[str, Any]) -> str:
        return f"https://clients.example/{super().new_client_id(metadata)}"

    def registration_client_uri(self, client: Client) -> str:
        return f"{self.endpoint('register')}/{client.client_id.rpartition('/')[2]}"

    async def manage(self, request: Request) -> Response:
        request.path_params["client_id"] = f"https://clients.example/{request.path_params['client_id']}"
        return await super().manage(request)


class FetchesInTheClear(Repairing):
    """Takes http URLs for the identifiers of clients."""

    trips = ("test_a_client_identifier_url_is_https",)

    def repaired(self, url: str) -> str:
        return re.sub("^http:", "https:", url)


class OverlooksUserinfo(Repairing):
    """Leaves out what stands before the host of a client's URL."""

    trips = ("test_a_client_identifier_url_has_no_userinfo",)

    def repaired(self, url: str) -> str:
        return re.sub("^https://[^/]*@", "https://", url)


class KnowsClientsByTheirHost(Repairing):
    """Takes a bare host for the identifier of the client there."""

    trips = ("test_a_client_identifier_url_has_a_path",)

    def repaired(self, url: str) -> str:
        return CLIENT_IDENTIFIER_URL if url == CLIENT_IDENTIFIER_URL.rpartition("/")[0] else url


class ResolvesDotSegments(Repairing):
    """Resolves the dot segments in a client's URL."""

    trips = ("test_a_client_identifier_url_has_no_dot_segments",)

    def repaired(self, url: str) -> str:
        parts = urlsplit(url)
        return parts._replace(path=posixpath.normpath(parts.path)).geturl() if "/." in parts.path else url


class DropsFragments(Repairing):
    """Cuts the fragment off a client's URL."""

    trips = ("test_a_client_identifier_url_has_no_fragment",)

    def repaired(self, url: str) -> str:
        return url.partition("#")[0]


class NormalisesIdentifiers(Repairing):
    """Compares the URLs of clients after it has normalised them."""

    trips = ("test_another_spelling_is_another_client",)

    def repaired(self, url: str) -> str:
        parts = urlsplit(url)
        return parts._replace(netloc=parts.netloc.lower().removesuffix(":443"), path=unquote(parts.path)).geturl()


class SendsDocumentClientsAnywhere(Server):
    """Compares only the beginning of a redirect URI with those in a client's document."""

    policy = "mcp"
    trips = ("test_a_document_names_the_redirect_uris",)

    def redirect_uri_for(self, client: Client, requested: str | None) -> str | None:
        if client.client_id != CLIENT_IDENTIFIER_URL or requested is None:
            return super().redirect_uri_for(client, requested)
        return requested if requested.startswith(client.redirect_uris[0]) else None


class HidesTheHostOfTheClient(Server):
    """Shows the name that a client's document gives, and not where the document stands."""

    policy = "mcp"
    trips = ("test_the_page_shows_the_host_of_the_client",)

    def identifying_host(self, client: Client) -> str:
        return ""
