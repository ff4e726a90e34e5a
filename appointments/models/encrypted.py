"""A text column encrypted at rest with the keys of ``CREDENTIALS_KEY``; it raises, it never guesses."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


class EncryptedJSONField(models.TextField):  # type: ignore[type-arg]
    """JSON under Fernet (AES-CBC with HMAC). The first key encrypts, all of them decrypt (rotation).

    Raises ImproperlyConfigured where the stored value fits none of the keys: a wrong key must not look
    like an empty credential.
    """

    # What the type checker should take it for: any JSON, not text.
    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    def get_prep_value(self, value: Any) -> str | None:
        if value is None:
            return None
        return _fernet().encrypt(json.dumps(value, default=str).encode()).decode()

    def from_db_value(self, value: str | None, *_: Any) -> Any:
        if value is None:
            return None
        try:
            return json.loads(_fernet().decrypt(value.encode()))
        except InvalidToken:
            raise ImproperlyConfigured(
                "A stored value cannot be decrypted: CREDENTIALS_KEY lacks the key it was written with."
            ) from None

    def to_python(self, value: Any) -> Any:
        return value


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
