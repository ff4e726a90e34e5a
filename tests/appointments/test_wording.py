"""Sentences for people: every code has one, and they say what a receptionist would say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from appointments import wording
from appointments.core.compare import Change
from appointments.core.kinds import Action, Kind, Scope
from appointments.core.policy import GateStop, Mode
from appointments.models import (
    AuditEvent,
    Connection,
    Delivery,
    Division,
    Mismatch,
    Push,
    Refusal,
    Run,
)
from appointments.wording import reasons
from appointments.wording.happenings import PUSH_STATES, REFUSALS, VERBS
from appointments.wording.scopes import SCOPES
from tests.make import make_choice, make_plan, when

CORE = Path(reasons.__file__).resolve().parents[1] / "core"
TEN = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # 10:00 in Toronto
HALF = TEN + timedelta(minutes=30)
NO_REASON = {"", "never"}  # carried alone; hidden by policy


def row(kind=Kind.VALUES_DIFFER, code="other_changed", groups=None, details=None, **fields):
    """An unsaved mismatch: wording needs no database."""
    division = Division(name="Downtown", time_zone="America/Toronto", system_of_record="emr")
    return Mismatch(
        kind=kind,
        reason_code=code,
        reason_details=details or {},
        groups=groups or {},
        division=division,
        **fields,
    )


def moved(oncall=TEN, emr=TEN, before=TEN):
    return {
        "when": {
            "oncall": oncall and when(oncall),
            "emr": emr and when(emr),
            "baseline": before and when(before),
        }
    }


def codes_in_core() -> set[str]:
    """Every reason that core can give, read from its source."""
    found = {str(mode) for mode in Mode if mode is not Mode.LIVE} | {str(s) for s in GateStop}
    found |= {str(change) for change in Change} - {Change.AGREE, Change.ONE_CHANGED}
    for name in ("choices", "decisions", "singles"):
        source = (CORE / f"{name}.py").read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            found |= set(_codes(node))
    return found - NO_REASON


def _codes(node: ast.AST) -> Iterator[str]:
    """What is given to a Reason, called ``why``, yielded with a gate, or returned by a function that
    returns text."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Reason":
        yield from _texts(node.args[0])
    if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple):
        yield from _texts(node.value.elts[-1])
    if isinstance(node, ast.Assign) and "why" in ast.unparse(node.targets[0]):
        yield from _texts(node.value)
    if isinstance(node, ast.FunctionDef) and node.returns and "str" in ast.unparse(node.returns):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Return) and inner.value is not None:
                yield from _texts(inner.value)


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))
    elif isinstance(node, ast.BoolOp):
        yield from (text for value in node.values for text in _texts(value))
    elif isinstance(node, ast.Tuple):
        yield from (text for item in node.elts for text in _texts(item))


def test_codes_are_found_in_core():
    known = {"first_sight", "both_changed", "gone", "moved", "pick", "mail_limit", "lacking"}
    assert known <= codes_in_core()
    assert {"uncancelled", "cancelled_and_edited", "unknown_participants"} <= codes_in_core()


@pytest.mark.parametrize(
    "code",
    sorted(
        codes_in_core()
        | {
            "unmapped_provider",
            "unmapped_type",
            "unreadable",
            "duplicate_reference",
            "dangling_reference",
        }
    ),
)
def test_every_reason_of_core_has_its_own_sentence(code):
    assert code in reasons.TAILS or code in reasons.SPECIAL
    for kind in Kind:
        text = wording.reason_sentence(row(kind, code, moved(HALF)))
        assert len(text) > 10
        assert text[0].isupper() or not text[0].isalpha()
        assert text.endswith((".", "?"))
        assert "%(" not in text
        assert code not in text or "_" not in code


def test_an_unknown_reason_still_says_what_differs():
    text = wording.reason_sentence(row(code="something_new", groups=moved(HALF)))
    assert "OnCall moved it from 10:00 to 10:30" in text


@pytest.mark.parametrize("enumeration", [Kind, Action, Scope])
def test_every_code_has_a_label(enumeration):
    table = {
        Kind: reasons.KINDS,
        Action: wording.choices.LABELS,
        Scope: SCOPES,
    }[enumeration]
    assert set(table) == {member.value for member in enumeration}


def test_every_state_of_a_push_has_a_sentence():
    assert set(PUSH_STATES) == set(Push.Status.values)


