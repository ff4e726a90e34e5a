"""The day, its sheet, what went out by itself and the hand-over, as a person meets them."""

from __future__ import annotations

import re
from datetime import date, timedelta
from types import SimpleNamespace

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, PHONE, sign_in
from tests.browser.day_scene import at, clinic_day
from tests.make import make_event, make_pair, make_plan, make_push, when

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
AUTUMN = date(2026, 11, 1)
ZOOMED = {"width": 320, "height": 256}  # 1280 by 1024 at 400 %
LETTER = {"width": 720, "height": 950}  # what is left of it between the margins


@pytest.fixture
def scene(live_server, context) -> SimpleNamespace:
    scene = clinic_day()
    now = timezone.now()
    for number, pair in enumerate(scene.same[:3]):
        old = at(scene.day, "9:00")
        plan = make_plan(values={"when": when(old + timedelta(hours=1))}, mails=("n@example.org",))
        sent = now - timedelta(hours=number)
        make_push(
            pair,
            plan=plan,
            before={"when": when(old)},
            status="done",
            sent_at=sent,
            finished_at=sent,
        )
        make_event(pair, details={"action": "use_emr"}, user=scene.maria)
    make_push(scene.same[8], status="held")
    sign_in(context, live_server, scene.maria)
    return scene


def pages(scene) -> list[str]:
    day = f"/day/{scene.division.pk}/{scene.day}/"
    return [day, f"{day}sheet/", "/pushes/automatic/", "/handover/"]


def violations(page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['help']} — {[n['target'] for n in v['nodes']][:3]}" for v in found]


def box(locator) -> SimpleNamespace:
    found = locator.bounding_box()
    return SimpleNamespace(
        left=found["x"],
        right=found["x"] + found["width"],
        top=found["y"],
        bottom=found["y"] + found["height"],
    )


def block_of(page, patient, text=""):
    return page.locator(".block").filter(has_text=patient).filter(has_text=text).first


# --- every page ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible(page, scene, scheme):
    page.emulate_media(color_scheme=scheme)
    for address in pages(scene):
        page.set_viewport_size(DESKTOP)
        page.goto(address)
        assert violations(page) == [], address
        page.set_viewport_size(PHONE)
        assert violations(page) == [], f"{address} on a phone"


def test_pages_fit_a_phone_and_four_hundred_per_cent(page, scene):
    for size in (PHONE, ZOOMED):
        page.set_viewport_size(size)
        for address in pages(scene):
            page.goto(address)
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= size["width"], (address, size)


def test_printed_pages_are_black_on_white_without_what_is_only_for_a_screen(page, scene):
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size(LETTER)
    for address in pages(scene):
        page.goto(address)
        expect(page.locator(".top")).to_be_hidden()
        for locator in page.locator("main :is(button, input, select, textarea)").all():
            expect(locator).to_be_hidden()
        assert page.evaluate("document.documentElement.scrollWidth") <= LETTER["width"], address
        assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") in (
            "rgb(0, 0, 0)",
            "rgb(20, 36, 43)",
        )


# --- the picture --------------------------------------------------------------------------------------


def test_visits_of_one_provider_that_overlap_stand_side_by_side(page, scene):
    page.goto(pages(scene)[0])
    long, other = box(block_of(page, "Ines Ferreira")), box(block_of(page, "Harpreet Singh"))
    assert long.top < other.top < long.bottom
    assert long.right <= other.left
    kofi = box(block_of(page, "Kofi Mensah"))
    assert kofi.bottom <= long.top
    assert abs(kofi.right - other.right) < 2  # alone, it takes the whole column


def test_time_runs_downwards_to_scale_and_each_visit_begins_at_its_hour(page, scene):
    page.goto(pages(scene)[0])
    tops = {
        clock: box(page.locator(".axis span", has_text=clock)).top for clock in ("09:00", "10:00")
    }
    hour = tops["10:00"] - tops["09:00"]
    for patient, after in (("Luc Gagnon", 0), ("Kofi Mensah", 0.25), ("Ines Ferreira", 0.5)):
        assert abs(box(block_of(page, patient)).top - tops["09:00"] - after * hour) < 3, patient
    luc = box(block_of(page, "Luc Gagnon"))
    assert abs(luc.bottom - luc.top - 0.75 * hour) < 4


