"""Working together on a mismatch: who has it, snooze, notes, telephone, presence."""

from __future__ import annotations

import logging
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection as database
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from appointments.core.snooze import woken_by
from appointments.mismatches import compare_pair
from appointments.models import (
    Assignment,
    AuditEvent,
    Membership,
    Mismatch,
    Note,
    Opening,
    Presence,
    Role,
    Snooze,
)
from appointments.models.teamwork import sleeping
from appointments.views.team import _note_presence
from tests.make import (
    ask,
    make_division,
    make_mismatch,
    make_pair,
    make_user,
    soon,
)

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
QUEUE_QUERIES, HEARTBEAT_QUERIES = 26, 8
TORONTO = ZoneInfo("America/Toronto")


@pytest.fixture
def division():
    return make_division()


@pytest.fixture
def maria(division):
    return make_user("maria", division, first_name="Maria", last_name="Roy")


@pytest.fixture
def mei(division):
    return make_user("mei", division, first_name="Mei", last_name="Lin")


@pytest.fixture
def client(maria):
    return signed_in(maria)


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def moved(division, minutes=600, **fields):
    start = soon(minutes)
    return ask(
        make_pair(division, start=start, oncall={"start": start + timedelta(minutes=30)}, **fields)
    )


def post(client, name, row, **data):
    return client.post(reverse(f"mismatch_{name}", args=[row.pk]), data, headers=HTMX)


def snooze(client, row, until="tomorrow", **data):
    return post(client, "snooze", row, until=until, version=row.version, **data)


def listed(client, status="todo", **more):
    page = client.get(reverse("queue"), {"status": status, **more})
    return [card.row.pk for card in page.context["cards"]]


def counts(client):
    return {key: n for key, _label, n in client.get(reverse("queue")).context["tabs"]}


def events(*verbs):
    rows = AuditEvent.objects.filter(verb__in=verbs).order_by("pk")
    return [(e.verb, e.actor, e.subjects) for e in rows]


# --- whose it is ----------------------------------------------------------------------------------------


def test_a_person_takes_it_hands_it_on_and_lays_it_down(division, client, maria, mei):
    row = moved(division)
    assert "It is with you" in post(client, "assign", row, to="me").content.decode()
    assert "It is with Mei Lin" in post(client, "assign", row, to=mei.pk).content.decode()
    assert "Nobody has it yet" in post(client, "assign", row, to="").content.decode()
    assert not Assignment.objects.exists()
    assert events("assigned") == [("assigned", "maria", [str(row.pair_id)])] * 3
    told = AuditEvent.objects.filter(verb="assigned").order_by("pk")
    assert [event.details["to"] for event in told] == ["maria", "mei", ""]


def test_taking_what_one_has_already_leaves_no_second_trace(division, client):
    row = moved(division)
    for _ in range(2):
        post(client, "assign", row, to="me")
    assert len(events("assigned")) == 1


def test_only_who_may_settle_there_can_have_it(division, client):
    elsewhere = make_user("elsewhere", make_division("Uptown"))
    viewer = make_user("viewer", division, role=Role.VIEWER)
    row = moved(division)
    for whom in (elsewhere, viewer):
        answer = post(client, "assign", row, to=whom.pk)
        assert (answer.status_code, "may not settle" in answer.content.decode()) == (422, True)
    assert post(client, "assign", row, to="somebody").status_code == 400
    assert not Assignment.objects.exists()


def test_viewers_and_strangers_change_nothing(division):
    row = moved(division)
    viewer = signed_in(make_user("viewer", division, role=Role.VIEWER))
    stranger = signed_in(make_user("stranger", make_division("Uptown")))
    for client, status in ((viewer, 403), (stranger, 404)):
        assert post(client, "assign", row, to="me").status_code == status
        assert snooze(client, row).status_code == status
        assert post(client, "note", row, text="hello").status_code == status
    page = viewer.get(reverse("queue")).content.decode()
    assert ("Nobody has it yet" in page, "teamtools" in page) == (True, False)
    assert (Assignment.objects.count(), Snooze.objects.count(), Note.objects.count()) == (0, 0, 0)


def test_the_list_shows_mine_and_nobodys(division, client, mei):
    mine, theirs, free = (moved(division, 600 + n) for n in range(3))
    post(client, "assign", mine, to="me")
    post(client, "assign", theirs, to=mei.pk)
    assert listed(client, who="mine") == [mine.pk]
    assert listed(client, who="nobody") == [free.pk]
    assert listed(client) == [mine.pk, theirs.pk, free.pk]


