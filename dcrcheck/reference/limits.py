"""How often: limits on registrations and on failed log-ins."""

from __future__ import annotations

import ipaddress
import math

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request

from dcrcheck.reference.answers import Answers, Refusal
from dcrcheck.reference.rules import Rules


class Limits(Answers):
    """RFC 7591, section 3: open registration may be limited. A moving window for each source and one for all."""

    def __init__(self, rules: Rules | None = None, *, issuer: str = "") -> None:
        super().__init__(rules, issuer=issuer)
        self.limiter = MovingWindowRateLimiter(MemoryStorage())

    def throttle(self, request: Request) -> None:
        """Count a request to the registration endpoint, before anything of it is read.

        Raises:
            Refusal: 429 with Retry-After.
        """
        self.throttle_source(request)
        self.throttle_realm()

    def throttle_source(self, request: Request) -> None:
        self.count(self.rules.registrations, self.rules.registration_window, f"source {self.source(request)}")

    def throttle_realm(self) -> None:
        self.count(self.rules.realm_registrations, self.rules.registration_window, "realm")

    def source(self, request: Request) -> str:
        """The peer of the connection; what a request says about its own origin is not believed."""
        address = ipaddress.ip_address(request.client.host if request.client else "::")
        if isinstance(address, ipaddress.IPv6Address):
            # One subscriber has a whole /64; a mapped IPv4 address is the same peer
            return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
        return str(address)

    def count(self, amount: int, window: int, key: str) -> None:
        item = RateLimitItemPerSecond(amount, window)
        if not self.limiter.hit(item, key):
            self.turn_away(max(1, math.ceil(self.limiter.get_window_stats(item, key).reset_time - self.now())))

    def turn_away(self, seconds: int) -> None:
        raise Refusal(429, "temporarily_unavailable", "too many requests; try again later",
                      headers=self.retry_after(seconds))

    def retry_after(self, seconds: int) -> dict[str, str]:
        return {"Retry-After": str(seconds)}

    def throttle_login(self, request: Request) -> None:
        """Count a failed log-in."""
        self.count(self.rules.login_failures, self.rules.login_window, f"login {self.source(request)}")
