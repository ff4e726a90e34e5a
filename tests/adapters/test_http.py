"""The session below every adapter: what is retried, and what each failure is."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import responses

from emr_adapters import answers
from emr_adapters.errors import (
    AdapterError,
    BadResponse,
    ChangedRemotely,
    NotConfigured,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    TemporaryError,
    Unsupported,
)
from emr_adapters.http import Http
from tests.adapters.http_link import BASE, Link


@pytest.fixture
def link() -> Link:
    return Link()


@pytest.fixture
def remote() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


# --- reads ---


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_read_is_tried_three_times(
    link: Link, remote: responses.RequestsMock, status: int
) -> None:
    for _ in range(3):
        remote.get(BASE + "x", status=status)
    with pytest.raises(TemporaryError):
        link.http.get("x")
    assert (link.slept, link.asked) == ([0.5, 1.5], 3)


@pytest.mark.parametrize(
    "failure",
    [
        requests.ConnectionError("x"),
        requests.ReadTimeout("x"),
        requests.exceptions.ChunkedEncodingError("x"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_broken_connection_is_retried_for_a_read(
    link: Link, remote: responses.RequestsMock, failure: Exception
) -> None:
    remote.get(BASE + "x", body=failure)
    remote.get(BASE + "x", json={"ok": 1})
    assert link.http.get("x").data == {"ok": 1}
    assert link.slept == [0.5]


@pytest.mark.parametrize("status", [429, 503])
def test_rest_that_is_asked_for_is_the_callers_to_give(
    link: Link, remote: responses.RequestsMock, status: int
) -> None:
    """Who waits here would let all others go on asking."""
    remote.get(BASE + "x", status=status, headers={"Retry-After": "3"})
    with pytest.raises(TemporaryError) as asked:
        link.http.get("x")
    assert (asked.value.retry_after, link.slept, link.asked) == (3.0, [], 1)


def test_a_write_passes_on_how_long_rest_was_asked_for(
    link: Link, remote: responses.RequestsMock
) -> None:
    remote.post(BASE + "x/", status=503, json={}, headers={"Retry-After": "7"})
    with pytest.raises(OutcomeUnknown) as asked:
        link.http.write("POST", "x/", {})
    assert asked.value.retry_after == 7.0


def test_a_read_is_not_tried_again_where_the_caller_waits_instead(
    link: Link, remote: responses.RequestsMock
) -> None:
    http = Http(BASE, name="X", retries=0, sleep=link.slept.append)
    remote.get(BASE + "x", status=500)
    with pytest.raises(TemporaryError):
        http.get("x")
    assert (len(remote.calls), link.slept) == (1, [])


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("60", 60),
        ("Sun, 22 Nov 2026 12:05:00 GMT", pytest.approx(300, abs=10)),
        ("soon", None),
        ("", None),
    ],
)
def test_how_long_rest_was_asked_for_is_passed_on(
    link: Link, remote: responses.RequestsMock, header: str, seconds: Any
) -> None:
    remote.get(BASE + "x", status=429, headers={"Retry-After": header})
    with pytest.raises(RateLimited) as limited:
        link.http.get("x")
    assert limited.value.retry_after == seconds


@pytest.mark.parametrize("value", ["inf", "nan", "-5", "1e400", "Thu, 99 Foo"])
def test_a_nonsense_retry_after_does_no_harm(value: str) -> None:
    assert answers.retry_after({"Retry-After": value}, datetime(2026, 1, 1, tzinfo=UTC)) in (
        None,
        0.0,
    )


def test_no_retry_begins_late(link: Link, remote: responses.RequestsMock) -> None:
    clock = iter(datetime(2026, 1, 1, 0, minute, tzinfo=UTC) for minute in range(60))
    link.http = Http(BASE, name="X", sleep=link.slept.append, now=lambda: next(clock))
    remote.get(BASE + "x", status=500)
    with pytest.raises(TemporaryError):
        link.http.get("x")
    assert link.slept == []


@pytest.mark.parametrize(
    ("status", "listing", "error"),
    [
        (401, False, NotConfigured),
        (403, False, NotConfigured),
        (404, False, NotFound),
        (410, False, NotFound),
        (404, True, BadResponse),
        (410, True, BadResponse),
        (400, False, Rejected),
        (405, False, Unsupported),
        (406, False, BadResponse),
        (418, False, BadResponse),
    ],
)
def test_the_class_of_a_refused_read(
    link: Link,
    remote: responses.RequestsMock,
    status: int,
    listing: bool,
    error: type[AdapterError],
) -> None:
    remote.get(BASE + "x", status=status, json={})
    with pytest.raises(error):
        link.http.get("x", listing=listing)
    assert link.slept == []


@pytest.mark.parametrize(
    "body",
    [b"<html></html>", b'{"a": ', b"", b"\xff\xfe", b"[NaN]", b"[" * 100_000, b'{"a": 1} {"b": 2}'],
    ids=["html", "truncated", "empty", "binary", "nan", "deep", "two"],
)
def test_an_answer_that_is_no_json_is_bad(
    link: Link, remote: responses.RequestsMock, body: bytes
) -> None:
    remote.get(BASE + "x", body=body)
    with pytest.raises(BadResponse):
        link.http.get("x")


def test_a_web_page_with_json_in_it_is_bad(link: Link, remote: responses.RequestsMock) -> None:
    remote.get(BASE + "x", body=b"{}", content_type="text/html; charset=utf-8")
    with pytest.raises(BadResponse):
        link.http.get("x")


def test_a_404_that_is_a_web_page_says_nothing_about_a_record(
    link: Link, remote: responses.RequestsMock
) -> None:
    remote.get(BASE + "x", status=404, body="<h1>Not found</h1>", content_type="text/html")
    with pytest.raises(BadResponse):
        link.http.get("x")


def test_what_no_database_can_store_is_replaced(link: Link, remote: responses.RequestsMock) -> None:
    remote.get(BASE + "x", body=rb'{"a\u0000": ["b\u0000", "\ud83d\ude00", "\ud83d", "\\u0000"]}')
    assert link.http.get("x").data == {"a�": ["b�", "😀", "�", "\\u0000"]}


def test_an_answer_without_end_is_cut(
    link: Link, remote: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emr_adapters.http.LARGEST", 10)
    remote.get(BASE + "x", body=b'"' + b"x" * 100 + b'"')
    with pytest.raises(BadResponse):
        link.http.get("x")
    remote.patch(BASE + "x", body=b'"' + b"x" * 100 + b'"')
    with pytest.raises(OutcomeUnknown):
        link.http.write("PATCH", "x", {})


# --- writes ---


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Rejected),
        (401, NotConfigured),
        (403, NotConfigured),
        (404, NotFound),
        (405, Unsupported),
        (408, OutcomeUnknown),
        (409, ChangedRemotely),
        (410, NotFound),
        (412, ChangedRemotely),
        (413, Rejected),
        (422, Rejected),
        (423, ChangedRemotely),
        (428, ChangedRemotely),
        (429, RateLimited),
        (500, OutcomeUnknown),
        (501, Unsupported),
        (502, OutcomeUnknown),
        (503, OutcomeUnknown),
        (301, NotConfigured),
        (302, NotConfigured),
        (307, NotConfigured),
        (308, NotConfigured),
    ],
)
def test_a_write_is_sent_once_whatever_is_answered(
    link: Link, remote: responses.RequestsMock, status: int, error: type[AdapterError]
) -> None:
    remote.post(BASE + "x/", status=status, json={}, headers={"Location": BASE + "y/"})
    with pytest.raises(error):
        link.http.write("POST", "x/", {"a": 1})
    assert (len(remote.calls), link.slept) == (1, [])


@pytest.mark.parametrize("body", [b"<html></html>", b'{"a": '])
def test_a_write_with_an_unreadable_answer_may_have_happened(
    link: Link, remote: responses.RequestsMock, body: bytes
) -> None:
    remote.post(BASE + "x/", status=201, body=body)
    with pytest.raises(OutcomeUnknown):
        link.http.write("POST", "x/", {})


def test_a_write_may_be_answered_by_nothing(link: Link, remote: responses.RequestsMock) -> None:
    remote.post(BASE + "x/", status=201, headers={"Location": "x/7"})
    assert link.http.write("POST", "x/", {}).headers["location"] == "x/7"


def test_a_write_that_was_never_sent_is_temporary() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    http = Http(f"http://127.0.0.1:{port}/", name="X", sleep=lambda _: None)
    with pytest.raises(TemporaryError):
        http.write("POST", "x/", {})


def test_a_write_that_timed_out_may_have_happened() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        http = Http(f"http://127.0.0.1:{silent.getsockname()[1]}/", name="X", timeout=(1, 0.05))
        with pytest.raises(OutcomeUnknown):
            http.write("POST", "x/", {})
        http = Http(http.base_url, name="X", timeout=(1, 0.05), sleep=lambda _: None)
        with pytest.raises(TemporaryError):
            http.get("x")


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED for ann"), NotConfigured),
        (requests.exceptions.SSLError("EOF"), OutcomeUnknown),
        (requests.exceptions.ProxyError("proxy"), TemporaryError),
        (requests.ConnectTimeout("connect"), TemporaryError),
        (requests.ConnectionError("reset"), OutcomeUnknown),
    ],
    ids=str,
)
def test_a_write_is_unknown_only_if_it_may_have_arrived(
    link: Link, remote: responses.RequestsMock, failure: Exception, error: type[AdapterError]
) -> None:
    remote.post(BASE + "x/", body=failure)
    with pytest.raises(error) as raised:
        link.http.write("POST", "x/", {})
    assert "ann" not in str(raised.value)


def test_an_answer_that_breaks_off_is_no_answer() -> None:
    def half(server: socket.socket) -> None:
        for _ in range(4):
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=half, args=(server,))
        thread.start()
        http = Http(f"http://127.0.0.1:{server.getsockname()[1]}/", name="X", sleep=lambda _: None)
        with pytest.raises(TemporaryError):
            http.get("x")
        with pytest.raises(OutcomeUnknown):
            http.write("PATCH", "x", {})
        thread.join()
