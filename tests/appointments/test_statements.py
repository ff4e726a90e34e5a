"""The statement of the morning: what it counts, when it is made, who is told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django_q.models import OrmQ

from appointments import leases, statements, tasks
from appointments.models import Decision, Delivery, Notice, NoticeChoice, Statement
from appointments.notices import sending
from appointments.wording.statements import reason_sentences, statement_sentence
from tests.make import (
    ask,
    make_connection,
    make_delivery,
    make_division,
    make_mismatch,
    make_pair,
    make_push,
    make_run,
    make_user,
)

pytestmark = pytest.mark.django_db
SEVEN = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)  # Saturday 7:00 in Toronto


@pytest.fixture
def clock():
    with time_machine.travel(SEVEN, tick=False) as traveller:
        yield traveller


@pytest.fixture
def division(clock):
    listed = {"swept_at": SEVEN - timedelta(minutes=8), "last_answer_at": SEVEN}
    oncall = make_connection("oncall", "main", **listed)
    emr = make_connection("emr", "main", **listed, changes_read_to=SEVEN - timedelta(minutes=1))
    return make_division(oncall=oncall, emr=emr)


def agreed(division, *hours: int) -> None:
    for hour in hours:
        make_pair(division, start=SEVEN + timedelta(hours=hour))


def made(now: datetime = SEVEN) -> Statement:
    assert statements.make_due(now) == 1
    return Statement.objects.latest("day")


def why(row: Statement) -> list[str]:
    return [code for code, _ in row.reasons]


# --- what it says -----------------------------------------------------------------------------------------


def test_a_clear_morning_is_one_dated_sentence(division):
    agreed(division, 2, 3, 13 * 24)
    row = made()
    assert (row.clear, row.day, row.at) == (True, date(2026, 11, 28), SEVEN)
    assert statement_sentence(row) == (
        "Sat 28 Nov 07:00 EST: all 3 visits of the next 14 days agree on both sides; "
        "last complete comparison 06:52; 0 open, 0 on the way."
    )


def test_what_is_not_clear_is_said_with_its_reasons(division):
    agreed(division, 2)
    make_mismatch(division, start=SEVEN + timedelta(hours=5))
    make_push(make_pair(division, start=SEVEN + timedelta(hours=6)), status="held")
    row = made()
    assert row.clear is False
    assert statement_sentence(row) == (
        "Sat 28 Nov 07:00 EST: 1 of 3 visits of the next 14 days agree on both sides; "
        "last complete comparison 06:52; 1 open, 1 on the way."
    )
    assert reason_sentences(row) == [
        "1 change is held because unusually many came at once.",
        "1 difference waits for somebody.",
    ]


def test_only_visits_that_belong_on_both_sides_in_the_days_ahead_are_counted(division):
    agreed(division, 1)
    agreed(division, -1, 14 * 24)  # begun; on the fifteenth day
    make_pair(division, sides=("emr",), start=SEVEN + timedelta(hours=2), scope="skipped_type")
    other = make_division("Uptown", mode="observe")
    agreed(other, 3)
    judgement, facts = statements.look(division, SEVEN)
    assert (facts.visits, facts.agreed, judgement.clear) == (1, 1, True)


def test_the_last_of_the_days_ahead_ends_at_the_divisions_own_midnight(division):
    midnight = datetime(2026, 12, 12, 5, 0, tzinfo=UTC)
    make_pair(division, start=midnight - timedelta(minutes=1))
    make_pair(division, start=midnight)
    assert statements.look(division, SEVEN)[1].visits == 1


def test_a_single_half_without_a_verdict_is_not_passed_over(division):
    make_pair(division, sides=("emr",), start=SEVEN + timedelta(hours=2))
    judgement, facts = statements.look(division, SEVEN)
    assert ([r.why for r in judgement.reasons], facts.agreed) == (["not_agreed"], 0)


def test_news_that_waits_for_its_comparison_is_not_clear(division):
    pair = make_pair(division, start=SEVEN + timedelta(hours=2))
    pair.recheck_at = SEVEN
    pair.save()
    judgement, _ = statements.look(division, SEVEN)
    assert [(r.why, r.count) for r in judgement.reasons] == [("not_compared", 1)]
    pair.recheck_at = SEVEN + timedelta(hours=1)
    pair.save()
    assert statements.look(division, SEVEN)[0].clear


@pytest.mark.parametrize("counted", ["_unread", "_due", "_visits", "_unsettled"])
def test_a_comparison_that_ends_while_it_is_counted_is_never_lost(division, monkeypatch, counted):
    """The visit differs, far ahead; its question appears right after one of the counts."""
    far = SEVEN + timedelta(days=20)
    pair = make_pair(division, start=far, oncall={"start": far + timedelta(minutes=30)})
    type(pair).objects.update(recheck_at=SEVEN)
    count = getattr(statements, counted)

    def meanwhile(*given):
        found = count(*given)
        ask(pair)
        type(pair).objects.update(recheck_at=None)
        return found

    monkeypatch.setattr(statements, counted, meanwhile)
    judgement, facts = statements.look(division, SEVEN)
    assert (judgement.clear, facts.open + facts.not_compared > 0) == (False, True)


def test_news_of_a_visit_that_no_division_claims_yet_is_not_clear(division):
    pair = make_pair(division, sides=("emr",), start=SEVEN + timedelta(hours=2))
    other = make_division("Uptown")
    type(pair).objects.update(division=None, recheck_at=SEVEN)
    assert statements.look(division, SEVEN)[1].not_compared == 1
    assert statements.look(other, SEVEN)[1].not_compared == 0


@pytest.mark.parametrize(
    ("status", "minutes", "reasons"),
    [
        ("stored", 2, [["unread", {"count": 1}]]),
        ("stored", 60, [["unread", {"count": 1}]]),
        ("stored", 1, []),  # it is about to be read
        ("failed", 2, [["unread", {"count": 1}]]),
        ("failed", 9, []),  # the list of 6:52 began later
        ("done", 2, []),
        ("ignored", 2, []),
    ],
)
def test_a_webhook_that_is_not_read_is_not_clear(division, status, minutes, reasons):
    came = {"status": status, "received_at": SEVEN - timedelta(minutes=minutes)}
    make_delivery(division.oncall, **came)
    make_delivery(make_connection("oncall"), **came)
    make_delivery(division.oncall, **came, event=Delivery.ASKED_HERE)
    judgement, _ = statements.look(division, SEVEN)
    row = statements.current(division, SEVEN)
    assert (row.reasons, judgement.clear) == (reasons, not reasons)
    said = ["1 webhook came whose visit is not read yet."] if reasons else []
    assert reason_sentences(row) == said


def test_what_is_left_different_by_a_persons_word_is_counted_apart(division):
    agreed(division, 1)
    pair = make_pair(division, start=SEVEN + timedelta(hours=2))
    Decision.objects.create(action="leave_different", pair=pair, subject="x")
    row = made()
    assert (row.clear, row.visits, row.agreed, row.left_different) == (True, 2, 1, 1)
    assert ", 1 is left different as somebody decided;" in statement_sentence(row)


@pytest.mark.parametrize("status", ["unknown", "reading_back"])
def test_an_unconfirmed_write_is_not_clear(division, status):
    make_push(make_pair(division), status=status)
    assert why(made()) == ["unconfirmed"]


def test_a_difference_that_no_division_claims_is_on_the_statement_of_its_connections(division):
    row = make_mismatch(division, kind="unreadable", groups={}, connection=division.emr)
    row.division = None
    row.save()
    assert why(made()) == ["open"]


def test_a_list_that_failed_since_the_last_complete_one_is_told(division):
    make_run(division.oncall, status="failed", began_at=SEVEN - timedelta(minutes=4))
    make_run(division.emr, status="incomplete", began_at=SEVEN - timedelta(hours=2))
    row = made()
    assert row.reasons == [["list_incomplete", {"side": "oncall"}]]


def test_a_list_that_is_being_read_is_no_reason(division):
    make_run(division.oncall, status="running", began_at=SEVEN - timedelta(minutes=1))
    assert made().clear


def test_no_visits_are_said_as_such(division):
    assert "no visits in the next 14 days that belong on both sides;" in statement_sentence(made())


def test_looking_costs_the_same_however_many_visits_there_are(division, django_assert_num_queries):
    for number in (1, 8):
        agreed(division, *range(1, number + 1))
        with django_assert_num_queries(7):
            statements.look(division, SEVEN)


# --- when it is made --------------------------------------------------------------------------------------


def test_it_is_made_once_a_day_from_the_hour_on_by_the_divisions_own_clock(division):
    west = make_division("Harbour", time_zone="America/Vancouver")
    assert statements.make_due(SEVEN - timedelta(minutes=1)) == 0
    assert [statements.make_due(SEVEN + timedelta(minutes=n)) for n in (0, 1)] == [1, 0]
    assert statements.make_due(SEVEN + timedelta(hours=3)) == 1
    assert Statement.objects.get(division=west).day == date(2026, 11, 28)
    assert statements.make_due(SEVEN + timedelta(days=1)) == 1


def test_the_hour_can_be_set(division, settings):
    settings.STATEMENT_HOUR = 6
    assert statements.make_due(SEVEN - timedelta(hours=1)) == 1


@pytest.mark.parametrize(
    ("hour", "first"),
    [
        (2, "2026-03-08T07:00:00Z"),  # 2:00 is skipped in Toronto: 3:00 EDT
        (1, "2026-11-01T05:00:00Z"),  # 1:00 comes twice: the first
    ],
)
def test_on_a_day_that_changes_the_clocks_it_is_made_once(division, settings, hour, first):
    settings.STATEMENT_HOUR = hour
    moment = datetime.fromisoformat(first)
    made = [statements.make_due(moment + timedelta(minutes=n)) for n in (-1, 0, 60, 120)]
    assert made == [0, 1, 0, 0]
    assert Statement.objects.get().day == moment.date()


def test_what_is_being_done_in_this_minute_is_waited_for_and_not_for_ever(division):
    make_push(make_pair(division, start=SEVEN + timedelta(hours=2)), status="waiting")
    waits = [statements.make_due(SEVEN + timedelta(minutes=n)) for n in (0, 9, 10)]
    assert waits == [0, 0, 1]
    assert why(Statement.objects.get()) == ["on_the_way"]


def test_what_needs_somebody_is_not_waited_for(division):
    make_mismatch(division)
    make_push(make_pair(division), status="waiting")
    assert why(made()) == ["open", "on_the_way"]


def test_two_workers_tick_and_one_statement_is_made_and_mailed(division, monkeypatch):
    """The second worker ticks while the first is between looking and writing."""
    maria = make_user("maria", division, email="maria@example.org")
    NoticeChoice.objects.create(user=maria, statement=True)
    look, looked, ticks = statements.look, [], []

    def meanwhile(*given):
        looked.append(given)
        if len(looked) == 1:
            ticks.append(statements.make_due(SEVEN))
        return look(*given)

    monkeypatch.setattr(statements, "look", meanwhile)
    assert (statements.make_due(SEVEN), ticks) == (0, [1])
    assert (Statement.objects.count(), Notice.objects.count()) == (1, 1)
    assert (sending.send_due(SEVEN), sending.send_due(SEVEN)) == (1, 0)


def test_one_division_that_cannot_be_looked_at_never_stops_the_others(
    division, monkeypatch, caplog
):
    make_division("Uptown")
    look = statements.look

    def sometimes(place, now):
        if place == division:
            raise ValueError("Ana Souza")
        return look(place, now)

    monkeypatch.setattr(statements, "look", sometimes)
    assert statements.make_due(SEVEN) == 1
    assert caplog.messages == [f"no statement of division {division.pk}: ValueError"]


def test_a_fault_in_telling_people_never_stops_the_work(division, monkeypatch, caplog):
    monkeypatch.setattr(statements, "_without_todays", lambda now: 1 / 0)
    make_push(make_pair(division), status="waiting")
    differing = make_mismatch(division, start=SEVEN + timedelta(minutes=40))
    make_user("maria", division, email="maria@example.org")
    leases.give_back("tick")
    tasks.tick()
    failed = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert failed == ["appointments.statements.make_due failed: ZeroDivisionError"]
    assert Notice.objects.get().mismatch == differing
    names = [str(row.task["func"]).rpartition(".")[2] for row in OrmQ.objects.all()]
    assert {"work_push", "send_notices"} <= set(names)


# --- the mail ---------------------------------------------------------------------------------------------


@pytest.fixture
def maria(division):
    user = make_user("maria", division, email="maria@example.org")
    NoticeChoice.objects.create(user=user, statement=True)
    return user


def test_the_tick_makes_it_and_its_mail_leaves_in_a_task(division, maria, settings):
    settings.PORTAL_URL = "https://portal.example.org"
    agreed(division, 2)
    leases.give_back("tick")
    tasks.tick()
    assert mail.outbox == []
    tasks.send_notices()
    (one,) = mail.outbox
    assert (one.to, one.subject) == (["maria@example.org"], "All clear: Downtown")
    assert one.body == (
        "Downtown: All clear\n"
        "Sat 28 Nov 07:00 EST: the one visit of the next 14 days agrees on both sides; "
        "last complete comparison 06:52; 0 open, 0 on the way.\n\n"
        "Look here: https://portal.example.org/statements/\n"
    )


def test_the_mail_names_no_patient(division, maria):
    make_mismatch(division, patient="Noor Haddad", email="noor@example.org")
    made()
    sending.send_due(SEVEN)
    (one,) = mail.outbox
    assert one.subject == "Not clear: Downtown"
    assert "- 1 difference waits for somebody." in one.body
    for word in ("Noor", "Haddad", "noor@", "Osei"):
        assert word not in one.subject + one.body


def test_it_goes_to_those_who_want_it_and_may_see_the_division(division, maria):
    other = make_division("Uptown", mode="observe")
    people: list[tuple[str, Any, dict[str, Any]]] = [
        ("not-asked", division, {}),
        ("elsewhere", other, {}),
        ("gone", division, {"is_active": False}),
        ("without", division, {"email": ""}),
    ]
    for name, place, fields in people:
        person = make_user(name, place, **{"email": f"{name}@example.org", **fields})
        if name != "not-asked":
            NoticeChoice.objects.create(user=person, statement=True)
    statements.make_due(SEVEN)
    sending.send_due(SEVEN)
    assert sorted(one.to[0] for one in mail.outbox) == [
        "elsewhere@example.org",
        "maria@example.org",
    ]
    assert {one.subject for one in mail.outbox} == {"Not clear: Uptown", "All clear: Downtown"}


def test_statements_of_one_moment_are_one_mail(division, maria):
    maria.memberships.create(division=make_division("Uptown", mode="observe"), role="viewer")
    statements.make_due(SEVEN)
    assert (sending.send_due(SEVEN), len(mail.outbox)) == (1, 1)
    assert mail.outbox[0].subject == "Not clear: Uptown"


def test_a_mail_that_the_server_refuses_is_tried_again_and_leaves_once(
    division, maria, monkeypatch, caplog
):
    made()

    def refuse(self, messages):
        raise OSError("no such box: maria@example.org")

    with monkeypatch.context() as patched:
        patched.setattr(EmailBackend, "send_messages", refuse)
        assert sending.send_due(SEVEN) == 0
    assert caplog.messages == ["a notice (statement) could not be sent: OSError"]
    tries = [sending.send_due(SEVEN + timedelta(seconds=n)) for n in (59, 60, 61, 3600)]
    assert (tries, len(mail.outbox)) == ([0, 1, 0, 0], 1)


def test_a_statement_that_could_not_leave_all_day_is_not_sent_at_night(division, maria):
    made()
    assert sending.send_due(SEVEN + timedelta(hours=12)) == 0
    assert Notice.objects.get().ended_because == "moot"


def test_without_a_mail_server_it_is_made_and_nobody_is_promised_a_mail(division, maria, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    made()
    assert Notice.objects.count() == 0
