"""Carry out what the core decides about one visit: baseline, question, automatic write.

Everything about one pair happens in one transaction with the pair locked; no request is made in it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from appointments import audit
from appointments.core.deadlines import deadline_of
from appointments.core.decisions import Verdict, decide
from appointments.core.kinds import Kind, Scope
from appointments.core.plans import Plan, plan_to_json, values_to_json
from appointments.core.policy import Mode, Rules
from appointments.core.view import View
from appointments.gathering import Gatherer
from appointments.gathering.claims import TOO_LATE
from appointments.mirror.direct import BETWEEN_NOT_FOUND
from appointments.mismatches import owners, pairing, questions, unmapped, waves
from appointments.models import Baseline, Division, Mismatch, Pair, Push
from emr_adapters.records import Group, Side

logger = logging.getLogger(__name__)
# Answered by other visits, or (a patient whom reception registers) by a look-up.
LOOK_AGAIN = (
    "possible_match",
    "duplicate_reference",
    "dangling_reference",
    "moved",
    "missing_in_emr",
)
HANDS_OFF = timedelta(seconds=30)
AFTER_A_BUG = timedelta(minutes=30)


def compare_due(
    limit: int = 200,
    divisions: Iterable[Division] | None = None,
    *,
    look_up: bool = True,
) -> int:
    """Pair and compare what is due, at most ``limit`` visits. Returns how many were looked at.

    Order matters: links, then what only the remotes know about those left single, then links again,
    then decisions: a visit is never called missing while its partner waits in the same batch, and no
    request is spent on one that has its partner here.
    """
    now = timezone.now()
    gatherer = Gatherer(now)
    due = Pair.objects.due(now).whole()
    if divisions is not None:
        due = due.filter(Q(division__in=divisions) | Q(division=None))
    pairs = list(due.order_by("recheck_at", "pk")[:limit])
    if not pairs:
        return 0
    pairing.pair_due(pairs, gatherer)
    if look_up:
        left = list(due.filter(pk__in=[pair.pk for pair in pairs]))
        if pairing.look_up_due(left, gatherer):
            pairing.pair_due(left, gatherer)
    touched: set[int] = set()
    for pair in pairs:
        if _compare_safely(pair, gatherer) and pair.division_id:
            touched.add(pair.division_id)
    unmapped.refresh(touched)
    waves.fold(touched, now)
    return len(pairs)


def _compare_safely(pair: Pair, gatherer: Gatherer) -> bool:
    """Law 11: a visit that we cannot decide about is listed as such; the others go on."""
    try:
        return compare_pair(pair.pk, gatherer)
    except OperationalError as error:
        # A deadlock, a lock that did not come: the database's trouble, and no fault of this visit.
        logger.warning("visit %s is compared again soon: %s", pair.pk, type(error).__name__)
        Pair.objects.filter(pk=pair.pk).update(recheck_at=timezone.now() + HANDS_OFF)
        return False
    except Exception as error:
        # Only the kind of error: its text may hold a patient's data (law 14).
        logger.error("visit %s could not be compared: %s", pair.pk, type(error).__name__)
        questions.list_failure(pair, type(error).__name__, gatherer.now)
        Pair.objects.filter(pk=pair.pk).update(recheck_at=gatherer.now + AFTER_A_BUG)
        return False


def look_again(divisions: Iterable[Division]) -> None:
    """Questions about identity depend on other visits; each pass asks them afresh."""
    open_ones = Mismatch.objects.unsettled().filter(kind__in=LOOK_AGAIN, division__in=divisions)
    Pair.objects.filter(
        Q(pk__in=open_ones.values("pair_id"))
        | Q(division__in=divisions, scope__in=[Scope.CANDIDATE, Scope.UNPROVEN])
    ).update(recheck_at=timezone.now())


def compare_pair(pair_id: int, gatherer: Gatherer | None = None) -> bool:
    """Decide about one visit from its rows as they are. Returns False where there was nothing to do."""
    gatherer = gatherer or Gatherer(timezone.now())
    with transaction.atomic():
        pair = Pair.objects.whole().select_for_update(of=("self",)).filter(pk=pair_id).first()
        if pair is None:
            return False
        if pair.division is None:
            _out_of_scope(pair, Scope.NO_DIVISION, gatherer.now)
            return True
        if in_hand(pair):
            # The outbox has it in hand and compares again when it is through.
            Pair.objects.filter(pk=pair.pk).update(recheck_at=gatherer.now + HANDS_OFF)
            return False
        end_overdue(pair, gatherer.now)
        rules = gatherer.rules(pair.division)
        view = gatherer.view(pair, pair.division)
        verdict = decide(view, rules, gatherer.now)
        _apply(pair, view, verdict, rules, gatherer.now)
    if verdict.scope is Scope.CANDIDATE:
        # Apart from this visit's lock: two that name each other would wait for one another.
        _have_asked(gatherer.named_by.get(pair_id, set()), gatherer.now)
    return True


def link_and_compare(pair_ids: Iterable[int], gatherer: Gatherer | None = None) -> None:
    """Decide outside a pass about visits whose partner may have come, or come back, meanwhile."""
    gatherer = gatherer or Gatherer(timezone.now())
    pairs = list(Pair.objects.whole().filter(pk__in=pair_ids))
    rows = [row.pk for pair in pairs for row in pair.halves.values()]
    pairing.pair_due(pairs, gatherer)
    for pair in Pair.objects.filter(Q(oncall__in=rows) | Q(emr__in=rows)).order_by("pk"):
        compare_pair(pair.pk, gatherer)


def in_hand(pair: Pair) -> bool:
    """Is the outbox writing for it? Then it is compared when that is through, and not before."""
    return pair.pushes.filter(status__in=Push.UNDER_HAND).exists()


def end_overdue(pair: Pair, now: datetime) -> None:
    """What waits or is held and could not be sent before the visit began is not sent any more.

    It counts as failed, so that what is decided next asks a person; nothing has to be read for that.
    """
    late = pair.pushes.filter(status__in=Push.NOT_SENT, claimed_at=None, not_after__lte=now)
    ended = late.update(status=Push.Status.FAILED, error_code=TOO_LATE, error="", finished_at=now)
    if ended and pair.division is not None:
        owners.tell_owner(pair.division)


def _apply(pair: Pair, view: View, verdict: Verdict, rules: Rules, now: datetime) -> None:
    move_baseline(pair, view, verdict, now)
    pair.unmapped = sorted(
        f"{u.what}:{u.value}|{u.label}" for h in view.halves.values() for u in h.unmapped
    )
    pair.has_unmapped = bool(pair.unmapped) and verdict.scope in (None, Scope.UNMAPPED)
    pair.scope = verdict.scope or ""
    pair.recheck_at = next_look(view, verdict, rules, now)
    if verdict.scope is None and verdict.question is None and verdict.automatic is None:
        pair.agreed_at = pair.agreed_at or now
    else:
        pair.agreed_at = None
    pair.save()
    if rules.mode is Mode.OBSERVE:
        # A click of before would wait here unseen, and be carried out on the day the division goes live again.
        pair.pushes.drop_unsent("changed", now)
    mismatch = questions.settle(pair, view, verdict, now)
    _queue(pair, view, verdict.automatic, mismatch, rules, now)


def _have_asked(pair_ids: set[int], now: datetime) -> None:
    """A visit that is listed under another's question counts on it; that one may have had no news itself."""
    asked = Mismatch.objects.unsettled().filter(kind__in=(Kind.MOVED, Kind.POSSIBLE_MATCH))
    Pair.objects.filter(pk__in=pair_ids).exclude(pk__in=asked.values("pair_id")).update(
        recheck_at=now
    )


