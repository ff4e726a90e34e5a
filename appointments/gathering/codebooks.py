"""A division's rows as the core's policy and codebook."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Q

from appointments.core.policy import Permission, Subject
from appointments.core.values import Codebook
from appointments.models import Division
from emr_adapters.records import Side


def policy_of(division: Division) -> Mapping[Side, Mapping[Subject, Permission]]:
    """The division's lines, keyed by the side whose word they carry."""
    return {
        side: {
            Subject(subject): Permission(word)
            for subject, word in division.policy.get(f"{side}_to_{side.other}", {}).items()
        }
        for side in Side
    }


def make_codebook(division: Division) -> Codebook:
    providers = list(division.providers.all())
    practitioners: dict[str, str] = {}
    for provider in providers:
        for emr_id in provider.emr_practitioners:
            # As written first: that is the spelling a write uses.
            bare = emr_id.rsplit("/", 1)[-1]
            for spelling in (emr_id, bare, f"Practitioner/{bare}"):
                practitioners.setdefault(spelling, str(provider.oncall_provider))
    places: dict[Side, dict[str, str]] = {Side.ONCALL: {}, Side.EMR: {}}
    rest = ""
    for one in Division.objects.filter(Q(oncall=division.oncall) | Q(emr=division.emr)):
        if one.oncall_id == division.oncall_id:
            places[Side.ONCALL][str(one.oncall_division)] = one.name
        if one.emr_id == division.emr_id:
            places[Side.EMR] |= dict.fromkeys(one.emr_locations, one.name)
            rest = rest or ("" if one.emr_locations else one.name)
    return Codebook(
        type_rules=tuple((rule.emr, rule.oncall) for rule in division.type_rules.all()),
        default_type=division.default_type,
        practitioners=practitioners,
        providers={str(p.oncall_provider): p.name for p in providers},
        sole_provider=str(providers[0].oncall_provider) if len(providers) == 1 else "",
        places=places,
        rest_division=rest,
    )
