"""``manage.py demo`` as a newcomer meets it: started for real, driven through its pages in Chromium."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from sandbox.client import SandboxClient

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
FIRST_PASS = (
    150.0  # seconds: some hundreds of visits at the demo's request budget, on a busy machine
)
ARRIVES = 100.0  # the EMR is asked for changes once a minute
PATIENCE_MS = 40_000


@dataclass(frozen=True)
class Demo:
    portal: str
    practice: SandboxClient


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    data = tmp_path_factory.mktemp("demo")
    out = data / "out.txt"
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DJANGO_", "DATABASE_URL", "SECRET_KEY", "CREDENTIALS_KEY"))
    }
    with out.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "demo", "--no-input", "--data", str(data / "world")],
            cwd=ROOT,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**clean, "SYNCPORTAL_NO_VENV": "1"},
            start_new_session=True,
        )
    try:
        wait_until(lambda: "Sign-ins" in out.read_text() or process.poll() is not None, 90)
        text = out.read_text()
        assert process.poll() is None, text
        portal = re.search(r"Portal\s+(http\S+)", text)
        page = re.search(r"Practice systems\s+(http\S+)", text)
        assert portal is not None, text
        assert page is not None, text
        yield Demo(portal[1], SandboxClient(page[1] + "control/"))
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=40) == 0, out.read_text()


def wait_until(happened: Callable[[], Any], seconds: float) -> Any:
    """The first true answer of ``happened``; outside events are looked for, never slept for."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if answer := happened():
            return answer
        time.sleep(0.5)
    raise AssertionError(f"It did not happen within {seconds:.0f} s.")


@pytest.fixture
def staff(chromium, demo: Demo) -> Iterator[Page]:
    """Mei, signed in by hand."""
    context = chromium.new_context(base_url=demo.portal, locale="en-CA", reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Name").fill("mei")
    page.get_by_label("Password").fill("demo-password")
    page.get_by_role("button", name=re.compile("Sign in")).click()
    expect(page.get_by_role("link", name="Mismatches", exact=False).first).to_be_visible()
    yield page
    context.close()


def agreed_visit(demo: Demo, skip: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """(OnCall's row, the EMR's resource) of a visit some days ahead that both hold alike."""
    state = demo.practice.state()
    resources = {r["id"]: r for r in state["emr"]["Appointment"]}
    soon = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    found = [
        (row, resources[row["metadata"]["emr_id"]])
        for row in state["oncall"]["appointments"]
        if (row["metadata"] or {}).get("emr_id") in resources
        and not row["cancelled"]
        and (row["datetime"] or "") > soon
        and row["division"] == 123
        and resources[row["metadata"]["emr_id"]].get("start") == row["datetime"]
        and resources[row["metadata"]["emr_id"]].get("minutesDuration") == row["duration"]
        and resources[row["metadata"]["emr_id"]].get("status") == "booked"
    ]
    return found[skip]


def later(start: str, minutes: int) -> str:
    moment = datetime.fromisoformat(start.replace("Z", "+00:00")) + timedelta(minutes=minutes)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def queue_is_filled(page: Page) -> bool:
    page.goto("/mismatches/")
    return page.locator("[id^=mismatch-]").count() >= 10


def test_a_visit_moved_in_the_emr_arrives_in_oncall_without_a_click(demo: Demo, staff: Page):
    wait_until(lambda: queue_is_filled(staff), FIRST_PASS)
    row, resource = agreed_visit(demo)
    moved = later(row["datetime"], 15)

    demo.practice.emr_change(resource["id"], start=moved)

    def arrived() -> bool:
        now = demo.practice.oncall_appointment(row["id"])
        return now is not None and now["datetime"] == moved

    wait_until(arrived, ARRIVES)
    mails = demo.practice.mails(audience="patient", cause="api")
    assert [m["kind"] for m in mails if m["appointment"] == row["id"]] == ["reschedule"]
    staff.goto("/pushes/")
    expect(staff.locator("main")).to_contain_text(row["participants"][0]["name"])


def test_a_visit_moved_in_oncall_is_listed_and_one_click_settles_it(demo: Demo, staff: Page):
    wait_until(lambda: queue_is_filled(staff), FIRST_PASS)
    row, resource = agreed_visit(demo, skip=6)
    moved = later(row["datetime"], 60)
    patient = row["participants"][0]["name"]

    demo.practice.oncall_change(row["id"], datetime=moved)

    def listed() -> bool:
        staff.goto("/mismatches/")
        staff.get_by_role("searchbox").fill(patient)
        staff.get_by_role("button", name="Show", exact=True).click()
        staff.wait_for_load_state()
        return moved_card(staff).count() == 1

    def moved_card(page: Page) -> Any:
        return page.locator("[id^=mismatch-]", has_text="OnCall moved it")

    wait_until(listed, ARRIVES)
    card = moved_card(staff)
    card.get_by_role("button", name=re.compile("Use EMR")).click()
    expect(staff.locator("[id^=mismatch-]", has_text="Sending in")).to_have_count(1)

    def settled() -> bool:
        now = demo.practice.oncall_appointment(row["id"])
        return now is not None and now["datetime"] == resource["start"]

    wait_until(settled, ARRIVES)
    wait_until(lambda: not listed(), ARRIVES)
