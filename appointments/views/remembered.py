"""What people's words are still remembered, and what staff always answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from appointments import resolution, wording
from appointments.configuration import habits
from appointments.configuration.effects import TooMany
from appointments.configuration.habits import Offer
from appointments.core.habits import Answer
from appointments.forms import RememberedFilter
from appointments.models import Decision, Division, LearnedRule, Mismatch, Note, Role
from appointments.views.access import (
    administers,
    back,
    divisions_of,
    paged,
    query_without_page,
    record_view,
    require_settling,
    settles_in,
    signed_in,
)
from appointments.views.team_blocks import note_text

MOST_COMPARED: Final = 1000  # visits: some ten seconds
MOST_LISTED: Final = 20  # answers of a back-test


@dataclass(frozen=True, slots=True)
class Memory:
    """One remembered word, for one line of the list."""

    row: Decision
    label: str
    title: str
    visit: int | None
    time: str
    why: str
    who: str
    at: str
    state: str
    in_force: bool
    revoking: list[str]
    can_revoke: bool
    notes: list[str]


@signed_in
@require_GET
def remembered(request: HttpRequest) -> HttpResponse:
    """Decisions that keep a difference from being asked again, each revocable; and learned rules."""
    now = timezone.now()
    divisions = divisions_of(request.user)
    rows = decisions_of(request.user)
    people = _people(rows)
    asked = request.GET.copy()
    asked.setdefault("state", RememberedFilter.IN_FORCE)
    filters = RememberedFilter(asked, rows, divisions=divisions, people=people)
    page = paged(request, _listed(filters.qs))
    settles = settles_in(request.user)
    memories = _memories(list(page.object_list), settles)
    own = list(divisions)
    offered = habits.offers(own, now)
    own_rules = list(_rules(own))
    record_view(request, "remembered", [_subject(memory.row) for memory in memories])
    context = {
        "memories": memories,
        "page": page,
        "filters": filters.form,
        "query": query_without_page(request),
        "filtered": any(asked.get(n) for n in ("division", "action", "who"))
        or asked["state"] != RememberedFilter.IN_FORCE,
        "offers": [_shown_offer(offer) for offer in offered if not offer.in_force],
        "rules": [_shown_rule(rule) for rule in own_rules],
        "administered": _administered(request.user),
    }
    return render(request, "appointments/remembered.html", context)


def decisions_of(user: Any) -> QuerySet[Decision]:
    """By the division in which it was decided; where the question is gone, by that of the records."""
    own = Division.objects.for_user(user)
    gone = Q(mismatch=None) & (Q(pair__division__in=own) | Q(oncall__division__in=own))
    return Decision.objects.filter(Q(mismatch__division__in=own) | gone)


def _listed(rows: QuerySet[Decision]) -> QuerySet[Decision]:
    """The raw records stay out: they would be decrypted for nothing."""
    return (
        rows.select_related(
            "user",
            "pair__division",
            "oncall__division",
            "emr__division",
            "mismatch__division",
            "mismatch__connection",
        )
        .defer("oncall__raw", "emr__raw", "mismatch__connection__credentials")
        .order_by("-made_at", "-pk")
    )


def _people(rows: QuerySet[Decision]) -> list[tuple[str, str]]:
    users = get_user_model().objects.filter(pk__in=rows.order_by().values("user"))
    found = [(str(user.pk), wording.person_name(user)) for user in users]
    return sorted(found, key=lambda one: one[1].casefold())


def _memories(rows: list[Decision], settles: frozenset[int]) -> list[Memory]:
    notes: dict[int, list[str]] = {}
    asked_about = [row.mismatch_id for row in rows if row.mismatch_id]
    for note in Note.objects.filter(mismatch__in=asked_about):
        notes.setdefault(note.mismatch_id, []).append(f"{note_text(note)} ({note.author})")
    return [_memory(row, settles, notes.get(row.mismatch_id or 0, [])) for row in rows]


def _memory(row: Decision, settles: frozenset[int], notes: list[str]) -> Memory:
    covers = row.ended_at is not None or resolution.still_covers(row)
    about = row.mismatch
    zone = wording.zone_of(about) if about else None
    start = about.start if about else None
    time = (
        f"{wording.moment_text(start, zone)} {wording.zone_text(start, zone)}"
        if start and zone
        else ""
    )
    return Memory(
        row=row,
        label=wording.decision_label(row),
        title=_title(about),
        visit=row.pair_id or (about.pair_id if about else None),
        time=time,
        why=wording.reason_sentence(about) if about else "",
        who=wording.person_name(row.user),
        at=wording.day_in_zone(row.made_at, about or row.pair or row.oncall or row.emr),
        state=wording.decision_state(row, covers=covers),
        in_force=row.ended_at is None and covers,
        revoking=wording.revoking_lines(row),
        can_revoke=row.ended_at is None and _division_id(row) in settles,
        notes=notes,
    )


def _title(about: Mismatch | None) -> str:
    if about is None:
        return _("A visit that is not known any more")
    details = about.reason_details or {}
    return str(about.patient or details.get("label") or wording.kind_label(about.kind))


def _subject(row: Decision) -> str:
    about = row.mismatch
    pair = row.pair_id or (about.pair_id if about else None)
    return str(pair) if pair else f"mismatch {row.mismatch_id}"


def _division_id(row: Decision) -> int | None:
    if row.mismatch is not None:
        return row.mismatch.division_id
    if row.pair is not None:
        return row.pair.division_id
    return row.oncall.division_id if row.oncall else None


@signed_in
@require_POST
def revoke(request: HttpRequest, decision_id: int) -> HttpResponse:
    """The confirming click; what will happen stood above the button."""
    row = get_object_or_404(_listed(decisions_of(request.user)), pk=decision_id)
    require_settling(request.user, _division_id(row))
    try:
        resolution.revoke(decision_id=row.pk, user=request.user)
    except resolution.NotOffered as refused:
        return back(request, reverse("remembered"), refused.reason, messages.WARNING)
    said = _(
        "Revoked, and compared again. If the visit still differs, it is on the list of mismatches."
    )
    return back(request, reverse("remembered"), said, messages.SUCCESS)


# --- learned rules --------------------------------------------------------------------------------------


def _shown_offer(offer: Offer) -> dict[str, Any]:
    return {
        "key": offer.key,
        "division": offer.division,
        "case": wording.case_sentence(offer.habit.case),
        "sentence": wording.habit_sentence(offer.habit),
        "rule": wording.line_sentence(offer.line) if offer.line else "",
        "why_not": wording.why_not_sentence(offer.why_not) if offer.why_not else "",
        "in_a_row": offer.habit.in_a_row,
        "otherwise": len(offer.habit.otherwise),
    }


def _shown_rule(rule: LearnedRule) -> dict[str, Any]:
    return {
        "row": rule,
        "division": rule.division,
        "sentence": wording.line_sentence(habits.line_of(rule)),
        "who": wording.person_name(rule.user),
        "at": wording.day_in_zone(rule.made_at, rule),
        "in_force": habits.in_force(rule),
    }


def _rules(divisions: Sequence[Division]) -> QuerySet[LearnedRule]:
    rows = LearnedRule.objects.filter(division__in=divisions, ended_at=None)
    return rows.select_related("division", "user")


def _administered(user: Any) -> frozenset[int]:
    rows = Division.objects.with_role(user, Role.ADMINISTRATOR)
    return frozenset(rows.values_list("pk", flat=True))


@signed_in
@require_GET
def rule(request: HttpRequest) -> HttpResponse:
    """The back-test of one habit and the effect of making it a rule, before anything is saved."""
    now = timezone.now()
    offer = _offer(request, str(request.GET.get("rule", "")), now)
    if not administers(request.user, offer.division):
        raise PermissionDenied
    contrary = _listed_answers(offer.habit.otherwise, offer.division)
    record_view(request, "learned rule", [entry["subject"] for entry in contrary])
    context = {
        "offer": _shown_offer(offer),
        "contrary": contrary,
        "left_out": max(0, len(offer.habit.otherwise) - MOST_LISTED),
        "effects": _effects(lambda: habits.effect_of_learning(offer, most=MOST_COMPARED)),
        "irreversible": offer.line is not None and offer.line.subject == "cancel",
    }
    return render(request, "appointments/rule.html", context)


def _listed_answers(answers: Sequence[Answer], division: Division) -> list[dict[str, Any]]:
    newest = sorted(answers, key=lambda a: a.at, reverse=True)[:MOST_LISTED]
    rows = Mismatch.objects.select_related("division", "connection").in_bulk(
        [answer.mismatch for answer in newest]
    )
    zone = wording.zone_of(division)
    found = []
    for answer in newest:
        about = rows[answer.mismatch]
        found.append(
            {
                "subject": about.pair_id or f"mismatch {about.pk}",
                "visit": about.pair_id,
                "title": _title(about),
                "difference": wording.difference_text(about, zone),
                "label": wording.choice_label({"action": answer.action, "plan": None}, about),
                "at": wording.day_in_zone(answer.at, about),
            }
        )
    return found


@signed_in
@require_POST
def rule_on(request: HttpRequest) -> HttpResponse:
    """Switch it on: a line of the division's policy becomes *auto*."""
    try:
        offer = _offer(request, str(request.POST.get("rule", "")), timezone.now())
    except Http404:
        said = _("Nothing was changed: the answers are not what they were. Please look again.")
        return back(request, reverse("remembered"), said, messages.WARNING)
    if not administers(request.user, offer.division):
        raise PermissionDenied
    try:
        habits.learn(offer, request.user)
    except habits.Gone:
        said = _("Nothing was changed: the policy is not what it was. Please look again.")
        return back(request, reverse("remembered"), said, messages.WARNING)
    said = _(
        "Switched on. What differs now is still asked; only later changes are carried over alone."
    )
    return back(request, reverse("remembered"), said, messages.SUCCESS)


