"""The configuration screens: who gets in, what is never shown, and that a save is what loadconfig does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from appointments import remotes
from appointments.mismatches import compare_due
from appointments.models import (
    AuditEvent,
    Connection,
    Division,
    Membership,
    Mismatch,
    Pair,
    Provider,
    Role,
    TypeRule,
)
from emr_adapters.base import Check
from emr_adapters.errors import NotConfigured
from tests.make import (
    make_connection,
    make_delivery,
    make_division,
    make_event,
    make_mismatch,
    make_pair,
    make_push,
    make_run,
    make_user,
)

pytestmark = pytest.mark.django_db
SECRET = "s3cret-key"
LONG_AGO = timezone.now() - timedelta(days=9)


@pytest.fixture
def clinic():
    """Downtown, live, with a provider and one quiet pair; Pacific on connections of its own."""
    one = make_division("Downtown", emr_locations=["Location/1"])
    make_pair(one)
    make_division("Pacific")
    Division.objects.update(page_started_at=LONG_AGO)
    Pair.objects.update(recheck_at=None)
    row = one.oncall
    row.credentials = {"api_key": SECRET, "webhook_token": f"{SECRET}-hook"}
    row.settings = {"region": "ca", "base_url": "http://127.0.0.1:9101/"}
    row.save()
    row = one.emr
    row.credentials = {"token": SECRET}
    row.settings = {"base_url": "http://127.0.0.1:9102/", "page_size": 50}
    row.save()
    return Division.objects.get(pk=one.pk)


@pytest.fixture
def root(client):
    """A superuser's browser."""
    client.force_login(make_user("root", is_superuser=True, is_staff=True))
    return client


def page(name, *args):
    app = "auth" if name.startswith("user") else "appointments"
    return reverse(f"admin:{app}_{name}", args=args)


def form_of(answer):
    """What the browser would send back if nothing were touched."""
    forms = [answer.context["adminform"].form]
    for inline in answer.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    sent = {}
    for form in forms:
        for field in form:
            value = field.value()
            if value is True:
                sent[field.html_name] = "on"
            elif value is not None and value is not False:
                # What the page shows, which for a write-only field is nothing.
                hidden = getattr(field.field.widget, "render_value", True) is False
                sent[field.html_name] = "" if hidden else value
    return sent


def save(client, url, *, confirm=True, **changed):
    """Open a form, change some fields, save, agree to what it would bring; the page that follows."""
    sent = {**form_of(client.get(url)), **changed}
    answer = client.post(url, {k: v for k, v in sent.items() if v is not None}, follow=True)
    return agree(client, url, answer) if confirm and "effects" in answer.context else answer


def agree(client, url, shown):
    sent = {**dict(shown.context["sent"]), shown.context["shown"]: shown.context["shown_digest"]}
    return client.post(url, sent, follow=True)


def errors_of(answer):
    found = dict(answer.context["errors"] and answer.context["adminform"].form.errors)
    return {name: list(errors) for name, errors in found.items()}


def said(answer):
    return [str(message) for message in answer.context["messages"]]


# --- who gets in --------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.VIEWER, Role.STAFF])
def test_viewers_and_staff_do_not_get_in(client, clinic, role):
    client.force_login(make_user("mei", clinic, role=role, is_staff=True))
    assert client.get(page("division_changelist")).status_code == 403
    assert client.get(page("connection_change", clinic.oncall_id)).status_code == 403


