"""The gates of a decision are those that the deciding code went through: they cannot tell another story."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.core.decisions import Verdict, decide, explain
from appointments.core.gates import Gate, Result, Step
from appointments.core.kinds import Scope
from appointments.core.policy import Mode
from appointments.core.values import When
from appointments.core.view import View
from emr_adapters.records import Group, Side, State
from tests.core.make import ANA, LATER, NOW, make_rules, make_single, make_view, say
from tests.core.strategies import creatable, doubted, eager_rules, rules, views

every_view = views | creatable() | doubted()
every_rule = rules | eager_rules
# Also such in which nothing lies inside, so that the window's gate is met.
windows = st.sampled_from([None, None, (NOW + timedelta(days=9), NOW + timedelta(days=10))])


def steps_of(view: View, given_rules) -> list[tuple[str, str]]:
    """(gate, result) of those that did not simply let pass."""
    return [
        (str(step.gate), str(step.result))
        for step in explain(view, given_rules, NOW).steps
        if step.result is not Result.PASSED
    ]


def with_failures(view: View, given_rules) -> View:
    """What it would write has failed for good before."""
    plan = decide(view, given_rules, NOW).automatic
    return replace(view, failed_plans=frozenset({plan.fingerprint}) if plan else frozenset())


def tells(steps: tuple[Step, ...], verdict: Verdict) -> None:
    """What the steps say is the verdict."""
    results = [step.result for step in steps]
    assert (Result.ASKS in results) is (verdict.question is not None)
    assert (Result.WRITES in results) is (verdict.automatic is not None)
    last = steps[-1]
    assert last.result is not Result.PASSED
    out = last.result is Result.OUT and last.group is None
    assert out is (verdict.scope is not None)
    if verdict.scope is not None:
        assert (last.gate.value, last.why) == (verdict.scope.value, verdict.scope.value)
    if verdict.question is not None:
        asking = {step.why for step in steps if step.result is Result.ASKS}
        assert verdict.question.reason.code in asking
    if verdict.automatic is not None:
        written = {step.group for step in steps if step.result is Result.WRITES}
        whole = verdict.automatic.operation != "update"
        assert written == ({None} if whole else set(verdict.automatic.values))


@given(every_view, every_rule, windows, st.booleans())
def test_gates_lead_to_the_verdict_that_is_carried_out(view, given_rules, window, failed):
    if window is not None:
        given_rules = replace(given_rules, window=window)
    if failed:
        view = with_failures(view, given_rules)
    explained = explain(view, given_rules, NOW)
    assert decide(view, given_rules, NOW) == explained.verdict
    assert explain(view, given_rules, NOW) == explained
    tells(explained.steps, explained.verdict)


def test_every_scope_has_a_gate():
    assert {scope.value for scope in Scope} <= {gate.value for gate in Gate}


@pytest.mark.parametrize(
    ("said", "scope"),
    [
        ({"state": State.CANCELLED}, "cancelled"),
        ({"state": State.NOT_YET}, "not_yet"),
        ({"is_block": True}, "block"),
        ({"type": "skip"}, "skipped_type"),
        ({"type": "message"}, "message"),
        ({"when": When(NOW - timedelta(hours=1), 30)}, "past"),
        ({"when": When(NOW + timedelta(days=90), 30)}, "outside_window"),
    ],
)
def test_visit_without_partner_is_stopped_at_the_gate_of_its_scope(said, scope):
    assert steps_of(make_single(Side.EMR, **said), make_rules()) == [(scope, "out")]


def test_gates_of_a_create_are_told_in_the_order_in_which_they_are_asked():
    steps = explain(make_single(Side.EMR), make_rules(), NOW).steps
    passed = [str(step.gate) for step in steps if step.result is Result.PASSED]
    assert passed == [
        *("cancelled", "not_yet", "block", "skipped_type", "message", "outcome", "past"),
        *("outside_window", "never", "reference", "candidate", "possible_match", "untelling"),
        *("unmapped", "unproven", "able", "lacking", "policy", "mode", "page", "withheld"),
        *("mails", "pick", "failed_before"),
    ]
    assert steps[-1] == Step(Gate.TURN, Result.WRITES, "create")


def test_what_stops_a_change_is_told_for_its_field():
    view = make_view(emr={"when": When(LATER, 30)})
    observed = explain(view, make_rules(mode=Mode.OBSERVE), NOW)
    stops = [step for step in observed.steps if step.result is Result.ASKS]
    assert stops == [Step(Gate.MODE, Result.ASKS, "observe", Group.WHEN)]
    asked = explain(view, make_rules(policy=say(Side.EMR, when="ask")), NOW)
    stops = [step for step in asked.steps if step.result is Result.ASKS]
    assert stops == [Step(Gate.POLICY, Result.ASKS, "policy_asks", Group.WHEN)]


def test_two_records_that_say_the_same_agree():
    assert steps_of(make_view(), make_rules())[-1] == ("alike", "agrees")


def test_change_of_the_other_direction_waits_for_its_turn():
    policy = say(Side.ONCALL, type="auto")
    view = make_view(emr={"when": When(LATER, 30)}, oncall={"type": "inperson"})
    assert steps_of(view, make_rules(policy=policy))[-2:] == [("turn", "waits"), ("turn", "writes")]


def test_several_patients_who_could_be_meant_are_a_gate():
    known = (replace(ANA, id="1"), replace(ANA, id="2"))
    given_rules = make_rules(policy=say(Side.ONCALL, create="auto"))
    assert steps_of(make_single(Side.ONCALL, known_patients=known), given_rules) == [
        ("pick", "asks")
    ]
