"""Settings from the environment, loud about what is missing or unreadable.

``DATABASE_URL`` and numbers are parsed by django-environ. What this module adds: a secret may come
from a file (``SECRET_KEY_FILE``, as container platforms provide it), a word that is neither yes nor
no is refused instead of being read as "no", and an optional ``.env`` file stands behind the
environment, never before it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

MAIL_TIMEOUT = 10  # seconds that a mail server may take; a worker waits for it
TRUE = {"1", "true", "yes", "on"}
FALSE = {"", "0", "false", "no", "off"}

env = environ.Env()


def read_env_file(path: Path) -> None:
    """Read ``path`` if it exists; a variable that is already set keeps its value.

    ``ENV_FILE`` names another file; empty, none is read (tests and the demo set their own world).
    """
    named = os.environ.get("ENV_FILE")
    chosen = path if named is None else Path(named)
    if named != "" and chosen.is_file():
        env.read_env(str(chosen))


def env_bool(name: str, *, default: bool = False) -> bool:
    """A yes or a no. Any other word is a mistake worth stopping for: DEBUG=flase must not pass."""
    word = os.environ.get(name)
    if word is None:
        return default
    if word.strip().lower() in TRUE:
        return True
    if word.strip().lower() in FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {word!r}.")


def env_int(name: str, default: int) -> int:
    """A whole number of at least one."""
    word = os.environ.get(name, "").strip()
    if not word:
        return default
    if not word.isdecimal() or int(word) < 1:
        raise ImproperlyConfigured(f"{name} must be a whole number from 1 up, not {word!r}.")
    return int(word)


def env_hour(name: str, default: int) -> int:
    """An hour of the day, 0 to 23."""
    word = os.environ.get(name, "").strip()
    if not word:
        return default
    if not word.isdecimal() or int(word) > 23:
        raise ImproperlyConfigured(f"{name} must be an hour from 0 to 23, not {word!r}.")
    return int(word)


def env_list(name: str, default: list[str] | None = None) -> list[str]:
    """Comma-separated words; blanks around them and empty ones are dropped."""
    words = [word.strip() for word in os.environ.get(name, "").split(",")]
    return [word for word in words if word] or list(default or [])


def env_secret(name: str, *, fallback: str | None, how: str) -> str:
    """The secret ``name``, or the content of the file that ``<name>_FILE`` names.

    ``fallback`` is only for a developer's machine; None means that there is none, and the start
    ends with a sentence that says ``how`` to make one.
    """
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(
                f"{name}_FILE cannot be read: {path} ({error.strerror})."
            ) from None
    else:
        value = os.environ.get(name, "").strip()
    value = value or fallback or ""
    if not value:
        raise ImproperlyConfigured(
            f"{name} is not set. {how} On a developer's machine set DEBUG=1 instead; "
            "`python3 manage.py demo` needs neither. See docs/settings.md."
        )
    return value


def env_mail(name: str) -> Mapping[str, Any]:
    """Django's mail settings from an address as ``smtp+tls://user:password@mail.example.org:587``.

    Without it nothing is sent anywhere. The address is never repeated: it may hold a password.
    """
    url = os.environ.get(name, "").strip()
    if not url:
        return {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
    try:
        found: dict[str, Any] = env.email_url_config(url)
    except (ImproperlyConfigured, ValueError):
        found = {}
    options = found.pop("OPTIONS", None)
    if (
        not found
        or options
        or (urlsplit(url).scheme.startswith("smtp") and not found["EMAIL_HOST"])
    ):
        raise ImproperlyConfigured(
            f"{name} must be an address as smtp+tls://user:password@mail.example.org:587 "
            "(smtp://, smtp+tls:// or smtp+ssl://)."
        )
    found["EMAIL_PORT"] = found["EMAIL_PORT"] or (465 if found.get("EMAIL_USE_SSL") else 587)
    return {"EMAIL_TIMEOUT": MAIL_TIMEOUT, **found}


def env_address(name: str) -> str:
    """The address of a web page, http or https, without a slash at its end; may be left out."""
    url = os.environ.get(name, "").strip().rstrip("/")
    try:
        parts = urlsplit(url)
        fine = not url or (parts.scheme in {"http", "https"} and bool(parts.hostname))
    except ValueError:
        fine = False
    if not fine:
        raise ImproperlyConfigured(f"{name} must begin with https:// or http://, not {url!r}.")
    return url
