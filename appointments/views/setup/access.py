"""Who may set up what: superusers everything, a division's administrators how it is kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from appointments.models import Division, Role
from appointments.views.access import signed_in

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def administered(user: Any) -> QuerySet[Division]:
    return Division.objects.with_role(user, Role.ADMINISTRATOR).select_related("oncall", "emr")


def may_set_up(user: Any) -> bool:
    return bool(user.is_superuser or administered(user).exists())


def administrators(view: View[P]) -> View[P]:
    """For those who configure something; everybody else is refused, whatever the page."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not may_set_up(request.user):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return signed_in(cast("View[P]", wrapped))


def superusers(view: View[P]) -> View[P]:
    """Connections, new divisions and the mapping, as in the administration."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not cast("Any", request.user).is_superuser:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return signed_in(cast("View[P]", wrapped))


def division_for(request: HttpRequest, division_id: int) -> Division:
    """One that this person administers; any other is not there."""
    division: Division = get_object_or_404(administered(request.user), pk=division_id)
    return division
