"""A mismatch as staff see it: both sides' values, the choices with their previews, where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import F, Prefetch, Q, QuerySet
from django.utils.translation import gettext as _

from appointments import wording
from appointments.core.kinds import Action, Kind
from appointments.models import Appointment, Decision, Mismatch, Push
from appointments.views.people import patient_names, provider_names
from appointments.views.team_blocks import Team, team_blocks
from emr_adapters.records import Group, Side

MISSING_KINDS = (Kind.MISSING_IN_ONCALL, Kind.MISSING_IN_EMR)
QUIET = (Action.BY_HAND, Action.LEAVE_DIFFERENT)


@dataclass(frozen=True, slots=True)
class Cell:
    """One side's value in one row. ``note`` says what happened to it since both sides agreed."""

    side: str
    text: str
    changed: bool = False
    note: str = ""
    stated: bool = True


@dataclass(frozen=True, slots=True)
class GroupRow:
    name: str
    differs: bool
    cells: tuple[Cell, Cell]


@dataclass(frozen=True, slots=True)
class Option:
    """One button. ``stopped`` is the reason why it is switched off, "" when it works."""

    action: str
    label: str
    preview: list[str]
    recommended: bool
    irreversible: bool
    targets: list[dict[str, str]]
    question: str
    stopped: str
    why: str = ""


@dataclass(slots=True)
class Card:
    row: Mismatch
    now: datetime
    can_settle: bool
    rows: list[GroupRow] = field(default_factory=list)
    options: list[Option] = field(default_factory=list)
    quiet: list[Option] = field(default_factory=list)
    push: Push | None = None
    decision: Decision | None = None
    failed_push: Push | None = None
    note: str = ""
    confirming: Option | None = None
    confirmation: str = ""
    thin: bool = False  # decided: one line in its place
    team: Team = field(default_factory=Team)

    @property
    def zone(self) -> Any:
        return wording.zone_of(self.row)

    @property
    def reason(self) -> str:
        return wording.reason_sentence(self.row)

    @property
    def failed(self) -> str:
        """Why the last try to write it failed, "" when none did."""
        if self.row.status == Mismatch.Status.CLOSED or self.under_way:
            return ""
        push = self.failed_push
        if push is None or not (push.error_code or push.error):
            return ""
        why = wording.error_sentence(push.error_code, push.side, push.error)
        return _("The last try failed: %(why)s") % {"why": why}

    @property
    def kind(self) -> str:
        return wording.kind_label(self.row.kind)

    @property
    def status(self) -> str:
        return wording.status_label(self.row.status)

    @property
    def title(self) -> str:
        """Whom or what it is about."""
        if self.row.patient:
            return self.row.patient
        about = self.row.reason_details or {}
        return str(about.get("label") or about.get("value") or self.kind)

    @property
    def visit_time(self) -> str:
        start = self.row.start
        if start is None:
            return ""
        zone = self.zone
        return f"{wording.moment_text(start, zone)} {wording.zone_text(start, zone)}"

    @property
    def chip(self) -> str:
        return wording.time_until(self.row.start, self.now) if self.row.start else ""

    @property
    def urgency(self) -> str:
        """How the chip looks: "now", "soon", "later", "past"."""
        if self.row.status == Mismatch.Status.CLOSED:
            return "later"
        return wording.urgency_word(self.row.start, self.now)

    @property
    def is_open(self) -> bool:
        return self.row.status == Mismatch.Status.OPEN

    @property
    def decides(self) -> bool:
        """Does it show buttons? A visit that waits for work by hand can still be decided otherwise."""
        return self.can_settle and self.row.status in (
            Mismatch.Status.OPEN,
            Mismatch.Status.WAITING,
        )

    @property
    def can_pick(self) -> bool:
        """Can it be chosen, to be decided together with others?"""
        return self.is_open and self.decides and not self.under_way and bool(self.row.choices)

    @property
    def undo_seconds(self) -> int:
        """How long the click can still be taken back; 0 when it has left."""
        push = self.push
        if push is None or push.status != Push.Status.WAITING or push.automatic or push.attempts:
            return 0
        return max(0, round((push.not_before - self.now).total_seconds()))

    @property
    def under_way(self) -> bool:
        """Is something about to be written, or being written?"""
        pushing = self.push is not None and self.push.status in Push.UNDER_WAY
        return self.row.status == Mismatch.Status.SETTLING or pushing

    @property
    def can_undo(self) -> bool:
        """Can the click still be taken back before anything is sent?"""
        return self.can_settle and self.undo_seconds > 0

    @property
    def undo_later(self) -> list[str]:
        """After it was settled: what taking it back would write, and who would be mailed."""
        if not self.can_settle or self.under_way or self.row.status == Mismatch.Status.OPEN:
            return []
        if self.decision is not None and self.decision.ended_at is None:
            return [_("You are asked again; nothing is written and nobody is mailed.")]
        push = self.push
        if push is None or push.status != Push.Status.DONE or push.automatic:
            return []
        return wording.undo_lines(push)

    @property
    def poll_seconds(self) -> int:
        """When the card asks for itself again; 0 when nothing is going to happen by itself."""
        if not self.under_way or (self.push and self.push.status == Push.Status.HELD):
            return 0
        return self.undo_seconds + 1 if self.undo_seconds else 2

    @property
    def progress(self) -> str:
        if self.push is None:
            return _("Being settled.")
        return f"{wording.push_title(self.push)}: {_lower(wording.push_sentence(self.push))}"

    @property
    def decided(self) -> str:
        """Who settled it and how, "" when nobody had to."""
        made = self.decision or (self.push if self.push and not self.push.automatic else None)
        if made is None:
            return ""
        plan = made.plan if isinstance(made, Push) else None
        action = wording.choice_label({"action": made.action, "plan": plan}, self.row)
        user = made.user.get_username() if made.user else _("somebody")
        at = made.made_at if isinstance(made, Decision) else made.created_at
        words = {"user": user, "action": action, "ago": wording.time_ago(at, self.now)}
        return _("%(user)s, %(ago)s: %(action)s") % words

    @property
    def ended(self) -> str:
        return wording.closed_sentence(self.row)


