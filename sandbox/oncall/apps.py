"""App configuration: the label keeps clear of any other project's names."""

from __future__ import annotations

from django.apps import AppConfig


class OncallConfig(AppConfig):
    name = "sandbox.oncall"
    label = "sandbox_oncall"
