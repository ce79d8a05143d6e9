"""An answer of a destination."""

from __future__ import annotations

import email.message
import http.client
import json
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from ._errors import Unreachable


class Answer:
    """Status, headers and body as the destination sent them, without what it echoed of its key.

    Of a streamed answer the body comes as one iterates; it is to be read to its end or closed, best in a `with` block.
    """

    def __init__(self, response: http.client.HTTPResponse, release: Callable[[bool], None]) -> None:
        self.status: int = response.status
        self.reason: str = response.reason
        self.headers: email.message.Message = response.headers
        self._response = response
        self._release: Callable[[bool], None] | None = release
        self._body: bytes | None = None

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def request_id(self) -> str | None:
        """Finds the call in Bulkhead's traces and audit."""
        return self.headers.get("x-request-id")

    @property
    def is_replayed(self) -> bool:
        """The answer of an earlier call with the same idempotency key."""
        return self.headers.get("idempotent-replayed") == "true"

    @property
    def body(self) -> bytes:
        """The whole body."""
        if self._body is None:
            self._body = b"".join(self)
        return self._body

    @property
    def text(self) -> str:
        """The body as text, in the charset its content type names."""
        return self.body.decode(self.headers.get_content_charset("utf-8"), "replace")

    def json(self) -> Any:
        """The body parsed. Raises `ValueError` when it is no JSON."""
        return json.loads(self.body)

    def __iter__(self) -> Iterator[bytes]:
        """The body in pieces, each as soon as it is there."""
        if self._body is not None:
            yield self._body
            return
        while piece := self._next():
            yield piece

    def lines(self) -> Iterator[str]:
        """The lines of the body without their ends, as they come: for server-sent events and JSON lines."""
        rest = b""
        for piece in self:
            *whole, rest = (rest + piece).split(b"\n")
            yield from (line.removesuffix(b"\r").decode("utf-8", "replace") for line in whole)
        if rest:
            yield rest.decode("utf-8", "replace")

    def _next(self) -> bytes:
        if self._release is None:
            return b""
        try:
            piece = self._response.read1(65536)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(f"the answer broke off: {type(error).__name__}") from error
        # A length that was promised and not kept ends `read1` like a good end.
        if not piece and self._response.length:
            self.close()
            raise Unreachable(f"the answer broke off: {self._response.length} bytes are missing")
        if not piece:
            self._let_go(True)
        return piece

    def close(self) -> None:
        """Gives the rest of the body up; the destination's connection is closed behind it."""
        self._let_go(False)

    def _let_go(self, is_whole: bool) -> None:
        if self._release is not None:
            release, self._release = self._release, None
            release(is_whole)

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Answer {self.status} {self.reason}>"
