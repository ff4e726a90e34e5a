"""OnCall's documented answers, for the client's tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from appointments.oncall import payloads
from appointments.oncall.client import OnCallAdapter
from emr_adapters.base import AdapterConfig

HOST = "https://api.oncallhealth.ca/"
FOLDER = Path(__file__).parent / "responses"


def recorded(name: str) -> Any:
    return json.loads((FOLDER / f"oncall-{name}.json").read_text())


def client(**settings: str) -> OnCallAdapter:
    return OnCallAdapter(AdapterConfig(settings, {"api_key": "k"}), sleep=lambda _: None)


def parsed(**fields: Any) -> Any:
    """The documented retrieve sample with ``fields``; ``...`` leaves one out."""
    raw = {**recorded("retrieve"), **fields}
    return payloads.parse_appointment({k: v for k, v in raw.items() if v is not ...})
