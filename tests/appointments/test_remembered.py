"""Remembered decisions, and what staff always answer as a rule of the division's policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from appointments import resolution
from appointments.configuration import habits
from appointments.gathering.claims import identity_subject
from appointments.mismatches import compare_pair
from appointments.models import (
    Appointment,
    AuditEvent,
    Decision,
    Division,
    LearnedRule,
    Mismatch,
    Note,
    Pair,
    Push,
    Role,
)
from emr_adapters.records import State
from tests.make import ask, make_division, make_mismatch, make_pair, make_user, soon

pytestmark = pytest.mark.django_db
REMEMBERED_QUERIES = 14


@pytest.fixture
def division():
    return make_division()


@pytest.fixture
def maria(division):
    return make_user("maria", division, first_name="Maria", last_name="Roy")


@pytest.fixture
def head(division):
    return make_user("head", division, role=Role.ADMINISTRATOR)


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


def no_email(division, **fields):
    """Only in the EMR, and it cannot be created: reception has to do something by hand."""
    return ask(make_pair(division, sides=("emr",), start=soon(600), **{"email": "", **fields}))


def settle(row, action, user):
    row.refresh_from_db()
    resolution.resolve(mismatch_id=row.pk, action=action, version=row.version, user=user)
    return row


def page(client, **asked):
    return client.get(reverse("remembered"), asked)


def shown(client, **asked):
    return [(m.title, m.label, m.state) for m in page(client, **asked).context["memories"]]


def revoke(client, decision):
    return client.post(reverse("remembered_revoke", args=[decision.pk]))


# --- the list -------------------------------------------------------------------------------------------


def test_each_decision_stands_there_with_what_who_when_and_why(division, client, maria):
    row = settle(moved(division), "leave_different", maria)
    Note.objects.create(mismatch=row, text="she knows", user=maria, author="Maria Roy")
    (memory,) = page(client).context["memories"]
    assert (memory.title, memory.label, memory.who) == (
        "Ana Souza",
        "Leave it different",
        "Maria Roy",
    )
    assert (memory.visit, memory.state) == (row.pair_id, "in force")
    assert "OnCall" in memory.why
    assert memory.notes == ["she knows (Maria Roy)"]
    (seen,) = AuditEvent.objects.filter(verb="viewed")
    assert (seen.details["page"], seen.subjects) == ("remembered", [str(row.pair_id)])


def test_it_is_filtered_by_state_decision_and_person(division, client, maria, head):
    settle(moved(division, patient="Ana Souza"), "leave_different", maria)
    settle(no_email(division, patient="Ben Okafor"), "by_hand", head)
    assert [title for title, *_ in shown(client)] == ["Ben Okafor", "Ana Souza"]
    assert [title for title, *_ in shown(client, action="by_hand")] == ["Ben Okafor"]
    assert [title for title, *_ in shown(client, who=maria.pk)] == ["Ana Souza"]
    assert (shown(client, state="ended"), len(shown(client, state="all"))) == ([], 2)


def test_a_word_whose_question_is_deleted_keeps_the_divisions_clock(division, client, maria):
    row = settle(possible(division), "not_a_match", maria)
    Mismatch.objects.filter(pk=row.pk).delete()
    Decision.objects.update(made_at=datetime(2026, 1, 15, 17, tzinfo=UTC))
    assert "12:00 EST" in page(client).content.decode()


def test_another_division_sees_nothing_and_may_revoke_nothing(division, maria):
    decision = settle(moved(division), "leave_different", maria).decisions.get()
    stranger = signed_in(make_user("stranger", make_division("Uptown")))
    assert shown(stranger, state="all") == []
    assert revoke(stranger, decision).status_code == 404
    viewer = signed_in(make_user("viewer", division, role=Role.VIEWER))
    assert len(shown(viewer)) == 1
    assert "Yes, revoke" not in page(viewer).content.decode()
    assert revoke(viewer, decision).status_code == 403
    assert Decision.objects.filter(ended_at=None).count() == 1


def test_a_word_about_records_that_changed_since_says_so(division, client, maria):
    row = patient_differs(division)
    settle(row, "link", maria)
    assert shown(client) == [("Ana Souza", "Same patient", "in force")]
    emr = row.pair.emr
    emr.record["people"][0]["name"] = "Ana Lima"
    emr.save()
    assert [state for *_, state in shown(client)] == ["no longer fits: a record has changed since"]


def test_the_list_asks_the_same_however_long_it_is(
    division, client, maria, django_assert_num_queries
):
    page(client)
    for number in (1, 5):
        for _ in range(number):
            settle(moved(division), "leave_different", maria)
        with django_assert_num_queries(REMEMBERED_QUERIES):
            page(client)


# --- revoking -------------------------------------------------------------------------------------------


def patient_differs(division):
    return ask(
        make_pair(
            division,
            start=soon(600),
            oncall={"patient": "Zoe Park", "email": "zoe@example.org"},
        )
    )


def test_revoking_what_was_left_different_asks_again(division, client, maria):
    row = settle(moved(division), "leave_different", maria)
    decision = row.decisions.get()
    assert not Mismatch.objects.unsettled().exists()
    assert revoke(client, decision).status_code == 302
    again = Mismatch.objects.unsettled().get()
    assert (again.pair_id, again.status, again.kind) == (row.pair_id, "open", row.kind)
    decision.refresh_from_db()
    assert decision.ended_because == "revoked"
    event = AuditEvent.objects.get(verb="revoked")
    assert (event.actor, event.pair_id, event.division) == ("maria", row.pair_id, division)
    assert event.details == {"action": "leave_different", "decision": decision.pk}
    assert shown(client, state="ended") == [("Ana Souza", "Leave it different", "revoked")]
    assert not Push.objects.exists()


def test_revoking_after_both_sides_agree_asks_nothing(division, client, maria):
    row = settle(moved(division), "leave_different", maria)
    pair = row.pair
    pair.oncall.record["start"] = pair.emr.record["start"]
    pair.oncall.save()
    revoke(client, row.decisions.get())
    assert not Mismatch.objects.unsettled().exists()


def test_revoking_work_by_hand_makes_it_one_to_decide(division, client, maria):
    row = settle(no_email(division), "by_hand", maria)
    assert Mismatch.objects.get(pk=row.pk).status == "waiting"
    revoke(client, row.decisions.get())
    assert Mismatch.objects.get(pk=row.pk).status == "open"


def possible(division):
    start = soon(600)
    same: Any = {"start": start, "patient": "Harpreet Singh"}
    pair = make_pair(division, sides=("emr",), email="harpreet@example.com", **same)
    make_pair(division, sides=("oncall",), email="h.singh@example.org", **same)
    return ask(pair)


def test_revoking_a_link_makes_two_of_them_again(division, client, maria):
    row = settle(possible(division), "link", maria)
    assert Pair.objects.count() == 1
    revoke(client, Decision.objects.get(action="link"))
    assert Pair.objects.count() == 2
    assert Mismatch.objects.unsettled().get().kind == row.kind


def test_revoking_not_the_same_suggests_them_again(division, client, maria):
    row = settle(possible(division), "not_a_match", maria)
    told = Decision.objects.get(action="not_a_match")
    assert row.kind not in {m.kind for m in Mismatch.objects.unsettled()}
    revoke(client, told)
    assert row.kind in {m.kind for m in Mismatch.objects.unsettled()}


def test_revoking_not_the_same_joins_what_belongs_together_at_once(division, client, maria):
    settle(possible(division), "not_a_match", maria)
    oncall = Appointment.objects.get(side="oncall")
    Appointment.objects.filter(side="emr").update(reference=oncall.remote_id)
    told = Decision.objects.get(action="not_a_match")
    told.subject = identity_subject(oncall, Appointment.objects.get(side="emr"))
    told.save()
    revoke(client, told)
    assert Pair.objects.get().linked_by == "reference"
    assert not Pair.objects.due(timezone.now()).exists()


def test_same_patient_is_revoked_without_parting_them(division, client, maria):
    row = settle(patient_differs(division), "link", maria)
    revoke(client, row.decisions.get())
    assert Pair.objects.count() == 1
    assert Mismatch.objects.unsettled().get().kind == "patient_differs"


def unreadable(division):
    return make_mismatch(
        division,
        kind="unreadable",
        code="unreadable",
        connection=division.emr,
        subject_key="Appointment/9",
        groups={},
        details={"side": "emr", "why": "no time"},
    )


def test_leaving_an_unreadable_record_is_recorded(division, maria):
    row = settle(unreadable(division), "leave_different", maria)
    event = AuditEvent.objects.get(verb="resolved")
    assert (event.user, event.division, event.pair) == (maria, division, None)
    assert event.subjects == [f"mismatch {row.pk}"]
    assert event.details == {
        "action": "leave_different",
        "kind": "unreadable",
        "target": "",
        "mismatch": row.pk,
    }


def test_an_unreadable_record_that_was_left_is_listed_again(division, client, maria):
    row = settle(unreadable(division), "leave_different", maria)
    revoke(client, row.decisions.get())
    row.refresh_from_db()
    assert (row.status, row.closed_because) == ("open", "")


def test_revoking_twice_says_so(division, client, maria):
    decision = settle(moved(division), "leave_different", maria).decisions.get()
    revoke(client, decision)
    answer = client.post(reverse("remembered_revoke", args=[decision.pk]), follow=True)
    assert "has ended already" in answer.content.decode()
    assert AuditEvent.objects.filter(verb="revoked").count() == 1


# --- learned rules --------------------------------------------------------------------------------------


def answered(division, user, actions, **fields):
    """The same question so many times, answered one after the other."""
    for action in actions:
        settle(moved(division, **fields), action, user)


def offers(client):
    return page(client).context["offers"]


def test_five_times_the_same_is_offered_with_its_back_test(division, client, maria):
    answered(division, maria, ["use_emr", *["use_oncall"] * 4])
    assert offers(client) == []
    answered(division, maria, ["use_oncall"])
    moved(division)
    (offer,) = offers(client)
    assert offer["sentence"] == (
        "In the last 90 days 7 such questions: 5 settled by “Use OnCall”, 1 otherwise, "
        "1 went away by itself or is open."
    )
    assert (offer["case"], offer["why_not"]) == ("OnCall changed the time of a visit", "")


def test_after_the_click_the_card_offers_it_only_where_a_rule_is_possible(division, client, maria):
    def said(row):
        return client.get(reverse("mismatch_habit", args=[row.pk])).status_code

    answered(division, maria, ["use_oncall"] * 4)
    row = settle(moved(division), "use_oncall", maria)
    assert said(row) == 200
    assert said(settle(moved(division), "use_emr", maria)) == 204
    answered(division, maria, ["use_emr"] * 4)
    assert said(row) == 204
    stranger = signed_in(make_user("stranger", make_division("Uptown")))
    assert stranger.get(reverse("mismatch_habit", args=[row.pk])).status_code == 404


def test_what_was_taken_back_or_is_older_than_ninety_days_does_not_count(division, client, maria):
    answered(division, maria, ["use_oncall"] * 5)
    last = Mismatch.objects.order_by("pk").last()
    assert last is not None
    resolution.undo(mismatch_id=last.pk, version=last.version, user=maria)
    assert offers(client) == []
    answered(division, maria, ["use_oncall"])
    assert len(offers(client)) == 1
    AuditEvent.objects.filter(verb="resolved").update(at=timezone.now() - timedelta(days=91))
    assert offers(client) == []


def test_what_the_policy_cannot_do_is_said_and_not_offered(division, head):
    answered(division, head, ["use_emr"] * 5)
    client = signed_in(head)
    (offer,) = offers(client)
    assert (offer["rule"], "never puts back" in offer["why_not"]) == ("", True)
    assert client.get(reverse("rule"), {"rule": offer["key"]}).status_code == 404
    assert client.post(reverse("rule_on"), {"rule": offer["key"]}).status_code == 302
    division.refresh_from_db()
    assert (division.policy, LearnedRule.objects.count()) == ({}, 0)


def test_only_an_administrator_of_the_division_switches_it_on(division, client, maria):
    answered(division, maria, ["use_oncall"] * 5)
    (offer,) = offers(client)
    assert "An administrator of the division can switch it on" in page(client).content.decode()
    stranger = signed_in(make_user("other", make_division("Uptown"), role=Role.ADMINISTRATOR))
    for who, seen, done in ((client, 403, 403), (stranger, 404, 302)):
        assert who.get(reverse("rule"), {"rule": offer["key"]}).status_code == seen
        assert who.post(reverse("rule_on"), {"rule": offer["key"]}).status_code == done
    division.refresh_from_db()
    assert division.policy == {}


def test_the_rule_shows_its_effect_first_and_saves_nothing_by_that(division, maria, head):
    answered(division, maria, ["use_emr", *["use_oncall"] * 5])
    client = signed_in(head)
    (offer,) = offers(client)
    before = (Mismatch.objects.count(), Push.objects.count())
    answer = client.get(reverse("rule"), {"rule": offer["key"]})
    assert [entry["label"] for entry in answer.context["contrary"]] == ["Use EMR"]
    assert answer.context["effects"][0] == (
        'division "Downtown": differences that exist now are asked, only later ones are settled '
        "alone (when from oncall happens alone now)"
    )
    division.refresh_from_db()
    assert (division.policy, Mismatch.objects.count(), Push.objects.count()) == ({}, *before)
    assert not AuditEvent.objects.filter(verb="division_updated").exists()


def test_a_rule_is_a_line_of_the_policy_and_is_taken_back(division, maria, head):
    answered(division, maria, ["use_oncall"] * 5)
    waits = moved(division)
    client = signed_in(head)
    (offer,) = offers(client)
    client.post(reverse("rule_on"), {"rule": offer["key"]})
    division.refresh_from_db()
    assert division.policy == {"oncall_to_emr": {"when": "auto"}}
    verbs = AuditEvent.objects.filter(user=head).order_by("pk").values_list("verb", flat=True)
    assert [v for v in verbs if v != "viewed"] == ["rule_learned", "division_updated"]
    # What differed by then is still asked (going live); what changes later is carried over alone.
    assert ask(waits.pair).status == "open"
    later = timezone.now() + timedelta(minutes=1)
    start = soon(900)
    pair = make_pair(division, start=start, oncall={"start": start + timedelta(minutes=30)})
    pair.oncall.seen_at["when"] = later.isoformat()
    pair.oncall.save()
    compare_pair(pair.pk)
    assert Push.objects.get(pair=pair).automatic
    assert offers(client) == []
    (shown_rule,) = page(client).context["rules"]
    assert shown_rule["in_force"]

    address = reverse("rule_off", args=[shown_rule["row"].pk])
    assert "Switch it off" in client.get(address).content.decode()
    assert client.post(address).status_code == 302
    division.refresh_from_db()
    assert division.policy == {}
    rule = LearnedRule.objects.get()
    assert (rule.ended_by, rule.same, rule.contrary) == (head, 5, 0)
    assert AuditEvent.objects.filter(verb="rule_unlearned", user=head).count() == 1
    assert client.post(address).status_code == 404


def test_a_rule_gives_back_what_the_policy_said_before_and_leaves_other_lines(
    division, maria, head
):
    division.policy = {"oncall_to_emr": {"when": "ask", "type": "never"}}
    division.save()
    answered(division, maria, ["use_oncall"] * 5)
    client = signed_in(head)
    client.post(reverse("rule_on"), {"rule": offers(client)[0]["key"]})
    division.refresh_from_db()
    assert division.policy == {"oncall_to_emr": {"when": "auto", "type": "never"}}
    client.post(reverse("rule_off", args=[LearnedRule.objects.get().pk]))
    division.refresh_from_db()
    assert division.policy == {"oncall_to_emr": {"when": "ask", "type": "never"}}


def test_a_cancellation_says_that_it_cannot_be_undone(division, maria, head):
    division.policy = {"emr_to_oncall": {"cancel": "ask"}}
    division.save()
    for _ in range(5):
        pair = make_pair(division, start=soon(600), emr={"state": State.CANCELLED})
        settle(ask(pair), "cancel_in_oncall", maria)
    client = signed_in(head)
    (offer,) = offers(client)
    answer = client.get(reverse("rule"), {"rule": offer["key"]}).content.decode()
    assert "cannot be undone and is mailed to the patient" in answer


def test_where_somebody_set_the_line_otherwise_since_the_rule_says_that_it_does_nothing(
    division, maria, head
):
    answered(division, maria, ["use_oncall"] * 5)
    client = signed_in(head)
    client.post(reverse("rule_on"), {"rule": offers(client)[0]["key"]})
    division.refresh_from_db()
    division.policy = {"oncall_to_emr": {"when": "never"}}
    division.save()
    assert "has been set otherwise since" in page(client).content.decode()
    client.post(reverse("rule_off", args=[LearnedRule.objects.get().pk]))
    division.refresh_from_db()
    assert division.policy == {"oncall_to_emr": {"when": "never"}}


# --- what somebody else saves meanwhile -------------------------------------------------------------


def between_offer_and_click(monkeypatch, happens):
    """``happens(offer)`` after the view has worked out the offer and before it makes the rule."""
    real = habits.offer_of

    def slow(*args):
        found = real(*args)
        happens(found)
        return found

    monkeypatch.setattr(habits, "offer_of", slow)


def test_a_rule_does_not_loosen_a_line_that_was_set_to_never_meanwhile(
    division, maria, head, monkeypatch
):
    answered(division, maria, ["use_oncall"] * 5)
    client = signed_in(head)
    key = offers(client)[0]["key"]
    never = {"oncall_to_emr": {"when": "never"}}
    rows = Division.objects.filter(pk=division.pk)
    between_offer_and_click(monkeypatch, lambda offer: rows.update(policy=never))
    answer = client.post(reverse("rule_on"), {"rule": key}, follow=True)
    division.refresh_from_db()
    assert (division.policy, LearnedRule.objects.count()) == (never, 0)
    assert "Nothing was changed" in answer.content.decode()


def test_two_clicks_make_one_rule_that_gives_back_what_was_there_before(
    division, maria, head, monkeypatch
):
    answered(division, maria, ["use_oncall"] * 5)
    client = signed_in(head)
    key = offers(client)[0]["key"]
    between_offer_and_click(monkeypatch, lambda offer: habits.learn(offer, head))
    assert client.post(reverse("rule_on"), {"rule": key}).status_code == 302
    rule = LearnedRule.objects.get()
    assert (rule.before, rule.ended_at) == ("", None)
    client.post(reverse("rule_off", args=[rule.pk]))
    division.refresh_from_db()
    assert division.policy == {}
