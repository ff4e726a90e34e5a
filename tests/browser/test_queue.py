"""The queue by keyboard: one key for each mismatch, the focus goes on by itself, nothing moves."""

from __future__ import annotations

import re
import time
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from appointments.models import Mismatch, Push
from tests.browser.conftest import PHONE, sign_in
from tests.browser.scenes import morning
from tests.browser.test_staff_pages import violations
from tests.make import ask, make_division, make_mismatch, make_pair, make_user, soon

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def scene(live_server, context):
    scene = morning()
    sign_in(context, live_server, scene.maria)
    return scene


def card_of(page, mismatch):
    return page.locator(f"#mismatch-{mismatch.pk}")


def moved(division, number: int):
    start = soon(30 + 10 * number)
    later = {"start": start + timedelta(minutes=30)}
    return ask(make_pair(division, start=start, patient=f"Patient {number}", oncall=later))


def pushes():
    return Push.objects.filter(status="waiting", automatic=False)


# --- a receptionist's morning --------------------------------------------------------------------------


def test_fifty_mismatches_are_settled_with_one_key_each(page, live_server, context, capsys):
    division = make_division()
    rows = [moved(division, number) for number in range(50)]
    sign_in(context, live_server, make_user("maria", division))
    page.goto("/mismatches/")
    decided = other = clicks = 0
    began = time.monotonic()
    page.keyboard.press("j")
    other += 1
    while decided < 50:
        card = page.locator("[data-key-card]:focus")
        if card.count() == 0:
            expect(page.locator(".alldone a")).to_be_focused()
            with page.expect_navigation():
                page.keyboard.press("n")
            other += 1
            continue
        number = card.get_attribute("id")
        page.keyboard.press("1")
        decided += 1
        expect(page.locator(f"#{number}.thin")).to_be_visible()
        expect(page.locator(f"#{number}:focus")).to_have_count(0)
    spent = time.monotonic() - began
    said = (
        f"50 mismatches: {decided / 50:.2f} keys to decide and {other / 50:.2f} to move for each, "
        f"{clicks} clicks, {spent / 50:.2f} s for each with the server's answer"
    )
    with capsys.disabled():
        print(f"\n{said}")  # noqa: T201 -- the measured number is what it is run for
    assert (decided, other, clicks) == (50, 2, 0)
    assert pushes().filter(action="use_emr").count() == 50
    assert Mismatch.objects.filter(pk__in=[row.pk for row in rows], status="settling").count() == 50


