"""A division's contact is told at once, once for as long as a trouble lasts, and of no patient."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends.locmem import EmailBackend
from django.db import transaction
from django.utils import timezone
from django_q.models import OrmQ

from appointments import alerts, tasks
from appointments.configuration.examining import NOTE, WRONG, examine
from appointments.models import Alert
from syncportal import demo
from syncportal.env import env_address, env_mail
from tests.make import make_division

NOWHERE = "django.core.mail.backends.dummy.EmailBackend"
HELD = {"kind": "when", "count": 41}


@pytest.fixture
def division(transactional_db):
    return make_division()


@pytest.fixture
def refusing(monkeypatch):
    """A mail server that refuses, with a patient's words in what it says."""

    def send(self, messages):
        raise OSError("no such box: ana@example.org")

    monkeypatch.setattr(EmailBackend, "send_messages", send)


def subjects():
    return [one.subject for one in mail.outbox]


def test_a_trouble_is_told_once_for_as_long_as_it_lasts(division):
    told = [alerts.alert(division, "held", key="when", details=HELD) for _ in range(3)]

    assert told == [True, False, False]
    assert [(one.to, one.subject) for one in mail.outbox] == [
        (
            ["lead@example.org"],
            "Downtown: 41 new times held, because unusually many came at once.",
        )
    ]
    assert alerts.send_due() == 0


def test_the_next_trouble_is_told_again(division):
    alerts.alert(division, "held", key="when", details=HELD)
    assert alerts.alert_over(division, "held", key="when") is True
    assert alerts.alert_over(division, "held", key="when") is False

    assert alerts.alert(division, "held", key="when", details={"kind": "when", "count": 22})

    assert [subject[:12] for subject in subjects()] == ["Downtown: 41", "Downtown: 22"]


def test_troubles_of_other_kinds_and_divisions_are_told_apart(division):
    other = make_division("Uptown")
    for place, key in ((division, "when"), (division, "create"), (other, "when")):
        assert alerts.alert(place, "held", key=key, details={**HELD, "kind": key})
    assert len(mail.outbox) == 3


def test_nothing_is_sent_of_a_trouble_that_was_rolled_back(division):
    with transaction.atomic():
        alerts.alert(division, "held", details=HELD)
        assert mail.outbox == []
        transaction.set_rollback(True)
    assert (mail.outbox, Alert.objects.count()) == ([], 0)


def test_the_mail_leaves_after_the_commit(division):
    with transaction.atomic():
        alerts.alert(division, "held", details=HELD)
        assert mail.outbox == []
    assert len(mail.outbox) == 1


def test_the_mail_says_how_many_how_soon_and_where_to_look(division, settings):
    settings.PORTAL_URL = "https://portal.example.org"
    with time_machine.travel("2026-03-02T14:00:00Z", tick=False):
        first = (timezone.now() + timedelta(minutes=40)).isoformat()
        alerts.alert(division, "held", details={**HELD, "first": first})
    (one,) = mail.outbox
    assert one.body == (
        "41 new times held, because unusually many came at once.\n\n"
        "Nothing of it is sent before somebody has looked and let it go.\n\n"
        "The first of these visits: in 40 min.\n\n"
        "Look here: https://portal.example.org/mismatches/\n\n"
        "You are told once for as long as this lasts. Patients are named in SyncPortal only.\n"
    )


def test_a_mail_server_that_fails_is_logged_without_its_words(division, refusing, caplog):
    begin = timezone.now()
    with time_machine.travel(begin, tick=False):
        with caplog.at_level(logging.DEBUG):
            assert alerts.alert(division, "held", details=HELD) is True
        assert "ana@example.org" not in caplog.text
        assert caplog.messages == ["an alert (held) could not be sent: OSError"]
        assert (alerts.send_due(), Alert.objects.get().attempts) == (0, 1)


def test_what_could_not_be_sent_leaves_with_a_later_tick(division, monkeypatch):
    begin = timezone.now()
    with time_machine.travel(begin, tick=False), monkeypatch.context() as patched:
        patched.setattr(EmailBackend, "send_messages", lambda *_: 1 / 0)
        alerts.alert(division, "other", details=HELD)
    with time_machine.travel(begin + timedelta(seconds=59), tick=False):
        assert alerts.send_due() == 0
    with time_machine.travel(begin + timedelta(seconds=60), tick=False):
        tasks.tick()
        names = [str(row.task["func"]) for row in OrmQ.objects.all()]
        assert "appointments.tasks.send_alerts" in names
        assert (alerts.send_due(), alerts.send_due()) == (1, 0)
    assert len(mail.outbox) == 1


def test_two_workers_never_send_the_same_alert(division, monkeypatch):
    """The second looks, and sends, while the first one's mail is on its way."""
    contacts, division.contact = division.contact, ""
    division.save()
    for key in ("when", "create"):
        alerts.alert(division, "held", key=key, details={"kind": key, "count": 41})
    division.contact = contacts
    division.save()
    sent: list[str] = []

    def send(self, messages):
        sent.extend(one.subject for one in messages)
        alerts.send_due()
        return 1

    monkeypatch.setattr(EmailBackend, "send_messages", send)
    alerts.send_due()
    assert sorted(sent) == [
        "Downtown: 41 new times held, because unusually many came at once.",
        "Downtown: 41 new visits held, because unusually many came at once.",
    ]


