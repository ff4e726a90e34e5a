"""What staff always answer → a line of the division's policy, with its back-test and its effect.

No second way of deciding: a learned rule is the policy's own line set to *auto*, and taking it back sets
that line to what it was. ``core.habits`` counts; this reads rows and saves inside ``changing``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils import timezone

from appointments import audit
from appointments.configuration.changing import changing
from appointments.configuration.consequences import permissions
from appointments.configuration.effects import effects_of
from appointments.core.habits import (
    LOOKED_BACK,
    Answer,
    Case,
    Habit,
    Line,
    WhyNot,
    case_of,
    habits,
    line_for,
    stands_against,
)
from appointments.core.kinds import Kind
from appointments.core.policy import Permission, Subject
from appointments.models import AuditEvent, Division, LearnedRule, Mismatch
from emr_adapters.records import Side

TEACHING: Final = (
    Kind.VALUES_DIFFER,
    Kind.CANCELLED_ON_ONE_SIDE,
    Kind.MISSING_IN_ONCALL,
    Kind.MISSING_IN_EMR,
)
MOST_READ: Final = 20_000  # clicks and questions of the last 90 days
_SHAPE: Final = ("pk", "division", "kind", "groups", "reason_code", "reason_details")


@dataclass(frozen=True, slots=True)
class Offer:
    """A habit, and what could be made of it: a line of the policy, or the reason why none."""

    division: Division
    habit: Habit
    line: Line | None
    why_not: WhyNot | None = None
    in_force: bool = False

    @property
    def key(self) -> str:
        """Names it in a form; what it stands for is worked out afresh from the rows."""
        case = self.habit.case
        parts = (case.division, case.kind, case.group, case.reason, case.changed, self.habit.action)
        return ":".join(str(part) for part in parts)


class Gone(Exception):
    """What was offered is not what is true any more: nothing was changed."""


def offers(divisions: Iterable[Division], now: datetime) -> list[Offer]:
    """What staff of these divisions always answer. Three queries, however much there is."""
    known = {division.pk: division for division in divisions}
    found = []
    for habit in _habits(known, now):
        division = known[habit.case.division]
        line = line_for(habit.case, habit.action)
        if isinstance(line, WhyNot):
            found.append(Offer(division, habit, None, line))
            continue
        word = word_of(division, line)
        in_force = word is Permission.AUTO
        found.append(Offer(division, habit, line, stands_against(word), in_force))
    return found


def habit_of(mismatch: Mismatch, now: datetime) -> Offer | None:
    """What this question's answer is a habit of, for the one who has just given it."""
    if mismatch.division is None or mismatch.kind not in TEACHING:
        return None
    case = case_of(
        mismatch.division.pk,
        mismatch.kind,
        mismatch.groups,
        mismatch.reason_code,
        mismatch.reason_details or {},
    )
    found = (offer for offer in offers([mismatch.division], now) if offer.habit.case == case)
    return next((offer for offer in found if not offer.in_force), None)


def offer_of(divisions: Iterable[Division], key: str, now: datetime) -> Offer:
    """The offer of that key as it is now. Raises Gone."""
    number = key.partition(":")[0]
    own = [division for division in divisions if str(division.pk) == number]
    for offer in offers(own, now):
        if offer.key == key and offer.line is not None and offer.why_not is None:
            return offer
    raise Gone


def word_of(division: Division, line: Line) -> Permission:
    return permissions(division.policy or {}, division.system_of_record)[line.source, line.subject]


def _habits(known: dict[int, Division], now: datetime) -> list[Habit]:
    since = now - LOOKED_BACK
    clicks = _clicks(known, since)
    rows = Mismatch.objects.filter(division__in=known, kind__in=TEACHING)
    cases: dict[int, Case] = {}
    for pk, division, kind, groups, reason, details in rows.filter(pk__in=list(clicks)).values_list(
        *_SHAPE
    ):
        if case := case_of(division, kind, groups, reason, details or {}):
            cases[pk] = case
    answers = [
        Answer(cases[pk], action, at, pk, who)
        for pk, (action, at, who) in clicks.items()
        if pk in cases
    ]
    return habits(answers, _unanswered(known, since, set(clicks)))


def _clicks(known: Iterable[int], since: datetime) -> dict[int, tuple[str, datetime, int]]:
    """Per question the last choice of a person that was not taken back: action, when, whose."""
    events = AuditEvent.objects.filter(
        verb__in=("resolved", "undone"), division__in=known, at__gte=since, user__isnull=False
    ).order_by("-at", "-pk")[:MOST_READ]
    found: dict[int, tuple[str, datetime, int]] = {}
    for verb, details, at, who in reversed(
        list(events.values_list("verb", "details", "at", "user"))
    ):
        mismatch = int(details.get("mismatch") or 0)
        if verb == "undone":
            found.pop(mismatch, None)
        elif mismatch:
            found[mismatch] = (str(details.get("action")), at, who)
    return found


