"""Which rows lay claim to which, and what people have said about two of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from appointments.core.kinds import Operation
from appointments.core.plans import digest
from appointments.models import Appointment, Decision, Pair, Push
from emr_adapters.records import Side

TOO_LATE: Final = "too_late"  # of a push that could not be sent before its visit began


def failed_plans(pair: Pair) -> frozenset[str]:
    """Plans whose last attempt failed for good and that no later push of the pair has carried out.

    One that only came too late is not among them: if the visit is to come again, so is the write.
    """
    latest: dict[str, bool] = {}
    for push in pair.pushes.order_by("pk"):
        if push.status in (Push.Status.FAILED, Push.Status.DONE):
            failed = push.status == Push.Status.FAILED and push.error_code != TOO_LATE
            latest[push.fingerprint] = failed
    return frozenset(fingerprint for fingerprint, failed in latest.items() if failed)


def create_was_missed(pair: Pair) -> bool:
    """Was the partner of this single visit meant to be created before it began, and never was?

    What was dropped was no longer meant. A click that was taken back says nothing.
    """
    creates = pair.pushes.filter(operation=Operation.CREATE).exclude(status=Push.Status.UNDONE)
    last = creates.order_by("pk").last()
    return last is not None and last.status == Push.Status.FAILED


def claimants(claimed: Appointment) -> list[Appointment]:
    """Live records of the other side whose reference names this one."""
    if claimed.division is None:
        return []
    source = claimed.division.connection(Side(claimed.side).other)
    return [
        row
        for row in source.appointments.filter(reference=claimed.remote_id, live=True)
        if not told_apart(row, claimed)
    ]


def is_free(row: Appointment) -> bool:
    """Has this record no partner yet?"""
    other = Side(row.side).other
    return Pair.objects.filter(**{row.side: row, f"{other}__isnull": True}).exists()


def persons_like(rows: QuerySet[Appointment], row: Appointment) -> QuerySet[Appointment]:
    """Those of ``rows`` with a person of equal e-mail or folded name."""
    people = list(row.persons.all())
    emails = [p.email for p in people if p.email]
    names = [p.name for p in people if p.name]
    return rows.filter(Q(persons__email__in=emails) | Q(persons__name__in=names)).distinct()


def share_person(one: Appointment, two: Appointment) -> bool:
    return persons_like(Appointment.objects.filter(pk=one.pk), two).exists()


def told_apart(one: Appointment, two: Appointment) -> bool:
    """Did a person say "not the same" about exactly these two, as they are now?"""
    rows = {one.side: one, two.side: two}
    return Decision.objects.filter(
        action="not_a_match",
        ended_at=None,
        oncall=rows.get("oncall"),
        emr=rows.get("emr"),
        subject=identity_subject(rows["oncall"], rows["emr"]),
    ).exists()


def was_told_apart(one: Appointment, two: Appointment, by: datetime) -> bool:
    """Had a person said so by then, whatever has become of that word since?"""
    rows = {one.side: one, two.side: two}
    said = Decision.objects.filter(action="not_a_match", made_at__lte=by)
    return said.filter(oncall=rows.get("oncall"), emr=rows.get("emr")).exists()


def people_confirmed(pair: Pair) -> bool:
    """Did a person link these two as they are now, knowing that the names differ?"""
    if pair.oncall is None or pair.emr is None:
        return False
    return Decision.objects.filter(
        action="link",
        ended_at=None,
        oncall=pair.oncall,
        emr=pair.emr,
        subject=people_subject(pair.oncall, pair.emr),
    ).exists()


def people_subject(oncall: Appointment, emr: Appointment) -> str:
    """What "same visit" covers: who, on both sides."""
    return digest([_people_of(row) for row in (oncall, emr)])


def identity_subject(oncall: Appointment, emr: Appointment) -> str:
    """What "not the same" covers: who and when, on both sides; it lapses when either changes."""
    return digest(
        [
            [row.remote_id, row.record.get("start"), _people_of(row), row.reference]
            for row in (oncall, emr)
        ]
    )


def replacement_subject(old_id: str, new_id: str) -> str:
    return f"moved:{old_id}>{new_id}"[:64]


def _people_of(row: Appointment) -> list[list[str]]:
    return [[p["name"], p["email"]] for p in row.record.get("people", [])]


def day_in(zone: ZoneInfo) -> Callable[[datetime], date]:
    def day(instant: datetime) -> date:
        return instant.astimezone(zone).date()

    return day
