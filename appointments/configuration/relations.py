"""What must hold between connections, divisions and providers; pure, for files and forms alike."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from appointments.configuration.rules import tokens_of
from appointments.configuration.states import (
    ConnectionState,
    DivisionState,
    ProviderState,
    State,
)
from emr_adapters.records import Side

Thing = TypeVar("Thing", bound=State)


@dataclass(frozen=True, slots=True)
class Problem:
    """``key`` is the file's key at ``state``; ``other`` the state it clashes with."""

    state: State
    other: State
    key: str
    clause: str


def problems(
    connections: Sequence[ConnectionState],
    divisions: Sequence[DivisionState],
    providers: Sequence[ProviderState],
) -> list[Problem]:
    """Every clash, named at its later half: put what is only stored first, then what is being added."""
    return [
        *_shared_tokens([c for c in connections if c.side == Side.ONCALL]),
        *_twice(divisions, lambda d: d.name, "name", "there is another division of this name"),
        *_twice(
            [d for d in divisions if d.oncall and d.oncall_division],
            lambda d: (d.oncall, d.oncall_division),
            "oncall_division",
            "{value} belongs to {other} already",
            shown=lambda d: d.oncall_division,
        ),
        *_claimed_locations(divisions),
        *_two_rests(divisions),
        *_twice(
            [p for p in providers if p.oncall and p.oncall_provider],
            lambda p: (p.oncall, p.oncall_provider),
            "oncall_provider",
            "{value} is {other} already",
            shown=lambda p: p.oncall_provider,
        ),
        *_shared_practitioners(divisions, providers),
        *_strangers(divisions, providers),
    ]


def _clash(first: State, second: State, key: str, clause: str) -> Problem:
    return Problem(second, first, key, clause.replace("{other}", first.label))


def _twice(
    things: Sequence[Thing], key_of: Any, key: str, clause: str, shown: Any = None
) -> Iterator[Problem]:
    seen: dict[Hashable, Thing] = {}
    for thing in things:
        first = seen.setdefault(key_of(thing), thing)
        if first is not thing:
            text = clause.replace("{value}", str(shown(thing) if shown else ""))
            yield _clash(first, thing, key, text)


def _shared_tokens(connections: Iterable[ConnectionState]) -> Iterator[Problem]:
    seen: dict[str, ConnectionState] = {}
    for connection in connections:
        for token in tokens_of(connection.credentials.get("webhook_token")):
            first = seen.setdefault(token, connection)
            if first is not connection:
                clause = "is also that of {other}; each connection needs its own"
                yield _clash(first, connection, "webhook_token", clause)


def _claimed_locations(divisions: Iterable[DivisionState]) -> Iterator[Problem]:
    seen: dict[tuple[str, str], DivisionState] = {}
    for division in divisions:
        for location in division.emr_locations:
            first = seen.setdefault((division.emr, location), division)
            if first is not division:
                clause = f"{location} is claimed by {{other}} already"
                yield _clash(first, division, "emr_location", clause)


def _two_rests(divisions: Iterable[DivisionState]) -> Iterator[Problem]:
    seen: dict[str, DivisionState] = {}
    for division in divisions:
        if division.emr and not division.emr_locations:
            first = seen.setdefault(division.emr, division)
            if first is not division:
                clause = (
                    f"is left out, as in {{other}}: only one division of emr.{division.emr} can take "
                    "all visits that no other one claims"
                )
                yield _clash(first, division, "emr_location", clause)


def _shared_practitioners(
    divisions: Iterable[DivisionState], providers: Iterable[ProviderState]
) -> Iterator[Problem]:
    # Two EMRs may use the same id for different people: what counts is the division.
    seen: dict[tuple[str, str], ProviderState] = {}
    told: set[tuple[int, int]] = set()
    known = {division.name for division in divisions}
    for provider in providers:
        for practitioner in provider.emr_practitioners:
            for name in provider.divisions:
                first = seen.setdefault((name, practitioner), provider)
                pair = (id(first), id(provider))
                if first is not provider and name in known and pair not in told:
                    told.add(pair)
                    clause = f'{practitioner} is {{other}} already in division "{name}"'
                    yield _clash(first, provider, "emr_practitioner", clause)


def _strangers(
    divisions: Iterable[DivisionState], providers: Iterable[ProviderState]
) -> Iterator[Problem]:
    """A provider of one OnCall account cannot work in a division of another."""
    by_name = {division.name: division for division in divisions}
    for provider in providers:
        for name in provider.divisions:
            division = by_name.get(name)
            if division and division.oncall and division.oncall != provider.oncall:
                clause = (
                    f"{{other}} is on oncall.{division.oncall}, not on oncall.{provider.oncall}"
                )
                yield _clash(division, provider, "divisions", clause)
