"""One division's visits of one day, read from the mirror alone: what each side says, and how they stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Prefetch, Q, QuerySet
from django.utils.translation import gettext as _

from appointments import wording
from appointments.core.compare import Half
from appointments.core.day import Day, Place, Standing, differing_groups, standing, unstated
from appointments.core.kinds import Scope
from appointments.core.plans import value_to_json
from appointments.core.values import fold_name
from appointments.gathering import Gatherer
from appointments.models import Appointment, Decision, Division, Mismatch, Pair, Push
from appointments.views.people import patient_names
from emr_adapters.records import ABSENT, Group, Side

LONGEST_VISIT = timedelta(hours=12)  # what began so long before midnight may still go on
# Not compared, and for a reason that leaves no doubt about the visit itself.
CERTAIN = (
    Scope.SKIPPED_TYPE,
    Scope.MESSAGE,
    Scope.NEVER,
    Scope.PAST,
    Scope.OUTCOME,
    Scope.OUTSIDE_WINDOW,
)
NOBODY = ""  # the column of visits whose provider nobody states


@dataclass(slots=True)
class DayVisit:
    """A visit as the day's pages show it. ``places`` maps each side that has it on this day to where.

    ``number`` counts the differences of the day, 0 for a visit that is not one.
    """

    pair: Pair
    standing: Standing
    patient: str
    phone: str
    provider: str
    column: str
    start: datetime
    minutes: int | None
    type: str
    where: str
    text: str  # the difference, or why it is not compared; "" when there is nothing to say
    halves: dict[Side, Half]
    places: tuple[Place, ...]
    columns: dict[str, str]  # of the columns that it stands in, the names
    doubts: list[str] = field(default_factory=list)
    number: int = 0

    @property
    def clock(self) -> str:
        return wording.clock_text(self.start, wording.zone_of(self.pair))

    @property
    def label(self) -> str:
        """How it stands, as briefly as a block of the picture allows."""
        off = [side for side, half in self.halves.items() if half.off]
        if self.standing is Standing.DIFFERS and len(off) == 1:
            return _("Cancelled in %(side)s only") % {"side": wording.side_name(off[0].value)}
        return wording.standing_label(self.standing)

    @property
    def is_difference(self) -> bool:
        return self.standing in (Standing.DIFFERS, Standing.ONLY_ONCALL, Standing.ONLY_EMR)


def visits_of_day(user: Any, division: Division, day: Day, now: datetime) -> list[DayVisit]:
    """In the order of time. A fixed number of queries."""
    gatherer = Gatherer(now)
    found = [
        visit
        for pair in _pairs(user, division, day)
        if (visit := _visit(pair, division, day, gatherer)) is not None
    ]
    found.sort(key=lambda visit: (visit.start, visit.column, visit.pair.pk))
    number = 0
    for visit in found:
        if visit.is_difference:
            number += 1
            visit.number = number
    return found


def _pairs(user: Any, division: Division, day: Day) -> QuerySet[Pair]:
    wanted = Q(pk__in=[])
    for side in Side:
        between = {f"{side}__start__gte": day.first - LONGEST_VISIT, f"{side}__start__lt": day.last}
        wanted |= Q(**between)
    left = Decision.objects.filter(action="leave_different", ended_at=None)
    return (
        Pair.objects.for_user(user)
        .filter(wanted, division=division)
        .select_related("oncall", "emr", "division")
        # Encrypted, large, and not shown.
        .defer("oncall__raw", "emr__raw")
        .prefetch_related(
            Prefetch(
                "mismatches",
                queryset=Mismatch.objects.unsettled().select_related("division", "connection"),
                to_attr="unsettled",
            ),
            Prefetch(
                "pushes",
                queryset=Push.objects.under_way().select_related("division"),
                to_attr="under_way",
            ),
            Prefetch("decisions", queryset=left, to_attr="left_different"),
        )
    )


def _visit(pair: Any, division: Division, day: Day, gatherer: Gatherer) -> DayVisit | None:
    book = gatherer.book(division)
    halves = {side: gatherer.half(row, book) for side, row in pair.halves.items()}
    on_day = {side: half for side, half in halves.items() if _is_on(half, day)}
    if not on_day:
        return None
    record = Side(division.system_of_record)
    lead = record if record in on_day else record.other
    asked = next(iter(pair.unsettled), None)
    how = standing(halves, asked=asked is not None, scope=pair.scope)
    columns = _columns(halves, lead)
    when = on_day[lead].when
    start = when.start
    if start is None:  # never: ``_is_on`` has looked
        return None
    visit = DayVisit(
        pair=pair,
        standing=how,
        patient=patient_names(pair.half(lead)) or patient_names(pair.half(lead.other)),
        phone=_phone(pair.emr) or _phone(pair.oncall),
        provider=columns[lead][1],
        column=columns[lead][0],
        start=start,
        minutes=when.minutes,
        type=_stated_text(Group.TYPE, halves, lead, division),
        where=_where(pair.half(lead), halves[lead], division),
        text=_text(pair, halves, how, asked, division),
        halves=halves,
        places=_places(on_day, columns, lead, day),
        columns=dict(columns[side] for side in on_day),
    )
    visit.doubts = _doubts(visit, pair)
    if not visit.patient:
        visit.patient = _("Blocked time") if how is Standing.BLOCKED else _("nameless")
    return visit


def _is_on(half: Half, day: Day) -> bool:
    """Does some of it fall on this day?"""
    start = half.when.start
    if start is None:
        return False
    end = start + timedelta(minutes=max(half.when.minutes or 0, 1))
    return start < day.last and end > day.first


def _columns(halves: dict[Side, Half], lead: Side) -> dict[Side, tuple[str, str]]:
    """For each side, key and name of the provider with whom it stands.

    A side that does not say so itself (OnCall mostly) stands with the other's; ("", "") where neither does.
    """
    own = {side: _provider(half) for side, half in halves.items()}
    stated = {side for side, half in halves.items() if Group.PROVIDER in half.words}
    order = sorted(halves, key=lambda side: (side not in stated, side is not lead))
    known = next((own[side] for side in order if own[side][0]), (NOBODY, ""))
    return {
        side: who if who[0] and (side in stated or not stated) else known
        for side, who in own.items()
    }


def _provider(half: Half) -> tuple[str, str]:
    known = half.values.get(Group.PROVIDER) or ()
    if known:
        return known[0].id, known[0].name or _("provider %(id)s") % {"id": known[0].id}
    named = next((w for w in half.words.get(Group.PROVIDER) or () if w["name"] or w["id"]), None)
    if named is None:
        return NOBODY, ""
    name = named["name"] or named["id"]
    return f"name:{fold_name(name) or name}", name


def _places(
    on_day: dict[Side, Half], columns: dict[Side, tuple[str, str]], lead: Side, day: Day
) -> tuple[Place, ...]:
    """One place where both sides say the same, else one for each side, the leading one first."""
    found = []
    for side in (lead, lead.other):
        half = on_day.get(side)
        if half is None or half.when.start is None:
            continue
        start = day.minute_of(half.when.start)
        found.append(Place(side, columns[side][0], start, half.when.minutes))
    if len(found) == 2 and _alike(found[0], found[1]):
        return (Place(None, found[0].column, found[0].start, found[0].minutes or found[1].minutes),)
    return tuple(found)


def _alike(one: Place, two: Place) -> bool:
    if (one.column, one.start) != (two.column, two.start):
        return False
    if one.minutes is None or two.minutes is None:
        return True
    return abs(one.minutes - two.minutes) <= 1


def _phone(row: Appointment | None) -> str:
    people = row.as_record().people if row else ABSENT
    return "" if people is ABSENT else "; ".join(p.phone for p in people if p.phone)


def _stated_text(group: Group, halves: dict[Side, Half], lead: Side, division: Division) -> str:
    """What the leading side says about a group, else the other; "" when neither does."""
    for side in (lead, lead.other):
        half = halves.get(side)
        if half is None:
            continue
        if group in half.values:
            value = value_to_json(group, half.values[group])
            return wording.value_text(group, value, ZoneInfo(division.time_zone))
        said = next((u for u in half.unmapped if u.what == group.value), None)
        if said is not None:
            return said.label or said.value
    return ""


def _where(row: Appointment | None, half: Half, division: Division) -> str:
    """The division; with the EMR's own word for the place where the division has several."""
    name = str(half.values.get(Group.WHERE) or "")
    places = row.as_record().places if row else ABSENT
    own = "" if places is ABSENT else ", ".join(place.rsplit("/", 1)[-1] for place in places)
    if not name or not own:
        return name or own
    several = half.side is Side.EMR and len(division.emr_locations) != 1
    return f"{name} ({own})" if several else name