def _out_of_scope(pair: Pair, scope: Scope, now: datetime) -> None:
    pair.scope = scope
    pair.recheck_at = None
    pair.has_unmapped = False
    pair.save(update_fields=["scope", "recheck_at", "has_unmapped"])
    questions.close(pair, f"scope_{scope}", now)
    pair.pushes.drop_unsent("changed", now)


def move_baseline(pair: Pair, view: View, verdict: Verdict, now: datetime) -> None:
    """Both sides state the same: that is what they agree on from now on. Only reads come here."""
    held = {row.group: row for row in pair.baselines.all()}
    for group in verdict.agreed:
        words = {side: half.words.get(group) for side, half in view.halves.items()}
        oncall, emr = words[Side.ONCALL], words[Side.EMR]
        if oncall is None or emr is None:
            continue
        row = held.get(group)
        unconfirmed = any(group in half.unconfirmed for half in view.halves.values())
        if row is None:
            Baseline.objects.create(
                pair=pair,
                group=group,
                oncall=oncall,
                emr=emr,
                unconfirmed=unconfirmed,
                moved_at=now,
            )
        elif (row.oncall, row.emr, row.unconfirmed) != (oncall, emr, unconfirmed):
            audit.record(
                verb="agreed",
                pair=pair,
                subjects=[pair.pk],
                details={"group": str(group), "was": {"oncall": row.oncall, "emr": row.emr}},
            )
            row.oncall, row.emr, row.unconfirmed, row.moved_at = oncall, emr, unconfirmed, now
            row.save()


