"""``python3 manage.py demo``: the whole product on this machine, with practice systems to play with.

Everything it makes lies in ``.demo`` (or ``--data``): database, keys, logs, the practice systems'
data. It is safe to repeat, and goes on where it was left; ``--reset`` begins afresh.
"""

from __future__ import annotations

import argparse
import base64
import fcntl
import json
import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from syncportal.bootstrap import Problem
from syncportal.processes import (
    Failed,
    Once,
    Program,
    Runner,
    Stop,
    ignore_signals,
    kill_marked,
    stop_on_signals,
)

ROOT = Path(__file__).resolve().parent.parent
MANAGE = [sys.executable, str(ROOT / "manage.py")]
HOST = "127.0.0.1"
KEYS = "keys.json"
SANDBOX_API_KEY = "practice-coordinator-key"  # the practice OnCall's own, known to everybody
WEB_PORT, PAGE_PORT, ONCALL_PORT, EMR_PORT = 8000, 9100, 9101, 9102


@dataclass(frozen=True)
class Ports:
    """Where each part listens."""

    web: int
    page: int
    oncall: int
    emr: int


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="manage.py demo", description="Run SyncPortal with practice systems on this machine."
    )
    options.add_argument("--port", type=int, default=WEB_PORT, help="of the web pages (8000)")
    options.add_argument("--data", type=Path, default=ROOT / ".demo", help="folder (.demo)")
    options.add_argument("--reset", action="store_true", help="delete the demo's data first")
    options.add_argument("--no-input", action="store_true", help="ask nothing")
    return options


def main(options: argparse.Namespace, parts: Parts | None = None) -> int:
    """Run until Ctrl-C or SIGTERM; 0 after either, 1 if something failed."""
    stop_on_signals()
    data: Path = options.data.resolve()
    try:
        if options.reset and not forget(data, ask=not options.no_input):
            return 1
        with sole_user(data) as notes:
            run(data, options.port, notes, parts or demo_parts)
    except Stop:
        say("Stopped. Nothing is left running; your data stay in " + str(data))
        return 0
    except Failed as failure:
        say(f"\n{failure}\n\nThe demo has stopped. `python3 manage.py demo --reset` begins afresh.")
        return 1
    except OSError as error:
        raise Problem(f"The demo cannot use {data}: {error.strerror or error}") from error
    return 0


def say(text: str) -> None:
    print(text, flush=True)


# --- the demo's folder ----------------------------------------------------------------------------


def forget(data: Path, *, ask: bool) -> bool:
    """Delete the demo's folder; only one that a demo made, and after a question on a terminal."""
    if not data.exists():
        return True
    if not (data / KEYS).is_file():
        raise Problem(f"{data} was not made by the demo, so it is not deleted.")
    with sole_user(data):
        question = f"Delete {data} with everything in it? [y/N] "
        if ask and sys.stdin.isatty() and input(question).strip().lower() != "y":
            return False
        shutil.rmtree(data)
    return True


@contextmanager
def sole_user(data: Path) -> Iterator[TextIO]:
    """One demo a folder: two would write into one database and stop each other's programs.

    The lock ends with the process, however it ends. What a killed demo left running is ended here.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data / "lock").open("a+", encoding="utf-8") as notes:
        try:
            fcntl.flock(notes, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            notes.seek(0)
            where = notes.read().strip()
            at = f" at {where}" if where else ""
            raise Problem(f"A demo with these data is already running{at}.") from None
        if kill_marked(str(data)):
            say("Ended what an earlier demo, which was killed, had left running.")
        yield notes


def keys(data: Path) -> dict[str, str]:
    """The demo's own secrets, made once, readable by this user only."""
    path = data / KEYS
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    fresh = {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "CREDENTIALS_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "ONCALL_WEBHOOK_TOKEN": secrets.token_urlsafe(24),
    }
    complete = {**fresh, **known}
    if complete != known:
        temporary = path.with_suffix(".new")
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(complete, file)
        temporary.replace(path)
    return complete


# --- ports and surroundings -----------------------------------------------------------------------


def free_port(wanted: int, taken: set[int]) -> int:
    """``wanted``, or the next one that nobody listens on."""
    for port in [*range(wanted, min(wanted + 50, 65536)), 0]:
        if port in taken:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Problem("No free port was found on this machine.")


