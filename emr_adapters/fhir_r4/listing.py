"""Paging through a FHIR search: ``next`` links are opaque, and may lead anywhere.

A cursor has to carry what is needed to notice a loop, because the next page may be read by another
process: the link, short marks of the links already followed, and how many rows were dropped so far.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin

from emr_adapters.errors import BadResponse
from emr_adapters.fhir_r4.actors import dicts, text

MOST_PAGES: Final = 5_000
MARK: Final = 12  # hex digits; two links of one listing must not share one
_FATAL: Final = frozenset({"error", "fatal"})
_CUT_SHORT: Final = frozenset({"incomplete", "too-costly", "timeout", "throttled"})


@dataclass(frozen=True, slots=True)
class Cursor:
    url: str
    seen: tuple[str, ...] = ()
    dropped: int = 0

    def dump(self) -> str:
        return json.dumps([self.url, "".join(self.seen), self.dropped], separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> Cursor:
        """Raises BadResponse for a text that is no cursor of ours."""
        try:
            url, seen, dropped = json.loads(text)
            return cls(
                str(url), tuple(seen[i : i + MARK] for i in range(0, len(seen), MARK)), int(dropped)
            )
        except (ValueError, TypeError):
            raise BadResponse("The listing cannot be continued from here.") from None


def following(
    bundle: Mapping[str, Any], asked: str, base_url: str, cursor: Cursor | None
) -> Cursor | None:
    """The cursor of the next page, None on the last. Raises BadResponse on a repeated link."""
    links = [
        text(link.get("url"))
        for link in dicts(bundle.get("link"))
        if link.get("relation") == "next"
    ]
    if not links:
        return None
    if not links[0]:
        raise BadResponse("The EMR named a next page without an address.")
    url = urljoin(asked if links[0].startswith("?") else base_url, links[0])
    seen = (*(cursor.seen if cursor else ()), _mark(asked))
    if _mark(url) in seen:
        raise BadResponse("The listing of the EMR loops: it names a page that was already read.")
    if len(seen) >= MOST_PAGES:
        raise BadResponse("The listing of the EMR does not end.")
    return Cursor(url, seen, cursor.dropped if cursor else 0)


def _mark(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:MARK]


def refuse_outcome(bundle: Mapping[str, Any]) -> None:
    """Raises BadResponse when the server says inside the page that it is not the whole page."""
    for entry in dicts(bundle.get("entry")):
        resource = entry.get("resource")
        if isinstance(resource, Mapping) and resource.get("resourceType") == "OperationOutcome":
            for issue in dicts(resource.get("issue")):
                if issue.get("severity") in _FATAL or issue.get("code") in _CUT_SHORT:
                    raise BadResponse("The EMR says that its list is not complete.")


def trusted_total(bundle: Mapping[str, Any], rows: int, *, alone: bool) -> int | None:
    """``Bundle.total``, unless it is only the number of rows of one page among several."""
    total = bundle.get("total")
    if type(total) is not int or total < rows or (total == rows and not alone):
        return None
    return total
