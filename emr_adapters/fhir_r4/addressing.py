"""Addresses, credentials and ids of a FHIR server: what may be put into a request, and read off one."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from urllib.parse import quote

from emr_adapters.errors import NotConfigured, NotFound
from emr_adapters.fhir_r4.actors import fetchable, relative, text
from emr_adapters.http import Answer


def authorization(secrets: Mapping[str, str]) -> dict[str, str]:
    if token := secrets.get("token", "").strip():
        return {"Authorization": f"Bearer {token}"}
    if username := secrets.get("username", ""):
        pair = f"{username}:{secrets.get('password', '')}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def positive(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1000:
        raise NotConfigured("page_size must be a number from 1 to 1000.")
    return value


def path(id: str) -> str:
    if not fetchable(f"Appointment/{id}"):
        raise NotFound("The EMR has no such record: this cannot be one of its ids.")
    return f"Appointment/{quote(id, safe='')}"


def id_of(answer: Answer) -> str | None:
    """The id of what was created (201) or found instead (200): in the body or in Location, whose host
    may be an inner one and is not used."""
    if isinstance(answer.data, Mapping) and answer.data.get("resourceType") == "Appointment":
        id = text(answer.data.get("id"))
    else:
        location = answer.headers.get("Location") or answer.headers.get("Content-Location") or ""
        _, _, id = relative(location).rpartition("Appointment/")
        id = id.partition("/")[0]
    return id if fetchable(f"Appointment/{id}") else None