@pytest.mark.parametrize(
    ("mismatch", "expected"),
    [
        (
            row(groups=moved(emr=HALF), code="mail_limit"),
            "The EMR moved it from 10:00 to 10:30; OnCall still has 10:00; the patient was mailed "
            "twice within the hour, so you are asked before a third mail.",
        ),
        (
            row(groups=moved(oncall=HALF)),
            "OnCall moved it from 10:00 to 10:30; the EMR, which decides here, still has 10:00.",
        ),
        (
            row(groups=moved(oncall=HALF, emr=TEN + timedelta(hours=1)), code="both_changed"),
            "Both changed the time: OnCall now has 10:30, the EMR 11:00 (before: 10:00).",
        ),
        (
            row(groups=moved(oncall=HALF, before=None), code="first_sight"),
            "OnCall has 10:30, the EMR 10:00, and nobody has said yet which is right.",
        ),
        (
            row(groups=moved(oncall=TEN + timedelta(days=1))),
            "OnCall moved it from Mon 23 Nov, 10:00 to Tue 24 Nov, 10:00; the EMR, which decides "
            "here, still has Mon 23 Nov, 10:00.",
        ),
        (
            row(Kind.MISSING_IN_EMR, "policy_asks"),
            "In OnCall but not in the EMR; Downtown wants to be asked about this.",
        ),
        (
            row(Kind.MISSING_IN_ONCALL, "lacking", details={"fields": ["email"]}),
            "No e-mail in the EMR: add one, then it can be created in OnCall.",
        ),
        (
            row(Kind.MISSING_IN_EMR, "lacking", details={"fields": ["patient_unknown"]}),
            "In OnCall but not in the EMR; the EMR knows no patient with this name and e-mail: "
            "reception has to register the patient.",
        ),
        (
            row(Kind.CANCELLED_ON_ONE_SIDE, "policy_asks", moved(), {"side": "oncall"}),
            "Cancelled in OnCall, still booked in the EMR; Downtown wants to be asked about this.",
        ),
        (
            row(Kind.VANISHED, "gone", moved(), {"side": "oncall"}),
            "No longer found in OnCall, but still booked in the EMR.",
        ),
        (
            row(
                code="cannot_write",
                groups={
                    "provider": {
                        "oncall": {"id": "1", "name": "Dr. B. Chen"},
                        "emr": {"id": "2", "name": "Dr. A. Lavoie"},
                        "baseline": {"id": "2", "name": "Dr. A. Lavoie"},
                    }
                },
            ),
            "OnCall changed the provider from Dr. A. Lavoie to Dr. B. Chen; the EMR still has "
            "Dr. A. Lavoie; it cannot be changed from here, change it in the EMR by hand.",
        ),
    ],
)
def test_reasons_read_as_a_receptionist_would_say_them(mismatch, expected, time_machine):
    time_machine.move_to(TEN - timedelta(hours=1), tick=False)
    assert wording.reason_sentence(mismatch) == expected


CANCELLED_AND_SEEN = {
    "policy_asks": "Cancelled in OnCall, seen at 09:12, still booked in the EMR; "
    "Downtown wants to be asked about this.",
    "removed": "Removed in OnCall as entered in error, seen at 09:12, but still booked in the EMR.",
    "cancelled_and_edited": "Cancelled in OnCall, seen at 09:12, but changed since in the EMR.",
    "uncancelled": "Was cancelled on both sides, and is booked again in the EMR, seen at 09:30.",
    "gone": "No longer found in OnCall, but still booked in the EMR.",
    "moved": "Cancelled in OnCall and booked there again for 10:30 with the same patient and "
    "provider, seen at 09:12; the EMR still has 10:00.",
}


@pytest.mark.parametrize("code", CANCELLED_AND_SEEN)
def test_a_cancellation_says_when_it_was_seen(code, time_machine):
    time_machine.move_to(TEN, tick=False)
    kind = {"gone": Kind.VANISHED, "removed": Kind.VANISHED, "moved": Kind.MOVED}.get(
        code, Kind.CANCELLED_ON_ONE_SIDE
    )
    mismatch = row(kind, code, moved(oncall=HALF), {"side": "oncall"})
    mismatch.oncall_seen = {"state": (TEN - timedelta(minutes=48)).isoformat()}
    mismatch.emr_seen = {"state": (TEN - timedelta(minutes=30)).isoformat()}
    assert wording.reason_sentence(mismatch) == CANCELLED_AND_SEEN[code]


def test_an_hour_that_a_clock_change_repeats_is_told_apart():
    first = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    groups = moved(oncall=first + timedelta(hours=1), emr=first, before=None)
    text = wording.reason_sentence(row(groups=groups, code="first_sight"))
    assert "01:30 EST" in text
    assert "01:30 EDT" in text


