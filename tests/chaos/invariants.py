"""What must hold once all has gone quiet, each read from the databases of both sides.

Every function returns the breaches it found, in words without patients.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

from django.utils import timezone
from django_q.models import Schedule

from appointments.core.policy import Permission, Subject, default_policy
from appointments.models import Appointment, Decision, Delivery, Division, Mismatch, Pair, Push
from emr_adapters.records import Side
from tests.chaos.evidence import BY_NUMBER, MAILED, Evidence, Visit, gaps, reference_in
from tests.chaos.world import held_as, held_by_rule

Breaches = Iterator[str]
Invariant = Callable[[Evidence], Breaches]
LONGEST_GAP: Final = 1.0  # seconds
MAILS_AN_HOUR: Final = 2
EXCUSED_AFTER: Final = (
    15.0  # seconds after an outage of the database in which a page may still fail
)


def every_visit_is_mirrored_as_it_is(evidence: Evidence) -> Breaches:
    """Every visit that a system holds in the window stands in the mirror with its present values."""
    for side in ("oncall", "emr"):
        for visit in evidence.visits(side).values():
            row = evidence.rows.get((side, visit.id))
            if row is None:
                yield f"{side} {visit.id} is not mirrored"
            elif wrong := list(_outdated(row, visit)):
                yield f"{side} {visit.id} is mirrored with an old {' and '.join(wrong)}"


def _outdated(row: Appointment, visit: Visit) -> Iterator[str]:
    record = row.as_record()
    if row.live is visit.off:
        yield "state"
    if record.start != visit.start:
        yield "start"
    if record.minutes != visit.minutes:
        yield "length"
    if isinstance(record.types, tuple) and visit.kind and visit.kind not in record.types:
        yield "type"
    if isinstance(record.people, tuple):
        emails = {person.email.casefold() for person in record.people if person.email}
        if emails != visit.emails:
            yield "patient"
    if (record.reference or None) != visit.reference:
        yield "reference"


def every_difference_is_healed_listed_or_out_of_scope(evidence: Evidence) -> Breaches:
    """Law 1: each visit agrees with its partner, or has an unsettled mismatch, a held or coming write,
    a remembered decision, or a reason on its pair that is true of it."""
    for side in ("oncall", "emr"):
        for visit in evidence.visits(side).values():
            pair = evidence.pair_of.get((side, visit.id))
            if pair is None:
                yield f"{side} {visit.id} has no pair"
            elif why := _unaccounted(evidence, pair, visit):
                yield f"{side} {visit.id}: {why}"


def _unaccounted(evidence: Evidence, pair: Pair, visit: Visit) -> str:
    """Why law 1 is broken for this visit; "" when it holds."""
    if pair.pk in evidence.unsettled or pair.pk in evidence.decided:
        return ""
    if any(push.pair_id == pair.pk and push.status in Push.UNDER_WAY for push in evidence.pushes):
        return ""
    partner_row = pair.half(Side(visit.side).other)
    if pair.scope:
        true = SCOPES.get(pair.scope)
        if true is None or not true(evidence, pair, visit):
            return f"its reason “{pair.scope}” is not true of it"
        return ""
    if partner_row is None:
        return "it has no partner, and nothing says why"
    partner = evidence.visits(partner_row.side).get(partner_row.remote_id)
    if partner is None:
        pending = partner_row.not_found_at is not None or partner_row.gone_at is not None
        return "" if pending else "its partner is gone, and nobody has noticed"
    oncall, emr = (visit, partner) if visit.side == "oncall" else (partner, visit)
    differing = list(differences(oncall, emr))
    return f"its partner has another {' and '.join(differing)}, and nothing says so" * bool(
        differing
    )


def differences(oncall: Visit, emr: Visit) -> Iterator[str]:
    """By this module's own reading of both systems, not by the product's."""
    if oncall.off and emr.off:
        return
    if oncall.off is not emr.off:
        yield "state"
        return
    if oncall.start != emr.start:
        yield "start"
    if abs((oncall.minutes or 0) - (emr.minutes or 0)) > 1:
        yield "length"
    held = held_by_rule(emr.kind)
    if held not in (oncall.kind, None):  # a division's default is a guess, not the EMR's word
        yield "type"
    if not emr.emails <= oncall.emails:
        yield "patient"
    if emr.place != oncall.place:
        yield "place"


def _both_off(evidence: Evidence, pair: Pair, visit: Visit) -> bool:
    return all(
        found.off if (found := evidence.visits(row.side).get(row.remote_id)) else True
        for row in pair.halves.values()
    )


def _listed_as_candidate(evidence: Evidence, pair: Pair, visit: Visit) -> bool:
    """Somebody else's question names it."""
    for mismatch in evidence.unsettled.values():
        details = mismatch.reason_details
        named = [*details.get("candidates", []), details.get("new_id"), mismatch.oncall_id]
        if visit.id in [*named, mismatch.emr_id]:
            return True
    return False


