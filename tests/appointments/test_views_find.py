""" "Find a visit": what is found, the gates it passed, the one that stopped it, and asking for it now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from appointments import resolution
from appointments.core.decisions import explain
from appointments.core.kinds import Scope
from appointments.finding import searching
from appointments.finding.gates import Around
from appointments.mismatches import compare_pair
from appointments.models import AuditEvent, Decision, Delivery, Mismatch, Pair, Role, TypeRule
from appointments.wording import day_in_zone
from appointments.wording.around import SENTENCES
from appointments.wording.gates import Subject, gate_sentence
from appointments.wording.scopes import SCOPES
from appointments.wording.values import UTC_ZONE
from emr_adapters.records import State
from tests.core.make import NOW
from tests.core.strategies import eager_rules, rules, views
from tests.make import (
    ask,
    make_connection,
    make_delivery,
    make_division,
    make_mismatch,
    make_pair,
    make_push,
    make_user,
    soon,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def division():
    return make_division()


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def client(division):
    return signed_in(make_user("maria", division))


def found(client, words: str):
    """The context of a search's page, and its text."""
    answer = client.post(reverse("find"), {"q": words})
    assert answer.status_code == 200
    return answer.context, answer.content.decode()


def stops(client, words: str) -> list[str]:
    return [why.stop.text for why in found(client, words)[0].get("whys", [])]


# --- sentences ----------------------------------------------------------------------------------------


@hypothesis_settings(deadline=None)
@given(views, rules | eager_rules)
def test_every_gate_of_every_decision_has_a_sentence(view, given_rules):
    subject = Subject(view, given_rules, UTC_ZONE, {})
    for step in explain(view, given_rules, NOW).steps:
        text = gate_sentence(step, subject)
        assert text
        assert "%(" not in text


def test_every_scope_and_every_gate_around_has_a_sentence():
    assert set(SCOPES) == set(Scope)
    assert set(SENTENCES) == set(Around)


# --- finding ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        *("haddad", "NOOR", "noor@example.org", "4711", "#4711", "77-a", "Appointment/77-a"),
        "https://api.oncallhealth.ca/appointments/4711/",
    ],
)
def test_a_visit_is_found_by_its_patient_or_an_id_of_either_side(client, division, words):
    pair = make_pair(
        division,
        patient="Noor Haddad",
        email="noor@example.org",
        oncall={"remote_id": "4711"},
        emr={"remote_id": "77-a"},
    )
    make_pair(division, patient="Ben Okafor", email="ben@example.org")
    context, _page = found(client, words)
    assert [why.pair.pk for why in context["whys"]] == [pair.pk]
    event = AuditEvent.objects.get(verb="viewed")
    assert (event.subjects, event.details) == ([str(pair.pk)], {"page": "find", "search": True})


def test_the_visit_nearest_in_time_comes_first(client, division):
    later = make_pair(division, patient="Noor Haddad", start=soon(3000))
    past = make_pair(division, patient="Noor Haddad", start=soon(-100))
    near = make_pair(division, patient="Noor Haddad", start=soon(30))
    context, _page = found(client, "haddad")
    assert [why.pair.pk for why in context["whys"]] == [near.pk, past.pk, later.pk]


def test_the_search_is_in_no_address_and_an_empty_one_is_a_page(client):
    assert "What to type" in client.get(reverse("find"), {"q": "haddad"}).content.decode()
    assert "What to type" in client.post(reverse("find"), {"q": " "}).content.decode()


def test_visits_of_others_are_not_found_and_not_explained(client):
    other = make_division("Uptown")
    pair = make_pair(other, patient="Noor Haddad", oncall={"remote_id": "4711"})
    for words in ("haddad", "4711"):
        context, page = found(client, words)
        assert context["whys"] == []
        assert "Haddad" not in page
    assert client.get(reverse("visit_why", args=[pair.pk])).status_code == 404


@pytest.mark.parametrize("words", ["\0", "%", "'; --", "a" * 250, "é" * 40, "@", "9" * 40, "/"])
def test_strange_searches_get_a_page(client, division, words):
    make_pair(division)
    found(client, words)


