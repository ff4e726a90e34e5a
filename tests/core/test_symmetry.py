"""Both sides are the same kind of thing: swapping them, and what policy says of them, swaps the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st

from appointments.core.compare import BaselineEntry, Half, compare
from appointments.core.creates import lacking_for_create
from appointments.core.decisions import Verdict, decide
from appointments.core.policy import Mode, Permission, Rules, Subject
from appointments.core.values import When
from appointments.core.view import Replacement, View
from emr_adapters.base import Capabilities
from emr_adapters.records import Group, Person, Side
from tests.core.make import ABLE, ANA, BEN, LATER, NOW, WINDOW, make_half, make_view
from tests.core.strategies import (
    EVEN,
    creatable,
    doubted,
    eager_rules,
    linked,
    nearly_agreed,
    rules,
    singles,
)
from tests.core.swapping import swap_entry, swap_finding, swap_half, swap_rules, swap_view, told

ALL_ALONE = Rules(
    record=Side.ONCALL,
    mode=Mode.LIVE,
    policy={side: dict.fromkeys(Subject, Permission.AUTO) for side in Side},
    capabilities=dict.fromkeys(Side, ABLE),
    window=WINDOW,
)
# OnCall may hold more people than the EMR record names, on purpose: only one person each is compared alike.
one_person = st.sampled_from([ANA, BEN, Person("Ana Souza"), Person("A. Souza", ANA.email)])


@st.composite
def with_one_person_each(draw: st.DrawFn) -> View:
    view = draw(linked())
    halves = {}
    for side, half in view.halves.items():
        people = {Group.PEOPLE: (draw(one_person),)} if Group.PEOPLE in half.values else {}
        halves[side] = replace(half, values={**half.values, **people})
    baseline = dict(view.baseline)
    if Group.PEOPLE in baseline:
        values: dict[Side, Any] = {side: (draw(one_person),) for side in Side}
        baseline[Group.PEOPLE] = BaselineEntry(values, values)
    return replace(view, halves=halves, baseline=baseline)


@given(with_one_person_each())
def test_swapping_the_sides_swaps_who_changed(view):
    one, two = view.halves[Side.ONCALL], view.halves[Side.EMR]
    found = compare(one, two, view.baseline)
    assert compare(two, one, view.baseline) == found
    swapped = {group: swap_entry(entry) for group, entry in view.baseline.items()}
    again = compare(swap_half(one), swap_half(two), swapped)
    assert again == {group: swap_finding(finding) for group, finding in found.items()}


@given(with_one_person_each(), rules | eager_rules)
@example(make_view(), Rules(Side.EMR, Mode.LIVE, {}, {s: Capabilities() for s in Side}, WINDOW))
def test_swapping_the_sides_swaps_the_verdict(view, given):
    # Cancelling in OnCall asks about people the EMR record does not name: not where they are confirmed.
    strangers = view.people_confirmed or any(
        Group.PEOPLE not in half.values for half in view.halves.values()
    )
    assume(not strangers or not any(half.off for half in view.halves.values()))
    replacement = view.replacement
    if replacement is not None:
        off = next((h.side for h in view.halves.values() if h.off), Side.EMR)
        replacement = Replacement(replace(replacement.half, side=off))
    view = replace(view, book=EVEN, replacement=replacement)
    one = decide(view, given, NOW)
    two = decide(swap_view(view), swap_rules(given), NOW)
    assert told(one, swapped=False) == told(two, swapped=True)


@given(nearly_agreed(), eager_rules)
@example(make_view(oncall={"type": "phone"}, emr={"when": When(LATER, 30)}), ALL_ALONE)
def test_swapping_the_sides_swaps_what_is_written_alone(view, given):
    """Also where each side has something to say and the record's word goes first."""
    view = replace(view, book=EVEN, replacement=None)
    # OnCall may hold more people on purpose: what is said of them is the same here.
    halves = {
        side: replace(half, values={**half.values, Group.PEOPLE: (ANA,)})
        for side, half in view.halves.items()
    }
    view = replace(view, halves=halves)
    one = decide(view, given, NOW).automatic
    two = decide(swap_view(view), swap_rules(given), NOW).automatic
    assert told(Verdict(automatic=one), swapped=False) == told(Verdict(automatic=two), swapped=True)


def lacks(half: Half, view: View, given: Rules) -> bool:
    return bool(lacking_for_create(half, half.side.other, view, given))


@given(singles() | creatable() | doubted(), rules | eager_rules, st.booleans())
@example(
    View(halves={Side.EMR: make_half(Side.EMR)}),
    Rules(Side.EMR, Mode.LIVE, {}, {s: Capabilities() for s in Side}, WINDOW, "Downtown"),
    True,
)
def test_swapping_the_sides_swaps_the_verdict_of_a_visit_without_partner(view, given, known):
    # One known patient: OnCall never has to pick among several, the EMR might.
    view = replace(view, book=EVEN, known_patients=(ANA,) if known else ())
    mirrored, mirrored_rules = swap_view(view), swap_rules(given)
    (half,), (other,) = view.halves.values(), mirrored.halves.values()
    one = decide(view, given, NOW)
    two = decide(mirrored, mirrored_rules, NOW)
    assert one.scope == two.scope
    # What a create needs is another thing on each side; a doubt about identity asks all the same.
    doubted = view.doubt or view.candidates
    assume(doubted or lacks(half, view, given) == lacks(other, mirrored, mirrored_rules))
    assert told(one, swapped=False) == told(two, swapped=True)
