"""Why a click was not taken, in words for the person who clicked."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

NOT_OFFERED = {
    "unknown": _("That is not among the choices for this visit any more."),
    "target": _("Pick one of the listed options first."),
    "settling": _("This visit is being settled right now. Wait a moment, then look again."),
    "held": _(
        "A newer write for this visit is held by the brake. Decide about the held batch on the queue first."
    ),
    "observe": _(
        "This division only observes: nothing is written. An administrator can switch it to live."
    ),
    "paused": _("This division is paused: nothing is written until an administrator resumes it."),
    "live": _("That is not possible right now."),
    "undo": _("There is nothing left to take back here: what was sent cannot be unsent."),
    "sent": _("It was sent meanwhile. Take it back on its own, where it says who is mailed again."),
    "moved_on": _("The visit has changed since; taking it back would overwrite that change."),
    "not_failed": _("This write did not fail, so there is nothing to try again."),
}
