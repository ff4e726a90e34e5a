"""Several differences decided at once: look at all of them, choose once, see what became of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from appointments import resolution, wording
from appointments.mismatches import waves
from appointments.models import Mismatch
from appointments.resolution import Outcome, Picked, Result
from appointments.views.access import (
    back,
    divisions_of,
    record_view,
    safe_page,
    settles_in,
    signed_in,
)
from appointments.views.asking import under_headings
from appointments.views.cards import Card, make_cards, with_card_rows
from appointments.views.folded import wave_of

KEPT_IN_SESSION = "together"  # ids, versions and outcomes: nothing of a patient


@dataclass(frozen=True, slots=True)
class Offer:
    """One choice that every row has, and what it would do in all of them."""

    action: str
    label: str
    effect: list[str]
    recommended: bool
    irreversible: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the list, and after the click what became of it."""

    card: Card
    change: str
    outcome: str = ""
    became: str = ""

    @property
    def can_undo(self) -> bool:
        remembered = self.card.decision is not None and self.card.decision.ended_at is None
        return self.outcome == Outcome.DECIDED and (
            self.card.can_undo or (remembered and self.card.can_settle)
        )


@signed_in
@require_http_methods(["GET", "POST"])
def together(request: HttpRequest) -> HttpResponse:
    """POST without an action shows what was selected, with one, carries it out; GET shows the results."""
    if request.method == "GET":
        return _results(request)
    shown, left = _asked(request)
    if not shown:
        return _back(request, _("Select some cards first."))
    if len(shown) > resolution.MOST:
        words = _("At most %(most)d at a time: nothing was done.") % {"most": resolution.MOST}
        return _back(request, words)
    action = str(request.POST.get("action", ""))
    if action:
        return _settle(request, shown, action)
    return _confirm(request, shown, left)


@signed_in
@require_POST
def undo(request: HttpRequest) -> HttpResponse:
    """Take back what has not been sent yet."""
    picked, _more = _asked(request)
    if not picked or len(picked) > resolution.MOST:
        return _back(request, _("There is nothing left to take back."))
    allowed, refused = _permitted(request, picked)
    results = [*resolution.undo_together(allowed, request.user), *refused]
    return _keep(request, results, "")


# --- what was selected ----------------------------------------------------------------------------------


def _asked(request: HttpRequest) -> tuple[list[Picked], int]:
    """The selected rows as they were shown; of a wave the soonest, and how many are left for later."""
    wave = wave_of(request.user, str(request.POST.get("wave", "")))
    if wave is not None:
        rows = waves.awake_questions(wave, timezone.now())
        rows = rows.filter(status=Mismatch.Status.OPEN)
        numbers = rows.order_by("start_minute", "pk").values_list("pk", flat=True)
        first = list(numbers[: resolution.MOST])
        return [Picked(pk, "") for pk in first], max(0, rows.count() - len(first))
    picked: dict[int, Picked] = {}
    for value in request.POST.getlist("row"):
        number, _colon, version = value.partition(":")
        if number.isascii() and number.isdecimal() and len(number) < 19:
            picked[int(number)] = Picked(int(number), version[:64])
    return list(picked.values()), 0


def _visible(request: HttpRequest, ids: list[int]) -> list[Card]:
    now = timezone.now()
    rows = with_card_rows(Mismatch.objects.for_user(request.user).filter(pk__in=ids))
    ordered = under_headings(rows, divisions_of(request.user), now)
    return make_cards(ordered, settles_in(request.user), now)


def _confirm(request: HttpRequest, picked: list[Picked], left: int) -> HttpResponse:
    versions = {row.mismatch_id: row.version for row in picked}
    cards = _visible(request, list(versions))
    fresh = [
        card for card in cards if card.can_pick and versions[card.row.pk] in ("", card.row.version)
    ]
    record_view(request, "together", (_subject(card) for card in fresh))
    context = {
        "lines": [_line(card) for card in fresh],
        "offers": _offers(fresh),
        "stopped": sorted({o.stopped for card in fresh for o in card.options if o.stopped}),
        "changed": len(versions) - len(fresh),
        "left": left,
        "seconds": resolution.UNDO_SECONDS_TOGETHER,
        "next": _next(request),
    }
    return render(request, "appointments/together.html", context)


def _line(card: Card, result: tuple[str, str] | None = None) -> Line:
    change = wording.difference_text(card.row, card.zone)
    if result is None:
        return Line(card, change)
    outcome, reason = result
    return Line(card, change, outcome, wording.became_sentence(outcome, reason))


def _offers(cards: list[Card]) -> list[Offer]:
    """The choices that all of them have, in the order of the first."""
    common = [set(_possible(card)) for card in cards]
    if not common:
        return []
    actions = [a for a in _possible(cards[0]) if all(a in other for other in common)]
    offers = [_offer(action, cards) for action in actions]
    return sorted(offers, key=lambda offer: not offer.recommended)


