"""System checks (``manage.py check``). Their ids are stable: operators silence by them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from emr_adapters.base import Adapter
from emr_adapters.errors import NotConfigured
from emr_adapters.registry import ADAPTERS, adapter_class

ONCALL = "oncall"


@register(Tags.security)
def check_credentials_key(**_: Any) -> list[CheckMessage]:
    """E001: without a key no credential can be stored or read."""
    if settings.CREDENTIALS_KEYS:
        return []
    hint = "Set it to a long random text and keep it; see docs/settings.md."
    return [Error("CREDENTIALS_KEY is not set.", hint=hint, id="appointments.E001")]


@register()
def check_registry(**_: Any) -> list[CheckMessage]:
    """E002: every name in the EMR registry leads to an adapter of that kind."""
    return [
        Error(f'The EMR registry\'s "{kind}" {clause}.', id="appointments.E002")
        for kind in ADAPTERS
        if (clause := _registry_problem(kind))
    ]


def _registry_problem(kind: str) -> str:
    try:
        found: Any = adapter_class(kind)
    except (ImportError, AttributeError, NotConfigured, ValueError) as error:
        return f"cannot be loaded ({type(error).__name__})"
    if not (isinstance(found, type) and issubclass(found, Adapter)):
        return "is no Adapter"
    return "" if found.kind == kind else f'calls itself "{found.kind}"'


@register(Tags.database)
def check_connections(databases: Sequence[str] | None = None, **_: Any) -> Iterable[CheckMessage]:
    """E003: a connection whose adapter is not known. E004: credentials that no key decrypts."""
    from appointments.models import Connection

    messages: list[CheckMessage] = []
    if not databases:
        return messages
    try:
        known = list(Connection.objects.values_list("pk", "side", "name", "adapter"))
    except DatabaseError:
        return messages  # before the first migration there is nothing to check
    for key, side, name, adapter in known:
        if adapter not in ({ONCALL} if side == ONCALL else set(ADAPTERS)):
            hint = f"Known: {', '.join(sorted(ADAPTERS))}."
            text = f'{side}.{name}: there is no adapter "{adapter}".'
            messages.append(Error(text, hint=hint, id="appointments.E003"))
        try:
            _ = Connection.objects.only("credentials").get(pk=key).credentials
        except ImproperlyConfigured:
            hint = "Add the key they were stored with to CREDENTIALS_KEY."
            text = f"{side}.{name}: the stored credentials cannot be decrypted."
            messages.append(Error(text, hint=hint, id="appointments.E004"))
    return messages
