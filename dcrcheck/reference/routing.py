"""Which request goes to which method of the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cached_property

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dcrcheck.reference.answers import Refusal
from dcrcheck.reference.logout import Logout
from dcrcheck.reference.management import Management
from dcrcheck.reference.tokens import Tokens

Handler = Callable[[Request], Awaitable[Response]]


class Routing(Tokens, Management, Logout):
    @cached_property
    def app(self) -> Starlette:
        """The ASGI application; built at first use, when the issuer is known."""
        app = Starlette(routes=self.routes(), exception_handlers={HTTPException: self.not_served})
        app.router.redirect_slashes = False
        return app

    def routes(self) -> list[Route]:
        path = self.issuer_path
        return [
            *self.discovery_routes(path),
            *self.registration_routes(path),
            self.public(f"{path}/token", self.token, "POST"),
            self.public(f"{path}/revoke", self.revoke, "POST"),
            *([self.public(f"{path}/push", self.push, "POST")] if self.rules.pushed_requests else []),
            self.public(f"{path}/jwks.json", self.key_set, "GET"),
            self.public(f"{path}/documentation", self.service_documentation, "GET"),
            self.user_facing(f"{path}/authorize", self.authorize, "GET"),
            self.user_facing(f"{path}/login", self.login, "GET", "POST"),
            self.user_facing(f"{path}/consent", self.consent, "GET", "POST"),
            *([self.user_facing(f"{path}/logout", self.end_session, "GET", "POST")] if self.rules.logout else []),
            self.private("/mcp", self.protected_resource, "GET", "POST"),
        ]

    def registration_routes(self, path: str) -> list[Route]:
        """None where registration is closed: what is not there cannot be used (404, as for any unknown path)."""
        if self.rules.registration_closed:
            return []
        return [
            self.public(f"{path}/register", self.register, "POST"),
            self.configuration_route(f"{path}/register/{{client_id}}"),
        ]

    def configuration_route(self, path: str) -> Route:
        """OpenID Connect Registration, section 4, wants it open to scripts; RFC 7592 has no word on that."""
        methods = ("GET", "PUT", "DELETE")
        if not self.rules.openid:
            return self.private(path, self.manage, *methods)
        route = self.public(path, self.manage, *methods)
        route.methods = {*methods, "OPTIONS"}
        return route

    def discovery_routes(self, path: str) -> list[Route]:
        """RFC 8414 inserts the well-known name before the issuer's path; OpenID Connect appends it."""
        places = {f"/.well-known/openid-configuration{path}", f"{path}/.well-known/openid-configuration"}
        return [
            self.public(f"/.well-known/oauth-authorization-server{path}", self.authorization_server_document, "GET"),
            *(self.public(place, self.openid_document, "GET") for place in sorted(places)),
            self.public("/.well-known/oauth-protected-resource/mcp", self.protected_resource_document, "GET"),
        ]

    def public(self, path: str, handler: Handler, *methods: str) -> Route:
        """An endpoint that scripts of any origin may use (RFC 9700, section 2.6)."""

        async def answer(request: Request) -> Response:
            response = self.preflight(methods) if request.method == "OPTIONS" else await self.guard(handler, request)
            response.headers.update(self.cross_origin())
            return response

        return Route(path, answer, methods=[*methods, "OPTIONS"])

    def private(self, path: str, handler: Handler, *methods: str) -> Route:
        async def answer(request: Request) -> Response:
            return await self.guard(handler, request)

        route = Route(path, answer, methods=list(methods))
        route.methods = set(methods)  # without the HEAD that comes with GET: nobody needs it here
        return route

    def user_facing(self, path: str, handler: Handler, *methods: str) -> Route:
        """A page for people: errors are pages too, and no other origin may read it (RFC 9700, section 2.6)."""

        async def answer(request: Request) -> Response:
            return await self.guard(handler, request, self.error_page)

        return Route(path, answer, methods=list(methods))

    def preflight(self, methods: tuple[str, ...]) -> Response:
        return Response(status_code=204, headers={
            **self.hygiene(), "Allow": ", ".join([*methods, "OPTIONS"]),
            "Access-Control-Allow-Methods": ", ".join(methods),
            "Access-Control-Allow-Headers": "Authorization, Content-Type", "Access-Control-Max-Age": "600"})

    async def guard(self, handler: Handler, request: Request,
                    refuse: Callable[[Refusal], Response] | None = None) -> Response:
        """An answer in every case: a refusal as its error, a crash as a plain 500."""
        try:
            try:
                return await handler(request)
            except Refusal as refusal:
                return (refuse or self.error_answer)(refusal)
        except Exception as fault:
            return self.crash_answer(fault)

    async def not_served(self, request: Request, fault: Exception) -> Response:
        """404 and 405; the latter names what is allowed (RFC 9110, section 15.5.6)."""
        if isinstance(fault, HTTPException) and fault.status_code == 405:
            return self.error_answer(Refusal(405, "invalid_request", "this method is not allowed here",
                                             headers=fault.headers))
        return self.error_answer(Refusal(404, "not_found", "there is nothing here"))


