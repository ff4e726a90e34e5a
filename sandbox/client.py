"""A small client of the control API, for test suites; needs only ``requests``."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import requests

COORDINATOR_KEY = "practice-coordinator-key"
EMR_TOKEN = "practice-emr-token"  # noqa: S105  (opens nothing but practice systems)


class SandboxRefused(AssertionError):
    """The control API answered that the order makes no sense."""


class SandboxClient:
    """Arrange and inspect the practice world; every method is one request.

    ``base_control_url`` is any port's ``…/control/``.
    """

    def __init__(self, base_control_url: str):
        self.base = base_control_url.rstrip("/") + "/"
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        self._session.close()

    # -- the world ---------------------------------------------------------
    def reset(self) -> None:
        """Empty tables, first ids, default switches, no faults, empty logs."""
        self._call("POST", "reset")

    def seed(
        self, oncall: dict[str, Any] | None = None, emr: dict[str, Any] | None = None
    ) -> dict[str, dict[str, list[Any]]]:
        """Load records in bulk, silently; the ids made, in order."""
        return self._call("POST", "seed", {"oncall": oncall or {}, "emr": emr or {}})

    def demo(self) -> dict[str, int]:
        """Replace everything by the demo world of today."""
        return self._call("POST", "demo")

    def stories(self) -> list[dict[str, Any]]:
        """What is arranged in today's demo world: ``kind words oncall emr``."""
        return self._call("GET", "demo")["stories"]

    def demo_config(self, **query: str) -> str:
        """The demo's file for loadconfig (``mode=``, ``env="1"``)."""
        answer = self._session.get(self.base + "demo/config", params=query, timeout=30)
        answer.raise_for_status()
        return answer.text

    def state(self) -> dict[str, Any]:
        """All that both systems store."""
        return self._call("GET", "state")

    def oncall_appointment(self, number: int | str) -> dict[str, Any] | None:
        """The stored OnCall appointment, None if there is none."""
        for row in self.state()["oncall"]["appointments"]:
            if row["id"] == int(number):
                return row
        return None

    def emr_appointment(self, rid: str) -> dict[str, Any] | None:
        for row in self.state()["emr"]["Appointment"]:
            if row["id"] == str(rid):
                return row
        return None

    # -- behaviour ---------------------------------------------------------
    def switch(self, changes: dict[str, Any]) -> dict[str, Any]:
        """``switch({"oncall.page_size": 50})``; answers all switches."""
        return self._call("PUT", "switches", changes)

    def switches(self) -> dict[str, Any]:
        return self._call("GET", "switches")

    def fault(self, system: str, kind: str, **order: Any) -> dict[str, Any]:
        """Arm a fault: ``times`` (1; None = until cleared), ``match``, options."""
        return self._call("POST", "faults", {"system": system, "kind": kind, **order})

    def faults(self) -> list[dict[str, Any]]:
        """All faults ordered since the last clearing, with their ``hits``."""
        return self._call("GET", "faults")["faults"]

    def clear_faults(self) -> None:
        self._call("DELETE", "faults")

    # -- what happened -----------------------------------------------------
    def mails(self, **query: str) -> list[dict[str, Any]]:
        """E-mails that OnCall would have sent (``audience=``, ``cause=``)."""
        return self._call("GET", "mails", query=query)["mails"]

    def clear_mails(self) -> None:
        self._call("DELETE", "mails")

    def requests(self, **query: Any) -> list[dict[str, Any]]:
        """API requests received (``system=``, ``method=``, ``path=``, ``since=``)."""
        return self._call("GET", "requests", query=query)["requests"]

    def writes(self, **query: Any) -> list[dict[str, Any]]:
        """Only the requests that write; ``[]`` proves "no write was made"."""
        return self.requests(writes="1", **query)

    def clear_requests(self) -> None:
        self._call("DELETE", "requests")

    def deeds(self) -> list[dict[str, Any]]:
        """What persons did through this client or the page."""
        return self._call("GET", "deeds")["deeds"]

    # -- webhooks ----------------------------------------------------------
    def webhooks(self, **changes: str) -> dict[str, Any]:
        """The sender's state; ``url=`` and ``mode=`` change it."""
        if changes:
            return self._call("PUT", "webhooks", changes)
        return self._call("GET", "webhooks")

    def flush_webhooks(self) -> dict[str, Any]:
        """Send what is held and wait until everything is delivered."""
        return self._call("POST", "webhooks/flush")

    def send_webhook(
        self,
        body: Any = None,
        *,
        raw: str | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        """Any body at all: unknown events, foreign hosts, nonsense."""
        order = {"body": body} if raw is None else {"raw": raw}
        return self._call("POST", "webhooks/send", {**order, "content_type": content_type})

    # -- receptionists -----------------------------------------------------
    def oncall_create(self, **words: Any) -> dict[str, Any]:
        """datetime, duration, type, division, provider, participants, title, metadata."""
        return self._call("POST", "oncall/appointments", words)

    def oncall_change(self, number: int | str, **words: Any) -> dict[str, Any]:
        return self._call("PATCH", f"oncall/appointments/{number}", words)

    def oncall_cancel(self, number: int | str) -> dict[str, Any]:
        return self._call("POST", f"oncall/appointments/{number}/cancel")

    def oncall_vanish(self, number: int | str) -> None:
        self._call("POST", f"oncall/appointments/{number}/vanish")

    def emr_create(self, kind: str = "appointments", **words: Any) -> dict[str, Any]:
        """kind: appointments, patients, practitioners or locations."""
        return self._call("POST", f"emr/{kind}", words)

    def emr_change(self, rid: str, kind: str = "appointments", **words: Any) -> dict[str, Any]:
        return self._call("PATCH", f"emr/{kind}/{quote(rid)}", words)

    def emr_cancel(self, rid: str, reason: str = "") -> dict[str, Any]:
        return self._call("POST", f"emr/appointments/{quote(rid)}/cancel", {"reason": reason})

    def emr_delete(self, rid: str, kind: str = "appointments") -> None:
        """Leave a tombstone: reads answer 410."""
        self._call("POST", f"emr/{kind}/{quote(rid)}/delete")

    def emr_vanish(self, rid: str, kind: str = "appointments") -> None:
        """No trace: reads answer 404."""
        self._call("POST", f"emr/{kind}/{quote(rid)}/vanish")

    def _call(
        self,
        method: str,
        path: str,
        data: Any = None,
        query: dict[str, Any] | None = None,
    ) -> Any:
        answer = self._session.request(
            method, self.base + path, json=data, params=query, timeout=60
        )
        if answer.status_code >= 400:
            raise SandboxRefused(f"{method} {path}: {answer.text[:500]}")
        return answer.json()
