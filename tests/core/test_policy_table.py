"""The table "per pair and field group, since its baseline" of the design's section 6, row by row.

Every row holds for both systems of record: the tests run with either.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from appointments.core.compare import Change, compare
from appointments.core.decisions import decide
from appointments.core.kinds import Kind, Scope
from appointments.core.policy import Mode, Permission, Subject, default_policy
from appointments.core.values import When
from emr_adapters.records import Group, Outcome, Person, Side, State
from tests.core.make import (
    ABLE,
    ADA,
    ANA,
    BEFORE_LIVE,
    BEN,
    EVE,
    LATER,
    NOW,
    START,
    BothSaid,
    by_side,
    make_baseline,
    make_rules,
    make_view,
    offered,
    say,
    written,
)

both_records = pytest.mark.parametrize("record", list(Side))
MOVED = When(LATER, 30)
ELSEWHEN = When(LATER + timedelta(hours=2), 30)
NEW = {"when": MOVED, "type": "inperson", "provider": (EVE,), "label": "Talk"}


# --- the defaults ---------------------------------------------------------------------------------------


@both_records
def test_defaults_from_the_record_are_as_the_design_says(record):
    assert default_policy(record)[record] == {
        Subject.CREATE: Permission.AUTO,
        Subject.WHEN: Permission.AUTO,
        Subject.TYPE: Permission.AUTO,
        Subject.CANCEL: Permission.AUTO,
        Subject.REFERENCE: Permission.AUTO,
        Subject.PEOPLE: Permission.ASK,
        Subject.PROVIDER: Permission.ASK,
        Subject.LABEL: Permission.NEVER,
    }


@both_records
def test_defaults_to_the_record_ask_but_for_label_and_reference(record):
    assert default_policy(record)[record.other] == dict.fromkeys(Subject, Permission.ASK) | {
        Subject.LABEL: Permission.NEVER,
        Subject.REFERENCE: Permission.AUTO,
    }


@both_records
def test_line_of_the_policy_wins_over_its_default_and_only_that_line(record):
    rules = make_rules(record, policy=say(record, when="ask"))
    assert rules.permission(record, Subject.WHEN) is Permission.ASK
    assert rules.permission(record, Subject.TYPE) is Permission.AUTO
    assert rules.permission(record.other, Subject.WHEN) is Permission.ASK


# --- neither, one, both -----------------------------------------------------------------------------------


@both_records
def test_neither_changed_agrees_and_moves_the_baseline(record):
    verdict = decide(make_view(), make_rules(record), NOW)
    assert (verdict.scope, verdict.automatic, verdict.question) == (None, None, None)
    assert verdict.agreed == frozenset(Group)


@both_records
@pytest.mark.parametrize(("group", "value"), NEW.items())
def test_both_changed_to_the_same_agrees_and_moves_the_baseline(record, group, value):
    verdict = decide(make_view({group: value}, {group: value}), make_rules(record), NOW)
    assert (verdict.automatic, verdict.question) == (None, None)
    assert verdict.agreed == frozenset(Group)


@both_records
@pytest.mark.parametrize("direction", ["from_record", "to_record"])
@pytest.mark.parametrize(("group", "value"), NEW.items())
@pytest.mark.parametrize("word", list(Permission))
def test_change_of_one_side_follows_policy(record, direction, group, value, word):
    source = record if direction == "from_record" else record.other
    view = make_view(**by_side(source, {group: value}, {}))
    rules = make_rules(record, policy=say(source, **{group: word}))
    verdict = decide(view, rules, NOW)
    assert verdict.agreed == frozenset(Group) - {Group(group)}
    if word is Permission.AUTO:
        assert written(verdict.automatic) == ("update", str(source.other), [group])
        assert verdict.question is None
    elif word is Permission.ASK:
        assert verdict.automatic is None
        assert verdict.question is not None
        assert verdict.question.kind is Kind.VALUES_DIFFER
        asks = "policy_asks" if source is record else "other_changed"
        assert verdict.question.reason.code == asks
        assert list(verdict.question.groups) == [Group(group)]
    else:
        assert (verdict.automatic, verdict.question) == (None, None)
        assert verdict.scope is (None if group == "label" else Scope.NEVER)


@both_records
@pytest.mark.parametrize(
    ("group", "from_record", "to_record"),
    [
        ("when", "written", "asked"),
        ("type", "written", "asked"),
        ("provider", "asked", "asked"),
        ("label", "nothing", "nothing"),
    ],
)
def test_change_of_one_side_under_the_defaults(record, group, from_record, to_record):
    for source, expected in ((record, from_record), (record.other, to_record)):
        verdict = decide(
            make_view(**by_side(source, {group: NEW[group]}, {})), make_rules(record), NOW
        )
        outcome = "written" if verdict.automatic else "asked" if verdict.question else "nothing"
        assert outcome == expected


@both_records
def test_other_sides_change_offers_the_records_word_or_to_accept(record):
    verdict = decide(make_view(**by_side(record, {}, {"when": MOVED})), make_rules(record), NOW)
    assert offered(verdict.question) == [
        f"use_{record}*",
        f"use_{record.other}",
        "leave_different",
    ]


@both_records
def test_both_changed_differently_is_asked_even_if_all_is_automatic(record):
    policy = {side: dict.fromkeys(Subject, Permission.AUTO) for side in Side}
    verdict = decide(
        make_view({"when": MOVED}, {"when": ELSEWHEN}), make_rules(record, policy=policy), NOW
    )
    assert verdict.automatic is None
    assert verdict.question is not None
    assert (verdict.question.kind, verdict.question.reason.code) == (
        Kind.VALUES_DIFFER,
        "both_changed",
    )


@both_records
@pytest.mark.parametrize(("group", "value"), [i for i in NEW.items() if i[0] != "label"])
def test_without_a_baseline_a_difference_is_asked_never_written(record, group, value):
    verdict = decide(
        make_view({group: value}, baseline=make_baseline(**{group: None})), make_rules(record), NOW
    )
    assert verdict.automatic is None
    assert verdict.question is not None
    assert verdict.question.reason.code == "first_sight"
    assert offered(verdict.question) == [
        f"use_{record}*",
        f"use_{record.other}",
        "not_a_match",
        "leave_different",
    ]


@both_records
def test_first_sight_is_hidden_only_if_policy_forbids_both_directions(record):
    view = make_view({"type": "inperson"}, baseline=make_baseline(type=None))
    one = decide(view, make_rules(record, policy=say(record, type="never")), NOW)
    assert offered(one.question) == [
        f"use_{record.other}",
        "not_a_match",
        "by_hand",
        "leave_different",
    ]
    both = say(record, type="never") | say(record.other, type="never")
    assert decide(view, make_rules(record, policy=both), NOW).scope is Scope.NEVER


@both_records
@pytest.mark.parametrize("silent", list(Side))
@pytest.mark.parametrize("group", [g for g in Group if g is not Group.STATE])
def test_what_one_side_does_not_state_is_not_compared_and_gets_no_baseline(record, silent, group):
    said: dict[str, Any] = {str(silent): {str(group): None}}
    verdict = decide(make_view(**said, baseline={}), make_rules(record), NOW)
    assert (verdict.automatic, verdict.question) == (None, None)
    assert verdict.agreed == frozenset(Group) - {group}


def test_what_we_wrote_and_the_side_never_states_counts_as_stated():
    unconfirmed = frozenset({Group.PROVIDER})
    view = make_view({"provider": (ADA,), "unconfirmed": unconfirmed}, {"provider": (EVE,)})
    verdict = decide(view, make_rules(policy=say(Side.EMR, provider="auto")), NOW)
    assert written(verdict.automatic) == ("update", "oncall", ["provider"])


@both_records
def test_baseline_that_no_longer_agrees_with_itself_is_first_sight(record):
    # Law 15: the type table now reads the EMR's old word as "phone"; nobody changed anything.
    baseline = make_baseline(type=BothSaid("online", "phone"))
    verdict = decide(
        make_view({"type": "online"}, {"type": "inperson"}, baseline=baseline),
        make_rules(record),
        NOW,
    )
    assert verdict.automatic is None
    assert verdict.question is not None
    assert verdict.question.reason.code == "first_sight"


@both_records
@pytest.mark.parametrize("group", ["when", "type", "provider"])
def test_change_that_the_other_side_cannot_be_told_is_settled_by_hand(record, group):
    deaf = replace(ABLE, accepts=ABLE.accepts - {Group(group)})
    rules = replace(
        make_rules(record),
        capabilities={record: ABLE, record.other: deaf},
    )
    verdict = decide(make_view(**by_side(record, {group: NEW[group]}, {})), rules, NOW)
    assert verdict.automatic is None
    assert verdict.question is not None
    assert verdict.question.reason.code == "cannot_write"
    assert offered(verdict.question) == [f"use_{record.other}", "by_hand", "leave_different"]


def test_type_that_is_not_held_on_oncall_is_never_sent_there():
    verdict = decide(make_view(emr={"type": "skip"}), make_rules(), NOW)
    assert verdict.automatic is None
    assert verdict.question is not None
    assert verdict.question.reason.code == "cannot_write"
    assert offered(verdict.question) == ["use_oncall", "by_hand", "leave_different"]


def test_type_without_a_word_in_the_emr_is_settled_by_hand():
    # "Phone*" is a pattern: there is no telling which of the EMR's types was meant.
    verdict = decide(make_view({"type": "phone"}), make_rules(Side.ONCALL), NOW)
    assert verdict.question is not None
    assert verdict.question.reason.code == "cannot_write"
    assert offered(verdict.question) == ["use_emr", "by_hand", "leave_different"]


# --- always a person ------------------------------------------------------------------------------------


@both_records
def test_changed_division_is_always_asked_and_settled_by_hand(record):
    policy = {side: dict.fromkeys(Subject, Permission.AUTO) for side in Side}
    told = replace(ABLE, accepts=frozenset(Group))
    rules = make_rules(record, policy=policy, oncall=told, emr=told)
    verdict = decide(make_view(**by_side(record, {"where": "Uptown"}, {})), rules, NOW)
    assert verdict.automatic is None
    assert verdict.question is not None
    assert verdict.question.reason.code == "division_changed"
    assert offered(verdict.question) == ["by_hand", "leave_different"]


@both_records
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("old_or_new", ["old", "new", "both"])
def test_start_that_has_passed_makes_nothing_automatic(record, side, old_or_new):
    past, future = When(NOW, 30), When(START, 30)
    old = future if old_or_new == "new" else past
    new = future if old_or_new == "old" else replace(past, minutes=45)
    policy = {side: {Subject.WHEN: Permission.AUTO} for side in Side}
    rules = make_rules(record, policy=policy)
    view = make_view(
        **by_side(side, {"when": new}, {"when": old}), baseline=make_baseline(when=old)
    )
    verdict = decide(view, rules, NOW)
    assert verdict.automatic is None
    assert verdict.question is not None
    assert verdict.question.reason.code == "past"
    assert not any(choice.recommended for choice in verdict.question.choices)


@both_records
def test_baselines_start_that_has_passed_makes_nothing_automatic(record):
    view = make_view(
        **by_side(record, {"type": "inperson"}, {}),
        baseline=make_baseline(when=When(NOW - timedelta(hours=1), 30)),
    )
    verdict = decide(view, make_rules(record), NOW)
    assert verdict.automatic is None
    assert verdict.question is not None
    assert verdict.question.reason.code == "past"


@both_records
def test_visit_starting_in_a_second_is_still_to_come(record):
    soon = When(NOW + timedelta(seconds=1), 30)
    view = make_view(
        {"when": soon}, {"when": soon}, baseline=make_baseline(when=soon, type="inperson")
    )
    moved = make_view(
        **by_side(record, {"when": soon, "type": "inperson"}, {"when": soon}),
        baseline=make_baseline(when=soon),
    )
    assert decide(view, make_rules(record), NOW).question is None
    assert written(decide(moved, make_rules(record), NOW).automatic) == (
        "update",
        str(record.other),
        ["type"],
    )


@both_records
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("outcome", list(Outcome))
def test_outcome_on_either_side_makes_nothing_automatic_not_even_a_reference(record, side, outcome):
    lacking = {"reference": None}
    view = make_view(**by_side(side, {"outcome": outcome, "type": "inperson", **lacking}, lacking))
    verdict = decide(view, make_rules(record), NOW)
    assert verdict.automatic is None
    assert verdict.question is not None


@both_records
@pytest.mark.parametrize("outcome", list(Outcome))
def test_outcome_is_never_compared_as_state(record, outcome):
    verdict = decide(make_view({"outcome": outcome}), make_rules(record), NOW)
    assert (verdict.automatic, verdict.question) == (None, None)


# --- identity in question ---------------------------------------------------------------------------------


@both_records
def test_identity_in_question_asks_what_would_be_automatic_and_writes_no_reference(record):
    view = make_view(
        **by_side(record, {"when": MOVED}, {"reference": None}), identity_in_question=True
    )
    verdict = decide(view, make_rules(record), NOW)
    assert verdict.automatic is None
    assert verdict.question is not None
    assert verdict.question.reason.code == "identity"
    assert offered(verdict.question) == [
        f"use_{record}",
        f"use_{record.other}",
        "not_a_match",
        "leave_different",
    ]


@both_records
def test_other_patient_is_asked_alone_and_nothing_is_written(record):
    view = make_view({"people": (BEN,), "reference": None}, {"when": MOVED}, baseline={})
    verdict = decide(view, make_rules(record), NOW)
    assert verdict.automatic is None
    assert verdict.question is not None
    assert verdict.question.kind is Kind.PATIENT_DIFFERS
    assert offered(verdict.question) == ["not_a_match", "by_hand", "leave_different"]


@both_records
def test_decision_about_another_patient_lapses_when_anything_else_differs_too(record):
    people = {"people": (BEN,)}
    before = decide(make_view(people), make_rules(record), NOW).question
    after = decide(
        make_view(**by_side(Side.ONCALL, people, {"when": MOVED})), make_rules(record), NOW
    ).question
    assert before is not None
    assert after is not None
    assert list(after.groups) == [Group.WHEN, Group.PEOPLE]
    assert before.subject != after.subject


@both_records
def test_person_who_linked_them_knowing_the_names_differ_is_believed(record):
    view = make_view({"people": (BEN,)}, people_confirmed=True)
    assert decide(view, make_rules(record), NOW).question is None


@both_records
def test_cancellation_of_another_patients_visit_is_never_carried(record):
    theirs = {Side.ONCALL: (BEN,), Side.EMR: (ANA,)}
    said = {str(side): {"people": people} for side, people in theirs.items()}
    said[str(record)]["state"] = State.CANCELLED
    view = make_view(**said, baseline=make_baseline(people=None))
    verdict = decide(view, make_rules(record), NOW)
    assert verdict.automatic is None
    assert verdict.question is not None
    assert verdict.question.reason.code == "identity"


# --- people ---------------------------------------------------------------------------------------------


def cancelled(person: Person) -> Person:
    return replace(person, cancelled=True)


@pytest.mark.parametrize(
    ("oncall", "emr", "differs"),
    [
        ((ANA,), (ANA,), False),
        ((ANA, BEN), (ANA,), False),  # extra OnCall participants are normal
        ((ANA,), (ANA, BEN), True),
        ((BEN,), (ANA,), True),
        ((), (ANA,), True),
        ((ANA,), (), False),
        ((), (), False),
        ((Person("ana  SOUZA", "other@example.org"),), (ANA,), False),  # the name decides
        ((Person("", "ANA@example.org"),), (ANA,), False),  # no name: the e-mail does
        ((Person("Bea Souza", "ana@example.org"),), (ANA,), True),  # a shared e-mail does not
        ((ANA, cancelled(BEN)), (ANA, BEN), False),  # one cancelled participant of a group
        ((cancelled(ANA),), (ANA,), True),  # nobody of the EMR's is left
        ((cancelled(ANA), BEN), (ANA,), True),
        ((BEN,), (BEN, cancelled(ANA)), False),
        ((BEN,), (cancelled(ANA),), False),
    ],
)
def test_people_differ_only_if_a_patient_is_not_among_the_participants(oncall, emr, differs):
    view = make_view({"people": oncall}, {"people": emr}, baseline={})
    findings = compare(view.halves[Side.ONCALL], view.halves[Side.EMR], {})
    assert (findings[Group.PEOPLE].change is not Change.AGREE) is differs


def test_people_are_never_written():
    policy = {side: dict.fromkeys(Subject, Permission.AUTO) for side in Side}
    told = replace(ABLE, accepts=frozenset(Group))
    verdict = decide(
        make_view({"people": (ANA,)}, {"people": (ANA, BEN)}),
        make_rules(policy=policy, oncall=told, emr=told),
        NOW,
    )
    assert verdict.automatic is None
    assert verdict.question is not None
    assert verdict.question.kind is Kind.VALUES_DIFFER
    assert offered(verdict.question) == ["by_hand", "leave_different"]


def test_cancelled_participant_is_oncalls_change():
    view = make_view({"people": (cancelled(ANA),)})
    findings = compare(view.halves[Side.ONCALL], view.halves[Side.EMR], view.baseline)
    assert findings[Group.PEOPLE].changed is Side.ONCALL


def test_visit_without_participants_is_not_somebody_elses():
    verdict = decide(make_view({"people": ()}, baseline={}), make_rules(), NOW)
    assert verdict.question is not None
    assert verdict.question.kind is Kind.VALUES_DIFFER


# --- mode, page, mails --------------------------------------------------------------------------------------


@both_records
@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.PAUSED])
def test_nothing_is_automatic_outside_live(record, mode):
    view = make_view(**by_side(record, {"when": MOVED}, {"reference": None}))
    verdict = decide(view, make_rules(record, mode=mode), NOW)
    assert verdict.automatic is None
    assert verdict.question is not None
    assert verdict.question.reason.code == str(mode)


@both_records
@pytest.mark.parametrize(("age", "asks"), [(-1, True), (0, False), (1, False)])
def test_difference_first_seen_before_the_page_is_asked(record, age, asks):
    rules = make_rules(record)
    seen = rules.page_started_at + timedelta(seconds=age)
    view = make_view(**by_side(record, {"when": MOVED, "seen": seen}, {}))
    verdict = decide(view, rules, NOW)
    assert (verdict.question is not None) is asks
    if asks:
        assert verdict.question is not None
        assert verdict.question.reason.code == "before_page"


@both_records
def test_page_looks_at_the_group_that_changed_and_at_who_changed_it(record):
    fresh = dict.fromkeys(Group, BEFORE_LIVE) | {Group.WHEN: NOW}
    view = make_view(**by_side(record, {"when": MOVED, "seen_at": fresh}, {"seen": BEFORE_LIVE}))
    assert written(decide(view, make_rules(record), NOW).automatic) == (
        "update",
        str(record.other),
        ["when"],
    )


@pytest.mark.parametrize(("mailed", "asks"), [(0, False), (1, False), (2, True), (3, True)])
def test_third_mail_within_the_hour_is_asked(mailed, asks):
    verdict = decide(make_view(emr={"when": MOVED}, recent_mails=mailed), make_rules(), NOW)
    assert (verdict.automatic is None) is asks
    if asks:
        assert verdict.question is not None
        assert verdict.question.reason.code == "mail_limit"


def test_write_that_mails_nobody_knows_no_mail_limit():
    silent = decide(make_view({"when": MOVED}, recent_mails=9), make_rules(Side.ONCALL), NOW)
    kind = decide(make_view(emr={"type": "inperson"}, recent_mails=9), make_rules(), NOW)
    assert written(silent.automatic) == ("update", "emr", ["when"])
    assert written(kind.automatic) == ("update", "oncall", ["type"])


# --- scope ------------------------------------------------------------------------------------------------


@both_records
@pytest.mark.parametrize("side", list(Side))
def test_pair_is_in_scope_while_either_half_is_in_the_window(record, side):
    far = When(NOW + timedelta(days=90), 30)
    one = make_view(**by_side(side, {"when": far}, {}))
    both = make_view({"when": far}, {"when": far})
    assert decide(one, make_rules(record), NOW).scope is None
    assert decide(both, make_rules(record), NOW).scope is Scope.OUTSIDE_WINDOW


@both_records
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("other", [State.BOOKED, State.CANCELLED])
def test_what_is_not_yet_a_visit_is_left_alone(record, side, other):
    view = make_view(**by_side(side, {"state": State.NOT_YET}, {"state": other}))
    verdict = decide(view, make_rules(record), NOW)
    assert (verdict.scope, verdict.automatic, verdict.question) == (Scope.NOT_YET, None, None)