def test_queries_do_not_grow_with_what_is_found(client, division, django_assert_num_queries):
    for number in range(5):
        make_pair(division, patient="Noor Haddad", start=soon(100 + number))
    with django_assert_num_queries(73):
        found(client, "haddad")
    for number in range(10):
        make_pair(division, patient="Noor Haddad", start=soon(200 + number))
    with django_assert_num_queries(73):
        context, _page = found(client, "haddad")
    assert (len(context["whys"]), len(context["others"])) == (3, 12)


# --- gates --------------------------------------------------------------------------------------------


def test_a_snoozed_question_says_by_whom_and_until_when_and_is_the_stop(client, division):
    mei = make_user("mei", division, first_name="Mei", last_name="Lin")
    start = soon(60 * 48)
    row = ask(make_pair(division, start=start, patient="Noor Haddad", oncall={"start": soon(600)}))
    resolution.assign(mismatch_id=row.pk, to=mei.pk, user=mei)
    snooze = resolution.snooze(mismatch_id=row.pk, version=row.version, user=mei)
    (why,) = found(client, "haddad")[0]["whys"]
    until = day_in_zone(snooze.until, division)
    said = f"Mei Lin put it aside until {until}. It comes back earlier when it changes, or 2 h"
    assert why.stop.text.startswith(said)
    assert why.stop.link.url == f"{reverse('visit', args=[row.pair_id])}#mismatch-{row.pk}"
    assert any(line.text.startswith("Mei Lin has it since ") for line in why.lines)
    resolution.wake(mismatch_id=row.pk, user=mei)
    assert not any("put it aside" in text for text in stops(client, "haddad"))


def test_visit_on_which_both_agree_passed_every_gate(client, division):
    make_pair(division, patient="Noor Haddad")
    assert stops(client, "haddad") == ["Both sides agree."]


def test_visit_without_partner_says_which_gate_stops_it(client, division):
    TypeRule.objects.create(division=division, emr="Block*", oncall="skip")
    only_emr: dict[str, Any] = {"sides": ("emr",), "reference": None}
    make_pair(division, patient="One Type", types=("Blocked day",), **only_emr)
    make_pair(division, patient="Two Off", state=State.CANCELLED, **only_emr)
    make_pair(division, patient="Three Far", start=soon(60 * 24 * 90), **only_emr)
    make_pair(division, patient="Four Past", start=soon(-90), **only_emr)
    assert stops(client, "one type") == [
        "Its type “Blocked day” is not for OnCall, says the type table."
    ]
    assert stops(client, "two off") == ["It is cancelled: nothing has to agree."]
    assert stops(client, "three far")[0].startswith("It is outside the days that are compared (")
    assert stops(client, "four past") == [
        "It has begun, and has no partner on the other side: too late to create one."
    ]


def test_type_without_a_line_leads_administrators_to_the_type_table(client, division):
    division.default_type = ""
    division.save()
    only_emr: dict[str, Any] = {"sides": ("emr",), "reference": None}
    pair = make_pair(division, patient="Noor Haddad", types=("Phone call",), **only_emr)
    compare_pair(pair.pk)
    said = "The type “Phone call” has no line in the type table."
    context, page = found(client, "haddad")
    assert (context["whys"][0].stop.text, context["whys"][0].stop.link) == (said, None)
    head = make_user("head", division, role=Role.ADMINISTRATOR, is_staff=True)
    context, page = found(signed_in(head), "haddad")
    link = context["whys"][0].stop.link
    address = reverse("admin:appointments_division_change", args=[division.pk])
    assert (link.url, link.text) == (f"{address}#type_rules-group", "Open the type table")
    assert "Open the type table" in page
    assert 'id="type_rules-group"' in signed_in(head).get(address).content.decode()


def test_division_that_observes_says_so_and_leads_to_the_question(client, division):
    division.mode = "observe"
    division.save()
    start = soon(90)
    pair = make_pair(
        division, patient="Noor Haddad", start=start, emr={"start": start + timedelta(minutes=30)}
    )
    row = ask(pair)
    why = found(client, "haddad")[0]["whys"][0]
    assert why.stop.text == "Time: Downtown is in observe: it is shown, and nothing is written."
    assert why.stop.link.url == f"{reverse('visit', args=[pair.pk])}#mismatch-{row.pk}"
    assert why.lines[-1].text.startswith("It is asked about since ")


def test_reference_to_a_record_that_is_gone_is_the_gate(client, division):
    pair = make_pair(division, sides=("oncall",), patient="Noor Haddad", reference="gone-1")
    Pair.objects.filter(pk=pair.pk).update(reference_missing_at=timezone.now())
    assert stops(client, "haddad") == ["Its reference names a record that is gone: gone-1."]


