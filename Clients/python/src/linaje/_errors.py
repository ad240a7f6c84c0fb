"""The one error type of this package."""

from typing import Dict, Mapping, Optional

from . import _messages


class LinajeError(Exception):
    """What the daemon answered, or why it could not be asked.

    `code` and `name` are those of ERRORS.md; numbers that this version does not know are kept.
    `retryable` says whether the same call may succeed later without a change. `details` are facts
    for programs.
    """

    def __init__(
        self,
        code: int,
        message: str,
        *,
        name: Optional[str] = None,
        retryable: Optional[bool] = None,
        details: Optional[Mapping[str, str]] = None,
    ) -> None:
        known_name, known_retryable = _messages.ERRORS.get(code, (f"error_{code}", False))
        self.code = code
        self.name = name or known_name
        self.message = message
        self.retryable = known_retryable if retryable is None else retryable
        self.details: Dict[str, str] = dict(details or {})
        super().__init__(code, message)

    def __str__(self) -> str:
        return f"{self.message} ({self.name}, {self.code})"

    def __reduce__(self):  # type: ignore[no-untyped-def]
        return _restore, (self.code, self.message, self.name, self.retryable, self.details)


def _restore(code, message, name, retryable, details):  # type: ignore[no-untyped-def]
    return LinajeError(code, message, name=name, retryable=retryable, details=details)


BAD_FRAME = 2
FRAME_TOO_LARGE = 3
HANDSHAKE_TIMEOUT = 7
BAD_MESSAGE = 101
INVALID_ARGUMENT = 102
NOT_FOUND = 104
RUN_NOT_ACTIVE = 114
DEADLINE_EXCEEDED = 111
CONFLICT = 113
CORRUPT = 204
UNAVAILABLE = 200
STORAGE_FULL = 202
