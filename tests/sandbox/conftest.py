"""One practice process for all tests here; every test starts with a clean small world."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from sandbox.client import COORDINATOR_KEY
from sandbox.running import Sandbox, running_sandbox

DIVISION = "https://api.oncallhealth.ca/divisions/123/"
ADA = "https://api.oncallhealth.ca/providers/9/"
START = "2026-12-01T15:00:00Z"


@pytest.fixture(scope="session")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as found:
        yield found


@pytest.fixture
def practice(running: Sandbox) -> Sandbox:
    """A division with two providers; one patient, practitioner and location."""
    running.client.reset()
    running.client.seed(
        oncall={
            "divisions": [{"id": 123, "name": "Downtown", "time_zone": "America/Toronto"}],
            "providers": [
                {"id": 9, "full_name": "Ada", "email": "ada@example.org", "divisions": [123]},
                {"id": 10, "full_name": "Bo", "email": "bo@example.org", "divisions": [123]},
            ],
            "keys": [{"key": "ada-key", "provider": 9}],
        },
        emr={
            "locations": [{"id": "1", "name": "Downtown"}],
            "practitioners": [{"id": "9", "given": "Ada", "family": "Osei"}],
            "patients": [
                {"id": "501", "given": "Ann", "family": "Bee", "email": "ann@example.org"}
            ],
        },
    )
    return running


class Api:
    """Requests to one system that never follow a redirect by themselves."""

    def __init__(self, base: str, headers: dict[str, str]):
        self.base = base
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(headers)

    def __call__(self, method: str, path: str = "", **options: Any) -> requests.Response:
        options = {"allow_redirects": False, "timeout": 10, **options}
        return self._session.request(method, self.base + path, **options)

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def oncall(practice: Sandbox) -> Iterator[Api]:
    api = Api(practice.oncall_url, {"Authorization": f"Token {COORDINATOR_KEY}"})
    yield api
    api.close()


@pytest.fixture
def fhir(practice: Sandbox) -> Iterator[Api]:
    api = Api(practice.emr_url, {"Content-Type": "application/fhir+json"})
    yield api
    api.close()


@pytest.fixture
def new_visit() -> Callable[..., dict[str, Any]]:
    """The body of a valid create in OnCall."""

    def body(**changes: Any) -> dict[str, Any]:
        return {
            "title": "Visit with Ada",
            "datetime": START,
            "duration": 30,
            "type": "online",
            "division": DIVISION,
            "provider": ADA,
            "participants": [{"email": "ann@example.org", "name": "Ann Bee", "fee": 10}],
            **changes,
        }

    return body


@pytest.fixture
def booked() -> Callable[..., dict[str, Any]]:
    """The body of a valid create in the EMR."""

    def body(**changes: Any) -> dict[str, Any]:
        return {
            "resourceType": "Appointment",
            "status": "booked",
            "start": START,
            "end": "2026-12-01T15:30:00Z",
            "participant": [
                {"actor": {"reference": "Patient/501"}, "status": "accepted"},
                {"actor": {"reference": "Practitioner/9"}, "status": "accepted"},
            ],
            **changes,
        }

    return body