def _possible(card: Card) -> dict[str, dict[str, Any]]:
    """By action the choices that need nothing to be picked and are not switched off."""
    stopped = {o.action for o in (*card.options, *card.quiet) if o.stopped}
    return {
        choice["action"]: choice
        for choice in card.row.choices
        if choice["action"] not in stopped and len(choice.get("targets") or ()) < 2
    }


def _offer(action: str, cards: list[Card]) -> Offer:
    choices = [_possible(card)[action] for card in cards]
    plans = [
        plan
        for choice in choices
        if (plan := choice.get("plan") or next(iter((choice.get("plans") or {}).values()), None))
    ]
    mails = [who for plan in plans for who in plan.get("mails") or ()]
    final = sum(bool(choice.get("irreversible")) for choice in choices)
    return Offer(
        action=action,
        label=wording.together_label(wording.action_label(action), len(cards)),
        effect=wording.effect_lines(
            Counter(plan["side"] for plan in plans), len(mails), len(set(mails)), final
        ),
        recommended=all(choice.get("recommended") for choice in choices),
        irreversible=final > 0,
    )


# --- the click ------------------------------------------------------------------------------------------


def _settle(request: HttpRequest, picked: list[Picked], action: str) -> HttpResponse:
    allowed, refused = _permitted(request, picked)
    targets = _only_targets([row.mismatch_id for row in allowed], action)
    named = [
        Picked(row.mismatch_id, row.version, targets.get(row.mismatch_id, "")) for row in allowed
    ]
    results = [*resolution.resolve_together(named, action, request.user), *refused]
    return _keep(request, results, action)


def _permitted(request: HttpRequest, picked: list[Picked]) -> tuple[list[Picked], list[Result]]:
    """Those that this account may decide; of the others one that it may not see does not exist."""
    mine = Mismatch.objects.for_user(request.user)
    divisions = dict(
        mine.filter(pk__in=[row.mismatch_id for row in picked]).values_list("pk", "division")
    )
    settles = settles_in(request.user)
    allowed, refused = [], []
    for row in picked:
        if row.mismatch_id not in divisions:
            refused.append(Result(row.mismatch_id, "", Outcome.CHANGED))
        elif divisions[row.mismatch_id] not in settles:
            words = _("You may look at this division, but not decide there.")
            refused.append(Result(row.mismatch_id, row.version, Outcome.REFUSED, words))
        else:
            allowed.append(row)
    return allowed, refused


def _only_targets(ids: list[int], action: str) -> dict[int, str]:
    """Where a choice has one thing to pick, that is it; its version guards that it still is."""
    found = {}
    for row in Mismatch.objects.filter(pk__in=ids).only("choices"):
        for choice in row.choices:
            targets: list[dict[str, str]] = choice.get("targets") or []
            if choice["action"] == action and len(targets) == 1:
                found[row.pk] = targets[0]["id"]
    return found


# --- the results ----------------------------------------------------------------------------------------


def _keep(request: HttpRequest, results: list[Result], action: str) -> HttpResponse:
    """Shown by an address of its own, so that a reload decides nothing again."""
    request.session[KEPT_IN_SESSION] = {
        "action": action,
        "rows": [[r.mismatch_id, r.version, str(r.outcome), r.reason] for r in results],
        "next": _next(request),
    }
    return redirect("together")


def _results(request: HttpRequest) -> HttpResponse:
    kept = request.session.get(KEPT_IN_SESSION)
    if not kept:
        return redirect("queue")
    became = {row[0]: (row[2], row[3]) for row in kept["rows"]}
    versions = {row[0]: row[1] for row in kept["rows"]}
    lines = [_line(card, became[card.row.pk]) for card in _visible(request, list(became))]
    record_view(request, "together", (_subject(line.card) for line in lines))
    again = {Outcome.CHANGED, Outcome.NOT_REACHED, Outcome.FAILED}
    # What needs a look stands first.
    lines.sort(key=lambda line: line.outcome in (Outcome.DECIDED, Outcome.UNDONE))
    context = {
        "summary": wording.summary_sentence(Counter(row[2] for row in kept["rows"])),
        "action": wording.action_label(kept["action"]) if kept["action"] else "",
        "lines": lines,
        "again": [line for line in lines if line.outcome in again and line.card.can_pick],
        "undoable": [
            f"{line.card.row.pk}:{versions[line.card.row.pk]}" for line in lines if line.can_undo
        ],
        "unsent": max((line.card.undo_seconds for line in lines), default=0),
        "next": kept["next"],
        "here": reverse("together"),
    }
    return render(request, "appointments/together_done.html", context)


def _subject(card: Card) -> str:
    return str(card.row.pair_id) if card.row.pair_id else f"mismatch {card.row.pk}"


def _next(request: HttpRequest) -> str:
    return safe_page(request, str(request.POST.get("next", "")), reverse("queue"))


def _back(request: HttpRequest, sentence: str) -> HttpResponse:
    return back(request, reverse("queue"), sentence, messages.WARNING)
