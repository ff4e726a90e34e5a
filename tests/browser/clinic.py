"""A whole clinic on a busy morning: something of everything, for the pages that are looked at. Nobody real."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from appointments import resolution
from appointments.mismatches import compare_pair
from appointments.models import (
    AppointmentChange,
    AuditEvent,
    Connection,
    Delivery,
    LearnedRule,
    Membership,
    Notice,
    NoticeChoice,
    Push,
    SavedFilter,
    Statement,
    TypeRule,
)
from tests.browser.day_scene import fill_day
from tests.browser.scenes import morning
from tests.make import (
    ask,
    make_delivery,
    make_division,
    make_pair,
    make_plan,
    make_push,
    make_user,
    soon,
    when,
)

OPENED = [6, 4, 0, 0, 3, 2, 0, 1, 12, 7, 3, 0, 0, 0, 2, 1, 0, 0, 5, 0, 0, 1, 0, 3, 0]
ANSWERED = timedelta(seconds=40)  # ago

# Those who have a visit in the other scene, too.
OTHER_NAMES = {
    "Marie-Ève Tremblay": "Simone Archambault",
    "Daniel Okafor": "Tom Delaney",
    "Luc Gagnon": "Pierre Lemieux",
    "Ines Ferreira": "Rosa Almeida",
    "Harpreet Singh": "Gurdeep Gill",
    "Noor Haddad": "Leila Mansour",
    "Kofi Mensah": "Ama Boateng",
}
HELD = ("Jonas Weber", "Aiko Tanaka", "Fatima Noor", "Ben Carver", "Lucia Rossi", "Owen Hughes")


def busy_clinic(day: date | None = None) -> SimpleNamespace:
    """``day``: the one that the day's pages show; by default tomorrow."""
    scene = morning()
    downtown, maria, head = scene.division, scene.maria, scene.head
    scene.today = fill_day(
        downtown, day, others=("Dr. Ada Osei", "Dr. Boyd Chen"), named=OTHER_NAMES
    )
    scene.mei = make_user("mei", downtown, scene.coast, first_name="Mei", last_name="Lin")
    head.is_staff = head.is_superuser = True
    head.first_name, head.last_name, head.email = "Ada", "Osei", "ada@example.org"
    head.save()
    live_through(scene.moved.pair)
    _written_by_itself(scene)
    _worked_together(scene)
    _always_the_same(scene)
    _observing(scene)
    for place, last in ((downtown, 3), (scene.coast, 0)):
        zone = ZoneInfo(place.time_zone)
        weeks(
            place,
            timezone.now().astimezone(zone).replace(hour=7, minute=4, second=0),
            [*OPENED[:-1], last],
        )
    Connection.objects.filter(side="oncall").update(last_answer_at=timezone.now() - ANSWERED)
    _told(maria)
    make_delivery(
        downtown.oncall,
        event=Delivery.ASKED_HERE,
        remote_id=scene.agreed.oncall.remote_id,
        status="stored",  # its page still waits, with what turns while it does
    )
    scene.event = AuditEvent.objects.filter(pair=scene.agreed).get()
    downtown.policy = {**downtown.policy, "oncall_to_emr": {"type": "auto"}}
    downtown.save()
    scene.rule = LearnedRule.objects.create(
        division=downtown,
        source="oncall",
        subject="type",
        action="use_oncall",
        same=7,
        contrary=0,
        user=head,
    )
    scene.filter = SavedFilter.objects.create(
        user=maria, name="Downtown, today", query={"division": str(downtown.pk)}
    )
    return scene


def live_through(pair):
    """Its changes of the last hours, a write and a webhook."""
    now = timezone.now()

    def changed(row, minutes, before, after, kind="changed"):
        AppointmentChange.objects.create(
            appointment=row,
            kind=kind,
            at=now - timedelta(minutes=minutes),
            names=sorted({*before, *after}),
            before=before,
            after=after,
        )

    def at(start):
        return {"when": {"start": start.isoformat(), "minutes": 30}}

    first = pair.emr.start - timedelta(hours=2)
    changed(pair.emr, 300, {}, at(first), "first")
    changed(pair.oncall, 290, {}, at(first), "first")
    changed(pair.emr, 60, at(first), at(pair.emr.start))
    changed(pair.oncall, 59, at(first), at(pair.emr.start))
    changed(pair.oncall, 20, at(pair.emr.start), at(pair.oncall.start))
    plan = make_plan("oncall", values={"when": when(pair.emr.start)})
    make_push(
        pair,
        plan=plan,
        before={"when": when(first)},
        mails=["marie-eve@example.org"],
        status="done",
        created_at=now - timedelta(minutes=60),
        sent_at=now - timedelta(minutes=59, seconds=20),
        finished_at=now - timedelta(minutes=59),
    )
    make_delivery(
        pair.oncall.connection,
        remote_id=pair.oncall.remote_id,
        received_at=now - timedelta(minutes=20),
    )


