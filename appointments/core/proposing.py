"""Who is who: a proposal that joins OnCall's providers to the EMR's practitioners.

Pure, and only a proposal: a person confirms each line. E-mail first, then name. An e-mail or a name that
several people of one side share tells nobody apart and is no evidence; nobody is proposed twice.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from appointments.core.values import fold_email, fold_name, names_fit
from emr_adapters.records import Practitioner

# Before or behind a name; what is left of a name without them is compared.
TITLES: Final = frozenset(
    [
        *("dr", "dre", "doctor", "docteur", "mr", "mrs", "ms", "mx", "mme", "mlle", "prof"),
        *("professor", "md", "phd", "np", "rn", "rpn", "msw", "rsw", "psyd", "dds", "dmd"),
        *("frcpc", "ccfp"),
    ]
)


class Confidence(enum.StrEnum):
    """In the order of trust; ``wording`` says what each means."""

    SAVED = "saved"  # a person has said so before
    CERTAIN = "certain"  # same e-mail, and the names fit
    NAME = "name"  # same name, nobody else has it; e-mails do not speak against it
    EMAIL = "email"  # same e-mail, and the names do not fit or are not known
    SIMILAR = "similar"  # the names fit (initials, parts left out), nobody else's does
    SEVERAL = "several"  # more than one could be meant: nobody is proposed
    NONE = "none"  # nobody fits


@dataclass(frozen=True, slots=True)
class Proposal:
    """One OnCall provider. ``emr``: ids proposed (several only where they are saved so); ``possible``:
    ids among which a person has to choose."""

    oncall: Practitioner
    confidence: Confidence
    emr: tuple[str, ...] = ()
    possible: tuple[str, ...] = ()


def bare_name(name: str) -> str:
    """Folded, without titles and degrees: "Dr. Ada Osei, MD" and "Osei, Ada" are alike."""
    parts = fold_name(name).split()
    kept = [part for part in parts if part not in TITLES]
    return " ".join(kept if len(kept) > 1 else parts)


def propose(
    oncall: Sequence[Practitioner],
    emr: Sequence[Practitioner],
    saved: Mapping[str, tuple[str, ...]] | None = None,
) -> list[Proposal]:
    """A proposal per OnCall provider, in their order. ``saved``: OnCall id → EMR ids, as configured."""
    saved = saved or {}
    found = {id: Proposal(one, Confidence.SAVED, saved[id]) for id, one in _by_id(oncall, saved)}
    taken = {id for ids in saved.values() for id in ids}
    for confidence, alike in _ROUNDS:
        left = [one for one in oncall if one.id not in found]
        free = [one for one in emr if one.id not in taken]
        for one, other in _unique(left, free, alike(oncall, emr)):
            found[one.id] = Proposal(one, confidence, (other.id,))
            taken.add(other.id)
    free = [one for one in emr if one.id not in taken]
    return [found.get(one.id) or _undecided(one, free) for one in oncall]


def unmatched(proposals: Iterable[Proposal], emr: Iterable[Practitioner]) -> list[Practitioner]:
    """Those of the EMR whom no line proposes."""
    named = {id for proposal in proposals for id in proposal.emr}
    return [one for one in emr if one.id not in named]


def _by_id(
    oncall: Iterable[Practitioner], saved: Mapping[str, tuple[str, ...]]
) -> list[tuple[str, Practitioner]]:
    return [(one.id, one) for one in oncall if saved.get(one.id)]


# --- the evidence, one round after the other --------------------------------------------------------

Alike = Callable[[Practitioner, Practitioner], bool]
Rule = Callable[[Sequence[Practitioner], Sequence[Practitioner]], Alike]


def _own_emails(oncall: Sequence[Practitioner], emr: Sequence[Practitioner]) -> frozenset[str]:
    """E-mails that one person of each side has: a clinic's shared address is nobody's."""
    sides = [_once(fold_email(one.email) for one in people) for people in (oncall, emr)]
    return frozenset(sides[0] & sides[1])


def _once(keys: Iterable[str]) -> set[str]:
    counted = Counter(keys)
    return {key for key, count in counted.items() if key and count == 1}


def _same_email(one: Practitioner, other: Practitioner) -> bool:
    return fold_email(one.email) == fold_email(other.email)


def _certain(oncall: Sequence[Practitioner], emr: Sequence[Practitioner]) -> Alike:
    own = _own_emails(oncall, emr)
    return lambda one, other: (
        fold_email(one.email) in own and _same_email(one, other) and _similar_names(one, other)
    )


def _by_email(oncall: Sequence[Practitioner], emr: Sequence[Practitioner]) -> Alike:
    own = _own_emails(oncall, emr)
    return lambda one, other: fold_email(one.email) in own and _same_email(one, other)


def _by_name(oncall: Sequence[Practitioner], emr: Sequence[Practitioner]) -> Alike:
    """A name that is there once on each side, among all of them and not only those still left."""
    own = _once(bare_name(one.name) for one in oncall) & _once(bare_name(one.name) for one in emr)
    return lambda one, other: (
        bare_name(one.name) in own and bare_name(one.name) == bare_name(other.name)
    )


def _by_similar_name(oncall: Sequence[Practitioner], emr: Sequence[Practitioner]) -> Alike:
    return _similar_names


def _similar_names(one: Practitioner, other: Practitioner) -> bool:
    return names_fit(bare_name(one.name), bare_name(other.name))


_ROUNDS: Final[tuple[tuple[Confidence, Rule], ...]] = (
    (Confidence.CERTAIN, _certain),
    (Confidence.NAME, _by_name),
    (Confidence.EMAIL, _by_email),
    (Confidence.SIMILAR, _by_similar_name),
)


def _unique(
    left: Sequence[Practitioner], free: Sequence[Practitioner], alike: Alike
) -> list[tuple[Practitioner, Practitioner]]:
    """Pairs in which each is the other's only one."""
    fits = {one.id: [other for other in free if alike(one, other)] for one in left}
    wanted = Counter(other.id for others in fits.values() for other in others)
    return [
        (one, fits[one.id][0])
        for one in left
        if len(fits[one.id]) == 1 and wanted[fits[one.id][0].id] == 1
    ]


def _undecided(one: Practitioner, free: Sequence[Practitioner]) -> Proposal:
    """Nobody, or several: then a person chooses."""
    possible = tuple(
        other.id
        for other in free
        if _similar_names(one, other) or (one.email and _same_email(one, other))
    )
    return Proposal(one, Confidence.SEVERAL if possible else Confidence.NONE, possible=possible)
