"""The system itself: records, versions, a change log, mails, and knobs to make it behave badly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from typing import Any, Final

from emr_adapters.base import Capabilities
from emr_adapters.errors import (
    ChangedRemotely,
    NotConfigured,
    NotFound,
)
from emr_adapters.records import (
    ABSENT,
    AppointmentRecord,
    Draft,
    Group,
    Person,
    Practitioner,
    State,
    record_to_json,
)
from emr_adapters.times import utc_now

_WRITABLE: Final = frozenset({Group.WHEN, Group.TYPE, Group.PROVIDER, Group.LABEL})

ONCALL_LIKE: Final = Capabilities(
    holds_reference=True,
    can_create=True,
    can_cancel=True,
    accepts=_WRITABLE,
    accepts_on_create=frozenset(Group) - {Group.STATE},
    states=frozenset(Group) - {Group.PROVIDER},
    mails_people=True,
)
EMR_LIKE: Final = Capabilities(
    list_window=True,
    list_changes=True,
    find_by_reference=True,
    holds_reference=True,
    has_versions=True,
    can_create=True,
    can_cancel=True,
    accepts=_WRITABLE,
    accepts_on_create=frozenset(Group) - {Group.STATE},
    states=frozenset(Group),
)

_FIELDS: Final = {
    Group.WHEN: ("start", "minutes"),
    Group.STATE: ("state",),
    Group.TYPE: ("types",),
    Group.PROVIDER: ("practitioners",),
    Group.PEOPLE: ("people",),
    Group.LABEL: ("title",),
    Group.WHERE: ("places",),
}


@dataclass(frozen=True, slots=True)
class Mail:
    """One mailing: "create", "reschedule" or "cancel", to everyone on the visit."""

    kind: str
    id: str
    to: tuple[str, ...]


@dataclass(slots=True)
class _Fault:
    operation: str
    error: Exception
    after_effect: bool
    times: int
    page: int


@dataclass
class MemoryRemote:
    """One system. ``now`` stamps changes; ``page_size`` is rows a page.

    Knobs: ``hidden`` ids are missing from lists (but can be read), ``unreadable`` ids are listed as
    such, ``order`` shuffles every page anew, ``total_offset`` falsifies the count, ``stale_reads`` is
    how many answers after a write still show the state before it, ``honours_keys`` makes a create with
    a known idempotency key return the first visit.
    """

    name: str
    capabilities: Capabilities = EMR_LIKE
    now: Callable[[], datetime] = utc_now
    page_size: int = 50
    first_id: int = 1
    honours_keys: bool = False
    records: dict[str, AppointmentRecord] = field(default_factory=dict)
    patients: list[Person] = field(default_factory=list)
    practitioners: list[Practitioner] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)  # (operation, id) of every request
    hidden: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    order: Random | None = None
    total_offset: int = 0
    stale_reads: int = 0

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.revision = 0
        self._faults: list[_Fault] = []
        self._keys: dict[str, str] = {}
        self._stale: dict[str, tuple[AppointmentRecord, int]] = {}

    # --- the world outside: what clinic staff do in this system ---

    def book(self, **fields: Any) -> str:
        """Add a visit, silently; ``fields`` are those of a record. Everything unnamed is empty."""
        with self.lock:
            id = str(fields.pop("id", "")) or self._new_id()
            empty = {"title": "", "types": (), "practitioners": (), "people": (), "places": ()}
            plain = {"state": State.BOOKED, "start": None, "minutes": None, "reference": None}
            self._put(AppointmentRecord(id=id, **{**empty, **plain, **fields}))
            return id

    def edit(self, id: str, **fields: Any) -> None:
        """Change a visit, silently."""
        with self.lock:
            self._put(replace(self._held(id), **fields))

    def delete(self, id: str) -> None:
        """Without a trace: reads answer "not found"."""
        with self.lock:
            self._held(id)
            del self.records[id]

    def fail_next(
        self,
        operation: str,
        error: Exception,
        *,
        after_effect: bool = False,
        times: int = 1,
        from_page: int = 1,
    ) -> None:
        """The next ``times`` calls of ``operation`` (list, changes, read, find, people, practitioners,
        create, update, cancel, or any) raise ``error``; ``after_effect``: after having done it;
        ``from_page``: only from this page of a listing on."""
        self._faults.append(_Fault(operation, error, after_effect, times, from_page))

    def clear_faults(self) -> None:
        self._faults.clear()

    # --- the system at work ---

    def called(self, operation: str, id: str = "", *, page: int = 1) -> Exception | None:
        """Note a request. Raises a fault that strikes before; returns one that strikes after."""
        self.calls.append((operation, id))
        for fault in self._faults:
            if fault.operation in (operation, "any") and fault.times and page >= fault.page:
                fault.times -= 1
                if not fault.after_effect:
                    raise fault.error
                return fault.error
        return None

    def answer(self, id: str) -> AppointmentRecord:
        """The record as this system states it: only what its capabilities name."""
        record = self._held(id)
        held, left = self._stale.get(id, (record, 0))
        if left:
            self._stale[id] = (held, left - 1)
            record = held
        absent = {
            name: ABSENT
            for group, names in _FIELDS.items()
            if group not in self.capabilities.states
            for name in names
        }
        if not self.capabilities.holds_reference:
            absent["reference"] = ABSENT
        if not self.capabilities.has_versions:
            record = replace(record, version=None)
        if not self.capabilities.list_changes:
            record = replace(record, modified_at=None)
        record = replace(record, **absent)  # type: ignore[arg-type]
        return replace(record, raw=record_to_json(record))

    def listed(self, keep: Callable[[AppointmentRecord], bool]) -> list[str]:
        ids = [id for id, one in self.records.items() if id not in self.hidden and keep(one)]
        if self.order is not None:
            self.order.shuffle(ids)
        return ids

    def add(self, draft: Draft, key: str) -> str:
        if self.honours_keys and key in self._keys:
            return self._keys[key]
        held = (draft.practitioner,) if draft.practitioner else ()
        id = self.book(
            start=draft.start,
            minutes=draft.minutes,
            title=draft.title,
            people=draft.people,
            types=(draft.type,) if draft.type else (),
            practitioners=held,
            places=(draft.place,) if draft.place else (),
            reference=draft.reference,
        )
        self._keys[key] = id
        self._mail("create", id)
        return id

    def write(self, expected: AppointmentRecord, mail: str | None, **fields: Any) -> None:
        """Change the record if it is still at the version of ``expected``."""
        before = self._held(expected.id)
        if self.capabilities.has_versions and expected.version != before.version:
            raise ChangedRemotely("The record was changed in the meantime.")
        self._put(replace(before, **fields))
        if self.stale_reads:
            self._stale[expected.id] = (before, self.stale_reads)
        if mail:
            self._mail(mail, expected.id)

    def _held(self, id: str) -> AppointmentRecord:
        try:
            return self.records[id]
        except KeyError:
            raise NotFound("There is no such record.") from None

    def _put(self, record: AppointmentRecord) -> None:
        self.revision += 1
        stamped = replace(record, version=str(self.revision), modified_at=self.now())
        self.records[record.id] = stamped
        self._stale.pop(record.id, None)

    def _new_id(self) -> str:
        while str(self.first_id) in self.records:
            self.first_id += 1
        self.first_id += 1
        return str(self.first_id - 1)

    def _mail(self, kind: str, id: str) -> None:
        people = self.records[id].people
        if self.capabilities.mails_people and people is not ABSENT:
            self.mails.append(Mail(kind, id, tuple(person.email for person in people)))


_REMOTES: dict[str, MemoryRemote] = {}


def registered(name: str) -> MemoryRemote:
    """Raises NotConfigured when there is none of this name."""
    try:
        return _REMOTES[name]
    except KeyError:
        raise NotConfigured(f'There is no system in memory called "{name}".') from None


def register(remote: MemoryRemote) -> MemoryRemote:
    """Make ``remote`` reachable by its name; a second one of the same name takes its place."""
    _REMOTES[remote.name] = remote
    return remote
