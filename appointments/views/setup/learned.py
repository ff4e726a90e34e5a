"""What the remote systems said while somebody was setting up, kept in that person's session.

Nobody's visits: findings, staff's names and places. A session that ends forgets it; it is asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest
from django.utils import timezone

from appointments.configuration.findings import WRONG, Finding, Remote
from appointments.models import Connection, Division
from emr_adapters.base import Place
from emr_adapters.records import Practitioner, Side

KEY: Final = "setup"


def _kept(request: HttpRequest, what: str) -> dict[str, Any]:
    found: dict[str, Any] = request.session.get(KEY, {}).get(what, {})
    return found


def _keep(request: HttpRequest, what: str, key: object, value: Any) -> None:
    whole = dict(request.session.get(KEY, {}))
    whole[what] = {**whole.get(what, {}), str(key): value}
    request.session[KEY] = whole


# --- tests ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tested:
    """One connection's test: when, what it found, and what was learned on the way."""

    at: datetime
    findings: Sequence[Finding]
    remote: Remote

    @property
    def fine(self) -> bool:
        return all(finding.level != WRONG for finding in self.findings)


def keep_test(
    request: HttpRequest, connection: Connection, findings: Iterable[Finding], remote: Remote
) -> None:
    value = {
        "at": timezone.now().isoformat(),
        "findings": [finding.as_json() for finding in findings],
        "answers": remote.answers,
        "practitioners": remote.practitioners,
        "places": sorted(remote.places),
    }
    _keep(request, "tests", connection.pk, value)


def forget_test(request: HttpRequest, connection: Connection) -> None:
    """Its settings changed: what was found of it before says nothing any more."""
    _keep(request, "tests", connection.pk, None)


def test_of(request: HttpRequest, connection_id: int) -> Tested | None:
    kept = _kept(request, "tests").get(str(connection_id))
    if not kept:
        return None
    remote = Remote(kept["answers"], kept["practitioners"], frozenset(kept["places"]))
    findings = [Finding(**finding) for finding in kept["findings"]]
    return Tested(datetime.fromisoformat(kept["at"]), findings, remote)


# --- places and people --------------------------------------------------------------------------------


def keep_places(request: HttpRequest, connection: Connection, places: Iterable[Place]) -> None:
    _keep(request, "places", connection.pk, [[place.id, place.name] for place in places])


def places_in_emrs(request: HttpRequest) -> list[Place]:
    known = set(Connection.objects.filter(side=Side.EMR).values_list("pk", flat=True))
    kept = _kept(request, "places")
    return [Place(*row) for key, rows in kept.items() if int(key) in known for row in rows]


def oncall_numbers(request: HttpRequest) -> list[str]:
    """OnCall's divisions that the tests have seen visits of."""
    keys = Connection.objects.filter(side=Side.ONCALL).values_list("pk", flat=True)
    tests = [test for key in keys if (test := test_of(request, key))]
    return sorted({place for test in tests for place in test.remote.places})


def keep_people(
    request: HttpRequest, division: Division, side: Side, people: Iterable[Practitioner]
) -> None:
    kept = dict(_kept(request, "people").get(str(division.pk)) or {})
    kept[str(side)] = [[one.id, one.name, one.email] for one in people]
    kept["at"] = timezone.now().isoformat()
    _keep(request, "people", division.pk, kept)


def people_of(request: HttpRequest, division: Division) -> dict[Side, list[Practitioner]] | None:
    """Both sides' lists, or None until both were fetched."""
    kept = _kept(request, "people").get(str(division.pk)) or {}
    if not all(str(side) in kept for side in Side):
        return None
    return {side: [Practitioner(*row) for row in kept[str(side)]] for side in Side}


def people_fetched_at(request: HttpRequest, division: Division) -> datetime | None:
    kept = _kept(request, "people").get(str(division.pk)) or {}
    return datetime.fromisoformat(kept["at"]) if "at" in kept else None
