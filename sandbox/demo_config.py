"""The demo world's file for ``manage.py loadconfig``: same people, same places."""

from __future__ import annotations

import json

from sandbox.client import COORDINATOR_KEY
from sandbox.demo_people import DOCTORS, PLACES

WEBHOOK_TOKEN = "practice-webhook-token"  # noqa: S105  (known to everybody: a demo)

# First that fits; "Home kit pilot" is left out on purpose: staff shall be asked.
TYPES = (
    ("Video*", "online"),
    ("Phone*", "phone"),
    ("Office*", "inperson"),
    ("Lab*", "skip"),
    ("Meeting", "skip"),
)


def toml(*, oncall_url: str, emr_url: str, mode: str = "observe", by_environment: bool) -> str:
    """The text; secrets are the practice ones, or ``env:`` names on demand."""
    key = "env:ONCALL_API_KEY" if by_environment else COORDINATOR_KEY
    token = "env:ONCALL_WEBHOOK_TOKEN" if by_environment else WEBHOOK_TOKEN
    parts = [
        "# Practice systems: invented people, nothing real.\n"
        "[oncall.main]\n"
        'region = "ca"\n'
        f"base_url = {_text(oncall_url)}\n"
        f"api_key = {_text(key)}\n"
        f"webhook_token = {_text(token)}\n",
        f'[emr.main]\nadapter = "fhir_r4"\n[emr.main.settings]\nbase_url = {_text(emr_url)}\n',
    ]
    for place in PLACES:
        parts.append(
            "[[division]]\n"
            f"name = {_text(place.name)}\n"
            'oncall = "main"\n'
            f"oncall_division = {place.oncall_id}\n"
            'emr = "main"\n'
            f"emr_location = {_text('Location/' + place.location_id)}\n"
            f"time_zone = {_text(place.time_zone)}\n"
            'system_of_record = "emr"\n'
            f"mode = {_text(mode)}\n"
            'contact = "lead@example.org"\n'
            "window_days = [1, 60]\n"
            'default_type = "online"\n'
            'title = "Visit with {provider}"\n'
        )
        parts += [
            f"[[division.type]]\nemr = {_text(emr)}\noncall = {_text(held)}\n"
            for emr, held in TYPES
        ]
    names = {place.oncall_id: place.name for place in PLACES}
    for doctor in DOCTORS:
        divisions = ", ".join(_text(names[number]) for number in doctor.places)
        parts.append(
            "[[provider]]\n"
            f"name = {_text(doctor.name)}\n"
            f"email = {_text(doctor.email)}\n"
            f"oncall_provider = {doctor.oncall_id}\n"
            f"emr_practitioner = {_text('Practitioner/' + doctor.practitioner_id)}\n"
            f"divisions = [{divisions}]\n"
        )
    return "\n".join(parts)


def _text(value: str) -> str:
    # A JSON string is a TOML string for everything that occurs here.
    return json.dumps(value, ensure_ascii=False)
