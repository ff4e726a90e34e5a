"""After a restore nothing is sent on the word of a database that missed what happened since."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from appointments.core.policy import sweep_proves
from appointments.models import AuditEvent, Connection, Division, Push
from tests.make import make_division, make_pair, make_push

pytestmark = pytest.mark.django_db


def test_restored_forgets_what_lists_proved():
    division = make_division()
    backed_up_at = timezone.now()
    Connection.objects.update(swept_at=backed_up_at, changes_read_to=backed_up_at)
    call_command("restored", stdout=StringIO())
    connection = Connection.objects.get(pk=division.oncall_id)
    assert (connection.swept_at, connection.changes_read_to) == (None, backed_up_at)
    assert not sweep_proves(
        division.page_started_at, set_up_at=connection.set_up_at, now=timezone.now()
    )


def test_restored_sets_live_divisions_to_observe_and_leaves_paused_ones():
    live, paused = make_division("Live"), make_division("Paused", mode="paused")
    call_command("restored", stdout=StringIO())
    modes = dict(Division.objects.values_list("pk", "mode"))
    assert modes == {live.pk: "observe", paused.pk: "paused"}


def test_restored_drops_writes_under_way_and_says_so():
    push = make_push(make_pair(make_division()), status="waiting")
    out = StringIO()
    call_command("restored", stdout=out)
    push.refresh_from_db()
    assert (push.status, push.error_code) == (Push.Status.DROPPED, "restored")
    assert "1 waiting writes were dropped" in out.getvalue()
    assert AuditEvent.objects.filter(verb="restored").count() == 1
