"""One run: a target is set up, checks are admitted and judged, and the results are drawn together."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dcrcheck
from dcrcheck.catalogue import Catalogue, Requirement, catalogue
from dcrcheck.coverage import coverage, rows
from dcrcheck.defects import defect
from dcrcheck.documents import ConfigurationError, nearest
from dcrcheck.endpoint import CLOSED, Endpoint
from dcrcheck.evidence import Exchange, Recorder
from dcrcheck.ledger import Ledger
from dcrcheck.profile import Profile, load_policy, load_profile, policy_names
from dcrcheck.reference import STATEMENT_ISSUER, Personality, Server, serve
from dcrcheck.registrar import Registrar
from dcrcheck.results import Results, Run, withheld
from dcrcheck.session import Session
from dcrcheck.target import PERMISSIONS, Target, discover, find_issuer, is_loopback
from dcrcheck.transport import Transport, tls_context
from dcrcheck.verdict import (
    Citation,
    Finding,
    Inapplicable,
    Inconclusive,
    Known,
    Outcome,
    Severity,
    Strength,
    Verdict,
    inapplicable,
    inconclusive,
    judge,
)

EMBEDDED = "reference"
_ENOUGH = 500
_STALE = "the deviation listed in the profile no longer happens: remove the entry ({})"
# of an emulated product, whose own may be far too narrow for a run; slow machines must still be able to meet it
_EMULATED_LIMIT = {"count": 100, "seconds": 2}
# capabilities that are of use to a registered client only
_ONLY_CLIENTS = frozenset({"session", "management", "confidential", "statement"})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the owner asked for, as the options and the environment give it."""

    issuer: str | None = None
    resource: str | None = None
    profile: str | None = None
    report_dir: Path | None = None
    max_registrations: int | None = None
    allow: frozenset[str] | None = None
    fail_on: Severity = Severity.LOW
    defect: str | None = None
    command: str = ""
    withhold: bool = False
    note: str = ""
    initial_access_token: str | None = None
    registrar: tuple[str, str] | None = None
    username: str | None = None
    password: str | None = None
    other_username: str | None = None
    other_password: str | None = None

    @classmethod
    def with_environment(cls, **options: Any) -> Settings:
        """The settings with the secrets, which come from the environment only."""
        registrar, secret = (os.environ.get(f"DCRCHECK_REGISTRAR_{part}") for part in ("ID", "SECRET"))
        return cls(initial_access_token=os.environ.get("DCRCHECK_INITIAL_ACCESS_TOKEN") or None,
                   registrar=(registrar, secret) if registrar and secret else None,
                   username=os.environ.get("DCRCHECK_USERNAME") or None,
                   password=os.environ.get("DCRCHECK_PASSWORD") or None,
                   other_username=os.environ.get("DCRCHECK_OTHER_USERNAME") or None,
                   other_password=os.environ.get("DCRCHECK_OTHER_PASSWORD") or None, **options)


@dataclass(frozen=True, kw_only=True)
class Charge:
    """A check as the run knows it: its id, the claim it makes and what it cites, needs and does."""

    check: str
    suite: str
    claim: str
    requirements: tuple[Requirement, ...]
    needs: tuple[str, ...] = ()
    intrusive: tuple[str, ...] = ()


