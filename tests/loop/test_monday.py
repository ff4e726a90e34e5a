"""A clinic's worst Monday: what was found by breaking the running product, so that it stays mended."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from appointments import deliveries, tasks
from appointments.models import Connection, Delivery, Pair, Run
from tests.loop.clinic import Clinic, at, iso
from tests.loop.desk import agreed, compare, mei, read, work_due


@pytest.mark.parametrize("kind", ["changes", "sweep"])
def test_emr_that_is_down_is_seen_on_the_page_of_readings(clinic: Clinic, kind: str):
    agreed(clinic, at(15))
    clinic.emr.refresh_from_db()
    proven = clinic.emr.swept_at
    clinic.practice.fault("emr", "502html", times=None)

    assert read(clinic.emr, kind) == "failed"

    run = Run.objects.filter(connection=clinic.emr, kind=kind).latest("began_at")
    assert "502" in run.error
    clinic.emr.refresh_from_db()
    assert clinic.emr.swept_at == proven
    clinic.practice.clear_faults()
    assert read(clinic.emr, kind) == "complete"


def test_emr_that_refuses_us_is_paused_once_though_its_abilities_are_asked_first(clinic: Clinic):
    agreed(clinic, at(15))
    clinic.practice.fault("emr", "401", times=None)

    assert read(clinic.emr, "changes") == "failed"

    clinic.emr.refresh_from_db()
    assert clinic.emr.paused_at is not None


@pytest.mark.parametrize("who", ["list", "hint", "write"])
def test_refused_credentials_are_told_in_the_log_once_whoever_notices(
    clinic: Clinic, who: str, caplog: pytest.LogCaptureFixture
):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    read(clinic.emr)
    compare()
    clinic.practice.fault("oncall", "401", times=None)

    for _ in range(3):
        if who == "list":
            tasks.read_page(clinic.oncall.pk, "sweep")
        elif who == "hint":
            deliveries.read(hint(clinic.oncall, oncall_id).pk)
        else:
            work_due()

    told = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert told == ["OnCall main is paused: OnCall refused the credentials (401)."]
    assert [r["status"] for r in clinic.practice.requests(system="oncall")] == [401]


def hint(connection: Connection, oncall_id: str) -> Delivery:
    now = timezone.now()
    return Delivery.objects.create(
        connection=connection,
        event="appointment_updated",
        remote_id=oncall_id,
        body={},
        status="stored",
        received_at=now,
        not_before=now,
    )


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_empty_date_of_a_program_is_listed_and_breaks_no_page(
    clinic: Clinic, client: Client, start: str
):
    pages = ["/visits/", "/mismatches/", "/"]
    clinic.set(time_zone="America/Toronto" if start < "2" else "Asia/Tokyo")
    oncall_id = clinic.book_oncall(at(15))
    emr_id = clinic.book_emr(at(17), patient="502")
    clinic.practice.seed(
        oncall={
            "appointments": [
                {
                    "id": 7,
                    "datetime": iso(at(9)),
                    "division": 123,
                    "provider": 9,
                    "overrides": {"datetime": start},
                }
            ]
        }
    )
    clinic.sync()
    client.force_login(mei(clinic))

    pages += [f"/visits/{pk}/" for pk in Pair.objects.values_list("pk", flat=True)]
    assert {client.get(page).status_code for page in pages} == {200}
    assert [m.oncall_id for m in clinic.open() if m.kind == "unreadable"] == ["7"]
    assert clinic.pair(emr_id).oncall is not None
    assert Pair.objects.filter(oncall__remote_id=oncall_id).exists()