def _unmapped(evidence: Evidence, pair: Pair, visit: Visit) -> bool:
    listed = Mismatch.objects.unsettled().filter(kind="unmapped", division=pair.division)
    return visit.place is not None and listed.exists()


def _never(evidence: Evidence, pair: Pair, visit: Visit) -> bool:
    if pair.division is None:
        return False
    source = Side(visit.side)
    return Permission.NEVER in (
        permission(pair.division, source, Subject.CREATE),
        permission(pair.division, source, Subject.CANCEL),
        permission(pair.division, source.other, Subject.CANCEL),
    )


SCOPES: Final[dict[str, Callable[[Evidence, Pair, Visit], bool]]] = {
    "cancelled": _both_off,
    "past": lambda _, __, visit: visit.start is not None and visit.start <= timezone.now(),
    "outcome": lambda _, __, visit: visit.status in ("noshow", "fulfilled", "No show", "Complete"),
    "skipped_type": lambda _, __, visit: (
        visit.place is not None and held_as(visit.place, visit.kind) == "skip"
    ),
    "outside_window": lambda _, __, visit: (
        visit.start is None or visit.start > timezone.now() + timedelta(days=59)
    ),
    "candidate": _listed_as_candidate,
    "unmapped": _unmapped,
    "never": _never,
}


def permission(division: Division, source: Side, subject: Subject) -> Permission:
    given = division.policy.get(f"{source}_to_{source.other}", {}).get(subject)
    record = Side(division.system_of_record)
    return Permission(given) if given else default_policy(record)[source][subject]


def nothing_is_created_twice(evidence: Evidence) -> Breaches:
    """Law 4: of the visits that we created for one reference at most one is live, unless a person said
    that an earlier one is another visit."""
    told_apart = set(
        Decision.objects.filter(action="not_a_match", pair=None).values_list(
            "oncall__remote_id", "emr__remote_id"
        )
    )
    for side, ids in _created(evidence).items():
        live: dict[str, list[str]] = defaultdict(list)
        for id in ids:
            visit = evidence.visits(side).get(id)
            if visit is not None and not visit.off and visit.reference:
                pair = (id, visit.reference) if side == "oncall" else (visit.reference, id)
                if pair not in told_apart:
                    live[visit.reference].append(id)
        for reference, twice in live.items():
            if len(twice) > 1:
                yield f"{side} holds {', '.join(twice)}, all created for {reference}"


def _created(evidence: Evidence) -> dict[str, list[str]]:
    """Ids of what we created. OnCall's mails tell; in the EMR only what we wrote carries a reference
    for which a create was answered as made."""
    invited = {
        str(m["appointment"])
        for m in evidence.mails
        if (m["cause"], m["kind"]) == ("api", "create")
    }
    made = {
        reference_in(write)
        for write in evidence.writes
        if (write.side, write.operation, write.status) == ("emr", "create", 201)
    }
    return {
        "oncall": sorted(invited),
        "emr": [id for id, visit in evidence.emr.items() if visit.reference in made],
    }


