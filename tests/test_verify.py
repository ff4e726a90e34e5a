"""`verify` says what ran, and never calls a run good in which nothing ran."""

from __future__ import annotations

import os

import pytest

from syncportal import postgres, verify
from syncportal.bootstrap import Problem
from syncportal.verify import Outcome

GOOD = Outcome("SQLite", True, 10, 0, 1, 2.0)
BAD = Outcome("PostgreSQL", False, 9, 1, 0, 2.0)


def program(tmp_path, name: str) -> str:
    path = tmp_path / name
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_summary_names_every_run_and_what_did_not_run():
    text = verify.summary([GOOD, BAD], None, "a server started for this run")
    assert "SQLite" in text
    assert "10 passed, 0 failed, 1 skipped" in text
    assert "FAILED" in text
    assert "Browser: NOT RUN" in text
    assert text.endswith("NOT everything passed.")


def test_summary_of_a_good_run_says_so():
    text = verify.summary([GOOD], "/usr/bin/chromium", "the server of DATABASE_URL")
    assert "Browser: /usr/bin/chromium" in text
    assert text.endswith("Everything that ran has passed.")


def test_run_without_a_single_test_is_a_failure(tmp_path, capfd):
    empty = ["-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    outcome = verify.pytest("Browser", empty, dict(os.environ))
    assert not outcome.ok
    assert "no test was found" in capfd.readouterr().out


def test_counts_come_from_pytests_own_report(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="9" failures="2" errors="1" skipped="3"/></testsuites>',
        encoding="utf-8",
    )
    assert verify.counts(report) == (3, 3, 3)
    assert verify.counts(tmp_path / "missing.xml") == (0, 0, 0)


def test_named_browser_wins_and_a_wrong_name_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(verify, "MAC_BROWSERS", ())
    monkeypatch.delenv("CHROMIUM", raising=False)
    assert verify.find_browser() is None
    found = program(tmp_path, "chromium")
    assert verify.find_browser() == found
    named = program(tmp_path, "my-own-chromium")
    monkeypatch.setenv("CHROMIUM", named)
    assert verify.find_browser() == named
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    with pytest.raises(Problem, match="/nowhere/chromium"):
        verify.find_browser()


def test_given_postgresql_is_used_and_none_started(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://me@db/name")
    monkeypatch.setattr(postgres, "started", lambda _: pytest.fail("started one"))
    with postgres.postgres() as (url, what):
        assert (url, what) == ("postgres://me@db/name", "the server of DATABASE_URL")


def test_server_of_the_wheel_starts_answers_and_leaves_nothing(monkeypatch, socket_enabled):
    import psycopg

    monkeypatch.setenv("DATABASE_URL", "sqlite:///not-this-one")
    with postgres.postgres() as (url, _):
        folder = url.partition("host=")[2]
        with psycopg.connect(host=folder, user="postgres", dbname="postgres") as connection:
            row = connection.execute("select 1").fetchone()
        assert row == (1,)
    assert not os.path.exists(folder)
