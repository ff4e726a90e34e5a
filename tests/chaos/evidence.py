"""What the invariants look at: the practice systems' state, their logs, and the product's tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from appointments.models import Appointment, AuditEvent, Decision, Mismatch, Pair, Push
from tests.chaos.attack import Outages, Recovery
from tests.chaos.world import ONCALL_SYSTEM, PATIENTS, PLACES, Place

FHIR: Final = "/fhir/R4"
MAILED: Final = ("create", "reschedule", "cancel")
EMAILS: Final = {p.id: p.email for p in PATIENTS}
BY_NUMBER: Final = {p.number: p for p in PLACES}
BY_LOCATION: Final = {p.location: p for p in PLACES}


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit as a practice system stores it, in plain words. ``kind`` is the system's own word."""

    side: str
    id: str
    off: bool
    status: str
    start: datetime | None
    minutes: int | None
    kind: str | None
    emails: frozenset[str]
    place: Place | None
    reference: str | None


@dataclass(frozen=True, slots=True)
class Write:
    """One writing request as the practice systems logged it. ``id`` is "" for a create."""

    n: int
    side: str
    method: str
    id: str
    body: Mapping[str, Any]
    status: int | None
    at: float

    @property
    def stored(self) -> bool:
        """Certainly: it was answered as a success."""
        return self.status is not None and self.status < 400

    @property
    def operation(self) -> str:
        if self.method == "POST":
            return "create"
        if self.body.get("cancelled") is True or self.body.get("status") == "cancelled":
            return "cancel"
        return "update"


@dataclass(frozen=True)
class Evidence:
    """``state`` and the logs as the practice systems gave them; ``delta`` is what the second pass did."""

    state: Mapping[str, Any]
    requests: Sequence[Mapping[str, Any]]
    mails: Sequence[Mapping[str, Any]]
    webhooks: Sequence[Mapping[str, Any]]
    passes: Sequence[Mapping[str, Any]]
    delta: Sequence[str]
    writes_of_second_pass: int
    runs_of_second_pass: int
    logs: Path
    secrets: Sequence[str]
    recoveries: Sequence[Recovery]
    recovered_within: float
    doctor: int
    server_errors: Sequence[tuple[float, str]]
    outages: Outages
    workers_ended: datetime
    left_under_way: Mapping[str, int] = field(default_factory=dict)

    # --- the practice systems ---

    @cached_property
    def oncall(self) -> dict[str, Visit]:
        return {str(row["id"]): oncall_visit(row) for row in self.state["oncall"]["appointments"]}

    @cached_property
    def emr(self) -> dict[str, Visit]:
        return {row["id"]: emr_visit(row) for row in self.state["emr"]["Appointment"]}

    def visits(self, side: str) -> dict[str, Visit]:
        return self.oncall if side == "oncall" else self.emr

    @cached_property
    def deleted(self) -> set[str]:
        """EMR visits that left a tombstone."""
        return {
            name.partition("/")[2]
            for name in self.state["emr"]["deleted"]
            if name.startswith("Appointment/")
        }

    @cached_property
    def writes(self) -> list[Write]:
        return [
            as_write(entry)
            for entry in self.requests
            if entry["method"] in ("POST", "PUT", "PATCH", "DELETE")
            and not entry["path"].endswith("/_search")
        ]

    # --- the product ---

    @cached_property
    def rows(self) -> dict[tuple[str, str], Appointment]:
        return {(row.side, row.remote_id): row for row in Appointment.objects.all()}

    @cached_property
    def pair_of(self) -> dict[tuple[str, str], Pair]:
        found = {}
        for pair in Pair.objects.select_related("oncall", "emr", "division"):
            for side, row in pair.halves.items():
                found[str(side), row.remote_id] = pair
        return found

    @cached_property
    def unsettled(self) -> dict[int, Mismatch]:
        return {m.pair_id: m for m in Mismatch.objects.unsettled() if m.pair_id is not None}

    @cached_property
    def pushes(self) -> list[Push]:
        return list(Push.objects.select_related("pair__oncall", "pair__emr", "division"))

    @cached_property
    def decided(self) -> set[int]:
        """Pairs that a person's remembered word covers."""
        words = Decision.objects.filter(ended_at=None)
        pairs = set(words.exclude(pair=None).values_list("pair_id", flat=True))
        for one in words.filter(pair=None).select_related("oncall", "emr"):
            for row in (one.oncall, one.emr):
                pair = self.pair_of.get((row.side, row.remote_id)) if row else None
                if pair is not None:
                    pairs.add(pair.pk)
        return pairs

    @cached_property
    def told(self) -> dict[int, set[str]]:
        """Verbs of the audit trail by push."""
        verbs: dict[int, set[str]] = defaultdict(set)
        for event in AuditEvent.objects.filter(verb__in=["sent", "confirmed"]):
            verbs[event.details.get("push", 0)].add(event.verb)
        return verbs

    @cached_property
    def targets(self) -> dict[int, set[str]]:
        """Ids of the records that each push was, or could have been, about."""
        by_pair: dict[int, set[tuple[str, str]]] = defaultdict(set)
        by_push: dict[int, set[str]] = defaultdict(set)
        for event in AuditEvent.objects.filter(verb__in=["linked", "unlinked", "confirmed"]):
            if event.verb == "confirmed":
                by_push[event.details["push"]].add(event.details["id"])
            elif event.pair_id is not None:
                by_pair[event.pair_id] |= {
                    (side, event.details[side])
                    for side in ("oncall", "emr")
                    if side in event.details
                }
        for push in self.pushes:
            by_push[push.pk] |= {id for side, id in by_pair[push.pair_id] if side == push.side}
            by_push[push.pk] |= {
                row.remote_id for side, row in push.pair.halves.items() if side == push.side
            }
            by_push[push.pk] |= {push.result_id} - {""}
        return by_push

    def explaining(self, write: Write) -> list[Push]:
        """Pushes that could have led to this write."""
        return [push for push in self.pushes if fits(push, write, self.targets[push.pk])]


