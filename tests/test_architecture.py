"""Rules about the code as a whole. Import layers are import-linter's (pyproject.toml)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db.backends.sqlite3.base import DatabaseWrapper

from syncportal import settings as product_settings

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ["appointments", "emr_adapters", "syncportal", "sandbox"]
MOST_LINES = 400
NO_DJANGO = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for found in pkgutil.walk_packages(package.__path__, name + "."):
        importlib.import_module(found.name)
loaded = sorted({name.partition(".")[0] for name in sys.modules} & {"django", "rest_framework"})
sys.exit(", ".join(loaded) or 0)
"""


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, with these settings and no others."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={"ENV_FILE": "", "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def python_files(folder: str) -> list[Path]:
    return [path for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts]


@pytest.mark.parametrize("package", ["appointments.core", "appointments.oncall", "emr_adapters"])
def test_package_imports_without_django(package):
    done = python("-c", NO_DJANGO, package)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("folder", PRODUCT)
def test_no_file_of_the_product_is_too_long(folder):
    files = python_files(folder)
    assert files, f"{folder} is empty"
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in files
    }
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_every_setting_that_is_read_is_documented():
    source = "".join(
        (ROOT / "syncportal" / name).read_text(encoding="utf-8")
        for name in ("settings.py", "env.py")
    )
    called = r"(?:env|env\.\w+|env_\w+|os\.environ\.get)\(\s*\"([A-Z][A-Z_]+)\""
    read = set(re.findall(called, source))
    documented = set(
        re.findall(r"`([A-Z][A-Z_]+)`", (ROOT / "docs/settings.md").read_text(encoding="utf-8"))
    )
    assert {"DATABASE_URL", "SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "CREDENTIALS_KEY"} <= read
    assert read - documented == set()


def test_sqlite_is_opened_with_wal_immediate_and_patience(tmp_path, django_db_blocker):
    options = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    code = (
        "import json; from syncportal.settings import DATABASES;"
        "print(json.dumps(DATABASES['default']['OPTIONS']))"
    )
    done = python("-c", code, DEBUG="1")
    assert json.loads(done.stdout) == options
    database = {**settings.DATABASES["default"], "NAME": str(tmp_path / "db"), "OPTIONS": options}
    connection = DatabaseWrapper(
        {**database, "TIME_ZONE": None, "CONN_MAX_AGE": 0, "AUTOCOMMIT": True}
    )
    try:
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            values = {}
            for pragma in ("journal_mode", "busy_timeout", "foreign_keys", "synchronous"):
                values[pragma] = cursor.execute(f"PRAGMA {pragma}").fetchone()[0]
    finally:
        connection.close()
    assert values == {
        "journal_mode": "wal",
        "busy_timeout": 20000,
        "foreign_keys": 1,
        "synchronous": 1,
    }


def test_postgresql_keeps_its_connections_and_checks_them():
    code = (
        "from syncportal.settings import DATABASES, Q_CLUSTER; d = DATABASES['default'];"
        "print(d['CONN_MAX_AGE'], d['CONN_HEALTH_CHECKS'], Q_CLUSTER['workers'])"
    )
    done = python("-c", code, DEBUG="1", DATABASE_URL="postgres:///x")
    assert done.stdout.split() == ["60", "True", "2"]


def test_queue_hands_a_task_out_again_only_when_it_is_surely_lost():
    queue = product_settings.Q_CLUSTER
    assert queue["timeout"] * 3 <= queue["retry"]
    assert queue["max_attempts"] > 0
    assert queue["ack_failures"] is False
    assert queue["queue_limit"] <= queue["workers"]
    assert queue["catch_up"] is False
    assert queue["orm"] == "default"


@pytest.mark.parametrize("missing", ["SECRET_KEY", "CREDENTIALS_KEY"])
def test_production_refuses_to_start_without_its_keys(missing):
    keys = {"SECRET_KEY": "x" * 50, "CREDENTIALS_KEY": "y" * 50}
    del keys[missing]
    done = python("manage.py", "check", **keys)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{missing} is not set.")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("hosts", "secure"), [("", False), ("localhost,127.0.0.1", False), ("portal.example.org", True)]
)
def test_https_is_required_as_soon_as_others_can_reach_the_portal(hosts, secure):
    code = (
        "from syncportal import settings as s; print([s.SECURE_SSL_REDIRECT,"
        " s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS > 0])"
    )
    done = python("-c", code, SECRET_KEY="x", CREDENTIALS_KEY="y", ALLOWED_HOSTS=hosts)
    assert done.stdout.strip() == str([secure] * 4)


def test_content_security_policy_allows_nothing_inline():
    directives = product_settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    words = {word for values in directives.values() for word in values}
    assert words == {"'none'", "'self'", "data:"}
    assert directives["script-src"] == directives["style-src"] == ["'self'"]
