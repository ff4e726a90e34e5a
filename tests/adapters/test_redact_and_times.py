"""What a refusal may repeat, and which texts are instants."""

from __future__ import annotations

import pytest

from emr_adapters.redact import safe_sentence
from emr_adapters.times import format_instant, parse_instant


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("This field is required.", "This field is required."),
        ('"onlyne" is not a valid choice.', "… is not a valid choice."),
        ("Enter a valid email address.", "Enter a valid email address."),
        (
            "Ensure this field has no more than 255 characters.",
            "Ensure this field has no more than 255 characters.",
        ),
        ("JSON parse error - expecting value", "JSON parse error - expecting value"),
        ("Contact already exists.", "Contact already exists."),
        ("A contact named Ann Bee already exists.", ""),
        ("ann@example.org is taken", ""),
        ("Health card 9876543217 is known", ""),
        ("see https://example.org/x", ""),
        ("ann bee is known", ""),
        ("Smith has a visit at that time.", ""),
        ("Not possible. Smith has a visit then.", ""),
        ("Not possible: Smith has a visit then", ""),
        ("Not possible. This time is taken.", "Not possible. This time is taken."),
        ("The visit of Smith is taken.", ""),
        ("la patiente est déjà connue", ""),
        ("<b>no</b>", ""),
        ("x" * 500, ""),
        (None, ""),
        (17, ""),
    ],
)
def test_a_refusal_is_repeated_without_values(said: object, shown: str) -> None:
    assert safe_sentence(said, hide=["Ann Bee"]) == shown


# --- times ---


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-15T0:00:00Z",
        "2026-01-15T00:00:00Z",
        "2026-01-15T00:00Z",
        "2026-01-15 00:00:00z",
        "2026-1-15T00:00:00.000Z",
        "2026-01-15T00:00:00.123456789Z",
        "2026-01-14T19:00:00-05:00",
        "2026-01-14T19:00:00-0500",
        "2026-01-14T19:00:00-05",
        "2026-01-15T05:30:00,5+05:30",
        " 2026-01-15T00:00:00Z ",
    ],
)
def test_an_instant_in_many_spellings(text: str) -> None:
    instant = parse_instant(text)
    assert instant is not None
    assert format_instant(instant) == "2026-01-15T00:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-15",
        "2026-01-15T00:00:00",
        "2026-02-30T00:00:00Z",
        "2026-01-15T25:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "10",
        "2026-01-15T00:00:00+99:00",
        None,
        17,
        "\uff12\uff10\uff12\uff16-01-15T00:00:00Z",
    ],
)
def test_what_is_no_instant_is_not_guessed(text: object) -> None:
    assert parse_instant(text) is None
