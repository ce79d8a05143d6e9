"""Loads over plain sockets: an open loop, a closed loop and concurrent streams.

Python's own share of a latency is a few ten microseconds and the same on every way measured; figures that matter are
differences. `select` is used because its time-out has a resolution of microseconds; epoll's from Python is a millisecond.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import re
import select
import socket
import time
from typing import Iterator, Sequence

LONGEST = 30.0  # seconds an answer may take before the measurement is given up
TOKEN = re.compile(rb'"content":\s*"[^"]')
LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.I)


class Failed(Exception):
    """What was to be measured did not happen; there is no figure."""


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def request(path: str, body: object, key: str, headers: str = "") -> bytes:
    """The bytes of a POST with keep-alive; `headers` are more lines, each with its end."""
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n{headers}\r\n"
    )
    return head.encode() + data


@dataclasses.dataclass
class Answer:
    """An HTTP/1.1 answer as it comes in."""

    due: float
    bytes: bytearray = dataclasses.field(default_factory=bytearray)
    total: int | None = None  # of the whole message; None: not known, or chunked
    is_chunked: bool = False
    first_token: float | None = None

    def feed(self, data: bytes) -> bool:
        """Whether the answer is complete."""
        self.bytes += data
        if self.total is None and not self.is_chunked:
            end = self.bytes.find(b"\r\n\r\n")
            if end < 0:
                return False
            length = LENGTH.search(self.bytes, 0, end)
            if length:
                self.total = end + 4 + int(length[1])
            else:
                self.is_chunked = True
        if self.is_chunked:
            if self.first_token is None and TOKEN.search(self.bytes):
                self.first_token = time.perf_counter()
            return self.bytes.endswith(b"\r\n0\r\n\r\n")
        return self.total is not None and len(self.bytes) >= self.total

    def check(self) -> None:
        if not self.bytes.startswith(b"HTTP/1.1 200"):
            raise Failed(f"the answer was {bytes(self.bytes[:400])!r}")


class Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LONGEST)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answer: Answer | None = None

    def fileno(self) -> int:
        return self.socket.fileno()

    def begin(self, data: bytes, due: float) -> None:
        self.answer = Answer(due)
        self.socket.sendall(data)

    def read(self) -> bool:
        """Reads what is there; whether the answer is complete."""
        data = self.socket.recv(262144)
        if not data:
            raise Failed(f"the connection was closed after {bytes(self.answer.bytes[:400])!r}")
        if not self.answer.feed(data):
            return False
        self.answer.check()
        return True


@contextlib.contextmanager
def connections(port: int, count: int) -> Iterator[list[Connection]]:
    """Open connections; without the garbage collector's pauses meanwhile."""
    opened: list[Connection] = []
    gc.disable()
    try:
        for _ in range(count):
            opened.append(Connection(port))
        yield opened
    finally:
        gc.enable()
        for connection in opened:
            connection.socket.close()


def open_loop(port: int, requests: Sequence[bytes], rate: float, width: int = 16) -> list[float]:
    """Milliseconds of each request, counted from the moment it was due: one that had to wait for a connection counts that too."""
    took: list[float] = []
    with connections(port, width) as idle:
        busy: set[Connection] = set()
        start = time.perf_counter() + 0.05
        sent = 0
        while len(took) < len(requests):
            now = time.perf_counter()
            while idle and sent < len(requests) and start + sent / rate <= now:
                connection = idle.pop()
                connection.begin(requests[sent], start + sent / rate)
                busy.add(connection)
                sent += 1
            wait = LONGEST
            if idle and sent < len(requests):
                wait = max(0.0, start + sent / rate - time.perf_counter())
            readable, _, _ = select.select(busy, (), (), wait)
            if not readable and wait == LONGEST:
                raise Failed(f"no answer within {LONGEST:.0f} s")
            for connection in readable:
                if connection.read():
                    took.append((time.perf_counter() - connection.answer.due) * 1000)
                    busy.discard(connection)
                    idle.append(connection)
    return took


def closed_loop(port: int, requests: Sequence[bytes]) -> tuple[list[float], bytes]:
    """Milliseconds of each request, one after the other on one connection, and the last answer."""
    took: list[float] = []
    last = b""
    with connections(port, 1) as (connection,):
        for data in requests:
            connection.begin(data, time.perf_counter())
            while not connection.read():
                pass
            took.append((time.perf_counter() - connection.answer.due) * 1000)
            last = bytes(connection.answer.bytes)
    return took, last


def streams(port: int, requests: Sequence[bytes], width: int) -> list[float]:
    """Milliseconds from a request to its first token, with `width` streams open at once; the first ones start over a second."""
    took: list[float] = []
    waiting = list(reversed(requests))
    with connections(port, width) as idle:
        start = time.perf_counter() + 0.05
        starts = [start + index / width for index in range(width)]
        busy: set[Connection] = set()
        fresh = list(reversed(idle))
        while len(took) < len(requests):
            now = time.perf_counter()
            while fresh and waiting and starts[width - len(fresh)] <= now:
                _begin(fresh.pop(), waiting, busy)
            wait = max(0.0, starts[width - len(fresh)] - now) if fresh and waiting else LONGEST
            readable, _, _ = select.select(busy, (), (), wait)
            if not readable and wait == LONGEST:
                raise Failed(f"no token within {LONGEST:.0f} s")
            for connection in readable:
                if connection.read():
                    if connection.answer.first_token is None:
                        raise Failed(f"a stream without a token: {bytes(connection.answer.bytes[:400])!r}")
                    took.append((connection.answer.first_token - connection.answer.due) * 1000)
                    busy.discard(connection)
                    if waiting:
                        _begin(connection, waiting, busy)
    return took


def _begin(connection: Connection, waiting: list[bytes], busy: set[Connection]) -> None:
    connection.begin(waiting.pop(), time.perf_counter())
    busy.add(connection)
