"""The contract that OnCall's client and every EMR adapter fulfil.

Words used here
    side            OnCall or the EMR; both are the same kind of thing to the rest of the product
    listing         the pages of one query, from the first to the one without ``next_cursor``
    reading         one answer of the remote, with the time its request began (law 7)
    reference       the other side's id, stored on the record
    version         opaque token of a record's revision; equality only

An adapter is plain Python: no Django, no database, no clock of its own but the one in its ``Http``.
It raises only ``emr_adapters.errors``; one unreadable record never fails a page (law 11).
``tests/adapters/contract.py`` is this text as tests.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final

from emr_adapters.records import (
    AppointmentRecord,
    Changes,
    Draft,
    Group,
    Person,
    Practitioner,
    Unreadable,
)
from emr_adapters.times import utc_now


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a system can do. A choice is offered to staff only where the capability is there."""

    list_window: bool = False  # lists by date; else a listing holds everything the key may see
    list_changes: bool = False  # lists by change time
    find_by_reference: bool = False  # searches by our reference; else a full listing is the search
    holds_reference: bool = False
    has_versions: bool = False  # a write names the version it expects, and fails if it moved
    can_create: bool = False
    can_cancel: bool = False
    can_uncancel: bool = False  # there, by a person: no method; without it a cancel is final
    accepts: frozenset[Group] = frozenset()  # groups an update may change
    accepts_on_create: frozenset[Group] = frozenset()
    states: frozenset[Group] = frozenset()  # groups that a complete answer states
    mails_people: bool = False  # create, reschedule and cancel send mail (law 9)


@dataclass(frozen=True, slots=True)
class Window:
    """Visits that start in ``[start, end)``, aware UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing.

    ``began_at`` is when the request was sent. ``next_cursor`` is opaque, None on the last page.
    ``total`` is the remote's own count of the whole listing, unreadable items included, None when it
    gives none; a listing whose distinct ids do not reach it is not complete (law 2).
    """

    records: tuple[AppointmentRecord, ...]
    began_at: datetime
    next_cursor: str | None = None
    unreadable: tuple[Unreadable, ...] = ()
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A location or division that visits are held at; ``id`` as in ``AppointmentRecord.places``."""

    id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    record: AppointmentRecord
    began_at: datetime


@dataclass(frozen=True, slots=True)
class Check:
    """One finding of ``Adapter.check``: ``ok`` and a sentence for an administrator."""

    ok: bool
    message: str


READ_RETRIES: Final = 2


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """What a configured connection hands to its adapter.

    ``settings`` are plain values from the configuration file, ``secrets`` are resolved credentials
    (never logged). ``oncall_region`` ("ca" or "us") names the host inside OnCall's resource urls.
    ``read_retries``: how often a read that failed may be tried again at once; 0 for a system that has
    been failing, where the caller waits instead.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    oncall_region: str = "ca"
    read_retries: int = READ_RETRIES


class Adapter(ABC):
    """One remote system. Instances are cheap, short-lived and used by one thread."""

    kind: ClassVar[str]
    reading_version: ClassVar[str] = "1"  # raise it when ``parse`` reads the same raw differently
    # The secrets it can use: what a form asks for. Empty: not said, so it asks for all there are.
    uses_secrets: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        config: AdapterConfig,
        *,
        before_request: Callable[[], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Makes no request. Raises NotConfigured when a setting is missing or cannot be one.

        ``before_request`` is called before every request, retries included: the caller's rate budget.
        ``sleep`` and ``now`` are given by tests.
        """
        self.config = config
        self.before_request = before_request
        self.sleep = sleep
        self.now = now

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """May ask the remote once (a CapabilityStatement) and remember the answer."""

    # --- reading ---

    @abstractmethod
    def list_appointments(self, window: Window | None = None, cursor: str | None = None) -> Page:
        """One page of the visits in ``window`` (all, where ``list_window`` is False), cancelled included.

        The first page has no cursor; each page names the next. Raises on any page that cannot be
        trusted (an error, HTML, a loop, a foreign ``next``): a listing never ends early in silence.
        """

    def list_changes(self, since: datetime, cursor: str | None = None) -> Page:
        """One page of what changed at or after ``since``, filtered by change time only."""
        raise NotImplementedError  # only called where ``capabilities.list_changes``

    @abstractmethod
    def read(self, id: str) -> Reading:
        """The record, complete. Raises NotFound only if the remote says that it does not exist."""

    def find_by_reference(self, reference: str) -> tuple[Reading, ...]:
        """All records that carry this reference. Only where ``capabilities.find_by_reference``."""
        raise NotImplementedError

    @abstractmethod
    def parse(self, raw: Mapping[str, Any]) -> AppointmentRecord:
        """Read a kept ``record.raw`` again, without any request (law 15)."""

    def find_people(self, *, email: str, name: str) -> tuple[Person, ...]:
        """Patients known to the system who have this e-mail or name, for a create. Default: none."""
        return ()

    def list_practitioners(self) -> tuple[Practitioner, ...]:
        """Who can be mapped to a provider. Default: not known."""
        return ()

    def list_places(self) -> tuple[Place, ...]:
        """Where visits can be held, for whoever sets up a division. Default: not known."""
        return ()

    # --- writing: each raises OutcomeUnknown when it may have happened, ChangedRemotely when the
    # --- version moved, Rejected/Unsupported when it will never happen

    @abstractmethod
    def create(self, draft: Draft, *, idempotency_key: str) -> str:
        """Create the visit and return its id. The caller has looked for ``draft.reference`` before."""

    @abstractmethod
    def update(self, current: AppointmentRecord, changes: Changes) -> None:
        """Write only ``changes`` over the record just read."""

    @abstractmethod
    def cancel(self, current: AppointmentRecord) -> None:
        """Cancel the record just read; a no-op if it is cancelled already."""

    # --- administration ---

    @abstractmethod
    def check(self) -> Iterable[Check]:
        """Test address, credentials and rights, and explain in words."""
