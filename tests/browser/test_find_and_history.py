""" "Find a visit" and a visit through time, as a person meets them."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from appointments.models import AppointmentChange, Delivery, TypeRule
from tests.browser.clinic import live_through
from tests.browser.conftest import PHONE, sign_in
from tests.browser.scenes import morning
from tests.browser.test_staff_pages import violations
from tests.make import make_pair, soon

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def scene(live_server, context):
    scene = morning()
    TypeRule.objects.create(division=scene.division, emr="Block*", oncall="skip")
    scene.skipped = make_pair(
        scene.division,
        sides=("emr",),
        reference=None,
        start=soon(300),
        types=("Blocked day",),
        patient="Noor Haddad",
        email="noor@example.org",
    )
    live_through(scene.moved.pair)
    sign_in(context, live_server, scene.maria)
    return scene


def look_for(page, words):
    page.goto("/find/")
    page.get_by_label("Patient, e-mail, or the visit's id").fill(words)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_a_visit_is_found_with_the_gate_that_stops_it(page, scene):
    look_for(page, "haddad")
    expect(page).to_have_url(re.compile("/find/$"))
    expect(page.get_by_role("status").first).to_contain_text("2 visits found.")
    stopped = page.locator(f"article:has(#why-{scene.skipped.pk}) .stop")
    expect(stopped).to_contain_text("“Blocked day” is not for OnCall")
    agreed = page.locator(f"article:has(#why-{scene.agreed.pk}) .stop")
    expect(agreed).to_contain_text("Both sides agree.")
    folded = page.locator("details.more").nth(1)
    expect(folded.locator("li").first).not_to_be_visible()
    folded.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(folded.locator("li").first).to_be_visible()


def test_a_visit_that_nobody_knows_is_asked_for_and_the_answer_comes_by_itself(page, scene):
    look_for(page, "4711")
    expect(page.get_by_role("heading", name="How fresh what we know is")).to_be_visible()
    page.get_by_role("button", name="Ask OnCall").first.click()
    expect(page.get_by_role("heading", name="OnCall was asked for visit 4711")).to_be_visible()
    expect(page.locator("#asked")).to_contain_text("is being asked")
    wish = Delivery.objects.get(event=Delivery.ASKED_HERE)
    make_pair(scene.division, patient="Ida Roy", oncall={"remote_id": "4711"})
    if wish.connection_id != scene.division.oncall_id:
        Delivery.objects.filter(pk=wish.pk).update(connection=scene.division.oncall)
    Delivery.objects.filter(pk=wish.pk).update(status="done")
    expect(page.locator("#asked")).to_contain_text("Ida Roy", timeout=15_000)
    expect(page.locator("#asked .stop")).to_contain_text("Both sides agree.")


def test_finding_and_asking_need_no_javascript(chromium, live_server, scene):
    context = chromium.new_context(base_url=live_server.url, java_script_enabled=False)
    sign_in(context, live_server, scene.maria)
    page = context.new_page()
    look_for(page, "4711")
    page.get_by_role("button", name="Ask OnCall").first.click()
    Delivery.objects.filter(event=Delivery.ASKED_HERE).update(
        status="failed", error="OnCall does not know it."
    )
    page.get_by_role("link", name="Look again").click()
    expect(page.locator("#asked")).to_contain_text("has no visit 4711 for us")
    context.close()


def test_a_visit_is_shown_as_it_was_step_by_step(page, scene):
    pair = scene.moved.pair
    page.goto(f"/visits/{pair.pk}/")
    page.get_by_role("link", name=re.compile("As it was then")).first.click()
    then = page.locator("#then")
    expect(then).to_contain_text("Changed in OnCall: time")
    expect(then.get_by_role("link", name="Later")).to_have_count(0)
    then.get_by_role("link", name="Earlier").click()
    expect(then.locator("tr.differs")).to_contain_text("now:")
    then.get_by_label("Both sides right after").select_option(index=0)
    then.get_by_role("button", name="Show").click()
    expect(then).to_contain_text("not seen yet")
    expect(then.get_by_role("link", name="Earlier")).to_have_count(0)


def test_the_text_for_support_is_copied_by_one_button(page, context, live_server, scene):
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live_server.url)
    page.goto(f"/visits/{scene.moved.pair_id}/")
    page.get_by_role("link", name="Text for OnCall's support").click()
    text = page.get_by_label("The text").input_value()
    assert "PATCH /appointments/" in text
    assert "Tremblay" not in text
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("[data-copied]")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == text


def pages_of(scene) -> list[str]:
    pair = scene.moved.pair
    change = AppointmentChange.objects.filter(appointment=pair.oncall).order_by("at")[1]
    return [
        "/find/",
        f"/visits/{pair.pk}/",
        f"/visits/{pair.pk}/?at={change.pk}",
        reverse("visit_why", args=[pair.pk]),
        reverse("visit_support", args=[pair.pk]),
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible(page, scene, scheme):
    page.emulate_media(color_scheme=scheme)
    for address in pages_of(scene):
        page.goto(address)
        assert violations(page) == [], address
    for words in ("haddad", "4711"):
        look_for(page, words)
        assert violations(page) == [], words
    page.get_by_role("button", name="Ask OnCall").first.click()
    expect(page.locator("#asked")).to_contain_text("is being asked")
    assert violations(page) == []


def test_pages_fit_a_phone_and_a_zoom_of_400_per_cent(page, scene):
    for width in (PHONE["width"], 320):
        page.set_viewport_size({"width": width, "height": 800})
        for address in pages_of(scene):
            page.goto(address)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, address
        for words in ("haddad", "4711"):
            look_for(page, words)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, words
