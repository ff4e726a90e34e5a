"""Why a click was not taken, in words for the person who clicked."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from appointments.core.snooze import Refused

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
    "closed": _("This is settled already: nobody has to look any more."),
    "colleague": _("This person may not settle anything in this division. Pick somebody else."),
    "empty_note": _("Nothing was noted: write a few words first."),
    "long_note": _("Nothing was noted: a note has at most 500 characters."),
    "ended": _("This decision has ended already: there is nothing left to revoke."),
    "not_failed": _("This write did not fail, so there is nothing to try again."),
}

NOT_PUT_ASIDE = {
    Refused.TOO_CLOSE: _("The visit begins within two hours: it cannot be put aside any more."),
    Refused.NO_VISIT: _("There is no visit to come to wait for. Pick a day instead."),
    Refused.NOT_AHEAD: _("Pick a day from tomorrow on."),
    Refused.TOO_LONG: _("Pick a day within the next 60 days."),
}
