"""OnCall's webhook sender: a thread that posts hints (oncall docs, syncing guide).

The body is exactly ``{"event", "url"}``; the url has the ``.com`` host and no
slash at its end. Each hint is sent once: retries are nowhere documented.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from typing import Any

import requests

from sandbox.world import switches

log = logging.getLogger("sandbox.hooks")

MODES = ("deliver", "hold", "drop", "duplicate", "reorder")
SECONDS = 5

_lock = threading.Lock()
_queue: queue.Queue[dict[str, Any] | None] = queue.Queue()
_held: list[dict[str, Any]] = []
_log: list[dict[str, Any]] = []
_state = {"url": "", "first_url": "", "mode": "deliver"}
_thread: threading.Thread | None = None


def start(url: str) -> None:
    global _thread
    _state.update(url=url, first_url=url)
    _thread = threading.Thread(target=_work, daemon=True)
    _thread.start()


def stop() -> None:
    _queue.put(None)


def emit(event: str, number: int) -> None:
    """Appointment ``number`` was created or changed."""
    url = f"{switches.get('webhooks.host')}appointments/{number}"
    send(json.dumps({"event": event, "url": url}))


def send(body: str, content_type: str = "application/json") -> None:
    """Queue any body at all, by the present mode."""
    delivery = {
        "body": body,
        "content_type": content_type,
        "at": time.time(),
        "status": None,
        "error": "",
    }
    with _lock:
        mode = _state["mode"]
        _log.append(delivery)
        if mode == "drop":
            delivery["error"] = "dropped"
            return
        if mode in ("hold", "reorder"):
            _held.append(delivery)
            return
    _queue.put(delivery)
    if mode == "duplicate":
        _queue.put(delivery)


def flush(seconds: float = 30) -> bool:
    """Let go what is held (in reverse under ``reorder``); wait until all is sent."""
    with _lock:
        waiting = _held[::-1] if _state["mode"] == "reorder" else _held[:]
        _held.clear()
    for delivery in waiting:
        _queue.put(delivery)
    until = time.monotonic() + seconds
    while _queue.unfinished_tasks and time.monotonic() < until:
        time.sleep(0.005)
    return not _queue.unfinished_tasks


def set_mode(mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"mode is one of {', '.join(MODES)}")
    with _lock:
        _state["mode"] = mode


def set_url(url: str) -> None:
    _state["url"] = url


def report() -> dict[str, Any]:
    with _lock:
        return {
            "url": _state["url"],
            "mode": _state["mode"],
            "held": len(_held),
            "queued": _queue.unfinished_tasks,
            "deliveries": [dict(x) for x in _log],
        }


def reset() -> None:
    """Nothing is waiting any more; the address of the command line is back."""
    with _lock:
        _held.clear()
        _state.update(url=_state["first_url"], mode="deliver")
    while True:
        try:
            _queue.get_nowait()
        except queue.Empty:
            break
        _queue.task_done()
    with _lock:
        _log.clear()


def _work() -> None:
    with requests.Session() as session:
        session.trust_env = False
        while (delivery := _queue.get()) is not None:
            try:
                _deliver(session, delivery)
            except requests.RequestException as error:
                delivery["error"] = type(error).__name__
            except Exception:
                log.exception("webhook sender")
            finally:
                _queue.task_done()


def _deliver(session: requests.Session, delivery: dict[str, Any]) -> None:
    if not _state["url"]:
        delivery["error"] = "no address"
        return
    wait = delivery["at"] + switches.get("webhooks.delay") - time.time()
    if wait > 0:
        time.sleep(wait)
    headers = {"User-Agent": "practice-oncall"}
    if delivery["content_type"]:
        headers["Content-Type"] = delivery["content_type"]
    answer = session.post(
        _state["url"],
        data=delivery["body"].encode(),
        headers=headers,
        timeout=SECONDS,
        allow_redirects=False,
    )
    delivery["status"] = answer.status_code
