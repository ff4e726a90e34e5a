"""Kind → adapter class. An EMR is added by one file and one line here."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from emr_adapters.base import Adapter
from emr_adapters.errors import NotConfigured

ADAPTERS: Final[dict[str, str]] = {
    "fhir_r4": "emr_adapters.fhir_r4:FhirR4Adapter",
    "memory": "emr_adapters.memory:MemoryAdapter",
}


def adapter_class(kind: str) -> type[Adapter]:
    """The class for ``kind``. Raises NotConfigured, naming the known kinds."""
    try:
        module, name = ADAPTERS[kind].split(":")
    except KeyError:
        known = ", ".join(sorted(ADAPTERS))
        raise NotConfigured(f'There is no adapter "{kind}". Known: {known}.') from None
    loaded: type[Adapter] = getattr(import_module(module), name)
    return loaded
