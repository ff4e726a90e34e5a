"""Something that happens at most once in a while, whoever asks: on every host, in every process.

Kept as a ``Heartbeat`` row whose name starts with ``lease:``; its ``at`` is when it may be taken again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.utils import timezone

from appointments.models import Heartbeat

PREFIX: Final = "lease:"


def take(name: str, seconds: float) -> bool:
    """True for exactly one caller until ``seconds`` have passed or it is given back."""
    now = timezone.now()
    until = now + timedelta(seconds=seconds)
    rows = Heartbeat.objects.filter(name=PREFIX + name)
    if rows.filter(at__lte=now).update(at=until):
        return True
    _, created = Heartbeat.objects.get_or_create(name=PREFIX + name, defaults={"at": until})
    return created


def renew(name: str, seconds: float) -> None:
    until = timezone.now() + timedelta(seconds=seconds)
    Heartbeat.objects.update_or_create(name=PREFIX + name, defaults={"at": until})


def give_back(name: str) -> None:
    Heartbeat.objects.filter(name=PREFIX + name).update(at=timezone.now())


def hold(name: str) -> None:
    """Inside a transaction: until it ends, nobody else gets past this line."""
    Heartbeat.objects.get_or_create(name=PREFIX + name, defaults={"at": timezone.now()})
    Heartbeat.objects.select_for_update().get(name=PREFIX + name)
