"""Where the set-up stands, and what comes next."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from appointments.views.setup.access import administered, administrators
from appointments.views.setup.steps import page, progress


@administrators
@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    divisions = [progress(request, division) for division in administered(user)]
    return page(
        request,
        "overview",
        {"each": divisions, "may_add": user.is_superuser, "empty": progress(request, None)},
        here="",
    )
