"""What is broken when: drawn from one seed, so that a run can be repeated (its processes cannot)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

# What is killed or taken away, and how often beside once.
KILLS: Final = {
    "kill_worker": 5,  # one process that works, mostly idle: a bare cluster freezes then
    "kill_in_write": 4,  # all that work, in the middle of a write
    "kill_helper": 1,  # django-q2's pusher or monitor
    "kill_sentinel": 1,
    "kill_cluster": 2,
    "kill_watchdog": 2,  # manage.py worker itself
    "kill_web": 4,
    "kill_web_parent": 1,
    "kill_all": 1,  # every process of the product at once
    "restart_database": 2,
    "sandbox_gone": 2,
}
EVERY: Final = 4.0  # seconds between two kills, on average, where there is time enough
OUTAGE: Final = (2.0, 6.0)  # seconds that the practice systems are gone
WRITES: Final = (  # a search of the EMR may be a POST too: only its creates
    ("oncall", {"method": "POST"}),
    ("oncall", {"method": "PATCH"}),
    ("emr", {"method": "POST", "path": "/Appointment"}),
    ("emr", {"method": "PUT"}),
)

# The practice systems' own accidents: kind → options drawn for it.
ACCIDENTS: Final[dict[str, dict[str, tuple[Any, ...]]]] = {
    "500": {},
    "502html": {},
    "503": {},
    "429": {"retry_after": (1, 3)},
    "404": {},
    "html200": {},
    "timeout_before": {"seconds": (1, 3)},
    "drop_before": {},
    "slow": {"seconds": (0.5, 1.5)},
    "timeout_after_write": {"seconds": (1, 3)},
    "drop_after_write": {},
    "500_after_write": {},
    "truncated_json": {},
    "page_fails": {},
    "page_short": {},
    "empty_list": {},
    "no_next": {},
    "loop": {},
    "repeat_page": {},
    "foreign_next": {},
    "wrong_count": {"count": (1, 999)},
    "null_rows": {},
    "drop_row": {},
    "duplicate_row": {},
    "malformed_record": {"form": ("when", "people", "types", "no_id")},
    "stale_read": {},
}
HOOKS: Final = ("deliver", "deliver", "duplicate", "reorder", "drop")


@dataclass(frozen=True, slots=True)
class Event:
    """``at`` is in seconds since the beginning. ``choice`` in [0, 1) picks among what is there then."""

    at: float
    kind: str
    choice: float = 0.0
    system: str = ""
    order: dict[str, Any] = field(default_factory=dict)


def plan(seed: int, seconds: float, *, database_restarts: bool) -> list[Event]:
    """Each kind of kill once, then more by weight, every four seconds or sooner; accidents in between.

    Nothing is broken in the last tenth, so that not all of it lies in the time of healing.
    """
    random = Random(f"{seed}:faults")
    kinds = [kind for kind in KILLS if database_restarts or kind != "restart_database"]
    usable = seconds * 0.9
    every = min(EVERY, usable / (len(kinds) + 1))
    events = []
    for number, at in enumerate(_moments(random, usable, every)):
        bag = kinds if number < len(kinds) else random.choices(kinds, [KILLS[k] for k in kinds])
        kind = _shuffled(seed, kinds)[number] if number < len(kinds) else bag[0]
        events.append(Event(at, kind, random.random(), random.choice(("oncall", "emr"))))
    for at in _moments(random, usable, every / 3):
        events.append(_accident(random, at))
    for at in _moments(random, usable, every * 2):
        events.append(Event(at, "webhooks", order={"mode": random.choice(HOOKS)}))
    return sorted(events, key=lambda event: (event.at, event.kind))


def _shuffled(seed: int, kinds: Sequence[str]) -> list[str]:
    """Idle workers first: it takes longest to notice."""
    rest = [kind for kind in kinds if kind != "kill_worker"]
    Random(f"{seed}:order").shuffle(rest)
    return ["kill_worker", *rest]


def _moments(random: Random, seconds: float, every: float) -> list[float]:
    at, moments = random.uniform(0.5, every), []
    while at < seconds:
        moments.append(round(at, 2))
        at += random.uniform(0.5, 1.5) * every
    return moments


def _accident(random: Random, at: float) -> Event:
    kind = random.choice(list(ACCIDENTS))
    options = {name: _drawn(random, values) for name, values in ACCIDENTS[kind].items()}
    system = random.choice(("oncall", "emr"))
    if system == "emr" and kind == "malformed_record":
        options["form"] = random.choice(("when", "people"))
    order = {"times": random.choice((1, 1, 2, 3)), **options}
    return Event(at, f"accident:{kind}", random.random(), system, order)


def _drawn(random: Random, values: tuple[Any, ...]) -> Any:
    if isinstance(values[0], str):
        return random.choice(values)
    if isinstance(values[0], float):
        return round(random.uniform(*values), 2)
    return random.randint(*values)
