"""The page: what a person sees and does, as a browser would, without a browser."""

from __future__ import annotations

import re

import pytest
import requests

DAY = {"place": "Downtown", "day": "2026-12-01"}


class Browser:
    """Keeps the cookie and sends the form's token with every post."""

    def __init__(self, base):
        self.base = base
        self.session = requests.Session()
        self.session.trust_env = False

    def see(self, **query):
        answer = self.session.get(self.base, params={**DAY, **query}, timeout=10)
        assert answer.status_code == 200
        return answer

    def press(self, path, **form):
        [token, *_] = re.findall(r'csrfmiddlewaretoken" value="(\w+)"', self.see().text)
        return self.session.post(
            self.base + path,
            params=DAY,
            data={"csrfmiddlewaretoken": token, **form},
            timeout=10,
        )


@pytest.fixture
def browser(practice):
    found = Browser(practice.page_url)
    yield found
    found.session.close()


VISIT = {"patient": "501", "start": "2026-12-01T10:00", "minutes": "30"}


def test_page_shows_both_sides_in_the_places_zone(practice, browser):
    practice.client.oncall_create(
        datetime="2026-12-01T15:00:00Z",
        division=123,
        provider=9,
        participants=[{"name": "Ann Bee", "email": "ann@example.org"}],
    )
    practice.client.emr_create(start="2026-12-01T16:30:00Z", patient="501", location="1")
    text = browser.see().text
    assert "no real patients" in text
    assert re.findall(r"<time [^>]*>([\d:]+)<", text) == ["10:00", "11:30"]
    assert "Ann Bee" not in browser.see(day="2026-12-02").text.split("<ol")[1].split("</ol>")[0]


def test_page_allows_no_script_and_no_foreign_content(browser):
    answer = browser.see()
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "<script" not in answer.text
    assert "style=" not in answer.text


def test_page_books_in_oncall_with_mail_and_as_a_person(practice, browser):
    answer = browser.press("visits/oncall/create/", provider="9", type="phone", **VISIT)
    assert "The visit is booked." in answer.text
    [stored] = practice.client.state()["oncall"]["appointments"]
    assert (stored["datetime"], stored["type"], stored["provider"]) == (
        "2026-12-01T15:00:00Z",
        "phone",
        9,
    )
    assert [m["to"] for m in practice.client.mails(audience="patient")] == ["ann@example.org"]
    assert practice.client.requests() == []


def test_page_moves_cancels_and_vanishes_in_oncall(practice, browser):
    browser.press("visits/oncall/create/", provider="9", type="online", **VISIT)
    form = {"start": "2026-12-01T11:00", "minutes": "45", "provider": "10", "type": "online"}
    browser.press("visits/oncall/1001/change/", **form)
    stored = practice.client.oncall_appointment(1001)
    assert (stored["datetime"], stored["duration"], stored["provider"]) == (
        "2026-12-01T16:00:00Z",
        45,
        10,
    )
    browser.press("visits/oncall/1001/cancel/")
    assert practice.client.oncall_appointment(1001)["cancelled"]
    browser.press("visits/oncall/1001/vanish/")
    assert practice.client.oncall_appointment(1001) is None


def test_page_books_moves_cancels_and_vanishes_in_the_emr(practice, browser):
    browser.press("visits/emr/create/", provider="9", type="Video visit", **VISIT)
    [stored] = practice.client.state()["emr"]["Appointment"]
    path = f"visits/emr/{stored['id']}/"
    form = {"start": "2026-12-01T11:00", "minutes": "45", "provider": "9", "type": "Office visit"}
    browser.press(path + "change/", **form)
    stored = practice.client.emr_appointment(stored["id"])
    assert (stored["start"], stored["end"]) == ("2026-12-01T16:00:00Z", "2026-12-01T16:45:00Z")
    assert stored["appointmentType"]["text"] == "Office visit"
    browser.press(path + "cancel/")
    assert practice.client.emr_appointment(stored["id"])["status"] == "cancelled"
    browser.press(path + "vanish/")
    assert practice.client.state()["emr"]["Appointment"] == []


def test_page_says_what_did_not_work(practice, browser):
    answer = browser.press("visits/emr/create/", provider="9", type="x", **{**VISIT, "start": "?"})
    assert answer.status_code == 400
    assert "That did not work" in answer.text


def test_page_refuses_a_form_without_its_token(practice):
    answer = requests.post(practice.page_url + "start-over/", data={"with": "empty"}, timeout=10)
    assert answer.status_code == 403


def test_page_switches_a_fault_on_and_off(practice, browser, oncall):
    fault = {"system": "oncall", "kind": "500"}
    answer = browser.press("faults/", on="1", **fault)
    assert 'aria-checked="true"' in answer.text
    assert oncall("GET", "appointments/").status_code == 500
    browser.press("faults/", on="0", **fault)
    assert oncall("GET", "appointments/").status_code == 200


def test_page_counts_mails_and_starts_over(practice, browser):
    browser.press("visits/oncall/create/", provider="9", type="online", **VISIT)
    assert re.search(r"E-mails to patients <b[^>]*>1<", browser.see().text)
    browser.press("mails/forget/")
    assert practice.client.mails() == []
    browser.press("start-over/", **{"with": "nothing"})
    assert "Load the demo world" in browser.see().text
