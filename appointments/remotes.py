"""A configured connection → its adapter: the one seam between rows and remote systems.

Every request made through it takes a token from the connection's budget, none is made while the
connection rests (``resting``), and none inside a database transaction (law 16).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, Final

from django.db import connection as database
from django.utils import timezone

from appointments.models import Connection, Division, RequestBudget
from appointments.models.encrypted import CannotDecrypt
from appointments.oncall.client import OnCallAdapter
from appointments.resting import Considerate, Door, is_failing, wake
from emr_adapters.base import Adapter, AdapterConfig, Capabilities
from emr_adapters.errors import NotConfigured
from emr_adapters.records import Group, Side
from emr_adapters.registry import adapter_class

ENV_PREFIX: Final = "env:"
BURST_SECONDS: Final = 600  # what was not used in ten minutes may be used at once
LONGEST_WAIT: Final = 1.0

logger = logging.getLogger(__name__)


def adapter_for(
    connection: Connection,
    *,
    sleep: Callable[[float], None] = time.sleep,
    even_paused: bool = False,
    last_look: Callable[[], None] = lambda: None,
) -> Adapter:
    """Raises NotConfigured where a credential or setting is missing or the connection is paused.

    ``last_look`` is called right before each request, after all waiting; what it raises stops the request.
    ``even_paused``: a person is trying it out; nothing in the background does. Nobody asks a connection
    that rests: there every request raises Resting.
    """
    if connection.paused_at is not None and not even_paused:
        raise NotConfigured(f"{connection} is paused: {connection.paused_reason}")
    kind = OnCallAdapter if connection.adapter == "oncall" else adapter_class(connection.adapter)
    door = Door(connection)
    config = config_for(connection)
    if is_failing(connection):
        config = replace(config, read_retries=0)  # it is tried again when its rest is over

    def before() -> None:
        before_request(connection, sleep=sleep, door=door)
        last_look()

    adapter = kind(config, before_request=before, sleep=sleep)
    return Considerate(adapter, door)


def config_for(connection: Connection) -> AdapterConfig:
    try:
        stored = connection.credentials
    except CannotDecrypt:
        raise NotConfigured(
            "The stored credentials cannot be decrypted: they have to be entered again."
        ) from None
    secrets = {
        name: resolve_secret(value) for name, value in stored.items() if isinstance(value, str)
    }
    return AdapterConfig(dict(connection.settings), secrets, oncall_region(connection))


def oncall_region(connection: Connection) -> str:
    """The region of the OnCall account whose urls an EMR's references hold."""
    if connection.side == Side.ONCALL:
        return connection.region
    division = Division.objects.filter(emr=connection).select_related("oncall").first()
    return division.oncall.region if division else "ca"


def resolve_secret(value: str) -> str:
    """``env:NAME`` → that variable. Raises NotConfigured when it is not set."""
    if not value.startswith(ENV_PREFIX):
        return value
    name = value.removeprefix(ENV_PREFIX)
    found = os.environ.get(name, "")
    if not found:
        raise NotConfigured(f"The environment variable {name} is not set.")
    return found


# --- before each request --------------------------------------------------------------------------------


def before_request(connection: Connection, *, sleep: Callable[[float], None], door: Door) -> None:
    """Waits for the budget. Raises Resting."""
    if _inside_transaction():
        raise RuntimeError("a request inside a database transaction (law 16)")
    door.knock()
    while (wait := take_token(connection, timezone.now())) > 0:
        sleep(min(wait, LONGEST_WAIT))
    door.enter()


def take_token(connection: Connection, now: datetime) -> float:
    """Take one request from the shared budget: 0, or the seconds until there is one."""
    rate = connection.requests_per_second
    capacity = max(rate * BURST_SECONDS, 1.0)
    budget, _ = RequestBudget.objects.get_or_create(
        connection=connection, defaults={"tokens": capacity, "filled_at": now}
    )
    gained = max((now - budget.filled_at).total_seconds(), 0) * rate
    available = min(budget.tokens + gained, capacity)
    if available < 1:
        return (1 - available) / rate
    # Conditional: if another process took one meanwhile, look again.
    taken = RequestBudget.objects.filter(
        pk=budget.pk, tokens=budget.tokens, filled_at=budget.filled_at
    ).update(tokens=available - 1, filled_at=now)
    return 0.0 if taken else 0.01


def _inside_transaction() -> bool:
    """Any atomic block but those in which a test case wraps itself."""
    return any(not getattr(block, "_from_testcase", False) for block in database.atomic_blocks)


# --- what the connection can do, kept on its row ----------------------------------------------------------


def remember_capabilities(connection: Connection, adapter: Adapter) -> None:
    found = capabilities_to_json(adapter.capabilities)
    if found != connection.capabilities:
        connection.capabilities = found
        connection.save(update_fields=["capabilities"])


def capabilities_of(connection: Connection) -> Capabilities:
    """As last told by the adapter; before that, nothing is allowed."""
    return capabilities_from_json(connection.capabilities)


def capabilities_to_json(capabilities: Capabilities) -> dict[str, Any]:
    return {
        f.name: sorted(value) if isinstance(value, frozenset) else value
        for f in fields(capabilities)
        if (value := getattr(capabilities, f.name)) is not None
    }


def capabilities_from_json(data: Mapping[str, Any]) -> Capabilities:
    known = {f.name for f in fields(Capabilities)}
    values: dict[str, Any] = {
        name: frozenset(Group(g) for g in value) if isinstance(value, list) else value
        for name, value in data.items()
        if name in known
    }
    return Capabilities(**values)


# --- a connection that cannot be used -----------------------------------------------------------------------


def pause(connection: Connection, error: NotConfigured) -> bool:
    """Stop using the connection. The first to notice says so in the log; True for that one only."""
    now = timezone.now()
    first = Connection.objects.filter(pk=connection.pk, paused_at__isnull=True).update(
        paused_at=now, paused_reason=str(error)[:300]
    )
    connection.refresh_from_db(fields=["paused_at", "paused_reason"])
    if first:
        logger.error("%s is paused: %s", connection, error)
    return bool(first)


def resume(connection: Connection) -> None:
    """It works again, as a person has just seen."""
    Connection.objects.filter(pk=connection.pk).update(paused_at=None, paused_reason="")
    connection.paused_at, connection.paused_reason = None, ""
    wake(connection)


def answered(connection: Connection) -> None:
    Connection.objects.filter(pk=connection.pk).update(last_answer_at=timezone.now())
