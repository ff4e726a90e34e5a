"""One threaded WSGI server for each system, all in one process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler


class Handler(WSGIRequestHandler):
    """Keep-alive without Nagle's delay, and a handle by which a fault can hang up."""

    disable_nagle_algorithm = True

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        environ["sandbox.connection"] = self
        return environ

    def log_message(self, *args: object) -> None:
        """Say nothing: ``/control/requests`` is the log."""


class Server(ThreadedWSGIServer):
    """Serves one system; remembers open sockets so that stopping is immediate."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, host: str, port: int, application: Callable[..., Any]):
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), Handler)
        self.set_app(application)

    def server_bind(self) -> None:
        # HTTPServer asks the resolver for the host's full name: seconds in a sandbox.
        socket.socket.setsockopt(self.socket, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name = str(self.server_address[0])
        self.server_port = int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is normal here (timeouts are practised)."""


def for_system(system: str, application: Callable[..., Any]) -> Callable[..., Iterable[bytes]]:
    """Mark every request with the system whose port it came in on."""

    def marked(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["sandbox.system"] = system
        response = application(environ, start_response)
        if environ.get("sandbox.drop"):
            # Nothing has been sent yet. wsgiref takes this error for a client
            # that went away and stays silent: a dropped connection.
            environ["sandbox.connection"].close_connection = True
            raise ConnectionAbortedError("a fault hung up")
        return response

    return marked


def serve_in_background(server: Server) -> threading.Thread:
    """Start serving; ``server.shutdown()`` ends it."""
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
    )
    thread.start()
    return thread
