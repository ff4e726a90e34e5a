"""Failures as OperationOutcome (FHIR R4, http.html)."""

from __future__ import annotations


class Refused(Exception):
    """The request is answered with ``status`` and an OperationOutcome."""

    def __init__(self, status: int, code: str, words: str):
        super().__init__(words)
        self.status, self.code, self.words = status, code, words

    def outcome(self) -> dict[str, object]:
        return outcome(self.code, self.words)


def outcome(code: str, words: str, severity: str = "error") -> dict[str, object]:
    issue = {"severity": severity, "code": code, "diagnostics": words}
    return {"resourceType": "OperationOutcome", "issue": [issue]}
