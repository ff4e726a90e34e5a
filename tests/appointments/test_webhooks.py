"""The webhook's contract (design, section 7), over the real view and the real queue."""

from __future__ import annotations

import io
import json

import pytest
from django.core.cache import cache
from django.test import Client
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from appointments import nudges, webhooks
from appointments.models import Delivery, Refusal
from tests.make import make_connection, make_division

pytestmark = pytest.mark.django_db

TOKEN = "a-long-random-token"
URL = "https://api.oncallhealth.com/appointments/42"
BODY = {"event": "appointment_updated", "url": URL}


@pytest.fixture(autouse=True)
def oncall():
    cache.clear()
    return make_connection("oncall", "main", credentials={"webhook_token": TOKEN})


@pytest.fixture
def send():
    client = Client(enforce_csrf_checks=True)

    def post(body=BODY, token=TOKEN, content_type="application/json", **extra):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = f"/webhooks/oncall/{token}/"
        return client.generic("POST", path, raw, content_type=content_type, **extra)

    return post


def rows() -> list[tuple[str, str, str]]:
    return list(Delivery.objects.order_by("pk").values_list("event", "remote_id", "status"))


def tasks() -> list[tuple[str, tuple[object, ...]]]:
    loaded = [SignedPackage.loads(row.payload) for row in OrmQ.objects.order_by("pk")]
    return [(task["func"], task["args"]) for task in loaded]


def refusals() -> dict[str, int]:
    return dict(Refusal.objects.values_list("reason", "count"))


# --- what is taken --------------------------------------------------------------------------------------


def test_known_event_is_stored_with_its_task(send, oncall):
    answer = send()
    delivery = Delivery.objects.get()
    assert (answer.status_code, answer.json()) == (202, {"id": delivery.pk, "status": "stored"})
    assert rows() == [("appointment_updated", "42", "stored")]
    assert (delivery.connection, delivery.body) == (oncall, BODY)
    assert tasks() == [("appointments.tasks.read_delivery", (delivery.pk,))]


@pytest.mark.django_db(transaction=True)
def test_row_and_task_are_stored_together_or_not_at_all(send, monkeypatch):
    def fails(*args: object, **options: object) -> None:
        raise RuntimeError("the queue cannot be written")

    monkeypatch.setattr(nudges, "async_task", fails)
    with pytest.raises(RuntimeError):
        send()
    assert (rows(), tasks()) == ([], [])


def test_unknown_event_is_kept_and_ignored(send):
    assert send({**BODY, "event": "contact_created"}).status_code == 202
    assert (rows(), tasks()) == ([("contact_created", "42", "ignored")], [])


@pytest.mark.parametrize(
    ("url", "number"),
    [
        ("https://api.oncallhealth.com/appointments/1", "1"),
        ("https://api.oncallhealth.ca/appointments/1/", "1"),
        ("http://127.0.0.1:9101/appointments/999999999999999999/", "999999999999999999"),
        ("https://evil.example/deep/path/appointments/7", "7"),
        ("https://api.oncallhealth.com/appointments/7/?x=1#y", "7"),
        ("/appointments/7", "7"),
        ("https://api.oncallhealth.com/appointments/007", "7"),
    ],
)
def test_any_host_will_do_and_only_the_number_is_used(send, url, number):
    assert send({**BODY, "url": url}).status_code == 202
    assert rows() == [("appointment_updated", number, "stored")]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/vnd.api+json",
        "text/plain",
        "text/json",
        "",
    ],
)
def test_json_is_read_whatever_it_is_called(send, content_type):
    assert send(content_type=content_type).status_code == 202


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_json_is_read_in_every_encoding_it_may_have(send, encoding):
    assert send(json.dumps(BODY).encode(encoding)).status_code == 202


def test_body_may_hold_more_than_we_know(send):
    assert send({**BODY, "division": 5, "extra": {"deep": [1, None]}}).status_code == 202


def test_event_with_characters_no_database_takes_is_kept(send):
    assert send({**BODY, "event": "odd\0\ud800" + "x" * 200}).status_code == 202
    assert rows() == [(("odd?" + "x" * 200)[:100], "42", "ignored")]


def test_no_event_passes_for_a_persons_wish(send):
    send(BODY | {"event": Delivery.ASKED_HERE})
    assert Delivery.objects.webhooks().count() == 1


def test_address_without_its_last_slash_works(client):
    answer = client.post(f"/webhooks/oncall/{TOKEN}", BODY, content_type="application/json")
    assert answer.status_code == 202


def in_chunks(rf, body: bytes):
    """As gunicorn hands on a body that declares no length."""
    request = rf.generic("POST", "/", content_type="application/json")
    request.META.pop("CONTENT_LENGTH", None)
    request.META |= {
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input_terminated": True,
        "wsgi.input": io.BytesIO(body),
    }
    return request


def test_body_sent_in_chunks_is_read(rf):
    assert webhooks.receive(in_chunks(rf, json.dumps(BODY).encode()), TOKEN).status_code == 202


def test_paused_connection_and_division_still_store(send, oncall):
    make_division(oncall=oncall, mode="paused")
    oncall.paused_at = "2026-01-01T00:00Z"
    oncall.save()
    assert send().status_code == 202
    assert rows() == [("appointment_updated", "42", "stored")]


