"""``manage.py doctor``: is everything set up so that it can work?"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from appointments.configuration.examining import FINE, NOTE, WRONG, Finding, examine, is_fine

WORDS: Final = {FINE: "ok   ", NOTE: "note ", WRONG: "WRONG"}


class Command(BaseCommand):
    help = (
        "Test each connection, mapping and membership and say what is wrong and what to do. "
        "Exit code 0 only if nothing is wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one object on standard output")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["json"]:
            findings = list(examine())
            answer = {"ok": is_fine(findings), "findings": [one.as_json() for one in findings]}
            self.stdout.write(json.dumps(answer, indent=2))
        else:
            findings = self.tell(examine())
        wrong = sum(finding.level == WRONG for finding in findings)
        if wrong:
            raise CommandError(f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong.")
        if not options["json"]:
            self.stdout.write("All is well.")

    def tell(self, findings: Iterable[Finding]) -> list[Finding]:
        """Print each finding as soon as it is there: a remote system may take its time."""
        told: list[Finding] = []
        for finding in findings:
            if not told or told[-1].about != finding.about:
                self.stdout.write(finding.about)
            self.stdout.write(f"  {WORDS[finding.level]}  {finding.message}")
            if finding.remedy:
                self.stdout.write(f"         → {finding.remedy}")
            told.append(finding)
        return told
