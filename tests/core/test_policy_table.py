"""The table "per pair and field group, since its baseline" of the design's section 6, row by row.

Every row holds for both systems of record: the tests run with either.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from appointments.core.decisions import decide
from appointments.core.kinds import Kind, Scope
from appointments.core.policy import Permission, Subject, default_policy
from appointments.core.values import When
from emr_adapters.records import Group, Outcome, Side
from tests.core.make import (
    ABLE,
    ADA,
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
