"""Staff pages, the webhook and what the operator asks for."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from appointments import health, webhooks
from appointments.views import held, home, queue, remembered, team, visits, work

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("mismatches/", queue.queue, name="queue"),
    path("mismatches/<int:mismatch_id>/", queue.card, name="mismatch_card"),
    path("mismatches/<int:mismatch_id>/resolve/", queue.resolve, name="mismatch_resolve"),
    path("mismatches/<int:mismatch_id>/undo/", queue.undo, name="mismatch_undo"),
    path("mismatches/presence/", team.presence, name="presence"),
    path("mismatches/<int:mismatch_id>/assign/", team.assign, name="mismatch_assign"),
    path("mismatches/<int:mismatch_id>/snooze/", team.snooze, name="mismatch_snooze"),
    path("mismatches/<int:mismatch_id>/note/", team.note, name="mismatch_note"),
    path("mismatches/<int:mismatch_id>/habit/", team.habit, name="mismatch_habit"),
    path("remembered/", remembered.remembered, name="remembered"),
    path("remembered/<int:decision_id>/revoke/", remembered.revoke, name="remembered_revoke"),
    path("remembered/rule/", remembered.rule, name="rule"),
    path("remembered/rule/on/", remembered.rule_on, name="rule_on"),
    path("remembered/rule/<int:rule_id>/off/", remembered.rule_off, name="rule_off"),
    path("visits/", visits.visits, name="visits"),
    path("visits/<int:pair_id>/", visits.visit, name="visit"),
    path("visits/<int:pair_id>/raw/", visits.visit_raw, name="visit_raw"),
    path("runs/", work.runs, name="runs"),
    path("pushes/", work.pushes, name="pushes"),
    path("pushes/release/", held.release, name="pushes_release"),
    path("brake/<int:division_id>/<slug:kind>/", held.widen, name="brake_widen"),
    path("brake/<int:division_id>/<slug:kind>/end/", held.narrow, name="brake_narrow"),
    path("pushes/<int:push_id>/retry/", work.push_retry, name="push_retry"),
    path("deliveries/", work.deliveries, name="deliveries"),
    path("deliveries/<int:delivery_id>/retry/", work.delivery_retry, name="delivery_retry"),
    *webhooks.urlpatterns,
    *health.urlpatterns,
]
