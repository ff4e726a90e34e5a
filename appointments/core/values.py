"""From one side's own words to values both sides can be compared by.

``own_words`` takes from a record what it states, group by group, as plain JSON in that side's own
vocabulary. ``interpret`` turns such words into a comparable value under *today's* configuration (the
``Codebook``). Baselines keep own words, so that a change of our configuration re-reads both sides
alike and is never taken for a change of theirs (law 15).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias

from emr_adapters.records import ABSENT, AppointmentRecord, Group, Person, Side, State

Words: TypeAlias = Any  # JSON: what one side states about one group, in its own vocabulary
Value: TypeAlias = Any  # comparable: see the table in ``interpret``

ONCALL_TYPES: Final = ("online", "inperson", "phone", "message")
SKIP: Final = "skip"
MINUTES_TOLERANCE: Final = 1  # OSCAR-like systems store inclusive ends, a minute or a second short
GENERATIONS: Final = {"jr": "jr", "junior": "jr", "sr": "sr", "senior": "sr"} | {
    numeral: numeral for numeral in ("ii", "iii", "iv")
}
# Letters that Unicode does not take apart into a plain one and an accent.
_PLAIN_LETTERS: Final = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "æ": "ae",
        "œ": "oe",
        "ð": "d",
        "þ": "th",
        "\N{LATIN SMALL LETTER DOTLESS I}": "i",
    }
    | dict.fromkeys("'`\u00b4\u2018\u2019\u02bc", "")  # every way to type an apostrophe
)


@dataclass(frozen=True, slots=True)
class When:
    start: datetime | None
    minutes: int | None


@dataclass(frozen=True, slots=True)
class ProviderValue:
    """A provider in the one vocabulary both sides share: OnCall's provider id as text."""

    id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A value of theirs that no line of our configuration names. ``what``: "provider" or "type"."""

    what: str
    value: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Codebook:
    """One division's mapping between the two vocabularies.

    ``type_rules`` are (shell pattern on the EMR's type code or text, OnCall type or "skip"), first that
    fits. ``practitioners`` maps the EMR's practitioner id to OnCall's provider id, ``providers`` an
    OnCall provider id to its name. ``places`` maps each side's place id to a division's name;
    ``rest_division`` takes EMR visits whose place no division claims.
    """

    type_rules: tuple[tuple[str, str], ...] = ()
    default_type: str = ""
    practitioners: Mapping[str, str] = field(default_factory=dict)
    providers: Mapping[str, str] = field(default_factory=dict)
    sole_provider: str = ""
    places: Mapping[Side, Mapping[str, str]] = field(default_factory=dict)
    rest_division: str = ""

    def oncall_type(self, types: tuple[str, ...]) -> str:
        """The type a rule gives, "" where no rule fits."""
        first = first_rule(self.type_rules, types)
        return "" if first is None else self.type_rules[first][1]

    def emr_type(self, oncall_type: str) -> str | None:
        """The EMR's own word for an OnCall type: the first rule without wildcards that gives it."""
        for pattern, given in self.type_rules:
            if given == oncall_type and not any(mark in pattern for mark in "*?["):
                return pattern
        return None

    def emr_practitioner(self, provider_id: str) -> str | None:
        return next((emr for emr, key in self.practitioners.items() if key == provider_id), None)

    def place_of(self, side: Side, division: str) -> str | None:
        return next((p for p, name in self.places.get(side, {}).items() if name == division), None)

    def division_of(self, side: Side, places: tuple[str, ...]) -> str:
        """The division's name, "" when none is configured for these places."""
        known = self.places.get(side, {})
        claimed = next((known[place] for place in places if place in known), "")
        return claimed or (self.rest_division if side is Side.EMR else "")


def first_rule(rules: Sequence[tuple[str, str]], types: Sequence[str]) -> int | None:
    """The index of the rule of a type table that decides about a visit with these codes and texts."""
    for index, (pattern, _) in enumerate(rules):
        if any(fnmatchcase(text.casefold(), pattern.casefold()) for text in types):
            return index
    return None


def own_words(record: AppointmentRecord) -> dict[Group, Words]:
    """What the record states, as JSON. A group with an unstated part is left out (law 3)."""
    words: dict[Group, Words] = {}
    if record.start is not ABSENT and record.minutes is not ABSENT:
        start = record.start.isoformat() if record.start else None
        words[Group.WHEN] = {"start": start, "minutes": record.minutes}
    if record.state is not ABSENT:
        words[Group.STATE] = str(record.state)
    if record.types is not ABSENT:
        words[Group.TYPE] = list(record.types)
    if record.practitioners is not ABSENT:
        words[Group.PROVIDER] = [{"id": p.id, "name": p.name} for p in record.practitioners]
    if record.people is not ABSENT:
        words[Group.PEOPLE] = [
            {"name": p.name, "email": p.email, "id": p.id, "cancelled": p.cancelled}
            for p in record.people
        ]
    if record.title is not ABSENT:
        words[Group.LABEL] = record.title
    if record.places is not ABSENT:
        words[Group.WHERE] = list(record.places)
    return words


def interpret(side: Side, group: Group, words: Words, book: Codebook) -> Value | Unmapped | None:
    """Own words as a comparable value; ``Unmapped`` or None where nothing comparable is stated.

    ========  ==========================================
    when      ``When``
    state     "booked" or "cancelled" (removed counts as cancelled here; the state itself asks);
              None for what is not a visit yet
    type      one of ``ONCALL_TYPES``, or "skip"
    provider  tuple of ``ProviderValue``
    people    tuple of ``Person``
    label     str
    where     name of a division, "" when it is not configured
    ========  ==========================================
    """
    match group:
        case Group.WHEN:
            start = datetime.fromisoformat(words["start"]) if words["start"] else None
            return When(start, words["minutes"])
        case Group.STATE:
            if words == State.NOT_YET:
                return None
            return "booked" if words == State.BOOKED else "cancelled"
        case Group.TYPE:
            return _interpret_type(side, tuple(words), book)
        case Group.PROVIDER:
            return _interpret_provider(side, words, book)
        case Group.PEOPLE:
            return tuple(Person(**person) for person in words)
        case Group.LABEL:
            return words
        case Group.WHERE:
            return book.division_of(side, tuple(words))


def _interpret_type(side: Side, types: tuple[str, ...], book: Codebook) -> str | Unmapped | None:
    if side is Side.ONCALL:
        # Q14: an unknown word is flagged, never guessed.
        known = next((text for text in types if text in ONCALL_TYPES), None)
        return known or (Unmapped("type", types[0]) if types else None)
    given = book.oncall_type(types)
    if given:
        return given
    # No rule fits: the default says how such visits are held, but the EMR did not: not compared.
    if book.default_type == SKIP:
        return SKIP
    if book.default_type or not types:
        return None
    return Unmapped("type", types[0])


def _interpret_provider(
    side: Side, words: list[dict[str, str]], book: Codebook
) -> tuple[ProviderValue, ...] | Unmapped | None:
    if side is Side.ONCALL:
        named = tuple(
            ProviderValue(item["id"], book.providers.get(item["id"]) or item["name"])
            for item in words
        )
        return named or None
    mapped = tuple(
        ProviderValue(key, book.providers.get(key, item["name"]))
        for item in words
        if (key := book.practitioners.get(item["id"]))
    )
    if mapped or not words:
        return mapped or None
    return Unmapped("provider", words[0]["id"], words[0]["name"])


# --- names -----------------------------------------------------------------------------------------


def fold_email(email: str) -> str:
    return email.strip().casefold()


def fold_name(name: str) -> str:
    """Accents, case, punctuation and order of the parts removed: "Tremblay, Jean-François" and
    "jean francois tremblay" fold alike, and so do "O'Brien" and "OBrien"."""
    plain = unicodedata.normalize("NFKD", name.casefold().translate(_PLAIN_LETTERS))
    flat = "".join(
        char if char.isalnum() else " "
        for char in plain.casefold().translate(_PLAIN_LETTERS)
        if not unicodedata.combining(char)
    )
    return " ".join(sorted(flat.split()))


def names_fit(one: str, two: str) -> bool:
    """Equal when folded, or one is the other with parts left out or shortened to initials.

    At least two parts must be there, one of them in full on both sides, so that "Marie" alone fits
    nobody and "J. S." neither. An empty name fits nothing. The order of the two does not matter.
    """
    first, second = (Counter(fold_name(name).split()) for name in (one, two))
    if first == second:
        return bool(first)
    common, left, right = first & second, first - second, second - first
    if min(first.total(), second.total()) < 2 or not any(len(part) > 1 for part in common):
        return False
    if left.total() > right.total():
        left, right = right, left
    # Every part left of the shorter name must be an initial of one left of the longer, or the reverse.
    (short_initials, short_words), (long_initials, long_words) = _by_letter(left), _by_letter(right)
    return short_initials <= long_words and short_words <= long_initials


def _by_letter(parts: Counter[str]) -> tuple[Counter[str], Counter[str]]:
    """How many initials and how many words begin with each letter."""
    initials: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for part in parts.elements():
        (initials if len(part) == 1 else words)[part[0]] += 1
    return initials, words


def same_generation(one: str, two: str) -> bool:
    """Both junior, both senior, or neither says: "John Smith" is no proof for "John Smith Jr."."""
    first, second = (
        {GENERATIONS[part] for part in fold_name(name).split() if part in GENERATIONS}
        for name in (one, two)
    )
    return first == second


def certainly_named_alike(one: str, two: str) -> bool:
    """Names that may prove identity together with an e-mail, not merely not speak against it."""
    return names_fit(one, two) and same_generation(one, two)


def same_person(one: Person, two: Person) -> bool:
    """Equal e-mail or equal folded name: enough to *stop* a create, never enough to link."""
    if one.email and fold_email(one.email) == fold_email(two.email):
        return True
    return bool(fold_name(one.name)) and fold_name(one.name) == fold_name(two.name)


def fitting_person(one: Person, two: Person) -> bool:
    """The same human being in a linked pair: the name fits, or there is no name and the e-mail is equal."""
    if one.name and two.name:
        return names_fit(one.name, two.name)
    return bool(one.email) and fold_email(one.email) == fold_email(two.email)