def weeks(division, now: datetime | None = None, every: Sequence[int] = OPENED) -> None:
    """A statement of each morning up to today's; one morning is missing."""
    now = now or timezone.now()
    observes = [["observes", {}]] if division.mode == "observe" else []
    for number, opened in enumerate(reversed(every)):
        at = now - timedelta(days=number)
        if number == 11:
            continue
        reasons = observes + ([["open", {"count": opened}]] if opened else [])
        Statement.objects.create(
            division=division,
            day=at.date(),
            at=at,
            clear=not reasons,
            visits=212,
            agreed=212 - opened,
            open=opened,
            on_the_way=0,
            days=14,
            compared_at=at - timedelta(minutes=8),
            reasons=reasons,
        )


def _written_by_itself(scene) -> None:
    """What only the EMR changed since yesterday, carried over; one waits, some are held by the brake."""
    now, today = timezone.now(), scene.today
    for number, pair in enumerate(today.same[:6]):
        old = pair.emr.start - timedelta(hours=1)
        plan = make_plan(values={"when": when(pair.emr.start)}, mails=(f"p{number}@example.org",))
        sent = now - timedelta(hours=2 * number, minutes=7)
        _push(pair, plan, sent, before={"when": when(old)})
    cancel = make_plan(operation="cancel", mails=("sam@example.org",), irreversible=True)
    _push(today.off, cancel, now - timedelta(hours=3), kind="cancel", before={"state": "booked"})
    for number, patient in enumerate(("Mia Roy", "Olu Ade", "Ana Souza")):
        start = soon(60 * 30 + 90 * number)
        plan = make_plan("oncall", "create", {"when": when(start), "type": "online"})
        pair = make_pair(scene.coast, start=start, patient=patient, email=f"n{number}@example.org")
        _push(pair, plan, now - timedelta(hours=4 + number), kind="create")
    for number in range(23):
        start = soon(60 * 26 + 25 * number)
        pair = make_pair(scene.coast, start=start, patient=HELD[number % 6])
        later = make_plan(
            values={"when": when(start + timedelta(hours=1))}, mails=("x@example.org",)
        )
        make_push(pair, status="held", plan=later, before={"when": when(start)})


def _push(pair, plan, sent, **fields) -> Push:
    return make_push(pair, plan=plan, status="done", sent_at=sent, finished_at=sent, **fields)


def _worked_together(scene) -> None:
    """Assigned, noted, put aside, and one that a colleague looks at."""
    near = scene.today.near.mismatches.get()
    far = scene.today.far.mismatches.get()
    for row, phone in ((scene.moved, "+1 416 555 0199"), (near, "+1 416 555 0127")):
        emr = row.pair.emr
        emr.record["people"][0]["phone"] = phone
        emr.save()
    resolution.assign(mismatch_id=scene.moved.pk, to=scene.maria.pk, user=scene.maria)
    resolution.note(mismatch_id=scene.moved.pk, text="phoned her 9:05, no answer", user=scene.mei)
    resolution.assign(mismatch_id=near.pk, to=scene.mei.pk, user=scene.mei)
    far.refresh_from_db()
    resolution.snooze(mismatch_id=far.pk, version=far.version, user=scene.maria)
    resolution.note(mismatch_id=far.pk, text="he decides after his trip", user=scene.maria)


def _moved(scene, minutes: int, patient: str) -> Any:
    start = soon(minutes)
    later = {"start": start + timedelta(minutes=30)}
    email = patient.split()[0].casefold() + "@example.org"
    return ask(make_pair(scene.coast, start=start, patient=patient, email=email, oncall=later))


