"""Reading what came back over HTTP: JSON with patience, and a status as the error it stands for."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeAlias

from emr_adapters.errors import (
    AdapterError,
    BadResponse,
    ChangedRemotely,
    NotConfigured,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    TemporaryError,
    Unsupported,
)

Explain: TypeAlias = Callable[[Any, Collection[str]], str]

# What PostgreSQL cannot store and UTF-8 cannot encode; JSON can say both.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_MAY_BE_UNSTORABLE: Final = re.compile(rb"\\u(?:0000|d[89a-f])", re.IGNORECASE)


def no_explanation(body: Any, hide: Collection[str]) -> str:
    return ""


def encode(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


def decode(body: bytes, content_type: str) -> tuple[Any, bool]:
    """(value, readable). An empty body is readable and None; a web page or broken JSON is not."""
    if not body.strip():
        return None, True
    if "html" in content_type.lower():
        return None, False
    try:
        value = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None, False
    return (_storable(value) if _MAY_BE_UNSTORABLE.search(body) else value), True


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are not JSON, and no database column takes them


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds of the Retry-After header (seconds or a date), None without a usable one."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = parsedate_to_datetime(value)
        except (ValueError, TypeError):
            return None
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def error_for(
    status: int, name: str, said: str, *, write: bool, listing: bool, readable: bool
) -> AdapterError:
    """The error that ``status`` stands for. ``said``: the system's own words, safe to show.

    "Not found" counts as the system's word only if the body is not a web page: a proxy's or a
    mistyped address' 404 must not look like a deleted visit (law 2).
    """
    tail = f": {said}" if said else "."
    if status in (401, 403):
        return NotConfigured(f"{name} refused the credentials ({status}).")
    if status in (404, 410):
        if listing or not readable:
            return BadResponse(
                f"{name} has nothing at this address ({status}). Check the settings."
            )
        return NotFound(f"{name} has no such record ({status}).")
    if status in (409, 412, 423, 428):
        return ChangedRemotely(f"The record was changed in {name} ({status}).")
    if status == 429:
        return RateLimited(f"{name} asks to slow down.")
    if status in (400, 422):
        return Rejected(f"{name} refused{tail}")
    if status in (405, 501):
        return Unsupported(f"{name} does not allow this ({status}).")
    if status >= 500 or status in (408, 425):
        if write:
            return OutcomeUnknown(f"{name} failed while writing ({status}); it may have happened.")
        return TemporaryError(f"{name} is not able to answer now ({status}).")
    if write and status >= 400:
        return Rejected(f"{name} refused ({status}){tail}")
    return BadResponse(f"{name} answered with {status}.")