def test_every_page_opens_and_holds_nothing_that_the_policy_forbids(root, clinic):
    pair = Pair.objects.get(division=clinic)
    make_mismatch(clinic, pair=pair)
    rows = {
        "push": make_push(pair),
        "mismatch": pair.mismatches.get(),
        "run": make_run(clinic.emr),
        "delivery": make_delivery(clinic.oncall),
        "auditevent": make_event(pair),
        "connection": clinic.oncall,
        "division": clinic,
        "provider": Provider.objects.filter(divisions=clinic).get(),
        "user": get_user_model().objects.get(),
    }
    urls = [reverse("admin:index")]
    for name, row in rows.items():
        urls += [page(f"{name}_changelist"), page(f"{name}_change", row.pk)]
    urls += [page(f"{name}_add") for name in ("connection", "division", "provider", "user")]
    for url in urls:
        answer = root.get(url)
        text = answer.content.decode()
        assert (url, answer.status_code) == (url, 200)
        assert "<script>" not in text
        assert " style=" not in text
        assert SECRET not in text
        assert "appointments/admin.css" in text


@pytest.mark.parametrize("name", ["run", "push", "mismatch", "delivery", "auditevent"])
def test_what_happened_can_only_be_looked_at(root, clinic, name):
    pair = Pair.objects.get(division=clinic)
    make_mismatch(clinic, pair=pair)
    row = {
        "push": lambda: make_push(pair),
        "mismatch": lambda: pair.mismatches.get(),
        "run": lambda: make_run(clinic.emr),
        "delivery": lambda: make_delivery(clinic.oncall),
        "auditevent": lambda: make_event(pair),
    }[name]()
    codes = [
        root.post(page(f"{name}_add"), {}).status_code,
        root.post(page(f"{name}_change", row.pk), {}).status_code,
        root.post(page(f"{name}_delete", row.pk), {"post": "yes"}).status_code,
    ]
    assert codes == [403, 403, 403]


def test_patients_are_not_shown_outside_the_staff_pages(root, clinic):
    pair = Pair.objects.get(division=clinic)
    mismatch = make_mismatch(clinic, pair=pair)
    mismatch.patient = "Zebedee Quux"
    mismatch.save()
    push = make_push(pair, before={"x": "Quux"}, mails=["quux@example.org"])
    event = make_event(pair, details={"before": "Zebedee Quux"})
    for url in (
        page("mismatch_changelist"),
        page("mismatch_change", mismatch.pk),
        page("push_change", push.pk),
        page("auditevent_change", event.pk),
    ):
        assert "Quux" not in root.get(url).content.decode()


def test_administrator_of_a_division_sees_and_tunes_only_it(client, clinic):
    client.force_login(make_user("ada", clinic, role=Role.ADMINISTRATOR, is_staff=True))
    other = Division.objects.get(name="Pacific")
    listed = client.get(page("division_changelist")).context["cl"].queryset
    assert [row.name for row in listed] == ["Downtown"]
    assert client.get(page("division_change", other.pk)).status_code == 302
    listed = client.get(page("connection_changelist")).context["cl"].queryset
    assert set(listed) == {clinic.oncall, clinic.emr}
    answer = client.get(page("connection_change", clinic.oncall_id))
    assert answer.status_code == 200
    assert SECRET not in answer.content.decode()
    save(client, page("division_change", clinic.pk), title="Hello {provider}", oncall_division=999)
    clinic.refresh_from_db()
    assert clinic.title == "Hello {provider}"
    assert clinic.oncall_division != 999


def test_administrator_of_a_division_changes_nothing_that_is_shared(client, clinic):
    client.force_login(make_user("ada", clinic, role=Role.ADMINISTRATOR, is_staff=True))
    provider = Provider.objects.filter(divisions=clinic).get()
    codes = [
        client.post(page("connection_change", clinic.oncall_id), {}).status_code,
        client.post(page("connection_test", clinic.oncall_id)).status_code,
        client.post(page("connection_resume", clinic.oncall_id)).status_code,
        client.post(page("provider_change", provider.pk), {}).status_code,
        client.post(page("division_add"), {}).status_code,
        client.post(page("user_add"), {}).status_code,
        client.get(page("user_changelist")).status_code,
    ]
    assert codes == [403, 404, 404, 403, 403, 403, 403]


