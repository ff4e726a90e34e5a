"""Which two records are one visit: references first, then evidence.

Pure. Only equal e-mail, fitting name and equal start, unique on both sides, link alone; everything
else that could be the same visit stops a create and is asked (design, section 6, "Pairing" and the
create gate). An e-mail that several people share is never identity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from appointments.core.compare import Half
from appointments.core.values import certainly_named_alike, fold_email, fold_name, same_person
from emr_adapters.records import Group, Person


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for two records being one visit."""

    same_start: bool
    overlaps: bool
    same_day: bool
    same_person: bool
    certain_person: bool
    provider_fits: bool  # equal, or not known on one side


def evidence(
    one: Half, two: Half, *, local_day: Callable[[datetime], date], shared_emails: frozenset[str]
) -> Evidence:
    """``local_day`` gives an instant's date in the division's zone."""
    first, second = one.when, two.when
    starts = first.start is not None and second.start is not None
    return Evidence(
        same_start=starts and first.start == second.start,
        overlaps=_overlap(one, two),
        same_day=bool(
            first.start and second.start and local_day(first.start) == local_day(second.start)
        ),
        same_person=any(same_person(p, q) for p in one.people for q in two.people),
        certain_person=any(
            certain_person(p, q, shared_emails) for p in one.people for q in two.people
        ),
        provider_fits=_provider_fits(one, two),
    )


def certain_person(one: Person, two: Person, shared_emails: frozenset[str]) -> bool:
    email = fold_email(one.email)
    return (
        bool(email)
        and email == fold_email(two.email)
        and email not in shared_emails
        and certainly_named_alike(one.name, two.name)
    )


def could_be(found: Evidence, *, free: bool) -> bool:
    """Gate (b): could the other side's record be this visit? ``free``: it has no partner yet."""
    if found.same_person and found.overlaps:
        return True
    if not free:
        return False
    return (found.same_person and found.same_day) or (found.same_start and found.provider_fits)


def certainly_is(found: Evidence) -> bool:
    """Linked alone if this holds for exactly one record on each side."""
    return found.same_start and found.certain_person


def shared_emails(people: Iterable[Person]) -> frozenset[str]:
    """E-mails under which names occur that do not fit each other (a family's address)."""
    names: dict[str, set[str]] = {}
    for person in people:
        if person.email and person.name:
            names.setdefault(fold_email(person.email), set()).add(fold_name(person.name))
    return frozenset(
        email
        for email, folded in names.items()
        if any(not certainly_named_alike(a, b) for a in folded for b in folded if a != b)
    )


def is_replacement(cancelled: Half, new: Half) -> bool:
    """Same patient and provider: a cancelled visit and the one made instead of it."""
    people = any(same_person(p, q) for p in cancelled.people for q in new.people)
    return people and _provider_fits(cancelled, new)


def _overlap(one: Half, two: Half) -> bool:
    a, b = one.when, two.when
    if a.start is None or b.start is None:
        return False
    return a.start < b.start + _length(b.minutes) and b.start < a.start + _length(a.minutes)


def _length(minutes: int | None) -> timedelta:
    return timedelta(minutes=max(minutes or 1, 1))


def _provider_fits(one: Half, two: Half) -> bool:
    known = [half.values.get(Group.PROVIDER) for half in (one, two)]
    if not all(known):
        return True
    first, second = ({p.id for p in providers or ()} for providers in known)
    return bool(first & second)
