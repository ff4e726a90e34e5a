from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any

import pytest

from emr_adapters.base import Adapter, AdapterConfig, Capabilities
from emr_adapters.errors import (
    NotConfigured,
    OutcomeUnknown,
    RateLimited,
    TemporaryError,
    Unsupported,
)
from emr_adapters.memory import EMR_LIKE, ONCALL_LIKE, MemoryAdapter, MemoryRemote, register
from emr_adapters.records import ABSENT, Changes, Draft, Person, Practitioner, State
from emr_adapters.registry import adapter_class
from tests.adapters.contract import AdapterContract
from tests.adapters.practice import ADA, ANN, NOON, Practice

ERRORS: dict[str, tuple[Exception, bool]] = {
    "401": (NotConfigured("The key is refused."), False),
    "429": (RateLimited("Slow down.", 60), False),
    "500": (TemporaryError("Not now."), False),
    "page_2": (TemporaryError("Not now."), False),
    "timeout_after_write": (OutcomeUnknown("It may have happened."), True),
    "drop_after_write": (OutcomeUnknown("It may have happened."), True),
    "500_after_write": (OutcomeUnknown("It may have happened."), True),
}


class MemoryPractice(Practice):
    first_type = "video"
    second_type = "phone"

    def __init__(self, capabilities: Capabilities, *, creates_once: bool) -> None:
        super().__init__()
        self.creates_once = creates_once  # type: ignore[misc]
        self.remote = register(
            MemoryRemote("practice", capabilities, now=self.clock, honours_keys=creates_once)
        )
        self.remote.practitioners += self.practitioners()

    def adapter(self, **changes: Any) -> Adapter:
        config = AdapterConfig(settings={"remote": "practice"})
        return adapter_class("memory")(config, **self.options())

    def book(
        self,
        start: datetime = NOON,
        minutes: int = 30,
        *,
        type: str | None = None,
        title: str = "Visit",
        person: Person = ANN,
        reference: str | None = None,
        cancelled: bool = False,
    ) -> str:
        return self.remote.book(
            start=start,
            minutes=minutes,
            types=(type or self.first_type,),
            title=title,
            people=(person,),
            practitioners=self.practitioners()[:1],
            places=(self.place(),),
            reference=reference,
            state=State.CANCELLED if cancelled else State.BOOKED,
        )

    def edit(self, id: str, start: datetime) -> None:
        self.remote.edit(id, start=start)

    def remove(self, id: str) -> None:
        self.remote.delete(id)

    def page_size(self, rows: int) -> None:
        self.remote.page_size = rows

    def fail(self, kind: str, *, times: int | None = 1) -> None:
        error, after = ERRORS[kind]
        if kind == "page_2":
            self.remote.fail_next("list", error, from_page=2, times=10**6)
        else:
            self.remote.fail_next("any", error, after_effect=after, times=times or 10**6)

    def spoil(self, id: str) -> None:
        self.remote.unreadable.add(id)

    def writes(self) -> list[Any]:
        return [call for call in self.remote.calls if call[0] in {"create", "update", "cancel"}]

    def stored(self) -> list[str]:
        return list(self.remote.records)

    def people(self) -> tuple[Person, ...]:
        return (ANN,)

    def practitioners(self) -> tuple[Practitioner, Practitioner]:
        return Practitioner("9", ADA), Practitioner("10", "Dr. Ivo Lund")

    def place(self) -> str:
        return "1"


class TestMemoryAsEmr(AdapterContract):
    @pytest.fixture
    def practice(self) -> MemoryPractice:
        return MemoryPractice(EMR_LIKE, creates_once=True)


class TestMemoryAsOnCall(AdapterContract):
    @pytest.fixture
    def practice(self) -> MemoryPractice:
        return MemoryPractice(ONCALL_LIKE, creates_once=False)


@pytest.fixture
def remote() -> MemoryRemote:
    return register(MemoryRemote("practice"))


@pytest.fixture
def adapter(remote: MemoryRemote) -> MemoryAdapter:
    return MemoryAdapter(AdapterConfig(settings={"remote": "practice"}))


