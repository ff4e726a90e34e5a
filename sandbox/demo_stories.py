"""Every kind of difference, arranged once or a few times in the demo world."""

from __future__ import annotations

from sandbox.demo_people import DOCTORS, LOCUM, PLACES
from sandbox.demo_world import PUBLIC, World

DOWNTOWN, NORTH, PACIFIC = PLACES
ADA, ETIENNE, PRIYA, WEI, HANNAH, MARIE_EVE, JOSEPH, CHIDINMA, LIAM, MEI_LING, SOFIA, TANE = DOCTORS
TWIN, OTHER_TWIN, SAMUEL, SYLVIE, AGNES, BERTRAM = range(-6, 0)


def tell_all(world: World) -> None:
    """Arrange all stories; the order decides the ids."""
    missing(world)
    changed(world)
    cancelled(world)
    unlinked(world)
    references(world)
    identities(world)
    unreadable(world)
    no_difference(world)


def missing(world: World) -> None:
    for place, doctor, days, clock in (
        (DOWNTOWN, ADA, 0, "18:30"),
        (DOWNTOWN, ETIENNE, 1, "08:00"),
        (NORTH, JOSEPH, 2, "08:30"),
        (PACIFIC, LIAM, 3, "08:00"),
    ):
        patient = world.free_patient(days)
        emr = world.in_emr(place, doctor, patient, world.at(place, days, clock))
        world.tell("missing_in_oncall", f"{patient.name} is only in the EMR", emr)
    patient = world.free_patient(2, AGNES)
    emr = world.in_emr(DOWNTOWN, PRIYA, patient, world.at(DOWNTOWN, 2, "08:00"))
    world.tell("missing_in_oncall", f"{patient.name} has no e-mail, so cannot be invited", emr)
    for place, doctor, days, clock in (
        (DOWNTOWN, WEI, 0, "19:00"),
        (NORTH, MARIE_EVE, 1, "08:00"),
        (PACIFIC, MEI_LING, 2, "17:00"),
    ):
        patient = world.free_patient(days)
        oncall = world.in_oncall(place, doctor, patient, world.at(place, days, clock))
        world.tell("missing_in_emr", f"{patient.name} is only in OnCall", oncall)


def changed(world: World) -> None:
    for place, doctor, days, was, now in (
        (DOWNTOWN, PRIYA, 0, "18:00", "19:30"),
        (NORTH, CHIDINMA, 1, "07:30", "17:30"),
    ):
        patient = world.free_patient(days)
        oncall, emr = world.pair(place, doctor, patient, world.at(place, days, was))
        emr["start"] = world.at(place, days, now)
        world.tell("values_differ", f"{patient.name} was moved in the EMR", oncall, emr)
    patient = world.free_patient(3)
    oncall, emr = world.pair(PACIFIC, SOFIA, patient, world.at(PACIFIC, 3, "17:00"))
    oncall["datetime"] = world.at(PACIFIC, 4, "17:00")
    world.tell("values_differ", f"{patient.name} was moved to another day in OnCall", oncall, emr)

    patient = world.free_patient(2)
    oncall, emr = world.pair(DOWNTOWN, ADA, patient, world.at(DOWNTOWN, 2, "17:00"))
    emr["minutes"] = 60
    world.tell("values_differ", f"{patient.name} was given an hour in the EMR", oncall, emr)

    patient = world.free_patient(1)
    oncall, emr = world.pair(DOWNTOWN, WEI, patient, world.at(DOWNTOWN, 1, "17:30"))
    emr["type"] = "Phone follow-up"
    world.tell("values_differ", f"{patient.name} wants the telephone instead", oncall, emr)

    patient = world.free_patient(3)
    oncall, emr = world.pair(DOWNTOWN, ADA, patient, world.at(DOWNTOWN, 3, "17:00"))
    emr["practitioner"] = ETIENNE.practitioner_id
    world.tell("values_differ", f"{patient.name} changed to {ETIENNE.name} in the EMR", oncall, emr)


def cancelled(world: World) -> None:
    for place, doctor, days, clock in (
        (DOWNTOWN, ETIENNE, 0, "20:00"),
        (PACIFIC, TANE, 1, "17:00"),
    ):
        patient = world.free_patient(days)
        oncall, emr = world.pair(place, doctor, patient, world.at(place, days, clock))
        emr["status"] = "cancelled"
        world.tell("cancelled_on_one_side", f"{patient.name} was cancelled in the EMR", oncall, emr)
    patient = world.free_patient(2)
    oncall, emr = world.pair(NORTH, HANNAH, patient, world.at(NORTH, 2, "17:00"))
    oncall |= {"cancelled": True, "status": "Patient cancelled"}
    world.tell("cancelled_on_one_side", f"{patient.name} cancelled in OnCall", oncall, emr)
    patient = world.free_patient(4)
    oncall, emr = world.pair(DOWNTOWN, PRIYA, patient, world.at(DOWNTOWN, 4, "17:00"))
    emr["status"] = "entered-in-error"
    world.tell("vanished", f"{patient.name} was entered in error in the EMR", oncall, emr)


def unlinked(world: World) -> None:
    """Visits that somebody typed into both systems by hand."""
    for place, doctor, days in ((DOWNTOWN, HANNAH, 1), (PACIFIC, LIAM, 2)):
        patient = world.free_patient(days)
        start = world.at(place, days, "12:15")
        oncall = world.in_oncall(place, doctor, patient, start)
        emr = world.in_emr(place, doctor, patient, start)
        world.tell("linked alone", f"{patient.name} agrees, only references lack", oncall, emr)
    patient = world.free_patient(1)
    oncall = world.in_oncall(DOWNTOWN, ADA, patient, world.at(DOWNTOWN, 1, "12:15"))
    emr = world.in_emr(DOWNTOWN, ADA, patient, world.at(DOWNTOWN, 1, "12:30"))
    world.tell("possible_match", f"{patient.name}: a quarter of an hour apart", oncall, emr)
    twin = world.free_patient(3, TWIN)
    other = world.free_patient(3, OTHER_TWIN)
    start = world.at(NORTH, 3, "16:45")
    oncall = world.in_oncall(NORTH, MARIE_EVE, twin, start)
    emr = world.in_emr(NORTH, MARIE_EVE, other, start)
    world.tell("possible_match", f"{twin.name} or {other.name}? One family address", oncall, emr)


