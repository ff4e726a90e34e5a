"""Laws 14 and 16: nothing of a patient or a secret leaves by a log, and no request in a transaction."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction

from appointments import mirror, remotes
from appointments.models import Connection, Delivery, Push, Run
from emr_adapters.errors import AdapterError
from emr_adapters.records import Side
from tests.loop.clinic import Clinic, at, iso
from tests.loop.desk import compare, read, seed_agreed, work_due

SECRETS = [
    *("Ann", "Bee", "ann@example.org", "Bob", "Cole", "bob@example.org", "Zed", "Young", "zed@"),
    *("practice-coordinator-key", "hook-token", "emr_id"),
    *("identifier=", "_lastUpdated=", "email=", "date=", "?"),
]

FAULTS: list[tuple[str, str, dict[str, Any]]] = [
    ("oncall", "500", {"match": {"method": "GET"}}),
    ("oncall", "html200", {"match": {"path": "/appointments/"}}),
    ("oncall", "truncated_json", {"match": {"method": "POST"}}),
    ("oncall", "drop_after_write", {"match": {"method": "PATCH"}}),
    (
        "oncall",
        "status",
        {
            "status": 400,
            "body": {"participants": [{"email": ["Ann Bee <ann@example.org> is unknown."]}]},
            "match": {"method": "POST"},
        },
    ),
    ("oncall", "malformed_record", {"id": "2001", "form": "people"}),
    ("oncall", "malformed_record", {"id": "2002", "form": "no_id"}),
    ("emr", "502html", {"match": {"method": "GET"}}),
    ("emr", "truncated_json", {"match": {"path": "/Patient*"}}),
    (
        "emr",
        "status",
        {
            "status": 422,
            "body": {
                "resourceType": "OperationOutcome",
                "issue": [
                    {
                        "severity": "error",
                        "code": "business-rule",
                        "diagnostics": "Bob Cole (bob@example.org) has a visit then",
                    }
                ],
            },
            "match": {"method": "PUT"},
        },
    ),
    ("emr", "404", {"match": {"path": "/Appointment/*"}}),
]


def test_no_log_and_no_stored_error_names_a_patient_or_a_secret(
    clinic: Clinic, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    ids = seed_agreed(clinic, at(12), at(13), at(14), at(15))
    clinic.sync()
    clinic.practice.emr_change(ids[0][1], start=iso(at(17)))
    clinic.practice.oncall_change(int(ids[1][0]), datetime=iso(at(18)))
    clinic.book_emr(at(15, day=4), patient="502")
    clinic.book_oncall(at(15, day=5), "Zed Young", "zed@example.org")

    for system, kind, order in FAULTS:
        clinic.practice.clear_faults()
        clinic.practice.fault(system, kind, times=2, **order)
        for connection in (clinic.oncall, clinic.emr):
            read(connection)
        compare()
        work_due()
        Push.objects.filter(status__in=["waiting", "unknown", "reading_back"]).update(
            not_before="2020-01-01T00:00:00Z"
        )
        work_due()

    errors = [
        *Push.objects.values_list("error", flat=True),
        *Run.objects.values_list("error", flat=True),
        *Connection.objects.values_list("paused_reason", flat=True),
        *Delivery.objects.values_list("error", flat=True),
    ]
    ours = [f"{one.name} {one.getMessage()} {one.exc_text or ''}" for one in caplog.records]
    told = [text for text in [*ours, *errors] if any(secret in text for secret in SECRETS)]
    assert told == []
    assert any(errors)
    assert any(one.startswith("emr_adapters.http") for one in ours)


def test_people_are_searched_by_post(clinic: Clinic):
    clinic.set(system_of_record="oncall")
    clinic.book_oncall(at(15))

    clinic.sync()

    asked = [r for r in clinic.practice.requests(system="emr") if "/Patient" in r["path"]]
    searched = [r for r in asked if "ann" in f"{r['query']}{r['body']}"]
    assert {r["method"] for r in searched} == {"POST"}
    assert all("ann" not in r["query"] for r in clinic.practice.requests())


def test_token_is_sent_to_the_configured_origin_only(clinic: Clinic):
    """The next link names another host; the page after it is asked for where we were told to ask."""
    seed_agreed(clinic, *(at(hour) for hour in range(10, 16)))
    clinic.practice.fault("oncall", "foreign_next", match={"page": 1})

    assert read(clinic.oncall) == "complete"

    assert len(clinic.practice.requests(system="oncall", path="/appointments/")) == 2


def test_raw_payloads_and_credentials_are_encrypted_at_rest(clinic: Clinic):
    seed_agreed(clinic, at(15))
    clinic.sync()

    with database.cursor() as cursor:
        cursor.execute("SELECT raw FROM appointments_appointment")
        raws = [str(row[0]) for row in cursor.fetchall()]
        cursor.execute("SELECT credentials FROM appointments_connection")
        credentials = [str(row[0]) for row in cursor.fetchall()]
    assert len(raws) == 2
    assert not any("ann@example.org" in raw for raw in raws)
    assert not any("practice-coordinator-key" in one for one in credentials)


@pytest.mark.parametrize("side", list(Side))
def test_request_inside_a_transaction_is_refused(clinic: Clinic, side: Side):
    adapter = remotes.adapter_for(clinic.half(side))

    with pytest.raises(RuntimeError, match="law 16"), transaction.atomic():
        adapter.list_appointments()

    assert clinic.practice.requests() == []


def test_request_of_a_stage_inside_a_transaction_is_refused(clinic: Clinic):
    oncall_id = clinic.book_oncall(at(15))
    with pytest.raises(RuntimeError, match="law 16"), transaction.atomic():
        mirror.refresh(clinic.oncall, oncall_id)


def test_text_of_every_error_is_safe_to_show(clinic: Clinic):
    """Whatever the remote answers to a look for somebody, the sentence names nobody."""
    clinic.practice.fault("emr", "html200", times=None, match={"path": "/Patient*"})

    with pytest.raises(AdapterError) as refused:
        remotes.adapter_for(clinic.emr).find_people(email="ann@example.org", name="Ann Bee")

    assert str(refused.value) == "The EMR answered with something that is not JSON."
    assert refused.value.__cause__ is None
