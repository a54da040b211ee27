"""The embedded authorization server: correct by design, so that each defect is one deviation from it."""

from dcrcheck.reference.rules import POLICIES, Rules
from dcrcheck.reference.server import Server
from dcrcheck.reference.serving import Running, serve

__all__ = ["POLICIES", "Rules", "Running", "Server", "serve"]
