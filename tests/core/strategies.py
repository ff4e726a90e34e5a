"""Visits and rules as Hypothesis makes them up; the plain case more often than not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from appointments.core.compare import BaselineEntry, Half
from appointments.core.kinds import Kind
from appointments.core.policy import GateFacts, Mode, Permission, Rules, Subject
from appointments.core.singles import UNTELLING
from appointments.core.values import (
    Codebook,
    Unmapped,
    When,
)
from appointments.core.view import Candidate, IdentityDoubt, Replacement, View
from emr_adapters.base import Capabilities
from emr_adapters.records import (
    ABSENT,
    AppointmentRecord,
    Group,
    Outcome,
    Person,
    Practitioner,
    Side,
    State,
)
from tests.core.make import (
    ADA,
    ANA,
    BEN,
    BOOK,
    EVE,
    LATER,
    LIVE_SINCE,
    NOW,
    START,
    WINDOW,
    make_view,
)

TYPES = ("online", "inperson", "phone", "message")
# Few values each, so that equal ones are frequent.
VALUES: dict[Group, st.SearchStrategy[Any]] = {
    Group.WHEN: st.builds(
        When,
        st.sampled_from([START, START, LATER, LATER, LATER + timedelta(hours=1), None, NOW]),
        st.sampled_from([30, 29, 31, 60, None]),
    ),
    Group.TYPE: st.sampled_from([*TYPES, "skip"]),
    Group.PROVIDER: st.sampled_from([(ADA,), (EVE,), (ADA, EVE)]),
    Group.PEOPLE: st.lists(
        st.sampled_from(
            [ANA, BEN, Person("Ana Souza"), Person("", ANA.email), replace(ANA, cancelled=True)]
        ),
        max_size=3,
    ).map(tuple),
    Group.LABEL: st.sampled_from(["", "Visit", "Talk"]),
    Group.WHERE: st.sampled_from(["", "Downtown", "Uptown"]),
}
STATES = {State.BOOKED: "booked", State.CANCELLED: "cancelled", State.REMOVED: "cancelled"}
PROBLEMS = (*sorted(UNTELLING), "patient_not_readable")
sides = st.sampled_from(Side)
moments = st.sampled_from([LIVE_SINCE - timedelta(hours=1), LIVE_SINCE, NOW])
often = st.sampled_from([True, True, True, True, False])  # the plain case more often than not
seldom = often.map(lambda plain: not plain)
capabilities = st.builds(
    Capabilities,
    holds_reference=often,
    can_create=often,
    can_cancel=often,
    can_uncancel=st.booleans(),
    accepts=st.just(frozenset(Group)) | st.frozensets(st.sampled_from(Group)),
    mails_people=st.booleans(),
)
policies: st.SearchStrategy[Any] = st.just({}) | st.dictionaries(
    sides, st.dictionaries(st.sampled_from(Subject), st.sampled_from(Permission))
)
# A codebook that says the same of both sides, for the tests that swap them.
EVEN = Codebook(
    type_rules=tuple((word, word) for word in TYPES),
    practitioners={p.id: p.id for p in (ADA, EVE)},
    providers={p.id: p.name for p in (ADA, EVE)},
    places={side: {"1": "Downtown"} for side in Side},
)


@st.composite
def halves(draw: st.DrawFn, side: Side, agreed: Mapping[Group, Any] | None = None) -> Half:
    """A half that mostly says what was agreed and is mostly to come."""
    booked = draw(often)
    state = State.BOOKED if booked else draw(st.sampled_from(State))
    values = {}
    for group, possible in VALUES.items():
        kept = agreed is not None and group in agreed and draw(st.booleans())
        if agreed is not None and kept:
            values[group] = agreed[group]
        elif draw(often):
            values[group] = draw(possible)
    if state in STATES and draw(often):
        values[Group.STATE] = STATES[state]
    return Half(
        side=side,
        id=draw(st.sampled_from(["1", "2"])),
        state=state,
        values=values,
        seen_at=dict.fromkeys(Group, NOW)
        if draw(often)
        else draw(st.dictionaries(st.sampled_from(Group), moments)),
        outcome=draw(st.sampled_from(Outcome)) if draw(seldom) else None,
        reference=draw(st.sampled_from([ABSENT, None, "1", "9"])),
        is_block=draw(seldom),
        gone=not booked and draw(seldom),
        unmapped=(Unmapped("type", "x"),) if draw(seldom) else (),
        problems=(draw(st.sampled_from(PROBLEMS)),) if draw(seldom) else (),
    )


replacements = st.none() | st.none() | st.builds(Replacement, sides.flatmap(halves))


@st.composite
def baselines(draw: st.DrawFn) -> dict[Group, BaselineEntry]:
    every = VALUES | {Group.STATE: st.sampled_from(["booked", "booked", "cancelled"])}
    entries = {}
    for group, values in every.items():
        if draw(often):
            one = draw(values)
            said = {Side.ONCALL: one, Side.EMR: one if draw(often) else draw(values)}
            entries[group] = BaselineEntry(said, said)
    return entries


def common(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "book": draw(st.sampled_from([BOOK, EVEN, Codebook()])),
        "title": draw(st.sampled_from(["", "Visit with {provider}", "{", "{0}"])),
        "recent_mails": draw(st.integers(0, 3)),
        "withheld_at": draw(st.sampled_from([None, None, None, NOW - timedelta(days=1), NOW])),
        "known_patients": draw(st.sampled_from([None, (), (ANA,), (ANA, replace(ANA, id="2"))])),
    }


def linked() -> st.SearchStrategy[View]:
    return torn() | nearly_agreed()


@st.composite
def nearly_agreed(draw: st.DrawFn) -> View:
    """Two halves that agreed on everything, of which somebody changed a little since, or cancelled."""
    view = make_view(**common(draw))
    both = dict(view.halves)
    for side in draw(st.lists(sides, max_size=4)):
        half = both[side]
        group = draw(st.sampled_from([*Group, Group.STATE, Group.STATE]))
        if group is not Group.STATE:
            both[side] = replace(half, values={**half.values, group: draw(VALUES[group])})
        elif not any(other.off for other in both.values()):
            state = draw(st.sampled_from([State.CANCELLED, State.CANCELLED, State.REMOVED]))
            values = {**half.values, Group.STATE: STATES[state]}
            both[side] = replace(half, values=values, state=state)
    references = {s: draw(st.sampled_from([ABSENT, None, "1001", "77"])) for s in both}
    both = {s: replace(half, reference=references[s]) for s, half in both.items()}
    return replace(
        view,
        halves=both,
        linked_by_person=draw(seldom),
        replacement=draw(replacements),
    )


@st.composite
def torn(draw: st.DrawFn) -> View:
    """Two halves; half the time nothing stands against a write but what differs."""
    baseline = draw(baselines())
    agreed: dict[Group, Any] = {
        g: e.values[Side.EMR] for g, e in baseline.items() if g is not Group.STATE
    }
    both = {side: draw(halves(side, agreed)) for side in Side}
    calm = draw(st.booleans())
    if calm:
        plain: dict[str, Any] = {"state": State.BOOKED, "gone": False, "outcome": None}
        plain["seen_at"] = dict.fromkeys(Group, NOW)
        both = {
            side: replace(half, values={**half.values, Group.STATE: "booked"}, **plain)
            for side, half in both.items()
        }
    return View(
        halves=both,
        baseline=baseline,
        linked_by_person=draw(st.booleans()),
        identity_in_question=not calm and draw(seldom),
        people_confirmed=calm or draw(seldom),
        replacement=draw(replacements),
        **common(draw),
    )


@st.composite
def singles(draw: st.DrawFn) -> View:
    side = draw(sides)
    near = st.builds(Candidate, st.sampled_from(["5", "6"]), halves(side.other), st.booleans())
    doubts = st.sampled_from(
        [
            IdentityDoubt(Kind.DANGLING_REFERENCE, ("5",)),
            IdentityDoubt(Kind.DUPLICATE_REFERENCE, ("5", "6")),
        ]
    )
    return View(
        halves={side: draw(halves(side))},
        candidates=tuple(draw(st.lists(near, max_size=2))),
        doubt=draw(st.none() | st.none() | doubts),
        listed_elsewhere=draw(seldom),
        missed_create=draw(seldom),
        gate=GateFacts(sweep_complete=draw(often)),
        **common(draw),
    )


views = linked() | singles()
rules = st.builds(
    Rules,
    record=sides,
    mode=st.sampled_from([Mode.LIVE, Mode.LIVE, Mode.OBSERVE, Mode.PAUSED]),
    policy=policies,
    capabilities=st.fixed_dictionaries(dict.fromkeys(Side, capabilities)),
    window=st.just(WINDOW),
    division=st.just("Downtown"),
    page_started_at=st.just(LIVE_SINCE),
)
# Rules under which all happens alone that may: by the default policy, or by one that allows everything.
able = Capabilities(
    holds_reference=True, can_create=True, can_cancel=True, accepts=frozenset(Group)
)
eager_rules = st.builds(
    Rules,
    record=sides,
    mode=st.just(Mode.LIVE),
    policy=st.sampled_from([{}, {side: dict.fromkeys(Subject, Permission.AUTO) for side in Side}]),
    capabilities=st.fixed_dictionaries(
        dict.fromkeys(Side, st.booleans().map(lambda mails: replace(able, mails_people=mails)))
    ),
    window=st.just(WINDOW),
    division=st.just("Downtown"),
    page_started_at=st.just(LIVE_SINCE),
)


@st.composite
def creatable(draw: st.DrawFn) -> View:
    """A visit without partner against whose creation nothing stands, but for what it does not say."""
    side = draw(sides)
    half = draw(halves(side))
    said = {**half.values, Group.STATE: "booked", Group.WHERE: "Downtown"}
    said[Group.WHEN] = When(draw(st.sampled_from([START, LATER])), draw(st.sampled_from([30, 45])))
    said[Group.TYPE] = draw(st.sampled_from(TYPES[:3]))
    said[Group.PROVIDER] = draw(VALUES[Group.PROVIDER])
    said[Group.PEOPLE] = draw(
        st.sampled_from([(ANA,), (ANA,), (replace(BEN, cancelled=True), ANA)])
    )
    plain: dict[str, Any] = {"state": State.BOOKED, "gone": False, "outcome": None}
    plain |= {"is_block": False, "unmapped": (), "problems": ()}
    half = replace(half, values=said, seen_at=dict.fromkeys(Group, NOW), **plain)
    return View(
        halves={side: half},
        gate=GateFacts(sweep_complete=True),
        **common(draw) | {"book": draw(st.sampled_from([BOOK, EVEN])), "known_patients": (ANA,)},
    )


@st.composite
def doubted(draw: st.DrawFn) -> View:
    """A visit that could be created, but for what speaks for its being there, or another's, already."""
    view = draw(creatable())
    (side,) = view.halves
    found = draw(st.lists(halves(side.other), min_size=1, max_size=2))
    candidates = tuple(Candidate(str(n), half, draw(often)) for n, half in enumerate(found))
    kind = draw(st.sampled_from([None, Kind.DANGLING_REFERENCE, Kind.DUPLICATE_REFERENCE]))
    doubt = IdentityDoubt(kind, ("5", "6")) if kind else None
    return replace(view, candidates=candidates, doubt=doubt)


