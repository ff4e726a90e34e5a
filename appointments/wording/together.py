"""One choice for many visits: what it would write and whom it would mail, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from appointments.wording.values import side_in_text

# One line for each row of the result.
BECAME: Final[dict[str, Promise]] = {
    "decided": gettext_lazy("Decided."),
    "undone": gettext_lazy("Taken back: nothing was sent."),
    "changed": gettext_lazy("It changed while you looked: nothing was done. Please look again."),
    "failed": gettext_lazy("Something went wrong here. Please look at it on its own."),
    "not_reached": gettext_lazy(
        "Not reached in time: nothing was done. Decide the rest once more."
    ),
}


def became_sentence(outcome: str, reason: str = "") -> str:
    return reason or str(BECAME.get(outcome, outcome))


def summary_sentence(counts: Mapping[str, int]) -> str:
    """ "38 decided, 2 changed while you looked: look again." """
    said = [words for code, n in counts.items() if n and (words := _counted(code, n))]
    again = any(counts.get(code) for code in ("changed", "not_reached"))
    text = ", ".join(said) or _("Nothing was done")
    return _("%(what)s: look again.") % {"what": text} if again else f"{text}."


def _counted(code: str, n: int) -> str:
    said = {
        "decided": ngettext("%(n)d decided", "%(n)d decided", n),
        "undone": ngettext("%(n)d taken back", "%(n)d taken back", n),
        "changed": ngettext("%(n)d changed while you looked", "%(n)d changed while you looked", n),
        "refused": ngettext("%(n)d not possible now", "%(n)d not possible now", n),
        "failed": ngettext("%(n)d went wrong", "%(n)d went wrong", n),
        "not_reached": ngettext("%(n)d not reached in time", "%(n)d not reached in time", n),
    }
    return said[code] % {"n": n} if code in said else ""


def together_label(label: str, count: int) -> str:
    """On the button: "Use EMR for all 41"."""
    return _("%(label)s for all %(n)d") % {"label": label, "n": count}


def effect_lines(writes: Mapping[str, int], mails: int, people: int, final: int) -> list[str]:
    """``writes`` by side; ``mails`` in all, to so many ``people``; how many are ``final``."""
    lines = [
        ngettext("%(n)d write in %(side)s.", "%(n)d writes in %(side)s.", n)
        % {"n": n, "side": side_in_text(side)}
        for side, n in writes.items()
        if n
    ] or [_("Nothing is written.")]
    if not mails:
        lines.append(_("Nobody is mailed."))
    else:
        text = ngettext("%(n)d e-mail to %(people)s.", "%(n)d e-mails to %(people)s.", mails)
        who = ngettext("%(n)d person", "%(n)d people", people) % {"n": people}
        lines.append(text % {"n": mails, "people": who})
    if final:
        text = ngettext(
            "%(n)d of them cannot be undone once it is sent.",
            "%(n)d of them cannot be undone once they are sent.",
            final,
        )
        lines.append(text % {"n": final})
    return lines
