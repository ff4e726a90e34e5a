"""What follows from a change of configuration (laws 9 and 15, going live): pure plans, then rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from appointments.configuration.changing import changing
from appointments.configuration.consequences import What, permissions, plan
from appointments.configuration.states import (
    ConnectionState,
    DivisionState,
    ProviderState,
    Snapshot,
)
from appointments.core.policy import Permission, Subject
from appointments.models import AuditEvent, Connection, Division, Pair, Provider
from emr_adapters.records import Side
from tests.make import make_division, make_pair

ONCALL = ConnectionState(
    "oncall", "main", "oncall", {"region": "ca"}, {"api_key": "k", "webhook_token": "t"}
)
EMR = ConnectionState("emr", "main", "fhir_r4", {"base_url": "https://emr.example.org/"})
DIVISION = DivisionState("Downtown", "main", 123, "main", ("Location/1",), mode="live")
PROVIDER = ProviderState("Ada", "main", 9, "", ("Practitioner/9",), ("Downtown",))
AFRESH = [(What.NEW_PAGE, 5), (What.RECHECK, 5)]


def world(oncall=ONCALL, emr=EMR, division=DIVISION, providers=(PROVIDER,)):
    return Snapshot({1: oncall, 2: emr}, {5: division}, dict(enumerate(providers, 7)), {})


def follows(after, before=None):
    return [(one.what, one.key) for one in plan(before or world(), after)]


def division(**fields):
    return world(division=replace(DIVISION, **fields))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []),
        ({"time_zone": "America/Vancouver"}, AFRESH),
        ({"emr_locations": ("Location/2",)}, AFRESH),
        ({"types": (("Phone*", "phone"),)}, AFRESH),
        ({"default_type": "phone"}, AFRESH),
        ({"system_of_record": "oncall"}, AFRESH),
        ({"policy": {"emr_to_oncall": {"people": "auto"}}}, AFRESH),
        ({"policy": {"emr_to_oncall": {"when": "ask"}}}, [(What.RECHECK, 5)]),
        ({"window_days": (1, 30)}, [(What.RECHECK, 5)]),
        ({"mode": "observe"}, [(What.RECHECK, 5)]),
        ({"title": "Other", "cancel_delay_minutes": 1, "brake_count": 3}, []),
        ({"oncall_division": 124}, [(What.OBSERVE, 5), *AFRESH]),
        ({"emr": "other"}, [(What.OBSERVE, 5), *AFRESH]),
    ],
)
def test_change_of_a_division_has_its_consequences(fields, expected):
    assert follows(division(**fields)) == expected


@pytest.mark.parametrize("mode", ["observe", "paused"])
def test_going_live_starts_a_new_page(mode):
    assert follows(world(), before=division(mode=mode)) == AFRESH


def test_new_division_has_no_consequences():
    assert follows(world(), before=replace(world(), divisions={}, providers={})) == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"region": "us"}, [(What.SET_UP, 1), (What.OBSERVE, 5), *AFRESH]),
        (
            {"region": "ca", "base_url": "https://proxy/"},
            [(What.SET_UP, 1), (What.OBSERVE, 5), *AFRESH],
        ),
        ({"region": "ca", "auth_scheme": "Bearer"}, []),
    ],
)
def test_changed_address_or_region_of_oncall_puts_its_divisions_into_observe(settings, expected):
    assert follows(world(oncall=replace(ONCALL, settings=settings))) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"base_url": "https://emr.example.org"}, []),
        (
            {"base_url": "https://new.example.org/"},
            [(What.SET_UP, 2), (What.OBSERVE, 5), *AFRESH],
        ),
        ({"base_url": "https://emr.example.org/", "booked_statuses": ["proposed"]}, AFRESH),
    ],
)
def test_changed_settings_of_an_emr_have_their_consequences(settings, expected):
    assert follows(world(emr=replace(EMR, settings=settings))) == expected


def test_another_adapter_is_another_system():
    expected = [(What.SET_UP, 2), (What.OBSERVE, 5), *AFRESH]
    assert follows(world(emr=replace(EMR, adapter="memory"))) == expected


def test_paused_division_does_not_begin_to_observe():
    paused = replace(DIVISION, mode="paused")
    moved = replace(ONCALL, settings={"region": "us"})
    before, after = world(division=paused), world(oncall=moved, division=paused)
    assert follows(after, before=before) == [(What.SET_UP, 1), *AFRESH]


@pytest.mark.parametrize(
    ("credentials", "expected"),
    [
        ({"api_key": "new", "webhook_token": "t"}, [(What.UNPAUSE, 1)]),
        ({"api_key": "k", "webhook_token": ["t", "u"]}, []),
    ],
)
def test_new_credentials_end_a_pause_and_a_new_webhook_token_does_not(credentials, expected):
    paused = replace(ONCALL, credentials=credentials, paused=True)
    assert follows(world(oncall=paused)) == expected
    assert follows(world(oncall=replace(paused, paused=False))) == []


@pytest.mark.parametrize(
    ("providers", "expected"),
    [
        ([], AFRESH),
        ([replace(PROVIDER, emr_practitioners=("Practitioner/8",))], AFRESH),
        ([replace(PROVIDER, oncall_provider=10)], AFRESH),
        ([replace(PROVIDER, divisions=())], AFRESH),
        ([PROVIDER, replace(PROVIDER, oncall_provider=10)], AFRESH),
        ([replace(PROVIDER, name="Dr. Ada", email="ada@example.org")], []),
        ([PROVIDER, ProviderState("Bo", "main", 10)], []),
    ],
)
def test_changed_mapping_of_a_provider_concerns_its_divisions(providers, expected):
    assert follows(world(providers=providers)) == expected


def test_renaming_a_division_is_no_change_of_its_mapping():
    renamed = replace(DIVISION, name="City")
    after = world(division=renamed, providers=[replace(PROVIDER, divisions=("City",))])
    assert follows(after) == []


def test_stored_policy_stands_over_the_defaults():
    known = permissions({"oncall_to_emr": {"cancel": "never"}}, "emr")
    assert known[Side.ONCALL, Subject.CANCEL] is Permission.NEVER
    assert known[Side.ONCALL, Subject.WHEN] is Permission.ASK
    assert known[Side.EMR, Subject.WHEN] is Permission.AUTO


# --- rows ---------------------------------------------------------------------------------------------

LONG_AGO = timezone.now() - timedelta(days=9)


@pytest.fixture
def clinic(db):
    """A live division whose pages and sweeps are old, with one quiet pair, and a neighbour."""
    one, other = make_division("Downtown"), make_division("Pacific")
    for row in (one, other):
        make_pair(row)
    Division.objects.update(page_started_at=LONG_AGO)
    Connection.objects.update(set_up_at=LONG_AGO, swept_at=LONG_AGO, changes_read_to=LONG_AGO)
    Pair.objects.update(recheck_at=None)
    one.refresh_from_db()
    return one


def rechecked():
    rows = Pair.objects.filter(recheck_at__isnull=False)
    return list(rows.values_list("division__name", flat=True))


def test_nothing_saved_means_nothing_written(clinic):
    with changing() as outcome:
        Division.objects.get(pk=clinic.pk).save()
    assert (outcome.changes, outcome.consequences) == ([], [])
    assert AuditEvent.objects.count() == 0
    assert rechecked() == []


def test_changed_address_is_carried_out_for_this_connection_alone(clinic):
    with changing():
        Connection.objects.filter(pk=clinic.oncall_id).update(
            settings={"region": "us"}, capabilities={"can_create": True}
        )
    moved = Connection.objects.get(pk=clinic.oncall_id)
    assert moved.set_up_at > LONG_AGO
    assert (moved.swept_at, moved.capabilities) == (None, {})
    # No list shows what changed outside the window meanwhile: that is still to be read.
    assert moved.changes_read_to == LONG_AGO
    assert dict(Division.objects.values_list("name", "mode")) == {
        "Downtown": "observe",
        "Pacific": "live",
    }
    assert list(Division.objects.filter(page_started_at=LONG_AGO)) == [
        Division.objects.get(name="Pacific")
    ]
    assert rechecked() == ["Downtown"]
    assert Connection.objects.filter(set_up_at=LONG_AGO).count() == 3


def test_what_followed_for_a_division_is_in_its_audit_trail(clinic):
    with changing(actor="test"):
        Connection.objects.filter(pk=clinic.oncall_id).update(settings={"region": "us"})
    events = AuditEvent.objects.order_by("pk").values_list("verb", "actor", "division__name")
    assert list(events) == [
        ("connection_updated", "test", None),
        ("division_followed", "test", "Downtown"),
    ]


def test_division_that_is_only_compared_again_is_not_said_to_observe(clinic):
    with changing():
        Provider.objects.filter(divisions=clinic).delete()
    verbs = AuditEvent.objects.order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["provider_deleted", "division_rechecked"]


def test_new_credentials_end_the_pause(clinic):
    Connection.objects.filter(pk=clinic.oncall_id).update(paused_at=LONG_AGO, paused_reason="401")
    with changing():
        row = Connection.objects.get(pk=clinic.oncall_id)
        row.credentials = {"api_key": "new"}
        row.save()
    row.refresh_from_db()
    assert (row.paused_at, row.paused_reason) == (None, "")


def test_removed_provider_concerns_its_division(clinic):
    with changing():
        Provider.objects.filter(divisions=clinic).delete()
    assert rechecked() == ["Downtown"]


def test_failed_change_leaves_nothing_behind(clinic):
    def fail():
        with changing():
            Division.objects.update(time_zone="UTC")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    clinic.refresh_from_db()
    assert (clinic.time_zone, clinic.page_started_at) == ("America/Toronto", LONG_AGO)
    assert AuditEvent.objects.count() == 0
