"""What several parts of the contract need."""

from __future__ import annotations

from typing import TypeVar

import pytest

from emr_adapters.base import Adapter, Page, Window
from emr_adapters.records import (
    ABSENT,
    Absent,
    AppointmentRecord,
)
from tests.adapters.practice import Practice

T = TypeVar("T")

# ruff: noqa: RUF001  (letters of any script are the point)
NAMES = [
    "Zoë Ångström-Núñez",
    "Nguyễn Thị Ánh",
    "Мария Иванова",
    "山田 太郎",
    "محمد علي",
    'O\'Brien "Bob" D’Arcy',
    "𝒜da 🦊 Osei",
]


def pages(adapter: Adapter, window: Window | None = None) -> list[Page]:
    found = [adapter.list_appointments(window)]
    while found[-1].next_cursor is not None:
        found.append(adapter.list_appointments(window, found[-1].next_cursor))
        assert len(found) < 100
    return found


def everything(adapter: Adapter) -> dict[str, AppointmentRecord]:
    records = [record for page in pages(adapter) for record in page.records]
    assert len(records) == len({record.id for record in records})
    return {record.id: record for record in records}


def stated(value: tuple[T, ...] | Absent) -> tuple[T, ...]:
    """What the record states; a field that it does not state fails the test."""
    assert value is not ABSENT
    return value


class WithAdapter:
    @pytest.fixture
    def adapter(self, practice: Practice) -> Adapter:
        return practice.adapter()
