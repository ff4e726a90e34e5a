"""A configuration file from text to tables, for ``loadconfig`` and the demo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from appointments.configuration import applying, snapshot
from appointments.configuration.changes import Change
from appointments.configuration.changing import changing
from appointments.configuration.consequences import Consequence
from appointments.configuration.reading import Reading, read
from appointments.configuration.states import Snapshot


@dataclass(frozen=True, slots=True)
class Loaded:
    """``left`` are sentences: what is stored and the file does not name."""

    created: Sequence[Change]
    updated: Sequence[Change]
    unchanged: int
    left: Sequence[str]
    consequences: Sequence[Consequence]


def check(text: str, *, set_mode: bool = False) -> Reading:
    """Raises Mistakes; changes nothing."""
    return read(text, snapshot.take(), set_mode=set_mode)


def load(text: str, *, set_mode: bool = False, user: Any = None, actor: str = "") -> Loaded:
    """Raises Mistakes, and then nothing was changed."""
    with changing(user=user, actor=actor) as outcome:
        reading = read(text, outcome.before, set_mode=set_mode)
        applying.write(reading, outcome.before)
    created = [change for change in outcome.changes if change.verb == "created"]
    updated = [change for change in outcome.changes if change.verb == "updated"]
    named = len(reading.connections) + len(reading.divisions) + len(reading.providers)
    return Loaded(
        created=created,
        updated=updated,
        unchanged=named - len(created) - len(updated),
        left=[*_left(reading, outcome.before), *reading.kept],
        consequences=outcome.consequences,
    )


def _left(reading: Reading, stored: Snapshot) -> list[str]:
    connections = {(state.side, state.name) for state in reading.connections}
    divisions = {state.name for state in reading.divisions}
    providers = {(state.oncall, state.oncall_provider) for state in reading.providers}
    return [
        *(c.label for c in stored.connections.values() if (c.side, c.name) not in connections),
        *(d.label for d in stored.divisions.values() if d.name not in divisions),
        *(
            p.label
            for p in stored.providers.values()
            if (p.oncall, p.oncall_provider) not in providers
        ),
    ]
