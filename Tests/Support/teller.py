"""A provider of one's own, made to be looked at: how much it could send, and when its caller left."""

from __future__ import annotations

import dataclasses
import json
import select
import socket
import threading
import time

PIECE = 4096  # characters of a token of `flood`
PAUSE = 0.02  # seconds between the tokens of `drip`


@dataclasses.dataclass
class Told:
    """One exchange."""

    model: str
    body: str
    sent: int = 0
    last_sent_at: float = 0
    left_at: float | None = None


class Teller:
    """Answers every chat with an endless stream: `drip`, a word every 20 ms, or `flood`, as fast as it is taken."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def about(self, text: str) -> Told | None:
        """The exchange whose request holds `text`."""
        return next((told for told in list(self.told) if text in told.body), None)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
            threading.Thread(target=self._tell, args=(connection,), daemon=True).start()

    def _tell(self, connection: socket.socket) -> None:
        with connection:
            try:
                told = self._asked(connection)
            except OSError:
                return
            self.told.append(told)
            try:
                self._stream(connection, told)
            except OSError:
                pass
            told.left_at = time.monotonic()

    def _asked(self, connection: socket.socket) -> Told:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._some(connection)
        head, _, body = received.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), None)
        while len(body) < length if length is not None else not body.endswith(b"0\r\n\r\n"):
            body += self._some(connection)
        text = body.decode(errors="replace")
        return Told("flood" if '"demo-flood"' in text else "drip", text)

    @staticmethod
    def _some(connection: socket.socket) -> bytes:
        data = connection.recv(1 << 16)
        if not data:
            raise OSError("left while it asked")
        return data

    def _stream(self, connection: socket.socket, told: Told) -> None:
        """Until the caller leaves, which raises or returns."""
        connection.setblocking(False)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        is_flood = told.model == "flood"
        piece = self._chunk("word " if not is_flood else "x" * PIECE)
        waiting = head + piece
        while True:
            readable, writable, _ = select.select([connection], [connection] if waiting else [], [], PAUSE)
            if readable and not connection.recv(4096):
                return
            if writable:
                count = connection.send(waiting)
                told.sent += count
                told.last_sent_at = time.monotonic()
                waiting = waiting[count:]
            if not waiting:
                waiting = piece
                if not is_flood:
                    readable, _, _ = select.select([connection], [], [], PAUSE)
                    if readable and not connection.recv(4096):
                        return

    @staticmethod
    def _chunk(text: str) -> bytes:
        event = {"id": "t", "object": "chat.completion.chunk", "created": 1, "model": "t", "choices": [{"index": 0, "delta": {"content": text}}]}
        data = b"data: " + json.dumps(event).encode() + b"\n\n"
        return f"{len(data):x}\r\n".encode() + data + b"\r\n"
