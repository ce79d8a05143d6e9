"""The same client for asyncio: each wait is that of a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any

from ._answer import Answer
from ._client import Client
from ._destinations import Destination


class AsyncAnswer:
    """An `Answer` whose body is awaited."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.status, self.reason, self.headers = answer.status, answer.reason, answer.headers
        self.ok, self.request_id, self.is_replayed = answer.ok, answer.request_id, answer.is_replayed

    async def body(self) -> bytes:
        """The whole body."""
        return await asyncio.to_thread(lambda: self._answer.body)

    async def text(self) -> str:
        """The whole body as text."""
        return await asyncio.to_thread(lambda: self._answer.text)

    async def json(self) -> Any:
        """The whole body parsed."""
        return await asyncio.to_thread(self._answer.json)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _steps(iter(self._answer))

    def lines(self) -> AsyncIterator[str]:
        """As `Answer.lines`."""
        return _steps(self._answer.lines())

    async def aclose(self) -> None:
        """Gives the rest of the body up."""
        self._answer.close()

    async def __aenter__(self) -> AsyncAnswer:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._answer.close()

    def __repr__(self) -> str:
        return f"<AsyncAnswer {self.status} {self.reason}>"


async def _steps(items: Iterator[Any]) -> AsyncIterator[Any]:
    end = object()
    while (item := await asyncio.to_thread(next, items, end)) is not end:
        yield item


class AsyncClient:
    """As `Client`; takes the same arguments."""

    def __init__(self, *words: Any, **named: Any) -> None:
        self._client = Client(*words, **named)

    async def call(self, target: str, **named: Any) -> AsyncAnswer:
        """As `Client.call`."""
        return AsyncAnswer(await asyncio.to_thread(self._client.call, target, **named))

    async def destinations(self) -> list[Destination]:
        """As `Client.destinations`."""
        return await asyncio.to_thread(self._client.destinations)

    async def aclose(self) -> None:
        """Closes idle connections."""
        self._client.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()

    def __repr__(self) -> str:
        return repr(self._client).replace("Client", "AsyncClient", 1)
