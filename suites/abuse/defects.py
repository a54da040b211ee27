"""Servers whose registration can be sprayed, or whose limit harms others than the sprayer."""

import asyncio
import time

from starlette.responses import HTMLResponse

from dcrcheck.reference import Server
from dcrcheck.reference.answers import Refusal


class SetsNoLimit(Server):
    """Registers as many clients for one source as it asks for."""

    policy = "mcp"
    trips = ("test_a_spray_of_registrations_meets_a_control",)

    def throttle_source(self, request):
        pass


class LimitsAsUnavailable(Server):
    """Turns registrations beyond the limit away with 503 instead of 429."""

    policy = "mcp"
    trips = ("test_a_registration_beyond_the_limit_is_answered_429",)

    def error_answer(self, refusal):
        refusal.status = 503 if refusal.status == 429 else refusal.status
        return super().error_answer(refusal)


class LimitsWithoutATime(Server):
    """Turns registrations beyond the limit away without saying when to come back."""

    policy = "mcp"
    trips = ("test_a_limit_says_when_to_come_back",)

    def retry_after(self, seconds):
        return {}


class LimitsWithAnUnreadableTime(Server):
    """Says in words when to come back."""

    policy = "mcp"
    trips = ("test_a_limit_says_when_to_come_back",)

    def retry_after(self, seconds):
        return {"Retry-After": "in a moment"}


class LimitsInHtml(Server):
    """Turns registrations beyond the limit away with a web page."""

    policy = "mcp"
    trips = ("test_a_limit_answers_in_json",)

    def error_answer(self, refusal):
        if refusal.status == 429:
            return HTMLResponse("<h1>Too many requests</h1>", 429, refusal.headers)
        return super().error_answer(refusal)


class ReservesBeyondTheLimit(Server):
    """Hands out a client identifier together with the 429."""

    trips = ("test_a_registration_beyond_the_limit_yields_no_credentials",)

    def error_body(self, refusal):
        reserved = {"client_id": self.new_identifier()} if refusal.status == 429 else {}
        return {**super().error_body(refusal), **reserved}


class CountsClientsOnly(Server):
    """Counts the clients that it registers and lets bad requests be read without end."""

    policy = "mcp"
    trips = ("test_refused_registrations_are_limited_too",)

    async def read_document(self, request):
        document = await super().read_document(request)
        if request.method == "POST":
            self.accept(document)
            super().throttle(request)
        return document

    def throttle(self, request):
        pass


class LimitsTheWholeServer(Server):
    """Spends one budget on registration and on everything else."""

    policy = "mcp"
    trips = (
        "test_authorization_requests_are_served_while_registration_is_limited",
        "test_discovery_is_served_while_registration_is_limited",
        "test_token_requests_are_served_while_registration_is_limited",
    )
    exhausted_until = 0.0

    def turn_away(self, seconds):
        self.exhausted_until = self.now() + seconds
        super().turn_away(seconds)

    async def guard(self, handler, request, refuse=None):
        if self.now() < self.exhausted_until and handler not in (self.register, self.manage):
            handler = self.exhausted
        return await super().guard(handler, request, refuse)

    async def exhausted(self, request):
        super().turn_away(1)


class OutlastsItsPromise(Server):
    """Keeps a source out for a minute and tells it to come back in a second."""

    policy = "mcp"
    trips = ("test_registration_recovers_when_the_limit_said_it_would",)

    def throttle_source(self, request):
        closed = self.__dict__.setdefault("closed", {})
        source = self.source(request)
        if self.now() < closed.get(source, 0):
            self.turn_away(1)
        try:
            super().throttle_source(request)
        except Refusal:
            closed[source] = self.now() + 60
            self.turn_away(1)


class LimitsAllSourcesTogether(Server):
    """Counts the registrations of all sources as one."""

    trips = ("test_other_sources_register_while_one_is_limited",)

    def source(self, request):
        return "everyone"


class KnowsBursts(Server):
    """Knows which registration stood before the burst at hand, and how many came since."""

    latest, before, latest_at, in_burst = "", "", 0.0, 0

    def create(self, metadata):
        if self.now() - self.latest_at > 1:
            self.before, self.in_burst = self.latest, 0
        self.slow_down()
        client = super().create(metadata)
        self.latest, self.latest_at, self.in_burst = client.client_id, self.now(), self.in_burst + 1
        return client

    def slow_down(self):
        pass


class DropsAClientAtItsLimit(KnowsBursts):
    """Makes room at its limit: the client that was registered before the burst goes."""

    trips = ("test_a_spray_drives_no_client_out",)

    def throttle_source(self, request):
        try:
            super().throttle_source(request)
        except Refusal:
            if "dropped" not in self.__dict__:
                self.dropped = self.store.clients.pop(self.before, None)
            raise