def with_card_rows(rows: QuerySet[Mismatch]) -> QuerySet[Mismatch]:
    """Everything a card needs, in a fixed number of queries."""
    pushes = Push.objects.select_related("user", "division").order_by("-pk")
    decisions = Decision.objects.select_related("user").order_by("-made_at")
    failed = Push.objects.filter(status=Push.Status.FAILED).order_by("-pk")
    seen = {f"{side}_seen": F(f"pair__{side}__seen_at") for side in Side}  # wording.evidence
    rows = rows.annotate(**seen).select_related("division", "connection", "pair")
    return rows.prefetch_related(
        Prefetch("pair__pushes", queryset=failed, to_attr="failed_pushes"),
        Prefetch("pushes", queryset=pushes, to_attr="pushes_newest_first"),
        Prefetch("decisions", queryset=decisions, to_attr="decisions_newest_first"),
    )


def make_cards(rows: Iterable[Mismatch], settles: frozenset[int], now: datetime) -> list[Card]:
    """Cards for rows of ``with_card_rows``."""
    mismatches = list(rows)
    labels = _target_labels(mismatches)
    teams = team_blocks(mismatches, now)
    return [make_card(row, settles, now, labels, teams) for row in mismatches]


def make_card(
    row: Mismatch,
    settles: frozenset[int],
    now: datetime,
    labels: Mapping[tuple[int, str], str] | None = None,
    teams: Mapping[int, Team] | None = None,
) -> Card:
    labels = _target_labels([row]) if labels is None else labels
    card = Card(row, now, can_settle=row.division_id in settles)
    card.team = (teams or team_blocks([row], now))[row.pk]
    card.push = next(iter(getattr(row, "pushes_newest_first", ())), None)
    card.decision = next(iter(getattr(row, "decisions_newest_first", ())), None)
    card.failed_push = _failed_push(row)
    card.rows = _group_rows(row)
    options = [_option(choice, row, labels) for choice in _recommended_first(row.choices)]
    card.options = [o for o in options if o.action not in QUIET]
    card.quiet = [o for o in options if o.action in QUIET]
    return card


def _failed_push(row: Mismatch) -> Push | None:
    """The failed write that this question is about: its own click's, or an automatic one's."""
    failed = getattr(row.pair, "failed_pushes", ()) if row.pair else ()
    about = row.reason_code == "push_failed"
    return next((push for push in failed if about or push.mismatch_id == row.pk), None)


