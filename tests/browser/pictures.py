"""Takes the pictures of ``docs/images`` (``make pictures``). No test: its name keeps it out of the run.

The clock stands still, so that the same pages give the same pictures.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from django.utils import timezone
from playwright.sync_api import Page, ViewportSize

from appointments.models import Push
from tests.browser.clinic import being_set_up, busy_clinic
from tests.browser.conftest import PHONE, sign_in
from tests.browser.pages import ADMIN, DAILY, SETUP, WORK, Open, at
from tests.browser.shrinking import shrunk

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TODAY: Final = date(2026, 11, 17)  # a Tuesday
FOLDER: Final = Path(
    os.environ.get("PICTURES", "") or Path(__file__).resolve().parents[2] / "docs/images"
)
SIZE: Final[ViewportSize] = {"width": 1200, "height": 800}
MOST_BYTES: Final = 150_000
MOST_BYTES_OF_ALL: Final = 2_500_000


def below(open_page: Open, part: str) -> Open:
    """The page from that part of it on."""

    def opened(page: Page, clinic: Any) -> None:
        open_page(page, clinic)
        page.locator(part).evaluate("part => part.scrollIntoView()")

    return opened


# File → the page of ``pages.py``, as reception sees it.
RECEPTION: Final = {
    "overview": DAILY["home"],
    "brake": DAILY["queue"],
    "together": DAILY["together"],
    "day": below(DAILY["day"], ".picture"),
    "sheet": DAILY["day_sheet"],
    "visits": DAILY["visits"],
    "visit": DAILY["visit"],
    "history": below(DAILY["visit, as it was"], "#then"),
    "why": DAILY["visit_why"],
    "find": DAILY["find, found"],
    "support": DAILY["visit_support"],
    "handover": WORK["handover"],
    "automatic": WORK["pushes_automatic"],
    "remembered": WORK["remembered"],
    "statements": WORK["statements"],
    "notices": WORK["notices"],
    "writes": WORK["pushes"],
    "readings": WORK["runs"],
}
# As whoever sets it up sees it.
ADMINISTRATOR: Final = {
    "rule": WORK["rule"],
    "setup": SETUP["setup"],
    "setup-connect": SETUP["setup_connection_add"],
    "setup-test": SETUP["setup_test"],
    "setup-providers": SETUP["setup_providers"],
    "setup-types": SETUP["setup_types"],
    "setup-observe": SETUP["setup_observe"],
    "setup-live": SETUP["setup_live, counted"],
    "admin": ADMIN["admin:index"],
    "admin-division": ADMIN["admin:appointments_division_change"],
}


def standing_still():
    """9:20 in Toronto. Runs as if it stood in ``django.utils.timezone``."""
    return datetime(2026, 11, 17, 14, 20, 30, tzinfo=timezone.utc)  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    # Models hold the function itself as a default, so the function is changed and not its name.
    monkeypatch.setattr(timezone.now, "__code__", standing_still.__code__)


@pytest.fixture
def clinic(clock, live_server):
    return busy_clinic(TODAY)


@pytest.fixture
def desk(page: Page) -> Iterator[Page]:
    page.set_viewport_size(SIZE)
    FOLDER.mkdir(parents=True, exist_ok=True)
    yield page
    page.said.clear()  # type: ignore[attr-defined]  # a page that is left while it asks says so


def take(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    page.evaluate("document.activeElement.blur()")
    blank = page.context.new_page()
    picture = shrunk(blank, page.screenshot(animations="disabled", scale="css"))
    blank.close()
    (FOLDER / f"{name}.png").write_bytes(picture)
    assert len(picture) < MOST_BYTES, name


def test_pictures_of_the_queue(desk, context, live_server, clinic):
    Push.objects.filter(status="held").delete()  # an ordinary morning
    sign_in(context, live_server, clinic.maria)
    for scheme, tail in (("light", ""), ("dark", "-dark")):
        desk.emulate_media(color_scheme=scheme)
        for size, kind in ((SIZE, ""), (PHONE, "-phone")):
            desk.set_viewport_size(size)
            at("queue")(desk, clinic)
            take(desk, f"queue{tail}{kind}")


def test_pictures_of_the_other_pages(desk, context, live_server, clinic):
    sign_in(context, live_server, clinic.maria)
    for name, open_page in RECEPTION.items():
        open_page(desk, clinic)
        take(desk, name)
    sign_in(context, live_server, clinic.head, **being_set_up(clinic))
    for name, open_page in ADMINISTRATOR.items():
        open_page(desk, clinic)
        take(desk, name)


def test_pictures_are_small_together():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.png")) < MOST_BYTES_OF_ALL
