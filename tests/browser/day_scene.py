"""A clinic's day for the day's pages: three providers, every way in which a visit can stand, nobody real."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

from django.utils import timezone

from appointments.models import Heartbeat, Provider
from emr_adapters.records import State
from tests.make import ask, make_division, make_pair, make_plan, make_push, make_user, when

TORONTO = ZoneInfo("America/Toronto")


def at(day: date, clock: str, zone: ZoneInfo = TORONTO, fold: int = 0) -> datetime:
    """An instant by a local clock: ``at(day, "10:30")``."""
    hour, minute = (int(part) for part in clock.split(":"))
    return datetime.combine(day, time(hour, minute, fold=fold), zone)


def with_provider(pair, provider: Provider | None):
    """As if the EMR had stated this provider (or none) from the beginning."""
    row = pair.emr
    if row is not None:
        stated = []
        if provider is not None:
            stated = [{"id": provider.emr_practitioners[0], "name": provider.name, "email": ""}]
        row.record = {**row.record, "practitioners": stated}
        row.save()
    return pair


def with_phone(pair, phone: str):
    row = pair.emr or pair.oncall
    people = [{**person, "phone": phone} for person in row.record["people"]]
    row.record = {**row.record, "people": people}
    row.save()
    return pair


def add_provider(division, name: str, number: int) -> Provider:
    provider = Provider.objects.create(
        name=name,
        oncall=division.oncall,
        oncall_provider=number,
        emr_practitioners=[f"Practitioner/{number}"],
    )
    provider.divisions.add(division)
    return provider


def clinic_day(day: date | None = None) -> SimpleNamespace:
    """A division with its day. ``day``: by default tomorrow, so that all of it is still to come."""
    division = make_division("Downtown", provider="Dr. Ada Osei")
    maria = make_user("maria", division, first_name="Maria", last_name="Roy")
    Heartbeat.objects.create(name="worker-1", at=timezone.now())
    scene = fill_day(division, day, others=("Dr. Boyd Chen", "Dr. Mathilde Lavoie"))
    scene.maria = maria
    scene.ada, scene.boyd, scene.mathilde = scene.providers
    return scene


def fill_day(
    division,
    day: date | None = None,
    *,
    others: tuple[str, str],
    named: Mapping[str, str] | None = None,
) -> SimpleNamespace:
    """The day of a division that has one provider: with two more, and every way a visit can stand.

    ``named``: other names for some of the patients.
    """
    ada = division.providers.get()
    boyd, mathilde = (
        add_provider(division, name, 5000001 + number) for number, name in enumerate(others)
    )
    day = day or timezone.now().astimezone(TORONTO).date() + timedelta(days=1)

    def visit(provider, clock, patient, **fields):
        patient = (named or {}).get(patient, patient)
        email = patient.split()[0].casefold() + "@example.org"
        pair = make_pair(division, start=at(day, clock), patient=patient, email=email, **fields)
        return with_provider(pair, provider)

    same = [
        visit(ada, "8:30", "Noor Haddad"),
        visit(ada, "9:00", "Luc Gagnon", minutes=45),
        visit(ada, "11:30", "Priya Raman"),
        visit(boyd, "9:15", "Kofi Mensah", minutes=15),
        visit(boyd, "9:30", "Ines Ferreira", minutes=60),
        visit(boyd, "10:00", "Harpreet Singh"),
        visit(boyd, "13:00", "Elena Petrova"),
        visit(mathilde, "10:15", "Yusuf Demir"),
        visit(mathilde, "14:30", "Agnieszka Nowak", minutes=20),
    ]
    with_phone(same[0], "416-555-0134")
    near = visit(ada, "10:00", "Marie-Ève Tremblay", oncall={"start": at(day, "10:30")})
    far = visit(ada, "13:00", "Tomas Novak", oncall={"start": at(day, "16:00")})
    cancelled_in_emr = visit(boyd, "14:00", "Daniel Okafor", emr={"state": State.CANCELLED})
    division.policy = {"emr_to_oncall": {"cancel": "ask"}}
    division.save()
    only_emr = visit(mathilde, "9:00", "Ruth Klein", sides=("emr",))
    only_oncall = visit(None, "15:00", "Omar Aziz", sides=("oncall",))
    off = visit(mathilde, "11:00", "Sam Carter", state=State.CANCELLED)
    skipped = visit(mathilde, "15:30", "Grace Liu", sides=("emr",), scope="skipped_type")
    nobodys = visit(None, "12:00", "Ivan Horvat")
    for pair in (near, far, cancelled_in_emr):
        ask(pair)
    push = make_push(
        same[6], plan=make_plan(values={"when": when(at(day, "13:00"))}, mails=("e@example.org",))
    )
    return SimpleNamespace(
        division=division,
        day=day,
        providers=(ada, boyd, mathilde),
        same=same,
        near=near,
        far=far,
        cancelled_in_emr=cancelled_in_emr,
        only_emr=only_emr,
        only_oncall=only_oncall,
        off=off,
        skipped=skipped,
        nobodys=nobodys,
        push=push,
    )
