"""FHIR R4 (and, for reading, R5, STU3 and DSTU2) appointments over REST.

``reading`` and ``writing`` are pure translations of resources; ``people`` fetches the patients that an
appointment only points at; ``capability`` reads the CapabilityStatement; ``client`` asks and sends.
"""

from __future__ import annotations

from emr_adapters.fhir_r4.client import FhirR4Adapter

__all__ = ["FhirR4Adapter"]
