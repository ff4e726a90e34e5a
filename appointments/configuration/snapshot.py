"""The configuration that is stored, as states."""

from __future__ import annotations

from django.contrib.auth import get_user_model

from appointments.configuration.states import (
    AccountState,
    ConnectionState,
    DivisionState,
    ProviderState,
    Snapshot,
)
from appointments.models import Connection, Division, Membership, Provider
from appointments.models.encrypted import opened


def take() -> Snapshot:
    """Everything, in a handful of queries."""
    roles: dict[int, dict[str, str]] = {}
    for membership in Membership.objects.select_related("division"):
        roles.setdefault(membership.user_id, {})[membership.division.name] = membership.role
    return Snapshot(
        connections={row.pk: connection_state(row) for row in Connection.objects.all()},
        divisions={
            row.pk: division_state(row)
            for row in Division.objects.select_related("oncall", "emr").prefetch_related(
                "type_rules"
            )
        },
        providers={
            row.pk: provider_state(row)
            for row in Provider.objects.select_related("oncall").prefetch_related("divisions")
        },
        accounts={
            row.pk: AccountState(
                username=row.get_username(),
                active=row.is_active,
                superuser=row.is_superuser,
                password=row.password,
                roles=roles.get(row.pk, {}),
            )
            for row in get_user_model().objects.all()
        },
    )


def connection_state(row: Connection) -> ConnectionState:
    credentials = opened(row, "credentials", None)
    return ConnectionState(
        side=row.side,
        name=row.name,
        adapter=row.adapter,
        settings=row.settings,
        credentials=credentials or {},
        readable=credentials is not None,
        requests_per_second=row.requests_per_second,
        paused=row.paused_at is not None,
    )


def division_state(row: Division) -> DivisionState:
    return DivisionState(
        name=row.name,
        oncall=row.oncall.name,
        oncall_division=row.oncall_division,
        emr=row.emr.name,
        emr_locations=tuple(row.emr_locations),
        time_zone=row.time_zone,
        system_of_record=row.system_of_record,
        mode=row.mode,
        window_days=(row.window_back_days, row.window_ahead_days),
        default_type=row.default_type,
        title=row.title,
        cancel_delay_minutes=row.cancel_delay_minutes,
        policy=row.policy,
        brake_count=row.brake_count,
        brake_percent=row.brake_percent,
        contact=row.contact,
        types=tuple((rule.emr, rule.oncall) for rule in row.type_rules.all()),
    )


def provider_state(row: Provider) -> ProviderState:
    return ProviderState(
        name=row.name,
        oncall=row.oncall.name,
        oncall_provider=row.oncall_provider,
        email=row.email,
        emr_practitioners=tuple(row.emr_practitioners),
        divisions=tuple(sorted(division.name for division in row.divisions.all())),
    )
