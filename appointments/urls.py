"""Staff pages, the webhook and what the operator asks for."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from appointments import health, webhooks
from appointments.views import (
    automatic,
    day,
    finding,
    handover,
    held,
    home,
    notices,
    pulse,
    queue,
    saved_filters,
    statements,
    support,
    together,
    visits,
    work,
)
from appointments.views.setup import urls as setup

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("mismatches/", queue.queue, name="queue"),
    path("mismatches/pulse/", pulse.pulse, name="queue_pulse"),
    path("mismatches/together/", together.together, name="together"),
    path("mismatches/together/undo/", together.undo, name="together_undo"),
    path("mismatches/filters/", saved_filters.save, name="filter_save"),
    path("mismatches/filters/<int:filter_id>/", saved_filters.change, name="filter_change"),
    path("mismatches/<int:mismatch_id>/", queue.card, name="mismatch_card"),
    path("mismatches/<int:mismatch_id>/resolve/", queue.resolve, name="mismatch_resolve"),
    path("mismatches/<int:mismatch_id>/undo/", queue.undo, name="mismatch_undo"),
    path("visits/", visits.visits, name="visits"),
    path("visits/<int:pair_id>/", visits.visit, name="visit"),
    path("visits/<int:pair_id>/raw/", visits.visit_raw, name="visit_raw"),
    path("day/", day.day_home, name="day_home"),
    path("day/<int:division_id>/<str:on>/", day.day, name="day"),
    path("day/<int:division_id>/<str:on>/sheet/", day.day_sheet, name="day_sheet"),
    path("handover/", handover.handover, name="handover"),
    path("visits/<int:pair_id>/why/", finding.why, name="visit_why"),
    path("visits/<int:pair_id>/support/", support.support, name="visit_support"),
    path("find/", finding.find, name="find"),
    path("find/ask/", finding.ask, name="find_ask"),
    path("find/asked/<int:delivery_id>/", finding.asked, name="find_asked"),
    path("runs/", work.runs, name="runs"),
    path("pushes/", work.pushes, name="pushes"),
    path("pushes/automatic/", automatic.automatic, name="pushes_automatic"),
    path("pushes/release/", held.release, name="pushes_release"),
    path("brake/<int:division_id>/<slug:kind>/", held.widen, name="brake_widen"),
    path("brake/<int:division_id>/<slug:kind>/end/", held.narrow, name="brake_narrow"),
    path("pushes/<int:push_id>/retry/", work.push_retry, name="push_retry"),
    path("deliveries/", work.deliveries, name="deliveries"),
    path("deliveries/<int:delivery_id>/retry/", work.delivery_retry, name="delivery_retry"),
    path("statements/", statements.statements, name="statements"),
    path("statements/<int:division_id>/", statements.right_now, name="statement_now"),
    path("notices/", notices.notices, name="notices"),
    path("urgent/", notices.urgent_bar, name="urgent"),
    *setup.urlpatterns,
    *webhooks.urlpatterns,
    *health.urlpatterns,
]
