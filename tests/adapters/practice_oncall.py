"""The practice OnCall, arranged for the adapter tests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from appointments.oncall.client import OnCallAdapter
from emr_adapters.base import Adapter, AdapterConfig
from emr_adapters.records import Person, Practitioner
from emr_adapters.times import format_instant
from sandbox.client import COORDINATOR_KEY
from sandbox.running import Sandbox
from tests.adapters.practice import ADA, ANN, NOON, SandboxPractice


class OnCallPractice(SandboxPractice):
    system = "oncall"
    first_type = "online"
    second_type = "phone"
    creates_once = False

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        ivo = {
            "id": 10,
            "full_name": "Dr. Ivo Lund",
            "email": "ivo@example.org",
            "divisions": [123],
        }
        ada = {"id": 9, "full_name": ADA, "email": "ada@example.org", "divisions": [123]}
        division = {"id": 123, "name": "Downtown", "time_zone": "America/Toronto"}
        self.client.seed(oncall={"divisions": [division], "providers": [ada, ivo]})

    def adapter(self, **changes: Any) -> Adapter:
        return OnCallAdapter(
            AdapterConfig(
                settings={"base_url": self.sandbox.oncall_url, "region": "ca"},
                secrets={"api_key": changes.get("key", COORDINATOR_KEY)},
            ),
            **self.options(),
        )

    def book(
        self,
        start: datetime | None = NOON,
        minutes: int = 30,
        *,
        type: str | None = None,
        title: str = "Visit",
        person: Person = ANN,
        reference: str | None = None,
        cancelled: bool = False,
        **more: Any,
    ) -> str:
        one = {"name": person.name, "first_name": person.first_name, "last_name": person.last_name}
        row = {
            "datetime": None if start is None else format_instant(start),
            "duration": minutes,
            "type": type or self.first_type,
            "title": title,
            "division": 123,
            "provider": 9,
            "cancelled": cancelled,
            "participants": [{**one, "email": person.email}],
            "metadata": {} if reference is None else {"emr_id": reference},
        }
        made = self.client.seed(oncall={"appointments": [{**row, **more}]})
        return str(made["oncall"]["appointments"][0])

    def edit(self, id: str, start: datetime) -> None:
        self.client.oncall_change(int(id), datetime=format_instant(start))

    def remove(self, id: str) -> None:
        self.client.oncall_vanish(int(id))

    def page_size(self, rows: int) -> None:
        self.client.switch({"oncall.page_size": rows})

    def spoil(self, id: str) -> None:
        self.client.fault("oncall", "malformed_record", id=id, form="no_id", times=None)

    def stored(self) -> list[str]:
        return [str(row["id"]) for row in self.client.state()["oncall"]["appointments"]]

    def people(self) -> tuple[Person, ...]:
        return (ANN,)

    def practitioners(self) -> tuple[Practitioner, Practitioner]:
        return (
            Practitioner("9", ADA, "ada@example.org"),
            Practitioner("10", "Dr. Ivo Lund", "ivo@example.org"),
        )

    def place(self) -> str:
        return "123"