def nobody_is_mailed_without_a_write_that_was_meant(evidence: Evidence) -> Breaches:
    """Law 9: each round of mails that we caused has a push of its own, each finished push its round,
    nobody is invited twice, and no visit gets more than two automatic mailing writes (a run is shorter
    than an hour)."""
    caused: Counter[tuple[str, str]] = Counter()
    by_people: Counter[tuple[str, str]] = Counter()
    for mail in evidence.mails:
        if mail["audience"] == "provider" and mail["kind"] in MAILED:
            where = caused if mail["cause"] == "api" else by_people
            where[str(mail["appointment"]), mail["kind"]] += 1
    meant: Counter[tuple[str, str]] = Counter()
    done: Counter[tuple[str, str]] = Counter()
    for push in evidence.pushes:
        kind = _mail_kind(push)
        if kind is None:
            continue
        for id in evidence.targets[push.pk]:
            meant[id, kind] += push.attempts > 0
            certain = push.status == "done" and len(evidence.targets[push.pk]) == 1
            done[id, kind] += certain
    for (id, kind), rounds in caused.items():
        if rounds > meant[id, kind]:
            yield f"oncall {id}: {rounds} rounds of {kind} mails, {meant[id, kind]} writes meant"
        if kind == "create" and rounds > 1:
            yield f"oncall {id}: invited {rounds} times"
    for (id, kind), number in done.items():
        if number > caused[id, kind] + by_people[id, kind] and int(id) in map(int, evidence.oncall):
            yield f"oncall {id}: {number} writes done that mail ({kind}), {caused[id, kind]} mailed"
    automatic = Counter(
        push.pair_id
        for push in evidence.pushes
        if push.automatic and push.mails and push.pk in evidence.told
    )
    for pair_id, number in automatic.items():
        if number > MAILS_AN_HOUR:
            yield f"visit {pair_id}: {number} automatic writes that mail"


def _mail_kind(push: Push) -> str | None:
    if push.side != "oncall":
        return None
    if push.operation == "update":
        return "reschedule" if "when" in push.plan["values"] else None
    return {"create": "create", "cancel": "cancel"}.get(push.operation)


def every_write_is_meant_and_told(evidence: Evidence) -> Breaches:
    """Each writing request has a push that explains it; each one that was answered as a success has
    one that the audit trail tells of."""
    for write in evidence.writes:
        pushes = evidence.explaining(write)
        what = f"request {write.n}: {write.operation} in {write.side} {write.id}"
        if not pushes:
            yield f"{what} has no push"
        elif write.stored and not any(push.pk in evidence.told for push in pushes):
            yield f"{what} is not in the audit trail (push {pushes[0].pk}, {pushes[0].status})"
    for push in evidence.pushes:
        if push.status == "done" and push.pk not in evidence.told:
            yield f"push {push.pk} is done, and the audit trail does not know it"


def nothing_is_written_against_policy(evidence: Evidence) -> Breaches:
    """No write for a division in observe, none alone that policy does not leave to us, and none of
    what OnCall must never be told (law 6)."""
    for write in evidence.writes:
        visit = evidence.visits(write.side).get(write.id)
        place = visit.place if visit else None
        if write.method == "POST" and write.side == "oncall":
            number = str(write.body.get("division", "")).rstrip("/").rpartition("/")[2]
            place = BY_NUMBER.get(int(number)) if number.isdecimal() else None
        elif write.method == "PATCH" and {"status", "participants", "fee"} & set(write.body):
            yield f"request {write.n} tells OnCall what it must not"
        moved = any(
            push.division and push.division.mode == "live" for push in evidence.explaining(write)
        )
        if place is not None and place.mode != "live" and not moved:
            yield f"request {write.n} writes for a division in {place.mode}"
    for push in evidence.pushes:
        if not push.automatic or push.pk not in evidence.told or push.division is None:
            continue
        subject = Subject("reference" if push.operation == "reference" else push.kind)
        if permission(push.division, Side(push.side).other, subject) is not Permission.AUTO:
            yield f"push {push.pk}: {push.kind} in {push.side} was not ours to do alone"


