"""Every law broken on purpose, by one line each: the simulation has to notice (``test_broken``)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from unittest import mock

from django.db import transaction
from django.utils import timezone

from appointments import audit, outbox, remotes
from appointments.configuration import consequences
from appointments.core import plans
from appointments.core.compare import Half
from appointments.core.decisions import Verdict
from appointments.core.kinds import Operation
from appointments.core.plans import Plan
from appointments.gathering import Gatherer
from appointments.mirror import direct, listing, proof, storing
from appointments.mismatches import comparing
from appointments.models import Appointment, Push
from appointments.outbox import proving, sending
from appointments.outbox.ending import put_back
from emr_adapters import records, times
from emr_adapters.records import Group, Side, State


@dataclass(frozen=True)
class Break:
    """``what`` stands in for ``target.name``; it may call ``original``. ``noticed_by`` are invariants;
    ``emphasis`` is what has to happen often enough for the law to matter, ``seed`` where to begin.
    """

    law: int
    says: str
    target: Any
    name: str
    what: Callable[[Any], Any]
    noticed_by: frozenset[str]
    emphasis: frozenset[str] = frozenset()
    seed: int = 1


@contextmanager
def broken(one: Break) -> Iterator[None]:
    original = getattr(one.target, one.name)
    with mock.patch.object(one.target, one.name, one.what(original)):
        yield


def _never_asks(original: Any) -> Any:
    def decide(view: Any, rules: Any, now: Any) -> Verdict:
        verdict: Verdict = original(view, rules, now)
        return replace(verdict, question=None)

    return decide


def _sends_again(original: Any) -> Any:
    def look_for(push: Push, adapters: Any) -> None:
        push.sent_at = None
        put_back(push, Push.Status.WAITING, timezone.now())

    return look_for


def _stored_plan(original: Any) -> Any:
    def still_meant(push: Push) -> Plan:
        side = Side(push.side)
        said = {
            Group(g): plans.value_from_json(Group(g), v) for g, v in push.plan["values"].items()
        }
        return Plan(
            Operation(push.operation), side, said, push.plan["reference"], tuple(push.mails)
        )

    return still_meant


def _writes_all(original: Any) -> Any:
    def changes_for(plan: Plan, book: Any) -> Any:
        changes = original(plan, book)
        return replace(changes, title="Visit") if changes.start is not records.ABSENT else changes

    return changes_for


def _always_newest(original: Any) -> Any:
    def store(connection: Any, record: Any, began_at: Any, **rest: Any) -> Any:
        Appointment.objects.filter(
            connection=connection, remote_id=record.id, read_began_at__gt=began_at
        ).update(read_began_at=began_at)
        return original(connection, record, began_at, **rest)

    return store


def _all_is_news(original: Any) -> Any:
    def news(held: Any, old: Any, new: Any) -> Any:
        return original(held, old, new) | {Group.WHEN}

    return news


def _says_nothing(original: Any) -> Any:
    def record(*, verb: str, **rest: Any) -> Any:
        return None if verb in ("sending", "sent", "confirmed") else original(verb=verb, **rest)

    return record


def _raises(original: Any) -> Any:
    def set_aside(*arguments: Any) -> None:
        raise ValueError("one bad record")

    return set_aside


def _outcome_is_off(original: Any) -> Any:
    return property(
        lambda half: (
            half.gone or half.state in (State.CANCELLED, State.REMOVED) or half.outcome is not None
        )
    )


def _wall_clock(original: Any) -> Any:
    """The clock on the wall, as if every clinic's wall stood in Greenwich."""
    return lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC)


def _tells_names(original: Any) -> Any:
    def refresh(connection: Any, remote_id: str, **rest: Any) -> Any:
        stored = original(connection, remote_id, **rest)
        for row in Appointment.objects.filter(connection=connection, remote_id=remote_id):
            logging.getLogger("appointments.mirror").info("read: %s", row.record.get("people"))
        return stored

    return refresh


def _forgets_the_page(original: Any) -> Any:
    def carry_out(found: Any, now: Any) -> None:
        kept = [one for one in found if one.what not in ("new_page", "observe")]
        original(kept, now)

    return carry_out


