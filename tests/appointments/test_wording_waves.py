"""The likely cause of a wave in words; a mail's never name anybody."""

from __future__ import annotations

from datetime import date

import pytest

from appointments.core.brake import CauseCode
from appointments.wording import cause_sentence

TODAY = date(2026, 3, 2)
OSEI = {"provider": "Dr. Ada Osei", "day": "2026-03-02"}
CASES = [
    ("shifted", {"minutes": 60}, "41 visits moved by exactly 60 minutes: a time-zone setting?"),
    (
        "shifted",
        {"minutes": -300},
        "41 visits moved to exactly 300 minutes earlier: a time-zone setting?",
    ),
    (
        "shifted",
        {"minutes": 10080},
        "41 visits moved by exactly 7 days: was the calendar moved as a whole?",
    ),
    (
        "shifted",
        {"minutes": 7},
        "41 visits moved by exactly 7 minutes: was the calendar moved as a whole?",
    ),
    (
        "retyped",
        {"before": "online", "after": "phone"},
        "41 visits turned from Online to Phone: the type table?",
    ),
    (
        "created",
        {"side": "emr"},
        "41 visits are only in the EMR: a new division, or a restored system?",
    ),
    (
        "provider_day",
        OSEI,
        "41 visits are those of Dr. Ada Osei on Mon 2 Mar (today): away that day?",
    ),
    (
        "cancelled_day",
        {"side": "emr", "day": "2027-01-04"},
        "41 visits of Mon 4 Jan 2027 were cancelled in the EMR: is the clinic closed?",
    ),
    ("mixed", {}, "41 visits, with nothing in common that points to one cause."),
]


def say(code, details, *, total=41, named=True):
    cause = {"code": code, "count": 41, "total": total, "details": details}
    return cause_sentence(cause, today=TODAY, named=named)


@pytest.mark.parametrize(("code", "details", "words"), CASES)
def test_cause_is_said_with_its_number_and_a_question(code, details, words):
    assert say(code, details) == words


def test_every_cause_has_its_own_words():
    assert {code for code, _, _ in CASES} == {str(code) for code in CauseCode}


def test_most_of_them_are_told_apart_from_all():
    words = say("shifted", {"minutes": 60}, total=43)
    assert words == "41 of 43 visits moved by exactly 60 minutes: a time-zone setting?"


def test_a_mail_names_no_provider():
    words = say("provider_day", OSEI, named=False)
    assert words == "41 visits are those of one provider on Mon 2 Mar (today): away that day?"
