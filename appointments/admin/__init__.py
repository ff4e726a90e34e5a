"""Django's own admin as the configuration screens. Every save goes through ``configuration.changing``."""

from __future__ import annotations

from django.contrib import admin

from appointments.admin import accounts, connections, divisions, providers, records

__all__ = ["accounts", "connections", "divisions", "providers", "records"]

admin.site.site_header = "SyncPortal administration"
admin.site.site_title = "SyncPortal"
admin.site.enable_nav_sidebar = False  # the pages of the administration have one head, as all pages
admin.site.index_title = "Configuration"
