"""The set-up: who gets in, what is never shown, that nothing is silent, and what leaves on going live."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from appointments import remotes
from appointments.core.kinds import Kind
from appointments.mismatches import compare_due
from appointments.models import (
    AuditEvent,
    Connection,
    Division,
    Mismatch,
    Pair,
    Provider,
    Push,
    TypeRule,
)
from emr_adapters.base import Check, Page, Place
from emr_adapters.errors import TemporaryError
from emr_adapters.records import AppointmentRecord, Practitioner
from tests.make import make_division, make_pair, make_user, soon

pytestmark = pytest.mark.django_db
SECRET = "s3cret-key"
PEM = "-----BEGIN PRIVATE KEY-----\nMIIE\nabcd\n-----END PRIVATE KEY-----"


class Remote:
    """A system that answers; ``asked`` counts its requests."""

    def __init__(self, people=(), places=(), error=None):
        self.people, self.places, self.error, self.asked = people, places, error, 0

    def _answer(self, value):
        self.asked += 1
        if self.error:
            raise self.error
        return value

    def check(self):
        return self._answer([Check(True, "It answers.")])

    def list_practitioners(self):
        return self._answer(tuple(self.people))

    def list_places(self):
        return self._answer(tuple(self.places))

    def list_appointments(self):
        return self._answer(Page((AppointmentRecord("1", places=("123",)),), timezone.now()))


@pytest.fixture
def remote(monkeypatch):
    found = {
        "oncall": Remote([Practitioner("9", "Dr. Ada Osei"), Practitioner("8", "Dr. Luc Roy")]),
        "emr": Remote(
            [
                Practitioner("Practitioner/31", "Ada Osei"),
                Practitioner("Practitioner/32", "Luc Roy"),
            ],
            [Place("Location/1", "Downtown"), Place("Location/2", "Harbour")],
        ),
    }
    monkeypatch.setattr(remotes, "adapter_for", lambda connection, **_: found[connection.side])
    return found


@pytest.fixture
def root(client):
    user = get_user_model().objects.create_superuser("root")
    client.force_login(user)
    return user


def division(**fields) -> Division:
    """Observes; both systems were listed."""
    row = make_division("Downtown", **{"mode": "observe", **fields})
    Pair.objects.update(recheck_at=None)
    return row


def at(name: str, row: Division) -> str:
    return reverse(f"setup_{name}", args=[row.pk])


PAGES = ("division", "providers", "types", "observe", "live")


# --- who gets in ------------------------------------------------------------------------------------


def test_staff_without_the_right_are_refused_on_every_page(client):
    row = division()
    client.force_login(make_user("maria", row))
    urls = [reverse("setup"), reverse("setup_connect"), reverse("setup_test")]
    urls += [reverse("setup_division_add"), reverse("setup_connection", args=[row.oncall_id])]
    assert {client.get(url).status_code for url in [*urls, *(at(p, row) for p in PAGES)]} == {403}
    assert client.post(at("observe_again", row)).status_code == 403


def test_an_administrator_tunes_her_division_and_no_other(client):
    row = division()
    other = make_division("Harbour")
    client.force_login(make_user("head", row, role="administrator"))
    mine = {page: client.get(at(page, row)).status_code for page in PAGES}
    theirs = {page: client.get(at(page, other)).status_code for page in PAGES}
    assert mine == {"division": 200, "providers": 403, "types": 200, "observe": 200, "live": 200}
    assert theirs == {"division": 404, "providers": 403, "types": 404, "observe": 404, "live": 404}
    assert client.get(reverse("setup_connect")).status_code == 403
    assert "Harbour" not in client.get(reverse("setup")).content.decode()


def test_an_administrator_cannot_take_in_another_clinics_visits(client):
    row = division()
    number, places = row.oncall_division, row.emr_locations
    client.force_login(make_user("head", row, role="administrator"))
    sent = {
        "name": "Mine",
        "oncall_division": 999,
        "emr_locations": "Location/99",
        "time_zone": "America/Vancouver",
        "system_of_record": "emr",
        "window_back_days": 1,
        "window_ahead_days": 30,
        "contact": "",
    }
    client.post(at("division", row), sent)
    row.refresh_from_db()
    assert (row.name, row.oncall_division, row.emr_locations) == ("Downtown", number, places)
    assert (row.time_zone, row.window_ahead_days) == ("America/Vancouver", 30)


def test_the_overview_of_an_installation_without_connections_leads_to_the_set_up(client, root):
    page = client.get("/").content.decode()
    assert f'href="{reverse("setup")}">Set up SyncPortal' in page


# --- connections ------------------------------------------------------------------------------------


def test_a_key_of_several_lines_is_stored_as_it_is_and_nothing_secret_comes_back(
    client, root, monkeypatch, caplog
):
    from emr_adapters.fhir_r4 import FhirR4Adapter

    monkeypatch.setattr(FhirR4Adapter, "uses_secrets", ("token", "private_key"))
    url = reverse("setup_connection_add", args=["fhir_r4"])
    sent = {
        "adapter": "fhir_r4",
        "name": "main",
        "base_url": "https://emr.example.org/fhir/",
        "requests_per_second": "2",
        "token": SECRET,
        "private_key": PEM.replace("\n", "\r\n"),
    }
    refused = client.post(url, {**sent, "base_url": "nowhere"})
    assert refused.status_code == 422
    assert "Address must be an address that begins with" in refused.content.decode()
    client.post(url, sent)
    row = Connection.objects.get()
    assert row.credentials["private_key"].replace("\r\n", "\n") == PEM
    shown = client.get(reverse("setup_connection", args=[row.pk])).content.decode()
    told = str(list(AuditEvent.objects.values_list("details", flat=True))) + caplog.text
    for text in (refused.content.decode(), shown, told):
        assert (SECRET in text, "MIIE" in text) == (False, False)
    assert AuditEvent.objects.get().verb == "connection_created"


def test_an_empty_secret_keeps_what_is_stored_and_another_address_goes_to_observe(client, root):
    row = division(mode="live")
    Connection.objects.filter(pk=row.oncall_id).update(credentials={"api_key": SECRET})
    url = reverse("setup_connection", args=[row.oncall_id])
    sent = {
        "adapter": "oncall",
        "name": row.oncall.name,
        "region": "ca",
        "base_url": "http://127.0.0.1:9999/",
        "requests_per_second": "2",
    }
    client.post(url, sent)
    stored = Connection.objects.get(pk=row.oncall_id)
    row.refresh_from_db()
    assert (stored.credentials["api_key"], row.mode) == (SECRET, "observe")


# --- the test ---------------------------------------------------------------------------------------


def test_nothing_is_asked_before_the_button_and_each_finding_says_what_to_do(client, root, remote):
    division()
    remote["emr"].error = TemporaryError("The EMR did not answer.")
    client.get(reverse("setup_test"))
    assert (remote["oncall"].asked, remote["emr"].asked) == (0, 0)
    page = client.post(reverse("setup_test"), follow=True).content.decode()
    assert "It answers." in page
    assert "The EMR did not answer." in page
    assert "Try again later; if it stays, check the address and the network." in page


def test_with_scripts_one_system_is_asked_a_request(client, root, remote):
    row = division()
    htmx = {"HX-Request": "true"}
    client.post(reverse("setup_test"), headers=htmx)
    assert (remote["oncall"].asked, remote["emr"].asked) == (0, 0)
    first = client.post(reverse("setup_test_one", args=[row.oncall_id]), headers=htmx)
    assert remote["oncall"].asked > 0
    assert remote["emr"].asked == 0
    assert reverse("setup_test_one", args=[row.emr_id]) in first.content.decode()


# --- who is who -------------------------------------------------------------------------------------


def fetched(client, row: Division):
    client.post(at("fetch", row))
    return at("providers", row)


def test_only_what_is_ticked_is_saved(client, root, remote):
    row = division()
    Provider.objects.all().delete()
    url = fetched(client, row)
    client.post(url, {"who-9": "Practitioner/31", "yes-9": "1", "who-8": "Practitioner/32"})
    found = list(Provider.objects.values_list("oncall_provider", "emr_practitioners"))
    assert found == [(9, ["Practitioner/31"])]
    client.post(url, {"who-9": "", "who-8": "", "yes-8": "1"})
    assert list(row.providers.all()) == []


def test_a_choice_that_is_not_ticked_is_not_lost_in_silence(client, root, remote):
    row = division()
    Provider.objects.all().delete()
    page = client.post(fetched(client, row), {"who-9": "Practitioner/32"})
    assert page.status_code == 422
    assert "tick “Confirmed” as well" in page.content.decode()
    assert Provider.objects.count() == 0


def test_one_practitioner_cannot_be_two_providers(client, root, remote):
    row = division()
    Provider.objects.all().delete()
    sent = {"who-9": "Practitioner/31", "yes-9": "1", "who-8": "Practitioner/31", "yes-8": "1"}
    page = client.post(fetched(client, row), sent)
    assert page.status_code == 422
    assert Provider.objects.count() == 0


def test_a_list_that_cannot_be_fetched_says_what_to_do(client, root, remote):
    row = division()
    remote["emr"].error = TemporaryError("The EMR did not answer.")
    client.post(at("fetch", row))
    page = client.get(at("providers", row)).content.decode()
    assert "The EMR did not answer. Try again later" in page


# --- types ------------------------------------------------------------------------------------------


def types_form(lines=(), new=(), default=""):
    sent = {"default_type": default}
    for prefix, rows in (("line", lines), ("new", new)):
        sent |= {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": 0}
        for index, fields in enumerate(rows):
            sent |= {f"{prefix}-{index}-{name}": value for name, value in fields.items()}
    return sent


def test_lines_count_their_visits_and_unnamed_types_come_first(client, root):
    row = division(default_type="")
    TypeRule.objects.create(division=row, position=0, emr="Video*", oncall="online")
    for types in (("Video visit",), ("Video visit",), ("Kit",)):
        make_pair(row, sides=("emr",), start=soon(90), types=types)
    context = client.get(at("types", row)).context
    assert [(found.word, found.visits) for _, found in context["new"]] == [("Kit", 1)]
    assert [visits for _, visits in context["lines"]] == [2, None]


def test_a_type_table_shows_its_effect_before_it_is_saved(client, root):
    row = division(mode="live")
    make_pair(row, start=soon(90), emr={"types": ("Video visit",)}, oncall={"types": ("phone",)})
    Pair.objects.update(recheck_at=None)
    sent = types_form([{"emr": "Video*", "oncall": "online", "position": 1}])
    page = client.post(at("types", row), sent)
    assert list(page.context["effects"]) == ["Downtown: 1 visit would become a question for staff."]
    assert (TypeRule.objects.count(), Mismatch.objects.count()) == (0, 0)
    client.post(at("types", row), {**sent, "_effect_shown": page.context["shown_digest"]})
    assert list(row.type_rules.values_list("emr", "oncall")) == [("Video*", "online")]
    assert AuditEvent.objects.filter(verb="division_updated").count() == 1


def test_a_line_that_no_visit_can_reach_is_refused(client, root):
    row = division()
    lines = [
        {"emr": "*", "oncall": "online", "position": 1},
        {"emr": "Kit", "oncall": "phone", "position": 2},
    ]
    page = client.post(at("types", row), types_form(lines))
    assert page.status_code == 422
    assert "no visit gets this far" in page.content.decode()
    assert TypeRule.objects.count() == 0


def test_another_time_zone_shows_its_effect_before_it_is_saved(client, root, monkeypatch):
    from appointments.views.setup import saving

    row = division()
    monkeypatch.setattr(saving, "_effects", lambda request, change: ["it would bring this"])
    sent = {
        "name": row.name,
        "oncall": row.oncall_id,
        "oncall_division": row.oncall_division,
        "emr": row.emr_id,
        "emr_locations": "\n".join(row.emr_locations),
        "time_zone": "America/Vancouver",
        "system_of_record": "emr",
        "window_back_days": 1,
        "window_ahead_days": 60,
    }
    page = client.post(at("division", row), sent)
    row.refresh_from_db()
    assert (page.context["effects"], row.time_zone) == (["it would bring this"], "America/Toronto")


# --- observing and going live -----------------------------------------------------------------------


def observed(row: Division):
    """Reception moves a visit in the EMR while the division observes."""
    start = soon(600)
    pair = make_pair(row, start=start, emr={"start": start + timedelta(minutes=30)})
    Pair.objects.update(recheck_at=timezone.now())
    while compare_due(look_up=False):
        pass
    return pair


def test_what_would_have_been_done_is_compared_with_what_was_done(client, root):
    row = division()
    pair = observed(row)
    page = client.get(at("observe", row))
    assert page.context["back"].summary.counts == {"waiting": 1}
    pair.oncall.refresh_from_db()
    record = {**pair.oncall.record, "start": pair.emr.record["start"]}
    type(pair.oncall).objects.filter(pk=pair.oncall_id).update(record=record, start=pair.emr.start)
    Pair.objects.update(recheck_at=timezone.now())
    while compare_due(look_up=False):
        pass
    page = client.get(at("observe", row))
    assert page.context["back"].summary.counts == {"same": 1}
    assert reverse("visit", args=[pair.pk]) in page.content.decode()


def test_looking_back_takes_the_same_number_of_queries_for_one_and_for_many(
    client, root, django_assert_num_queries
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    row = division()
    observed(row)
    with CaptureQueriesContext(connection) as one:
        client.get(at("observe", row))
    for _ in range(4):
        observed(row)
    with django_assert_num_queries(len(one)):
        client.get(at("observe", row))


def test_going_live_counts_what_leaves_asks_once_more_and_leaves_differences_as_questions(
    client, root
):
    row = division()
    observed(row)
    make_pair(row, start=soon(900), oncall={"reference": None}, emr={"reference": None})
    Pair.objects.update(recheck_at=timezone.now())
    page = client.post(at("live", row))
    departure = page.context["departure"]
    assert (departure.writes, departure.mails, departure.exact) == (2, 0, True)
    assert (page.context["existing"], page.context["existing_mails"]) == (1, 1)
    unticked = client.post(at("live", row), {"seen": departure.seen})
    stale = client.post(at("live", row), {"seen": "older", "confirmed": "1"})
    row.refresh_from_db()
    assert (unticked.status_code, stale.status_code, row.mode) == (422, 409, "observe")
    client.post(at("live", row), {"seen": departure.seen, "confirmed": "1"})
    row.refresh_from_db()
    while compare_due(look_up=False):
        pass
    assert row.mode == "live"
    assert {push.operation for push in Push.objects.all()} == {"reference"}
    assert Mismatch.objects.unsettled().get().kind == Kind.VALUES_DIFFER
    client.post(at("observe_again", row))
    row.refresh_from_db()
    assert row.mode == "observe"
    modes = AuditEvent.objects.filter(verb="division_updated").order_by("pk")
    assert [event.details["fields"]["mode"] for event in modes] == [
        ["observe", "live"],
        ["live", "observe"],
    ]


def test_it_cannot_go_live_before_both_lists_are_whole(client, root):
    row = division()
    Connection.objects.filter(pk=row.emr_id).update(swept_at=None)
    page = client.post(at("live", row), {"seen": "x", "confirmed": "1"})
    row.refresh_from_db()
    assert (page.context["blocked"], row.mode) == (True, "observe")


def test_deleting_a_provider_in_the_administration_shows_its_effect_first(client, root):
    row = division(mode="live")
    make_pair(row, start=soon(600))
    Pair.objects.update(recheck_at=None)
    url = reverse("admin:appointments_provider_delete", args=[row.providers.get().pk])
    page = client.get(url)
    assert Provider.objects.count() == 1
    assert list(page.context["effects"]) == [
        "Downtown: 1 new questions, 0 would close, 0 writes would leave by themselves"
    ]


# --- what somebody else saves meanwhile -------------------------------------------------------------


def meanwhile(monkeypatch, module, name, row, **fields):
    """Somebody else saves ``fields`` once, right after ``module.name`` was worked out."""
    real, left = getattr(module, name), [fields]

    def slow(*args, **kwargs):
        found = real(*args, **kwargs)
        if left:
            Division.objects.filter(pk=row.pk).update(**left.pop())
        return found

    monkeypatch.setattr(module, name, slow)


def test_going_live_keeps_a_policy_that_was_tightened_while_it_was_worked_out(
    client, root, monkeypatch
):
    from appointments.views.setup import live

    row = division()
    seen = client.post(at("live", row)).context["departure"].seen
    policy = {"emr_to_oncall": {"cancel": "never"}}
    meanwhile(monkeypatch, live, "departure_of", row, policy=policy)
    page = client.post(at("live", row), {"seen": seen, "confirmed": "1"})
    row.refresh_from_db()
    assert (page.status_code, row.mode, row.policy) == (409, "observe", policy)
    assert "Meanwhile it has changed" in page.content.decode()
    again = page.context["departure"].seen
    assert again != seen
    client.post(at("live", row), {"seen": again, "confirmed": "1"})
    row.refresh_from_db()
    assert (row.mode, row.policy) == ("live", policy)


def test_what_was_confirmed_is_the_whole_division_and_not_only_the_numbers(client, root):
    row = division()
    seen = client.post(at("live", row)).context["departure"].seen
    Division.objects.filter(pk=row.pk).update(cancel_delay_minutes=1)
    page = client.post(at("live", row), {"seen": seen, "confirmed": "1"})
    row.refresh_from_db()
    assert (page.status_code, row.mode) == (409, "observe")


def test_observing_again_keeps_what_was_saved_meanwhile(client, root, monkeypatch):
    from appointments.views.setup import live

    row = division(mode="live")
    policy = {"emr_to_oncall": {"cancel": "never"}}
    meanwhile(monkeypatch, live, "division_for", row, policy=policy)
    client.post(at("observe_again", row))
    row.refresh_from_db()
    assert (row.mode, row.policy) == ("observe", policy)


def test_the_type_table_keeps_what_was_saved_meanwhile(client, root, monkeypatch):
    from appointments.views.setup import type_table

    row = division()
    policy = {"emr_to_oncall": {"cancel": "never"}}
    meanwhile(monkeypatch, type_table, "division_for", row, policy=policy)
    client.post(
        at("types", row), types_form([{"emr": "Video*", "oncall": "online", "position": 1}])
    )
    row.refresh_from_db()
    assert row.policy == policy
    assert list(row.type_rules.values_list("emr", "oncall")) == [("Video*", "online")]


def test_an_effect_that_is_not_the_one_shown_is_shown_again_before_it_is_saved(client, root):
    row = division(mode="live")
    emr, oncall = {"types": ("Video visit",)}, {"types": ("phone",)}
    make_pair(row, start=soon(90), emr=emr, oncall=oncall)
    Pair.objects.update(recheck_at=None)
    sent = types_form([{"emr": "Video*", "oncall": "online", "position": 1}])
    shown = client.post(at("types", row), sent).context["shown_digest"]
    make_pair(row, start=soon(900), emr=emr, oncall=oncall)
    Pair.objects.update(recheck_at=None)
    page = client.post(at("types", row), {**sent, "_effect_shown": shown})
    assert (page.status_code, TypeRule.objects.count()) == (409, 0)
    assert page.context["effects"] == ["Downtown: 2 visits would become questions for staff."]
    assert "Meanwhile it has changed" in page.content.decode()
    again = page.context["shown_digest"]
    assert dict(page.context["sent"]).get("_effect_shown") is None
    assert client.post(at("types", row), {**sent, "_effect_shown": again}).status_code == 302
    assert TypeRule.objects.count() == 1


def test_the_administration_shows_another_effect_again_before_it_saves(client, root, monkeypatch):
    from appointments.admin import access

    row = division(mode="live")
    effects = ["it would bring this"]
    monkeypatch.setattr(access, "_in_words", lambda change: list(effects))
    url = reverse("admin:appointments_division_change", args=[row.pk])
    form = client.get(url).context["adminform"].form
    sent = {name: form[name].value() for name in form.fields if form[name].value() is not None}
    sent |= {f"type_rules-{key}": "0" for key in ("TOTAL_FORMS", "INITIAL_FORMS")}
    sent |= {f"memberships-{key}": "0" for key in ("TOTAL_FORMS", "INITIAL_FORMS")}
    shown = client.post(url, sent).context_data["shown_digest"]
    effects.append("and that")
    page = client.post(url, {**sent, "_effect_shown": shown})
    assert (page.status_code, page.context_data["effects"]) == (409, effects)
    assert "Meanwhile it has changed" in page.content.decode()
    shown = page.context_data["shown_digest"]
    assert client.post(url, {**sent, "_effect_shown": shown}).status_code == 302
