"""A remote system in memory: the contract at its strictest, for tests and simulations.

Several adapters share one ``MemoryRemote`` by name (``settings["remote"]``), as several workers share a
clinic's real system. Nothing here depends on the wall clock, nor on chance that a test did not give.
"""

from __future__ import annotations

from emr_adapters.memory.adapter import MemoryAdapter
from emr_adapters.memory.remote import EMR_LIKE, ONCALL_LIKE, Mail, MemoryRemote, register

__all__ = ["EMR_LIKE", "ONCALL_LIKE", "Mail", "MemoryAdapter", "MemoryRemote", "register"]
