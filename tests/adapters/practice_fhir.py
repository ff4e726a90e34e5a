"""The practice EMR, arranged for the adapter tests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from emr_adapters.base import Adapter, AdapterConfig
from emr_adapters.records import Person, Practitioner
from emr_adapters.registry import adapter_class
from emr_adapters.times import format_instant
from sandbox.running import Sandbox
from tests.adapters.practice import ANN, NOON, SandboxPractice

SYSTEM = "https://api.oncallhealth.ca/appointments/"


class FhirPractice(SandboxPractice):
    system = "emr"
    first_type = "Video visit"
    second_type = "Phone call"
    creates_once = True

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self.client.seed(
            emr={
                "locations": [{"id": "1", "name": "Downtown"}],
                "practitioners": [
                    {"id": "9", "given": "Ada", "family": "Osei", "prefix": "Dr."},
                    {"id": "10", "given": "Ivo", "family": "Lund", "email": "ivo@example.org"},
                ],
                "patients": [
                    {
                        "id": "501",
                        "given": "Ann",
                        "family": "Bee",
                        "email": ANN.email,
                        "phone": "+1 555 0100",
                    }
                ],
            }
        )
        self.next_patient = 600

    def adapter(self, **changes: Any) -> Adapter:
        if "key" in changes:
            self.client.switch({"emr.auth": "bearer"})
        settings = {
            "base_url": self.sandbox.emr_url,
            **{k: v for k, v in changes.items() if k != "key"},
        }
        secrets = {"token": changes["key"]} if "key" in changes else {}
        return adapter_class("fhir_r4")(AdapterConfig(settings, secrets), **self.options())

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
        **more: Any,
    ) -> str:
        words = {
            "start": format_instant(start),
            "minutes": minutes,
            "type": type or self.first_type,
            "description": title,
            "patient": "501" if person == ANN else self._patient(person),
            "practitioner": "9",
            "location": "1",
            "status": "cancelled" if cancelled else "booked",
            "identifiers": [] if reference is None else [[SYSTEM, f"{SYSTEM}{reference}/"]],
        }
        made = self.client.seed(emr={"appointments": [{**words, **more}]})
        return str(made["emr"]["appointments"][0])

    def raw(self, **resource: Any) -> str:
        """A whole resource, stored as it is."""
        plain = {
            "resourceType": "Appointment",
            "status": "booked",
            "start": "2026-12-01T17:00:00Z",
            "end": "2026-12-01T17:30:00Z",
            "participant": [{"actor": {"reference": "Patient/501"}, "status": "accepted"}],
        }
        made = self.client.seed(emr={"appointments": [{**plain, **resource}]})
        return str(made["emr"]["appointments"][0])

    def _patient(self, person: Person) -> str:
        self.next_patient += 1
        words = {
            "id": str(self.next_patient),
            "given": person.first_name,
            "family": person.last_name,
            "email": person.email,
        }
        self.client.seed(emr={"patients": [words]})
        return str(self.next_patient)

    def edit(self, id: str, start: datetime) -> None:
        self.client.emr_change(id, start=format_instant(start))

    def remove(self, id: str) -> None:
        self.client.emr_vanish(id)

    def page_size(self, rows: int) -> None:
        self.client.switch({"emr.max_count": rows})

    def spoil(self, id: str) -> None:
        self.client.fault("emr", "malformed_record", id=id, form="no_id", times=None)

    def stored(self) -> list[str]:
        return [row["id"] for row in self.client.state()["emr"]["Appointment"]]

    def people(self) -> tuple[Person, ...]:
        return (Person(id="Patient/501", name=ANN.name, email=ANN.email),)

    def practitioners(self) -> tuple[Practitioner, Practitioner]:
        return (
            Practitioner("Practitioner/9", "Ada Osei"),
            Practitioner("Practitioner/10", "Ivo Lund", "ivo@example.org"),
        )

    def place(self) -> str:
        return "Location/1"