def test_what_a_person_has_who_may_not_settle_any_more_is_nobodys(division, client, mei):
    row = moved(division)
    post(client, "assign", row, to=mei.pk)
    assert listed(client, who="nobody") == []
    Membership.objects.filter(user=mei).delete()
    assert listed(client, who="nobody") == [row.pk]


def test_who_has_the_question_has_the_one_that_takes_its_place(division, client, maria):
    row = moved(division)
    post(client, "assign", row, to="me")
    emr = row.pair.emr
    emr.record["state"] = "cancelled"
    emr.live = False
    emr.save()
    compare_pair(row.pair_id)
    newer = Mismatch.objects.unsettled().get(pair=row.pair)
    assert (newer.pk != row.pk, newer.assignment.user) == (True, maria)


# --- putting aside --------------------------------------------------------------------------------------


def test_a_snoozed_one_stands_under_its_own_tab_until_its_time(division, client):
    row, other = moved(division, 60 * 24 * 5), moved(division, 700)
    answer = snooze(client, row).content.decode()
    assert "Maria Roy put it aside until" in answer
    assert (listed(client), listed(client, "snoozed")) == ([other.pk], [row.pk])
    assert counts(client) == {"todo": 1, "waiting": 0, "snoozed": 1, "settled": 0}
    until = Snooze.objects.get().until.astimezone(TORONTO)
    tomorrow = timezone.now().astimezone(TORONTO).date() + timedelta(days=1)
    assert (until.date(), until.hour, until.minute) == (tomorrow, 8, 0)
    Snooze.objects.update(until=timezone.now())
    assert (set(listed(client)), listed(client, "snoozed")) == ({row.pk, other.pk}, [])
    assert "It was put aside until now." in client.get(reverse("queue")).content.decode()
    assert events("snoozed") == [("snoozed", "maria", [str(row.pair_id)])]


def test_a_snooze_hides_no_other_difference_even_when_the_first_one_is_back(division, client):
    row = moved(division, 60 * 24 * 5)
    snooze(client, row, "changes")
    oncall = row.pair.oncall
    first = oncall.record["start"]
    for start in ((oncall.start + timedelta(minutes=15)).isoformat(), first):
        oncall.record["start"] = start
        oncall.save()
        compare_pair(row.pair_id)
        assert listed(client) == [row.pk]
    row.refresh_from_db()
    assert (row.snooze.ended_because, row.snooze.version) == ("changed", row.version)


def test_what_changes_after_it_was_seen_has_not_been_seen(division, client):
    row = moved(division, 100)
    client.get(reverse("queue"))
    assert Opening.objects.filter(mismatch=row).count() == 1
    oncall = Mismatch.objects.get(pk=row.pk).pair.oncall
    oncall.record["start"] = (oncall.start + timedelta(minutes=15)).isoformat()
    oncall.save()
    compare_pair(row.pair_id)
    assert Opening.objects.filter(mismatch=row).count() == 0


def test_two_hours_before_the_visit_it_is_back(division, client):
    row = moved(division, 180)
    snooze(client, row, "visit")
    assert listed(client) == []
    Mismatch.objects.filter(pk=row.pk).update(start=soon(119))
    assert listed(client) == [row.pk]
    page = client.get(reverse("queue")).content.decode()
    assert "the visit is less than two hours away" in page


def test_the_side_whose_time_is_still_to_come_brings_it_back(division, client):
    """One side says yesterday, the other tomorrow: somebody may come tomorrow (law 1)."""
    now = timezone.now()
    row = ask(make_pair(division, start=soon(24 * 60), oncall={"start": now - timedelta(hours=20)}))
    post(client, "snooze", row, until="changes", version=row.version)
    asleep = Mismatch.objects.filter(sleeping(now + timedelta(hours=21)), pk=row.pk)
    awake = Mismatch.objects.exclude(sleeping(now + timedelta(hours=23))).filter(pk=row.pk)
    assert (asleep.count(), awake.count()) == (1, 1)


def test_what_begins_within_two_hours_cannot_be_put_aside(division, client):
    row = moved(division, 100)
    answer = snooze(client, row)
    assert (answer.status_code, "cannot be put aside" in answer.content.decode()) == (422, True)
    assert not Snooze.objects.exists()


