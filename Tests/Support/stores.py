"""The stores a suite of a test stands on. BULKHEAD_TEST_STORES names the pair, e.g. `postgres+redis`; without it the embedded ones.
BULKHEAD_TEST_CONNECTIONS is what a suite may open to PostgreSQL; 20 without it."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import secrets
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator

if TYPE_CHECKING:  # they start their servers as suites start processes, and are loaded when one is asked for
    from postgres_server import PostgresServer
    from redis_server import RedisServer

PAIRS = ("sqlite+local", "sqlite+redis", "postgres+local", "postgres+redis")


def chosen() -> tuple[str, str]:
    """Durable and fast."""
    pair = os.environ.get("BULKHEAD_TEST_STORES", PAIRS[0])
    assert pair in PAIRS, f"BULKHEAD_TEST_STORES={pair}: one of {', '.join(PAIRS)}"
    durable, fast = pair.split("+")
    return durable, fast


@functools.cache
def shared_postgres() -> "PostgresServer":
    """The one server of this run, for all who do it no harm: a database each."""
    from postgres_server import PostgresServer

    server = PostgresServer()
    atexit.register(server.close)
    return server


class Stores:
    """A database and a Redis that one suite, or several, call their own; with `own` also the PostgreSQL, to be harmed."""

    def __init__(self, durable: str, fast: str, own: bool = False) -> None:
        self.settings: dict[str, Any] = {"durable": durable, "fast": fast}
        self.postgres: "PostgresServer | None" = None
        self.redis: "RedisServer | None" = None
        self._closing = contextlib.ExitStack()
        if durable == "postgres":
            self._add_postgres(own)
        if fast == "redis":
            self._folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="br")))
            self._start_redis()
            self._closing.callback(lambda: self.redis and self.redis.close())

    def _add_postgres(self, own: bool) -> None:
        from postgres_server import PostgresServer

        self.postgres = PostgresServer() if own else shared_postgres()
        if own:
            self._closing.callback(self.postgres.close)
        name = f"db_{secrets.token_hex(6)}"
        self.postgres.ask(f"CREATE DATABASE {name}")
        url = self.postgres.url.replace("/postgres?", f"/{name}?")
        self.settings["postgres"] = {"url": url, "connections": int(os.environ.get("BULKHEAD_TEST_CONNECTIONS", "20"))}

    def _start_redis(self) -> None:
        from redis_server import RedisServer

        self.redis = RedisServer(self._folder)
        self.settings["redis"] = {"url": f"unix://{self.redis.socket}"}

    def close(self) -> None:
        self._closing.close()

    # Harm, for as long as a block lasts

    @contextlib.contextmanager
    def postgres_down(self) -> Iterator[None]:
        assert self.postgres is not None
        self.postgres.kill()
        try:
            yield
        finally:
            self.postgres.start()

    @contextlib.contextmanager
    def postgres_frozen(self) -> Iterator[None]:
        assert self.postgres is not None
        self.postgres.freeze()
        try:
            yield
        finally:
            self.postgres.thaw()

    @contextlib.contextmanager
    def redis_down(self) -> Iterator[None]:
        """Killed; the one that comes back is empty."""
        assert self.redis is not None
        os.kill(self.redis.pid, signal.SIGKILL)
        self.redis.process.wait(10)
        try:
            yield
        finally:
            self._start_redis()

    @contextlib.contextmanager
    def redis_frozen(self) -> Iterator[None]:
        assert self.redis is not None
        os.kill(self.redis.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.redis.pid, signal.SIGCONT)


def of_environment() -> Stores | None:
    """What the environment asks for; None for the embedded pair, which needs nothing."""
    pair = chosen()
    return None if pair == ("sqlite", "local") else Stores(*pair)