def test_keys_move_between_cards_and_choose_select_undo_and_search(page, scene):
    page.goto("/mismatches/")
    cards = page.locator("[data-key-card]")
    page.keyboard.press("j")
    expect(cards.nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(cards.nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(cards.nth(0)).to_be_focused()
    page.keyboard.press("x")
    expect(page.locator("[data-picked]")).to_have_text("Selected: 1")
    expect(cards.nth(0)).to_be_focused()
    page.keyboard.press("x")
    expect(page.locator("[data-picked]")).to_have_text("Selected: 0")
    page.keyboard.press("2")
    expect(card_of(page, scene.moved)).to_contain_text("Sending in")
    assert pushes().get().action == "use_oncall"
    expect(cards.nth(1)).to_be_focused()
    page.keyboard.press("u")
    expect(card_of(page, scene.moved).get_by_role("button", name=re.compile("Use"))).to_have_count(
        2
    )
    expect(card_of(page, scene.moved)).to_be_focused()
    assert not pushes().exists()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Patient")).to_be_focused()
    page.keyboard.type("j1ux")
    expect(page.get_by_role("searchbox", name="Patient")).to_have_value("j1ux")
    assert not pushes().exists()


def test_what_cannot_be_undone_needs_another_key(page, scene):
    page.goto("/mismatches/")
    card = card_of(page, scene.cancelled)
    card.focus()
    page.keyboard.press("1")
    expect(card).to_contain_text("Really do it?")
    expect(card).to_be_focused()
    page.keyboard.press("1")
    assert not pushes().exists()
    page.keyboard.press("y")
    expect(card).to_contain_text("Sending in", timeout=15_000)  # two comparisons on a busy machine
    assert pushes().get().operation == "cancel"


def test_keys_rest_with_modifiers_and_when_switched_off(page, scene):
    page.goto("/mismatches/")
    first = page.locator("[data-key-card]").first
    page.keyboard.press("Alt+j")
    expect(first).not_to_be_focused()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("Next and previous card")
    expect(keys).to_contain_text("Search for a patient")
    page.keyboard.press("j")
    expect(first).not_to_be_focused()
    assert violations(page) == []
    keys.get_by_label("Use single keys").uncheck()
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.keyboard.press("j")
    expect(first).not_to_be_focused()
    page.reload()
    page.keyboard.press("j")
    expect(first).not_to_be_focused()
    page.get_by_role("button", name="Keys").click()
    keys.get_by_label("Use single keys").check()
    keys.get_by_role("button", name="Close").click()
    page.keyboard.press("j")
    expect(first).to_be_focused()


def test_what_was_decided_with_the_pointer_keeps_its_place(page, scene):
    page.goto("/mismatches/")
    below = page.locator("[data-key-card]").nth(1)
    before = below.bounding_box()["y"]
    card_of(page, scene.moved).get_by_role("button", name=re.compile("Use EMR")).click()
    expect(card_of(page, scene.moved)).to_have_class(re.compile("thin"))
    assert below.bounding_box()["y"] == pytest.approx(before, abs=2)
    page.wait_for_load_state("networkidle")
    assert below.bounding_box()["y"] == pytest.approx(before, abs=2)
    card_of(page, scene.moved).get_by_role("button", name="Undo").click()
    expect(card_of(page, scene.moved)).not_to_have_class(re.compile("thin"))
    expect(page.locator(".room")).to_have_count(0)


# --- several together ----------------------------------------------------------------------------------


def test_selected_cards_are_decided_together_and_undone_together(page, live_server, context):
    division = make_division()
    rows = [moved(division, number) for number in range(4)]
    sign_in(context, live_server, make_user("maria", division))
    page.goto("/mismatches/")
    page.get_by_role("button", name="All 4 shown: Values differ").click()
    expect(page.locator("[data-picked]")).to_have_text("Selected: 4")
    card_of(page, rows[3]).get_by_role("checkbox").uncheck()
    page.get_by_role("button", name="Decide together…").click()
    expect(page.get_by_role("heading", name="Decide 3 together")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Use EMR for all 3").click()
    expect(page.get_by_role("heading", name="3 decided.")).to_be_visible()
    assert violations(page) == []
    assert pushes().count() == 3
    page.get_by_role("button", name="Undo all 3").click()
    expect(page.get_by_role("heading", name="3 taken back.")).to_be_visible()
    assert not pushes().exists()


# --- numbers -------------------------------------------------------------------------------------------


def test_new_differences_are_counted_and_shown_when_asked_for(page, scene):
    page.goto("/mismatches/")
    number = int(page.locator("#count-todo").inner_text())
    top = page.locator("[data-key-card]").first.bounding_box()["y"]
    new = make_mismatch(scene.division, patient="Newcomer")
    page.evaluate("htmx.trigger('#pulse', 'pulse')")
    expect(page.locator("#count-todo")).to_have_text(str(number + 1))
    expect(page.locator("#open-badge")).to_contain_text(str(number + 1))
    expect(card_of(page, new)).to_have_count(0)
    assert page.locator("[data-key-card]").first.bounding_box()["y"] == top
    page.get_by_role("link", name="1 new difference: show").click()
    expect(card_of(page, new)).to_be_visible()


# --- how it looks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_queue_is_accessible_with_selection_and_lines(page, scene, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto("/mismatches/?division=" + str(scene.division.pk))
    page.get_by_text("Keep these filters").click()
    page.get_by_label("Name", exact=True).fill("Downtown")
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.locator(".messages")).to_contain_text("kept")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("1")
    expect(card_of(page, scene.moved)).to_contain_text("Sending in")
    assert violations(page) == []


def test_the_queue_fits_a_phone_and_a_page_of_four_hundred_per_cent(page, scene):
    for width in (PHONE["width"], 320):
        page.set_viewport_size({"width": width, "height": 640})
        page.goto("/mismatches/?division=" + str(scene.division.pk))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
