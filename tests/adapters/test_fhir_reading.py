"""Reading FHIR appointments, one oddity at a time. No server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr_adapters.errors import BadResponse
from emr_adapters.fhir_r4.reading import Profile, parse_appointment
from emr_adapters.records import (
    ABSENT,
    Practitioner,
    State,
    record_from_json,
    record_to_json,
)
from tests.adapters.fhir_samples import (
    BASE,
    SYSTEM,
    VISIT,
    adapter,
    parsed,
    with_actors,
)

# --- who takes part ---


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/501",
        f"{BASE}Patient/501",
        "Patient/501/_history/3",
        f"{BASE}Patient/501/_history/3",
    ],
)
def test_a_patient_of_this_server_has_one_id(reference: str) -> None:
    record = with_actors({"reference": reference})
    assert [one.id for one in record.people] == ["Patient/501"]


def test_a_patient_of_another_server_keeps_the_address() -> None:
    record = with_actors(
        {"reference": "https://elsewhere.example.org/Patient/501", "display": "Ann"}
    )
    assert [(p.id, p.name) for p in record.people] == [
        ("https://elsewhere.example.org/Patient/501", "Ann")
    ]


def test_a_contained_patient_survives() -> None:
    inside = {
        "resourceType": "Patient",
        "id": "p",
        "name": [{"given": ["Ann"], "family": "Bee"}],
        "telecom": [{"system": "email", "value": "ann@example.org"}],
    }
    record = with_actors({"reference": "#p"}, contained=[inside])
    assert [(p.id, p.name, p.email) for p in record.people] == [("", "Ann Bee", "ann@example.org")]


def test_a_virtual_room_is_a_type_and_nobody() -> None:
    room = {
        "resourceType": "HealthcareService",
        "id": "r",
        "type": [{"text": "Patient Virtual Meeting Room"}],
        "telecom": [{"system": "url", "value": "https://meet.example.org/secret"}],
    }
    record = with_actors({"reference": "Patient/501"}, {"reference": "#r"}, contained=[room])
    assert record.types == ("Patient Virtual Meeting Room",)
    assert len(record.people) == 1
    assert "meet.example.org" not in json.dumps(record_to_json(record))


def test_nobody_but_a_practitioner_is_a_block() -> None:
    record = with_actors({"reference": "Practitioner/9"}, {"reference": "Location/1"})
    assert record.is_block
    assert record.people == ()
    assert not with_actors({"display": "Someone"}).is_block


def test_the_kind_of_an_actor_may_be_told_apart_from_the_reference() -> None:
    record = with_actors(
        {"reference": "urn:uuid:1", "type": "Patient"},
        {"identifier": {"value": "88"}, "type": "Practitioner", "display": "Dr. Ada Osei"},
    )
    assert [one.id for one in record.people] == ["urn:uuid:1"]
    assert record.practitioners == (Practitioner("88", "Dr. Ada Osei"),)


def test_the_role_tells_a_practitioner_without_reference() -> None:
    performs = [{"coding": [{"code": "PPRF"}]}]
    people = [
        {"actor": {"reference": "Patient/501"}},
        {"actor": {"display": "Dr. Ada Osei"}, "type": performs},
        {"type": performs},
    ]
    assert parsed(participant=people).practitioners == (Practitioner("", "Dr. Ada Osei"),)


def test_a_patient_listed_twice_is_one_person() -> None:
    record = with_actors({"reference": "Patient/501"}, {"reference": "Patient/501"})
    assert len(record.people) == 1


def test_the_subject_of_r5_is_the_patient() -> None:
    record = parsed(participant=VISIT["participant"][1:], subject={"reference": "Patient/501"})
    assert [one.id for one in record.people] == ["Patient/501"]


def test_names_and_addresses_come_from_the_patient() -> None:
    patient = {
        "resourceType": "Patient",
        "id": "501",
        "name": [
            {"use": "old", "text": "Ann Old"},
            {"use": "nickname", "text": "Annie"},
            {"use": "official", "family": "Bee", "given": ["Ann", "Maria"]},
        ],
        "telecom": [
            {"system": "phone", "value": "1"},
            {"system": "email", "value": "old@example.org", "use": "old"},
            {"system": "email", "value": "work@example.org", "use": "work"},
            {"system": "email", "value": " mailto:ann@example.org", "use": "home"},
            {"system": "phone", "value": "2", "rank": 1},
        ],
        "birthDate": "1980-02-29",
    }
    (person,) = parsed({"Patient/501": patient}).people
    assert (person.name, person.first_name, person.last_name) == (
        "Ann Maria Bee",
        "Ann Maria",
        "Bee",
    )
    assert (person.email, person.phone, person.birth_date) == ("ann@example.org", "2", "1980-02-29")


def test_the_names_of_dstu2_are_lists() -> None:
    patient = {"name": [{"family": ["Bee", "Cee"], "given": ["Ann"]}]}
    (person,) = parsed({"Patient/501": patient}).people
    assert person.name == "Ann Bee Cee"


# --- one field at a time ---


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"status": "in-flight"}, "state", ABSENT),
        ({"status": "in-flight"}, "raw_status", "in-flight"),
        ({"status": ...}, "state", ABSENT),
        ({"status": "Booked"}, "state", State.BOOKED),
        ({"status": "no-show"}, "state", State.BOOKED),
        ({"start": ...}, "start", None),
        ({"start": "2026-12-01T17:00:00"}, "start", None),
        ({"start": "2026-12-01"}, "start", None),
        (
            {"start": "2026-12-01T12:00:30-05:00"},
            "start",
            datetime(2026, 12, 1, 17, 0, 30, tzinfo=UTC),
        ),
        ({"minutesDuration": 75}, "minutes", 30),  # the two disagree: the calendar's wins
        ({"end": ..., "minutesDuration": 75}, "minutes", 75),
        ({"end": "2026-12-01T17:00:00Z", "minutesDuration": 20}, "minutes", 20),
        ({"end": "2026-12-01T16:00:00Z"}, "minutes", None),
        ({"end": "2026-12-01T17:29:59Z"}, "minutes", 30),
        ({"end": "2027-12-01T17:29:59Z"}, "minutes", None),
        ({"end": ..., "minutesDuration": -5}, "minutes", None),
        ({"end": ..., "minutesDuration": 10**30}, "minutes", None),
        ({"end": ..., "minutesDuration": True}, "minutes", None),
        ({"end": ...}, "minutes", None),
        ({"description": " Follow-up "}, "title", "Follow-up"),
        ({"description": ...}, "title", ""),
        ({"participant": ...}, "people", ()),
        ({"participant": ...}, "is_block", True),
        ({"meta": {"versionId": "2-1"}}, "version", 'W/"2-1"'),
        (
            {"meta": {"lastUpdated": "2026-01-01T00:00:00.123Z"}},
            "modified_at",
            datetime(2026, 1, 1, microsecond=123000, tzinfo=UTC),
        ),
        ({"meta": "x"}, "version", None),
        ({"serviceType": [{"concept": {"text": "Video"}}]}, "types", ("Video",)),  # R5
        ({"type": {"text": "Video"}}, "types", ("Video",)),  # DSTU2
        (
            {
                "appointmentType": {"coding": [{"code": "F", "display": "Follow"}], "text": "T"},
                "serviceCategory": [{"coding": [{"code": "gp"}]}],
            },
            "types",
            ("T", "Follow", "F", "gp"),
        ),
        ({"identifier": [{"system": SYSTEM, "value": SYSTEM + "77/"}]}, "reference", "77"),
        (
            {"identifier": [{"system": SYSTEM.rstrip("/"), "value": SYSTEM + "77"}]},
            "reference",
            "77",
        ),
        ({"identifier": [{"system": SYSTEM, "value": "77"}]}, "reference", "77"),
        ({"identifier": [{"system": SYSTEM, "value": "soon"}]}, "reference", None),
        (
            {
                "identifier": [
                    {"system": "https://api.oncallhealth.us/appointments/", "value": "77"}
                ]
            },
            "reference",
            None,
        ),
        ({"identifier": [{"system": "urn:x", "value": "77"}]}, "reference", None),
    ],
    ids=str,
)
def test_a_field_in_an_odd_form(fields: dict[str, Any], name: str, value: object) -> None:
    assert getattr(parsed(**fields), name) == value


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ({}, []),
        ({"status": "in-flight"}, ["unknown_status"]),
        ({"start": "tomorrow"}, ["unreadable_time"]),
        ({"end": "2026-12-01T16:00:00Z"}, ["unreadable_duration"]),
        ({"identifier": [{"system": SYSTEM, "value": "x"}]}, ["unreadable_reference"]),
        (
            {"identifier": [{"system": SYSTEM, "value": "1"}, {"system": SYSTEM, "value": "2"}]},
            ["several_references"],
        ),
        (
            {
                "identifier": [
                    {"system": SYSTEM, "value": "1"},
                    {"system": SYSTEM, "value": SYSTEM + "1/"},
                ]
            },
            [],
        ),
    ],
    ids=str,
)
def test_what_is_odd_is_noted(fields: dict[str, Any], codes: list[str]) -> None:
    assert [one.code for one in parsed(**fields).problems] == codes


@pytest.mark.parametrize(
    "resource",
    [{}, {"resourceType": "Patient", "id": "1"}, {**VISIT, "id": ""}, {**VISIT, "id": 3}],
    ids=lambda r: str(r)[:40],
)
def test_what_is_no_appointment_cannot_be_filed(resource: dict[str, Any]) -> None:
    with pytest.raises(BadResponse):
        parse_appointment(resource, {}, Profile())


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["actor", "reference", "coding", "text", "type", "value", "system", "concept", "id"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
ELEMENTS = [
    "status", "start", "end", "minutesDuration", "description", "participant", "identifier", "meta",
    "appointmentType", "serviceType", "serviceCategory", "type", "contained", "subject", "extension",
]  # fmt: skip


@given(st.dictionaries(st.sampled_from(ELEMENTS), anything), anything)
def test_no_resource_is_too_odd_to_be_read(fields: dict[str, Any], patient: object) -> None:
    patients = {"Patient/501": patient} if isinstance(patient, dict) else {}
    record = parsed(patients, **fields)
    assert adapter().parse(record.raw) == record
    assert record_from_json(record_to_json(record)) == record
