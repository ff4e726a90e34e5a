"""Published FHIR appointments of many makes: read without losing one, changed without harm."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from emr_adapters.errors import Rejected
from emr_adapters.fhir_r4 import writing
from emr_adapters.fhir_r4.reading import Profile, parse_appointment
from emr_adapters.records import (
    Changes,
    Practitioner,
    State,
    record_from_json,
    record_to_json,
)
from tests.adapters.fhir_samples import (
    FILES,
    VISIT,
    parsed,
    resources,
)

# --- published samples ---


def test_the_samples_are_there() -> None:
    assert len(FILES) == 14


@pytest.mark.parametrize("file", FILES)
def test_no_sample_is_lost(file: str) -> None:
    for resource in resources(file):
        record = parse_appointment(resource, {}, Profile())
        assert record.state in (State.BOOKED, State.NOT_YET)
        assert isinstance(record.start, datetime)
        assert record.minutes
        assert record.people
        assert not record.is_block
        assert parse_appointment(record.raw["resource"], {}, Profile()) == record
        assert record_from_json(record_to_json(record)) == record


def sample(file: str) -> Any:
    return parse_appointment(resources(file)[0], {}, Profile())


def test_actors_of_an_aidbox_sample() -> None:
    record = sample("fhir-beda/appointment-1.json")
    assert [(one.id, one.name) for one in record.people] == [
        ("urn:uuid:Patient:patient1", "First Patient")
    ]
    assert record.practitioners[0].id == "urn:uuid:PractitionerRole:practitioner1"
    assert record.types == ("The first appointment", "consultation")


def test_actors_of_a_sample_with_a_telephone_call() -> None:
    record = sample("fhir-hl7/r4-2docs-phone.json")
    assert [one.name for one in record.practitioners] == ["Dr Adam Careful", "Luigi Maas"]
    assert [one.name for one in record.people] == ["Peter James Chalmers"]
    assert record.title == "Discussion about Peter Chalmers MRI results"


def test_an_actor_known_by_an_identifier_survives() -> None:
    record = sample("fhir-france-sas/booked.json")
    assert [one.id for one in record.people] == ["810100050075"]
    assert record.start == datetime(2022, 9, 4, 13, 0, tzinfo=UTC)
    assert [one.code for one in record.problems] == ["unresolved_actor"]


def test_an_actor_of_no_known_kind_is_taken_for_the_patient() -> None:
    record = sample("fhir-nhs/read-urn-uuid.json")
    assert [one.id for one in record.people] == ["urn:uuid:788660eb-d2c9-4773-abd4-318484673fb2"]
    assert record.start.second == 30


def test_types_of_a_telehealth_sample() -> None:
    record = sample("fhir-uscore/telehealth.json")
    assert record.types == (
        "Telehealth Visit",
        "Telemedicine consultation with patient",
        "448337001",
    )


# --- changing what was read ---


@pytest.mark.parametrize("file", FILES)
def test_a_change_of_a_sample_touches_nothing_else(file: str) -> None:
    for resource in resources(file):
        record = parse_appointment(resource, {}, Profile())
        before = copy.deepcopy(resource)
        start = datetime(2027, 1, 2, 3, 4, tzinfo=UTC)
        after = writing.updated(record, Changes(start=start, reference="77"), "ca")
        assert after is not None
        assert resource == before
        changed = {name for name in {*after, *before} if after.get(name) != before.get(name)}
        assert changed == {"start", "end", "identifier"}
        assert parse_appointment(after, {}, Profile()).minutes == record.minutes


def test_a_type_goes_where_the_type_was() -> None:
    r5 = parsed(serviceType=[{"concept": {"text": "Video"}}])
    after = writing.updated(r5, Changes(type="https://x|phone"), "ca")
    assert after is not None
    assert after["serviceType"] == [
        {"concept": {"coding": [{"system": "https://x", "code": "phone"}]}}
    ]
    after = writing.updated(parsed(), Changes(type="Phone"), "ca")
    assert after is not None
    assert after["appointmentType"] == {"text": "Phone"}
    assert (
        writing.updated(parsed(appointmentType={"text": "Phone"}), Changes(type="Phone"), "ca")
        is None
    )


def test_a_practitioner_is_added_where_there_is_none() -> None:
    record = parsed(participant=VISIT["participant"][:1])
    after = writing.updated(record, Changes(practitioner=Practitioner("9", "Dr. Ada Osei")), "ca")
    assert after is not None
    assert after["participant"][1]["actor"] == {
        "reference": "Practitioner/9",
        "display": "Dr. Ada Osei",
    }
    assert (
        writing.updated(parsed(), Changes(practitioner=Practitioner("Practitioner/9")), "ca")
        is None
    )


@pytest.mark.parametrize("id", ["../9", "a b", "Practitioner/..", ""])
def test_an_id_that_no_address_can_hold_is_rejected(id: str) -> None:
    with pytest.raises(Rejected):
        writing.updated(parsed(), Changes(practitioner=Practitioner(id)), "ca")
