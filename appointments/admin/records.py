"""What happened, for looking only. Patients' data stay on the staff pages, where each view is recorded."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.utils.html import format_html

from appointments.admin.access import ReadOnlyAdmin
from appointments.models import AuditEvent, Delivery, Division, Mismatch, Push, Run


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = ["began_at", "connection", "kind", "status", "read", "changed", "unreadable"]
    list_filter = ["kind", "status", "connection"]
    list_select_related = ["connection"]
    exclude = ["cursor", "cursors_seen"]

    def scope(self, rows: QuerySet[Any], divisions: QuerySet[Division]) -> QuerySet[Any]:
        return rows.filter(_of_connection(divisions))


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ["received_at", "connection", "what", "remote_id", "status", "attempts"]
    list_filter = ["status", "connection"]
    list_select_related = ["connection"]
    exclude = ["body"]

    @admin.display(description="event", ordering="event")
    def what(self, delivery: Delivery) -> str:
        wish = delivery.event == Delivery.ASKED_HERE
        return "asked for in SyncPortal" if wish else delivery.event

    def scope(self, rows: QuerySet[Any], divisions: QuerySet[Division]) -> QuerySet[Any]:
        return rows.filter(_of_connection(divisions))


def _of_connection(divisions: QuerySet[Division]) -> Q:
    return Q(connection__oncall_divisions__in=divisions) | Q(
        connection__emr_divisions__in=divisions
    )


@admin.register(Push)
class PushAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "division", "side", "operation", "status", "automatic", "error"]
    list_filter = ["status", "operation", "side", "division"]
    list_select_related = ["division"]
    fields = [
        "division",
        "side",
        "operation",
        "status",
        "automatic",
        "action",
        "user",
        "created_at",
        "not_before",
        "sent_at",
        "finished_at",
        "attempts",
        "result_id",
        "error_code",
        "error",
    ]


@admin.register(Mismatch)
class MismatchAdmin(ReadOnlyAdmin):
    list_display = ["first_seen_at", "division", "kind", "status", "oncall_id", "emr_id"]
    list_filter = ["status", "kind", "division"]
    list_select_related = ["division"]
    fields = [
        "division",
        "kind",
        "status",
        "closed_because",
        "oncall_id",
        "emr_id",
        "reason_code",
        "harm",
        "visits",
        "first_seen_at",
        "changed_at",
        "closed_at",
    ]


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor", "verb", "division"]
    list_filter = ["verb", "division"]
    list_select_related = ["division"]
    fields = ["at", "actor", "verb", "division", "subjects", "configuration"]

    @admin.display(description="What was changed")
    def configuration(self, event: AuditEvent) -> str:
        """Only of changes of the configuration: other details can hold what a patient's visit said."""
        if "object" not in event.details:
            return "-"
        return format_html("<pre>{}</pre>", json.dumps(event.details, indent=2, ensure_ascii=False))
