"""Two logs kept apart: requests that clients made, and deeds of people in the products."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from typing import Any

_lock = threading.Lock()
_numbers = itertools.count(1)
_requests: deque[dict[str, Any]] = deque(maxlen=50_000)
_deeds: deque[dict[str, Any]] = deque(maxlen=50_000)

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def note_request(entry: dict[str, Any]) -> None:
    with _lock:
        _requests.append({"n": next(_numbers), **entry})


def note_deed(system: str, deed: str, record: object, values: Any) -> None:
    """A person did this inside the product: never an API request."""
    with _lock:
        _deeds.append(
            {
                "n": next(_numbers),
                "system": system,
                "deed": deed,
                "id": str(record),
                "values": values,
            }
        )


def requests(
    *,
    system: str = "",
    method: str = "",
    path: str = "",
    since: int = 0,
    writes: bool = False,
) -> list[dict[str, Any]]:
    """The requests that fit, oldest first; a ``_search`` by POST is no write."""
    with _lock:
        entries = list(_requests)
    return [
        entry
        for entry in entries
        if entry["n"] > since
        and (not system or entry["system"] == system)
        and (not method or entry["method"] == method.upper())
        and entry["path"].startswith(path)
        and (not writes or is_write(entry["method"], entry["path"]))
    ]


def is_write(method: str, path: str) -> bool:
    return method in WRITES and not path.endswith("/_search")


def deeds() -> list[dict[str, Any]]:
    with _lock:
        return list(_deeds)


def clear() -> None:
    with _lock:
        _requests.clear()
        _deeds.clear()
