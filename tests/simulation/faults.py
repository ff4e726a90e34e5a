"""What goes wrong at a remote system: each kind once, with when it strikes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from emr_adapters.errors import (
    BadResponse,
    ChangedRemotely,
    NotConfigured,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    TemporaryError,
)

READS: Final = frozenset({"list", "changes", "read", "find", "people"})
LISTS: Final = frozenset({"list", "changes"})
WRITES: Final = frozenset({"create", "update", "cancel"})


@dataclass(frozen=True, slots=True)
class Kind:
    """``page`` kinds falsify a page instead of raising; ``after_effect``: the write has happened."""

    name: str
    operations: frozenset[str]
    error: Callable[[], Exception] | None = None
    after_effect: bool = False
    weight: float = 1


KINDS: Final = (
    Kind("rate_limited", READS | WRITES, lambda: RateLimited("Too many requests.", 30.0)),
    Kind(
        "unauthorized",
        READS | WRITES,
        lambda: NotConfigured("The credentials were refused."),
        weight=0.3,
    ),
    Kind("unavailable", READS | WRITES, lambda: TemporaryError("It is not available.")),
    Kind("html", READS, lambda: BadResponse("It answered with a page for people.")),
    Kind("read_times_out", READS, lambda: TemporaryError("It did not answer in time.")),
    Kind("version_conflict", WRITES, lambda: ChangedRemotely("It was changed meanwhile.")),
    Kind("refused", WRITES, lambda: Rejected("The value was refused.")),
    Kind("times_out_before", WRITES, lambda: OutcomeUnknown("No answer came.")),
    Kind("times_out_after", WRITES, lambda: OutcomeUnknown("No answer came."), after_effect=True),
    Kind("page_short", LISTS),
    Kind("page_last_too_soon", LISTS),
    Kind("page_empty", LISTS),
    Kind("page_repeats", LISTS),
    Kind("page_loops", LISTS),
    Kind("page_leaves_fields_out", LISTS),
    Kind("read_back_is_stale", WRITES),
)
BY_NAME: Final = {kind.name: kind for kind in KINDS}


@dataclass
class Armed:
    kind: Kind
    times: int


class Faults:
    """The faults that wait for one system's next fitting requests."""

    def __init__(self) -> None:
        self.armed: list[Armed] = []

    def arm(self, kind: Kind, times: int) -> None:
        self.armed.append(Armed(kind, times))

    def clear(self) -> None:
        self.armed.clear()

    def strike(self, operation: str, *, pages: bool = False) -> Kind | None:
        """The next one for this request, used up by one. ``pages``: those that falsify a page."""
        for armed in self.armed:
            falsifies = armed.kind.name.startswith("page_")
            if operation in armed.kind.operations and falsifies is pages:
                armed.times -= 1
                if armed.times <= 0:
                    self.armed.remove(armed)
                return armed.kind
        return None


def how_often(random: Random, kind: Kind) -> int:
    """Most strike once or twice, some for a while."""
    lasting = random.random() < 0.1 and kind.name in (
        "unavailable",
        "rate_limited",
        "read_times_out",
    )
    return random.randint(5, 15) if lasting else random.choice((1, 1, 1, 2, 3))
