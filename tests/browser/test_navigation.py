"""The head of every page: what is needed all day in sight, the rest in one menu that gets out of the way."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, sign_in
from tests.browser.scenes import morning

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DAILY = ["Overview", "Mismatches", "Day", "Visits", "Find"]
MORE = [
    "Hand-over",
    "Went out by itself",
    "Remembered",
    "All clear",
    "Writes",
    "Readings",
    "Webhooks",
    "Change password",
]


@pytest.fixture
def scene(live_server, context):
    scene = morning()
    sign_in(context, live_server, scene.maria)
    return scene


def pages_of(page):
    return page.get_by_role("navigation", name="Pages")


def menu_of(page):
    return pages_of(page).locator("summary")


def box_of(page):
    return pages_of(page).locator(".menubox")


def names(links) -> list[str]:
    return [" ".join(text.split()) for text in links.all_inner_texts()]


def test_daily_pages_are_in_sight_and_the_rest_is_one_press_away(page, scene):
    page.goto("/runs/")
    shown = [name.split()[0] for name in names(pages_of(page).locator("> a"))]
    assert shown == DAILY
    expect(box_of(page)).to_be_hidden()
    menu_of(page).click()
    assert names(box_of(page).get_by_role("link")) == MORE


def test_menu_says_which_of_its_pages_is_open(page, scene):
    page.goto("/runs/")
    expect(menu_of(page)).to_have_text("More: Readings")
    assert menu_of(page).get_attribute("aria-current") == "true"
    menu_of(page).click()
    current = pages_of(page).locator("a[aria-current=page]")
    assert names(current) == ["Readings"]
    page.goto("/visits/")
    expect(menu_of(page)).to_have_text("More")
    assert names(pages_of(page).locator("[aria-current]")) == ["Visits"]


def test_a_page_under_another_marks_that_one(page, scene):
    for address, name in (
        (f"/visits/{scene.moved.pair_id}/support/", "Visits"),
        (f"/visits/{scene.moved.pair_id}/why/", "Find"),
        (f"/statements/{scene.division.pk}/", "More: All clear"),
    ):
        page.goto(address)
        assert names(pages_of(page).locator("> a[aria-current], summary[aria-current]")) == [name]


def test_menu_is_used_by_keyboard_and_escape_goes_back_to_its_name(page, scene):
    page.goto("/visits/")
    menu_of(page).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(box_of(page).get_by_role("link", name="Hand-over")).to_be_focused()
    page.keyboard.press("Escape")
    expect(box_of(page)).to_be_hidden()
    expect(menu_of(page)).to_be_focused()


def test_menu_closes_when_somebody_goes_on_elsewhere(page, scene):
    page.goto("/visits/")
    for leave in (
        lambda: page.get_by_role("heading", name="Visits").click(),
        lambda: page.get_by_label("Patient").focus(),
    ):
        menu_of(page).click()
        expect(box_of(page)).to_be_visible()
        leave()
        expect(box_of(page)).to_be_hidden()


def test_menu_opens_over_the_page_without_moving_it_and_fits_a_phone(page, scene):
    page.set_viewport_size(PHONE)
    page.goto("/visits/")
    heading = page.get_by_role("heading", name="Visits").bounding_box()
    menu_of(page).click()
    box = box_of(page).bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
    assert page.get_by_role("heading", name="Visits").bounding_box() == heading
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_menu_needs_no_javascript(chromium, live_server, scene):
    context = chromium.new_context(base_url=live_server.url, java_script_enabled=False)
    sign_in(context, live_server, scene.maria)
    page = context.new_page()
    page.goto("/visits/")
    menu_of(page).click()
    box_of(page).get_by_role("link", name="Readings").click()
    expect(page.get_by_role("heading", name="Readings")).to_be_visible()
    context.close()


def test_administration_has_the_same_head_and_leads_back(page, scene, context, live_server):
    scene.head.is_staff = scene.head.is_superuser = True
    scene.head.save()
    sign_in(context, live_server, scene.head)
    page.goto("/admin/")
    expect(menu_of(page)).to_have_text("More: Settings")
    colours = "e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color]"
    there = page.locator("header.top").evaluate(colours)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    pages_of(page).get_by_role("link", name="Overview").click()
    expect(page).to_have_url(f"{live_server.url}/")
    assert page.locator("header.top").evaluate(colours) == there
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
    menu_of(page).click()
    assert names(box_of(page).get_by_role("link"))[-3:] == ["Set-up", "Settings", "Change password"]
    box_of(page).get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="The set-up").click()
    expect(page.get_by_role("heading", name="Set up SyncPortal")).to_be_visible()


def test_anybody_changes_the_own_password(page, scene, live_server):
    page.goto("/accounts/password/")
    page.get_by_label("Old password").fill("wrong")
    page.get_by_label("New password", exact=True).fill("another horse battery")
    page.get_by_label("New password confirmation").fill("another horse battery")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("alert").first).to_contain_text("incorrectly")
    page.get_by_label("Old password").fill("correct horse battery staple")
    page.get_by_label("New password", exact=True).fill("another horse battery")
    page.get_by_label("New password confirmation").fill("another horse battery")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("heading", name="Password changed")).to_be_visible()
    scene.maria.refresh_from_db()
    assert scene.maria.check_password("another horse battery")
