"""What the brake holds and what is folded, as a person meets it in the queue."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from appointments.mismatches import waves
from appointments.models import Push
from tests.browser.conftest import PHONE, sign_in
from tests.browser.scenes import morning
from tests.browser.test_staff_pages import violations
from tests.make import make_mismatch, make_pair, make_plan, make_push, soon, when

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
NAMES = ["Noor Haddad", "Luc Gagnon", "Ines Ferreira", "Harpreet Singh", "Mia Roy", "Olu Ade"]


@pytest.fixture
def scene(live_server, context):
    """A morning on which somebody set a time zone wrong: on the EMR's side, then on OnCall's."""
    scene = morning()
    for number in range(41):
        start = soon(52 + 20 * number)
        pair = make_pair(scene.division, start=start, patient=NAMES[number % 6])
        plan = make_plan(
            values={"when": when(start + timedelta(hours=1))}, mails=("somebody@example.org",)
        )
        make_push(pair, status="held", plan=plan, before={"when": when(start)})
    for number in range(24):
        start = soon(200 + 700 * number)
        later = when(start + timedelta(hours=1))
        groups = {"when": {"oncall": later, "emr": when(start), "baseline": when(start)}}
        patient = NAMES[number % 6]
        make_mismatch(scene.coast, start=start, groups=groups, patient=patient, provider="")
    waves.fold([scene.division.pk, scene.coast.pk], timezone.now())
    sign_in(context, live_server, scene.head)
    return scene


def test_a_held_batch_is_let_go_by_typing_its_number(page, scene):
    page.goto("/mismatches/")
    card = page.locator("section.held")
    expect(card).to_contain_text("41 new times held")
    expect(card).to_contain_text("a time-zone setting?")
    card.get_by_label("Type 41 to decide about them").fill("40")
    card.get_by_role("button", name="Let 41 new times go").click()
    expect(page.locator(".messages")).to_contain_text("Nothing was let go")
    card.get_by_label("Type 41 to decide about them").fill("41")
    card.get_by_role("button", name="Let 41 new times go").click()
    expect(page.locator(".messages")).to_contain_text("41 writes were let go.")
    expect(page.locator("section.held")).to_have_count(0)
    assert set(Push.objects.filter(kind="when", released=True).values_list("status")) == {
        ("waiting",)
    }


def test_a_folded_wave_opens_to_its_questions(page, scene):
    page.goto("/mismatches/")
    card = page.locator("section.folded")
    expect(card).to_contain_text("24 questions at once")
    card.get_by_role("link", name="Show all 24").click()
    expect(page.locator("article.card")).to_have_count(24)


def test_an_administrator_widens_the_brake(page, scene):
    page.goto("/mismatches/")
    page.get_by_role("link", name="Let more through for a while").click()
    page.get_by_label("Changes an hour").fill("30")
    page.get_by_label("Per cent of the visits").fill("10")
    page.get_by_label("Why").fill("Clocks were set right by hand")
    page.get_by_label("Until the end of").fill(
        (timezone.now() + timedelta(days=2)).date().isoformat()
    )
    page.get_by_role("button", name="Widen the brake").click()
    expect(page.locator(".messages")).to_contain_text("The brake is widened.")
    page.get_by_role("button", name="End it now").click()
    expect(page.locator(".messages")).to_contain_text("own limits count again")


@pytest.mark.parametrize("path", ["/mismatches/", "/", "/pushes/", "widen"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_where_something_is_held(page, scene, path, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(f"/brake/{scene.division.pk}/when/" if path == "widen" else path)
    assert violations(page) == []


def test_nothing_is_cut_off_on_a_phone(page, scene):
    page.set_viewport_size(PHONE)
    page.goto("/mismatches/")
    expect(page.locator("section.held")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