def _settle(row, action: str, user) -> None:
    resolution.resolve(mismatch_id=row.pk, action=action, version=row.version, user=user)


def _always_the_same(scene) -> None:
    """Decisions that are remembered, and the same answer often enough to become a rule."""
    left = _moved(scene, 60 * 52, "Grace Liu")
    _settle(left, "leave_different", scene.mei)
    resolution.note(mismatch_id=left.pk, text="she knows", user=scene.mei)
    _settle(_moved(scene, 60 * 55, "Yusuf Demir"), "leave_different", scene.maria)
    for number, patient in enumerate(
        ("Elena Petrova", "Ivan Horvat", "Ruth Klein", "Omar Aziz", "Priya Raman")
    ):
        _settle(_moved(scene, 60 * 76 + 30 * number, patient), "use_oncall", scene.mei)
    lone = make_pair(
        scene.coast, sides=("emr",), start=soon(60 * 80), patient="Luc Gagnon", email=""
    )
    _settle(ask(lone), "by_hand", scene.maria)


def _observing(scene) -> None:
    """A division that is being set up: it observes, and has a type that nobody named yet."""
    row = make_division("Riverside", mode="observe", provider="Dr. Luc Roy", default_type="")
    scene.observing = row
    for user, role in ((scene.head, "administrator"), (scene.mei, "staff")):
        Membership.objects.create(user=user, division=row, role=role)
    TypeRule.objects.create(division=row, emr="Video*", oncall="online", position=1)
    TypeRule.objects.create(division=row, emr="Block*", oncall="skip", position=2)
    names = ("Ana Souza", "Mia Roy", "Olu Ade", "Kofi Mensah", "Noor Haddad", "Sam Carter")
    for number, patient in enumerate(names):
        start = soon(60 * 27 + 45 * number)
        email = patient.split()[0].casefold() + "@example.org"
        apart = {"start": start + timedelta(minutes=30)} if number in (1, 3) else {}
        kinds = ("Video visit",) if number < 4 else ("Phone follow-up",)
        pair = make_pair(
            row, start=start, patient=patient, email=email, emr={**apart, "types": kinds}
        )
        compare_pair(pair.pk)


def _told(user) -> None:
    """Mails of the last days, each kind once; one that the day's cap left out."""
    user.email = "maria@example.org"
    user.save()
    NoticeChoice.objects.create(user=user, urgent=True, statement=True, digest_hour=7)
    now = timezone.now()
    for number, kind in enumerate(("digest", "statement", "urgent")):
        at = now - timedelta(hours=2 + 9 * number)
        Notice.objects.create(
            user=user, kind=kind, key=f"k{number}", mail=f"m{number}", made_at=at, sent_at=at
        )
    Notice.objects.create(user=user, kind="urgent", key="k9", ended_at=now, ended_because="cap")


def being_set_up(scene) -> dict[str, Any]:
    """What the session of who sets up holds after both systems were asked."""
    division = scene.observing
    tests = {
        str(connection.pk): {
            "at": timezone.now().isoformat(),
            "findings": [
                {"about": str(connection), "level": level, "message": text, "remedy": remedy}
                for level, text, remedy in said
            ],
            "answers": True,
            "practitioners": {},
            "places": [],
        }
        for connection, said in (
            (division.oncall, [("fine", "It answers, and lets SyncPortal in.", "")]),
            (
                division.emr,
                [
                    ("fine", "It answers as FHIR R4.", ""),
                    ("note", "It cannot say which records changed since a time.", ""),
                    (
                        "wrong",
                        "The account may not read practitioners.",
                        "Let the EMR's vendor allow it to read Practitioner.",
                    ),
                ],
            ),
        )
    }
    oncall = [
        ["9", "Dr. Ada Osei", "ada@example.org"],
        ["8", "Dr. Boyd Chen", ""],
        ["7", "Dr. M. Lavoie", "lavoie@example.org"],
    ]
    emr = [
        ["Practitioner/31", "Ada Osei", "ada@example.org"],
        ["Practitioner/32", "Boyd Chen", ""],
        ["Practitioner/33", "Mathilde Lavoie", ""],
        ["Practitioner/34", "Nurse line", ""],
    ]
    people = {"oncall": oncall, "emr": emr, "at": timezone.now().isoformat()}
    return {"setup": {"tests": tests, "people": {str(division.pk): people}}}
