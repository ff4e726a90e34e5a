"""The gates of one visit as lines of a page, each with the button that opens what it is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from appointments import wording
from appointments.core.gates import Result, Step
from appointments.finding.gates import Around, Gates, Passage
from appointments.models import Division, Mismatch, Pair, Push, Role
from appointments.views.visits import VisitRow, visit_row
from appointments.wording.around import Around as AroundWords
from appointments.wording.around import around_sentence
from appointments.wording.gates import Subject, gate_sentence
from appointments.wording.scopes import scope_sentence
from emr_adapters.records import Side

TONES = {
    Result.PASSED: "good",
    Result.AGREES: "good",
    Result.OUT: "out",
    Result.ASKS: "ask",
    Result.WRITES: "write",
    Result.WAITS: "wait",
}
MARKS = {"good": "✓", "out": "○", "ask": "≠", "write": "→", "wait": "…"}
# Before these are through, what the decision says has not been carried out.
NOT_COMPARED = (Around.IN_HAND, Around.COMPARED, Around.FIRST_LIST)
ON_THE_DIVISIONS_PAGE = {"outside_window", "never", "observe", "paused", "policy_asks"}


@dataclass(frozen=True, slots=True)
class Link:
    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """``passed``: it only let the visit through. ``link`` None: nothing to open, or not for this person."""

    tone: str
    text: str
    link: Link | None = None

    @property
    def mark(self) -> str:
        return MARKS[self.tone]

    @property
    def passed(self) -> bool:
        return self.tone == "good"


@dataclass(frozen=True, slots=True)
class Ask:
    """A button that has one side asked about this visit now."""

    connection: int
    remote_id: str
    label: str


@dataclass(frozen=True, slots=True)
class Why:
    """``stop``: the gate at which the visit is now. ``lines``: all of them, in order."""

    pair: Pair
    row: VisitRow
    stop: Line
    lines: list[Line]
    asks: list[Ask]

    @property
    def passed(self) -> int:
        return sum(line.passed for line in self.lines)


@dataclass(frozen=True, slots=True)
class Asker:
    """What the person who looks may open: asked once a page."""

    configures: frozenset[int]
    settles: frozenset[int]
    any_division: bool
    sees: Any

    @classmethod
    def of(cls, user: Any) -> Asker:
        configured = Division.objects.with_role(user, Role.ADMINISTRATOR)
        settled = Division.objects.with_role(user, Role.STAFF, Role.ADMINISTRATOR)
        staff = bool(user.is_staff)
        return cls(
            configures=frozenset(configured.values_list("pk", flat=True)) if staff else frozenset(),
            settles=frozenset(settled.values_list("pk", flat=True)),
            any_division=staff and bool(user.is_superuser),
            sees=Pair.objects.for_user(user),
        )


def why_of(gates: Gates, asker: Asker) -> Why:
    """``gates.pair`` with what ``visit_row`` needs."""
    before = [(p, _around_line(p, gates, asker)) for p in gates.before]
    steps = [(s, _step_line(s, gates, asker)) for s in gates.steps]
    after = [(p, _around_line(p, gates, asker)) for p in gates.after]
    lines = [line for _gate, line in (*before, *steps, *after)]
    stop = _stop(before, steps, after)
    return Why(gates.pair, visit_row(gates.pair), stop, lines, list(_asks(gates.pair, asker)))


def _stop(
    before: list[tuple[Passage, Line]],
    steps: list[tuple[Step, Line]],
    after: list[tuple[Passage, Line]],
) -> Line:
    """Where the visit is now: what a person or the brake made of it, else what the decision says, else
    what is still awaited."""
    for passage, line in after:
        if passage.gate in (Around.DECIDED, Around.SNOOZED, Around.PUSH):
            return line
    waits = [(p, line) for p, line in before if p.result is Result.WAITS]
    asked = any(passage.gate is Around.QUESTION for passage, _line in after)
    for step, line in steps:
        if step.result is Result.ASKS:
            late = next((one for p, one in waits if p.gate in NOT_COMPARED), None)
            return line if asked or late is None else late
        if step.result is Result.OUT and step.group is None:
            return line
    if waits:
        return waits[0][1]
    return steps[-1][1]


# --- the decision's own steps -------------------------------------------------------------------------


def _step_line(step: Step, gates: Gates, asker: Asker) -> Line:
    if gates.view is None or gates.rules is None:
        text = scope_sentence(step.why)
        link = None
        if asker.any_division:
            link = Link(reverse("admin:appointments_division_changelist"), _("Open the divisions"))
        return Line(TONES[step.result], text, link)
    records = {side: row.as_record() for side, row in gates.pair.halves.items()}
    zone = wording.zone_of(gates.pair)
    subject = Subject(gates.view, gates.rules, zone, records)
    text = gate_sentence(step, subject)
    return Line(TONES[step.result], text, _step_link(step, gates, asker))


def _step_link(step: Step, gates: Gates, asker: Asker) -> Link | None:
    if step.result in (Result.PASSED, Result.AGREES):
        return None
    if step.why == "unproven":
        return Link(reverse("runs"), _("Open the readings"))
    if step.why == "candidate":
        other = asker.sees.filter(pk__in=gates.asked_at).values_list("pk", flat=True).first()
        return Link(reverse("visit", args=[other]), _("Open that visit")) if other else None
    if step.why in ("skipped_type", "unmapped"):
        return _table_link(step, gates, asker)
    if step.why in ON_THE_DIVISIONS_PAGE and (link := _division_link(gates.pair, asker)):
        return link
    if step.result is Result.ASKS:
        return _question_link(gates)
    return None


def _table_link(step: Step, gates: Gates, asker: Asker) -> Link | None:
    division = gates.pair.division
    if division is None or division.pk not in asker.configures:
        return None
    unmapped = [
        u.what for half in (gates.view.halves.values() if gates.view else ()) for u in half.unmapped
    ]
    if step.why == "unmapped" and "type" not in unmapped:
        return Link(reverse("admin:appointments_provider_changelist"), _("Open the providers"))
    page = reverse("admin:appointments_division_change", args=[division.pk])
    return Link(f"{page}#type_rules-group", _("Open the type table"))


def _division_link(pair: Pair, asker: Asker) -> Link | None:
    if pair.division_id not in asker.configures:
        return None
    page = reverse("admin:appointments_division_change", args=[pair.division_id])
    return Link(page, _("Open the division's settings"))


def _question_link(gates: Gates) -> Link | None:
    row = next((p.row for p in gates.after if p.gate is Around.QUESTION), None)
    return _open_question(row) if row is not None else None


def _open_question(row: Mismatch) -> Link:
    page = reverse("visit", args=[row.pair_id]) if row.pair_id else reverse("queue")
    return Link(f"{page}#mismatch-{row.pk}", _("Open the question"))


# --- what stands around it ----------------------------------------------------------------------------


def _around_line(passage: Passage, gates: Gates, asker: Asker) -> Line:
    zone = wording.zone_of(gates.pair)
    words = AroundWords(
        zone,
        gates.now,
        connection=passage.connection,
        at=passage.at,
        row=passage.row,
        passed=passage.result is Result.PASSED,
    )
    text = around_sentence(passage.gate, words)
    return Line(TONES[passage.result], text, _around_link(passage, gates, asker))


def _around_link(passage: Passage, gates: Gates, asker: Asker) -> Link | None:
    match passage.gate:
        case Around.CONNECTION_PAUSED if asker.any_division and passage.connection:
            page = reverse("admin:appointments_connection_change", args=[passage.connection.pk])
            return Link(page, _("Open the connection"))
        case Around.CONNECTION_PAUSED | Around.RESTING:
            return Link(reverse("home"), _("Open the overview"))
        case Around.HINT_WAITS:
            return Link(reverse("deliveries") + "?status=stored", _("Open the webhooks"))
        case Around.FIRST_LIST:
            return Link(reverse("runs"), _("Open the readings"))
        case Around.DIVISION_PAUSED:
            return _division_link(gates.pair, asker)
        case Around.IN_HAND:
            return Link(reverse("pushes"), _("Open the writes"))
        case Around.PUSH:
            held = passage.row.status == Push.Status.HELD
            query = "?status=held" if held else ""
            return Link(reverse("pushes") + query, _("Open the writes"))
        case Around.QUESTION:
            return _open_question(passage.row)
        case Around.SNOOZED:
            return _open_question(passage.row.mismatch)
        case Around.DECIDED:
            return Link(reverse("visit", args=[gates.pair.pk]), _("Open the visit"))
        case _:
            return None


def _asks(pair: Pair, asker: Asker) -> Iterator[Ask]:
    """The sides that have it, for those who settle in its division."""
    if pair.division_id not in asker.settles:
        return
    for side in Side:
        row = pair.half(side)
        if row is not None:
            yield Ask(row.connection_id, row.remote_id, ask_label(side))


def ask_label(side: str, name: str = "") -> str:
    if name:
        return _("Ask %(connection)s for it now") % {"connection": name}
    if side == Side.ONCALL:
        return _("Ask OnCall for it now")
    return _("Ask the EMR for it now")