def references(world: World) -> None:
    patient = world.free_patient(2)
    start = world.at(DOWNTOWN, 2, "18:00")
    oncall, emr = world.pair(DOWNTOWN, ETIENNE, patient, start)
    twice = world.in_oncall(DOWNTOWN, ETIENNE, patient, start, metadata={"emr_id": emr["id"]})
    world.tell("duplicate_reference", f"{patient.name} is in OnCall twice", oncall, twice, emr)
    patient = world.free_patient(3)
    oncall = world.in_oncall(
        DOWNTOWN, WEI, patient, world.at(DOWNTOWN, 3, "18:00"), metadata={"emr_id": "99999999"}
    )
    world.tell("dangling_reference", f"{patient.name} names an unknown EMR visit", oncall)
    patient = world.free_patient(4)
    emr = world.in_emr(
        PACIFIC,
        MEI_LING,
        patient,
        world.at(PACIFIC, 4, "18:00"),
        identifiers=[[PUBLIC, f"{PUBLIC}9/"]],
    )
    world.tell("dangling_reference", f"{patient.name} names an unknown OnCall visit", emr)


def identities(world: World) -> None:
    patient, wrong = world.free_patient(1), world.free_patient(1)
    oncall, emr = world.pair(NORTH, JOSEPH, patient, world.at(NORTH, 1, "18:00"))
    oncall["participants"] = [world.participant(wrong)]
    world.tell("patient_differs", f"{patient.name} in the EMR, {wrong.name} in OnCall", oncall, emr)
    patient = world.free_patient(2)
    oncall, emr = world.pair(PACIFIC, SOFIA, patient, world.at(PACIFIC, 2, "18:00"))
    emr["type"] = "Home kit pilot"
    world.tell("unmapped", "nobody said how a “Home kit pilot” is held", oncall, emr)
    for days in (1, 2):
        patient = world.free_patient(days)
        emr = world.in_emr(DOWNTOWN, LOCUM, patient, world.at(DOWNTOWN, days, "11:45"))
        world.tell("unmapped", f"{LOCUM.name} has no OnCall provider", emr)


def unreadable(world: World) -> None:
    patient = world.free_patient(1)
    oncall = world.in_oncall(
        DOWNTOWN,
        PRIYA,
        patient,
        world.at(DOWNTOWN, 1, "18:30"),
        overrides={"datetime": "2026-02-30T25:00:00Z"},
    )
    world.tell("unreadable", f"{patient.name}: OnCall's date does not exist", oncall)
    patient = world.free_patient(4)
    oncall = world.in_oncall(
        DOWNTOWN, ADA, patient, world.at(DOWNTOWN, 4, "18:30"), overrides={"url": None}
    )
    world.tell("unreadable", f"{patient.name}: OnCall's answer has no address", oncall)
    patient = world.free_patient(2)
    emr = world.in_emr(
        DOWNTOWN,
        WEI,
        patient,
        world.at(DOWNTOWN, 2, "18:30"),
        replaces={"end": "not an instant", "minutesDuration": "half an hour", "status": "here"},
    )
    world.tell("unreadable", f"{patient.name}: the EMR's status and end are no FHIR", emr)


def no_difference(world: World) -> None:
    """What looks odd and is right: nothing of this may reach a person."""
    samuel, sylvie = world.free_patient(2, SAMUEL), world.free_patient(2, SYLVIE)
    start = world.at(DOWNTOWN, 2, "11:15")
    for patient, doctor in ((samuel, ADA), (sylvie, PRIYA)):
        world.pair(DOWNTOWN, doctor, patient, start)
    group = [world.free_patient(4) for _ in range(3)]
    oncall, emr = world.pair(NORTH, MARIE_EVE, group[0], world.at(NORTH, 4, "16:45"))
    oncall["participants"] = [world.participant(p) for p in group]
    oncall["participants"][2]["cancelled"] = True
    world.tell("agrees", "a group; guests are invited only in OnCall", oncall, emr)
    oncall, emr = world.pair(PACIFIC, TANE, world.free_patient(5), world.at(PACIFIC, 5, "12:15"))
    emr["id"] = "0012"
    world.link(oncall, emr)
    world.tell("agrees", "an EMR id that begins with zeros", oncall, emr)
    message = world.in_oncall(DOWNTOWN, ADA, world.free_patient(1), "", type="message")
    message["title"] = "Question about a prescription"
    world.tell("out of scope", "a message session without a time", message)
    block = world.in_emr(
        DOWNTOWN, ETIENNE, None, world.at(DOWNTOWN, 1, "12:00"), type="Meeting", description="Team"
    )
    world.tell("out of scope", "a block in the calendar, no patient", block)
    wish = world.in_emr(
        NORTH, CHIDINMA, world.free_patient(5), world.at(NORTH, 5, "08:00"), status="proposed"
    )
    world.tell("out of scope", "proposed, nobody agreed yet", wish)
    lab = world.in_emr(
        PACIFIC, LIAM, world.free_patient(1), world.at(PACIFIC, 1, "07:30"), type="Lab draw"
    )
    world.tell("out of scope", "a type that is not for OnCall", lab)
