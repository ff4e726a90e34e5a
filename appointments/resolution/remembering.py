"""Take a remembered decision back, however long ago it was made: the visit is compared again."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from appointments import audit
from appointments.core.kinds import Action, Kind
from appointments.gathering.claims import identity_subject, people_subject
from appointments.mismatches import InHand, link_and_compare, unlink
from appointments.models import Decision, Mismatch, Pair
from appointments.resolution.terms import NotOffered, locked
from appointments.wording.refusals import NOT_OFFERED


def still_covers(decision: Decision) -> bool:
    """Are the two records still what this word was about? For words about a pair the comparison ends
    what no longer holds."""
    if decision.oncall is None or decision.emr is None:
        return True
    covers = people_subject if decision.action == Action.LINK else identity_subject
    return decision.subject == covers(decision.oncall, decision.emr)


def revoke(*, decision_id: int, user: Any) -> Decision:
    """End this word; whom it concerned is joined and compared at once. Raises NotOffered."""
    with transaction.atomic():
        decision = Decision.objects.get(pk=decision_id)
        mismatch = locked(decision.mismatch_id) if decision.mismatch_id else None
        now = timezone.now()
        ended = Decision.objects.filter(pk=decision_id, ended_at=None)
        if not ended.update(ended_at=now, ended_because="revoked"):
            raise NotOffered(NOT_OFFERED["ended"])
        _part(decision, mismatch)
        pairs = _concerned(decision, mismatch)
        due = sorted(pairs.values_list("pk", flat=True))
        Pair.objects.filter(pk__in=due).update(recheck_at=now)
        if mismatch is not None and mismatch.pair_id is None:
            _reopen(mismatch)
        audit.record(
            verb="revoked",
            user=user,
            pair=Pair.objects.filter(pk__in=due).order_by("pk").first(),
            division=mismatch.division if mismatch else None,
            subjects=due or [f"mismatch {decision.mismatch_id}"],
            details={"action": decision.action, "decision": decision.pk},
        )
    link_and_compare(due)
    decision.refresh_from_db()
    return decision


def _part(decision: Decision, mismatch: Mismatch | None) -> None:
    """Two that only a person's word holds together are two again; by an answer to *patient differs*
    they were one visit before."""
    by_word = mismatch is None or mismatch.kind != Kind.PATIENT_DIFFERS
    if decision.action != Action.LINK or not by_word:
        return
    pair = Pair.objects.filter(
        oncall=decision.oncall_id, emr=decision.emr_id, linked_by=Pair.LinkedBy.PERSON
    ).first()
    if pair is None:
        return
    try:
        unlink(pair)
    except InHand:
        raise NotOffered(NOT_OFFERED["settling"]) from None


def _concerned(decision: Decision, mismatch: Mismatch | None) -> Any:
    wanted = Q(pk=decision.pair_id or 0) | Q(pk=(mismatch.pair_id if mismatch else 0) or 0)
    if decision.oncall_id:
        wanted |= Q(oncall=decision.oncall_id)
    if decision.emr_id:
        wanted |= Q(emr=decision.emr_id)
    return Pair.objects.filter(wanted)


def _reopen(mismatch: Mismatch) -> None:
    """A question without a visit is opened by nothing but a new reading: the same row again."""
    others = Mismatch.objects.unsettled().filter(
        kind=mismatch.kind, connection=mismatch.connection, subject_key=mismatch.subject_key
    )
    if mismatch.status == Mismatch.Status.CLOSED and not others.exists():
        mismatch.status = Mismatch.Status.OPEN
        mismatch.closed_because, mismatch.closed_at = "", None
        mismatch.save(update_fields=["status", "closed_because", "closed_at"])
