"""A provider that acts a script: any fault at any place of an answer, odd usage, and what it saw of every request.

Scripts are for one prompt and one model, so that many requests can be asked at once: `actor.script(prompt, model, act, …)`; the
last act holds for ever. Without a script it answers `answer(prompt)`, and goes on from a begun answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import re
import socket
import struct
import threading
import time
from typing import Any, Awaitable, Callable

from lines import Anthropic, OpenAI, answer, begun, prompt_of

__all__ = ["Act", "Actor", "Line", "Seen", "answer", "broken", "fail"]


@dataclasses.dataclass(frozen=True)
class Act:
    """How one request is answered."""

    status: int = 200
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: Any = None  # instead of an answer: the members of an error as a dict, or text or bytes as they are
    text: str | None = None
    thinking: tuple[str, str] | None = None  # and its signature
    calls: tuple[tuple[str, str, str], ...] = ()  # id, name, arguments
    usage: dict[str, Any] | None = None  # empty: none is told
    finish: str | None = None
    wait: float = 0  # before the status line
    wait_first: float = 0  # between the headers and the first event
    pace: float = 0  # between tokens
    fault: str | None = None  # refuse: reset before the headers; silent; cut (reset), eof, end, stall, garbage, error
    after: int | str = 0  # where: `head` before any event, tokens, `text` before the finish reason, `done` before the terminator
    has_terminator: bool = True
    holds_open: bool = False  # after the last event
    refuses_prefill: bool = False
    play: "Callable[[Line], Awaitable[None]] | None" = None  # writes everything by hand; the connection ends after it


def fail(status: int, message: str | None = None, code: str | None = None, **headers: str) -> Act:
    """An error answer; header names with underscores."""
    fields = {name: value for name, value in {"message": message, "code": code}.items() if value}
    return Act(status=status, body=fields, headers={name.replace("_", "-"): value for name, value in headers.items()})


def broken(fault: str, after: int | str = 0, **more: Any) -> Act:
    return Act(fault=fault, after=after, **more)


@dataclasses.dataclass
class Seen:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    json: Any
    model: str
    at: float
    first_at: float | None = None  # the first event was written
    finished_at: float | None = None
    left_at: float | None = None  # the caller closed the connection before the answer's end


class Gone(Exception):
    """The caller closed the connection."""


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.buffer = bytearray()
        self.news = asyncio.Event()
        self.gone = asyncio.Event()
        self.gone_at = 0.0
        self.is_idle = True  # between two requests
        self.pump = asyncio.create_task(self._pump())

    async def _pump(self) -> None:
        with contextlib.suppress(OSError):
            while data := await self.reader.read(65536):
                self.buffer += data
                self.news.set()
        self.gone_at = time.monotonic()
        self.gone.set()
        self.news.set()

    async def _need(self, enough: Callable[[], bool]) -> None:
        while not enough():
            if self.gone.is_set():
                raise Gone
            self.news.clear()
            await self.news.wait()

    def _take(self, count: int) -> bytes:
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    async def request(self) -> Seen:
        await self._need(lambda: b"\r\n\r\n" in self.buffer)
        head = self._take(self.buffer.index(b"\r\n\r\n") + 4).decode("latin-1")
        first, *rest = head.rstrip().split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        size = int(headers.get("content-length", 0))
        await self._need(lambda: len(self.buffer) >= size)
        body = self._take(size)
        parsed = json.loads(body) if body else {}
        return Seen(first.split(" ")[1].split("?")[0], headers, body, parsed, str(parsed.get("model", "")), time.monotonic())

    async def send(self, data: bytes | str) -> None:
        if self.gone.is_set():
            raise Gone
        self.writer.write(data if isinstance(data, bytes) else data.encode())
        try:
            await self.writer.drain()
        except OSError:
            raise Gone from None

    async def chunk(self, data: bytes | str) -> None:
        data = data if isinstance(data, bytes) else data.encode()
        await self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def head(self, status: int = 200, **headers: str) -> None:
        named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        await self.send(f"HTTP/1.1 {status} Acted\r\n{named}\r\n")

    async def open(self, **headers: str) -> None:
        """The head of a chunked stream of events."""
        await self.head(**({"content_type": "text/event-stream", "transfer_encoding": "chunked"} | headers))

    async def whole(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        await self.head(status, **(headers | {"content_length": str(len(body))}))
        await self.send(body)

    async def pause(self, seconds: float) -> None:
        if seconds > 0:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.gone.wait(), seconds)
                raise Gone

    async def wait_gone(self) -> None:
        await self.gone.wait()
        raise Gone

    def reset(self) -> None:
        raw = self.writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Actor:
    """A running scripted provider."""

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        self.bugs: list[str] = []
        self._lines: set[Line] = set()
        self._scripts: dict[tuple[str, str], list[Act]] = {}
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.port: int = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.url = f"http://127.0.0.1:{self.port}"

    async def _listen(self) -> int:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        return self.server.sockets[0].getsockname()[1]

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self.server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        assert not self.bugs, self.bugs

    def hang_up(self, how: str) -> int:
        """Closes the connections that wait for another request, by `fin` or by `reset`; gives their number."""

        async def close() -> int:
            idle = [line for line in self._lines if line.is_idle]
            for line in idle:
                line.reset() if how == "reset" else line.writer.close()
            await asyncio.gather(*(line.gone.wait() for line in idle))
            return len(idle)

        return asyncio.run_coroutine_threadsafe(close(), self._loop).result(10)

    def script(self, prompt: str, model: str, *acts: Act) -> None:
        """What the next requests get that hold `prompt` (`*`: any) and are for `model`, one each; the last for ever."""
        with self._lock:
            self._scripts[(self._mark(prompt) or prompt, model)] = list(acts)

    def seen(self, prompt: str | None = None, model: str | None = None) -> list[Seen]:
        found = list(self.requests)
        return [seen for seen in found if (prompt is None or prompt.encode() in seen.body) and (model is None or seen.model == model)]

    @staticmethod
    def _mark(text: str) -> str | None:
        """What `suite.prompt` makes each text unique with."""
        found = re.findall(r"\d+-[0-9a-f]{8}\b", text)
        return found[-1] if found else None

    def _next(self, seen: Seen) -> Act:
        mark = self._mark(prompt_of(seen.json))
        with self._lock:
            for key in ((mark or "", seen.model), ("*", seen.model)):
                if acts := self._scripts.get(key):
                    return acts.pop(0) if len(acts) > 1 else acts[0]
        return Act()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, seen = Line(reader, writer), None
        self._lines.add(line)
        try:
            while True:
                seen = await line.request()
                line.is_idle = False
                self.requests.append(seen)
                stays = await self._answer(line, seen)
                seen.finished_at = time.monotonic()
                line.is_idle = True
                if not stays:
                    break
                seen = None
        except Gone:
            if seen is not None:
                seen.left_at = line.gone_at
        except Exception as error:  # a bug in here must not look like a fault of the provider
            self.bugs.append(f"{error!r} for {seen}")
        finally:
            self._lines.discard(line)
            line.pump.cancel()
            writer.close()

    async def _answer(self, line: Line, seen: Seen) -> bool:
        dialect = Anthropic if seen.path.endswith("/messages") else OpenAI
        act = self._next(seen)
        if act.fault == "refuse":
            line.reset()
            return False
        if act.fault == "silent":
            await line.wait_gone()
        await line.pause(act.wait)
        if act.play is not None:
            await act.play(line)
            return False
        given = begun(seen.json)
        if given and act.refuses_prefill:
            act = fail(400, "This model does not support assistant message prefill. The conversation must end with a user message.")
        if act.body is not None or act.status != 200:
            body = json.dumps(dialect.error(act.status, act.body or {})) if isinstance(act.body, (dict, type(None))) else act.body
            await line.whole(act.status, body if isinstance(body, bytes) else body.encode(), {"content-type": "application/json"} | act.headers)
            return True
        text = act.text if act.text is not None else "" if act.calls else answer(prompt_of(seen.json))
        said = dialect(seen.model, text[len(given):] if text.startswith(given) else text, act)
        if not seen.json.get("stream"):
            await line.whole(200, json.dumps(said.whole()).encode(), {"content-type": "application/json"} | act.headers)
            return True
        return await self._stream(line, seen, act, said)

    async def _stream(self, line: Line, seen: Seen, act: Act, said: OpenAI | Anthropic) -> bool:
        await line.open(**act.headers)
        if act.fault and act.after == "head":
            if not await self._break(line, act, said):
                return act.fault in self.POLITE
        await line.pause(act.wait_first)
        told, is_text_over = 0, False
        for place, data in said.frames():
            is_here = place == "token" and act.after == told or place == "finish" and act.after == "text" and not is_text_over or place == act.after == "done"
            if act.fault and is_here and not await self._break(line, act, said):
                return act.fault in self.POLITE
            is_text_over = is_text_over or place == "finish"
            if place == "token":
                if told:
                    await line.pause(act.pace)
                told += 1
            if place == "done" and not act.has_terminator:
                continue
            await line.chunk(data)
            seen.first_at = seen.first_at or time.monotonic()
        if act.holds_open:
            await line.wait_gone()
        await line.send(b"0\r\n\r\n")
        return True

    # These end the HTTP message well, so that the connection is good for another request.
    POLITE = ("end", "error")

    async def _break(self, line: Line, act: Act, said: OpenAI | Anthropic) -> bool:
        """Acts the fault. True: the answer goes on after it."""
        match act.fault:
            case "stall":
                await line.wait_gone()
            case "garbage":
                await line.chunk(said.garbage)
                return True
            case "error":
                await line.chunk(said.event_of_error())
                await line.send(b"0\r\n\r\n")
            case "end":
                await line.send(b"0\r\n\r\n")
            case "cut" | "eof":
                # What was written before must arrive, and be shown: a reset takes back what still waits.
                await asyncio.sleep(0.04)
                if act.fault == "cut":
                    line.reset()
        return False
