"""A plain FHIR visit and the published samples, for the reader's tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from emr_adapters.base import AdapterConfig
from emr_adapters.fhir_r4 import FhirR4Adapter
from emr_adapters.fhir_r4.reading import Profile, parse_appointment

SAMPLES = Path(__file__).parent / "samples"
FILES = sorted(str(path.relative_to(SAMPLES)) for path in SAMPLES.rglob("*.json"))
BASE = "https://emr.example.org/fhir/R4/"
SYSTEM = "https://api.oncallhealth.ca/appointments/"

VISIT: dict[str, Any] = {
    "resourceType": "Appointment",
    "id": "7001",
    "status": "booked",
    "start": "2026-12-01T17:00:00Z",
    "end": "2026-12-01T17:30:00Z",
    "participant": [
        {"actor": {"reference": "Patient/501", "display": "Ann Bee"}, "status": "accepted"},
        {"actor": {"reference": "Practitioner/9", "display": "Dr. Ada Osei"}, "status": "accepted"},
        {"actor": {"reference": "Location/1"}, "status": "accepted"},
    ],
}


def resources(file: str) -> list[dict[str, Any]]:
    content = json.loads((SAMPLES / file).read_text())
    if content["resourceType"] == "Bundle":
        return [entry["resource"] for entry in content["entry"]]
    return [content]


def parsed(
    patients: dict[str, Any] | None = None, profile: Profile | None = None, **fields: Any
) -> Any:
    """VISIT with ``fields``; ``...`` leaves one out."""
    resource = {k: v for k, v in {**VISIT, **fields}.items() if v is not ...}
    return parse_appointment(resource, patients or {}, profile or Profile("ca", BASE))


def adapter(**settings: Any) -> FhirR4Adapter:
    config = AdapterConfig({"base_url": BASE, **settings}, settings.pop("secrets", {}))
    return FhirR4Adapter(config, sleep=lambda _: None)


def with_actors(*actors: Any, **fields: Any) -> Any:
    return parsed(participant=[{"actor": actor} for actor in actors], **fields)
