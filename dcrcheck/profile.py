"""Which rules: policies (what binds) and profiles (one product or deployment)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from dcrcheck.catalogue import Catalogue, Requirement
from dcrcheck.documents import ConfigurationError, load, nearest
from dcrcheck.house import POLICIES, PROFILES
from dcrcheck.verdict import Known, Strength


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Which sources bind, and the parameters of the choices that they leave open.

    A source stands for all that is in the catalogue of it; ``MCP @ 2025-11-25`` for one of its revisions.
    """

    name: str
    title: str
    summary: str
    sources: tuple[str, ...]
    advisory: tuple[str, ...] = ()
    waives: Mapping[str, str] = field(default_factory=dict)
    raises: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def strength(self, requirement: Requirement, *, strict: bool = False) -> Strength | None:
        """How hard this policy holds a target to a requirement; None if it does not speak of it."""
        if requirement.id in self.waives:
            return None
        if requirement.id in self.raises:
            return Strength.MUST
        if _speaks(self.sources, requirement):
            return Strength.MUST if strict and requirement.strength is Strength.SHOULD else requirement.strength
        return Strength.ADVISORY if _speaks(self.advisory, requirement) else None

    def binds(self, requirement: Requirement) -> bool:
        """Whether the requirement's source is binding (not merely advisory) under this policy."""
        return requirement.id not in self.waives and _speaks(self.sources, requirement)

    @property
    def auth_methods(self) -> tuple[str, ...]:
        return tuple(self.parameters["auth_methods"])

    @property
    def grant_types(self) -> tuple[str, ...]:
        return tuple(self.parameters["grant_types"])

    @property
    def response_types(self) -> tuple[str, ...]:
        return tuple(self.parameters["response_types"])

    @property
    def redirect_uris(self) -> tuple[str, ...]:
        """The allowed classes: ``https``, ``loopback``, ``private-use``."""
        return tuple(self.parameters["redirect_uris"])

    def preferring(self, methods: Iterable[Any]) -> Policy:
        """The same policy with some of its auth methods (those that a product chooses or states) before the others."""
        first = list(methods)
        ordered = sorted(self.auth_methods, key=lambda method: method not in first)
        return replace(self, parameters={**self.parameters, "auth_methods": ordered})

    @property
    def confidential_methods(self) -> tuple[str, ...]:
        """The allowed methods that come with a client secret."""
        return tuple(m for m in self.auth_methods if m in ("client_secret_basic", "client_secret_post"))


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One product or deployment: its policy, where its endpoints are, what it offers, what is known of it."""

    name: str
    title: str
    policy: Policy
    issuer: str = ""
    authorized_by: str = ""
    strict: bool = False
    emulated: bool = False
    discovery: Mapping[str, str] = field(default_factory=dict)
    origins: tuple[str, ...] = ()
    registration: Mapping[str, Any] = field(default_factory=dict)
    offers: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    session: Mapping[str, Any] = field(default_factory=dict)
    known: tuple[Known, ...] = ()
    emulation: Mapping[str, Any] = field(default_factory=dict)

    @property
    def access(self) -> str:
        """How registration is authorised: ``anonymous``, ``initial-access-token``, ``admin-token`` …"""
        return str(self.registration.get("access", self.policy.parameters.get("access", "anonymous")))

    @property
    def is_closed(self) -> bool:
        """Whether the owner states that nobody registers a client over the network."""
        return self.access == "closed"


_PINNED = " @ "


def _speaks(sources: Iterable[str], requirement: Requirement) -> bool:
    """Whether one of these sources has the requirement, in the revision to which it is pinned."""
    for source in sources:
        name, _, revision = source.partition(_PINNED)
        if name == requirement.source:
            return not (revision and requirement.revisions) or revision in requirement.revisions
    return False


def policy_names() -> list[str]:
    return sorted(path.stem for path in POLICIES.glob("*.toml"))


def profile_names() -> list[str]:
    return sorted({path.stem for path in PROFILES.glob("*.toml")} | set(policy_names()))


def load_policy(name: str, catalogue: Catalogue) -> Policy:
    """Read a policy.

    Raises:
        ConfigurationError: no such policy, or it names sources or requirements that the catalogue lacks.
    """
    path = POLICIES / f"{name}.toml"
    if not path.is_file():
        raise ConfigurationError(f"no policy {name!r}{nearest(name, policy_names())} (there are: "
                                 f"{', '.join(policy_names())})")
    content = load(path, "policy")
    for source in [*content["sources"], *content.get("advisory", ())]:
        source_name, _, revision = source.partition(_PINNED)
        if source_name not in catalogue.sources:
            raise ConfigurationError(f"{path}: the catalogue has no source {source_name!r}"
                                     f"{nearest(source_name, catalogue.sources)}")
        revisions = catalogue.sources[source_name].revisions
        if revision and revision not in revisions:
            raise ConfigurationError(f"{path}: the catalogue has no revision {revision!r} of {source_name}"
                                     f"{nearest(revision, revisions)}")
    for row in [*content.get("waives", {}), *content.get("raises", {})]:
        _known_requirement(path, row, catalogue)
    return Policy(name=name, title=content["title"], summary=content.get("summary", ""),
                  sources=tuple(content["sources"]), advisory=tuple(content.get("advisory", ())),
                  waives=content.get("waives", {}), raises=content.get("raises", {}),
                  parameters=content["parameters"])


def load_profile(name: str, catalogue: Catalogue) -> Profile:
    """Read a profile by name, by path of a TOML file, or by the name of a policy.

    Raises:
        ConfigurationError: no such profile, an unknown key, requirement or policy.
    """
    path = _find(name)
    if path is None:
        if name in policy_names():
            policy = load_policy(name, catalogue)
            return Profile(name=name, title=f"Policy {policy.title}", policy=policy)
        raise ConfigurationError(f"no profile {name!r}{nearest(name, profile_names())} (there are: "
                                 f"{', '.join(profile_names())}; or give the path of a TOML file)")
    content = _with_parent(path)
    known = tuple(one for entry in content.get("known", ()) for one in _known(path, entry, catalogue))
    if "policy" not in content:
        raise ConfigurationError(f"{path}: top level: 'policy' is missing (one of {', '.join(policy_names())})")
    choices, discovery = content.get("choices", {}), dict(content.get("discovery", {}))
    return Profile(
        name=path.stem, title=content["title"],
        policy=load_policy(content["policy"], catalogue).preferring([choices.get("default_auth_method")]),
        issuer=content.get("issuer", ""), authorized_by=content.get("authorized_by", ""),
        strict=content.get("strict", False),
        emulated=content.get("emulated", False), origins=tuple(discovery.pop("origins", ())),
        discovery=discovery,
        registration=content.get("registration", {}), offers=content.get("offers", {}),
        choices=choices, limits=content.get("limits", {}), session=content.get("session", {}),
        known=known, emulation=content.get("emulation", {}))


def _find(name: str) -> Path | None:
    if name.endswith(".toml") or "/" in name:
        return Path(name)
    path = PROFILES / f"{name}.toml"
    return path if path.is_file() else None


def _with_parent(path: Path) -> dict[str, Any]:
    content = load(path, "profile")
    if "extends" not in content:
        return content
    parent_path = _find(content["extends"])
    if parent_path is None:
        raise ConfigurationError(f"{path}: extends {content['extends']!r}, and there is no such profile"
                                 f"{nearest(content['extends'], profile_names())}")
    parent = load(parent_path, "profile")
    if "extends" in parent:
        raise ConfigurationError(f"{path}: extends {content['extends']!r}, which extends another profile; "
                                 "one hop is allowed")
    merged = {**parent, **content}
    for key, value in parent.items():
        if isinstance(value, dict) and isinstance(content.get(key), dict):
            merged[key] = {**value, **content[key]}
        elif isinstance(value, list) and isinstance(content.get(key), list):
            merged[key] = [*value, *content[key]]
    return merged


def _known(path: Path, entry: dict[str, Any], catalogue: Catalogue) -> list[Known]:
    """The deviations of an entry: one for each row that it names, else one for the check."""
    _known_requirement(path, entry["requirement"], catalogue)
    for key in ("expires", "seen"):
        if not isinstance(entry.get(key), date | None):
            raise ConfigurationError(f"{path}: known: {key} must be a TOML date such as 2027-06-30")
    rows = entry.get("rows")
    checks = [f"{entry['check']}[{row}]" for row in rows] if isinstance(rows, list) else [entry["check"]]
    return [Known(check=check, requirement=entry["requirement"], reason=entry["reason"], link=entry.get("link", ""),
                  owner=entry.get("owner", ""), seen=entry.get("seen"), expires=entry.get("expires"),
                  some=rows == "some")
            for check in checks]


def _known_requirement(path: Path, row: str, catalogue: Catalogue) -> None:
    if row not in catalogue:
        raise ConfigurationError(f"{path}: no requirement {row!r} in the catalogue{nearest(row, catalogue)}")
