"""Own words to comparable values: type table, providers, places, times (design, sections 2 and 6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from appointments.core.compare import Change, Finding, compare
from appointments.core.decisions import decide
from appointments.core.plans import changes_for, value_from_json, value_to_json
from appointments.core.values import (
    Codebook,
    ProviderValue,
    Unmapped,
    When,
    interpret,
    own_words,
)
from emr_adapters.records import (
    ABSENT,
    AppointmentRecord,
    Changes,
    Group,
    Person,
    Practitioner,
    Side,
    State,
)
from tests.core.make import (
    ADA,
    ANA,
    BOOK,
    EVE,
    LATER,
    NOW,
    START,
    BothSaid,
    make_baseline,
    make_rules,
    make_view,
    written,
)

TABLE = Codebook(
    type_rules=(
        ("Phone*", "phone"),
        ("tele-?", "online"),
        ("[AB]dmin", "skip"),
        ("phone visit", "inperson"),
        ("letter", "message"),
    )
)


# --- type -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("types", "held"),
    [
        (("Phone follow-up",), "phone"),
        (("phone visit",), "phone"),  # the first that fits
        (("PHONE",), "phone"),
        (("tele-1",), "online"),
        (("tele-12",), Unmapped("type", "tele-12")),
        (("badmin", "Admin"), "skip"),
        (("x", "letter"), "message"),  # code or text
        (("letter", "Phone"), "phone"),  # the order of the table, not of the words
        (("x", "y"), Unmapped("type", "x")),
        ((), None),
    ],
)
def test_type_table_takes_the_first_pattern_that_fits(types, held):
    assert interpret(Side.EMR, Group.TYPE, list(types), TABLE) == held


@pytest.mark.parametrize(
    ("default", "types", "held"),
    [
        ("online", (), None),  # how it is held is not stated: not compared
        ("online", ("x",), None),
        ("skip", (), "skip"),
        ("skip", ("x",), "skip"),
        ("skip", ("Phone",), "phone"),
        ("", ("x",), Unmapped("type", "x")),
    ],
)
def test_default_type_is_what_we_assume_not_what_the_emr_states(default, types, held):
    book = replace(TABLE, default_type=default)
    assert interpret(Side.EMR, Group.TYPE, list(types), book) == held


@pytest.mark.parametrize(
    ("types", "held"),
    [
        (("online",), "online"),
        (("inperson",), "inperson"),
        (("in-person",), Unmapped("type", "in-person")),
        (("skip",), Unmapped("type", "skip")),
        ((), None),
    ],
)
def test_oncalls_type_is_one_of_its_words_or_flagged_never_guessed(types, held):
    assert interpret(Side.ONCALL, Group.TYPE, list(types), TABLE) == held


@pytest.mark.parametrize(
    ("held", "word"), [("inperson", "phone visit"), ("phone", None), ("message", "letter")]
)
def test_emrs_own_word_is_the_first_rule_without_wildcards(held, word):
    assert TABLE.emr_type(held) == word


# --- provider ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "words", "value"),
    [
        (Side.EMR, [{"id": "Practitioner/9", "name": "x"}], (ADA,)),
        (Side.EMR, [{"id": "Practitioner/9", "name": ""}, {"id": "?", "name": "n"}], (ADA,)),
        (Side.EMR, [{"id": "?", "name": "Dr. N"}], Unmapped("provider", "?", "Dr. N")),
        (Side.EMR, [], None),
        (Side.ONCALL, [{"id": ADA.id, "name": ""}], (ADA,)),
        (Side.ONCALL, [{"id": "1", "name": "Dr. N"}], (ProviderValue("1", "Dr. N"),)),
        (Side.ONCALL, [], None),
    ],
)
def test_provider_is_known_by_the_mapping_or_flagged(side, words, value):
    assert interpret(side, Group.PROVIDER, words, BOOK) == value


@pytest.mark.parametrize(
    ("oncall", "emr", "agrees"),
    [
        ((ADA,), (ADA,), True),
        ((ADA,), (EVE, ADA), True),  # a visit with several practitioners
        ((ADA,), (EVE,), False),
        ((replace(ADA, name="renamed"),), (ADA,), True),
    ],
)
def test_provider_agrees_if_oncalls_one_is_among_the_emrs(oncall, emr, agrees):
    found = finding(Group.PROVIDER, oncall, emr)
    assert (found.change is Change.AGREE) is agrees


# --- state and where -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "value"),
    [
        (State.BOOKED, "booked"),
        (State.CANCELLED, "cancelled"),
        (State.REMOVED, "cancelled"),
        (State.NOT_YET, None),
    ],
)
def test_state_is_booked_or_cancelled_and_nothing_before_it_is_a_visit(state, value):
    assert interpret(Side.EMR, Group.STATE, str(state), BOOK) == value


@pytest.mark.parametrize(
    ("side", "places", "division"),
    [
        (Side.ONCALL, ["123"], "Downtown"),
        (Side.ONCALL, ["9"], ""),
        (Side.EMR, ["Location/2", "Location/1"], "Downtown"),
        (Side.EMR, ["Location/9"], "Rest"),
        (Side.EMR, [], "Rest"),
    ],
)
def test_place_that_no_division_claims_belongs_to_the_rest_in_the_emr_only(side, places, division):
    book = replace(BOOK, rest_division="Rest")
    assert interpret(side, Group.WHERE, places, book) == division


# --- when ---------------------------------------------------------------------------------------------------------


def finding(group: Group, oncall: Any, emr: Any, baseline: Any = None) -> Finding:
    view = make_view(
        {str(group): oncall},
        {str(group): emr},
        baseline=make_baseline(**{str(group): baseline}),
    )
    return compare(view.halves[Side.ONCALL], view.halves[Side.EMR], view.baseline)[group]


def lasting(minutes: int | None) -> When:
    return When(START, minutes)


@pytest.mark.parametrize(
    ("oncall", "emr", "agrees"),
    [
        (lasting(30), lasting(30), True),
        (lasting(30), lasting(29), True),
        (lasting(30), lasting(31), True),
        (lasting(30), lasting(28), False),
        (lasting(30), lasting(32), False),
        (lasting(30), lasting(None), True),
        (lasting(None), lasting(None), True),
        (When(None, 30), When(None, 30), True),
        (When(None, 30), lasting(30), False),
        (When(START + timedelta(seconds=1), 30), lasting(30), False),
        (When(START.astimezone(timezone(timedelta(hours=-5))), 30), lasting(30), True),
    ],
)
def test_when_agrees_at_the_same_instant_within_a_minute_of_length(oncall, emr, agrees):
    assert (finding(Group.WHEN, oncall, emr).change is Change.AGREE) is agrees


def test_minute_of_tolerance_never_adds_up():
    # One minute longer each time: first it agrees and the baseline moves, then it is a change.
    agreed = BothSaid(lasting(30), lasting(31))
    assert finding(Group.WHEN, lasting(30), lasting(31), lasting(30)).change is Change.AGREE
    assert finding(Group.WHEN, lasting(30), lasting(32), agreed) == Finding(
        Group.WHEN, Change.ONE_CHANGED, Side.EMR
    )


@pytest.mark.parametrize(
    ("oncall", "emr", "baseline", "expected"),
    [
        # The EMR no longer states the minutes while OnCall moved: only OnCall changed.
        (When(LATER, 30), lasting(None), lasting(30), (Change.ONE_CHANGED, Side.ONCALL)),
        (lasting(45), lasting(None), lasting(30), (Change.AGREE, None)),
        # It states them anew: neither changed since, so this is first sight.
        (
            lasting(30),
            lasting(45),
            BothSaid(lasting(30), lasting(None)),
            (Change.FIRST_SIGHT, None),
        ),
        (When(LATER, 30), lasting(45), lasting(30), (Change.BOTH_CHANGED, None)),
        (When(LATER, 30), When(None, None), lasting(30), (Change.BOTH_CHANGED, None)),
    ],
)
def test_missing_minutes_are_no_change(oncall, emr, baseline, expected):
    found = finding(Group.WHEN, oncall, emr, baseline)
    assert (found.change, found.changed) == expected


@pytest.mark.parametrize(
    ("oncall", "emr", "agrees"),
    [("Visit", " visit ", True), ("Visit  1", "Visit 1", True), ("Visit", "Visits", False)],
)
def test_label_is_compared_softly(oncall, emr, agrees):
    assert (finding(Group.LABEL, oncall, emr).change is Change.AGREE) is agrees


@pytest.mark.parametrize(
    "local",
    [
        "2026-03-08T03:30:00-04:00",  # the hour after the gap
        "2026-11-01T01:30:00-04:00",  # the first half past one
        "2026-11-01T01:30:00-05:00",  # and the second, an hour later
    ],
)
def test_visit_on_a_day_when_clocks_change_is_an_instant(local):
    instant = datetime.fromisoformat(local)
    words = {"start": instant.astimezone(UTC).isoformat(), "minutes": 60}
    assert interpret(Side.EMR, Group.WHEN, words, BOOK) == When(instant, 60)
    assert value_from_json(Group.WHEN, value_to_json(Group.WHEN, When(instant, 60))) == When(
        instant, 60
    )


# --- what is stated, and what is written -----------------------------------------------------------------------------


def test_group_with_an_unstated_part_is_not_stated():
    record = AppointmentRecord("1", state=State.BOOKED, start=START, minutes=ABSENT)
    assert own_words(record) == {Group.STATE: "booked"}
    assert own_words(AppointmentRecord("1")) == {}


def test_what_is_stated_as_empty_is_stated():
    record = AppointmentRecord(
        "1", start=None, minutes=None, types=(), title="", practitioners=(), people=(), places=()
    )
    assert own_words(record) == {
        Group.WHEN: {"start": None, "minutes": None},
        Group.TYPE: [],
        Group.PROVIDER: [],
        Group.PEOPLE: [],
        Group.LABEL: "",
        Group.WHERE: [],
    }


def test_words_become_the_values_they_came_from():
    record = AppointmentRecord(
        "1",
        state=State.BOOKED,
        start=START,
        minutes=30,
        types=("video",),
        title="Visit",
        practitioners=(Practitioner("Practitioner/9", "x"),),
        people=(ANA, Person("Ben", cancelled=True)),
        places=("Location/1",),
    )
    values = {g: interpret(Side.EMR, g, w, BOOK) for g, w in own_words(record).items()}
    assert values == {
        Group.WHEN: When(START, 30),
        Group.STATE: "booked",
        Group.TYPE: "online",
        Group.PROVIDER: (ADA,),
        Group.PEOPLE: (ANA, Person("Ben", cancelled=True)),
        Group.LABEL: "Visit",
        Group.WHERE: "Downtown",
    }


@pytest.mark.parametrize(
    ("emr", "changes"),
    [
        ({"when": When(LATER, 30)}, Changes(start=LATER, minutes=30)),
        ({"when": When(LATER, None)}, Changes(start=LATER)),
        ({"type": "phone"}, Changes(type="phone")),
    ],
)
def test_write_holds_only_the_group_that_differs(emr, changes):
    plan = decide(make_view(emr=emr), make_rules(), NOW).automatic
    assert plan is not None
    assert changes_for(plan, BOOK) == changes


def test_several_groups_go_in_one_write():
    view = make_view(emr={"when": When(LATER, 30), "type": "phone"})
    plan = decide(view, make_rules(), NOW).automatic
    assert written(plan) == ("update", "oncall", ["when", "type"])
    assert plan is not None
    assert changes_for(plan, BOOK) == Changes(start=LATER, minutes=30, type="phone")
    assert plan.kind == "when"


def test_writes_to_the_emr_are_in_its_own_words():
    view = make_view({"type": "inperson", "provider": (EVE,)})
    rules = make_rules(Side.ONCALL, policy={Side.ONCALL: {}})
    question = decide(view, rules, NOW)
    assert question.automatic is not None
    assert changes_for(question.automatic, BOOK) == Changes(type="clinic")
    asked = question.question
    assert asked is not None
    use = asked.choice("use_oncall")
    assert use is not None
    assert use.plan is not None
    assert changes_for(use.plan, BOOK) == Changes(
        practitioner=Practitioner("Practitioner/10", "Dr. Eve Roy")
    )
