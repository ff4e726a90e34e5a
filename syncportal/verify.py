"""``python3 manage.py verify``: every test, on SQLite and on PostgreSQL, and in a real browser.

The last lines say what ran and what did not, so that "passed" can never mean "was left out".
PostgreSQL is the server of ``DATABASE_URL`` (its tests make a database of their own there), else a
real one from a wheel, started for the run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from syncportal.bootstrap import Problem
from syncportal.postgres import postgres

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
BROWSER_TESTS = TESTS / "browser"
# These never touch a database, bring their own, or are about how pages look: the run on SQLite has shown
# all they can show.
WITHOUT_DATABASE = [
    "core",
    "adapters",
    "sandbox",
    "chaos/test_disk_full.py",
    "browser/test_all_clear.py",
    "browser/test_day_pages.py",
    "browser/test_demo.py",
    "browser/test_every_page.py",
    "browser/test_find_and_history.py",
    "test_bootstrap.py",
    "test_demo.py",
    "test_verify.py",
]
NO_TESTS_COLLECTED = 5
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_BROWSERS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
# What a developer's shell may hold must not decide how a test ends.
OWN_SETTINGS = ("DATABASE_URL", "SECRET_KEY_FILE", "CREDENTIALS_KEY_FILE", "WORKERS", "LOG_LEVEL")


@dataclass(frozen=True)
class Outcome:
    """How one run of pytest went."""

    name: str
    ok: bool
    passed: int
    failed: int
    skipped: int
    seconds: float

    def __str__(self) -> str:
        verdict = "passed" if self.ok else "FAILED"
        counts = f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"
        return f"{self.name:<28} {verdict}   {counts}   {self.seconds:.0f} s"


def parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="manage.py verify", description="Install the test tools and run every test."
    )


def main(options: argparse.Namespace) -> int:
    """0 only if every run passed."""
    browser = find_browser()
    environment = {name: value for name, value in os.environ.items() if name not in OWN_SETTINGS}
    if browser:
        environment["CHROMIUM"] = browser
    with postgres() as (url, server):
        on_postgres = {**environment, "DATABASE_URL": url}
        ignored = [f"--ignore={TESTS / name}" for name in WITHOUT_DATABASE]
        outcomes = [
            pytest("SQLite", ["-n", "2", *without_browser()], environment),
            pytest("PostgreSQL", ["-n", "2", *ignored, *without_browser()], on_postgres),
        ]
        if browser:
            outcomes += [
                pytest("Browser on SQLite", with_browser(), environment),
                pytest("Browser on PostgreSQL", [*ignored, *with_browser()], on_postgres),
            ]
    print("\n" + summary(outcomes, browser, server), flush=True)
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def without_browser() -> list[str]:
    return ["-m", "not live and not browser and not simulation", str(TESTS)]


def with_browser() -> list[str]:
    return ["-n", "2", "-m", "browser and not live", str(BROWSER_TESTS)]


def summary(outcomes: list[Outcome], browser: str | None, server: str) -> str:
    """What ran, what did not and why."""
    lines = ["What ran", *(f"  {outcome}" for outcome in outcomes), f"  PostgreSQL: {server}"]
    if not browser:
        lines += ["  Browser: NOT RUN, no Chromium was found. Install chromium or Google Chrome,"]
        lines += ["           or name one: CHROMIUM=/path/to/it"]
    else:
        lines.append(f"  Browser: {browser}")
    lines.append("  Not part of this: tests against a real OnCall account (pytest -m live)")
    good = all(outcome.ok for outcome in outcomes)
    verdict = "Everything that ran has passed." if good else "NOT everything passed."
    return "\n".join([*lines, "", verdict])


def find_browser() -> str | None:
    """A Chromium on this machine: ``CHROMIUM``, the path, or macOS's applications."""
    named = os.environ.get("CHROMIUM")
    if named:
        found = shutil.which(named)
        if not found:
            raise Problem(f"CHROMIUM names {named}, which is no program on this machine.")
        return found
    on_path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    return on_path or next((path for path in MAC_BROWSERS if Path(path).exists()), None)


def pytest(name: str, arguments: list[str], environment: dict[str, str]) -> Outcome:
    """Run pytest once. No test at all is a failure: something was not found."""
    print(f"\n=== {name} ===", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="syncportal-verify-") as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *arguments]
        code = subprocess.run(command, check=False, cwd=ROOT, env=environment).returncode
        passed, failed, skipped = counts(report)
    if code == NO_TESTS_COLLECTED:
        print(f"{name}: no test was found.", flush=True)
    return Outcome(name, code == 0, passed, failed, skipped, time.monotonic() - began)


def counts(report: Path) -> tuple[int, int, int]:
    """Passed, failed (errors included) and skipped tests of pytest's own report."""
    if not report.is_file():
        return 0, 0, 0
    suites = ElementTree.parse(report).getroot().iter("testsuite")  # noqa: S314 -- our own file
    total = failed = skipped = 0
    for suite in suites:
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return total - failed - skipped, failed, skipped
