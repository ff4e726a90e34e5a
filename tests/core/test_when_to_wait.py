"""What holds an automatic write back: mode, page, mails; what is out of scope (section 6, law 9)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from appointments.core.decisions import decide
from appointments.core.kinds import Kind, Scope
from appointments.core.policy import Mode
from appointments.core.values import When
from emr_adapters.records import Group, Side, State
from tests.core.make import (
    BEFORE_LIVE,
    LATER,
    NOW,
    by_side,
    make_rules,
    make_view,
    written,
)

both_records = pytest.mark.parametrize("record", list(Side))
MOVED = When(LATER, 30)


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
@pytest.mark.parametrize(("age", "asks"), [(-1, True), (0, True), (1, False)])
def test_what_a_person_withheld_is_asked_until_it_changes_anew(record, age, asks):
    seen = NOW + timedelta(seconds=age)
    view = make_view(**by_side(record, {"when": MOVED, "seen": seen}, {}), withheld_at=NOW)
    verdict = decide(view, make_rules(record), NOW)
    assert (verdict.automatic is None) is asks
    if asks:
        assert verdict.question is not None
        assert verdict.question.reason.code == "withheld"


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


@both_records
@pytest.mark.parametrize("side", list(Side))
def test_waiting_list_entry_that_is_gone_leaves_a_booked_other_half_to_a_person(record, side):
    view = make_view(**by_side(side, {"state": State.NOT_YET, "gone": True}, {}))
    question = decide(view, make_rules(record), NOW).question
    assert question is not None
    assert (question.kind, question.reason.code) == (Kind.VANISHED, "gone")
