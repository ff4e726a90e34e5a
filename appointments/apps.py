"""The Django app that holds the whole flow."""

from __future__ import annotations

from django.apps import AppConfig


class AppointmentsConfig(AppConfig):
    name = "appointments"
    verbose_name = "SyncPortal"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from appointments import checks  # noqa: F401 -- registered once models exist
