"""A record that does not tell whether or when there is a visit is shown, never written from."""

from __future__ import annotations

import pytest

from appointments.core.decisions import decide
from appointments.core.kinds import Action, Kind
from emr_adapters.records import Side
from tests.core.make import NOW, make_rules, make_single


@pytest.mark.parametrize("problem", ["unknown_status", "unreadable_time", "unreadable_duration"])
@pytest.mark.parametrize("side", list(Side))
def test_single_visit_that_cannot_be_understood_is_listed_and_not_created(side: Side, problem: str):
    view = make_single(side, problems=(problem,), raw_status="on-hold")
    verdict = decide(view, make_rules(), NOW)
    assert verdict.automatic is None
    assert verdict.question is not None
    assert verdict.question.kind is Kind.UNREADABLE
    assert verdict.question.reason.details["problems"] == [problem]
    assert [c.action for c in verdict.question.choices] == [Action.BY_HAND, Action.LEAVE_DIFFERENT]


def test_problem_that_leaves_the_visit_clear_does_not_stop_its_creation():
    view = make_single(Side.EMR, problems=("several_references",))
    assert decide(view, make_rules(), NOW).question is None
