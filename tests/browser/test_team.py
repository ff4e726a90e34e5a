"""Working together, as two people at two desks meet it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from appointments import resolution
from appointments.models import Assignment, Decision, Division, Mismatch, Note, Snooze
from tests.browser.conftest import DESKTOP, PHONE, sign_in
from tests.make import ask, make_division, make_pair, make_user, soon

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def scene(live_server, context):
    scene = desk()
    sign_in(context, live_server, scene.maria)
    return scene


class Desk:
    """Two visits that OnCall moved, two of staff, an administrator."""

    def __init__(self):
        self.division = make_division("Downtown", provider="Dr. Mathilde Lavoie")
        self.maria = make_user("maria", self.division, first_name="Maria", last_name="Roy")
        self.mei = make_user("mei", self.division, first_name="Mei", last_name="Lin")
        self.head = make_user("head", self.division, role="administrator", first_name="Ada")
        self.first = self.moved(300, patient="Marie-Ève Tremblay", email="marie@example.org")
        self.second = self.moved(60 * 50, patient="Daniel Okafor", email="daniel@example.org")
        emr = self.first.pair.emr
        emr.record["people"][0]["phone"] = "+1 416 555 0199"
        emr.save()

    def moved(self, minutes, **fields):
        start = soon(minutes)
        later = start + timedelta(minutes=30)
        return ask(make_pair(self.division, start=start, oncall={"start": later}, **fields))


def desk():
    return Desk()


def card_of(page, mismatch):
    return page.locator(f"#mismatch-{mismatch.pk}")


def violations(page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {[n['target'] for n in v['nodes']][:3]}" for v in found]


def open_menu(card, name):
    card.locator("summary", has_text=re.compile(f"^{name}$")).click()


def beat(page):
    """The next heartbeat, without waiting for its 15 s."""
    with page.expect_response("**/mismatches/presence/"):
        page.locator("#presence").evaluate("form => form.dispatchEvent(new Event('looking'))")


def test_a_card_is_taken_handed_on_and_laid_down_without_a_reload(page, scene):
    page.goto("/mismatches/")
    page.evaluate("window.stillHere = true")
    card = card_of(page, scene.first)
    expect(card).to_contain_text("Nobody has it yet")
    open_menu(card, "Assign")
    card.get_by_role("button", name="To me").click()
    expect(card).to_contain_text("It is with you")
    expect(page.locator("#announce")).to_contain_text("It is with Maria Roy now")
    open_menu(card, "Assign")
    card.get_by_role("button", name="Mei Lin").click()
    expect(card).to_contain_text("It is with Mei Lin")
    assert Assignment.objects.get().user == scene.mei
    open_menu(card, "Assign")
    card.get_by_role("button", name="To nobody").click()
    expect(card).to_contain_text("Nobody has it yet")
    assert page.evaluate("window.stillHere") is True


def test_mine_is_a_filter(page, scene):
    resolution.assign(mismatch_id=scene.second.pk, to=scene.maria.pk, user=scene.maria)
    page.goto("/mismatches/?who=mine")
    expect(page.locator(".card")).to_have_count(1)
    expect(card_of(page, scene.second)).to_be_visible()


def test_menus_open_by_their_keys_control_and_lead_to_the_first_choice(page, scene):
    page.goto("/mismatches/")
    card = card_of(page, scene.first)
    keys = card.locator("[data-key]").evaluate_all("all => all.map(e => e.dataset.key)")
    assert [key for key in keys if key in "asw"] == ["a", "s", "w"]
    for key, first in (("a", "To me"), ("s", "Until tomorrow 8:00")):
        control = card.locator(f"[data-key={key}]")
        control.focus()
        page.keyboard.press("Enter")
        expect(card.get_by_role("button", name=re.compile(first))).to_be_focused()
    page.keyboard.press("Enter")
    expect(card).to_contain_text("Maria Roy put it aside until")
    expect(card).to_be_focused()


def test_a_snoozed_card_goes_to_its_tab_and_is_brought_back(page, scene):
    page.goto("/mismatches/")
    card = card_of(page, scene.second)
    open_menu(card, "Snooze")
    card.get_by_role("button", name=re.compile("Until a side changes it")).click()
    expect(card).to_contain_text("put it aside until one of the sides changes it")
    page.reload()
    expect(card).to_have_count(0)
    page.get_by_role("link", name="Snoozed 1").click()
    expect(card).to_be_visible()
    card.get_by_role("button", name="Bring it back now").click()
    expect(card.locator("summary", has_text="Snooze")).to_be_visible()
    page.goto("/mismatches/")
    expect(card).to_be_visible()
    assert Snooze.objects.get().ended_because == "person"


def test_a_snooze_until_a_day(page, scene):
    page.goto("/mismatches/")
    card = card_of(page, scene.second)
    open_menu(card, "Snooze")
    day = card.get_by_label(re.compile("^Until 8:00"))
    day.fill(str(day.get_attribute("min")))
    card.get_by_role("button", name="Snooze until then").click()
    expect(card).to_contain_text("Maria Roy put it aside until")


def test_a_note_is_written_and_one_that_is_not_kept_yet_outlives_a_click(page, scene):
    page.goto("/mismatches/")
    card = card_of(page, scene.first)
    open_menu(card, "Note")
    field = card.get_by_label("What was done")
    expect(field).to_be_focused()
    field.fill("phoned her 9:05")
    page.keyboard.press("Enter")
    expect(card.locator(".notes")).to_contain_text("phoned her 9:05 Maria Roy")
    assert Note.objects.get().text == "phoned her 9:05"
    open_menu(card, "Note")
    expect(card.get_by_label("What was done")).to_have_value("")
    card.get_by_label("What was done").fill("she comes")
    card.get_by_role("button", name=re.compile("Use EMR")).click()
    expect(card).to_contain_text("Sending in")
    open_menu(card, "Note")
    expect(card.get_by_label("What was done")).to_have_value("she comes")
    page.goto(f"/visits/{scene.first.pair_id}/")
    expect(page.locator(".history")).to_contain_text("Maria Roy noted: phoned her 9:05")


def test_a_card_that_renews_itself_leaves_the_keyboard_where_it_is(page, scene):
    page.goto("/mismatches/")
    card, other = card_of(page, scene.first), card_of(page, scene.second)
    with page.expect_response("**/habit/"):  # a block of the card asks while the keyboard is in it
        card.get_by_role("button", name=re.compile("Use EMR")).click()
    expect(card).to_contain_text("Sending in")
    other.focus()
    renewed = re.compile(rf"/mismatches/{scene.first.pk}/\?next=")
    renew = "card => htmx.ajax('GET', card.getAttribute('hx-get'), {source: card, target: card, swap: 'outerHTML'})"
    with page.expect_response(renewed):
        card.evaluate(renew)
    expect(other).to_be_focused()
    card.get_by_role("button", name="Undo").focus()
    with page.expect_response(renewed):
        card.evaluate(renew)
    expect(card).to_be_focused()


def test_two_people_see_each_other_on_one_card(page, scene, chromium, live_server):
    other = chromium.new_context(base_url=live_server.url, viewport=DESKTOP)
    sign_in(other, live_server, scene.mei)
    hers = other.new_page()
    hers.goto("/mismatches/")
    page.goto("/mismatches/")
    expect(card_of(page, scene.first)).not_to_contain_text("is looking at this")
    with hers.expect_response("**/mismatches/presence/"):
        card_of(hers, scene.first).locator("summary", has_text="Assign").click()
    beat(page)
    expect(card_of(page, scene.first)).to_contain_text("Mei Lin is looking at this")
    expect(card_of(page, scene.second)).not_to_contain_text("is looking at this")
    expect(card_of(hers, scene.first)).not_to_contain_text("is looking at this")
    # Nobody is held up by it.
    card_of(page, scene.first).get_by_role("button", name=re.compile("Use EMR")).click()
    expect(card_of(page, scene.first)).to_contain_text("Sending in")
    with hers.expect_response("**/mismatches/presence/"):
        card_of(hers, scene.second).locator("summary", has_text="Assign").click()
    beat(page)
    expect(card_of(page, scene.second)).to_contain_text("Mei Lin is looking at this")
    expect(card_of(page, scene.first)).not_to_contain_text("is looking at this")
    other.close()


def test_a_remembered_decision_is_revoked_with_one_confirmed_click(page, scene):
    row = scene.first
    resolution.resolve(
        mismatch_id=row.pk, action="leave_different", version=row.version, user=scene.mei
    )
    page.goto("/remembered/")
    entry = page.locator(f"#decision-{Decision.objects.get().pk}")
    expect(entry).to_contain_text("Leave it different")
    entry.locator("summary").click()
    expect(entry).to_contain_text("you are asked again")
    entry.get_by_role("button", name="Yes, revoke it").click()
    expect(page.locator(".messages")).to_contain_text("Revoked, and compared again")
    assert Mismatch.objects.unsettled().filter(pair=row.pair).count() == 1


def test_a_rule_is_learned_and_switched_off(page, scene, context, live_server):
    always(scene)
    sign_in(context, live_server, scene.head)
    page.goto("/remembered/")
    expect(page.locator(".habit")).to_contain_text("5 settled by “Use OnCall”, 0 otherwise")
    page.get_by_role("link", name="Look at what a rule would do").click()
    expect(page.locator("main")).to_contain_text("only later ones are settled alone")
    assert Division.objects.get().policy == {}
    page.get_by_role("button", name="Switch it on").click()
    expect(page.locator(".messages")).to_contain_text("Switched on")
    assert Division.objects.get().policy == {"oncall_to_emr": {"when": "auto"}}
    page.get_by_role("link", name="Switch it off").click()
    page.get_by_role("button", name="Switch it off").click()
    expect(page.locator(".messages")).to_contain_text("Switched off")
    assert Division.objects.get().policy == {}


def test_the_fifth_same_answer_offers_a_rule_on_the_card(page, scene):
    always(scene, times=3)
    page.goto("/mismatches/")
    for row in (scene.first, scene.second):
        expect(page.get_by_text("Always do this?")).to_have_count(0)
        card = card_of(page, row)
        card.get_by_role("button", name=re.compile("Use OnCall")).click()
        expect(card).to_contain_text("Sending in")
    expect(card).to_contain_text("The same answer 5 times in a row. Always do this?")
    card.get_by_role("link", name="Always do this?").click()
    expect(page.locator(".habit")).to_contain_text("It could be a rule")


def always(scene, times=5):
    for number in range(times):
        row = scene.moved(
            2000 + number, patient=f"Patient {number}", email=f"p{number}@example.org"
        )
        resolution.resolve(
            mismatch_id=row.pk, action="use_oncall", version=row.version, user=scene.mei
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_shared_is_accessible_and_fits_a_phone(page, scene, context, live_server, scheme):
    page.emulate_media(color_scheme=scheme)
    busy(scene)
    sign_in(context, live_server, scene.head)
    for address in addresses(page, scene):
        page.goto(address)
        for summary in page.locator(".drop > summary").all():
            summary.click()
        assert violations(page) == [], address
        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address
        page.set_viewport_size(DESKTOP)


def busy(scene):
    """Something of everything."""
    resolution.assign(mismatch_id=scene.first.pk, to=scene.mei.pk, user=scene.maria)
    resolution.note(mismatch_id=scene.first.pk, text="phoned her 9:05, no answer", user=scene.mei)
    left = scene.moved(1500, patient="Noor Haddad", email="noor@example.org")
    resolution.resolve(
        mismatch_id=left.pk, action="leave_different", version=left.version, user=scene.mei
    )
    resolution.note(mismatch_id=left.pk, text="she knows", user=scene.mei)
    aside = scene.moved(1600, patient="Luc Gagnon", email="luc@example.org")
    resolution.snooze(mismatch_id=aside.pk, version=aside.version, user=scene.maria)
    always(scene)


def addresses(page, scene):
    page.goto("/remembered/")
    rule = page.get_by_role("link", name="Look at what a rule would do").get_attribute("href")
    return [
        "/mismatches/",
        "/mismatches/?status=snoozed",
        f"/visits/{scene.first.pair_id}/",
        "/remembered/",
        rule,
    ]
