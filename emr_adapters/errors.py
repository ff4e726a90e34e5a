"""What can go wrong at a remote system. The class decides what happens next.

::

    AdapterError
    ├── TemporaryError        retry later
    │   └── RateLimited       retry after ``retry_after`` seconds
    ├── OutcomeUnknown        a write may have happened: look for it before any retry
    ├── ChangedRemotely       the version moved: re-read, compare afresh
    ├── NotFound              the remote says that there is no such record
    └── PermanentError        do not retry, tell a person
        ├── NotConfigured     credentials or settings: pause the connection, tell an administrator once
        ├── Rejected          the remote refused the value; the message is safe to show
        ├── Unsupported       this system cannot say it
        └── BadResponse       unreadable

``str(error)`` never holds patient data or a secret (law 14): it is shown to staff and written to logs.
"""

from __future__ import annotations


class AdapterError(Exception):
    """The root. ``code`` is stable and short; the text is a sentence that staff may read.

    ``retry_after``: seconds for which the remote asked to be left alone, None when it did not.
    """

    code = "adapter_error"
    retry_after: float | None = None


class TemporaryError(AdapterError):
    code = "temporary"


class RateLimited(TemporaryError):
    """The remote asked us to slow down."""

    code = "rate_limited"

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class OutcomeUnknown(AdapterError):
    code = "outcome_unknown"


class ChangedRemotely(AdapterError):
    code = "changed_remotely"


class NotFound(AdapterError):
    code = "not_found"


class PermanentError(AdapterError):
    code = "permanent"


class NotConfigured(PermanentError):
    code = "not_configured"


class Rejected(PermanentError):
    code = "rejected"


class Unsupported(PermanentError):
    code = "unsupported"


class BadResponse(PermanentError):
    code = "bad_response"