def fits(push: Push, write: Write, targets: set[str]) -> bool:
    if push.side != write.side:
        return False
    if write.operation == "create":
        return push.operation == "create" and push.plan["reference"] == reference_in(write)
    if write.id not in targets or push.operation == "create":
        return False
    if write.operation == "cancel":
        return push.operation == "cancel"
    if push.operation == "reference":
        return True
    when = push.plan["values"].get("when")
    start = instant(write.body.get("datetime") or write.body.get("start"))
    return push.operation == "update" and (
        when is None or start is None or instant(when["start"]) == start
    )


def reference_in(write: Write) -> str | None:
    """The other side's id that a create carries."""
    if write.side == "oncall":
        return (write.body.get("metadata") or {}).get("emr_id")
    return emr_reference(write.body)


def as_write(entry: Mapping[str, Any]) -> Write:
    path = entry["path"].removeprefix(FHIR).strip("/").split("/")
    return Write(
        n=entry["n"],
        side=entry["system"],
        method=entry["method"],
        id=path[1] if len(path) > 1 else "",
        body=entry["body"] if isinstance(entry["body"], dict) else {},
        status=entry["status"],
        at=entry["at"],
    )


def oncall_visit(row: Mapping[str, Any]) -> Visit:
    return Visit(
        side="oncall",
        id=str(row["id"]),
        off=row["cancelled"],
        status=row["status"],
        start=instant(row["datetime"]),
        minutes=row["duration"],
        kind=row["type"],
        emails=frozenset(p["email"].casefold() for p in row["participants"]),
        place=BY_NUMBER.get(row["division"]),
        reference=(row["metadata"] or {}).get("emr_id"),
    )


def emr_visit(body: Mapping[str, Any]) -> Visit:
    actors = dict(
        p["actor"]["reference"].split("/") for p in body.get("participant", []) if "actor" in p
    )
    email = EMAILS.get(actors.get("Patient", ""))
    return Visit(
        side="emr",
        id=body["id"],
        off=body["status"] in ("cancelled", "entered-in-error"),
        status=body["status"],
        start=instant(body.get("start")),
        minutes=body.get("minutesDuration"),
        kind=(body.get("appointmentType") or {}).get("text"),
        emails=frozenset({email} if email else ()),
        place=BY_LOCATION.get(actors.get("Location", "")),
        reference=emr_reference(body),
    )


def emr_reference(body: Mapping[str, Any]) -> str | None:
    for identifier in body.get("identifier") or []:
        if identifier.get("system") == ONCALL_SYSTEM:
            return str(identifier["value"]).rstrip("/").rpartition("/")[2]
    return None


def instant(text: Any) -> datetime | None:
    return datetime.fromisoformat(str(text).replace("Z", "+00:00")) if text else None


# --- the gap between reading and writing ------------------------------------------------------------------


def gaps(requests: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[int]]:
    """Seconds from the answer of the last good read of a record to the arrival of each write to it;
    and the numbers of writes before which it was never read."""
    read_at: dict[tuple[str, str], float] = {}
    found, blind = [], []
    for entry in sorted(requests, key=lambda one: one["at"]):
        record = (entry["system"], entry["path"].rstrip("/"))
        if entry["method"] == "GET" and entry["status"] == 200:
            read_at[record] = entry["at"] + entry["seconds"]
        elif entry["method"] in ("PUT", "PATCH"):
            if record not in read_at:
                blind.append(entry["n"])
            else:
                found.append(max(entry["at"] - read_at[record], 0.0))
    return found, blind


def quantile(values: Sequence[float], share: float) -> float:
    """Of no values: 0."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0
