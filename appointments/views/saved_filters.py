"""Filters that a person keeps under a name; the queue shows them as chips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from appointments.core.kinds import Kind
from appointments.core.values import fold_name
from appointments.forms import MismatchFilter, SavedFilterForm
from appointments.models import AppointmentPerson, Mismatch, SavedFilter
from appointments.views.access import back, divisions_of, signed_in
from appointments.views.asking import address_query, kept_query


@dataclass(frozen=True, slots=True)
class Chip:
    row: SavedFilter
    address: str
    current: bool


def saved_chips(user: Any, data: Mapping[str, Any]) -> list[Chip]:
    """This person's own; the one that is shown now is marked."""
    shown = kept_query(data)
    return [
        Chip(row, _address(row), row.query == shown and not data.get("day"))
        for row in SavedFilter.objects.filter(user=user)
    ]


def default_address(user: Any) -> str:
    """Where the queue without filters leads, "" for everything."""
    row = SavedFilter.objects.filter(user=user, default=True).first()
    return _address(row) if row else ""


def _address(row: SavedFilter) -> str:
    return f"{reverse('queue')}?{address_query(row.query) or 'all=1'}"


@signed_in
@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keep the present filters under a name; the same name again replaces them."""
    form = SavedFilterForm(request.POST)
    query = _known(kept_query(QueryDict(request.POST.get("query", ""))), request.user)
    if not form.is_valid():
        return _back(request, _("Give the filter a name of at most 40 letters."), messages.WARNING)
    name = form.cleaned_data["name"]
    if _names_a_patient(name):
        words = _("That is the name of a patient. Name the filter after what it shows.")
        return _back(request, words, messages.WARNING)
    mine = _mine(request)
    if mine.count() >= SavedFilter.MOST and not mine.filter(name=name).exists():
        words = _("%(most)d filters are as many as can be kept: delete one first.")
        return _back(request, words % {"most": SavedFilter.MOST}, messages.WARNING)
    with transaction.atomic():
        _one_at_a_time(request)
        default = form.cleaned_data["default"]
        if default:
            mine.update(default=False)
        if not mine.filter(name=name).update(query=query, default=default):
            SavedFilter.objects.create(
                user_id=cast("int", request.user.pk), name=name, query=query, default=default
            )
    return _back(request, _("The filter is kept."), messages.SUCCESS)


@signed_in
@require_POST
def change(request: HttpRequest, filter_id: int) -> HttpResponse:
    """Delete a filter, or make it the one that the queue opens with, or no longer."""
    mine = _mine(request)
    row = get_object_or_404(mine, pk=filter_id)
    wanted = request.POST.get("do")
    if wanted == "delete":
        row.delete()
        return _back(request, _("The filter is deleted."), messages.SUCCESS)
    with transaction.atomic():
        _one_at_a_time(request)
        mine.update(default=False)
        if wanted == "default":
            mine.filter(pk=row.pk).update(default=True)
    words = (
        _("The queue opens with this filter from now on.")
        if wanted == "default"
        else _("The queue opens with everything from now on.")
    )
    return _back(request, words, messages.SUCCESS)


def _mine(request: HttpRequest) -> QuerySet[SavedFilter]:
    return SavedFilter.objects.filter(user=request.user.pk)


def _one_at_a_time(request: HttpRequest) -> None:
    """A double click makes one filter, and one of them the default."""
    list(
        get_user_model()
        .objects.select_for_update()
        .filter(pk=cast("int", request.user.pk))
        .only("pk")
    )


def _known(query: Mapping[str, str], user: Any) -> dict[str, str]:
    """Only what the queue itself offers: what else is posted could be a patient (law 14)."""
    mine = Mismatch.objects.for_user(user)
    provider = query.get("provider", "")
    known = {
        "division": query.get("division") in {str(row.pk) for row in divisions_of(user)},
        "kind": query.get("kind") in set(Kind),
        "who": query.get("who") in dict(MismatchFilter.WHOSE),
        "provider": "\0" not in provider and mine.filter(provider=provider).exists(),
    }
    return {name: value for name, value in query.items() if known.get(name, True)}


def _names_a_patient(name: str) -> bool:
    """A filter's name is shown and kept in the clear: it must not say whom one looks for (law 14)."""
    if "@" in name:
        return True
    words = set(fold_name(name).split())
    with_any = reduce(or_, (Q(name__contains=word) for word in words), Q(pk=None))
    named = AppointmentPerson.objects.filter(with_any).exclude(name="")
    return any(set(n.split()) <= words for n in named.values_list("name", flat=True).distinct())


def _back(request: HttpRequest, sentence: str, level: int) -> HttpResponse:
    return back(request, f"{reverse('queue')}?all=1", sentence, level)
