"""Two logs kept apart: requests that clients made, and deeds of people in the products.

With a data folder the requests are kept in a file too, so that a restart forgets none: whoever stops
the program and starts it again can still account for every write.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

_lock = threading.Lock()
_numbers = itertools.count(1)
_requests: deque[dict[str, Any]] = deque(maxlen=50_000)
_deeds: deque[dict[str, Any]] = deque(maxlen=50_000)

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})

_file: TextIO | None = None
_state = {"in_progress": 0, "closed": False}


class Closed(Exception):
    """The program is about to end: nothing is begun that might not be written down."""


def live_in(file: Path) -> None:
    """Go on with what an earlier life of this program wrote there."""
    global _file, _numbers
    kept = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    with _lock:
        _requests.extend(json.loads(line) for line in kept)
        _numbers = itertools.count(_requests[-1]["n"] + 1 if _requests else 1)
        _file = file.open("a", encoding="utf-8")


@contextmanager
def in_progress() -> Iterator[None]:
    """Around one request, from before it is worked on until it is noted. Raises ``Closed``."""
    with _lock:
        if _state["closed"]:
            raise Closed
        _state["in_progress"] += 1
    try:
        yield
    finally:
        with _lock:
            _state["in_progress"] -= 1


def close(seconds: float = 5) -> None:
    """Begin nothing more, and wait a while until what was begun is noted."""
    with _lock:
        _state["closed"] = True
    end = time.monotonic() + seconds
    while _state["in_progress"] and time.monotonic() < end:
        time.sleep(0.01)


def note_request(entry: dict[str, Any]) -> None:
    with _lock:
        numbered = {"n": next(_numbers), **entry}
        _requests.append(numbered)
        if _file is not None:
            _file.write(json.dumps(numbered) + "\n")
            _file.flush()


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
        if _file is not None:
            _file.truncate(0)