def a_second_pass_does_nothing(evidence: Evidence) -> Breaches:
    """Law 8: no write, and no row but the run's own; both passes complete."""
    for number, one in enumerate(evidence.passes, 1):
        if not one.get("complete"):
            errors = sorted({e for d in one.get("divisions", []) for e in d["errors"]})
            yield f"pass {number} is not complete: {errors}"
    if evidence.writes_of_second_pass:
        yield f"the second pass wrote {evidence.writes_of_second_pass} times"
    if evidence.runs_of_second_pass > 2:
        yield f"the second pass made {evidence.runs_of_second_pass} rows of readings"
    yield from (f"the second pass changed a row: {line}" for line in evidence.delta[:20])


def no_webhook_is_lost(evidence: Evidence) -> Breaches:
    """Every request that was answered 202 is stored, and done, ignored, failed with a reason, or put
    off with one (a visit that is not found is asked for again for six minutes)."""
    accepted = Counter(
        hook["body"].rstrip('"} ').rpartition("/")[2]
        for hook in evidence.webhooks
        if hook["status"] == 202
    )
    stored = Counter(Delivery.objects.values_list("remote_id", flat=True))
    for id, number in accepted.items():
        if stored[id] < number:
            yield f"oncall {id}: {number} webhooks accepted, {stored[id]} stored"
    for delivery in Delivery.objects.all():
        ended = evidence.workers_ended
        again = delivery.attempts > 0 and bool(delivery.error) and delivery.not_before > ended
        if delivery.status == "stored" and delivery.received_at < ended and not again:
            yield f"delivery {delivery.pk} still waits"
        elif delivery.status == "failed" and not delivery.error:
            yield f"delivery {delivery.pk} failed without a reason"


def no_write_is_blind(evidence: Evidence) -> Breaches:
    """Law 5: before each write the record was read, less than a second earlier."""
    found, blind = gaps(evidence.requests)
    yield from (f"request {n} wrote what was never read" for n in blind)
    late = [gap for gap in found if gap >= LONGEST_GAP]
    if late:
        yield f"{len(late)} of {len(found)} writes came a second or more after the last read"


def no_log_tells_a_secret_or_a_patient(evidence: Evidence) -> Breaches:
    """Law 14: no name, e-mail, token or key in any log of any process."""
    for path in sorted(evidence.logs.glob("*.log")):
        text = path.read_text(encoding="utf-8", errors="replace").casefold()
        hits = sum(text.count(secret.casefold()) for secret in evidence.secrets)
        if hits:
            yield f"{path.name} tells {hits} of them"


def everybody_works_again(evidence: Evidence) -> Breaches:
    """Each worker did something again within the bound after each kill; nothing is left half done; there
    is one schedule, however often workers started; `manage.py doctor` finds nothing wrong."""
    for one in evidence.recoveries:
        if one.seconds is None or one.seconds > evidence.recovered_within:
            took = "never" if one.seconds is None else f"after {one.seconds:.0f} s"
            yield f"{one.worker} worked again {took} ({one.kind})"
    for what, number in evidence.left_under_way.items():
        yield f"not quiet in time: {number} {what}"
    if Schedule.objects.count() != 1:
        yield f"there are {Schedule.objects.count()} schedules"
    if evidence.doctor:
        yield f"manage.py doctor ended with {evidence.doctor}"


def pages_answer_unless_the_database_is_away(evidence: Evidence) -> Breaches:
    """The REST API never fails with a 5xx but around an outage of the database."""
    for at, what in evidence.server_errors:
        spans = evidence.outages.database
        if not any(began <= at <= ended + EXCUSED_AFTER for began, ended in spans):
            yield what


INVARIANTS: Final[tuple[Invariant, ...]] = (
    every_visit_is_mirrored_as_it_is,
    every_difference_is_healed_listed_or_out_of_scope,
    nothing_is_created_twice,
    nobody_is_mailed_without_a_write_that_was_meant,
    every_write_is_meant_and_told,
    nothing_is_written_against_policy,
    a_second_pass_does_nothing,
    no_webhook_is_lost,
    no_write_is_blind,
    no_log_tells_a_secret_or_a_patient,
    everybody_works_again,
    pages_answer_unless_the_database_is_away,
)
