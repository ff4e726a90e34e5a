"""What holds for every page: one list of pages (``pages.py``), one set of rules, one visit each.

Own assets are what a page loads from ``/static/`` (style sheets, scripts, pictures; htmx counts, too), as it is
served here: not compressed. The page's own text is not among them, nor what Django's administration brings.
"""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.urls import get_resolver
from playwright.sync_api import Page, ViewportSize

from tests.browser.clinic import being_set_up, busy_clinic
from tests.browser.conftest import DESKTOP, sign_in
from tests.browser.pages import GROUPS, NO_PAGE, names_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ZOOMED: ViewportSize = {"width": 320, "height": 256}  # 1280 by 1024 at 400 %
MOST_BYTES = 100_000
MOST_SHIFT = 0.01
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What depends on colours is looked at once more in the dark; all else is the same there.
COLOURS = ["color-contrast", "link-in-text-block"]
SHIFTS = """
  window.shifts = [];
  new PerformanceObserver(list => window.shifts.push(...list.getEntries()))
    .observe({type: 'layout-shift', buffered: true});
"""
SHIFTED = """() => window.shifts.filter(shift => !shift.hadRecentInput)
  .map(shift => ({value: shift.value, what: shift.sources.map(source => source.node && (source.node.outerHTML || source.node.textContent || '').slice(0, 80))}))"""
MOVING = """() => document.getAnimations()
  .filter(animation => animation.playState === 'running' && animation.effect.getComputedTiming().duration > 1)
  .map(animation => (animation.animationName || animation.transitionProperty) + ' of ' + animation.effect.target.className)"""
VIOLATIONS = "async options => (await axe.run(options)).violations"
FOCUSED = """() => {
  const held = document.activeElement, style = getComputedStyle(held), place = held.getBoundingClientRect();
  const main = document.querySelector('main');
  return {
    what: held.outerHTML.slice(0, 120),
    inMain: main.contains(held) && held !== main,
    framed: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 || style.boxShadow !== 'none',
    seen: place.width > 0 && place.bottom > 0 && place.top < innerHeight,
  };
}"""


@pytest.fixture
def clinic(live_server, context):
    clinic = busy_clinic()
    sign_in(context, live_server, clinic.head, **being_set_up(clinic))
    context.add_init_script(SHIFTS)
    return clinic


def test_every_address_is_in_the_list_of_pages_or_is_said_to_be_none():
    listed = {name for group in GROUPS.values() for name in group}
    named = names_of(get_resolver().url_patterns)
    ours = {name for name in listed if "," not in name and not name.startswith("admin:")}
    assert named - ours - set(NO_PAGE) == set()
    assert (ours | set(NO_PAGE)) - named == set()
    assert ours & set(NO_PAGE) == set()


@pytest.mark.parametrize("group", GROUPS)
def test_every_page_keeps_the_rules(page, context, clinic, live_server, group):
    found = []
    for name, open_page in GROUPS[group].items():
        visit = Visit(page, live_server.url)
        open_it = partial(open_page, page, clinic)
        found += [f"{name}: {fault}" for fault in [*visit.faults(open_it), *said(page)]]
        page.said.clear()
    if found:
        pytest.fail("\n".join(found))


def said(page: Page) -> list[str]:
    """Its console; "verbose" is the browser's advice to who makes the page."""
    return [text for text in page.said if not text.startswith("verbose")]  # type: ignore[attr-defined]


class Visit:
    """One page, opened as on a desk and at 400 %, and all that is wrong with it."""

    def __init__(self, page: Page, host: str):
        self.page, self.host = page, urlsplit(host).netloc
        self.loaded: dict[str, int] = {}
        self.elsewhere: list[str] = []
        self.policy = ""

    def faults(self, open_page) -> list[str]:
        page = self.page
        page.on("response", self._note)
        page.set_viewport_size(DESKTOP)
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        open_page()
        page.wait_for_load_state("networkidle")
        page.remove_listener("response", self._note)
        found = [*self._policy(), *self._sizes(), *self._still(), *self._moves()]
        page.evaluate(AXE_SCRIPT)
        found += self._axe({"type": "tag", "values": WCAG})
        page.emulate_media(color_scheme="dark")
        found += [f"dark: {fault}" for fault in self._axe(COLOURS)]
        found += self._by_keyboard()
        page.set_viewport_size(ZOOMED)
        found += self._width()
        return found

    def _note(self, response) -> None:
        address = urlsplit(response.url)
        if address.netloc != self.host and address.scheme != "data":
            self.elsewhere.append(response.url)
        if address.path.startswith("/static/") and not address.path.startswith("/static/admin/"):
            self.loaded[address.path] = len(response.body())
        elif response.request.is_navigation_request() and response.status == 200:
            self.policy = response.headers.get("content-security-policy", "")

    def _policy(self) -> list[str]:
        found = [f"asks another host: {url}" for url in self.elsewhere]
        if "script-src 'self'" not in self.policy or "default-src 'none'" not in self.policy:
            found.append(f"no strict policy: {self.policy}")
        return found + [f"policy allows {word}" for word in ("unsafe", "*") if word in self.policy]

    def _sizes(self) -> list[str]:
        total = sum(self.loaded.values())
        if not 0 < total < MOST_BYTES:
            return [f"{total} bytes of assets: {self.loaded}"]
        return []

    def _still(self) -> list[str]:
        shifts = self.page.evaluate(SHIFTED)
        if sum(shift["value"] for shift in shifts) < MOST_SHIFT:
            return []
        return [f"the page moves: {shifts}"]

    def _moves(self) -> list[str]:
        return [f"moves though that is not wanted: {what}" for what in self.page.evaluate(MOVING)]

    def _axe(self, rules) -> list[str]:
        options = {"runOnly": rules, "resultTypes": ["violations"], "preload": False}
        return [
            f"{fault['id']}: {fault['help']} {[node['target'] for node in fault['nodes']][:3]} "
            f"{fault['nodes'][0].get('failureSummary', '')}"
            for fault in self.page.evaluate(VIOLATIONS, options)
        ]

    def _by_keyboard(self) -> list[str]:
        """The first Tab is the way past the head of the page; what follows it is in the page itself."""
        page = self.page
        page.evaluate("document.activeElement.blur(); window.getSelection().removeAllRanges()")
        page.evaluate(
            "document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')"
        )
        page.keyboard.press("Tab")
        first = page.evaluate(FOCUSED)
        found = [] if "skip" in first["what"] else [f"the first Tab leads to {first['what']}"]
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        held = page.evaluate(FOCUSED)
        if not held["inMain"] or not held["framed"] or not held["seen"]:
            found.append(f"the keyboard goes past the content: {held}")
        return found

    def _width(self) -> list[str]:
        width = self.page.evaluate("document.documentElement.scrollWidth")
        return [] if width <= ZOOMED["width"] else [f"{width} pixels wide at 400 %"]
