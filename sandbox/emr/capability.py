"""``GET /metadata``: what this server says it can do; ``emr.writes`` may belie it."""

from __future__ import annotations

from typing import Any

from sandbox.emr import search, store
from sandbox.world import switches

KINDS = {
    "_id": "token",
    "_lastUpdated": "date",
    "date": "date",
    "status": "token",
    "identifier": "token",
    "email": "token",
    "name": "string",
}


def statement(base: str) -> dict[str, Any]:
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-01-01",
        "kind": "instance",
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "software": {"name": "Practice EMR"},
        "implementation": {"description": "no real patients", "url": base},
        "rest": [{"mode": "server", "resource": [_resource(k) for k in store.TYPES]}],
    }


def _resource(kind: str) -> dict[str, Any]:
    codes = ["read", "search-type", "create", "update", "delete"]
    versioning = {"checked": "versioned-update", "ignored": "versioned"}
    return {
        "type": kind,
        "interaction": [{"code": code} for code in codes],
        "versioning": versioning.get(switches.get("emr.versions"), "no-version"),
        "readHistory": False,
        "updateCreate": False,
        "conditionalCreate": switches.get("emr.if_none_exist") != "ignored",
        "searchParam": [
            {"name": name, "type": KINDS.get(name, "reference")}
            for name in search.known_params(kind)
        ],
    }
