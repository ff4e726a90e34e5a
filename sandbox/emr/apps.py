"""App configuration: the label keeps clear of any other project's names."""

from __future__ import annotations

from django.apps import AppConfig


class EmrConfig(AppConfig):
    name = "sandbox.emr"
    label = "sandbox_emr"
