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
    """``known`` is False when there is none to read: then nothing but reading is assumed."""

    known: bool = False
    fhir_version: str = ""
    interactions: frozenset[str] = frozenset()
    search_params: frozenset[str] = frozenset()
    versioning: str = ""

    def capabilities(self, writable: bool | None) -> Capabilities:
        """``writable`` is the operator's word: False narrows, True stands in for a missing statement."""
        create = "create" in self.interactions
        update = "update" in self.interactions
        if writable is not None:
            create = writable and (create or not self.known)
            update = writable and (update or not self.known)
        return Capabilities(
            list_window=True,  # rows outside are dropped here, whatever the server does with the dates
            list_changes="_lastUpdated" in self.search_params,
            find_by_reference="identifier" in self.search_params,
            holds_reference=update,
            has_versions=self.versioning in {"versioned", "versioned-update"},
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
