"""What a run did to the server, by whose leave, and what it left out: the same account in every report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dcrcheck.reporting import reasons
from dcrcheck.reporting.text import plural
from dcrcheck.results import Part, Results
from dcrcheck.verdict import Finding, Verdict

HEADING = "What this run did to the server"
KINDS = {
    "burst": "a bounded spray of registrations", "outbound": "registering URLs that a server might fetch",
    "oversize": "bodies of a megabyte and more",
}
UNVERIFIED = ("The server's certificate was not verified (--insecure): whoever stands on the way may have answered in "
              "its place, and nothing in this report is proof about the server.")
CLEANUP = "dcrcheck cleanup"
REST = "earlier (set-up, or before --resume)"


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One line of the account. `foreign`: the text is the owner's, not ours."""

    label: str
    text: str
    foreign: bool = False


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one suite did. `beyond` counts, by kind, the checks that went beyond ordinary requests; `strain` is theirs.

    `strain` holds the exchanges of those checks, and the registrations among them.
    """

    part: Part
    beyond: Mapping[str, int] = field(default_factory=dict)
    strain: tuple[int, int] = (0, 0)

    @property
    def name(self) -> str:
        return self.part.name.replace("_", " ")

    @property
    def intrusive(self) -> str:
        """``burst (25 checks), oversize (1 check): 55 requests, 50 registrations``; empty where nothing was."""
        if not self.beyond:
            return ""
        kinds = ", ".join(f"{kind} ({plural(count, 'check')})" for kind, count in self.beyond.items())
        return f"{kinds}: {plural(self.strain[0], 'request')}, {plural(self.strain[1], 'registration')}"


def facts(results: Results) -> list[Fact]:
    """The account in sentences, without the part of each suite and without the clients that are left."""
    run, clients = results.run, results.clients
    told = [Fact(label="Permitted by", text=run.authorized_by, foreign=True)] if run.authorized_by else []
    told += [
        Fact(label="Sent", text=f"{plural(run.exchanges, 'request')} in {run.duration_s:.1f} s, "
                                f"{plural(run.registrations, 'registration')} among them"),
        *_economy(results),
        Fact(label="Clients", text=f"{clients.created:,} created, {clients.deleted:,} deleted, "
                                   f"{len(clients.left):,} left{_unseen(results)}"),
        Fact(label="Permitted", text=", ".join(_kind(kind) for kind in run.permissions)
             or "nothing beyond ordinary requests")]
    told += [Fact(label="Not permitted", text=text) for text in _not_permitted(results)]
    if held := sum(map(reasons.is_held, results.findings)):
        told.append(Fact(label="Held back", text=f"{plural(held, 'check')} by the run's own budget or circuit breaker: "
                                                 "not judged"))
    return told


def _economy(results: Results) -> Iterator[Fact]:
    """What a judged requirement cost, and what a check: the fewer, the gentler."""
    run, count = results.run, sum(item.judged for item in results.coverage)
    if count:
        yield Fact(label="Economy", text=f"{run.exchanges / count:.1f} requests and {run.registrations / count:.1f} "
                                         f"registrations for each of {plural(count, 'judged requirement')}; "
                                         f"{run.registrations / len(results.findings):.2f} registrations a check")


def _kind(kind: str) -> str:
    return f"{kind} ({KINDS[kind]})" if kind in KINDS else kind


def _not_permitted(results: Results) -> Iterator[str]:
    unneeded = []
    for kind in KINDS:
        if kind in results.run.permissions:
            continue
        count = sum(kind in f.intrusive and f.verdict is Verdict.INCONCLUSIVE for f in results.findings)
        if not count:
            unneeded.append(kind)
            continue
        them = "it" if count == 1 else "them"
        yield f"{_kind(kind)}; {plural(count, 'check')} left out (to have {them} judged, name {kind} in --allow)"
    if unneeded:
        yield f"{', '.join(unneeded)}; no check was left out for that"


def _unseen(results: Results) -> str:
    count = sum(not client.client_id for client in results.clients.left)
    return f" ({count:,} of them without a known client_id, not counted as created)" if count else ""


def shares(results: Results) -> list[Share]:
    """What each suite sent, and what was sent for all of them, without what sent nothing."""
    parts = [part for part in results.parts if part.exchanges or part.checks]
    exchanges = results.run.exchanges - sum(part.exchanges for part in parts)
    registrations = results.run.registrations - sum(part.registrations for part in parts)
    if parts and exchanges > 0:
        parts.append(Part(name=REST, checks=0, exchanges=exchanges, registrations=max(0, registrations),
                          most_exchanges=0, most_registrations=0))
    return [_share(part, [f for f in results.findings if f.suite == part.name and f.intrusive and _ran(f)])
            for part in parts]


def _share(part: Part, intrusive: Sequence[Finding]) -> Share:
    return Share(part=part, beyond=Counter(kind for finding in intrusive for kind in finding.intrusive),
                 strain=(sum(f.exchanges for f in intrusive), sum(f.registrations for f in intrusive)))


def _ran(finding: Finding) -> bool:
    return finding.exchanges > 0 or finding.verdict in (Verdict.PASS, Verdict.FAIL, Verdict.WARN)


def removal(results: Results) -> str:
    """What `CLEANUP` does about the clients that are left; empty if none is."""
    count = len(results.clients.left)
    them = "it" if count == 1 else "them"
    return f"tries again to delete {them}, and names what an administrator has to remove" if count else ""


def sent(finding: Finding) -> str:
    """What one check sent: ``sent 3 requests, 2 registrations among them``."""
    own = plural(finding.exchanges, "request") if finding.exchanges else "no request of its own"
    among = f", {plural(finding.registrations, 'registration')} among them" if finding.registrations else ""
    shared = "; used what checks share" if finding.shared else ""
    return f"sent {own}{among}{shared}"