def test_two_places_of_one_visit_are_framed_and_carry_the_same_number(page, scene):
    page.goto(pages(scene)[0])
    emr = block_of(page, "Marie-Ève Tremblay", "EMR 10:00")
    oncall = block_of(page, "Marie-Ève Tremblay", "OnCall 10:30")
    frame = page.locator("li", has=emr).locator(".frame")
    around, one, two = box(frame), box(emr), box(oncall)
    for inner in (one, two):
        assert around.left <= inner.left
        assert inner.right <= around.right + 1
        assert around.top <= inner.top + 1
        assert inner.bottom <= around.bottom + 1
    assert two.right <= one.left  # OnCall always at the left
    for place in (emr, oncall):
        expect(place.locator(".mark")).to_have_text("≠ 2")
    expect(page.locator(".differences li").nth(1)).to_contain_text("≠ 2 10:00 Marie-Ève Tremblay")


def test_providers_stand_over_their_columns_also_after_scrolling(page, scene):
    page.goto(pages(scene)[0])
    head = page.locator(".heads span", has_text="Dr. Mathilde Lavoie")
    visit = box(block_of(page, "Yusuf Demir"))
    assert box(head).left <= visit.left
    assert visit.right <= box(head).right
    region = page.get_by_role("region", name="The visits in the order of time")
    before = box(head).top
    region.evaluate("e => e.scrollTop = 300")
    assert region.evaluate("e => e.scrollTop") > 100
    assert abs(box(head).top - before) < 1
    expect(head).to_be_in_viewport()


def test_a_screen_reader_hears_each_visit_once_in_the_order_of_time_with_its_difference(
    page, scene
):
    page.goto(pages(scene)[0])
    items = page.get_by_role("region", name="The visits in the order of time").get_by_role("link")
    said = [" ".join(text.split()) for text in items.all_text_contents()]
    assert len(said) == 17
    assert said[0] == "08:30 Noor Haddad Dr. Ada Osei · 30 min ✓ Same on both sides Online"
    (differs,) = [text for text in said if "Marie-Ève" in text]
    assert differs == (
        "EMR 10:00 ≠ 2 Marie-Ève Tremblay Dr. Ada Osei · 30 min Differs Online "
        "OnCall moved it from 10:00 to 10:30; the EMR, which decides here, still has 10:00."
    )
    clocks = [re.findall(r"\d\d:\d\d", text)[0] for text in said]
    assert clocks == sorted(clocks)


def test_the_keyboard_goes_through_the_day_in_the_order_of_time_and_enter_opens_a_visit(
    page, scene
):
    page.goto(pages(scene)[0])
    page.get_by_role("region", name="The visits in the order of time").focus()
    for patient in ("Noor Haddad", "Luc Gagnon", "Ruth Klein", "Kofi Mensah"):
        page.keyboard.press("Tab")
        assert patient in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Kofi Mensah")).to_be_visible()


def test_both_places_lead_to_the_visit_with_its_question(page, scene):
    for text in ("EMR 10:00", "OnCall 10:30"):
        page.goto(pages(scene)[0])
        block_of(page, "Marie-Ève Tremblay", text).click()
        expect(page.locator(f"#mismatch-{scene.near.mismatches.get().pk}")).to_be_visible()


def test_day_is_chosen_by_buttons_by_date_and_by_what_is_counted(page, scene):
    page.goto(pages(scene)[0])
    page.get_by_role("link", name="Day after").click()
    after = scene.day + timedelta(days=1)
    expect(page).to_have_url(re.compile(f"/{after}/$"))
    expect(
        page.get_by_role("heading", name="No visits on this day.", exact=True).last
    ).to_be_visible()
    page.get_by_label("Day", exact=True).fill(str(scene.day))
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(f"/{scene.day}/$"))
    page.get_by_role("link", name="Only in OnCall 1").click()
    region = page.get_by_role("region", name="The visits in the order of time")
    expect(region.get_by_role("link")).to_have_count(1)
    expect(region).to_contain_text("Omar Aziz")