def test_a_day_is_given_and_a_past_or_missing_one_refused(division, client):
    row = moved(division, 60 * 24 * 20)
    today = timezone.now().astimezone(TORONTO).date()
    yesterday = today - timedelta(days=1)
    for day in ("", "soon", yesterday.isoformat(), (today + timedelta(days=99)).isoformat()):
        assert snooze(client, row, "day", day=day).status_code == 422, day
    wanted = today + timedelta(days=6)
    assert snooze(client, row, "day", day=wanted.isoformat()).status_code == 200
    assert Snooze.objects.get().until.astimezone(TORONTO).date() == wanted
    assert snooze(client, row, "for ever").status_code == 400


def test_what_changed_while_it_was_looked_at_is_not_put_aside(division, client):
    row = moved(division)
    answer = post(client, "snooze", row, until="tomorrow", version="older")
    assert (answer.status_code, "changed while you looked" in answer.content.decode()) == (
        409,
        True,
    )
    assert not Snooze.objects.exists()


def test_a_decision_ends_it_so_that_taking_it_back_shows_it(division, client):
    row = moved(division)
    snooze(client, row)
    data = {"action": "leave_different", "version": row.version}
    client.post(reverse("mismatch_resolve", args=[row.pk]), data, headers=HTMX)
    assert (listed(client), listed(client, "snoozed"), listed(client, "settled")) == (
        [],
        [],
        [row.pk],
    )
    client.post(reverse("mismatch_undo", args=[row.pk]), {"version": row.version}, headers=HTMX)
    assert (listed(client), listed(client, "snoozed")) == ([row.pk], [])


def test_bringing_it_back_and_putting_it_aside_again(division, client):
    row = moved(division)
    snooze(client, row)
    assert post(client, "snooze", row, until="wake").status_code == 200
    assert listed(client) == [row.pk]
    snooze(client, row)
    assert listed(client) == []
    assert [verb for verb, *_ in events("snoozed", "woken")] == ["snoozed", "woken", "snoozed"]


def test_the_database_and_the_rule_agree_on_what_sleeps(division, maria):
    now = timezone.now()
    made = now - timedelta(hours=1)
    for start in (None, -90, -30, 30, 119, 121, 600):
        for version in ("a", "b"):
            for until in (-1, 1):
                row = make_mismatch(division, version="a")
                row.start = None if start is None else now + timedelta(minutes=start)
                row.save()
                Snooze.objects.create(
                    mismatch=row,
                    version=version,
                    until=now + timedelta(minutes=until),
                    made_at=made,
                    user=maria,
                )
    rows = Mismatch.objects.select_related("snooze")
    by_rule = {
        row.pk
        for row in rows
        if woken_by(row.snooze.asleep, version=row.version, start=row.start, now=now) is None
    }
    assert set(rows.filter(sleeping(now)).values_list("pk", flat=True)) == by_rule
    assert len(by_rule) == 4


# --- notes and telephone --------------------------------------------------------------------------------


def test_a_note_is_kept_with_who_and_when_on_card_and_visit(division, client, maria):
    row = moved(division)
    post(client, "note", row, text="  phoned her\n9:05 ")
    note = Note.objects.get()
    assert (note.text, note.author, note.user) == ("phoned her 9:05", "Maria Roy", maria)
    assert "phoned her 9:05" in client.get(reverse("queue")).content.decode()
    visit = client.get(reverse("visit", args=[row.pair_id]))
    said = [(h.text, h.detail) for h in visit.context["history"] if h.kind == "noted"]
    assert said == [("Maria Roy noted:", "phoned her 9:05")]
    assert events("noted") == [("noted", "maria", [str(row.pair_id)])]


def test_a_note_is_about_the_visit_and_stays_with_its_next_question(division, client):
    row = moved(division)
    post(client, "note", row, text="no answer")
    Mismatch.objects.filter(pk=row.pk).update(status="closed")
    newer = make_mismatch(division, pair=row.pair)
    page = client.get(reverse("queue")).context
    assert [(c.row.pk, [n.text for n in c.team.notes]) for c in page["cards"]] == [
        (newer.pk, ["no answer"])
    ]


def test_no_word_of_a_note_stands_readable_in_the_database_the_audit_trail_or_a_log(
    division, client, caplog
):
    caplog.set_level(logging.DEBUG)
    row = moved(division)
    post(client, "note", row, text="Ana is pregnant")
    with database.cursor() as cursor:
        cursor.execute("SELECT text FROM appointments_note")
        assert "pregnant" not in cursor.fetchone()[0]
    assert "pregnant" not in str(list(AuditEvent.objects.values()))
    assert "pregnant" not in caplog.text


def test_an_empty_or_endless_note_is_refused_and_not_lost(division, client):
    row = moved(division)
    for text in (" ", "x" * 501):
        answer = post(client, "note", row, text=text)
        assert (answer.status_code, text.strip() in answer.content.decode()) == (422, True)
    assert not Note.objects.exists()


