"""A planned write, and what it says in the target's own words.

A ``Plan`` is made by ``decisions`` for an automatic push and for each choice a person is offered, so
that the preview, the click and the background write are one thing. Before anything is sent the plan is
made afresh; only if ``fingerprint`` is the same is it sent (law 5).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from appointments.core.kinds import Operation
from appointments.core.values import Codebook, ProviderValue, Value, When
from emr_adapters.records import Changes, Draft, Group, Person, Practitioner, Side

NO_DELAY: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class Plan:
    """One intended write to ``side``.

    ``values`` are comparable values of the groups to be written. ``reference`` is the other half's id
    where the write also stores it. ``mails`` names who will be mailed by the target. ``adopts`` is the
    id of the record that takes the place of the pair's present half on the other side (a *moved*
    visit). ``delay`` applies to automatic plans only.
    """

    operation: Operation
    side: Side
    values: Mapping[Group, Value] = field(default_factory=dict)
    reference: str | None = None
    mails: tuple[str, ...] = ()
    irreversible: bool = False
    adopts: str | None = None
    delay: timedelta = NO_DELAY

    @property
    def kind(self) -> str:
        """What the brake counts by: "create", "cancel", "when", or the first other group."""
        if self.operation is not Operation.UPDATE:
            return str(self.operation)
        return str(next((group for group in Group if group in self.values), Operation.REFERENCE))

    @property
    def fingerprint(self) -> str:
        """Equal exactly if the same write would be made; delay and who is mailed do not count.

        People count by their id too: two patients may have the same name and e-mail.
        """
        people = [p.id for p in self.values.get(Group.PEOPLE, ())]
        values = values_to_json(self.values)
        return digest([self.operation, self.side, values, people, self.reference, self.adopts])


def digest(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()[:32]


# --- comparable values as JSON: previews, the API, fingerprints -------------------------------------


def values_to_json(values: Mapping[Group, Value]) -> dict[str, Any]:
    return {str(group): value_to_json(group, values[group]) for group in Group if group in values}


def value_to_json(group: Group, value: Value) -> Any:
    """The form that the API promises (design, section 7)."""
    match group:
        case Group.WHEN:
            start = value.start.astimezone(UTC) if value.start else None
            return {
                "start": start.isoformat().replace("+00:00", "Z") if start else None,
                "minutes": value.minutes,
            }
        case Group.PROVIDER:
            first: ProviderValue | None = next(iter(value), None)
            return {"id": first.id, "name": first.name} if first else None
        case Group.PEOPLE:
            return [{"name": p.name, "email": p.email} for p in value]
        case _:
            return value


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Lossless enough for ``plan_values_from_json``; stored on the push for people to read."""
    return {
        "operation": str(plan.operation),
        "side": str(plan.side),
        "values": values_to_json(plan.values),
        "reference": plan.reference,
        "adopts": plan.adopts,
        "mails": list(plan.mails),
        "irreversible": plan.irreversible,
    }


def value_from_json(group: Group, data: Any) -> Value:
    match group:
        case Group.WHEN:
            start = data["start"]
            return When(
                datetime.fromisoformat(start.replace("Z", "+00:00")) if start else None,
                data["minutes"],
            )
        case Group.PROVIDER:
            return (ProviderValue(data["id"], data["name"]),) if data else ()
        case Group.PEOPLE:
            return tuple(Person(name=p["name"], email=p["email"]) for p in data)
        case _:
            return data


# --- in the target's own words ------------------------------------------------------------------------


def changes_for(plan: Plan, book: Codebook) -> Changes:
    """An update or reference plan as the smallest write (law 6)."""
    stated: dict[str, Any] = {}
    when = plan.values.get(Group.WHEN)
    if when is not None:
        stated["start"] = when.start
        if when.minutes is not None:
            stated["minutes"] = when.minutes
    if Group.TYPE in plan.values:
        stated["type"] = target_type(plan.side, plan.values[Group.TYPE], book)
    if Group.PROVIDER in plan.values:
        stated["practitioner"] = target_practitioner(plan.side, plan.values[Group.PROVIDER], book)
    if Group.LABEL in plan.values:
        stated["title"] = plan.values[Group.LABEL]
    if plan.reference is not None:
        stated["reference"] = plan.reference
    return Changes(**stated)


def draft_for(plan: Plan, book: Codebook) -> Draft:
    """A create plan as a draft. The plan was only made with everything that is needed."""
    when: When = plan.values[Group.WHEN]
    if when.start is None or when.minutes is None:
        raise ValueError("a create needs a start and minutes")
    return Draft(
        start=when.start,
        minutes=when.minutes,
        title=plan.values.get(Group.LABEL, ""),
        people=plan.values[Group.PEOPLE],
        type=target_type(plan.side, plan.values.get(Group.TYPE), book),
        practitioner=target_practitioner(plan.side, plan.values.get(Group.PROVIDER, ()), book),
        place=book.place_of(plan.side, plan.values[Group.WHERE]),
        reference=plan.reference,
    )


def target_type(side: Side, oncall_type: str | None, book: Codebook) -> str | None:
    if oncall_type is None or side is Side.ONCALL:
        return oncall_type
    return book.emr_type(oncall_type)


def target_practitioner(
    side: Side, providers: tuple[ProviderValue, ...], book: Codebook
) -> Practitioner | None:
    if not providers:
        return None
    provider = providers[0]
    if side is Side.ONCALL:
        return Practitioner(provider.id, provider.name)
    emr_id = book.emr_practitioner(provider.id)
    return Practitioner(emr_id, provider.name) if emr_id else None
