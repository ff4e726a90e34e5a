"""``manage.py loadconfig FILE``: connections, divisions, providers and policy from TOML."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from appointments.configuration.effects import preview
from appointments.configuration.loading import Loaded, check, load
from appointments.configuration.table import Mistakes


class Command(BaseCommand):
    help = (
        "Create and update connections, divisions, providers and policy from a TOML file. What the "
        "file no longer names is left and listed. A mistake changes nothing at all."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the configuration file")
        parser.add_argument(
            "--check",
            action="store_true",
            help="only validate and say what it would bring; change nothing",
        )
        parser.add_argument(
            "--set-mode",
            action="store_true",
            help="also set the mode of divisions that exist already",
        )

    def handle(self, *, file: Path, check: bool, set_mode: bool, **options: Any) -> None:
        text = read_file(file)
        try:
            if check:
                self.stdout.write(checked(text, set_mode=set_mode))
            else:
                self.stdout.write(told(load(text, set_mode=set_mode, actor="loadconfig")))
        except Mistakes as mistakes:
            count = _count(mistakes.found, "mistake")
            raise CommandError(f"{file}: {count}, nothing was changed.\n{mistakes}") from None


def read_file(file: Path) -> str:
    """Raises CommandError in words."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise CommandError(f"{file}: line {line}: this is not UTF-8 text.") from None
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from None


def checked(text: str, *, set_mode: bool) -> str:
    reading = check(text, set_mode=set_mode)
    counts = (
        _count(reading.connections, "connection"),
        _count(reading.divisions, "division"),
        _count(reading.providers, "provider"),
    )
    effects = preview(text, set_mode=set_mode)
    lines = [
        f"No mistakes: {', '.join(counts)}. Nothing was changed (--check).",
        _section("What it would bring", [str(effect) for effect in effects]),
    ]
    return "\n".join(line for line in lines if line)


def _count(things: Sequence[object], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def told(loaded: Loaded) -> str:
    """The outcome in words, with counts."""
    parts = [
        _section("Created", [str(change) for change in loaded.created]),
        _section("Updated", [str(change) for change in loaded.updated]),
        _section("What follows", [str(one) for one in loaded.consequences]),
        _section("Left as it is: the file does not name it", loaded.left),
    ]
    if not loaded.created and not loaded.updated:
        parts.insert(0, "Nothing changed.")
    parts.append(
        f"{len(loaded.created)} created, {len(loaded.updated)} updated, "
        f"{loaded.unchanged} unchanged, {len(loaded.left)} left."
    )
    return "\n".join(part for part in parts if part)


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{title}:", *(f"  {line}" for line in lines)]) if lines else ""
