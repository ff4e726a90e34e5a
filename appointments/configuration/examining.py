"""Is everything set up so that it can work? Findings in words, with what to do; no secrets, no patients.

Requests are made through ``remotes.adapter_for`` like all others, never inside a transaction.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django_q.models import Schedule

from appointments import alerts, clocks, remotes
from appointments.configuration import relations, rules, snapshot
from appointments.models import (
    Alert,
    Connection,
    Division,
    Heartbeat,
    Membership,
    Provider,
    Role,
)
from emr_adapters.base import Adapter
from emr_adapters.errors import AdapterError, NotConfigured, TemporaryError
from emr_adapters.records import ABSENT, Side

FINE: Final = "fine"
NOTE: Final = "note"  # worth knowing, nothing is wrong
WRONG: Final = "wrong"

SIGN_OF_LIFE: Final = timedelta(minutes=1)  # workers beat every few seconds
WORKER_TASKS: Final = "appointments.tasks."
SETTLES: Final = (Role.STAFF, Role.ADMINISTRATOR)


@dataclass(frozen=True, slots=True)
class Finding:
    """``about`` names the object as the configuration file does; ``remedy`` is empty when all is well."""

    about: str
    level: str
    message: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(slots=True)
class Remote:
    """What was learned from one connection, for the divisions that use it."""

    answers: bool = False
    practitioners: dict[str, str] = field(default_factory=dict)
    places: frozenset[str] = frozenset()


def examine() -> Iterator[Finding]:
    """Everything, connection by connection, then division by division."""
    connections = list(Connection.objects.defer("credentials"))
    if not connections:
        yield Finding(
            "configuration",
            WRONG,
            "Nothing is configured yet.",
            "Write a configuration file and run: manage.py loadconfig FILE",
        )
    remotes_by_key: dict[int, Remote] = {}
    readable = True
    for connection in connections:
        remotes_by_key[connection.pk] = remote = Remote()
        for finding in examine_connection(connection, remote):
            readable = readable and finding.message != UNREADABLE
            yield finding
    if readable:
        yield from _clashes()
    for division in Division.objects.select_related("oncall", "emr").defer(
        "oncall__credentials", "emr__credentials"
    ):
        yield from _examine_division(division, remotes_by_key)
    yield from _examine_mail()
    yield from _examine_clock()
    yield from _examine_worker(timezone.now())


UNREADABLE: Final = "The stored credentials cannot be decrypted."


# --- connections -----------------------------------------------------------------------------------


def examine_connection(connection: Connection, remote: Remote | None = None) -> Iterator[Finding]:
    """Test one connection, paused or not; what it lists is kept in ``remote``."""
    remote = Remote() if remote is None else remote
    about = f"{connection.side}.{connection.name}"
    try:
        credentials = connection.credentials or {}
    except ImproperlyConfigured:
        yield Finding(
            about,
            WRONG,
            UNREADABLE,
            "Add the key they were stored with to CREDENTIALS_KEY, or enter them again.",
        )
        return
    if connection.paused_at is not None:
        yield Finding(
            about,
            WRONG,
            f"It is paused since {connection.paused_at:%Y-%m-%d %H:%M} UTC: {connection.paused_reason}",
            "Mend the cause and load the new settings, or press Resume on its page in the administration.",
        )
    missing = sorted({name for name in rules.references(credentials) if not os.environ.get(name)})
    for name in missing:
        yield Finding(
            about,
            WRONG,
            f"The environment variable {name} is not set here.",
            f"Set {name} for the web server, the worker and this command.",
        )
    yield from _examine_tokens(about, connection, credentials)
    if not missing:
        yield from _ask(about, connection, remote)


def _examine_tokens(about: str, connection: Connection, credentials: Any) -> Iterator[Finding]:
    if connection.side == Side.ONCALL and not rules.tokens_of(credentials.get("webhook_token")):
        yield Finding(
            about,
            NOTE,
            "It has no webhook_token: OnCall's changes are only seen when its lists are read.",
            "Set webhook_token and give OnCall the address /webhooks/oncall/<token>/.",
        )


def _ask(about: str, connection: Connection, remote: Remote) -> Iterator[Finding]:
    """The remote itself: address, credentials, rights; then who and what it lists."""
    try:
        adapter = remotes.adapter_for(as_if_not_paused(connection))
        checks = list(adapter.check())
    except AdapterError as error:
        yield Finding(about, WRONG, str(error), remedy_for(error))
        return
    except Exception as error:  # a faulty adapter must not hide the other findings
        yield Finding(about, WRONG, f"The test ended unexpectedly ({type(error).__name__}).", _LOOK)
        return
    for check in checks:
        yield Finding(
            about, FINE if check.ok else WRONG, check.message, "" if check.ok else _SETTINGS
        )
    remote.answers = all(check.ok for check in checks)
    if remote.answers:
        yield from _learn(about, connection, adapter, remote)


def _learn(
    about: str, connection: Connection, adapter: Adapter, remote: Remote
) -> Iterator[Finding]:
    try:
        remote.practitioners = {one.id: one.name for one in adapter.list_practitioners()}
        if connection.side == Side.ONCALL:
            records = adapter.list_appointments().records
            remote.places = frozenset(
                place
                for record in records
                if record.places is not ABSENT
                for place in record.places
            )
    except AdapterError as error:
        yield Finding(about, WRONG, str(error), remedy_for(error))


def as_if_not_paused(connection: Connection) -> Connection:
    """A copy for a test: whether it may be used again is what the test is to find out."""
    tested = copy.copy(connection)
    tested.paused_at = None
    return tested


_SETTINGS: Final = "Compare the connection's settings and credentials with what the system expects."
_LOOK: Final = "Look into the log; if the settings are right, report it."


def remedy_for(error: AdapterError) -> str:
    if isinstance(error, TemporaryError):
        return "Try again later; if it stays, check the address and the network."
    return _SETTINGS if isinstance(error, NotConfigured) else _LOOK


# --- divisions -------------------------------------------------------------------------------------


def _clashes() -> Iterator[Finding]:
    stored = snapshot.take()
    for problem in relations.problems(
        list(stored.connections.values()),
        list(stored.divisions.values()),
        list(stored.providers.values()),
    ):
        message = f"{problem.key}: {problem.clause}"
        yield Finding(problem.state.label, WRONG, message, "Settle which of the two it is.")


def _examine_division(division: Division, known: dict[int, Remote]) -> Iterator[Finding]:
    about = f'division "{division.name}"'
    before = [
        *_examine_zone(about, division),
        *_examine_place(about, division, known[division.oncall_id]),
        *_examine_types(about, division),
        *_examine_members(about, division),
        *_examine_contact(about, division),
    ]
    providers = list(division.providers.all())
    if not providers:
        before.append(
            Finding(
                about,
                NOTE,
                "No provider is mapped: providers are not compared, and each create asks.",
                "Add [[provider]] tables that name this division.",
            )
        )
    for provider in providers:
        before += _examine_provider(provider, division, known)
    yield from before
    if all(finding.level != WRONG for finding in before):
        mapped = f"{len(providers)} provider{'' if len(providers) == 1 else 's'}"
        message = f"Its mapping is complete: {mapped}, mode {division.mode}."
        yield Finding(about, FINE, message)


def _examine_zone(about: str, division: Division) -> Iterator[Finding]:
    if clause := rules.zone_problem(division.time_zone):
        yield Finding(about, WRONG, f"time_zone: {clause}.", "Use a name as America/Toronto.")
    if division.window_ahead_days < 1:
        yield Finding(about, WRONG, "window_days: no day ahead is kept alike.", "Set [1, 60].")


def _examine_place(about: str, division: Division, oncall: Remote) -> Iterator[Finding]:
    """OnCall cannot be asked for its divisions; a visit in one proves that it exists."""
    number = str(division.oncall_division)
    if not oncall.answers or number in oncall.places:
        return
    if division.appointments.filter(side=Side.ONCALL).exists():
        return
    seen = ", ".join(sorted(oncall.places)) or "none"
    yield Finding(
        about,
        NOTE,
        f"No visit of OnCall's division {number} was seen yet (seen: {seen}).",
        "Check oncall_division unless the division is new.",
    )


def _examine_types(about: str, division: Division) -> Iterator[Finding]:
    rows = [(rule.emr, rule.oncall) for rule in division.type_rules.all()]
    if problem := rules.rules_problem(rows):
        index, clause = problem
        yield Finding(about, WRONG, f"type {index + 1}: {clause}.", "Reorder the type table.")
    if not rows and not division.default_type:
        yield Finding(
            about,
            NOTE,
            "It has neither a type table nor a default_type: how an EMR visit is held is not known.",
            "Set default_type, or add [[division.type]] tables.",
        )


def _examine_members(about: str, division: Division) -> Iterator[Finding]:
    settles = Membership.objects.filter(division=division, role__in=SETTLES, user__is_active=True)
    superusers = get_user_model().objects.filter(is_superuser=True, is_active=True)
    if not settles.exists() and not superusers.exists():
        yield Finding(
            about,
            WRONG,
            "Nobody may settle its mismatches.",
            "Make an account (manage.py createsuperuser) and give it a role in the administration.",
        )


def _examine_contact(about: str, division: Division) -> Iterator[Finding]:
    if not division.contact:
        yield Finding(
            about,
            NOTE,
            "It has no contact: nobody is told when its changes are held or given up.",
            "Set contact to the e-mail address of somebody who can look at once.",
        )


def _examine_provider(
    provider: Provider, division: Division, known: dict[int, Remote]
) -> Iterator[Finding]:
    about = f'provider "{provider.name}"'
    oncall, emr = known[provider.oncall_id], known[division.emr_id]
    if oncall.practitioners and str(provider.oncall_provider) not in oncall.practitioners:
        yield Finding(
            about,
            WRONG,
            f"OnCall lists no provider {provider.oncall_provider}.",
            "Correct oncall_provider.",
        )
    if not provider.emr_practitioners:
        yield Finding(
            about,
            NOTE,
            "No emr_practitioner is given: EMR visits with this provider are not recognised.",
            "Add the EMR's id of this person.",
        )
    elif emr.practitioners and not any(
        id in emr.practitioners for id in provider.emr_practitioners
    ):
        yield Finding(
            about,
            WRONG,
            f"The EMR of {division.name} lists no {' or '.join(provider.emr_practitioners)}.",
            "Correct emr_practitioner.",
        )


# --- alerts ----------------------------------------------------------------------------------------


def _examine_mail() -> Iterator[Finding]:
    """Contacts are of use only if a mail can leave."""
    if not Division.objects.exclude(contact="").exists():
        return
    if not alerts.mail_is_set_up():
        yield Finding(
            "alerts",
            NOTE,
            "No mail server is set: no division's contact can be alerted.",
            "Set EMAIL_URL for the web server and the worker.",
        )
        return
    failed = Alert.objects.untold().filter(attempts__gt=0).exclude(division__contact="").count()
    if failed:
        yield Finding(
            "alerts",
            WRONG,
            f"{failed} alert{'' if failed == 1 else 's'} could not be sent; it is tried again.",
            "Check EMAIL_URL and the mail server; the log names the kind of failure.",
        )


# --- the worker ------------------------------------------------------------------------------------


def _examine_clock() -> Iterator[Finding]:
    """Only a clock that is wrong is worth a line."""
    ahead = clocks.seconds_ahead()
    if abs(ahead) > clocks.MOST_OFF:
        where = "ahead of" if ahead > 0 else "behind"
        yield Finding(
            "clock",
            WRONG,
            f"This machine's clock is {abs(ahead):.0f} s {where} the database's.",
            "Set it by the network (NTP), on every host and on the database's.",
        )


def _examine_worker(now: datetime) -> Iterator[Finding]:
    scheduled = Schedule.objects.filter(func__startswith=WORKER_TASKS).exists()
    beats = Heartbeat.objects.exclude(name__contains="lease:").order_by("-at")
    last = beats.values_list("at", flat=True).first()
    if last is not None and now - last < SIGN_OF_LIFE:
        yield Finding("worker", FINE, "A worker is running.")
        if not scheduled:
            yield Finding("worker", WRONG, "Nothing is scheduled.", "Restart manage.py worker.")
    elif scheduled or last is not None:
        when = f" since {last:%Y-%m-%d %H:%M} UTC" if last else ""
        yield Finding(
            "worker",
            WRONG,
            f"No worker has given a sign of life{when}: nothing is read or written.",
            "Start manage.py worker, and let the system restart it.",
        )
    else:
        yield Finding("worker", NOTE, "No worker has run yet.", "Start manage.py worker.")


def is_fine(findings: Sequence[Finding]) -> bool:
    return all(finding.level != WRONG for finding in findings)
