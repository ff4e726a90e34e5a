"""Cancelled, un-cancelled, gone, moved (design, section 6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from appointments.core.compare import Half
from appointments.core.decisions import decide
from appointments.core.kinds import Operation, Scope
from appointments.core.policy import Mode, Rules
from appointments.core.values import When
from appointments.core.view import Replacement, View
from emr_adapters.records import Group, Outcome, Person, Side, State
from tests.core.make import (
    ABLE,
    ANA,
    BEFORE_LIVE,
    BEN,
    LATER,
    MAILING,
    NOW,
    BothSaid,
    by_side,
    make_baseline,
    make_half,
    make_rules,
    make_view,
    offered,
    say,
    written,
)

both_records = pytest.mark.parametrize("record", list(Side))
OFF = {"state": State.CANCELLED}
KNOWN = (replace(ANA, id="Patient/1"),)


def asked(view: View, rules: Rules) -> tuple[str, str]:
    """(kind, reason) of the question; nothing may be automatic beside it."""
    verdict = decide(view, rules, NOW)
    assert verdict.automatic is None
    assert verdict.question is not None
    return str(verdict.question.kind), verdict.question.reason.code


def use_of(side: Side) -> str:
    return f"cancel_in_{side}" + ("!" if side is Side.ONCALL else "")


# --- cancelled -------------------------------------------------------------------------------------------


@both_records
def test_cancellation_by_the_record_is_carried_after_the_delay(record):
    rules = make_rules(record, cancel_delay=timedelta(minutes=7))
    plan = decide(make_view(**by_side(record, OFF, {})), rules, NOW).automatic
    assert plan is not None
    assert (plan.operation, plan.side, plan.delay) == (
        Operation.CANCEL,
        record.other,
        timedelta(minutes=7),
    )


@both_records
def test_cancellation_by_the_other_side_is_asked(record):
    view = make_view(**by_side(record, {}, OFF), known_patients=KNOWN)
    assert asked(view, make_rules(record)) == ("cancelled_on_one_side", "policy_asks")


def test_cancellation_in_oncall_offers_to_cancel_or_to_book_again():
    view = make_view(oncall=OFF)
    assert offered(decide(view, make_rules(), NOW).question) == [
        "cancel_in_emr*",
        "create_in_oncall",
        "leave_different",
    ]


@both_records
def test_policy_never_neither_carries_nor_asks_a_cancellation(record):
    view = make_view(**by_side(record, OFF, {}))
    verdict = decide(view, make_rules(record, policy=say(record, cancel="never")), NOW)
    assert (verdict.scope, verdict.automatic, verdict.question) == (Scope.NEVER, None, None)


@both_records
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"identity_in_question": True}, "identity"),
        ({"recent_mails": 2}, "mail_limit"),
        ({"withheld_at": NOW}, "withheld"),
    ],
)
def test_cancellation_is_held_back_like_any_other_change(record, change, reason):
    rules = make_rules(record, oncall=MAILING, emr=MAILING)
    assert asked(make_view(**by_side(record, OFF, {}), **change), rules)[1] == reason


@both_records
@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.PAUSED])
def test_cancellation_outside_live_is_asked(record, mode):
    assert asked(make_view(**by_side(record, OFF, {})), make_rules(record, mode=mode))[1] == mode


@both_records
def test_cancellation_first_seen_before_the_page_is_asked(record):
    view = make_view(**by_side(record, OFF | {"seen": BEFORE_LIVE}, {}))
    assert asked(view, make_rules(record))[1] == "before_page"


@both_records
@pytest.mark.parametrize("outcome", list(Outcome))
def test_cancellation_beside_an_outcome_is_asked(record, outcome):
    view = make_view(**by_side(record, OFF, {"outcome": outcome}))
    assert asked(view, make_rules(record))[1] == "outcome"


@both_records
def test_cancellation_after_the_start_is_asked_recommends_nothing_and_books_nothing(record):
    past = {"when": When(NOW, 30)}
    view = make_view(
        **by_side(record, OFF | past, past),
        baseline=make_baseline(when=past["when"]),
        known_patients=KNOWN,
    )
    question = decide(view, make_rules(record), NOW).question
    assert offered(question) == [use_of(record.other), "by_hand", "leave_different"]
    assert question is not None
    assert question.reason.code == "past"


@both_records
def test_cancellation_that_cannot_be_told_is_settled_by_hand(record):
    rules = replace(
        make_rules(record),
        capabilities={record: ABLE, record.other: replace(ABLE, can_cancel=False)},
    )
    view = make_view(**by_side(record, OFF, {}))
    assert asked(view, rules) == ("cancelled_on_one_side", "cannot_write")
    assert "by_hand" in offered(decide(view, rules, NOW).question)


@pytest.mark.parametrize(
    ("oncall", "emr", "asks"),
    [
        ((ANA,), (ANA,), False),
        ((ANA,), (ANA, BEN), False),
        ((ANA, BEN), (ANA,), True),
        ((ANA, replace(BEN, cancelled=True)), (ANA,), True),
        ((), (), False),
        (None, (ANA,), True),  # OnCall did not say who is on it
        ((ANA,), None, True),  # the EMR did not say whose it is
        ((Person("Ana Souza", "new@example.org"),), (ANA,), False),
    ],
)
def test_cancellation_in_oncall_needs_every_participant_known_to_the_emr(oncall, emr, asks):
    view = make_view({"people": oncall}, OFF | {"people": emr})
    if asks:
        assert asked(view, make_rules()) == ("cancelled_on_one_side", "unknown_participants")
        assert not any(
            mark.endswith("*") for mark in offered(decide(view, make_rules(), NOW).question)
        )
    else:
        assert written(decide(view, make_rules(), NOW).automatic) == ("cancel", "oncall", [])


def test_cancel_in_oncall_cannot_be_undone_whoever_is_on_it():
    for people in ((ANA,), ()):
        plan = decide(make_view({"people": people}, OFF | {"people": people}), make_rules(), NOW)
        assert plan.automatic is not None
        assert plan.automatic.irreversible
        assert plan.automatic.mails == tuple(p.email for p in people)


def test_cancel_in_the_emr_asks_only_once():
    plan = decide(make_view(oncall=OFF), make_rules(Side.ONCALL), NOW).automatic
    assert plan is not None
    assert (plan.irreversible, plan.mails) == (False, ())


@both_records
def test_both_cancelled_is_settled(record):
    verdict = decide(make_view(OFF, OFF), make_rules(record), NOW)
    assert (verdict.scope, verdict.automatic, verdict.question) == (Scope.CANCELLED, None, None)
    assert Group.STATE in verdict.agreed


@both_records
@pytest.mark.parametrize("side", list(Side))
def test_cancelled_without_a_baseline_is_asked(record, side):
    view = make_view(**by_side(side, OFF, {}), baseline=make_baseline(state=None))
    assert asked(view, make_rules(record)) == ("cancelled_on_one_side", "first_sight")


def test_first_sight_recommends_only_the_records_cancellation():
    for side, recommended in ((Side.EMR, True), (Side.ONCALL, False)):
        view = make_view(**by_side(side, OFF, {}), baseline={}, known_patients=KNOWN)
        marks = offered(decide(view, make_rules(Side.EMR), NOW).question)
        assert any("*" in mark for mark in marks) is recommended


# --- cancelled here, edited there ---------------------------------------------------------------------------


@both_records
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(
    ("group", "value"), [("when", When(LATER, 30)), ("type", "inperson"), ("where", "Uptown")]
)
def test_cancelled_here_and_edited_there_is_always_asked_and_shows_the_edit(
    record, side, group, value
):
    view = make_view(**by_side(side, OFF, {group: value}))
    rules = make_rules(
        record, policy=say(Side.ONCALL, cancel="auto") | say(Side.EMR, cancel="auto")
    )
    question = decide(view, rules, NOW).question
    assert asked(view, rules) == ("cancel_vs_edit", "cancelled_and_edited")
    assert question is not None
    assert set(question.groups) == {Group.STATE, Group.WHEN, Group(group)}
    assert not any(choice.recommended for choice in question.choices)


@both_records
def test_side_that_cancelled_and_edited_only_cancels(record):
    view = make_view(**by_side(record, OFF | {"when": When(LATER, 30)}, {}))
    assert written(decide(view, make_rules(record), NOW).automatic) == (
        "cancel",
        str(record.other),
        [],
    )


# --- un-cancelled -------------------------------------------------------------------------------------------


@both_records
@pytest.mark.parametrize("side", list(Side))
def test_uncancelled_is_always_a_person(record, side):
    view = make_view(
        **by_side(side, {}, OFF), baseline=make_baseline(state="cancelled"), known_patients=KNOWN
    )
    assert asked(view, make_rules(record)) == ("cancelled_on_one_side", "uncancelled")


def test_uncancelled_by_the_record_recommends_a_new_visit():
    view = make_view(oncall=OFF, baseline=make_baseline(state="cancelled"))
    question = decide(view, make_rules(Side.EMR), NOW).question
    assert offered(question) == ["cancel_in_emr", "create_in_oncall*", "leave_different"]
    assert question is not None
    create = question.choice("create_in_oncall")
    assert create is not None
    assert create.plan is not None
    assert create.plan.reference == "77"


def test_uncancelled_by_the_record_never_recommends_to_cancel_it_again():
    view = make_view(
        oncall=OFF, emr={"people": (Person("Ana"),)}, baseline=make_baseline(state="cancelled")
    )
    question = decide(view, make_rules(Side.EMR), NOW).question
    assert offered(question) == ["cancel_in_emr", "by_hand", "leave_different"]


@both_records
def test_uncancelled_is_hidden_only_if_neither_answer_is_allowed(record):
    view = make_view(
        **by_side(record, {}, OFF), baseline=make_baseline(state="cancelled"), known_patients=KNOWN
    )
    one = say(record.other, cancel="never")
    both = one | say(record, create="never")
    assert asked(view, make_rules(record, policy=one))[1] == "uncancelled"
    assert decide(view, make_rules(record, policy=both), NOW).scope is Scope.NEVER


# --- gone and removed -----------------------------------------------------------------------------------------


@both_records
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(
    ("said", "reason"), [({"gone": True}, "gone"), ({"state": State.REMOVED}, "removed")]
)
def test_gone_or_removed_is_always_asked_and_nothing_recommended(record, side, said, reason):
    policy = say(Side.ONCALL, cancel="auto") | say(Side.EMR, cancel="auto")
    view = make_view(**by_side(side, said, {}))
    rules = make_rules(record, policy=policy)
    assert asked(view, rules) == ("vanished", reason)
    assert "*" not in "".join(offered(decide(view, rules, NOW).question))


def test_gone_is_asked_even_if_cancels_are_never_carried_but_then_not_offered():
    view = make_view(emr={"gone": True})
    question = decide(view, make_rules(policy=say(Side.EMR, cancel="never")), NOW).question
    assert offered(question) == ["by_hand", "leave_different"]


# --- moved ----------------------------------------------------------------------------------------------------


def moved_view(side: Side) -> View:
    new: Half = make_half(side, id="new", when=When(LATER, 30))
    return make_view(**by_side(side, OFF, {}), replacement=Replacement(new))


@both_records
@pytest.mark.parametrize("side", list(Side))
def test_cancelled_and_booked_again_is_one_moved_question(record, side):
    view = moved_view(side)
    question = decide(view, make_rules(record), NOW).question
    assert asked(view, make_rules(record)) == ("moved", "moved")
    assert offered(question) == [f"use_{side}*", "not_a_match", "by_hand", "leave_different"]
    assert question is not None
    plan = question.choices[0].plan
    assert plan is not None
    assert (plan.side, plan.values, plan.reference, plan.adopts) == (
        side.other,
        {Group.WHEN: When(LATER, 30)},
        "new",
        "new",
    )


def test_moved_shows_the_old_time_there_and_the_new_one_here():
    question = decide(moved_view(Side.EMR), make_rules(), NOW).question
    assert question is not None
    shown = question.groups[Group.WHEN]
    assert (shown.oncall["start"], shown.emr["start"]) == (
        "2026-03-03T15:00:00Z",
        "2026-03-03T15:45:00Z",
    )


def test_moved_by_a_time_that_may_never_be_carried_is_settled_by_hand():
    for rules in (
        make_rules(policy=say(Side.EMR, when="never")),
        make_rules(oncall=replace(MAILING, accepts=frozenset())),
    ):
        question = decide(moved_view(Side.EMR), rules, NOW).question
        assert offered(question) == ["not_a_match", "by_hand", "leave_different"]


def test_decision_about_a_move_lapses_with_another_new_visit():
    one = decide(moved_view(Side.EMR), make_rules(), NOW).question
    other = make_half(Side.EMR, id="newer", when=When(LATER, 30))
    two = decide(make_view(emr=OFF, replacement=Replacement(other)), make_rules(), NOW).question
    assert one is not None
    assert two is not None
    assert one.subject != two.subject


def test_re_read_baseline_of_the_state_does_not_matter_to_a_cancellation():
    view = make_view(emr=OFF, baseline=make_baseline(type=BothSaid("online", "phone")))
    assert written(decide(view, make_rules(), NOW).automatic) == ("cancel", "oncall", [])