def _recommended_first(choices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(choices, key=lambda choice: not choice.get("recommended"))


def _option(choice: dict[str, Any], row: Mismatch, labels: Mapping[tuple[int, str], str]) -> Option:
    mode = row.division.mode if row.division else ""
    stopped = ""
    if choice.get("writes") and mode in ("observe", "paused"):
        stopped = wording.refused_in_mode(mode)
    targets = [
        {"id": t["id"], "label": labels.get((row.pk, t["id"]), t["label"])}
        for t in choice.get("targets", ())
    ]
    return Option(
        action=choice["action"],
        label=wording.choice_label(choice, row),
        preview=wording.preview_lines(choice, row),
        recommended=bool(choice.get("recommended")),
        irreversible=bool(choice.get("irreversible")),
        targets=targets,
        question=wording.target_question(choice),
        stopped=stopped,
        why=wording.why_recommended(choice, row),
    )


def _group_rows(row: Mismatch) -> list[GroupRow]:
    silent = [s for s in Side if all(v.get(s.value) is None for v in (row.groups or {}).values())]
    if row.groups and len(silent) == 1:
        return [_single_row(row, silent[0])]
    return [_group_row(row, group, shown) for group, shown in (row.groups or {}).items()]


def _single_row(row: Mismatch, missing: Side) -> GroupRow:
    """A visit that one side lacks, in one line."""
    there = missing.other
    zone = wording.zone_of(row)
    texts = [
        wording.value_text(group, shown[there.value], zone)
        for group, shown in row.groups.items()
        if shown.get(there.value) is not None and group != Group.STATE
    ]
    lacks = _("not there") if row.kind in MISSING_KINDS else _("nothing linked")
    cells = {
        missing: Cell(missing.value, lacks, stated=False),
        there: Cell(there.value, " · ".join(texts)),
    }
    return GroupRow(_("Visit"), False, (cells[Side.ONCALL], cells[Side.EMR]))


def _group_row(row: Mismatch, group: str, shown: Mapping[str, Any]) -> GroupRow:
    values = {side.value: shown.get(side.value) for side in Side}
    before = shown.get("baseline")
    cells = []
    for side, value in values.items():
        changed = before is not None and value is not None and value != before
        cells.append(
            Cell(
                side=side,
                text=wording.value_text(group, value, wording.zone_of(row)),
                changed=changed,
                note=_cell_note(row, group, changed, before),
                stated=value is not None,
            )
        )
    differs = None not in values.values() and values["oncall"] != values["emr"]
    return GroupRow(wording.group_label(group), differs, (cells[0], cells[1]))


def _cell_note(row: Mismatch, group: str, changed: bool, before: Any) -> str:
    if before is None:
        return ""
    if not changed:
        return _("as before")
    was = wording.short_text(group, before, wording.zone_of(row))
    return _("changed, was %(value)s") % {"value": was}


def _target_labels(rows: list[Mismatch]) -> dict[tuple[int, str], str]:
    """Visits to pick from are known by id only: say whose and when, from the mirror."""
    wanted = {
        (row.pk, target["id"])
        for row in rows
        for choice in row.choices
        if choice["action"] == Action.LINK
        for target in choice.get("targets", ())
    }
    if not wanted:
        return {}
    by_key = {row.pk: row for row in rows}
    found = _mirrored({key for _pk, key in wanted}, rows)
    labels = {}
    for pk, key in wanted:
        division = by_key[pk].division
        visit = found.get((division.pk if division else None, key))
        if visit is not None:
            labels[pk, key] = _visit_label(visit, by_key[pk])
    return labels


def _mirrored(ids: set[str], rows: list[Mismatch]) -> dict[tuple[int | None, str], Appointment]:
    divisions = {row.division_id for row in rows}
    visits = Appointment.objects.filter(remote_id__in=ids).filter(
        Q(division__in=divisions) | Q(division=None)
    )
    return {(visit.division_id, visit.remote_id): visit for visit in visits}


def _visit_label(visit: Appointment, row: Mismatch) -> str:
    parts = [wording.moment_text(visit.start, wording.zone_of(row))] if visit.start else []
    parts += [patient_names(visit), provider_names(visit), f"#{visit.remote_id}"]
    return " · ".join(part for part in parts if part)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
