"""A hostile upstream: counts who connects, keeps what it is told byte by byte, and answers as a test wants it to."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import socket
import ssl
import threading
from typing import Callable

PLAIN = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"


@dataclasses.dataclass
class Request:
    """One request as it came."""

    line: bytes
    headers: list[tuple[str, str]]
    body: bytes
    raw: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def target(self) -> str:
        return self.line.split(b" ")[1].decode()

    @property
    def method(self) -> str:
        return self.line.split(b" ")[0].decode()

    @property
    def secret(self) -> bytes:
        """What stands in `authorization` after the scheme: the secret that was injected."""
        return (self.all("authorization") or [""])[0].partition(" ")[2].encode()


Behaviour = Callable[[socket.socket, Request], None]


def answer(body: bytes, status: str = "200 OK", headers: str = "content-type: text/plain\r\n") -> Behaviour:
    """Answers with this; `{secret}` stands for the injected secret. Keeps the connection."""

    def behave(connection: socket.socket, request: Request) -> None:
        whole = body.replace(b"{secret}", request.secret)
        head = f"HTTP/1.1 {status}\r\n{headers}content-length: {len(whole)}\r\n\r\n".encode()
        connection.sendall(head.replace(b"{secret}", request.secret) + whole)

    return behave


def raw(*pieces: bytes | float) -> Behaviour:
    """Sends these bytes as they are, `{secret}` replaced, pausing for the numbers between; then closes."""

    def behave(connection: socket.socket, request: Request) -> None:
        for piece in pieces:
            if isinstance(piece, float):
                threading.Event().wait(piece)
            else:
                connection.sendall(piece.replace(b"{secret}", request.secret))
        raise ConnectionAbortedError

    return behave


class Upstream:
    """Listens on a free port of `host`. `behaviour` may be changed at any time; paths in `at` have their own."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.behaviour: Behaviour = answer(b"ok")
        self.at: dict[str, Behaviour] = {}
        self.accepted = 0
        self.requests: list[Request] = []
        self.bytes = 0
        self._tls = tls
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, port))
        self._socket.listen(64)
        self.host, self.port = host, self._socket.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    def forget(self) -> None:
        self.accepted, self.bytes = 0, 0
        self.requests.clear()
        self.at.clear()
        self.behaviour = answer(b"ok")

    def close(self) -> None:
        self._socket.close()
        self.drop()

    def drop(self) -> None:
        """Ends every connection, so that the next call makes a new one."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "Upstream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.accepted += 1
            self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        plain = connection
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                # The plain one has given its descriptor away.
                self._open.discard(plain)
                self._open.add(connection)
            buffer = b""
            while request := self._read(connection, buffer):
                buffer = b""
                self.requests.append(request)
                behave = self.at.get(request.target.partition("?")[0], self.behaviour)
                behave(connection, request)
        except (OSError, ValueError):
            pass
        finally:
            self._open -= {plain, connection}
            with contextlib.suppress(OSError):
                connection.close()

    def _read(self, connection: socket.socket, buffer: bytes) -> Request | None:
        def more() -> bytes:
            piece = connection.recv(1 << 16)
            self.bytes += len(piece)
            return piece

        while b"\r\n\r\n" not in buffer:
            piece = more()
            if not piece:
                return None
            buffer += piece
        head, _, body = buffer.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        headers = [tuple(part.strip() for part in line.decode("latin-1").split(":", 1)) for line in lines[1:]]
        request = Request(lines[0], headers, b"", head)  # type: ignore[arg-type]
        length = request.all("content-length")
        if length:
            while len(body) < int(length[0]):
                piece = more()
                if not piece:
                    return None
                body += piece
        elif "chunked" in " ".join(request.all("transfer-encoding")):
            while not re.search(rb"(^|\r\n)0\r\n\r\n$", body):
                piece = more()
                if not piece:
                    return None
                body += piece
        request.body = body
        request.raw = head + b"\r\n\r\n" + body
        return request
