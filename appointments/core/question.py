"""A question for a person: kind, reason, evidence and choices, in codes and values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from appointments.core.kinds import Action, Kind
from appointments.core.plans import Plan, digest, plan_to_json
from appointments.core.values import fold_email, fold_name
from emr_adapters.records import Group, Side


@dataclass(frozen=True, slots=True)
class Reason:
    """``code`` picks the sentence in ``wording.py``; ``details`` fill its gaps."""

    code: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """One of several records, patients or providers a choice can be about."""

    id: str
    label: str


@dataclass(frozen=True, slots=True)
class Choice:
    """``plan`` is the write it leads to, None for a decision that only we remember.

    ``plans`` gives the write per target where one must be picked.
    """

    action: Action
    plan: Plan | None = None
    recommended: bool = False
    targets: tuple[Target, ...] = ()
    plans: Mapping[str, Plan] = field(default_factory=dict)

    @property
    def irreversible(self) -> bool:
        return any(plan.irreversible for plan in (self.plan, *self.plans.values()) if plan)

    @property
    def writes(self) -> bool:
        return self.plan is not None or bool(self.plans)

    def plan_for(self, target: str | None) -> Plan | None:
        return self.plans.get(target) if self.plans and target else self.plan


@dataclass(frozen=True, slots=True)
class Shown:
    """One differing group as both sides and the baseline state it, JSON as the API gives it."""

    oncall: Any = None
    emr: Any = None
    baseline: Any = None


@dataclass(frozen=True, slots=True)
class Question:
    kind: Kind
    reason: Reason
    groups: Mapping[Group, Shown] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()
    ids: Mapping[Side, str] = field(default_factory=dict)
    about: tuple[str, ...] = ()  # further records it is about, e.g. several candidates

    @property
    def subject(self) -> str:
        """What a remembered decision is about: it lapses when any of these values changes.

        Values count as they are compared: a provider by id, people by folded name and e-mail in any
        order, so that neither a renamed provider nor a re-ordered list asks again (law 8).
        """
        shown = {
            str(group): [_compared(group, shown.oncall), _compared(group, shown.emr)]
            for group, shown in self.groups.items()
        }
        ids = sorted((str(s), i) for s, i in self.ids.items())
        return digest([self.kind, shown, ids, sorted(self.about)])

    @property
    def version(self) -> str:
        """Changes only when what is shown changes (design, section 7)."""
        offered = [choice_to_json(choice) for choice in self.choices]
        baseline = {str(g): s.baseline for g, s in self.groups.items()}
        return digest(
            [self.subject, self.reason.code, dict(self.reason.details), baseline, offered]
        )

    def choice(self, action: str) -> Choice | None:
        return next((choice for choice in self.choices if choice.action == action), None)


def _compared(group: Group, shown: Any) -> Any:
    if shown is None:
        return None
    match group:
        case Group.PROVIDER:
            return shown["id"]
        case Group.PEOPLE:
            return sorted([fold_name(p["name"]), fold_email(p["email"])] for p in shown)
        case _:
            return shown


def choice_to_json(choice: Choice) -> dict[str, Any]:
    """As kept on the mismatch for screens and the API; the plan is made afresh before it is used."""
    return {
        "action": str(choice.action),
        "plan": plan_to_json(choice.plan) if choice.plan else None,
        "plans": {key: plan_to_json(plan) for key, plan in choice.plans.items()},
        "recommended": choice.recommended,
        "irreversible": choice.irreversible,
        "writes": choice.writes,
        "targets": [{"id": target.id, "label": target.label} for target in choice.targets],
    }
