"""The adapter over a system in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from emr_adapters.base import Adapter, AdapterConfig, Capabilities, Check, Page, Reading, Window
from emr_adapters.errors import (
    AdapterError,
    BadResponse,
    Rejected,
    Unsupported,
)
from emr_adapters.memory.remote import registered
from emr_adapters.records import (
    AppointmentRecord,
    Changes,
    Draft,
    Group,
    Person,
    Practitioner,
    State,
    Unreadable,
    record_from_json,
)


class MemoryAdapter(Adapter):
    """Settings: ``remote``, the name of a registered ``MemoryRemote``. ``capabilities`` given here
    narrow what this adapter admits to; the remote keeps its own."""

    kind: ClassVar[str] = "memory"

    def __init__(
        self,
        config: AdapterConfig,
        *,
        before_request: Callable[[], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] | None = None,
        capabilities: Capabilities | None = None,
    ) -> None:
        self.remote = registered(str(config.settings.get("remote", "")))
        super().__init__(
            config, before_request=before_request, sleep=sleep, now=now or self.remote.now
        )
        self._capabilities = capabilities

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities or self.remote.capabilities

    # --- reading ---

    def list_appointments(self, window: Window | None = None, cursor: str | None = None) -> Page:
        if not self.capabilities.list_window:
            window = None
        return self._page("list", cursor, lambda one: window is None or _inside(one, window))

    def list_changes(self, since: datetime, cursor: str | None = None) -> Page:
        if not self.capabilities.list_changes:
            raise Unsupported("This system does not list changes.")
        return self._page("changes", cursor, lambda one: (one.modified_at or since) >= since)

    def _page(
        self, operation: str, cursor: str | None, keep: Callable[[AppointmentRecord], bool]
    ) -> Page:
        began_at = self._begin()
        with self.remote.lock:
            if cursor is not None and not (cursor.isascii() and cursor.isdigit()):
                raise BadResponse("The listing cannot be continued from here.")
            first = int(cursor or 0)
            page = first // self.remote.page_size + 1
            self._finish(self.remote.called(operation, page=page))
            ids = self.remote.listed(keep)
            last = first + self.remote.page_size
            shown = ids[first:last]
            bad = [id for id in shown if id in self.remote.unreadable]
            return Page(
                records=tuple(self.remote.answer(id) for id in shown if id not in bad),
                began_at=began_at,
                next_cursor=str(last) if last < len(ids) else None,
                unreadable=tuple(
                    Unreadable(id, "It is not in a form that is known.") for id in bad
                ),
                total=len(ids) + self.remote.total_offset,
            )

    def read(self, id: str) -> Reading:
        began_at = self._begin()
        with self.remote.lock:
            self._finish(self.remote.called("read", id))
            return Reading(self.remote.answer(id), began_at)

    def find_by_reference(self, reference: str) -> tuple[Reading, ...]:
        if not self.capabilities.find_by_reference:
            raise Unsupported("This system does not search by reference.")
        began_at = self._begin()
        with self.remote.lock:
            self._finish(self.remote.called("find"))
            ids = self.remote.listed(lambda one: one.reference == reference)
            return tuple(Reading(self.remote.answer(id), began_at) for id in ids)

    def parse(self, raw: Mapping[str, Any]) -> AppointmentRecord:
        return record_from_json(raw, raw)

    def find_people(self, *, email: str, name: str) -> tuple[Person, ...]:
        self._begin()
        with self.remote.lock:
            self._finish(self.remote.called("people"))
            wanted = (email.strip().casefold(), name.strip().casefold())
            return tuple(
                one
                for one in self.remote.patients
                if (wanted[0] and one.email.casefold() == wanted[0])
                or (wanted[1] and one.name.casefold() == wanted[1])
            )

    def list_practitioners(self) -> tuple[Practitioner, ...]:
        self._begin()
        with self.remote.lock:
            self._finish(self.remote.called("practitioners"))
            return tuple(self.remote.practitioners)

    # --- writing ---

    def create(self, draft: Draft, *, idempotency_key: str) -> str:
        if not self.capabilities.can_create:
            raise Unsupported("This system does not create visits.")
        if not draft.minutes > 0:
            raise Rejected("A visit needs a length.")
        self._begin()
        with self.remote.lock:
            failure = self.remote.called("create")
            id = self.remote.add(draft, idempotency_key)
            self._finish(failure)
            return id

    def update(self, current: AppointmentRecord, changes: Changes) -> None:
        stated = changes.stated()
        self._refuse_unsupported(stated)
        fields = {
            name: value
            for name, value in _as_fields(stated).items()
            if value != getattr(current, name)
        }
        if not fields:
            return
        self._begin()
        with self.remote.lock:
            failure = self.remote.called("update", current.id)
            moved = {"start", "minutes"} & fields.keys()
            self.remote.write(current, "reschedule" if moved else None, **fields)
            self._finish(failure)

    def cancel(self, current: AppointmentRecord) -> None:
        if not self.capabilities.can_cancel:
            raise Unsupported("This system does not cancel visits.")
        if current.state is State.CANCELLED:
            return
        self._begin()
        with self.remote.lock:
            failure = self.remote.called("cancel", current.id)
            self.remote.write(current, "cancel", state=State.CANCELLED)
            self._finish(failure)

    def check(self) -> Iterable[Check]:
        try:
            self.list_appointments()
        except AdapterError as error:
            return [Check(False, str(error))]
        return [Check(True, f'The system in memory "{self.remote.name}" answers.')]

    def _refuse_unsupported(self, stated: Mapping[str, Any]) -> None:
        needed = {
            "start": Group.WHEN,
            "minutes": Group.WHEN,
            "type": Group.TYPE,
            "title": Group.LABEL,
            "practitioner": Group.PROVIDER,
        }
        for name in stated:
            if name == "reference":
                allowed = self.capabilities.holds_reference
            else:
                allowed = needed[name] in self.capabilities.accepts
            if not allowed:
                raise Unsupported(f"This system does not take a change of the {name}.")

    def _begin(self) -> datetime:
        """Just before a request: the caller's budget, then the clock."""
        if self.before_request is not None:
            self.before_request()
        return self.now()

    @staticmethod
    def _finish(failure: Exception | None) -> None:
        if failure is not None:
            raise failure


def _as_fields(stated: Mapping[str, Any]) -> dict[str, Any]:
    fields = dict(stated)
    if "type" in fields:
        fields["types"] = (fields.pop("type"),)
    if "practitioner" in fields:
        fields["practitioners"] = (fields.pop("practitioner"),)
    return fields


def _inside(record: AppointmentRecord, window: Window) -> bool:
    return isinstance(record.start, datetime) and window.start <= record.start < window.end
