"""Accidents on order: which request meets which fault, and how often."""

from __future__ import annotations

import fnmatch
import itertools
import threading
from dataclasses import dataclass, field
from typing import Any

SYSTEMS = ("oncall", "emr")

# kind → (when it strikes, what the page calls it)
KINDS: dict[str, tuple[str, str]] = {
    "500": ("before", "answers 500"),
    "502html": ("before", "answers 502 with a proxy's HTML page"),
    "503": ("before", "answers 503"),
    "429": ("before", "says “too many requests”"),
    "401": ("before", "no longer knows the key"),
    "403": ("before", "forbids the request"),
    "404": ("before", "says the record is not there"),
    "html200": ("before", "answers 200 with an HTML page"),
    "status": ("before", "answers a status of your choice"),
    "timeout_before": ("before", "hangs before doing anything"),
    "drop_before": ("before", "hangs up before doing anything"),
    "slow": ("delay", "is slow"),
    "timeout_after_write": ("after", "writes, then hangs"),
    "drop_after_write": ("after", "writes, then hangs up"),
    "500_after_write": ("after", "writes, then answers 500"),
    "truncated_json": ("body", "answers half of its JSON"),
    "page_fails": ("page", "page 2 of a list fails"),
    "page_short": ("list", "a page lacks rows"),
    "empty_list": ("list", "the list is suddenly empty"),
    "no_next": ("list", "the list ends after the first page"),
    "loop": ("list", "a page's next link names itself"),
    "repeat_page": ("list", "later pages repeat the first one"),
    "foreign_next": ("list", "the next link names another host"),
    "http_next": ("list", "the next link drops https"),
    "wrong_previous": ("list", "the previous link is nonsense"),
    "wrong_count": ("list", "the count is wrong"),
    "null_rows": ("list", "the rows are null"),
    "drop_row": ("list", "one row is missing from the list"),
    "duplicate_row": ("list", "one row is listed twice"),
    "malformed_record": ("record", "one record is unreadable"),
    "stale_read": ("record", "reads show the state before the last change"),
}

WRITING = ("POST", "PATCH", "PUT", "DELETE")


class BadFault(ValueError):
    """The order names an unknown kind, system or key."""


@dataclass(frozen=True)
class Facts:
    """What a fault may match on; ``path`` has no FHIR base and no query."""

    system: str
    method: str
    path: str
    page: int
    is_list: bool
    is_appointment: bool


@dataclass
class Fault:
    id: int
    system: str
    kind: str
    times: int | None = None  # None: until cleared
    match: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    hits: int = 0

    @property
    def phase(self) -> str:
        return KINDS[self.kind][0]

    def fits(self, facts: Facts) -> bool:
        if self.system != facts.system or self.times == 0:
            return False
        method = self.match.get("method")
        if method and method.upper() != facts.method:
            return False
        path = self.match.get("path")
        if path and not fnmatch.fnmatchcase(facts.path, path):
            return False
        page = self.match.get("page", 2 if self.kind == "page_fails" else None)
        if page is not None and (not facts.is_list or page != facts.page):
            return False
        return self._fits_phase(facts, bool(path))

    def _fits_phase(self, facts: Facts, path_named: bool) -> bool:
        if self.phase == "after":
            return facts.method in WRITING
        if self.phase in ("list", "page"):
            return facts.is_list and (path_named or facts.is_appointment)
        if self.phase == "record":
            return facts.method in ("GET", "POST") and (path_named or facts.is_appointment)
        return True

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "system": self.system,
            "kind": self.kind,
            "times": self.times,
            "match": self.match,
            "hits": self.hits,
            **self.options,
        }


_lock = threading.Lock()
_numbers = itertools.count(1)
_faults: list[Fault] = []
_awake = threading.Event()

OPTIONS = frozenset({"retry_after", "seconds", "status", "body", "id", "form", "headers", "count"})


def order(wish: dict[str, Any]) -> Fault:
    """Arm a fault; ``times`` left out means once, null means until cleared."""
    unknown = set(wish) - OPTIONS - {"system", "kind", "times", "match"}
    if unknown:
        raise BadFault(f"unknown keys: {', '.join(sorted(unknown))}")
    if wish.get("system") not in SYSTEMS:
        raise BadFault(f"system is one of {', '.join(SYSTEMS)}")
    kind = str(wish.get("kind"))
    if kind not in KINDS:
        raise BadFault(f"no fault {kind!r}; known: {', '.join(KINDS)}")
    match = wish.get("match") or {}
    if set(match) - {"method", "path", "page"}:
        raise BadFault("match takes method, path and page")
    fault = Fault(
        id=next(_numbers),
        system=wish["system"],
        kind=kind,
        times=wish.get("times", 1),
        match=match,
        options={key: wish[key] for key in OPTIONS if key in wish},
    )
    with _lock:
        _faults.append(fault)
    return fault


def take(facts: Facts, *phases: str, at_most: int | None = None) -> list[Fault]:
    """The armed faults that strike this request now; each costs one of its times."""
    taken: list[Fault] = []
    with _lock:
        for fault in _faults:
            if at_most is not None and len(taken) >= at_most:
                break
            if fault.phase in phases and fault.fits(facts):
                fault.hits += 1
                if fault.times is not None:
                    fault.times -= 1
                taken.append(fault)
    return taken


def give_back(fault: Fault) -> None:
    """The fault found nothing to spoil: it stays armed."""
    with _lock:
        fault.hits -= 1
        if fault.times is not None:
            fault.times += 1


def armed() -> list[Fault]:
    """Every fault still in force."""
    with _lock:
        return [fault for fault in _faults if fault.times != 0]


def known() -> list[Fault]:
    """Every fault ordered since the last clearing, spent ones too."""
    with _lock:
        return list(_faults)


def clear(fault_id: int | None = None) -> None:
    """Forget one fault, or all; whoever hangs in a timeout is let go."""
    with _lock:
        _faults[:] = [f for f in _faults if fault_id is not None and f.id != fault_id]
    _awake.set()
    _awake.clear()


def nap(seconds: float) -> None:
    """Sleep, unless the faults are cleared meanwhile."""
    _awake.wait(seconds)
