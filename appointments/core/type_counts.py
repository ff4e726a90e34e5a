"""How many visits each line of a type table takes, and which types no line names.

Pure. A visit's types are the EMR's own codes and texts, most specific first, as in
``AppointmentRecord.types``; rules are (shell pattern, OnCall type or "skip"), the first that fits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from appointments.core.values import first_rule

Types = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unnamed:
    """Visits of one type that no line takes: their first word, all their words, and how many they are."""

    word: str
    words: Types
    visits: int


@dataclass(frozen=True, slots=True)
class TypeCounts:
    """``lines`` in the order of the rules; ``unnamed`` the most frequent first; ``without`` say no type."""

    lines: tuple[int, ...]
    unnamed: tuple[Unnamed, ...]
    without: int

    @property
    def left(self) -> int:
        """Visits that the default decides about, or nobody."""
        return sum(one.visits for one in self.unnamed) + self.without


def count_types(visits: Iterable[Types], rules: Sequence[tuple[str, str]]) -> TypeCounts:
    lines = [0] * len(rules)
    unnamed: Counter[str] = Counter()
    words: dict[str, Types] = {}
    without = 0
    for types, count in Counter(visits).items():
        index = first_rule(rules, types)
        if index is not None:
            lines[index] += count
        elif types:
            unnamed[types[0]] += count
            words.setdefault(types[0], types)
        else:
            without += count
    found = sorted(unnamed.items(), key=lambda item: (-item[1], item[0]))
    return TypeCounts(
        tuple(lines), tuple(Unnamed(word, words[word], n) for word, n in found), without
    )


def exactly(text: str) -> str:
    """The pattern that fits this text and no other."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in text)