def test_the_telephone_number_of_the_emr_is_a_link_where_the_view_is_recorded(division, client):
    row = moved(division)
    emr = row.pair.emr
    emr.record["people"][0]["phone"] = "+1 (416) 555-0199 ext. 4"
    emr.save()
    wanted = '<a href="tel:+14165550199">'
    for address in (reverse("queue"), reverse("visit", args=[row.pair_id])):
        AuditEvent.objects.all().delete()
        assert wanted in client.get(address).content.decode()
        (seen,) = AuditEvent.objects.filter(verb="viewed")
        assert seen.subjects == [str(row.pair_id)]


# --- presence -------------------------------------------------------------------------------------------


def look(client, looking="", seen=()):
    data = {"looking": looking, "seen": list(seen)}
    return client.post(reverse("presence"), data, headers=HTMX).content.decode()


def test_others_see_who_looks_for_a_minute_and_no_audit_row_is_written(division, client, mei):
    row, other = moved(division), moved(division)
    hers = signed_in(mei)
    AuditEvent.objects.all().delete()
    assert "is looking" not in look(hers, row.pk, [row.pk, other.pk])
    said = look(client, "", [row.pk, other.pk])
    assert said.count("Mei Lin is looking at this") == 1
    assert (
        said.index(f"present-{row.pk}") < said.index("Mei Lin") < said.index(f"present-{other.pk}")
    )
    Presence.objects.update(at=timezone.now() - timedelta(seconds=61))
    assert "is looking" not in look(client, "", [row.pk])
    assert not AuditEvent.objects.exists()


def test_who_looks_elsewhere_no_longer_looks_here(division, client, mei):
    row, other = moved(division), moved(division)
    hers = signed_in(mei)
    look(hers, row.pk)
    look(hers, other.pk)
    assert list(Presence.objects.values_list("mismatch", flat=True)) == [other.pk]
    look(hers, "")
    assert not Presence.objects.exists()


def test_presence_tells_nothing_of_another_division(division, client):
    elsewhere = make_division("Uptown")
    row = moved(elsewhere)
    look(signed_in(make_user("stranger", elsewhere)), row.pk)
    assert look(client, row.pk, [row.pk]).strip() == ""
    assert Presence.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_difference_deleted_meanwhile_fails_no_page(division, mei):
    """The reference is checked when the transaction ends."""
    row = moved(division)
    gone = row.pk
    row.delete()
    _note_presence(mei, [gone])
    assert not Presence.objects.exists()


def test_presence_blocks_nobody(division, client, mei):
    row = moved(division)
    look(signed_in(mei), row.pk)
    data = {"action": "use_emr", "version": row.version}
    answer = client.post(reverse("mismatch_resolve", args=[row.pk]), data, headers=HTMX)
    assert "Sending in" in answer.content.decode()


# --- how much it asks -----------------------------------------------------------------------------------


def test_the_queue_asks_the_same_however_many_are_shared(
    division, client, mei, django_assert_num_queries
):
    def work_on(row):
        post(client, "assign", row, to=mei.pk)
        post(client, "note", row, text="no answer")
        look(signed_in(mei), row.pk)

    for number in (1, 6):
        for _ in range(number):
            work_on(moved(division))
        client.get(reverse("queue"))  # notes that they were shown
        with django_assert_num_queries(QUEUE_QUERIES):
            client.get(reverse("queue"))


def test_a_heartbeat_asks_the_database_little(division, client, django_assert_num_queries):
    rows = [moved(division) for _ in range(5)]
    look(client, rows[0].pk, [row.pk for row in rows])
    for _ in range(2):
        with django_assert_num_queries(HEARTBEAT_QUERIES):
            look(client, rows[0].pk, [row.pk for row in rows])


# --- without JavaScript ---------------------------------------------------------------------------------


def test_each_form_works_without_javascript(division, client):
    row = moved(division)
    for name, data in (
        ("assign", {"to": "me"}),
        ("note", {"text": "no answer"}),
        ("snooze", {"until": "tomorrow", "version": row.version}),
    ):
        address = reverse(f"mismatch_{name}", args=[row.pk])
        answer = client.post(address, {**data, "next": "/mismatches/?who=mine"})
        assert (answer.status_code, answer.url) == (302, "/mismatches/?who=mine")
    assert (Assignment.objects.count(), Note.objects.count(), Snooze.objects.count()) == (1, 1, 1)
