"""One visit through time: everything that happened to it, and both sides as they were at any moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext as _

from appointments import wording
from appointments.core.history import Saying, Told, as_it_was, facts_of
from appointments.core.kinds import Operation
from appointments.core.values import Codebook
from appointments.gathering import Gatherer
from appointments.models import AppointmentChange, Delivery, Note, Pair, Push
from appointments.models.encrypted import opened
from appointments.views.team_blocks import note_text
from appointments.wording import histories
from appointments.wording.choices import LABELS
from appointments.wording.values import side_in_text
from emr_adapters.records import Group, Side

MOST = 200  # of each kind of event; a visit has rarely more than a dozen
OF_A_PAGE_VIEW = ("viewed", "raw_viewed")
NOTED = "noted"  # told by the note itself
READ_BACK_WITHIN = timedelta(minutes=10)
Kind = AppointmentChange.Kind


@dataclass(frozen=True, slots=True)
class Happening:
    """``lines``: what it was before and after. ``moment``: how the page is asked to show that moment."""

    at: datetime
    text: str
    detail: str = ""
    kind: str = ""  # which mark it gets
    lines: tuple[str, ...] = ()
    moment: int | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """Both sides can be shown as they were right after this change."""

    pk: int
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Cell:
    side: str
    text: str
    since: str = ""  # what it says now, where that is something else


@dataclass(frozen=True, slots=True)
class ThenRow:
    name: str
    cells: tuple[Cell, ...]

    @property
    def changed(self) -> bool:
        return any(cell.since for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Then:
    """Both sides at one moment, with the moments before and after it."""

    moment: Moment
    rows: list[ThenRow]
    earlier: Moment | None
    later: Moment | None


def history_of(request: HttpRequest, pair: Pair, gatherer: Gatherer) -> dict[str, Any]:
    """What the template ``_history.html`` shows. ``pair`` whole."""
    every = _changes(pair)
    # Before one that cannot be decrypted nothing can be taken back any more.
    changes = list(takewhile(_is_readable, every))
    pushes = list(pair.pushes.select_related("division", "user")[:MOST])
    told = _Telling(pair, gatherer, pushes)
    moments = [told.moment(change) for change in reversed(changes)]
    with_views = request.GET.get("views") == "1"
    told_of = [*told.happenings(changes, with_views=with_views)]
    if len(changes) < len(every):
        lost = every[len(changes)]
        told_of.append(
            Happening(lost.at, _("What changed until then:"), wording.sealed_text(), "sealed")
        )
    happenings = sorted(told_of, key=lambda one: one.at, reverse=True)
    return {
        "history": happenings,
        "moments": moments,
        "then": told.then(request.GET.get("at", ""), moments, changes),
        "with_views": with_views,
    }


def _changes(pair: Pair) -> list[AppointmentChange]:
    """The newest first."""
    ids = [row.pk for row in pair.halves.values()]
    rows = AppointmentChange.objects.filter(appointment__in=ids)
    return list(rows.order_by("-at", "-pk")[: MOST * 2])


def _is_readable(change: AppointmentChange) -> bool:
    return all(opened(change, name, None) is not None for name in ("before", "after"))


class _Telling:
    def __init__(self, pair: Pair, gatherer: Gatherer, pushes: list[Push]) -> None:
        self.pair = pair
        self.pushes = pushes
        self.zone: ZoneInfo = wording.zone_of(pair)
        self.book: Codebook | None = gatherer.book(pair.division) if pair.division else None
        self.sides = {row.pk: side for side, row in pair.halves.items()}

    # --- everything that happened ---

    def happenings(
        self, changes: list[AppointmentChange], *, with_views: bool
    ) -> Iterator[Happening]:
        yield from (self._change(change) for change in changes)
        yield from (self._push(push) for push in self.pushes)
        yield from self._events(with_views)
        yield from self._questions()
        yield from self._notes()
        yield from self._ended_decisions()
        yield from self._hints()

    def _change(self, change: AppointmentChange) -> Happening:
        side = self.sides[change.appointment_id]
        text = histories.change_title(change, side, by_us=self._by_us(change, side))
        lines = () if change.kind == Kind.FIRST else tuple(self._lines(change, side))
        detail = "" if change.kind in (Kind.GONE, Kind.REREAD) else self._who(change, side)
        return Happening(change.at, text, detail, "change", lines, change.pk)

    def _who(self, change: AppointmentChange, side: Side) -> str:
        if self._by_us(change, side):
            return _("We wrote it; this is what was read back.")
        if change.kind == Kind.FIRST:
            return ""
        return _("Somebody did so in %(side)s itself.") % {"side": side_in_text(side)}

    def _by_us(self, change: AppointmentChange, side: Side) -> bool:
        """Was it read back after a write of ours that said so?"""
        return any(
            push.side == side
            and push.sent_at is not None
            and push.sent_at <= change.at <= (push.finished_at or push.sent_at) + READ_BACK_WITHIN
            and self._says(push, change)
            for push in self.pushes
        )

    def _says(self, push: Push, change: AppointmentChange) -> bool:
        if change.kind == Kind.FIRST:
            row = self.pair.half(Side(push.side))
            return (
                push.operation == Operation.CREATE
                and row is not None
                and row.remote_id == push.result_id
            )
        if push.operation == Operation.CANCEL:
            return Group.STATE in change.names
        written = set((push.plan or {}).get("values") or {})
        if (push.plan or {}).get("reference"):
            written.add("reference")
        return bool(written & set(change.names))

    def _lines(self, change: AppointmentChange, side: Side) -> Iterator[str]:
        for name in histories.IN_ORDER:
            if name in change.names:
                yield _("%(what)s: %(before)s → %(after)s") % {
                    "what": histories.fact_label(name),
                    "before": self._fact(name, change.before, side),
                    "after": self._fact(name, change.after, side),
                }

    def _fact(self, name: str, facts: Any, side: Side) -> str:
        return histories.fact_text(name, facts, side, self.book, self.zone)

    def _push(self, push: Push) -> Happening:
        return Happening(
            push.created_at,
            wording.push_title(push),
            " ".join(
                part
                for part in (_asked_by(push), wording.push_sentence(push), _mails(push))
                if part
            ),
            "push",
            tuple(self._written(push)),
        )

    def _written(self, push: Push) -> Iterator[str]:
        if push.operation != Operation.UPDATE:
            return
        for name, value in ((push.plan or {}).get("values") or {}).items():
            yield _("%(what)s: %(before)s → %(after)s") % {
                "what": wording.group_label(name),
                "before": wording.value_text(name, (push.before or {}).get(name), self.zone),
                "after": wording.value_text(name, value, self.zone),
            }

    def _events(self, with_views: bool) -> Iterator[Happening]:
        rows = self.pair.events.exclude(verb=NOTED).select_related("user", "division")
        if not with_views:
            rows = rows.exclude(verb__in=OF_A_PAGE_VIEW)
        for event in rows[:MOST]:
            yield Happening(event.at, wording.audit_sentence(event), kind=event.verb)

    def _questions(self) -> Iterator[Happening]:
        for row in self.pair.mismatches.select_related("division", "connection")[:MOST]:
            kind = wording.kind_label(row.kind)
            text = wording.reason_sentence(row)
            yield Happening(row.first_seen_at, kind, text, "question")
            if row.closed_at:
                text = _("%(kind)s: settled") % {"kind": kind}
                yield Happening(row.closed_at, text, wording.closed_sentence(row), "settled")

    def _notes(self) -> Iterator[Happening]:
        for note in Note.objects.filter(mismatch__pair=self.pair).order_by("-at")[:MOST]:
            said = _("%(name)s noted:") % {"name": note.author}
            yield Happening(note.at, said, note_text(note), NOTED)

    def _ended_decisions(self) -> Iterator[Happening]:
        """That one was made stands among the events; that it lapsed stands only on its row."""
        for row in self.pair.decisions.exclude(ended_at=None)[:MOST]:
            if row.ended_at is not None:
                what = LABELS.get(row.action, row.action)
                text = _("The decision “%(what)s” ended") % {"what": what}
                why = {
                    "changed": _("One of the values it was about has changed."),
                    "agreed": _("Both sides agree."),
                }.get(row.ended_because, "")
                yield Happening(row.ended_at, text, why, "decision")

    def _hints(self) -> Iterator[Happening]:
        wanted = Q(pk__in=[])
        for row in self.pair.halves.values():
            wanted |= Q(connection=row.connection_id, remote_id=row.remote_id)
        for hint in Delivery.objects.filter(wanted).order_by("-pk")[:MOST]:
            text = (
                _("Somebody had it read at once")
                if hint.event == Delivery.ASKED_HERE
                else _("Webhook from OnCall: %(event)s") % {"event": hint.event}
            )
            yield Happening(hint.received_at, text, wording.delivery_sentence(hint), "webhook")

    # --- as it was ---

    def moment(self, change: AppointmentChange) -> Moment:
        text = histories.change_title(change, self.sides[change.appointment_id], by_us=False)
        return Moment(change.pk, change.at, text)

    def then(
        self, asked: str, moments: list[Moment], changes: list[AppointmentChange]
    ) -> Then | None:
        """The asked-for moment; None for one that this visit does not have."""
        place = next((n for n, moment in enumerate(moments) if str(moment.pk) == asked), None)
        if place is None:
            return None
        moment = moments[place]
        then = {side: self._saying(side, changes, moment.at) for side in self.sides.values()}
        now = {side: self._now(side) for side in self.sides.values()}
        return Then(
            moment,
            list(self._then_rows(then, now)),
            moments[place - 1] if place else None,
            moments[place + 1] if place + 1 < len(moments) else None,
        )

    def _now(self, side: Side) -> Saying:
        row = self.pair.half(side)
        if row is None:
            return Saying({})
        return Saying(facts_of(row.as_record()), row.gone_at is not None)

    def _saying(
        self, side: Side, changes: list[AppointmentChange], moment: datetime
    ) -> Saying | None:
        own = [_told(one) for one in changes if self.sides[one.appointment_id] is side]
        return as_it_was(self._now(side), own, moment)

    def _then_rows(
        self, then: dict[Side, Saying | None], now: dict[Side, Saying]
    ) -> Iterator[ThenRow]:
        for name in histories.IN_ORDER:
            stated = [one for one in (*then.values(), *now.values()) if one and name in one.facts]
            if not stated:
                continue
            cells = tuple(self._cell(name, side, then.get(side), now.get(side)) for side in Side)
            yield ThenRow(histories.fact_label(name), cells)

    def _cell(self, name: str, side: Side, then: Saying | None, now: Saying | None) -> Cell:
        heading = wording.side_name(side)
        if now is None:
            return Cell(heading, _("not there"))
        today = self._fact(name, now.facts, side)
        if then is None:
            return Cell(heading, histories.saying_state(None), today)
        text = self._fact(name, then.facts, side)
        if name == Group.STATE and then.gone:
            text = histories.saying_state(then)
        if name == Group.STATE and now.gone:
            today = histories.saying_state(now)
        return Cell(heading, text, today if today != text else "")


def _told(change: AppointmentChange) -> Told:
    gone = {Kind.GONE: True, Kind.FOUND: False}.get(Kind(change.kind))
    first = change.kind == Kind.FIRST
    return Told(change.at, change.before, change.after, first=first, gone=gone)


def _asked_by(push: Push) -> str:
    if push.automatic:
        return _("By itself.")
    name = (push.user.get_full_name() or push.user.get_username()) if push.user else ""
    return _("Decided by %(name)s.") % {"name": name} if name else ""


def _mails(push: Push) -> str:
    """OnCall mails by itself on create, reschedule and cancel; nothing is mailed to patients from here."""
    if not push.mails:
        return ""
    people = ", ".join(push.mails)
    if push.sent_at is not None or push.status == Push.Status.DONE:
        return _("OnCall mails %(people)s about it.") % {"people": people}
    if push.status in Push.UNDER_WAY:
        return _("OnCall will mail %(people)s.") % {"people": people}
    return _("It was not sent: OnCall mailed nobody about it.")
