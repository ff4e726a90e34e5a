"""Divisions with their type table and their people."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from appointments.admin.access import (
    ConfiguringAdmin,
    TabularInline,
    administered,
    is_superuser,
)
from appointments.configuration.forms.divisions import (
    DivisionForm,
    TypeRuleFormSet,
    policy_field,
)
from appointments.configuration.reading_divisions import DIRECTIONS
from appointments.core.policy import Subject
from appointments.models import Division, Membership, TypeRule


class DivisionsOwn:
    """Rows that belong to one division: whoever may change it may change them."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


class TypeRuleInline(DivisionsOwn, TabularInline):
    model = TypeRule
    formset = TypeRuleFormSet
    extra = 1
    verbose_name_plural = "Type table: the first rule that fits decides"


class DivisionMembershipInline(DivisionsOwn, TabularInline):
    model = Membership
    extra = 0
    verbose_name_plural = "Who may see and do what"


@admin.register(Division)
class DivisionAdmin(ConfiguringAdmin):
    shows_effect = True
    form = DivisionForm
    inlines = [TypeRuleInline, DivisionMembershipInline]
    list_display = ["name", "mode", "system_of_record", "oncall", "oncall_division", "emr"]
    list_filter = ["mode", "system_of_record"]
    list_select_related = ["oncall", "emr"]
    search_fields = ["name"]
    # Whose visits are shown here: not for an administrator of this division alone to say.
    superusers_only = ("name", "oncall", "oncall_division", "emr", "emr_locations")
    fieldsets = [
        (None, {"fields": ["name", "mode", "system_of_record", "time_zone", "contact"]}),
        ("Which visits", {"fields": ["oncall", "oncall_division", "emr", "emr_locations"]}),
        ("How far", {"fields": [("window_back_days", "window_ahead_days")]}),
        ("Creates and cancels", {"fields": ["default_type", "title", "cancel_delay_minutes"]}),
        (
            "Policy",
            {
                "description": "What happens alone (auto), what a person is asked (ask), and what "
                "is neither written, offered nor asked (never).",
                "classes": ["policy"],
                "fields": [
                    tuple(policy_field(direction, subject) for direction in DIRECTIONS)
                    for subject in Subject
                ],
            },
        ),
        ("Brake", {"fields": [("brake_count", "brake_percent")]}),
    ]

    def scope(self, rows: QuerySet[Any], divisions: QuerySet[Division]) -> QuerySet[Any]:
        return rows.filter(pk__in=divisions.values("pk"))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if is_superuser(request) or obj is None:
            return super().has_view_permission(request)
        return administered(request.user).filter(pk=obj.pk).exists()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if is_superuser(request) else self.superusers_only

    def is_unused(self, obj: Any) -> bool:
        return not (
            obj.appointments.exists()
            or obj.pairs.exists()
            or obj.mismatches.exists()
            or obj.pushes.exists()
        )
