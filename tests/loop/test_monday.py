"""A clinic's worst Monday: what was found by breaking the running product, so that it stays mended."""

from __future__ import annotations

import pytest

from appointments.models import Run
from tests.loop.clinic import Clinic, at
from tests.loop.desk import agreed, read


@pytest.mark.parametrize("kind", ["changes", "sweep"])
def test_emr_that_is_down_is_seen_on_the_page_of_readings(clinic: Clinic, kind: str):
    agreed(clinic, at(15))
    clinic.emr.refresh_from_db()
    proven = clinic.emr.swept_at
    clinic.practice.fault("emr", "502html", times=None)

    assert read(clinic.emr, kind) == "failed"

    run = Run.objects.filter(connection=clinic.emr, kind=kind).latest("began_at")
    assert "502" in run.error
    clinic.emr.refresh_from_db()
    assert clinic.emr.swept_at == proven
    clinic.practice.clear_faults()
    assert read(clinic.emr, kind) == "complete"


def test_emr_that_refuses_us_is_paused_once_though_its_abilities_are_asked_first(clinic: Clinic):
    agreed(clinic, at(15))
    clinic.practice.fault("emr", "401", times=None)

    assert read(clinic.emr, "changes") == "failed"

    clinic.emr.refresh_from_db()
    assert clinic.emr.paused_at is not None