def next_look(view: View, verdict: Verdict, rules: Rules, now: datetime) -> datetime | None:
    """When time alone changes the answer: a visit begins, or comes into the window."""
    starts = [h.when.start for h in view.halves.values() if h.when.start and h.when.start > now]
    if verdict.scope is Scope.OUTSIDE_WINDOW and starts:
        return now + max(min(starts) - rules.window[1], timedelta(0)) + timedelta(seconds=1)
    if starts and (verdict.question or verdict.automatic or verdict.scope is not None):
        return min(starts) + timedelta(seconds=1)
    return None


# --- the outbox's queue -------------------------------------------------------------------------------------


def _queue(
    pair: Pair,
    view: View,
    plan: Plan | None,
    mismatch: Mismatch | None,
    rules: Rules,
    now: datetime,
) -> None:
    """Keep only the newest intention (law 5): replace what waits, leave what is the same."""
    waiting = pair.pushes.filter(status__in=Push.NOT_SENT).first()
    if waiting is not None:
        if not waiting.automatic:
            return  # a person's click; ``questions.settle`` has looked whether it still holds
        if plan is not None and waiting.fingerprint == plan.fingerprint:
            # The same write; the visit may begin at another time by now.
            not_after = make_push(pair, view, plan, now=now).not_after
            if waiting.not_after != not_after:
                pair.pushes.filter(pk=waiting.pk, status__in=Push.NOT_SENT).update(
                    not_after=not_after
                )
            return
        if not pair.pushes.filter(pk=waiting.pk).drop_unsent("superseded", now):
            return  # just claimed: it decides afresh itself, and is compared after that
    if plan is None or pair.division is None:
        return
    push = make_push(pair, view, plan, now=now)
    push.not_before = max(now + plan.delay, _answer_expected(pair, now))
    push.save()


def _answer_expected(pair: Pair, now: datetime) -> datetime:
    """A half that was not found once is read again ten minutes later, and not before (law 2)."""
    asked = [half.not_found_at for half in pair.halves.values() if half.not_found_at]
    return max((at + BETWEEN_NOT_FOUND for at in asked), default=now)


def make_push(pair: Pair, view: View, plan: Plan, *, now: datetime) -> Push:
    """An unsaved push for ``plan``, with the values it would replace (law 10)."""
    if pair.division is None:
        raise ValueError("a visit without a division is never written")
    half = view.halves.get(plan.side)
    before = values_to_json({g: half.values[g] for g in Group if g in half.values}) if half else {}
    return Push(
        pair=pair,
        division=pair.division,
        connection=pair.division.connection(plan.side),
        side=plan.side,
        operation=plan.operation,
        kind=plan.kind,
        plan=plan_to_json(plan),
        fingerprint=plan.fingerprint,
        before=before,
        mails=list(plan.mails),
        not_before=now,
        not_after=deadline_of(plan, view, now),
        created_at=now,
    )
