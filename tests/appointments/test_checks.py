"""System checks: their ids and when they speak."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from django.db import ProgrammingError

from appointments import checks
from appointments.models import Connection
from emr_adapters import registry
from tests.make import make_connection


def test_credentials_key_is_required(settings):
    assert checks.check_credentials_key() == []
    settings.CREDENTIALS_KEYS = []
    assert [message.id for message in checks.check_credentials_key()] == ["appointments.E001"]


@pytest.mark.parametrize(
    "target",
    ["emr_adapters.nowhere:Adapter", "emr_adapters.base:Nothing", "emr_adapters.base:Page", "x"],
)
def test_registry_must_lead_to_adapters(monkeypatch, target):
    assert checks.check_registry() == []
    monkeypatch.setitem(registry.ADAPTERS, "broken", target)
    assert [message.id for message in checks.check_registry()] == ["appointments.E002"]


def test_registered_name_is_the_adapters_own(monkeypatch):
    monkeypatch.setitem(registry.ADAPTERS, "fhir_r5", registry.ADAPTERS["fhir_r4"])
    [message] = checks.check_registry()
    assert message.msg == 'The EMR registry\'s "fhir_r5" calls itself "fhir_r4".'


@pytest.mark.django_db
def test_connection_with_an_unknown_adapter_is_an_error():
    make_connection("emr", "good")
    make_connection("emr", "gone", adapter="oscar_1")
    make_connection("emr", "wrong", adapter="oncall")
    found = checks.check_connections(databases=["default"])
    assert [(message.id, message.msg) for message in found] == [
        ("appointments.E003", 'emr.gone: there is no adapter "oscar_1".'),
        ("appointments.E003", 'emr.wrong: there is no adapter "oncall".'),
    ]


@pytest.mark.django_db
def test_credentials_under_a_lost_key_are_an_error(settings):
    make_connection("oncall", "main")
    settings.CREDENTIALS_KEYS = ["another"]
    found = checks.check_connections(databases=["default"])
    assert [message.id for message in found] == ["appointments.E004"]


def test_database_without_tables_is_no_error(monkeypatch):
    def missing(*_, **__):
        raise ProgrammingError

    monkeypatch.setattr(Connection.objects, "values_list", missing)
    assert checks.check_connections(databases=["default"]) == []


@pytest.mark.django_db
def test_checks_are_registered_and_content():
    mine = [m for m in run_checks(databases=["default"]) if str(m.id).startswith("appointments.")]
    assert mine == []
    make_connection("emr", "gone", adapter="oscar_1")
    mine = [m for m in run_checks(databases=["default"]) if str(m.id).startswith("appointments.")]
    assert [message.id for message in mine] == ["appointments.E003"]
