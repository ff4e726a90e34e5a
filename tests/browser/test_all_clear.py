"""Statements, notices and the bar of what cannot wait, in a real browser, light and dark."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import expect

from appointments.models import AuditEvent, Heartbeat, NoticeChoice, Opening
from tests.browser.clinic import OPENED, weeks
from tests.browser.conftest import PHONE, sign_in
from tests.make import make_division, make_mismatch, make_pair, make_user, soon

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PAGES = ["/", "/statements/", "/notices/"]


@pytest.fixture
def scene(live_server, context):
    division = make_division("Downtown")
    coast = make_division("Harbour", time_zone="America/Vancouver", mode="observe")
    maria = make_user(
        "maria", division, coast, first_name="Maria", last_name="Roy", email="maria@example.org"
    )
    Heartbeat.objects.create(name="worker-1", at=timezone.now())
    for place in (division, coast):
        weeks(place)
    make_pair(division, start=soon(200))
    sign_in(context, live_server, maria)
    return division


def violations(page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {[n['target'] for n in v['nodes']][:3]}" for v in found]


def bar_of(page):
    return page.get_by_role("region", name="Urgent", exact=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_with_and_without_the_bar(page, scene, scheme):
    page.emulate_media(color_scheme=scheme)
    for address in [*PAGES, f"/statements/{scene.pk}/"]:
        page.goto(address)
        assert violations(page) == [], address
    make_mismatch(scene)
    for address in PAGES:
        page.goto(address)
        expect(bar_of(page)).to_be_visible()
        for summary in page.locator(".asrows > summary").all():
            summary.click()
        assert violations(page) == [], address


def test_pages_fit_a_phone_and_a_page_at_four_hundred_per_cent(page, scene):
    make_mismatch(scene)
    for width in (PHONE["width"], 320):
        page.set_viewport_size({"width": width, "height": 640})
        for address in [*PAGES, f"/statements/{scene.pk}/"]:
            page.goto(address)
            expect(bar_of(page)).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= width, address


def test_the_bar_comes_by_itself_without_moving_the_page_and_goes_when_somebody_looked(page, scene):
    page.goto("/statements/")
    expect(page.locator("#urgent[hx-trigger='every 60s']")).to_have_count(1)
    heading = page.get_by_role("heading", level=1).bounding_box()
    make_mismatch(scene, patient="Noor Haddad")
    page.evaluate("htmx.ajax('GET', '/urgent/', {target: '#urgent', swap: 'outerHTML'})")
    expect(bar_of(page)).to_contain_text("1 difference that nobody has looked at")
    expect(page.locator("#announce")).to_contain_text("1 difference that nobody has looked at")
    assert "Noor" not in page.content()
    assert page.get_by_role("heading", level=1).bounding_box() == heading
    assert not AuditEvent.objects.filter(verb="viewed").exists()
    bar_of(page).get_by_role("link", name="Look now").click()
    expect(page.get_by_role("heading", name="Mismatches")).to_be_visible()
    expect(bar_of(page)).to_have_count(0)
    assert Opening.objects.count() == 1


def test_what_has_the_focus_is_never_under_the_bar(page, scene):
    page.set_viewport_size({"width": 700, "height": 420})
    make_mismatch(scene)
    page.goto("/notices/")
    expect(bar_of(page)).to_be_visible()
    page.get_by_role("button", name="Show notices in this browser").wait_for(state="attached")
    for _ in range(25):
        page.keyboard.press("Tab")
        covered = page.evaluate(
            """() => {
              const held = document.activeElement, bar = document.querySelector('.urgentbar');
              if (held === document.body || bar.contains(held)) return false;
              const at = held.getBoundingClientRect();
              return at.top > bar.getBoundingClientRect().top;
            }"""
        )
        assert covered is False


def test_a_browser_notice_is_asked_for_by_the_button_only_and_comes_once(page, context, scene):
    asked = """
      window.told = []; window.asked = 0;
      class Fake extends EventTarget {
        constructor(title, options) { super(); window.told.push(title + ' | ' + options.body); }
        static requestPermission() { window.asked += 1; Fake.permission = 'granted'; return Promise.resolve('granted'); }
      }
      Fake.permission = localStorage.getItem('syncportal.notices.on') ? 'granted' : 'default';
      window.Notification = Fake;
    """
    context.add_init_script(asked)
    make_mismatch(scene, patient="Noor Haddad")
    page.goto("/notices/")
    expect(bar_of(page)).to_be_visible()
    assert page.evaluate("[window.asked, window.told.length]") == [0, 0]
    expect(page.get_by_role("button", name="No longer in this browser")).to_be_hidden()
    page.get_by_role("button", name="Show notices in this browser").click()
    expect(page.get_by_text("Notices are on in this browser.")).to_be_visible()
    (told,) = page.evaluate("window.told")
    assert told.startswith(
        "SyncPortal: somebody is needed | 1 difference that nobody has looked at"
    )
    assert "Noor" not in told
    page.goto("/statements/")
    expect(bar_of(page)).to_be_visible()
    assert page.evaluate("window.told") == []
    make_mismatch(scene)
    page.goto("/statements/")
    expect(bar_of(page)).to_contain_text("2 differences")
    assert len(page.evaluate("window.told")) == 1
    page.goto("/notices/")
    page.get_by_role("button", name="No longer in this browser").click()
    expect(page.get_by_text("Notices are off in this browser.")).to_be_visible()


def test_notices_are_chosen_by_keyboard_and_kept(page, scene):
    page.goto("/notices/")
    page.get_by_label("A daily digest").focus()
    page.keyboard.press("Space")
    page.get_by_label("at", exact=True).select_option("6:00")
    page.get_by_role("button", name="Keep this").press("Enter")
    expect(page.locator(".messages")).to_contain_text("Kept")
    expect(page.get_by_label("A daily digest")).to_be_checked()
    row = NoticeChoice.objects.get()
    assert (row.urgent, row.statement, row.digest_hour) == (True, False, 6)


def test_the_chart_is_read_as_a_sentence_and_opens_as_a_table(page, scene):
    page.goto("/statements/")
    chart = page.get_by_role("img", name="Open differences each morning: Downtown")
    expect(chart).to_be_visible()
    page.locator(f"#division-{scene.pk} .asrows > summary").click()
    table = page.locator(f"#division-{scene.pk} table")
    expect(table.get_by_role("row")).to_have_count(len(OPENED))  # a heading more, a morning less


def test_everything_works_without_javascript(chromium, live_server, scene):
    context = chromium.new_context(base_url=live_server.url, java_script_enabled=False)
    sign_in(context, live_server, scene.memberships.get().user)
    page = context.new_page()
    page.goto("/notices/")
    expect(page.get_by_text("This needs JavaScript.")).to_be_visible()
    page.get_by_label("The statement of the morning").check()
    page.get_by_role("button", name="Keep this").click()
    expect(page.locator(".messages")).to_contain_text("Kept")
    page.goto("/statements/")
    page.locator(f"#division-{scene.pk} .asrows > summary").click()
    expect(page.locator(f"#division-{scene.pk} table")).to_be_visible()
    context.close()
