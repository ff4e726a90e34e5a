"""One line a record, without secrets and without patients.

An exception is written as its class and the places it came through, never with its message: a
database says "Key (email)=(…)" there, and a remote system whatever it likes. Code that wants more
in a log says so itself, in words it knows to be harmless.
"""

from __future__ import annotations

import logging
import re
import traceback
from datetime import UTC, datetime
from typing import Any

MASK = "***"
# The only secret that a url has to carry, because OnCall can send nothing else (docs/security.md).
WEBHOOK_TOKEN = re.compile(r"(/webhooks/oncall/)[^/\s?\"']+")
FRAMES = 12


def logging_settings(level: str) -> dict[str, Any]:
    """Everything to standard error, through one formatter.

    Django's own handlers are replaced: they print tracebacks with values, and mail pages of them.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": LineFormatter}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            name: {"handlers": ["console"], "propagate": False}
            for name in ("django", "django.server", "django-q")
        },
    }


def mask(text: str) -> str:
    """The text without any webhook token and on one line."""
    return WEBHOOK_TOKEN.sub(rf"\1{MASK}", text).replace("\r", "").replace("\n", " | ")


class LineFormatter(logging.Formatter):
    """``2026-01-31T08:15:00.123Z WARNING appointments.outbox: words`` (+ where an error came from)."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        words = record.getMessage()
        if record.name in {"django-q", "django_q"}:
            # django-q2 puts whole tracebacks, messages included, into its text.
            words = words.partition(" - ")[0].partition("\n")[0]
        line = f"{at.replace('+00:00', 'Z')} {record.levelname} {record.name}: {words}"
        if record.exc_info and record.exc_info[0] is not None:
            line += f" [{describe(record.exc_info[1])}]"
        return mask(line)


def describe(error: BaseException | None) -> str:
    """Class and places of an error and of what caused it, innermost place last; no messages."""
    parts: list[str] = []
    while error is not None and len(parts) < 4:
        frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
        places = " > ".join(f"{short(frame.filename)}:{frame.lineno}" for frame in frames)
        kind = type(error)
        parts.append(f"{kind.__module__}.{kind.__qualname__} at {places or 'unknown place'}")
        error = error.__cause__ or error.__context__
    return "; from ".join(parts)


def short(path: str) -> str:
    """The last two steps of a path: enough to find the line, nothing about the machine."""
    return "/".join(path.replace("\\", "/").rsplit("/", 2)[-2:])
