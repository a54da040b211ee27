"""The cases: at which stage a server misbehaves, how, and what is true of the run all the same."""

from tests.hostile.cases import connections, endpoints, management, metadata, pages, refusals, registration

CASES = [*metadata.CASES, *endpoints.CASES, *registration.CASES, *refusals.CASES, *management.CASES, *pages.CASES,
         *connections.CASES]
