"""One run: checks are admitted and judged at a target, and the results are drawn together."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime

from filelock import FileLock, Timeout

import dcrcheck
from dcrcheck.budget import CLEAN_UP, Bounds, Budget
from dcrcheck.catalogue import Catalogue, Requirement, catalogue
from dcrcheck.charge import Charge
from dcrcheck.cleanup import clean_up
from dcrcheck.coverage import coverage, rows
from dcrcheck.documents import ConfigurationError, nearest
from dcrcheck.endpoint import Endpoint
from dcrcheck.evidence import Exchange, Recorder
from dcrcheck.fuzzing import Fuzzing
from dcrcheck.hunt import Hunt
from dcrcheck.journal import read, written
from dcrcheck.judgement import judged, judged_elsewhere, silence, stale
from dcrcheck.ledger import Ledger
from dcrcheck.plan import DISCOVERY, FUZZ, Plan, by_value, is_scarce, plan
from dcrcheck.profile import Profile, load_policy, policy_names
from dcrcheck.registration import CLOSED
from dcrcheck.results import OtherPolicy, Part, Results, Run, surprises, tally, withheld
from dcrcheck.session import Session
from dcrcheck.settings import Settings
from dcrcheck.stage import Stage
from dcrcheck.target import Target, metadata_urls
from dcrcheck.transport import Transport
from dcrcheck.verdict import (
    Citation,
    Finding,
    Inapplicable,
    Inconclusive,
    Outcome,
    Strength,
    Verdict,
    inapplicable,
    inconclusive,
)

_ENOUGH = 500
INSECURE = "the server's certificate was not verified (--insecure): whoever stands on the way may have answered instead"
_UNREACHED = "the run ended before this check"
# capabilities that are of use to a registered client only
_ONLY_CLIENTS = frozenset({"session", "management", "confidential", "statement"})


class Trial:
    """A run against one target."""

    def __init__(self, settings: Settings, recorder: Recorder | None = None) -> None:
        """Set up the target: the embedded server, or a live one by discovery.

        Raises:
            ConfigurationError: something that the owner must mend first, said in one line.
        """
        self.settings = settings
        self.catalogue: Catalogue = catalogue()
        self.run_id = settings.resume or secrets.token_hex(4)
        self.started = datetime.now(UTC)
        self.recorder = recorder or Recorder()
        if settings.resume:
            self.recorder.prefix = f"x{secrets.token_hex(3)}-"
        self.findings: list[Finding] = []
        self.earlier: dict[str, Finding] = {}
        self.tell: Callable[[str], None] = lambda line: None
        """Receives a line where the run takes its time, or leaves something out."""
        self._clean: dict[str, Exchange] = {}
        self._clock = time.perf_counter()
        self._stack = ExitStack()
        self._session: Session | None = None
        self._plan: Plan | None = None
        self._down = ""
        try:
            self.stage = Stage(settings, self.catalogue, self.recorder, self._stack)
            if not settings.plan:
                self._open()
        except BaseException:
            self._stack.close()
            raise

    def _open(self) -> None:
        ledger = self._ledger()
        self.budget = Budget(ledger, self.bounds(), tell=lambda line: self.tell(line), alive=self._alive)
        self.endpoint = Endpoint(self.target, self.stage.transport, self.budget, registrar=self.stage.registrar,
                                 initial_access_token=self.stage.initial_access_token)
        self.hunt = Fuzzing.of(self.endpoint).hunt = self._hunt()
        self.budget.spent[DISCOVERY, "exchanges"] = self.recorder.count
        self.recorder.gate = self.budget

    def _hunt(self) -> Hunt:
        """What is remembered of earlier hunts, where the owner wants one.

        Raises:
            ConfigurationError: the owner does not permit it, or what is remembered cannot be read.
        """
        seconds = self.settings.fuzz_seconds
        if seconds and "burst" not in self.target.permissions:
            raise ConfigurationError("--fuzz-seconds sends requests for as long as that: permit it with --allow burst")
        return Hunt(self.settings.report_dir, seconds=seconds, tell=lambda line: self.tell(line))

    def bounds(self) -> Bounds:
        """What the owner and the profile set as the limits of this run."""
        settings, target = self.settings, self.target
        declared = target.profile.limits.get("registrations")
        most = _ENOUGH * (8 if target.is_loopback else 1)
        limit = None
        if declared:
            # below the limit by a tenth where that leaves one: clocks and networks are not exact
            count, seconds = int(declared["count"]), float(declared["seconds"])
            limit = (int(count * 0.9) if count >= 10 else count, seconds if count >= 10 else seconds * 1.02 + 0.1)
        return Bounds(
            registrations=settings.max_registrations if settings.max_registrations is not None else most,
            exchanges=settings.max_exchanges, rate=settings.max_rate, limit=limit, patience_s=settings.max_wait_s)

    def _alive(self) -> bool:
        _, url = metadata_urls(self.target.issuer)[0]
        return 0 < self.transport.send("GET", url).status < 500

    def _ledger(self) -> Ledger:
        directory = self.settings.report_dir
        path = None if directory is None else directory / "ledger.sqlite"
        try:
            if directory is not None:
                directory.mkdir(parents=True, exist_ok=True)
                self._stack.enter_context(FileLock(directory / "ledger.lock", timeout=0))
            ledger = Ledger(path, run=self.run_id, issuer=self.target.issuer, scrub=self.recorder.redactor.scrub)
            self._stack.callback(ledger.close)
            if self.settings.resume:
                self._take_up(ledger)
            ledger.begin(profile=self.profile.name, origins=sorted(self.target.origins),
                         embedded=self.stage.embedded is not None, exchanges=self.recorder.count)
        except Timeout:
            raise ConfigurationError(f"another run is writing to {directory}; choose another with --report-dir"
                                     ) from None
        except OSError as error:
            raise ConfigurationError(f"the report directory {directory} cannot be written: {error.strerror or error}; "
                                     "choose another with --report-dir") from None
        return ledger

    def _take_up(self, ledger: Ledger) -> None:
        """Go on with an interrupted run: what it found stands.

        Raises:
            ConfigurationError: there is no such run, or it was not of this server and profile.
        """
        runs = {entry.id: entry for entry in ledger.runs()}
        entry = runs.get(self.run_id)
        if entry is None:
            raise ConfigurationError(f"--resume {self.run_id}: {ledger.path} has no such run"
                                     f"{nearest(self.run_id, runs)}; give its --report-dir")
        if entry.embedded or self.stage.embedded is not None:
            raise ConfigurationError(f"--resume {self.run_id}: the embedded server ended with its run; judge it again")
        if entry.finished_at is not None:
            raise ConfigurationError(f"--resume {self.run_id}: that run came to its end")
        if (entry.issuer, entry.profile) != (self.target.issuer, self.profile.name):
            raise ConfigurationError(f"--resume {self.run_id}: that run judged {entry.issuer} by profile "
                                     f"{entry.profile}; give the same --issuer and --profile")
        self.started = datetime.fromtimestamp(entry.started_at, UTC)
        self.earlier = {check: read(body) for check, body in ledger.kept().items()}

    @property
    def target(self) -> Target:
        return self.stage.target

    @property
    def transport(self) -> Transport:
        return self.stage.transport

    @property
    def emulated(self) -> bool:
        return self.stage.emulated

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
            username, password, other = self._user()
            self._session = Session(self.endpoint, username=username, password=password, other=other)
        return self._session

    def _user(self) -> tuple[str, str, tuple[str, str] | None]:
        """The credentials of the test user, and those of another.

        Raises:
            Inconclusive: no user is known.
        """
        # only a throw-away server has its users in its profile
        username, password, other_username, other_password = (
            getattr(self.settings, name) or self.profile.session.get(name)
            for name in ("username", "password", "other_username", "other_password"))
        if self.profile.session.get("driver", "form") != "form" or not username or not password:
            inconclusive("no user session: set DCRCHECK_USERNAME and DCRCHECK_PASSWORD to those of a test user")
        return username, password, (other_username, other_password) if other_username and other_password else None

    # -- admitting --------------------------------------------------------------------------------------------------

    def admit(self, charge: Charge) -> None:
        """Let a check begin, or say why it does not apply or may not run.

        Raises:
            Inapplicable, Inconclusive: it must not be run.
        """
        self._begin(charge)
        self._bar(charge)
        if "management" in charge.needs and self.endpoint.control().registration_client_uri is None:
            inapplicable("the server returns no registration_client_uri: it does not offer RFC 7592")

    def _begin(self, charge: Charge) -> None:
        """From now on everything that is sent, spent and observed is this check's."""
        self.recorder.begin()
        self.budget.begin(charge.check, charge.suite)
        self.endpoint.observable = frozenset(charge.observes)
        self.endpoint.observations = {}
        self.endpoint.consulted.names.clear()

    def _bar(self, charge: Charge) -> None:
        """Say why a check does not apply or may not run, as far as it is known without a registration.

        Raises:
            Inapplicable, Inconclusive: it must not be run.
        """
        policy = self.profile.policy
        quiet = [silence(charge, one) for one in (policy, *self.stage.others)]
        if all(quiet):
            inapplicable(quiet[0])
        if self.profile.is_closed and (charge.intrusive or _ONLY_CLIENTS.intersection(charge.needs)):
            inapplicable(CLOSED)
        for kind in charge.intrusive:
            if kind not in self.target.permissions:
                inconclusive(f"not permitted: this check does more than ordinary requests (--allow {kind})")
        for capability in charge.needs:
            if capability == "session":
                self._user()
            elif capability == "management":
                if not self.profile.offers.get("management", True):
                    inapplicable("the profile says that the server offers no client configuration endpoint")
            elif (missing := self.target.lacks(capability)) is not None:
                inapplicable(missing)

    def _applies(self, charge: Charge) -> bool:
        try:
            self._bar(charge)
        except (Inapplicable, Inconclusive):
            return False
        return True

    # -- planning ---------------------------------------------------------------------------------------------------

    def plan(self, charges: Sequence[Charge]) -> Plan:
        """What these checks send at most."""
        settings = self.settings
        return plan(charges, filter(self._applies, charges), self.bounds(), examples=settings.fuzz_examples,
                    hunt_s=settings.fuzz_seconds)

    def prepare(self, charges: Sequence[Charge]) -> list[Charge]:
        """Hold the run to its plan. Returns the order of the checks: where registrations are few, the best first."""
        self._plan = made = self.plan(charges)
        self.budget.allowances = made.allowances
        self.budget.bounds = replace(self.budget.bounds, exchanges=made.exchanges)
        applicable = [charge for charge in charges if self._applies(charge) and charge.check not in self.earlier]
        fuzzed = {charge.check.partition("[")[0] for charge in applicable if charge.suite == FUZZ}
        self.hunt.seconds = self.settings.fuzz_seconds / max(1, len(fuzzed))
        capacity = self.bounds().capacity
        if not is_scarce(applicable, capacity):
            return list(charges)
        self.endpoint.notes.append(f"the budget of {capacity} registrations is small: what they show most with was "
                                   "checked first")
        chosen = {charge.check for charge in applicable}
        return [*(charge for charge in charges if charge.check not in chosen), *by_value(applicable, capacity)]

    # -- judging ----------------------------------------------------------------------------------------------------

    def conclude(self, charge: Charge, outcome: Outcome, *, message: str = "", detail: str = "",
                 duration_s: float = 0.0) -> Finding:
        """Turn how a check ended into a finding, and keep it; its evidence is redacted when the run finishes."""
        finding = self._finding(charge, outcome, message=message, detail=detail, duration_s=duration_s)
        self.findings.append(finding)
        durable = self.settings.report_dir is not None
        told = finding
        if finding.verdict is not Verdict.PASS or finding.surprise or durable:
            told = self._redacted(finding, self._clean)
        if durable:
            try:
                self.budget.ledger.keep(charge.check, written(told))
            except OSError as fault:
                self._note(f"{fault}: what was found since then is in the reports only")
        return withheld(told) if self.settings.withhold else told

    def _note(self, words: str) -> None:
        """Say a line now and in the reports, once."""
        if words not in self.endpoint.notes:
            self.endpoint.notes.append(words)
            self.tell(words)

    def _finding(self, charge: Charge, outcome: Outcome, *, message: str = "", detail: str = "",
                 duration_s: float = 0.0) -> Finding:
        policy, strict = self.profile.policy, self.profile.strict
        if outcome is Outcome.BROKEN and self._is_down():
            outcome, message, detail = Outcome.INCONCLUSIVE, f"{message}; but the server answers nothing any more", ""
            if not self._down:
                self._down = charge.check
                self._note(f"the server stopped answering during {charge.check}: if it does so again, what this check "
                           "sends brings it down")
        cost, known, today = self.budget.cost, self.profile.known, self.started.date()
        mine = judged(charge, outcome, message, policy, strict=strict, known=known, today=today)
        consulted = {*self.endpoint.consulted.names, *(("auth_methods",) if "confidential" in charge.needs else ())}
        elsewhere = tuple(judged_elsewhere(charge, outcome, message, policy, other, consulted=consulted, strict=strict,
                                           known=known, today=today) for other in self.stage.others)
        return Finding(
            check=charge.check, suite=charge.suite, claim=charge.claim,
            requirements=tuple(self._cite(row, policy.strength(row, strict=strict)) for row in charge.requirements),
            level=mine.level, severity=mine.severity, verdict=mine.verdict, known=mine.known, surprise=mine.surprise,
            why=mine.why, fix=mine.fix, expected=charge.claim, observed=mine.observed, detail=detail,
            evidence=self.recorder.evidence(), duration_s=duration_s, intrusive=charge.intrusive,
            exchanges=cost.exchanges, registrations=cost.registrations, shared=tuple(sorted(self.budget.shared)),
            observations=dict(self.endpoint.observations), elsewhere=elsewhere)

    def _is_down(self) -> bool:
        """Whether the check at work had no answer from a server that does not answer what is harmless either."""
        unanswered = any(exchange.status is None for exchange in self.recorder.evidence())
        return unanswered and not self.budget.breaker.answers()

    def repeat(self, charge: Charge) -> Finding:
        """What a check found before the run was interrupted."""
        finding = self.earlier[charge.check]
        self.findings.append(finding)
        return withheld(finding) if self.settings.withhold else finding

    def _redacted(self, finding: Finding, known: dict[str, Exchange]) -> Finding:
        """The same finding without anything secret; `known` are exchanges already redacted, by id."""
        redactor = self.recorder.redactor
        for exchange in finding.evidence:
            if exchange.id not in known:
                known[exchange.id] = redactor.redact(exchange)
        return replace(finding, evidence=tuple(known[exchange.id] for exchange in finding.evidence),
                       why=redactor.scrub(finding.why), observed=redactor.scrub(finding.observed),
                       detail=redactor.scrub(finding.detail),
                       observations={row: redactor.scrub(words) for row, words in finding.observations.items()},
                       elsewhere=tuple(replace(one, why=redactor.scrub(one.why), observed=redactor.scrub(one.observed))
                                       for one in finding.elsewhere))

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
                                                    observed=stale(entry))

    # -- finishing --------------------------------------------------------------------------------------------------

    def finish(self, charges: Sequence[Charge], chosen: Sequence[Charge] = ()) -> Results:
        """Clean up at the target and draw the results together.

        `charges` are all checks; of the `chosen` ones, those that were not reached are inconclusive.
        """
        reached = {finding.check for finding in self.findings}
        for charge in chosen:
            if charge.check not in reached:
                self._begin(charge)
                self.findings.append(self._finding(charge, Outcome.INCONCLUSIVE, message=_UNREACHED))
        ledger = self.budget.ledger
        if self.stage.embedded is None or self.settings.report_dir is not None:
            try:
                with self.budget.on(CLEAN_UP):
                    clean_up(ledger, self.transport, origins=self.target.origins, wait=self.budget.wait,
                             tell=lambda line: self.tell(line))
            except OSError as fault:
                self._note(f"the clean-up stopped: {fault}; dcrcheck cleanup goes on with it")
        clients = ledger.clients()
        self._mark_stale()
        known: dict[str, Exchange] = {}
        self.findings = [self._redacted(finding, known) for finding in self.findings]
        table = rows(self.catalogue, self.profile.policy, self.findings, charges)
        results = Results(
            run=Run(id=self.run_id, tool_version=dcrcheck.__version__, issuer=self.target.issuer,
                    profile=self.profile.name, profile_title=self.profile.title, policy=self.profile.policy.name,
                    policy_title=self.profile.policy.title,
                    started=self.started.isoformat(timespec="seconds").replace("+00:00", "Z"),
                    duration_s=round(time.perf_counter() - self._clock, 3), exchanges=ledger.exchanges(),
                    registrations=ledger.registrations(), emulated=self.emulated, defect=self.settings.defect or "",
                    authorized_by=self.stage.authorized_by, permissions=tuple(sorted(self.target.permissions)),
                    insecure=self.settings.insecure and self.stage.embedded is None,
                    registration_endpoint=self.target.endpoint("registration_endpoint") or "",
                    command=self.settings.command,
                    notes=tuple(filter(None, (self.settings.note, INSECURE if self.settings.insecure else "",
                                               self._untried(), *self.endpoint.notes,
                                               *self.budget.breaker.opened.values())))),
            findings=tuple(self.findings), requirements=table,
            coverage=coverage(self.catalogue, self.profile.policy, table),
            clients=clients, exit_code=0, other_policies=self._others(charges), parts=self._parts())
        codes = {"": self._exit_code(self.findings),
                 **{one.name: self._exit_code(results.under(one.name)) for one in self.stage.others}}
        results = replace(
            results, exit_code=next((code for code in (1, 6, 5) if code in codes.values()), 0),
            policies=tuple(OtherPolicy(name=one.name, title=one.title, exit_code=codes[one.name],
                                       counts=tally(results.under(one.name))) for one in self.stage.others))
        return results.withheld() if self.settings.withhold else results

    def _parts(self) -> tuple[Part, ...]:
        """What was sent, held against the plan."""
        lines = self._plan.lines if self._plan is not None else ()
        return tuple(Part(name=line.name, checks=line.checks, exchanges=sent.exchanges,
                          registrations=sent.registrations, most_exchanges=line.cost.exchanges,
                          most_registrations=line.cost.registrations)
                     for line in lines for sent in (self.budget.cost_of(line.name),))

    def _untried(self) -> str:
        """A word of caution where a live product is judged by a profile that nobody has tried on it."""
        untried = self.profile.emulated and not self.emulated
        return f"profile {self.profile.name} was written from the product's documents alone" if untried else ""

    def complete(self) -> None:
        """The reports are written: nothing is left to go on with."""
        # where that cannot be written, the run can be gone on with: nothing is lost
        with suppress(OSError):
            self.budget.ledger.finish()

    def close(self) -> None:
        """Stop what was started, whatever happened."""
        self._stack.close()

    def _exit_code(self, findings: Sequence[Finding]) -> int:
        """0 nothing surprising · 1 a rule is broken · 5 nothing was judged · 6 incomplete."""
        if surprises(findings, self.settings.fail_on):
            return 1
        verdicts = {finding.verdict for finding in findings}
        if Verdict.INCONCLUSIVE in verdicts:
            return 6
        return 0 if verdicts & {Verdict.PASS, Verdict.FAIL, Verdict.WARN} else 5

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


__all__ = ["Trial"]
