"""The same calls through the edge, as an application makes them: `/v1/proxy` and `/v1/call`, the bytes of HTTP written by hand."""

from __future__ import annotations

import http.client
import io
import json
import socket
import time
from typing import Any, Iterable

from caller import DEADLINE, DENIED, EXHAUSTED, INTERNAL, INVALID, NOT_FOUND, OK, PRECONDITION, UNAVAILABLE, UNKNOWN, Answer

CODES = {400: INVALID, 403: DENIED, 404: NOT_FOUND, 405: INVALID, 409: PRECONDITION, 413: INVALID, 414: INVALID, 422: INVALID, 429: EXHAUSTED, 431: INVALID, 501: INVALID, 505: INVALID, 500: INTERNAL, 502: UNAVAILABLE, 503: UNAVAILABLE, 504: DEADLINE}
Header = tuple[str | bytes, str | bytes]


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


class _Canned:
    """What `http.client` reads a response from."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self.data)


def _exchange(port: int, request: bytes, seconds: float) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(request)
        told = b""
        while piece := connection.recv(1 << 16):
            told += piece
        return told


def _read(told: bytes, method: str | bytes) -> Answer:
    response = http.client.HTTPResponse(_Canned(told), method=_bytes(method).decode(errors="replace"))  # type: ignore[arg-type]
    response.begin()
    answer = Answer(status=response.status, phrase=response.reason, headers=list(response.headers.items()))
    is_upstreams = response.getheader("x-bulkhead-destination") is not None
    answer.code = OK if is_upstreams else CODES.get(response.status, UNKNOWN)
    try:
        answer.body = response.read()
    except (http.client.HTTPException, OSError, ValueError) as error:
        # Cut off: the connection ended before the answer did.
        answer.body, answer.code, answer.reason = getattr(error, "partial", b""), EXHAUSTED, "cut"
    if not is_upstreams:
        try:
            failure = json.loads(answer.body)
            failure = failure.get("error", failure)
            answer.reason, answer.message = str(failure.get("code", "")), str(failure.get("message", failure.get("detail", "")))
        except (ValueError, AttributeError):
            pass
    # Framing may stand in the middle of what would be found: both are looked through.
    answer.raw = told + b"\n" + answer.body
    return answer


def _head(line: bytes, headers: Iterable[Header], key: str, body: bytes | None) -> bytes:
    given = [(_bytes(name), _bytes(value)) for name, value in headers]
    if not any(name.lower() == b"host" for name, _ in given):
        given.append((b"host", b"bulkhead.test"))
    given += [(b"authorization", f"Bearer {key}".encode()), (b"connection", b"close")]
    if body is not None:
        given.append((b"content-length", str(len(body)).encode()))
    return line + b" HTTP/1.1\r\n" + b"".join(name + b": " + value + b"\r\n" for name, value in given) + b"\r\n" + (body or b"")


def proxied(
    port: int, key: str, destination: str, path: str | bytes = "/x", method: str | bytes = "GET", headers: Iterable[Header] = (),
    query: str | bytes | None = None, body: bytes | None = None, seconds: float = 10,
) -> Answer:
    """`/v1/proxy/{destination}{path}`."""
    target = b"/v1/proxy/" + destination.encode() + _bytes(path) + (b"?" + _bytes(query) if query is not None else b"")
    began = time.monotonic()
    answer = _read(_exchange(port, _head(_bytes(method) + b" " + target, headers, key, body), seconds), method)
    answer.seconds = time.monotonic() - began
    return answer


def described(
    port: int, key: str, destination: str, path: str | bytes = "/x", method: str | bytes = "GET", headers: Iterable[Header] = (),
    query: str | bytes | None = None, body: bytes | None = None, seconds: float = 10,
) -> Answer:
    """`/v1/call/{destination}`. JSON says what it can: text, and a query as pairs."""
    told: dict[str, Any] = {"method": _bytes(method).decode("latin-1"), "path": _bytes(path).decode(errors="replace")}
    told["headers"] = {_bytes(name).decode("latin-1"): _bytes(value).decode("latin-1") for name, value in headers}
    if query is not None:
        told["query"] = dict(pair.partition("=")[::2] for pair in _bytes(query).decode("latin-1").split("&"))
    if body is not None:
        told["body"] = body.decode("latin-1")
    began = time.monotonic()
    sent = json.dumps(told).encode()
    answer = _read(_exchange(port, _head(b"POST /v1/call/" + destination.encode(), [("content-type", "application/json")], key, sent), seconds), "POST")
    answer.seconds = time.monotonic() - began
    return answer
