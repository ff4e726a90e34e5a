"""Connections: settings, write-only credentials, and a test that explains."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from appointments import audit, resting
from appointments.admin.access import ConfiguringAdmin, is_superuser
from appointments.configuration import snapshot
from appointments.configuration.examining import Finding, examine_connection, is_fine
from appointments.configuration.forms.connections import ENTER_AGAIN, SECRETS, ConnectionForm
from appointments.models import Connection, Division


@admin.register(Connection)
class ConnectionAdmin(ConfiguringAdmin):
    form = ConnectionForm
    list_display = ["__str__", "adapter", "state", "swept_at", "last_answer_at"]
    list_filter = ["side"]
    readonly_fields = ["state", "set_up_at", "swept_at", "last_answer_at"]
    fieldsets = [
        (None, {"fields": ["name", "adapter", "region", "base_url", "auth_scheme"]}),
        ("Further", {"fields": ["requests_per_second", "more_settings"]}),
        ("Credentials", {"fields": [*SECRETS, "forget"]}),
        ("State", {"fields": ["state", "set_up_at", "swept_at", "last_answer_at"]}),
    ]

    def scope(self, rows: QuerySet[Any], divisions: QuerySet[Division]) -> QuerySet[Any]:
        return rows.filter(Q(oncall_divisions__in=divisions) | Q(emr_divisions__in=divisions))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if is_superuser(request):
            return super().get_fieldsets(request, obj)
        fields = ["name", "adapter", "requests_per_second"]
        return [(None, {"fields": fields}), self.fieldsets[-1]]

    def is_unused(self, obj: Any) -> bool:
        return not (
            obj.oncall_divisions.exists()
            or obj.emr_divisions.exists()
            or obj.providers.exists()
            or obj.appointments.exists()
            or obj.pushes.exists()
            or obj.deliveries.exists()
        )

    @admin.display(description="State")
    def state(self, obj: Connection) -> str:
        if obj.paused_at is None and obj.rests_until and obj.rests_until > timezone.now():
            return f"left alone until {obj.rests_until:%Y-%m-%d %H:%M} UTC, then tried out"
        if obj.paused_at is None:
            return "in use"
        return f"paused since {obj.paused_at:%Y-%m-%d %H:%M} UTC: {obj.paused_reason}"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if context["adminform"].form.unreadable:
            messages.warning(request, ENTER_AGAIN)
        return super().render_change_form(request, context, *args, **kwargs)

    # --- test and resume ---

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                "<int:key>/test/",
                self.admin_site.admin_view(require_POST(self.test_view)),
                name="appointments_connection_test",
            ),
            path(
                "<int:key>/resume/",
                self.admin_site.admin_view(require_POST(self.resume_view)),
                name="appointments_connection_resume",
            ),
        ]
        return [*own, *super().get_urls()]

    def _connection(self, request: HttpRequest, key: int) -> Connection:
        found: Connection | None = self.get_queryset(request).filter(pk=key).first()
        if found is None or not is_superuser(request):
            raise Http404
        return found

    def test_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Ask the remote system and explain; nothing is changed."""
        connection = self._connection(request, key)
        findings: list[Finding] = list(examine_connection(connection))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Test of {connection}",
            "original": connection,
            "findings": findings,
            "fine": is_fine(findings),
        }
        return TemplateResponse(request, "admin/appointments/connection/test.html", context)

    def resume_view(self, request: HttpRequest, key: int) -> HttpResponse:
        connection = self._connection(request, key)
        with transaction.atomic():
            paused = Connection.objects.filter(pk=key, paused_at__isnull=False)
            if paused.update(paused_at=None, paused_reason="", **resting.AWAKE):
                audit.record(
                    verb="connection_resumed",
                    user=request.user,
                    details={"object": snapshot.connection_state(connection).label},
                )
                messages.success(request, f"{connection} is used again.")
        return HttpResponseRedirect(reverse("admin:appointments_connection_change", args=[key]))
