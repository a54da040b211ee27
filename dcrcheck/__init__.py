"""Conformance and security checks for OAuth 2.0 Dynamic Client Registration (RFC 7591, RFC 7592).

The names that a check imports.
"""

from dcrcheck.catalogue import intrusive, needs, observes, requirement
from dcrcheck.client import Client
from dcrcheck.endpoint import Endpoint
from dcrcheck.evidence import Secret
from dcrcheck.fuzzing import Fuzzing, Search, fuzzed, hunt, show
from dcrcheck.generators import weak_generator
from dcrcheck.landing import Landing, is_pushing, is_received, land, land_pushed, stored_uris
from dcrcheck.limit import is_limited, promised_wait
from dcrcheck.management import NOT_IN_UPDATE
from dcrcheck.parallel import at_once
from dcrcheck.predictability import (
    apart,
    bits,
    follows,
    forgeable,
    jwt_header,
    likeness,
    unforeseen,
    without_clock,
)
from dcrcheck.profile import Policy, Profile
from dcrcheck.registration import OMIT, REDIRECT_URI, retry_after
from dcrcheck.session import Authorization, Page, Session
from dcrcheck.spray import Spray
from dcrcheck.target import Target, is_loopback, origin
from dcrcheck.transport import Answer, finite
from dcrcheck.uri import as_browser, as_generic, is_ambiguous, is_cleartext, is_executable, leads_to
from dcrcheck.verdict import inapplicable, inconclusive

__version__ = "0.1.0"
__all__ = [
    "NOT_IN_UPDATE", "OMIT", "REDIRECT_URI", "Answer", "Authorization", "Client", "Endpoint", "Fuzzing", "Landing",
    "Page", "Policy", "Profile", "Search", "Secret", "Session", "Spray", "Target", "apart", "as_browser",
    "as_generic", "at_once", "bits", "finite", "follows", "forgeable", "fuzzed", "hunt", "inapplicable",
    "inconclusive", "intrusive", "is_ambiguous", "is_cleartext", "is_executable", "is_limited", "is_loopback",
    "is_pushing", "is_received", "jwt_header", "land", "land_pushed", "leads_to", "likeness", "needs", "observes",
    "origin", "promised_wait", "requirement", "retry_after", "show", "stored_uris", "unforeseen", "weak_generator",
    "without_clock",
]
