"""The server, put together."""

from __future__ import annotations

from dcrcheck.reference.routing import Routing


class Server(Routing):
    """A correct authorization server.

    A defect is a subclass that overrides the one method whose rule it breaks; `trips` names the checks that must
    notice, `policy` the entry of POLICIES that it runs under.
    """
