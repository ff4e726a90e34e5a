"""The faults that the page offers as switches, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.world import faults

NAMES = {"oncall": "OnCall", "emr": "The EMR"}

# A receptionist's choice; the control API knows them all.
OFFERED = (
    ("500", "is broken: every request fails (500)"),
    ("502html", "is unreachable behind its proxy (502, an HTML page)"),
    ("429", "says “too many requests” (429)"),
    ("401", "no longer knows the key (401)"),
    ("slow", "takes two seconds for everything"),
    ("timeout_after_write", "stores what it is sent, then never answers"),
    ("truncated_json", "breaks off in the middle of its answers"),
    ("page_fails", "fails on the second page of a list"),
    ("empty_list", "suddenly lists no visits at all"),
    ("page_short", "leaves visits out of its list"),
    ("loop", "sends list readers round in circles"),
    ("foreign_next", "sends list readers to another host"),
    ("malformed_record", "makes one visit in each answer unreadable"),
    ("stale_read", "shows visits as they were before their last change"),
)


@dataclass
class Toggle:
    system: str
    kind: str
    words: str
    on: bool


def toggles() -> list[Toggle]:
    on = {(fault.system, fault.kind) for fault in faults.armed() if fault.times is None}
    return [
        Toggle(system, kind, f"{NAMES[system]} {words}", (system, kind) in on)
        for system in faults.SYSTEMS
        for kind, words in OFFERED
    ]


def count_on() -> int:
    return len(faults.armed())


def turn(system: str, kind: str, on: bool) -> None:
    """Arm until turned off, or forget every fault of that kind."""
    if on:
        order: dict[str, Any] = {"system": system, "kind": kind, "times": None}
        if kind == "timeout_after_write":
            order["seconds"] = 20
        faults.order(order)
        return
    for fault in faults.known():
        if (fault.system, fault.kind) == (system, kind):
            faults.clear(fault.id)