def test_administrator_of_a_division_gives_roles_only_in_it(client, clinic):
    client.force_login(make_user("ada", clinic, role=Role.ADMINISTRATOR, is_staff=True))
    mei = make_user("mei")
    other = Division.objects.get(name="Pacific")
    client.post(
        page("membership_add"), {"user": mei.pk, "division": other.pk, "role": "administrator"}
    )
    client.post(page("membership_add"), {"user": mei.pk, "division": clinic.pk, "role": "staff"})
    roles = Membership.objects.filter(user=mei).values_list("division__name", "role")
    assert list(roles) == [("Downtown", "staff")]


# --- connections --------------------------------------------------------------------------------------


def test_empty_credentials_keep_what_is_stored(root, clinic):
    save(root, page("connection_change", clinic.oncall_id), auth_scheme="Bearer")
    row = Connection.objects.get(pk=clinic.oncall_id)
    assert row.settings["auth_scheme"] == "Bearer"
    assert row.credentials == {"api_key": SECRET, "webhook_token": f"{SECRET}-hook"}


def test_new_credentials_replace_end_the_pause_and_are_not_recorded(root, clinic):
    Connection.objects.filter(pk=clinic.oncall_id).update(paused_at=LONG_AGO, paused_reason="401")
    answer = save(root, page("connection_change", clinic.oncall_id), api_key="s3cret-new")
    row = Connection.objects.get(pk=clinic.oncall_id)
    assert row.credentials == {"api_key": "s3cret-new", "webhook_token": f"{SECRET}-hook"}
    assert row.paused_at is None
    assert "s3cret" not in answer.content.decode()
    event = AuditEvent.objects.get(verb="connection_updated")
    assert event.user == get_user_model().objects.get()
    assert event.details["fields"] == {"credentials.api_key": ["(not shown)", "(not shown)"]}


def test_second_webhook_token_joins_the_first(root, clinic):
    url = page("connection_change", clinic.oncall_id)
    save(root, url, webhook_token_2="env:NEXT")
    stored = Connection.objects.get(pk=clinic.oncall_id).credentials["webhook_token"]
    assert stored == [f"{SECRET}-hook", "env:NEXT"]
    save(root, url, webhook_token="env:NEXT")
    assert Connection.objects.get(pk=clinic.oncall_id).credentials["webhook_token"] == "env:NEXT"


def test_ticked_credentials_are_forgotten(root, clinic):
    save(root, page("connection_change", clinic.oncall_id), forget=["webhook_token"])
    assert Connection.objects.get(pk=clinic.oncall_id).credentials == {"api_key": SECRET}


def test_changed_address_puts_the_divisions_into_observe_and_says_so(root, clinic):
    url = page("connection_change", clinic.oncall_id)
    answer = save(root, url, base_url="http://127.0.0.1:9999/")
    clinic.refresh_from_db()
    assert clinic.mode == "observe"
    assert Division.objects.get(name="Pacific").mode == "live"
    assert Connection.objects.get(pk=clinic.oncall_id).swept_at is None
    assert (
        'division "Downtown": goes to observe and writes nothing until it is set live again '
        f"(the address of oncall.{clinic.oncall.name} changed)"
    ) in said(answer)


@pytest.mark.parametrize(
    ("changed", "errors"),
    [
        ({"region": ""}, {"region": ["is missing"]}),
        (
            {"base_url": "ftp://x/"},
            {"base_url": ["must be an address that begins with https:// or http://"]},
        ),
        ({"more_settings": '{"a": 1}'}, {"more_settings": ["OnCall has no further settings"]}),
        (
            {"webhook_token": "a/b"},
            {"webhook_token": ["a token may hold only letters, digits and . _ ~ -"]},
        ),
        ({"forget": ["api_key"]}, {"api_key": ["is missing"]}),
    ],
)
def test_mistakes_in_a_connection_are_refused(root, clinic, changed, errors):
    before = Connection.objects.values().get(pk=clinic.oncall_id)
    answer = save(root, page("connection_change", clinic.oncall_id), **changed)
    assert errors_of(answer) == errors
    assert Connection.objects.values().get(pk=clinic.oncall_id) == before
    assert AuditEvent.objects.count() == 0


