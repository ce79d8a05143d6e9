"""Connections to Bulkhead, kept open between calls."""

from __future__ import annotations

import http.client
import select
import ssl
import threading
import time
import urllib.parse

_KEPT = 16
# The edge closes connections that are idle for two minutes.
_IDLE_SECONDS = 60.0


class Connections:
    """A bounded stack of idle connections. Threads share it; a connection serves one call at a time."""

    def __init__(self, base_url: str, timeout: float, context: ssl.SSLContext | None) -> None:
        parts = urllib.parse.urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.rstrip("/") or parts.query:
            raise ValueError(f"base_url is {base_url!r}; expected scheme, host and port of Bulkhead, such as http://127.0.0.1:8080")
        self._host, self._port = parts.hostname, parts.port
        self._context = (context or ssl.create_default_context()) if parts.scheme == "https" else None
        self._timeout = timeout
        self._idle: list[tuple[http.client.HTTPConnection, float]] = []
        self._lock = threading.Lock()

    def take(self, timeout: float | None) -> http.client.HTTPConnection:
        """A connection nobody else uses: a kept one that still stands, else a new one."""
        limit = self._timeout if timeout is None else timeout
        while kept := self._pop():
            connection, since = kept
            if connection.sock and time.monotonic() - since < _IDLE_SECONDS and not _has_ended(connection):
                connection.timeout = limit
                connection.sock.settimeout(limit)
                return connection
            connection.close()
        if self._context is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=limit, context=self._context)
        return http.client.HTTPConnection(self._host, self._port, timeout=limit)

    def _pop(self) -> tuple[http.client.HTTPConnection, float] | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def give_back(self, connection: http.client.HTTPConnection) -> None:
        """Keeps a connection whose last answer was read to its end."""
        with self._lock:
            if connection.sock and len(self._idle) < _KEPT:
                self._idle.append((connection, time.monotonic()))
                return
        connection.close()

    def close(self) -> None:
        """Closes those that are idle."""
        while kept := self._pop():
            kept[0].close()


def _has_ended(connection: http.client.HTTPConnection) -> bool:
    """An idle connection with something to read was closed by the other side."""
    poller = select.poll()
    poller.register(connection.sock, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poller.poll(0))
