"""One visit as the core looks at it, made of what a test says and plain defaults for the rest.

The default is a visit tomorrow at 15:00 UTC, seen after the division went live, on which both sides agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from appointments.core.compare import BaselineEntry, Half
from appointments.core.plans import Plan
from appointments.core.policy import GateFacts, Mode, Permission, Rules, Subject
from appointments.core.question import Question
from appointments.core.values import Codebook, ProviderValue, When
from appointments.core.view import View
from emr_adapters.base import Capabilities
from emr_adapters.records import Group, Person, Side, State

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
START = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)
LATER = START + timedelta(minutes=45)
LIVE_SINCE = NOW - timedelta(days=1)
SEEN = NOW - timedelta(minutes=2)
BEFORE_LIVE = LIVE_SINCE - timedelta(hours=1)
WINDOW = (NOW - timedelta(days=1), NOW + timedelta(days=60))

ANA = Person("Ana Souza", "ana@example.org")
BEN = Person("Ben Okafor", "ben@example.org")
ADA = ProviderValue("196157", "Dr. Ada Osei")
EVE = ProviderValue("196158", "Dr. Eve Roy")
_GROUPS = {str(group) for group in Group if group is not Group.STATE}
IDS = {Side.ONCALL: "1001", Side.EMR: "77"}

_WRITABLE = frozenset({Group.WHEN, Group.TYPE, Group.PROVIDER, Group.LABEL})
ABLE = Capabilities(
    holds_reference=True,
    can_create=True,
    can_cancel=True,
    accepts=_WRITABLE,
    accepts_on_create=_WRITABLE | {Group.PEOPLE},
    states=frozenset(Group),
)
MAILING = replace(ABLE, mails_people=True)

BOOK = Codebook(
    type_rules=(
        ("Phone*", "phone"),
        ("video", "online"),
        ("clinic", "inperson"),
        ("admin", "skip"),
    ),
    default_type="online",
    practitioners={"Practitioner/9": ADA.id, "Practitioner/10": EVE.id},
    providers={ADA.id: ADA.name, EVE.id: EVE.name},
    places={Side.ONCALL: {"123": "Downtown"}, Side.EMR: {"Location/1": "Downtown"}},
)


def make_half(side: Side, *, seen: datetime = SEEN, **said: Any) -> Half:
    """``said``: fields of ``Half``, or a group's value (``when=``, ``type=``, …; None: not stated)."""
    state = said.get("state", State.BOOKED)
    values: dict[Group, Any] = {
        Group.WHEN: When(START, 30),
        Group.STATE: {State.BOOKED: "booked", State.NOT_YET: None}.get(state, "cancelled"),
        Group.TYPE: "online",
        Group.PROVIDER: (ADA,),
        Group.PEOPLE: (ANA,),
        Group.LABEL: "Visit",
        Group.WHERE: "Downtown",
    }
    fields: dict[str, Any] = {"state": state, "id": IDS[side], "reference": IDS[side.other]}
    for name, value in said.items():
        if name in _GROUPS:
            values[Group(name)] = value
        else:
            fields[name] = value
    fields.setdefault("seen_at", dict.fromkeys(Group, seen))
    stated = {group: value for group, value in values.items() if value is not None}
    return Half(side=side, words=stated, values=stated, **fields)


def make_baseline(**differing: Any) -> dict[Group, BaselineEntry]:
    """What both agreed on: the defaults of ``make_half``. ``when=None`` leaves a group out; a pair of
    values is (OnCall's, the EMR's)."""
    entries = {}
    for group, value in make_half(Side.EMR).values.items():
        said = differing.get(str(group), value)
        if said is None:
            continue
        pair = said if isinstance(said, BothSaid) else BothSaid(said, said)
        values = {Side.ONCALL: pair.oncall, Side.EMR: pair.emr}
        entries[group] = BaselineEntry(words=values, values=values)
    return entries


class BothSaid:
    def __init__(self, oncall: Any, emr: Any) -> None:
        self.oncall, self.emr = oncall, emr


def make_view(
    oncall: Mapping[str, Any] | None = None,
    emr: Mapping[str, Any] | None = None,
    *,
    baseline: Mapping[Group, BaselineEntry] | None = None,
    **fields: Any,
) -> View:
    """A linked visit. ``oncall`` and ``emr`` say what is different from the defaults there."""
    halves = {
        Side.ONCALL: make_half(Side.ONCALL, **(oncall or {})),
        Side.EMR: make_half(Side.EMR, **(emr or {})),
    }
    agreed = make_baseline() if baseline is None else baseline
    return View(halves=halves, baseline=agreed, **{"book": BOOK, "title": "Visit", **fields})


def by_side(record: Side, of_record: Mapping[str, Any], of_other: Mapping[str, Any]) -> Any:
    """The two halves as ``make_view`` takes them, told apart by who is the system of record."""
    return {str(record): of_record, str(record.other): of_other}


def make_single(side: Side, *, swept: bool = True, **said: Any) -> View:
    """A visit of one side whose partner is missing, after a complete list of the other side."""
    fields = {name: said.pop(name) for name in list(said) if name in View.__dataclass_fields__}
    fields.setdefault("known_patients", (replace(ANA, id="Patient/1", birth_date="1980-01-02"),))
    fields.setdefault("gate", GateFacts(sweep_complete=swept))
    said.setdefault("reference", None)
    half = make_half(side, **said)
    return View(halves={side: half}, **{"book": BOOK, "title": "Visit with {provider}", **fields})


def make_rules(
    record: Side = Side.EMR,
    *,
    mode: Mode = Mode.LIVE,
    policy: Mapping[Side, Mapping[Subject, Permission]] | None = None,
    oncall: Capabilities = MAILING,
    emr: Capabilities = ABLE,
    **fields: Any,
) -> Rules:
    return Rules(
        record=record,
        mode=mode,
        policy=policy or {},
        capabilities={Side.ONCALL: oncall, Side.EMR: emr},
        **{
            "window": WINDOW,
            "division": "Downtown",
            "default_type": "online",
            "page_started_at": LIVE_SINCE,
            **fields,
        },
    )


def say(source: Side, **words: str) -> dict[Side, dict[Subject, Permission]]:
    """A policy: ``say(Side.EMR, cancel="ask")``."""
    return {source: {Subject(subject): Permission(word) for subject, word in words.items()}}


def offered(question: Question | None) -> list[str]:
    """The actions, in order; "*" marks the recommended, "!" what cannot be undone."""
    assert question is not None
    return [
        f"{c.action}{'*' if c.recommended else ''}{'!' if c.irreversible else ''}"
        for c in question.choices
    ]


def written(plan: Plan | None) -> tuple[str, str, list[str]] | None:
    """What a plan writes: (operation, side, groups)."""
    return (
        None
        if plan is None
        else (str(plan.operation), str(plan.side), [str(g) for g in plan.values])
    )
