"""Which two records are one visit, and who is who (design, section 6, "Pairing")."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from appointments.core.matching import (
    certain_person,
    certainly_is,
    could_be,
    evidence,
    is_replacement,
    shared_emails,
)
from appointments.core.values import (
    When,
    fitting_person,
    fold_name,
    names_fit,
    same_generation,
    same_person,
)
from emr_adapters.records import Person, Side
from tests.core.make import ADA, ANA, BEN, EVE, START, make_half

NONE: frozenset[str] = frozenset()


def day_in(zone: str) -> Callable[[datetime], date]:
    return lambda at: at.astimezone(ZoneInfo(zone)).date()


def seen(oncall: dict[str, Any], emr: dict[str, Any], zone: str = "America/Toronto") -> Any:
    return evidence(
        make_half(Side.ONCALL, **oncall),
        make_half(Side.EMR, **emr),
        local_day=day_in(zone),
        shared_emails=shared_emails([*oncall.get("people", (ANA,)), *emr.get("people", (ANA,))]),
    )


# --- names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "two", "fit"),
    [
        ("Ana Souza", "Ana Souza", True),
        ("Ana Souza", "SOUZA, Ana", True),
        ("Ana Souza", "ana  souza ", True),
        ("Jean-François Tremblay", "TREMBLAY, Jean Francois", True),
        ("Zoë Müller", "Zoe Muller", True),
        ("Łukasz Lecœur", "Lukasz Lecoeur", True),
        ("Søren Straße", "Soren Strasse", True),
        ("Shea O'Brien", "Shea OBrien", True),
        ("Shea O\u2019Brien", "Shea O'Brien", True),
        ("J. Souza", "Jane Souza", True),
        ("Souza, J", "Jane Souza", True),
        ("Jane A. Souza", "Jane Souza", True),
        ("Jane Alice Souza", "Jane A. Souza", True),
        ("J. A. Souza", "Jane Alice Souza", True),
        ("Mr. John Smith", "John Smith", True),
        (
            "John Smith Jr.",
            "John Smith",
            True,
        ),  # nothing speaks against it: enough in a linked pair
        ("John Smith Sr", "John Smith Jr", False),
        ("Jane Souza", "Joan Souza", False),  # twins
        ("Jane Souza", "Jane Silva", False),
        ("Ana Souza", "Ana", False),
        ("Ana", "Ana", True),
        ("J. S.", "Jane Souza", False),
        ("J. S.", "J. S. Tremblay", False),
        ("Souza Souza", "Souza", False),
        ("Ana Ana Souza", "Ana Souza", True),
        ("", "", False),
        ("", "Ana Souza", False),
        ("--", "--", False),
    ],
)
def test_names_fit_whichever_comes_first(one, two, fit):
    assert names_fit(one, two) is fit
    assert names_fit(two, one) is fit


def test_folding_takes_order_case_accents_and_punctuation_away():
    assert fold_name(" Tremblay,  Jean-François ") == "francois jean tremblay"


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("John Smith Jr.", "John Smith junior", True),
        ("John Smith", "Smith, John", True),
        ("John Smith", "John Smith Jr", False),
        ("John Smith Senior", "John Smith Jr", False),
        ("John Smith II", "John Smith III", False),
    ],
)
def test_generations_are_told_apart(one, two, same):
    assert same_generation(one, two) is same


@pytest.mark.parametrize(
    ("one", "two", "shared", "certain"),
    [
        (ANA, ANA, NONE, True),
        (ANA, Person("A. Souza", " ANA@Example.org "), NONE, True),
        (ANA, ANA, frozenset({"ana@example.org"}), False),  # a family's address
        (ANA, Person("Ana Souza", "other@example.org"), NONE, False),
        (ANA, Person("Bea Souza", "ana@example.org"), NONE, False),
        (ANA, Person("", "ana@example.org"), NONE, False),
        (Person("Ana Souza"), Person("Ana Souza"), NONE, False),
        (Person("John Smith", "s@x.org"), Person("John Smith Jr", "s@x.org"), NONE, False),
    ],
)
def test_identity_needs_an_email_of_ones_own_and_a_fitting_name(one, two, shared, certain):
    assert certain_person(one, two, shared) is certain
    assert certain_person(two, one, shared) is certain


@pytest.mark.parametrize(
    ("names", "shared"),
    [
        (["Ana Souza", "Ana Souza"], False),
        (["Ana Souza", "A. Souza", "SOUZA, ANA"], False),
        (["Jane Souza", "Joan Souza"], True),  # twins under their mother's address
        (["John Smith", "John Smith Jr"], True),
        (["Ana Souza", ""], False),
        (["J. Souza", "Jane Souza", "Joan Souza"], True),
    ],
)
def test_email_is_shared_if_names_that_do_not_fit_occur_under_it(names, shared):
    people = [Person(name, "Family@example.org") for name in names]
    assert shared_emails(people) == (frozenset({"family@example.org"}) if shared else NONE)


@pytest.mark.parametrize(
    ("two", "same"),
    [
        (Person("Somebody Else", "ANA@example.org"), True),
        (Person("souza ana", ""), True),
        (Person("A. Souza", ""), False),
        (Person("", ""), False),
    ],
)
def test_equal_email_or_equal_name_is_enough_to_stop_a_create(two, same):
    assert same_person(ANA, two) is same
    assert same_person(two, ANA) is same


def test_people_without_name_and_email_are_nobody():
    assert not same_person(Person(), Person())
    assert not fitting_person(Person(), Person())


# --- linking alone, and stopping a create --------------------------------------------------------------------------


def at(minutes: int, length: int | None = 30) -> When:
    return When(START + timedelta(minutes=minutes), length)


@pytest.mark.parametrize(
    ("oncall", "links"),
    [
        ({}, True),
        ({"provider": (EVE,)}, True),
        ({"when": at(0, 60)}, True),
        ({"when": at(1)}, False),
        ({"when": When(None, 30)}, False),
        ({"people": (BEN,)}, False),
        ({"people": (BEN, ANA)}, True),
        ({"people": (Person("Bea Souza", ANA.email),)}, False),
        ({"people": (Person("Ana Souza"),)}, False),
        ({"people": ()}, False),
    ],
)
def test_same_start_and_certain_person_link_alone(oncall, links):
    assert certainly_is(seen(oncall, {})) is links


def test_shared_family_address_never_links():
    found = evidence(
        make_half(Side.ONCALL),
        make_half(Side.EMR),
        local_day=day_in("UTC"),
        shared_emails=frozenset({ANA.email}),
    )
    assert not certainly_is(found)
    assert could_be(found, free=True)


OTHERS = {"people": (BEN,)}
UNKNOWN_PROVIDER: dict[str, Any] = {"provider": None}


@pytest.mark.parametrize(
    ("oncall", "free", "paired"),
    [
        ({}, True, True),
        ({"when": at(29)}, True, True),  # the same person, overlapping
        ({"when": at(-29)}, True, True),
        ({"when": at(30)}, True, False),  # one after the other, the same day
        ({"when": at(-30)}, True, False),
        ({"when": at(29, None)}, True, True),
        ({"when": at(60 * 13 - 1)}, True, False),  # 03:59 UTC: still the same day in Toronto
        ({"when": at(60 * 14 + 60)}, False, False),  # the next day there
        (OTHERS, True, False),  # the same slot with the same provider
        (OTHERS | UNKNOWN_PROVIDER, True, False),
        (OTHERS | {"provider": (EVE,)}, False, False),
        (OTHERS | {"provider": (EVE, ADA)}, True, False),
        (OTHERS | {"when": at(1)}, False, False),
        ({"people": (Person("Else", ANA.email),)}, True, True),
        ({"when": When(None, None)}, False, False),
    ],
)
def test_gate_b_what_could_be_this_visit_stops_a_create(oncall, free, paired):
    found = seen(oncall, {})
    assert could_be(found, free=True) is free
    assert could_be(found, free=False) is paired


@pytest.mark.parametrize(
    ("zone", "same_day"), [("America/Toronto", True), ("UTC", False), ("Asia/Tokyo", True)]
)
def test_same_day_is_the_day_in_the_divisions_zone(zone, same_day):
    late = When(datetime(2026, 3, 3, 23, 30, tzinfo=UTC), 15)
    early = When(datetime(2026, 3, 4, 0, 30, tzinfo=UTC), 15)
    assert seen({"when": late}, {"when": early}, zone).same_day is same_day


@pytest.mark.parametrize(
    ("first", "second", "same_day"),
    [
        # Toronto, 8 March 2026: the clocks go from 02:00 to 03:00, the day has 23 hours.
        ("2026-03-08T05:00Z", "2026-03-09T03:59Z", True),
        ("2026-03-08T05:00Z", "2026-03-09T04:00Z", False),
        # 1 November 2026: back from 02:00 to 01:00, 25 hours.
        ("2026-11-01T04:00Z", "2026-11-02T04:59Z", True),
        ("2026-11-01T04:00Z", "2026-11-02T05:00Z", False),
    ],
)
def test_days_on_which_clocks_change_are_days(first, second, same_day):
    one, two = (When(datetime.fromisoformat(text), 15) for text in (first, second))
    assert seen({"when": one}, {"when": two}).same_day is same_day


@pytest.mark.parametrize(
    ("new", "replaces"),
    [
        ({"when": at(60)}, True),
        ({"when": at(60), "provider": (EVE,)}, False),
        ({"when": at(60)} | UNKNOWN_PROVIDER, True),
        ({"when": at(60)} | OTHERS, False),
    ],
)
def test_new_visit_of_the_same_patient_and_provider_replaces_a_cancelled_one(new, replaces):
    old = make_half(Side.EMR)
    assert is_replacement(old, make_half(Side.EMR, id="78", **new)) is replaces
