"""The demo world: the same for a date, every kind of difference, nobody real."""

from __future__ import annotations

import datetime
import tomllib
from collections import Counter

import pytest

from sandbox import demo_world
from sandbox.demo_people import PLACES, patients

DAY = datetime.date(2026, 11, 22)
KINDS = {
    "missing_in_oncall",
    "missing_in_emr",
    "values_differ",
    "cancelled_on_one_side",
    "possible_match",
    "duplicate_reference",
    "dangling_reference",
    "patient_differs",
    "unmapped",
    "vanished",
    "unreadable",
}


@pytest.fixture(scope="module")
def world():
    return demo_world.build(DAY)


def test_world_is_a_pure_function_of_the_date(world):
    assert demo_world.seed(demo_world.build(DAY)) == demo_world.seed(world)
    other = demo_world.build(DAY + datetime.timedelta(1))
    assert demo_world.seed(other) != demo_world.seed(world)


def test_world_tells_every_kind_of_story_about_records_that_exist(world):
    assert {story.kind for story in world.stories} >= KINDS
    oncall = {visit["id"] for visit in world.oncall}
    emr = {visit["id"] for visit in world.emr}
    for story in world.stories:
        assert set(story.oncall) <= oncall
        assert set(story.emr) <= emr


def test_world_differs_only_where_a_story_says_so(world):
    told = {number for story in world.stories for number in (*story.oncall, *story.emr)}
    emr = {visit["id"]: visit for visit in world.emr}
    quiet = [visit for visit in world.oncall if visit["id"] not in told]
    assert len(quiet) > 300
    names = {patient.emr_id: patient.name for patient in world.patients}
    for left in quiet:
        right = emr[left["metadata"]["emr_id"]]
        assert (left["datetime"], left["duration"]) == (right["start"], right["minutes"])
        assert left.get("cancelled", False) == (right["status"] == "cancelled")
        assert left["participants"][0]["name"] == names[right["patient"]]
        assert demo_world.TYPES[right["type"]][0] == left["type"]


def test_world_books_nobody_twice_by_chance(world):
    times = Counter(
        (visit["practitioner"], visit["start"]) for visit in world.emr if visit["patient"]
    )
    assert max(times.values()) == 1


def test_world_has_only_example_addresses():
    found = patients()
    assert len(found) >= 80
    assert all(p.email.endswith("@example.org") or not p.email for p in found)
    shared = Counter(p.email for p in found if p.email)
    assert [count for count in shared.values() if count > 1] == [2, 2]


def test_world_loads_without_mail_and_webhook_and_fits_its_config(practice):
    counted = practice.client.demo()
    assert min(counted.values()) > 300
    stored = {a["id"] for a in practice.client.state()["oncall"]["appointments"]}
    assert {n for story in practice.client.stories() for n in story["oncall"]} <= stored
    assert practice.client.mails() == []
    assert practice.client.webhooks()["deliveries"] == []
    config = tomllib.loads(practice.client.demo_config())
    assert config["oncall"]["main"]["base_url"] == practice.oncall_url
    assert config["emr"]["main"]["settings"]["base_url"] == practice.emr_url
    state = practice.client.state()
    assert {d["oncall_division"] for d in config["division"]} == {
        d["id"] for d in state["oncall"]["divisions"]
    }
    assert {d["time_zone"] for d in config["division"]} == {p.time_zone for p in PLACES}
    known = {f"Practitioner/{p['id']}" for p in state["emr"]["Practitioner"]}
    mapped = {p["emr_practitioner"] for p in config["provider"]}
    assert known - mapped == {"Practitioner/77"}
    by_name = tomllib.loads(practice.client.demo_config(env="1", mode="live"))
    assert by_name["oncall"]["main"]["api_key"] == "env:ONCALL_API_KEY"
    assert {d["mode"] for d in by_name["division"]} == {"live"}
