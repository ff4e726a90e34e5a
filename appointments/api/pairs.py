"""What one visit amounts to, in one word (law 1): computed by the database, so that it can be filtered."""

from __future__ import annotations

import enum
from typing import Any

from django.db.models import Case, CharField, Exists, OuterRef, Q, QuerySet, Value, When
from django.utils import timezone

from appointments.models import Decision, Mismatch, Pair, Push


class PairStatus(enum.StrEnum):
    MISMATCH = "mismatch"  # a person is needed
    PUSH = "push"  # a write is under way
    WAITING = "waiting"  # somebody said that it will be done by hand
    DECIDED = "decided"  # a person's remembered word
    OUT_OF_SCOPE = "out_of_scope"  # for the reason in ``scope``
    CHECKING = "checking"  # there is news; it is about to be compared
    AGREES = "agrees"


def with_status(pairs: QuerySet[Pair, Pair]) -> QuerySet[Any, Any]:
    here = Q(pair=OuterRef("pk"))
    asked = Mismatch.objects.unsettled().filter(here)
    open_, settling, waiting = (
        Mismatch.Status.OPEN,
        Mismatch.Status.SETTLING,
        Mismatch.Status.WAITING,
    )
    news = Q(oncall=None) | Q(emr=None) | Q(recheck_at__lte=timezone.now())
    words = [
        (Exists(asked.filter(status=open_)), PairStatus.MISMATCH),
        (Exists(asked.filter(status=settling)), PairStatus.PUSH),
        (Exists(asked.filter(status=waiting)), PairStatus.WAITING),
        (Exists(Push.objects.under_way().filter(here)), PairStatus.PUSH),
        (Exists(Decision.objects.filter(here, ended_at=None)), PairStatus.DECIDED),
        (~Q(scope=""), PairStatus.OUT_OF_SCOPE),
        (news, PairStatus.CHECKING),
    ]
    cases = [When(condition, then=Value(str(word))) for condition, word in words]
    agrees = Value(str(PairStatus.AGREES))
    return pairs.annotate(status=Case(*cases, default=agrees, output_field=CharField()))
