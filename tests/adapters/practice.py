"""A system as the contract's tests see it: arranged and inspected past the adapter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from emr_adapters.base import Adapter
from emr_adapters.records import Draft, Person, Practitioner
from sandbox.running import Sandbox

NOON = datetime(2026, 12, 1, 17, 0, tzinfo=UTC)
ANN = Person(name="Ann Bee", email="ann@example.org", first_name="Ann", last_name="Bee")
ADA = "Dr. Ada Osei"
REFERENCE = "7001"


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


class Clock:
    """Each look is one second later, so that before and after can be told apart."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


class Practice(ABC):
    """One empty system with the practitioner Ada, a second one, a place, and the patient Ann."""

    first_type: ClassVar[str]
    second_type: ClassVar[str]
    missing_id: ClassVar[str] = "999999"
    creates_once: ClassVar[bool]  # two creates with one key and reference make one visit

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.clock = Clock()
        self.asked = 0

    def options(self) -> dict[str, Any]:
        return {"sleep": self.slept.append, "now": self.clock, "before_request": self._count}

    def _count(self) -> None:
        self.asked += 1

    @abstractmethod
    def adapter(self, **changes: Any) -> Adapter:
        """``changes``: page_size, or credentials that are wrong (``key``)."""

    @abstractmethod
    def book(
        self,
        start: datetime = NOON,
        minutes: int = 30,
        *,
        type: str | None = None,
        title: str = "Visit",
        person: Person = ANN,
        reference: str | None = None,
        cancelled: bool = False,
    ) -> str:
        """A visit made by staff. Returns its id."""

    @abstractmethod
    def edit(self, id: str, start: datetime) -> None:
        """Staff move a visit."""

    @abstractmethod
    def remove(self, id: str) -> None:
        """Staff delete a visit without a trace."""

    @abstractmethod
    def page_size(self, rows: int) -> None: ...

    @abstractmethod
    def fail(self, kind: str, *, times: int | None = 1) -> None:
        """401, 429, 500, page_2, timeout_after_write, drop_after_write or 500_after_write."""

    @abstractmethod
    def spoil(self, id: str) -> None:
        """List this record in a form that cannot be filed."""

    @abstractmethod
    def writes(self) -> list[Any]:
        """The writes that reached the system."""

    @abstractmethod
    def stored(self) -> list[str]:
        """The ids of all visits that the system holds."""

    @abstractmethod
    def people(self) -> tuple[Person, ...]:
        """Ann, as a draft for this system names her."""

    @abstractmethod
    def practitioners(self) -> tuple[Practitioner, Practitioner]: ...

    @abstractmethod
    def place(self) -> str: ...

    def draft(self, **changes: Any) -> Draft:
        plain: dict[str, Any] = {
            "start": NOON,
            "minutes": 45,
            "title": f"Visit with {ADA}",
            "people": self.people(),
            "type": self.first_type,
            "practitioner": self.practitioners()[0],
            "place": self.place(),
            "reference": REFERENCE,
        }
        return Draft(**(plain | changes))


class SandboxPractice(Practice):
    """One of the two practice systems, over a real socket."""

    system: ClassVar[str]
    creates: ClassVar[str]  # the path of a create, for the faults that strike after one

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self.sandbox = sandbox
        self.client = sandbox.client
        self.client.reset()

    def fail(self, kind: str, *, times: int | None = 1) -> None:
        plain = FAULTS.get(kind, {"kind": kind})
        self.client.fault(self.system, times=times, **plain)

    def writes(self) -> list[Any]:
        return self.client.writes(system=self.system)


FAULTS: dict[str, dict[str, Any]] = {
    "429": {"kind": "429", "retry_after": 60},
    "429_soon": {"kind": "429", "retry_after": 2},
    "page_2": {"kind": "page_fails"},
    "timeout_after_write": {"kind": "timeout_after_write", "seconds": 0.01},
    "redirect": {
        "kind": "status",
        "status": 307,
        "headers": {"Location": "http://elsewhere.example.org/appointments/"},
    },
    **{
        code: {"kind": "status", "status": int(code), "body": {}}
        for code in ("405", "409", "422", "423", "428")
    },
}