def choose_ports(web: int) -> Ports:
    chosen: list[int] = []
    for wanted in (web, PAGE_PORT, ONCALL_PORT, EMR_PORT):
        port = free_port(wanted, set(chosen))
        if port != wanted:
            say(f"Port {wanted} is taken on this machine; using {port}.")
        chosen.append(port)
    return Ports(*chosen)


def environment(data: Path, ports: Ports) -> dict[str, str]:
    """The settings of the demo; the caller's own (a production DATABASE_URL, say) do not reach it."""
    settings = keys(data)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.endswith("_FILE") and name not in {"STATIC_ROOT", "WORKERS", "BEHIND_PROXY"}
    }
    return {
        **kept,
        **settings,
        "ENV_FILE": "",
        "DJANGO_SETTINGS_MODULE": "syncportal.settings",
        "DATABASE_URL": f"sqlite:///{data / 'db.sqlite3'}",
        "DEBUG": "0",
        "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
        "INSECURE_HTTP": "1",  # http://localhost only; the server listens nowhere else
        "ONCALL_API_KEY": SANDBOX_API_KEY,
        "EMAIL_URL": f"filemail:///{quote(str(data / 'mails'))}",  # alerts: to a file, never to anybody
        "PORTAL_URL": f"http://localhost:{ports.web}/",
        "SANDBOX_PAGE_URL": f"http://localhost:{ports.page}/",
        "SANDBOX_ONCALL_URL": f"http://{HOST}:{ports.oncall}/",
        "SANDBOX_EMR_URL": f"http://{HOST}:{ports.emr}/fhir/R4/",
    }


def demo_parts(data: Path, ports: Ports, settings: dict[str, str]) -> list[Program | Once]:
    """What the demo consists of, in the order in which it comes up."""
    token = settings["ONCALL_WEBHOOK_TOKEN"]
    web = f"{HOST}:{ports.web}"
    sandbox = [
        *[sys.executable, "-m", "sandbox", "--data", str(data / "sandbox")],
        *["--page-port", str(ports.page), "--oncall-port", str(ports.oncall)],
        *["--emr-port", str(ports.emr)],
        *["--webhook-url", f"http://{web}/webhooks/oncall/{token}/"],
    ]
    server = [
        *[sys.executable, "-m", "gunicorn", "-k", "gthread", "--workers", "1", "--threads", "8"],
        *["--logger-class", "syncportal.access.MaskedLogger", "--access-logfile", "-"],
        "--no-control-socket",  # it would lie in the home folder, one for all of this user
    ]
    return [
        Once("database", [*MANAGE, "migrate", "--no-input", "--verbosity", "0"]),
        Program("practice systems", sandbox, ready=f"http://{HOST}:{ports.page}/"),
        Once("demo data", [*MANAGE, "demodata"]),
        Program(
            "web server",
            [*server, "--bind", web, "syncportal.wsgi"],
            ready=f"http://{web}/accounts/login/",
        ),
        Program("worker", [*MANAGE, "worker"]),
    ]


# --- the run --------------------------------------------------------------------------------------

Parts = Callable[[Path, Ports, dict[str, str]], Sequence[Program | Once]]


def run(data: Path, port: int, notes: TextIO, parts: Parts) -> None:
    """Bring everything up in order, say where it is, and watch it until ``Stop`` or ``Failed``."""
    began = time.monotonic()
    ports = choose_ports(port)
    settings = environment(data, ports)
    logs = data / "log"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir()
    runner = Runner(settings, ROOT, logs, mark=str(data), say=say)
    try:
        printed = runner.begin(parts(data, ports, settings))
        notes.truncate(0)
        notes.write(settings["PORTAL_URL"])
        notes.flush()
        say(welcome(settings, printed.get("demo data", ""), data, time.monotonic() - began))
        runner.watch()
    finally:
        ignore_signals()
        say("Stopping …")
        runner.stop()


def welcome(settings: dict[str, str], facts: str, data: Path, seconds: float) -> str:
    """What to open, with which sign-in, and what to try; ``facts`` come from `manage.py demodata`."""
    return f"""
SyncPortal is running ({seconds:.0f} s).

  Portal              {settings["PORTAL_URL"]}
  Practice systems    {settings["SANDBOX_PAGE_URL"]}   (an OnCall and an EMR to edit by hand)

{facts.strip()}

What to try first
  1. Open the portal, sign in, and settle a mismatch with one click.
  2. In the practice EMR move a visit; within a minute the portal shows what became of it.
  3. API: {settings["PORTAL_URL"]}api/docs/

Data and logs: {data}    Stop: Ctrl-C
"""
