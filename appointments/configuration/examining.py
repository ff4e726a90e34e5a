"""Is everything set up so that it can work? Findings in words, with what to do; no secrets, no patients.

Requests are made through ``remotes.adapter_for`` like all others, never inside a transaction.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django_q.models import Schedule

from appointments import alerts, clocks, remotes
from appointments.configuration import rules
from appointments.configuration.examining_divisions import clashes, examine_division
from appointments.configuration.findings import FINE, NOTE, WRONG, Finding, Remote
from appointments.models import Alert, Connection, Division, Heartbeat
from emr_adapters.base import Adapter
from emr_adapters.errors import AdapterError, NotConfigured, TemporaryError
from emr_adapters.records import ABSENT, Side

__all__ = ["FINE", "NOTE", "WRONG", "Finding", "Remote", "examine", "examine_connection", "is_fine"]

SIGN_OF_LIFE: Final = timedelta(minutes=1)  # workers beat every few seconds
WORKER_TASKS: Final = "appointments.tasks."


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
    yield from examine_the_rest(remotes_by_key, readable=readable)


def examine_the_rest(
    remotes_by_key: Mapping[int, Remote], *, readable: bool = True
) -> Iterator[Finding]:
    """All that needs no request. ``readable``: credentials can be decrypted, so clashes can be looked for."""
    if readable:
        yield from clashes()
    for division in Division.objects.select_related("oncall", "emr").defer(
        "oncall__credentials", "emr__credentials"
    ):
        yield from examine_division(division, remotes_by_key)
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
