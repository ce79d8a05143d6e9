"""Speaks the frames of the IPC layer over a real service's socket, so that a test can say what no well-behaved peer would.
"""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path

HELLO, HELLO_ACK, REQUEST, MESSAGE, STATUS, CANCEL, CREDIT, PING, PONG, DRAIN, DRAIN_ACK, HEALTH, ERROR = 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14
END_STREAM, MORE, HAS_MESSAGE, NOT_PROCESSED = 1, 2, 4, 8
OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 0, 3, 8, 12, 13, 14


class Closed(Exception):
    """The service ended the connection; with its last words, if it had any."""


@dataclass
class Frame:
    kind: int
    flags: int
    method: int
    stream: int
    aux: int
    payload: bytes


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number: int, value: bytes | str | int) -> bytes:
    """One protobuf field: length-delimited, or a varint."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def fields(data: bytes) -> list[tuple[int, bytes | int]]:
    """The fields of a well-formed message."""
    at, found = 0, []

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    while at < len(data):
        key = number()
        if key & 7 == 0:
            found.append((key >> 3, number()))
            continue
        size = {1: 8, 2: 0, 5: 4}[key & 7] or number()
        found.append((key >> 3, data[at : at + size]))
        at += size
    return found


class RawPeer:
    """A connection to `path`. With `caller` the handshake is done: `methods` maps the names of the server's methods to their ids."""

    def __init__(self, path: Path | str, caller: str | None = None, seconds: float = 5) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.methods: dict[str, int] = {}
        self._stream = -1
        self._received = b""
        try:
            self.socket.connect(str(path))
            if caller is not None:
                self.greet(caller)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, kind: int, payload: bytes = b"", *, flags: int = 0, method: int = 0, stream: int = 0, aux: int = 0) -> None:
        try:
            self.socket.sendall(struct.pack("<IBBHII", len(payload), kind, flags, method, stream, aux) + payload)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed(repr(error)) from None

    def receive(self) -> Frame:
        """- Raises: `Closed`, with the text of an ERROR frame if one came; `TimeoutError`."""
        length, *rest = struct.unpack("<IBBHII", self._take(16))
        frame = Frame(*rest, self._take(length))
        if frame.kind == ERROR:
            raise Closed(frame.payload.decode())
        return frame

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            try:
                piece = self.socket.recv(1 << 16)
            except ConnectionResetError as error:
                raise Closed(repr(error)) from None
            if not piece:
                raise Closed("end of file")
            self._received += piece
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    def greet(self, caller: str) -> None:
        hello = b"\x0dBLKH" + field(2, 1) + field(4, caller) + field(5, bytes(range(16)))
        self.send(HELLO, hello)
        while (frame := self.receive()).kind != HELLO_ACK:
            pass
        entries = [dict(fields(entry)) for number, entry in fields(frame.payload) if number == 11]
        self.methods = {entry[1].decode(): index for index, entry in enumerate(entries)}

    def open(self, method: str | int, body: bytes, *, flags: int = END_STREAM | HAS_MESSAGE, seconds: float = 5) -> int:
        """Sends a call whose request, of any length, is `body`; gives its stream."""
        self._stream += 2
        now = time.monotonic_ns()
        head = struct.pack("<QQ", now + int(seconds * 1e9), now) + bytes(48)
        pieces = [body[at : at + 65536] for at in range(0, len(body), 65536)] or [b""]
        index = method if isinstance(method, int) else self.methods[method]
        if len(pieces) == 1:
            self.send(REQUEST, head + body, flags=flags, method=index, stream=self._stream)
            return self._stream
        self.send(REQUEST, head, method=index, stream=self._stream)
        for piece in pieces[:-1]:
            self.send(MESSAGE, piece, flags=HAS_MESSAGE | MORE, stream=self._stream)
        self.send(MESSAGE, pieces[-1], flags=HAS_MESSAGE | END_STREAM, stream=self._stream)
        return self._stream

    def end_of(self, stream: int) -> Frame:
        """The STATUS of a stream; what else comes is passed over."""
        while True:
            frame = self.receive()
            if frame.kind == STATUS and frame.stream == stream:
                return frame

    def last_words(self) -> str:
        """Why the service ends the connection, once it does."""
        while True:
            try:
                self.receive()
            except Closed as error:
                return str(error)

    def call(self, method: str | int, body: bytes = b"") -> Frame:
        return self.end_of(self.open(method, body))


def reception(path: Path | str, caller: str) -> dict[str, object]:
    """How a connection is received: at the socket file, before the handshake (nothing is said for half a second), in it, or well."""
    try:
        silent = RawPeer(path, seconds=0.5)
    except OSError as error:
        return {"at": "file", "why": repr(error)}
    with silent:
        try:
            silent.receive()
        except Closed as error:
            return {"at": "connect", "why": str(error)}
        except TimeoutError:
            pass
    try:
        with RawPeer(path, caller) as peer:
            return {"at": "open", "methods": sorted(peer.methods)}
    except Closed as error:
        return {"at": "handshake", "why": str(error)}


def closed_at_once(path: Path | str, count: int) -> int:
    """How many of `count` connections are closed before a word was said."""
    closed = 0
    for _ in range(count):
        with RawPeer(path) as peer:
            try:
                peer.receive()
            except Closed:
                closed += 1
    return closed

