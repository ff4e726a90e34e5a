"""``python -m sandbox``: start the practice systems and say on stdout where they are."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--page-port", type=int, default=9100, help="0 = a free one")
    parser.add_argument("--oncall-port", type=int, default=9101)
    parser.add_argument("--emr-port", type=int, default=9102)
    parser.add_argument(
        "--data", default=":memory:", help="folder, or :memory: (forgotten at the end)"
    )
    parser.add_argument("--webhook-url", default="", help="where OnCall sends webhooks")
    parser.add_argument("--demo", action="store_true", help="load the demo world")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    options = arguments(argv)
    temporary = None
    if options.data == ":memory:":
        # SQLite's shared memory mode cannot take concurrent writers; a file in
        # shared memory can, and is as quick.
        shm = Path("/dev/shm")  # noqa: S108  (only a folder with a random name in it)
        temporary = tempfile.TemporaryDirectory(
            prefix="sandbox-", dir=shm if shm.is_dir() else None
        )
        folder = Path(temporary.name)
    else:
        folder = Path(options.data)
        folder.mkdir(parents=True, exist_ok=True)
    os.environ["SANDBOX_DATABASE"] = str(folder / "sandbox.sqlite3")
    # The caller's environment may name the product's settings: never use them.
    os.environ["DJANGO_SETTINGS_MODULE"] = "sandbox.settings"

    import django

    django.setup()
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    from sandbox import server
    from sandbox.world import addresses, hooks, journal, reset, switches

    call_command("migrate", run_syncdb=True, verbosity=0)
    application = get_wsgi_application()
    ports = {
        "page": options.page_port,
        "oncall": options.oncall_port,
        "emr": options.emr_port,
    }
    servers = {
        name: server.Server(options.host, port, server.for_system(name, application))
        for name, port in ports.items()
    }
    host = f"[{options.host}]" if ":" in options.host else options.host
    addresses.announce({name: f"http://{host}:{srv.server_port}/" for name, srv in servers.items()})
    switches.live_in(folder / "switches.json")
    if temporary is None:
        journal.live_in(folder / "requests.jsonl")
    hooks.start(options.webhook_url)
    reset.ensure_keys()
    if options.demo:
        reset.load_demo()
    for srv in servers.values():
        server.serve_in_background(srv)

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    sys.stdout.write(json.dumps(addresses.all_addresses()) + "\n")
    sys.stdout.flush()
    stop.wait()
    journal.close()
    for srv in servers.values():
        srv.shutdown()
        srv.server_close()
    hooks.stop()
    if temporary is not None:
        temporary.cleanup()
    return 0


if __name__ == "__main__":
    sys.exit(main())
