"""A text column encrypted at rest with the keys of ``CREDENTIALS_KEY``; it raises, it never guesses.

A row whose value no key fits can be loaded, shown and saved: only who asks for that value is refused, and what
is stored stays as it is, for the day on which its key is back.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models.query_utils import DeferredAttribute


class CannotDecrypt(ImproperlyConfigured):
    """The stored value fits none of the keys. The text holds nothing of it (law 14)."""

    def __init__(self) -> None:
        super().__init__(
            "A stored value cannot be decrypted: CREDENTIALS_KEY lacks the key it was written with."
        )


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is stored, still encrypted: it fits none of the keys."""

    token: str = field(repr=False)


class _Opened(DeferredAttribute):
    """Raises CannotDecrypt where the value is asked for, not where its row is loaded."""

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        if isinstance(value, Sealed):
            raise CannotDecrypt
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedJSONField(models.TextField):  # type: ignore[type-arg]
    """JSON under Fernet (AES-CBC with HMAC). The first key encrypts, all of them decrypt (rotation).

    Reading the attribute raises CannotDecrypt where the stored value fits none of the keys: a wrong key must
    not look like an empty credential.
    """

    descriptor_class = _Opened

    # What the type checker should take it for: any JSON, not text.
    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    def get_prep_value(self, value: Any) -> str | None:
        if value is None:
            return None
        if isinstance(value, Sealed):
            return value.token
        return _fernet().encrypt(json.dumps(value, default=str).encode()).decode()

    def from_db_value(self, value: str | None, *_: Any) -> Any:
        if value is None:
            return None
        try:
            return json.loads(_fernet().decrypt(value.encode()))
        except InvalidToken:
            return Sealed(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """As it is: saving a row needs none of what it cannot read."""
        held = model_instance.__dict__
        return held[self.attname] if self.attname in held else getattr(model_instance, self.attname)

    def to_python(self, value: Any) -> Any:
        return value


def opened(row: models.Model, name: str, otherwise: Any) -> Any:
    """The value of that column, or ``otherwise`` where no key fits: for pages, which say so instead."""
    try:
        return getattr(row, name)
    except CannotDecrypt:
        return otherwise


def _fernet() -> MultiFernet:
    return fernet_for(tuple(settings.CREDENTIALS_KEYS))


@lru_cache(maxsize=4)
def fernet_for(keys: tuple[str, ...]) -> MultiFernet:
    if not keys:
        raise ImproperlyConfigured("CREDENTIALS_KEY is not set: credentials cannot be stored.")
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(key: str) -> bytes:
    """A Fernet key from any long random text, so that an administrator needs no tool to make one."""
    return base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())