# --- records, as adapters give them ------------------------------------------------------------------

# What each side's own words may be: those of the codebooks above, and some that no line names.
RECORD_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "start": st.sampled_from([START, LATER, None, NOW]),
    "minutes": st.sampled_from([30, 31, 60, None]),
    "state": st.sampled_from([State.BOOKED, State.BOOKED, State.BOOKED, *State]),
    "types": st.sampled_from([(), *((word,) for word in (*TYPES, "video", "admin", "x"))]),
    "title": st.sampled_from(["", "Visit", "Talk"]),
    "practitioners": st.lists(
        st.sampled_from([ADA.id, EVE.id, "Practitioner/9", "Practitioner/10", "x"]).map(
            Practitioner
        ),
        max_size=2,
    ).map(tuple),
    "people": VALUES[Group.PEOPLE],
    "places": st.sampled_from([(), ("1",), ("123",), ("Location/1",), ("x",)]),
    "reference": st.sampled_from([None, "1", "9"]),
}
# The fields that each group is made of; a group with one of them unstated is not stated.
GROUP_FIELDS: dict[Group, frozenset[str]] = {
    Group.WHEN: frozenset({"start", "minutes"}),
    Group.STATE: frozenset({"state"}),
    Group.TYPE: frozenset({"types"}),
    Group.PROVIDER: frozenset({"practitioners"}),
    Group.PEOPLE: frozenset({"people"}),
    Group.LABEL: frozenset({"title"}),
    Group.WHERE: frozenset({"places"}),
}
field_sets = st.frozensets(st.sampled_from(sorted(RECORD_FIELDS)))


@st.composite
def records(draw: st.DrawFn) -> AppointmentRecord:
    """A record that states every field."""
    said = {name: draw(values) for name, values in RECORD_FIELDS.items()}
    outcome = draw(st.sampled_from(Outcome)) if draw(seldom) else None
    return AppointmentRecord(draw(st.sampled_from(["1", "2"])), outcome=outcome, **said)
