"""Deciding several at once: one choice, each row guarded as a click of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from appointments import resolution
from appointments.mismatches import waves
from appointments.models import AuditEvent, Decision, Mismatch, Push, QuestionWave, Role
from appointments.resolution import Outcome, Picked, together
from emr_adapters.records import State
from tests.make import (
    ask,
    make_choice,
    make_division,
    make_mismatch,
    make_pair,
    make_push,
    make_user,
    soon,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def division():
    return make_division()


@pytest.fixture
def maria(division):
    return make_user("maria", division)


@pytest.fixture
def client(maria):
    client = Client()
    client.force_login(maria)
    return client


def moved(division, number=0, *, minutes=30):
    start = soon(90 + 24 * 60 * number)
    later = {"start": start + timedelta(minutes=minutes)}
    who: dict[str, Any] = {"patient": f"Patient {number}.", "email": f"patient{number}@example.org"}
    return ask(make_pair(division, start=start, oncall=later, **who))


def picked(rows):
    return [Picked(row.pk, row.version) for row in rows]


def values(rows):
    return [f"{row.pk}:{row.version}" for row in rows]


def post(client, **data):
    answer = client.post(reverse("together"), data, follow=True)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def outcomes(results):
    return [str(result.outcome) for result in results]


# --- the work ------------------------------------------------------------------------------------------


def test_each_row_becomes_a_click_with_an_audit_row_of_its_own(division, maria):
    rows = [moved(division, n) for n in range(3)]
    results = resolution.resolve_together(picked(rows), "use_emr", maria)
    assert outcomes(results) == ["decided"] * 3
    assert list(Push.objects.order_by("pk").values_list("mismatch", "action", "automatic")) == [
        (row.pk, "use_emr", False) for row in rows
    ]
    assert AuditEvent.objects.filter(verb="resolved", user=maria).count() == 3


def test_what_changed_since_it_was_shown_is_left_alone_and_the_others_go_on(division, maria):
    rows = [moved(division, n) for n in range(3)]
    chosen = picked(rows)
    chosen[1] = Picked(rows[1].pk, "what was shown before")
    results = resolution.resolve_together(chosen, "use_emr", maria)
    assert outcomes(results) == ["decided", "changed", "decided"]
    assert set(Push.objects.values_list("mismatch", flat=True)) == {rows[0].pk, rows[2].pk}


def test_what_is_no_choice_of_a_row_is_refused_with_its_sentence(division, maria):
    results = resolution.resolve_together(picked([moved(division)]), "create_in_emr", maria)
    assert [(r.outcome, r.reason) for r in results] == [
        (Outcome.REFUSED, "That is not among the choices for this visit any more.")
    ]


def test_an_error_with_one_row_is_its_own_and_says_nothing_of_the_visit(
    division, maria, monkeypatch, caplog
):
    rows = [moved(division, n) for n in range(2)]
    real = resolution.resolve

    def fails_for_the_first(*, mismatch_id, **more):
        if mismatch_id == rows[0].pk:
            raise ValueError("Patient 0.")
        return real(mismatch_id=mismatch_id, **more)

    monkeypatch.setattr(together, "resolve", fails_for_the_first)
    results = resolution.resolve_together(picked(rows), "use_emr", maria)
    assert outcomes(results) == ["failed", "decided"]
    assert "ValueError" in caplog.text
    assert "Patient" not in caplog.text


def test_more_than_the_most_do_nothing(division, maria, monkeypatch):
    monkeypatch.setattr(together, "MOST", 1)
    with pytest.raises(resolution.TooMany):
        resolution.resolve_together(
            picked([moved(division, 0), moved(division, 1)]), "use_emr", maria
        )
    assert not Push.objects.exists()


def test_what_is_not_reached_in_time_is_left_for_another_press(division, maria, monkeypatch):
    monkeypatch.setattr(together, "SECONDS", -1.0)
    results = resolution.resolve_together(picked([moved(division)]), "use_emr", maria)
    assert outcomes(results) == ["not_reached"]
    assert not Push.objects.exists()


def test_nothing_is_sent_before_the_whole_can_be_taken_back(division, maria):
    resolution.resolve_together(picked([moved(division)]), "use_emr", maria)
    wait = Push.objects.get().not_before - timezone.now()
    assert 28 <= wait.total_seconds() <= 30


def test_taking_back_never_writes_what_was_sent_already(division, maria):
    waiting, sent = moved(division, 0), moved(division, 1)
    resolution.resolve_together(picked([waiting]), "use_emr", maria)
    make_push(sent.pair, mismatch=sent, status="done", automatic=False, action="use_emr")
    results = resolution.undo_together(picked([waiting, sent]), maria)
    assert outcomes(results) == ["undone", "refused"]
    assert "was sent meanwhile" in results[1].reason
    assert list(Push.objects.order_by("pk").values_list("status", flat=True)) == ["undone", "done"]


# --- the pages -----------------------------------------------------------------------------------------


def test_the_page_shows_choices_of_all_with_writes_and_mails(client, division):
    rows = [moved(division, n) for n in range(3)]
    page = post(client, row=values(rows))
    assert "Decide 3 together" in page
    assert "Use EMR for all 3" in page
    assert "Recommended for each of them." in page
    assert "3 writes in OnCall." in page
    assert "3 e-mails to 3 people." in page
    assert "3 writes in the EMR." in page
    assert not Push.objects.exists()
    assert AuditEvent.objects.get(verb="viewed").subjects == [str(row.pair_id) for row in rows]


def test_only_choices_that_every_row_has_are_offered(client, division):
    other = make_mismatch(
        division, choices=[make_choice("not_a_match"), make_choice("leave_different")]
    )
    page = post(client, row=values([moved(division), other]))
    assert "Leave it different for all 2" in page
    assert "Use EMR" not in page
    assert "Not the same" not in page


def test_what_has_nothing_in_common_says_so(client, division):
    other = make_mismatch(division, choices=[make_choice("not_a_match")])
    page = post(client, row=values([moved(division), other]))
    assert "no choice in common" in page
    assert 'name="action"' not in page


def test_what_cannot_be_undone_is_counted_before_the_click(client, division):
    division.policy = {"emr_to_oncall": {"cancel": "ask"}}
    division.save()
    rows = [
        ask(make_pair(division, start=soon(90 + n), emr={"state": State.CANCELLED}))
        for n in range(2)
    ]
    page = post(client, row=values(rows))
    assert "Cancel in OnCall for all 2" in page
    assert "2 of them cannot be undone once they are sent." in page
    assert "2 decided." in post(client, row=values(rows), action="cancel_in_oncall")


def test_results_count_and_say_what_became_of_each(client, division):
    rows = [moved(division, n) for n in range(3)]
    chosen = values(rows)
    chosen[2] = f"{rows[2].pk}:older"
    page = post(client, row=chosen, action="use_emr")
    assert "2 decided, 1 changed while you looked: look again." in page
    assert page.count("Decided.") == 2
    assert "It changed while you looked: nothing was done." in page
    assert "Look again at 1" in page
    assert "Undo all 2" in page
    again = post(client, row=[f"{rows[2].pk}:"])
    assert "Decide 1 together" in again


def test_a_reload_of_the_results_decides_nothing_again(client, division):
    post(client, row=values([moved(division)]), action="leave_different")
    assert "1 decided." in client.get(reverse("together")).content.decode()
    assert Decision.objects.count() == 1


def test_the_whole_is_taken_back_and_so_is_one(client, division):
    rows = [moved(division, n) for n in range(3)]
    post(client, row=values(rows), action="use_emr")
    one = {"version": rows[0].version, "next": reverse("together")}
    client.post(reverse("mismatch_undo", args=[rows[0].pk]), one)
    assert "Undo all 2" in client.get(reverse("together")).content.decode()
    done = client.post(reverse("together_undo"), {"row": values(rows[1:])}, follow=True)
    assert "2 taken back." in done.content.decode()
    assert set(Push.objects.values_list("status", flat=True)) == {"undone"}


def test_what_is_only_remembered_is_taken_back_together_too(client, division):
    rows = [moved(division, n) for n in range(2)]
    page = post(client, row=values(rows), action="leave_different")
    assert "Undo all 2" in page
    shown = Mismatch.objects.order_by("pk")
    done = client.post(reverse("together_undo"), {"row": values(shown)}, follow=True)
    assert "2 taken back." in done.content.decode()
    assert not Decision.objects.filter(ended_at=None).exists()
    assert Mismatch.objects.filter(status="open").count() == 2


def test_rows_of_another_division_do_not_exist_here(client, division):
    theirs = moved(make_division("Uptown"), 7)
    page = post(client, row=[*values([theirs]), *values([moved(division)])])
    assert "Decide 1 together" in page
    assert "Patient 7." not in page
    post(client, row=values([theirs]), action="use_emr")
    assert not Push.objects.exists()


def test_a_viewer_decides_nothing(division):
    row = moved(division)
    client = Client()
    client.force_login(make_user("viewer", division, role=Role.VIEWER))
    assert "not decide there" in post(client, row=values([row]), action="use_emr")
    assert not Push.objects.exists()


@pytest.mark.parametrize("mode", ["observe", "paused"])
def test_what_writes_is_not_offered_where_nothing_is_written(client, division, mode):
    row = moved(division)
    division.mode = mode
    division.save()
    page = post(client, row=values([ask(row.pair)]))
    assert "Leave it different for all 1" in page
    assert "Use EMR for" not in page
    assert ("only observes" if mode == "observe" else "is paused") in page


def test_nothing_selected_goes_back_and_says_so(client, division):
    assert "Select some cards first." in post(client, next=reverse("queue") + "?all=1")
    assert client.get(reverse("together")).url == reverse("queue")


def test_queries_to_look_do_not_grow_with_the_rows(client, division, django_assert_max_num_queries):
    rows = [moved(division, n) for n in range(8)]
    with django_assert_max_num_queries(20) as few:
        post(client, row=values(rows[:2]))
    with django_assert_max_num_queries(20) as many:
        post(client, row=values(rows))
    assert len(few) == len(many)


# --- one cause -----------------------------------------------------------------------------------------


def test_a_folded_card_is_decided_at_once(client, division):
    Mismatch.objects.all().delete()
    division.brake_count, division.brake_percent = 6, 0
    division.save()
    rows = [moved(division, n, minutes=60) for n in range(8)]
    waves.fold([division.pk], timezone.now())
    wave = QuestionWave.objects.get()
    page = client.get(reverse("queue")).content.decode()
    assert "8 visits moved by exactly 60 minutes" in page
    assert "Decide all 8 together…" in page
    look = post(client, wave=wave.pk)
    assert "Use EMR for all 8" in look
    assert "8 writes in OnCall." in look
    assert "8 decided." in post(client, row=values(rows), action="use_emr")
    assert Push.objects.filter(action="use_emr").count() == 8


def test_all_visits_of_one_provider_are_decided_at_once(client, division):
    division.brake_count, division.brake_percent = 6, 0
    division.policy = {"emr_to_oncall": {"cancel": "ask"}}
    division.save()
    day = soon(24 * 60 * 3).replace(hour=15, minute=0)
    for number in range(8):
        start = day + timedelta(minutes=10 * number)
        ask(make_pair(division, start=start, emr={"state": State.CANCELLED}))
    waves.fold([division.pk], timezone.now())
    wave = QuestionWave.objects.get()
    assert "8 visits are those of Dr. Ada Osei" in client.get(reverse("queue")).content.decode()
    assert "Cancel in OnCall for all 8" in post(client, wave=wave.pk)


def test_a_wave_is_decided_in_bounded_parts_and_says_what_is_left(client, division, monkeypatch):
    wave = QuestionWave.objects.create(division=division, kind="values_differ", cause_key="x")
    for number in range(3):
        make_mismatch(division, start=soon(60 + number), wave=wave)
    monkeypatch.setattr(resolution, "MOST", 2)
    page = post(client, wave=wave.pk)
    assert "Decide 2 together" in page
    assert "1 more is left for the next time." in page


def test_a_wave_of_another_division_is_not_decided(client):
    other = make_division("Uptown")
    wave = QuestionWave.objects.create(division=other, kind="values_differ", cause_key="x")
    make_mismatch(other, wave=wave, patient="Somebody Else")
    page = post(client, wave=wave.pk)
    assert "Select some cards first." in page
    assert "Somebody Else" not in page
