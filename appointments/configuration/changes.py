"""What differs between two snapshots, field by field, in words that hold no secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from appointments.configuration.states import AccountState, ConnectionState, Snapshot, State

HIDDEN = "(not shown)"


@dataclass(frozen=True, slots=True)
class Change:
    """One object. ``verb`` is created, updated or deleted; ``fields`` maps a key to (before, after)."""

    verb: str
    kind: str
    key: int
    name: str
    label: str
    fields: Mapping[str, tuple[Any, Any]]

    def __str__(self) -> str:
        if self.verb != "updated":
            return self.label
        parts = (f"{key} {_shown(was)} → {_shown(now)}" for key, (was, now) in self.fields.items())
        return f"{self.label}: {'; '.join(parts)}"


def between(before: Snapshot, after: Snapshot) -> list[Change]:
    return [
        change
        for kind in ("connections", "divisions", "providers", "accounts")
        for change in _of_kind(kind.removesuffix("s"), getattr(before, kind), getattr(after, kind))
    ]


def _of_kind(
    kind: str, before: Mapping[int, State], after: Mapping[int, State]
) -> Iterator[Change]:
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if new is None and old is not None:
            yield Change("deleted", kind, key, _name(old), old.label, {})
        elif new is not None and old != new:
            was = _plain(old) if old else {}
            now = _plain(new)
            changed = {
                name: (was.get(name), now.get(name))
                for name in {**was, **now}
                if was.get(name) != now.get(name)
            }
            hidden = _hidden(old, new)
            verb = "updated" if old else "created"
            yield Change(verb, kind, key, _name(new), new.label, {**changed, **hidden})


def _name(state: State) -> str:
    return state.username if isinstance(state, AccountState) else state.name


def _plain(state: State) -> dict[str, Any]:
    """The fields that may be shown, as JSON; tables are taken apart by key."""
    values: dict[str, Any] = {}
    for field in fields(state):
        value = getattr(state, field.name)
        if not field.repr:
            continue
        if isinstance(value, Mapping):
            values |= {f"{field.name}.{key}": inner for key, inner in value.items()}
        else:
            values[field.name] = _json(value)
    return values


def _json(value: Any) -> Any:
    return [_json(inner) for inner in value] if isinstance(value, tuple | list) else value


def _hidden(old: State | None, new: State) -> dict[str, tuple[str | None, str | None]]:
    """Which secrets changed, without any of them."""
    was, now = (_secrets(state) if state else {} for state in (old, new))
    return {
        key: (HIDDEN if key in was else None, HIDDEN if key in now else None)
        for key in {**was, **now}
        if was.get(key) != now.get(key)
    }


def _secrets(state: State) -> dict[str, Any]:
    if isinstance(state, ConnectionState):
        return {f"credentials.{key}": value for key, value in state.credentials.items()}
    password = getattr(state, "password", "")
    return {"password": password} if password else {}


def _shown(value: Any) -> str:
    return "nothing" if value is None or value in ("", []) else str(value)
