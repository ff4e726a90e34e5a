"""Switches: what nobody documented, so that both answers can be practised.

A switch changes how a system behaves for good (until reset); a fault
(:mod:`sandbox.world.faults`) is a passing accident. Defaults are the documented
behaviour, or the more harmful guess where the documents are silent.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class BadSwitch(ValueError):
    """An unknown name or a value the switch does not have."""


@dataclass(frozen=True)
class Switch:
    default: Any
    choices: tuple[Any, ...]  # empty: any value of the default's type
    words: str


def _s(words: str, default: Any, *others: Any) -> Switch:
    return Switch(default, (default, *others) if others else (), words)


SWITCHES: dict[str, Switch] = {
    # -- OnCall: documented shapes and their variants
    "oncall.public_base": _s("host that OnCall's urls claim", "https://api.oncallhealth.ca/"),
    "oncall.page_size": _s("rows a page", 3),
    "oncall.shape": _s(
        "two: create and retrieve answer the short shape; full everywhere",
        "two",
        "full",
    ),
    "oncall.provider_in_response": _s("answers name the visit's provider", False, True),
    "oncall.cancel_status": _s(
        "status after a cancel: kept (Incomplete) or changed",
        "kept",
        "Provider cancelled",
    ),
    "oncall.slashless": _s("path without its slash", "301", "accepted", "404"),
    "oncall.singular": _s("/appointment/{id}/", "404", "alias"),
    "oncall.metadata_patch": _s("PATCH of metadata", "replace", "merge"),
    "oncall.participants_patch": _s("PATCH of participants", "replace", "add"),
    "oncall.uncancel": _s("cancelled:false on a cancelled visit", "400", "ignored"),
    "oncall.patch_on_cancelled": _s("other PATCH on a cancelled visit", "200", "400"),
    "oncall.provider_patch": _s("PATCH of provider", "accepted", "ignored", "400"),
    "oncall.filters": _s("query filters and ordering", "ignored", "honoured"),
    "oncall.order": _s("order of the list", "id", "datetime", "shifting"),
    "oncall.out_of_reach": _s("a record the key may not see", "404", "403"),
    "oncall.division_detail": _s("GET /divisions/{id}/", "404", "served"),
    "oncall.datetime": _s(
        "how datetime is written",
        "z",
        "offset",
        "fraction",
        "one_digit_hour",
        "null",
    ),
    "oncall.fee": _s("how fee is written", "documented", "int", "float", "string", "null"),
    "oncall.back_link": _s("a participant's appointment link", "right", "wrong"),
    "oncall.extra_fields": _s("unknown fields in answers", False, True),
    # -- webhooks
    "webhooks.echo": _s("the key's own writes fire webhooks too", True, False),
    "webhooks.delay": _s("seconds before a webhook leaves", 0.0),
    "webhooks.host": _s("base inside a webhook's url", "https://api.oncallhealth.com/"),
    # -- EMR
    "emr.auth": _s("who may read", "open", "bearer"),
    "emr.page_size": _s("rows a page when _count is not given", 20),
    "emr.max_count": _s("most rows a page", 100),
    "emr.paging": _s(
        "snapshot; live (later changes shift pages); truncated without next",
        "snapshot",
        "live",
        "truncated",
    ),
    "emr.unstable_ties": _s("live pages reorder rows that tie on the sort key", False, True),
    "emr.next": _s("the next link", "absolute", "relative", "foreign", "filters_dropped"),
    "emr.total": _s("Bundle.total", "exact", "absent", "page_size"),
    "emr.unknown_param": _s("an unknown search parameter", "400", "ignored", "empty"),
    "emr.last_updated_search": _s("_lastUpdated can be searched", True, False),
    "emr.last_updated": _s("meta.lastUpdated", "ms", "seconds", "absent"),
    "emr.versions": _s(
        "kept and checked; ignored (If-Match without effect); absent",
        "checked",
        "ignored",
        "absent",
    ),
    "emr.if_match_required": _s("PUT without If-Match is 412", False, True),
    "emr.if_none_exist": _s("conditional create", "atomic", "racy", "ignored"),
    "emr.create_answer": _s("answer to a create", "body", "empty"),
    "emr.location_header": _s("Location of a create", "full", "absent", "inner"),
    "emr.writes": _s("writes", "allowed", "405"),
    "emr.deleted": _s("a deleted record", "410", "404"),
    "emr.cancelled_listed": _s("searches show cancelled visits", True, False),
    "emr.reopen": _s("un-cancel by PUT", "allowed", "422"),
    "emr.double_booking": _s("same practitioner and start", "accepted", "422"),
    "emr.outcome_entry": _s("searches carry an OperationOutcome", False, True),
    "emr.empty_entry": _s("empty search: entry missing or []", "missing", "[]"),
}

_lock = threading.Lock()
_values: dict[str, Any] = {}
_file: Path | None = None


def get(name: str) -> Any:
    """The switch's present value."""
    return _values.get(name, SWITCHES[name].default)


def all_values() -> dict[str, Any]:
    return {name: get(name) for name in SWITCHES}


def explained() -> dict[str, dict[str, Any]]:
    return {
        name: {
            "value": get(name),
            "default": switch.default,
            "choices": list(switch.choices),
            "words": switch.words,
        }
        for name, switch in SWITCHES.items()
    }


def put(changes: dict[str, Any]) -> None:
    """Change the named switches, or none if one of them is wrong."""
    checked = {name: _checked(name, value) for name, value in changes.items()}
    with _lock:
        _values.update(checked)
        _keep()


def reset() -> None:
    with _lock:
        _values.clear()
        _keep()


def live_in(file: Path) -> None:
    """Keep the switches there, so that a restart changes no behaviour."""
    global _file
    _file = file
    if file.exists():
        put(json.loads(file.read_text(encoding="utf-8")))


def _keep() -> None:
    if _file is not None:
        _file.write_text(json.dumps(_values), encoding="utf-8")


def _checked(name: str, value: Any) -> Any:
    switch = SWITCHES.get(name)
    if switch is None:
        raise BadSwitch(f"no switch {name!r}; known: {', '.join(SWITCHES)}")
    # "==" alone would let 1 pass for True.
    if switch.choices:
        for choice in switch.choices:
            if choice == value and isinstance(choice, bool) == isinstance(value, bool):
                return choice
        raise BadSwitch(f"{name}: {value!r} is none of {list(switch.choices)}")
    if isinstance(switch.default, float) and isinstance(value, int | float):
        return float(value)
    if type(value) is not type(switch.default):
        raise BadSwitch(f"{name}: {value!r} has the wrong type")
    return value
