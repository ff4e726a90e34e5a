"""Providers: one person by both systems' ids."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet

from appointments.admin.access import ConfiguringAdmin
from appointments.configuration.forms.providers import ProviderForm
from appointments.models import Division, Provider


@admin.register(Provider)
class ProviderAdmin(ConfiguringAdmin):
    shows_effect = True
    form = ProviderForm
    list_display = ["name", "oncall_provider", "email"]
    list_filter = ["divisions"]
    search_fields = ["name", "email"]
    filter_horizontal = ["divisions"]

    def scope(self, rows: QuerySet[Any], divisions: QuerySet[Division]) -> QuerySet[Any]:
        return rows.filter(divisions__in=divisions)

    def is_unused(self, obj: Any) -> bool:
        return True  # visits hold the systems' own ids; its divisions compare afresh