def test_day_with_twenty_five_hours_draws_the_repeated_hour_twice(page, scene):
    first = make_pair(scene.division, start=at(AUTUMN, "1:30", fold=0), patient="First Time")
    second = make_pair(scene.division, start=at(AUTUMN, "1:30", fold=1), patient="Second Time")
    assert (second.emr.start - first.emr.start) == timedelta(hours=1)
    page.goto(f"/day/{scene.division.pk}/{AUTUMN}/")
    expect(page.get_by_text("this day has 25 hours")).to_be_visible()
    hours = page.locator(".axis span", has_text="01:00")
    expect(hours).to_have_text(["01:00 EDT", "01:00 EST"])
    hour = box(hours.nth(1)).top - box(hours.nth(0)).top
    one, two = box(block_of(page, "First Time")), box(block_of(page, "Second Time"))
    assert abs(two.top - one.top - hour) < 2
    assert violations(page) == []


def test_phone_shows_a_list_in_which_a_visit_told_apart_stands_once(page, scene):
    page.set_viewport_size(PHONE)
    page.goto(pages(scene)[0])
    expect(page.locator(".plan li")).to_have_count(17)
    expect(page.locator(".axis")).to_be_hidden()
    for second_place in page.locator(".block.other").all():
        expect(second_place).to_be_hidden()
    tops = [box(item).top for item in page.locator(".plan li").all()]
    assert tops == sorted(tops)


def test_day_stays_within_the_budget_of_own_assets(page, scene):
    sizes = {}

    def note(response):
        if "/static/" in response.url:
            sizes[response.url] = len(response.body())

    page.on("response", note)
    page.goto(pages(scene)[0])
    page.wait_for_load_state("networkidle")
    assert any("day.css" in url for url in sizes)
    assert sum(sizes.values()) < 100_000


# --- on paper -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 3])
def test_print_button_prints_and_is_not_there_without_a_script(
    page, scene, chromium, live_server, number
):
    address = pages(scene)[number]
    page.add_init_script("window.print = () => { window.printed = true }")
    page.goto(address)
    page.get_by_role("button", name="Print").click()
    assert page.evaluate("window.printed") is True
    context = chromium.new_context(base_url=live_server.url, java_script_enabled=False)
    sign_in(context, live_server, scene.maria)
    plain = context.new_page()
    plain.goto(address)
    expect(plain.get_by_role("heading", level=1)).to_be_visible()
    expect(plain.get_by_role("button", name="Print")).to_have_count(0)
    context.close()


def test_printed_sheet_repeats_what_it_is_of_and_leaves_room_to_write(page, scene):
    page.emulate_media(media="print")
    page.set_viewport_size(LETTER)
    page.goto(pages(scene)[1])
    table = page.locator("table.paper").first
    # A head of a table is repeated on each page.
    assert table.locator("thead").evaluate("e => getComputedStyle(e).display") == (
        "table-header-group"
    )
    expect(table.locator(".again")).to_be_visible()
    expect(table.locator(".again")).to_contain_text("Downtown")
    expect(table.locator(".again")).to_contain_text("Dr. Ada Osei")
    expect(table.locator(".again")).to_contain_text("as of")
    room = box(table.locator("tbody .write").first)
    assert room.right - room.left > LETTER["width"] * 0.2
    assert len(page.pdf(format="A4")) > 10_000


def test_each_provider_can_have_a_page(page, scene):
    page.goto(pages(scene)[1])
    page.get_by_role("link", name="Each provider on a page of their own").click()
    page.emulate_media(media="print")
    breaks = page.locator("section.sheet").evaluate_all(
        "all => all.map(e => getComputedStyle(e).breakBefore)"
    )
    assert breaks == ["auto", "page", "page", "page"]


def test_text_of_the_hand_over_is_copied_and_names_no_patient(page, scene, context):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/handover/")
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#announce")).to_have_text("Copied")
    text = page.evaluate("navigator.clipboard.readText()")
    assert text.startswith("SyncPortal hand-over of ")
    for pair in (scene.near, scene.far, scene.cancelled_in_emr):
        assert pair.emr.remote_id in text
    for name in ("Tremblay", "Novak", "Okafor", "example.org"):
        assert name not in text
