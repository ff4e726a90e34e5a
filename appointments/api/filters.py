"""What lists can be narrowed by. A word that a filter does not know is a 400 that says so."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django_filters import CharFilter, ChoiceFilter, FilterSet  # type: ignore[import-untyped]

from appointments.api.pairs import PairStatus
from appointments.core.kinds import Kind
from appointments.models import Appointment, Delivery, Mismatch, Pair, Push, Run
from emr_adapters.records import Side, State

Rows = QuerySet[Any, Any]


def by_division(value: str, prefix: str = "division") -> Q:
    """A division by its name or by its number."""
    named = Q(**{f"{prefix}__name": value})
    # PostgreSQL refuses a number that no id can be.
    numbered = value.isdecimal() and len(value) < 19
    return named | Q(**{f"{prefix}__pk": int(value)}) if numbered else named


class DivisionFilterSet(FilterSet):  # type: ignore[misc]
    division = CharFilter(method="filter_division", label="Name or id of the division")

    def filter_division(self, rows: Rows, _: str, value: str) -> Rows:
        return rows.filter(by_division(value))


class AppointmentFilter(DivisionFilterSet):
    status = ChoiceFilter(field_name="state", choices=[(s.value, s.value) for s in State])
    kind = ChoiceFilter(
        field_name="side", choices=[(s.value, s.value) for s in Side], label="The side"
    )
    oncall_id = CharFilter(method="filter_id", label="OnCall's number of the visit")
    emr_id = CharFilter(method="filter_id", label="The EMR's id of the visit")

    class Meta:
        model = Appointment
        fields: list[str] = []

    def filter_id(self, rows: Rows, name: str, value: str) -> Rows:
        """The side's own record, and the other half of that visit."""
        side = name.removesuffix("_id")
        other = "emr" if side == "oncall" else "oncall"
        own = Q(side=side, remote_id=value)
        return rows.filter(own | Q(**{f"pair_as_{other}__{side}__remote_id": value}))


class PairFilter(DivisionFilterSet):
    status = ChoiceFilter(choices=[(s.value, s.value) for s in PairStatus])
    kind = ChoiceFilter(
        field_name="linked_by", choices=Pair.LinkedBy.choices[1:], label="How it was linked"
    )
    oncall_id = CharFilter(field_name="oncall__remote_id")
    emr_id = CharFilter(field_name="emr__remote_id")

    class Meta:
        model = Pair
        fields: list[str] = []


class MismatchFilter(DivisionFilterSet):
    status = ChoiceFilter(choices=Mismatch.Status.choices)
    kind = ChoiceFilter(choices=[(k.value, k.value) for k in Kind])
    oncall_id = CharFilter()
    emr_id = CharFilter()

    class Meta:
        model = Mismatch
        fields: list[str] = []


class PushFilter(DivisionFilterSet):
    status = ChoiceFilter(choices=Push.Status.choices)
    kind = CharFilter()
    oncall_id = CharFilter(field_name="pair__oncall__remote_id")
    emr_id = CharFilter(field_name="pair__emr__remote_id")

    class Meta:
        model = Push
        fields: list[str] = []


class ConnectionFilterSet(FilterSet):  # type: ignore[misc]
    division = CharFilter(method="filter_division", label="Name or id of a division that uses it")

    def filter_division(self, rows: Rows, _: str, value: str) -> Rows:
        one = by_division(value, "connection__oncall_divisions")
        other = by_division(value, "connection__emr_divisions")
        # As a subquery: a join would list a connection once for each of its divisions.
        model = rows.model
        return rows.filter(pk__in=model._default_manager.filter(one | other).values("pk"))


class RunFilter(ConnectionFilterSet):
    status = ChoiceFilter(choices=Run.Status.choices)
    kind = ChoiceFilter(choices=Run.Kind.choices)

    class Meta:
        model = Run
        fields: list[str] = []


class DeliveryFilter(ConnectionFilterSet):
    status = ChoiceFilter(choices=Delivery.Status.choices)
    kind = CharFilter(field_name="event", label="The event")
    oncall_id = CharFilter(field_name="remote_id")

    class Meta:
        model = Delivery
        fields: list[str] = []
