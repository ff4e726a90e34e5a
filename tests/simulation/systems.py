"""OnCall and an EMR in memory, behind the real adapter contract, misbehaving as ordered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from django.db import connection as database
from django.db.models import Q

from appointments.models import Appointment, Decision, Run
from emr_adapters import times
from emr_adapters.base import Page, Reading, Window
from emr_adapters.errors import BadResponse, NotFound
from emr_adapters.memory import MemoryAdapter, MemoryRemote
from emr_adapters.records import (
    ABSENT,
    AppointmentRecord,
    Changes,
    Draft,
    Side,
    record_to_json,
)
from tests.simulation import cast
from tests.simulation.faults import Faults, Kind
from tests.simulation.ledger import PERSON, Answer, Change, Ledger, Mailing, Write
from tests.simulation.processes import Processes

# What a system says about itself and its bookkeeping, not about the visit.
BOOKKEEPING: Final = frozenset({"version", "modified_at", "raw", "problems"})
CHANGING: Final = ("update", "cancel")
LEFT_OUT: Final = ("people", "types", "title", "minutes")
KNOWN_AFTER: Final = timedelta(minutes=2)  # what is older was there for whoever decides now
WALL: Final = ZoneInfo("America/Toronto")
_GROUPED: Final = ({"start", "minutes"}, {"type"}, {"title"}, {"practitioner"}, {"reference"})


@dataclass
class SimulatedRemote(MemoryRemote):
    """One system under observation. People change it through ``book``, ``edit`` and ``delete``."""

    side: Side = Side.EMR
    ledger: Ledger = field(default_factory=Ledger)
    processes: Processes = field(default_factory=Processes)
    takes_time: Callable[[], None] = lambda: None
    # Told of each record that we are about to change: somebody may save it in that very moment.
    meanwhile: Callable[[SimulatedRemote, str], None] = lambda remote, id: None
    faults: Faults = field(default_factory=Faults)
    changed_ids: list[str] = field(default_factory=list)  # for the webhooks that are to be sent
    _by: str | int = PERSON

    def answer(self, id: str) -> AppointmentRecord:
        """An EMR states the clock on the clinic's wall with its distance from UTC, as FHIR does (law 13)."""
        record = super().answer(id)
        if self.side is Side.ONCALL or not isinstance(record.start, datetime):
            return record
        stated = record.start.astimezone(WALL).isoformat()
        return replace(record, start=times.parse_instant(stated))

    # --- requests ---

    def called(self, operation: str, id: str = "", *, page: int = 1) -> Exception | None:
        if database.in_atomic_block:
            self.ledger.violated("no_request_inside_a_transaction", operation)
        self.ledger.counts[f"request:{operation}"] += 1
        self.takes_time()
        self.processes.point()
        if operation in CHANGING:
            self.meanwhile(self, id)
        kind = self.faults.strike(operation)
        if kind is None:
            return None
        self.ledger.faults[kind.name] += 1
        if kind.name == "read_back_is_stale":
            self.stale_reads = 3
            return None
        if kind.error is None:
            return None
        if not kind.after_effect:
            raise kind.error()
        return kind.error()

    def add(self, draft: Draft, key: str) -> str:
        self._by = self._push()
        try:
            self._look_for_twin(draft)
            id = super().add(draft, key)
            self._wrote("create", id, None)
            return id
        finally:
            self._by = PERSON

    def write(self, expected: AppointmentRecord, mail: str | None, **changes: Any) -> None:
        before = self.records.get(expected.id)
        self._by = self._push()
        try:
            super().write(expected, mail, **changes)
            operation = "cancel" if mail == "cancel" else "update"
            self._wrote(operation, expected.id, before, frozenset(changes), expected)
        finally:
            self._by = PERSON
            self.stale_reads = 0

    def delete(self, id: str) -> None:
        before = self._held(id)
        super().delete(id)
        self._note(before, None)

    def _put(self, record: AppointmentRecord) -> None:
        before = self.records.get(record.id)
        super()._put(record)
        self._note(before, self.records[record.id])

    def _mail(self, kind: str, id: str) -> None:
        before = len(self.mails)
        super()._mail(kind, id)
        for mail in self.mails[before:]:
            by = self._by if isinstance(self._by, int) else None
            self.ledger.mailings.append(Mailing(self.now(), by, kind, id, mail.to))

    # --- observation ---

    def _push(self) -> int:
        process = self.processes.current
        return (process.push_id if process else None) or 0

    def _note(self, before: AppointmentRecord | None, after: AppointmentRecord | None) -> None:
        id = (after or before or AppointmentRecord("")).id
        changed = differing(before, after)
        if changed or before is None or after is None:
            change = Change(self.side, id, self.now(), self._by, changed, before, after)
            self.ledger.changes.append(change)
            self.changed_ids.append(id)

    def _wrote(
        self,
        operation: str,
        id: str,
        before: AppointmentRecord | None,
        written: frozenset[str] = frozenset(),
        expected: AppointmentRecord | None = None,
    ) -> None:
        unseen = differing(expected, before) & written if before and expected else frozenset()
        push_id = self._push()
        self.ledger.writes.append(Write(self.side, id, self.now(), operation, push_id, unseen))
        if unseen and self.capabilities.has_versions:
            self.ledger.violated("no_blind_write", f"{self.side} {id} wrote over {sorted(unseen)}")

    def _look_for_twin(self, draft: Draft) -> None:
        """Law 4: a live visit that we made for the same reference is there already."""
        for write in self.ledger.writes:
            held = self.records.get(write.id)
            if (
                write.operation == "create"
                and write.side is self.side
                and held is not None
                and str(held.state) == "booked"
                and held.reference == draft.reference
                and same_people(held.people, draft.people)
                and not self._told_apart(held)
            ):
                self.ledger.violated("nothing_is_created_twice", f"{self.side}: {held.id} twice")
        for held in self.records.values():
            names_it = held.reference == draft.reference and str(held.state) == "booked"
            if names_it and self._known_for_some_time(held) and not self._told_apart(held):
                what = f"{self.side}: {held.id} names {held.reference} already"
                self.ledger.violated("nothing_is_created_twice", what)

    def _known_for_some_time(self, held: AppointmentRecord) -> bool:
        """The product has read it as it is, before it decided what it writes now."""
        lately = self.now() - KNOWN_AFTER
        if any(c.id == held.id and c.at > lately for c in reversed(self.ledger.changes[-200:])):
            return False
        with self.processes.aside():
            return Appointment.objects.filter(
                side=self.side,
                remote_id=held.id,
                reference=held.reference,
                live=True,
                first_seen_at__lt=lately,
            ).exists()

    def _told_apart(self, held: AppointmentRecord) -> bool:
        """A person said that the two are different visits, though one still names the other; or took that
        back too late for the write that is under way."""
        rows = {
            f"{self.side}__remote_id": held.id,
            f"{self.side.other}__remote_id": held.reference,
        }
        with self.processes.aside():
            said = Decision.objects.filter(action="not_a_match", **rows)
            in_force = Q(ended_at=None) | Q(ended_at__gt=self.now() - KNOWN_AFTER)
            return said.filter(in_force).exists()


