"""Where the three ports are; known only once they are bound."""

from __future__ import annotations

_addresses: dict[str, str] = {}


def announce(found: dict[str, str]) -> None:
    _addresses.clear()
    _addresses.update(found)


def all_addresses() -> dict[str, str]:
    """``oncall_url``, ``emr_url`` (the FHIR base), ``page_url``, ``control_url``."""
    return {
        "oncall_url": _addresses["oncall"],
        "emr_url": _addresses["emr"] + "fhir/R4/",
        "page_url": _addresses["page"],
        "control_url": _addresses["page"] + "control/",
    }
