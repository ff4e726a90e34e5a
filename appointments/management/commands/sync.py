"""``manage.py sync``: one pass in the foreground (design, section 7)."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from appointments import clocks
from appointments.mirror.listing import Progress
from appointments.models import Division
from appointments.passes import DivisionResult, Options, run_pass


class Command(BaseCommand):
    help = "Read both systems, compare, and carry over what policy allows. Exit code 0 if complete."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--division", action="append", metavar="NAME", help="only this one")
        parser.add_argument("--full", action="store_true", help="list both sides whole")
        parser.add_argument(
            "--dry-run", action="store_true", help="write nothing, say what would be"
        )
        parser.add_argument("--json", action="store_true", help="one object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        divisions = self._divisions(options["division"])
        if not clocks.in_step():
            raise CommandError(clocks.OUT_OF_STEP)
        self._on_line = False
        results, planned = run_pass(
            divisions,
            Options(full=options["full"], dry_run=options["dry_run"]),
            watch=self._watch,
        )
        self._end_line()
        complete = all(result.complete for result in results)
        if options["json"]:
            self.stdout.write(
                json.dumps({"complete": complete, "divisions": [asdict(r) for r in results]})
            )
        else:
            self._report(results, planned, dry_run=options["dry_run"])
        if not complete:
            sys.exit(1)

    def _divisions(self, names: list[str] | None) -> list[Division]:
        divisions = Division.objects.select_related("oncall", "emr")
        if not names:
            found = list(divisions)
            if not found:
                raise CommandError("No division is configured yet: load a file with `loadconfig`.")
            return found
        unknown = set(names) - set(divisions.values_list("name", flat=True))
        if unknown:
            raise CommandError(f"There is no division {', '.join(sorted(unknown))}.")
        return list(divisions.filter(name__in=names))

    # --- what a person sees ---

    def _watch(self, text: str, progress: Progress | None) -> None:
        """One line that counts up, on a terminal only; everything else goes without."""
        if not self.stderr.isatty():
            return
        if progress is not None and progress.total:
            done = min(progress.read / progress.total, 1.0)
            bar = "█" * int(done * 24)
            text = f"{text}  {bar:<24} {progress.read}/{progress.total}"
        elif progress is not None:
            text = f"{text}  {progress.read}"
        self.stderr.write(f"\r\x1b[K{text}", ending="")
        self.stderr.flush()
        self._on_line = True

    def _end_line(self) -> None:
        if self._on_line:
            self.stderr.write("\r\x1b[K", ending="")

    def _report(self, results: list[DivisionResult], planned: list[str], *, dry_run: bool) -> None:
        for result in results:
            state = "complete" if result.complete else "incomplete"
            self.stdout.write(
                f"{result.name}: {state}. {result.read} read, {result.written} written, "
                f"{result.held} held by the brake, {result.open} waiting for a person."
            )
            for error in result.errors:
                self.stderr.write(f"  {error}")
        if dry_run:
            self.stdout.write(f"Dry run: {len(planned)} would be written.")
            for line in planned:
                self.stdout.write(f"  {line}")