def _offer(request: HttpRequest, key: str, now: datetime) -> Offer:
    try:
        offer = habits.offer_of(divisions_of(request.user), key, now)
    except habits.Gone:
        raise Http404 from None
    if offer.in_force:
        raise Http404
    return offer


@signed_in
def rule_off(request: HttpRequest, rule_id: int) -> HttpResponse:
    """GET shows what switching it off would bring, POST does it."""
    found = get_object_or_404(_rules(list(divisions_of(request.user))), pk=rule_id)
    if not administers(request.user, found.division):
        raise PermissionDenied
    if request.method == "POST":
        try:
            habits.unlearn(found.pk, request.user)
        except habits.Gone:
            said = _("It was switched off already.")
            return back(request, reverse("remembered"), said, messages.WARNING)
        said = _("Switched off: the policy says again what it said before.")
        return back(request, reverse("remembered"), said, messages.SUCCESS)
    context = {
        "rule": _shown_rule(found),
        "effects": _effects(lambda: habits.effect_of_unlearning(found, most=MOST_COMPARED)),
    }
    return render(request, "appointments/rule_off.html", context)


def _effects(work_out: Any) -> list[str]:
    try:
        return list(work_out())
    except TooMany:
        return [
            _(
                "So many visits are concerned that working it out here would take too long. "
                "What differs now will be asked, not written."
            )
        ]
