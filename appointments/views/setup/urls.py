"""Addresses of the set-up."""

from __future__ import annotations

from django.urls import URLPattern, path

from appointments.views.setup import (
    connections,
    divisions,
    live,
    observing,
    overview,
    providers,
    testing,
    type_table,
)

DIVISION = "setup/divisions/<int:division_id>"

urlpatterns: list[URLPattern] = [
    path("setup/", overview.overview, name="setup"),
    path("setup/connections/", connections.connections, name="setup_connect"),
    path(
        "setup/connections/add/<slug:kind>/",
        connections.connection_add,
        name="setup_connection_add",
    ),
    path(
        "setup/connections/<int:connection_id>/",
        connections.connection_edit,
        name="setup_connection",
    ),
    path("setup/test/", testing.test, name="setup_test"),
    path("setup/test/<int:connection_id>/", testing.test_one, name="setup_test_one"),
    path("setup/divisions/add/", divisions.division_add, name="setup_division_add"),
    path(f"{DIVISION}/", divisions.division_edit, name="setup_division"),
    path(f"{DIVISION}/providers/", providers.providers, name="setup_providers"),
    path(f"{DIVISION}/providers/fetch/", providers.fetch, name="setup_fetch"),
    path(f"{DIVISION}/providers/fetch/<slug:side>/", providers.fetch_side, name="setup_fetch_side"),
    path(f"{DIVISION}/types/", type_table.type_table, name="setup_types"),
    path(f"{DIVISION}/observe/", observing.observe, name="setup_observe"),
    path(f"{DIVISION}/reading/", observing.reading, name="setup_reading"),
    path(f"{DIVISION}/live/", live.live, name="setup_live"),
    path(f"{DIVISION}/observe-again/", live.observe_again, name="setup_observe_again"),
]