def _in_a_transaction(original: Any) -> Any:
    def work_one(*arguments: Any, **options: Any) -> Any:
        with (
            transaction.atomic(),
            mock.patch.object(remotes, "_inside_transaction", return_value=False),
        ):
            return original(*arguments, **options)

    return work_one


BREAKS: Final = (
    Break(
        1,
        "a difference that a person has to look at is not listed",
        comparing,
        "decide",
        _never_asks,
        frozenset({"every_visit_is_healed_or_listed"}),
    ),
    Break(
        2,
        "a list is believed whatever it holds",
        proof,
        "doubt",
        lambda original: lambda connection, run: "",
        frozenset({"sweeps_are_proven"}),
        frozenset({"page_short", "page_last_too_soon"}),
        seed=3,
    ),
    Break(
        3,
        "what a short answer leaves out is taken for empty",
        storing,
        "merge_known",
        lambda original: lambda newer, older: replace(newer, people=newer.people or ()),
        frozenset({"what_is_left_out_is_kept"}),
        frozenset({"page_leaves_fields_out"}),
    ),
    Break(
        4,
        "a create whose outcome is unknown is not looked for",
        proving,
        "look_for",
        _sends_again,
        frozenset({"nothing_is_created_twice", "nothing_exists_twice"}),
        frozenset({"book", "times_out_after"}),
        seed=4,
    ),
    Break(
        5,
        "what was once planned is sent, whatever is true now",
        sending,
        "_still_meant",
        _stored_plan,
        frozenset({"no_blind_write", "writes_were_allowed"}),
        frozenset({"move", "emr"}),
        seed=3,
    ),
    Break(
        6,
        "the title is written along",
        sending,
        "changes_for",
        _writes_all,
        frozenset({"smallest_write"}),
        frozenset({"move"}),
        seed=5,
    ),
    Break(
        7,
        "an older reading overwrites a newer one",
        listing,
        "store",
        _always_newest,
        frozenset({"readings_have_an_order"}),
        frozenset({"deliver", "deliver_twice", "move"}),
    ),
    Break(
        8,
        "every reading is news",
        storing,
        "_news",
        _all_is_news,
        frozenset({"a_second_pass_is_silent"}),
    ),
    Break(
        9,
        "nobody counts what was mailed",
        Gatherer,
        "_recent_mails",
        lambda original: lambda self, pair: 0,
        frozenset({"mails_are_few"}),
        frozenset({"move", "emr"}),
        seed=3,
    ),
    Break(
        10,
        "what we send is not in the audit trail",
        audit,
        "record",
        _says_nothing,
        frozenset({"every_value_is_explained"}),
    ),
    Break(
        11,
        "one bad record stops the list",
        listing,
        "set_aside",
        _raises,
        frozenset({"no_task_ends_in_an_error", "mirror_is_true"}),
        frozenset({"become_unreadable"}),
    ),
    Break(
        12,
        "a visit that took place counts as cancelled",
        Half,
        "off",
        _outcome_is_off,
        frozenset({"outcomes_are_not_cancellations", "every_visit_is_healed_or_listed"}),
        frozenset({"end"}),
        seed=4,
    ),
    Break(
        13,
        "the distance from UTC is lost",
        times,
        "parse_instant",
        _wall_clock,
        frozenset({"mirror_is_true", "nobody_is_asked_about_nothing"}),
    ),
    Break(
        14,
        "names are logged",
        direct,
        "refresh",
        _tells_names,
        frozenset({"nothing_private_is_logged"}),
    ),
    Break(
        15,
        "a change of our configuration starts no new page",
        consequences,
        "carry_out",
        _forgets_the_page,
        frozenset({"a_change_of_ours_writes_nothing"}),
        frozenset({"observe", "go_live", "move", "book"}),
        seed=6,
    ),
    Break(
        16,
        "a write is made inside a transaction",
        outbox,
        "work_one",
        _in_a_transaction,
        frozenset({"no_request_inside_a_transaction"}),
    ),
)
