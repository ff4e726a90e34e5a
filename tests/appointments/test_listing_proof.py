"""What proves a list complete, and what does not (law 2): pages as any system could give them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from appointments import mirror
from appointments.mirror import proof
from appointments.mirror.windows import division_window
from appointments.models import Appointment, Connection, Mismatch, Run
from emr_adapters.base import Capabilities, Page
from emr_adapters.records import AppointmentRecord, Unreadable, record_from_json
from tests.make import make_division, make_record, soon

pytestmark = pytest.mark.django_db


class Pages:
    """A system that gives exactly these pages: (ids or records, total)."""

    reading_version = "1"
    capabilities = Capabilities(list_window=True)

    def __init__(self, division: Any, *pages: tuple[Sequence[Any], int | None]) -> None:
        self.division, self.pages = division, pages

    def list_appointments(self, window: Any = None, cursor: str | None = None) -> Page:
        number = int(cursor or 0)
        rows, total = self.pages[number]
        last = number + 1 == len(self.pages)
        return Page(
            records=tuple(self._record(row) for row in rows if not isinstance(row, Unreadable)),
            unreadable=tuple(row for row in rows if isinstance(row, Unreadable)),
            began_at=timezone.now(),
            next_cursor=None if last else str(number + 1),
            total=total,
        )

    def list_changes(self, since: datetime, cursor: str | None = None) -> Page:
        return self.list_appointments(None, cursor)

    def _record(self, row: Any) -> AppointmentRecord:
        return row if isinstance(row, AppointmentRecord) else visit(self.division, row)

    parse = staticmethod(lambda raw: record_from_json(raw, raw))
    sleep = staticmethod(lambda seconds: None)


@pytest.fixture
def division():
    return make_division()


def visit(division: Any, id: str, start: datetime | None = None, **fields: Any):
    record = make_record(division, "emr", remote_id=id, start=start or soon(60))
    return AppointmentRecord(**{**{f: getattr(record, f) for f in record.__slots__}, **fields})


def listed(division: Any, *pages: tuple[Sequence[Any], int | None], kind: str = "sweep") -> Run:
    return mirror.read_listing(division.emr, kind, adapter=Pages(division, *pages))  # type: ignore[arg-type]


def test_list_that_reaches_its_total_is_complete(division):
    run = listed(division, ("abc", 5), ("de", 5))
    assert (run.status, run.read, run.repeated) == ("complete", 5, 0)


def test_total_that_moves_and_comes_back_between_two_pages_is_noticed(division):
    """One was deleted on a page that was read, another was booked behind: the same total at both ends."""
    run = listed(division, ("abc", 7), ("ef", 6), ("gh", 7))
    assert (run.status, run.error) == ("incomplete", "The list changed while it was read.")


@pytest.mark.parametrize("totals", [(None, 5), (5, None)])
def test_list_of_which_a_page_gives_no_total_is_one_without(division, totals):
    """FHIR servers: a full first page may have no total that can be trusted."""
    run = listed(division, ("abc", totals[0]), ("de", totals[1]))
    assert (run.status, run.read, run.last_total) == ("complete", 5, None)


def test_counted_list_tolerates_no_repeat(division):
    run = listed(division, ("abc", 5), ("cd", 5))
    assert (run.status, run.repeated) == ("incomplete", 1)
    assert run.error == "5 visits were announced, 4 came."


@pytest.mark.parametrize(
    ("repeats", "status"), [(0, "complete"), (2, "complete"), (3, "incomplete")]
)
def test_uncounted_list_tolerates_few_repeats(division, repeats, status):
    first = [f"v{n}" for n in range(6)]
    run = listed(division, (first, None), ([*first[:repeats], "new"], None))
    assert (run.status, run.read, run.repeated) == (status, 7, repeats)
    if status == "incomplete":
        assert run.error == "3 visits came more than once."


@pytest.mark.parametrize(("length", "repeats"), [(0, 2), (200, 2), (300, 3), (5000, 50)])
def test_few_is_two_or_one_in_a_hundred(length, repeats):
    assert proof.few(length) == repeats


def test_page_with_a_shifted_visit_alone_is_no_loop(division):
    run = listed(division, ("abc", None), ("c", None))
    assert (run.status, run.read, run.repeated) == ("complete", 3, 1)


def test_unreadable_record_that_comes_twice_counts_once(division):
    bad = Unreadable("x", "No time.", {})
    run = listed(division, (["a", bad], 3), ([bad, "b"], 3))
    assert (run.read, run.unreadable, run.repeated) == (2, 1, 1)
    run = listed(division, (["a", bad], 3), (["b"], 3))
    assert (run.status, run.read, run.unreadable) == ("complete", 2, 1)


def test_complete_list_without_the_unreadable_record_closes_its_question(division):
    listed(division, (["a", Unreadable("x", "No time.", {})], 2))
    assert Mismatch.objects.unsettled().count() == 1
    assert listed(division, (["a", Unreadable("x", "No time.", {})], 2)).status == "complete"
    assert Mismatch.objects.unsettled().count() == 1
    listed(division, (["a", "b"], 2))
    assert Mismatch.objects.unsettled().count() == 0


def test_unreadable_record_stays_listed_when_another_list_is_read_at_the_same_time(division):
    bad = Unreadable("x", "No time.", {})
    whole: Any = Pages(division, (["a", bad], 3), (["b"], 3))
    near: Any = Pages(division, (["a", bad], 2))
    assert mirror.start_or_continue(division.emr, "sweep", adapter=whole) is True
    assert mirror.start_or_continue(division.emr, "near", adapter=near) is False
    assert mirror.start_or_continue(division.emr, "sweep", adapter=whole) is False
    assert [m.status for m in Mismatch.objects.all()] == ["open"]


def test_two_kinds_of_list_at_once_do_not_unmark_each_other(division):
    """The list of today repeats itself while the whole list is read in between."""
    near: Any = Pages(division, ("abc", None), ("abc", None))
    whole: Any = Pages(division, ("abcdef", 6))
    assert mirror.start_or_continue(division.emr, "near", adapter=near) is True
    assert mirror.start_or_continue(division.emr, "sweep", adapter=whole) is False
    assert mirror.start_or_continue(division.emr, "near", adapter=near) is False
    found = {run.kind: (run.status, run.read, run.repeated) for run in Run.objects.all()}
    assert found == {"near": ("incomplete", 3, 3), "sweep": ("complete", 6, 0)}


# --- days -------------------------------------------------------------------------------------------------


def far(division: Any, *ids: str, **fields: Any) -> list[AppointmentRecord]:
    start = timezone.now() + timedelta(days=division.window_ahead_days + 9)
    return [visit(division, id, start, **fields) for id in ids]


def test_list_that_ignores_the_days_asked_for_proves_nothing(division):
    run = listed(division, (["a", *far(division, "b", "c", "d")], 4))
    assert (run.status, run.outside) == ("incomplete", 3)
    assert run.error == "3 visits lie outside the days that were asked for."
    assert Appointment.objects.count() == 4  # news all the same


def test_days_of_another_zone_are_not_outside(division):
    edge = division_window(division, timezone.now())[1] + timedelta(hours=20)
    rows = ["a", *(visit(division, id, edge) for id in "bcde")]
    assert (listed(division, (rows, 5)).status, Run.objects.get().outside) == ("complete", 0)


def test_visits_that_were_moved_meanwhile_are_not_outside(division):
    listed(division, ("abcd", 4))
    rows = ["a", *far(division, "b", "c", "d")]
    assert (listed(division, (rows, 4)).status, Run.objects.latest("pk").outside) == ("complete", 0)
    # Now they are known to lie there, and should not have been listed.
    assert listed(division, (rows, 4)).outside == 3


def test_new_visit_that_was_moved_meanwhile_is_not_outside(division):
    later = timezone.now() + timedelta(minutes=1)
    rows = ["a", *far(division, "b", "c", "d", modified_at=later)]
    assert listed(division, (rows, 4)).outside == 0


def test_list_of_today_and_tomorrow_is_proven_the_same_way(division):
    run = listed(division, (["a", *far(division, "b", "c", "d")], 4), kind="near")
    assert (run.status, run.outside) == ("incomplete", 3)


# --- changes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pages", "moves"),
    [
        ([("", 0)], False),
        ([("", None)], False),
        ([("ab", 3)], False),
        ([("ab", 4), ("c", 3)], False),
        ([("ab", 2)], True),
        ([("ab", None)], True),
    ],
    ids=["empty", "empty_uncounted", "short", "other_count", "whole", "uncounted"],
)
def test_changes_are_asked_for_from_the_same_moment_until_a_list_holds_them_all(
    division, pages, moves
):
    """An edit outside the window that such a list left out stands in no other one."""
    read_to = timezone.now() - timedelta(hours=1)
    Connection.objects.filter(pk=division.emr_id).update(changes_read_to=read_to)
    division.emr.refresh_from_db()
    run = listed(division, *pages, kind="changes")
    division.emr.refresh_from_db()
    assert division.emr.changes_read_to == (run.began_at if moves else read_to)
