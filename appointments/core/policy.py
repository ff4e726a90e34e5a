"""Who owns what, what may happen alone, tolerances, the create gate (design, section 6)."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from emr_adapters.base import Capabilities
from emr_adapters.records import Group, Side


class Mode(enum.StrEnum):
    OBSERVE = "observe"  # reads, compares, shows
    LIVE = "live"  # also writes
    PAUSED = "paused"  # makes no request


class Permission(enum.StrEnum):
    AUTO = "auto"
    ASK = "ask"
    NEVER = "never"  # neither written, offered nor asked


class Subject(enum.StrEnum):
    """What a line of the policy is about, per direction."""

    CREATE = "create"
    WHEN = "when"
    TYPE = "type"
    PROVIDER = "provider"
    PEOPLE = "people"
    LABEL = "label"
    CANCEL = "cancel"
    REFERENCE = "reference"


Policy = Mapping[Side, Mapping[Subject, Permission]]  # key: the side whose word is carried

_FROM_RECORD: Final = {
    Subject.CREATE: Permission.AUTO,
    Subject.WHEN: Permission.AUTO,
    Subject.TYPE: Permission.AUTO,
    Subject.PROVIDER: Permission.ASK,
    Subject.PEOPLE: Permission.ASK,
    Subject.LABEL: Permission.NEVER,
    Subject.CANCEL: Permission.AUTO,
    Subject.REFERENCE: Permission.AUTO,
}
_TO_RECORD: Final = dict.fromkeys(Subject, Permission.ASK) | {
    Subject.LABEL: Permission.NEVER,
    Subject.REFERENCE: Permission.AUTO,
}
SUBJECT_OF: Final[Mapping[Group, Subject]] = {
    Group.WHEN: Subject.WHEN,
    Group.TYPE: Subject.TYPE,
    Group.PROVIDER: Subject.PROVIDER,
    Group.PEOPLE: Subject.PEOPLE,
    Group.LABEL: Subject.LABEL,
    Group.STATE: Subject.CANCEL,
}
BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


def default_policy(record: Side) -> dict[Side, dict[Subject, Permission]]:
    return {record: dict(_FROM_RECORD), record.other: dict(_TO_RECORD)}


@dataclass(frozen=True, slots=True)
class Rules:
    """One division's policy as the core needs it.

    ``page_started_at``: only what was first seen after it may happen alone (going live; law 15).
    ``window`` is the pair of instants that a visit's start must lie between to be in scope. ``told`` is
    who is told when a write is given up; "" where nobody can be.
    """

    record: Side
    mode: Mode
    policy: Policy
    capabilities: Mapping[Side, Capabilities]
    window: tuple[datetime, datetime]
    division: str = ""
    default_type: str = ""
    cancel_delay: timedelta = timedelta(minutes=5)
    page_started_at: datetime = BEGINNING
    mails_per_hour: int = 2
    told: str = ""

    def permission(self, source: Side, subject: Subject) -> Permission:
        given = self.policy.get(source, {}).get(subject)
        return given or default_policy(self.record)[source][subject]

    def for_group(self, source: Side, group: Group) -> Permission:
        subject = SUBJECT_OF.get(group)
        # The division (where) has no line in the policy: a change of it always asks.
        return Permission.ASK if subject is None else self.permission(source, subject)


class GateStop(enum.StrEnum):
    """Why an automatic create does not happen, in the order of the design."""

    NO_SWEEP = "no_sweep"
    POSSIBLE_MATCH = "possible_match"
    PAST = "past"
    LACKING = "lacking"
    BRAKE = "brake"


@dataclass(frozen=True, slots=True)
class GateFacts:
    """What the gate needs to know about the target. ``candidates`` are ids that could be this visit."""

    sweep_complete: bool = False
    candidates: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


SWEEP_VALID_FOR: Final = timedelta(hours=24)


def sweep_proves(began_at: datetime | None, *, set_up_at: datetime, now: datetime) -> bool:
    """Law 2: a complete sweep that began after the connection was set up and is under 24 hours old."""
    return began_at is not None and began_at >= set_up_at and now - began_at < SWEEP_VALID_FOR


def create_gate(facts: GateFacts, *, start: datetime | None, now: datetime) -> GateStop | None:
    """The first reason that stops an automatic create; None lets it pass. The brake is the outbox's."""
    if facts.candidates:
        return GateStop.POSSIBLE_MATCH
    if start is not None and start <= now:
        return GateStop.PAST
    if facts.lacking:
        return GateStop.LACKING
    if not facts.sweep_complete:
        return GateStop.NO_SWEEP
    return None