def _unanswered(known: Iterable[int], since: datetime, answered: set[int]) -> Counter[Case]:
    rows = Mismatch.objects.filter(
        division__in=known, kind__in=TEACHING, first_seen_at__gte=since
    ).order_by("-pk")[:MOST_READ]
    found: Counter[Case] = Counter()
    for pk, division, kind, groups, reason, details in rows.values_list(*_SHAPE):
        if pk in answered:
            continue
        if case := case_of(division, kind, groups, reason, details or {}):
            found[case] += 1
    return found


# --- switching on and off -------------------------------------------------------------------------------


def effect_of_learning(offer: Offer, *, most: int) -> Sequence[str]:
    """What switching it on would bring, worked out and taken back (law 15). Raises TooMany."""
    line = _line(offer)
    return _effects(offer.division, line, Permission.AUTO.value, most)


def effect_of_unlearning(rule: LearnedRule, *, most: int) -> Sequence[str]:
    """What switching it off would bring."""
    return _effects(rule.division, line_of(rule), rule.before, most)


def _effects(division: Division, line: Line, word: str, most: int) -> Sequence[str]:
    followed: list[str] = []

    def change() -> None:
        with changing() as outcome:
            _set(Division(pk=division.pk), line, word)
        followed.extend(str(one) for one in outcome.consequences)

    effects = [str(effect) for effect in effects_of(change, most=most)]
    return [*followed, *effects]


def learn(offer: Offer, user: Any) -> LearnedRule:
    """Set the line to *auto*; the caller has asked whether this person administers the division.

    Raises Gone where somebody has forbidden it meanwhile, or switched it on: that rule keeps what it
    will give back.
    """
    line = _line(offer)
    now = timezone.now()
    with changing(user=user):
        division = _locked(offer.division)
        if word_of(division, line) in (Permission.NEVER, Permission.AUTO):
            raise Gone
        before = _stored(division, line)
        _set(division, line, Permission.AUTO.value)
        LearnedRule.objects.filter(
            division=division, source=line.source, subject=line.subject, ended_at=None
        ).update(ended_at=now)
        rule = LearnedRule.objects.create(
            division=division,
            source=line.source.value,
            subject=line.subject.value,
            before=before,
            action=offer.habit.action,
            same=len(offer.habit.this_way),
            contrary=len(offer.habit.otherwise),
            user=user,
            made_at=now,
        )
        _record("rule_learned", rule, user)
    return rule


def unlearn(rule_id: int, user: Any) -> LearnedRule:
    """Set the line back to what it was. Raises Gone where that was done already."""
    with changing(user=user):
        rule = LearnedRule.objects.select_related("division").get(pk=rule_id)
        rule.division = _locked(rule.division)  # before the rule's row, as ``learn`` does
        ended = LearnedRule.objects.filter(pk=rule_id, ended_at=None)
        if not ended.update(ended_at=timezone.now(), ended_by=user):
            raise Gone
        if in_force(rule):
            _set(rule.division, line_of(rule), rule.before)
        _record("rule_unlearned", rule, user)
    rule.refresh_from_db()
    return rule


def line_of(rule: LearnedRule) -> Line:
    return Line(Side(rule.source), Subject(rule.subject))


def in_force(rule: LearnedRule) -> bool:
    """Does the policy still say so? Somebody may have set the line otherwise since."""
    return rule.ended_at is None and word_of(rule.division, line_of(rule)) is Permission.AUTO


def _line(offer: Offer) -> Line:
    if offer.line is None:
        raise Gone
    return offer.line


def _key(line: Line) -> str:
    return f"{line.source.value}_to_{line.source.other.value}"


def _stored(division: Division, line: Line) -> str:
    """What the division's own policy says about this line; "" where the default counts."""
    return str((division.policy or {}).get(_key(line), {}).get(line.subject.value, ""))


def _locked(division: Division) -> Division:
    """As it is now, and as it stays until this change is saved."""
    return Division.objects.select_for_update().get(pk=division.pk)


def _set(division: Division, line: Line, word: str) -> None:
    """On the row as it is now: another line may have been set since it was read."""
    row = _locked(division)
    policy = {key: dict(words) for key, words in (row.policy or {}).items()}
    words = policy.setdefault(_key(line), {})
    words.pop(line.subject.value, None)
    if word:
        words[line.subject.value] = word
    row.policy = {key: words for key, words in policy.items() if words}
    row.save(update_fields=["policy"])
    division.policy = row.policy


def _record(verb: str, rule: LearnedRule, user: Any) -> None:
    details: dict[str, Any] = {
        "source": rule.source,
        "subject": rule.subject,
        "action": rule.action,
    }
    details |= {"same": rule.same, "contrary": rule.contrary}
    audit.record(verb=verb, user=user, division=rule.division, details=details)
