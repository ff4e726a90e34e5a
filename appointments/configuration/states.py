"""The configuration as plain values: what a file says, and what the tables hold.

Defaults are those of the models. Credentials are compared, never shown: they stay out of ``repr``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from appointments.core.policy import Mode
from emr_adapters.records import Side

PolicyTable: TypeAlias = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """``settings`` and ``credentials`` as on the model; ``env:NAME`` stays a reference."""

    side: str
    name: str
    adapter: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    credentials: Mapping[str, Any] = field(default_factory=dict, repr=False)
    requests_per_second: float = 2.0
    paused: bool = field(default=False, repr=False, compare=False)  # no part of the configuration
    # False: what is stored fits no key of CREDENTIALS_KEY; ``credentials`` is empty and is never written.
    readable: bool = field(default=True, repr=False)

    @property
    def label(self) -> str:
        return f"{self.side}.{self.name}"


@dataclass(frozen=True, slots=True)
class DivisionState:
    """``oncall`` and ``emr`` are names of connections; ``types`` are (EMR pattern, OnCall type)."""

    name: str
    oncall: str
    oncall_division: int
    emr: str
    emr_locations: tuple[str, ...] = ()
    time_zone: str = "America/Toronto"
    system_of_record: str = Side.EMR.value
    mode: str = Mode.OBSERVE.value
    window_days: tuple[int, int] = (1, 60)
    default_type: str = ""
    title: str = "Visit with {provider}"
    cancel_delay_minutes: int = 5
    policy: PolicyTable = field(default_factory=dict)
    brake_count: int = 20
    brake_percent: float = 5.0
    contact: str = ""
    types: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        return f'division "{self.name}"'


@dataclass(frozen=True, slots=True)
class ProviderState:
    """``divisions`` are names, sorted."""

    name: str
    oncall: str
    oncall_provider: int
    email: str = ""
    emr_practitioners: tuple[str, ...] = ()
    divisions: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f'provider "{self.name}"'


@dataclass(frozen=True, slots=True)
class AccountState:
    """One account that may sign in. ``password`` is the stored hash: only whether it changed counts."""

    username: str
    active: bool
    superuser: bool
    password: str = field(default="", repr=False)
    roles: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f'account "{self.username}"'


State: TypeAlias = ConnectionState | DivisionState | ProviderState | AccountState


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole configuration at one moment, by primary key."""

    connections: Mapping[int, ConnectionState] = field(default_factory=dict)
    divisions: Mapping[int, DivisionState] = field(default_factory=dict)
    providers: Mapping[int, ProviderState] = field(default_factory=dict)
    accounts: Mapping[int, AccountState] = field(default_factory=dict)

    def connection(self, side: str, name: str) -> ConnectionState | None:
        return next(
            (c for c in self.connections.values() if (c.side, c.name) == (side, name)), None
        )

    def division(self, name: str) -> DivisionState | None:
        return next((d for d in self.divisions.values() if d.name == name), None)

    def provider(self, oncall: str, number: int) -> ProviderState | None:
        key = (oncall, number)
        return next(
            (p for p in self.providers.values() if (p.oncall, p.oncall_provider) == key), None
        )
