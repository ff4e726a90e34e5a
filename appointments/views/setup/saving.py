"""How the set-up saves: what a change would bring is shown first (law 15), then it is made and recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from appointments.configuration import applying, snapshot
from appointments.configuration.changing import changing
from appointments.configuration.effects import Effect, TooMany, effects_of
from appointments.configuration.reading import Reading
from appointments.configuration.states import DivisionState, ProviderState
from appointments.core.plans import digest
from appointments.models import Division
from appointments.views.setup.steps import page

SHOWN: Final = "_effect_shown"
MOST_COMPARED: Final = 1000  # visits: some ten seconds


def save(
    request: HttpRequest,
    change: Callable[[], object],
    *,
    then: Callable[[], str],
    here: str,
    division: Division | None = None,
    sentence: str = "",
    shows_effect: bool = True,
) -> HttpResponse:
    """``change`` writes rows; it is called first to be taken back. ``then``: where to go.

    Saved is what was shown: where the effect is another one by now, it is shown again.
    ``shows_effect`` is False for what holds secrets: the page in between would have to carry them.
    """
    lines = _effects(request, change) if shows_effect else ()
    if lines and request.POST.get(SHOWN) != digest(lines):
        moved = SHOWN in request.POST
        context = {
            "effects": lines,
            "sent": _sent(request),
            "shown": SHOWN,
            "shown_digest": digest(lines),
            "moved": moved,
        }
        status = 409 if moved else 200
        return page(request, "effect", context, here=here, division=division, status=status)
    with changing(user=request.user) as outcome:
        change()
    if outcome.changes:
        messages.success(request, sentence or _("Saved."))
    else:
        messages.info(request, _("Nothing was different, so nothing was changed."))
    for consequence in outcome.consequences:
        messages.warning(request, str(consequence))
    return redirect(then())


def _effects(request: HttpRequest, change: Callable[[], object]) -> Sequence[str]:
    def rehearse() -> None:
        with changing(user=request.user):
            change()

    try:
        effects = effects_of(rehearse, most=MOST_COMPARED)
    except TooMany:
        return [
            _(
                "So many visits are concerned that working it out here would take too long. Whatever "
                "differs afterwards will be asked, not written."
            )
        ]
    return [line for effect in effects for line in effect_lines(effect)]


def _sent(request: HttpRequest) -> list[tuple[str, str]]:
    return [
        (name, str(value))
        for name, values in request.POST.lists()
        for value in values
        if name not in ("csrfmiddlewaretoken", SHOWN)
    ]


def effect_lines(effect: Effect) -> list[str]:
    """An effect in a person's words, one fact a line."""
    found = []
    if effect.asked:
        found.append(
            ngettext(
                "%(division)s: %(n)d visit would become a question for staff.",
                "%(division)s: %(n)d visits would become questions for staff.",
                effect.asked,
            )
            % {"division": effect.division, "n": effect.asked}
        )
    if effect.mails:
        found.append(
            ngettext(
                "If each were answered as recommended, OnCall would send %(n)d e-mail.",
                "If each were answered as recommended, OnCall would send %(n)d e-mails.",
                effect.mails,
            )
            % {"n": effect.mails}
        )
    if effect.closed:
        found.append(
            ngettext(
                "%(division)s: %(n)d question of now would close.",
                "%(division)s: %(n)d questions of now would close.",
                effect.closed,
            )
            % {"division": effect.division, "n": effect.closed}
        )
    if effect.written:
        found.append(
            ngettext(
                "%(division)s: %(n)d write would leave by itself.",
                "%(division)s: %(n)d writes would leave by themselves.",
                effect.written,
            )
            % {"division": effect.division, "n": effect.written}
        )
    return found


def write_division(state: DivisionState) -> None:
    """By the one writer that ``loadconfig`` uses."""
    applying.write(Reading(divisions=[state]), snapshot.take())


class Moved(Exception):
    """The division is not what the person was shown: nothing was changed."""


def change_division(division: Division, *, confirmed: str = "", **fields: Any) -> None:
    """Set these fields of its state; the rest stays as it is now, not as this page read it.

    To be called inside ``changing``. ``confirmed``: the digest of the state that the person was shown.
    Raises Moved where it is another one by now.
    """
    rows = Division.objects.select_for_update(of=("self",)).select_related("oncall", "emr")
    state = snapshot.division_state(rows.get(pk=division.pk))
    if confirmed and confirmed != state_digest(state):
        raise Moved
    write_division(replace(state, **fields))


def state_digest(state: DivisionState) -> str:
    return digest(asdict(state))


def write_providers(states: Sequence[ProviderState]) -> None:
    applying.write(Reading(providers=list(states)), snapshot.take())
