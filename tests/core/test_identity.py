"""Whose visit it is: identity in question, other patients, who counts as being on it (section 6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from appointments.core.compare import Change, compare
from appointments.core.decisions import decide
from appointments.core.kinds import Kind
from appointments.core.policy import Permission, Subject
from appointments.core.values import When
from emr_adapters.records import Group, Person, Side, State
from tests.core.make import (
    ABLE,
    ANA,
    BEN,
    LATER,
    NOW,
    by_side,
    make_baseline,
    make_rules,
    make_view,
    offered,
)

both_records = pytest.mark.parametrize("record", list(Side))
MOVED = When(LATER, 30)


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
    assert offered(verdict.question) == ["link", "not_a_match", "by_hand", "leave_different"]


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
    said: dict[str, Any] = {str(side): {"people": people} for side, people in theirs.items()}
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
