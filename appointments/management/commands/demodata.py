"""``manage.py demodata``: accounts and configuration for the demo, from the running practice systems."""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from appointments.configuration.changing import changing
from appointments.configuration.consequences import What
from appointments.configuration.loading import load
from appointments.configuration.table import Mistakes
from appointments.models import Connection, Division, Membership, Role

PASSWORD: Final = "demo-password"  # noqa: S105  (printed on purpose: it opens invented data only)
ACCOUNTS: Final = (
    ("admin", "administrator: configures everything"),
    ("mei", "staff: settles mismatches in all divisions"),
    ("viewer", "viewer: sees one division, settles nothing"),
)
LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_TOKEN: Final = re.compile(r"^webhook_token = .*$", re.MULTILINE)


class Command(BaseCommand):
    help = "Accounts and configuration for the demo, from running practice systems. Repeatable."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--sandbox",
            default=os.environ.get("SANDBOX_URL") or os.environ.get("SANDBOX_PAGE_URL") or "",
            help="address of the practice systems' page (SANDBOX_URL)",
        )
        parser.add_argument("--sync", action="store_true", help="also do the first pass at once")

    def handle(self, *_: Any, sandbox: str, sync: bool, **options: Any) -> None:
        refuse_real_data()
        practice = Practice(sandbox)
        if practice.is_empty():
            practice.fill()
        text = practice.configuration()
        try:
            loaded = load(text, actor="demodata")
            if any(one.what is What.OBSERVE for one in loaded.consequences):
                # The practice systems moved to another port: they are the same ones for all that.
                load(text, set_mode=True, actor="demodata")
        except Mistakes as mistakes:
            raise CommandError(
                f"The practice systems' configuration is wrong:\n{mistakes}"
            ) from None
        make_accounts()
        self.stdout.write(welcome())
        if sync:
            call_command("sync", stdout=self.stdout, stderr=self.stderr)


def refuse_real_data() -> None:
    """Only an empty database, or one whose connections all lead to this machine."""
    for connection in Connection.objects.defer("credentials"):
        host = urlsplit(str(connection.settings.get("base_url", ""))).hostname
        if host not in LOCAL:
            raise CommandError(
                f"This database holds {connection}, which is not a practice system. "
                "demodata is for a database of its own."
            )


class Practice:
    """The practice systems, through their control API."""

    def __init__(self, page: str) -> None:
        if urlsplit(page).hostname not in LOCAL:
            raise CommandError(
                "Say where the practice systems run: --sandbox http://127.0.0.1:9100/ "
                "(start them with: python -m sandbox --demo)"
            )
        base = page.rstrip("/")
        self.base = base if base.endswith("/control") else f"{base}/control"
        self.session = requests.Session()
        self.session.trust_env = False  # no proxy stands between two programs of one machine

    def is_empty(self) -> bool:
        state = self._ask("GET", "state").json()
        return not state["oncall"]["appointments"] and not state["emr"]["Appointment"]

    def fill(self) -> None:
        self._ask("POST", "demo")

    def configuration(self) -> str:
        text = self._ask("GET", "demo/config?mode=live").text
        first, live, last = text.rpartition('mode = "live"')
        text = f'{first}mode = "observe"{last}' if live else text  # the last one shows what that is
        if os.environ.get("ONCALL_WEBHOOK_TOKEN"):
            # `manage.py demo` made one and told the practice OnCall.
            text = _TOKEN.sub('webhook_token = "env:ONCALL_WEBHOOK_TOKEN"', text)
        return text

    def _ask(self, method: str, path: str) -> requests.Response:
        try:
            answer = self.session.request(method, f"{self.base}/{path}", timeout=60)
            answer.raise_for_status()
        except requests.RequestException as error:
            raise CommandError(
                f"The practice systems at {self.base}/ do not answer ({type(error).__name__})."
            ) from None
        return answer


def make_accounts() -> None:
    """The three accounts and their roles; what exists already, a changed password too, is kept."""
    users = get_user_model().objects
    divisions = list(Division.objects.order_by("name"))
    with changing(actor="demodata"):
        for name, _ in ACCOUNTS:
            if users.filter(username=name).exists():
                continue
            if name == "admin":
                users.create_superuser(name, password=PASSWORD)
            else:
                users.create_user(name, password=PASSWORD)
        for division in divisions:
            _join("mei", division, Role.STAFF)
        for division in divisions[:1]:
            _join("viewer", division, Role.VIEWER)


def _join(name: str, division: Division, role: Role) -> None:
    user = get_user_model().objects.get(username=name)
    Membership.objects.get_or_create(user=user, division=division, defaults={"role": role})


def welcome() -> str:
    accounts = "\n".join(f"  {name:<8}{PASSWORD}   {words}" for name, words in ACCOUNTS)
    divisions = ", ".join(f"{division} ({division.mode})" for division in Division.objects.all())
    return f"Sign-ins (name, password)\n{accounts}\n\nDivisions: {divisions}"
