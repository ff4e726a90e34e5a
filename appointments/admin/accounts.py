"""Accounts and their roles. An account is made inactive, not deleted: the audit trail names it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django_q.models import Failure, OrmQ, Schedule, Success
from rest_framework.authtoken.models import TokenProxy

from appointments.admin.access import (
    ConfiguringAdmin,
    TabularInline,
    administered,
    is_superuser,
    tell,
)
from appointments.configuration.changing import changing
from appointments.models import Division, Membership

if TYPE_CHECKING:
    AccountAdminBase = UserAdmin[User]
else:
    AccountAdminBase = UserAdmin


class MembershipInline(TabularInline):
    """Superusers only, as the page around it."""

    model = Membership
    extra = 1

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)

    has_add_permission = has_view_permission
    has_change_permission = has_view_permission
    has_delete_permission = has_view_permission


class AccountAdmin(ConfiguringAdmin, AccountAdminBase):
    """Superusers only. Who may open these screens follows from the roles (``align_staff``)."""

    inlines = [MembershipInline]
    list_display = ["username", "first_name", "last_name", "is_active", "is_superuser"]
    list_filter = ["is_active", "is_superuser"]
    filter_horizontal = []
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Access", {"fields": ("is_active", "is_superuser", "last_login")}),
    )
    readonly_fields = ["last_login"]

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.inlines if obj else []

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows if is_superuser(request) else rows.none()

    def scope(self, rows: QuerySet[Any], divisions: QuerySet[Division]) -> QuerySet[Any]:
        return rows.none()

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        with changing(user=request.user) as outcome:
            answer = super().user_change_password(request, id, form_url)
        tell(request, outcome)
        return answer


@admin.register(Membership)
class MembershipAdmin(ConfiguringAdmin):
    """Also for administrators of a division, within it."""

    list_display = ["user", "division", "role"]
    list_filter = ["role", "division"]
    list_select_related = ["user", "division"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request) and self._own(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is not None and self.has_change_permission(request, obj)

    def _own(self, request: HttpRequest, obj: Any) -> bool:
        return obj is None or administered(request.user).filter(pk=obj.division_id).exists()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "division":
            kwargs["queryset"] = administered(request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


admin.site.unregister(Group)
admin.site.unregister(User)
admin.site.register(User, AccountAdmin)
# Tokens of the API would be shown in clear (`manage.py drf_create_token` makes one), and arbitrary
# tasks could be queued: what the worker does has its own pages.
for _model in (TokenProxy, Failure, OrmQ, Schedule, Success):
    admin.site.unregister(_model)
