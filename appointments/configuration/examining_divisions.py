"""Is each division set up so that it can work? Its zone, places, types, people and mapping; no requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from django.contrib.auth import get_user_model

from appointments.configuration import relations, rules, snapshot
from appointments.configuration.findings import FINE, NOTE, WRONG, Finding, Remote
from appointments.models import Division, Membership, Provider, Role
from emr_adapters.records import Side

SETTLES: Final = (Role.STAFF, Role.ADMINISTRATOR)


def clashes() -> Iterator[Finding]:
    stored = snapshot.take()
    for problem in relations.problems(
        list(stored.connections.values()),
        list(stored.divisions.values()),
        list(stored.providers.values()),
    ):
        message = f"{problem.key}: {problem.clause}"
        yield Finding(problem.state.label, WRONG, message, "Settle which of the two it is.")


def examine_division(division: Division, known: Mapping[int, Remote]) -> Iterator[Finding]:
    about = f'division "{division.name}"'
    before = [
        *_examine_zone(about, division),
        *_examine_place(about, division, known[division.oncall_id]),
        *_examine_types(about, division),
        *_examine_members(about, division),
        *_examine_contact(about, division),
    ]
    providers = list(division.providers.all())
    if not providers:
        before.append(
            Finding(
                about,
                NOTE,
                "No provider is mapped: providers are not compared, and each create asks.",
                "Add [[provider]] tables that name this division.",
            )
        )
    for provider in providers:
        before += _examine_provider(provider, division, known)
    yield from before
    if all(finding.level != WRONG for finding in before):
        mapped = f"{len(providers)} provider{'' if len(providers) == 1 else 's'}"
        message = f"Its mapping is complete: {mapped}, mode {division.mode}."
        yield Finding(about, FINE, message)


def _examine_zone(about: str, division: Division) -> Iterator[Finding]:
    if clause := rules.zone_problem(division.time_zone):
        yield Finding(about, WRONG, f"time_zone: {clause}.", "Use a name as America/Toronto.")
    if division.window_ahead_days < 1:
        yield Finding(about, WRONG, "window_days: no day ahead is kept alike.", "Set [1, 60].")


def _examine_place(about: str, division: Division, oncall: Remote) -> Iterator[Finding]:
    """OnCall cannot be asked for its divisions; a visit in one proves that it exists."""
    number = str(division.oncall_division)
    if not oncall.answers or number in oncall.places:
        return
    if division.appointments.filter(side=Side.ONCALL).exists():
        return
    seen = ", ".join(sorted(oncall.places)) or "none"
    yield Finding(
        about,
        NOTE,
        f"No visit of OnCall's division {number} was seen yet (seen: {seen}).",
        "Check oncall_division unless the division is new.",
    )


def _examine_types(about: str, division: Division) -> Iterator[Finding]:
    rows = [(rule.emr, rule.oncall) for rule in division.type_rules.all()]
    if problem := rules.rules_problem(rows):
        index, clause = problem
        yield Finding(about, WRONG, f"type {index + 1}: {clause}.", "Reorder the type table.")
    if not rows and not division.default_type:
        yield Finding(
            about,
            NOTE,
            "It has neither a type table nor a default_type: how an EMR visit is held is not known.",
            "Set default_type, or add [[division.type]] tables.",
        )


def _examine_members(about: str, division: Division) -> Iterator[Finding]:
    settles = Membership.objects.filter(division=division, role__in=SETTLES, user__is_active=True)
    superusers = get_user_model().objects.filter(is_superuser=True, is_active=True)
    if not settles.exists() and not superusers.exists():
        yield Finding(
            about,
            WRONG,
            "Nobody may settle its mismatches.",
            "Make an account (manage.py createsuperuser) and give it a role in the administration.",
        )


def _examine_contact(about: str, division: Division) -> Iterator[Finding]:
    if not division.contact:
        yield Finding(
            about,
            NOTE,
            "It has no contact: nobody is told when its changes are held or given up.",
            "Set contact to the e-mail address of somebody who can look at once.",
        )


def _examine_provider(
    provider: Provider, division: Division, known: Mapping[int, Remote]
) -> Iterator[Finding]:
    about = f'provider "{provider.name}"'
    oncall, emr = known[provider.oncall_id], known[division.emr_id]
    if oncall.practitioners and str(provider.oncall_provider) not in oncall.practitioners:
        yield Finding(
            about,
            WRONG,
            f"OnCall lists no provider {provider.oncall_provider}.",
            "Correct oncall_provider.",
        )
    if not provider.emr_practitioners:
        yield Finding(
            about,
            NOTE,
            "No emr_practitioner is given: EMR visits with this provider are not recognised.",
            "Add the EMR's id of this person.",
        )
    elif emr.practitioners and not any(
        id in emr.practitioners for id in provider.emr_practitioners
    ):
        yield Finding(
            about,
            WRONG,
            f"The EMR of {division.name} lists no {' or '.join(provider.emr_practitioners)}.",
            "Correct emr_practitioner.",
        )
