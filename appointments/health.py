"""For the operator: is it up, can it work, and how is it doing. Never a word about a patient (law 14)."""

from __future__ import annotations

import hmac
import ipaddress
import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Max, Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from appointments import leases
from appointments.models import Alert, Connection, Delivery, Heartbeat, Mismatch, Push, Refusal

FRESH: Final = timedelta(seconds=60)
BY_A_PROXY: Final = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")
FORMAT: Final = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[Mapping[str, str], float]


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """This process answers. Asks nothing of anybody, so a slow database restarts no web server."""
    return JsonResponse({"status": "live"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    checks = {"database": database_words()}
    if checks["database"] == "ok":
        checks["migrations"] = migration_words()
    if checks.get("migrations") == "ok":
        checks["worker"] = worker_words(timezone.now())
    good = set(checks.values()) == {"ok"} and len(checks) == 3
    status = "ready" if good else "not ready"
    return JsonResponse({"status": status, "checks": checks}, status=200 if good else 503)


def database_words() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError):
        return "does not answer"
    return "ok"


def migration_words() -> str:
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    return f"{missing} not applied: run manage.py migrate" if missing else "ok"


def worker_words(now: datetime) -> str:
    at = last_heartbeat()
    if at is None:
        return "no worker has been started: run manage.py worker"
    age = now - at
    return "ok" if age <= FRESH else f"no sign of life for {int(age.total_seconds())} s"


def last_heartbeat() -> datetime | None:
    workers = Heartbeat.objects.exclude(name__startswith=leases.PREFIX)
    latest: datetime | None = workers.aggregate(at=Max("at"))["at"]
    return latest


# --- metrics ------------------------------------------------------------------------------------------------


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    if not may_see_metrics(request):
        return HttpResponse("Not for you.\n", status=403, content_type="text/plain")
    return HttpResponse(exposition(timezone.now()), content_type=FORMAT)


def may_see_metrics(request: HttpRequest) -> bool:
    """Who knows ``METRICS_TOKEN``, or this machine itself (not the outside through a proxy on it)."""
    token = os.environ.get("METRICS_TOKEN", "").strip()
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if token and scheme.lower() == "bearer":
        return hmac.compare_digest(given.strip().encode(), token.encode())
    if any(name in request.META for name in BY_A_PROXY):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def exposition(now: datetime) -> str:
    parts = [
        family("mismatches", "gauge", "Differences not settled yet.", mismatch_samples()),
        family("pushes", "gauge", "Writes by status.", push_samples()),
        family("deliveries_waiting", "gauge", "Webhook requests to be read.", delivery_samples()),
        family(
            "sweep_age_seconds",
            "gauge",
            "Since the last complete list began; +Inf if there was none.",
            sweep_samples(now),
        ),
        family("connection_paused", "gauge", "1 if it is paused.", paused_samples()),
        family(
            "connection_resting_seconds",
            "gauge",
            "For how long yet no request is made, because it failed or asked for rest.",
            resting_samples(now),
        ),
        family(
            "alert",
            "gauge",
            "1 for each trouble that lasts, by code and division.",
            alert_samples(),
        ),
        family("webhook_refusals_total", "counter", "Webhook requests refused.", refusals()),
        family(
            "worker_heartbeat_age_seconds",
            "gauge",
            "Since the last sign of life of any worker; +Inf if there was none.",
            [({}, seconds_since(last_heartbeat(), now))],
        ),
    ]
    return "".join(parts)


def mismatch_samples() -> Iterable[Sample]:
    names = ("division__name", "kind", "status")
    rows = Mismatch.objects.unsettled().order_by(*names).values_list(*names)
    for division, kind, status, number in rows.annotate(n=Count("pk")):
        yield {"division": division or "", "kind": kind, "status": status}, number


def push_samples() -> Iterable[Sample]:
    counts = dict(Push.objects.order_by("status").values_list("status").annotate(n=Count("pk")))
    for status in Push.Status.values:
        yield {"status": status}, counts.get(status, 0)


def delivery_samples() -> Iterable[Sample]:
    yield {}, Delivery.objects.webhooks().filter(status=Delivery.Status.STORED).count()


def sweep_samples(now: datetime) -> Iterable[Sample]:
    for row in Connection.objects.all():
        yield {"connection": row.name, "side": row.side}, seconds_since(row.swept_at, now)


def paused_samples() -> Iterable[Sample]:
    for row in Connection.objects.only("name", "side", "paused_at"):
        yield {"connection": row.name, "side": row.side}, int(row.paused_at is not None)


def resting_samples(now: datetime) -> Iterable[Sample]:
    for row in Connection.objects.only("name", "side", "rests_until"):
        rest = (row.rests_until - now).total_seconds() if row.rests_until else 0.0
        yield {"connection": row.name, "side": row.side}, max(rest, 0.0)


def alert_samples() -> Iterable[Sample]:
    lasting = Alert.objects.filter(over_at=None).order_by("division__name", "code")
    for division, code in lasting.values_list("division__name", "code").distinct():
        yield {"division": division, "code": code}, 1


def refusals() -> Iterable[Sample]:
    rows = Refusal.objects.order_by("reason").values_list("reason").annotate(n=Sum("count"))
    for reason, number in rows:
        yield {"reason": reason}, number


def seconds_since(at: datetime | None, now: datetime) -> float:
    return float("inf") if at is None else max((now - at).total_seconds(), 0.0)


def family(name: str, kind: str, words: str, samples: Iterable[Sample]) -> str:
    full = f"syncportal_{name}"
    lines = [f"# HELP {full} {words}", f"# TYPE {full} {kind}"]
    for labels, value in samples:
        inside = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
        number = (
            "+Inf" if value == float("inf") else f"{value:g}" if value < 1e6 else f"{value:.0f}"
        )
        lines.append(f"{full}{{{inside}}} {number}" if inside else f"{full} {number}")
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


urlpatterns = [
    path("health/live", live, name="health_live"),
    path("health/ready", ready, name="health_ready"),
    path("metrics", metrics, name="metrics"),
]
