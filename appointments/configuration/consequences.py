"""What follows from a change of configuration (laws 9 and 15, going live), whoever made it.

``plan`` is pure: two snapshots → consequences. ``carry_out`` writes them. The screen that will first
show what a change would do asks ``plan`` and rolls back.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from appointments import resting
from appointments.configuration.states import (
    ConnectionState,
    DivisionState,
    PolicyTable,
    ProviderState,
    Snapshot,
)
from appointments.core.policy import Mode, Permission, Subject, default_policy
from appointments.models import Connection, Division, Pair
from emr_adapters.records import Side


class What(enum.StrEnum):
    SET_UP = "set_up"  # the remote is another one now: sweeps of before prove nothing (law 2)
    UNPAUSE = "unpause"
    OBSERVE = "observe"
    NEW_PAGE = "new_page"  # only differences first seen from now on may be settled alone
    RECHECK = "recheck"  # every pair is compared again


@dataclass(frozen=True, slots=True)
class Consequence:
    """``key`` is the primary key of a connection (set_up, unpause) or a division (the others)."""

    what: What
    key: int
    label: str
    because: str

    def __str__(self) -> str:
        return f"{self.label}: {_SENTENCES[self.what]} ({self.because})"


_SENTENCES: Final = {
    What.SET_UP: "counts as newly set up; nothing is concluded before its next complete list",
    What.UNPAUSE: "is no longer paused",
    What.OBSERVE: "goes to observe and writes nothing until it is set live again",
    What.NEW_PAGE: "differences that exist now are asked, only later ones are settled alone",
    What.RECHECK: "all visits are compared again",
}
# Fields of a division by which we read what the two sides state.
_READING: Final = ("time_zone", "emr_locations", "types", "default_type")
_MOVED: Final = ("oncall", "oncall_division", "emr")
_RECHECKED: Final = ("mode", "policy", "window_days")


def plan(before: Snapshot, after: Snapshot) -> list[Consequence]:
    """In the order in which they are carried out, each at most once a row, with its first reason."""
    found: dict[tuple[What, int], Consequence] = {}
    for one in (
        *_of_connections(before, after),
        *_of_divisions(before, after),
        *_of_providers(before, after),
    ):
        found.setdefault((one.what, one.key), one)
    return sorted(found.values(), key=lambda one: list(What).index(one.what))


def carry_out(consequences: Sequence[Consequence], now: datetime) -> None:
    keys: dict[What, list[int]] = {what: [] for what in What}
    for one in consequences:
        keys[one.what].append(one.key)
    Connection.objects.filter(pk__in=keys[What.SET_UP]).update(
        set_up_at=now,
        swept_at=None,
        sweep_seconds=None,
        capabilities={},
        **resting.AWAKE,
    )
    Connection.objects.filter(pk__in=keys[What.UNPAUSE]).update(
        paused_at=None, paused_reason="", **resting.AWAKE
    )
    Division.objects.filter(pk__in=keys[What.OBSERVE]).update(mode=Mode.OBSERVE.value)
    Division.objects.filter(pk__in=keys[What.NEW_PAGE]).update(page_started_at=now)
    Pair.objects.filter(division__in=keys[What.RECHECK]).update(recheck_at=now)


# --- connections -----------------------------------------------------------------------------------


def _of_connections(before: Snapshot, after: Snapshot) -> Iterator[Consequence]:
    for key, new in after.connections.items():
        old = before.connections.get(key)
        if old is None:
            continue
        moved = next((word for word, was, now in _address(old, new) if was != now), "")
        if moved:
            yield Consequence(What.SET_UP, key, new.label, f"{moved} changed")
        if new.paused and _access(old) != _access(new):
            yield Consequence(What.UNPAUSE, key, new.label, "its access changed")
        because = f"{moved or 'settings'} of {new.label} changed"
        for number, division in after.divisions.items():
            if new.name != (division.oncall if new.side == Side.ONCALL else division.emr):
                continue
            if moved and division.mode == Mode.LIVE:
                yield Consequence(What.OBSERVE, number, division.label, because)
            if moved or _read_by(old) != _read_by(new):
                yield from _read_afresh(number, division, because)


def _address(old: ConnectionState, new: ConnectionState) -> Iterator[tuple[str, Any, Any]]:
    yield "the adapter", old.adapter, new.adapter
    yield "the region", _region(old), _region(new)
    yield "the address", _base(old), _base(new)


def _region(state: ConnectionState) -> str:
    return str(state.settings.get("region", ""))


def _base(state: ConnectionState) -> str:
    """A slash more or less at the end is the same address."""
    return str(state.settings.get("base_url", "")).rstrip("/")


def _access(state: ConnectionState) -> tuple[Any, ...]:
    """What can have been the reason why the connection was refused. The webhook's token cannot."""
    credentials = {k: v for k, v in state.credentials.items() if k != "webhook_token"}
    return state.adapter, state.settings, credentials


