"""The contract, part three: what goes wrong."""

from __future__ import annotations

import contextlib

import pytest

from emr_adapters.base import Adapter
from emr_adapters.errors import (
    BadResponse,
    ChangedRemotely,
    NotConfigured,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    TemporaryError,
    Unsupported,
)
from emr_adapters.records import (
    Changes,
)
from tests.adapters.helpers import WithAdapter, everything, pages
from tests.adapters.practice import ADA, ANN, Practice, at


class FailingContract(WithAdapter):
    def test_refused_credentials_are_a_matter_of_configuration(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        record = adapter.read(practice.book()).record
        practice.fail("401", times=None)
        fresh = practice.adapter()
        for call in (
            fresh.list_appointments,
            lambda: fresh.read(record.id),
            lambda: fresh.cancel(record),
            lambda: fresh.create(practice.draft(), idempotency_key="one"),
        ):
            with pytest.raises(NotConfigured):
                call()
        assert [check.ok for check in fresh.check()].count(True) == 0

    def test_too_many_requests_say_when_to_come_back(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        practice.fail("429", times=None)
        with pytest.raises(RateLimited) as limited:
            adapter.list_appointments()
        assert limited.value.retry_after == 60
        assert sum(practice.slept) == 0

    def test_a_failure_of_the_remote_is_temporary(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        practice.fail("500", times=None)
        with pytest.raises(TemporaryError):
            adapter.list_appointments()

    def test_the_check_says_that_all_is_well(self, practice: Practice, adapter: Adapter) -> None:
        practice.book()
        checks = list(adapter.check())
        assert checks
        assert all(check.ok and check.message for check in checks), checks

    def test_errors_hold_no_patient_data_and_no_secret(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        record = adapter.read(practice.book()).record
        said = []
        for kind in ("401", "429", "500", "drop_after_write", "500_after_write"):
            for call in (
                adapter.list_appointments,
                lambda: adapter.read(record.id),
                lambda: adapter.update(record, Changes(title=f"For {ANN.name}")),
                lambda: adapter.create(practice.draft(), idempotency_key="one"),
                lambda: adapter.find_people(email=ANN.email, name=ANN.name),
            ):
                practice.fail(kind)
                try:
                    call()
                except Exception as error:
                    said.append(f"{error} {error!r} {error.__context__!r} {error.__cause__!r}")
        assert said
        for text in said:
            for private in ("Ann", "Bee", "ann@example.org", ADA, "practice-", "?"):
                assert private not in text


class HttpContract(WithAdapter):
    """What is only true of systems that are reached over HTTP."""

    def test_a_passing_failure_of_a_read_is_retried(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        id = practice.book()
        for kind in ("500", "502html", "503", "drop_before"):
            practice.slept.clear()
            practice.fail(kind)
            assert adapter.read(id).record.id == id
            assert len(practice.slept) == 1
            assert practice.slept[0] <= 5

    def test_a_read_waits_for_nothing_when_asked_to_slow_down(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        id = practice.book()
        practice.fail("429_soon")
        with pytest.raises(RateLimited) as limited:
            adapter.read(id)
        assert limited.value.retry_after is not None
        assert sum(practice.slept) == 0

    def test_a_write_is_never_repeated(self, practice: Practice, adapter: Adapter) -> None:
        record = adapter.read(practice.book()).record
        for kind, error in (
            ("500", OutcomeUnknown),
            ("502html", OutcomeUnknown),
            ("503", OutcomeUnknown),
            ("drop_before", OutcomeUnknown),
            ("html200", OutcomeUnknown),
            ("truncated_json", OutcomeUnknown),
            ("429", RateLimited),
            ("redirect", NotConfigured),
            ("409", ChangedRemotely),
            ("423", ChangedRemotely),
            ("428", ChangedRemotely),
            ("405", Unsupported),
            ("422", Rejected),
        ):
            sent = len(practice.writes())
            practice.fail(kind)
            with pytest.raises(error):
                adapter.update(record, Changes(title=f"Visit after {kind}"))
            assert len(practice.writes()) == sent + 1
        assert practice.slept == []

    @pytest.mark.parametrize("kind", ["html200", "truncated_json", "loop", "404", "null_rows"])
    def test_a_listing_that_cannot_be_trusted_raises(self, practice: Practice, kind: str) -> None:
        practice.page_size(2)
        for hour in range(5):
            practice.book(at(hour))
        practice.fail(kind)
        adapter = practice.adapter(page_size=2)
        with pytest.raises(BadResponse):
            pages(adapter)

    @pytest.mark.parametrize("kind", ["foreign_next", "http_next"])
    def test_a_next_page_elsewhere_is_refused_or_read_from_the_known_place(
        self, practice: Practice, kind: str
    ) -> None:
        practice.page_size(2)
        ids = {practice.book(at(hour)) for hour in range(5)}
        practice.fail(kind, times=None)
        adapter = practice.adapter(page_size=2)
        found: object = ids
        with contextlib.suppress(BadResponse):
            found = everything(adapter).keys()
        assert found == ids

    def test_a_wrong_key_is_a_matter_of_configuration(self, practice: Practice) -> None:
        with pytest.raises(NotConfigured):
            practice.adapter(key="wrong").list_appointments()
