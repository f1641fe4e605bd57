"""What goes wrong, as one exception."""

from __future__ import annotations

from typing import Any


class VomeetClientError(Exception):
    """A call that did not succeed.

    ``status_code`` is the HTTP status, or None where no response came or no request was sent.
    ``detail`` is what the server said: a sentence, or for status 422 a list of faults with the
    keys ``type``, ``loc`` and ``msg``; None where the server said nothing. Where a key or a limit
    was the matter, ``code`` is the server's word for it, such as ``expired``, and ``reason`` the
    sentence that goes with it.
    """

    def __init__(
        self,
        message: str,
        status_code: int | None = None,
        detail: Any = None,
        code: str | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.detail = detail
        self.code = code
        self.reason = reason


def describe(detail: Any) -> str:
    """Turn the ``detail`` of an error response into one readable line."""
    if isinstance(detail, list):
        return "; ".join(_describe_fault(fault) for fault in detail)
    return str(detail)


def _describe_fault(fault: Any) -> str:
    if not isinstance(fault, dict):
        return str(fault)
    place = ".".join(str(step) for step in fault.get("loc", []))
    message = str(fault.get("msg", fault))
    return f"{place}: {message}" if place else message
