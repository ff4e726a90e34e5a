"""What really happened, as an outside observer notes it: the product never sees or writes this."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from emr_adapters.records import AppointmentRecord, Side

PERSON = "person"
FORGOTTEN = "forgotten"  # by us, after the backup that the database was restored from


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a record. ``by`` is PERSON or the number of our push; ``fields`` those that changed."""

    side: Side
    id: str
    at: datetime
    by: str | int
    fields: frozenset[str]
    before: AppointmentRecord | None
    after: AppointmentRecord | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a direct read or a list said of one record; ``found`` False: "there is no such record"."""

    asked_at: datetime
    found: bool


@dataclass(frozen=True, slots=True)
class Mailing:
    at: datetime
    by: int | None
    kind: str
    id: str
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """One write of ours that took effect. ``unseen``: it went over a change that we had not read yet."""

    side: Side
    id: str
    at: datetime
    operation: str
    push_id: int | None
    unseen: frozenset[str]


@dataclass(frozen=True, slots=True)
class Meant:
    """What was true when a write was decided for the last time, right before it was sent."""

    at: datetime
    mode: str
    permissions: frozenset[str]
    automatic: bool
    released: bool


@dataclass
class Ledger:
    changes: list[Change] = field(default_factory=list)
    answers: dict[tuple[Side, str], list[Answer]] = field(default_factory=lambda: defaultdict(list))
    known: dict[tuple[Side, str], AppointmentRecord] = field(default_factory=dict)
    mailings: list[Mailing] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    meant: dict[int, Meant] = field(default_factory=dict)
    broken_pages: dict[Side, set[tuple[datetime, str | None]]] = field(
        default_factory=lambda: defaultdict(set)
    )  # of lists by when they began, and where in them
    logged: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    latest_read: dict[int, datetime] = field(default_factory=dict)  # by mirror row
    trace: list[str] = field(default_factory=list)

    @property
    def steps(self) -> int:
        return sum(n for name, n in self.counts.items() if name.startswith("step:"))

    def note(self, line: str) -> None:
        self.trace.append(line)

    def restored(self, backup_at: datetime) -> None:
        """The rows about what we did since are gone, and their numbers will be given again."""
        self.changes = [
            replace(c, by=FORGOTTEN) if c.at > backup_at and c.by != PERSON else c
            for c in self.changes
        ]
        self.mailings = [replace(m, by=None) if m.at > backup_at else m for m in self.mailings]
        self.writes = [replace(w, push_id=None) if w.at > backup_at else w for w in self.writes]
        self.meant = {number: m for number, m in self.meant.items() if m.at <= backup_at}
        self.latest_read.clear()

    def violated(self, invariant: str, details: Any) -> None:
        self.violations.append(f"{invariant}: {details}")