class SimulatedAdapter(MemoryAdapter):
    """The adapter of the simulated systems; the seam is ``remotes.adapter_class``."""

    kind: ClassVar[str] = "simulated"
    remote: SimulatedRemote

    def list_appointments(self, window: Window | None = None, cursor: str | None = None) -> Page:
        page = super().list_appointments(window, cursor)
        return self._on_its_way("list", page, cursor)

    def list_changes(self, since: datetime, cursor: str | None = None) -> Page:
        return self._on_its_way("changes", super().list_changes(since, cursor), cursor)

    def read(self, id: str) -> Reading:
        asked_at = self.remote.now()
        process = self.remote.processes.current
        answers = self.remote.ledger.answers[self.remote.side, id]
        try:
            reading = super().read(id)
        except NotFound:
            answers.append(Answer(asked_at, found=False))
            raise
        answers.append(Answer(asked_at, found=True))
        if id in self.remote.unreadable:
            raise BadResponse("It is not in a form that is known.")
        if process is not None:
            process.read.add((str(self.remote.side), id))
        self.remote.processes.wait()
        return reading

    def find_by_reference(self, reference: str) -> tuple[Reading, ...]:
        readings = super().find_by_reference(reference)
        process = self.remote.processes.current
        if process is not None:
            process.read.add((str(self.remote.side), f"reference {reference}"))
        self.remote.processes.point()
        return readings

    def create(self, draft: Draft, *, idempotency_key: str) -> str:
        id = super().create(draft, idempotency_key=idempotency_key)
        self.remote.processes.point()
        return id

    def update(self, current: AppointmentRecord, changes: Changes) -> None:
        self._check_smallest(current, changes)
        super().update(current, changes)
        self.remote.processes.point()

    def cancel(self, current: AppointmentRecord) -> None:
        super().cancel(current)
        self.remote.processes.point()

    # --- faults of pages ---

    def _on_its_way(self, operation: str, page: Page, cursor: str | None) -> Page:
        """What was read is old by the time it arrives: others act in between (law 7)."""
        kind = self.remote.faults.strike(operation, pages=True)
        self.remote.processes.wait()
        arrived = page if kind is None else falsified(page, kind, cursor, self.remote.page_size)
        if arrived.total == 0 and page.total and not self._is_suddenly_empty():
            arrived = page
        if operation == "list":
            self._note_list(cursor, broken=_proves_less(arrived, page))
        if kind is not None and arrived != page:
            self.remote.ledger.faults[kind.name] += 1
        return arrived

    def _is_suddenly_empty(self) -> bool:
        """A side that never held anything may be empty: nobody could tell that it is not (law 2)."""
        ids = Appointment.objects.filter(side=self.remote.side, live=True)
        return ids.filter(start__gt=self.remote.now()).exists()

    def _note_list(self, cursor: str | None, *, broken: bool) -> None:
        """A page that is read again whole takes the place of the broken one that a worker died with."""
        running = Run.objects.filter(
            connection__side=self.remote.side, kind="sweep", status="running"
        )
        pages = {(began_at, cursor) for began_at in running.values_list("began_at", flat=True)}
        known = self.remote.ledger.broken_pages[self.remote.side]
        if broken:
            known |= pages
        else:
            known -= pages

    def _check_smallest(self, current: AppointmentRecord, changes: Changes) -> None:
        """Law 6: a group is stated only if something in it differs from what was just read."""
        stated = changes.stated()
        named = {"type": "types", "practitioner": "practitioners"}
        for group in _GROUPED:
            asked = {name: stated[name] for name in group if name in stated}
            held = {name: getattr(current, named.get(name, name)) for name in asked}
            same = {
                name: _first_id(held[name]) == _first_id(value) for name, value in asked.items()
            }
            if asked and all(same.values()):
                self.remote.ledger.violated(
                    "smallest_write", f"{self.remote.side}: {sorted(asked)}"
                )


