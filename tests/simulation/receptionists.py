"""What people do in the two systems themselves, each on one visit or on none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from emr_adapters.records import ABSENT, AppointmentRecord, Outcome, Person, Side, State
from tests.simulation import cast
from tests.simulation.systems import SimulatedRemote
from tests.simulation.world import World

MOST_LIVE: Final = 11  # visits a side: few enough that they meet
SLOTS: Final = (15, 30, 60, 60, 60, 120, -30, -60, 24 * 60)  # minutes by which a visit is moved


@dataclass(frozen=True, slots=True)
class Act:
    """``needs``: "new" books one; "live", "off" and "any" are done to such a record, drawn."""

    name: str
    needs: str
    do: Callable[[World, SimulatedRemote, str], None]
    weight: int = 2


def people_of(record: AppointmentRecord) -> tuple[Person, ...]:
    return () if record.people is ABSENT else record.people


# --- booking -----------------------------------------------------------------------------------------------


def book(world: World, remote: SimulatedRemote, id: str) -> None:
    remote.book(**drawn_visit(world, remote.side))


def book_on_both(world: World, remote: SimulatedRemote, id: str) -> None:
    """By hand in both systems, as before there was SyncPortal; sometimes not quite alike."""
    first, other = _booked_in_emr(world)
    if world.random.random() < 0.2:
        other["start"] += timedelta(minutes=world.random.choice((30, 60)))
    if world.random.random() < 0.6:
        other["reference"] = first
    world.systems[Side.ONCALL].book(**other)


def book_alike(world: World) -> None:
    """On both sides, alike, each with the other's number."""
    first, other = _booked_in_emr(world)
    second = world.systems[Side.ONCALL].book(**other, reference=first)
    world.systems[Side.EMR].edit(first, reference=second)


def _booked_in_emr(world: World) -> tuple[str, dict[str, Any]]:
    visit = drawn_visit(world, Side.EMR)
    return world.systems[Side.EMR].book(**visit), in_oncalls_words(visit)


def recreate(world: World, remote: SimulatedRemote, id: str) -> None:
    """Some moved visits are a cancellation and a new number."""
    old = remote.records[id]
    remote.edit(id, state=State.CANCELLED)
    start = moved(world, old.start)
    remote.book(**(_fields(old) | {"start": start, "reference": None}))


def copy_with_reference(world: World, remote: SimulatedRemote, id: str) -> None:
    """ "Book another like this" also copies what only we should write."""
    remote.book(**(_fields(remote.records[id]) | {"start": moved(world, remote.records[id].start)}))


# --- changing ----------------------------------------------------------------------------------------------


def move(world: World, remote: SimulatedRemote, id: str) -> None:
    remote.edit(id, start=moved(world, remote.records[id].start))


def change_minutes(world: World, remote: SimulatedRemote, id: str) -> None:
    remote.edit(id, minutes=world.random.choice((15, 30, 31, 45, 60)))


def change_type(world: World, remote: SimulatedRemote, id: str) -> None:
    remote.edit(id, types=(drawn_type(world, remote.side),))


def change_provider(world: World, remote: SimulatedRemote, id: str) -> None:
    if remote.side is Side.EMR:
        remote.edit(id, practitioners=(drawn_practitioner(world),))


def change_title(world: World, remote: SimulatedRemote, id: str) -> None:
    remote.edit(id, title=world.random.choice(("Visit", "Talk", "")))


def write_name_otherwise(world: World, remote: SimulatedRemote, id: str) -> None:
    people = people_of(remote.records[id])
    remote.edit(id, people=tuple(_renamed(world, person) for person in people))


def reuse_for_another(world: World, remote: SimulatedRemote, id: str) -> None:
    """The slot is given to somebody else without a new number."""
    remote.edit(id, people=(drawn_person(world, remote.side),))


def cancel_participant(world: World, remote: SimulatedRemote, id: str) -> None:
    people = people_of(remote.records[id])
    if remote.side is Side.ONCALL and len(people) > 1:
        remote.edit(id, people=(cast.cancelled(people[0]), *people[1:]))


def add_participant(world: World, remote: SimulatedRemote, id: str) -> None:
    if remote.side is Side.ONCALL:
        people = people_of(remote.records[id])
        remote.edit(id, people=(*people, drawn_person(world, Side.ONCALL)))


def change_division(world: World, remote: SimulatedRemote, id: str) -> None:
    remote.edit(id, places=(drawn_place(world, remote.side),))


def drop_reference(world: World, remote: SimulatedRemote, id: str) -> None:
    remote.edit(id, reference=None)


def point_at_nothing(world: World, remote: SimulatedRemote, id: str) -> None:
    remote.edit(id, reference="99999")


# --- ending ------------------------------------------------------------------------------------------------


def cancel(world: World, remote: SimulatedRemote, id: str) -> None:
    remote.edit(id, state=State.CANCELLED)


def uncancel(world: World, remote: SimulatedRemote, id: str) -> None:
    remote.edit(id, state=State.BOOKED, outcome=None)


def delete(world: World, remote: SimulatedRemote, id: str) -> None:
    remote.delete(id)


def enter_in_error(world: World, remote: SimulatedRemote, id: str) -> None:
    remote.edit(id, state=State.REMOVED)


def put_on_waiting_list(world: World, remote: SimulatedRemote, id: str) -> None:
    remote.edit(id, state=State.NOT_YET)


def end(world: World, remote: SimulatedRemote, id: str) -> None:
    remote.edit(id, outcome=world.random.choice((Outcome.COMPLETED, Outcome.NO_SHOW)))


