"""In which state a visit was when something happened to it: the events x states table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from appointments.models import Mismatch, Pair, Push
from emr_adapters.records import Side

STATES: Final = (
    "unknown to us",
    "single",
    "agreed",
    "asked",
    "waiting by hand",
    "write waits",
    "write held",
    "write being sent",
    "outcome unknown",
    "being read back",
    "write failed",
    "out of scope",
)
_BY_PUSH: Final = {
    Push.Status.WAITING: "write waits",
    Push.Status.HELD: "write held",
    Push.Status.SENDING: "write being sent",
    Push.Status.UNKNOWN: "outcome unknown",
    Push.Status.READING_BACK: "being read back",
}


def state_of(side: Side, id: str) -> str:
    """The state of the visit whose record of ``side`` is ``id``."""
    pair = Pair.objects.filter(**{f"{side}__remote_id": id}).order_by("pk").first()
    if pair is None:
        return "unknown to us"
    push = pair.pushes.order_by("-pk").first()
    if push is not None and push.status in _BY_PUSH:
        return _BY_PUSH[Push.Status(push.status)]
    if push is not None and push.status == Push.Status.FAILED:
        return "write failed"
    mismatch = Mismatch.objects.unsettled().filter(pair=pair).first()
    if mismatch is not None:
        return "waiting by hand" if mismatch.status == "waiting" else "asked"
    if pair.scope:
        return "out of scope"
    return "agreed" if len(pair.halves) == 2 else "single"


def table(seen: Counter[tuple[str, str]], events: Iterable[str]) -> str:
    """Counts as text: a row an event, a column a state."""
    names = list(events)
    width = max(map(len, names), default=0)
    head = " " * width + "".join(f" {number:>7}" for number in range(1, len(STATES) + 1))
    rows = [
        f"{name:<{width}}" + "".join(f" {seen[name, state] or '.':>7}" for state in STATES)
        for name in names
    ]
    legend = [f"  {number} {state}" for number, state in enumerate(STATES, 1)]
    return "\n".join([head, *rows, "", *legend])


def holes(seen: Counter[tuple[str, str]], events: Iterable[str]) -> list[str]:
    """Combinations that never happened."""
    return [f"{name} x {state}" for name in events for state in STATES if not seen[name, state]]
