"""States → rows. Only what differs is written; call it inside ``changing``."""

from __future__ import annotations

from typing import Any

from appointments.configuration.reading import Reading
from appointments.configuration.states import (
    ConnectionState,
    DivisionState,
    ProviderState,
    Snapshot,
)
from appointments.models import Connection, Division, Provider, TypeRule
from emr_adapters.records import Side


def write(reading: Reading, stored: Snapshot) -> None:
    """``stored`` is what ``reading`` was read against."""
    for connection in reading.connections:
        if connection != stored.connection(connection.side, connection.name):
            _write_connection(connection)
    for division in reading.divisions:
        if division != stored.division(division.name):
            _write_division(division, stored.division(division.name))
    for provider in reading.providers:
        if provider != stored.provider(provider.oncall, provider.oncall_provider):
            _write_provider(provider)


def _write_connection(state: ConnectionState) -> None:
    values: dict[str, Any] = {
        "adapter": state.adapter,
        "settings": dict(state.settings),
        "requests_per_second": state.requests_per_second,
    }
    if state.readable:
        values["credentials"] = dict(state.credentials)
    Connection.objects.update_or_create(side=state.side, name=state.name, defaults=values)


def _write_division(state: DivisionState, old: DivisionState | None) -> None:
    row, _ = Division.objects.update_or_create(
        name=state.name,
        defaults={
            "oncall": Connection.objects.get(side=Side.ONCALL, name=state.oncall),
            "oncall_division": state.oncall_division,
            "emr": Connection.objects.get(side=Side.EMR, name=state.emr),
            "emr_locations": list(state.emr_locations),
            "time_zone": state.time_zone,
            "system_of_record": state.system_of_record,
            "mode": state.mode,
            "window_back_days": state.window_days[0],
            "window_ahead_days": state.window_days[1],
            "default_type": state.default_type,
            "title": state.title,
            "cancel_delay_minutes": state.cancel_delay_minutes,
            "policy": state.policy,
            "brake_count": state.brake_count,
            "brake_percent": state.brake_percent,
            "contact": state.contact,
        },
    )
    if old is None or old.types != state.types:
        row.type_rules.all().delete()
        TypeRule.objects.bulk_create(
            TypeRule(division=row, position=position, emr=pattern, oncall=held)
            for position, (pattern, held) in enumerate(state.types)
        )


def _write_provider(state: ProviderState) -> None:
    row, _ = Provider.objects.update_or_create(
        oncall=Connection.objects.get(side=Side.ONCALL, name=state.oncall),
        oncall_provider=state.oncall_provider,
        defaults={
            "name": state.name,
            "email": state.email,
            "emr_practitioners": list(state.emr_practitioners),
        },
    )
    row.divisions.set(Division.objects.filter(name__in=state.divisions))
