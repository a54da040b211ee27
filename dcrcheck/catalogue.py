"""The catalogue: every requirement that a server can keep or break, one TOML a source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

from dcrcheck.documents import ConfigurationError, load, nearest
from dcrcheck.house import REQUIREMENTS
from dcrcheck.verdict import Severity, Strength

Check = TypeVar("Check", bound=Callable[..., object])

_STRENGTHS = {
    "MUST": Strength.MUST, "MUST NOT": Strength.MUST, "REQUIRED": Strength.MUST, "SHALL": Strength.MUST,
    "SHALL NOT": Strength.MUST, "DECLARATIVE": Strength.MUST,
    "SHOULD": Strength.SHOULD, "SHOULD NOT": Strength.SHOULD, "RECOMMENDED": Strength.SHOULD,
    "NOT RECOMMENDED": Strength.SHOULD, "MAY": Strength.ADVISORY, "OPTIONAL": Strength.ADVISORY,
}


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """One sentence of a source. `strength` is what the level implies unless the row says otherwise and why."""

    id: str
    source: str
    section: str
    level: str
    strength: Strength
    severity: Severity
    testable: str
    text: str
    why: str
    fix: str
    link: str
    unchecked: str = ""
    origin: str = ""
    cwe: str = ""
    asvs: str = ""
    revisions: tuple[str, ...] = ()
    """The revisions of the source that have the sentence; empty: all of them."""

    @property
    def is_permission(self) -> bool:
        """Whether a server is free to do it or not: which way it took can be observed, not judged."""
        return self.level in ("MAY", "OPTIONAL")

    @property
    def headline(self) -> bool:
        """Whether plain HTTP can judge it and a server can break it (the denominator that we publish)."""
        return self.testable == "yes" and not self.is_permission


@dataclass(frozen=True, kw_only=True)
class Source:
    """A document that states requirements, and the revisions of it that its rows tell apart."""

    name: str
    title: str
    link: str
    revisions: set[str] = field(default_factory=set)


class Catalogue(Mapping[str, Requirement]):
    """All requirements by id."""

    def __init__(self, folder: Path = REQUIREMENTS) -> None:
        self.sources: dict[str, Source] = {}
        self._rows: dict[str, Requirement] = {}
        for path in sorted(folder.glob("*.toml")):
            self._read(path)

    def _read(self, path: Path) -> None:
        content = load(path, "requirements")
        source = Source(name=content["source"], title=content["title"], link=content["link"])
        self.sources[source.name] = source
        for row in content.get("requirement", ()):
            if row["id"] in self._rows:
                raise ConfigurationError(f"{path}: {row['id']} stands in the catalogue twice")
            self._rows[row["id"]] = Requirement(
                id=row["id"], source=source.name, section=row["section"], level=row["level"],
                strength=Strength(row["strength"]) if "strength" in row else _STRENGTHS[row["level"]],
                severity=Severity(row["severity"]), testable=row["testable"], text=row["text"], why=row["why"],
                fix=row["fix"], link=_link(source.link, row.get("anchor"), row["section"]),
                unchecked=row.get("unchecked", ""), origin=row.get("origin", ""), cwe=row.get("cwe", ""),
                asvs=row.get("asvs", ""), revisions=tuple(row.get("revisions", ())))
            self.sources[source.name].revisions.update(row.get("revisions", ()))

    def __getitem__(self, key: str) -> Requirement:
        try:
            return self._rows[key]
        except KeyError:
            raise KeyError(f"no requirement {key!r} in the catalogue{nearest(key, self._rows)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def _link(base: str, anchor: str | None, section: str) -> str:
    if anchor is not None:
        return anchor if "://" in anchor else f"{base}#{anchor}"
    if "rfc-editor.org" not in base:
        return base
    if section.startswith("Appendix "):
        return f"{base}#appendix-{section.removeprefix('Appendix ')}"
    return f"{base}#section-{section}" if section[:1].isdigit() else base


@cache
def catalogue() -> Catalogue:
    """The catalogue that travels with this release.

    Raises:
        ConfigurationError: a file of it is broken.
    """
    return Catalogue()


def requirement(*ids: str) -> Callable[[Check], Check]:
    """Cite the requirements that a check judges, by their ids in the catalogue."""
    return _annotate("dcr_requirements", ids)


def observes(*ids: str) -> Callable[[Check], Check]:
    """Name the permissions (MAY, OPTIONAL) of which a check sees whether the server uses them: `Endpoint.observe`."""
    return _annotate("dcr_observes", ids)


def needs(*capabilities: str) -> Callable[[Check], Check]:
    """Name what the target must offer for a check to apply (see `Target.capabilities`)."""
    return _annotate("dcr_needs", capabilities)


def intrusive(kind: str) -> Callable[[Check], Check]:
    """Name what a check does beyond ordinary requests: ``burst``, ``outbound`` or ``oversize``."""
    return _annotate("dcr_intrusive", (kind,))


def _annotate(name: str, values: tuple[str, ...]) -> Callable[[Check], Check]:
    def decorate(check: Check) -> Check:
        setattr(check, name, (*getattr(check, name, ()), *values))
        return check

    return decorate
