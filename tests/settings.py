"""The product's settings in a world of their own: no ``.env``, keys that protect nothing."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ.update(
    ENV_FILE="",
    DEBUG="0",
    SECRET_KEY="only-for-tests-" * 4,
    CREDENTIALS_KEY="only-for-tests",
    ALLOWED_HOSTS="testserver,localhost,127.0.0.1",
    INSECURE_HTTP="1",
    STATIC_ROOT="",
)

from syncportal.settings import *  # noqa: F403
from syncportal.settings import DATABASES, ON_SQLITE

if ON_SQLITE:
    # A file, not memory: threads of the live server meet the same locks as in production. A name of
    # its own for each process, so that two runs in one working tree never meet.
    DATABASES["default"]["TEST"] = {
        "NAME": str(Path(tempfile.gettempdir()) / f"syncportal-test-{os.getpid()}.sqlite3")
    }
    DATABASES["default"]["OPTIONS"]["init_command"] = (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
    )

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the rest is slow on purpose
