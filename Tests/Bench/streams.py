"""Many streams at once, over epoll: streams that run at a pace, and streams that are held open and silent."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import select
import time
from typing import Iterator, Sequence

from load import Connection, Failed, connections

TOKEN = re.compile(rb'"content":"[^"]')
_END = b"\r\n0\r\n\r\n"
_LONGEST = 30.0  # seconds without any token before the measurement is given up


@dataclasses.dataclass
class Paced:
    """What the client saw of many streams."""

    first_token_ms: list[float] = dataclasses.field(default_factory=list)
    tokens: int = 0
    late: int = 0  # tokens more than LATE after their turn
    latest_ms: float = 0.0
    client_share: float = 0.0  # of one core


LATE = 0.020


class _Stream:
    """One stream. `base` is the earliest start that its tokens so far speak for: token n is due at base + n * interval."""

    __slots__ = ("connection", "due", "base", "count", "tail")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.restart(0.0)

    def restart(self, due: float) -> None:
        self.due, self.base, self.count, self.tail = due, 0.0, 0, b""


def paced(port: int, requests: Sequence[bytes], width: int, interval: float) -> Paced:
    """Runs all requests, `width` at once, the first ones spread over a second; each connection goes on with the next."""
    seen, waiting = Paced(), list(reversed(requests))
    with connections(port, width) as opened, contextlib.closing(select.epoll()) as poll:
        streams = {connection.fileno(): _Stream(connection) for connection in opened}
        for connection in opened:
            connection.socket.setblocking(False)
            poll.register(connection.fileno(), select.EPOLLIN)
        fresh = list(streams.values())
        start, spent = time.perf_counter() + 0.05, time.process_time()
        begun = done = 0
        while done < len(requests):
            now = time.perf_counter()
            while begun < width and waiting and start + begun / width <= now:
                _begin(fresh[begun], waiting.pop())
                begun += 1
            wait = max(0.0, start + begun / width - now) if begun < width else _LONGEST
            events = poll.poll(wait, width)
            if not events and wait == _LONGEST:
                raise Failed(f"no token within {_LONGEST:.0f} s")
            for number, _ in events:
                stream = streams[number]
                if _read(stream, seen, interval):
                    done += 1
                    if waiting:
                        _begin(stream, waiting.pop())
        seen.client_share = (time.process_time() - spent) / (time.perf_counter() - start)
    return seen


def _begin(stream: _Stream, data: bytes) -> None:
    stream.restart(time.perf_counter())
    stream.connection.socket.sendall(data)


def _read(stream: _Stream, seen: Paced, interval: float) -> bool:
    """Takes what is there; whether the stream is complete."""
    data = stream.connection.socket.recv(65536)
    now = time.perf_counter()
    if not data:
        raise Failed(f"a stream was closed after {stream.count} tokens")
    if not stream.tail and not data.startswith(b"HTTP/1.1 200"):
        raise Failed(f"the answer was {data[:300]!r}")
    joined = stream.tail + data
    found = len(TOKEN.findall(joined))
    # Short enough that no token is found twice, long enough that none is missed.
    stream.tail = joined[-11:]
    if found:
        if stream.count == 0:
            seen.first_token_ms.append((now - stream.due) * 1000)
            stream.base = now
        for index in range(stream.count, stream.count + found):
            lateness = now - stream.base - index * interval
            if lateness < 0:
                stream.base += lateness
            elif lateness > LATE:
                seen.late += 1
            seen.latest_ms = max(seen.latest_ms, lateness * 1000)
        stream.count += found
        seen.tokens += found
    if not joined.endswith(_END):
        return False
    if stream.count == 0:
        raise Failed(f"a stream without a token: {joined[:300]!r}")
    return True


@contextlib.contextmanager
def held(port: int, requests: Sequence[bytes], rate: float = 500) -> Iterator[None]:
    """Opens a stream for each request, waits for the first token of each, and holds them for the block."""
    with connections(port, 0) as opened, contextlib.closing(select.epoll()) as poll:
        waiting: dict[int, bytes] = {}
        by_number: dict[int, Connection] = {}
        count, start = len(requests), time.perf_counter()
        while len(opened) < count or waiting:
            while len(opened) < count and len(opened) < (time.perf_counter() - start) * rate:
                connection = Connection(port)
                opened.append(connection)
                connection.socket.sendall(requests[len(opened) - 1])
                poll.register(connection.fileno(), select.EPOLLIN)
                waiting[connection.fileno()], by_number[connection.fileno()] = b"", connection
            for number, _ in poll.poll(0.002 if len(opened) < count else _LONGEST):
                piece = by_number[number].socket.recv(65536)
                if not piece:
                    raise Failed(f"stream {len(opened)} was closed: {waiting.get(number, b'')[:300]!r}")
                if number not in waiting:
                    continue
                waiting[number] += piece
                if not waiting[number].startswith(b"HTTP/1.1 200"):
                    raise Failed(f"stream {len(opened)} of {count} was answered with {waiting[number][:300]!r}")
                if TOKEN.search(waiting[number]):
                    del waiting[number]
            if time.perf_counter() - start > count / rate + _LONGEST:
                raise Failed(f"{len(waiting)} of {len(opened)} streams got no token")
        yield
