"""An OperationOutcome as a text that is safe to show."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from emr_adapters.fhir_r4.actors import dicts, text
from emr_adapters.redact import safe_sentence

MOST_ISSUES: Final = 3
_PATH: Final = re.compile(r"[A-Z]\w{2,40}(?:\.[a-z]\w{0,40}(?:\[\d{1,3}\])?){0,5}", re.ASCII)
_CODE: Final = re.compile(r"[a-z-]{2,30}", re.ASCII)


def explain(body: Any, hide: Collection[str]) -> str:
    """Issue codes, element paths and texts. ``diagnostics`` is left out: servers put values there."""
    if not isinstance(body, Mapping):
        return ""
    said = []
    for issue in list(dicts(body.get("issue")))[:MOST_ISSUES]:
        if issue.get("severity") == "information":
            continue
        details = issue.get("details")
        words = safe_sentence(details.get("text"), hide) if isinstance(details, Mapping) else ""
        code = text(issue.get("code"))
        paths = [*_listed(issue.get("expression")), *_listed(issue.get("location"))]
        where = next((path for path in paths if _PATH.fullmatch(path)), "")
        what = words or (code if _CODE.fullmatch(code) else "")
        said.append(f"{where}: {what}" if where and what else where or what)
    return "; ".join(dict.fromkeys(one for one in said if one))


def _listed(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