def test_credentials_are_refused_among_the_settings(root, clinic):
    url = page("connection_change", clinic.emr_id)
    answer = save(root, url, more_settings='{"password": "x"}')
    assert errors_of(answer) == {
        "more_settings": ["password is a credential and has its own field"]
    }


def test_new_connection_takes_its_side_from_the_adapter(root):
    url = page("connection_add")
    save(root, url, name="main", adapter="oncall", region="us", api_key="k", more_settings="")
    save(root, url, name="main", adapter="fhir_r4", base_url="https://emr.example.org/r4/")
    assert list(Connection.objects.values_list("side", "name", "adapter", "settings")) == [
        ("emr", "main", "fhir_r4", {"base_url": "https://emr.example.org/r4/"}),
        ("oncall", "main", "oncall", {"region": "us"}),
    ]


def test_connection_test_explains_in_words(root, clinic, monkeypatch):
    class Answers:
        def check(self):
            return [Check(True, "It answers."), Check(False, "Patients cannot be read.")]

    Connection.objects.filter(pk=clinic.emr_id).update(paused_at=LONG_AGO, paused_reason="401")
    monkeypatch.setattr(remotes, "adapter_for", lambda connection: Answers())
    answer = root.post(page("connection_test", clinic.emr_id))
    assert [(one.level, one.message) for one in answer.context["findings"]] == [
        ("wrong", f"It is paused since {LONG_AGO:%Y-%m-%d %H:%M} UTC: 401"),
        ("fine", "It answers."),
        ("wrong", "Patients cannot be read."),
    ]
    assert "The connection cannot be used as it is." in answer.content.decode()
    assert root.get(page("connection_test", clinic.emr_id)).status_code == 405


def test_connection_test_tells_a_refusal_with_a_remedy(root, clinic, monkeypatch):
    def refuse(connection):
        raise NotConfigured("The EMR refused the credentials.")

    monkeypatch.setattr(remotes, "adapter_for", refuse)
    text = root.post(page("connection_test", clinic.emr_id)).content.decode()
    assert "The EMR refused the credentials." in text
    assert "What to do: Compare the connection&#x27;s settings" in text


def test_resume_ends_the_pause_and_is_recorded_once(root, clinic):
    Connection.objects.filter(pk=clinic.emr_id).update(paused_at=LONG_AGO, paused_reason="401")
    assert "Resume" in root.get(page("connection_change", clinic.emr_id)).content.decode()
    for _ in range(2):
        root.post(page("connection_resume", clinic.emr_id))
    assert Connection.objects.get(pk=clinic.emr_id).paused_at is None
    assert [event.verb for event in AuditEvent.objects.all()] == ["connection_resumed"]
    assert root.get(page("connection_resume", clinic.emr_id)).status_code == 405


# --- divisions ----------------------------------------------------------------------------------------


def test_policy_is_shown_as_words_and_only_differences_are_stored(root, clinic):
    url = page("division_change", clinic.pk)
    text = root.get(url).content.decode()
    assert text.count("default (auto)") == 6
    save(root, url, policy_emr_to_oncall_cancel="ask", policy_oncall_to_emr_when="never")
    clinic.refresh_from_db()
    assert clinic.policy == {"oncall_to_emr": {"when": "never"}, "emr_to_oncall": {"cancel": "ask"}}
    save(root, url, policy_oncall_to_emr_when="")
    clinic.refresh_from_db()
    assert clinic.policy == {"emr_to_oncall": {"cancel": "ask"}}


def test_saving_without_a_change_has_no_consequences(root, clinic):
    answer = save(root, page("division_change", clinic.pk))
    clinic.refresh_from_db()
    assert answer.redirect_chain != []
    assert clinic.page_started_at == LONG_AGO
    assert AuditEvent.objects.count() == 0
    assert Pair.objects.filter(recheck_at__isnull=False).count() == 0


