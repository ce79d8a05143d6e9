"""A caller of credentials that says whatever a taken-over process could say: the frames of the IPC layer, written by hand."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from pathlib import Path
from typing import Iterable

from ipc_wire import CANCEL, CREDIT, END_STREAM, ERROR, HAS_MESSAGE, MESSAGE, MORE, PING, PONG, REQUEST, STATUS, Frame, Wire, call_head, failure, field, fields

OK, CANCELLED, UNKNOWN, INVALID, DEADLINE, NOT_FOUND, EXISTS, DENIED = range(8)
EXHAUSTED, PRECONDITION, ABORTED, OUT_OF_RANGE, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS, UNAUTHENTICATED = range(8, 17)
CALL = "Credentials.Call"


@dataclasses.dataclass
class Answer:
    """How a call ended, and what came before."""

    code: int = -1
    reason: str = ""
    message: str = ""
    status: int = 0
    phrase: str = ""
    headers: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    trailers: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    body: bytes = b""
    seconds: float = 0
    raw: bytes = b""
    """Every byte credentials sent for this call."""

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return found[0] if found else None


def request(
    destination: str | bytes, path: str | bytes = "/x", method: str | bytes = "GET", headers: Iterable[tuple[str | bytes, str | bytes]] = (),
    query: str | bytes | None = None, body: bytes | None = None,
) -> bytes:
    """A CallRequest."""
    out = field(1, destination) + field(2, method) + field(3, path)
    if query is not None:
        out += field(4, query)
    for name, value in headers:
        out += field(5, field(1, name) + field(2, value))
    return out + (field(6, body) if body is not None else b"")


def _headers(values: list[bytes]) -> list[tuple[str, str]]:
    made = [dict(fields(value)) for value in values]
    return [(bytes(one.get(1, b"")).decode(errors="replace"), bytes(one.get(2, b"")).decode(errors="replace")) for one in made]


class Caller:
    """A connection to credentials under the name of a service."""

    def __init__(self, socket: Path, service: str = "edge") -> None:
        self.wire = Wire.greeted(socket, service=service, peer="credentials")

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    def begin(self, message: bytes, seconds: float = 10, flags: int = HAS_MESSAGE | END_STREAM) -> int:
        """Sends a call; gives its stream."""
        frame = self.wire.request(CALL, b"", flags, seconds=seconds, request_id="attack")
        if len(message) <= 60_000:
            frame.payload += message
            self.wire.send(frame)
            return frame.stream
        frame.flags = 0
        pieces = [message[at : at + 60_000] for at in range(0, len(message), 60_000)]
        self.wire.send(frame)
        left = len(message)
        for piece in pieces[:-1]:
            self.wire.send(Frame(MESSAGE, piece, frame.stream, HAS_MESSAGE | MORE, aux=left))
            left -= len(piece)
        self.wire.send(Frame(MESSAGE, pieces[-1], frame.stream, flags))
        return frame.stream

    def cancel(self, stream: int) -> None:
        self.wire.send(Frame(CANCEL, b"", stream))

    def finish(self, stream: int, on_piece=None) -> Answer:
        """Reads until the call's end."""
        answer, began, partial = Answer(), time.monotonic(), b""
        while frame := self.wire.read():
            if frame.kind == PING:
                self.wire.send(Frame(PONG, frame.payload))
            if frame.kind == ERROR:
                raise AssertionError(f"credentials ended the connection: {frame.payload!r}")
            if frame.stream != stream:
                continue
            answer.raw += frame.payload
            if frame.kind in (MESSAGE, STATUS) and frame.flags & HAS_MESSAGE and not (frame.kind == STATUS and frame.aux):
                partial += frame.payload
                if not frame.flags & MORE:
                    self._take(answer, partial)
                    partial = b""
                    if on_piece:
                        on_piece(answer)
                if frame.kind == MESSAGE:
                    self.wire.send(Frame(CREDIT, b"", stream, aux=len(frame.payload)))
            if frame.kind == STATUS:
                answer.code = frame.aux
                if frame.aux:
                    answer.reason, answer.message = failure(frame.payload)
                answer.seconds = time.monotonic() - began
                return answer
        raise AssertionError("credentials closed the connection in the middle of a call")

    @staticmethod
    def _take(answer: Answer, message: bytes) -> None:
        told: dict[int, list] = {}
        for number, value in fields(message):
            told.setdefault(number, []).append(value)
        if 1 in told:
            answer.status = told[1][0]
        answer.headers += _headers(told.get(2, []))
        answer.body += b"".join(told.get(3, []))
        if 4 in told:
            answer.phrase = bytes(told[4][0]).decode(errors="replace")
        answer.trailers += _headers(told.get(5, []))

    def call(self, destination: str | bytes, path: str | bytes = "/x", seconds: float = 10, **about) -> Answer:
        return self.finish(self.begin(request(destination, path, **about), seconds))


def call(socket: Path, *words, service: str = "edge", **about) -> Answer:
    """One call on a connection of its own."""
    with contextlib.closing(Wire.connect(socket)):
        pass
    with Caller(socket, service) as caller:
        return caller.call(*words, **about)