def test_possible_match_says_what_speaks_for_it_and_against():
    groups = {
        **moved(),
        "people": {
            "oncall": [{"name": "Ana Souza", "email": "ana@example.org"}],
            "emr": [{"name": "Ana Souza", "email": "a.souza@example.com"}],
        },
    }
    mismatch = row(Kind.POSSIBLE_MATCH, "possible_match", groups, {"candidates": ["12"]})
    mismatch.oncall_id, mismatch.emr_id = "12", "abc"
    assert wording.reason_sentence(mismatch) == (
        "A visit in OnCall could be this one: same time, name; different e-mail."
    )


@pytest.mark.parametrize(
    ("choice", "label"),
    [
        (
            make_choice("use_emr", make_plan("oncall", values={"when": when(HALF)})),
            "Use EMR: 10:30",
        ),
        (
            make_choice("use_oncall", make_plan("emr", values={"when": when(TEN)})),
            "Use OnCall: 10:00",
        ),
        (make_choice("create_in_oncall", make_plan(operation="create")), "Create in OnCall"),
        (make_choice("cancel_in_emr", make_plan("emr", "cancel")), "Cancel in EMR"),
        (make_choice("link"), "Same visit"),
        (make_choice("not_a_match"), "Not the same"),
        (make_choice("leave_different"), "Leave it different"),
        (make_choice("by_hand"), "Will be done by hand"),
        (make_choice("retry", make_plan()), "Try again"),
    ],
)
def test_buttons_say_what_they_do(choice, label):
    assert wording.choice_label(choice, row(groups=moved(emr=HALF))) == label


def test_a_length_that_differs_is_what_the_button_says():
    groups = {"when": {"oncall": when(TEN, 30), "emr": when(TEN, 45), "baseline": when(TEN, 30)}}
    choice = make_choice("use_emr", make_plan("oncall", values={"when": when(TEN, 45)}))
    assert wording.choice_label(choice, row(groups=groups)) == "Use EMR: 45 min"


@pytest.mark.parametrize(
    ("plan", "lines"),
    [
        (
            make_plan("oncall", values={"when": when(HALF)}, mails=("ana@example.org",)),
            [
                "OnCall: Time changes from 10:00 to 10:30.",
                "OnCall will e-mail ana@example.org about the new time.",
            ],
        ),
        (
            make_plan("emr", values={"when": when(TEN)}),
            ["EMR: Time changes from 10:30 to 10:00.", "Nobody is mailed."],
        ),
        (
            make_plan(
                "oncall", "cancel", mails=("a@example.org", "b@example.org"), irreversible=True
            ),
            [
                "The visit is cancelled in OnCall.",
                "OnCall will e-mail a@example.org and b@example.org that the visit is cancelled.",
                "This cannot be undone in OnCall.",
            ],
        ),
    ],
)
def test_preview_names_the_write_and_who_is_mailed(plan, lines):
    choice = make_choice("use_emr", plan)
    assert wording.preview_lines(choice, row(groups=moved(emr=HALF))) == lines


def test_preview_of_a_create_says_everything_that_is_written():
    values = {
        "when": when(TEN),
        "type": "online",
        "provider": {"id": "7", "name": "Dr. Ada Osei"},
        "people": [{"name": "Ana Souza", "email": "ana@example.org"}],
        "label": "Visit with Dr. Ada Osei",
        "where": "Downtown",
    }
    plan = make_plan("oncall", "create", values, mails=("ana@example.org",))
    first, second = wording.preview_lines(make_choice("create_in_oncall", plan), row())
    for said in ("10:00", "30 min", "Online", "Dr. Ada Osei", "Ana Souza"):
        assert said in first
    assert second == "OnCall will e-mail the invitation to ana@example.org."


@pytest.mark.parametrize("action", [a.value for a in Action])
def test_every_choice_has_a_preview(action):
    for kind in Kind:
        for plan in (None, make_plan("emr", "cancel")):
            choice = make_choice(action, plan)
            assert all(wording.preview_lines(choice, row(kind, groups=moved(HALF))))


def test_irreversible_choices_say_who_will_be_mailed_before_they_are_asked_again():
    plan = make_plan("oncall", "cancel", mails=("ana@example.org",), irreversible=True)
    text = wording.confirmation_sentence(make_choice("cancel_in_oncall", plan), row())
    assert text == (
        "This cannot be undone in OnCall, and ana@example.org will be mailed. Really do it?"
    )


