"""Everything ``decide`` may look at for one visit, gathered by the stage that calls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from appointments.core.compare import BaselineEntry, Half
from appointments.core.kinds import Kind
from appointments.core.policy import GateFacts
from appointments.core.values import Codebook
from emr_adapters.records import Group, Person, Side


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record of the other side that could be this visit. ``free``: it has no partner yet."""

    id: str
    half: Half
    free: bool


@dataclass(frozen=True, slots=True)
class IdentityDoubt:
    """Why it is not certain which record this visit belongs to; ``ids`` are the records involved.

    ``readable`` False: the record that it names is there, and nobody can read it.
    """

    kind: Kind
    ids: tuple[str, ...] = ()
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Replacement:
    """A new visit of the same patient and provider beside a cancelled one (*moved*)."""

    half: Half


@dataclass(frozen=True, slots=True)
class View:
    """One visit: a half of each side, or one half whose partner is missing.

    ``known_patients``: who in the EMR has the same e-mail and a fitting name (None: not looked up yet).
    ``people_confirmed``: a person linked the two knowing that the names differ.
    ``recent_mails``: automatic writes of the last hour that mailed this visit's people (law 9).
    ``failed_plans``: fingerprints of plans that failed for good and wait for a person.
    ``missed_create``: its partner was meant to be created, and could not be.
    ``withheld_at``: when a person wanted to be asked instead; only what was seen later happens alone.
    """

    halves: Mapping[Side, Half]
    book: Codebook = field(default_factory=Codebook)
    baseline: Mapping[Group, BaselineEntry] = field(default_factory=dict)
    title: str = ""
    linked_by_person: bool = False
    identity_in_question: bool = False
    people_confirmed: bool = False
    doubt: IdentityDoubt | None = None
    candidates: tuple[Candidate, ...] = ()
    listed_elsewhere: bool = False
    replacement: Replacement | None = None
    gate: GateFacts = field(default_factory=GateFacts)
    known_patients: tuple[Person, ...] | None = None
    recent_mails: int = 0
    failed_plans: frozenset[str] = frozenset()
    missed_create: bool = False
    withheld_at: datetime | None = None
