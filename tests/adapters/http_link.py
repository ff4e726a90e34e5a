"""A session to nowhere that counts what it does."""

from __future__ import annotations

from emr_adapters.http import Http
from emr_adapters.redact import safe_sentence
from tests.adapters.practice import Clock

BASE = "https://emr.example.org/api/"
SECRET = "s3cret"


class Link:
    def __init__(self) -> None:
        self.slept: list[float] = []
        self.asked = 0
        self.http = Http(
            BASE,
            name="The system",
            headers={"Authorization": f"Token {SECRET}"},
            before_request=self._count,
            sleep=self.slept.append,
            now=Clock(),
            explain=lambda body, hide: safe_sentence(body.get("detail"), hide) if body else "",
        )

    def _count(self) -> None:
        self.asked += 1
