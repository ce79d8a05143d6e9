"""The IPC protocol's bytes as tests need them: frames, handshakes and calls, whole or broken, from either end of a socket."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Callable, Iterator

HEADER = 16
HELLO, HELLO_ACK, REQUEST, MESSAGE, STATUS, CANCEL, CREDIT = 1, 2, 3, 4, 6, 7, 8
PING, PONG, DRAIN, DRAIN_ACK, HEALTH, ERROR = 9, 10, 11, 12, 13, 14
END_STREAM, MORE, HAS_MESSAGE, NOT_PROCESSED = 1, 2, 4, 8
OK, INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 0, 3, 4, 8, 12, 13, 14
FRAGMENT = 64 << 10
WINDOW = 256 << 10
MAGIC = 0x484B4C42


@dataclasses.dataclass
class Frame:
    """One frame. `length` is that of the payload unless told otherwise: a lie is a fault."""

    kind: int
    payload: bytes = b""
    stream: int = 0
    flags: int = 0
    method: int = 0
    aux: int = 0
    length: int | None = None

    def __bytes__(self) -> bytes:
        length = len(self.payload) if self.length is None else self.length
        return struct.pack("<IBBHII", length, self.kind, self.flags, self.method, self.stream, self.aux) + self.payload


def cut(buffer: bytearray) -> Frame | None:
    """Takes the first whole frame off the front."""
    if len(buffer) < HEADER:
        return None
    length, kind, flags, method, stream, aux = struct.unpack_from("<IBBHII", buffer)
    if len(buffer) < HEADER + length:
        return None
    payload = bytes(buffer[HEADER : HEADER + length])
    del buffer[: HEADER + length]
    return Frame(kind, payload, stream, flags, method, aux)


# protobuf, as little as the handshake takes


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def field(number: int, value: int | bytes | str, fixed: int = 0) -> bytes:
    """A field: bytes and texts with their length, numbers as varint, or with `fixed` 32 or 64 bits."""
    if fixed:
        return varint(number << 3 | (5 if fixed == 32 else 1)) + int(value).to_bytes(fixed // 8, "little")
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message: (number, value)."""
    at = 0

    def read() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = raw[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(raw):
        tag = read()
        match tag & 7:
            case 0:
                yield tag >> 3, read()
            case 2:
                length = read()
                yield tag >> 3, raw[at : at + length]
                at += length
            case width:
                size = 8 if width == 1 else 4
                yield tag >> 3, int.from_bytes(raw[at : at + size], "little")
                at += size


def hello(
    service: str = "raw", peer: str = "", major: int = 1, instance: bytes | None = None, max_message: int = 16 << 20,
    methods: list[bytes] | None = None,
) -> bytes:
    """The payload of HELLO, or with `methods` that of HELLO_ACK."""
    return (
        field(1, MAGIC, 32) + field(2, major) + field(4, service) + field(5, instance or os.urandom(16)) + field(6, os.getpid())
        + field(7, FRAGMENT) + field(8, max_message) + field(9, time.monotonic_ns(), 64)
        + b"".join(field(11, method) for method in methods or []) + field(12, peer)
    )


def method_entry(name: str, request_hash: int, response_hash: int, shape: int = 0) -> bytes:
    return field(1, name) + field(2, request_hash, 64) + field(3, response_hash, 64) + field(4, shape)


def call_head(seconds: float = 5, request_id: str = "") -> bytes:
    """What stands before the first message of a call that ends in so many seconds."""
    tlv = b"\x01" + struct.pack("<H", len(request_id)) + request_id.encode() if request_id else b""
    now = time.monotonic_ns()
    head = struct.pack("<QQ", now + int(seconds * 1e9), now) + bytes(28) + struct.pack("<H", len(tlv))
    return head + bytes(64 - len(head)) + tlv


def failure(payload: bytes) -> tuple[str, str]:
    """Reason and message of a STATUS that is not ok."""
    told = dict(fields(payload))
    return bytes(told.get(1, b"")).decode(), bytes(told.get(2, b"")).decode()


class Wire:
    """One end of a connection, spoken by hand."""

    def __init__(self, raw: socket.socket) -> None:
        self.raw = raw
        self.raw.settimeout(10)
        self.buffer = bytearray()
        self.methods: dict[str, int] = {}
        self.next_stream = 1

    @classmethod
    def connect(cls, path: Path) -> "Wire":
        raw = socket.socket(socket.AF_UNIX)
        raw.settimeout(10)
        raw.connect(str(path))
        return cls(raw)

    @classmethod
    def greeted(cls, path: Path, **about: object) -> "Wire":
        """A client that has shaken hands and knows the methods."""
        wire = cls.connect(path)
        wire.send(Frame(HELLO, hello(**about)))  # type: ignore[arg-type]
        ack = wire.expect(HELLO_ACK)
        entries = [dict(fields(bytes(value))) for number, value in fields(ack.payload) if number == 11]
        wire.methods = {bytes(entry[1]).decode(): index for index, entry in enumerate(entries)}
        return wire

    def send(self, *frames: Frame | bytes) -> None:
        self.raw.sendall(b"".join(bytes(frame) for frame in frames))

    def read(self) -> Frame | None:
        """The next frame; nil at the end of the connection."""
        while (frame := cut(self.buffer)) is None:
            try:
                more = self.raw.recv(1 << 16)
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            self.buffer += more
        return frame

    def expect(self, *kinds: int) -> Frame:
        """The next frame of one of these kinds; PINGs are answered, all others skipped."""
        while frame := self.read():
            if frame.kind == PING:
                self.send(Frame(PONG, frame.payload))
            if frame.kind in kinds:
                return frame
        raise AssertionError(f"the connection ended before a frame of kind {kinds}")

    def end(self) -> Frame | None:
        """Reads to the end of the connection. - Returns: the ERROR frame, if one came."""
        told = None
        while frame := self.read():
            told = frame if frame.kind == ERROR else told
        return told

    def request(self, method: str, body: bytes = b"", flags: int = HAS_MESSAGE | END_STREAM, **head: object) -> Frame:
        """The frame that opens the next stream; not sent."""
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        payload = call_head(**head) + body  # type: ignore[arg-type]
        return Frame(REQUEST, payload, stream, flags, self.methods[method])

    def call(self, method: str, body: bytes = b"", **head: object) -> Frame:
        """Makes a unary call. - Returns: its STATUS."""
        request = self.request(method, body, **head)
        self.send(request)
        return self.status(request.stream)

    def status(self, stream: int) -> Frame:
        while (frame := self.expect(STATUS)).stream != stream:
            pass
        return frame

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.raw.shutdown(socket.SHUT_RDWR)  # wakes a thread that reads
        self.raw.close()

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FakeServer:
    """A server of this process: it answers each handshake as it is told, and each request with what `react` returns."""

    def __init__(self, path: Path, answer: Frame, react: Callable[[Frame], list[Frame | bytes]] | None = None) -> None:
        self.answer, self.react = answer, react or (lambda _: [])
        self.arrivals: list[float] = []  # when somebody connected
        self.errors: list[str] = []  # what clients said about it
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            self.arrivals.append(time.monotonic())
            threading.Thread(target=self._talk, args=(Wire(raw),), daemon=True).start()

    def _talk(self, wire: Wire) -> None:
        with contextlib.suppress(AssertionError, OSError), wire:
            wire.expect(HELLO)
            wire.send(self.answer)
            while (frame := wire.read()) is not None:
                if frame.kind == REQUEST:
                    wire.send(*self.react(frame))
                elif frame.kind == PING:
                    wire.send(Frame(PONG, frame.payload))
                elif frame.kind == ERROR:
                    self.errors.append(frame.payload.decode())

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
