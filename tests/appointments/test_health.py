"""Addresses for the operator: live, ready, metrics."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, connections
from django.utils import timezone

from appointments import leases
from appointments.models import Delivery, Heartbeat, Refusal
from tests.make import (
    make_connection,
    make_delivery,
    make_division,
    make_mismatch,
    make_pair,
    make_push,
)

LOOPBACK = {"REMOTE_ADDR": "127.0.0.1"}
OUTSIDE = {"REMOTE_ADDR": "203.0.113.5"}


@pytest.fixture
def worker(db):
    return Heartbeat.objects.create(name="host:1", at=timezone.now())


def age(seconds: int) -> None:
    Heartbeat.objects.update(at=timezone.now() - timedelta(seconds=seconds))


def metric(text: str, name: str) -> dict[str, str]:
    """Samples of one metric: labels → value."""
    lines = [line for line in text.splitlines() if line.startswith(f"syncportal_{name}")]
    pairs = [line.removeprefix(f"syncportal_{name}").rsplit(" ", 1) for line in lines]
    return {labels: value for labels, value in pairs if labels[:1] in ("", "{")}


def test_live_asks_nobody(client):
    answer = client.get("/health/live")  # no database fixture: a query would fail
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


def test_ready_when_all_is_there(client, worker):
    answer = client.get("/health/ready")
    checks = {"database": "ok", "migrations": "ok", "worker": "ok"}
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "checks": checks})


@pytest.mark.django_db
def test_not_ready_without_a_worker(client):
    leases.take("tick", 60)  # a lease is no sign of life
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    words = "no worker has been started: run manage.py worker"
    assert answer.json()["checks"]["worker"] == words


def test_not_ready_when_the_worker_is_silent(client, worker):
    age(61)
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert answer.json()["checks"]["worker"] == "no sign of life for 61 s"


def test_not_ready_when_the_database_does_not_answer(client, worker, monkeypatch):
    def fails(self):
        raise DatabaseError("the password is 123")

    monkeypatch.setattr(type(connections["default"]), "cursor", fails)
    answer = client.get("/health/ready")
    monkeypatch.undo()
    checks = {"database": "does not answer"}
    assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "checks": checks})


def test_not_ready_when_tables_are_missing(client, worker, monkeypatch):
    monkeypatch.setattr("appointments.health.migration_words", lambda: "2 not applied")
    assert client.get("/health/ready").status_code == 503


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_only_reading_is_allowed(client, path):
    assert client.post(path).status_code == 405


# --- metrics ------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "status"),
    [
        (LOOPBACK, 200),
        ({"REMOTE_ADDR": "::1"}, 200),
        (OUTSIDE, 403),
        ({"REMOTE_ADDR": ""}, 403),
        ({**LOOPBACK, "HTTP_X_FORWARDED_FOR": "203.0.113.5"}, 403),
        ({**OUTSIDE, "HTTP_AUTHORIZATION": "Bearer s3cret"}, 200),
        ({**OUTSIDE, "HTTP_AUTHORIZATION": "bearer s3cret"}, 200),
        ({**LOOPBACK, "HTTP_X_FORWARDED_FOR": "x", "HTTP_AUTHORIZATION": "Bearer s3cret"}, 200),
        ({**OUTSIDE, "HTTP_AUTHORIZATION": "Bearer wrong"}, 403),
        ({**OUTSIDE, "HTTP_AUTHORIZATION": "Bearer "}, 403),
        ({**OUTSIDE, "HTTP_AUTHORIZATION": "Token s3cret"}, 403),
    ],
)
def test_metrics_are_for_the_token_or_this_machine(client, monkeypatch, given, status):
    monkeypatch.setenv("METRICS_TOKEN", "s3cret")
    assert client.get("/metrics", **given).status_code == status


@pytest.mark.django_db
def test_metrics_without_a_configured_token_take_none(client, monkeypatch):
    monkeypatch.delenv("METRICS_TOKEN", raising=False)
    for word in ("Bearer ", "Bearer", "Bearer None"):
        assert client.get("/metrics", **OUTSIDE, HTTP_AUTHORIZATION=word).status_code == 403


@pytest.fixture
def clinic(worker):
    age(30)
    swept = timezone.now() - timedelta(minutes=5)
    oncall = make_connection("oncall", "main", swept_at=swept)
    emr = make_connection("emr", "main", paused_at=timezone.now(), swept_at=None)
    division = make_division('Down"town', oncall=oncall, emr=emr)
    for status in ("open", "open", "waiting", "closed"):
        make_mismatch(division, status=status)
    make_push(make_pair(division), status="failed")
    make_delivery(oncall, status="stored")
    make_delivery(oncall, status="done")
    make_delivery(oncall, status="stored", event=Delivery.ASKED_HERE)
    for day in (1, 2):
        Refusal.objects.create(day=f"2026-01-0{day}", reason="token", count=day)
    return division


def test_metrics_tell_how_it_is_going(client, clinic):
    answer = client.get("/metrics", **LOOPBACK)
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = answer.text
    name = r'division="Down\"town",kind="values_differ"'
    open_, waiting = f'{{{name},status="open"}}', f'{{{name},status="waiting"}}'
    assert metric(text, "mismatches") == {open_: "2", waiting: "1"}
    assert metric(text, "pushes")['{status="failed"}'] == "1"
    assert metric(text, "deliveries_waiting") == {"": "1"}
    assert metric(text, "webhook_refusals_total") == {'{reason="token"}': "3"}
    sweeps = metric(text, "sweep_age_seconds")
    assert sweeps['{connection="main",side="emr"}'] == "+Inf"
    assert 299 < float(sweeps['{connection="main",side="oncall"}']) < 320
    assert metric(text, "connection_paused") == {
        '{connection="main",side="emr"}': "1",
        '{connection="main",side="oncall"}': "0",
    }
    assert 29 < float(metric(text, "worker_heartbeat_age_seconds")[""]) < 50


def test_metrics_hold_nothing_about_a_patient(client, clinic):
    text = client.get("/metrics", **LOOPBACK).text
    assert [word for word in ("Ana", "Souza", "ana@example.org", "Osei") if word in text] == []


def test_metrics_ask_the_same_however_much_there_is(client, clinic, django_assert_num_queries):
    with django_assert_num_queries(9):
        client.get("/metrics", **LOOPBACK)
