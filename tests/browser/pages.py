"""Every page that staff can open, by the name of its address: a new page has to be named here.

``test_every_page.py`` holds each of them to the same rules; ``pictures.py`` takes pictures of some. A page is
opened by a function of the browser's page and the clinic (``clinic.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from django.urls import URLPattern, URLResolver, reverse
from playwright.sync_api import Page, expect

from appointments.models import AppointmentChange, Delivery

Open = Callable[[Page, Any], None]


def at(
    name: str, numbers: Callable[[Any], tuple[Any, ...]] = lambda _: (), query: str = ""
) -> Open:
    """The address of that name, with the numbers that belong in it."""

    def opened(page: Page, clinic: Any) -> None:
        page.goto(reverse(name, args=numbers(clinic)) + query)

    return opened


def _day(clinic: Any) -> tuple[Any, ...]:
    return (clinic.division.pk, clinic.today.day)


def _visit(clinic: Any) -> tuple[Any, ...]:
    return (clinic.moved.pair_id,)


def _observing(clinic: Any) -> tuple[Any, ...]:
    return (clinic.observing.pk,)


def _asked(_clinic: Any) -> tuple[Any, ...]:
    return (Delivery.objects.get(event=Delivery.ASKED_HERE).pk,)


def _rule(page: Page, _clinic: Any) -> None:
    page.goto(reverse("remembered"))
    page.get_by_role("link", name="Look at what a rule would do").first.click()


def _rule_off(page: Page, clinic: Any) -> None:
    page.goto(reverse("rule_off", args=[clinic.rule.pk]))


def _found(page: Page, _clinic: Any) -> None:
    page.goto(reverse("find"))
    page.get_by_label("Patient, e-mail, or the visit's id").fill("tremblay")
    page.get_by_role("button", name="Find").click()
    page.wait_for_load_state()


def _together(page: Page, _clinic: Any) -> None:
    page.goto(reverse("queue"))
    for box in page.locator("input[name=row][data-kind=values_differ]").all():
        box.check()
    page.get_by_role("button", name="Decide together").click()
    expect(page.get_by_role("heading", name="together")).to_be_visible()


def _then(page: Page, clinic: Any) -> None:
    change = AppointmentChange.objects.filter(appointment=clinic.moved.pair.oncall).order_by("at")
    page.goto(reverse("visit", args=_visit(clinic)) + f"?at={change[1].pk}")


def _departure(page: Page, clinic: Any) -> None:
    page.goto(reverse("setup_live", args=_observing(clinic)))
    page.get_by_role("button", name="Work out what would leave first").click()
    expect(page.locator(".confirming")).to_be_visible()


DAILY: Final[dict[str, Open]] = {
    "home": at("home"),
    "queue": at("queue"),
    "queue, put aside": at("queue", query="?status=snoozed"),
    "queue, decided": at("queue", query="?status=done"),
    "together": _together,
    "day": at("day", _day),
    "day_sheet": at("day_sheet", _day),
    "visits": at("visits"),
    "visit": at("visit", _visit),
    "visit, as it was": _then,
    "visit_why": at("visit_why", _visit),
    "visit_support": at("visit_support", _visit),
    "visit_raw": at("visit_raw", _visit),
    "find": at("find"),
    "find, found": _found,
    "find_asked": at("find_asked", _asked),
}
WORK: Final[dict[str, Open]] = {
    "handover": at("handover"),
    "pushes_automatic": at("pushes_automatic"),
    "remembered": at("remembered"),
    "rule": _rule,
    "rule_off": _rule_off,
    "statements": at("statements"),
    "statement_now": at("statement_now", lambda clinic: (clinic.division.pk,)),
    "notices": at("notices"),
    "pushes": at("pushes"),
    "brake_widen": at("brake_widen", lambda clinic: (clinic.coast.pk, "when")),
    "runs": at("runs"),
    "deliveries": at("deliveries"),
}
SETUP: Final[dict[str, Open]] = {
    "setup": at("setup"),
    "setup_connect": at("setup_connect"),
    "setup_connection_add": at("setup_connection_add", lambda _: ("fhir_r4",)),
    "setup_connection": at("setup_connection", lambda clinic: (clinic.observing.oncall_id,)),
    "setup_test": at("setup_test"),
    "setup_division_add": at("setup_division_add"),
    "setup_division": at("setup_division", _observing),
    "setup_providers": at("setup_providers", _observing),
    "setup_types": at("setup_types", _observing),
    "setup_observe": at("setup_observe", _observing),
    "setup_live": at("setup_live", _observing),
    "setup_live, counted": _departure,
}
ADMIN: Final[dict[str, Open]] = {
    "admin:index": at("admin:index"),
    **{
        name: at(name)
        for name in (
            f"admin:appointments_{model}_changelist"
            for model in ("division", "provider", "connection", "membership", "auditevent", "push")
        )
    },
    "admin:appointments_division_change": at(
        "admin:appointments_division_change", lambda clinic: (clinic.division.pk,)
    ),
    "admin:appointments_connection_change": at(
        "admin:appointments_connection_change", lambda clinic: (clinic.division.emr_id,)
    ),
    "admin:appointments_auditevent_change": at(
        "admin:appointments_auditevent_change", lambda clinic: (clinic.event.pk,)
    ),
    "password_change": at("password_change"),
    "password_change_done": at("password_change_done"),
}


def _signed_out(page: Page, _clinic: Any) -> None:
    page.context.clear_cookies()
    page.goto(reverse("login"))


SIGNED_OUT: Final[dict[str, Open]] = {"login": _signed_out}
GROUPS: Final = {
    "reception": {**DAILY, **WORK},
    "administration": {**SETUP, **ADMIN, **SIGNED_OUT},
}

# Names of addresses that are no page of their own, and why.
NO_PAGE: Final = {
    "day_home": "leads to the day",
    "mismatch_card": "a piece of the queue; opened by hand it leads there",
    "mismatch_habit": "a piece of a card",
    "queue_pulse": "a piece: the queue's numbers",
    "urgent": "a piece: the bar of what cannot wait",
    "setup_reading": "a piece: how far the reading is",
    "setup_fetch_side": "a piece: one system is asked",
    "setup_test_one": "a piece: one system is asked",
    "webhook_oncall": "for OnCall",
    "health_live": "for the operator",
    "health_ready": "for the operator",
    "metrics": "for the operator",
    "api-schema": "for programs",
    "api-docs": "Swagger's page, with a policy of its own",
    **dict.fromkeys(
        (
            "together_undo",
            "filter_save",
            "filter_change",
            "mismatch_resolve",
            "mismatch_undo",
            "mismatch_assign",
            "mismatch_snooze",
            "mismatch_note",
            "presence",
            "remembered_revoke",
            "rule_on",
            "find_ask",
            "pushes_release",
            "brake_narrow",
            "push_retry",
            "delivery_retry",
            "setup_fetch",
            "setup_observe_again",
            "logout",
        ),
        "only takes what is sent (POST)",
    ),
}


def names_of(patterns: Iterable[URLPattern | URLResolver]) -> set[str]:
    """The names of all addresses but those that Django's administration and the API's lists make."""
    found: set[str] = set()
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            found.add(pattern.name or str(pattern.pattern))
        elif pattern.namespace != "admin" and str(pattern.pattern) != "v1/":
            found |= names_of(pattern.url_patterns)
    return found
