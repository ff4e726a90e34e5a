"""What may stand in a log line."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

from gunicorn.config import Config
from gunicorn.glogging import SafeAtoms

from syncportal.access import MaskedLogger
from syncportal.logs import LineFormatter
from syncportal.postgres import started

TOKEN = "s3cret-token"


def line(message: str, *arguments: object, name: str = "appointments", exc_info=None) -> str:
    record = logging.LogRecord(name, logging.INFO, "file.py", 1, message, arguments, exc_info)
    return LineFormatter().format(record)


def test_webhook_token_is_masked_wherever_it_comes_from():
    path = f"/webhooks/oncall/{TOKEN}/"
    assert TOKEN not in line(f"Not Found: {path}")
    assert TOKEN not in line('"%s %s HTTP/1.1" %s', "POST", path, 404)
    assert TOKEN not in line(f"http://host{path.rstrip('/')}?x=1")


def test_record_is_one_line():
    assert "\n" not in line("one\ntwo\r\nthree")


def test_error_is_written_without_its_message():
    try:
        try:
            raise ValueError("Key (email)=(marie@example.org) already exists")
        except ValueError as cause:
            raise RuntimeError("about Marie") from cause
    except RuntimeError:
        text = line("Push failed", exc_info=sys.exc_info())
    assert "marie" not in text.lower()
    assert "builtins.RuntimeError at tests/test_logs.py:" in text
    assert "from builtins.ValueError" in text


def test_queue_engines_traceback_text_is_cut():
    text = line("Failed 'push' (id) - ValueError: Marie : Traceback\n  File", name="django-q")
    assert text.endswith("Failed 'push' (id)")


def test_access_log_shows_neither_token_nor_query():
    config = Config()
    logger = MaskedLogger(config)
    path = f"/webhooks/oncall/{TOKEN}/"
    environ = {
        "REQUEST_METHOD": "POST",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "PATH_INFO": path,
        "RAW_URI": f"{path}?name=Marie",
        "QUERY_STRING": "name=Marie",
    }
    request = SimpleNamespace(headers=[("REFERER", f"http://host{path}?name=Marie")])
    response = SimpleNamespace(status="202 Accepted", headers=[], sent=0)
    atoms = logger.atoms(response, request, environ, timedelta(seconds=1))
    assert TOKEN not in str(atoms)
    assert "Marie" not in str(atoms)
    assert "POST /webhooks/oncall/***/ HTTP/1.1" in config.access_log_format % SafeAtoms(atoms)


# Two workers that queue a write for one visit in the same moment: the second is refused.
REFUSED_INSERT = """
import django
django.setup()
from django.db import IntegrityError, connection
with connection.cursor() as cursor:
    cursor.execute("CREATE TABLE push (pair integer UNIQUE, patient text)")
    for _ in range(2):
        try:
            cursor.execute("INSERT INTO push VALUES (%s, %s)", [1, "Marie Example"])
        except IntegrityError:
            print("refused")
"""


def test_postgresql_logs_a_refused_statement_without_its_values():
    """Law 14: its log is not ours, and a statement that fails stands in it."""
    # Not pytest's folder: PostgreSQL refuses to run as root, and nobody else gets into that one.
    with tempfile.TemporaryDirectory() as name, started(folder := Path(name)) as url:
        environment = {**os.environ, "DATABASE_URL": url, "DEBUG": "1", "ENV_FILE": ""}
        environment["DJANGO_SETTINGS_MODULE"] = "syncportal.settings"
        command = [sys.executable, "-c", REFUSED_INSERT]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        log = (folder / "log").read_text()
    assert done.stdout == "refused\n"
    assert "INSERT INTO push VALUES ($1, $2)" in log
    assert "Marie" not in log
