"""What a person is shown: versions, lapsing decisions, choices, urgency (design, sections 6 and 7)."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from appointments.core.decisions import decide
from appointments.core.kinds import Kind, Operation
from appointments.core.plans import Plan
from appointments.core.question import Question, choice_to_json
from appointments.core.urgency import HARM, urgency
from appointments.core.values import When
from emr_adapters.records import Group, Person, Side, State
from tests.core.make import (
    ABLE,
    ADA,
    ANA,
    BEN,
    EVE,
    LATER,
    NOW,
    START,
    make_baseline,
    make_half,
    make_rules,
    make_single,
    make_view,
    offered,
    say,
)

MOVED = When(LATER, 30)


def ask(oncall: Any = None, emr: Any = None, **fields: Any) -> Question:
    rules = fields.pop("rules", make_rules())
    question = decide(make_view(oncall, emr, **fields), rules, NOW).question
    assert question is not None
    return question


# --- version and subject ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "oncall",
    [
        {"raw_status": "Incomplete"},
        {"problems": ("odd",)},
        {"label": "Another title"},
        {"people": (ANA, BEN)},
        {"seen_at": dict.fromkeys(Group, NOW)},
    ],
)
def test_version_stays_while_what_is_shown_stays(oncall):
    assert (
        ask({"when": MOVED}, people_confirmed=True).subject
        == ask({"when": MOVED} | oncall, people_confirmed=True).subject
    )
    if "people" not in oncall:  # more people: more who are mailed
        assert ask({"when": MOVED}).version == ask({"when": MOVED} | oncall).version


@pytest.mark.parametrize(
    "changed",
    [
        {"oncall": {"when": When(LATER, 45)}},
        {
            "oncall": {"when": MOVED, "people": (replace(ANA, email="new@example.org"),)}
        },  # who is mailed
        {"oncall": {"when": MOVED}, "rules": make_rules(policy=say(Side.ONCALL, when="never"))},
        {
            "oncall": {"when": MOVED},
            "baseline": make_baseline(when=None),
        },
        {"oncall": {"when": MOVED, "type": "phone"}},
    ],
    ids=["value", "mails", "choices", "baseline", "groups"],
)
def test_version_changes_with_anything_that_is_shown(changed):
    try:
        version = ask(**changed).version
    except AssertionError:
        version = ""  # no question any more
    assert version != ask({"when": MOVED}).version


def test_time_passing_changes_no_version():
    view = make_view({"when": MOVED})
    versions = {
        q.version
        for minutes in (0, 1, 60)
        if (q := decide(view, make_rules(), NOW + timedelta(minutes=minutes)).question)
    }
    assert len(versions) == 1


@pytest.mark.parametrize(
    ("oncall", "emr"),
    [
        ({"when": When(LATER, 31)}, {}),
        ({"when": When(LATER + timedelta(minutes=1), 30)}, {}),
        ({"when": MOVED}, {"when": When(START - timedelta(minutes=5), 30)}),
        ({"when": MOVED, "id": "1002"}, {}),
    ],
)
def test_decision_lapses_when_either_value_changes(oncall, emr):
    assert ask(oncall, emr).subject != ask({"when": MOVED}).subject


def test_decision_holds_when_only_the_reason_or_the_choices_change():
    before = ask({"when": MOVED})
    after = ask({"when": MOVED}, rules=make_rules(emr=replace(ABLE, accepts=frozenset())))
    assert before.subject == after.subject
    assert before.version != after.version


def test_decision_goes_by_compared_values_only():
    providers = [
        ask({"provider": (p,)}).subject for p in (EVE, replace(EVE, name="Dr. Evelyn Roy"))
    ]
    people = [
        ask(emr={"people": given}).subject
        for given in ((ANA, BEN), (BEN, ANA), (replace(ANA, name="SOUZA, Ana"), BEN))
    ]
    assert len(set(providers)) == 1
    assert len(set(people)) == 1


def test_decision_lapses_with_another_kind_of_question():
    cancelled = ask(
        emr={"state": State.CANCELLED}, rules=make_rules(policy=say(Side.EMR, cancel="ask"))
    )
    edited = ask({"when": MOVED}, {"state": State.CANCELLED})
    assert cancelled.subject != edited.subject


def test_fingerprint_is_the_write_and_nothing_else():
    plan = Plan(Operation.UPDATE, Side.EMR, {Group.WHEN: MOVED, Group.TYPE: "phone"})
    same = Plan(
        Operation.UPDATE,
        Side.EMR,
        {Group.TYPE: "phone", Group.WHEN: MOVED},
        mails=("x",),
        delay=timedelta(1),
    )
    assert plan.fingerprint == same.fingerprint
    others = [
        replace(plan, side=Side.ONCALL),
        replace(plan, operation=Operation.CREATE),
        replace(plan, values={Group.WHEN: MOVED}),
        replace(plan, reference="1"),
        replace(plan, adopts="1"),
        replace(plan, values={Group.WHEN: When(LATER, 31), Group.TYPE: "phone"}),
    ]
    assert len({p.fingerprint for p in (plan, *others)}) == 1 + len(others)


def test_fingerprint_tells_two_patients_of_one_name_apart():
    plans = [
        Plan(Operation.CREATE, Side.EMR, {Group.PEOPLE: (replace(ANA, id=i),)}) for i in ("1", "2")
    ]
    assert plans[0].fingerprint != plans[1].fingerprint


def test_fingerprints_and_versions_are_the_same_in_every_process():
    script = (
        "from appointments.core.decisions import decide\n"
        "from tests.core.make import *\n"
        "q = decide(make_view({'when': When(LATER, 30), 'type': 'inperson'}), make_rules(), NOW).question\n"
        "print(q.version, q.subject, q.choices[0].plan.fingerprint)\n"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1


# --- choices ------------------------------------------------------------------------------------------------------


def test_every_question_can_be_left_and_recommends_at_most_one():
    views = {
        "differ": make_view({"when": MOVED}),
        "both": make_view({"when": MOVED}, {"when": When(LATER, 60)}),
        "sight": make_view({"type": "inperson"}, baseline={}),
        "patient": make_view({"people": (BEN,)}),
        "off": make_view({"state": State.CANCELLED}),
        "gone": make_view({"gone": True}),
        "missing": make_single(Side.ONCALL),
        "lacking": make_single(Side.EMR, people=(Person("Ana"),)),
    }
    for name, view in views.items():
        question = decide(view, make_rules(), NOW).question
        assert question is not None, name
        assert question.choices[-1].action == "leave_different", name
        assert sum(choice.recommended for choice in question.choices) <= 1, name
        actions = [choice.action for choice in question.choices]
        assert len(actions) == len(set(actions)), name


def test_choice_is_offered_as_far_as_the_other_side_can_be_told():
    question = ask({"when": MOVED, "people": ()}, baseline={})
    assert offered(question) == [
        "use_emr*",
        "use_oncall",
        "not_a_match",
        "by_hand",
        "leave_different",
    ]
    assert [list(c.plan.values) for c in question.choices if c.plan] == [[Group.WHEN]] * 2
    assert list(question.groups) == [Group.WHEN, Group.PEOPLE]


def test_choice_that_policy_forbids_is_not_offered():
    rules = make_rules(policy=say(Side.ONCALL, when="never"))
    question = ask({"when": MOVED}, {"when": When(LATER, 60)}, rules=rules)
    assert offered(question) == ["use_emr*", "by_hand", "leave_different"]


def test_preview_names_who_is_mailed_only_where_mail_is_sent():
    question = ask(
        {"when": MOVED, "people": (ANA, replace(BEN, cancelled=True), Person("Cy"))},
        {"when": When(LATER, 60)},
    )
    mails = {str(c.action): c.plan.mails for c in question.choices if c.plan}
    assert mails == {"use_emr": ("ana@example.org", "Cy"), "use_oncall": ()}
    kind = ask({"type": "inperson"}, baseline={})
    assert [c.plan.mails for c in kind.choices if c.plan] == [(), ()]


def test_shown_groups_are_as_the_api_promises():
    question = ask(
        {"when": MOVED, "provider": (EVE,)},
        {"provider": (ADA,)},
        baseline=make_baseline(provider=None),
    )
    shown = {str(g): (s.oncall, s.emr, s.baseline) for g, s in question.groups.items()}
    before = {"start": "2026-03-03T15:00:00Z", "minutes": 30}
    assert shown == {
        "when": ({"start": "2026-03-03T15:45:00Z", "minutes": 30}, before, before),
        "provider": (
            {"id": "196158", "name": "Dr. Eve Roy"},
            {"id": "196157", "name": "Dr. Ada Osei"},
            None,
        ),
    }


def test_what_a_side_does_not_state_is_shown_as_null():
    question = decide(make_single(Side.EMR, people=()), make_rules(), NOW).question
    assert question is not None
    assert {s.oncall for s in question.groups.values()} == {None}
    assert question.groups[Group.PEOPLE].emr == []


def test_choice_is_kept_as_plain_json():
    question = ask({"when": MOVED})
    assert choice_to_json(question.choices[0]) == {
        "action": "use_emr",
        "plan": {
            "operation": "update",
            "side": "oncall",
            "values": {"when": {"start": "2026-03-03T15:00:00Z", "minutes": 30}},
            "reference": None,
            "adopts": None,
            "mails": ["ana@example.org"],
            "irreversible": False,
        },
        "plans": {},
        "recommended": True,
        "irreversible": False,
        "writes": True,
        "targets": [],
    }


# --- urgency --------------------------------------------------------------------------------------------------------


def at(minutes: float) -> Any:
    return START + timedelta(minutes=minutes)


def test_every_kind_has_a_harm():
    assert set(HARM) == set(Kind)


def test_sooner_is_more_urgent_and_begun_is_least():
    order = [at(1), at(10), at(600), at(60 * 24 * 20), None, at(0), at(-60)]
    scores = [urgency(Kind.VALUES_DIFFER, start, START) for start in order]
    assert scores[:5] == sorted(scores[:5], reverse=True)
    assert scores[5] == scores[6] < scores[4]


def test_more_harm_is_more_urgent_at_the_same_time():
    by_score = sorted(Kind, key=lambda kind: urgency(kind, at(30), START), reverse=True)
    assert [HARM[kind] for kind in by_score] == sorted(HARM.values(), reverse=True)


def test_harm_weighs_against_minutes():
    soon = urgency(Kind.DANGLING_REFERENCE, at(10), START)
    assert soon > urgency(Kind.PATIENT_DIFFERS, at(40), START)
    assert soon < urgency(Kind.PATIENT_DIFFERS, at(20), START)


def test_last_minute_counts_as_a_whole_one():
    assert urgency(Kind.MOVED, at(0.1), START) == urgency(Kind.MOVED, at(1), START)


def test_least_urgent_visit_to_come_is_before_the_most_urgent_begun():
    far = min(urgency(kind, at(60 * 24 * 60), START) for kind in Kind)
    begun = max(urgency(kind, at(-1), START) for kind in Kind)
    assert far > begun
    assert make_half(Side.EMR).when.start == START
