"""A verdict's question → the pair's one unsettled mismatch row, under remembered decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from appointments.core.decisions import Verdict
from appointments.core.kinds import Action, Kind
from appointments.core.plans import digest
from appointments.core.question import Question, choice_to_json
from appointments.core.snooze import Woken
from appointments.core.urgency import HARM
from appointments.core.view import View
from appointments.models import Assignment, Decision, Mismatch, Opening, Pair, Push, Snooze
from emr_adapters.records import Group, Side

UNDO = "undo"
REMEMBERED = (Action.LEAVE_DIFFERENT, Action.BY_HAND)


def settle(pair: Pair, view: View, verdict: Verdict, now: datetime) -> Mismatch | None:
    """Open, refresh or close the pair's mismatch. Returns the unsettled one."""
    question = verdict.question
    # An undo is no answer to a question: it is decided when it is sent.
    clicks = pair.pushes.filter(automatic=False, status__in=Push.NOT_SENT)
    click = clicks.exclude(action=UNDO).first()
    decision = _lapse(pair, question, now)
    if question is None:
        _drop(click, "settled", now)
        if verdict.scope is not None:
            close(pair, f"scope_{verdict.scope}", now)
        else:
            close(pair, "pushing" if verdict.automatic else "agree", now)
        return None
    if click is not None and click.subject != question.subject:
        _drop(click, "changed", now)
        click = None
    if decision is not None and decision.action == Action.LEAVE_DIFFERENT:
        close(pair, "left_different", now)
        return None
    status = Mismatch.Status.OPEN
    if click is not None:
        status = Mismatch.Status.SETTLING
    elif decision is not None:
        status = Mismatch.Status.WAITING
    return _write(pair, view, question, status, now)


def _lapse(pair: Pair, question: Question | None, now: datetime) -> Decision | None:
    """The remembered decision that covers exactly these values; others end when values change."""
    covering = None
    for decision in pair.decisions.filter(action__in=REMEMBERED, ended_at=None):
        if covers(decision, question):
            covering = decision
            continue
        decision.ended_at = now
        decision.ended_because = "agreed" if question is None else "changed"
        decision.save(update_fields=["ended_at", "ended_because"])
    return covering


def covers(decision: Decision, question: Question | None) -> bool:
    """A remembered word is about exactly these values, or it lapses."""
    return question is not None and decision.subject == question.subject


def _drop(click: Push | None, why: str, now: datetime) -> None:
    if click is not None:
        Push.objects.filter(pk=click.pk).drop_unsent(why, now)


def close(pair: Pair, because: str, now: datetime) -> None:
    pair.mismatches.unsettled().update(
        status=Mismatch.Status.CLOSED, closed_because=because[:40], closed_at=now
    )


def list_failure(pair: Pair, what: str, now: datetime) -> None:
    """A visit that the comparison itself failed on: shown, so that nothing is silently left out."""
    if pair.mismatches.unsettled().exists():
        return
    about = digest(["failure", pair.pk, what])
    ids = {f"{side}_id": row.remote_id for side, row in pair.halves.items()}
    Mismatch.objects.create(
        pair=pair,
        division=pair.division,
        kind=Kind.UNREADABLE,
        reason_code="not_compared",
        reason_details={"what": what},
        subject=about,
        version=about,
        harm=HARM[Kind.UNREADABLE],
        first_seen_at=now,
        **ids,
    )


def _write(pair: Pair, view: View, question: Question, status: str, now: datetime) -> Mismatch:
    """One row a pair; a question of another kind or about other values is a new row."""
    mismatch = pair.mismatches.unsettled().first()
    before = None
    if mismatch is not None and mismatch.kind != question.kind:
        close(pair, "changed", now)
        before, mismatch = mismatch, None
    if mismatch is None:
        mismatch = Mismatch(pair=pair, kind=question.kind, first_seen_at=now, changed_at=now)
    facts = _facts(pair, view, question, now) | {"status": status}
    if mismatch.pk and all(getattr(mismatch, name) == value for name, value in facts.items()):
        return mismatch
    if mismatch.version != question.version:
        mismatch.changed_at = now
        if mismatch.pk:
            # Put aside was what it said before, and stays awake should it say that again (law 1).
            asleep = Snooze.objects.filter(mismatch=mismatch.pk, ended_at=None)
            asleep.update(ended_at=now, ended_because=Woken.CHANGED.value)
            # Nobody has been shown what it says now: near its visit it is urgent again.
            Opening.objects.filter(mismatch=mismatch.pk).delete()
    for name, value in facts.items():
        setattr(mismatch, name, value)
    mismatch.save()
    if before is not None:
        # Who had the visit's last question has this one: she is on the telephone already.
        Assignment.objects.filter(mismatch=before).update(mismatch=mismatch)
    return mismatch


def _start_of(view: View, now: datetime) -> datetime | None:
    """When somebody may come next: the earliest start still ahead, whichever side says so, else the earliest.

    ``comparing.next_look`` comes back when that one has passed, too.
    """
    starts = [half.when.start for half in view.halves.values() if half.when.start]
    return min([start for start in starts if start > now] or starts, default=None)


def _facts(pair: Pair, view: View, question: Question, now: datetime) -> dict[str, Any]:
    halves = view.halves
    lead = halves.get(Side.EMR) or halves[Side.ONCALL]
    start = _start_of(view, now)
    providers = next(
        (h.values[Group.PROVIDER] for h in halves.values() if h.values.get(Group.PROVIDER)), ()
    )
    return {
        "division": pair.division,
        "groups": {
            str(group): {"oncall": s.oncall, "emr": s.emr, "baseline": s.baseline}
            for group, s in question.groups.items()
        },
        "reason_code": question.reason.code,
        "reason_details": dict(question.reason.details),
        "choices": [choice_to_json(choice) for choice in question.choices],
        "subject": question.subject,
        "version": question.version,
        "oncall_id": question.ids.get(Side.ONCALL, ""),
        "emr_id": question.ids.get(Side.EMR, ""),
        "patient": ", ".join(p.name or p.email for p in lead.people)[:300],
        "provider": (providers[0].name or providers[0].id)[:200] if providers else "",
        "start": start,
        "start_minute": int(start.timestamp() // 60) if start else None,
        "harm": HARM[question.kind],
    }