def test_visit_that_the_other_side_was_not_listed_for_says_so(client, division):
    division.oncall.swept_at = None
    division.oncall.save()
    make_pair(division, sides=("emr",), patient="Noor Haddad", reference=None)
    context, page = found(client, "haddad")
    why = context["whys"][0]
    assert why.stop.text.startswith("OnCall has not been listed completely within a day")
    assert why.stop.link.url == reverse("runs")
    assert "OnCall has never been listed completely yet." in page


def test_write_that_the_brake_holds_is_the_gate(client, division):
    pair = make_pair(division, patient="Noor Haddad")
    make_push(pair, status="held")
    why = found(client, "haddad")[0]["whys"][0]
    assert why.stop.text.endswith("held by the brake, until somebody has looked.")
    assert why.stop.link.url == reverse("pushes") + "?status=held"


def test_what_a_person_decided_is_the_gate(client, division):
    start = soon(90)
    pair = make_pair(
        division,
        patient="Noor Haddad",
        start=start,
        oncall={"start": start + timedelta(minutes=30)},
    )
    row = ask(pair)
    user = make_user("mei", division, first_name="Mei")
    Decision.objects.create(
        pair=pair, mismatch=row, subject=row.subject, action="leave_different", user=user
    )
    compare_pair(pair.pk)
    (text,) = stops(client, "haddad")
    assert text.startswith("Mei decided “Leave it different” at ")


def test_what_is_still_awaited_is_told(client, division):
    pair = make_pair(division, patient="Noor Haddad")
    make_delivery(division.oncall, remote_id=pair.oncall.remote_id, status="stored")
    assert stops(client, "haddad")[0].startswith("A webhook of ")
    division.emr.rests_until = timezone.now() + timedelta(minutes=5)
    division.emr.save()
    Delivery.objects.all().delete()
    assert "it is left alone until" in stops(client, "haddad")[0]
    division.emr.paused_at = timezone.now()
    division.emr.paused_reason = "The key is wrong."
    division.emr.save()
    assert stops(client, "haddad")[0].endswith("is paused: The key is wrong.")


def test_question_that_is_not_asked_yet_waits_for_its_comparison(client, division):
    start = soon(90)
    pair = make_pair(
        division,
        patient="Noor Haddad",
        start=start,
        oncall={"start": start + timedelta(minutes=30)},
    )
    Pair.objects.filter(pk=pair.pk).update(recheck_at=timezone.now())
    assert stops(client, "haddad")[0].startswith("There is news since ")
    compare_pair(pair.pk)
    assert stops(client, "haddad") == [
        "Time: It changed in OnCall, not in the EMR, which decides here: a person says which counts."
    ]


def test_gates_are_told_in_order(client, division):
    pair = make_pair(division, sides=("emr",), patient="Noor Haddad", reference=None, email="")
    page = client.get(reverse("visit_why", args=[pair.pk])).content.decode()
    told = [
        "EMR: last read at",
        "It belongs to Downtown.",
        "It is not cancelled.",
        "It lies within the days that are compared.",
        "OnCall was listed completely: what is not there is missing.",
        "It cannot be created in OnCall: no e-mail in the EMR",
    ]
    places = [page.rindex(text) for text in told]
    assert places == sorted(places)
    event = AuditEvent.objects.get(verb="viewed")
    assert (event.pair_id, event.details["page"]) == (pair.pk, "why")


def test_record_that_could_not_be_read_is_found_by_its_id(client, division):
    make_mismatch(
        division,
        kind="unreadable",
        code="unreadable",
        details={"side": "emr", "why": "Its start is not a time"},
        groups={},
        connection=division.emr,
        subject_key="911",
    )
    page = found(client, "911")[1]
    assert (
        "A record of the EMR could not be read and was set aside: Its start is not a time." in page
    )


def test_record_without_a_division_is_found_by_who_sees_everything(division):
    pair = make_pair(division, sides=("emr",), patient="Noor Haddad")
    Pair.objects.filter(pk=pair.pk).update(division=None)
    root = make_user("root", is_superuser=True, is_staff=True)
    assert stops(signed_in(root), "haddad") == ["No division of ours is set up for its place."]
    assert stops(signed_in(make_user("mei", division)), "haddad") == []


