"""What OnCall's webhook sender sends (oncall docs, syncing guide), to a real listener."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

CREATED = {
    "event": "appointment_created",
    "url": "https://api.oncallhealth.com/appointments/1001",
}
UPDATED = {**CREATED, "event": "appointment_updated"}


@pytest.fixture
def heard(practice) -> Iterator[list[dict[str, Any]]]:
    """What a listener received; the practice world sends there."""
    received: list[dict[str, Any]] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(
                {"type": self.headers["Content-Type"], "path": self.path, "body": body.decode()}
            )
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        practice.client.webhooks(url=f"http://127.0.0.1:{server.server_port}/hook/")
        yield received
        server.shutdown()
        thread.join()


def bodies(heard):
    return [json.loads(delivery["body"]) for delivery in heard]


def test_webhook_body_is_exactly_event_and_url(practice, oncall, new_visit, heard):
    oncall("POST", "appointments/", json=new_visit())
    oncall("PATCH", "appointments/1001/", json={"title": "Other"})
    oncall("PATCH", "appointments/1001/", json={"cancelled": True})
    report = practice.client.flush_webhooks()
    assert bodies(heard) == [CREATED, UPDATED, UPDATED]
    assert {delivery["type"] for delivery in heard} == {"application/json"}
    assert [delivery["status"] for delivery in report["deliveries"]] == [202, 202, 202]


def test_webhook_is_not_sent_for_a_refused_write(practice, oncall, heard):
    oncall("POST", "appointments/", json={})
    practice.client.flush_webhooks()
    assert heard == []


def test_webhook_echo_of_own_writes_is_a_switch_persons_always_tell(
    practice, oncall, new_visit, heard
):
    practice.client.switch({"webhooks.echo": False})
    oncall("POST", "appointments/", json=new_visit())
    practice.client.oncall_change(1001, duration=45)
    practice.client.flush_webhooks()
    assert bodies(heard) == [UPDATED]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("deliver", [CREATED, UPDATED]),
        ("hold", [CREATED, UPDATED]),
        ("reorder", [UPDATED, CREATED]),
        ("duplicate", [CREATED, CREATED, UPDATED, UPDATED]),
        ("drop", []),
    ],
)
def test_webhook_mode_decides_what_arrives(practice, oncall, new_visit, heard, mode, expected):
    practice.client.webhooks(mode=mode)
    oncall("POST", "appointments/", json=new_visit())
    oncall("PATCH", "appointments/1001/", json={"title": "Other"})
    if mode == "hold":
        assert practice.client.webhooks()["held"] == 2
        assert heard == []
    practice.client.flush_webhooks()
    assert bodies(heard) == expected


def test_webhook_of_any_body_can_be_sent(practice, heard):
    practice.client.send_webhook({"event": "form_done", "url": "https://example.org/forms/1"})
    practice.client.send_webhook(raw="no json", content_type="text/plain")
    practice.client.flush_webhooks()
    assert json.loads(heard[0]["body"])["event"] == "form_done"
    assert (heard[1]["body"], heard[1]["type"]) == ("no json", "text/plain")
