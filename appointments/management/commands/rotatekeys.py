"""``manage.py rotatekeys``: everything that is kept encrypted, under the first of ``CREDENTIALS_KEY``."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction
from django.db.models.functions import Cast

from appointments.models.encrypted import EncryptedJSONField, fernet_for

BATCH: Final = 500


@dataclass(slots=True)
class Counts:
    written: int = 0
    right: int = 0  # under the first key already
    lost: int = 0  # no key fits
    changed: int = 0  # somebody else wrote it meanwhile


class Command(BaseCommand):
    help = (
        "Encrypt with the first key of CREDENTIALS_KEY whatever is still under an older one. "
        "May run while web and workers do, and again at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch", type=int, default=BATCH, help="rows at a time (%(default)s)")

    def handle(self, *, batch: int, **_: Any) -> None:
        if batch < 1:
            raise CommandError("--batch must be at least 1.")
        keys = tuple(settings.CREDENTIALS_KEYS)
        first, known = fernet_for(keys[:1]), fernet_for(keys)
        lost = changed = 0
        for model, name in encrypted_columns():
            counts = rotate(model, name, first, known, batch)
            lost += counts.lost
            changed += counts.changed
            self.stdout.write(
                f"{model.__name__}.{name}: {counts.written} encrypted anew, "
                f"{counts.right} were right already"
                + (f", {counts.lost} fit no key" if counts.lost else "")
            )
        if lost:
            raise CommandError(
                f"{lost} stored values fit none of the keys and were left as they are: "
                "add the key they were written with to CREDENTIALS_KEY."
            )
        if changed:
            raise CommandError(f"{changed} values changed meanwhile: run it once more.")
        self.stdout.write("Everything is under the first key.")


def encrypted_columns() -> Iterator[tuple[type[models.Model], str]]:
    """Found, not listed: a column that is added later is not forgotten."""
    for model in apps.get_app_config("appointments").get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedJSONField):
                yield model, field.name


def rotate(
    model: type[models.Model], name: str, first: MultiFernet, known: MultiFernet, batch: int
) -> Counts:
    """Works on the stored text: what is inside is never parsed. A batch is one short transaction."""
    counts = Counts()
    # The cast keeps Django from decrypting the column.
    stored = Cast(name, models.TextField())
    rows = model._default_manager.exclude(**{f"{name}__isnull": True}).annotate(stored=stored)
    last = 0
    while page := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", "stored")[:batch]):
        last = page[-1][0]
        with transaction.atomic():
            for key, text in page:
                _rotate_one(rows.filter(pk=key, stored=text), name, text, first, known, counts)
    return counts


def _rotate_one(
    row: models.QuerySet[Any],
    name: str,
    text: str,
    first: Fernet | MultiFernet,
    known: MultiFernet,
    counts: Counts,
) -> None:
    """Only if it still is what was read: a worker may have stored a newer one."""
    token = text.encode()
    if _fits(first, token):
        counts.right += 1
        return
    try:
        fresh = known.rotate(token).decode()
    except InvalidToken:
        counts.lost += 1
        return
    if row.update(**{name: models.Value(fresh, output_field=models.TextField())}):
        counts.written += 1
    else:
        counts.changed += 1


def _fits(fernet: Fernet | MultiFernet, token: bytes) -> bool:
    try:
        fernet.decrypt(token)
    except InvalidToken:
        return False
    return True