def _read_by(state: ConnectionState) -> Mapping[str, Any]:
    """Settings by which an adapter may read the same record in another way."""
    return {k: v for k, v in state.settings.items() if k not in {"base_url", "auth_scheme"}}


# --- divisions -------------------------------------------------------------------------------------


def _of_divisions(before: Snapshot, after: Snapshot) -> Iterator[Consequence]:
    for key, new in after.divisions.items():
        old = before.divisions.get(key)
        if old is None:
            continue  # its page starts with the row itself
        changed = [field for field in _READING if getattr(old, field) != getattr(new, field)]
        moved = [field for field in _MOVED if getattr(old, field) != getattr(new, field)]
        if moved and new.mode == Mode.LIVE:
            yield Consequence(What.OBSERVE, key, new.label, f"{moved[0]} changed")
        if moved or changed:
            yield from _read_afresh(key, new, f"{(moved + changed)[0]} changed")
        elif new.mode == Mode.LIVE and old.mode != Mode.LIVE:
            yield from _read_afresh(key, new, "it goes live")
        elif old.system_of_record != new.system_of_record:
            yield from _read_afresh(key, new, "the system of record changed")
        elif loosened := _loosened(old, new):
            yield from _read_afresh(key, new, f"{loosened} happens alone now")
        elif other := [f for f in _RECHECKED if getattr(old, f) != getattr(new, f)]:
            yield Consequence(What.RECHECK, key, new.label, f"{other[0]} changed")


def _read_afresh(key: int, division: DivisionState, because: str) -> Iterator[Consequence]:
    yield Consequence(What.NEW_PAGE, key, division.label, because)
    yield Consequence(What.RECHECK, key, division.label, because)


def _loosened(old: DivisionState, new: DivisionState) -> str:
    """What the policy now lets happen alone and did not before: what waits for a person still does."""
    before, now = (permissions(d.policy, d.system_of_record) for d in (old, new))
    return next(
        (
            f"{subject.value} from {source.value}"
            for (source, subject), word in now.items()
            if word is Permission.AUTO and before[source, subject] is not Permission.AUTO
        ),
        "",
    )


def permissions(policy: PolicyTable, record: str) -> dict[tuple[Side, Subject], Permission]:
    """A stored policy over the defaults, complete."""
    return {
        (source, subject): Permission(
            policy.get(f"{source.value}_to_{source.other.value}", {}).get(subject.value) or default
        )
        for source, defaults in default_policy(Side(record)).items()
        for subject, default in defaults.items()
    }


# --- providers -------------------------------------------------------------------------------------


def _of_providers(before: Snapshot, after: Snapshot) -> Iterator[Consequence]:
    """A mapping that appears, changes or goes changes how the visits of its divisions are read."""
    for key in {**before.providers, **after.providers}:
        old, new = before.providers.get(key), after.providers.get(key)
        kept = old is not None and new is not None and _mapping(old) == _mapping(new)
        for number, division in after.divisions.items():
            was = _works_in(old, before.divisions.get(number))
            is_now = _works_in(new, division)
            if (was or is_now) and not (kept and was == is_now):
                label = (new or old or ProviderState("", "", 0)).label
                if number in before.divisions:
                    yield from _read_afresh(number, division, f"the mapping of {label} changed")


def _mapping(provider: ProviderState) -> tuple[Any, ...]:
    return provider.oncall, provider.oncall_provider, provider.emr_practitioners


def _works_in(provider: ProviderState | None, division: DivisionState | None) -> bool:
    return provider is not None and division is not None and division.name in provider.divisions
