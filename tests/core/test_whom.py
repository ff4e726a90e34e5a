"""Whom a new visit is for, with whom, under which title; claims that contradict (section 6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from appointments.core.decisions import decide
from appointments.core.kinds import Kind
from appointments.core.plans import draft_for
from appointments.core.policy import (
    GateFacts,
)
from appointments.core.question import Question
from appointments.core.view import Candidate, IdentityDoubt, View
from emr_adapters.records import Group, Side
from tests.core.make import (
    ADA,
    ANA,
    BOOK,
    NOW,
    make_half,
    make_rules,
    make_single,
    offered,
)

both_sides = pytest.mark.parametrize("side", list(Side))
TWIN = replace(ANA, id="Patient/2")


def question_of(view: View, **rules: Any) -> Question:
    question = decide(view, make_rules(**rules), NOW).question
    assert question is not None
    return question


# --- whom and with whom ------------------------------------------------------------------------------------------


def test_several_fitting_patients_are_picked_from_by_birth_date():
    one = replace(ANA, id="Patient/1", birth_date="1980-01-02")
    two = replace(ANA, id="Patient/2", birth_date="2011-05-06")
    question = question_of(make_single(Side.ONCALL, known_patients=(one, two)), record=Side.ONCALL)
    assert question.reason.code == "pick"
    create = question.choice("create_in_emr")
    assert create is not None
    assert [(t.id, t.label) for t in create.targets] == [
        ("Patient/1", "Ana Souza, 1980-01-02"),
        ("Patient/2", "Ana Souza, 2011-05-06"),
    ]
    plans = [create.plan_for(target.id) for target in create.targets]
    assert [plan and plan.values[Group.PEOPLE] for plan in plans] == [(one,), (two,)]
    assert len({plan and plan.fingerprint for plan in plans}) == 2
    assert create.plan_for(None) is None
    assert not create.recommended


def test_patient_found_twice_is_one_patient():
    one = replace(ANA, id="Patient/1")
    view = make_single(Side.ONCALL, known_patients=(one, one))
    assert decide(view, make_rules(Side.ONCALL), NOW).automatic is not None


def test_patients_without_ids_cannot_be_picked_and_none_is_taken():
    view = make_single(Side.ONCALL, known_patients=(ANA, replace(ANA, name="A. Souza"), TWIN))
    verdict = decide(view, make_rules(Side.ONCALL), NOW)
    assert verdict.automatic is None


def test_unknown_provider_of_an_oncall_visit_is_picked():
    question = question_of(make_single(Side.ONCALL, provider=None), record=Side.ONCALL)
    create = question.choice("create_in_emr")
    assert create is not None
    assert [(t.id, t.label) for t in create.targets] == [
        ("196157", "Dr. Ada Osei"),
        ("196158", "Dr. Eve Roy"),
    ]


@pytest.mark.parametrize(
    ("template", "title"),
    [
        ("Visit with {provider}", "Visit with Dr. Ada Osei"),
        ("{provider} {provider}", "Dr. Ada Osei Dr. Ada Osei"),
        ("Visit", "Visit"),
        ("{", "{"),
        ("{} {0} {patient}", "{} {0} {patient}"),
        ("  {provider}  ", "Dr. Ada Osei"),
        ("{provider.__class__}", "{provider.__class__}"),
    ],
)
def test_title_is_the_template_and_never_raises(template, title):
    plan = decide(make_single(Side.EMR, title=template), make_rules(), NOW).automatic
    assert plan is not None
    assert plan.values[Group.LABEL] == title


def test_title_never_holds_the_emrs_own_words():
    plan = decide(make_single(Side.EMR, label="HIV follow-up"), make_rules(), NOW).automatic
    assert plan is not None
    assert draft_for(plan, BOOK).title == f"Visit with {ADA.name}"


# --- doubts -----------------------------------------------------------------------------------------------------


@both_sides
def test_two_that_claim_one_are_asked_and_nothing_is_created(side):
    doubt = IdentityDoubt(Kind.DUPLICATE_REFERENCE, ("5", "9", "8"))
    question = question_of(make_single(side, doubt=doubt), record=side)
    assert question.kind is Kind.DUPLICATE_REFERENCE
    assert question.reason.details["ids"] == ["5", "8", "9"]
    assert offered(question) == ["not_a_match", "by_hand", "leave_different"]


def test_reference_to_nothing_is_asked_and_may_be_created_only_after_a_complete_list():
    doubt = IdentityDoubt(Kind.DANGLING_REFERENCE, ("5",))
    view = make_single(Side.EMR, doubt=doubt)
    assert offered(question_of(view)) == ["create_in_oncall", "by_hand", "leave_different"]
    unproven = replace(view, gate=GateFacts())
    assert offered(question_of(unproven)) == ["by_hand", "leave_different"]
    candidate = Candidate("6", make_half(Side.ONCALL, id="6"), True)
    near = replace(view, candidates=(candidate,))
    assert offered(question_of(near)) == ["link", "by_hand", "leave_different"]
