"""The embedded authorization server: correct by design, so that each defect is one deviation from it."""

from dcrcheck.reference.initial_access import REGISTRATION_SCOPE
from dcrcheck.reference.personality import Personality
from dcrcheck.reference.rules import POLICIES, Rules
from dcrcheck.reference.server import Server
from dcrcheck.reference.serving import Running, serve
from dcrcheck.reference.statements import STATEMENT_ISSUER

__all__ = ["POLICIES", "REGISTRATION_SCOPE", "STATEMENT_ISSUER", "Personality", "Rules", "Running", "Server", "serve"]
