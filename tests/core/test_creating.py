"""A visit without a partner: out of scope, in doubt, created, or asked (the create gate, section 6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from appointments.core.creates import MAX_PARTICIPANTS
from appointments.core.decisions import decide
from appointments.core.kinds import Kind, Operation, Scope
from appointments.core.plans import draft_for
from appointments.core.policy import (
    GateFacts,
    GateStop,
    Mode,
    create_gate,
    sweep_proves,
)
from appointments.core.question import Question
from appointments.core.values import Unmapped, When
from appointments.core.view import Candidate, View
from emr_adapters.records import Group, Outcome, Person, Side, State
from tests.core.make import (
    ABLE,
    ANA,
    BEFORE_LIVE,
    BEN,
    BOOK,
    LIVE_SINCE,
    MAILING,
    NOW,
    START,
    WINDOW,
    make_half,
    make_rules,
    make_single,
    offered,
    say,
)

both_sides = pytest.mark.parametrize("side", list(Side))
AUTO = say(Side.EMR, create="auto") | say(Side.ONCALL, create="auto")


def question_of(view: View, **rules: Any) -> Question:
    verdict = decide(view, make_rules(**rules), NOW)
    assert verdict.automatic is None
    assert verdict.question is not None
    return verdict.question


# --- out of scope ---------------------------------------------------------------------------------------------


@both_sides
@pytest.mark.parametrize(
    ("said", "scope"),
    [
        ({"state": State.CANCELLED}, Scope.CANCELLED),
        ({"state": State.REMOVED}, Scope.CANCELLED),
        ({"gone": True}, Scope.CANCELLED),
        ({"state": State.NOT_YET}, Scope.NOT_YET),
        ({"is_block": True}, Scope.BLOCK),
        ({"type": "skip"}, Scope.SKIPPED_TYPE),
        ({"type": "message"}, Scope.MESSAGE),
        ({"outcome": Outcome.NO_SHOW}, Scope.OUTCOME),
        ({"when": When(NOW, 30)}, Scope.PAST),
        ({"when": When(WINDOW[1], 30)}, Scope.OUTSIDE_WINDOW),
        ({"unmapped": (Unmapped("provider", "Practitioner/3"),)}, Scope.UNMAPPED),
        ({"listed_elsewhere": True}, Scope.CANDIDATE),
        ({"swept": False}, Scope.UNPROVEN),
    ],
)
def test_visit_that_needs_no_partner_says_why(side, said, scope):
    verdict = decide(make_single(side, **said), make_rules(policy=AUTO), NOW)
    assert (verdict.scope, verdict.automatic, verdict.question) == (scope, None, None)


@both_sides
def test_policy_never_puts_the_visit_out_of_scope(side):
    verdict = decide(make_single(side), make_rules(policy=say(side, create="never")), NOW)
    assert (verdict.scope, verdict.question) == (Scope.NEVER, None)


# --- the gate ------------------------------------------------------------------------------------------------


@both_sides
def test_visit_that_passes_the_gate_is_created(side):
    plan = decide(make_single(side), make_rules(side), NOW).automatic
    assert plan is not None
    assert (plan.operation, plan.side, plan.reference) == (
        Operation.CREATE,
        side.other,
        {"oncall": "1001", "emr": "77"}[side],
    )
    assert plan.mails == ((ANA.email,) if side is Side.EMR else ())


@pytest.mark.parametrize(
    ("began", "set_up", "proves"),
    [
        (None, timedelta(days=9), False),
        (timedelta(hours=1), timedelta(hours=1), True),
        (
            timedelta(hours=1),
            timedelta(minutes=59),
            False,
        ),  # began before the connection was set up
        (timedelta(hours=24) - timedelta(seconds=1), timedelta(days=9), True),
        (timedelta(hours=24), timedelta(days=9), False),
    ],
)
def test_gate_a_needs_a_complete_list_begun_since_the_set_up_and_under_a_day_old(
    began, set_up, proves
):
    at = None if began is None else NOW - began
    assert sweep_proves(at, set_up_at=NOW - set_up, now=NOW) is proves


@pytest.mark.parametrize(
    ("facts", "start", "stop"),
    [
        (GateFacts(True), START, None),
        (GateFacts(False), START, GateStop.NO_SWEEP),
        (GateFacts(True, ("1",)), START, GateStop.POSSIBLE_MATCH),
        (GateFacts(True, (), ("email",)), START, GateStop.LACKING),
        (GateFacts(True), NOW, GateStop.PAST),
        (GateFacts(True), NOW + timedelta(seconds=1), None),
    ],
)
def test_gate_stops_for_the_first_reason(facts, start, stop):
    assert create_gate(facts, start=start, now=NOW) is stop


@both_sides
@pytest.mark.parametrize("free", [True, False])
def test_gate_b_a_visit_that_could_be_this_one_is_asked(side, free):
    candidate = Candidate("5", make_half(side.other, id="5", people=(ANA,)), free)
    question = question_of(make_single(side, candidates=(candidate,)), record=side)
    assert question.kind is Kind.POSSIBLE_MATCH
    expected = (["link*"] if free else []) + ["not_a_match", "leave_different"]
    assert offered(question) == expected


def test_same_slot_of_another_patient_is_no_recommended_link():
    candidate = Candidate("5", make_half(Side.ONCALL, id="5", people=(BEN,)), True)
    question = question_of(make_single(Side.EMR, candidates=(candidate,)))
    assert offered(question) == ["link", "not_a_match", "leave_different"]


def test_several_candidates_are_told_apart_and_none_is_recommended():
    candidates = tuple(Candidate(i, make_half(Side.ONCALL, id=i), True) for i in ("5", "6"))
    question = question_of(make_single(Side.EMR, candidates=candidates))
    link = question.choice("link")
    assert link is not None
    assert not link.recommended
    assert [(t.id, t.label) for t in link.targets] == [
        ("5", "Ana Souza · 2026-03-03T15:00:00+00:00 · #5"),
        ("6", "Ana Souza · 2026-03-03T15:00:00+00:00 · #6"),
    ]


def test_decision_about_candidates_lapses_with_another_candidate():
    def ask(*ids: str) -> str:
        found = tuple(Candidate(i, make_half(Side.ONCALL, id=i), True) for i in ids)
        return question_of(make_single(Side.EMR, candidates=found)).subject

    assert ask("5", "6") == ask("6", "5")
    assert len({ask("5", "6"), ask("5", "6", "7"), ask("5", "7")}) == 3


@pytest.mark.parametrize(
    ("said", "lacking"),
    [
        ({"people": ()}, ["patient"]),
        ({"people": (replace(ANA, cancelled=True),)}, ["patient"]),
        ({"people": (), "problems": ("patient_not_readable",)}, ["patient_unreadable"]),
        ({"people": (Person("Ana Souza"),)}, ["email"]),
        ({"people": (ANA, Person("Ben Okafor"))}, ["email"]),
        ({"people": (ANA, Person("Ben Okafor", cancelled=True))}, []),
        ({"people": (ANA,) * MAX_PARTICIPANTS}, []),
        ({"people": (ANA,) * (MAX_PARTICIPANTS + 1)}, ["too_many"]),
        ({"when": When(None, 30)}, ["start"]),
        ({"when": None}, ["start", "minutes"]),
        ({"when": When(START, None)}, ["minutes"]),
        ({"provider": None}, ["provider"]),
        ({"type": None}, []),  # the division's default
        ({"type": None, "book": replace(BOOK, default_type="")}, ["type"]),
        ({"type": None, "book": replace(BOOK, default_type="skip")}, ["type"]),
        ({"book": replace(BOOK, places={})}, ["division"]),
    ],
)
def test_gate_d_what_oncall_needs_and_is_unknown_is_named_and_no_button_offered(said, lacking):
    verdict = decide(make_single(Side.EMR, **said), make_rules(), NOW)
    if not lacking:
        assert verdict.automatic is not None
        return
    assert verdict.automatic is None
    assert verdict.question is not None
    assert verdict.question.kind is Kind.MISSING_IN_ONCALL
    assert verdict.question.reason.code == "lacking"
    assert verdict.question.reason.details == {"fields": lacking}
    assert offered(verdict.question) == ["by_hand", "leave_different"]


@pytest.mark.parametrize(
    ("said", "lacking"),
    [
        ({"known_patients": None}, ["patient_not_looked_up"]),
        ({"known_patients": ()}, ["patient_unknown"]),
        ({"known_patients": (replace(BEN, id="Patient/3"),)}, ["patient_unknown"]),
        ({"known_patients": (replace(ANA, email="other@example.org"),)}, ["patient_unknown"]),
        (
            {"known_patients": (Person("Ana Souza Jr", ANA.email, "Patient/4"),)},
            ["patient_unknown"],
        ),
        ({"provider": None, "book": replace(BOOK, practitioners={})}, ["provider"]),
        ({"book": replace(BOOK, practitioners={})}, ["provider"]),
        ({"type": "phone"}, []),  # only a pattern gives it: the EMR is not told
        ({"type": None, "book": replace(BOOK, default_type="")}, []),
        ({"book": replace(BOOK, places={})}, []),
        ({"people": (Person("Ana Souza"),)}, ["patient_unknown"]),
    ],
)
def test_gate_d_what_the_emr_needs_and_is_unknown_is_named(said, lacking):
    verdict = decide(make_single(Side.ONCALL, **said), make_rules(Side.ONCALL), NOW)
    if not lacking:
        assert verdict.automatic is not None
        return
    assert verdict.question is not None
    assert verdict.question.reason.details == {"fields": lacking}
    assert "create_in_emr" not in "".join(offered(verdict.question))


def test_type_that_the_emr_has_no_word_for_is_left_out():
    plans = {
        held: decide(make_single(Side.ONCALL, type=held), make_rules(Side.ONCALL), NOW).automatic
        for held in ("phone", "inperson")
    }
    assert plans["phone"] is not None
    assert plans["inperson"] is not None
    assert Group.TYPE not in plans["phone"].values
    assert draft_for(plans["phone"], BOOK).type is None
    assert draft_for(plans["inperson"], BOOK).type == "clinic"


@both_sides
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"policy": say(Side.EMR, create="ask") | say(Side.ONCALL, create="ask")}, "policy_asks"),
        ({"mode": Mode.OBSERVE}, "observe"),
        ({"mode": Mode.PAUSED}, "paused"),
        ({"page_started_at": NOW}, "before_page"),
        (
            {"oncall": replace(MAILING, can_create=False), "emr": replace(ABLE, can_create=False)},
            "cannot_write",
        ),
    ],
)
def test_missing_visit_that_is_not_created_alone_says_why(side, said, reason):
    question = question_of(make_single(side), record=side, **said)
    assert question.kind == f"missing_in_{side.other}"
    assert question.reason.code == reason
    create = f"create_in_{side.other}*" if reason != "cannot_write" else "by_hand"
    assert offered(question) == [create, "leave_different"]


def test_target_that_cannot_create_says_so_before_what_is_lacking():
    deaf = replace(MAILING, can_create=False)
    question = question_of(make_single(Side.EMR, people=(Person("Ana Souza"),)), oncall=deaf)
    assert question.reason.code == "cannot_write"


def test_missing_visit_of_the_other_side_may_be_created_or_cancelled():
    question = question_of(make_single(Side.ONCALL), record=Side.EMR)
    assert question.kind is Kind.MISSING_IN_EMR
    assert offered(question) == ["create_in_emr*", "cancel_in_oncall!", "leave_different"]


def test_visit_booked_before_the_page_is_asked_whatever_changed_since():
    seen = dict.fromkeys(Group, LIVE_SINCE + timedelta(hours=1))
    since = question_of(make_single(Side.EMR, seen_at=seen | {Group.STATE: BEFORE_LIVE}))
    assert since.reason.code == "before_page"
    assert decide(make_single(Side.EMR, seen_at=seen), make_rules(), NOW).automatic is not None


def test_create_that_a_person_withheld_is_asked():
    question = question_of(make_single(Side.EMR, withheld_at=NOW))
    assert question.reason.code == "withheld"
    assert offered(question) == ["create_in_oncall*", "leave_different"]
    before = NOW - timedelta(days=1)
    seen = dict.fromkeys(Group, NOW)
    again = make_single(Side.EMR, seen_at=seen, withheld_at=before)
    assert decide(again, make_rules(), NOW).automatic is not None


def test_third_mail_within_the_hour_is_asked():
    assert question_of(make_single(Side.EMR, recent_mails=2)).reason.code == "mail_limit"
    assert decide(make_single(Side.EMR, recent_mails=1), make_rules(), NOW).automatic is not None


def test_create_that_failed_for_good_is_asked_with_retry():
    view = make_single(Side.EMR)
    plan = decide(view, make_rules(), NOW).automatic
    assert plan is not None
    question = question_of(replace(view, failed_plans=frozenset({plan.fingerprint})))
    assert question.kind is Kind.PUSH_FAILED
    assert offered(question) == ["retry*", "by_hand", "leave_different"]
