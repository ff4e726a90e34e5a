"""What a FHIR server says it can do (its CapabilityStatement), as our capability flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from emr_adapters.base import Capabilities
from emr_adapters.fhir_r4.actors import dicts, text
from emr_adapters.records import Group

_ACCEPTS: Final = frozenset({Group.WHEN, Group.TYPE, Group.PROVIDER, Group.LABEL})
_ACCEPTS_ON_CREATE: Final = _ACCEPTS | {Group.PEOPLE, Group.WHERE}


@dataclass(frozen=True, slots=True)
class Statement:
    """``known`` is False when there is none to read: then plain R4 is assumed, without a search by
    change time. What the server cannot do after all it refuses, and that is told in words."""

    known: bool = False
    fhir_version: str = ""
    interactions: frozenset[str] = frozenset()
    search_params: frozenset[str] = frozenset()
    versioning: str = ""

    def capabilities(self, *, writable: bool) -> Capabilities:
        """``writable`` False is the operator's word: then nothing is written."""
        create = writable and (not self.known or "create" in self.interactions)
        update = writable and (not self.known or "update" in self.interactions)
        return Capabilities(
            list_window=True,  # rows outside are dropped here, whatever the server does with the dates
            list_changes="_lastUpdated" in self.search_params,
            find_by_reference=not self.known or "identifier" in self.search_params,
            holds_reference=update,
            has_versions=not self.known or self.versioning in {"versioned", "versioned-update"},
            can_create=create,
            can_cancel=update,
            accepts=_ACCEPTS if update else frozenset(),
            accepts_on_create=_ACCEPTS_ON_CREATE if create else frozenset(),
            states=frozenset(Group),
        )


def read_statement(body: Any) -> Statement:
    """From the answer of ``/metadata``; tolerant, because a statement is never a reason to stop."""
    if not isinstance(body, Mapping):
        return Statement()
    for rest in dicts(body.get("rest")):
        for resource in dicts(rest.get("resource")):
            if resource.get("type") == "Appointment":
                named = [*dicts(resource.get("searchParam")), *dicts(rest.get("searchParam"))]
                return Statement(
                    known=True,
                    fhir_version=text(body.get("fhirVersion")),
                    interactions=frozenset(
                        text(one.get("code")) for one in dicts(resource.get("interaction"))
                    ),
                    search_params=frozenset(text(one.get("name")) for one in named),
                    versioning=text(resource.get("versioning")),
                )
    return Statement(known="rest" in body, fhir_version=text(body.get("fhirVersion")))