# --- in words -----------------------------------------------------------------------------------------


def _text(
    pair: Any,
    halves: dict[Side, Half],
    how: Standing,
    asked: Mismatch | None,
    division: Division,
) -> str:
    """The difference as a sentence, and where it stands."""
    push = next(iter(pair.under_way), None)
    if push is not None:
        push.division = division
    on_its_way = f"{wording.push_title(push)}: {wording.push_sentence(push)}" if push else ""
    if asked is not None:
        parts = [wording.reason_sentence(asked)]
        if asked.status != Mismatch.Status.OPEN:
            parts.append(on_its_way or f"{wording.status_label(asked.status)}.")
        return " ".join(parts)
    said = _standing_text(pair, halves, how, division)
    return " ".join(part for part in (said, on_its_way) if part)


def _standing_text(pair: Any, halves: dict[Side, Half], how: Standing, division: Division) -> str:
    if how is Standing.DIFFERS:
        parts = [_difference(halves, division)]
        if pair.left_different:
            parts.append(_("Left as it is by a person."))
        return " ".join(part for part in parts if part)
    if how in (Standing.ONLY_ONCALL, Standing.ONLY_EMR):
        return _("It is in one system only; nobody has been asked about it yet.")
    if how is Standing.UNCOMPARED and pair.scope:
        return wording.scope_sentence(pair.scope, pair)
    if how is Standing.UNCOMPARED:
        texts = [wording.unstated_sentence(side) for side in unstated(halves)]
        for half in halves.values():
            texts += [
                wording.not_set_up_sentence(u.what, u.label or u.value) for u in half.unmapped
            ]
        return " ".join(texts)
    return _outcome(pair)


def _difference(halves: dict[Side, Half], division: Division) -> str:
    groups = {
        str(group): {
            **{
                str(side): value_to_json(group, half.values[group]) for side, half in halves.items()
            },
            "baseline": None,
        }
        for group in differing_groups(halves)
    }
    off = [side for side, half in halves.items() if half.off]
    return wording.difference_sentence(groups, division, off[0] if len(off) == 1 else None)


def _outcome(pair: Pair) -> str:
    for row in (pair.emr, pair.oncall):
        outcome = row.as_record().outcome if row else None
        if outcome:
            return f"{wording.outcome_label(outcome)}."
    return ""


def _doubts(visit: DayVisit, pair: Any) -> list[str]:
    """What a person who works from paper must not rely on."""
    unsure = visit.standing is Standing.UNCOMPARED and pair.scope not in CERTAIN
    found = [visit.text] if visit.text and (visit.is_difference or unsure or pair.under_way) else []
    found += [
        wording.unconfirmed_sentence(side, half.unconfirmed)
        for side, half in visit.halves.items()
        if half.unconfirmed
    ]
    return found
