"""A practice EMR that speaks FHIR R4."""