def test_changed_type_table_starts_a_new_page_and_is_recorded(root, clinic):
    TypeRule.objects.create(division=clinic, emr="Phone*", oncall="phone")
    url = page("division_change", clinic.pk)
    save(root, url, **{"type_rules-0-oncall": "online"})
    clinic.refresh_from_db()
    assert clinic.page_started_at > LONG_AGO
    assert Pair.objects.get(division=clinic).recheck_at == clinic.page_started_at
    event = AuditEvent.objects.get()
    assert (event.verb, event.division) == ("division_updated", clinic)
    assert event.details["fields"] == {"types": [[["Phone*", "phone"]], [["Phone*", "online"]]]}
    assert len(event.details["consequences"]) == 2


def test_rule_that_no_visit_reaches_is_refused(root, clinic):
    TypeRule.objects.create(division=clinic, emr="*", oncall="phone", position=1)
    url = page("division_change", clinic.pk)
    rule = {"type_rules-1-emr": "Lab", "type_rules-1-oncall": "skip", "type_rules-1-position": "2"}
    answer = save(root, url, **rule)
    [formset, _] = [inline.formset for inline in answer.context["inline_admin_formsets"]]
    assert list(formset.non_form_errors()) == [
        'Rule 2: no visit gets this far: an earlier rule is "*"'
    ]
    assert TypeRule.objects.count() == 1


def test_going_live_starts_a_new_page(root, clinic):
    Division.objects.update(mode="observe")
    save(root, page("division_change", clinic.pk), mode="live")
    clinic.refresh_from_db()
    assert (clinic.mode, clinic.page_started_at > LONG_AGO) == ("live", True)


@pytest.mark.parametrize(
    ("changed", "errors"),
    [
        ({"time_zone": "Mars"}, {"time_zone": ['unknown zone "Mars"']}),
        (
            {"title": "{patient}"},
            {"title": ["may hold {provider} and no other braces"]},
        ),
    ],
)
def test_mistakes_in_a_division_are_refused(root, clinic, changed, errors):
    answer = save(root, page("division_change", clinic.pk), **changed)
    assert errors_of(answer) == errors
    assert AuditEvent.objects.count() == 0


def test_location_of_another_division_is_refused(root, clinic):
    other = make_division("North", oncall=clinic.oncall, emr=clinic.emr, emr_locations=["L/2"])
    answer = save(root, page("division_change", other.pk), emr_locations="L/2\nLocation/1")
    assert errors_of(answer) == {
        "emr_locations": ['Location/1 is claimed by division "Downtown" already']
    }


def test_new_division_observes(root, clinic):
    save(
        root,
        page("division_add"),
        name="East",
        oncall=clinic.oncall_id,
        oncall_division=77,
        emr=clinic.emr_id,
        emr_locations="Location/7",
    )
    assert Division.objects.get(name="East").mode == "observe"


def test_division_is_deleted_only_before_any_visit_is_known(root, clinic):
    url = page("division_delete", clinic.pk)
    assert root.post(url, {"post": "yes"}).status_code == 403
    fresh = make_division("East", provider="")
    Provider.objects.filter(divisions=fresh).delete()
    root.post(page("division_delete", fresh.pk), {"post": "yes"})
    assert list(Division.objects.values_list("name", flat=True)) == ["Downtown", "Pacific"]
    assert [event.verb for event in AuditEvent.objects.all()] == ["division_deleted"]


def test_connection_is_deleted_only_while_nothing_uses_it(root, clinic):
    assert root.post(page("connection_delete", clinic.emr_id), {"post": "yes"}).status_code == 403
    fresh = make_connection("emr", "spare")
    root.post(page("connection_delete", fresh.pk), {"post": "yes"})
    assert Connection.objects.filter(name="spare").count() == 0


# --- providers ----------------------------------------------------------------------------------------


