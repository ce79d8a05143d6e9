"""A destination that records what reaches it and answers in every way HTTP/1.1 knows: the path says which."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import json
import socket
import threading
import time
import urllib.parse
from typing import Iterator


@dataclasses.dataclass
class Request:
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    closed_at: float | None = None  # the moment its sender was seen to leave

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


class Upstream:
    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.go = threading.Event()  # what /gate waits for
        outer = self

        class Handler(_Handler):
            upstream = outer

        self.server = _Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def last(self) -> Request:
        return self.seen[-1]

    def close(self) -> None:
        self.go.set()
        self.server.shutdown()
        self.server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that break are what the tests are about."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream: Upstream

    def log_message(self, *_: object) -> None:
        pass

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes, in either framing."""
        if self.headers.get("transfer-encoding"):
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return
        left = int(self.headers.get("content-length") or 0)
        while left:
            piece = self.rfile.read1(min(left, 65536))
            if not piece:
                raise ConnectionError("the body ended early")
            left -= len(piece)
            yield piece

    def head(self, status: int = 200, *fields: tuple[str, str], reason: str | None = None) -> None:
        self.send_response_only(status, reason)
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()

    def whole(self, body: bytes, status: int = 200, *fields: tuple[str, str], reason: str | None = None) -> None:
        self.head(status, ("content-length", str(len(body))), *fields, reason=reason)
        if self.command != "HEAD":
            self.wfile.write(body)

    def chunk(self, piece: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.flush()

    def answer(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        record = Request(self.command, self.path, list(self.headers.items()))
        self.upstream.seen.append(record)
        kind = url.path.strip("/").split("/")
        act = getattr(self, f"on_{kind[0]}", None)
        if act:
            return act(record, query, kind[1:])
        record.body = b"".join(self.pieces())
        told = {"method": record.method, "target": record.target, "headers": record.headers, "body": record.body.decode("latin-1")}
        self.whole(json.dumps(told).encode(), 200, ("content-type", "application/json"))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    # What the first word of the path asks for

    def on_upload(self, record: Request, query: dict[str, str], rest: list[str]) -> None:
        digest, size = hashlib.sha256(), 0
        for piece in self.pieces():
            digest.update(piece)
            size += len(piece)
        self.whole(json.dumps({"size": size, "sha256": digest.hexdigest()}).encode(), 200, ("content-type", "application/json"))

    def on_duplex(self, record: Request, query: dict[str, str], rest: list[str]) -> None:
        """Each piece of the body goes back as it comes."""
        self.head(200, ("transfer-encoding", "chunked"), ("content-type", "application/octet-stream"))
        for piece in self.pieces():
            self.chunk(piece)
        self.wfile.write(b"0\r\n\r\n")

    def on_early(self, record: Request, query: dict[str, str], rest: list[str]) -> None:
        """An answer before the body is read; the rest of the body never is."""
        self.whole(b"enough", 413, ("connection", "close"))
        self.close_connection = True

    def on_stream(self, record: Request, query: dict[str, str], rest: list[str]) -> None:
        self.head(200, ("transfer-encoding", "chunked"), ("content-type", "text/event-stream"))
        for number in range(int(query.get("n", 3))):
            self.chunk(b"data: tick %d\n\n" % number)
            time.sleep(float(query.get("delay", 0)))
        self.wfile.write(b"0\r\n\r\n")

    def on_big(self, record: Request, query: dict[str, str], rest: list[str]) -> None:
        size = int(query["n"])
        self.head(200, ("content-length", str(size)))
        block = b"x" * 65536
        while size:
            size -= self.wfile.write(block[: min(size, len(block))])

    def on_gate(self, record: Request, query: dict[str, str], rest: list[str]) -> None:
        record.body = b"".join(self.pieces())
        self.upstream.go.wait(20)
        self.whole(b"through")

    def on_trailers(self, record: Request, query: dict[str, str], rest: list[str]) -> None:
        self.head(200, ("transfer-encoding", "chunked"), ("trailer", "x-sum"))
        self.chunk(b"body")
        self.wfile.write(b"0\r\nx-sum: 42\r\n\r\n")

    def on_cut(self, record: Request, query: dict[str, str], rest: list[str]) -> None:
        """Breaks off in the middle, in either framing."""
        framing = ("transfer-encoding", "chunked") if rest == ["chunked"] else ("content-length", "1000")
        self.head(200, framing)
        self.chunk(b"half") if rest == ["chunked"] else self.wfile.write(b"half")
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def on_silent(self, record: Request, query: dict[str, str], rest: list[str]) -> None:
        """Says nothing (or only its head) until its sender leaves."""
        if rest == ["head"]:
            self.head(200, ("transfer-encoding", "chunked"), ("content-type", "text/event-stream"))
            self.chunk(b": here\n\n")
        self.connection.settimeout(20)
        try:
            while self.connection.recv(65536):
                pass
        except OSError:
            pass
        record.closed_at = time.monotonic()
        self.close_connection = True

    def on_status(self, record: Request, query: dict[str, str], rest: list[str]) -> None:
        b"".join(self.pieces())
        status = int(rest[0])
        if status in (204, 304):
            return self.head(status)
        self.whole(f"status {status}".encode(), status, ("content-type", "text/plain"), reason=query.get("reason"))

    def on_fields(self, record: Request, query: dict[str, str], rest: list[str]) -> None:
        """An answer whose headers meet those of the edge."""
        record.body = b"".join(self.pieces())
        self.whole(
            b"fields", 200, ("x-request-id", "upstream-1"), ("request-id", "upstream-2"), ("cache-control", "max-age=60"),
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-frame-options", "ALLOWALL"),
            ("strict-transport-security", "max-age=1"), ("keep-alive", "timeout=1"),
            ("x-bulkhead-cache", "exact"), ("x-custom", "kept"),
        )
