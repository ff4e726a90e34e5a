"""The product's own programs as an operator starts them, and its commands."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.chaos.processes import ROOT, Program
from tests.chaos.world import WEBHOOK_TOKEN

HOST: Final = "127.0.0.1"
SECRET_KEY: Final = "chaos-secret-key-" + "7f3a9c" * 8
CREDENTIALS_KEY: Final = "chaos-credentials-key-51c0"
STAFF: Final = ("mei", "tom")


@dataclass(frozen=True)
class Ports:
    """Free ones, all on the loopback address."""

    web: int
    page: int
    oncall: int
    emr: int

    @classmethod
    def free(cls) -> Ports:
        probes = [socket.socket() for _ in range(4)]
        for probe in probes:
            probe.bind((HOST, 0))
        ports = [int(probe.getsockname()[1]) for probe in probes]
        for probe in probes:
            probe.close()
        return cls(*ports)


def environment(url: str) -> dict[str, str]:
    """Production's settings, for this machine only."""
    own = ("DATABASE_URL", "WORKERS", "LOG_LEVEL", "STATIC_ROOT", "BEHIND_PROXY", "METRICS_TOKEN")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in own and not name.endswith("_FILE")
    }
    return {
        **kept,
        "ENV_FILE": "",
        "DJANGO_SETTINGS_MODULE": "syncportal.settings",
        "DATABASE_URL": url,
        "SECRET_KEY": SECRET_KEY,
        "CREDENTIALS_KEY": CREDENTIALS_KEY,
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "INSECURE_HTTP": "1",
        "DEBUG": "0",
    }


def sandbox(ports: Ports, folder: Path) -> Program:
    command = [sys.executable, "-m", "sandbox", "--data", str(folder / "sandbox")]
    command += ["--page-port", str(ports.page), "--oncall-port", str(ports.oncall)]
    command += ["--emr-port", str(ports.emr)]
    command += ["--webhook-url", f"http://{HOST}:{ports.web}/webhooks/oncall/{WEBHOOK_TOKEN}/"]
    ready = f"http://{HOST}:{ports.page}/control/"
    return Program("sandbox", command, dict(os.environ), ready)


def web(ports: Ports, settings: Mapping[str, str]) -> Program:
    """As the README says, with two processes."""
    command = [sys.executable, "-m", "gunicorn", "-k", "gthread", "-w", "2", "--threads", "4"]
    command += ["--logger-class", "syncportal.access.MaskedLogger", "--access-logfile", "-"]
    command += ["--no-control-socket", "--bind", f"{HOST}:{ports.web}", "syncportal.wsgi"]
    return Program("web", command, settings, f"http://{HOST}:{ports.web}/health/live")


def worker(number: int, settings: Mapping[str, str]) -> Program:
    """With its default number of processes: two on PostgreSQL, one on SQLite."""
    return Program(f"worker-{number}", [sys.executable, "manage.py", "worker"], settings)


@dataclass(frozen=True)
class Done:
    code: int
    output: str

    @property
    def data(self) -> Any:
        return json.loads(self.output)


def manage(settings: Mapping[str, str], log: Path, *arguments: str, seconds: float = 180) -> Done:
    """``manage.py`` run to its end; what it says besides goes to ``log``."""
    with log.open("ab") as errors:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=dict(settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            timeout=seconds,
            check=False,
        )
        output = done.stdout.decode("utf-8", "replace")
        errors.write(f"$ manage.py {' '.join(arguments)}: exit code {done.returncode}\n".encode())
        errors.write(done.stdout)
    return Done(done.returncode, output)


def make_staff() -> dict[str, str]:
    """Accounts that may settle everywhere: name → token of the REST API."""
    from django.contrib.auth import get_user_model
    from rest_framework.authtoken.models import Token

    from appointments.models import Division, Membership, Role

    tokens = {}
    for name in STAFF:
        user = get_user_model().objects.create_user(name, password=None)
        for division in Division.objects.all():
            Membership.objects.create(user=user, division=division, role=Role.STAFF)
        tokens[name] = Token.objects.create(user=user).key
    return tokens
