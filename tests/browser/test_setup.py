"""The set-up against the real practice systems: from an empty installation to live, as a person does it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.utils import timezone
from playwright.sync_api import expect

from appointments.models import AuditEvent, Connection, Division, Heartbeat, Provider, Push
from sandbox.running import Sandbox, running_sandbox
from tests.browser.conftest import PHONE, sign_in
from tests.loop.clinic import Clinic, at

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
KEY = "practice-coordinator-key"
TOKEN = "hook-token-never-shown"
PICTURES = os.environ.get("SETUP_PICTURES", "")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def clinic(sandbox, transactional_db) -> Clinic:
    """The practice systems with a clinic on them; the product knows nothing yet."""
    clinic = Clinic(sandbox)
    for model in (Provider, Division, Connection):
        model.objects.all().delete()
    for hour in range(9, 13):
        clinic.book_emr(at(hour), type="Video visit")
    clinic.book_emr(at(14), type="Phone call", practitioner="32", patient="502")
    clinic.quiet()
    return clinic


@pytest.fixture
def admin(live_server, context):
    user = get_user_model().objects.create_superuser("root", "root@example.org", "x")
    user.is_staff = True
    user.save()
    sign_in(context, live_server, user)
    return user


def worker_reads() -> None:
    """What the worker would have done by now."""
    call_command("sync", "--json", stdout=StringIO())
    Heartbeat.objects.update_or_create(name="worker-1", defaults={"at": timezone.now()})


def violations(page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {[n['target'] for n in v['nodes']][:3]}" for v in found]


def look(page, name):
    """Without a violation in both themes, within a phone's width, and without a secret."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == [], f"{name} {scheme}"
        picture(page, f"{name}-{scheme}")
    page.emulate_media(color_scheme="light")
    size = page.viewport_size
    page.set_viewport_size(PHONE)
    picture(page, f"{name}-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name
    page.set_viewport_size(size)
    assert KEY not in page.content()
    assert TOKEN not in page.content()


def picture(page, name):
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{PICTURES}/{name}.png", full_page=True)


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def test_an_empty_installation_is_led_from_the_first_step_to_live_and_back(
    page, admin, clinic, sandbox, caplog
):
    page.goto("/")
    look(page, "0-home")
    page.get_by_role("link", name="Set up SyncPortal").click()
    look(page, "0-overview")
    page.get_by_role("link", name="Continue: Connect").click()
    look(page, "1-connections")

    # Connect: OnCall, once with a mistake, then the EMR.
    page.get_by_role("link", name="Connect OnCall", exact=True).click()
    page.get_by_label("API key").fill(KEY)
    page.get_by_label("Address").fill("nowhere")
    press(page, "Save")
    expect(page.get_by_role("alert")).to_contain_text("was not saved")
    look(page, "1-oncall-wrong")
    page.said.clear()  # the browser notes a 422
    page.get_by_label("Region").select_option("ca")
    page.get_by_label("Address").fill(sandbox.oncall_url)
    page.get_by_label("API key").fill(KEY)
    page.get_by_label("Webhook token", exact=False).first.fill(TOKEN)
    page.get_by_text("More, seldom needed").click()
    page.get_by_label("Requests per second").fill("200")
    press(page, "Save")
    expect(page.get_by_role("link", name="OnCall main")).to_be_visible()
    page.get_by_role("link", name="Connect: EMR with FHIR R4").click()
    look(page, "1-emr")
    page.get_by_label("Address").fill(sandbox.emr_url)
    page.get_by_text("More, seldom needed").click()
    page.get_by_label("Requests per second").fill("200")
    press(page, "Save")
    page.get_by_role("link", name="OnCall main").click()
    expect(page.get_by_label("API key")).to_have_value("")
    look(page, "1-oncall-stored")
    page.go_back()
    page.get_by_role("link", name="Continue: Test").click()

    # Test: nothing is asked before the button.
    assert clinic.practice.requests() == []
    press(page, "Ask both systems now")
    expect(page.get_by_role("link", name="Both systems answer. Continue")).to_be_visible()
    expect(page.locator("#checks")).to_contain_text("OnCall lists 2 providers.")
    assert clinic.writes() == []
    page.goto("/setup/test/")
    look(page, "2-tested")

    # Division: the EMR's places are offered.
    page.get_by_role("link", name="Both systems answer. Continue").click()
    look(page, "3-division")
    page.get_by_label("Name").fill("Downtown")
    page.get_by_label("OnCall division").fill("123")
    page.get_by_label("Downtown (Location/1)").check()
    press(page, "Add it; it observes")
    division = Division.objects.get()
    assert (division.mode, division.emr_locations) == ("observe", ["Location/1"])

    # Providers: proposed, and nothing is saved that is not ticked.
    look(page, "4-before")
    press(page, "Fetch providers from both systems")
    expect(page.get_by_text("Very likely: same name").first).to_be_visible()
    look(page, "4-providers")
    press(page, "Save what is confirmed")
    assert Provider.objects.count() == 0
    page.get_by_label("Confirmed: Dr. Ada Osei").check()
    press(page, "Save what is confirmed")
    expect(page.get_by_text("1 provider is not confirmed yet.")).to_be_visible()
    assert Provider.objects.get().emr_practitioners == ["Practitioner/31"]
    page.get_by_label("Confirmed: Dr. Luc Roy").check()
    press(page, "Save what is confirmed")
    expect(page.get_by_text("Everybody on OnCall's list is confirmed.")).to_be_visible()
    look(page, "4-confirmed")
    page.get_by_role("link", name="Continue: Types").click()
    look(page, "5-types-empty")

    # The worker reads; then the types have numbers.
    page.goto(f"/setup/divisions/{division.pk}/observe/")
    look(page, "6-before")
    worker_reads()
    page.goto(f"/setup/divisions/{division.pk}/types/")
    expect(page.locator(".unnamed tbody tr").first).to_contain_text("Video visit")
    expect(page.locator(".unnamed tbody .number").first).to_have_text("4")
    look(page, "5-types")
    page.get_by_label("How Video visit is held").select_option("online")
    page.get_by_label("How Phone call is held").select_option("phone")
    press(page, "Save")
    if page.get_by_role("heading", name="What this change would bring").is_visible():
        look(page, "5-effect")
        press(page, "Save it")
    expect(page.locator("main")).to_contain_text("0 visits are decided by this")
    rules = list(division.type_rules.values_list("emr", "oncall"))
    assert rules == [("Video visit", "online"), ("Phone call", "phone")]
    look(page, "5-named")

    # Observe: reception books one more in the EMR, and somebody books it in OnCall too.
    worker_reads()
    clinic.book_emr(at(15), patient="501")
    clinic.book_emr(at(16), patient="502")
    worker_reads()
    clinic.book_oncall(at(15))
    worker_reads()
    assert clinic.writes() == []
    page.get_by_role("link", name="Continue: Observe").click()
    expect(page.locator(".tally")).to_contain_text("1 Staff did the same")
    expect(page.locator(".tally")).to_contain_text("1 Still waits for somebody")
    look(page, "6-observe")

    # Go live: the counts first, then a tick, then the button.
    page.get_by_role("link", name="Continue: Go live").click()
    look(page, "7-before")
    press(page, "Work out what would leave first")
    expect(page.locator(".confirming")).to_contain_text("2 references")
    look(page, "7-counts")
    page.get_by_label("I have read this. Downtown shall go live.").check()
    press(page, "Go live")
    expect(page.get_by_role("heading", name="It is live")).to_be_visible()
    look(page, "7-live")
    clinic.quiet()
    worker_reads()
    assert (len(clinic.writes()), clinic.mails()) == (2, [])
    assert Push.objects.filter(status="done").count() == 2
    page.goto("/setup/")
    look(page, "8-done")

    # And back with one click.
    press(page, "Back to observe: Downtown")
    division.refresh_from_db()
    assert division.mode == "observe"
    told = str(list(AuditEvent.objects.values_list("details", flat=True))) + caplog.text
    assert KEY not in told
    assert TOKEN not in told
