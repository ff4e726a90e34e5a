"""App configuration: the label keeps clear of any other project's names."""

from __future__ import annotations

from django.apps import AppConfig


class PageConfig(AppConfig):
    name = "sandbox.page"
    label = "sandbox_page"