def test_a_trouble_that_ended_before_it_could_be_told_is_not_told(division, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(EmailBackend, "send_messages", lambda *_: 1 / 0)
        alerts.alert(division, "held", details=HELD)
    alerts.alert_over(division, "held")
    assert alerts.send_due(timezone.now() + timedelta(days=1)) == 0


def test_a_contact_named_later_is_told_of_what_still_lasts(division, caplog):
    division.contact = ""
    division.save()
    alerts.alert(division, "held", details=HELD)
    assert caplog.messages == [
        f"nobody can be alerted (held): division {division.pk} has no contact"
    ]
    assert (mail.outbox, alerts.send_due()) == ([], 0)

    division.contact = "new@example.org"
    division.save()

    assert alerts.send_due() == 1
    assert mail.outbox[0].to == ["new@example.org"]


def test_without_a_mail_server_one_warning_is_logged(division, settings, caplog):
    settings.EMAIL_BACKEND = NOWHERE
    for _ in range(2):
        alerts.alert(division, "held", details=HELD)
    assert caplog.messages == ["nobody can be alerted (held): no EMAIL_URL is set"]
    assert alerts.any_due(timezone.now()) is False


# --- who could not be told -----------------------------------------------------------------------------


def said_by_doctor(level):
    return [(one.about, one.message) for one in examine() if one.level == level]


def test_doctor_says_that_a_division_has_no_contact(division, monkeypatch):
    monkeypatch.setattr("appointments.remotes.adapter_for", lambda _: 1 / 0)
    division.contact = ""
    division.save()
    message = "It has no contact: nobody is told when its changes are held or given up."
    assert ('division "Downtown"', message) in said_by_doctor(NOTE)


def test_doctor_says_that_no_mail_can_leave(division, settings, monkeypatch):
    monkeypatch.setattr("appointments.remotes.adapter_for", lambda _: 1 / 0)
    settings.EMAIL_BACKEND = NOWHERE
    message = "No mail server is set: no division's contact can be alerted."
    assert ("alerts", message) in said_by_doctor(NOTE)


def test_doctor_says_that_alerts_could_not_be_sent(division, refusing, monkeypatch):
    monkeypatch.setattr("appointments.remotes.adapter_for", lambda _: 1 / 0)
    alerts.alert(division, "held", details=HELD)
    message = "1 alert could not be sent; it is tried again."
    assert ("alerts", message) in said_by_doctor(WRONG)


# --- the settings --------------------------------------------------------------------------------------


def test_a_mail_servers_address_becomes_djangos_settings(monkeypatch):
    monkeypatch.setenv("EMAIL_URL", "smtp+tls://us%40er:p%40ss@mail.example.org")
    assert env_mail("EMAIL_URL") == {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_FILE_PATH": "",
        "EMAIL_HOST": "mail.example.org",
        "EMAIL_HOST_USER": "us@er",
        "EMAIL_HOST_PASSWORD": "p@ss",
        "EMAIL_PORT": 587,
        "EMAIL_TIMEOUT": 10,
        "EMAIL_USE_TLS": True,
    }


@pytest.mark.parametrize(
    "url", ["mail.example.org", "http://u:geheim@x", "smtp://", "smtp://u:geheim@h:port"]
)
def test_an_unreadable_mail_server_is_refused_without_its_password(url, monkeypatch):
    monkeypatch.setenv("EMAIL_URL", url)
    with pytest.raises(ImproperlyConfigured) as refused:
        env_mail("EMAIL_URL")
    assert str(refused.value).startswith("EMAIL_URL must be an address as smtp+tls://")
    assert "geheim" not in str(refused.value)


def test_without_a_mail_server_mails_go_nowhere(monkeypatch):
    monkeypatch.delenv("EMAIL_URL", raising=False)
    assert env_mail("EMAIL_URL") == {"EMAIL_BACKEND": NOWHERE}


def test_the_portals_address_ends_without_a_slash(monkeypatch):
    monkeypatch.setenv("PORTAL_URL", "https://portal.example.org/")
    assert env_address("PORTAL_URL") == "https://portal.example.org"
    monkeypatch.setenv("PORTAL_URL", "portal.example.org")
    with pytest.raises(ImproperlyConfigured, match="must begin with https"):
        env_address("PORTAL_URL")


def test_the_demos_alerts_go_to_a_folder_of_its_own(monkeypatch, tmp_path):
    folder = tmp_path / "my + demo"
    folder.mkdir()
    url = demo.environment(folder, demo.Ports(1, 2, 3, 4))["EMAIL_URL"]
    monkeypatch.setenv("EMAIL_URL", url)
    found = env_mail("EMAIL_URL")
    assert found["EMAIL_BACKEND"] == "django.core.mail.backends.filebased.EmailBackend"
    assert found["EMAIL_FILE_PATH"] == str(folder / "mails")
