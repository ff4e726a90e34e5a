"""The databases of a run: a PostgreSQL of its own that can be torn down under load, or a SQLite file."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from syncportal import postgres


class Database(Protocol):
    """``restart`` is None where there is no server to restart."""

    url: str
    restart: Callable[[], None] | None
    log: Path | None

    def end(self) -> None: ...


class Sqlite:
    restart: Callable[[], None] | None = None
    log: Path | None = None

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'db.sqlite3'}"

    def end(self) -> None:
        """Nothing runs."""


class Postgres:
    """The wheel's server with its defaults: unlike in the tests, a commit that was answered is kept."""

    restart: Callable[[], None] | None
    log: Path | None

    def __init__(self, folder: Path) -> None:
        home = folder / "postgres"
        home.mkdir()
        self._programs, who = postgres.wheel_programs(), {}
        if os.geteuid() == 0:
            folder.chmod(0o755)
            self._programs = postgres.copied(self._programs, home)
            who = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
            home.chmod(0o755)
        self._data, self._sockets = home / "data", home / "socket"
        for path in (self._data, self._sockets):
            path.mkdir(mode=0o700)
            if who:
                shutil.chown(path, "nobody")
        self._surroundings: dict[str, Any] = {**who, "cwd": home}
        self.log = home / "log"
        self.url = f"postgres://postgres@/postgres?host={quote(str(self._sockets))}"
        postgres.make_data(self._programs, self._data, self._surroundings)
        self.restart = self._restart
        self._launch()

    def _launch(self) -> None:
        command = [str(self._programs / "bin" / "postgres"), "-D", str(self._data)]
        command += ["-k", str(self._sockets), "-h", "", "-c", "fsync=off"]  # power is not cut
        with (self._sockets.parent / "log").open("ab") as log:
            self._server = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._surroundings,
            )
        postgres.wait_until_ready(self._programs, self._sockets, self._server)

    def _restart(self) -> None:
        """``pg_ctl stop -m immediate``, then start: what was not committed is gone, the rest recovered."""
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(30)
        self._launch()

    def end(self) -> None:
        postgres.stop(self._server)
