"""When a system needs rest: what one worker learns about a connection holds for all, on every host.

Two columns of the connection say how it is doing: ``failures`` in a row, and ``rests_until``.

    awake       no ``rests_until``: everybody may ask
    resting     it lies ahead: no request is made, by nobody
    try it out  it has passed: the one worker who moves it ahead (conditional UPDATE) asks first;
                an answer ends the rest for all, another failure makes it longer

The hosts' clocks decide only when a rest ends; two that differ by a minute end it a minute apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from django.db.models import F, Q
from django.utils import timezone

from appointments import backoff
from appointments.models import Connection
from emr_adapters.base import Adapter, Capabilities, Check, Page, Place, Reading, Window
from emr_adapters.errors import (
    AdapterError,
    BadResponse,
    OutcomeUnknown,
    RateLimited,
    TemporaryError,
)
from emr_adapters.records import AppointmentRecord, Changes, Draft, Person, Practitioner

OPENS_AFTER: Final = 3  # failures in a row
RESTS: Final = (30.0, 60.0, 120.0, 240.0, 480.0, 600.0)  # seconds, from the failure that opens it
LONGEST_ASKED: Final = 3600.0  # of a Retry-After; then one request finds out whether it was meant
SLOWER: Final = 30.0  # asked to slow down, without a word for how long
TRYING_OUT: Final = timedelta(
    seconds=60
)  # longer than a request may take; a dead worker's try lapses

AWAKE: Final[Mapping[str, Any]] = {"failures": 0, "rests_until": None, "rests_because": ""}

T = TypeVar("T")


class Resting(TemporaryError):
    """No request was made: the connection rests until ``until``."""

    code = "resting"

    def __init__(self, connection: Connection, until: datetime) -> None:
        super().__init__(f"{connection} is resting; no request is made for now.")
        self.until = until


def awake(now: datetime, prefix: str = "") -> Q:
    """Connections that may be asked, for a filter; ``prefix`` as in "division__oncall__"."""
    return Q(**{f"{prefix}rests_until": None}) | Q(**{f"{prefix}rests_until__lte": now})


def rest_of(connection: Connection, now: datetime) -> datetime | None:
    """Until when it rests, as the row says it now; None if it may be asked."""
    until: datetime | None = (
        Connection.objects.filter(pk=connection.pk).values_list("rests_until", flat=True).first()
    )
    return until if until is not None and until > now else None


def refuse_while_resting(connection: Connection) -> None:
    """Raises Resting. Tries nothing out."""
    until = rest_of(connection, timezone.now())
    if until is not None:
        raise Resting(connection, until)


def is_failing(connection: Connection) -> bool:
    """Has its last answer been a failure?"""
    return Connection.objects.filter(pk=connection.pk, failures__gt=0).exists()


def wake(connection: Connection) -> None:
    """A person changed or resumed it: what was learnt before holds no longer."""
    Connection.objects.filter(pk=connection.pk).update(**AWAKE)


class Door:
    """What one adapter has to pass before each request, and where it tells how that went."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._known: tuple[int, datetime | None] = (0, None)
        self._trying = False
        self._asked = False

    @property
    def _row(self) -> Any:
        return Connection.objects.filter(pk=self.connection.pk)

    def knock(self) -> None:
        """Before waiting for the budget. Raises Resting; tries nothing out."""
        if not self._trying:
            refuse_while_resting(self.connection)

    def enter(self) -> None:
        """Just before a request. Raises Resting, also for all but the one who tries it out."""
        failures, until = self._row.values_list("failures", "rests_until").first() or (0, None)
        now = timezone.now()
        if until is not None and not (self._trying and until == self._known[1]):
            if until > now:
                raise Resting(self.connection, until)
            mine = now + TRYING_OUT
            if not self._row.filter(rests_until=until).update(rests_until=mine):
                raise Resting(self.connection, mine)
            self._trying, until = True, mine
        self._known = (failures, until)
        self._asked = True

    def answered(self) -> None:
        """Ends the rest, unless another worker has learnt something else since we asked."""
        failures, until = self._known
        if self._asked and (failures or until is not None):
            self._row.filter(failures=failures, rests_until=until).update(**AWAKE)
        self._done()

    def failed(self, error: AdapterError) -> None:
        if not self._asked:
            return
        now = timezone.now()
        was_awake = Q(rests_until=None) | Q(rests_until__lte=now)
        ours = was_awake | Q(rests_until=self._known[1]) if self._trying else was_awake
        # Others that asked before the rest began and fail now bring no news.
        counted = self._row.filter(ours).update(failures=F("failures") + 1)
        failures = self._row.values_list("failures", flat=True).first() or 0
        rest = _rest_after(failures if counted else 0, error)
        if rest is not None:
            self._row.filter(ours | Q(rests_until__lt=now + rest)).update(
                rests_until=now + rest, rests_because=error.code
            )
        self._done()

    def _done(self) -> None:
        self._trying = self._asked = False
        self._known = (0, None)

    def call(self, ask: Callable[[], T], *, writes: bool = False) -> T:
        """One operation of the adapter; what came of it is told to all.

        A write that meets a rest after its first request may have happened: raises OutcomeUnknown.
        """
        self._asked = False
        try:
            result = ask()
        except Resting:
            if writes and self._asked:
                text = f"{self.connection} was given a rest while a write was under way."
                raise OutcomeUnknown(text) from None
            raise
        except (TemporaryError, OutcomeUnknown) as error:
            self.failed(error)
            raise
        except BadResponse:
            raise  # says nothing: a proxy's page, or a bug over there
        except AdapterError:
            self.answered()  # a refusal is an answer
            raise
        self.answered()
        return result


