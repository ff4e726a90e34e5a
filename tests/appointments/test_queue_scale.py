"""The queue with 10,000 open items: as many queries as with 10, and not much slower."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from appointments.models import Appointment, Mismatch, Pair
from tests.make import make_division, make_mismatch, make_user, soon

pytestmark = pytest.mark.django_db
FEW, MANY = 10, 10_000
# Generous: on a busy machine a page of ten takes as long as it wants. Measured alone: about 1.6.
MOST_TIMES = 6


def open_items(division, count: int) -> None:
    like: Any = Mismatch.objects.select_related("pair__emr").order_by("pk")[0]
    numbers = range(Mismatch.objects.count(), count)
    halves = [copy_of(like.pair.emr, remote_id=f"many-{n}") for n in numbers]
    halves = Appointment.objects.bulk_create(halves, batch_size=500)
    pairs = [Pair(division=division, emr=half) for half in halves]
    pairs = Pair.objects.bulk_create(pairs, batch_size=500)
    rows = []
    for number, pair in zip(numbers, pairs, strict=True):
        start = like.start + timedelta(minutes=7 * number)
        when = {"start": start, "start_minute": int(start.timestamp() // 60)}
        rows.append(copy_of(like, pair=pair, provider=f"Dr. {number % 20}", **when))
    Mismatch.objects.bulk_create(rows, batch_size=500)


def copy_of(row, **changed):
    fields = {f.name: getattr(row, f.name) for f in row._meta.concrete_fields}
    return type(row)(**{**fields, "id": None, **changed})


def seconds_and_queries(client, address: str) -> tuple[float, int]:
    """The best of five: what the machine does besides is not the page's."""
    best, number = 99.0, 0
    for _ in range(5):
        with CaptureQueriesContext(
            connection,
        ) as found:
            began = time.perf_counter()
            assert client.get(address).status_code == 200
            best = min(best, time.perf_counter() - began)
        number = len(found)
    return best, number


def test_the_queue_filters_and_pages_ten_thousand_as_it_does_ten(capsys):
    division = make_division()
    like = make_mismatch(division, start=soon(30))
    client = Client()
    client.force_login(make_user("maria", division))
    queue, pulse = reverse("queue"), reverse("queue_pulse")
    addresses = {
        "first page": f"{queue}?all=1",
        "filtered": f"{queue}?division={division.pk}&kind={like.kind}",
        "numbers": f"{pulse}?division={division.pk}",
    }
    open_items(division, FEW)
    few = {name: seconds_and_queries(client, address) for name, address in addresses.items()}
    open_items(division, MANY)
    assert Mismatch.objects.count() == MANY
    addresses["filtered"] += "&provider=Dr.+3"  # a page of cards again, as it is with few
    addresses["a page in the middle"] = f"{queue}?all=1&page=150"
    few["a page in the middle"] = few["first page"]
    many = {name: seconds_and_queries(client, address) for name, address in addresses.items()}
    ratios = {name: many[name][0] / few[name][0] for name in many}
    with capsys.disabled():
        for name, ratio in ratios.items():
            print(  # noqa: T201 -- the measured number is what it is run for
                f"\n{name}: {few[name][0] * 1000:.0f} ms with {FEW}, "
                f"{many[name][0] * 1000:.0f} ms with {MANY} ({ratio:.1f} times)",
                end="",
            )
    assert {name: n for name, (_s, n) in many.items()} == {n: q for n, (_s, q) in few.items()}
    assert max(ratios.values()) < MOST_TIMES
