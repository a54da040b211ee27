"""A target set up: a live server by discovery, or the embedded one, as itself or under the personality of a product."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from dcrcheck.catalogue import Catalogue
from dcrcheck.defects import defect
from dcrcheck.documents import ConfigurationError
from dcrcheck.evidence import Recorder
from dcrcheck.profile import Profile, load_policy, load_profile, policy_names
from dcrcheck.reference import REGISTRATION_SCOPE, STATEMENT_ISSUER, Personality, Server, serve
from dcrcheck.registrar import Registrar
from dcrcheck.settings import Settings
from dcrcheck.target import PERMISSIONS, Target, check_url, discover, find_issuer, is_loopback
from dcrcheck.transport import Transport, tls_context

EMBEDDED = "reference"
# of an emulated product, whose own may be far too narrow for a run; slow machines must still be able to meet it
_EMULATED_LIMIT = {"count": 100, "seconds": 2}


class Stage:
    """Where a run takes place. What is started here ends with `stack`."""

    def __init__(self, settings: Settings, catalogue: Catalogue, recorder: Recorder, stack: ExitStack) -> None:
        """Find the live server, or start the embedded one.

        Raises:
            ConfigurationError: something that the owner must mend first, said in one line.
        """
        self.settings, self.catalogue, self.recorder, self._stack = settings, catalogue, recorder, stack
        self.embedded: Any = None
        self.emulated = False
        self.authorized_by = ""
        live = settings.issuer or settings.resource
        profile = load_profile(settings.profile or ("rfc7591" if live else EMBEDDED), catalogue)
        if settings.policies:
            if profile.emulated and not live and not profile.issuer:
                raise ConfigurationError(f"--policy: profile {profile.name} stands in for its product under its own "
                                         "policy; leave --policy out, or give the --issuer of the product")
            first = load_policy(settings.policies[0], catalogue)
            profile = replace(profile, policy=first.preferring([profile.choices.get("default_auth_method")]))
        self.others = tuple(load_policy(name, catalogue) for name in settings.policies[1:])
        if settings.defect and live:
            raise ConfigurationError("--defect judges the embedded server; leave out --issuer and --resource")
        if live or profile.issuer:
            self._authorize(profile)
            self.transport = self._open(Transport(recorder, verify=not settings.insecure,
                                                  timeout_s=settings.timeout_s))
            self.target = self._find(profile)
        else:
            self.transport, self.target = self._embed(profile)
        self.registrar = self._registrar()
        self.initial_access_token = self._token()
        recorder.redactor.learn(self.initial_access_token, settings.initial_access_token, settings.password,
                                settings.other_password, *(settings.registrar or ())[1:])
        if self.target.profile.access in ("initial-access-token", "admin-token") and not self.initial_access_token and (
                self.registrar is None) and not settings.plan:
            raise ConfigurationError(f"profile {profile.name} registers with an initial access token: "
                                     "set DCRCHECK_INITIAL_ACCESS_TOKEN")
        if not self.target.profile.is_closed:
            self.target.registration_endpoint  # noqa: B018  (complains where there is none)

    def _open(self, transport: Transport) -> Transport:
        self._stack.callback(transport.close)
        return transport

    # -- a live server ----------------------------------------------------------------------------------------------

    def _authorize(self, profile: Profile) -> None:
        """Nothing is sent beyond this machine before somebody answers for it; a plan reads public metadata only.

        Raises:
            ConfigurationError: nobody does.
        """
        self.authorized_by = self.settings.authorized_by or profile.authorized_by
        named = [url for url in (self.settings.issuer or profile.issuer, self.settings.resource) if url]
        for url in named:
            check_url(url, "resource" if url == self.settings.resource else "issuer")
        beyond = next((url for url in named if not is_loopback(url)), None)
        if beyond is not None and not self.authorized_by and not self.settings.plan:
            raise ConfigurationError(
                f"{beyond} is not this machine: say who permits the run, with --authorized-by=\"NAME OR TICKET\" or "
                "authorized_by in your profile (the report names it); --plan shows what a run would send")

    def _find(self, profile: Profile) -> Target:
        settings = self.settings
        issuer = settings.issuer or profile.issuer
        if settings.resource and not settings.issuer:
            issuer = find_issuer(settings.resource, self.transport, profile)
        return discover(issuer, profile, self.transport, resource=settings.resource,
                        permissions=self._permissions(issuer))

    def _permissions(self, issuer: str) -> frozenset[str]:
        if self.settings.allow is not None:
            return self.settings.allow
        return frozenset(PERMISSIONS) if is_loopback(issuer) else frozenset()

    # -- the embedded server ----------------------------------------------------------------------------------------

    def _embed(self, profile: Profile) -> tuple[Transport, Target]:
        """Start the reference server under the policy of the profile, with a defect if one was asked for."""
        settings = self.settings
        if profile.emulated and not settings.defect:
            return self._emulate(profile)
        if profile.name not in (EMBEDDED, *policy_names()):
            raise ConfigurationError(f"profile {profile.name} describes a live server: give its --issuer")
        kind = defect(settings.defect) if settings.defect else Server
        chosen = settings.profile is not None or settings.policies
        policy = kind.policy if settings.defect and not chosen else profile.policy.name
        embedded = load_profile(EMBEDDED, self.catalogue)
        in_force = load_policy(policy, self.catalogue)
        profile = replace(embedded, policy=in_force, registration={
            **embedded.registration, "access": in_force.parameters.get("access", "anonymous"),
            "initial_access_token": {"scope": REGISTRATION_SCOPE, "single_use": True}})
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

    def _serve(self, server: Server, profile: Profile, **extra: Any) -> tuple[Transport, Target]:
        running = self._stack.enter_context(serve(server, path=server.path))
        transport = self._open(Transport(self.recorder, verify=tls_context(running.ca_pem),
                                         timeout_s=self.settings.timeout_s))
        self.embedded = running
        profile = replace(profile, origins=server.further_origins())
        target = discover(running.issuer, profile, transport, resource=running.resource,
                          permissions=self._permissions(running.issuer), extra=extra)
        return transport, target

    # -- what registrations need ------------------------------------------------------------------------------------

    def _token(self) -> str | None:
        if self.target.profile.access in ("anonymous", "closed"):
            return None
        if self.embedded is not None:
            return str(self.embedded.initial_access_token)
        return self.settings.initial_access_token

    def _registrar(self) -> Registrar | None:
        """The client that obtains initial access tokens, where the profile says how.

        Raises:
            ConfigurationError: its credentials are missing.
        """
        way = self.target.profile.registration.get("initial_access_token")
        if way is None or self.target.profile.access in ("anonymous", "closed") or self.settings.plan:
            return None
        credentials = self.settings.registrar if self.embedded is None else self.embedded.registrar
        if credentials is None:
            if self._token():
                return None
            raise ConfigurationError(f"profile {self.target.profile.name} has a client obtain initial access tokens: "
                                     "set DCRCHECK_REGISTRAR_ID and DCRCHECK_REGISTRAR_SECRET")
        client_id, secret = credentials
        return Registrar(transport=self.transport, token_endpoint=self.target.endpoint("token_endpoint"),
                         client_id=client_id, secret=secret, scope=way["scope"],
                         single_use=way.get("single_use", False))