def become_unreadable(world: World, remote: SimulatedRemote, id: str) -> None:
    remote.unreadable.add(id)


def become_readable(world: World, remote: SimulatedRemote, id: str) -> None:
    """Somebody puts it right, which is a change of it like any other."""
    remote.unreadable.discard(id)
    remote.edit(id)


ACTS: Final = (
    Act("book", "new", book, 12),
    Act("book_on_both", "new", book_on_both, 8),
    Act("recreate", "live", recreate, 3),
    Act("copy_with_reference", "live", copy_with_reference, 1),
    Act("move", "live", move, 14),
    Act("change_minutes", "live", change_minutes, 4),
    Act("change_type", "live", change_type, 4),
    Act("change_provider", "live", change_provider, 3),
    Act("change_title", "live", change_title, 2),
    Act("write_name_otherwise", "live", write_name_otherwise, 3),
    Act("reuse_for_another", "live", reuse_for_another, 3),
    Act("add_participant", "live", add_participant, 2),
    Act("cancel_participant", "live", cancel_participant, 2),
    Act("change_division", "live", change_division, 2),
    Act("drop_reference", "live", drop_reference, 1),
    Act("point_at_nothing", "live", point_at_nothing, 1),
    Act("cancel", "live", cancel, 8),
    Act("uncancel", "off", uncancel, 4),
    Act("delete", "any", delete, 3),
    Act("enter_in_error", "live", enter_in_error, 1),
    Act("put_on_waiting_list", "live", put_on_waiting_list, 1),
    Act("end", "live", end, 2),
    Act("become_unreadable", "any", become_unreadable, 2),
    Act("become_readable", "any", become_readable, 2),
)


def drawn_record(world: World, remote: SimulatedRemote, needs: str) -> str:
    """The number of a record such as the act needs, "" where there is none."""
    if needs == "new":
        live = sum(record.state is State.BOOKED for record in remote.records.values())
        return "new" if live < MOST_LIVE else ""
    fitting = [
        id
        for id, record in remote.records.items()
        if needs == "any" or (record.state is State.BOOKED) is (needs == "live")
    ]
    if world.emphasis and world.random.random() < 0.6:
        fitting = fitting[:1]  # again and again the same
    busy = world.busy_ids(remote.side) & set(fitting)
    if busy and world.random.random() < 0.5:
        return world.random.choice(sorted(busy))
    return world.random.choice(fitting) if fitting else ""


# --- how a visit may look --------------------------------------------------------------------------------


def drawn_visit(world: World, side: Side) -> dict[str, Any]:
    doctor = world.random.choice(cast.DOCTORS)
    return {
        "start": drawn_start(world),
        "minutes": world.random.choice((30, 30, 30, 45)),
        "title": "Visit",
        "types": (drawn_type(world, side),),
        "practitioners": (doctor.emr,) if side is Side.EMR else (),
        "people": (drawn_person(world, side),),
        "places": (drawn_place(world, side),),
    }


def in_oncalls_words(visit: dict[str, Any]) -> dict[str, Any]:
    """The same visit as OnCall would hold it."""
    (person,) = visit["people"]
    place = next(
        (str(n) for n, location in cast.PLACES.values() if location in visit["places"]), "999"
    )
    held = cast.TYPES.get(visit["types"][0] if visit["types"] else "", "online")
    return visit | {
        "types": (held,),
        "practitioners": (),
        "people": (replace(person, id=""),),
        "places": (place,),
    }


def drawn_start(world: World) -> datetime:
    """Mostly within two days, on the half hour; some soon, some at the edge of the window."""
    hours = world.random.choice((2, 6, 12, 20, 24, 30, 36, 48, 72, 96, 24 * 13, 24 * 20))
    on_the_hour = world.now().replace(minute=0, second=0, microsecond=0)
    return on_the_hour + timedelta(hours=hours, minutes=world.random.choice((0, 30)))


def moved(world: World, start: Any) -> datetime:
    begins: datetime = start if isinstance(start, datetime) else drawn_start(world)
    return begins + timedelta(minutes=world.random.choice(SLOTS))


def drawn_person(world: World, side: Side) -> Person:
    patient = world.random.choice(cast.PATIENTS)
    name = world.random.choice(patient.names)
    return patient.in_emr(name) if side is Side.EMR else patient.in_oncall(name)


def drawn_type(world: World, side: Side) -> str:
    if side is Side.ONCALL:
        return world.random.choice(cast.ONCALL_TYPES[:3])
    rare = cast.SKIPPED if world.random.random() < 0.5 else cast.UNNAMED
    return world.random.choice((*cast.TYPES, *cast.TYPES, *cast.TYPES, rare))


def drawn_practitioner(world: World) -> Any:
    known = [doctor.emr for doctor in cast.DOCTORS]
    return world.random.choice((*known, *known, *known, cast.LOCUM))


def drawn_place(world: World, side: Side) -> str:
    which = 0 if side is Side.ONCALL else 1
    places = [str(words[which]) for words in cast.PLACES.values()]
    return world.random.choice((*places * 5, cast.ELSEWHERE[which]))


def _fields(record: AppointmentRecord) -> dict[str, Any]:
    names = ("start", "minutes", "title", "types", "practitioners", "people", "places", "reference")
    return {name: value for name in names if (value := getattr(record, name)) is not ABSENT}


def _renamed(world: World, person: Person) -> Person:
    known = next((p for p in cast.PATIENTS if person.name in p.names), None)
    return replace(person, name=world.random.choice(known.names)) if known else person
