"""The REST API under ``/api/`` (design, section 7)."""
