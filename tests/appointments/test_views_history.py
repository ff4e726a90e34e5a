"""One visit through time, and the text about it that holds no patient."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from appointments import mirror
from appointments.models import AppointmentChange, AuditEvent, Decision, Delivery, Pair
from emr_adapters.records import State
from tests.make import (
    make_delivery,
    make_division,
    make_event,
    make_mismatch,
    make_pair,
    make_plan,
    make_push,
    make_record,
    make_user,
    soon,
    when,
)

pytestmark = pytest.mark.django_db
START = soon(60 * 24)


@pytest.fixture
def division():
    return make_division()


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def client(division):
    return signed_in(make_user("maria", division))


def read(division, record, *, after: int):
    """One reading of the EMR, ``after`` minutes from now; what it brings is dated so."""
    at = timezone.now() + timedelta(minutes=after)
    before = set(AppointmentChange.objects.values_list("pk", flat=True))
    mirror.store(division.emr, record, at, reading="v1", parse=lambda raw: record)
    AppointmentChange.objects.exclude(pk__in=before).update(at=at)


@pytest.fixture
def pair(division) -> Pair:
    """First seen an hour ago, moved half an hour ago, cancelled just now, all in the EMR."""
    record = make_record(
        division,
        "emr",
        remote_id="77",
        patient="Noor Haddad",
        email="noor@example.org",
        start=START,
    )
    read(division, record, after=-60)
    moved = replace(record, start=START + timedelta(minutes=30))
    read(division, moved, after=-30)
    read(division, replace(moved, state=State.CANCELLED, raw_status="cancelled"), after=-5)
    return Pair.objects.get()


def page(client, pair, **query):
    answer = client.get(reverse("visit", args=[pair.pk]), query)
    assert answer.status_code == 200
    return answer.context, answer.content.decode()


def told(client, pair) -> list[tuple[str, str, tuple[str, ...]]]:
    context, _text = page(client, pair)
    return [(one.text, one.detail, one.lines) for one in context["history"]]


# --- what happened ------------------------------------------------------------------------------------


def test_every_change_of_a_side_is_told_with_before_and_after(client, pair):
    cancelled, moved, first = told(client, pair)
    assert first == ("First seen in the EMR", "", ())
    assert moved[:2] == ("Changed in the EMR: time", "Somebody did so in the EMR itself.")
    (line,) = moved[2]
    assert line.startswith("Time: ")
    assert " → " in line
    assert cancelled[0] == "Changed in the EMR: state, its own word for the state"
    assert cancelled[2] == (
        "State: Booked → Cancelled",
        "Its own word for the state: not stated → cancelled",
    )


def test_change_that_we_wrote_is_told_as_ours(client, division, pair):
    moved = AppointmentChange.objects.get(names=["when"])
    plan = make_plan("emr", values={"when": when(START)})
    sent = {"sent_at": moved.at - timedelta(seconds=2), "finished_at": moved.at}
    make_push(pair, plan=plan, status="done", created_at=moved.at - timedelta(minutes=1), **sent)
    texts = {text: detail for text, detail, _lines in told(client, pair)}
    assert texts["Changed in the EMR as we wrote it: time"] == (
        "We wrote it; this is what was read back."
    )
    # What came of itself stays theirs.
    assert "Changed in the EMR: state, its own word for the state" in texts


def test_write_tells_from_what_to_what_by_whom_and_whom_oncall_mails(client, division):
    pair = make_pair(division, start=START)
    mei = make_user("mei", division, first_name="Mei", last_name="Lin")
    make_push(
        pair,
        plan=make_plan("oncall", values={"when": when(START + timedelta(hours=1), 45)}),
        before={"when": when(START)},
        mails=["ana@example.org"],
        automatic=False,
        user=mei,
        status="done",
        sent_at=timezone.now(),
    )
    ((_title, detail, (line,)),) = told(client, pair)
    assert detail == (
        "Decided by Mei Lin. Done, and read back. OnCall mails ana@example.org about it."
    )
    assert line.startswith("Time: ")
    assert "30 min → " in line


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("waiting", "OnCall will mail ana@example.org."),
        ("undone", "It was not sent: OnCall mailed nobody about it."),
    ],
)
def test_mail_that_did_not_go_is_not_told_as_one_that_did(client, division, status, said):
    pair = make_pair(division)
    make_push(pair, mails=["ana@example.org"], status=status)
    ((_title, detail, _lines),) = told(client, pair)
    assert detail.endswith(said)


def test_questions_decisions_and_webhooks_stand_in_the_same_order_of_time(client, division):
    pair = make_pair(division)
    now = timezone.now()
    row = make_mismatch(
        division,
        pair=pair,
        first_seen_at=now - timedelta(minutes=9),
        status="closed",
        closed_because="left_different",
        closed_at=now - timedelta(minutes=7),
    )
    make_event(
        pair, verb="resolved", details={"action": "leave_different"}, at=now - timedelta(minutes=8)
    )
    Decision.objects.create(
        pair=pair,
        subject=row.subject,
        action="leave_different",
        made_at=now - timedelta(minutes=8),
        ended_at=now - timedelta(minutes=3),
        ended_because="changed",
    )
    make_delivery(
        division.oncall, remote_id=pair.oncall.remote_id, received_at=now - timedelta(minutes=4)
    )
    assert [text for text, _detail, _lines in told(client, pair)] == [
        "The decision “Leave it different” ended",
        "Webhook from OnCall: appointment_updated",
        "Values differ: settled",
        "Maria decided: Leave it different.",
        "Values differ",
    ]


def test_who_looked_is_shown_when_asked_for(client, pair):
    page(client, pair)
    assert all("looked at it" not in text for text, _detail, _lines in told(client, pair))
    context, _text = page(client, pair, views="1")
    assert any("looked at it" in one.text for one in context["history"])


def test_queries_do_not_grow_with_what_happened(client, division, django_assert_num_queries):
    pair = make_pair(division)
    url = reverse("visit", args=[pair.pk])
    with django_assert_num_queries(20):
        client.get(url)
    for number in range(6):
        make_push(pair, status="done")
        make_event(pair)
        make_delivery(division.oncall, remote_id=pair.oncall.remote_id)
        AppointmentChange.objects.create(
            appointment=pair.emr,
            names=["label"],
            before={"label": str(number)},
            after={"label": "x"},
        )
        make_mismatch(division, pair=pair, status="closed", closed_at=timezone.now())
    with django_assert_num_queries(20):
        client.get(url)


# --- as it was ----------------------------------------------------------------------------------------


def then(client, pair, change) -> dict[str, list[tuple[str, str]]]:
    context, _text = page(client, pair, at=change.pk)
    return {
        row.name: [(cell.text, cell.since) for cell in row.cells] for row in context["then"].rows
    }


def test_both_sides_are_shown_as_they_were(client, division, pair):
    first, moved, cancelled = AppointmentChange.objects.order_by("pk")
    at_first = then(client, pair, first)
    assert at_first["State"] == [("not there", ""), ("Booked", "Cancelled")]
    assert at_first["Time"][1][0] != at_first["Time"][1][1] != ""
    after_move = then(client, pair, moved)
    assert after_move["Time"][1] == (at_first["Time"][1][1], "")
    assert after_move["State"][1] == ("Booked", "Cancelled")
    assert then(client, pair, cancelled)["State"][1] == ("Cancelled", "")


def test_side_that_was_not_seen_yet_is_shown_as_such(client, division, pair):
    first = AppointmentChange.objects.order_by("pk").first()
    other = make_pair(division, sides=("oncall",), reference=None).oncall
    Pair.objects.filter(oncall=other).delete()
    pair.oncall = other
    pair.save()
    AppointmentChange.objects.create(appointment=other, kind="first", after={"label": "Visit"})
    assert then(client, pair, first)["Title"][0] == ("not seen yet", "Visit")


def test_each_moment_leads_to_the_one_before_and_after(client, pair):
    first, moved, cancelled = AppointmentChange.objects.order_by("pk")
    context, text = page(client, pair, at=moved.pk)
    shown = context["then"]
    assert (shown.earlier.pk, shown.moment.pk, shown.later.pk) == (first.pk, moved.pk, cancelled.pk)
    assert f'href="?at={first.pk}#then"' in text
    assert page(client, pair, at=first.pk)[0]["then"].earlier is None
    assert page(client, pair, at=cancelled.pk)[0]["then"].later is None


def test_moment_of_another_visit_or_none_is_not_shown(client, division, pair):
    other = make_pair(make_division("Uptown"))
    theirs = AppointmentChange.objects.create(appointment=other.emr, after={"label": "Secret"})
    for asked in (theirs.pk, "x", "9" * 30, "", "\0"):
        context, text = page(client, pair, at=asked)
        assert context["then"] is None
        assert "Secret" not in text


def test_the_zone_of_a_time_is_shown_once(client, division):
    pair = make_pair(division)
    _context, text = page(client, pair)
    head = text[text.index("<h1>") : text.index("</header>", text.index("<h1>"))]
    assert head.count("EST") + head.count("EDT") == 1


# --- the text for OnCall's support --------------------------------------------------------------------


def support(client, pair) -> str:
    answer = client.get(reverse("visit_support", args=[pair.pk]))
    assert answer.status_code == 200
    return answer.context["text"]


def test_text_tells_requests_with_times_ids_and_outcomes(client, division):
    pair = make_pair(division, oncall={"remote_id": "4711"}, start=START)
    at = timezone.now().replace(microsecond=0)
    stamp = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    push = make_push(
        pair,
        plan=make_plan("oncall", values={"when": when(START)}),
        status="failed",
        attempts=3,
        sent_at=at,
        error_code="outcome_unknown",
        error="OnCall failed while writing (502); it may have happened.",
    )
    hook = make_delivery(division.oncall, remote_id="4711", received_at=at)
    Delivery.objects.create(connection=division.oncall, remote_id="4711", event=Delivery.ASKED_HERE)
    lines = [line.strip() for line in support(client, pair).splitlines()]
    assert f"{stamp}  PATCH /appointments/4711/  (our write {push.pk}, attempts: 3)" in lines
    assert "fields: datetime, duration" in lines
    assert "outcome: failed, outcome_unknown, HTTP 502" in lines
    assert f"{stamp}  appointment_updated  (our delivery {hook.pk}: done)" in lines
    assert f"Division: {division.oncall_division}, region: ca" in lines
    assert len([line for line in lines if "our delivery" in line]) == 1
    assert AuditEvent.objects.get(verb="viewed").details["page"] == "support"


def test_no_patient_or_provider_can_come_into_the_text(client):
    """Every column that holds text is full of names, addresses and telephones."""
    names = "Noor Haddad noor@example.org +1 416 555 0199 Dr. Ada Osei ada@example.org (404)"
    division = make_division(names, provider=names)
    division.oncall.settings = {"region": names, "base_url": names}
    division.oncall.save()
    pair = make_pair(
        division, patient=names, email="noor@example.org", oncall={"remote_id": "Noor-Haddad-416"}
    )
    person = {"name": names, "email": "noor@example.org", "phone": "+1 416 555 0199"}
    values = {
        "people": [person],
        "label": names,
        names: names,
        "provider": {"id": "1", "name": names},
    }
    for operation in ("create", "update", "cancel", "reference"):
        make_push(
            pair,
            plan=make_plan("oncall", operation, values, mails=(names,), reference=names),
            before=values,
            mails=[names],
            status="failed",
            sent_at=timezone.now(),
            error_code=names[:40],
            error=f"OnCall refused: {names}",
            result_id=names,
            target=names,
            claimed_by=names[:80],
        )
    make_delivery(
        division.oncall, remote_id="Noor-Haddad-416", event=names, error=names, body={"x": names}
    )
    user = make_user("mei", division)
    text = support(signed_in(user), pair)
    for word in ("noor", "haddad", "osei", "example", "@", "416", "555", "0199", "404", "Dr."):
        assert word.lower() not in text.lower(), word
    assert "PATCH /appointments/?/" in text


def test_text_of_others_is_not_found(client):
    pair = make_pair(make_division("Uptown"))
    assert client.get(reverse("visit_support", args=[pair.pk])).status_code == 404


def test_visit_that_oncall_does_not_hold_has_a_text_too(client, division):
    pair = make_pair(division, sides=("emr",))
    text = support(client, pair)
    assert "Appointment: none yet" in text
    assert text.count("  none\n") == 2
