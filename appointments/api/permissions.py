"""Who may settle through the API: staff and administrators of the division; viewers only look."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from appointments.models import Division, Role


class MaySettle(BasePermission):
    """Asked about the object, so that another division's is "not found" before it is "not allowed"."""

    message = "Your role in this division does not allow you to settle differences."

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        allowed = Division.objects.with_role(request.user, Role.STAFF, Role.ADMINISTRATOR)
        return allowed.filter(pk=obj.division_id).exists()