class Trial:
    """A run against one target."""

    def __init__(self, settings: Settings) -> None:
        """Set up the target: the embedded server, or a live one by discovery.

        Raises:
            ConfigurationError: something that the owner must mend first, said in one line.
        """
        self.settings = settings
        self.catalogue: Catalogue = catalogue()
        self.run_id = secrets.token_hex(4)
        self.started = datetime.now(UTC)
        self.recorder = Recorder()
        self.findings: list[Finding] = []
        self._clock = time.perf_counter()
        self._stack = ExitStack()
        self._session: Session | None = None
        try:
            self._set_up()
        except BaseException:
            self._stack.close()
            raise

    def _set_up(self) -> None:
        settings = self.settings
        live = settings.issuer or settings.resource
        profile = load_profile(settings.profile or ("rfc7591" if live else EMBEDDED), self.catalogue)
        if settings.defect and live:
            raise ConfigurationError("--defect judges the embedded server; leave out --issuer and --resource")
        if live or profile.issuer:
            self.transport = self._open(Transport(self.recorder))
            self.target = self._find(profile)
        else:
            self.transport, self.target = self._embed(profile)
        registrar = self._registrar()
        if self.target.profile.access in ("initial-access-token", "admin-token") and not self._token() and (
                registrar is None):
            raise ConfigurationError(f"profile {profile.name} registers with an initial access token: "
                                     "set DCRCHECK_INITIAL_ACCESS_TOKEN")
        ledger = self._ledger()
        if not self.target.profile.is_closed:
            self.target.registration_endpoint  # noqa: B018  (complains where there is none)
        self.endpoint = Endpoint(self.target, self.transport, ledger, max_registrations=self._budget(),
                                 initial_access_token=self._token() if self._presents_token() else None,
                                 registrar=registrar)
        self.recorder.redactor.learn(self._token())

    def _open(self, transport: Transport) -> Transport:
        self._stack.callback(transport.close)
        return transport

    def _find(self, profile: Profile) -> Target:
        settings = self.settings
        issuer = settings.issuer or profile.issuer
        if settings.resource and not settings.issuer:
            issuer = find_issuer(settings.resource, self.transport)
        return discover(issuer, profile, self.transport, resource=settings.resource,
                        permissions=self._permissions(issuer))

    def _embed(self, profile: Profile) -> tuple[Transport, Target]:
        """Start the reference server under the policy of the profile, with a defect if one was asked for."""
        settings = self.settings
        if profile.emulated and not settings.defect:
            return self._emulate(profile)
        if profile.name not in (EMBEDDED, *policy_names()):
            raise ConfigurationError(f"profile {profile.name} describes a live server: give its --issuer")
        kind = defect(settings.defect) if settings.defect else Server
        policy = kind.policy if settings.defect and settings.profile is None else profile.policy.name
        embedded = load_profile(EMBEDDED, self.catalogue)
        in_force = load_policy(policy, self.catalogue)
        profile = replace(embedded, policy=in_force, registration={
            **embedded.registration, "access": in_force.parameters.get("access", "anonymous")})
        server = type(kind.__name__, (kind,), {"policy": policy})()
        return self._serve(server, profile, withdrawn_software_id=server.rules.withdrawn_software_ids[0],
                           statement_issuer=STATEMENT_ISSUER, statement_key=server.statement_key_pem())

    def _emulate(self, profile: Profile) -> tuple[Transport, Target]:
        """Start the embedded server under the personality of a product; its user and its limit are the server's own."""
        if not profile.emulation:
            raise ConfigurationError(f"profile {profile.name} has no [emulation]: give the --issuer of the product")
        embedded = load_profile(EMBEDDED, self.catalogue)
        facts = {**profile.emulation, "closed": profile.is_closed,
                 "token_required": profile.access in ("initial-access-token", "admin-token")}
        facts["limit"] = {**facts.get("limit", {}), **_EMULATED_LIMIT}
        self.emulated = True
        return self._serve(Personality(facts, policy=profile.policy.name), replace(
            profile, discovery={}, limits={"registrations": _EMULATED_LIMIT}, session=embedded.session))

    emulated = False

    def _serve(self, server: Server, profile: Profile, **extra: Any) -> tuple[Transport, Target]:
        running = self._stack.enter_context(serve(server, path=server.path))
        transport = self._open(Transport(self.recorder, verify=tls_context(running.ca_pem)))
        self._embedded = running
        target = discover(running.issuer, profile, transport, resource=running.resource,
                          permissions=self._permissions(running.issuer), extra=extra)
        return transport, target

    _embedded: Any = None

    def _permissions(self, issuer: str) -> frozenset[str]:
        if self.settings.allow is not None:
            return self.settings.allow
        return frozenset(PERMISSIONS) if is_loopback(issuer) else frozenset()

    def _budget(self) -> int:
        return self.settings.max_registrations if self.settings.max_registrations is not None else _ENOUGH * (
            4 if self.target.is_loopback else 1)

    def _token(self) -> str | None:
        if self._embedded is not None:
            return str(self._embedded.initial_access_token)
        return self.settings.initial_access_token

    def _registrar(self) -> Registrar | None:
        """The client that obtains initial access tokens, where the profile says how.

        Raises:
            ConfigurationError: its credentials are missing.
        """
        way = self.target.profile.registration.get("initial_access_token")
        if way is None or self._token():
            return None
        if self.settings.registrar is None:
            raise ConfigurationError(f"profile {self.profile.name} has a client obtain initial access tokens: set "
                                     "DCRCHECK_REGISTRAR_ID and DCRCHECK_REGISTRAR_SECRET")
        client_id, secret = self.settings.registrar
        return Registrar(transport=self.transport, token_endpoint=self.target.endpoint("token_endpoint"),
                         client_id=client_id, secret=secret, scope=way["scope"],
                         single_use=way.get("single_use", False))

    def _presents_token(self) -> bool:
        return self.target.profile.access not in ("anonymous", "closed")

    def _ledger(self) -> Ledger:
        directory = self.settings.report_dir
        try:
            if directory is not None:
                directory.mkdir(parents=True, exist_ok=True)
            ledger = Ledger(directory / "ledger.sqlite" if directory else None, run=self.run_id,
                            issuer=self.target.issuer)
        except OSError as error:
            raise ConfigurationError(f"the report directory {directory} cannot be written: {error.strerror or error}; "
                                     "choose another with --report-dir") from None
        self._stack.callback(ledger.close)
        return ledger

    @property
    def profile(self) -> Profile:
        return self.target.profile

    @property
    def session(self) -> Session:
        """The browser of the test user, logged in once for the run.

        Raises:
            Inconclusive: no user is known.
        """
        if self._session is None:
            # only a throw-away server has its users in its profile
            username, password, other_username, other_password = (
                getattr(self.settings, name) or self.profile.session.get(name)
                for name in ("username", "password", "other_username", "other_password"))
            if self.profile.session.get("driver", "form") != "form" or not username or not password:
                inconclusive("no user session: set DCRCHECK_USERNAME and DCRCHECK_PASSWORD to those of a test user")
            other = (other_username, other_password) if other_username and other_password else None
            self._session = Session(self.endpoint, username=username, password=password, other=other)
        return self._session

    # -- admitting --------------------------------------------------------------------------------------------------

    def admit(self, charge: Charge) -> None:
        """Let a check begin, or say why it does not apply or may not run.

        Raises:
            Inapplicable, Inconclusive: it must not be run.
        """
        self.recorder.begin()
        self.endpoint.check = charge.check
        policy = self.profile.policy
        if all(policy.strength(row) is None for row in charge.requirements):
            waived = [policy.waives[row.id] for row in charge.requirements if row.id in policy.waives]
            ids = ", ".join(row.id for row in charge.requirements)
            inapplicable(f"policy {policy.name} waives {ids}: {waived[0]}" if waived
                         else f"policy {policy.name} does not bind {ids}")
        if self.profile.is_closed and (charge.intrusive or _ONLY_CLIENTS.intersection(charge.needs)):
            inapplicable(CLOSED)
        for kind in charge.intrusive:
            if kind not in self.target.permissions:
                inconclusive(f"not permitted: this check does more than ordinary requests (--allow {kind})")
        for capability in charge.needs:
            self._need(capability)

    def _need(self, capability: str) -> None:
        if capability == "session":
            _ = self.session
        elif capability == "management":
            if not self.profile.offers.get("management", True):
                inapplicable("the profile says that the server offers no client configuration endpoint")
            client = self.endpoint.control()
            if client.registration_client_uri is None:
                inapplicable("the server returns no registration_client_uri: it does not offer RFC 7592")
        elif (missing := self.target.lacks(capability)) is not None:
            inapplicable(missing)

    # -- judging ----------------------------------------------------------------------------------------------------

    def conclude(self, charge: Charge, outcome: Outcome, *, message: str = "", detail: str = "",
                 duration_s: float = 0.0) -> Finding:
        """Turn how a check ended into a finding, and keep it; its evidence is redacted when the run finishes."""
        policy, strict = self.profile.policy, self.profile.strict
        held = [(row, strength) for row in charge.requirements
                if (strength := policy.strength(row, strict=strict)) is not None]
        held.sort(key=lambda pair: (list(Strength).index(pair[1]), pair[0].severity.rank))
        leading = held[0][0] if held else charge.requirements[0]
        strength = held[0][1] if held else Strength.ADVISORY
        known = next((entry for entry in self.profile.known if entry.covers(charge.check)), None)
        if outcome in (Outcome.INAPPLICABLE, Outcome.INCONCLUSIVE, Outcome.CRASHED) or (
                outcome is Outcome.KEPT and known is not None and known.some):
            known = None
        verdict, surprise = judge(outcome, strength, known, self.started.date())
        broken = outcome is Outcome.BROKEN
        observed = message if broken or outcome is Outcome.CRASHED else ""
        if verdict is Verdict.PASS and known is not None:
            observed = _STALE.format(known.reason)
        finding = Finding(
            check=charge.check, suite=charge.suite, claim=charge.claim,
            requirements=tuple(self._cite(row, policy.strength(row, strict=strict)) for row in charge.requirements),
            level=leading.level, severity=leading.severity, verdict=verdict, known=known, surprise=surprise,
            why=leading.why if outcome in (Outcome.KEPT, Outcome.BROKEN) else message, fix=leading.fix,
            expected=charge.claim, observed=observed, detail=detail,
            evidence=self.recorder.evidence(), duration_s=duration_s)
        self.findings.append(finding)
        told = self._redacted(finding, {}) if verdict is not Verdict.PASS or surprise else finding
        return withheld(told) if self.settings.withhold else told

    def _redacted(self, finding: Finding, known: dict[str, Exchange]) -> Finding:
        """The same finding without anything secret; `known` are exchanges already redacted, by id."""
        redactor = self.recorder.redactor
        for exchange in finding.evidence:
            if exchange.id not in known:
                known[exchange.id] = redactor.redact(exchange)
        return replace(finding, evidence=tuple(known[exchange.id] for exchange in finding.evidence),
                       why=redactor.scrub(finding.why), observed=redactor.scrub(finding.observed),
                       detail=redactor.scrub(finding.detail))

    def _cite(self, row: Requirement, strength: Strength | None) -> Citation:
        return Citation(id=row.id, source=row.source, section=row.section, level=row.level,
                        strength=strength or Strength.ADVISORY, text=row.text, link=row.link)

    def vouch(self, charges: Sequence[Charge]) -> None:
        """Make sure that what the profile lists as known names a check that exists.

        Raises:
            ConfigurationError: an entry names none.
        """
        names = {charge.check.partition("::")[2].partition("[")[0] for charge in charges}
        for entry in self.profile.known:
            if not any(entry.covers(charge.check) for charge in charges):
                bare = entry.check.partition("[")[0].rpartition("::")[2]
                raise ConfigurationError(f"profile {self.profile.name}: known: there is no check {entry.check!r}"
                                         f"{nearest(bare, names)}")

    def _mark_stale(self) -> None:
        """Of an entry that leaves its rows open and fails in none, the last judged row says that it is stale."""
        for entry in self.profile.known:
            judged = [place for place, finding in enumerate(self.findings) if entry.covers(finding.check)
                      and finding.verdict in (Verdict.PASS, Verdict.FAIL, Verdict.WARN)]
            if entry.some and judged and all(self.findings[place].known != entry for place in judged):
                self.findings[judged[-1]] = replace(self.findings[judged[-1]], known=entry, surprise=True,
                                                    observed=_STALE.format(entry.reason))

    # -- finishing --------------------------------------------------------------------------------------------------

    def finish(self, charges: Sequence[Charge]) -> Results:
        """Clean up at the target and draw the results together. `charges` are all checks, run or not."""
        try:
            if self._embedded is None or self.settings.report_dir is not None:
                self.endpoint.clean_up()
            clients = self.endpoint.ledger.clients()
            registrations = self.endpoint.ledger.registrations()
        finally:
            self._stack.close()
        self._mark_stale()
        known: dict[str, Exchange] = {}
        self.findings = [self._redacted(finding, known) for finding in self.findings]
        table = rows(self.catalogue, self.profile.policy, self.findings, charges)
        results = Results(
            run=Run(id=self.run_id, tool_version=dcrcheck.__version__, issuer=self.target.issuer,
                    profile=self.profile.name, profile_title=self.profile.title, policy=self.profile.policy.name,
                    policy_title=self.profile.policy.title,
                    started=self.started.isoformat(timespec="seconds").replace("+00:00", "Z"),
                    duration_s=round(time.perf_counter() - self._clock, 3), exchanges=self.recorder.count,
                    registrations=registrations, emulated=self.emulated, defect=self.settings.defect or "",
                    registration_endpoint=self.target.endpoint("registration_endpoint") or "",
                    command=self.settings.command,
                    notes=tuple(filter(None, (self.settings.note, self._untried(), *self.endpoint.notes)))),
            findings=tuple(self.findings), requirements=table,
            coverage=coverage(self.catalogue, self.profile.policy, table),
            clients=clients, exit_code=0, other_policies=self._others(charges))
        results = replace(results, exit_code=self._exit_code(results))
        return results.withheld() if self.settings.withhold else results

    def _untried(self) -> str:
        """A word of caution where a live product is judged by a profile that nobody has tried on it."""
        untried = self.profile.emulated and not self.emulated
        return f"profile {self.profile.name} was written from the product's documents alone" if untried else ""

    def abort(self) -> None:
        """Stop what was started, whatever happened."""
        self._stack.close()

    def _exit_code(self, results: Results) -> int:
        """0 nothing surprising · 1 a rule is broken · 5 nothing was judged · 6 incomplete."""
        if results.surprises(self.settings.fail_on):
            return 1
        if results.unsettled():
            return 6
        judged = (Verdict.PASS, Verdict.FAIL, Verdict.WARN)
        return 0 if any(finding.verdict in judged for finding in results.findings) else 5

    def _others(self, charges: Sequence[Charge]) -> dict[str, int]:
        """How many more requirements every other policy would bind, of those that have a check."""
        checked = {row.id: row for charge in charges for row in charge.requirements}.values()
        mine = self.profile.policy
        counts = {}
        for name in policy_names():
            other = load_policy(name, self.catalogue)
            more = sum(other.strength(row) is not None and mine.strength(row) is None for row in checked)
            if name != mine.name and more and "closed" not in (self.profile.access, other.parameters["access"]):
                counts[name] = more
        return counts


def charge_of(check: Callable[..., object], *, check_id: str, suite: str, book: Mapping[str, Requirement]) -> Charge:
    """Read off a check function what it claims and cites.

    Raises:
        ConfigurationError: it cites nothing, or something that the catalogue does not know.
    """
    ids: Iterable[str] = getattr(check, "dcr_requirements", ())
    if not ids:
        raise ConfigurationError(f"{check_id} cites no requirement; decorate it with @requirement(\"…\")")
    try:
        cited = tuple(book[row] for row in ids)
    except KeyError as error:
        raise ConfigurationError(f"{check_id}: {error.args[0]}") from None
    claim = (check.__doc__ or "").strip().splitlines()
    if not claim:
        raise ConfigurationError(f"{check_id} states no claim; its first docstring line is the claim")
    return Charge(check=check_id, suite=suite, claim=claim[0].strip(), requirements=cited,
                  needs=getattr(check, "dcr_needs", ()), intrusive=getattr(check, "dcr_intrusive", ()))


__all__ = ["EMBEDDED", "Charge", "Inapplicable", "Inconclusive", "Known", "Settings", "Trial", "charge_of"]