# --- asking now ---------------------------------------------------------------------------------------


def buttons(page: str) -> list[str]:
    return [text for text in ("Ask OnCall for it now", "Ask the EMR for it now") if text in page]


def test_unknown_id_says_when_each_side_was_listed_and_offers_to_ask(client, division):
    page = found(client, "4711")[1]
    assert "No visit was found in the divisions that are open to you." in page
    assert "OnCall was last listed completely at " in page
    assert "EMR was last listed completely at " in page
    assert buttons(page) == ["Ask OnCall for it now", "Ask the EMR for it now"]
    assert buttons(found(client, "a7-b")[1]) == ["Ask the EMR for it now"]
    assert buttons(found(client, "Noor Haddad")[1]) == []
    assert buttons(found(client, "haddad")[1]) == []


def test_asking_schedules_one_read_as_a_webhook_does(client, division):
    asked = {"connection": division.oncall.pk, "id": "4711"}
    answer = client.post(reverse("find_ask"), asked)
    wish = Delivery.objects.get()
    assert answer.url == reverse("find_asked", args=[wish.pk])
    assert (wish.connection, wish.remote_id, wish.status) == (division.oncall, "4711", "stored")
    assert OrmQ.objects.count() == 1
    client.post(reverse("find_ask"), asked)
    assert (Delivery.objects.count(), OrmQ.objects.count()) == (1, 1)
    assert AuditEvent.objects.filter(verb="asked_for_it").count() == 1
    assert "OnCall is being asked for visit 4711." in client.get(answer.url).content.decode()


def test_answer_of_a_side_is_shown_with_the_gates_of_the_visit(client, division):
    client.post(reverse("find_ask"), {"connection": division.oncall.pk, "id": "4711"})
    page = reverse("find_asked", args=[Delivery.objects.get().pk])
    Delivery.objects.update(error="OnCall has no such record.")
    assert "The answer so far: OnCall has no such record." in client.get(page).content.decode()
    Delivery.objects.update(status="failed", error="OnCall does not know it.")
    text = client.get(page).content.decode()
    assert "OnCall has no visit 4711 for us. Its answer: OnCall does not know it." in text
    Delivery.objects.update(status="done", error="")
    assert "belongs to no division that is open to you" in client.get(page).content.decode()
    pair = make_pair(division, patient="Noor Haddad", oncall={"remote_id": "4711"})
    text = client.get(page).content.decode()
    assert "Noor Haddad" in text
    assert "Both sides agree." in text
    assert AuditEvent.objects.filter(verb="viewed", pair=pair).count() == 1
    # A fragment has no page around it, and asks for itself only while there is no answer.
    fragment = client.get(page, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment
    assert "hx-get" not in fragment


def test_what_cannot_be_an_id_is_not_asked_for(client, division):
    for words in ("haddad", "12 34", "", "9" * 30):
        data = {"connection": division.oncall.pk, "id": words}
        page = client.post(reverse("find_ask"), data, follow=True).content.decode()
        assert "That cannot be an id of this system" in page, words
    assert not Delivery.objects.exists()


def test_only_who_settles_may_ask_and_only_their_systems(client, division):
    viewer = signed_in(make_user("viewer", division, role=Role.VIEWER))
    asked = {"connection": division.oncall.pk, "id": "4711"}
    assert buttons(found(viewer, "4711")[1]) == []
    assert viewer.post(reverse("find_ask"), asked).status_code == 403
    other = make_connection("oncall")
    make_division("Uptown", oncall=other)
    for number in (other.pk, "x", "", "9" * 30):
        data = {"connection": number, "id": "4711"}
        assert client.post(reverse("find_ask"), data).status_code == 404
    wish = Delivery.objects.create(connection=other, event=Delivery.ASKED_HERE, remote_id="1")
    hook = make_delivery(division.oncall)
    for pk in (wish.pk, hook.pk):
        assert client.get(reverse("find_asked", args=[pk])).status_code == 404
    assert Mismatch.objects.count() == 0


def test_only_an_id_goes_out(division):
    assert searching.askable_id("Ana-Souza", division.emr) == ""
    assert searching.askable_id("Appointment/a7-b", division.emr) == "a7-b"
    assert searching.askable_id("a7-b", division.oncall) == ""
