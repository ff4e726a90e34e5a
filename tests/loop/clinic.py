"""A clinic on the practice systems: what it books there, what the product makes of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

from django.core.management import call_command

from appointments import outbox
from appointments.mismatches import compare_due
from appointments.mismatches.comparing import look_again
from appointments.models import Connection, Division, Mismatch, Pair, Provider, Push
from emr_adapters.records import Side
from sandbox.running import Sandbox

ONCALL_URL = "https://api.oncallhealth.ca/appointments/{}/"
ONCALL_SYSTEM = "https://api.oncallhealth.ca/appointments/"


def at(hours: float, *, day: int = 2) -> datetime:
    """An instant some days ahead, on a full minute, UTC."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=day, hours=hours)


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Clinic:
    """One division on both practice systems; every method is what a person or a job would do."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.practice = sandbox.client
        self.practice.reset()
        self.practice.switch({"oncall.page_size": 3})
        self.practice.seed(
            oncall={
                "divisions": [{"id": 123, "name": "Downtown", "time_zone": "America/Toronto"}],
                "providers": [
                    {
                        "id": 9,
                        "full_name": "Dr. Ada Osei",
                        "email": "ada@example.org",
                        "divisions": [123],
                    },
                    {
                        "id": 10,
                        "full_name": "Dr. Luc Roy",
                        "email": "luc@example.org",
                        "divisions": [123],
                    },
                ],
            },
            emr={
                "locations": [{"id": "1", "name": "Downtown"}],
                "practitioners": [
                    {"id": "31", "given": "Ada", "family": "Osei"},
                    {"id": "32", "given": "Luc", "family": "Roy"},
                ],
                "patients": [
                    {"id": "501", "given": "Ann", "family": "Bee", "email": "ann@example.org"},
                    {"id": "502", "given": "Bob", "family": "Cole", "email": "bob@example.org"},
                    {"id": "503", "given": "Eva", "family": "Dunn"},
                ],
            },
        )
        self.oncall = Connection.objects.create(
            side="oncall",
            name="main",
            adapter="oncall",
            settings={"region": "ca", "base_url": sandbox.oncall_url},
            credentials={"api_key": "practice-coordinator-key", "webhook_token": "hook-token"},
            requests_per_second=200,
        )
        self.emr = Connection.objects.create(
            side="emr",
            name="main",
            adapter="fhir_r4",
            settings={"base_url": sandbox.emr_url},
            requests_per_second=200,
        )
        self.division = self.add_division("Downtown", 123, ["Location/1"])
        self.ada = self._provider("Dr. Ada Osei", 9, "Practitioner/31")
        self.luc = self._provider("Dr. Luc Roy", 10, "Practitioner/32")

    def add_division(self, name: str, number: int, locations: list[str], **fields: Any) -> Division:
        defaults = {
            "mode": "live",
            "default_type": "online",
            "time_zone": "America/Toronto",
            "cancel_delay_minutes": 0,
        }
        return Division.objects.create(
            name=name,
            oncall=self.oncall,
            oncall_division=number,
            emr=self.emr,
            emr_locations=locations,
            **{**defaults, **fields},
        )

    def _provider(self, name: str, number: int, practitioner: str) -> Provider:
        provider = Provider.objects.create(
            name=name, oncall=self.oncall, oncall_provider=number, emr_practitioners=[practitioner]
        )
        provider.divisions.add(self.division)
        return provider

    def set(self, **fields: Any) -> None:
        Division.objects.filter(pk=self.division.pk).update(**fields)
        self.division.refresh_from_db()

    # --- what receptionists do ---

    def book_emr(self, start: datetime, patient: str = "501", **words: Any) -> str:
        defaults = {
            "start": iso(start),
            "minutes": 30,
            "patient": patient,
            "practitioner": "31",
            "location": "1",
            "type": "Video visit",
            "status": "booked",
        }
        return str(self.practice.emr_create("appointments", **{**defaults, **words})["id"])

    def book_oncall(
        self, start: datetime, name: str = "Ann Bee", email: str = "ann@example.org", **words: Any
    ) -> str:
        defaults = {
            "datetime": iso(start),
            "duration": 30,
            "type": "online",
            "division": 123,
            "provider": 9,
            "title": "Visit",
            "participants": [{"name": name, "email": email}],
        }
        return str(self.practice.oncall_create(**{**defaults, **words})["id"])

    def linked(self, start: datetime, **words: Any) -> tuple[str, str]:
        """A visit on both sides, agreed: (OnCall's id, the EMR's id)."""
        emr_id = self.book_emr(start, **words)
        self.sync()
        (oncall_id,) = [
            str(row["id"])
            for row in self.oncall_rows()
            if (row.get("metadata") or {}).get("emr_id") == emr_id
        ]
        self.quiet()
        return oncall_id, emr_id

    def quiet(self) -> None:
        """Forget what was sent so far."""
        self.practice.clear_requests()
        self.practice.clear_mails()

    # --- what the product does ---

    def sync(self, *arguments: str, expect_complete: bool = True) -> dict[str, Any]:
        """``manage.py sync --json``: its one object."""
        out = StringIO()
        try:
            call_command("sync", "--json", *arguments, stdout=out, stderr=StringIO())
            complete = True
        except SystemExit:
            complete = False
        assert complete is expect_complete, out.getvalue()
        result: dict[str, Any] = json.loads(out.getvalue())
        return result

    def settle(self) -> None:
        """Compare and push until quiet, without reading lists."""
        look_again([self.division])
        while compare_due() or outbox.work_one(clicks_at_once=True):
            pass

    # --- what there is ---

    def oncall_rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.practice.state()["oncall"]["appointments"]
        return rows

    def emr_rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.practice.state()["emr"]["Appointment"]
        return rows

    def writes(self) -> list[tuple[str, str]]:
        return [(row["method"], row["path"]) for row in self.practice.writes()]

    def mails(self) -> list[tuple[str, str]]:
        """(to, kind) of what patients were mailed because of us."""
        return sorted(
            (m["to"], m["kind"]) for m in self.practice.mails(audience="patient", cause="api")
        )

    def open(self) -> list[Mismatch]:
        return list(Mismatch.objects.unsettled().order_by("pk"))

    def only(self) -> Mismatch:
        (mismatch,) = self.open()
        return mismatch

    def pair(self, emr_id: str) -> Pair:
        return Pair.objects.get(emr__remote_id=emr_id)

    def pushes(self) -> list[Push]:
        return list(Push.objects.order_by("pk"))

    def half(self, side: Side) -> Connection:
        return self.oncall if side is Side.ONCALL else self.emr
