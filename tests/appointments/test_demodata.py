"""``manage.py demodata`` against running practice systems."""

from __future__ import annotations

import io

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from appointments.configuration import snapshot
from appointments.models import AuditEvent, Connection, Division, Membership, Provider
from sandbox.running import running_sandbox
from tests.make import make_connection

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox() as running:
        yield running


def demodata(sandbox, *options):
    said = io.StringIO()
    call_command("demodata", "--sandbox", sandbox.page_url, *options, stdout=said)
    return said.getvalue()


def test_demodata_makes_accounts_roles_and_configuration(sandbox, monkeypatch):
    monkeypatch.delenv("ONCALL_WEBHOOK_TOKEN", raising=False)
    sandbox.client.reset()
    said = demodata(sandbox)
    users = get_user_model().objects.order_by("username")
    assert list(users.values_list("username", "is_superuser", "is_staff")) == [
        ("admin", True, True),
        ("mei", False, False),
        ("viewer", False, False),
    ]
    assert list(Membership.objects.values_list("user__username", "division__name", "role")) == [
        ("mei", "Downtown", "staff"),
        ("viewer", "Downtown", "viewer"),
        ("mei", "Northern Outreach", "staff"),
        ("mei", "Pacific", "staff"),
    ]
    assert dict(Division.objects.values_list("name", "mode")) == {
        "Downtown": "live",
        "Northern Outreach": "live",
        "Pacific": "observe",
    }
    assert (Division.objects.count(), Provider.objects.count()) == (3, 12)
    assert Connection.objects.get(side="oncall").settings["base_url"] == sandbox.oncall_url
    assert len(sandbox.client.state()["oncall"]["appointments"]) > 100
    password = said.splitlines()[1].split()[1]
    assert users.get(username="mei").check_password(password)


def test_second_run_changes_nothing_and_keeps_the_world(sandbox):
    demodata(sandbox)
    before, world = snapshot.take(), sandbox.client.state()
    events = AuditEvent.objects.count()
    demodata(sandbox)
    assert snapshot.take() == before
    assert sandbox.client.state() == world
    assert AuditEvent.objects.count() == events


def test_webhook_token_of_the_demo_is_kept_as_a_reference(sandbox, monkeypatch):
    monkeypatch.setenv("ONCALL_WEBHOOK_TOKEN", "made-by-the-demo")
    demodata(sandbox)
    stored = Connection.objects.get(side="oncall").credentials["webhook_token"]
    assert stored == "env:ONCALL_WEBHOOK_TOKEN"


def test_practice_systems_on_another_port_stay_live(sandbox):
    demodata(sandbox)
    modes = dict(Division.objects.values_list("name", "mode"))
    row = Connection.objects.get(side="oncall")
    row.settings = {**row.settings, "base_url": "http://127.0.0.1:1/"}
    row.save()
    demodata(sandbox)
    assert Connection.objects.get(side="oncall").settings["base_url"] == sandbox.oncall_url
    assert dict(Division.objects.values_list("name", "mode")) == modes


def test_demodata_refuses_a_database_with_real_connections(sandbox):
    make_connection("oncall", "clinic", settings={"region": "ca"})
    with pytest.raises(CommandError, match="holds OnCall clinic, which is not a practice system"):
        demodata(sandbox)
    assert get_user_model().objects.count() == 0


def test_demodata_refuses_practice_systems_elsewhere():
    with pytest.raises(CommandError, match="Say where the practice systems run"):
        call_command("demodata", "--sandbox", "https://example.org/")


def test_demodata_says_when_the_practice_systems_do_not_answer():
    with pytest.raises(CommandError, match="do not answer"):
        call_command("demodata", "--sandbox", "http://127.0.0.1:1/")
