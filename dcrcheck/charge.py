"""A check as a run knows it, read off its function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from dcrcheck.catalogue import Requirement
from dcrcheck.documents import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class Charge:
    """A check as the run knows it: its id, the claim it makes and what it cites, needs, does and observes."""

    check: str
    suite: str
    claim: str
    requirements: tuple[Requirement, ...]
    needs: tuple[str, ...] = ()
    intrusive: tuple[str, ...] = ()
    observes: tuple[str, ...] = ()


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
    observes: tuple[str, ...] = getattr(check, "dcr_observes", ())
    for row in observes:
        if row not in book:
            raise ConfigurationError(f"{check_id} observes {row!r}, and the catalogue has no such requirement")
        if not book[row].is_permission:
            raise ConfigurationError(f"{check_id} observes {row}, which a server can break: cite it with @requirement")
    claim = (check.__doc__ or "").strip().splitlines()
    if not claim:
        raise ConfigurationError(f"{check_id} states no claim; its first docstring line is the claim")
    return Charge(check=check_id, suite=suite, claim=claim[0].strip(), requirements=cited,
                  needs=getattr(check, "dcr_needs", ()), intrusive=getattr(check, "dcr_intrusive", ()),
                  observes=observes)