def test_a_remote_that_is_not_there_is_a_matter_of_configuration() -> None:
    with pytest.raises(NotConfigured):
        MemoryAdapter(AdapterConfig(settings={"remote": "nowhere"}))


def test_a_hidden_record_is_missing_from_lists_and_can_be_read(
    remote: MemoryRemote, adapter: MemoryAdapter
) -> None:
    id = remote.book()
    remote.hidden.add(id)
    assert adapter.list_appointments().records == ()
    assert adapter.read(id).record.id == id


def test_a_shifting_order_is_the_same_for_the_same_seed(
    remote: MemoryRemote, adapter: MemoryAdapter
) -> None:
    for _ in range(9):
        remote.book()
    orders = []
    for _ in range(2):
        remote.order = Random(7)
        orders.append([one.id for one in adapter.list_appointments().records])
    assert orders[0] == orders[1] != sorted(orders[0])


def test_answers_after_a_write_can_lag(remote: MemoryRemote, adapter: MemoryAdapter) -> None:
    remote.stale_reads = 2
    id = remote.book(title="Old")
    adapter.update(adapter.read(id).record, Changes(title="New"))
    assert [adapter.read(id).record.title for _ in range(3)] == ["Old", "Old", "New"]


def test_mails_are_counted_only_where_the_system_mails(
    remote: MemoryRemote, adapter: MemoryAdapter
) -> None:
    id = remote.book(people=(ANN,))
    adapter.cancel(adapter.read(id).record)
    assert remote.mails == []
    remote.capabilities = ONCALL_LIKE
    id = remote.book(people=(ANN,), title="Old", minutes=30)
    adapter.update(adapter.read(id).record, Changes(title="New"))
    adapter.update(adapter.read(id).record, Changes(minutes=45))
    adapter.cancel(adapter.read(id).record)
    assert [mail.kind for mail in remote.mails] == ["reschedule", "cancel"]
    assert remote.mails[0].to == (ANN.email,)


def test_what_a_system_cannot_do_is_unsupported(remote: MemoryRemote) -> None:
    id = remote.book()
    adapter = MemoryAdapter(
        AdapterConfig(settings={"remote": "practice"}), capabilities=Capabilities()
    )
    record = adapter.read(id).record
    assert record.reference is ABSENT or remote.capabilities.holds_reference
    draft = Draft(start=NOON, minutes=30, title="Visit", people=(ANN,))
    for call in (
        lambda: adapter.update(record, Changes(title="New")),
        lambda: adapter.update(record, Changes(reference="1")),
        lambda: adapter.cancel(record),
        lambda: adapter.create(draft, idempotency_key="one"),
        lambda: adapter.find_by_reference("1"),
        lambda: adapter.list_changes(NOON),
    ):
        with pytest.raises(Unsupported):
            call()


def test_people_are_found_by_address_or_name(remote: MemoryRemote, adapter: MemoryAdapter) -> None:
    remote.patients.append(ANN)
    assert adapter.find_people(email="ANN@example.org ", name="") == (ANN,)
    assert adapter.find_people(email="", name="ann bee") == (ANN,)
    assert adapter.find_people(email="other@example.org", name="") == ()


def test_a_deleted_record_is_gone(remote: MemoryRemote, adapter: MemoryAdapter) -> None:
    id = remote.book()
    remote.delete(id)
    assert adapter.list_appointments().records == ()
    assert remote.book(reference=ABSENT) != id


def test_ids_that_are_taken_are_passed_over(remote: MemoryRemote) -> None:
    remote.book(id="1")
    assert remote.book() == "2"


def test_a_system_that_holds_no_reference_states_none(
    remote: MemoryRemote, adapter: MemoryAdapter
) -> None:
    id = remote.book(reference="7")
    remote.capabilities = Capabilities()
    record = adapter.read(id).record
    assert (record.reference, record.state, record.version, record.modified_at) == (
        ABSENT,
        ABSENT,
        None,
        None,
    )


def test_faults_can_be_called_off(remote: MemoryRemote, adapter: MemoryAdapter) -> None:
    remote.fail_next("list", TemporaryError("Not now."), times=9)
    remote.clear_faults()
    assert adapter.list_appointments().records == ()


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(NotConfigured, match="fhir_r4"):
        adapter_class("fax")
