"""What a look at the set-up finds, in words, with what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Final

FINE: Final = "fine"
NOTE: Final = "note"  # worth knowing, nothing is wrong
WRONG: Final = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """``about`` names the object as the configuration file does; ``remedy`` is empty when all is well."""

    about: str
    level: str
    message: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(slots=True)
class Remote:
    """What was learned from one connection, for the divisions that use it."""

    answers: bool = False
    practitioners: dict[str, str] = field(default_factory=dict)
    places: frozenset[str] = frozenset()