def test_pushes_runs_deliveries_and_events_are_told_in_sentences():
    division = Division(name="Downtown", time_zone="America/Toronto")
    push = Push(
        division=division,
        side="oncall",
        operation="update",
        status="failed",
        plan=make_plan(values={"when": when(HALF)}),
        before={"when": when(TEN)},
        error_code="rejected",
        error="datetime: must lie in the future",
    )
    assert wording.push_title(push) == "Time to 10:30 in OnCall"
    assert wording.push_sentence(push) == (
        "Failed, somebody has to look. OnCall refused the value. Datetime: must lie in the future."
    )
    run = Run(
        connection=Connection(side="emr"), status="incomplete", read=3, error="Page 2 failed."
    )
    assert wording.run_sentence(run) == (
        "Not complete, so nothing was concluded from it (Page 2 failed); 3 read, 0 changed."
    )
    assert wording.delivery_sentence(Delivery(status="stored")).startswith("Stored")
    event = AuditEvent(actor="maria", verb="resolved", details={"action": "use_emr"})
    assert wording.audit_sentence(event) == "Maria decided: Use EMR."


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (40, "in 40 min"),
        (0.5, "in 30 s"),
        (180, "in 3 h"),
        (2880, "in 2 days"),
        (-10, "begun 10 min ago"),
    ],
)
def test_time_to_a_visit(minutes, text):
    assert wording.time_until(TEN + timedelta(minutes=minutes), TEN) == text


def test_the_zone_is_that_of_the_division_itself_or_of_a_rows():
    division = Division(time_zone="America/Vancouver")
    found = [wording.zone_of(about).key for about in (division, Push(division=division), Push())]
    assert found == ["America/Vancouver", "America/Vancouver", "UTC"]


def test_the_zone_of_what_cannot_be_in_a_division_is_refused():
    with pytest.raises(AttributeError):
        wording.zone_of(Run())


def test_every_reason_for_which_webhooks_are_refused_has_its_words():
    assert set(REFUSALS) == set(Refusal.Reason)
    said = {wording.refusal_sentence(reason, 2) for reason in Refusal.Reason}
    assert len(said) == len(Refusal.Reason)


def test_refused_webhooks_are_told_in_the_singular_too():
    assert [wording.refusal_sentence("type", n) for n in (1, 2)] == [
        "1 request not declared as JSON",
        "2 requests not declared as JSON",
    ]


def test_every_verb_of_the_audit_trail_has_words():
    product = CORE.parent
    source = "".join(p.read_text(encoding="utf-8") for p in product.rglob("*.py"))
    verbs = set(re.findall(r'\bverb="(\w+)"', source))
    assert {"resolved", "sent", "viewed"} <= verbs
    assert verbs <= set(VERBS)


def test_the_audit_trail_says_what_was_written():
    plan = make_plan("oncall", values={"when": when(HALF)})
    event = AuditEvent(
        actor="maria",
        verb="sent",
        details={"plan": plan, "before": {"when": when(TEN)}},
        division=Division(time_zone="America/Toronto"),
    )
    assert wording.audit_sentence(event) == "Maria wrote: time to 10:30 in OnCall."


def test_a_closed_question_says_why():
    assert wording.closed_sentence(row(closed_because="agree")) == "Both sides agree."
    assert "blocked time" in wording.closed_sentence(row(closed_because="scope_block"))
    assert wording.closed_sentence(row(closed_because="never_seen")) == "Never seen."


# --- too late, and left alone -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("details", "words"),
    [
        (
            {"side": "oncall"},
            "The visit began before it could be created in OnCall: "
            "find out whether the patient waited there.",
        ),
        (
            {"side": "emr", "told": "ada@example.org"},
            "The visit began before it could be created in the EMR: "
            "find out whether the patient waited there (ada@example.org has been told).",
        ),
    ],
)
def test_visit_that_began_without_its_partner_says_what_to_find_out(details, words):
    asked = row(Kind.PUSH_FAILED, "too_late", details=details)
    assert wording.reason_sentence(asked) == words


def test_failed_write_says_who_has_been_told():
    details = {"side": "oncall", "operation": "create", "told": "ada@example.org"}
    asked = row(Kind.PUSH_FAILED, "push_failed", details=details)
    assert wording.reason_sentence(asked) == (
        "The visit could not be created in OnCall (ada@example.org has been told)."
    )


@pytest.mark.parametrize(
    ("because", "why"),
    [
        ("rate_limited", "asked to slow down"),
        ("temporary", "does not answer as it should"),
        ("outcome_unknown", "does not answer as it should"),
    ],
)
def test_connection_that_rests_says_why_and_until_when(because, why):
    connection = Connection(
        side="oncall", name="main", rests_until=HALF, rests_because=because, failures=3
    )
    said = wording.resting_sentence(connection, ZoneInfo("America/Toronto"), TEN)
    assert said == (
        f"OnCall main {why}: it is left alone until 10:30 (America/Toronto; in 30 min)."
    )


def test_list_whose_page_fails_says_that_it_goes_on():
    run = Run(status="running", read=30, changed=2, failures=1, error="OnCall did not answer.")
    assert wording.run_sentence(run) == (
        "Under way: 30 read, 2 changed so far. "
        "The next page could not be read and is tried again (OnCall did not answer)."
    )