def test_delivery_takes_few_queries(send, django_assert_max_num_queries):
    with django_assert_max_num_queries(6):
        send()


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"<html>",
        b"\xff\xfe\xfd",
        b"null",
        b"[]",
        b'"text"',
        b"5",
        b"[" * 60_000,
        b'{"event": "appointment_created", "url": "u", "n": ' + b"9" * 5000 + b"}",
        {},
        {"event": "appointment_created"},
        {"url": URL},
        {"event": "", "url": URL},
        {"event": "  ", "url": URL},
        {"event": None, "url": URL},
        {"event": 5, "url": URL},
    ],
)
def test_malformed_body_is_a_400_that_says_why(send, body):
    answer = send(body)
    assert answer.status_code == 400
    assert list(answer.json()) == ["detail"]
    assert (rows(), tasks()) == ([], [])
    assert sum(refusals().values()) == 1


@pytest.mark.parametrize(
    "url",
    [
        5,
        None,
        "",
        ["https://api.oncallhealth.com/appointments/1"],
        "https://api.oncallhealth.com/",
        "https://api.oncallhealth.com/appointments/",
        "https://api.oncallhealth.com/appointments/x",
        "https://api.oncallhealth.com/appointments/-1",
        "https://api.oncallhealth.com/appointments/1.5",
        "https://api.oncallhealth.com/appointments/1234567890123456789",
        "https://api.oncallhealth.com/appointments/1//",
        "https://api.oncallhealth.com/appointments/1/participants",
        "https://api.oncallhealth.com/appointments/1/../2x",
        "https://api.oncallhealth.com/appointment/1",
        "https://api.oncallhealth.com/xappointments/1",
        "https://api.oncallhealth.com/?u=/appointments/1",
        "https://api.oncallhealth.com/#/appointments/1",
        "https://api.oncallhealth.com/appointments/%31",
        "https://api.oncallhealth.com/appointments/\u0661",
        "https://api.oncallhealth.com/appointments/1\n2",
        "https://api.oncallhealth.com/appointments/1 ",
        "https://[bad/appointments/1",
        "appointments/1",
    ],
)
def test_strange_url_is_a_400_and_nothing_is_asked(send, url):
    assert send({**BODY, "url": url}).status_code == 400
    assert (rows(), tasks(), refusals()) == ([], [], {"url": 1})


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "multipart/form-data", "application/xml", "image/png"],
)
def test_declared_type_that_is_neither_json_nor_text_is_a_415(send, content_type):
    assert send(content_type=content_type).status_code == 415
    assert (rows(), refusals()) == ([], {"type": 1})


@pytest.mark.parametrize("token", ["wrong", TOKEN + "x", TOKEN[:-1], TOKEN.upper(), "é", "%00"])
def test_wrong_token_is_a_404(send, token):
    assert send(token=token).status_code == 404
    assert (rows(), refusals()) == ([], {"token": 1})


@pytest.mark.parametrize("credentials", [{}, {"webhook_token": ""}, {"webhook_token": []}])
def test_connection_without_a_token_takes_none(send, oncall, credentials):
    oncall.credentials = credentials
    oncall.save()
    assert send(token="None").status_code == 404


def test_two_tokens_are_valid_while_one_is_changed(send, oncall):
    oncall.credentials = {"webhook_token": ["old", "new"]}
    oncall.save()
    assert [send(token=t).status_code for t in ("old", "new", TOKEN)] == [202, 202, 404]


def test_token_may_come_from_the_environment(send, oncall, monkeypatch):
    monkeypatch.setenv("HOOK", "from-outside")
    oncall.credentials = {"webhook_token": ["env:HOOK", "env:NOT_SET"]}
    oncall.save()
    tried = ("from-outside", "env:HOOK", "env:NOT_SET")
    assert [send(token=t).status_code for t in tried] == [202, 404, 404]


def test_token_says_which_connection_is_meant(send, oncall):
    other = make_connection("oncall", "second", credentials={"webhook_token": "other"})
    send(token="other")
    assert Delivery.objects.get().connection == other


def test_token_of_an_emr_is_none(send):
    make_connection("emr", "main", credentials={"webhook_token": "emr-token"})
    assert send(token="emr-token").status_code == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_a_405_that_names_post(client, method):
    answer = client.generic(method, f"/webhooks/oncall/{TOKEN}/")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")


@pytest.mark.parametrize(("extra", "status"), [(0, 202), (1, 413)])
def test_body_may_have_64_kib_and_no_more(send, extra, status):
    body = json.dumps(BODY)
    body += " " * (64 * 1024 - len(body) + extra)
    assert send(body.encode()).status_code == status
    assert refusals() == ({"too_large": 1} if extra else {})


def test_large_body_in_chunks_is_refused_too(rf):
    assert webhooks.receive(in_chunks(rf, b" " * 70_000), TOKEN).status_code == 413


def test_only_wrong_tokens_are_slowed_down(send):
    answers = [send(token="wrong") for _ in range(webhooks.WRONG_TOKENS + 1)]
    assert [a.status_code for a in answers[:-1]] == [404] * webhooks.WRONG_TOKENS
    assert (answers[-1].status_code, answers[-1]["Retry-After"]) == (429, "60")
    assert send().status_code == 202
    assert send(token="wrong", REMOTE_ADDR="10.0.0.9").status_code == 404
    assert refusals() == {"token": webhooks.WRONG_TOKENS + 1, "rate": 1}


def test_refusal_asks_the_database_little(send, django_assert_max_num_queries):
    send(token="wrong")
    with django_assert_max_num_queries(3):
        send(token="wrong")
