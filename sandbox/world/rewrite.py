"""Spoil an answer that was right: the list and record faults, for both dialects.

The systems themselves stay honest; the lie is told on the way out, as by a bad
proxy or a bug in the vendor's paging.
"""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from sandbox.world import past
from sandbox.world.faults import Fault

FOREIGN = "elsewhere.example.org"

_lock = threading.Lock()
_first_pages: dict[tuple[str, str], list[Any]] = {}


class Listing:
    """One page of a list, the same to handle in OnCall's envelope and in a Bundle."""

    def __init__(self, system: str, body: dict[str, Any], address: str):
        self.system, self.body, self.address = system, body, address
        self._rows_key = "results" if system == "oncall" else "entry"

    @property
    def rows(self) -> list[Any]:
        return list(self.body.get(self._rows_key) or [])

    @rows.setter
    def rows(self, rows: list[Any] | None) -> None:
        self.body[self._rows_key] = rows

    @property
    def count_key(self) -> str:
        return "count" if self.system == "oncall" else "total"

    @property
    def next(self) -> str | None:
        return self._link("next")

    @next.setter
    def next(self, url: str | None) -> None:
        self.set_link("next", url)

    def _link(self, relation: str) -> str | None:
        if self.system == "oncall":
            return self.body.get(relation)
        for link in self.body.get("link", []):
            if link["relation"] == relation:
                return str(link["url"])
        return None

    def set_link(self, relation: str, url: str | None) -> None:
        if self.system == "oncall":
            self.body[relation] = url
            return
        links = [x for x in self.body.get("link", []) if x["relation"] != relation]
        if url is not None:
            links.append({"relation": relation, "url": url})
        self.body["link"] = links

    def record(self, row: dict[str, Any]) -> dict[str, Any]:
        return row if self.system == "oncall" else row["resource"]


def record_id(system: str, body: Any) -> str:
    """The id by which a record is known, "" if the answer is none."""
    if not isinstance(body, dict):
        return ""
    if system == "oncall":
        return str(body.get("url", "")).rstrip("/").rpartition("/")[2]
    return str(body.get("id", ""))


def spoil_list(fault: Fault, listing: Listing, path: str, page: int) -> None:
    """Apply a list fault in place."""
    rows = listing.rows
    match fault.kind:
        case "page_short":
            listing.rows = rows[: len(rows) // 2]
        case "empty_list":
            listing.rows = []
            listing.next = None
            listing.body[listing.count_key] = 0
        case "no_next":
            listing.next = None
        case "loop":
            listing.next = listing.address
        case "repeat_page":
            with _lock:
                first = _first_pages.get((listing.system, path), rows)
            listing.rows = first if page > 1 else rows
        case "foreign_next":
            listing.next = _moved(listing.next or listing.address, "https", FOREIGN)
        case "http_next":
            listing.next = _moved(listing.next or listing.address, "http")
        case "wrong_previous":
            listing.set_link("previous", _moved(listing.address, "https") + "&page=3")
        case "wrong_count":
            listing.body[listing.count_key] = fault.options.get("count", 1)
        case "null_rows":
            listing.rows = None
        case "drop_row":
            listing.rows = _without(listing, rows, fault.options.get("id"))
        case "duplicate_row":
            listing.rows = rows[:1] + rows


def keep_first_page(listing: Listing, path: str, page: int) -> None:
    """Remember page one, which ``repeat_page`` shows again later."""
    if page == 1:
        with _lock:
            _first_pages[listing.system, path] = listing.rows


def forget() -> None:
    with _lock:
        _first_pages.clear()


def spoil_record(fault: Fault, system: str, body: Any) -> Any:
    """Make one record unreadable in the way ``form`` says."""
    form = fault.options.get("form", "when")
    when = "datetime" if system == "oncall" else "start"
    people = "participants" if system == "oncall" else "participant"
    match form:
        case "when":
            return {**body, when: "2026-02-30T25:00:00Z"}
        case "people":
            return {**body, people: None}
        case "types":
            return {**body, when: 17, "duration": "soon", people: "nobody"}
        case "string":
            return "not a record"
        case "no_id":
            return {k: v for k, v in body.items() if k not in ("url", "id")}
    return {**body, when: str(form)}


def stale(system: str, body: Any) -> tuple[bool, Any]:
    """(is there an older state, that state cut to the fields of ``body``)."""
    older = past.before(system, record_id(system, body))
    if older is past.UNKNOWN:
        return False, body
    if older is None:
        return True, None
    if system == "oncall":
        return True, _cut(older, body)
    return True, older


def _cut(older: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """OnCall's short shape of an older state: only keys that the new answer has."""
    short = {key: value for key, value in older.items() if key in body}
    people = body.get("participants") or [{}]
    if people and isinstance(short.get("participants"), list):
        keys = set(people[0])
        short["participants"] = [
            {k: v for k, v in person.items() if k in keys or not keys}
            for person in short["participants"]
        ]
    return short


def _without(listing: Listing, rows: list[Any], wanted: Any) -> list[Any]:
    if wanted is None:
        return rows[1:]
    return [row for row in rows if record_id(listing.system, listing.record(row)) != str(wanted)]


def _moved(url: str, scheme: str, host: str = "") -> str:
    parts = urlsplit(url)
    return urlunsplit((scheme, host or parts.netloc, parts.path, parts.query, ""))