def test_changed_mapping_of_a_provider_rechecks_its_division(root, clinic):
    provider = Provider.objects.filter(divisions=clinic).get()
    save(root, page("provider_change", provider.pk), emr_practitioners="Practitioner/5\n")
    provider.refresh_from_db()
    clinic.refresh_from_db()
    assert provider.emr_practitioners == ["Practitioner/5"]
    assert clinic.page_started_at > LONG_AGO
    assert Division.objects.get(name="Pacific").page_started_at == LONG_AGO


def test_practitioner_of_another_provider_is_refused(root, clinic):
    first = Provider.objects.filter(divisions=clinic).get()
    first.emr_practitioners = ["Practitioner/5"]
    first.save()
    other = Provider.objects.create(name="Bo", oncall=clinic.oncall, oncall_provider=88)
    other.divisions.add(clinic)
    answer = save(root, page("provider_change", other.pk), emr_practitioners="Practitioner/5")
    assert errors_of(answer) == {
        "emr_practitioners": [
            f'Practitioner/5 is provider "{first.name}" already in division "Downtown"'
        ]
    }


# --- accounts -----------------------------------------------------------------------------------------


def test_who_may_open_the_administration_follows_from_the_roles(root, clinic):
    mei = make_user("mei", clinic, role=Role.STAFF)
    membership = Membership.objects.get(user=mei)
    save(root, page("membership_change", membership.pk), role="administrator")
    mei.refresh_from_db()
    assert mei.is_staff is True
    save(root, page("user_change", mei.pk), **{"memberships-0-role": "viewer"})
    mei.refresh_from_db()
    assert mei.is_staff is False
    assert [event.details["fields"] for event in AuditEvent.objects.order_by("pk")] == [
        {"roles.Downtown": ["staff", "administrator"]},
        {"roles.Downtown": ["administrator", "viewer"]},
    ]


def test_new_password_is_recorded_without_it(root):
    mei = make_user("mei")
    new = "an entirely new phrase"
    root.post(
        reverse("admin:auth_user_password_change", args=[mei.pk]),
        {"password1": new, "password2": new, "usable_password": "true"},
    )
    mei.refresh_from_db()
    assert mei.check_password(new)
    event = AuditEvent.objects.get()
    assert event.details["fields"] == {"password": ["(not shown)", "(not shown)"]}


def test_accounts_are_not_deleted(root):
    mei = make_user("mei")
    assert root.post(page("user_delete", mei.pk), {"post": "yes"}).status_code == 403


def test_tokens_and_tasks_have_no_page(root):
    apps = root.get(reverse("admin:index")).context["app_list"]
    assert sorted(app["app_label"] for app in apps) == ["appointments", "auth", "axes"]


# --- what a save would bring, before it is made (law 15) -------------------------------------------------


def test_place_that_would_open_questions_is_shown_first_and_saved_only_then(root, clinic):
    Pair.objects.update(recheck_at=LONG_AGO)
    compare_due(look_up=False)
    url = page("division_change", clinic.pk)
    events = AuditEvent.objects.count()

    shown = save(root, url, confirm=False, emr_locations="Location/2")

    assert shown.context["effects"] == [
        "Downtown: 1 new questions, 0 would close, 0 writes would leave by themselves"
    ]
    clinic.refresh_from_db()
    assert (clinic.emr_locations, Mismatch.objects.count()) == (["Location/1"], 0)
    assert AuditEvent.objects.count() == events

    agree(root, url, shown)

    clinic.refresh_from_db()
    assert clinic.emr_locations == ["Location/2"]


@pytest.mark.parametrize(("field", "value", "most"), [("count", "201", 200), ("percent", "51", 50)])
def test_brake_cannot_be_switched_off(root, clinic, field, value, most):
    answer = save(
        root, page("division_change", clinic.pk), confirm=False, **{f"brake_{field}": value}
    )
    assert f"At most {most}: the brake cannot be switched off." in answer.content.decode()
    clinic.refresh_from_db()
    assert (clinic.brake_count, clinic.brake_percent) == (20, 5)
