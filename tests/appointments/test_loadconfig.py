"""``manage.py loadconfig``: what it creates, updates, leaves, refuses; and that a mistake changes nothing."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from appointments.configuration import snapshot
from appointments.configuration.located import Lines
from appointments.configuration.states import DivisionState
from appointments.models import AuditEvent, Connection, Division, Pair, Provider, TypeRule
from tests.make import make_pair

pytestmark = pytest.mark.django_db

ONCALL = """\
[oncall.main]
region = "ca"
base_url = "http://127.0.0.1:9101/"
api_key = "env:ONCALL_API_KEY"
auth_scheme = "Token"
webhook_token = "env:ONCALL_WEBHOOK_TOKEN"
"""
EMR = """\
[emr.main]
adapter = "fhir_r4"
[emr.main.settings]
base_url = "http://127.0.0.1:9102/fhir/R4/"
token = "env:EMR_TOKEN"
page_size = 50
"""
DIVISION = """\
[[division]]
name = "Downtown"
oncall = "main"
oncall_division = 123
emr = "main"
emr_location = "Location/1"
time_zone = "America/Toronto"
system_of_record = "emr"
mode = "observe"
window_days = [1, 60]
default_type = "online"
title = "Visit with {provider}"
cancel_delay_minutes = 5
[division.policy.oncall_to_emr]
cancel = "auto"
[[division.type]]
emr = "Phone*"
oncall = "phone"
"""
PROVIDER = """\
[[provider]]
name = "Dr. Ada Osei"
email = "ada@example.org"
oncall_provider = 196157
emr_practitioner = "Practitioner/9"
divisions = ["Downtown"]
"""
WHOLE = ONCALL + EMR + DIVISION + PROVIDER
SECOND = """\
[[division]]
name = "Pacific"
oncall = "main"
oncall_division = 124
emr = "main"
emr_location = "Location/2"
time_zone = "America/Vancouver"
"""


@pytest.fixture
def load(tmp_path):
    """Write a file, load it, answer what was said."""

    def run(text, *options):
        file = tmp_path / "clinic.toml"
        file.write_text(text, encoding="utf-8")
        said = io.StringIO()
        call_command("loadconfig", str(file), *options, stdout=said)
        return said.getvalue()

    return run


@pytest.fixture
def mistakes(load):
    """Load a file that is refused; its mistakes, without the first line of the message."""

    def run(text, *options):
        before = snapshot.take()
        with pytest.raises(CommandError) as refused:
            load(text, *options)
        assert snapshot.take() == before
        return str(refused.value).splitlines()[1:]

    return run


def changed(text, old, new):
    assert old in text
    return text.replace(old, new, 1)


def line_of(text, part):
    return next(n for n, line in enumerate(text.splitlines(), 1) if part in line)


# --- what it makes ------------------------------------------------------------------------------------


def test_loadconfig_creates_everything_the_file_names(load):
    said = load(WHOLE)
    oncall = Connection.objects.get(side="oncall")
    emr = Connection.objects.get(side="emr")
    assert (oncall.name, oncall.adapter) == ("main", "oncall")
    assert oncall.settings == {
        "region": "ca",
        "base_url": "http://127.0.0.1:9101/",
        "auth_scheme": "Token",
    }
    assert oncall.credentials == {
        "api_key": "env:ONCALL_API_KEY",
        "webhook_token": "env:ONCALL_WEBHOOK_TOKEN",
    }
    assert emr.adapter == "fhir_r4"
    assert emr.settings == {"base_url": "http://127.0.0.1:9102/fhir/R4/", "page_size": 50}
    assert emr.credentials == {"token": "env:EMR_TOKEN"}
    [state] = snapshot.take().divisions.values()
    assert state == DivisionState(
        name="Downtown",
        oncall="main",
        oncall_division=123,
        emr="main",
        emr_locations=("Location/1",),
        time_zone="America/Toronto",
        default_type="online",
        policy={"oncall_to_emr": {"cancel": "auto"}},
        types=(("Phone*", "phone"),),
    )
    provider = Provider.objects.get()
    assert provider.emr_practitioners == ["Practitioner/9"]
    assert [division.name for division in provider.divisions.all()] == ["Downtown"]
    assert said.splitlines() == [
        "Created:",
        "  emr.main",
        "  oncall.main",
        '  division "Downtown"',
        '  provider "Dr. Ada Osei"',
        "4 created, 0 updated, 0 unchanged, 0 left.",
    ]


def test_defaults_of_a_file_are_those_of_the_tables(load):
    load(ONCALL + EMR + '[[division]]\nname = "D"\noncall_division = 1\ntime_zone = "UTC"\n')
    row = Division.objects.get()
    fresh = Division(name="D", oncall=row.oncall, oncall_division=1, emr=row.emr, time_zone="UTC")
    fresh.pk = row.pk
    assert snapshot.division_state(row) == snapshot.division_state(fresh)
    assert (
        Connection.objects.get(side="emr").requests_per_second == Connection().requests_per_second
    )


def test_second_load_says_nothing_changed_and_writes_nothing(load):
    load(WHOLE)
    rows = list(Division.objects.values()) + list(Connection.objects.values())
    events = AuditEvent.objects.count()
    said = load(WHOLE)
    assert said.splitlines() == ["Nothing changed.", "0 created, 0 updated, 4 unchanged, 0 left."]
    assert list(Division.objects.values()) + list(Connection.objects.values()) == rows
    assert AuditEvent.objects.count() == events


def test_check_only_validates(load):
    said = load(WHOLE, "--check")
    assert said == (
        "No mistakes: 2 connections, 1 division, 1 provider. Nothing was changed (--check).\n"
    )
    assert Connection.objects.count() == 0


def test_order_of_the_type_table_is_kept_and_the_table_is_replaced(load):
    load(WHOLE)
    rule = '[[division.type]]\nemr = "Phone*"\noncall = "phone"\n'
    two = rule.replace("Phone*", "Video").replace('"phone"', '"online"') + rule
    load(changed(WHOLE, rule, two))
    rules = list(TypeRule.objects.values_list("position", "emr", "oncall"))
    assert rules == [(0, "Video", "online"), (1, "Phone*", "phone")]


def test_new_division_observes_unless_the_file_says_otherwise(load):
    load(changed(WHOLE, 'mode = "observe"\n', "") + SECOND + 'mode = "live"\n')
    assert dict(Division.objects.values_list("name", "mode")) == {
        "Downtown": "observe",
        "Pacific": "live",
    }


def test_mode_of_an_existing_division_is_set_only_on_demand(load):
    load(WHOLE)
    live = changed(WHOLE, '"observe"', '"live"')
    said = load(live)
    assert Division.objects.get().mode == "observe"
    assert said.splitlines()[1:3] == [
        "Left as it is: the file does not name it:",
        '  division "Downtown": mode observe (the file says live; --set-mode applies it)',
    ]
    load(live, "--set-mode")
    assert Division.objects.get().mode == "live"


def test_what_the_file_no_longer_names_is_left_and_listed(load):
    load(WHOLE + SECOND)
    said = load(ONCALL + SECOND)
    assert Division.objects.count() == 2
    assert Provider.objects.count() == 1
    assert said.splitlines() == [
        "Nothing changed.",
        "Left as it is: the file does not name it:",
        "  emr.main",
        '  division "Downtown"',
        '  provider "Dr. Ada Osei"',
        "0 created, 0 updated, 2 unchanged, 3 left.",
    ]


def test_key_that_is_left_out_keeps_its_value_and_is_listed(load):
    load(changed(WHOLE, "cancel_delay_minutes = 5", "cancel_delay_minutes = 9"))
    said = load(changed(WHOLE, "cancel_delay_minutes = 5\n", ""))
    assert Division.objects.get().cancel_delay_minutes == 9
    assert '  division "Downtown": cancel_delay_minutes 9' in said.splitlines()


def test_keys_whose_absence_means_something_are_set_to_it(load):
    load(WHOLE)
    text = changed(WHOLE, 'emr_location = "Location/1"\n', "")
    text = changed(text, '[division.policy.oncall_to_emr]\ncancel = "auto"\n', "")
    text = changed(text, '[[division.type]]\nemr = "Phone*"\noncall = "phone"\n', "")
    load(changed(text, 'base_url = "http://127.0.0.1:9101/"\n', ""))
    division = Division.objects.get()
    assert (division.emr_locations, division.policy) == ([], {})
    assert TypeRule.objects.count() == 0
    assert Connection.objects.get(side="oncall").settings == {
        "region": "ca",
        "auth_scheme": "Token",
    }


def test_credentials_that_the_file_leaves_out_stay(load):
    load(WHOLE)
    said = load(changed(WHOLE, 'webhook_token = "env:ONCALL_WEBHOOK_TOKEN"\n', ""))
    assert Connection.objects.get(side="oncall").credentials == {
        "api_key": "env:ONCALL_API_KEY",
        "webhook_token": "env:ONCALL_WEBHOOK_TOKEN",
    }
    assert "  oncall.main: webhook_token (stored)" in said.splitlines()


def test_provider_keeps_its_places_in_divisions_that_the_file_leaves(load):
    both = changed(WHOLE, 'divisions = ["Downtown"]', 'divisions = ["Downtown", "Pacific"]')
    load(both + SECOND)
    load(WHOLE)
    assert [division.name for division in Provider.objects.get().divisions.all()] == [
        "Downtown",
        "Pacific",
    ]
    load(WHOLE + SECOND)
    assert [division.name for division in Provider.objects.get().divisions.all()] == ["Downtown"]


def test_two_webhook_tokens_are_kept_for_rotation(load):
    load(changed(WHOLE, '"env:ONCALL_WEBHOOK_TOKEN"', '["env:NEW", "old-token"]'))
    stored = Connection.objects.get(side="oncall").credentials["webhook_token"]
    assert stored == ["env:NEW", "old-token"]


def test_secrets_are_neither_said_nor_recorded(load):
    text = changed(WHOLE, "env:ONCALL_API_KEY", "s3cret-one")
    said = load(text) + load(changed(text, "s3cret-one", "s3cret-two"))
    recorded = [str(event.details) for event in AuditEvent.objects.all()]
    assert "s3cret" not in said + "".join(recorded)
    assert "  oncall.main: credentials.api_key (not shown) → (not shown)" in said.splitlines()


def test_each_changed_object_is_recorded_field_by_field(load):
    load(WHOLE)
    AuditEvent.objects.all().delete()
    load(changed(WHOLE, "[1, 60]", "[2, 30]"))
    [event] = AuditEvent.objects.all()
    assert (event.actor, event.verb, event.division) == (
        "loadconfig",
        "division_updated",
        Division.objects.get(),
    )
    assert event.details == {
        "object": 'division "Downtown"',
        "fields": {"window_days": [[1, 60], [2, 30]]},
        "consequences": [
            'division "Downtown": all visits are compared again (window_days changed)'
        ],
    }


def test_variables_of_references_need_not_be_set(load, monkeypatch):
    monkeypatch.delenv("ONCALL_API_KEY", raising=False)
    load(WHOLE)
    assert Connection.objects.get(side="oncall").credentials["api_key"] == "env:ONCALL_API_KEY"


# --- mistakes -----------------------------------------------------------------------------------------

ONE_MISTAKE = [
    ('time_zone = "America/Toronto"', 'time_zone = "America/Torontoo"',
     'division "Downtown": time_zone: unknown zone "America/Torontoo"'),
    ('region = "ca"', 'region = "eu"',
     'oncall.main: region: must be "ca" or "us", not "eu"'),
    ('region = "ca"', 'regoin = "ca"\nregion = "ca"',
     'oncall.main: regoin: unknown key; did you mean "region"?'),
    ('adapter = "fhir_r4"', 'adapter = "fihr"',
     'emr.main: adapter: there is no adapter "fihr"; known: fhir_r4, memory'),
    ('base_url = "http://127.0.0.1:9102/fhir/R4/"', 'base_url = "ftp://emr/"',
     "emr.main: settings.base_url: must be an address that begins with https:// or http://"),
    ('base_url = "http://127.0.0.1:9101/"', 'base_url = "http://me:pw@127.0.0.1/"',
     "oncall.main: base_url: may not hold credentials, ? or #"),
    ('base_url = "http://127.0.0.1:9101/"', 'base_url = "env:URL"',
     "oncall.main: base_url: env:NAME is for credentials; write the address itself"),
    ('api_key = "env:ONCALL_API_KEY"', 'api_key = "env:"',
     "oncall.main: api_key: env: must be followed by the name of an environment variable"),
    ('webhook_token = "env:ONCALL_WEBHOOK_TOKEN"', 'webhook_token = ["a", "b", "c"]',
     "oncall.main: webhook_token: must be one token, or a list of two while it is changed"),
    ('webhook_token = "env:ONCALL_WEBHOOK_TOKEN"', 'webhook_token = "a/b"',
     "oncall.main: webhook_token: a token may hold only letters, digits and . _ ~ -"),
    ("oncall_division = 123", 'oncall_division = "123"',
     'division "Downtown": oncall_division: must be a whole number, not a text'),
    ("oncall_division = 123", "oncall_division = true",
     'division "Downtown": oncall_division: must be a whole number, not true or false'),
    ('oncall = "main"', 'oncall = "mian"',
     'division "Downtown": oncall: there is no [oncall.mian]; did you mean "main"?'),
    ('system_of_record = "emr"', 'system_of_record = "both"',
     'division "Downtown": system_of_record: must be one of oncall, emr, not "both"'),
    ('mode = "observe"', 'mode = "on"',
     'division "Downtown": mode: must be one of observe, live, paused, not "on"'),
    ("window_days = [1, 60]", "window_days = [1]",
     'division "Downtown": window_days: must be two whole numbers: days back, days ahead'),
    ("window_days = [1, 60]", "window_days = [1, 6000]",
     'division "Downtown": window_days: must be from [0, 1] to [365, 730]'),
    ('default_type = "online"', 'default_type = "video"',
     'division "Downtown": default_type: must be one of online, inperson, phone, message, skip, not "video"'),
    ('title = "Visit with {provider}"', 'title = "Visit of {patient}"',
     'division "Downtown": title: may hold {provider} and no other braces'),
    ('cancel = "auto"', 'cancel = "always"',
     'division "Downtown": policy.oncall_to_emr.cancel: must be one of auto, ask, never, not "always"'),
    ('cancel = "auto"', 'cancle = "auto"',
     'division "Downtown": policy.oncall_to_emr.cancle: unknown key; did you mean "cancel"?'),
    ("[division.policy.oncall_to_emr]", "[division.policy.emr_to_encall]",
     'division "Downtown": policy.emr_to_encall: unknown key; did you mean "emr_to_oncall"?'),
    ('emr = "Phone*"', 'emr = ""',
     'division "Downtown": type 1: emr: is empty'),
    ('oncall = "phone"', 'oncall = "telephone"',
     'division "Downtown": type 1: oncall: must be one of online, inperson, phone, message, skip, not "telephone"'),
    ('divisions = ["Downtown"]', 'divisions = ["Downtwn"]',
     'provider "Dr. Ada Osei": divisions: there is no division "Downtwn"; did you mean "Downtown"?'),
    ('email = "ada@example.org"', 'email = "ada"',
     'provider "Dr. Ada Osei": email: is not an e-mail address'),
    ("oncall_provider = 196157", "oncall_provider = 0",
     f'provider "Dr. Ada Osei": oncall_provider: must be from 1 to {2**63 - 1}, not 0'),
    ("page_size = 50", "page_size = 5000",
     "emr.main: settings.page_size: must be a number from 1 to 1000"),
    ('api_key = "env:ONCALL_API_KEY"', 'api_key = "clé"',
     "oncall.main: api_key: The credentials of OnCall hold a character that cannot be sent"),
    ('api_key = "env:ONCALL_API_KEY"', 'api_key = "a\\u0000"',
     "oncall.main: api_key: holds a character that cannot be sent"),
    ("page_size = 50", "since = 2026-01-01",
     "emr.main: settings.since: dates and times must be texts in quotes"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), ONE_MISTAKE)
def test_mistake_names_line_and_key_and_changes_nothing(mistakes, old, new, message):
    text = changed(WHOLE, old, new)
    line = line_of(text, new.splitlines()[0])
    assert mistakes(text) == [f"line {line}: {message}"]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ('region = "ca"\n', "oncall.main: region: is missing"),
        ('api_key = "env:ONCALL_API_KEY"\n', "oncall.main: api_key: is missing"),
        ('adapter = "fhir_r4"\n', "emr.main: adapter: is missing"),
        ("oncall_division = 123\n", 'division "Downtown": oncall_division: is missing'),
        ('time_zone = "America/Toronto"\n', 'division "Downtown": time_zone: is missing'),
        ("oncall_provider = 196157\n", 'provider "Dr. Ada Osei": oncall_provider: is missing'),
    ],
)
def test_missing_key_names_the_line_of_its_table(mistakes, part, message):
    tables = {"oncall.main": "[oncall.main]", "emr.main": "[emr.main]", "division": "[[division]]"}
    table = next((t for word, t in tables.items() if message.startswith(word)), "[[provider]]")
    text = changed(WHOLE, part, "")
    assert mistakes(text) == [f"line {line_of(text, table)}: {message}"]


def test_all_mistakes_are_told_at_once_in_the_order_of_lines(mistakes):
    text = changed(WHOLE, "[1, 60]", '"all"')
    text = changed(text, '"ca"', '"eu"')
    text = changed(text, '"ada@example.org"', "7")
    assert [line.partition(": ")[0] for line in mistakes(text)] == [
        "line 2",
        f"line {line_of(text, 'window_days')}",
        f"line {line_of(text, 'email')}",
    ]


def test_mistake_in_a_later_file_changes_nothing_of_before(load, mistakes):
    load(WHOLE)
    text = changed(WHOLE, 'title = "Visit with {provider}"', 'title = "Other {provider}"')
    assert mistakes(changed(text, "Practitioner/9", " ")) == [
        f"line {line_of(text, 'Practitioner/9')}: "
        'provider "Dr. Ada Osei": emr_practitioner: each must have 1 to 200 characters '
        "that can be shown"
    ]


def test_syntax_error_names_its_line(mistakes):
    [message] = mistakes(changed(WHOLE, 'mode = "observe"', 'mode = "observe'))
    line = line_of(WHOLE, "mode =")
    assert message.startswith(f"line {line}: this is not TOML: ")


def test_unknown_table_is_a_mistake(mistakes):
    text = WHOLE + '[[divisions]]\nname = "X"\n'
    line = line_of(text, "[[divisions]]")
    assert mistakes(text) == [f'line {line}: divisions: unknown key; did you mean "division"?']


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        ('"Pacific"', '"Downtown"', "name", "there is another division of this name"),
        ("124", "123", "oncall_division", '123 belongs to division "Downtown" already'),
        ("Location/2", "Location/1", "emr_location",
         'Location/1 is claimed by division "Downtown" already'),
    ],
)  # fmt: skip
def test_two_divisions_may_not_be_or_claim_the_same(mistakes, old, new, key, message):
    second = changed(SECOND, old, new)
    text = WHOLE + second
    name = "Downtown" if key == "name" else "Pacific"
    line = len(WHOLE.splitlines()) + line_of(second, f"{key} =")
    assert mistakes(text) == [f'line {line}: division "{name}": {key}: {message}']


def test_only_one_division_of_an_emr_may_take_the_rest(mistakes):
    first = changed(WHOLE, 'emr_location = "Location/1"\n', "")
    second = changed(SECOND, 'emr_location = "Location/2"\n', "")
    line = len(first.splitlines()) + 1
    assert mistakes(first + second) == [
        f'line {line}: division "Pacific": emr_location: is left out, as in division "Downtown": only '
        "one division of emr.main can take all visits that no other one claims"
    ]


def test_clash_with_something_stored_is_named_at_the_files_half(load, mistakes):
    load(WHOLE)
    text = ONCALL + EMR + changed(SECOND, "124", "123")
    line = line_of(text, "oncall_division")
    assert mistakes(text) == [
        f'line {line}: division "Pacific": oncall_division: 123 belongs to division "Downtown" already'
    ]


def test_practitioner_is_one_provider_in_a_division(mistakes):
    other = PROVIDER.replace("196157", "196158").replace("Ada Osei", "Bo Li")
    text = WHOLE + other
    line = len(WHOLE.splitlines()) + line_of(other, "emr_practitioner")
    assert mistakes(text) == [
        f'line {line}: provider "Dr. Bo Li": emr_practitioner: Practitioner/9 is provider '
        '"Dr. Ada Osei" already in division "Downtown"'
    ]


def test_provider_is_there_once(mistakes):
    other = PROVIDER.replace("Practitioner/9", "Practitioner/8").replace("Ada Osei", "Bo Li")
    line = len(WHOLE.splitlines()) + line_of(other, "oncall_provider")
    assert mistakes(WHOLE + other) == [
        f'line {line}: provider "Dr. Bo Li": oncall_provider: 196157 is provider "Dr. Ada Osei" already'
    ]


def test_rule_that_no_visit_reaches_is_a_mistake(mistakes):
    rule = '[[division.type]]\nemr = "Phone*"\noncall = "phone"\n'
    text = changed(WHOLE, rule, rule.replace("Phone*", "*") + rule)
    line = line_of(text, '"Phone*"')
    assert mistakes(text) == [
        f'line {line}: division "Downtown": type 2: emr: no visit gets this far: an earlier rule is "*"'
    ]


def test_provider_names_its_account_where_there_are_several(mistakes):
    us = ONCALL.replace("oncall.main", "oncall.us").replace("ONCALL_", "US_")
    text = us + WHOLE
    assert mistakes(text) == [
        f'line {line_of(text, "[[provider]]")}: provider "Dr. Ada Osei": oncall: is missing'
    ]


def test_webhook_token_belongs_to_one_connection(mistakes):
    us = ONCALL.replace("oncall.main", "oncall.us")
    text = changed(us + WHOLE, "[[provider]]", '[[provider]]\noncall = "main"')
    line = len(us.splitlines()) + line_of(ONCALL, "webhook_token")
    assert mistakes(text) == [
        f"line {line}: oncall.main: webhook_token: is also that of oncall.us; "
        "each connection needs its own"
    ]


def test_file_that_cannot_be_read_is_refused_in_words(tmp_path):
    with pytest.raises(CommandError, match=r"none\.toml cannot be read: No such file"):
        call_command("loadconfig", str(tmp_path / "none.toml"))
    file = tmp_path / "latin.toml"
    file.write_bytes(b'# fine\nname = "Ren\xe9"\n')
    with pytest.raises(CommandError, match=r"line 2: this is not UTF-8 text"):
        call_command("loadconfig", str(file))


# --- lines --------------------------------------------------------------------------------------------


def test_lines_are_found_behind_strings_arrays_comments_and_dotted_keys():
    text = (
        'a = """\n[x]\n"""\n'  # 1-3
        "b = [ # ]\n  1,\n]\n"  # 4-6
        '[t] # "\nc.d = 1\n'  # 7-8
        "[[l]]\n[[l]]\nk = { m = 1 }\n"  # 9-11
        "[l.'odd key']\nn = '''\n'''\n[[l.s]]\no = 2\n"  # 12-16
    )
    lines = Lines(text)
    assert [
        lines.of("a"),
        lines.of("b"),
        lines.of("t", "c", "d"),
        lines.of("l", 0),
        lines.of("l", 1, "k", "m"),
        lines.of("l", 1, "odd key", "n"),
        lines.of("l", 1, "s", 0, "o"),
        lines.of("nothing"),
    ] == [1, 4, 8, 9, 11, 13, 16, 1]


# --- consequences through the command -----------------------------------------------------------------


def test_change_of_reading_starts_a_new_page_and_rechecks_every_pair(load):
    load(WHOLE)
    long_ago = timezone.now() - timedelta(days=9)
    Division.objects.update(page_started_at=long_ago)
    pair = make_pair(Division.objects.get())
    Pair.objects.update(recheck_at=None)
    said = load(changed(WHOLE, '"Phone*"', '"Tel*"'))
    assert Division.objects.get().page_started_at > long_ago
    pair.refresh_from_db()
    assert pair.recheck_at == Division.objects.get().page_started_at
    assert said.splitlines()[2:5] == [
        "What follows:",
        '  division "Downtown": differences that exist now are asked, only later ones are settled '
        "alone (types changed)",
        '  division "Downtown": all visits are compared again (types changed)',
    ]


def test_contact_is_an_address_and_stays_where_the_file_is_silent(load):
    load(changed(WHOLE, "cancel_delay_minutes = 5", 'contact = "lead@example.org"'))
    assert Division.objects.get().contact == "lead@example.org"
    assert '  division "Downtown": contact lead@example.org' in load(WHOLE).splitlines()
    assert Division.objects.get().contact == "lead@example.org"
    load(changed(WHOLE, "cancel_delay_minutes = 5", 'contact = ""'))
    assert Division.objects.get().contact == ""


def test_contact_that_is_no_address_is_refused(load):
    with pytest.raises(CommandError, match="contact: is not an e-mail address"):
        load(changed(WHOLE, "cancel_delay_minutes = 5", 'contact = "lead"'))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "brake_count = 201",
            "brake_count: must be from 0 to 200: the brake cannot be switched off",
        ),
        (
            "brake_percent = 51",
            "brake_percent: must be from 0 to 50: the brake cannot be switched off",
        ),
        ("brake_percent = nan", "brake_percent: must be from 0 to 50"),
        ("brake_percent = -1", "brake_percent: must be from 0 to 50"),
    ],
)
def test_brake_cannot_be_switched_off(load, line, words):
    with pytest.raises(CommandError, match=words):
        load(changed(WHOLE, "cancel_delay_minutes = 5", line))
    load(changed(WHOLE, "cancel_delay_minutes = 5", "brake_count = 200\nbrake_percent = 50"))
    assert (Division.objects.get().brake_count, Division.objects.get().brake_percent) == (200, 50)
