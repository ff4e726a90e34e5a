"""The disk of a SQLite installation is full: nothing is half stored, and afterwards all goes on.

The web server is the real one; the limit is put on the running process from outside, as a full disk
would come over it, and taken away again.
"""

from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
import requests

from syncportal.processes import answers, kill_group
from tests.chaos import product
from tests.chaos.conftest import wait_for
from tests.chaos.processes import ROOT, descendants
from tests.chaos.world import WEBHOOK_TOKEN, configuration

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="needs prlimit, to fill the disk of a process that runs"
)
ALMOST_NOTHING: Final = 4096  # bytes: no file can grow beyond them
HINT: Final = {
    "event": "appointment_updated",
    "url": "https://api.oncallhealth.com/appointments/1001",
}


class Web:
    """The product on a SQLite file of its own."""

    def __init__(self, folder: Path) -> None:
        self.ports = product.Ports.free()
        self.base = f"http://{product.HOST}:{self.ports.web}/"
        self.file = folder / "db.sqlite3"
        self.settings = product.environment(f"sqlite:///{self.file}")
        self.log = folder / "commands.log"
        self.said = folder / "web.log"
        file = folder / "clinic.toml"
        file.write_text(configuration(f"{self.base}oncall/", f"{self.base}fhir/"), "utf-8")
        for command in (["migrate", "-v", "0"], ["loadconfig", str(file)]):
            assert product.manage(self.settings, self.log, *command).code == 0
        program = product.web(self.ports, self.settings)
        with self.said.open("wb") as log:
            # Its log goes through a pipe: only the database's disk is full.
            self.pipe = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=log)
            self.process = subprocess.Popen(
                program.command,
                cwd=ROOT,
                env={**self.settings, "PYTHONUNBUFFERED": "1"},
                stdout=self.pipe.stdin,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(lambda: answers(program.ready or ""))

    def fill_disk(self, *, full: bool) -> None:
        limit = ALMOST_NOTHING if full else resource.RLIM_INFINITY
        for pid in [self.process.pid, *descendants(self.process.pid)]:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def ask(self, method: str, path: str, **words: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, self.base + path, timeout=60, **words)

    def send(self) -> requests.Response:
        return self.ask("POST", f"webhooks/oncall/{WEBHOOK_TOKEN}/", json=HINT)

    def stored(self) -> list[int]:
        """Deliveries, tasks and sessions, by an eye that the limit does not concern."""
        tables = ("appointments_delivery", "django_q_ormq", "django_session")
        with closing(sqlite3.connect(self.file)) as database:
            return [
                database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables
            ]

    def end(self) -> None:
        kill_group(self.process.pid, signal.SIGKILL)
        self.process.wait()
        assert self.pipe.stdin is not None
        self.pipe.stdin.close()
        self.pipe.wait(10)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    server = Web(tmp_path)
    yield server
    server.end()


def test_full_disk_refuses_webhooks_whole_and_shows_no_trace_and_afterwards_all_goes_on(web: Web):
    assert (web.send().status_code, web.stored()) == (202, [1, 1, 0])
    web.fill_disk(full=True)

    refused = web.send()
    page = web.ask("POST", "api/v1/none/", data={})
    sign_in = web.ask("GET", "accounts/login/")
    words = {"username": "mei", "password": "none of yours", "csrfmiddlewaretoken": "x"}
    words["csrfmiddlewaretoken"] = sign_in.cookies["csrftoken"]
    failed = web.ask("POST", "accounts/login/", data=words, cookies=sign_in.cookies.get_dict())

    assert (refused.status_code, web.stored()) == (500, [1, 1, 0])
    assert (page.status_code, sign_in.status_code, failed.status_code) == (404, 200, 500)
    for answer in (refused, failed):
        assert "Traceback" not in answer.text
        assert "sqlite" not in answer.text.lower()
    web.fill_disk(full=False)
    assert (web.send().status_code, web.stored()) == (202, [2, 2, 0])
    assert web.ask("GET", "health/ready").json()["checks"]["database"] == "ok"
    log = web.said.read_text("utf-8")
    assert "OperationalError" in log
    assert WEBHOOK_TOKEN not in log
