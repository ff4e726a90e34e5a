"""CREDENTIALS_KEY is lost: pages say what cannot be read and what to do; what is stored stays as it is."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import TextField
from django.db.models.functions import Cast
from django.test import Client
from django.urls import reverse

from appointments import remotes, webhooks
from appointments.configuration.forms.connections import ENTER_AGAIN
from appointments.models import AppointmentChange, Connection, Decision, Note
from appointments.models.encrypted import CannotDecrypt
from emr_adapters.errors import NotConfigured
from tests.make import (
    ask,
    make_connection,
    make_delivery,
    make_division,
    make_event,
    make_pair,
    make_push,
    make_run,
    make_user,
    soon,
)

pytestmark = pytest.mark.django_db
SECRET = "left a message with her sister"
SEALED = "This cannot be decrypted: CREDENTIALS_KEY lacks the key it was stored with."


@pytest.fixture
def division():
    return make_division()


@pytest.fixture
def pair(division) -> Any:
    start = soon(500)
    found: Any = make_pair(division, start=start, oncall={"start": soon(600)})
    AppointmentChange.objects.create(
        appointment=found.emr, names=["label"], before={"label": "a"}, after={"label": "b"}
    )
    return found


@pytest.fixture
def client(division, pair, settings) -> Client:
    """Somebody who may see everything, after the key has changed."""
    maria = make_user("maria", division, role="administrator", is_staff=True, is_superuser=True)
    row = ask(pair)
    Note.objects.create(mismatch=row, text=SECRET, user=maria, author="Maria Roy")
    Decision.objects.create(action="leave_different", pair=pair, mismatch=row, user=maria)
    make_delivery(division.oncall, body={"event": "x"})
    make_push(make_pair(division))
    make_run(division.emr)
    make_event(pair)
    settings.CREDENTIALS_KEYS = ["another"]
    client = Client()
    client.force_login(maria)
    return client


def text(client: Client, name: str, *args: Any) -> str:
    answer = client.get(reverse(name, args=args))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def stored(row: Connection) -> str:
    """The column as it is, still encrypted."""
    rows = Connection.objects.filter(pk=row.pk).annotate(held=Cast("credentials", TextField()))
    return str(rows.values_list("held", flat=True).get())


# --- pages ------------------------------------------------------------------------------------------------

PAGES = (
    *("home", "queue", "visits", "pushes", "pushes_automatic", "runs", "deliveries", "handover"),
    *("statements", "notices", "remembered", "find", "setup", "setup_connect", "setup_test"),
)
LISTS = ("connection", "division", "provider", "delivery", "push", "run", "mismatch")


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_shown(client, name):
    assert client.get(reverse(name), follow=True).status_code == 200


@pytest.mark.parametrize("name", LISTS)
def test_every_list_of_the_administration_is_shown(client, name):
    assert client.get(reverse(f"admin:appointments_{name}_changelist")).status_code == 200


def test_the_pages_of_a_division_are_shown(client, division):
    assert client.get(reverse("day_home"), follow=True).status_code == 200
    for name in ("division", "types", "providers", "observe", "live"):
        assert client.get(reverse(f"setup_{name}", args=[division.pk])).status_code == 200


def test_a_visit_is_found_and_explained(client):
    assert client.post(reverse("find"), {"q": "souza"}).status_code == 200


def test_notes_and_changes_say_that_they_cannot_be_read(client, pair):
    page = text(client, "visit", pair.pk)
    assert page.count(SEALED) == 3  # the note on the card and in the history, and what changed
    assert "Maria Roy" in page
    assert SECRET not in page
    assert SEALED in text(client, "queue")
    assert SEALED in text(client, "remembered")


def test_raw_records_say_that_they_cannot_be_read(client, pair):
    assert text(client, "visit_raw", pair.pk).count(SEALED) == 2


# --- connections ------------------------------------------------------------------------------------------


def test_both_forms_say_that_credentials_have_to_be_entered_again(client, division):
    words = str(ENTER_AGAIN)
    assert words in text(client, "setup_connection", division.oncall_id)
    page = text(client, "admin:appointments_connection_change", division.emr_id)
    assert words in page


def test_the_set_up_saves_what_is_entered_again(client, division):
    row = division.oncall
    asked = {"adapter": "oncall", "name": row.name, "region": "ca", "requests_per_second": "2"}
    refused = client.post(reverse("setup_connection", args=[row.pk]), asked)
    assert refused.status_code == 422
    saved = client.post(reverse("setup_connection", args=[row.pk]), {**asked, "api_key": "fresh"})
    assert saved.status_code == 302
    assert Connection.objects.get(pk=row.pk).credentials == {"api_key": "fresh"}


def test_the_administration_keeps_what_it_cannot_read_until_it_is_told(client, division):
    row, before = division.emr, stored(division.emr)
    asked = {
        "adapter": "fhir_r4",
        "name": "renamed",
        "base_url": "https://emr.example.org/fhir",
        "requests_per_second": "2",
        "more_settings": "{}",
    }
    address = reverse("admin:appointments_connection_change", args=[row.pk])
    refused = client.post(address, asked)
    assert refused.status_code == 200
    assert str(ENTER_AGAIN) in " ".join(refused.content.decode().split())
    assert stored(row) == before
    assert client.post(address, {**asked, "forget": ["lost"]}).status_code == 302
    assert Connection.objects.get(pk=row.pk).credentials == {}


def test_another_setting_is_saved_without_touching_what_cannot_be_read(client, division):
    before = stored(division.emr)
    for row in Connection.objects.all():
        row.requests_per_second = 1.0
        row.save()
    assert stored(division.emr) == before


def test_a_request_is_refused_with_what_to_do_and_nothing_secret(client, division):
    with pytest.raises(NotConfigured) as refused:
        remotes.config_for(Connection.objects.get(pk=division.emr_id))
    assert str(refused.value) == (
        "The stored credentials cannot be decrypted: they have to be entered again."
    )


def test_a_webhook_of_a_readable_connection_is_still_taken(client, division):
    fresh = make_connection("oncall", "fresh", credentials={"webhook_token": "a-long-token"})
    assert webhooks.connection_of("a-long-token", "192.0.2.1") == fresh
    with pytest.raises(CannotDecrypt):
        webhooks.connection_of("another-token", "192.0.2.1")


def test_the_key_that_is_back_opens_everything_again(client, division, pair, settings):
    settings.CREDENTIALS_KEYS = ["another", "only-for-tests"]
    assert SECRET in text(client, "visit", pair.pk)