def _proves_less(arrived: Page, page: Page) -> bool:
    """Other visits, another end or another count; fields that are left out prove as much."""
    ids = [[record.id for record in one.records] for one in (arrived, page)]
    return ids[0] != ids[1] or (arrived.next_cursor, arrived.total) != (
        page.next_cursor,
        page.total,
    )


def _first_id(value: Any) -> Any:
    """A type or practitioner by what identifies it, whether it stands in a list or alone."""
    if isinstance(value, tuple):
        return _first_id(value[0]) if value else None
    return getattr(value, "id", value)


def falsified(page: Page, kind: Kind, cursor: str | None, size: int) -> Page:
    match kind.name:
        case "page_short":
            return replace(page, records=page.records[:-1])
        case "page_last_too_soon":
            return replace(page, next_cursor=None)
        case "page_empty":
            return replace(page, records=(), unreadable=(), next_cursor=None, total=0)
        case "page_repeats":
            return replace(page, next_cursor=cursor) if cursor else page
        case "page_loops":
            return replace(page, next_cursor=str(size)) if cursor else page
        case _:
            return replace(page, records=tuple(left_out(page.records)))


def left_out(records: Iterable[AppointmentRecord]) -> Iterable[AppointmentRecord]:
    """Short shapes: fields that the answer does not state (law 3)."""
    for record in records:
        unstated: dict[str, Any] = dict.fromkeys(LEFT_OUT, ABSENT)
        short = replace(record, **unstated)
        yield replace(short, raw=record_to_json(short))


def same_people(one: Any, two: Any) -> bool:
    """Somebody is on both; a slot that reception gave to another patient is another visit."""
    return bool({cast.who(p) for p in one or ()} & {cast.who(p) for p in two or ()})


def differing(before: AppointmentRecord | None, after: AppointmentRecord | None) -> frozenset[str]:
    """Names of the fields in which the two state different things; what one leaves out is no difference."""
    if before is None or after is None:
        return frozenset()
    return frozenset(
        f.name
        for f in fields(AppointmentRecord)
        if f.name not in BOOKKEEPING
        and ABSENT not in (getattr(before, f.name), getattr(after, f.name))
        and getattr(before, f.name) != getattr(after, f.name)
    )
