"""One visit as the core looks at it: its halves, baseline, neighbours and history.

A ``Gatherer`` lives for one pass: it remembers codebooks and rules per division, so that a pass over
many visits asks for them once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from appointments import alerts, remotes
from appointments.core.compare import BaselineEntry, Half
from appointments.core.decisions import decide
from appointments.core.kinds import Kind
from appointments.core.matching import could_be, evidence, is_replacement, shared_emails
from appointments.core.policy import (
    GateFacts,
    Mode,
    Rules,
    sweep_proves,
)
from appointments.core.singles import out_of_scope
from appointments.core.values import Codebook, ProviderValue, Unmapped, interpret, own_words
from appointments.core.view import Candidate, IdentityDoubt, Replacement, View
from appointments.gathering.claims import (
    claimants,
    create_was_missed,
    day_in,
    failed_plans,
    is_free,
    people_confirmed,
    persons_like,
    replacement_subject,
    share_person,
    told_apart,
)
from appointments.gathering.codebooks import make_codebook, policy_of
from appointments.mirror.windows import division_window
from appointments.models import (
    Appointment,
    AppointmentPerson,
    Connection,
    Decision,
    Division,
    Pair,
)
from emr_adapters.records import ABSENT, Group, Person, Side, State

MAIL_WINDOW = timedelta(hours=1)
NEAR = timedelta(days=1, hours=2)  # every zone's "same day" lies within


class Gatherer:
    def __init__(self, now: datetime) -> None:
        self.now = now
        # By visit, those whose question names it: they have to be asked when it counts on that.
        self.named_by: dict[int, set[int]] = {}
        self._books: dict[int, Codebook] = {}
        self._rules: dict[int, Rules] = {}

    # --- configuration ---

    def rules(self, division: Division) -> Rules:
        if division.pk not in self._rules:
            self._rules[division.pk] = self._make_rules(division)
        return self._rules[division.pk]

    def _make_rules(self, division: Division) -> Rules:
        return Rules(
            record=Side(division.system_of_record),
            mode=Mode(division.mode),
            policy=policy_of(division),
            capabilities={
                side: remotes.capabilities_of(division.connection(side)) for side in Side
            },
            window=division_window(division, self.now),
            division=division.name,
            default_type=division.default_type,
            cancel_delay=timedelta(minutes=division.cancel_delay_minutes),
            page_started_at=division.page_started_at,
            told=division.contact if alerts.mail_is_set_up() else "",
        )

    def book(self, division: Division) -> Codebook:
        if division.pk not in self._books:
            self._books[division.pk] = make_codebook(division)
        return self._books[division.pk]

    # --- one visit ---

    def half(self, row: Appointment, book: Codebook) -> Half:
        record = row.as_record()
        words: dict[Group, Any] = {Group(g): w for g, w in row.unconfirmed.items()}
        words |= own_words(record)
        side = Side(row.side)
        values: dict[Group, Any] = {}
        unmapped = []
        for group, said in words.items():
            value = interpret(side, group, said, book)
            if isinstance(value, Unmapped):
                unmapped.append(value)
            elif value is not None:
                values[group] = value
        if side is Side.ONCALL and Group.PROVIDER not in values and book.sole_provider:
            sole = book.sole_provider
            values[Group.PROVIDER] = (ProviderValue(sole, book.providers.get(sole, "")),)
        return Half(
            side=side,
            id=row.remote_id,
            state=State.BOOKED if record.state is ABSENT else record.state,
            words=words,
            values=values,
            unconfirmed=frozenset(Group(g) for g in row.unconfirmed),
            seen_at=row.group_seen_at(),
            outcome=record.outcome,
            raw_status=record.raw_status,
            reference=record.reference,
            is_block=record.is_block,
            gone=row.gone_at is not None,
            unmapped=tuple(unmapped),
            problems=tuple(problem.code for problem in record.problems),
        )

    def view(self, pair: Pair, division: Division) -> View:
        """``pair`` with its halves loaded. Single visits are looked at with their neighbours."""
        book = self.book(division)
        halves = {side: self.half(row, book) for side, row in pair.halves.items()}
        view = View(
            halves=halves,
            book=book,
            baseline=self._baseline(pair, book) if len(halves) == 2 else {},
            title=division.title,
            linked_by_person=pair.linked_by == Pair.LinkedBy.PERSON,
            known_patients=known_patients(pair, halves),
            recent_mails=self._recent_mails(pair),
            withheld_at=pair.withheld_at,
            failed_plans=failed_plans(pair),
            missed_create=len(halves) == 1 and create_was_missed(pair),
        )
        if len(halves) == 2:
            return self._with_identity(view, pair, division)
        (half,) = halves.values()
        rules = self.rules(division)
        if out_of_scope(half, rules, self.now) is not None:
            return view
        return self._with_neighbours(view, half, pair, division)

    def _baseline(self, pair: Pair, book: Codebook) -> dict[Group, BaselineEntry]:
        entries = {}
        for row in pair.baselines.all():
            group = Group(row.group)
            words = {Side.ONCALL: row.oncall, Side.EMR: row.emr}
            values = {side: interpret(side, group, said, book) for side, said in words.items()}
            # Under today's mapping a side may no longer say anything comparable: no baseline (law 15).
            if not any(v is None or isinstance(v, Unmapped) for v in values.values()):
                entries[group] = BaselineEntry(words, values)
        return entries

    def _recent_mails(self, pair: Pair) -> int:
        return sum(
            bool(push.mails)
            for push in pair.pushes.filter(automatic=True, sent_at__gte=self.now - MAIL_WINDOW)
        )

    # --- linked visits ---

    def _with_identity(self, view: View, pair: Pair, division: Division) -> View:
        doubt = any(len(claimants(row)) > 1 for row in pair.halves.values() if row.live)
        view = replace(view, identity_in_question=doubt, people_confirmed=people_confirmed(pair))
        off = next((h for h in view.halves.values() if h.off), None)
        if off is None or all(h.off for h in view.halves.values()):
            return view
        return replace(view, replacement=self._replacement(off, pair, division))

    def _replacement(self, off: Half, pair: Pair, division: Division) -> Replacement | None:
        """A single visit of the same side, patient and provider that appeared about when ``off`` went."""
        row = pair.half(off.side)
        went = off.seen_at.get(Group.STATE)
        if row is None or went is None:
            return None
        reach = max(timedelta(minutes=division.cancel_delay_minutes), timedelta(minutes=1))
        news = (
            self._singles(row.connection_id, off.side)
            .filter(
                division=division,
                live=True,
                start__gt=self.now,
                first_seen_at__gte=went - reach,
                first_seen_at__lte=went + reach,
            )
            .exclude(pk=row.pk)
        )
        denied = set(
            Decision.objects.filter(pair=pair, action="not_a_match", ended_at=None).values_list(
                "subject", flat=True
            )
        )
        book = self.book(division)
        found = [
            half
            for half in (self.half(new, book) for new in persons_like(news, row))
            if is_replacement(off, half)
            and replacement_subject(row.remote_id, half.id) not in denied
        ]
        return Replacement(found[0]) if len(found) == 1 else None

    # --- single visits ---

    def _with_neighbours(self, view: View, half: Half, pair: Pair, division: Division) -> View:
        row = pair.half(half.side)
        if row is None:
            return view
        doubt = self._doubt(row, pair, division)
        rivals = doubt is not None and doubt.kind is Kind.DUPLICATE_REFERENCE
        candidates = () if rivals else self.candidates(row, half, division)
        target = division.connection(half.side.other)
        proven = self.proven(target) and not _reference_unknown(row, pair, target)
        return replace(
            view,
            doubt=doubt,
            candidates=candidates,
            listed_elsewhere=self._listed_elsewhere(pair, half, candidates, division),
            gate=GateFacts(sweep_complete=proven),
        )

    def proven(self, connection: Connection) -> bool:
        """Law 2: is there a complete list of this connection that conclusions may rest on?"""
        return sweep_proves(connection.swept_at, set_up_at=connection.set_up_at, now=self.now)

    def _doubt(self, row: Appointment, pair: Pair, division: Division) -> IdentityDoubt | None:
        if not row.reference:
            return None
        target = division.connection(Side(row.side).other)
        claimed = target.appointments.filter(remote_id=row.reference).first()
        if claimed is None and pair.reference_unreadable:
            return IdentityDoubt(Kind.DANGLING_REFERENCE, (row.reference,), readable=False)
        if claimed is None or claimed.gone_at is not None:
            missing = pair.reference_missing_at is not None or claimed is not None
            return IdentityDoubt(Kind.DANGLING_REFERENCE, (row.reference,)) if missing else None
        rivals = [r for r in claimants(claimed) if r.pk != row.pk]
        if rivals and not told_apart(row, claimed):
            return IdentityDoubt(
                Kind.DUPLICATE_REFERENCE, (row.reference, *(r.remote_id for r in rivals))
            )
        return None

    def candidates(self, row: Appointment, half: Half, division: Division) -> tuple[Candidate, ...]:
        """Live records of the other side that could be this visit: gate (b).

        One that names this visit could be, whenever it is: a reference links them at the next look, and
        until then nothing is created beside it (law 4).
        """
        if row.start is None:
            return ()
        naming = claimants(row)
        target = division.connection(half.side.other)
        near = target.appointments.filter(
            live=True, start__gt=row.start - NEAR, start__lt=row.start + NEAR
        )
        same_slot = target.appointments.filter(
            Q(division=division) | Q(division=None),
            Q(**{f"pair_as_{target.side}__{half.side}__isnull": True}),
            live=True,
            start=row.start,
        )
        rows = {r.pk: r for r in [*naming, *persons_like(near, row), *same_slot]}
        book = self.book(division)
        zone = ZoneInfo(division.time_zone)
        found = []
        for other in rows.values():
            if told_apart(row, other):
                continue
            other_half = self.half(other, book)
            free = is_free(other)
            facts = evidence(half, other_half, local_day=day_in(zone), shared_emails=frozenset())
            if other in naming or could_be(facts, free=free):
                found.append(Candidate(other.remote_id, other_half, free))
        return tuple(sorted(found, key=lambda c: c.id))

    def _listed_elsewhere(
        self, pair: Pair, half: Half, candidates: tuple[Candidate, ...], division: Division
    ) -> bool:
        """The record's side asks the question; its candidates are listed there, and nowhere twice."""
        row = pair.half(half.side)
        if row is None:
            return False
        named_by = self.named_by[pair.pk] = set()
        moved = self._replaced(row, half, division)
        if moved is not None:
            named_by.add(moved.pk)
            return True
        if half.side is self.rules(division).record:
            return False
        free = [c.id for c in candidates if c.free]
        target = division.connection(half.side.other)
        others = target.appointments.filter(remote_id__in=free).select_related("division")
        asking = [Pair.objects.get(**{o.side: o}) for o in others if self._asks_about(o, row)]
        named_by.update(other.pk for other in asking)
        return bool(asking)

    def _asks_about(self, other: Appointment, row: Appointment) -> bool:
        """Does the question about ``other`` name ``row``?

        Its division may be another one, with another record, zone or window, or none: then it is silent,
        and a visit that counted on being named there would be asked about nowhere (law 1).
        """
        division, side = other.division, Side(other.side)
        if division is None:
            return False
        rules = self.rules(division)
        if rules.record is not side or rules.mode is Mode.PAUSED:
            return False
        half = self.half(other, self.book(division))
        pair = Pair.objects.get(**{side: other})
        if (
            out_of_scope(half, rules, self.now) is not None
            or self._doubt(other, pair, division) is not None
            or self._replaced(other, half, division) is not None
        ):
            return False
        return any(c.id == row.remote_id for c in self.candidates(other, half, division))

    def _replaced(self, row: Appointment, half: Half, division: Division) -> Pair | None:
        """The *moved* visit whose question is about this one as its new half."""
        reach = max(timedelta(minutes=division.cancel_delay_minutes), timedelta(minutes=1))
        side = half.side
        cancelled = Pair.objects.filter(
            **{
                "division": division,
                f"{side}__live": False,
                f"{side.other}__live": True,
                f"{side}__changed_at__gte": row.first_seen_at - reach,
                f"{side}__connection": row.connection_id,
            }
        ).select_related("oncall", "emr")
        for pair in cancelled:
            old = pair.half(side)
            if old is None or not share_person(old, row):
                continue
            # Outside the window, past or edited meanwhile, the old visit asks something else, or nothing.
            question = decide(self.view(pair, division), self.rules(division), self.now).question
            if question is not None and question.about == (row.remote_id,):
                return pair
        return None

    def shared_emails(self, rows: QuerySet[Appointment]) -> frozenset[str]:
        """E-mails among the people of ``rows`` that occur anywhere with names that do not fit."""
        emails = set(rows.exclude(persons__email="").values_list("persons__email", flat=True))
        people = AppointmentPerson.objects.filter(email__in=emails).values_list("email", "name")
        return shared_emails(Person(name=name, email=email) for email, name in people)

    @staticmethod
    def _singles(connection_id: int, side: Side) -> QuerySet[Appointment]:
        return Appointment.objects.filter(
            connection_id=connection_id, **{f"pair_as_{side}__{side.other}__isnull": True}
        )


def _reference_unknown(row: Appointment, pair: Pair, target: Connection) -> bool:
    """It names a record that was neither mirrored nor looked up yet: nothing is concluded until then."""
    return (
        bool(row.reference)
        and pair.reference_missing_at is None
        and not pair.reference_unreadable
        and not target.appointments.filter(remote_id=row.reference).exists()
    )


def known_patients(pair: Pair, halves: Mapping[Side, Half]) -> tuple[Person, ...] | None:
    """EMR patients this visit could be booked for: those looked up, or who are on its EMR half already.

    None where neither is known (not looked up yet).
    """
    if pair.known_patients is not None:
        return tuple(Person(**person) for person in pair.known_patients)
    if Side.EMR in halves:
        return tuple(person for person in halves[Side.EMR].people if person.id)
    return None