class SlowsDownWithEveryClient(KnowsBursts):
    """Takes longer for a registration, the more of them come in a burst."""

    trips = ("test_registration_does_not_slow_down_as_clients_grow_in_number",)

    def slow_down(self):
        time.sleep(0.0 if self.in_burst < 40 or self.in_burst > 310 else 0.04 if self.in_burst < 270 else 0.1)


class CountsConnections(Server):
    """Counts the address of a peer together with its port."""

    trips = ("test_a_new_connection_does_not_lift_the_limit",)

    def source(self, request):
        return f"{request.client.host}:{request.client.port}"


class CountsQueriesApart(Server):
    """Counts requests by the whole of their target."""

    trips = ("test_another_spelling_of_the_path_does_not_lift_the_limit",)

    def source(self, request):
        return f"{super().source(request)} {request.url.query}"


class BelievesTheEdge(Server):
    """Counts the address in a header that another provider's edge sets."""

    trips = ("test_a_header_does_not_lift_the_limit",)

    def source(self, request):
        return request.headers.get("fly-client-ip") or super().source(request)


class CountsByHopByHopHeaders(Server):
    """Counts connections that list a header apart from others."""

    trips = ("test_a_connection_header_does_not_lift_the_limit",)

    def source(self, request):
        listed = "x-forwarded-for" in request.headers.get("connection", "").lower()
        return f"{super().source(request)}{' of the proxy' if listed else ''}"


class BelievesForwardedFor(Server):
    """Counts the addresses that X-Forwarded-For names."""

    trips = ("test_a_header_does_not_lift_the_limit", "test_an_address_of_the_same_source_does_not_lift_the_limit")

    def source(self, request):
        return request.headers.get("x-forwarded-for") or super().source(request)


class BelievesTheLastForwarder(Server):
    """Counts the last address of X-Forwarded-For without a proxy of its own in front."""

    trips = ("test_a_header_does_not_lift_the_limit", "test_an_address_of_the_same_source_does_not_lift_the_limit")

    def source(self, request):
        return request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip() or super().source(request)


class CountsEveryAddressOfANetwork(Server):
    """Counts addresses that a proxy in front names, and the addresses of one IPv6 network apart from one another."""

    trips = ("test_a_header_does_not_lift_the_limit", "test_an_address_of_the_same_source_does_not_lift_the_limit")

    def source(self, request):
        named = request.headers.get("x-forwarded-for", "")
        return named if ":" in named else super().source(request)


class CountsByUserAgent(Server):
    """Counts user agents apart from one another."""

    trips = ("test_a_header_does_not_lift_the_limit",)

    def source(self, request):
        return f"{super().source(request)} {request.headers.get('user-agent')}"


class LimitsOneSpelling(Server):
    """Limits /register and serves /register/ without a limit."""

    trips = ("test_another_spelling_of_the_path_does_not_lift_the_limit",)

    def routes(self):
        return [*super().routes(), self.public(f"{self.issuer_path}/register/", self.register, "POST")]

    def throttle(self, request):
        if not request.url.path.endswith("/"):
            super().throttle(request)


class LimitsOneMethod(Server):
    """Limits POST, and registers without a limit for a PUT that calls itself a POST."""

    trips = ("test_a_method_override_does_not_lift_the_limit", "test_an_overridden_method_registers_nothing")

    def routes(self):
        return [self.public(f"{self.issuer_path}/register", self.overridden, "PUT"), *super().routes()]

    async def overridden(self, request):
        if request.headers.get("x-http-method-override") == "POST":
            return await self.register(request)
        self.refuse_metadata("register by POST")

    def throttle(self, request):
        if request.method == "POST":
            super().throttle(request)


class ReadsOneRequestAtATime(Server):
    """Reads no further registration before it has read the last one to its end."""

    trips = ("test_an_unfinished_request_keeps_nobody_waiting",)

    async def read_body(self, request):
        if request.method != "POST":
            return await super().read_body(request)
        if not hasattr(self, "turn"):
            self.turn = asyncio.Lock()
        async with self.turn:
            return await super().read_body(request)


class LooksUpWhatItIsTold(Server):
    """Answers a registration when it has waited in vain for the addresses that it names."""

    trips = ("test_a_registration_waits_for_no_other_server",)

    async def read_document(self, request):
        document = await super().read_document(request)
        if "https://slow.invalid/dcrcheck" in document.values():
            await asyncio.sleep(8.5)
        return document
