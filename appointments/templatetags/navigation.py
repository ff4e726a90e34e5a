"""The pages in the head of each page: what is needed all day in sight, the rest under "More"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

register = template.Library()


@dataclass(frozen=True, slots=True)
class Entry:
    """A page by the name of its address; ``also``: pages that belong to it and mark it, too."""

    url: str
    label: Promise
    also: tuple[str, ...] = ()
    current: bool = False

    def at(self, name: str) -> Entry:
        return Entry(self.url, self.label, self.also, name in (self.url, *self.also))


DAILY: Final = (
    Entry("home", _("Overview")),
    Entry("queue", _("Mismatches"), ("together", "mismatch_card", "mismatch_resolve")),
    Entry("day_home", _("Day"), ("day", "day_sheet")),
    Entry("visits", _("Visits"), ("visit", "visit_raw", "visit_support")),
    Entry("find", _("Find"), ("find_asked", "visit_why")),
)
# Groups of the menu, each with a line above it.
MORE: Final = (
    (
        Entry("handover", _("Hand-over")),
        Entry("pushes_automatic", _("Went out by itself")),
        Entry("remembered", _("Remembered"), ("rule", "rule_on", "rule_off")),
        Entry("statements", _("All clear"), ("statement_now",)),
    ),
    (
        Entry("pushes", _("Writes"), ("brake_widen",)),
        Entry("runs", _("Readings")),
        Entry("deliveries", _("Webhooks")),
    ),
)
SETUP: Final = (Entry("setup", _("Set-up")), Entry("admin:index", _("Settings")))
OWN: Final = (Entry("password_change", _("Change password"), ("password_change_done",)),)


@register.inclusion_tag("appointments/_nav.html", takes_context=True)
def navigation(context: template.Context) -> dict[str, Any]:
    """``here`` is the label of the menu's own page that is shown, if it is one."""
    request = context["request"]
    match = request.resolver_match
    name = str(match.url_name or "") if match else ""
    if match and match.namespace == "admin":
        name = "admin:index"
    elif name.startswith("setup"):
        name = "setup"
    groups: Sequence[tuple[Entry, ...]] = (*MORE, *((SETUP,) if request.user.is_staff else ()), OWN)
    more = [[entry.at(name) for entry in group] for group in groups]
    here = next((entry.label for group in more for entry in group if entry.current), "")
    return {"daily": [entry.at(name) for entry in DAILY], "more": more, "here": here}
