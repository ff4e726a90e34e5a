"""``[[division]]`` and ``[[provider]]`` tables → states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from appointments.configuration import rules
from appointments.configuration.states import DivisionState, PolicyTable, ProviderState, Snapshot
from appointments.configuration.table import Table, suggestion
from appointments.core.policy import Mode, Permission, Subject
from emr_adapters.records import Side

DIRECTIONS: Final = ("oncall_to_emr", "emr_to_oncall")
LARGEST_ID: Final = 2**63 - 1
MOST_BACK, MOST_AHEAD = 365, 730


def read_division(
    table: Table,
    connections: Mapping[str, Sequence[str]],
    stored: Snapshot,
    kept: list[str],
    *,
    set_mode: bool,
) -> DivisionState | None:
    """None when it has no name to call it by; its mistakes are noted."""
    name = table.text("name", required=True, longest=100)
    number = table.path[-1]
    table.label = f'division "{name}"' if name else f"division {int(number) + 1}"
    old = stored.division(name)
    base = old or DivisionState(name=name, oncall="", oncall_division=0, emr="")
    oncall = read_connection(table, "oncall", connections, base.oncall)
    emr = read_connection(table, "emr", connections, base.emr)
    mode = table.one_of("mode", [one.value for one in Mode], base.mode)
    if old and mode != old.mode and not set_mode:
        kept.append(f"{table.label}: mode {old.mode} (the file says {mode}; --set-mode applies it)")
        mode = old.mode
    division = DivisionState(
        name=name,
        oncall=oncall,
        oncall_division=table.whole(
            "oncall_division", base.oncall_division, low=1, high=LARGEST_ID, required=old is None
        ),
        emr=emr,
        emr_locations=table.texts("emr_location"),
        time_zone=table.text(
            "time_zone", base.time_zone, required=old is None, problem=rules.zone_problem
        ),
        system_of_record=table.one_of(
            "system_of_record", [side.value for side in Side], base.system_of_record
        ),
        mode=mode,
        window_days=table.pair("window_days", base.window_days, high=(MOST_BACK, MOST_AHEAD)),
        default_type=table.one_of("default_type", rules.DEFAULT_TYPES, base.default_type),
        title=table.text("title", base.title, problem=rules.title_problem),
        cancel_delay_minutes=table.whole(
            "cancel_delay_minutes", base.cancel_delay_minutes, high=24 * 60
        ),
        policy=_read_policy(table.table("policy")),
        brake_count=table.whole(
            "brake_count", base.brake_count, high=1_000_000, problem=rules.brake_count_problem
        ),
        brake_percent=table.number(
            "brake_percent", base.brake_percent, problem=rules.brake_percent_problem
        ),
        contact=table.text(
            "contact", base.contact, problem=_email_problem, longest=254, empty=True
        ),
        types=_read_types(table),
    )
    table.finish()
    if old:
        kept += _kept_keys(table, division)
    return division if name else None


def read_connection(
    table: Table, side: str, connections: Mapping[str, Sequence[str]], fallback: str
) -> str:
    """The name of a connection; it may be left out where there is only one."""
    known = connections[side]
    sole = fallback or (known[0] if len(known) == 1 else "")
    name = table.text(side, sole, required=not sole)
    if name and name not in known:
        table.wrong(side, f"there is no [{side}.{name}]{suggestion(name, known)}")
        return ""
    return name


def _read_policy(table: Table) -> PolicyTable:
    """Only what is written; the defaults are the core's."""
    words = [one.value for one in Permission]
    policy: dict[str, dict[str, str]] = {}
    for direction in DIRECTIONS:
        inner = table.table(direction)
        given = {subject.value: inner.one_of(subject.value, words) for subject in Subject}
        inner.finish()
        if chosen := {subject: word for subject, word in given.items() if word}:
            policy[direction] = chosen
    table.finish()
    return policy


def _read_types(table: Table) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    tables = table.tables("type")
    for number, inner in enumerate(tables, 1):
        inner.label = f"{table.label}: type {number}"
        pattern = inner.text("emr", required=True)
        held = inner.one_of("oncall", rules.DEFAULT_TYPES, required=True)
        inner.finish()
        found.append((pattern, held))
    if all(pattern and held for pattern, held in found) and (problem := rules.rules_problem(found)):
        index, clause = problem
        tables[index].wrong("emr", clause)
    return tuple(found)


_DEFAULTS: Final = DivisionState(name="", oncall="", oncall_division=0, emr="")
_LISTED: Final = (
    "time_zone",
    "system_of_record",
    "window_days",
    "default_type",
    "title",
    "cancel_delay_minutes",
    "brake_count",
    "brake_percent",
    "contact",
)


def _kept_keys(table: Table, division: DivisionState) -> list[str]:
    """Keys that the file leaves out and that are stored with another value than the default."""
    return [
        f"{table.label}: {key} {_shown(getattr(division, key))}"
        for key in _LISTED
        if not table.has(key) and getattr(division, key) != getattr(_DEFAULTS, key)
    ]


def _shown(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)


def read_provider(
    table: Table,
    connections: Mapping[str, Sequence[str]],
    stored: Snapshot,
    written: Sequence[DivisionState],
    kept: list[str],
) -> ProviderState | None:
    """None when its key cannot be read; its mistakes are noted."""
    number = table.path[-1]
    shown = table.values.get("name")
    table.label = (
        f'provider "{shown}"' if isinstance(shown, str) and shown else f"provider {int(number) + 1}"
    )
    oncall = read_connection(table, "oncall", connections, "")
    id = table.whole("oncall_provider", low=1, high=LARGEST_ID, required=True)
    old = stored.provider(oncall, id)
    base = old or ProviderState(name="", oncall=oncall, oncall_provider=id)
    name = table.text("name", base.name, required=old is None)
    practitioners = table.texts("emr_practitioner", base.emr_practitioners)
    if old and base.emr_practitioners and not table.has("emr_practitioner"):
        kept.append(f"{table.label}: emr_practitioner {', '.join(base.emr_practitioners)}")
    provider = ProviderState(
        name=name,
        oncall=oncall,
        oncall_provider=id,
        email=table.text("email", base.email, problem=_email_problem, longest=254, empty=True),
        emr_practitioners=practitioners,
        divisions=_read_divisions(table, base, stored, [d.name for d in written], kept),
    )
    table.finish()
    return provider if oncall and id else None


def _read_divisions(
    table: Table, base: ProviderState, stored: Snapshot, written: Sequence[str], kept: list[str]
) -> tuple[str, ...]:
    """Those in the file, and those of before that the file does not name at all (they are left)."""
    if not table.has("divisions"):
        table.texts("divisions")
        return base.divisions
    known = list(dict.fromkeys([*written, *(d.name for d in stored.divisions.values())]))
    given = table.texts("divisions")
    for name in given:
        if name not in known:
            table.wrong("divisions", f'there is no division "{name}"{suggestion(name, known)}')
    left = [name for name in base.divisions if name not in written and name not in given]
    kept += [f"{table.label}: division {name}" for name in left]
    return tuple(sorted({*given, *left}))


def _email_problem(email: str) -> str:
    local, at, domain = email.partition("@")
    fine = local and at and "." in domain and not any(c.isspace() for c in email)
    return "" if not email or (fine and domain.count("@") == 0) else "is not an e-mail address"
