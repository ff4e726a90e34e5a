"""The contract of ``emr_adapters.base`` as tests. An adapter joins by a subclass and one fixture:

    class TestMyEmr(HttpAdapterContract):
        @pytest.fixture
        def practice(self) -> Practice: ...

``Practice`` (``tests/adapters/practice.py``) is how the tests arrange and inspect the system itself.
"""

from __future__ import annotations

from tests.adapters.contract_failing import FailingContract, HttpContract
from tests.adapters.contract_reading import ReadingContract
from tests.adapters.contract_writing import WritingContract


class AdapterContract(ReadingContract, WritingContract, FailingContract):
    """For every adapter."""


class HttpAdapterContract(AdapterContract, HttpContract):
    """For an adapter that speaks HTTP."""
