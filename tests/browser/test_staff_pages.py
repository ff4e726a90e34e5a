"""The staff pages as a person meets them: mouse, keyboard, phone, dark, and without a console message."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from appointments.models import Push
from tests.browser.conftest import PHONE, sign_in
from tests.browser.scenes import morning
from tests.make import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PAGES = ["/", "/mismatches/", "/visits/", "/pushes/", "/runs/", "/deliveries/"]


@pytest.fixture
def scene(live_server, context):
    scene = morning()
    sign_in(context, live_server, scene.maria)
    return scene


def card_of(page, mismatch):
    return page.locator(f"#mismatch-{mismatch.pk}")


def violations(page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{v['id']}: {v['help']} — {[n['target'] for n in v['nodes']][:3]} "
        f"{v['nodes'][0].get('failureSummary', '')}"
        for v in found
    ]


# --- clicking -----------------------------------------------------------------------------------------


def test_one_click_changes_the_row_without_a_reload_and_undo_takes_it_back(page, scene):
    page.goto("/mismatches/")
    page.evaluate("window.stillHere = true")
    card = card_of(page, scene.moved)
    card.get_by_role("button", name=re.compile("Use EMR")).click()
    expect(card).to_contain_text("Sending in")
    first = int(card.locator("[data-countdown]").inner_text())
    expect(page.locator("#announce")).to_contain_text("Decided")
    assert Push.objects.get(pair=scene.moved.pair).status == "waiting"
    expect(card.locator("[data-countdown]")).not_to_have_text(str(first))
    assert int(card.locator("[data-countdown]").inner_text()) < first
    card.get_by_role("button", name="Undo").click()
    expect(card.get_by_role("button", name=re.compile("Use EMR"))).to_be_visible()
    assert page.evaluate("window.stillHere") is True
    assert Push.objects.get(pair=scene.moved.pair).status == "undone"


def test_when_the_seconds_are_over_the_row_asks_for_itself(page, scene):
    page.goto("/mismatches/")
    card = card_of(page, scene.moved)
    card.get_by_role("button", name=re.compile("Use OnCall")).click()
    expect(card).to_contain_text("Sending in")
    expect(card).to_contain_text("waits to be sent", timeout=15_000)
    expect(card.get_by_role("button", name="Undo")).to_have_count(0)


def test_a_click_on_what_has_changed_does_nothing_and_shows_what_is_true(page, scene):
    page.goto("/mismatches/")
    card = card_of(page, scene.moved)
    card.locator(".choices input[name=version]").evaluate("e => e.value = 'older'")
    card.get_by_role("button", name=re.compile("Use EMR")).click()
    expect(card).to_contain_text("It changed while you looked")
    expect(card.get_by_role("button", name=re.compile("Use EMR"))).to_be_enabled()
    assert not Push.objects.filter(pair=scene.moved.pair).exists()
    # A browser writes every answer of 400 and above to its console.
    assert all("409" in text for text in page.said)
    page.said.clear()


def test_what_cannot_be_undone_is_asked_once_more_in_the_row(page, scene):
    page.goto("/mismatches/")
    card = card_of(page, scene.cancelled)
    card.get_by_role("button", name="Cancel in OnCall", exact=True).click()
    expect(card.get_by_role("button", name="Yes: Cancel in OnCall", exact=True)).to_be_visible()
    assert Push.objects.filter(pair=scene.cancelled.pair).count() == 0
    card.get_by_role("link", name="No, go back").click()
    card.get_by_role("button", name="Cancel in OnCall", exact=True).click()
    card.get_by_role("button", name="Yes: Cancel in OnCall", exact=True).click()
    expect(card).to_contain_text("Sending in")
    assert Push.objects.get(pair=scene.cancelled.pair).operation == "cancel"


def test_every_button_works_without_javascript(chromium, live_server, scene):
    context = chromium.new_context(base_url=live_server.url, java_script_enabled=False)
    sign_in(context, live_server, scene.maria)
    page = context.new_page()
    page.goto("/mismatches/")
    card_of(page, scene.moved).get_by_role("button", name=re.compile("Use EMR")).click()
    expect(page.locator(".messages")).to_contain_text("Decided")
    card_of(page, scene.moved).get_by_role("button", name="Undo").click()
    expect(page.locator(".messages")).to_contain_text("nothing was sent")
    card_of(page, scene.cancelled).get_by_role(
        "button", name="Cancel in OnCall", exact=True
    ).click()
    page.get_by_role("button", name="Yes: Cancel in OnCall", exact=True).click()
    expect(card_of(page, scene.cancelled)).to_contain_text("Sending in")
    context.close()


def test_when_the_portal_does_not_answer_the_person_is_told(page, scene):
    page.goto("/mismatches/")
    page.route("**/resolve/", lambda route: route.abort())
    card = card_of(page, scene.moved)
    card.get_by_role("button", name=re.compile("Use EMR")).click()
    expect(page.locator("#trouble")).to_contain_text("did not answer")
    expect(card.get_by_role("button", name=re.compile("Use EMR"))).to_be_enabled()
    page.said.clear()  # the browser's own note of the failed request


# --- the keyboard -------------------------------------------------------------------------------------


def test_a_row_is_settled_by_the_keyboard_and_enter_twice_does_not_undo_it(page, scene):
    page.goto("/mismatches/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    button = card_of(page, scene.moved).get_by_role("button", name=re.compile("Use EMR"))
    for _ in range(40):
        page.keyboard.press("Tab")
        if button.evaluate("e => e === document.activeElement"):
            break
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    card = card_of(page, scene.moved)
    expect(card).to_contain_text("Sending in")
    expect(page.locator("[data-open]:focus")).to_have_count(1)  # the next card, not a button of it
    page.keyboard.press("Enter")
    expect(card).to_contain_text("Sending in")
    undo = card.get_by_role("button", name="Undo")
    for _ in range(6):  # behind it stands who has it
        page.keyboard.press("Shift+Tab")
        if undo.evaluate("e => e === document.activeElement"):
            break
    expect(undo).to_be_focused()


# --- how it looks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible(page, scene, scheme):
    page.emulate_media(color_scheme=scheme)
    for address in [*PAGES, f"/visits/{scene.moved.pair_id}/"]:
        page.goto(address)
        assert violations(page) == [], address
    page.goto("/mismatches/")
    card_of(page, scene.moved).get_by_role("button", name=re.compile("Use EMR")).click()
    card_of(page, scene.cancelled).get_by_role(
        "button", name="Cancel in OnCall", exact=True
    ).click()
    expect(card_of(page, scene.cancelled)).to_contain_text("cannot be undone")
    assert violations(page) == []


def test_pages_fit_a_phone(page, scene):
    page.set_viewport_size(PHONE)
    for address in [*PAGES, f"/visits/{scene.moved.pair_id}/", "/accounts/login/"]:
        page.goto(address)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], address


def test_own_assets_stay_small(page, scene):
    sizes = {}

    def note(response):
        if "/static/" in response.url:
            sizes[response.url] = len(response.body())

    page.on("response", note)
    page.goto("/mismatches/")
    page.wait_for_load_state("networkidle")
    assert any("staff.css" in url for url in sizes)
    assert sum(sizes.values()) < 100_000


# --- coming in ----------------------------------------------------------------------------------------


def test_signing_in_leads_to_the_overview(page, live_server):
    scene = morning()
    page.goto("/mismatches/")
    assert "/accounts/login/" in page.url
    page.get_by_label("Name").fill("maria")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not fit together")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Mismatches")).to_be_visible()
    expect(card_of(page, scene.moved)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