def _rest_after(failures: int, error: AdapterError) -> timedelta | None:
    """None: it is asked on as before."""
    asked = error.retry_after
    if asked is None and isinstance(error, RateLimited):
        asked = SLOWER
    rest = backoff.at_least(min(asked, LONGEST_ASKED)) if asked is not None else None
    if failures >= OPENS_AFTER:
        grown = backoff.step(RESTS, failures - OPENS_AFTER + 1)
        rest = max(rest, grown) if rest is not None else grown
    return rest


class Considerate(Adapter):
    """An adapter whose every answer or failure is told to all who use the connection."""

    def __init__(self, inner: Adapter, door: Door) -> None:
        self.inner = inner
        self.door = door
        self.kind = inner.kind  # type: ignore[misc]  # of the adapter, not of this class
        self.reading_version = inner.reading_version  # type: ignore[misc]
        self.config = inner.config
        self.before_request = inner.before_request
        self.sleep = inner.sleep
        self.now = inner.now

    @property
    def capabilities(self) -> Capabilities:
        return self.door.call(lambda: self.inner.capabilities)

    def list_appointments(self, window: Window | None = None, cursor: str | None = None) -> Page:
        return self.door.call(lambda: self.inner.list_appointments(window, cursor))

    def list_changes(self, since: datetime, cursor: str | None = None) -> Page:
        return self.door.call(lambda: self.inner.list_changes(since, cursor))

    def read(self, id: str) -> Reading:
        return self.door.call(lambda: self.inner.read(id))

    def find_by_reference(self, reference: str) -> tuple[Reading, ...]:
        return self.door.call(lambda: self.inner.find_by_reference(reference))

    def parse(self, raw: Mapping[str, Any]) -> AppointmentRecord:
        return self.inner.parse(raw)

    def find_people(self, *, email: str, name: str) -> tuple[Person, ...]:
        return self.door.call(lambda: self.inner.find_people(email=email, name=name))

    def list_practitioners(self) -> tuple[Practitioner, ...]:
        return self.door.call(self.inner.list_practitioners)

    def list_places(self) -> tuple[Place, ...]:
        return self.door.call(self.inner.list_places)

    def create(self, draft: Draft, *, idempotency_key: str) -> str:
        return self.door.call(
            lambda: self.inner.create(draft, idempotency_key=idempotency_key), writes=True
        )

    def update(self, current: AppointmentRecord, changes: Changes) -> None:
        self.door.call(lambda: self.inner.update(current, changes), writes=True)

    def cancel(self, current: AppointmentRecord) -> None:
        self.door.call(lambda: self.inner.cancel(current), writes=True)

    def check(self) -> Iterable[Check]:
        """Tells nobody: a test says in words what it found, and may not end a rest by that."""
        return self.inner.check()
