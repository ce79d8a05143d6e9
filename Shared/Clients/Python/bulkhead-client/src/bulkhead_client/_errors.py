"""What can go wrong on the way. What a destination answers, whatever its status, is no error: it is the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping


class BulkheadError(Exception):
    """A call that got no answer from its destination.

    `code` is stable and for programs, `title` and `detail` are for people; `status` is that of Bulkhead, None when it was not reached.
    """

    def __init__(
        self, detail: str, *, code: str, title: str = "", status: int | None = None, request_id: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.title = title
        self.detail = detail
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after


class NoDestination(BulkheadError):
    """The address and the name of the key do not lead to one destination; nothing was sent."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, code="no_destination", title="no such destination")


class Refused(BulkheadError):
    """Bulkhead refused the call (4xx): the API key, the permission, the destination's policy, a limit, or the request itself."""


class Unavailable(BulkheadError):
    """The call could not be made or finished now (5xx): the destination cannot be reached, or its secret cannot be used."""


class Unreachable(BulkheadError):
    """Bulkhead itself cannot be reached, or the connection to it broke."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, code="unreachable", title="Bulkhead cannot be reached")


def from_answer(status: int, headers: Mapping[str, str], body: bytes) -> BulkheadError:
    """The error that an answer of Bulkhead's own (RFC 9457) tells."""
    told: dict[str, object] = {}
    try:
        parsed = json.loads(body)
        if isinstance(parsed, dict):
            told = parsed
    except ValueError:
        pass
    wait = headers.get("retry-after", "")
    kind = Refused if status < 500 else Unavailable
    return kind(
        str(told.get("detail") or f"Bulkhead answered {status} and did not say why"), code=str(told.get("code") or f"http_{status}"),
        title=str(told.get("title") or ""), status=status, request_id=headers.get("x-request-id"), retry_after=float(wait) if wait.isdigit() else None,
    )
