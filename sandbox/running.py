"""Start the practice systems in a process of their own, for a test session."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.client import SandboxClient

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Sandbox:
    """Where the practice systems are; ``emr_url`` is the FHIR base."""

    oncall_url: str
    emr_url: str
    page_url: str
    client: SandboxClient


@contextmanager
def running_sandbox(
    tmp_dir: str | os.PathLike[str] | None = None,
    *arguments: str,
    webhook_url: str = "",
) -> Iterator[Sandbox]:
    """Practice systems on free ports, stopped at the end.

    ``tmp_dir`` keeps the data (None: in memory). More command line arguments may
    follow, ``"--demo"`` for instance.
    """
    command = [
        sys.executable,
        "-m",
        "sandbox",
        *("--page-port", "0", "--oncall-port", "0", "--emr-port", "0"),
        *("--data", ":memory:" if tmp_dir is None else os.fspath(tmp_dir)),
        *arguments,
    ]
    if webhook_url:
        command += ["--webhook-url", webhook_url]
    with subprocess.Popen(  # noqa: S603  (our own module, no shell)
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise RuntimeError(f"sandbox did not start (exit {process.wait()})")
            found = json.loads(line)
            client = SandboxClient(found.pop("control_url"))
            try:
                yield Sandbox(client=client, **found)
            finally:
                client.close()
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
