"""What a create needs, and what is lacking.

SyncPortal never creates a patient: a visit is created in an EMR only for the one EMR patient with the
same e-mail and a fitting name; several are offered as targets (design, section 6, "Who is who").
"""

from __future__ import annotations

from appointments.core.compare import Half
from appointments.core.kinds import Action, Operation
from appointments.core.plans import Plan, target_practitioner, target_type
from appointments.core.policy import Permission, Rules, Subject
from appointments.core.question import Choice, Target
from appointments.core.values import (
    ONCALL_TYPES,
    ProviderValue,
    Value,
    certainly_named_alike,
    fold_email,
)
from appointments.core.view import View
from emr_adapters.records import Group, Person, Side

CREATE_IN = {Side.EMR: Action.CREATE_IN_EMR, Side.ONCALL: Action.CREATE_IN_ONCALL}
MAX_PARTICIPANTS = 25
TARGET_SEPARATOR = "~"
UNREADABLE_PATIENT = "patient_not_readable"  # the adapter's word: someone is on it


def create_plans(half: Half, target: Side, view: View, rules: Rules) -> dict[str, Plan]:
    """The possible creates of ``half`` on ``target`` by target id ("" where nothing has to be picked)."""
    if lacking_for_create(half, target, view, rules):
        return {}
    people = _people_options(half, target, view)
    providers = _provider_options(half, view)
    plans = {}
    for person_key, chosen in people.items():
        for provider_key, provider in providers.items():
            key = TARGET_SEPARATOR.join(k for k in (person_key, provider_key) if k)
            plans[key] = _plan(half, target, chosen, provider, view, rules)
    return plans


def create_choice(half: Half, target: Side, view: View, rules: Rules) -> Choice | None:
    """The button, or None where it cannot be offered."""
    capabilities = rules.capabilities[target]
    forbidden = rules.permission(half.side, Subject.CREATE) is Permission.NEVER
    if not capabilities.can_create or forbidden:
        return None
    plans = create_plans(half, target, view, rules)
    if not plans:
        return None
    if set(plans) == {""}:
        return Choice(CREATE_IN[target], plans[""])
    targets = tuple(Target(key, target_label(key, half, target, view)) for key in plans)
    return Choice(CREATE_IN[target], targets=targets, plans=plans)


def lacking_for_create(half: Half, target: Side, view: View, rules: Rules) -> tuple[str, ...]:
    """Codes of what is unknown and needed: gate (d)."""
    found = []
    people = [p for p in half.people if not p.cancelled]
    if not people:
        unreadable = UNREADABLE_PATIENT in half.problems
        found.append("patient_unreadable" if unreadable else "patient")
    if half.when.start is None:
        found.append("start")
    if half.when.minutes is None:
        found.append("minutes")
    if target is Side.ONCALL:
        if any(not p.email for p in people):
            found.append("email")
        if len(people) > MAX_PARTICIPANTS:
            found.append("too_many")
        if not half.values.get(Group.PROVIDER):
            found.append("provider")
        if create_type(half, view) not in ONCALL_TYPES:
            found.append("type")
        if view.book.place_of(target, rules.division) is None:
            found.append("division")
    elif people:
        found += _lacking_in_emr(half, view)
    return tuple(found)


def _lacking_in_emr(half: Half, view: View) -> list[str]:
    lacking = []
    if view.known_patients is not None and not fitting_patients(half, view):
        lacking.append("patient_unknown")
    elif view.known_patients is None:
        lacking.append("patient_not_looked_up")
    options = _provider_options(half, view).values()
    if not options or any(target_practitioner(Side.EMR, p, view.book) is None for p in options):
        lacking.append("provider")
    return lacking


def create_type(half: Half, view: View) -> str:
    """How the visit is held; the default speaks for an EMR visit that does not say, never for OnCall's."""
    default = view.book.default_type if half.side is Side.EMR else ""
    return str(half.values.get(Group.TYPE) or default)


def fitting_patients(half: Half, view: View) -> tuple[Person, ...]:
    """EMR patients who could be the OnCall visit's patient: same e-mail and a fitting name."""
    wanted = [p for p in half.people if not p.cancelled]
    return tuple(
        known
        for known in view.known_patients or ()
        if any(
            fold_email(known.email) == fold_email(p.email)
            and certainly_named_alike(known.name, p.name)
            for p in wanted
            if p.email
        )
    )


def _people_options(half: Half, target: Side, view: View) -> dict[str, tuple[Person, ...]]:
    people = tuple(p for p in half.people if not p.cancelled)
    if target is Side.ONCALL:
        return {"": people}
    known = {person.id: person for person in fitting_patients(half, view)}
    if len(known) == 1:
        return {"": tuple(known.values())}
    return {key: (person,) for key, person in known.items() if key}


def _provider_options(half: Half, view: View) -> dict[str, tuple[ProviderValue, ...]]:
    """The provider as known, or every mapped one of the division to pick from."""
    known = half.values.get(Group.PROVIDER)
    if known:
        return {"": tuple(known)}
    mapped = set(view.book.practitioners.values())
    return {
        key: (ProviderValue(key, name),)
        for key, name in view.book.providers.items()
        if key in mapped
    }


def _plan(
    half: Half,
    target: Side,
    people: tuple[Person, ...],
    provider: tuple[ProviderValue, ...],
    view: View,
    rules: Rules,
) -> Plan:
    held = create_type(half, view)
    title = view.title.replace("{provider}", provider[0].name if provider else "").strip()
    values: dict[Group, Value] = {
        Group.WHEN: half.when,
        Group.PROVIDER: provider,
        Group.PEOPLE: people,
        Group.LABEL: title,
        Group.WHERE: rules.division,
    }
    # What an EMR has no word for is left to it.
    if held in ONCALL_TYPES and target_type(target, held, view.book) is not None:
        values[Group.TYPE] = held
    mails: tuple[str, ...] = ()
    if rules.capabilities[target].mails_people:
        mails = tuple(p.email or p.name for p in people)
    return Plan(Operation.CREATE, target, values, reference=half.id, mails=mails)


def target_label(key: str, half: Half, target: Side, view: View) -> str:
    """What a person reads when picking: the patient (with birth date), the provider, or both."""
    labels = []
    for part in key.split(TARGET_SEPARATOR):
        person = next((p for p in view.known_patients or () if p.id == part), None)
        if person is not None:
            labels.append(", ".join(t for t in (person.name, person.birth_date) if t))
        else:
            labels.append(view.book.providers.get(part, part))
    return " · ".join(labels)
